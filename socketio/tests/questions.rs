//! Handlers that wait for their own client do so whatever else it sends, over real sockets (SRV-ORD-02).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use socketio::{Ack, OwnedArgs, SocketIo, SocketIoBuilder};
use support::{Flavor, Polling, Server, WebSocket, within};
use tokio::sync::{Semaphore, mpsc};

/// Events that are sent at once, each of which has the server ask its client.
const ASKED: usize = 200;

const NEVER: Duration = Duration::from_secs(3600);

/// Two of them are more than an inbox that has to be read in turns takes.
fn event() -> String {
    format!(r#"42["ask","{}"]"#, "x".repeat(1_000))
}

/// Whatever stands still stays so: neither a ping nor a stall ends a session here.
fn patient() -> SocketIoBuilder {
    SocketIo::builder().engine(|config| config.ping_interval(NEVER).stall_timeout(NEVER))
}

/// One that answers an event when its client has answered the question.
fn asking(builder: SocketIoBuilder) -> SocketIo {
    let io = builder.build().unwrap();
    io.namespace("/")
        .on("ask", |socket, args: OwnedArgs| async move {
            if socket.emit_with_ack::<u32>("question", &args).await == Ok(7) {
                socket.emit("done", &()).unwrap();
            }
        })
        .open()
        .unwrap();
    io
}

/// By default, one after the other, and with as little room as there can be.
fn builders() -> [SocketIoBuilder; 3] {
    [
        patient(),
        patient().max_handlers_in_flight(1),
        patient().max_handlers_in_flight(8).inbox_max_bytes(1),
    ]
}

/// What an ordinary client does with a packet: it answers what it is asked. True when an event is done.
fn react(packet: &str, answers: &mut Vec<String>) -> bool {
    let question = packet
        .strip_prefix("42")
        .and_then(|rest| rest.split_once(r#"["question","#));
    if let Some((id, _)) = question {
        answers.push(format!("43{id}[7]"));
    }
    packet == r#"42["done"]"#
}

/// Answers until so many events are done.
async fn converse(client: WebSocket, mut left: usize) {
    let WebSocket {
        mut reader,
        mut writer,
    } = client;
    while left > 0 {
        let mut answers = Vec::new();
        left -= usize::from(react(&reader.text().await, &mut answers));
        for answer in answers {
            writer.send(&answer).await;
        }
    }
}

//= SRV-ORD-02 test
#[tokio::test]
async fn two_hundred_questions_are_answered_over_a_websocket() {
    for (flavor, builder) in Flavor::ALL.into_iter().flat_map(with_builders) {
        let server = Server::start(flavor, &asking(builder));
        let mut client = WebSocket::join(server.address).await;
        for _ in 0..ASKED {
            client.writer.push(&event());
        }
        client.writer.flush().await;
        converse(client, ASKED).await;
    }
}

fn with_builders(flavor: Flavor) -> [(Flavor, SocketIoBuilder); 3] {
    builders().map(|builder| (flavor, builder))
}

//= SRV-ORD-02 test
#[tokio::test]
async fn two_hundred_questions_are_answered_over_polling() {
    for (flavor, builder) in Flavor::ALL.into_iter().flat_map(with_builders) {
        let server = Server::start(flavor, &asking(builder));
        let client = Polling::join(server.address).await;
        client.post(&vec![event(); ASKED]).await;
        let mut left = ASKED;
        while left > 0 {
            let mut answers = Vec::new();
            for packet in client.get().await {
                left -= usize::from(react(&packet, &mut answers));
            }
            if !answers.is_empty() {
                client.post(&answers).await;
            }
        }
    }
}

/// Half is posted while the candidate probes, half follows the packet that switches.
//= SRV-ORD-02 test
#[tokio::test]
async fn two_hundred_questions_are_answered_during_an_upgrade() {
    for (flavor, builder) in Flavor::ALL.into_iter().flat_map(with_builders) {
        let server = Server::start(flavor, &asking(builder));
        let client = Polling::join(server.address).await;
        let mut candidate = WebSocket::candidate(server.address, &client.sid).await;
        candidate.writer.send("2probe").await;
        assert_eq!(candidate.reader.text().await, "3probe");
        client.post(&vec![event(); ASKED / 2]).await;
        candidate.writer.push("5");
        for _ in 0..ASKED / 2 {
            candidate.writer.push(&event());
        }
        candidate.writer.flush().await;
        converse(candidate, ASKED).await;
    }
}

#[tokio::test]
async fn a_thousand_subscriptions_that_never_end_hold_up_no_event() {
    for flavor in Flavor::ALL {
        let io = patient().build().unwrap();
        io.namespace("/")
            .on("subscribe", |socket, (): ()| async move {
                socket.closed().await;
            })
            .on("echo", |_, number: u32| async move { Ack(number) })
            .open()
            .unwrap();
        let server = Server::start(flavor, &io);
        let mut client = WebSocket::join(server.address).await;
        for _ in 0..1_000 {
            client.writer.push(r#"42["subscribe"]"#);
        }
        client.writer.push(r#"421["echo",7]"#);
        client.writer.flush().await;
        assert_eq!(client.reader.text().await, "431[7]");
    }
}

/// Its handlers wait without an end, and what they are not called for fills the inbox.
#[tokio::test]
async fn who_leaves_behind_a_full_inbox_is_missed_at_once() {
    for flavor in Flavor::ALL {
        let io = patient().max_handlers_in_flight(1).build().unwrap();
        let (left, mut leaves) = mpsc::unbounded_channel();
        let never = Arc::new(Semaphore::new(0));
        let (kept, waits) = (Arc::new(Mutex::new(Vec::new())), Arc::clone(&never));
        let keeper = Arc::clone(&kept);
        io.namespace("/")
            .on("wait", move |socket, (): ()| {
                keeper.lock().unwrap().push(socket);
                let never = Arc::clone(&waits);
                async move { drop(never.acquire().await) }
            })
            .on_disconnect(move |_, reason| {
                let _ = left.send(reason);
                async {}
            })
            .open()
            .unwrap();
        let server = Server::start(flavor, &io);
        let mut client = WebSocket::join(server.address).await;
        for _ in 0..ASKED {
            client.writer.push(r#"42["wait"]"#);
            client.writer.push(&event());
        }
        client.writer.flush().await;
        within(async {
            while kept.lock().unwrap().is_empty() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        drop(client);
        let reason = within(leaves.recv()).await.unwrap();
        assert_eq!(reason.as_str(), "transport close");
        never.close();
    }
}
