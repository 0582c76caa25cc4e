//! A client that leaves against what others do with its socket.

use tokio::runtime::Runtime;

use super::explore;
use crate::testing::TestClient;
use crate::{AckError, EmitError, Namespace, SocketIo};

/// A server with one namespace, and a client in it.
fn joined(runtime: &Runtime) -> (SocketIo, Namespace<()>, TestClient) {
    let io = SocketIo::new();
    let space = io.namespace("/").open().unwrap();
    let client = runtime.block_on(async {
        let mut client = TestClient::open(&io).await;
        client.join("/").await;
        client
    });
    (io, space, client)
}

/// Serves until nobody is in the namespace.
fn serve_the_end(runtime: &Runtime, space: &Namespace<()>) {
    runtime.block_on(async {
        while space.socket_count() > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn an_acknowledgement_that_is_asked_for_while_the_client_leaves_fails_at_once() {
    explore(|runtime| {
        let (_io, space, mut client) = joined(runtime);
        let socket = space.sockets().remove(0);
        let asker = schedules::spawn("asker", move || {
            let answer = socket.emit_with_ack::<u32>("question", &());
            schedules::block_on(answer)
        });
        // It stays connected, so that what is sent to it does not fail.
        runtime.block_on(client.send("41"));
        serve_the_end(runtime, &space);
        let answer = asker.join();
        // Too late to be sent, or too late to be answered.
        let gone = [
            AckError::Emit(EmitError::Disconnected),
            AckError::Disconnected,
        ];
        assert!(gone.map(Err).contains(&answer), "{answer:?}");
    });
}

#[test]
fn no_socket_outlives_the_closing_of_its_namespace() {
    explore(|runtime| {
        let io = SocketIo::new();
        let space = io.namespace("/").open().unwrap();
        let mut client = runtime.block_on(TestClient::open(&io));
        let closed = space.clone();
        // In one stay: who calls handlers enters the runtime too, and here all are on one thread of the system, where what
        // is entered last has to be left first.
        runtime.block_on(async {
            let closer = schedules::spawn("closer", move || closed.close());
            client.join("/").await;
            closer.join();
            // Whatever was on its way.
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
        });
        assert_eq!(space.socket_count(), 0);
    });
}
