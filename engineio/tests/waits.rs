//! Every wait for a peer, and the limit that ends it: connections in memory, on a clock that stands still while anything can
//! go on. Each limit has a length of its own, so that it shows which one it was.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use engineio::{
    CloseReason, Config, Connection, Engine, Flow, Handler, Message, Protocol, RequestView,
};
use support::{WebSocket, spawn};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const HEADER: Duration = Duration::from_secs(3);
const KEEP_ALIVE: Duration = Duration::from_secs(5);
const BODY: Duration = Duration::from_secs(7);
const WRITE: Duration = Duration::from_secs(11);
const UPGRADE: Duration = Duration::from_secs(13);
const PING: Duration = Duration::from_secs(17);
const PONG: Duration = Duration::from_secs(19);
const STALL: Duration = Duration::from_secs(53);
const DRAIN: Duration = Duration::from_secs(23);

// Not for choosing, and on the first page of the docs.
/// A connection is kept longer than was said, for what is under way.
const KEEP_ALIVE_GRACE: Duration = Duration::from_secs(1);
/// For the answer to a close frame.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// For what was sent before a close.
const LINGER: Duration = Duration::from_secs(30);
/// For a polling client to come back and hear of a drain.
const RETURN_WAIT: Duration = Duration::from_secs(2);

/// How much later a test may see it that looks now and then.
const SLACK: Duration = Duration::from_millis(20);

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";

/// Pauses when it is sent anything, and sends more than the stream has room for when it is sent `flood`.
struct Pauses;

impl Handler for Pauses {
    type Data = ();

    fn on_open(&self, _: &RequestView<'_>, _: Protocol) {}

    fn on_message(&self, connection: &Connection<()>, message: Message<'_>) -> Flow {
        if message.as_bytes() == b"flood" {
            connection.send_text(&"x".repeat(300_000)).unwrap();
            return Flow::Continue;
        }
        Flow::Pause
    }

    fn on_close(&self, _: &Connection<()>, _: CloseReason) {}
}

fn engine() -> Engine<()> {
    let config = Config::new()
        .header_timeout(HEADER)
        .keep_alive_timeout(KEEP_ALIVE)
        .body_timeout(BODY)
        .write_timeout(WRITE)
        .upgrade_timeout(UPGRADE)
        .ping_interval(PING)
        .ping_timeout(PONG)
        .stall_timeout(STALL);
    Engine::new(config, Pauses).unwrap()
}

/// A peer that says what it is told to, and then nothing.
struct Peer {
    stream: DuplexStream,
    serving: JoinHandle<()>,
}

impl Peer {
    async fn says(engine: &Engine<()>, bytes: impl AsRef<[u8]>) -> Self {
        let (mut stream, server) = duplex(10_000);
        let served = engine.clone();
        let serving = spawn(async move { served.serve_stream(server, None).await });
        stream.write_all(bytes.as_ref()).await.unwrap();
        Self { stream, serving }
    }

    /// Reads what there is; at least something.
    async fn hear(&mut self) -> String {
        let mut heard = vec![0; 10_000];
        let count = self.stream.read(&mut heard).await.unwrap();
        String::from_utf8_lossy(&heard[..count]).into_owned()
    }

