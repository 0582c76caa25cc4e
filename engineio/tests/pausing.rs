//! A client that is not read: its handler paused, or it does not take what it asked for.

mod support;

use std::time::Duration;

use engineio::{CloseReason, Config};
use support::{Door, Event, Server, WebSocket, get, post, spawn, within};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/engine.io/?EIO=4&transport=websocket";
const TEXT: u8 = 0x81;
const PONG: u8 = 0x8a;
const NEVER: Duration = Duration::from_secs(3600);

/// Only what a test is about ends its sessions.
fn patient() -> Config {
    Config::new().stall_timeout(NEVER).ping_interval(NEVER)
}

/// Pauses, and leaves so many messages unread.
async fn paused(server: &mut Server, unread: usize) -> WebSocket {
    let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
    socket.sid().await;
    socket.send("4!pause").await;
    assert_eq!(server.event().await, Event::Opened);
    assert_eq!(server.event().await, Event::Text("!pause".to_owned()));
    let unread = WebSocket::frame(TEXT, b"4unread").repeat(unread);
    socket.send_bytes(&unread).await;
    socket
}

#[tokio::test]
async fn who_leaves_is_missed_though_nobody_reads() {
    // As little as hides the end of the stream, and more than the kernel takes, so that the end does not arrive.
    for unread in [1, 20_000] {
        for door in Door::ALL {
            let mut server = Server::start(door, patient()).await;
            let socket = paused(&mut server, unread).await;
            drop(socket);
            let closed = server.event().await;
            let expected = Event::Closed(CloseReason::TransportClose);
            assert_eq!(closed, expected, "{door:?}");
            server.is_well().await;
        }
    }
}

#[tokio::test]
async fn who_leaves_without_having_taken_what_it_asked_for_is_missed_at_once() {
    for door in [Door::Own, Door::Hyper] {
        let config = patient().high_watermark(1_000).max_queued_bytes(usize::MAX);
        let mut server = Server::start(door, config).await;
        let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
        socket.sid().await;
        socket.send("4!burst 1000000").await;
        while server.event().await != Event::Slow {}
        socket.send("4unread").await;
        drop(socket);
        assert_eq!(
            server.closed().await,
            CloseReason::TransportClose,
            "{door:?}"
        );
        server.is_well().await;
    }
}

#[tokio::test]
async fn who_is_not_read_is_pinged_and_then_read_on() {
    for door in Door::ALL {
        let config = patient().ping_interval(Duration::from_millis(20));
        let mut server = Server::start(door, config).await;
        let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
        socket.sid().await;
        let connection = server.opened().await;
        socket.send("4!pause").await;
        assert_eq!(server.event().await, Event::Text("!pause".to_owned()));
        socket.send("4unread").await;
        for _ in 0..3 {
            let mut frame = socket.next().await.unwrap();
            while frame.0 == PONG {
                frame = socket.next().await.unwrap();
            }
            assert_eq!(frame, (TEXT, b"2".to_vec()), "{door:?}");
            socket.send("3").await;
        }
        connection.resume();
        assert_eq!(server.event().await, Event::Text("unread".to_owned()));
        for _ in 0..3 {
            assert_eq!(server.event().await, Event::Heartbeat, "{door:?}");
        }
    }
}

#[tokio::test]
async fn over_polling_who_is_not_read_is_pinged_and_missed_with_its_poll() {
    for door in Door::ALL {
        let config = patient().ping_interval(Duration::from_millis(20));
        let mut server = Server::start(door, config).await;
        let target = format!("{POLLING}&sid={}", server.handshake().await);
        assert_eq!(server.event().await, Event::Opened);
        let (addr, posted) = (server.addr, target.clone());
        let posting = spawn(async move { post(addr, &posted, "4!pause\u{1e}4unread").await });
        assert_eq!(server.event().await, Event::Text("!pause".to_owned()));
        for _ in 0..3 {
            assert_eq!(get(server.addr, &target).await.text(), "2", "{door:?}");
        }
        let mut poll = TcpStream::connect(server.addr).await.unwrap();
        let head = format!("GET {target} HTTP/1.1\r\nHost: t\r\n\r\n");
        poll.write_all(head.as_bytes()).await.unwrap();
        drop(poll);
        assert_eq!(server.closed().await, CloseReason::TransportError);
        assert_eq!(within(posting).await.unwrap().status, 200, "{door:?}");
        server.is_well().await;
    }
}
