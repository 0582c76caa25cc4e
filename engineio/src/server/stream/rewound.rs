//! A stream that can be read from its beginning again, and whose peer has to read.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Stream;
use super::patience::Patience;
use crate::buffers;

/// A stream whose first bytes were read already, for hyper, which knows no limit for writing.
pub(crate) struct Rewound {
    stream: Stream,
    head: Vec<u8>,
    taken: usize,
    patience: Patience,
}

impl Rewound {
    pub(crate) fn new(stream: Stream, head: Vec<u8>, write_timeout: Duration) -> Self {
        Self {
            stream,
            head,
            taken: 0,
            patience: Patience::new(write_timeout),
        }
    }

    /// The stream, and what was read of it and not used: by hyper, and before hyper.
    pub(crate) fn into_stream(self, by_hyper: Vec<u8>) -> (Stream, Vec<u8>) {
        let mut rest = by_hyper;
        rest.extend_from_slice(self.head.get(self.taken..).unwrap_or_default());
        (self.stream, rest)
    }
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let left = this.head.get(this.taken..).unwrap_or_default();
        if left.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let count = left.len().min(buffer.remaining());
        buffer.put_slice(left.get(..count).unwrap_or_default());
        this.taken += count;
        if this.taken == this.head.len() {
            buffers::give_back(std::mem::take(&mut this.head));
            this.taken = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.patience.bound(cx, attempt)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let attempt = Pin::new(&mut self.stream).poll_flush(cx);
        self.patience.bound(cx, attempt)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let attempt = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.patience.bound(cx, attempt)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let attempt = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.patience.bound(cx, attempt)
    }
}
