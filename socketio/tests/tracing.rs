//! What a log gets to see: who is to blame by the level, and nothing that is anybody's.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::fmt::{Debug, Write as _};
use std::sync::Mutex;

use socketio::auth::{
    AuthContext, AuthField, BearerHeader, Code, Credential, CredentialSource as _, Grant,
    InHandshake, Outcome, TwoRoundTrip, auth_fn,
};
use socketio::testing::TestClient;
use socketio::{Ack, ConnectError, SocketIo};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

static LOG: Mutex<String> = Mutex::new(String::new());

/// Keeps every event of the server and its engine as a line.
struct Keep;

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Keep {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        target.starts_with("socketio") || target.starts_with("engineio")
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

#[track_caller]
fn assert_told(level: Level, what: &str) {
    let log = LOG.lock().unwrap();
    assert!(
        log.lines()
            .any(|line| line.starts_with(level.as_str()) && line.contains(what)),
        "no {level} {what} in {log}"
    );
}

async fn judge(_: AuthContext, credential: Credential) -> Outcome<()> {
    match credential.token() {
        "good-hunter2" => Outcome::Accept(Grant::new((), "subject-hunter2")),
        "down-hunter2" => Outcome::Reject(Code::AuthUnavailable.into()),
        _ => Outcome::Reject(Code::InvalidToken.into()),
    }
}

fn server() -> SocketIo {
    let io = SocketIo::builder().events_per_second(1, 6).build().unwrap();
    let guarded = InHandshake::new(auth_fn(judge)).sources(AuthField("token").or(BearerHeader));
    io.namespace("/guarded")
        .authenticate(guarded)
        .on("hello", |_, (): ()| async {})
        .open()
        .unwrap();
    io.namespace("/later")
        .authenticate(TwoRoundTrip::new(auth_fn(judge)))
        .on("hello", |_, (): ()| async {})
        .open()
        .unwrap();
    io.namespace("/closed")
        .middleware(|_| async { Err(ConnectError::new("confidential refusal")) })
        .open()
        .unwrap();
    io.namespace("/")
        .on("number", |_, number: u32| async move { Ack(number) })
        .on("echo", |socket, text: String| async move {
            let _ = socket.emit("echo", &text);
        })
        .on("panic", |_, text: String| async move {
            assert!(text.is_empty(), "{text}");
        })
        .open()
        .unwrap();
    io
}

#[tokio::test]
async fn levels_say_who_is_to_blame_and_no_secret_is_told() {
    tracing::subscriber::set_global_default(Keep).unwrap();
    let io = server();
    assert_told(Level::INFO, r#"name="/closed" policy="public""#);
    assert_told(Level::INFO, r#"name="/later" policy="two round trips"#);
    let bearer = [("Authorization", "Bearer good-hunter2")];
    let mut client = TestClient::open_with(&io, "ticket=hunter2", &bearer).await;

    let mut ids = vec![client.opening().to_owned()];
    ids.push(client.join("/guarded").await);
    assert_told(Level::DEBUG, r#"namespace="/guarded""#);
    ids.push(client.join("/later").await);
    client
        .send(r#"42/later,["authenticate",{"token":"bad-hunter2"}]"#)
        .await;
    client.next_text().await;
    assert_told(Level::DEBUG, r#"code="invalid_token""#);
    client.join("/confidential").await;
    assert_told(Level::DEBUG, "a client asked for no open namespace");
    client.join("/closed").await;
    assert_told(Level::DEBUG, "middleware refused a client");

    ids.push(client.join_with("/", r#"{"token":"good-hunter2"}"#).await);
    client.send(r#"420["number","confidential"]"#).await;
    assert!(client.next_text().await.contains("invalid_arguments"));
    assert_told(
        Level::DEBUG,
        r#"event="number" argument=0 expected="u32" found="a string""#,
    );
    client.send(r#"42["echo","confidential"]"#).await;
    assert!(client.next_text().await.contains("confidential"));
    let long = "é".repeat(100);
    for name in ["unheard", &long, "unheard", "unheard"] {
        client
            .send(&format!(r#"42["{name}","confidential"]"#))
            .await;
    }
    client.send(r#"421["echo","confidential"]"#).await;
    assert!(client.next_text().await.contains("rate_limited"));
    assert_told(Level::DEBUG, r#"event="unheard""#);
    let shortened = format!(r#"event="{}""#, "é".repeat(32));
    assert_told(Level::DEBUG, &shortened);
    assert_told(Level::DEBUG, "an event came too fast");

    let mut other = TestClient::open(&io).await;
    ids.push(other.opening().to_owned());
    other
        .join_with("/guarded", r#"{"token":"down-hunter2"}"#)
        .await;
    assert_told(Level::WARN, "a credential cannot be judged");
    ids.push(other.join("/").await);
    other.send(r#"42["panic","confidential"]"#).await;
    assert_eq!(other.next_text().await, "41");
    assert_told(Level::ERROR, "the application panicked");
    assert_told(Level::DEBUG, "server namespace disconnect");

    client.send("4confidential").await;
    client.drain().await;
    assert_told(Level::DEBUG, "a packet cannot be decoded");
    assert_told(Level::DEBUG, "a socket left");

    let log = LOG.lock().unwrap();
    for secret in ["hunter2", "confidential", "ticket", "Bearer"] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    for reply in ids {
        let (_, behind) = reply.split_once(r#""sid":""#).unwrap();
        let (id, _) = behind.split_once('"').unwrap();
        assert!(!log.contains(id), "{id} in {log}");
    }
}
