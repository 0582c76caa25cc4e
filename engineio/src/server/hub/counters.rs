//! What an engine has done since it was built, in numbers.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::proto::close_reason::CloseReason;

/// Threads count in this many separate places, so that they do not wait for each other's cache lines.
const SHARD_COUNT: usize = 8;

const REASON_COUNT: usize = CloseReason::ALL.len();

/// A snapshot of an engine's counters; everything but the sessions counts from the engine's beginning.
///
/// The numbers are read one after the other while the engine runs, so they need not add up exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Live sessions.
    pub sessions: usize,
    /// Those of them on long-polling.
    pub polling_sessions: usize,
    /// Packets received, heartbeat and WebSocket control frames included.
    pub packets_in: u64,
    /// Bytes received in POST bodies and over WebSockets.
    pub bytes_in: u64,
    /// Messages accepted for sending.
    pub packets_out: u64,
    /// Their bytes, as they leave over WebSocket.
    pub bytes_out: u64,
    closes: [u64; REASON_COUNT],
}

impl Stats {
    /// How many sessions were closed for this reason.
    #[must_use]
    pub fn closes(&self, reason: CloseReason) -> u64 {
        CloseReason::ALL
            .iter()
            .zip(self.closes)
            .find_map(|(&known, count)| (known == reason).then_some(count))
            .unwrap_or(0)
    }
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard {
    packets_in: AtomicU64,
    bytes_in: AtomicU64,
    packets_out: AtomicU64,
    bytes_out: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    shards: [Shard; SHARD_COUNT],
    closes: [AtomicU64; REASON_COUNT],
    websockets: AtomicUsize,
}

/// Hands out the shards to threads in turn.
static NEXT_SHARD: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}

impl Counters {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn received(&self, packets: u64, bytes: usize) {
        if let Some(shard) = self.shard() {
            shard.packets_in.fetch_add(packets, Ordering::Relaxed);
            shard.bytes_in.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    pub(crate) fn sent(&self, packets: usize, bytes: usize) {
        if let Some(shard) = self.shard() {
            shard
                .packets_out
                .fetch_add(packets as u64, Ordering::Relaxed);
            shard.bytes_out.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }

    pub(crate) fn closed(&self, reason: CloseReason) {
        let index = CloseReason::ALL.iter().position(|&known| known == reason);
        if let Some(count) = index.and_then(|index| self.closes.get(index)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A session is on WebSocket from here on.
    pub(crate) fn websocket_attached(&self) {
        self.websockets.fetch_add(1, Ordering::Relaxed);
    }

    /// A session on WebSocket is gone.
    pub(crate) fn websocket_gone(&self) {
        self.websockets.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn snapshot(&self, sessions: usize) -> Stats {
        let sum = |of: fn(&Shard) -> &AtomicU64| {
            self.shards
                .iter()
                .map(|shard| of(shard).load(Ordering::Relaxed))
                .sum()
        };
        Stats {
            sessions,
            polling_sessions: sessions.saturating_sub(self.websockets.load(Ordering::Relaxed)),
            packets_in: sum(|shard| &shard.packets_in),
            bytes_in: sum(|shard| &shard.bytes_in),
            packets_out: sum(|shard| &shard.packets_out),
            bytes_out: sum(|shard| &shard.bytes_out),
            closes: std::array::from_fn(|index| {
                self.closes
                    .get(index)
                    .map_or(0, |count| count.load(Ordering::Relaxed))
            }),
        }
    }

    fn shard(&self) -> Option<&Shard> {
        let index = SHARD.get().unwrap_or_else(|| {
            let index = NEXT_SHARD.fetch_add(1, Ordering::Relaxed) % SHARD_COUNT;
            SHARD.set(Some(index));
            index
        });
        self.shards.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_thread_and_every_reason_is_counted() {
        let counters = Counters::new();
        std::thread::scope(|scope| {
            for _ in 0..2 * SHARD_COUNT {
                scope.spawn(|| {
                    counters.received(2, 10);
                    counters.sent(1, 5);
                });
            }
        });
        for reason in CloseReason::ALL {
            counters.closed(reason);
        }
        counters.websocket_attached();
        let stats = counters.snapshot(3);
        let threads = 2 * SHARD_COUNT as u64;
        assert_eq!(stats.packets_in, 2 * threads);
        assert_eq!(stats.bytes_in, 10 * threads);
        assert_eq!(stats.packets_out, threads);
        assert_eq!(stats.bytes_out, 5 * threads);
        assert_eq!((stats.sessions, stats.polling_sessions), (3, 2));
        for reason in CloseReason::ALL {
            assert_eq!(stats.closes(reason), 1, "{reason}");
        }
    }
}
