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
