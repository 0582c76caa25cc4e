//! Keeps a panic of the user's code inside its own future.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::Poll;

use super::code::Rejection;

/// The output of `future`, or [`Rejection::panicked`] when it panics. It is pinned by the caller, who would hold it twice otherwise.
pub(crate) async fn contain_panic<T>(
    mut future: Pin<&mut impl Future<Output = Result<T, Rejection>>>,
) -> Result<T, Rejection> {
    poll_fn(|cx| {
        // A future that panicked is not polled again, so nobody sees what it left half done.
        catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx)))
            .unwrap_or_else(|_| Poll::Ready(Err(Rejection::panicked())))
    })
    .await
}
