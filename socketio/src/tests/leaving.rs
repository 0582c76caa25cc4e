use std::time::Duration;

use crate::testing::{Received, TestClient};
use crate::tests::{Log, sid_of};
use crate::{EmitError, Namespace, Room, SocketIo};

/// A server whose namespaces write down who leaves and why.
fn server(log: &Log) -> (SocketIo, Namespace<()>) {
    let io = SocketIo::new();
    let mut opened = Vec::new();
    for name in ["/", "/b"] {
        let (before, after) = (log.clone(), log.clone());
        let space = io
            .namespace(name)
            .on("close", |socket, (): ()| async move { socket.close() })
            .on("disconnect me", |socket, (): ()| async move {
                socket.disconnect();
                assert_eq!(socket.emit("late", &()), Err(EmitError::Disconnected));
            })
            .on("hang", |_, (): ()| std::future::pending::<()>())
            .on_disconnecting(move |socket, reason| {
                let rooms: Vec<_> = socket.rooms();
                before.add(format!(
                    "{} leaves {rooms:?}: {reason}",
                    socket.namespace_name()
                ));
            })
            .on_disconnect(move |socket, reason| {
                after.add(format!(
                    "{} left {:?}: {reason}",
                    socket.namespace_name(),
                    socket.rooms()
                ));
                async {}
            })
            .open()
            .unwrap();
        opened.push(space);
    }
    (io, opened.swap_remove(0))
}

