//! The writing side of a WebSocket.

use std::io;

use bytes::Bytes;
use tokio::net::{tcp, unix};

use crate::buffers;
use crate::proto::chunk::Chunk;

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrote {
    All,
    /// The socket takes no more for now.
    Blocked,
    Failed,
}

/// Who may write to the stream.
#[derive(Debug)]
pub(crate) enum Writer {
    /// Whoever was lent it, on any thread.
    Tcp(tcp::OwnedWriteHalf),
    Unix(unix::OwnedWriteHalf),
    /// Only the task that owns the stream.
    Owner,
}

/// The writing side of a session's WebSocket, as the session keeps it.
#[derive(Debug, Default)]
pub(crate) enum WriterSlot {
    /// There is no WebSocket, or its task is over, so that a handle kept by the application keeps no descriptor open.
    #[default]
    Absent,
    Here(Writer),
    /// Whoever has the right to write has it, outside the lock.
    Lent {
        /// The task of the WebSocket waits for it to come back.
        is_awaited: bool,
    },
}

impl WriterSlot {
    /// True when whoever has the right to write may be lent the writer.
    pub(crate) fn is_direct(&self) -> bool {
        matches!(self, Self::Here(Writer::Tcp(_) | Writer::Unix(_)))
    }

    /// True when only the task that owns the stream can write to it.
    pub(crate) fn is_owned(&self) -> bool {
        matches!(self, Self::Here(Writer::Owner))
    }

    pub(crate) fn lend(&mut self) -> Option<Writer> {
        let lent = Self::Lent { is_awaited: false };
        match std::mem::replace(self, lent) {
            Self::Here(writer) => Some(writer),
            other => {
                *self = other;
                None
            }
        }
    }

    /// Takes back what was lent, unless the WebSocket is over by now. True when that is waited for.
    #[inline]
    pub(crate) fn give_back(&mut self, writer: Writer) -> bool {
        let Self::Lent { is_awaited } = *self else {
            return false;
        };
        *self = Self::Here(writer);
        is_awaited
    }

    /// Has [`WriterSlot::give_back`] tell that somebody waits; false when nothing is lent.
    pub(crate) fn await_return(&mut self) -> bool {
        let Self::Lent { is_awaited } = self else {
            return false;
        };
        *is_awaited = true;
        true
    }

    /// The WebSocket is over. `None` when somebody is writing.
    pub(crate) fn close(&mut self) -> Option<Writer> {
        match std::mem::take(self) {
            Self::Here(writer) => Some(writer),
            Self::Absent | Self::Lent { .. } => None,
        }
    }
}

impl Writer {
    /// Ends without shutting the stream's direction down: it is closed as a whole, or was by the peer.
    pub(crate) fn forget(self) {
        match self {
            Self::Tcp(half) => half.forget(),
            Self::Unix(half) => half.forget(),
            Self::Owner => {}
        }
    }

    fn try_write_once(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(half) => half.try_write(bytes),
            Self::Unix(half) => half.try_write(bytes),
            Self::Owner => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Writes as much as the socket takes; the second value is how much that was.
    pub(crate) fn try_write_slice(&self, bytes: &Bytes) -> (Wrote, usize) {
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
    pub(crate) fn try_write(&self, mut chunk: Chunk) -> (Wrote, Option<Chunk>) {
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
pub(crate) fn recycle(chunk: Chunk) {
    if let Some(frames) = chunk.into_vec() {
        buffers::give_back(frames);
    }
}
