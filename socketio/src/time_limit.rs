//! A time limit whose timer is made when it is first waited for.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// A time limit whose timer is made when it is first waited for.
pub(crate) enum TimeLimit {
    Never,
    After(Duration),
    Running(Pin<Box<Sleep>>),
}

impl TimeLimit {
    pub(crate) fn new(timeout: Option<Duration>) -> Self {
        timeout.map_or(Self::Never, Self::After)
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Self::After(timeout) = *self {
            *self = Self::Running(Box::pin(sleep(timeout)));
        }
        match self {
            Self::Running(sleep) => sleep.as_mut().poll(cx),
            Self::Never | Self::After(_) => Poll::Pending,
        }
    }
}
