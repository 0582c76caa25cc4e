use crate::testing::TestClient;
use crate::tests::sid_of;
use crate::{EmitError, Namespace, OverflowPolicy, Sent, Socket, SocketIo};

/// A server with a queue of 3 MiB and a client that has not begun to read.
async fn behind() -> (SocketIo, Namespace<()>, TestClient, Socket) {
    let io = SocketIo::builder()
        .engine(|config| config.max_queued_bytes(3 << 20).high_watermark(1 << 20))
        .build()
        .unwrap();
    let space = io
        .namespace("/")
        .overflow(OverflowPolicy::DropNew)
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    let socket = space.socket(&sid_of(&client.join("/").await)).unwrap();
    // What the pipe takes, and as much again.
    socket.emit("first", &"x".repeat(2 << 20)).unwrap();
    tokio::task::yield_now().await;
    assert!(socket.queued_bytes() > 0);
    (io, space, client, socket)
}

//= SRV-VOL-01 test
#[tokio::test(start_paused = true)]
async fn a_volatile_event_is_dropped_unless_it_leaves_at_once() {
    let (_io, space, mut client, socket) = behind().await;
    assert_eq!(socket.volatile().emit("v", &1), Ok(Sent::Dropped));
    space.everyone().volatile().emit("v", &2).unwrap();
    client.next_text().await;
    while socket.queued_bytes() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(socket.volatile().emit("v", &3), Ok(Sent::Queued));
    assert_eq!(client.next_text().await, r#"42["v",3]"#);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_or_disconnects_as_the_policy_says() {
    let (io, space, mut client, socket) = behind().await;
    let large = "x".repeat(1 << 20);
    let mut refused = 0;
    for _ in 0..4 {
        match socket.emit("more", &large) {
            Ok(sent) => assert_eq!(sent, Sent::Queued),
            Err(EmitError::QueueFull { queued_bytes }) => {
                assert!(queued_bytes < 5 << 20, "{queued_bytes}");
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0);
    assert!(
        socket.is_connected(),
        "the policy of the namespace spares the client"
    );
    let cut = socket
        .overflow(OverflowPolicy::Disconnect)
        .emit("more", &"x".repeat(3 << 20));
    assert!(matches!(cut, Err(EmitError::QueueFull { .. })));
    socket.closed().await;
    assert_eq!(space.socket_count(), 0);
    client.drain().await;
    drop(io);
}

#[tokio::test(start_paused = true)]
async fn of_a_conflated_stream_only_the_latest_waits() {
    let (_io, space, mut client, socket) = behind().await;
    assert_eq!(socket.conflate("score").emit("score", &1), Ok(Sent::Queued));
    assert_eq!(socket.conflate("other").emit("other", &1), Ok(Sent::Queued));
    assert_eq!(
        socket.conflate("score").emit("score", &2),
        Ok(Sent::Replaced)
    );
    space
        .everyone()
        .conflate("score")
        .emit("score", &3)
        .unwrap();
    client.next_text().await;
    assert_eq!(client.next_text().await, r#"42["score",3]"#);
    assert_eq!(client.next_text().await, r#"42["other",1]"#);
}

#[tokio::test(start_paused = true)]
async fn an_emit_can_wait_for_room() {
    let (_io, _space, mut client, socket) = behind().await;
    socket.emit("second", &"x".repeat(1 << 20)).unwrap();
    let waiting = socket.emit_when_ready("third", &3);
    let reading = async {
        client.next_text().await;
        client.next_text().await;
        client.next_text().await
    };
    let (sent, third) = tokio::join!(waiting, reading);
    assert_eq!(sent, Ok(Sent::Queued));
    assert_eq!(third, r#"42["third",3]"#);
    socket.disconnect();
    let late = socket.emit_when_ready("x", &()).await;
    assert_eq!(late, Err(EmitError::Disconnected));
    let reserved = socket.emit_when_ready("connect", &()).await;
    assert!(reserved.is_err());
}
