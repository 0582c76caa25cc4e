//! How long a peer that takes nothing is borne with.

use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep, sleep_until};

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

/// How long a connection may idle, again and again. One timer serves for all of it: where it runs out too early, because the
/// connection has been of use since it was set, it is set anew. To set one each time took 600 instructions of every request.
pub(crate) struct Idle {
    limit: Duration,
    /// `None` is never.
    until: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            limit,
            until: None,
            timer: None,
        }
    }

    /// The connection is of no use from now on.
    pub(crate) fn begin(&mut self) {
        self.until = Instant::now().checked_add(self.limit);
    }

    /// Ready when it has been of none for too long.
    pub(crate) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(until) = self.until else {
            return Poll::Pending;
        };
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(sleep_until(until)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if timer.deadline() >= until {
                return Poll::Ready(());
            }
            timer.as_mut().reset(until);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_idles_for_its_limit_each_time() {
        let (second, limit) = (Duration::from_secs(1), Duration::from_secs(3));
        let mut idle = Idle::new(limit);
        for _ in 0..4 {
            idle.begin();
            for _ in 0..2 {
                let is_over = poll_fn(|cx| Poll::Ready(idle.poll_over(cx).is_ready())).await;
                assert!(!is_over);
                advance(second).await;
            }
        }
        idle.begin();
        let begun = Instant::now();
        poll_fn(|cx| idle.poll_over(cx)).await;
        let waited = begun.elapsed();
        assert!(waited >= limit && waited < limit + second, "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_no_clock_reaches_is_none() {
        let mut idle = Idle::new(Duration::MAX);
        idle.begin();
        let is_over = poll_fn(|cx| Poll::Ready(idle.poll_over(cx).is_ready())).await;
        assert!(!is_over);
    }
}
