//! The server as its clients and its handlers see it, in memory.

mod acks;
mod auth;
mod auth_attacks;
mod auth_binding;
mod auth_books;
mod auth_changes;
mod auth_lasting;
mod auth_pending;
mod auth_recovery;
mod backpressure;
mod bounds;
mod cluster;
mod connecting;
mod documented;
mod dynamic;
mod events;
mod handshake;
mod hooks;
mod identity;
mod inbox;
mod leaks;
mod leaving;
mod metrics;
mod polling;
mod reasons;
mod recovery;
mod rooms;
mod shutdown;
mod waits;

use std::sync::{Arc, Mutex};

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn add(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// The `sid` of an answer to CONNECT.
fn sid_of(reply: &str) -> String {
    let json = reply.split_once('{').map(|(_, rest)| format!("{{{rest}"));
    let value: serde_json::Value = serde_json::from_str(&json.unwrap()).unwrap();
    value["sid"].as_str().unwrap().to_owned()
}
