//! What all sessions of an engine share.

use std::hash::{BuildHasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio::sync::Notify;

use super::clock;
use super::counters::Counters;
use super::lock::Lock;
use super::open_packet::OpenPacket;
use super::random;
use super::registry::Registry;
use super::shared::Shared;
use crate::config::Config;
use crate::handler::Handler;
use crate::http::PathMatcher;
use crate::proto::deadlines::{DeadlineKey, Deadlines};
use crate::proto::transport::Timing;
use crate::trace;

pub(crate) struct Hub<D> {
    pub(super) config: Config,
    /// Shared with every session's machine.
    pub(super) timing: Arc<Timing>,
    pub(super) path: PathMatcher,
    pub(super) open_packet: OpenPacket,
    pub(super) registry: Registry<Shared<D>>,
    pub(super) counters: Counters,
    pub(super) deadlines: DeadlineDriver<D>,
    handler: Arc<dyn Handler<Data = D>>,
    pub(super) is_draining: Lock<bool>,
    mark_keys: RandomState,
}

impl<D: Send + Sync + 'static> Hub<D> {
    pub(super) fn new(config: Config, handler: Arc<dyn Handler<Data = D>>) -> Arc<Self> {
        let path = PathMatcher::new(&config.path, config.add_trailing_slash);
        let registry = Registry::new(config.max_sessions, config.max_sessions_per_peer);
        Arc::new_cyclic(|hub| Self {
            timing: Arc::new(config.timing),
            open_packet: OpenPacket::new(&config),
            config,
            path,
            registry,
            counters: Counters::new(),
            deadlines: DeadlineDriver::new(Weak::clone(hub)),
            handler,
            is_draining: Lock::new(false),
            mark_keys: RandomState::new(),
        })
    }

    /// Calls the handler; false when it panicked.
    pub(super) fn guard(&self, call: impl FnOnce(&dyn Handler<Data = D>)) -> bool {
        let is_sound = catch_unwind(AssertUnwindSafe(|| call(&*self.handler))).is_ok();
        if !is_sound {
            trace::error!("a handler panicked");
        }
        is_sound
    }

    /// What a session remembers of an origin or a cookie: a keyed hash, never zero, so that nobody can look for
    /// another one with the same.
    pub(super) fn mark(&self, origin_or_cookie: &[u8]) -> u64 {
        self.mark_keys.hash_one(origin_or_cookie).max(1)
    }

    /// After how many seconds a refused client may come back: at random, so that they do not come together.
    pub(super) fn retry_after_secs(&self) -> u64 {
        let base = self.config.retry_after.as_secs().max(1);
        base + random::below(base)
    }
}

/// One timer for the deadlines of all sessions.
pub(super) struct DeadlineDriver<D> {
    table: Lock<Table<D>>,
    /// Tells the driver that an earlier deadline was entered, or that the engine is gone.
    earlier: Arc<Notify>,
    hub: Weak<Hub<D>>,
}

struct Table<D> {
    entries: Deadlines<Arc<Shared<D>>>,
    is_running: bool,
}

impl<D: Send + Sync + 'static> DeadlineDriver<D> {
    fn new(hub: Weak<Hub<D>>) -> Self {
        Self {
            table: Lock::new(Table {
                entries: Deadlines::new(),
                is_running: false,
            }),
            earlier: Arc::new(Notify::new()),
            hub,
        }
    }

    /// Enters a deadline in place of an older one.
    pub(super) fn enter(
        &self,
        old: Option<DeadlineKey>,
        at: Instant,
        session: Arc<Shared<D>>,
    ) -> DeadlineKey {
        let mut table = self.table.lock();
        if let Some(old) = old {
            table.entries.remove(old);
        }
        let (key, rings_earlier) = table.entries.insert(at, session);
        let must_start = !std::mem::replace(&mut table.is_running, true);
        drop(table);
        if must_start {
            self.start();
        } else if rings_earlier {
            self.earlier.notify_one();
        }
        key
    }

    pub(super) fn remove(&self, key: DeadlineKey) {
        self.table.lock().entries.remove(key);
    }

    /// Runs until the engine is dropped.
    #[expect(
        clippy::disallowed_methods,
        reason = "the timer task; ends with the engine"
    )]
    fn start(&self) {
        let hub = Weak::clone(&self.hub);
        let earlier = Arc::clone(&self.earlier);
        tokio::spawn(async move {
            while let Some(next) = hub.upgrade().map(|hub| hub.fire_due()) {
                let woken = earlier.notified();
                match next {
                    Some(at) => {
                        let _ = tokio::time::timeout_at(at.into(), woken).await;
                    }
                    None => woken.await,
                }
            }
        });
    }
}

impl<D> Drop for DeadlineDriver<D> {
    fn drop(&mut self) {
        self.earlier.notify_one();
    }
}

impl<D: Send + Sync + 'static> Hub<D> {
    /// Hands every due deadline to its session; when to come back.
    fn fire_due(&self) -> Option<Instant> {
        let now = clock::now();

        loop {
            let due = self.deadlines.table.lock().entries.pop_due(now);
            let Some(session) = due else { break };
            session.handle_deadline(now);
        }
        self.deadlines.table.lock().entries.set_alarm()
    }
}
