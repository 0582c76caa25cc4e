//! What a log gets to see: who is to blame by the level, and nothing that is anybody's.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::fmt::{Debug, Write as _};
use std::sync::Mutex;

use engineio::Config;
use support::{Door, Server, WebSocket, get, post, within};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

static LOG: Mutex<String> = Mutex::new(String::new());

/// Keeps every event of the engine as a line.
struct Keep;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Keep {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("engineio")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        let mut log = LOG.lock().unwrap();
        log.push_str(&line.0);
        log.push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

fn has(level: Level, message: &str) -> bool {
    let log = LOG.lock().unwrap();
    log.lines()
        .any(|line| line.starts_with(level.as_str()) && line.contains(message))
}

#[tokio::test]
async fn levels_say_who_is_to_blame_and_no_secret_is_told() {
    tracing::subscriber::set_global_default(Keep).unwrap();
    let config = Config::new().max_sessions(2);
    let mut server = Server::start(Door::Own, config).await;
    let polling = "/engine.io/?EIO=4&transport=polling&token=hunter2";
    let websocket = "/engine.io/?EIO=4&transport=websocket&token=hunter2";
    let sid = get(server.addr, polling).await.sid();
    let target = format!("{polling}&sid={sid}");
    post(server.addr, &target, "4confidential").await;
    get(server.addr, &target).await;

    let mut socket = WebSocket::open(server.addr, &format!("{websocket}&sid={sid}")).await;
    socket.send("2probe").await;
    assert_eq!(socket.text().await, "3probe");
    socket.send("5").await;
    within(async {
        while !has(Level::DEBUG, "a session was upgraded") {
            tokio::task::yield_now().await;
        }
    })
    .await;
    get(server.addr, &target).await;
    assert!(has(Level::DEBUG, "a request was refused"));

    let mut other = WebSocket::open(server.addr, websocket).await;
    let other_sid = other.sid().await;
    assert_eq!(get(server.addr, polling).await.status, 503);
    assert!(has(Level::WARN, "there are too many sessions"));

    other.send("4!panic").await;
    other.close_frame().await;
    assert!(has(Level::ERROR, "a handler panicked"));
    socket
        .send_bytes(&WebSocket::frame(0x81, b"\xff confidential"))
        .await;
    socket.close_frame().await;
    server.closed().await;
    server.until_empty().await;
    assert!(has(Level::DEBUG, "a peer broke the WebSocket protocol"));
    assert!(has(Level::DEBUG, "a session closed"));

    let log = LOG.lock().unwrap();
    for secret in [
        &*sid,
        &*other_sid,
        "hunter2",
        "confidential",
        "token",
        "127.0.0.1",
    ] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
