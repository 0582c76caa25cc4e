//! Known attacks over long-polling. After each a fresh client is served, and sessions and descriptors are back.

mod support;

use std::time::Duration;

use engineio::{CloseReason, Config};
use support::{Door, Server, connected, get, post, request, reset, send_raw, spawn, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";

/// The most headers a request may have, unless it is configured.
const HEADERS_MAX: usize = 256;

/// A POST whose body does not all come.
fn cut_post(target: &str) -> Vec<u8> {
    cut_post_of(target, 10)
}

fn cut_post_of(target: &str, length: usize) -> Vec<u8> {
    format!("POST {target} HTTP/1.1\r\nHost: t\r\nContent-Length: {length}\r\n\r\n4cut")
        .into_bytes()
}

#[tokio::test]
async fn overlapping_posts_end_the_session() {
    //= EIO4-POL-05 test
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        let target = format!("{POLLING}&sid={}", server.handshake().await);
        let mut first = connected(server.addr, &cut_post(&target)).await;
        // Until the first one has been seen the second is alone, and taken.
        within(async { while post(server.addr, &target, "6").await.status == 200 {} }).await;
        assert_eq!(server.closed().await, CloseReason::TransportError);
        let mut answer = Vec::new();
        // A reset ends the answer as well.
        let _ = within(first.read_to_end(&mut answer)).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{door:?}");
        server.is_well().await;
    }
}

#[tokio::test]
async fn an_aborted_post_ends_its_session_at_once() {
    for door in Door::ALL {
        for is_reset in [false, true] {
            let mut server = Server::start(door, Config::new()).await;
            let target = format!("{POLLING}&sid={}", server.handshake().await);
            let mut stream = connected(server.addr, &cut_post(&target)).await;
            within(async {
                // A second POST shows that the first has been seen: only then is the abort one of a POST.
                while post(server.addr, &target, "6").await.status == 200 {}
            })
            .await;
            if is_reset {
                reset(stream);
            } else {
                let _ = stream.shutdown().await;
                drop(stream);
            }
            assert_eq!(server.closed().await, CloseReason::TransportError);
            server.is_well().await;
        }
    }
}

/// A request that must stay what it is: a part of a body.
fn smuggled() -> String {
    format!("GET {POLLING} HTTP/1.1\r\nHost: t\r\n\r\n")
}

#[tokio::test]
async fn the_rest_of_a_post_that_was_destroyed_or_refused_is_no_request() {
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        let target = format!("{POLLING}&sid={}", server.handshake().await);
        server.opened().await;
        let neighbour = format!("{POLLING}&sid={}", server.handshake().await);
        server.opened().await;
        // All of the rest is within the body; only who lost count takes it for a request.
        let rest = smuggled();
        let cut = cut_post_of(&target, 4 + rest.len());
        let mut destroyed = connected(server.addr, &cut).await;
        within(async { while post(server.addr, &target, "6").await.status == 200 {} }).await;
        assert_eq!(server.closed().await, CloseReason::TransportError);
        // Its session is gone: a POST for it is refused before its body is there.
        let mut refused = connected(server.addr, &cut).await;
        for stream in [&mut destroyed, &mut refused] {
            // The connection may be closed, even reset, already.
            let _ = stream.write_all(rest.as_bytes()).await;
            let _ = stream.shutdown().await;
            let mut answer = Vec::new();
            let _ = within(stream.read_to_end(&mut answer)).await;
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(!answer.contains("HTTP/1.1 200"), "{door:?}: {answer}");
            assert!(!answer.contains("4cut"), "{door:?}: {answer}");
        }
        // What a neighbour sends and hears is its own.
        assert_eq!(post(server.addr, &neighbour, "4mine").await.text(), "ok");
        assert_eq!(get(server.addr, &neighbour).await.text(), "4mine");
        post(server.addr, &neighbour, "1").await;
        assert_eq!(server.closed().await, CloseReason::TransportClose);
        server.is_well().await;
    }
}

