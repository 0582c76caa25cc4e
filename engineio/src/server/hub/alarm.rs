//! One table of the deadlines of all sessions, and a timer in each runtime that serves them.

use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio::runtime::{Handle, Id};
use tokio::sync::Notify;

use crate::lock::Lock;
use crate::moment::Moment;
use crate::proto::deadlines::{DeadlineKey, Deadlines};
use crate::server::clock;
use crate::server::tasks::spawn;

/// What has deadlines.
pub(crate) trait Due: Send + Sync + 'static {
    /// The deadline that was entered last has come up, and is entered no more.
    fn due(self: Arc<Self>, now: Instant);
}

/// The deadlines of all sessions, and who waits for the earliest.
pub(crate) struct Alarm<S>(Arc<Table<S>>);

struct Table<S> {
    state: Lock<State<S>>,
}

struct State<S> {
    entries: Deadlines<Arc<S>>,
    /// One for each runtime. Whichever comes first tells all that is due, so that no deadline hangs on a runtime that is
    /// over, or that nobody drives any more. As a rule there is one.
    timers: Vec<Timer>,
}

struct Timer {
    runtime: Id,
    /// Tells the task that an earlier deadline was entered, or that the alarm is gone.
    earlier: Arc<Notify>,
}

impl<S> Alarm<S> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Table {
            state: Lock::new(State {
                entries: Deadlines::new(),
                timers: Vec::new(),
            }),
        }))
    }

    pub(crate) fn remove(&self, key: DeadlineKey) {
        self.0.state.lock().entries.remove(key);
    }
}

impl<S: Due> Alarm<S> {
    /// Enters a deadline in place of an older one.
    pub(crate) fn enter(
        &self,
        old: Option<DeadlineKey>,
        at: Moment,
        session: Arc<S>,
    ) -> DeadlineKey {
        let mut state = self.0.state.lock();
        if let Some(old) = old {
            state.entries.remove(old);
        }
        let (key, rings_earlier) = state.entries.insert(at, session);
        if rings_earlier {
            state.notify();
        }
        key
    }

    /// What a timer does when it is woken, for models in which a thread stands for it.
    #[cfg(test)]
    pub(crate) fn ring(&self, now: Instant) {
        self.0.ring(now);
    }

    /// Has deadlines told in the runtime this is called from, if they are not yet: it serves sessions.
    pub(crate) fn run_here(&self) {
        if let Some(timer) = self.timer_of(Handle::current().id()) {
            spawn(timer);
        }
    }

    /// The task that tells deadlines in a runtime; `None` where there is one. It leaves its place when it is dropped.
    pub(crate) fn timer_of(&self, runtime: Id) -> Option<impl Future<Output = ()> + Send + use<S>> {
        let mut state = self.0.state.lock();
        if state.timers.iter().any(|timer| timer.runtime == runtime) {
            return None;
        }
        let earlier = Arc::new(Notify::new());
        state.timers.push(Timer {
            runtime,
            earlier: Arc::clone(&earlier),
        });
        drop(state);
        let place = Place {
            table: Arc::downgrade(&self.0),
            runtime,
        };
        Some(async move {
            while let Some(next) = place.table.upgrade().map(|table| table.ring(clock::now())) {
                let woken = earlier.notified();
                match next {
                    Some(at) => {
                        let _ = tokio::time::timeout_at(at.into(), woken).await;
                    }
                    None => woken.await,
                }
            }
        })
    }
}

impl<S> State<S> {
    fn notify(&self) {
        for timer in &self.timers {
            timer.earlier.notify_one();
        }
    }
}

impl<S> Drop for Table<S> {
    /// Not of [`Alarm`]: the task that is woken must not find the table still there.
    fn drop(&mut self) {
        self.state.lock().notify();
    }
}

impl<S: Due> Table<S> {
    /// Tells everyone whose deadline is due; when to come back.
    fn ring(&self, now: Instant) -> Option<Instant> {
        loop {
            let due = self.state.lock().entries.pop_due(now);
            let Some(session) = due else { break };
            session.due(now);
        }
        self.state.lock().entries.set_alarm()
    }
}

/// The place of a timer's task among the others; given up when its runtime ends.
struct Place<S> {
    table: Weak<Table<S>>,
    runtime: Id,
}

impl<S> Drop for Place<S> {
    fn drop(&mut self) {
        if let Some(table) = self.table.upgrade() {
            let timers = &mut table.state.lock().timers;
            timers.retain(|timer| timer.runtime != self.runtime);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::runtime::{Builder, Runtime};

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    struct Patient(Lock<u32>);

    impl Due for Patient {
        fn due(self: Arc<Self>, _: Instant) {
            *self.0.lock() += 1;
        }
    }

    fn patient() -> Arc<Patient> {
        Arc::new(Patient(Lock::new(0)))
    }

    /// One whose clock jumps to the next deadline.
    fn runtime() -> Runtime {
        let mut builder = Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    }

    #[test]
    fn a_deadline_is_told_once_however_many_runtimes_there_are() {
        let (alarm, patient) = (Alarm::new(), patient());
        let other = runtime();
        other.block_on(async { alarm.run_here() });
        runtime().block_on(async {
            alarm.run_here();
            alarm.run_here();
            alarm.enter(None, (clock::now() + SOON).into(), Arc::clone(&patient));
            tokio::time::sleep(2 * SOON).await;
        });
        other.block_on(async { tokio::time::sleep(4 * SOON).await });
        assert_eq!(*patient.0.lock(), 1);
    }

    #[test]
    fn a_deadline_outlives_the_runtime_that_saw_it_first() {
        for is_driven_no_more in [false, true] {
            let (alarm, patient) = (Alarm::new(), patient());
            let first = runtime();
            first.block_on(async {
                alarm.run_here();
                alarm.enter(None, (clock::now() + SOON).into(), Arc::clone(&patient));
                tokio::task::yield_now().await;
            });
            let kept = is_driven_no_more.then_some(first);
            runtime().block_on(async {
                alarm.run_here();
                tokio::time::sleep(2 * SOON).await;
                assert_eq!(*patient.0.lock(), 1);
                alarm.enter(None, (clock::now() + SOON).into(), Arc::clone(&patient));
                tokio::time::sleep(2 * SOON).await;
            });
            drop(kept);
            assert_eq!(*patient.0.lock(), 2);
        }
    }

    #[test]
    fn a_runtime_that_ended_leaves_its_place() {
        let alarm: Alarm<Patient> = Alarm::new();
        runtime().block_on(async { alarm.run_here() });
        assert_eq!(alarm.0.state.lock().timers.len(), 0);
    }

    #[test]
    fn a_timer_ends_with_its_alarm() {
        let runtime = runtime();
        let alarm: Alarm<Patient> = Alarm::new();
        runtime.block_on(async {
            alarm.run_here();
            tokio::task::yield_now().await;
            assert_eq!(runtime.metrics().num_alive_tasks(), 1);
            drop(alarm);
            tokio::task::yield_now().await;
            assert_eq!(runtime.metrics().num_alive_tasks(), 0);
        });
    }
}
