//! A server on a port of its own, and a client that shows raw bytes.

#![allow(
    dead_code,
    unused_imports,
    reason = "every test file uses a part of it"
)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a helper that fails fails its test"
)]

pub(crate) mod http;
pub(crate) mod server;
pub(crate) mod websocket;

use std::future::Future;
use std::time::Duration;

pub(crate) use http::{Response, connected, first_line, get, post, request, reset, send_raw};
pub(crate) use server::{Door, Event, Server};
pub(crate) use websocket::WebSocket;

/// Starts a task that ends with its test's runtime.
#[expect(clippy::disallowed_methods, reason = "the runtime of a test owns it")]
pub(crate) fn spawn<F>(future: F) -> tokio::task::JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    tokio::spawn(future)
}

/// Fails the test when something that must happen does not.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    match tokio::time::timeout(Duration::from_secs(60), future).await {
        Ok(output) => output,
        Err(_) => panic!("nothing happened for a minute"),
    }
}
