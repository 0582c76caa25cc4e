//! Several requests on one connection, whoever answers them: the engine's own front door, or hyper behind it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod support;

use engineio::{CloseReason, Config};
use http::{HeaderValue, header};
use support::{Door, Server, WebSocket, connected, post, within};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";

fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: t\r\n\r\n")
}

fn post_of(target: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {target} HTTP/1.1\r\nHost: t\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// The body of the next answer on a connection that stays open.
async fn answer(stream: &mut TcpStream, read: &mut Vec<u8>) -> String {
    within(async {
        loop {
            let text = String::from_utf8_lossy(read).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let head = head.to_lowercase();
                assert!(head.contains("\r\ndate: "), "{head}");
                let (_, length) = head.split_once("content-length: ").unwrap();
                let length = length.split("\r\n").next().unwrap().parse().unwrap();
                if body.len() >= length {
                    let answer = body[..length].to_owned();
                    read.drain(..head.len() + 4 + length);
                    return answer;
                }
            }
            assert!(stream.read_buf(read).await.unwrap() > 0, "{text}");
        }
    })
    .await
}

fn sid(open: &str) -> String {
    open.split('"').nth(3).unwrap().to_owned()
}

#[tokio::test]
async fn requests_on_one_connection_are_answered_in_turn() {
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        let mut stream = connected(server.addr, get(POLLING).as_bytes()).await;
        let mut read = Vec::new();
        let target = format!(
            "{POLLING}&sid={}",
            sid(&answer(&mut stream, &mut read).await)
        );
        let both = post_of(&target, "4one") + &get(&target);
        stream.write_all(both.as_bytes()).await.unwrap();
        assert_eq!(answer(&mut stream, &mut read).await, "ok");
        assert_eq!(answer(&mut stream, &mut read).await, "4one");
        // A body that comes later, and one in chunks; then a request that came in the same segment.
        let (head, body) = ("Content-Length: 4\r\n\r\n", "4two");
        let unusual = format!("POST {target} HTTP/1.1\r\nHost: t\r\n{head}");
        stream.write_all(unusual.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
        stream.write_all(body.as_bytes()).await.unwrap();
        assert_eq!(answer(&mut stream, &mut read).await, "ok");
        let chunked = format!(
            "POST {target} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n6\r\n4three\r\n0\r\n\r\n{}",
            get(&target)
        );
        stream.write_all(chunked.as_bytes()).await.unwrap();
        assert_eq!(answer(&mut stream, &mut read).await, "ok");
        assert_eq!(answer(&mut stream, &mut read).await, "4two\u{1e}4three");
        stream
            .write_all(post_of(&target, "1").as_bytes())
            .await
            .unwrap();
        assert_eq!(answer(&mut stream, &mut read).await, "ok");
        assert_eq!(server.closed().await, CloseReason::TransportClose);
        drop(stream);
        server.is_well().await;
    }
}

#[tokio::test]
async fn a_request_behind_a_waiting_poll_waits_for_its_answer() {
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        let target = format!("{POLLING}&sid={}", server.handshake().await);
        let connection = server.opened().await;
        let both = get(&target) + &post_of(&target, "4second");
        let mut stream = connected(server.addr, both.as_bytes()).await;
        within(async {
            while !connection.is_writable() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        assert_eq!(post(server.addr, &target, "4first").await.text(), "ok");
        let mut read = Vec::new();
        assert_eq!(answer(&mut stream, &mut read).await, "4first");
        assert_eq!(answer(&mut stream, &mut read).await, "ok");
        connection.abort();
        drop((stream, connection));
        server.is_well().await;
    }
}

#[tokio::test]
async fn a_websocket_may_follow_polling_on_its_connection() {
    for door in Door::ALL {
        let mut server = Server::start(door, Config::new()).await;
        let mut stream = connected(server.addr, get(POLLING).as_bytes()).await;
        let mut read = Vec::new();
        let sid = sid(&answer(&mut stream, &mut read).await);
        let upgrade = format!(
            "GET /engine.io/?EIO=4&transport=websocket&sid={sid} HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(upgrade.as_bytes()).await.unwrap();
        let probe = WebSocket::frame(0x81, b"2probe");
        stream.write_all(&probe).await.unwrap();
        within(async {
            while !read.ends_with(b"\x81\x063probe") {
                assert!(stream.read_buf(&mut read).await.unwrap() > 0);
            }
        })
        .await;
        assert!(read.starts_with(b"HTTP/1.1 101"));
        server.opened().await.abort();
        drop(stream);
        server.is_well().await;
    }
}

#[tokio::test]
async fn an_answer_that_says_close_is_the_last() {
    let config = Config::new().response_headers(|_, headers| {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    });
    for door in Door::ALL {
        let mut server = Server::start(door, config.clone()).await;
        let twice = get(POLLING).repeat(2);
        let mut stream = connected(server.addr, twice.as_bytes()).await;
        let mut all = Vec::new();
        // What was not read may reset the connection behind the answer.
        let _ = within(stream.read_to_end(&mut all)).await;
        let text = String::from_utf8_lossy(&all);
        assert!(
            text.matches("HTTP/1.1 200").count() <= 1,
            "{door:?}: {text}"
        );
        server.opened().await.abort();
        drop(stream);
        server.until_empty().await;
    }
}