//= SIO5-DIS-02 test
//= SIO5-DIS-06 test
#[tokio::test(start_paused = true)]
async fn rooms_are_still_there_while_a_socket_is_leaving() {
    let log = Log::default();
    let (io, space) = server(&log);
    let mut client = TestClient::open(&io).await;
    let sid = sid_of(&client.join("/").await);
    let socket = space.socket(&sid).unwrap();
    socket.join("r").unwrap();
    let closed = socket.closed();
    client.send(r#"42["disconnect me"]"#).await;
    assert_eq!(client.next_text().await, "41");
    closed.await;
    let room = Room::from("r");
    assert_eq!(
        log.take(),
        [
            format!("/ leaves {:?}: server namespace disconnect", [room]),
            "/ left []: server namespace disconnect".to_owned()
        ]
    );
    assert!(space.socket(&sid).is_none());
    assert_eq!(socket.id().as_str(), sid, "the handle stays readable");
    socket.closed().await;
    assert!(
        client.join("/").await.starts_with("40{"),
        "the connection is open"
    );
}

//= SIO5-DIS-03 test
#[tokio::test(start_paused = true)]
async fn closing_tells_every_namespace_and_ends_the_connection() {
    let log = Log::default();
    let (io, _space) = server(&log);
    let mut client = TestClient::open(&io).await;
    client.join("/b").await;
    client.join("/").await;
    client.send(r#"42["close"]"#).await;
    let packets = client.drain().await;
    assert_eq!(
        packets,
        ["41/b,", "41"].map(|packet| Received::Packet(packet.to_owned()))
    );
    assert_eq!(
        log.take(),
        [
            "/b leaves []: server namespace disconnect",
            "/b left []: server namespace disconnect",
            "/ leaves []: server namespace disconnect",
            "/ left []: server namespace disconnect",
        ]
    );
}

//= SIO5-DIS-05 test
#[tokio::test(start_paused = true)]
async fn a_client_that_vanishes_leaves_nothing_behind_whatever_its_handlers_do() {
    let log = Log::default();
    let (io, space) = server(&log);
    let mut client = TestClient::open(&io).await;
    let socket = space.socket(&sid_of(&client.join("/").await)).unwrap();
    client.send(r#"42["hang"]"#).await;
    drop(client);
    socket.closed().await;
    while io.connection_count() > 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(space.socket_count(), 0);
    assert_eq!(
        log.take(),
        ["/ leaves []: transport close", "/ left []: transport close"]
    );
}

//= SIO5-DIS-04 test
#[tokio::test(start_paused = true)]
async fn a_server_that_shuts_down_says_so_to_its_handlers_only() {
    let log = Log::default();
    let (io, _space) = server(&log);
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    io.close();
    assert_eq!(client.next().await, Received::Closed);
    assert_eq!(
        log.take(),
        [
            "/ leaves []: server shutting down",
            "/ left []: server shutting down"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn panics_in_connect_and_disconnect_handlers_leak_nothing() {
    let io = SocketIo::new();
    let space = io
        .namespace("/")
        .on_connect(|_| async { assert_eq!(1, 2, "in the connect handler") })
        .on_disconnecting(|_, _| assert_eq!(1, 2, "in the disconnecting hook"))
        .on_disconnect(|_, _| async { assert_eq!(1, 2, "in the disconnect handler") })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    assert_eq!(client.next_text().await, "41");
    assert_eq!(space.socket_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_connect_handler_that_fails_disconnects() {
    let io = SocketIo::new();
    io.namespace("/")
        .on_connect(|socket| async move { socket.join("a") })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    assert!(client.join("/").await.starts_with("40{"));
    let io = SocketIo::builder().max_rooms_per_socket(0).build().unwrap();
    io.namespace("/")
        .on_connect(|socket| async move { socket.join("a") })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    assert_eq!(client.next_text().await, "41");
}

/// A namespace whose disconnect handler waits before it writes down what it knows.
fn waiting_to_say_why(io: &SocketIo, log: &Log) -> Namespace<()> {
    let log = log.clone();
    let space = io.namespace("/").on_disconnect(move |_, reason| {
        let log = log.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            log.add(reason.as_str());
        }
    });
    space.open().unwrap()
}

/// Runs on a thread that knows no runtime, and then lets what it started go on for a while.
async fn from_outside(act: impl FnOnce() + Send + 'static) {
    let outside = std::thread::spawn(act);
    outside.join().unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
}

#[tokio::test(start_paused = true)]
async fn a_socket_can_be_disconnected_from_a_thread_without_a_runtime() {
    let (io, log) = (SocketIo::new(), Log::default());
    let space = waiting_to_say_why(&io, &log);
    let mut client = TestClient::open(&io).await;
    let socket = space.socket(&sid_of(&client.join("/").await)).unwrap();
    from_outside(move || socket.disconnect()).await;
    assert_eq!(log.take(), ["server namespace disconnect"]);
    assert_eq!(client.next_text().await, "41");
    client.join("/").await;
    from_outside(move || space.everyone().close()).await;
    assert_eq!(log.take(), ["server namespace disconnect"]);
    client.drain().await;
}

#[tokio::test(start_paused = true)]
async fn a_client_can_be_cut_off_by_an_emit_from_a_thread_without_a_runtime() {
    let io = SocketIo::builder().engine(|config| config.max_queued_bytes(1000).high_watermark(500));
    let (io, log) = (io.build().unwrap(), Log::default());
    let space = waiting_to_say_why(&io, &log);
    let mut client = TestClient::open(&io).await;
    let socket = space.socket(&sid_of(&client.join("/").await)).unwrap();
    from_outside(move || {
        // The first may fill the client's pipe, and the second waits then.
        let large = "x".repeat(2 << 20);
        let cut = (0..3).find_map(|_| socket.emit("large", &large).err());
        assert!(matches!(cut, Some(EmitError::QueueFull { .. })), "{cut:?}");
    })
    .await;
    assert_eq!(log.take(), ["forced close"]);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_server_can_be_closed_from_a_thread_without_a_runtime() {
    let (io, log) = (SocketIo::new(), Log::default());
    let told = log.clone();
    let space = io.namespace("/").on_disconnect(move |_, reason| {
        told.add(reason.as_str());
        std::future::pending::<()>()
    });
    space.open().unwrap();
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    let server = io.clone();
    from_outside(move || server.close()).await;
    assert_eq!(log.take(), ["server shutting down"]);
    assert_eq!(client.next().await, Received::Closed);
    assert_eq!(io.connection_count(), 0);
}
