//! A client in memory, to test handlers without a socket.
//!
//! It speaks the wire format of the default parser: what is sent and received are the packets of the protocol as text,
//! `42["hello"]` for instance, so a test says exactly what a client does, malformed packets included. Under
//! `#[tokio::test(start_paused = true)]` time is virtual: it jumps to the next deadline whenever everything waits.
//!
//! ```
//! use socketio::{Ack, SocketIo, testing::TestClient};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), socketio::BuildError> {
//! let io = SocketIo::new();
//! io.namespace("/")
//!     .on("add", |_socket, (a, b): (u32, u32)| async move { Ack(a + b) })
//!     .open()?;
//! let mut client = TestClient::open(&io).await;
//! client.join("/").await;
//! client.send(r#"427["add",[1,2]]"#).await;
//! assert_eq!(client.next_text().await, "437[3]");
//! # Ok(()) }
//! ```

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::server::SocketIo;

/// How many bytes may be under way in either direction before the writer waits.
const PIPE_BYTES: usize = 1 << 20;

/// What a [`TestClient`] received.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// A packet, or the header of a binary one.
    Packet(String),
    /// An attachment.
    Attachment(Vec<u8>),
    /// The server closed the connection.
    Closed,
}

/// A client of protocol 5 over WebSocket, in memory. It answers pings whenever it waits for something.
#[derive(Debug)]
pub struct TestClient {
    stream: DuplexStream,
    unread: Vec<u8>,
    opening: String,
}

impl TestClient {
    /// Opens a connection. No namespace is joined yet.
    ///
    /// # Panics
    ///
    /// When the server refuses the connection, as all methods here do when a test cannot go on.
    pub async fn open<D: Send + Sync + 'static>(io: &SocketIo<D>) -> Self {
        Self::open_with(io, "", &[]).await
    }

    /// Opens a connection with more query parameters (`EIO=3&token=x`; they win) and with these headers.
    pub async fn open_with<D: Send + Sync + 'static>(
        io: &SocketIo<D>,
        query: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        Self::open_from(io, None, query, headers).await
    }

    /// The same from this address.
    pub async fn open_from<D: Send + Sync + 'static>(
        io: &SocketIo<D>,
        peer: Option<SocketAddr>,
        query: &str,
        headers: &[(&str, &str)],
    ) -> Self {
        let (stream, far) = tokio::io::duplex(PIPE_BYTES);
        serve(io.clone(), far, peer);
        let mut client = Self {
            stream,
            unread: Vec::new(),
            opening: String::new(),
        };
        let mut request = format!(
            "GET /socket.io/?EIO=4&transport=websocket&{query} HTTP/1.1\r\nHost: test\r\n\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        client.write(request.as_bytes()).await;
        client.read_head().await;
        client.opening = match client.next_message().await {
            Some((1, text)) => String::from_utf8_lossy(&text).into_owned(),
            other => unexpected("the opening of a session", &other),
        };
        client
    }

    /// The first packet of the connection: `0{"sid":…}`.
    #[must_use]
    pub fn opening(&self) -> &str {
        &self.opening
    }

    /// Joins a namespace without credentials; the server's answer.
    pub async fn join(&mut self, namespace: &str) -> String {
        self.join_with(namespace, "").await
    }

    /// Joins a namespace with this `auth` payload, JSON or nothing; the server's answer.
    pub async fn join_with(&mut self, namespace: &str, auth: &str) -> String {
        let namespace = match namespace {
            "/" => String::new(),
            name => format!("{name},"),
        };
        self.send(&format!("40{namespace}{auth}")).await;
        self.next_text().await
    }

    /// Sends one text message, with the `4` in front that marks a packet of Socket.IO.
    pub async fn send(&mut self, packet: &str) {
        self.write(&frame(1, packet.as_bytes())).await;
    }

    /// Sends several messages in one write, so that the server reads them together.
    pub async fn send_all(&mut self, packets: &[&str]) {
        let frames: Vec<u8> = packets
            .iter()
            .flat_map(|packet| frame(1, packet.as_bytes()))
            .collect();
        self.write(&frames).await;
    }

    /// Sends one attachment.
    pub async fn send_attachment(&mut self, data: &[u8]) {
        self.write(&frame(2, data)).await;
    }

    /// The next packet, attachment, or end.
    pub async fn next(&mut self) -> Received {
        match self.next_message().await {
            Some((1, text)) => Received::Packet(String::from_utf8_lossy(&text).into_owned()),
            Some((2, data)) => Received::Attachment(data),
            _ => Received::Closed,
        }
    }

    /// The next packet, which must be one: with the `4` in front.
    pub async fn next_text(&mut self) -> String {
        match self.next().await {
            Received::Packet(text) => text,
            other => unexpected("a packet", &other),
        }
    }

    /// Waits until the server has closed the connection; what came before that.
    pub async fn drain(&mut self) -> Vec<Received> {
        let mut received = Vec::new();
        loop {
            match self.next().await {
                Received::Closed => return received,
                other => received.push(other),
            }
        }
    }

    /// The next message that is no ping: its opcode, 1 for text and 2 for bytes, and its content.
    async fn next_message(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            let (opcode, payload) = self.read_frame().await?;
            match opcode {
                1 if payload == b"2" => self.send("3").await,
                1 | 2 => return Some((opcode, payload)),
                8 => return None,
                _ => {}
            }
        }
    }

    async fn read_head(&mut self) {
        loop {
            let end = self.unread.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let rest = self.unread.split_off(end + 4);
                let head = std::mem::replace(&mut self.unread, rest);
                if !head.starts_with(b"HTTP/1.1 101") {
                    unexpected("status 101", &String::from_utf8_lossy(&head));
                }
                return;
            }
            if !self.fill().await {
                unexpected("an answer to the handshake", &"the end of the stream");
            }
        }
    }

    async fn read_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((opcode, payload, length)) = split_frame(&self.unread) {
                self.unread.drain(..length);
                return Some((opcode, payload));
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    async fn fill(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.unread).await, Ok(count) if count > 0)
    }

    async fn write(&mut self, bytes: &[u8]) {
        // A server that is gone is noticed by whoever reads.
        let _ = self.stream.write_all(bytes).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the server's side of one test; ends with the client"
)]
fn serve<D: Send + Sync + 'static>(
    io: SocketIo<D>,
    stream: DuplexStream,
    peer: Option<SocketAddr>,
) {
    tokio::spawn(async move { io.serve_stream(stream, peer).await });
}

/// A frame of a client, masked with zeros.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ 0..=125), _) => frame.push(0x80 | length),
        (_, Ok(length)) => {
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
        _ => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(payload);
    frame
}

/// The first frame of a server: opcode, payload, and how long the frame is.
fn split_frame(bytes: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let (&[first, short], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = match short & 0x7f {
        126 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        127 => {
            let (length, rest) = rest.split_first_chunk()?;
            (usize::try_from(u64::from_be_bytes(*length)).ok()?, rest)
        }
        short => (usize::from(short), rest),
    };
    let payload = rest.get(..length)?;
    let whole = bytes.len() - rest.len() + length;
    Some((first & 0x0f, payload.to_vec(), whole))
}

#[expect(clippy::panic, reason = "the test that called cannot go on")]
fn unexpected(expected: &str, found: &dyn std::fmt::Debug) -> ! {
    panic!("expected {expected}, found {found:?}")
}
