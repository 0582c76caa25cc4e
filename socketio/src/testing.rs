//! A client in memory, to test handlers without a socket.
//!
//! ```
//! use socketio::{Ack, SocketIo, testing::TestClient};
//!
//! fn build() -> Result<SocketIo, socketio::BuildError> {
//!     let io = SocketIo::new();
//!     io.namespace("/sums")
//!         .on("add", |socket, (a, b): (u32, u32)| async move {
//!             let _ = socket.broadcast().emit("added", &(a + b));
//!             Ack(a + b)
//!         })
//!         .open()?;
//!     Ok(io)
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), socketio::BuildError> {
//! // In a `#[tokio::test]`:
//! let io = build()?;
//! let mut ada = TestClient::open(&io).await;
//! let mut bob = TestClient::open(&io).await;
//! ada.connect("/sums", &()).await;
//! bob.connect("/sums", &()).await;
//! assert_eq!(ada.emit_with_ack::<u32>("add", &(1, 2)).await, 3);
//! assert_eq!(bob.expect_event::<u32>("added").await, 3);
//! # Ok(()) }
//! ```
//!
//! # Levels
//!
//! * *Typed*: [`connect`](TestClient::connect), [`try_connect`](TestClient::try_connect), [`emit`](TestClient::emit),
//!   [`emit_with_ack`](TestClient::emit_with_ack), [`expect_event`](TestClient::expect_event),
//!   [`answer`](TestClient::answer). Arguments are what handlers take and emit: any serde type,
//!   [`Args`](crate::Args) for several, [`Binary`](crate::Binary) for bytes.
//! * *On the wire*: [`join_with`](TestClient::join_with), [`send`](TestClient::send), [`next`](TestClient::next),
//!   [`expect`](TestClient::expect). What is sent and received are the packets of the protocol as text,
//!   `42["hello"]` for instance, so a test says exactly what a client does, malformed packets included.
//!
//! Whatever does not happen as expected panics, and says what was expected and what came.
//!
//! # Time
//!
//! Under `#[tokio::test(start_paused = true)]`, with tokio's feature `test-util`, time is virtual: it jumps to the next
//! deadline whenever everything waits. A handler's time limit, a heartbeat or the 45 s that a client has to join a
//! namespace then pass at once, and always in the same order. Tokens end by the wall clock, which does not jump
//! unless [`set_wall_clock`] ties it to the same.
//!
//! # Silence
//!
//! That something is *not* sent is best shown by something sent after it, since events of one client keep their order.
//! Where nothing follows, [`expect_silence`](TestClient::expect_silence) waits, on a virtual clock at no cost.

mod builder;
mod refused;
mod typed;

pub use self::builder::TestClientBuilder;
pub use self::refused::Refused;
pub use crate::clock::set_wall_clock;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use http::Extensions;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use crate::facade::server::SocketIo;

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

impl TestClientBuilder {
    /// Opens the connection. No namespace is joined yet.
    ///
    /// # Panics
    ///
    /// When the server refuses it.
    pub async fn open<D: Send + Sync + 'static>(self, io: &SocketIo<D>) -> TestClient {
        let (stream, far) = tokio::io::duplex(PIPE_BYTES);
        let request = self.request();
        if self.extensions.is_empty() {
            serve(io.clone(), far, self.peer);
        } else {
            serve_behind_a_layer(io, far, self.peer, self.extensions);
        }
        TestClient::open_request(stream, &request).await
    }
}

/// A client of protocol 5 over WebSocket, in memory. It answers pings whenever it waits for something.
#[derive(Debug)]
pub struct TestClient {
    stream: DuplexStream,
    unread: Vec<u8>,
    opening: String,
    /// What was passed over while an acknowledgement was waited for.
    kept: VecDeque<Received>,
    /// Whom the typed methods speak for.
    namespace: String,
    next_id: u64,
    /// The id that the event last expected asks to be acknowledged under.
    asked: Option<u64>,
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
        let mut builder = Self::builder().query(query);
        builder.peer = peer;
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        builder.open(io).await
    }

    /// To open a connection with a path, headers, a query or an address of its own.
    pub fn builder() -> TestClientBuilder {
        TestClientBuilder::new()
    }

    /// Speaks the opening request to whoever serves the other end of the pipe.
    async fn open_request(stream: DuplexStream, request: &str) -> Self {
        let mut client = Self {
            stream,
            unread: Vec::new(),
            opening: String::new(),
            kept: VecDeque::new(),
            namespace: "/".to_owned(),
            next_id: 0,
            asked: None,
        };
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
        match self.kept.pop_front() {
            Some(kept) => kept,
            None => self.read().await,
        }
    }

    /// The next of these that comes from the server now.
    async fn read(&mut self) -> Received {
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

    /// The next packet, which must be this one: `42["hello"]`.
    pub async fn expect(&mut self, packet: &str) {
        let found = self.next().await;
        if found != Received::Packet(packet.to_owned()) {
            unexpected(&format!("the packet {packet}"), &found);
        }
    }

    /// The next thing received, which must be this attachment.
    pub async fn expect_attachment(&mut self, data: &[u8]) {
        let found = self.next().await;
        if found != Received::Attachment(data.to_vec()) {
            unexpected(&format!("the attachment {data:?}"), &found);
        }
    }

    /// The server must close the connection, and send nothing before.
    pub async fn expect_closed(&mut self) {
        let found = self.next().await;
        if found != Received::Closed {
            unexpected("the end of the connection", &found);
        }
    }

    /// Nothing may come for so long. Pings are not counted.
    pub async fn expect_silence(&mut self, duration: Duration) {
        if let Ok(found) = tokio::time::timeout(duration, self.next()).await {
            unexpected(&format!("nothing for {duration:?}"), &found);
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

/// The same behind a hyper server, with a layer that puts these into each request: the engine's own door knows of none.
#[expect(
    clippy::disallowed_methods,
    reason = "the server's side of one test; ends with the client"
)]
fn serve_behind_a_layer<D: Send + Sync + 'static>(
    io: &SocketIo<D>,
    stream: DuplexStream,
    peer: Option<SocketAddr>,
    extensions: Extensions,
) {
    let service = match peer {
        Some(peer) => io.service().peer(peer),
        None => io.service(),
    };
    let layered = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().extend(extensions.clone());
        service.call(request)
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), layered);
    tokio::spawn(connection.with_upgrades());
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
