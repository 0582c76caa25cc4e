//! One timer for the deadlines of all sessions.

use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio::sync::Notify;

use crate::proto::deadlines::{DeadlineKey, Deadlines};
use crate::server::clock;
use crate::server::lock::Lock;
use crate::server::tasks::spawn;

/// What has deadlines.
pub(crate) trait Due: Send + Sync + 'static {
    /// The deadline that was entered last has come up, and is entered no more.
    fn due(self: Arc<Self>, now: Instant);
}

/// The deadlines of all sessions, and the task that waits for the earliest. The task ends with the alarm.
pub(crate) struct Alarm<S>(Arc<Ringing<S>>);

struct Ringing<S> {
    table: Lock<Table<S>>,
    /// Tells the task that an earlier deadline was entered, or that the alarm is gone.
    earlier: Arc<Notify>,
}

struct Table<S> {
    entries: Deadlines<Arc<S>>,
    is_running: bool,
}

impl<S> Alarm<S> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Ringing {
            table: Lock::new(Table {
                entries: Deadlines::new(),
                is_running: false,
            }),
            earlier: Arc::new(Notify::new()),
        }))
    }

    pub(crate) fn remove(&self, key: DeadlineKey) {
        self.0.table.lock().entries.remove(key);
    }
}

impl<S: Due> Alarm<S> {
    /// Enters a deadline in place of an older one.
    pub(crate) fn enter(
        &self,
        old: Option<DeadlineKey>,
        at: Instant,
        session: Arc<S>,
    ) -> DeadlineKey {
        let mut table = self.0.table.lock();
        if let Some(old) = old {
            table.entries.remove(old);
        }
        let (key, rings_earlier) = table.entries.insert(at, session);
        let must_start = !std::mem::replace(&mut table.is_running, true);
        drop(table);
        if must_start {
            self.start();
        } else if rings_earlier {
            self.0.earlier.notify_one();
        }
        key
    }

    fn start(&self) {
        let ringing: Weak<Ringing<S>> = Arc::downgrade(&self.0);
        let earlier = Arc::clone(&self.0.earlier);
        spawn(async move {
            while let Some(next) = ringing.upgrade().map(|ringing| ringing.ring()) {
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

impl<S> Drop for Ringing<S> {
    /// Not of [`Alarm`]: the task that is woken must not find the alarm still there.
    fn drop(&mut self) {
        self.earlier.notify_one();
    }
}

impl<S: Due> Ringing<S> {
    /// Tells everyone whose deadline is due; when to come back.
    fn ring(&self) -> Option<Instant> {
        let now = clock::now();
        loop {
            let due = self.table.lock().entries.pop_due(now);
            let Some(session) = due else { break };
            session.due(now);
        }
        self.table.lock().entries.set_alarm()
    }
}
