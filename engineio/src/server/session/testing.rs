//! A session without a door, for tests that are more than one thread at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use super::connection::Connection;
use super::handler::{Flow, Handler};
use super::shared::{HubOf, Opening, Shared};
use crate::config::Config;
use crate::http::request::RequestView;
use crate::lock::Lock;
use crate::message::Message;
use crate::packet::Protocol;
use crate::proto::close_reason::CloseReason;
use crate::server::clock;
use crate::server::hub::Hub;
use crate::session_id::SessionId;
use crate::transport::Transport;

/// A handler that keeps what it was told.
#[derive(Clone)]
pub(crate) struct Listening(Arc<Lock<Vec<String>>>);

impl Listening {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }

    fn hear(&self, call: impl Into<String>) {
        self.0.lock().push(call.into());
    }
}

impl Handler for Listening {
    type Data = ();

    fn on_open(&self, _: &RequestView<'_>, _: Protocol) {}

    fn on_message(&self, _: &Connection<()>, message: Message<'_>) -> Flow {
        self.hear(String::from_utf8_lossy(message.as_bytes()));
        Flow::Continue
    }

    fn on_deadline(&self, _: &Connection<()>) {
        self.hear("deadline");
    }

    fn on_upgrade(&self, _: &Connection<()>) {
        self.hear("upgrade");
    }

    fn on_close(&self, _: &Connection<()>, _: CloseReason) {
        self.hear("close");
    }
}

/// A session that was just opened, whose turn is free; and what its handler hears.
pub(crate) fn opened(transport: Transport) -> (Arc<Shared<()>>, Listening) {
    let told = Listening(Arc::new(Lock::new(Vec::new())));
    let hub: HubOf<()> = Hub::new(Config::new(), Arc::new(told.clone()));
    let opening = Opening {
        id: SessionId::from_random_bytes([7; 15]),
        protocol: Protocol::V4,
        transport,
        peer: None,
        is_base64: false,
        jsonp: None,
    };
    let now = clock::now();
    let shared = Arc::new(Shared::new(Arc::new(hub), now, opening, ()));
    shared.end_turn(now);
    (shared, told)
}

/// Counts how often a task was woken.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        let waker = Waker::from(Arc::clone(&wakes));
        (wakes, waker)
    }

    /// How often since it was asked last.
    pub(crate) fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
