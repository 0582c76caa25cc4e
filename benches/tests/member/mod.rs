//! Clients in memory, as many as are wanted.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use benches::wire::{self, opcode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A member without a socket: it says what a client says to join, and then reads whatever comes.
pub(crate) struct Member {
    says: io::Cursor<Vec<u8>>,
    heard: Arc<AtomicU64>,
}

impl Member {
    /// Adds the bytes that it reads to a count.
    pub(crate) fn new(heard: &Arc<AtomicU64>) -> Self {
        let mut says = wire::upgrade_request("/socket.io/?EIO=4&transport=websocket");
        says.extend(wire::frame(opcode::TEXT, b"40"));
        Self {
            says: io::Cursor::new(says),
            heard: Arc::clone(heard),
        }
    }
}

impl AsyncRead for Member {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let end = self.says.get_ref().len() as u64;
        if self.says.position() == end {
            // It says no more, and stays.
            return Poll::Pending;
        }
        Pin::new(&mut self.says).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Member {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.heard.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
