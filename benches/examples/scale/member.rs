//! Clients without sockets: what a server says to them is counted, and what they say is put into their hands.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use benches::wire::{self, opcode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Messages of Engine.IO that all members have heard together: of Socket.IO, whatever it is.
pub(crate) static MESSAGES: AtomicU64 = AtomicU64::new(0);

/// Pings that were answered.
pub(crate) static PINGS: AtomicU64 = AtomicU64::new(0);

/// What a member is told to say from outside.
#[derive(Clone, Default)]
pub(crate) struct Mouth(Arc<Mutex<Saying>>);

#[derive(Default)]
struct Saying {
    /// Given back when all of it is said.
    bytes: Vec<u8>,
    said: usize,
    waiting: Option<Waker>,
}

impl Mouth {
    pub(crate) fn say(&self, bytes: &[u8]) {
        let mut saying = self.lock();
        saying.bytes.extend_from_slice(bytes);
        if let Some(waker) = saying.waiting.take() {
            waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Saying> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server's end of a member's connection.
pub(crate) struct Member(pub(crate) Mouth);

impl Member {
    fn hear(&self, mut bytes: &[u8]) {
        if bytes.starts_with(b"HTTP") {
            let head = wire::read_response(bytes).map_or(bytes.len(), |(_, head)| head);
            bytes = bytes.get(head..).unwrap_or_default();
        }
        // A server writes whole frames here, since all that it writes is taken.
        while let Some((frame, length)) = wire::read_frame(bytes) {
            match frame.payload {
                b"2" => {
                    PINGS.fetch_add(1, Ordering::Relaxed);
                    self.0.say(&wire::frame(opcode::TEXT, b"3"));
                }
                _ => {
                    MESSAGES.fetch_add(1, Ordering::Relaxed);
                }
            }
            bytes = bytes.get(length..).unwrap_or_default();
        }
    }
}

impl AsyncRead for Member {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut saying = self.0.lock();
        let rest = saying.bytes.get(saying.said..).unwrap_or_default();
        if rest.is_empty() {
            // It has nothing to say for now, and stays.
            saying.waiting = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = rest.len().min(buffer.remaining());
        buffer.put_slice(rest.get(..count).unwrap_or_default());
        saying.said += count;
        if saying.said == saying.bytes.len() {
            saying.bytes = Vec::new();
            saying.said = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Member {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.hear(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
