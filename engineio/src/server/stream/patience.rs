//! How long a peer that takes nothing is borne with.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// A limit for attempts that make no progress. There is no timer while there is progress.
pub(crate) struct Patience {
    limit: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            stalled: None,
        }
    }

    /// What came of an attempt, or the end of the time in which one has to succeed.
    pub(crate) fn bound<T>(
        &mut self,
        cx: &mut Context<'_>,
        attempt: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if attempt.is_ready() {
            self.stalled = None;
            return attempt;
        }
        let limit = self.limit;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(limit)));
        let timed_out = || Err(io::ErrorKind::TimedOut.into());
        stalled.as_mut().poll(cx).map(|()| timed_out())
    }
}
