//! The response body.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// The body of every response of the engine. Opaque, so that what it is made of may change.
#[derive(Debug, Default)]
pub struct Body(Content);

#[derive(Debug, Default)]
enum Content {
    #[default]
    Empty,
    Full(Bytes),
    /// Fails at once, so that the connection ends without an answer.
    Destroyed,
}

impl Body {
    pub(crate) const fn empty() -> Self {
        Self(Content::Empty)
    }

    pub(crate) const fn destroyed() -> Self {
        Self(Content::Destroyed)
    }

    /// All of it; `None` when the connection is to end without an answer.
    pub(crate) fn into_bytes(self) -> Option<Bytes> {
        match self.0 {
            Content::Empty => Some(Bytes::new()),
            Content::Full(bytes) => Some(bytes),
            Content::Destroyed => None,
        }
    }

    /// A body of these bytes.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(if bytes.is_empty() {
            Content::Empty
        } else {
            Content::Full(bytes)
        })
    }
}

/// The session ended while its request was being read; the connection is closed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BodyError;

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the session ended while its request was being read")
    }
}

impl std::error::Error for BodyError {}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(match std::mem::take(&mut self.0) {
            Content::Empty => None,
            Content::Full(bytes) => Some(Ok(Frame::data(bytes))),
            Content::Destroyed => Some(Err(BodyError)),
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Content::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Content::Empty => SizeHint::with_exact(0),
            Content::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Content::Destroyed => SizeHint::default(),
        }
    }
}
