//! Noticing that a peer has left, on a stream that is not being read.
//!
//! The end of a stream stands behind all that the peer sent before, so reading does not find it. The kernel tells of it
//! beside the data; tokio passes that on to whoever waits for the stream's *priority*, and leaves the readiness to read as
//! it is: that must not be consumed without reading, for it is told once.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::net::{tcp, unix};

/// A stream that is not being read.
pub(crate) struct Unread {
    half: Half,
    left: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// What can be read from again.
pub(super) enum ReadHalf {
    Tcp(tcp::OwnedReadHalf),
    Unix(unix::OwnedReadHalf),
}

/// Shared with the future that waits, and with nobody else.
enum Half {
    Tcp(Arc<tcp::OwnedReadHalf>),
    Unix(Arc<unix::OwnedReadHalf>),
}

/// Waits for the end of a stream.
macro_rules! left {
    ($half:expr) => {{
        let half = Arc::clone(&$half);
        Box::pin(async move {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            match half.ready(tokio::io::Interest::PRIORITY).await {
                Ok(ready) if !ready.is_read_closed() => {}
                Ok(_) | Err(_) => return,
            }
            // Nobody asked for urgent data; or the system does not tell.
            let _kept = half;
            std::future::pending().await
        })
    }};
}

impl Unread {
    pub(super) fn tcp(half: tcp::OwnedReadHalf) -> Box<Self> {
        let half = Arc::new(half);
        Box::new(Self {
            left: left!(half),
            half: Half::Tcp(half),
        })
    }

    pub(super) fn unix(half: unix::OwnedReadHalf) -> Box<Self> {
        let half = Arc::new(half);
        Box::new(Self {
            left: left!(half),
            half: Half::Unix(half),
        })
    }

    pub(super) fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.left.as_mut().poll(cx)
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &self.half {
            Half::Tcp(half) => half.as_ref().as_ref().poll_write_ready(cx),
            Half::Unix(half) => half.as_ref().as_ref().poll_write_ready(cx),
        }
    }

    /// The half to read on from; `None` could only be where the future had handed its share on.
    pub(super) fn into_half(self) -> Option<ReadHalf> {
        let Self { half, left } = self;
        drop(left);
        match half {
            Half::Tcp(half) => Arc::into_inner(half).map(ReadHalf::Tcp),
            Half::Unix(half) => Arc::into_inner(half).map(ReadHalf::Unix),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncWriteExt, ReadBuf};
    use tokio::net::UnixStream;

    use super::*;
    use crate::server::stream::Stream;

    #[tokio::test]
    async fn what_arrives_unread_is_there_for_whoever_reads_on_and_does_not_hide_the_end() {
        let (here, mut there) = UnixStream::pair().unwrap();
        let (mut reader, _writer) = Stream::Unix(here).split();
        for sent in [b"one", b"two"] {
            there.write_all(sent).await.unwrap();
            let watched = std::future::poll_fn(|cx| Poll::Ready(reader.poll_left(cx)));
            assert_eq!(watched.await, Poll::Pending);
            tokio::task::yield_now().await;
            let mut bytes = [0; 8];
            let mut buffer = ReadBuf::new(&mut bytes);
            let read = std::future::poll_fn(|cx| reader.poll_read(cx, &mut buffer));
            read.await.unwrap();
            assert_eq!(buffer.filled(), sent);
        }
        there.write_all(b"last").await.unwrap();
        drop(there);
        std::future::poll_fn(|cx| reader.poll_left(cx)).await;
    }
}
