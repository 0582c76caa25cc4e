//! Drives a future that is expected not to wait; tests only.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// The output, if the future is ready at the first poll.
pub(crate) fn now_or_never<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
