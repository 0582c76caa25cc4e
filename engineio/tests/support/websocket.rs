//! A WebSocket client that sends any frame it is told to.

use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use super::http::Response;
use super::within;

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(crate) struct WebSocket<S = TcpStream> {
    pub(crate) stream: S,
    pub(crate) handshake: Response,
    read: Vec<u8>,
}

impl WebSocket {
    /// Opens a WebSocket, or shows why not.
    pub(crate) async fn try_open(
        addr: SocketAddr,
        target: &str,
        headers: &str,
    ) -> Result<Self, Response> {
        let stream = within(TcpStream::connect(addr)).await.unwrap();
        Self::try_over(stream, target, headers).await
    }

    pub(crate) async fn open(addr: SocketAddr, target: &str) -> Self {
        match Self::try_open(addr, target, "").await {
            Ok(socket) => socket,
            Err(response) => panic!("refused: {response:?}"),
        }
    }

    /// A frame with any first byte.
    pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        if payload.len() < 126 {
            frame.push(0x80 | payload.len() as u8);
        } else if let Ok(length) = u16::try_from(payload.len()) {
            frame.push(0xfe);
            frame.extend_from_slice(&length.to_be_bytes());
        } else {
            frame.push(0xff);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
        frame.extend_from_slice(&KEY);
        frame.extend(payload.iter().zip(KEY.iter().cycle()).map(|(a, b)| a ^ b));
        frame
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// The same on a connection that is there.
    pub(crate) async fn try_over(
        mut stream: S,
        target: &str,
        headers: &str,
    ) -> Result<Self, Response> {
        within(async {
            let request = format!(
                "GET {target} HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut read = Vec::new();
            let end = loop {
                if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
                    break at + 4;
                }
                assert_ne!(stream.read_buf(&mut read).await.unwrap(), 0, "no handshake");
            };
            if !read.starts_with(b"HTTP/1.1 101") {
                let _ = stream.read_to_end(&mut read).await;
                return Err(Response::parse(&read));
            }
            let rest = read.split_off(end);
            Ok(Self {
                stream,
                handshake: Response::parse(&read),
                read: rest,
            })
        })
        .await
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        within(self.stream.write_all(bytes)).await.unwrap();
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.send_bytes(&WebSocket::frame(0x81, text.as_bytes()))
            .await;
    }

    pub(crate) async fn send_binary(&mut self, data: &[u8]) {
        self.send_bytes(&WebSocket::frame(0x82, data)).await;
    }

    /// The next frame: its first byte and its payload; `None` at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        within(async {
            loop {
                if let Some(frame) = self.take_frame() {
                    return Some(frame);
                }
                match self.stream.read_buf(&mut self.read).await {
                    Ok(count) if count > 0 => {}
                    _ => return None,
                }
            }
        })
        .await
    }

    fn take_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (&first, rest) = self.read.split_first()?;
        let (&length, rest) = rest.split_first()?;
        let (length, rest) = match length {
            126 => {
                let (bytes, rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(*bytes)), rest)
            }
            127 => {
                let (bytes, rest) = rest.split_first_chunk::<8>()?;
                (u64::from_be_bytes(*bytes) as usize, rest)
            }
            length => (usize::from(length), rest),
        };
        let payload = rest.get(..length)?.to_vec();
        self.read = rest[length..].to_vec();
        Some((first, payload))
    }

    /// The next frame, which must be text.
    pub(crate) async fn text(&mut self) -> String {
        match self.next().await {
            Some((0x81, payload)) => String::from_utf8(payload).unwrap(),
            other => panic!("not text: {other:?}"),
        }
    }

    /// The next frame, which must be the last: the payload of the close frame.
    pub(crate) async fn close_frame(&mut self) -> Vec<u8> {
        match self.next().await {
            Some((0x88, payload)) => payload,
            other => panic!("not a close frame: {other:?}"),
        }
    }

    /// The session id of the open packet.
    pub(crate) async fn sid(&mut self) -> String {
        let open = self.text().await;
        let (_, rest) = open.split_once("\"sid\":\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}
