//! What the application is told of a client's queue, and what it can ask of it.

mod support;

use std::time::Duration;

use engineio::{
    CloseReason, Config, ConflationKey, EncodedMessage, OverflowPolicy, SendError, SendOptions,
    Sent,
};
use tokio::sync::oneshot;

use support::{Door, Event, Server, WebSocket, get, post, spawn, within};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/engine.io/?EIO=4&transport=websocket";

fn with_sid(sid: &str) -> String {
    format!("{POLLING}&sid={sid}")
}

#[tokio::test]
async fn a_volatile_message_is_dropped_unless_a_poll_waits() {
    //= SRV-VOL-01 test
    let mut server = Server::start(Door::Own, Config::new()).await;
    let sid = server.handshake().await;
    let connection = server.opened().await;
    let volatile = SendOptions::new().volatile(true);
    let message = EncodedMessage::text("now");
    assert_eq!(connection.send_as(&message, volatile), Ok(Sent::Dropped));

    let poll = spawn(async move { get(server.addr, &with_sid(&sid)).await });
    within(async {
        while !connection.is_writable() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(connection.send_as(&message, volatile), Ok(Sent::Queued));
    assert_eq!(
        connection.send_as(&message, volatile),
        Ok(Sent::Dropped),
        "the poll is answered"
    );
    assert_eq!(within(poll).await.unwrap().text(), "4now");
}

#[tokio::test]
async fn the_latest_of_a_key_is_what_a_poll_collects() {
    let mut server = Server::start(Door::Own, Config::new()).await;
    let sid = server.handshake().await;
    let connection = server.opened().await;
    let position = SendOptions::new().conflate(ConflationKey::new(1));
    let send = |text: &str, options| connection.send_as(&EncodedMessage::text(text), options);
    assert_eq!(send("at 1", position), Ok(Sent::Queued));
    assert_eq!(send("said", SendOptions::new()), Ok(Sent::Queued));
    assert_eq!(send("at 22", position), Ok(Sent::Replaced));
    let poll = get(server.addr, &with_sid(&sid)).await;
    assert_eq!(poll.text(), "4at 22\u{1e}4said");
}

#[tokio::test]
async fn one_message_can_have_another_overflow_policy() {
    let config = Config::new().max_queued_bytes(100);
    let mut server = Server::start(Door::Own, config).await;
    server.handshake().await;
    let connection = server.opened().await;
    let big = EncodedMessage::binary(&[7; 200]);
    let drop_new = SendOptions::new().overflow(OverflowPolicy::DropNew);
    let drop_oldest = SendOptions::new().overflow(OverflowPolicy::DropOldest);
    assert_eq!(connection.send(&big), Ok(()), "one may pass the mark");
    let full = connection.queued_bytes();
    assert_eq!(
        connection.send_as(&big, drop_new),
        Err(SendError::QueueFull { queued_bytes: full })
    );
    assert_eq!(connection.send_as(&big, drop_oldest), Ok(Sent::Queued));
    assert_eq!(connection.queued_bytes(), full);
    assert!(connection.is_open());
    assert!(connection.send(&big).is_err(), "the default disconnects");
    assert!(!connection.is_open());
    assert_eq!(server.closed().await, CloseReason::ForcedClose);
}

#[tokio::test]
async fn ready_waits_for_the_watermark_and_the_handler_is_told_twice() {
    let config = Config::new().high_watermark(1_000);
    let mut server = Server::start(Door::Own, config).await;
    let sid = server.handshake().await;
    let connection = server.opened().await;
    within(connection.ready()).await.unwrap();
    connection.send_text(&"x".repeat(900)).unwrap();
    within(connection.ready()).await.unwrap();
    connection.send_text(&"x".repeat(900)).unwrap();
    assert_eq!(server.event().await, Event::Slow);
    let waiting = spawn(connection.ready());
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    get(server.addr, &with_sid(&sid)).await;
    within(waiting).await.unwrap().unwrap();
    assert_eq!(server.event().await, Event::Drained);
}

#[tokio::test]
async fn ready_ends_with_the_session() {
    let config = Config::new().high_watermark(10);
    let mut server = Server::start(Door::Own, config).await;
    server.handshake().await;
    let connection = server.opened().await;
    connection.send_text("more than ten bytes").unwrap();
    let waiting = spawn(connection.ready());
    tokio::task::yield_now().await;
    connection.abort();
    assert_eq!(within(waiting).await.unwrap(), Err(SendError::Closed));
}

#[tokio::test]
async fn a_websocket_that_does_not_read_is_slow_until_it_does() {
    for door in Door::ALL {
        let config = Config::new()
            .high_watermark(100_000)
            .max_queued_bytes(100_000_000);
        let mut server = Server::start(door, config).await;
        let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
        socket.sid().await;
        let connection = server.opened().await;
        let message = EncodedMessage::binary(&vec![7; 1_000_000]);
        let mut sent = 0;
        while connection.queued_bytes() <= 100_000 {
            connection.send(&message).unwrap();
            sent += 1;
            tokio::task::yield_now().await;
        }
        assert_eq!(server.event().await, Event::Slow, "{door:?}");
        let waiting = spawn(connection.ready());
        for _ in 0..sent {
            let (first, payload) = socket.next().await.unwrap();
            assert_eq!((first, payload.len()), (0x82, 1_000_000));
        }
        within(waiting).await.unwrap().unwrap();
        assert_eq!(server.event().await, Event::Drained, "{door:?}");
    }
}

#[tokio::test]
async fn the_counters_tell_what_happened() {
    let mut server = Server::start(Door::Own, Config::new()).await;
    let sid = server.handshake().await;
    server.opened().await;
    let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
    socket.sid().await;
    server.opened().await;
    post(server.addr, &with_sid(&sid), "4a\u{1e}4b").await;
    socket.send("4c").await;
    assert_eq!(socket.text().await, "4c");
    let stats = server.engine.stats();
    assert_eq!((stats.sessions, stats.polling_sessions), (2, 1));
    assert_eq!(stats.packets_in, 3);
    assert_eq!(stats.bytes_in, 5 + 8);
    assert_eq!(stats.packets_out, 3);
    assert_eq!(stats.bytes_out, 3 * 4);
    drop(socket);
    server.closed().await;
    let stats = server.engine.stats();
    assert_eq!(stats.closes(CloseReason::TransportClose), 1);
    assert_eq!((stats.sessions, stats.polling_sessions), (1, 1));
}

#[tokio::test]
async fn draining_refuses_new_sessions_and_ends_within_its_deadline() {
    let config = Config::new().retry_after(Duration::from_secs(30));
    let server = Server::start(Door::Own, config).await;
    let mut sockets = Vec::new();
    for _ in 0..20 {
        let mut socket = WebSocket::open(server.addr, WEBSOCKET).await;
        socket.sid().await;
        sockets.push(socket);
    }
    // A polling client that never comes back must not hold it up.
    server.handshake().await;
    let engine = server.engine.clone();
    assert!(!engine.is_draining());
    let draining = spawn(async move { engine.drain(Duration::from_secs(1)).await });
    for mut socket in sockets {
        assert_eq!(socket.close_frame().await, b"");
    }
    assert!(server.engine.is_draining());
    let refused = get(server.addr, POLLING).await;
    assert_eq!(refused.status, 503);
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((30..60).contains(&wait), "{wait}");
    within(draining).await.unwrap();
    assert_eq!(server.engine.session_count(), 0);
}

#[tokio::test]
async fn what_is_sent_together_answers_one_poll() {
    let mut server = Server::start(Door::Own, Config::new()).await;
    let sid = server.handshake().await;
    let connection = server.opened().await;
    let poll = spawn(async move { get(server.addr, &with_sid(&sid)).await });
    within(async {
        while !connection.is_writable() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    connection.together(|| {
        connection.send_text("a").unwrap();
        connection.together(|| connection.send_text("b")).unwrap();
        connection.send_text("c").unwrap();
    });
    assert_eq!(within(poll).await.unwrap().text(), "4a\u{1e}4b\u{1e}4c");
}

#[tokio::test]
async fn what_precedes_a_close_leaves_though_the_task_hears_of_the_close_first() {
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        let mut client = WebSocket::open(server.addr, WEBSOCKET).await;
        client.sid().await;
        let connection = server.opened().await;
        let (is_closed, closed) = oneshot::channel();
        let (go_on, is_to_go_on) = oneshot::channel();
        let telling = tokio::task::spawn_blocking(move || {
            connection.together(|| {
                connection.send_text("last words").unwrap();
                connection.close();
                is_closed.send(()).unwrap();
                is_to_go_on.blocking_recv().unwrap();
            });
        });
        within(closed).await.unwrap();
        // Long enough for the task of the WebSocket, which runs on this thread.
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        go_on.send(()).unwrap();
        assert_eq!(client.text().await, "4last words", "{door:?}");
        client.close_frame().await;
        within(telling).await.unwrap();
    }
}
