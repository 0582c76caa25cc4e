//! The one place where the engine starts tasks.

use std::future::Future;

/// Starts a task in the runtime this is called from; every kind of them, and what ends it, is listed in
/// ARCHITECTURE.md.
#[expect(
    clippy::disallowed_methods,
    reason = "the engine's tasks: connections, WebSockets behind hyper, and the timer"
)]
pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(task);
}

/// The same for the connections of HTTP/2 between nodes, whose library has tasks of its own: they end with their connection.
#[cfg(feature = "nodes")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spawning;

#[cfg(feature = "nodes")]
impl<F> hyper::rt::Executor<F> for Spawning
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, task: F) {
        spawn(async move {
            task.await;
        });
    }
}
