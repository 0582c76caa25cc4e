//! Polling what users wrote: a panic is an outcome, not an end.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::sync::watch;

use crate::trace;

/// User code panicked. What it said went to the panic hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panicked;

/// Calls user code.
pub(crate) fn guard<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|_| {
        trace::error!("the application panicked");
        Panicked
    })
}

/// Polls once, before anybody can wake the future: if it waits it must be polled again by whoever keeps it.
pub(crate) fn poll_now<F: Future + ?Sized>(
    future: Pin<&mut F>,
) -> Poll<Result<F::Output, Panicked>> {
    poll_guarded(future, &mut Context::from_waker(Waker::noop()))
}

/// The same for whoever is guarded already.
pub(crate) fn poll_unguarded<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn poll_guarded<F: Future + ?Sized>(
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Poll<Result<F::Output, Panicked>> {
    match guard(|| future.poll(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(panicked) => Poll::Ready(Err(panicked)),
    }
}

/// A future whose panics are its outcome.
pub(crate) struct Guarded<F>(pub(crate) Pin<Box<F>>)
where
    F: Future + ?Sized;

impl<F: Future + ?Sized> Future for Guarded<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        poll_guarded(self.0.as_mut(), cx)
    }
}

/// Runs a task until it ends or the server stops or is gone.
pub(crate) async fn until_stopped(
    mut stop: watch::Receiver<bool>,
    task: impl Future<Output = ()> + Send + 'static,
) {
    let stopped = stop.wait_for(|stop| *stop);
    let mut stopped = std::pin::pin!(stopped);
    let mut task = std::pin::pin!(task);
    std::future::poll_fn(|cx| {
        if task.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        stopped.as_mut().poll(cx).map(|_| ())
    })
    .await;
}
