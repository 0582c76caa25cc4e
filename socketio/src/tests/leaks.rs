//! Whatever handlers do, and whenever a client goes: nothing of it stays.

use std::sync::Arc;
use std::time::Duration;

use crate::testing::TestClient;
use crate::tests::polling::Polling;
use crate::{Namespace, SocketIo};

/// What goes wrong, and in whose code.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    place: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Panics,
    NeverEnds,
}

impl Trouble {
    /// For handlers that may wait.
    async fn strike(self, place: &str) {
        if self.place == place && self.kind == Kind::NeverEnds {
            std::future::pending::<()>().await;
        }
        self.strike_now(place);
    }

    /// For hooks.
    fn strike_now(self, place: &str) {
        assert!(self.place != place || self.kind != Kind::Panics, "as asked");
    }
}

/// A server with user code in every place there is, and something that each socket and each handler holds.
fn server(trouble: Trouble, held: &Arc<()>) -> (SocketIo, Namespace<()>) {
    let io = SocketIo::new();
    let (by_server, by_socket) = (Arc::clone(held), Arc::clone(held));
    let space = io
        .namespace("/")
        .middleware(move |socket| {
            let _ = &by_server;
            async move {
                let _ = socket.join("staged");
                trouble.strike("middleware").await;
                Ok(())
            }
        })
        .on_connect(move |socket| {
            let held = Arc::clone(&by_socket);
            async move {
                let _ = socket.join("joined");
                socket.on("never", move |_, (): ()| {
                    let _ = &held;
                    async {}
                });
                trouble.strike("connect").await;
            }
        })
        .on_any(move |_, _, _| trouble.strike_now("catch-all"))
        .event_middleware(move |_, event| async move {
            trouble.strike("event middleware").await;
            Some(event)
        })
        .on("work", move |socket, (): ()| async move {
            let _ = socket.emit("answer", &());
            trouble.strike("event").await;
        })
        .on_any_outgoing(move |_, _, _| trouble.strike_now("outgoing"))
        .on_invalid(move |_, _| trouble.strike_now("invalid"))
        .on_room(move |_| trouble.strike_now("room"))
        .on_disconnecting(move |_, _| trouble.strike_now("disconnecting"))
        .on_disconnect(move |_, _| async move { trouble.strike("disconnect").await })
        .open()
        .unwrap();
    (io, space)
}

/// Waits until everything else waits.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

fn task_count() -> usize {
    let runtime = tokio::runtime::Handle::current();
    runtime.metrics().num_alive_tasks()
}

/// What is left of sockets and connections: none, and no room.
fn assert_empty(io: &SocketIo, space: &Namespace<()>, when: impl std::fmt::Debug) {
    assert_eq!(space.socket_count(), 0, "{when:?}");
    assert_eq!(space.rooms(), [], "{when:?}");
    assert_eq!(io.connection_count(), 0, "{when:?}");
}

/// The server has gone too: no task, and nobody who holds what its handlers held.
async fn assert_nothing_is_left(held: &Arc<()>, when: impl std::fmt::Debug) {
    settle().await;
    assert_eq!(task_count(), 0, "{when:?}");
    assert_eq!(Arc::strong_count(held), 1, "{when:?}");
}

/// Ways to go, as packets; the stream ends in any case.
const GOODBYES: [Option<&str>; 3] = [None, Some("41"), Some("42{}")];

#[tokio::test(start_paused = true)]
async fn a_panic_anywhere_leaves_nothing_behind() {
    for place in [
        "middleware",
        "connect",
        "catch-all",
        "event middleware",
        "event",
        "outgoing",
        "invalid",
        "room",
        "disconnecting",
        "disconnect",
    ] {
        for goodbye in GOODBYES {
            let when = (place, goodbye);
            let kind = Kind::Panics;
            let held = Arc::new(());
            let (io, space) = server(Trouble { place, kind }, &held);
            let mut client = TestClient::open(&io).await;
            client.send_all(&["40"]).await;
            settle().await;
            client.send(r#"420["work"]"#).await;
            settle().await;
            if let Some(goodbye) = goodbye {
                client.send(goodbye).await;
                settle().await;
            }
            drop(client);
            settle().await;
            assert_empty(&io, &space, when);
            // The other places work as before.
            let mut other = TestClient::open(&io).await;
            let reply = other.join("/").await;
            assert_eq!(reply.starts_with("40{"), place != "middleware", "{reply}");
            drop((other, io, space));
            assert_nothing_is_left(&held, when).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_vanishes_during_a_handler_that_never_ends_leaves_nothing_behind() {
    for place in [
        "middleware",
        "connect",
        "event middleware",
        "event",
        "disconnect",
    ] {
        for goodbye in GOODBYES {
            let when = (place, goodbye);
            let kind = Kind::NeverEnds;
            let held = Arc::new(());
            let (io, space) = server(Trouble { place, kind }, &held);
            let mut client = TestClient::open(&io).await;
            client.send("40").await;
            settle().await;
            if place != "middleware" {
                client.send(r#"420["work"]"#).await;
                settle().await;
            }
            if let Some(goodbye) = goodbye {
                client.send(goodbye).await;
            }
            drop(client);
            settle().await;
            assert_empty(&io, &space, when);
            // The engine's timer, and the handler if it may outlive its client.
            let handlers = usize::from(place != "middleware");
            assert_eq!(task_count(), 1 + handlers, "{when:?}");
            io.close();
            settle().await;
            assert_eq!(task_count(), 1, "{when:?}");
            drop((io, space));
            assert_nothing_is_left(&held, when).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_polls_no_more_leaves_nothing_behind() {
    for place in ["connect", "event middleware", "event", "disconnect"] {
        let kind = Kind::NeverEnds;
        let held = Arc::new(());
        let (io, space) = server(Trouble { place, kind }, &held);
        let client = Polling::join(&io).await;
        assert_eq!(client.post(r#"420["work"]"#).await, "ok");
        assert_eq!(space.socket_count(), 1);
        drop(client);
        // Until it owes the answer to a ping.
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_empty(&io, &space, place);
        io.close();
        drop((io, space));
        assert_nothing_is_left(&held, place).await;
    }
}
