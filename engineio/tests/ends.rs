//! How connections end: each answer arrives, whatever the stream keeps back, and each stream is shut down, which is how
//! TLS says that nothing was cut off.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod support;

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use engineio::{
    Accepted, CloseReason, Config, Connection, Engine, Flow, Handler, Message, Protocol,
    RequestView,
};
use support::{WebSocket, spawn};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream, DuplexStream, ReadBuf, duplex,
};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";

/// Closes when it is told to, and tells whether requests came over TLS.
struct Closes;

impl Handler for Closes {
    type Data = bool;

    fn on_open(&self, request: &RequestView<'_>, _: Protocol) -> bool {
        request.is_secure()
    }

    fn on_ready(&self, connection: &Connection<bool>) {
        assert!(*connection.data(), "it is said that this is TLS");
    }

    fn on_message(&self, connection: &Connection<bool>, _: Message<'_>) -> Flow {
        connection.close();
        Flow::Continue
    }

    fn on_close(&self, _: &Connection<bool>, _: CloseReason) {}
}

/// A stream that keeps what is written until it is flushed, and remembers that it was shut down.
struct Buffering {
    stream: BufStream<DuplexStream>,
    is_shut_down: Arc<AtomicBool>,
}

impl AsyncRead for Buffering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Buffering {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.is_shut_down.store(true, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What is sent to a client that sends these bytes and nothing more, for as long as it takes; the stream has to be shut down
/// in the end. With `is_leaving` the client ends its own direction behind them.
async fn answer(engine: &Engine<bool>, sent: &[u8], is_leaving: bool) -> String {
    let (mut client, server) = duplex(100_000);
    let is_shut_down = Arc::new(AtomicBool::new(false));
    let stream = Buffering {
        stream: BufStream::new(server),
        is_shut_down: Arc::clone(&is_shut_down),
    };
    let accepted = Accepted::stream(stream).secure(true);
    let served = engine.clone();
    let serving = spawn(async move { served.serve_accepted(accepted).await });
    client.write_all(sent).await.unwrap();
    if is_leaving {
        client.shutdown().await.unwrap();
    }
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    drop(client);
    serving.await.unwrap();
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(is_shut_down.load(Ordering::Relaxed), "{answer}");
    answer
}

#[tokio::test(start_paused = true)]
async fn every_answer_arrives_and_every_stream_is_shut_down() {
    let config = Config::new()
        .allow_eio3(true)
        .ping_interval(Duration::from_secs(500))
        .ping_timeout(Duration::from_secs(500));
    let engine = Engine::new(config, Closes).unwrap();
    let get =
        |lines: &str| format!("GET {POLLING} HTTP/1.1\r\nHost: t\r\n{lines}\r\n").into_bytes();
    let long = format!("X: {}\r\n", "x".repeat(20_000));
    let websocket = |sid: &str| {
        format!(
            "GET /engine.io/?EIO=4&transport=websocket{sid} HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        .into_bytes()
    };
    let with = |mut head: Vec<u8>, first: u8, payload: &[u8]| {
        head.extend(WebSocket::frame(first, payload));
        head
    };
    let opened = answer(&engine, &get("Connection: close\r\n"), false).await;
    let sid = opened.split("\"sid\":\"").nth(1).unwrap();
    let sid = format!("&sid={}", sid.split('"').next().unwrap());
    for (sent, is_leaving, expected) in [
        (get("Connection: close\r\n"), false, "HTTP/1.1 200"),
        (get("Connection: close\r\n"), true, "HTTP/1.1 200"),
        // Whoever says nothing more is waited for, then left.
        (get(""), false, "HTTP/1.1 200"),
        (get(""), true, "HTTP/1.1 200"),
        (get(&long), false, "HTTP/1.1 431"),
        (get("Host: t\r\n"), false, "HTTP/1.1 400"),
        (b"GET /".to_vec(), false, "HTTP/1.1 408"),
        (b"GET /".to_vec(), true, ""),
        (Vec::new(), false, ""),
        (websocket("&sid=unknown"), false, "HTTP/1.1 400"),
        // A close frame of the peer's, of ours, a fault, and an end without any.
        (with(websocket(""), 0x88, b""), false, "HTTP/1.1 101"),
        (with(websocket(""), 0x81, b"4x"), false, "HTTP/1.1 101"),
        (with(websocket(""), 0x83, b"4x"), false, "HTTP/1.1 101"),
        (websocket(""), true, "HTTP/1.1 101"),
        // A candidate, which is told by nobody else.
        (with(websocket(&sid), 0x81, b"2probe"), true, "HTTP/1.1 101"),
    ] {
        let shown = String::from_utf8_lossy(&sent).into_owned();
        let answer = answer(&engine, &sent, is_leaving).await;
        assert!(answer.starts_with(expected), "{shown}: {answer}");
        assert_eq!(answer.is_empty(), expected.is_empty(), "{shown}: {answer}");
        if shown.contains("2probe") {
            assert!(answer.ends_with("3probe"), "{answer}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_kept_between_requests_as_long_as_was_said_and_a_second_longer() {
    let a_moment = Duration::from_millis(2);
    let said = Duration::from_secs(75);
    for (config, said) in [
        (Config::new(), said),
        (Config::new().keep_alive_timeout(2 * said), 2 * said),
    ] {
        let engine = Engine::new(config, Closes).unwrap();
        for (pause, is_kept) in [
            (said + Duration::from_secs(1) - a_moment, true),
            (said + Duration::from_secs(1) + a_moment, false),
        ] {
            let (mut client, server) = duplex(100_000);
            let served = engine.clone();
            let accepted = Accepted::stream(server).secure(true);
            let serving = spawn(async move { served.serve_accepted(accepted).await });
            let get = format!("GET {POLLING} HTTP/1.1\r\nHost: t\r\n\r\n");
            client.write_all(get.as_bytes()).await.unwrap();
            let mut answer = vec![0; 10_000];
            let count = client.read(&mut answer).await.unwrap();
            let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
            let line = format!("\r\nkeep-alive: timeout={}\r\n", said.as_secs());
            assert!(answer.contains(&line), "{answer}");
            tokio::time::sleep(pause).await;
            assert_eq!(serving.is_finished(), !is_kept, "{pause:?}");
        }
    }
}

#[tokio::test]
async fn whoever_asks_for_leave_to_send_is_given_it() {
    let engine = Engine::new(Config::new(), Closes).unwrap();
    let post = format!(
        "POST {POLLING}&sid=SID HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    );
    // For a session that there is not, nothing is asked for.
    let refused = answer(&engine, post.as_bytes(), true).await;
    assert!(refused.starts_with("HTTP/1.1 400"), "{refused}");
    let get = format!("GET {POLLING} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n");
    let opened = answer(&engine, get.as_bytes(), false).await;
    let sid = opened.split('"').nth(3).unwrap().to_owned();
    let post = post.replace("SID", &sid);
    let (mut client, server) = duplex(100_000);
    let stream = Buffering {
        stream: BufStream::new(server),
        is_shut_down: Arc::default(),
    };
    let served = engine.clone();
    spawn(async move { served.serve_accepted(Accepted::stream(stream)).await });
    client.write_all(post.as_bytes()).await.unwrap();
    let mut leave = [0; 25];
    support::within(client.read_exact(&mut leave))
        .await
        .unwrap();
    assert_eq!(&leave, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.write_all(b"6").await.unwrap();
    client.write_all(b"6").await.unwrap();
    let mut answer = [0; 15];
    support::within(client.read_exact(&mut answer))
        .await
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
}