#[tokio::test]
async fn a_poll_whose_connection_ends_ends_its_session() {
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        let target = format!("{POLLING}&sid={}", server.handshake().await);
        let connection = server.opened().await;
        let head = format!("GET {target} HTTP/1.1\r\nHost: t\r\n\r\n");
        let stream = connected(server.addr, head.as_bytes()).await;
        within(async {
            while !connection.is_writable() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        reset(stream);
        assert_eq!(server.closed().await, CloseReason::TransportError);
        server.is_well().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_heartbeat_in_the_wrong_direction_answers_both_requests_whichever_worker_has_them() {
    //= EIO4-HB-06 test
    let mut server = Server::start(Door::Own, Config::new()).await;
    for _ in 0..200 {
        let target = format!("{POLLING}&sid={}", server.handshake().await);
        let connection = server.opened().await;
        let (addr, poll) = (server.addr, target.clone());
        let waiting = spawn(async move { get(addr, &poll).await });
        within(async {
            while !connection.is_writable() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(post(server.addr, &target, "2").await.text(), "ok");
        let answer = within(waiting).await.unwrap();
        assert_eq!((answer.status, answer.text()), (200, "1"));
        assert_eq!(server.closed().await, CloseReason::TransportError);
        assert_eq!(get(server.addr, &target).await.status, 400);
    }
    server.is_well().await;
}

#[tokio::test]
async fn too_many_headers_are_refused_and_as_many_as_allowed_are_taken() {
    let few = 10;
    for (config, max_headers) in [
        (Config::new(), HEADERS_MAX),
        (Config::new().max_headers(few), few),
    ] {
        let mut server = Server::start(Door::Own, config).await;
        let head = |count: usize| {
            let headers: String = (2..count)
                .map(|number| format!("x-{number}: y\r\n"))
                .collect();
            format!("GET {POLLING} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{headers}\r\n")
        };
        let answer = send_raw(server.addr, head(max_headers).as_bytes()).await;
        assert!(answer.starts_with(b"HTTP/1.1 200"));
        for count in [max_headers + 1, 1_500] {
            let answer = send_raw(server.addr, head(count).as_bytes()).await;
            assert!(answer.starts_with(b"HTTP/1.1 431"), "{count}");
        }
        assert_eq!(server.engine.session_count(), 1);
        server.opened().await.abort();
        server.is_well().await;
    }
}

#[tokio::test]
async fn headers_that_drip_are_cut_off_as_a_whole() {
    let limit = Duration::from_millis(500);
    let config = Config::new().header_timeout(limit).write_timeout(limit);
    for door in [Door::Own, Door::Foreign] {
        let server = Server::start(door, config.clone()).await;
        let mut stream = connected(server.addr, b"GET /").await;
        // Each byte comes well in time; all of them together do not.
        let mut drip = tokio::time::interval(Duration::from_millis(10));
        let mut answer = Vec::new();
        within(async {
            loop {
                tokio::select! {
                    read = stream.read_buf(&mut answer) => if !matches!(read, Ok(1..)) { break },
                    _ = drip.tick() => drop(stream.try_write(b"x")),
                }
            }
            // Who goes on dripping behind the answer is not listened to forever either.
            while stream.try_write(b"x").is_ok() {
                drip.tick().await;
            }
        })
        .await;
        assert!(answer.starts_with(b"HTTP/1.1 408"), "{door:?}");
        server.is_well().await;
    }
}

#[tokio::test]
async fn a_body_that_drips_is_cut_off_as_a_whole() {
    let config = Config::new().body_timeout(Duration::from_millis(500));
    for door in Door::ALL {
        let mut server = Server::start(door, config.clone()).await;
        let target = format!("{POLLING}&sid={}", server.handshake().await);
        let head = format!("POST {target} HTTP/1.1\r\nHost: t\r\nContent-Length: 99999\r\n\r\n4");
        let stream = connected(server.addr, head.as_bytes()).await;
        let mut drip = tokio::time::interval(Duration::from_millis(10));
        let closed = within(async {
            let closed = server.closed();
            tokio::pin!(closed);
            loop {
                tokio::select! {
                    reason = &mut closed => break reason,
                    _ = drip.tick() => drop(stream.try_write(b"x")),
                }
            }
        })
        .await;
        assert_eq!(closed, CloseReason::TransportError);
        drop(stream);
        server.is_well().await;
    }
}

#[tokio::test]
async fn a_poll_that_is_never_collected_costs_no_more_than_the_queue() {
    let limit = 10_000;
    let config = Config::new().max_queued_bytes(limit).high_watermark(5_000);
    let mut server = Server::start(Door::Own, config).await;
    server.handshake().await;
    let connection = server.opened().await;
    let mut sent = 0;
    while connection.send_text(&"x".repeat(99)).is_ok() {
        sent += 1;
        assert!(sent < limit, "the queue has an end");
    }
    // A frame's header and the packet's type make 102 bytes; the last one was taken at the mark or below it.
    assert_eq!(sent, limit / 102 + 1);
    assert_eq!(server.closed().await, CloseReason::ForcedClose);
    drop(connection);
    server.is_well().await;
}

#[tokio::test]
async fn lengths_of_protocol_3_that_never_end_are_parse_errors() {
    //= EIO3-PLD-07 test
    let polling = "/engine.io/?EIO=3&transport=polling";
    let octets = "Content-Type: application/octet-stream\r\n";
    let text = "Content-Type: text/plain\r\n";
    let mut endless = vec![0];
    endless.resize(100_000, 1);
    for (kind, body) in [
        (octets, &endless[..]),
        (
            octets,
            &[
                1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0xff, 4,
            ],
        ),
        (octets, &[0, 5, 0xff, b'4']),
        (text, &[b'9'; 100_000]),
        (text, b"99999999999999999999999:4x"),
        (text, b"-1:4x"),
    ] {
        let mut server = Server::start(Door::Own, Config::new().allow_eio3(true)).await;
        let target = format!("{polling}&sid={}", get(server.addr, polling).await.sid());
        request(server.addr, "POST", &target, kind, body).await;
        assert_eq!(server.closed().await, CloseReason::ParseError);
        server.is_well().await;
    }
}
