//! Models of what threads do to one session at the same time. Each is explored: it must hold whatever runs first.

mod closing;
mod deadlines;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::clock;
use super::hub::Hub;
use super::session::connection::Connection;
use super::session::handler::{Flow, Handler};
use super::session::shared::{HubOf, Opening, Shared};
use crate::config::Config;
use crate::message::Message;
use crate::packet::Protocol;
use crate::proto::close_reason::CloseReason;
use crate::proto::transport::Transport;
use crate::request::RequestView;
use crate::session_id::SessionId;

/// What the handler of a model was told. Not the explored atomics: what a model writes down for itself must not be a step
/// more.
#[derive(Debug, Default)]
struct Told {
    deadlines: AtomicUsize,
    closes: AtomicUsize,
    /// By a thread that had the turn, as who reads has.
    messages: AtomicUsize,
    is_inside: AtomicBool,
    has_overlapped: AtomicBool,
}

impl Told {
    /// A call that others may run beside, if they are let.
    fn call(&self, count: &AtomicUsize) {
        let is_overlapping = self.is_inside.swap(true, Ordering::Relaxed);
        self.has_overlapped
            .fetch_or(is_overlapping, Ordering::Relaxed);
        schedules::point();
        count.fetch_add(1, Ordering::Relaxed);
        self.is_inside.store(false, Ordering::Relaxed);
    }
}

struct Recorder(Arc<Told>);

impl Handler for Recorder {
    type Data = ();

    fn on_open(&self, _: &RequestView<'_>, _: Protocol) {}

    fn on_message(&self, _: &Connection<()>, _: Message<'_>) -> Flow {
        Flow::Continue
    }

    fn on_close(&self, _: &Connection<()>, _: CloseReason) {
        self.0.call(&self.0.closes);
    }

    fn on_deadline(&self, _: &Connection<()>) {
        self.0.call(&self.0.deadlines);
    }
}

/// A session that is open, on long-polling, and the time when it was opened.
#[derive(Clone)]
struct Opened {
    connection: Connection<()>,
    told: Arc<Told>,
    now: Instant,
}

impl Opened {
    fn new() -> Self {
        let told = Arc::new(Told::default());
        let hub: HubOf<()> = Hub::new(Config::new(), Arc::new(Recorder(Arc::clone(&told))));
        let now = clock::now();
        let opening = Opening {
            id: SessionId::from_random_bytes([7; 15]),
            protocol: Protocol::V4,
            transport: Transport::Polling,
            peer: None,
            is_base64: false,
            jsonp: None,
        };
        let shared = Arc::new(Shared::new(Arc::new(hub), now, opening, ()));
        shared.end_turn(now);
        Self {
            connection: Connection(shared),
            told,
            now,
        }
    }

    /// What the timer does so long after the opening.
    fn ring(&self, after: Duration) {
        self.connection.0.hub.alarm.ring(self.now + after);
    }

    /// What a thread that reads does: nothing, if another has the turn.
    fn read(&self) {
        let shared = &self.connection.0;
        if shared.begin_turn() {
            self.told.call(&self.told.messages);
            shared.end_turn(self.now);
        }
    }

    fn closes_told(&self) -> usize {
        self.told.closes.load(Ordering::Relaxed)
    }

    fn deadlines_told(&self) -> usize {
        self.told.deadlines.load(Ordering::Relaxed)
    }

    fn check_calls_were_serial(&self) {
        assert!(
            !self.told.has_overlapped.load(Ordering::Relaxed),
            "a call began before the last one had returned"
        );
    }
}

/// A thread's name, and what it does.
type Part = (&'static str, fn(&Opened));

/// Has each do its part, and waits for all.
fn side_by_side<const N: usize>(opened: &Opened, parts: [Part; N]) {
    let threads = parts.map(|(name, run)| {
        let opened = opened.clone();
        schedules::spawn(name, move || run(&opened))
    });
    threads.into_iter().for_each(|thread| thread.join());
}

/// Goes through what can happen to a session.
fn explore(model: impl Fn(Opened) + Send + Sync + 'static) {
    schedules::explore(move || {
        // The engine starts its timer in it, which never runs: what it does is a thread of the model's.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let _entered = runtime.enter();
        let opened = Opened::new();
        model(opened.clone());
        opened.check_calls_were_serial();
    });
}
