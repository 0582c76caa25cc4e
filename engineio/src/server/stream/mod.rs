//! Streams of bytes: a connection as it was accepted, and the two sides that a WebSocket splits it into.

pub(crate) mod form;
mod left;
pub(crate) mod patience;
pub(crate) mod rewound;
pub(crate) mod writer;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, tcp, unix};

use left::{ReadHalf, Unread};
use writer::Writer;

/// A stream that is neither TCP nor a Unix socket.
pub trait ForeignStream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> ForeignStream for S {}

/// A connection after its handshake.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Foreign(Box<dyn ForeignStream>),
}

/// The reading side; for a foreign stream, both.
pub(crate) enum Reader {
    Tcp(tcp::OwnedReadHalf),
    Unix(unix::OwnedReadHalf),
    Foreign(Box<dyn ForeignStream>),
    /// One of the first two while it is not read, see [`Reader::poll_left`].
    Unread(Box<Unread>),
}

impl Stream {
    pub(crate) fn split(self) -> (Reader, Writer) {
        match self {
            Self::Tcp(stream) => {
                let (read, write) = stream.into_split();
                (Reader::Tcp(read), Writer::Tcp(write))
            }
            Self::Unix(stream) => {
                let (read, write) = stream.into_split();
                (Reader::Unix(read), Writer::Unix(write))
            }
            Self::Foreign(stream) => (Reader::Foreign(stream), Writer::Owner),
        }
    }
}

/// Calls the same method of whichever stream it is.
macro_rules! delegate {
    ($self:ident, $method:ident($($argument:expr),*)) => {
        match $self.get_mut() {
            Stream::Tcp(stream) => Pin::new(stream).$method($($argument),*),
            Stream::Unix(stream) => Pin::new(stream).$method($($argument),*),
            Stream::Foreign(stream) => Pin::new(stream).$method($($argument),*),
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        delegate!(self, poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, poll_shutdown(cx))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            Self::Unix(stream) => stream.is_write_vectored(),
            Self::Foreign(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        delegate!(self, poll_write_vectored(cx, slices))
    }
}

impl Reader {
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(half) => Pin::new(half).poll_read(cx, buffer),
            Self::Unix(half) => Pin::new(half).poll_read(cx, buffer),
            Self::Foreign(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Unread(_) => {
                self.read_on();
                self.poll_read(cx, buffer)
            }
        }
    }

    /// Whether the stream takes more; `None` where only its owner can tell, by writing.
    pub(crate) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Option<Poll<()>> {
        let ready = match self {
            Self::Tcp(half) => half.as_ref().poll_write_ready(cx),
            Self::Unix(half) => half.as_ref().poll_write_ready(cx),
            Self::Unread(unread) => unread.poll_write_ready(cx),
            Self::Foreign(_) => return None,
        };
        Some(ready.map(drop))
    }

    /// For whoever does not read now: waits until the peer has left, whatever it sent before. A foreign stream does
    /// not say so.
    pub(crate) fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self, Self::Tcp(_) | Self::Unix(_)) {
            let reader = std::mem::replace(self, Self::nothing());
            *self = match reader {
                Self::Tcp(half) => Self::Unread(Unread::tcp(half)),
                Self::Unix(half) => Self::Unread(Unread::unix(half)),
                other => other,
            };
        }
        match self {
            Self::Unread(unread) => unread.poll_left(cx),
            _ => Poll::Pending,
        }
    }

    /// The stream is read again.
    fn read_on(&mut self) {
        if let Self::Unread(unread) = std::mem::replace(self, Self::nothing()) {
            *self = match unread.into_half() {
                Some(ReadHalf::Tcp(half)) => Self::Tcp(half),
                Some(ReadHalf::Unix(half)) => Self::Unix(half),
                None => return,
            };
        }
    }

    /// What stands here while a stream changes its form. It takes no memory.
    fn nothing() -> Self {
        Self::Foreign(Box::new(tokio::io::empty()))
    }
}
