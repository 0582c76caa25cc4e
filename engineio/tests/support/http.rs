//! One request per connection, with nothing between the test and the bytes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::within;

/// A response, taken apart.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let end = bytes
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap_or_else(|| panic!("no response: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut body = bytes[end + 4..].to_vec();
        let mut response = Self {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head,
            body: Vec::new(),
        };
        if response.header("transfer-encoding") == Some("chunked") {
            body = dechunk(&body);
        }
        response.body = body;
        response
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The session id in an open packet.
    pub(crate) fn sid(&self) -> String {
        let text = self.text();
        let (_, rest) = text
            .split_once("\"sid\":\"")
            .unwrap_or_else(|| panic!("no session: {} {text}", self.head));
        rest.split('"').next().unwrap().to_owned()
    }
}

fn dechunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let length = std::str::from_utf8(&rest[..end]).unwrap();
        let length = usize::from_str_radix(length, 16).unwrap();
        if length == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + length]);
        rest = &rest[end + 4 + length..];
    }
    body
}

/// A connection on which some bytes were sent.
pub(crate) async fn connected(addr: SocketAddr, bytes: &[u8]) -> TcpStream {
    within(async {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    })
    .await
}

/// The first line of an answer.
pub(crate) async fn first_line(stream: &mut TcpStream) -> String {
    within(async {
        let mut answer = Vec::new();
        while !answer.contains(&b'\r') && stream.read_buf(&mut answer).await.unwrap() > 0 {}
        String::from_utf8_lossy(&answer)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    })
    .await
}

/// Ends a connection with a reset.
pub(crate) fn reset(stream: TcpStream) {
    stream.set_zero_linger().unwrap();
    drop(stream);
}

/// Sends bytes on a connection of their own and reads until the server closes it.
pub(crate) async fn send_raw(addr: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    within(async {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset ends the answer as well.
        let _ = stream.read_to_end(&mut answer).await;
        answer
    })
    .await
}

pub(crate) async fn request(
    addr: SocketAddr,
    method: &str,
    target: &str,
    headers: &str,
    body: &[u8],
) -> Response {
    let length = if method == "POST" || !body.is_empty() {
        format!("Content-Length: {}\r\n", body.len())
    } else {
        String::new()
    };
    let mut bytes = format!(
        "{method} {target} HTTP/1.1\r\nHost: t\r\nConnection: close\r\n{length}{headers}\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    Response::parse(&send_raw(addr, &bytes).await)
}

pub(crate) async fn get(addr: SocketAddr, target: &str) -> Response {
    request(addr, "GET", target, "", b"").await
}

pub(crate) async fn post(addr: SocketAddr, target: &str, body: impl AsRef<[u8]>) -> Response {
    request(addr, "POST", target, "", body.as_ref()).await
}
