//! Heads of requests that two readers could take for different requests, through every door: at least as strict as the
//! usual servers are, and the same answer everywhere.

mod support;

use engineio::Config;
use support::{Door, Server, send_raw};

const POLLING: &str = "/engine.io/?EIO=4&transport=polling";
const WEBSOCKET: &str = "/engine.io/?EIO=4&transport=websocket";

/// Who has to refuse a head.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    All,
    /// Behind a server of the application's, that one has read the head: what it does not show, we do not see.
    Own,
}

/// A head, and the status it is answered with.
struct Case {
    head: String,
    status: u16,
    /// It was taken for a request, whatever the answer.
    is_taken: bool,
    by: By,
}

fn taken(status: u16, head: impl Into<String>) -> Case {
    Case {
        is_taken: true,
        ..case(status, head)
    }
}

fn case(status: u16, head: impl Into<String>) -> Case {
    Case {
        head: head.into(),
        status,
        is_taken: status < 400,
        by: By::All,
    }
}

fn own(status: u16, head: impl Into<String>) -> Case {
    Case {
        by: By::Own,
        ..case(status, head)
    }
}

/// A polling request with these lines in its head.
fn get(lines: &str) -> String {
    format!("GET {POLLING} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n")
}

/// A POST with these lines in its head and this content, for a session that there is not.
fn post(lines: &str, content: &str) -> String {
    format!(
        "POST {POLLING}&sid=AAAAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: t\r\n{lines}Connection: close\r\n\r\n{content}"
    )
}

fn handshake(lines: &str) -> String {
    format!("GET {WEBSOCKET} HTTP/1.1\r\nHost: t\r\n{lines}\r\n")
}

