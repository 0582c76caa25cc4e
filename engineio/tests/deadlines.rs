//! The bounds on time, to the millisecond: connections in memory, on a clock that stands still while anything can go on.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod support;

use std::time::Duration;

use engineio::{
    CloseReason, Config, Connection, Engine, Flow, Handler, Message, Protocol, RequestView,
};
use support::spawn;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
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
        "Connection: close\r\n\r\n",
    ];
    let answer = in_two_parts(connect(&engine), head, LIMIT - A_MOMENT).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = in_two_parts(connect(&engine), head, LIMIT + A_MOMENT).await;
    assert_eq!(answer, "");
}

#[tokio::test(start_paused = true)]
async fn a_body_may_take_as_long_as_allowed_and_no_longer() {
    for (pause, is_taken) in [(LIMIT - A_MOMENT, true), (LIMIT + A_MOMENT, false)] {
        let engine = Engine::new(Config::new().body_timeout(LIMIT), Silent).unwrap();
        let sid = handshake(&engine).await;
        let head = format!(
            "POST /engine.io/?EIO=4&transport=polling&sid={sid} HTTP/1.1\r\n\
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
    let (replayed, at_replayed) = pair();
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
        (
            "X: replayed to hyper\r\nConnection: close\r\n",
            replayed,
            serve(at_replayed),
        ),
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
        "Connection: close\r\n\r\n",
    ];
    let answer = in_two_parts(connect(&engine), poll, Duration::ZERO).await;
    assert!(answer.ends_with("\r\n\r\n4last"), "{answer}");
    let answer = in_two_parts(connect(&engine), poll, Duration::ZERO).await;
    assert!(answer.ends_with("6\u{1e}1"), "{answer}");
    let start = Instant::now();
    draining.await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(1), "all are gone");
}

async fn handshake(engine: &Engine<()>) -> String {
    let head = [
        "GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\n",
        "Connection: close\r\n\r\n",
    ];
    let answer = in_two_parts(connect(engine), head, Duration::ZERO).await;
    let (_, rest) = answer.split_once("\"sid\":\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}
