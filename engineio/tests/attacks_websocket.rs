//! Known attacks over WebSocket and during an upgrade. After each a fresh client is served, and sessions and
//! descriptors are back.

mod support;

use engineio::{CloseReason, Config};
use support::{Door, Event, Server, WebSocket, connected, get, post, request, reset};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/engine.io/?EIO=4&transport=websocket";

/// The most fragments of a message that carry nothing.
const EMPTY_FRAGMENTS_MAX: usize = 65_536;

/// A polling session that an attack must not touch.
async fn bystander(server: &mut Server) -> String {
    let sid = server.handshake().await;
    server.opened().await;
    sid
}

/// The session still speaks over polling; then it ends.
async fn still_polls(server: &mut Server, sid: &str) {
    let target = format!("{POLLING}&sid={sid}");
    assert_eq!(post(server.addr, &target, "4still here").await.text(), "ok");
    let answer = get(server.addr, &target).await;
    // A noop of the upgrade may come first.
    if answer.text() == "6" {
        assert_eq!(get(server.addr, &target).await.text(), "4still here");
    } else {
        assert_eq!(answer.text(), "4still here");
    }
    post(server.addr, &target, "1").await;
    assert_eq!(server.closed().await, CloseReason::TransportClose);
}

#[tokio::test]
async fn floods_of_pongs_and_pings_are_borne() {
    for door in Door::ALL {
        let server = Server::start(door, Config::new()).await;
        let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
        socket.sid().await;
        let pongs = WebSocket::frame(0x8a, b"nobody asked").repeat(1_000);
        let packets = WebSocket::frame(0x81, b"3").repeat(1_000);
        let pings = WebSocket::frame(0x89, b"payload").repeat(1_000);
        for _ in 0..10 {
            socket.send_bytes(&pongs).await;
            socket.send_bytes(&packets).await;
            // Nobody reads the answers yet.
            socket.send_bytes(&pings).await;
        }
        socket.send("4end").await;
        let mut answered = 0;
        loop {
            match socket.next().await.unwrap() {
                (0x8a, payload) => {
                    assert_eq!(payload, b"payload");
                    answered += 1;
                }
                (first, payload) => {
                    assert_eq!((first, &payload[..]), (0x81, &b"4end"[..]));
                    break;
                }
            }
        }
        assert!((1..=10_000).contains(&answered), "{answered}");
        drop(socket);
        server.is_well().await;
    }
}

#[tokio::test]
async fn a_flood_of_empty_fragments_is_a_protocol_error_and_as_many_as_allowed_are_a_message() {
    for (empty, is_taken) in [
        (EMPTY_FRAGMENTS_MAX, true),
        (EMPTY_FRAGMENTS_MAX + 1, false),
    ] {
        let mut server = Server::start(Door::Own, Config::new()).await;
        let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
        socket.sid().await;
        let mut flood = WebSocket::frame(0x01, b"4whole");
        flood.extend(WebSocket::frame(0x00, b"").repeat(empty - 1));
        flood.extend(WebSocket::frame(0x80, b""));
        socket.send_bytes(&flood).await;
        if is_taken {
            assert_eq!(socket.text().await, "4whole");
            drop(socket);
        } else {
            assert_eq!(socket.close_frame().await, 1002_u16.to_be_bytes());
            assert_eq!(server.closed().await, CloseReason::TransportError);
        }
        server.is_well().await;
    }
}

#[tokio::test]
async fn malformed_upgrades_are_refused_and_touch_no_session() {
    let whole = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        let sid = bystander(&mut server).await;
        let target = format!("{WEBSOCKET}&sid={sid}");
        for (name, value) in [
            ("Connection", "keep-alive"),
            ("Upgrade", "h2c"),
            ("Sec-WebSocket-Version", "12"),
            ("Sec-WebSocket-Key", ""),
            ("Sec-WebSocket-Key", "c2hvcnQ="),
            ("Sec-WebSocket-Key", "****************************"),
            ("Sec-WebSocket-Protocol", "\u{1}"),
        ] {
            let headers: String = whole
                .iter()
                .filter(|(other, _)| *other != name)
                .chain([&(name, value)])
                .map(|(name, value)| format!("{name}: {value}\r\n"))
                .collect();
            let head = format!("GET {target} HTTP/1.1\r\nHost: t\r\n{headers}\r\n");
            let mut stream = connected(server.addr, head.as_bytes()).await;
            let answer = support::first_line(&mut stream).await;
            assert!(
                answer.starts_with("HTTP/1.1 4"),
                "{door:?} {name}: {answer}"
            );
        }
        still_polls(&mut server, &sid).await;
        server.is_well().await;
    }
}

#[tokio::test]
async fn an_unknown_transport_on_upgrade_is_refused_and_touches_no_session() {
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        let sid = bystander(&mut server).await;
        for transport in ["tls", "webtransport", "", "websocket%00"] {
            let target = format!("/engine.io/?EIO=4&transport={transport}&sid={sid}");
            let refused = WebSocket::try_open(server.addr, &target, "Connection: close\r\n").await;
            let answer = refused.err().unwrap();
            assert_eq!(answer.status, 400);
            assert_eq!(answer.text(), "Transport unknown");
        }
        still_polls(&mut server, &sid).await;
        server.is_well().await;
    }
}

#[tokio::test]
async fn resets_at_any_point_of_an_upgrade_leave_the_session_on_polling() {
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        let sid = bystander(&mut server).await;
        let target = format!("{WEBSOCKET}&sid={sid}");
        for _ in 0..10 {
            // Within the head,
            reset(
                connected(
                    server.addr,
                    format!("GET {target} HTTP/1.1\r\nUpgr").as_bytes(),
                )
                .await,
            );
            // once it is accepted, with the probe under way,
            let mut socket = WebSocket::open(server.addr, &target).await;
            socket.send("2probe").await;
            reset(socket.stream);
        }
        // and once it is answered.
        loop {
            // Only one candidate at a time; those that were reset may not all be known yet.
            let mut socket = WebSocket::open(server.addr, &target).await;
            socket.send("2probe").await;
            if let Some((0x81, answer)) = socket.next().await {
                assert_eq!(answer, b"3probe");
                reset(socket.stream);
                break;
            }
        }
        still_polls(&mut server, &sid).await;
        server.is_well().await;
    }
}

#[tokio::test]
async fn a_reset_right_after_the_upgrade_ends_the_session() {
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        let sid = bystander(&mut server).await;
        let mut socket = WebSocket::open(server.addr, &format!("{WEBSOCKET}&sid={sid}")).await;
        socket.send("2probe").await;
        assert_eq!(socket.text().await, "3probe");
        socket.send("5").await;
        while server.event().await != Event::Upgraded {}
        reset(socket.stream);
        server.closed().await;
        server.is_well().await;
    }
}

#[tokio::test]
async fn a_method_other_than_get_upgrades_nothing() {
    let mut server = Server::start(Door::Own, Config::new()).await;
    let sid = bystander(&mut server).await;
    let headers = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let target = format!("{WEBSOCKET}&sid={sid}");
    let answer = request(server.addr, "PUT", &target, headers, b"").await;
    assert!((400..500).contains(&answer.status), "{}", answer.status);
    still_polls(&mut server, &sid).await;
    server.is_well().await;
}
