//! One TCP connection whose bytes are all recorded.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::target::Target;
use crate::failure::{Failure, Verdict};
use crate::trace::{Trace, Way};

/// Room made before each read, so that what came together is shown together.
const READ_BYTES: usize = 16 * 1024;

/// A connection to the server under test: bytes out, bytes in, each wait bounded.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    /// Bytes read and not yet consumed.
    unread: BytesMut,
    trace: Trace,
    number: u32,
    /// How long a read waits before the server counts as silent.
    patience: Duration,
}

impl Wire {
    pub(crate) async fn connect(
        target: &Target,
        trace: Trace,
        number: u32,
        patience: Duration,
    ) -> Verdict<Self> {
        let connecting = TcpStream::connect((target.host.as_str(), target.port));
        let stream = match timeout(patience, connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(Failure::unreachable(target, &error)),
            Err(_) => {
                return Err(Failure::silent(
                    format_args!("a connection to {target}"),
                    format_args!("{patience:?}"),
                ));
            }
        };
        // Small writes must arrive as they were made.
        stream.set_nodelay(true).ok();
        Ok(Self {
            stream,
            unread: BytesMut::new(),
            trace,
            number,
            patience,
        })
    }

    pub(crate) fn set_patience(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Sends bytes in one write; a server that has closed meanwhile is no failure here, the next read shows it.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Verdict {
        self.send_as(bytes, bytes).await
    }

    /// Sends bytes that the trace shows in another form, without their mask.
    pub(crate) async fn send_as(&mut self, bytes: &[u8], plain: &[u8]) -> Verdict {
        self.trace.bytes(self.number, Way::Sent, plain);
        match timeout(self.patience, self.stream.write_all(bytes)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                self.note(&format!("not sent: {error}"));
                Ok(())
            }
            Err(_) => Err(Failure::silent(
                "the server to read what was sent",
                format_args!("{:?}", self.patience),
            )),
        }
    }

    /// Ends our sending direction and leaves the other open.
    pub(crate) async fn finish(&mut self) {
        self.note("sending direction closed");
        self.stream.shutdown().await.ok();
    }

    /// Ends the connection with a TCP reset instead of an orderly close.
    pub(crate) fn reset(self) {
        self.note("reset");
        self.stream.set_zero_linger().ok();
    }

    /// Makes at least `count` bytes available, or says what was missing.
    pub(crate) async fn need(&mut self, count: usize, expected: &str) -> Verdict {
        while self.unread.len() < count {
            if !self.read_more(expected).await? {
                return Err(Failure::unmet(expected, self.closed()));
            }
        }
        Ok(())
    }

    /// Takes bytes that [`need`](Self::need) made available.
    pub(crate) fn take(&mut self, count: usize) -> Bytes {
        let count = count.min(self.unread.len());
        self.unread.copy_to_bytes(count)
    }

    /// The bytes read so far.
    pub(crate) fn peek(&self) -> &[u8] {
        &self.unread
    }

    /// Everything up to and including the mark.
    pub(crate) async fn take_through(&mut self, mark: &[u8], expected: &str) -> Verdict<Bytes> {
        loop {
            let found = self
                .unread
                .windows(mark.len())
                .position(|window| window == mark);
            if let Some(start) = found {
                return Ok(self.take(start + mark.len()));
            }
            if !self.read_more(expected).await? {
                return Err(Failure::unmet(expected, self.closed()));
            }
        }
    }

    /// Everything until the server closes.
    pub(crate) async fn take_to_end(&mut self) -> Verdict<Bytes> {
        while self.read_more("the end of the connection").await? {}
        let count = self.unread.len();
        Ok(self.take(count))
    }

    /// Fails unless the server ends the connection within the limit, having said nothing more.
    pub(crate) async fn is_closed(&mut self, within: Duration) -> Verdict {
        let patience = std::mem::replace(&mut self.patience, within);
        let ended = self.read_more("the end of the connection").await;
        self.patience = patience;
        if ended? || !self.unread.is_empty() {
            return Err(Failure::unmet(
                "the end of the connection",
                crate::trace::shown(&self.unread),
            ));
        }
        Ok(())
    }

    /// Fails if the server says anything, or closes, within the time.
    pub(crate) async fn is_silent(&mut self, time: Duration) -> Verdict {
        self.note(&format!("nothing may come for {time:?}"));
        let patience = std::mem::replace(&mut self.patience, time);
        let more = match self.unread.is_empty() {
            true => self.read_more("silence").await,
            false => Ok(true),
        };
        self.patience = patience;
        match more {
            Err(_) => Ok(()),
            Ok(true) => Err(Failure::unmet(
                format_args!("nothing for {time:?}"),
                crate::trace::shown(&self.unread),
            )),
            Ok(false) => Err(Failure::unmet(
                format_args!("nothing for {time:?}"),
                self.closed(),
            )),
        }
    }

    /// Reads once; false when the server has ended the connection.
    async fn read_more(&mut self, expected: &str) -> Verdict<bool> {
        let deadline = Instant::now() + self.patience;
        let before = self.unread.len();
        self.unread.reserve(READ_BYTES);
        match timeout_at(deadline, self.stream.read_buf(&mut self.unread)).await {
            Ok(Ok(0)) => {
                self.note("closed by the server");
                Ok(false)
            }
            Ok(Ok(_)) => {
                let came = self.unread.get(before..).unwrap_or_default();
                self.trace.bytes(self.number, Way::Came, came);
                Ok(true)
            }
            Ok(Err(error)) => {
                self.note(&format!("closed by the server: {error}"));
                Ok(false)
            }
            Err(_) => Err(Failure::silent(
                expected,
                format_args!("{:?}", self.patience),
            )),
        }
    }

    fn closed(&self) -> String {
        if self.unread.is_empty() {
            "the end of the connection".to_owned()
        } else {
            format!(
                "the end of the connection after {}",
                crate::trace::shown(&self.unread)
            )
        }
    }

    pub(crate) fn note(&self, text: &str) {
        self.trace.note(self.number, text);
    }
}
