//! A connection of TLS, from before its handshake on.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::{FallibleAccept, TlsStream};

use super::handshakes::Handshakes;
use crate::lock::Lock;
use crate::server::stream::Stream;
use crate::trace;

/// A place among those that are in a handshake, until it is dropped.
pub(super) struct Place {
    pub(super) handshakes: Arc<Lock<Handshakes>>,
    pub(super) number: u64,
}

impl Place {
    fn stays(&self, cx: &Context<'_>) -> bool {
        self.handshakes.lock().stays(self.number, cx.waker())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let told = self.handshakes.lock().leave(self.number);
        if let Some(told) = told {
            told.wake();
        }
    }
}

/// Reading and writing make the handshake first.
pub(super) enum Secured {
    Handshake(FallibleAccept<Stream>, Place),
    Open(TlsStream<Stream>),
    /// What came is not TLS, or nothing that can be agreed on. The alert that says so is sent.
    Failed(Stream),
    /// There is nothing left to say, or nobody to say it to.
    Over,
}

impl Secured {
    pub(super) fn new(acceptor: &TlsAcceptor, stream: Stream, place: Place) -> Self {
        Self::Handshake(acceptor.accept(stream).into_fallible(), place)
    }

    /// The stream inside, once the handshake is made.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut TlsStream<Stream>>>> {
        if let Self::Handshake(handshake, place) = self {
            // Before the handshake is asked, so that whoever is displaced from now on is woken.
            let stays = place.stays(cx);
            let made = match stays {
                true => ready!(Pin::new(handshake).poll(cx)),
                false => {
                    trace::debug!("a TLS handshake gave way to others");
                    *self = Self::Over;
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
            };
            match made {
                Ok(stream) => *self = Self::Open(stream),
                Err((error, stream)) => {
                    trace::debug!(%error, "a TLS handshake failed");
                    *self = Self::Failed(stream);
                    return Poll::Ready(Err(error));
                }
            }
        }
        Poll::Ready(match self {
            Self::Open(stream) => Ok(Pin::new(stream)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        })
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_open(cx))?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_open(cx))?.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_open(cx))?.poll_flush(cx)
    }

    /// Ends what is open in order, by a `close_notify`. Of what has failed, the rest is read and thrown away: closed over it,
    /// the connection would be reset, and the alert might be lost. Whoever ends a connection sets a limit to that.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        match this {
            Self::Open(stream) => return Pin::new(stream).poll_shutdown(cx),
            Self::Failed(stream) => {
                ready!(Pin::new(&mut *stream).poll_shutdown(cx))?;
                let mut sink = [0; 512];
                loop {
                    let mut buffer = ReadBuf::new(&mut sink);
                    ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
                    if buffer.filled().is_empty() {
                        break;
                    }
                }
            }
            // Whoever has not said anything by now is not told anything either.
            Self::Handshake(..) | Self::Over => {}
        }
        *this = Self::Over;
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Open(stream) => stream.is_write_vectored(),
            Self::Handshake(..) | Self::Failed(_) | Self::Over => false,
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_open(cx))?.poll_write_vectored(cx, slices)
    }
}
