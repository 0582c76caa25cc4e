//! Conversations over each transport, protocol and door.

mod support;

use engineio::{CloseReason, Config};
use support::{Door, Event, Server, WebSocket, get, post, request};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/engine.io/?EIO=4&transport=websocket";

#[tokio::test]
async fn a_megabyte_goes_both_ways_over_either_transport_and_door() {
    let text = format!("4{}", "m".repeat(999_999));
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        let sid = server.handshake().await;
        server.opened().await;
        let target = format!("{POLLING}&sid={sid}");
        assert_eq!(post(server.addr, &target, &text).await.text(), "ok");
        assert!(get(server.addr, &target).await.text() == text, "{door:?}");

        let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
        socket.sid().await;
        socket.send(&text).await;
        assert!(socket.text().await == text, "{door:?}");
        socket.send_binary(text.as_bytes()).await;
        let (first, data) = socket.next().await.unwrap();
        assert!(first == 0x82 && data == text.as_bytes(), "{door:?}");
    }
}

#[tokio::test]
async fn the_initial_packet_comes_before_any_other_message_over_either_transport_and_protocol() {
    //= EIO4-HS-06 test
    let config = Config::new().initial_packet("first").allow_eio3(true);
    for door in Door::ALL {
        let server = Server::start(door, config.clone()).await;
        let polled = get(server.addr, POLLING).await;
        assert!(polled.text().starts_with("0{"), "{door:?}");
        assert!(polled.text().ends_with("}\u{1e}4first"), "{door:?}");
        let polled = get(server.addr, "/engine.io/?EIO=3&transport=polling").await;
        assert!(polled.text().ends_with("}6:4first"), "{door:?}");
        for target in [WEBSOCKET, "/engine.io/?EIO=3&transport=websocket"] {
            let mut socket = WebSocket::open(server.addr, target).await;
            socket.sid().await;
            assert_eq!(socket.text().await, "4first", "{door:?}");
        }
    }
}

#[tokio::test]
async fn names_of_headers_are_in_lower_case_at_every_door() {
    let config = Config::new().response_headers(|request, headers| {
        let names: Vec<_> = request.headers().map(|(name, _)| name).collect();
        headers.insert("x-names", names.join(" ").try_into().unwrap());
        assert_eq!(request.header("X-One"), Some(&b"Two"[..]));
    });
    for door in Door::ALL {
        let server = Server::start(door, config.clone()).await;
        let answer = request(server.addr, "GET", POLLING, "X-ONE: Two\r\n", b"").await;
        assert_eq!(
            answer.header("x-names"),
            Some("host connection x-one"),
            "{door:?}"
        );
        let socket = WebSocket::try_open(server.addr, WEBSOCKET, "X-ONE: Two\r\n").await;
        let socket = socket.unwrap_or_else(|refused| panic!("{refused:?}"));
        let names = socket.handshake.header("x-names").unwrap();
        assert!(
            names.ends_with("sec-websocket-key x-one"),
            "{door:?}: {names}"
        );
    }
}

#[tokio::test]
async fn packets_of_one_payload_are_answered_in_one_and_binary_as_base64() {
    //= EIO4-PLD-03 test
    let server = Server::start(Door::Own, Config::new()).await;
    let target = format!("{POLLING}&sid={}", server.handshake().await);
    post(server.addr, &target, "4a\u{1e}bAQIDBA==\u{1e}4€😀").await;
    let poll = get(server.addr, &target).await;
    assert_eq!(poll.text(), "4a\u{1e}bAQIDBA==\u{1e}4€😀");
    assert_eq!(poll.header("cache-control"), Some("no-store"));
}

#[tokio::test]
async fn either_side_can_close_either_transport() {
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        // The client, over polling and over WebSocket.
        let target = format!("{POLLING}&sid={}", server.handshake().await);
        assert_eq!(post(server.addr, &target, "1").await.text(), "ok");
        assert_eq!(server.closed().await, CloseReason::TransportClose);
        let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
        socket.sid().await;
        socket.send_bytes(&WebSocket::frame(0x88, b"")).await;
        assert_eq!(socket.close_frame().await, b"");
        assert_eq!(server.closed().await, CloseReason::TransportClose);
        // The server, likewise (EIO4-CLS-05, EIO4-WS-05).
        let target = format!("{POLLING}&sid={}", server.handshake().await);
        post(server.addr, &target, "4bye\u{1e}4!close").await;
        assert_eq!(get(server.addr, &target).await.text(), "4bye");
        assert_eq!(get(server.addr, &target).await.text(), "6\u{1e}1");
        assert_eq!(server.closed().await, CloseReason::ForcedClose);
        let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
        socket.sid().await;
        socket.send("4!close").await;
        assert_eq!(socket.close_frame().await, b"");
        assert_eq!(server.closed().await, CloseReason::ForcedClose);
        drop(socket);
        server.until_empty().await;
    }
}

#[tokio::test]
async fn what_was_read_with_the_message_that_ended_the_session_is_not_delivered() {
    let mut server = Server::start(Door::Own, Config::new()).await;
    for command in ["!close", "!abort"] {
        let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
        server.opened().await;
        let last = WebSocket::frame(0x81, format!("4{command}").as_bytes());
        let late = WebSocket::frame(0x81, b"4late");
        socket.send_bytes(&[last, late].concat()).await;
        assert_eq!(server.event().await, Event::Text(command.to_owned()));
        assert_eq!(
            server.event().await,
            Event::Closed(CloseReason::ForcedClose)
        );
    }
}

#[tokio::test]
async fn protocol_3_speaks_its_own_payloads_and_frames() {
    //= EIO3-PLD-01 test
    //= EIO3-PLD-03 test
    //= EIO3-PKT-01 test
    let polling = "/engine.io/?EIO=3&transport=polling";
    let mut server = Server::start(Door::Own, Config::new().allow_eio3(true)).await;
    let target = format!("{polling}&sid={}", get(server.addr, polling).await.sid());
    post(server.addr, &target, "2:4€4:4😀x").await;
    assert_eq!(get(server.addr, &target).await.text(), "2:4€4:4😀x");
    let binary = "Content-Type: application/octet-stream\r\n";
    let body = [0x01, 0x04, 0xff, 0x04, 1, 2, 3];
    request(server.addr, "POST", &target, binary, &body).await;
    let poll = get(server.addr, &target).await;
    assert_eq!(
        poll.header("content-type"),
        Some("application/octet-stream")
    );
    assert_eq!(poll.body, body);

    // With `b64` binary is text; with `j` the answer is a script.
    let base64 = format!("{polling}&b64=1");
    let target = format!("{base64}&sid={}", get(server.addr, &base64).await.sid());
    post(server.addr, &target, "6:b4AQID").await;
    assert_eq!(get(server.addr, &target).await.text(), "6:b4AQID");
    let script = get(server.addr, &format!("{polling}&b64=1&j=7")).await;
    assert!(script.text().starts_with("___eio[7](\""));

    let mut socket = WebSocket::open(server.addr, "/engine.io/?EIO=3&transport=websocket").await;
    socket.sid().await;
    socket.send_binary(&[4, 1, 2, 3]).await;
    assert_eq!(socket.next().await, Some((0x82, vec![4, 1, 2, 3])));
    socket.send("2").await;
    assert_eq!(socket.text().await, "3");
    while server.event().await != Event::Binary(vec![1, 2, 3]) {}
}
