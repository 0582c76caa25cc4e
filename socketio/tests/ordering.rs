//! Nothing is lost and nothing overtakes, over real sockets (SRV-ORD-01, SRV-ORD-02).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use socketio::{Ack, OwnedArgs, SocketIo, SocketIoBuilder};

use support::{Flavor, Polling, Reader, Server, WebSocket, Writer};
use tokio::sync::oneshot;

/// Events that are sent without waiting for an answer to any.
const PIPELINED: u32 = 50_000;

/// How many of them leave in one write, or in one payload.
const BATCH: u32 = 500;

/// A server without pings, which these clients do not answer.
fn builder() -> SocketIoBuilder {
    SocketIo::builder().engine(|config| config.ping_interval(Duration::from_secs(600)))
}

fn echo_server() -> SocketIo {
    let io = builder().build().unwrap();
    io.namespace("/")
        .on("echo", |socket, args: OwnedArgs| async move {
            let _ = socket.emit("echo", &args);
        })
        .open()
        .unwrap();
    io
}

fn echo(number: u32) -> String {
    format!(r#"42["echo",{number}]"#)
}

/// Sends the events with these numbers, in batches.
async fn send(writer: &mut Writer, numbers: impl IntoIterator<Item = u32>) {
    let mut count = 0;
    for number in numbers {
        writer.push(&echo(number));
        count += 1;
        if count % BATCH == 0 {
            writer.flush().await;
        }
    }
    writer.flush().await;
}

/// Every echo with these numbers is the next to come.
async fn expect(reader: &mut Reader, numbers: impl IntoIterator<Item = u32>) {
    for number in numbers {
        assert_eq!(reader.text().await, echo(number));
    }
}

/// Polls until a poll is released because a candidate probes; the echoes that came before must begin at zero and leave
/// none out. How many there were.
async fn poll_until_released(client: &Polling) -> u32 {
    let mut received = 0;
    loop {
        for packet in client.get().await {
            if packet == "6" {
                return received;
            }
            assert_eq!(packet, echo(received));
            received += 1;
        }
    }
}

//= SRV-ORD-01 test
//= SRV-ORD-02 test
#[tokio::test]
async fn fifty_thousand_echoes_come_back_in_order_over_a_websocket() {
    for flavor in Flavor::ALL {
        let server = Server::start(flavor, &echo_server());
        let WebSocket {
            mut reader,
            mut writer,
        } = WebSocket::join(server.address).await;
        tokio::join!(
            send(&mut writer, 0..PIPELINED),
            expect(&mut reader, 0..PIPELINED)
        );
    }
}

/// A fifth is posted before the candidate is there, a fifth while it probes, and the rest goes over the WebSocket,
/// right behind the packet that switches: what was not polled has to come first.
//= SRV-ORD-01 test
//= SRV-ORD-02 test
//= EIO4-UPG-05 test
#[tokio::test]
async fn fifty_thousand_echoes_come_back_in_order_during_an_upgrade() {
    for flavor in Flavor::ALL {
        let server = Server::start(flavor, &echo_server());
        let client = Polling::join(server.address).await;
        let post = async |numbers: std::ops::Range<u32>| {
            let packets: Vec<String> = numbers.map(echo).collect();
            for batch in packets.chunks(BATCH as usize) {
                client.post(batch).await;
            }
        };
        let (before, posted) = (PIPELINED / 5, 2 * PIPELINED / 5);
        let (release, released) = oneshot::channel();
        let polling = async {
            let received = poll_until_released(&client).await;
            release.send(()).unwrap();
            received
        };
        let sending = async {
            post(0..before).await;
            let mut candidate = WebSocket::candidate(server.address, &client.sid).await;
            candidate.writer.send("2probe").await;
            assert_eq!(candidate.reader.text().await, "3probe");
            post(before..posted).await;
            released.await.unwrap();
            candidate.writer.push("5");
            let WebSocket { reader, mut writer } = candidate;
            send(&mut writer, posted..PIPELINED).await;
            (reader, writer)
        };
        let (received, (mut reader, _writer)) = tokio::join!(polling, sending);
        expect(&mut reader, received..PIPELINED).await;
    }
}

/// Each of two namespaces hears of it, once, before the event behind the packet that switches; one that is joined later
/// does not.
#[tokio::test]
async fn sockets_hear_that_their_client_has_moved_before_anything_that_comes_over_the_new_transport()
 {
    for flavor in Flavor::ALL {
        let log = Log::default();
        let io = builder().build().unwrap();
        for name in ["/", "/other", "/later"] {
            let (hook, handler) = (log.clone(), log.clone());
            io.namespace(name)
                .on_upgrade(move |socket, transport| {
                    let line = format!("{} is on {transport}", socket.namespace_name());
                    hook.lock().unwrap().push(line);
                })
                .on("say", move |socket, text: String| {
                    handler.lock().unwrap().push(text);
                    std::future::ready(Ack(socket.transport().as_str()))
                })
                .open()
                .unwrap();
        }
        let server = Server::start(flavor, &io);
        let client = Polling::join(server.address).await;
        client.post(&["40/other,".to_owned()]).await;
        assert!(client.get().await[0].starts_with("40/other,{"));
        client.post(&[r#"421["say","before"]"#.to_owned()]).await;
        assert_eq!(client.get().await, [r#"431["polling"]"#]);
        let mut candidate = WebSocket::candidate(server.address, &client.sid).await;
        candidate.writer.send("2probe").await;
        assert_eq!(candidate.reader.text().await, "3probe");
        candidate.writer.push("5");
        candidate.writer.push(r#"422["say","after"]"#);
        candidate.writer.push("40/later,");
        candidate.writer.flush().await;
        assert_eq!(candidate.reader.text().await, r#"432["websocket"]"#);
        assert!(candidate.reader.text().await.starts_with("40/later,{"));
        let mut log = std::mem::take(&mut *log.lock().unwrap());
        log[1..3].sort();
        let moved = [
            "before",
            "/ is on websocket",
            "/other is on websocket",
            "after",
        ];
        assert_eq!(log, moved);
    }
}

/// Far more of them than may wait at once, so that reading stops and goes on again and again.
//= SRV-ORD-02 test
#[tokio::test]
async fn fifty_thousand_handlers_that_wait_start_in_order_and_all_of_them_answer() {
    for flavor in Flavor::ALL {
        let io = builder().build().unwrap();
        let started = Arc::new(Mutex::new(Vec::new()));
        let starts = Arc::clone(&started);
        io.namespace("/")
            .on("work", move |_, number: u32| {
                starts.lock().unwrap().push(number);
                async move {
                    tokio::task::yield_now().await;
                    Ack(number)
                }
            })
            .open()
            .unwrap();
        let server = Server::start(flavor, &io);
        let WebSocket {
            mut reader,
            mut writer,
        } = WebSocket::join(server.address).await;
        let sending = async {
            for number in 0..PIPELINED {
                writer.push(&format!(r#"42{number}["work",{number}]"#));
                if number % BATCH == 0 {
                    writer.flush().await;
                }
            }
            writer.flush().await;
        };
        let listening = async {
            let mut answered = vec![false; PIPELINED as usize];
            for _ in 0..PIPELINED {
                let packet = reader.text().await;
                let number = packet
                    .strip_prefix("43")
                    .and_then(|rest| rest.strip_suffix(']'));
                let (id, number) = number.and_then(|rest| rest.split_once('[')).expect(&packet);
                assert_eq!(id, number);
                let number: usize = number.parse().unwrap();
                assert!(
                    !std::mem::replace(&mut answered[number], true),
                    "{packet} again"
                );
            }
        };
        tokio::join!(sending, listening);
        assert_eq!(*started.lock().unwrap(), Vec::from_iter(0..PIPELINED));
    }
}

/// What the strict server's handlers did, in order.
type Log = Arc<Mutex<Vec<String>>>;

/// Handles one event after the other; `ask` waits for its own client.
fn strict_server(log: &Log) -> SocketIo {
    let io = builder().max_handlers_in_flight(1).build().unwrap();
    let (asks, notes) = (Arc::clone(log), Arc::clone(log));
    io.namespace("/")
        .on("ask", move |socket, number: u32| {
            let log = Arc::clone(&asks);
            async move {
                let answer = socket.emit_with_ack::<u32>("question", &number).await;
                log.lock().unwrap().push(format!("{number} {answer:?}"));
            }
        })
        .on("note", move |_, number: u32| {
            notes.lock().unwrap().push(format!("{number}"));
            async {}
        })
        .on("last", |_, (): ()| async {})
        .open()
        .unwrap();
    io
}

/// Questions that wait in the inbox at once; all of them fit.
const ASKED: u32 = 500;

fn questions() -> Vec<String> {
    let pairs = (0..ASKED)
        .flat_map(|number| ["ask", "note"].map(|event| format!(r#"42["{event}",{number}]"#)));
    pairs.chain([r#"42999["last"]"#.to_owned()]).collect()
}

/// The answer to a question; `None` when it was the acknowledgement of the last event.
fn answer(packet: &str) -> Option<String> {
    if packet == "43999[]" {
        return None;
    }
    let (id, number) = packet
        .strip_prefix("42")
        .and_then(|rest| rest.strip_suffix(']'))
        .and_then(|rest| rest.split_once(r#"["question","#))
        .expect(packet);
    Some(format!("43{id}[{number}]"))
}

fn expected_log() -> Vec<String> {
    let pairs =
        (0..ASKED).flat_map(|number| [format!("{number} Ok({number})"), number.to_string()]);
    pairs.collect()
}

//= SRV-ORD-02 test
#[tokio::test]
async fn a_strict_handler_can_ask_its_own_client_while_more_is_pipelined_over_a_websocket() {
    for flavor in Flavor::ALL {
        let log = Log::default();
        let server = Server::start(flavor, &strict_server(&log));
        let mut client = WebSocket::join(server.address).await;
        for question in questions() {
            client.writer.push(&question);
        }
        client.writer.flush().await;
        while let Some(answer) = answer(&client.reader.text().await) {
            client.writer.send(&answer).await;
        }
        assert_eq!(*log.lock().unwrap(), expected_log());
    }
}

//= SRV-ORD-02 test
#[tokio::test]
async fn a_strict_handler_can_ask_its_own_client_while_more_is_pipelined_over_polling() {
    for flavor in Flavor::ALL {
        let log = Log::default();
        let server = Server::start(flavor, &strict_server(&log));
        let client = Polling::join(server.address).await;
        client.post(&questions()).await;
        'polling: loop {
            for packet in client.get().await {
                match answer(&packet) {
                    Some(answer) => client.post(&[answer]).await,
                    None => break 'polling,
                }
            }
        }
        assert_eq!(*log.lock().unwrap(), expected_log());
    }
}