const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// The host.
fn hosts() -> Vec<Case> {
    vec![
        case(200, get("Host: t\r\n")),
        case(200, get("hOST: [::1]:80\r\n")),
        case(200, get("Host:\r\n")),
        case(400, get("")),
        case(400, get("Host: a\r\nHost: b\r\n")),
        case(400, get("Host: a\r\nHost: a\r\n")),
        case(400, get("Host: a, b\r\n")),
        case(400, get("Host: a/b\r\n")),
        case(400, get("Host: u@a\r\n")),
        case(400, get("Host: a b\r\n")),
        case(200, format!("GET {POLLING} HTTP/1.0\r\n\r\n")),
        case(
            400,
            format!("GET {POLLING} HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
        ),
        case(
            200,
            format!("GET http://t{POLLING} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"),
        ),
        case(
            400,
            format!("GET http://t{POLLING} HTTP/1.1\r\nConnection: close\r\n\r\n"),
        ),
    ]
}

/// The length of the content.
fn lengths() -> Vec<Case> {
    let long = "1".repeat(30);
    vec![
        taken(400, post("Content-Length: 2\r\n", "4x")),
        case(
            400,
            post("Content-Length: 2\r\nContent-Length: 3\r\n", "4xy"),
        ),
        own(
            400,
            post("Content-Length: 2\r\nContent-Length: 2\r\n", "4x"),
        ),
        case(400, post("Content-Length: 2, 2\r\n", "4x")),
        case(400, post("Content-Length: +2\r\n", "4x")),
        case(400, post("Content-Length: -2\r\n", "4x")),
        case(400, post("Content-Length: 0x2\r\n", "4x")),
        case(400, post("Content-Length: 2 2\r\n", "4x")),
        own(400, post("Content-Length:\r\n", "4x")),
        case(400, post(&format!("Content-Length: {long}\r\n"), "4x")),
    ]
}

/// Transfer codings.
fn codings() -> Vec<Case> {
    vec![
        own(
            400,
            post(
                "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
                "2\r\n4x\r\n0\r\n\r\n",
            ),
        ),
        own(
            400,
            post(
                "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
                "2\r\n4x\r\n0\r\n\r\n",
            ),
        ),
        case(400, post("Transfer-Encoding: identity\r\n", "4x")),
        case(400, post("Transfer-Encoding: xchunked\r\n", "4x")),
        case(400, post("Transfer-Encoding: chunked, identity\r\n", "4x")),
        case(
            400,
            post(
                "Transfer-Encoding: gzip, chunked\r\n",
                "2\r\n4x\r\n0\r\n\r\n",
            ),
        ),
        case(
            400,
            post(
                "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
                "2\r\n4x\r\n0\r\n\r\n",
            ),
        ),
        case(
            400,
            post("Transfer-Encoding: \x0bchunked\r\n", "2\r\n4x\r\n0\r\n\r\n"),
        ),
        case(
            400,
            post("Transfer-Encoding : chunked\r\n", "2\r\n4x\r\n0\r\n\r\n"),
        ),
    ]
}

/// Lines.
fn lines() -> Vec<Case> {
    vec![
        own(
            400,
            format!("GET {POLLING} HTTP/1.1\nHost: t\nConnection: close\n\n"),
        ),
        own(
            400,
            format!("GET {POLLING} HTTP/1.1\nHost: t\r\nConnection: close\r\n\r\n"),
        ),
        own(
            400,
            format!("GET {POLLING} HTTP/1.1\r\nHost: t\nConnection: close\r\n\r\n"),
        ),
        own(
            400,
            format!("GET {POLLING} HTTP/1.1\r\nHost: t\r\nConnection: close\n\r\n"),
        ),
        own(
            400,
            format!("GET {POLLING} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\n"),
        ),
        case(400, format!("GET {POLLING} HTTP/1.1\rHost: t\r\n\r\n")),
        case(400, get("Host: t\r\nX: a\rb\r\n")),
        case(400, get("Host: t\r\nX: a\0b\r\n")),
        case(400, get("Host: t\r\nX: a\r\n b\r\n")),
        case(400, get("Host: t\r\nX : a\r\n")),
        case(400, get("Host: t\r\n: a\r\n")),
        case(400, get("Host: t\r\nX\r\n")),
        case(400, get("Host: t\r\nX[]: a\r\n")),
        case(400, get(" Host: t\r\n")),
    ]
}

/// The first line.
fn first_lines() -> Vec<Case> {
    vec![
        case(400, format!("GET  {POLLING} HTTP/1.1\r\nHost: t\r\n\r\n")),
        case(400, format!("GET {POLLING}  HTTP/1.1\r\nHost: t\r\n\r\n")),
        case(400, format!("GET\t{POLLING} HTTP/1.1\r\nHost: t\r\n\r\n")),
        case(400, format!("G(T {POLLING} HTTP/1.1\r\nHost: t\r\n\r\n")),
        case(400, format!("GET {POLLING} HTTP/1.2\r\nHost: t\r\n\r\n")),
        case(400, format!("GET {POLLING} HTTP/2.0\r\nHost: t\r\n\r\n")),
        case(400, format!("GET {POLLING}\r\nHost: t\r\n\r\n")),
        case(
            400,
            format!("GET {POLLING}\u{7f} HTTP/1.1\r\nHost: t\r\n\r\n"),
        ),
        case(
            400,
            format!("GET {POLLING}\u{1} HTTP/1.1\r\nHost: t\r\n\r\n"),
        ),
        taken(
            404,
            "GET /elsewhere HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
        ),
        taken(
            404,
            "OPTIONS * HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
        ),
    ]
}

/// Upgrades that are not spoken here are none (RFC 9110 §7.8), and those that are must be clear.
fn upgrades() -> Vec<Case> {
    vec![
        case(
            200,
            format!(
                "GET {POLLING} HTTP/1.1\r\nHost: t\r\nConnection: Upgrade, HTTP2-Settings, close\r\n\
                 Upgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAA\r\n\r\n"
            ),
        ),
        case(200, get("Host: t\r\nUpgrade: websocket\r\n")),
        case(101, handshake(&[UPGRADE, VERSION, KEY].concat())),
        case(400, handshake(&[UPGRADE, VERSION, KEY, KEY].concat())),
        case(400, handshake(&[UPGRADE, VERSION, VERSION, KEY].concat())),
        case(
            400,
            handshake(&[UPGRADE, "Upgrade: websocket\r\n", VERSION, KEY].concat()),
        ),
        case(
            400,
            handshake(
                &[
                    "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n",
                    VERSION,
                    KEY,
                ]
                .concat(),
            ),
        ),
        case(
            400,
            handshake(&["Connection: close\r\nUpgrade: websocket\r\n", VERSION, KEY].concat()),
        ),
        case(
            400,
            handshake(&[UPGRADE, VERSION, KEY, "Content-Length: 2\r\n"].concat()) + "ab",
        ),
        case(
            400,
            handshake(&[UPGRADE, VERSION, KEY, "Transfer-Encoding: chunked\r\n"].concat())
                + "0\r\n\r\n",
        ),
        taken(
            400,
            handshake(&[VERSION, KEY, "Connection: close\r\n"].concat()),
        ),
    ]
}

/// Expectations.
fn expectations() -> Vec<Case> {
    vec![case(417, get("Host: t\r\nExpect: a miracle\r\n"))]
}

fn cases() -> Vec<Case> {
    let of_all = [
        hosts(),
        lengths(),
        codings(),
        lines(),
        first_lines(),
        upgrades(),
        expectations(),
    ];
    of_all.into_iter().flatten().collect()
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = String::from_utf8_lossy(answer.get(..12)?).into_owned();
    line.strip_prefix("HTTP/1.1 ")
        .or_else(|| line.strip_prefix("HTTP/1.0 "))?
        .parse()
        .ok()
}

#[tokio::test]
async fn every_door_refuses_what_could_be_taken_for_another_request() {
    let mut wrong = Vec::new();
    for door in Door::ALL {
        let server = Server::start(door, Config::new()).await;
        for case in cases() {
            if door == Door::Hyper && case.by == By::Own {
                continue;
            }
            let mut sent = case.head.clone().into_bytes();
            if case.status == 101 {
                // So that the WebSocket ends by itself.
                sent.extend_from_slice(&support::WebSocket::frame(0x88, b""));
            }
            let answer = send_raw(server.addr, &sent).await;
            let is_of_the_engine = String::from_utf8_lossy(&answer).contains("{\"code\":");
            if status(&answer) != Some(case.status) || (is_of_the_engine && !case.is_taken) {
                let answer = String::from_utf8_lossy(&answer).into_owned();
                wrong.push(format!("{door:?}: {:?} for {:?}", answer, case.head));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is smuggled behind a request that its reader may have taken for a shorter one.
#[tokio::test]
async fn nothing_behind_a_refused_head_is_read_as_a_request() {
    for door in [Door::Own, Door::Foreign] {
        let server = Server::start(door, Config::new()).await;
        for case in cases().iter().filter(|case| !case.is_taken) {
            let keep_alive = case.head.replace("Connection: close\r\n", "");
            let smuggled = get("Host: t\r\n");
            let answer = send_raw(server.addr, (keep_alive + &smuggled).as_bytes()).await;
            let text = String::from_utf8_lossy(&answer).into_owned();
            assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
            assert!(!text.contains("\"sid\""), "{text}");
        }
        assert_eq!(server.engine.session_count(), 0);
    }
}

/// Answers every request it reads, an upgrade as well, so that no answer means that it was refused.
const NODE: &str = r#"
    const server = require("node:http").createServer((request, response) => {
        request.resume().on("error", () => {}).on("end", () => response.end("taken"));
    });
    server.on("upgrade", (_, socket) => socket.end("HTTP/1.1 101 taken\r\n\r\n"));
    server.on("checkContinue", (request, response) => response.end("taken"));
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));
"#;

/// A server of Node's, whose parser is llhttp, and which ends with the value.
struct Node {
    process: std::process::Child,
    addr: std::net::SocketAddr,
}

impl Node {
    fn start() -> Self {
        let mut process = std::process::Command::new("node")
            .args(["-e", NODE])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("scripts/setup installs Node");
        let mut port = String::new();
        let said = process.stdout.as_mut().expect("it is piped");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(said), &mut port)
            .expect("it says its port");
        let port: u16 = port.trim().parse().expect("a port");
        let addr = ([127, 0, 0, 1], port).into();
        Self { process, addr }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What ours does with each head is held above; so this asks Node alone.
#[tokio::test]
async fn whatever_node_refuses_is_refused() {
    let node = Node::start();
    let (mut refused, mut laxer) = (0, Vec::new());
    for case in cases() {
        let answer = send_raw(node.addr, case.head.as_bytes()).await;
        let is_taken = answer.windows(5).any(|part| part == b"taken");
        refused += usize::from(!is_taken);
        if !is_taken && case.is_taken {
            let answer = String::from_utf8_lossy(&answer).into_owned();
            laxer.push(format!("{answer:?} for {:?}", case.head));
        }
    }
    assert!(laxer.is_empty(), "{}", laxer.join("\n"));
    assert!(refused > 10, "Node refused {refused} only");
}
