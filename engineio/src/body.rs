//! The response body.

use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep};

use crate::owed::Owed;

/// A server in front is given this much of a large answer, and more when that has left.
const PIECE_BYTES: usize = 64 * 1024;

/// The last piece is small, since nobody is asked for another one behind it, and what became of it is not known.
const LAST_PIECE_BYTES: usize = 1024;

/// The body of every response of the engine. Opaque, so that what it is made of may change.
#[derive(Debug, Default)]
pub struct Body {
    content: Content,
    /// Dropped with the last of the content, which is with the operating system then.
    owed: Option<Owed>,
}

#[derive(Debug, Default)]
enum Content {
    #[default]
    Empty,
    Full(Bytes),
    Paced(Box<Paced>),
    /// Fails at once, so that the connection ends without an answer.
    Destroyed,
}

impl Body {
    pub(crate) const fn empty() -> Self {
        Self::of(Content::Empty)
    }

    pub(crate) const fn destroyed() -> Self {
        Self::of(Content::Destroyed)
    }

    const fn of(content: Content) -> Self {
        Self {
            content,
            owed: None,
        }
    }

    /// The same as an answer that somebody waits for.
    pub(crate) fn owed(mut self, owed: Owed) -> Self {
        self.owed = Some(owed);
        self
    }

    /// All of it; `None` when the connection is to end without an answer.
    pub(crate) fn as_bytes(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Empty => Some(&[]),
            Content::Full(bytes) => Some(bytes),
            Content::Paced(paced) => Some(&paced.rest),
            Content::Destroyed => None,
        }
    }

    /// The same for a server that knows no limit for writing: a large body fails when a piece of it has not left for as
    /// long as `limit`.
    pub(crate) fn paced(mut self, limit: Duration) -> Self {
        self.content = match self.content {
            Content::Full(rest) if rest.len() > PIECE_BYTES => Content::Paced(Box::new(Paced {
                rest,
                leaving: None,
                limit,
                stalled: None,
            })),
            other => other,
        };
        self
    }

    /// A body of these bytes.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self::of(if bytes.is_empty() {
            Content::Empty
        } else {
            Content::Full(bytes)
        })
    }
}

/// A large body, as it is taken.
#[derive(Debug)]
struct Paced {
    rest: Bytes,
    /// Ends when the piece that was handed over last is dropped: it is with the operating system then.
    leaving: Option<oneshot::Receiver<()>>,
    limit: Duration,
    /// Runs while a piece does not leave.
    stalled: Option<Pin<Box<Sleep>>>,
}

/// A piece of a body; its second half is dropped with it.
struct Piece<T>(Bytes, #[allow(dead_code, reason = "to be dropped")] T);

impl<T> AsRef<[u8]> for Piece<T> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Paced {
    fn poll_piece(
        &mut self,
        owed: &mut Option<Owed>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, BodyError>>> {
        if let Some(leaving) = &mut self.leaving
            && Pin::new(leaving).poll(cx).is_pending()
        {
            let limit = self.limit;
            let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
            ready!(stalled.as_mut().poll(cx));
            return Poll::Ready(Some(Err(BodyError(Cause::NotRead))));
        }
        self.stalled = None;
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let before_last = self.rest.len().saturating_sub(LAST_PIECE_BYTES);
        let length = match before_last.min(PIECE_BYTES) {
            0 => self.rest.len(),
            length => length,
        };
        let (sender, leaving) = oneshot::channel();
        self.leaving = Some(leaving);
        let piece = self.rest.split_to(length);
        let owed = owed.take_if(|_| self.rest.is_empty());
        let piece = Piece(piece, (sender, owed));
        Poll::Ready(Some(Ok(Bytes::from_owner(piece))))
    }
}

/// The connection is closed without an answer, or in the middle of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyError(Cause);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Destroyed,
    NotRead,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Cause::Destroyed => "the session ended while its request was being read",
            Cause::NotRead => "the peer does not read its answer",
        })
    }
}

impl std::error::Error for BodyError {}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Self { content, owed } = &mut *self;
        if let Content::Paced(paced) = content {
            let piece = ready!(paced.poll_piece(owed, cx));
            return Poll::Ready(piece.map(|piece| piece.map(Frame::data)));
        }
        Poll::Ready(match std::mem::take(content) {
            Content::Empty => None,
            Content::Full(bytes) => Some(Ok(Frame::data(match owed.take() {
                Some(owed) => Bytes::from_owner(Piece(bytes, owed)),
                None => bytes,
            }))),
            Content::Destroyed => Some(Err(BodyError(Cause::Destroyed))),
            // Above.
            Content::Paced(_) => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Paced(paced) => paced.rest.is_empty(),
            Content::Full(_) | Content::Destroyed => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Paced(paced) => SizeHint::with_exact(paced.rest.len() as u64),
            Content::Destroyed => SizeHint::default(),
        }
    }
}
