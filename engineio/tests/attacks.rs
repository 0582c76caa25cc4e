//! Known attacks on the engine. After each a fresh client is served, and sessions and descriptors are back.

mod support;

use std::time::Duration;

use engineio::{CloseReason, Config};
use support::{Door, Server, WebSocket, get, post, request, send_raw, spawn, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/engine.io/?EIO=4&transport=websocket";

#[tokio::test]
async fn overlapping_polls_end_the_session() {
    let mut server = Server::start(Door::Own, Config::new()).await;
    let sid = server.handshake().await;
    let connection = server.opened().await;
    let (addr, target) = (server.addr, format!("{POLLING}&sid={sid}"));
    let first = spawn({
        let target = target.clone();
        async move { get(addr, &target).await }
    });
    within(async {
        while !connection.is_writable() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(get(addr, &target).await.status, 400);
    assert_eq!(within(first).await.unwrap().text(), "1");
    assert_eq!(server.closed().await, CloseReason::TransportError);
    server.is_well().await;
}

#[tokio::test]
async fn an_octet_stream_post_is_refused_and_not_left_open() {
    let mut server = Server::start(Door::Own, Config::new()).await;
    let sid = server.handshake().await;
    let target = format!("{POLLING}&sid={sid}");
    let binary = "Content-Type: application/octet-stream\r\n";
    assert_eq!(
        request(server.addr, "POST", &target, binary, b"4x")
            .await
            .status,
        400
    );
    assert_eq!(server.closed().await, CloseReason::TransportError);
    server.is_well().await;
}

#[tokio::test]
async fn a_post_past_the_limit_is_413_and_one_at_it_is_taken() {
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new().max_payload(1_000)).await;
        let sid = server.handshake().await;
        let connection = server.opened().await;
        let target = format!("{POLLING}&sid={sid}");
        let body = format!("4{}", "x".repeat(1_000));
        assert_eq!(post(server.addr, &target, &body).await.status, 413);
        assert_eq!(
            post(server.addr, &target, &body[..1_000]).await.text(),
            "ok"
        );
        connection.abort();
        server.is_well().await;
    }
}

#[tokio::test]
async fn too_many_packets_in_one_payload_are_a_parse_error() {
    let mut server = Server::start(Door::Own, Config::new().max_packets_per_payload(3)).await;
    let sid = server.handshake().await;
    let target = format!("{POLLING}&sid={sid}");
    post(server.addr, &target, "4a\u{1e}4b\u{1e}4c").await;
    assert_eq!(server.engine.session_count(), 1);
    post(server.addr, &target, "4a\u{1e}4b\u{1e}4c\u{1e}4d").await;
    assert_eq!(server.closed().await, CloseReason::ParseError);
    server.is_well().await;
}

#[tokio::test]
async fn as_many_packets_are_taken_as_fit_into_the_payload_that_was_advertised() {
    for (protocol, packet, separator) in [(4, "6", "\u{1e}"), (3, "1:6", "")] {
        let config = Config::new().max_payload(200_000).allow_eio3(true);
        let mut server = Server::start(Door::Own, config).await;
        let polling = format!("/engine.io/?EIO={protocol}&transport=polling");
        let sid = get(server.addr, &polling).await.sid();
        let connection = server.opened().await;
        let packets = 200_000 / (packet.len() + separator.len());
        let body = vec![packet; packets].join(separator);
        let answer = post(server.addr, &format!("{polling}&sid={sid}"), &body).await;
        assert_eq!((answer.status, answer.text()), (200, "ok"), "{protocol}");
        assert!(connection.is_open(), "{protocol}");
        connection.abort();
        drop(connection);
        server.is_well().await;
    }
}

#[tokio::test]
async fn slow_headers_and_slow_bodies_are_cut_off() {
    let config = Config::new()
        .header_timeout(Duration::from_millis(500))
        .body_timeout(Duration::from_millis(500));
    let mut server = Server::start(Door::Own, config).await;
    // `send_raw` returns only when the server has closed.
    send_raw(server.addr, b"GET /engine.io/?EIO=4 HTTP/1.1\r\nHost:").await;
    let sid = server.handshake().await;
    let slow =
        format!("POST {POLLING}&sid={sid} HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n4");
    send_raw(server.addr, slow.as_bytes()).await;
    assert_eq!(server.closed().await, CloseReason::TransportError);
    server.is_well().await;
}

#[tokio::test]
async fn a_head_past_the_limit_is_431_and_one_at_it_is_taken() {
    let mut server = Server::start(Door::Own, Config::new().max_header_bytes(1_000)).await;
    let head = |length: usize| {
        let start = format!("GET {POLLING} HTTP/1.1\r\nHost: t\r\nConnection: close\r\nX: ");
        let padding = "x".repeat(length - start.len() - 4);
        format!("{start}{padding}\r\n\r\n")
    };
    for (length, status) in [(1_000, "HTTP/1.1 200"), (1_001, "HTTP/1.1 431")] {
        let answer = send_raw(server.addr, head(length).as_bytes()).await;
        assert!(answer.starts_with(status.as_bytes()), "{length}");
    }
    // One that never ends is not waited for.
    let endless = head(3_000);
    let answer = send_raw(server.addr, endless.trim_end().as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 431"));
    server.opened().await.abort();
    server.is_well().await;
}

#[tokio::test]
async fn an_upgrade_that_never_finishes_and_a_client_that_never_answers_are_given_up() {
    let config = Config::new()
        .upgrade_timeout(Duration::from_millis(300))
        .ping_interval(Duration::from_millis(400))
        .ping_timeout(Duration::from_millis(400));
    let mut server = Server::start(Door::Own, config).await;
    let sid = server.handshake().await;
    let mut socket = WebSocket::open(server.addr, &format!("{WEBSOCKET}&sid={sid}")).await;
    assert_eq!(socket.close_frame().await, b"");
    assert_eq!(server.closed().await, CloseReason::PingTimeout);
    server.is_well().await;
}

#[tokio::test]
async fn sessions_are_bounded_in_all_and_per_peer() {
    for config in [
        Config::new().max_sessions(2),
        Config::new().max_sessions_per_peer(2),
    ] {
        let mut server = Server::start(Door::Own, config).await;
        server.handshake().await;
        let connection = server.opened().await;
        server.handshake().await;
        assert_eq!(get(server.addr, POLLING).await.status, 503);
        connection.abort();
        server.handshake().await;
    }
}

#[tokio::test]
async fn one_peer_is_one_however_its_address_is_written() {
    for (peers, let_in) in [
        (["192.0.2.1:1", "[::ffff:192.0.2.1]:2", "192.0.2.1:3"], 2),
        (
            ["[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8:0:0:f::]:1"],
            2,
        ),
        (["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"], 3),
        (
            [
                "[2001:db8::1]:1",
                "[2001:db8:0:1::1]:1",
                "[2001:db8:0:2::1]:1",
            ],
            3,
        ),
    ] {
        let server = Server::start(Door::Own, Config::new().max_sessions_per_peer(2)).await;
        let mut opened = 0;
        for peer in peers {
            let (client, stream) = tokio::io::duplex(10_000);
            let accepted = engineio::Accepted::stream(stream).peer(peer.parse().unwrap());
            let (mut answers, mut requests) = tokio::io::split(client);
            let head = format!("GET {POLLING} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
            requests.write_all(head.as_bytes()).await.unwrap();
            let mut answer = String::new();
            let (_, read) = tokio::join!(
                server.engine.serve_accepted(accepted),
                answers.read_to_string(&mut answer)
            );
            read.unwrap();
            opened += usize::from(answer.starts_with("HTTP/1.1 200"));
        }
        assert_eq!(opened, let_in, "{peers:?}");
        // Each place is given back where it was taken.
        for connection in server.engine.connections() {
            connection.abort();
        }
        server.until_empty().await;
    }
}

#[tokio::test]
async fn broken_frames_and_sudden_ends_leave_no_descriptor_behind() {
    let server = Server::start(Door::Own, Config::new().max_payload(1_000)).await;
    for (frame, code) in [
        (WebSocket::frame(0x81, b"\xff"), 1007_u16),
        (WebSocket::frame(0x91, b"x"), 1002),
        (vec![0x81, 0x01, b'x'], 1002),
        (WebSocket::frame(0x82, &[0; 1_001]), 1009),
    ] {
        let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
        socket.sid().await;
        socket.send_bytes(&frame).await;
        assert_eq!(socket.close_frame().await, code.to_be_bytes());
    }
    for _ in 0..50 {
        drop(WebSocket::open(server.addr, WEBSOCKET).await);
    }
    server.is_well().await;
}

#[tokio::test]
async fn a_panic_in_the_handler_ends_its_own_session() {
    let mut server = Server::start(Door::Own, Config::new()).await;
    let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
    socket.sid().await;
    socket.send("4!panic").await;
    assert_eq!(socket.close_frame().await, b"");
    assert_eq!(server.closed().await, CloseReason::ForcedClose);
    server.is_well().await;
}
