//! The right to call user code of a connection: one thread has it at a time, and makes the calls of those who find it
//! taken.

use std::sync::Arc;

use schedules::sync::Mutex;
use schedules::sync::atomic::{AtomicUsize, Ordering};

use super::explore;
use crate::testing::TestClient;
use crate::{Namespace, Socket, SocketIo};

/// What handlers were called for, and how many were inside one at the same time.
#[derive(Default)]
struct Calls {
    inside: AtomicUsize,
    told: Mutex<Vec<String>>,
}

impl Calls {
    fn note(&self, what: impl Into<String>) {
        let others = self.inside.fetch_add(1, Ordering::SeqCst);
        assert_eq!(others, 0, "two threads call at the same time");
        self.told.lock().unwrap().push(what.into());
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

/// The namespaces of a server, which notes their events and disconnects.
const NAMES: [&str; 2] = ["/a", "/b"];

fn server() -> (SocketIo, [Namespace<()>; 2], Arc<Calls>) {
    let (io, calls) = (SocketIo::new(), Arc::new(Calls::default()));
    let spaces = NAMES.map(|name| {
        let (events, ends) = (Arc::clone(&calls), Arc::clone(&calls));
        io.namespace(name)
            .on("e", move |_: Socket, number: u32| {
                events.note(number.to_string());
                async {}
            })
            .on_disconnect(move |_: Socket, _| {
                ends.note(format!("{name} left"));
                async {}
            })
            .open()
            .unwrap()
    });
    (io, spaces, calls)
}

#[test]
fn calls_of_two_threads_are_made_once_and_one_at_a_time() {
    explore(|runtime| {
        let (io, spaces, calls) = server();
        let _client = runtime.block_on(async {
            let mut client = TestClient::open(&io).await;
            for name in NAMES {
                client.join(name).await;
            }
            client
        });
        let threads = spaces.map(|space| {
            let socket = space.sockets().remove(0);
            schedules::spawn("leaver", move || socket.disconnect())
        });
        threads.into_iter().for_each(schedules::Thread::join);
        let mut told = calls.take();
        told.sort();
        assert_eq!(told, ["/a left", "/b left"]);
    });
}

#[test]
fn events_are_handled_in_order_while_another_thread_calls() {
    explore(|runtime| {
        let (io, [_, other], calls) = server();
        runtime.block_on(async {
            let mut client = TestClient::open(&io).await;
            for name in NAMES {
                client.join(name).await;
            }
            let other = other.sockets().remove(0);
            let leaver = schedules::spawn("leaver", move || other.disconnect());
            client
                .send_all(&[r#"42/a,["e",1]"#, r#"42/a,["e",2]"#])
                .await;
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
            leaver.join();
        });
        let mut told = calls.take();
        let left = told.iter().position(|what| what == "/b left");
        told.remove(left.expect("it was told"));
        assert_eq!(told, ["1", "2"]);
    });
}
