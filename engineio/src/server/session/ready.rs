//! Waiting for room in a client's queue.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::connection::{Connection, SendError};
use super::shared::{Shared, Waiters};

/// The future of [`Connection::ready`](crate::Connection::ready).
#[must_use = "futures do nothing unless awaited"]
pub struct Ready<D> {
    shared: Arc<Shared<D>>,
}

impl<D: Send + Sync + 'static> Connection<D> {
    /// Waits until at most [`Config::high_watermark`](crate::Config::high_watermark) bytes are queued.
    ///
    /// Dropping the future is harmless; any number may wait. Nothing is reserved: others may fill the queue
    /// again before this one sends.
    ///
    /// ```
    /// # async fn stream(connection: engineio::Connection<()>) -> Result<(), engineio::SendError> {
    /// for part in 0..1_000 {
    ///     connection.ready().await?;
    ///     connection.send_text(&format!("part {part}"))?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn ready(&self) -> Ready<D> {
        Ready {
            shared: Arc::clone(&self.0),
        }
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
