//! A server on a port of its own, and clients that show and send raw packets.

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

pub(crate) mod polling;
pub(crate) mod server;
pub(crate) mod websocket;

use std::future::Future;
use std::time::Duration;

pub(crate) use polling::Polling;
pub(crate) use server::{Flavor, Server};
pub(crate) use websocket::{Reader, WebSocket, Writer};

/// Fails the test when something that must happen does not. Far longer than it takes on a busy machine.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    match tokio::time::timeout(Duration::from_secs(120), future).await {
        Ok(output) => output,
        Err(_) => panic!("nothing happened for two minutes"),
    }
}
