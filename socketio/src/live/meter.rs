//! Counting what a server does.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use engineio::Sent;

use crate::error::EmitError;

/// Threads count events in this many separate places, so that they do not wait for each other's cache lines.
const SHARD_COUNT: usize = 8;

#[derive(Default)]
struct Counters {
    shards: [Shard; SHARD_COUNT],
    events_dropped: AtomicU64,
    events_too_fast: AtomicU64,
    arguments_invalid: AtomicU64,
    packets_invalid: AtomicU64,
    connects_rejected: AtomicU64,
    acks_pending: AtomicUsize,
    handlers_in_flight: AtomicUsize,
}

#[derive(Default)]
#[repr(align(64))]
struct Shard {
    events_in: AtomicU64,
    events_out: AtomicU64,
}

/// The counters at one moment.
pub(crate) struct Counts {
    pub(crate) events_in: u64,
    pub(crate) events_out: u64,
    pub(crate) events_dropped: u64,
    pub(crate) events_too_fast: u64,
    pub(crate) arguments_invalid: u64,
    pub(crate) packets_invalid: u64,
    pub(crate) connects_rejected: u64,
    pub(crate) acks_pending: usize,
    pub(crate) handlers_in_flight: usize,
}

/// Hands out the shards to threads in turn.
static NEXT_SHARD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}

impl Counters {
    fn shard(&self) -> Option<&Shard> {
        let index = SHARD.get().unwrap_or_else(|| {
            let index = NEXT_SHARD.fetch_add(1, Ordering::Relaxed) % SHARD_COUNT;
            SHARD.set(Some(index));
            index
        });
        self.shards.get(index)
    }
}

/// Counts, for one server. Clones count into the same.
#[derive(Clone, Default)]
pub(crate) struct Meter(Arc<Counters>);

impl Meter {
    pub(crate) fn event_in(&self) {
        if let Some(shard) = self.0.shard() {
            shard.events_in.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What became of an event for one client.
    pub(crate) fn sent(&self, sent: Result<Sent, &EmitError>) {
        match sent {
            Ok(Sent::Dropped) | Err(EmitError::QueueFull { .. }) => {
                self.0.events_dropped.fetch_add(1, Ordering::Relaxed);
            }
            Ok(_) => {
                if let Some(shard) = self.0.shard() {
                    shard.events_out.fetch_add(1, Ordering::Relaxed);
                }
            }
            Err(_) => {}
        }
    }

    pub(crate) fn event_too_fast(&self) {
        self.0.events_too_fast.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn arguments_invalid(&self) {
        self.0.arguments_invalid.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn packet_invalid(&self) {
        self.0.packets_invalid.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn connect_rejected(&self) {
        self.0.connects_rejected.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted so far, read one after the other.
    pub(crate) fn counts(&self) -> Counts {
        let counters = &*self.0;
        let sum = |of: fn(&Shard) -> &AtomicU64| {
            let shards = counters.shards.iter();
            shards.map(|shard| of(shard).load(Ordering::Relaxed)).sum()
        };
        Counts {
            events_in: sum(|shard| &shard.events_in),
            events_out: sum(|shard| &shard.events_out),
            events_dropped: counters.events_dropped.load(Ordering::Relaxed),
            events_too_fast: counters.events_too_fast.load(Ordering::Relaxed),
            arguments_invalid: counters.arguments_invalid.load(Ordering::Relaxed),
            packets_invalid: counters.packets_invalid.load(Ordering::Relaxed),
            connects_rejected: counters.connects_rejected.load(Ordering::Relaxed),
            acks_pending: counters.acks_pending.load(Ordering::Relaxed),
            handlers_in_flight: counters.handlers_in_flight.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn ack_pending(&self) -> Counted {
        Counted::new(&self.0, |counters| &counters.acks_pending)
    }

    pub(crate) fn handler_in_flight(&self) -> Counted {
        Counted::new(&self.0, |counters| &counters.handlers_in_flight)
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meter")
    }
}

/// Is counted as long as it lives.
pub(crate) struct Counted {
    counters: Arc<Counters>,
    gauge: fn(&Counters) -> &AtomicUsize,
}

impl Counted {
    fn new(counters: &Arc<Counters>, gauge: fn(&Counters) -> &AtomicUsize) -> Self {
        gauge(counters).fetch_add(1, Ordering::Relaxed);
        Self {
            counters: Arc::clone(counters),
            gauge,
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.gauge)(&self.counters).fetch_sub(1, Ordering::Relaxed);
    }
}
