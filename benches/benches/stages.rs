//! What the stages of a message take, each by itself and in memory, with what they allocate.
//!
//!     cargo bench -p benches --bench stages
//!     cargo bench -p benches --bench stages -- dispatch
//!
//! For a look at one of them while it is being changed. Times move with the machine: what is promised is counted by
//! `benches budgets`.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on says where"
)]

use divan::{AllocProfiler, Bencher, black_box};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Sizes of texts: a small message, one past all that is looked at in words, and one whose frame has a long header.
const SIZES: [usize; 3] = [16, 128, 1024];

fn text(size: usize) -> String {
    "x".repeat(size)
}

/// Arguments to text and back.
mod codec {
    use serde::{Deserialize, Serialize};
    use socketio::{Binary, OwnedArgs};

    use super::{Bencher, SIZES, black_box, text};

    #[derive(Deserialize, Serialize)]
    struct Place {
        name: String,
        x: f64,
        y: f64,
        tags: Vec<u32>,
    }

    fn place() -> Place {
        Place {
            name: text(16),
            x: 0.25,
            y: -17.5,
            tags: vec![1, 22, 333],
        }
    }

    #[divan::bench(args = SIZES)]
    fn encode_text(bencher: Bencher<'_, '_>, size: usize) {
        let text = text(size);
        bencher.bench(|| OwnedArgs::new(black_box(&text)).unwrap());
    }

    #[divan::bench]
    fn encode_struct(bencher: Bencher<'_, '_>) {
        let place = place();
        bencher.bench(|| OwnedArgs::new(black_box(&place)).unwrap());
    }

    #[divan::bench(args = SIZES)]
    fn encode_binary(bencher: Bencher<'_, '_>, size: usize) {
        let data = Binary::from(vec![7; size]);
        bencher.bench(|| OwnedArgs::new(black_box(&data)).unwrap());
    }

    #[divan::bench(args = SIZES)]
    fn decode_text(bencher: Bencher<'_, '_>, size: usize) {
        let args = OwnedArgs::new(&text(size)).unwrap();
        bencher.bench(|| black_box(&args).as_raw().deserialize::<String>().unwrap());
    }

    #[divan::bench]
    fn decode_struct(bencher: Bencher<'_, '_>) {
        let args = OwnedArgs::new(&place()).unwrap();
        bencher.bench(|| black_box(&args).as_raw().deserialize::<Place>().unwrap());
    }
}

/// Messages to the frames they wait in.
mod frames {
    use engineio::{EncodedMessage, MessageBuffer};

    use super::{Bencher, SIZES, black_box, text};

    #[divan::bench(args = SIZES)]
    fn push_text(bencher: Bencher<'_, '_>, size: usize) {
        let (text, mut buffer) = (text(size), MessageBuffer::new());
        bencher.bench_local(|| {
            buffer.clear();
            buffer.push_text(black_box(&text));
            buffer.len_bytes()
        });
    }

    #[divan::bench(args = SIZES)]
    fn encode_for_many(bencher: Bencher<'_, '_>, size: usize) {
        let text = text(size);
        bencher.bench(|| EncodedMessage::text(black_box(&text)));
    }
}

/// A frame in, its event to a handler, and what that sends out again; the client's own work is in it too.
mod dispatch {
    use socketio::testing::TestClient;
    use socketio::{Ack, OwnedArgs, SocketIo};
    use tokio::runtime::Runtime;

    use super::{Bencher, SIZES, text};

    /// Events that come in one read.
    const TOGETHER: usize = 16;

    fn server() -> (Runtime, TestClient) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let client = runtime.block_on(async {
            let io = SocketIo::new();
            let main = io
                .namespace("/")
                .on("typed", |socket, text: String| async move {
                    let _ = socket.emit("back", &text);
                });
            let main = main.on("raw", |socket, args: OwnedArgs| async move {
                let _ = socket.emit("back", &args);
            });
            let main = main.on("asked", |_, args: OwnedArgs| async move { Ack(args) });
            main.open().unwrap();
            let mut client = TestClient::open(&io).await;
            client.join("/").await;
            client
        });
        (runtime, client)
    }

    fn together(bencher: Bencher<'_, '_>, event: &str) {
        let (runtime, mut client) = server();
        let events = [event; TOGETHER];
        let counter = divan::counter::ItemsCount::new(TOGETHER);
        bencher.counter(counter).bench_local(|| {
            runtime.block_on(async {
                client.send_all(&events).await;
                for _ in 0..TOGETHER {
                    client.next_text().await;
                }
            });
        });
    }

    #[divan::bench(args = SIZES)]
    fn typed(bencher: Bencher<'_, '_>, size: usize) {
        together(bencher, &format!(r#"42["typed","{}"]"#, text(size)));
    }

    #[divan::bench(args = SIZES)]
    fn raw(bencher: Bencher<'_, '_>, size: usize) {
        together(bencher, &format!(r#"42["raw","{}"]"#, text(size)));
    }

    #[divan::bench(args = SIZES)]
    fn acknowledged(bencher: Bencher<'_, '_>, size: usize) {
        together(bencher, &format!(r#"427["asked","{}"]"#, text(size)));
    }
}

/// One event to a namespace's members: selected, and put into the queue of each.
mod outbox {
    use socketio::SocketIo;
    use socketio::testing::TestClient;

    use super::{Bencher, text};

    #[divan::bench(args = [1, 10, 100])]
    fn broadcast(bencher: Bencher<'_, '_>, members: usize) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let io = SocketIo::new();
        let namespace = io.namespace("/").open().unwrap();
        let mut clients = Vec::new();
        runtime.block_on(async {
            for _ in 0..members {
                let mut client = TestClient::open(&io).await;
                client.join("/").await;
                clients.push(client);
            }
        });
        let text = text(16);
        let counter = divan::counter::ItemsCount::new(members);
        bencher.counter(counter).bench_local(|| {
            runtime.block_on(async {
                let _ = namespace.emit("news", &text);
                for client in &mut clients {
                    client.next_text().await;
                }
            });
        });
    }
}