    async fn end(self) {
        self.serving.await.unwrap();
    }
}

fn request(method: &str, query: &str, rest: &str) -> String {
    format!("{method} {POLLING}{query} HTTP/1.1\r\nHost: t\r\n{rest}")
}

fn upgrade(query: &str) -> Vec<u8> {
    format!(
        "GET /engine.io/?EIO=4&transport=websocket{query} HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes()
}

/// The query that names a new session.
async fn session(engine: &Engine<()>) -> String {
    let mut peer = Peer::says(engine, request("GET", "", "\r\n")).await;
    let answer = peer.hear().await;
    let sid = answer.split("\"sid\":\"").nth(1).unwrap();
    format!("&sid={}", sid.split('"').next().unwrap())
}

async fn websocket(engine: &Engine<()>, frames: &[u8]) -> Peer {
    Peer::says(engine, [&upgrade("")[..], frames].concat()).await
}

async fn no_session(engine: &Engine<()>) {
    while engine.session_count() > 0 {
        sleep(Duration::from_millis(10)).await;
    }
}

fn only(engine: &Engine<()>) -> Connection<()> {
    let [connection] = engine.connections().try_into().unwrap();
    connection
}

type Ends = Pin<Box<dyn Future<Output = ()>>>;

/// What is waited for, how long, and a peer that does not do it.
struct Wait {
    name: &'static str,
    limit: Duration,
    ends: fn(Engine<()>) -> Ends,
}

macro_rules! waits {
    ($($name:literal, $limit:expr, |$engine:ident| $ends:block)*) => {
        [$(Wait { name: $name, limit: $limit, ends: |$engine| Box::pin(async move $ends) }),*]
    };
}

fn waits() -> impl IntoIterator<Item = Wait> {
    waits! {
        "a first byte", HEADER, |engine| { Peer::says(&engine, "").await.end().await }
        // The answer is 408, and then the peer is to take it.
        "the rest of a head", HEADER + WRITE, |engine| {
            Peer::says(&engine, "GET /engine.io/").await.end().await;
        }
        "the next request", KEEP_ALIVE + KEEP_ALIVE_GRACE, |engine| {
            Peer::says(&engine, request("GET", "", "\r\n")).await.end().await;
        }
        "the rest of the next head", HEADER + WRITE, |engine| {
            let twice = request("GET", "", "\r\n") + "GET /";
            Peer::says(&engine, twice).await.end().await;
        }
        "a body", BODY, |engine| {
            let post = request("POST", &session(&engine).await, "Content-Length: 5\r\n\r\n4a");
            let _peer = Peer::says(&engine, post).await;
            no_session(&engine).await;
        }
        "a chunk", BODY, |engine| {
            let post = request("POST", &session(&engine).await, "Transfer-Encoding: chunked\r\n\r\n2\r\n4a\r\n");
            let _peer = Peer::says(&engine, post).await;
            no_session(&engine).await;
        }
        "an answer that is read", WRITE, |engine| {
            let query = session(&engine).await;
            only(&engine).send_text(&"x".repeat(300_000)).unwrap();
            Peer::says(&engine, request("GET", &query, "\r\n")).await.end().await;
        }
        "something to tell a poll", PING, |engine| {
            let query = session(&engine).await;
            let mut peer = Peer::says(&engine, request("GET", &query, "\r\n")).await;
            let answer = peer.hear().await;
            assert!(answer.ends_with("\r\n\r\n2"), "{answer}");
        }
        "a poll", PING + PONG, |engine| {
            session(&engine).await;
            no_session(&engine).await;
        }
        "a pong", PING + PONG + CLOSE_WAIT, |engine| { websocket(&engine, b"").await.end().await }
        "the rest of a frame", PING + PONG + CLOSE_WAIT, |engine| {
            websocket(&engine, &[0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 1, 2, 3, 4, b'4']).await.end().await;
        }
        "the next fragment", PING + PONG + CLOSE_WAIT, |engine| {
            let mut fragment = WebSocket::frame(0x01, b"4a");
            fragment.extend(WebSocket::frame(0x89, b"a ping in between"));
            websocket(&engine, &fragment).await.end().await;
        }
        "a WebSocket that is read", STALL, |engine| {
            websocket(&engine, &WebSocket::frame(0x81, b"4flood")).await.end().await;
        }
        "a probe", UPGRADE + CLOSE_WAIT, |engine| {
            let candidate = upgrade(&session(&engine).await);
            Peer::says(&engine, candidate).await.end().await;
        }
        "the upgrade behind a probe", UPGRADE + CLOSE_WAIT, |engine| {
            let mut candidate = upgrade(&session(&engine).await);
            candidate.extend(WebSocket::frame(0x81, b"2probe"));
            Peer::says(&engine, candidate).await.end().await;
        }
        "the answer to a close", CLOSE_WAIT, |engine| {
            let mut peer = websocket(&engine, b"").await;
            peer.hear().await;
            only(&engine).close();
            peer.end().await;
        }
        "a close that is read", LINGER, |engine| {
            let peer = websocket(&engine, &WebSocket::frame(0x81, b"4flood")).await;
            sleep(Duration::from_millis(1)).await;
            only(&engine).close();
            peer.end().await;
        }
        "a handler that paused", STALL + CLOSE_WAIT, |engine| {
            websocket(&engine, &WebSocket::frame(0x81, b"4pause")).await.end().await;
        }
        "a client that is to hear of a drain", RETURN_WAIT, |engine| {
            session(&engine).await;
            engine.drain(100 * STALL).await;
        }
        "a drain", DRAIN, |engine| {
            let _peer = websocket(&engine, &WebSocket::frame(0x81, b"4flood")).await;
            sleep(Duration::from_millis(1)).await;
            engine.drain(DRAIN).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_wait_for_a_peer_ends_at_the_limit_that_is_named_for_it() {
    for Wait { name, limit, ends } in waits() {
        let start = Instant::now();
        tokio::time::timeout(100 * STALL, ends(engine()))
            .await
            .unwrap_or_else(|_| panic!("{name}: it does not end"));
        let waited = start.elapsed();
        let is_in_time = (limit..limit + SLACK).contains(&waited);
        assert!(is_in_time, "{name}: {waited:?}, not {limit:?}");
    }
}
