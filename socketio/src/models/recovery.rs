//! The log of recovery against what its clients hear.

use serde_json::Value;
use tokio::runtime::Runtime;

use super::explore;
use crate::testing::{Received, TestClient};
use crate::{Namespace, Recovery, SocketIo};

/// A server with recovery, and a client in its namespace.
struct Heard {
    io: SocketIo,
    space: Namespace<()>,
    client: TestClient,
    pid: String,
}

/// The JSON behind the number of a packet's kind.
fn json(packet: &str) -> Value {
    let at = packet.find(['{', '[']).unwrap();
    serde_json::from_str(&packet[at..]).unwrap()
}

impl Heard {
    fn new(runtime: &Runtime) -> Self {
        let recovery = Recovery::new();
        let io = SocketIo::builder().recovery(|_| recovery).build().unwrap();
        let space = io.namespace("/").open().unwrap();
        let (client, reply) = runtime.block_on(async {
            let mut client = TestClient::open(&io).await;
            let reply = client.join("/").await;
            (client, json(&reply))
        });
        Self {
            io,
            space,
            client,
            pid: reply["pid"].as_str().unwrap().to_owned(),
        }
    }

    /// What so many events said, and their offsets, in the order in which they came.
    fn hear(&mut self, runtime: &Runtime, count: usize) -> Vec<(String, String)> {
        runtime.block_on(async {
            let mut heard = Vec::new();
            for _ in 0..count {
                let event = json(&self.client.next_text().await);
                let text = |at: &Value| at.as_str().unwrap().to_owned();
                heard.push((text(&event[0]), text(&event[1])));
            }
            heard
        })
    }

    /// Comes back as one that was there up to an offset; what came before the answer.
    fn come_back(&mut self, runtime: &Runtime, offset: &str) -> Vec<String> {
        runtime.block_on(async {
            self.client = TestClient::open(&self.io).await;
            let auth = format!(r#"40{{"pid":"{}","offset":"{offset}"}}"#, self.pid);
            self.client.send(&auth).await;
            let mut missed = Vec::new();
            loop {
                match self.client.next().await {
                    Received::Packet(packet) if packet.starts_with("42") => {
                        missed.push(json(&packet)[0].as_str().unwrap().to_owned());
                    }
                    Received::Packet(reply) => {
                        assert_eq!(json(&reply)["pid"], self.pid, "it is recovered");
                        return missed;
                    }
                    other => panic!("{other:?}"),
                }
            }
        })
    }

    /// Breaks the client's connection.
    fn vanish(&mut self, runtime: &Runtime) {
        runtime.block_on(async {
            self.client = TestClient::open(&self.io).await;
            while self.space.socket_count() > 0 {
                tokio::task::yield_now().await;
            }
        });
    }
}

#[test]
fn whoever_comes_back_gets_what_is_emitted_meanwhile_once() {
    explore(|runtime| {
        let mut heard = Heard::new(runtime);
        heard.space.emit("first", &()).unwrap();
        let (_, offset) = heard.hear(runtime, 1).remove(0);
        heard.vanish(runtime);
        let space = heard.space.clone();
        let emitter = schedules::spawn("emitter", move || space.emit("a", &()).unwrap());
        // The thread of the model serves meanwhile.
        let missed = heard.come_back(runtime, &offset);
        emitter.join();
        heard.space.emit("last", &()).unwrap();
        let mut events = missed;
        while events.last().is_none_or(|event| event != "last") {
            events.extend(heard.hear(runtime, 1).into_iter().map(|(event, _)| event));
        }
        assert_eq!(events, ["a", "last"]);
    });
}

#[test]
fn whoever_comes_back_has_heard_each_event_of_several_emitters_once() {
    for heard_before in 0..2 {
        explore(move |runtime| {
            let mut heard = Heard::new(runtime);
            let emitters = ["a", "b"].map(|event| {
                let space = heard.space.clone();
                schedules::spawn("emitter", move || {
                    space.emit(event, &()).unwrap();
                })
            });
            emitters.into_iter().for_each(schedules::Thread::join);
            let events = heard.hear(runtime, 2);
            heard.vanish(runtime);
            // As if the connection had broken behind this one.
            let (_, offset) = &events[heard_before];
            let mut all: Vec<String> = events[..=heard_before]
                .iter()
                .map(|(event, _)| event.clone())
                .collect();
            all.extend(heard.come_back(runtime, offset));
            all.sort();
            assert_eq!(all, ["a", "b"]);
        });
    }
}
