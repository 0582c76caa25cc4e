//! The writing side of a WebSocket, and the forms its frames can take.

use std::io;

use bytes::Bytes;
use tokio::net::{tcp, unix};

use super::buffers;
use crate::packet::{self, Protocol};
use crate::proto::chunk::{Chunk, Shape};
use crate::websocket;

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrote {
    All,
    /// The socket takes no more for now.
    Blocked,
    Failed,
}

/// Who may write to the stream.
#[derive(Debug)]
pub(super) enum Writer {
    /// Whoever holds the right to write, from any thread.
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
    /// Only the task that owns the stream.
    Owner,
}

impl Writer {
    pub(super) fn writes_directly(&self) -> bool {
        !matches!(self, Self::Owner)
    }

    fn try_write_once(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(half) => half.try_write(bytes),
            Self::Unix(half) => half.try_write(bytes),
            Self::Owner => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Writes as much as the socket takes; the second value is how much that was.
    pub(super) fn try_write_slice(&self, bytes: &Bytes) -> (Wrote, usize) {
        let mut written = 0;
        while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
            match self.try_write_once(rest) {
                Ok(0) => return (Wrote::Failed, written),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return (Wrote::Blocked, written);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return (Wrote::Failed, written),
            }
        }
        (Wrote::All, written)
    }

    /// Writes as much of the chunk as the socket takes; what is left comes back.
    pub(super) fn try_write(&self, mut chunk: Chunk) -> (Wrote, Option<Chunk>) {
        while !chunk.remaining().is_empty() {
            match self.try_write_once(chunk.remaining()) {
                Ok(0) => return (Wrote::Failed, None),
                Ok(count) => chunk.advance(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return (Wrote::Blocked, Some(chunk));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return (Wrote::Failed, None),
            }
        }
        recycle(chunk);
        (Wrote::All, None)
    }
}

/// Gives a written chunk's memory back to the worker.
pub(super) fn recycle(chunk: Chunk) {
    if let Some(frames) = chunk.into_vec() {
        buffers::give_back(frames);
    }
}

/// How frames must look on this connection's WebSocket. Queued frames are those of protocol 4; anything else is
/// made from them when they leave.
#[derive(Debug)]
pub(super) enum FrameForm {
    Plain,
    /// Binary messages as base64 text (EIO4-QRY-08, EIO3-PKT-02).
    Base64(Protocol),
    /// Binary messages begin with their type byte (EIO3-PKT-01).
    TypeByte,
}

impl FrameForm {
    pub(super) fn new(protocol: Protocol, is_base64: bool) -> Self {
        match protocol {
            _ if is_base64 => Self::Base64(protocol),
            Protocol::V3 => Self::TypeByte,
            Protocol::V4 => Self::Plain,
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain)
    }

    /// The chunk as it has to leave.
    pub(super) fn shape(&mut self, chunk: Chunk) -> Chunk {
        if self.is_plain() || chunk.shape() == Shape::Wire {
            return chunk;
        }
        let mut shaped = buffers::take();
        let mut frames = chunk.remaining();
        while let Some((opcode, body, rest)) = websocket::split_frame(frames) {
            self.shape_frame(opcode, body, &mut shaped);
            frames = rest;
        }
        recycle(chunk);
        Chunk::own(shaped, Shape::Wire)
    }

    fn shape_frame(&mut self, opcode: websocket::Opcode, body: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::Base64(protocol) if opcode == websocket::Opcode::Binary => {
                let mut text = buffers::take();
                packet::encode_base64(*protocol, body, &mut text);
                websocket::write_frame(out, websocket::Opcode::Text, &text);
                buffers::give_back(text);
            }
            Self::TypeByte if opcode == websocket::Opcode::Binary => {
                websocket::write_header(out, opcode, body.len() + 1);
                packet::encode_binary(Protocol::V3, body, out);
            }
            _ => websocket::write_frame(out, opcode, body),
        }
    }
}
