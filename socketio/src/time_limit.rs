//! A time limit whose timer is made when it is first waited for.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep, sleep_until};

/// A time limit whose timer is made when it is first waited for.
pub(crate) enum TimeLimit {
    Never,
    After(Duration),
    At(Instant),
    Running(Pin<Box<Sleep>>),
}

impl TimeLimit {
    pub(crate) fn new(timeout: Option<Duration>) -> Self {
        timeout.map_or(Self::Never, Self::After)
    }

    /// One that runs from now on, and not from when it is first waited for.
    pub(crate) fn from_now(timeout: Option<Duration>) -> Self {
        // One that is too far off for a clock has no end.
        let end = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        end.map_or(Self::Never, Self::At)
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match *self {
            Self::After(timeout) => *self = Self::Running(Box::pin(sleep(timeout))),
            Self::At(end) => *self = Self::Running(Box::pin(sleep_until(end))),
            _ => {}
        }
        match self {
            Self::Running(sleep) => sleep.as_mut().poll(cx),
            Self::Never | Self::After(_) | Self::At(_) => Poll::Pending,
        }
    }
}
