use std::sync::Arc;

use tokio::sync::Notify;

use crate::testing::TestClient;
use crate::{AckFuture, OverflowPolicy, Sent, SocketIo};

#[tokio::test(start_paused = true)]
async fn what_clients_do_is_counted() {
    let io = SocketIo::builder().events_per_second(1, 4).build().unwrap();
    io.namespace("/a")
        .on("number", |_, _: u32| async {})
        .open()
        .unwrap();
    let b = io.namespace("/b").public().open().unwrap();
    let mut client = TestClient::open(&io).await;
    client.join("/a").await;
    client.join("/b").await;
    client.join("/absent").await;
    client.send(r#"42/a,["number",1]"#).await;
    client.send(r#"42/a,["unheard"]"#).await;
    client.send(r#"42/b,["unheard"]"#).await;
    client.send(r#"42/a,0["number","one"]"#).await;
    client.next_text().await;

    let stats = io.stats();
    let sockets = stats.namespaces.iter().map(|of| (&*of.name, of.sockets));
    assert_eq!(sockets.collect::<Vec<_>>(), [("/a", 1), ("/b", 1)]);
    let rooms = || -> Vec<usize> {
        let namespaces = io.stats().namespaces;
        namespaces.iter().map(|of| of.rooms).collect()
    };
    assert_eq!(rooms(), [0, 0], "a socket's own room is not counted");
    let joined = b.sockets().remove(0);
    joined.join("one").unwrap();
    joined.join("two").unwrap();
    assert_eq!(rooms(), [0, 2]);
    joined.leave("one");
    assert_eq!(rooms(), [0, 1], "nobody is in it any more");
    assert_eq!((stats.socket_count(), stats.engine.sessions), (2, 1));
    assert_eq!(stats.events_in, 4);
    assert_eq!(stats.arguments_invalid, 1);
    assert_eq!(stats.connects_rejected, 1);
    assert_eq!((stats.events_too_fast, stats.packets_invalid), (0, 0));

    client.send(r#"42/a,["number",1]"#).await;
    client.send("4confidential").await;
    client.drain().await;
    let stats = io.stats();
    assert_eq!(stats.events_in, 4);
    assert_eq!((stats.events_too_fast, stats.packets_invalid), (1, 1));
    assert_eq!(stats.socket_count(), 0);
}

#[tokio::test]
async fn what_is_sent_and_what_is_dropped_is_counted_for_each_client() {
    let io = SocketIo::builder()
        .engine(|config| config.max_queued_bytes(1000))
        .build()
        .unwrap();
    let space = io.namespace("/").public().open().unwrap();
    let mut one = TestClient::open(&io).await;
    let mut other = TestClient::open(&io).await;
    one.join("/").await;
    other.join("/").await;
    space.emit("all", &()).unwrap();
    assert_eq!(io.stats().events_out, 2);
    let first = space.sockets().remove(0);
    first.emit("one", &()).unwrap();
    first.volatile().emit("one", &()).unwrap();
    first.emit_when_ready("one", &()).await.unwrap();
    assert_eq!(io.stats().events_out + io.stats().events_dropped, 5);

    // Nothing runs in between, so what is sent now waits.
    let before = io.stats();
    let large = "x".repeat(800);
    let limited = first.overflow(OverflowPolicy::DropNew);
    let mut sent_count = 0;
    while limited.clone().emit("one", &large) == Ok(Sent::Queued) {
        sent_count += 1;
    }
    let all = space.everyone().overflow(OverflowPolicy::DropNew);
    all.emit("all", &large).unwrap();
    let stats = io.stats();
    assert_eq!(stats.events_out, before.events_out + sent_count + 1);
    assert_eq!(stats.events_dropped, before.events_dropped + 2);
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_counted_until_it_ends_however_it_ends() {
    let io = SocketIo::new();
    let gate = Arc::new(Notify::new());
    let opened = Arc::clone(&gate);
    let space = io
        .namespace("/")
        .on("wait", move |_, (): ()| {
            let gate = Arc::clone(&opened);
            async move { gate.notified().await }
        })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    client
        .send_all(&[r#"420["wait"]"#, r#"42["wait"]"#, r#"42["nothing"]"#])
        .await;
    while io.stats().events_in < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(io.stats().handlers_in_flight, 2);
    gate.notify_one();
    assert_eq!(client.next_text().await, "430[]");
    assert_eq!(io.stats().handlers_in_flight, 1);

    let socket = space.sockets().remove(0);
    let answered: AckFuture<()> = socket.emit_with_ack("ask", &());
    let abandoned: AckFuture<()> = socket.emit_with_ack("ask", &());
    let unanswered: AckFuture<()> = socket.emit_with_ack("ask", &());
    assert_eq!(io.stats().acks_pending, 3);
    client.send("430[]").await;
    answered.await.unwrap();
    drop(abandoned);
    assert_eq!(io.stats().acks_pending, 1);
    socket.close();
    client.drain().await;
    unanswered.await.unwrap_err();
    assert_eq!(io.stats().acks_pending, 0);
    io.close();
    while io.stats().handlers_in_flight > 0 {
        tokio::task::yield_now().await;
    }
}
