//! A WebSocket whose two directions can be used at the same time.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpStream;

use super::within;

/// Any key will do: what a client sends is no secret here.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

const TEXT: u8 = 0x81;

/// A client over WebSocket, of any kind of stream.
pub(crate) struct WebSocket<S = TcpStream> {
    pub(crate) reader: Reader<S>,
    pub(crate) writer: Writer<S>,
}

pub(crate) struct Reader<S = TcpStream> {
    stream: ReadHalf<S>,
    unread: Vec<u8>,
    /// How much of it has been taken.
    taken: usize,
}

pub(crate) struct Writer<S = TcpStream> {
    stream: WriteHalf<S>,
    /// Frames that leave together.
    frames: Vec<u8>,
}

impl WebSocket {
    /// Opens a session and joins `/`.
    pub(crate) async fn join(address: SocketAddr) -> Self {
        let stream = within(TcpStream::connect(address)).await.unwrap();
        Self::join_over(stream).await
    }

    /// The same, with more headers: lines of the head.
    pub(crate) async fn join_with(address: SocketAddr, headers: &str) -> Self {
        let stream = within(TcpStream::connect(address)).await.unwrap();
        let mut socket = Self::open_with(stream, "/socket.io/", "", headers).await;
        socket.enter().await;
        socket
    }

    /// The head of the answer to an attempt to open a session, with more headers.
    pub(crate) async fn answer_to(address: SocketAddr, headers: &str) -> String {
        let stream = within(TcpStream::connect(address)).await.unwrap();
        let mut socket = Self::over(stream);
        socket.ask("/socket.io/", "", headers).await
    }

    /// Opens a WebSocket to upgrade the session with.
    pub(crate) async fn candidate(address: SocketAddr, sid: &str) -> Self {
        let stream = within(TcpStream::connect(address)).await.unwrap();
        Self::open(stream, &format!("&sid={sid}")).await
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Opens a session over a stream and joins `/`.
    pub(crate) async fn join_over(stream: S) -> Self {
        let mut socket = Self::open(stream, "").await;
        socket.enter().await;
        socket
    }

    /// Waits for the session and joins `/`.
    pub(crate) async fn enter(&mut self) {
        let opening = self.reader.text().await;
        assert!(opening.starts_with("0{"), "{opening}");
        self.writer.send("40").await;
        let reply = self.reader.text().await;
        assert!(reply.starts_with("40{"), "{reply}");
    }

    async fn open(stream: S, query: &str) -> Self {
        Self::open_with(stream, "/socket.io/", query, "").await
    }

    /// Opens a session at a path, without joining anything.
    pub(crate) async fn open_with(stream: S, path: &str, query: &str, headers: &str) -> Self {
        let mut socket = Self::over(stream);
        let head = socket.ask(path, query, headers).await;
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        socket
    }

    /// A client on a stream where the WebSocket is open already.
    pub(crate) fn over(stream: S) -> Self {
        let (stream, sink) = tokio::io::split(stream);
        Self {
            reader: Reader {
                stream,
                unread: Vec::new(),
                taken: 0,
            },
            writer: Writer {
                stream: sink,
                frames: Vec::new(),
            },
        }
    }

    async fn ask(&mut self, path: &str, query: &str, headers: &str) -> String {
        let request = format!(
            "GET {path}?EIO=4&transport=websocket{query} HTTP/1.1\r\nHost: t\r\n{headers}\
             Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let sent = self.writer.stream.write_all(request.as_bytes());
        within(sent).await.unwrap();
        within(self.reader.head()).await
    }
}

impl<S: AsyncRead> Reader<S> {
    /// The next message as text; `None` when the server has closed.
    pub(crate) async fn next(&mut self) -> Option<String> {
        within(async {
            loop {
                if let Some((first, payload)) = self.take_frame() {
                    return (first == TEXT).then(|| String::from_utf8(payload).unwrap());
                }
                if !self.fill().await {
                    return None;
                }
            }
        })
        .await
    }

    /// The next message, which there must be.
    pub(crate) async fn text(&mut self) -> String {
        let text = self.next().await;
        text.unwrap_or_else(|| panic!("the server has closed"))
    }

    /// Reads and forgets until the server has closed; how many bytes that were.
    pub(crate) async fn drain(&mut self) -> usize {
        let mut count = 0;
        loop {
            count += self.unread.len() - self.taken;
            self.taken = self.unread.len();
            if !within(self.fill()).await {
                return count;
            }
        }
    }

    async fn head(&mut self) -> String {
        loop {
            let end = self.unread.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                self.taken = end + 4;
                return String::from_utf8_lossy(&self.unread[..end]).into_owned();
            }
            assert!(self.fill().await, "the server has closed");
        }
    }

    /// False at the end of the stream, and when the connection failed.
    async fn fill(&mut self) -> bool {
        self.unread.drain(..self.taken);
        self.taken = 0;
        matches!(self.stream.read_buf(&mut self.unread).await, Ok(count) if count > 0)
    }

    /// The next whole frame: its first byte and its payload.
    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let unread = &self.unread[self.taken..];
        let (&[first, short], rest) = unread.split_first_chunk::<2>()?;
        let (length, rest) = match short {
            126 => {
                let (length, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            127 => {
                let (length, rest) = rest.split_first_chunk()?;
                (usize::try_from(u64::from_be_bytes(*length)).unwrap(), rest)
            }
            short => (usize::from(short), rest),
        };
        let payload = rest.get(..length)?.to_vec();
        self.taken += unread.len() - rest.len() + length;
        Some((first, payload))
    }
}

impl<S: AsyncWrite> Writer<S> {
    pub(crate) async fn send(&mut self, text: &str) {
        self.push(text);
        self.flush().await;
    }

    /// Adds a message to those that leave together.
    pub(crate) fn push(&mut self, text: &str) {
        let payload = text.as_bytes();
        self.frames.push(TEXT);
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(length @ ..=125), _) => self.frames.push(0x80 | length),
            (_, Ok(length)) => {
                self.frames.push(0x80 | 126);
                self.frames.extend(length.to_be_bytes());
            }
            _ => panic!("no test sends as much"),
        }
        self.frames.extend(MASK);
        let masked = payload.iter().zip(MASK.iter().cycle());
        self.frames.extend(masked.map(|(byte, mask)| byte ^ mask));
    }

    /// Sends what was added.
    pub(crate) async fn flush(&mut self) {
        let written = within(self.stream.write_all(&self.frames)).await;
        self.frames.clear();
        written.unwrap();
    }
}
