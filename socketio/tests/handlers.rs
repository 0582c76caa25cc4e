//! How an application tests its own handlers: a server that is built in one place, and clients in memory.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::time::Duration;

use serde::{Deserialize, Serialize};
use socketio::auth::{AuthContext, Code, Credential, Grant, InHandshake, Outcome, auth_fn};
use socketio::testing::{Received, TestClient};
use socketio::{AckError, Args, Binary, BuildError, JoinError, SocketIo};
use tokio::time::Instant;

/// What the application serves. Its `main` opens a listener for the same.
fn board() -> Result<SocketIo, BuildError> {
    let io = SocketIo::builder()
        .engine(|config| config.path("/board/"))
        .build()?;
    let members = auth_fn(|_: AuthContext, credential: Credential| async move {
        match credential.token().strip_prefix("member-") {
            Some(name) => Outcome::Accept(Grant::new(name.to_owned(), name)),
            None => Outcome::Reject(Code::InvalidToken.into()),
        }
    });
    io.namespace("/drawings")
        .authenticate(InHandshake::new(members))
        .on("open", |socket, drawing: String| async move {
            socket.join(drawing)?;
            Ok::<_, JoinError>(())
        })
        .on(
            "draw",
            |socket, Args((drawing, line)): Args<(String, Line)>| async move {
                let author = socket.data().to_string();
                let _ = socket.to(drawing).emit("drawn", &Args((author, line)));
            },
        )
        .on("export", |socket, ()| async move {
            let asked = socket.timeout(Duration::from_secs(30));
            let picture: Result<Binary, AckError> = asked.emit_with_ack("render", &()).await;
            picture
                .map(|bytes| socketio::Ack(bytes.len()))
                .map_err(|error| error.to_string())
        })
        .open()?;
    Ok(io)
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    from: (i32, i32),
    to: (i32, i32),
    texture: Binary,
}

#[derive(Serialize)]
struct Token {
    token: &'static str,
}

async fn client(io: &SocketIo, token: &'static str) -> TestClient {
    let mut client = TestClient::builder().path("/board/").open(io).await;
    client.connect("/drawings", &Token { token }).await;
    client
}

#[tokio::test]
async fn lines_reach_those_who_have_the_drawing_open() {
    let io = board().unwrap();
    let mut ada = client(&io, "member-ada").await;
    let mut bob = client(&io, "member-bob").await;
    ada.emit_with_ack::<()>("open", "bridge").await;
    bob.emit_with_ack::<()>("open", "bridge").await;
    let line = Line {
        from: (0, 0),
        to: (3, 4),
        texture: Binary::from(vec![1, 2, 3]),
    };
    ada.emit("draw", &Args(("bridge", &line))).await;
    let Args((author, drawn)) = bob.expect_event::<Args<(String, Line)>>("drawn").await;
    assert_eq!((author.as_str(), drawn), ("ada", line));
}

#[tokio::test(start_paused = true)]
async fn an_export_asks_the_client_to_render() {
    let io = board().unwrap();
    let mut ada = client(&io, "member-ada").await;
    ada.send(r#"42/drawings,7["export"]"#).await;
    ada.expect_event::<()>("render").await;
    ada.answer(&Binary::from(vec![0; 64])).await;
    ada.expect("43/drawings,7[64]").await;
    ada.expect_silence(Duration::from_secs(600)).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_render_is_told_so_after_its_time() {
    let io = board().unwrap();
    let mut ada = client(&io, "member-ada").await;
    let started = Instant::now();
    let answer: serde_json::Value = ada.emit_with_ack("export", &()).await;
    assert_eq!(answer["error"], "operation has timed out");
    assert!(started.elapsed() >= Duration::from_secs(30));
    // What came while the acknowledgement was waited for is still there.
    ada.expect_event::<()>("render").await;
}

#[tokio::test]
async fn strangers_are_refused() {
    let io = board().unwrap();
    let mut stranger = TestClient::builder().path("/board/").open(&io).await;
    let answer = stranger
        .join_with("/drawings", r#"{"token":"stranger"}"#)
        .await;
    assert!(answer.starts_with("44/drawings,"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn whoever_joins_nothing_is_cut_off_after_45_seconds_that_pass_at_once() {
    let io = board().unwrap();
    #[expect(clippy::disallowed_methods, reason = "the clock that is not virtual")]
    let real = std::time::Instant::now();
    let started = Instant::now();
    let mut idle = TestClient::builder().path("/board/").open(&io).await;
    idle.expect_closed().await;
    let waited = started.elapsed();
    assert!(waited >= Duration::from_secs(45) && waited < Duration::from_secs(46));
    assert!(real.elapsed() < Duration::from_secs(20));
    assert_eq!(idle.next().await, Received::Closed);
}

/// What a panic of the kit says.
async fn message_of(test: impl Future<Output = ()> + Send + 'static) -> String {
    #[expect(clippy::disallowed_methods, reason = "ends with the test, in a panic")]
    let ended = tokio::spawn(test).await;
    let panic = ended.unwrap_err().into_panic();
    *panic.downcast::<String>().unwrap()
}

#[tokio::test]
async fn a_failure_says_what_was_expected_and_what_came() {
    let io = board().unwrap();
    let mut ada = client(&io, "member-ada").await;
    ada.send(r#"42/drawings,2["draw","bridge"]"#).await;
    let message = message_of(async move {
        ada.expect_event::<Args<(String, Line)>>("drawn").await;
    });
    let message = message.await;
    assert!(
        message.contains(r#"expected the event "drawn" in /drawings"#),
        "{message}"
    );
    assert!(message.contains("invalid_arguments"), "{message}");

    let mut stranger = TestClient::builder().path("/board/").open(&io).await;
    let message = message_of(async move {
        stranger
            .connect("/drawings", &Token { token: "stranger" })
            .await;
    });
    let message = message.await;
    assert!(message.contains("expected to join /drawings"), "{message}");
    assert!(message.contains("invalid_token"), "{message}");
}
