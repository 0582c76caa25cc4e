//! Waiting for room in a client's queue.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::connection::SendError;
use super::shared::{Shared, Waiters};

/// The future of [`Connection::ready`](crate::Connection::ready).
#[must_use = "futures do nothing unless awaited"]
pub struct Ready<D> {
    shared: Arc<Shared<D>>,
}

impl<D> Ready<D> {
    pub(super) fn new(shared: Arc<Shared<D>>) -> Self {
        Self { shared }
    }
}

impl<D: Send + Sync + 'static> Future for Ready<D> {
    /// `Err` when the session is closed: there will never be room again.
    type Output = Result<(), SendError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut inner = self.shared.lock();
        if inner.is_ready(self.shared.hub.config.high_watermark) {
            return Poll::Ready(if inner.session.is_open() {
                Ok(())
            } else {
                Err(SendError::Closed)
            });
        }
        let Waiters(waiting) = &mut **inner.ready.get_or_insert_default();
        if !waiting.iter().any(|known| known.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl<D> fmt::Debug for Ready<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").finish_non_exhaustive()
    }
}
