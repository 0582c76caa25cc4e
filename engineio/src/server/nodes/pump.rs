//! The bytes of a WebSocket between its client and the node that has its session. Nothing is held for one that is idle.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::buffers;
use crate::server::stream::patience::Patience;

/// How long a client may go on sending when its session has ended, so that the end it was told is not lost.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// One of the two directions.
struct Way {
    /// What was read and is not written.
    unwritten: Vec<u8>,
    is_flushed: bool,
    /// Nothing follows.
    is_read: bool,
    is_over: bool,
    patience: Patience,
}

impl Way {
    fn new(unwritten: Vec<u8>, write_timeout: Duration) -> Self {
        Self {
            is_flushed: true,
            unwritten,
            is_read: false,
            is_over: false,
            patience: Patience::new(write_timeout),
        }
    }

    /// Moves what there is; ready when nothing follows and whoever reads was told so.
    fn poll<R, W>(&mut self, cx: &mut Context<'_>, from: &mut R, to: &mut W) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        if self.is_over {
            return Poll::Ready(Ok(()));
        }
        loop {
            ready!(self.poll_write(cx, to))?;
            if self.is_read {
                let attempt = Pin::new(&mut *to).poll_shutdown(cx);
                ready!(self.patience.bound(cx, attempt))?;
                self.is_over = true;
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_read(cx, from))?;
        }
    }

    fn poll_write<W>(&mut self, cx: &mut Context<'_>, to: &mut W) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin,
    {
        while !self.unwritten.is_empty() {
            let attempt = Pin::new(&mut *to).poll_write(cx, &self.unwritten);
            let written = ready!(self.patience.bound(cx, attempt))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unwritten.drain(..written);
            self.is_flushed = false;
        }
        if !self.is_flushed {
            let attempt = Pin::new(&mut *to).poll_flush(cx);
            ready!(self.patience.bound(cx, attempt))?;
            self.is_flushed = true;
        }
        buffers::give_back(std::mem::take(&mut self.unwritten));
        Poll::Ready(Ok(()))
    }

    fn poll_read<R>(&mut self, cx: &mut Context<'_>, from: &mut R) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin,
    {
        buffers::with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(Pin::new(from).poll_read(cx, &mut buffer))?;
            self.is_read = buffer.filled().is_empty();
            if !self.is_read {
                self.unwritten = buffers::take();
                self.unwritten.extend_from_slice(buffer.filled());
            }
            Poll::Ready(Ok(()))
        })
    }
}

/// Carries the bytes of both until one fails, or the node has ended and the client has been told. `read` is what the client
/// has sent already.
pub(crate) async fn pump<C, N>(mut client: C, read: Vec<u8>, mut node: N, write_timeout: Duration)
where
    C: AsyncRead + AsyncWrite + Unpin,
    N: AsyncRead + AsyncWrite + Unpin,
{
    let mut there = Way::new(read, write_timeout);
    let mut back = Way::new(Vec::new(), write_timeout);
    let is_ended = poll_fn(|cx| {
        if let Poll::Ready(Err(_)) = there.poll(cx, &mut client, &mut node) {
            return Poll::Ready(false);
        }
        let back = back.poll(cx, &mut node, &mut client);
        back.map(|back| back.is_ok())
    })
    .await;
    if is_ended {
        let leaving = poll_fn(|cx| there.poll(cx, &mut client, &mut node));
        let _ = timeout(LEAVE_TIMEOUT, leaving).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn bytes_go_both_ways_and_an_end_is_passed_on_behind_them() {
        let (mut client, front) = duplex(7);
        let (back, mut node) = duplex(5);
        let pumping = pump(front, b"first ".to_vec(), back, LONG);
        let talk = async {
            let mut heard = [0; 16];
            let (sent, read) =
                tokio::join!(client.write_all(b"and second"), node.read_exact(&mut heard));
            sent.unwrap();
            read.unwrap();
            assert_eq!(&heard, b"first and second");
            let mut said = String::new();
            let answer = async {
                node.write_all(b"an answer that is longer than a buffer")
                    .await?;
                node.shutdown().await
            };
            let (sent, read) = tokio::join!(answer, client.read_to_string(&mut said));
            sent.unwrap();
            read.unwrap();
            assert_eq!(said, "an answer that is longer than a buffer");
            drop(client);
        };
        tokio::join!(pumping, talk);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up_though_its_node_says_nothing_more() {
        let (client, front) = duplex(4);
        let (back, mut node) = duplex(1024);
        node.write_all(b"more than it takes").await.unwrap();
        let begun = tokio::time::Instant::now();
        pump(front, Vec::new(), back, LONG).await;
        assert_eq!(begun.elapsed(), LONG);
        drop(client);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_stays_when_its_session_has_ended_is_left() {
        let (client, front) = duplex(4);
        let (back, node) = duplex(4);
        drop(node);
        let begun = tokio::time::Instant::now();
        pump(front, Vec::new(), back, LONG).await;
        assert_eq!(begun.elapsed(), LEAVE_TIMEOUT);
        drop(client);
    }

    #[test]
    fn an_idle_pump_holds_no_buffer() {
        assert!(size_of::<Way>() <= 64, "{}", size_of::<Way>());
    }
}
