//! The content of a request, read while the request is answered.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use crate::buffers;
use crate::http::content::Rest;
use crate::lock::Lock;
use crate::server::stream::Stream;

/// What a client is told that waits for leave to send its content (RFC 9110 §10.1.1).
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// A connection between its requests, and during one.
pub(crate) struct Line {
    pub(crate) stream: Stream,
    /// What was read and is not used.
    pub(crate) read: Vec<u8>,
    /// Of the content of the request that is being answered.
    pub(crate) rest: Rest,
    /// What is left to be said before the content comes.
    pub(crate) leave: &'static [u8],
}

impl Line {
    /// The client has to be told to send its content.
    pub(crate) fn owe_leave(&mut self) {
        self.leave = CONTINUE;
    }

    /// Appends what one read takes to what was read.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        poll_read(&mut self.stream, &mut self.read, cx)
    }

    fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.leave.is_empty() {
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, self.leave))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.leave = self.leave.get(written..).unwrap_or_default();
            if self.leave.is_empty() {
                // A stream that cannot even flush this soon will with the answer.
                let _ = Pin::new(&mut self.stream).poll_flush(cx)?;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            if self.rest.is_over() {
                return Poll::Ready(None);
            }
            if !self.read.is_empty() {
                let Ok(content) = self.rest.take(&mut self.read) else {
                    return Poll::Ready(Some(Err(io::ErrorKind::InvalidData.into())));
                };
                if !content.is_empty() {
                    return Poll::Ready(Some(Ok(content.into())));
                }
                continue;
            }
            ready!(self.poll_leave(cx))?;
            if ready!(self.poll_read(cx))? == 0 {
                return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
            }
        }
    }
}

/// Appends what one read takes, which is held by nobody while there is nothing to read.
pub(crate) fn poll_read(
    stream: &mut Stream,
    read: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    buffers::with_scratch(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
        read.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    })
}

/// The content of the request on a connection. The lock is only ever asked for by the one task of the connection: it
/// lets that task look after the connection when the content is there.
pub(crate) struct Incoming<'l>(pub(crate) &'l Lock<Line>);

impl Body for Incoming<'_> {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let content = ready!(self.0.lock().poll_content(cx));
        Poll::Ready(content.map(|content| content.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().rest.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        let length = self.0.lock().rest.length();
        length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
