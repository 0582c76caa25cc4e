//! The bounds on time, to the millisecond: connections in memory, on a clock that stands still while anything can go on.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use engineio::{
    CloseReason, Config, Connection, Engine, Flow, Handler, Message, Protocol, RequestView,
};
use support::{WebSocket, spawn};
use tokio::io::{AsyncRead as _, AsyncReadExt, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::time::{Instant, sleep};

const LIMIT: Duration = Duration::from_secs(7);
const A_MOMENT: Duration = Duration::from_millis(2);

struct Silent;

impl Handler for Silent {
    type Data = ();

    fn on_open(&self, _: &RequestView<'_>, _: Protocol) {}

    fn on_message(&self, _: &Connection<()>, _: Message<'_>) -> Flow {
        Flow::Continue
    }

    fn on_close(&self, _: &Connection<()>, _: CloseReason) {}
}

fn connect(engine: &Engine<()>) -> DuplexStream {
    let (client, server) = duplex(100_000);
    let engine = engine.clone();
    spawn(async move { engine.serve_stream(server, None).await });
    client
}

/// Sends one part at once and the other after a while; everything that comes back until the connection ends.
async fn in_two_parts(mut stream: DuplexStream, parts: [&str; 2], pause: Duration) -> String {
    stream.write_all(parts[0].as_bytes()).await.unwrap();
    sleep(pause).await;
    // The server may have hung up.
    let _ = stream.write_all(parts[1].as_bytes()).await;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

#[tokio::test(start_paused = true)]
async fn a_head_may_take_as_long_as_allowed_and_no_longer() {
    let engine = Engine::new(Config::new().header_timeout(LIMIT), Silent).unwrap();
    let head = [
        "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n",
        "Host: t\r\nConnection: close\r\n\r\n",
    ];
    let answer = in_two_parts(connect(&engine), head, LIMIT - A_MOMENT).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = in_two_parts(connect(&engine), head, LIMIT + A_MOMENT).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    // Who says nothing is told nothing.
    let nothing = in_two_parts(connect(&engine), ["", ""], LIMIT + A_MOMENT).await;
    assert_eq!(nothing, "");
}

#[tokio::test(start_paused = true)]
async fn a_body_may_take_as_long_as_allowed_and_no_longer() {
    for (pause, is_taken) in [(LIMIT - A_MOMENT, true), (LIMIT + A_MOMENT, false)] {
        let engine = Engine::new(Config::new().body_timeout(LIMIT), Silent).unwrap();
        let sid = handshake(&engine).await;
        let head = format!(
            "POST /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: t\r\n\
             Connection: close\r\nContent-Length: 3\r\n\r\n4"
        );
        let answer = in_two_parts(connect(&engine), [&head, "ab"], pause).await;
        assert_eq!(answer.starts_with("HTTP/1.1 200"), is_taken, "{answer}");
        assert_eq!(engine.session_count(), usize::from(is_taken));
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_client_is_given_up_after_an_interval_and_a_timeout() {
    let config = Config::new().ping_interval(LIMIT).ping_timeout(2 * LIMIT);
    let engine = Engine::new(config, Silent).unwrap();
    let start = Instant::now();
    handshake(&engine).await;
    sleep((start + 3 * LIMIT - A_MOMENT).duration_since(Instant::now())).await;
    assert_eq!(engine.session_count(), 1);
    while engine.session_count() > 0 {
        sleep(A_MOMENT).await;
    }
    // The wheel of deadlines may turn a little later than asked, never earlier.
    assert!(start.elapsed() <= 3 * LIMIT + Duration::from_secs(1));
}

/// Connects by each of the three ways in; each ends with its connection.
fn ways_in(engine: &Engine<()>) -> [(&'static str, DuplexStream, tokio::task::JoinHandle<()>); 3] {
    let pair = || duplex(10_000);
    let (own, at_own) = pair();
    let (last, at_last) = pair();
    let (behind, at_hyper) = pair();
    let serve = |stream: DuplexStream| {
        let engine = engine.clone();
        spawn(async move { engine.serve_stream(stream, None).await })
    };
    let service = engine.service();
    let hyper = spawn(async move {
        let _ = hyper::server::conn::http1::Builder::new()
            .serve_connection(hyper_util::rt::TokioIo::new(at_hyper), service)
            .with_upgrades()
            .await;
    });
    [
        ("", own, serve(at_own)),
        ("Connection: close\r\n", last, serve(at_last)),
        ("", behind, hyper),
    ]
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_stand_still_as_long_as_allowed_and_no_longer() {
    let engine = Engine::new(Config::new().write_timeout(LIMIT), Silent).unwrap();
    for way in 0..3 {
        for (pause, is_dropped) in [(LIMIT - A_MOMENT, false), (LIMIT + A_MOMENT, true)] {
            let (headers, mut client, serving) = ways_in(&engine).into_iter().nth(way).unwrap();
            let sid = handshake(&engine).await;
            let text = "x".repeat(300_000);
            for connection in engine.connections() {
                if connection.id().as_str() == sid {
                    connection.send_text(&text).unwrap();
                }
            }
            let head = format!(
                "GET /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\n{headers}\r\n"
            );
            client.write_all(head.as_bytes()).await.unwrap();
            sleep(pause).await;
            assert_eq!(serving.is_finished(), is_dropped, "{way}: {pause:?}");
            if !is_dropped {
                let mut answer = vec![0; 300_000];
                client.read_exact(&mut answer).await.unwrap();
                assert!(answer.starts_with(b"HTTP/1.1 200"), "{way}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_does_not_wait_for_who_does_not_come_back() {
    let engine = Engine::new(Config::new(), Silent).unwrap();
    handshake(&engine).await;
    let start = Instant::now();
    engine.drain(100 * LIMIT).await;
    assert_eq!(engine.session_count(), 0);
    let waited = start.elapsed();
    let return_wait = Duration::from_secs(2);
    assert!(
        waited >= return_wait && waited < return_wait + LIMIT,
        "{waited:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_between_two_polls_is_told_of_a_drain() {
    let engine = Engine::new(Config::new(), Silent).unwrap();
    let sid = handshake(&engine).await;
    let [connection] = engine.connections().try_into().unwrap();
    connection.send_text("last").unwrap();
    let draining = spawn({
        let engine = engine.clone();
        async move { engine.drain(100 * LIMIT).await }
    });
    sleep(Duration::from_secs(1)).await;
    let poll = [
        &format!("GET /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\n"),
        "Host: t\r\nConnection: close\r\n\r\n",
    ];
    let answer = in_two_parts(connect(&engine), poll, Duration::ZERO).await;
    assert!(answer.ends_with("\r\n\r\n4last"), "{answer}");
    let answer = in_two_parts(connect(&engine), poll, Duration::ZERO).await;
    assert!(answer.ends_with("6\u{1e}1"), "{answer}");
    let start = Instant::now();
    draining.await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "all are gone");
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_who_is_about_to_upgrade_and_ends_the_session_over_its_websocket() {
    let deadline = Duration::from_secs(30);
    for is_upgrading in [true, false] {
        let config = Config::new()
            .ping_interval(5 * deadline)
            .upgrade_timeout(2 * deadline);
        let engine = Engine::new(config, Silent).unwrap();
        let sid = handshake(&engine).await;
        let [connection] = engine.connections().try_into().unwrap();
        let mut client = connect(&engine);
        let handshake = format!(
            "GET /engine.io/?EIO=4&transport=websocket&sid={sid} HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        client.write_all(handshake.as_bytes()).await.unwrap();
        client
            .write_all(&WebSocket::frame(0x81, b"2probe"))
            .await
            .unwrap();
        let mut answered = Vec::new();
        while !answered.ends_with(b"\x81\x063probe") {
            client.read_buf(&mut answered).await.unwrap();
        }
        connection.send_text("last").unwrap();
        let start = Instant::now();
        let draining = spawn({
            let engine = engine.clone();
            async move { engine.drain(deadline).await }
        });
        while connection.is_open() {
            sleep(A_MOMENT).await;
        }
        // Longer than anybody is waited for who is not there.
        sleep(Duration::from_secs(5)).await;
        assert!(!draining.is_finished());
        let mut end = Vec::new();
        if is_upgrading {
            let upgrade = WebSocket::frame(0x81, b"5");
            client.write_all(&upgrade).await.unwrap();
            client.read_to_end(&mut end).await.unwrap();
            assert_eq!(end, b"\x81\x054last\x88\0");
            draining.await.unwrap();
            assert!(start.elapsed() < deadline);
        } else {
            draining.await.unwrap();
            let waited = start.elapsed();
            assert!(
                waited >= deadline && waited <= deadline + A_MOMENT,
                "{waited:?}"
            );
            client.read_to_end(&mut end).await.unwrap();
            assert_eq!(end, b"\x88\0");
        }
    }
}

/// What a client could read at this moment, without anything else having its turn.
fn readable(client: &mut DuplexStream) -> String {
    let mut room = vec![0; 100_000];
    let mut buffer = ReadBuf::new(&mut room);
    let mut cx = Context::from_waker(Waker::noop());
    match Pin::new(client).poll_read(&mut cx, &mut buffer) {
        Poll::Ready(read) => read.unwrap(),
        Poll::Pending => return String::new(),
    }
    String::from_utf8(buffer.filled().to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_drain_ends_behind_its_last_answers() {
    for way in 0..3 {
        let engine = Engine::new(Config::new(), Silent).unwrap();
        let (headers, mut client, _serving) = ways_in(&engine).into_iter().nth(way).unwrap();
        let sid = handshake(&engine).await;
        let [connection] = engine.connections().try_into().unwrap();
        let poll = format!(
            "GET /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\n{headers}\r\n"
        );
        client.write_all(poll.as_bytes()).await.unwrap();
        while !connection.is_writable() {
            tokio::task::yield_now().await;
        }
        // The time of its end is drawn, and is before the first ping.
        engine.drain(LIMIT).await;
        let answer = readable(&mut client);
        assert!(answer.starts_with("HTTP/1.1 200"), "{way}: {answer}");
        assert!(answer.ends_with("\r\n\r\n1"), "{way}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_until_its_deadline_for_who_does_not_read_its_answer() {
    let config = Config::new().write_timeout(10 * LIMIT);
    for (way, leaves) in [(0, false), (0, true), (2, false), (2, true)] {
        let engine = Engine::new(config.clone(), Silent).unwrap();
        let (headers, mut client, _serving) = ways_in(&engine).into_iter().nth(way).unwrap();
        let sid = handshake(&engine).await;
        let [connection] = engine.connections().try_into().unwrap();
        let text = "x".repeat(300_000);
        connection.send_text(&text).unwrap();
        let poll = format!(
            "GET /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\nHost: x\r\n{headers}\r\n"
        );
        client.write_all(poll.as_bytes()).await.unwrap();
        // The answer has begun.
        let mut first = [0];
        client.read_exact(&mut first).await.unwrap();
        connection.abort();
        if leaves {
            drop(client);
        }
        let start = Instant::now();
        engine.drain(LIMIT).await;
        let waited = start.elapsed();
        assert_eq!(waited >= LIMIT, !leaves, "{way}: {waited:?}");
        assert!(waited <= LIMIT + A_MOMENT, "{way}: {waited:?}");
    }
}

async fn handshake(engine: &Engine<()>) -> String {
    let head = [
        "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n",
        "Host: t\r\nConnection: close\r\n\r\n",
    ];
    let answer = in_two_parts(connect(engine), head, Duration::ZERO).await;
    let (_, rest) = answer.split_once("\"sid\":\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}
