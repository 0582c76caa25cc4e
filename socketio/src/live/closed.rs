//! Waiting for the end of a socket.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

/// Resolves when a socket has left its namespace; made by [`Socket::closed`](crate::Socket::closed).
#[must_use = "it tells only whoever awaits it"]
pub struct Closed(oneshot::Receiver<()>);

impl Closed {
    pub(crate) fn new(receiver: oneshot::Receiver<()>) -> Self {
        Self(receiver)
    }
}

impl Future for Closed {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The sender is only ever dropped.
        Pin::new(&mut self.0).poll(cx).map(|_| ())
    }
}

impl fmt::Debug for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closed")
    }
}
