//! The timers of the runtimes that serve, and whoever enters a deadline.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Id};
use tokio::sync::Notify;

use super::explore_in_runtime;
use crate::server::clock;
use crate::server::hub::alarm::{Alarm, Due};

/// Waits for its deadline.
#[derive(Default)]
struct Patient {
    told: AtomicUsize,
    is_told: Notify,
}

impl Due for Patient {
    fn due(self: Arc<Self>, _: Instant) {
        self.told.fetch_add(1, Ordering::Relaxed);
        self.is_told.notify_one();
    }
}

/// What a thread of a model does with the table.
type Run = fn(Arc<Alarm<Patient>>, [Id; 2]);

/// Has so many deadlines that are due entered beside what other threads do in two runtimes, waits until they are told, and for
/// the others to end with the table.
fn enter_beside<const N: usize>(count: usize, others: [(&'static str, Run); N]) {
    let runtimes = [(); 2].map(|()| Builder::new_current_thread().build().unwrap());
    let ids = [0, 1].map(|at: usize| runtimes[at].handle().id());
    explore_in_runtime(move |_| {
        let alarm = Arc::new(Alarm::new());
        let patient = Arc::new(Patient::default());
        let others = others.map(|(name, run)| {
            let alarm = Arc::clone(&alarm);
            schedules::spawn(name, move || run(alarm, ids))
        });
        let (of_session, entered) = (Arc::clone(&alarm), Arc::clone(&patient));
        let session = schedules::spawn("session", move || {
            // A timer that is set for a time that has passed rings at once.
            let at = clock::now() - Duration::from_secs(1);
            for _ in 0..count {
                of_session.enter(None, at.into(), Arc::clone(&entered));
            }
        });
        while patient.told.load(Ordering::Relaxed) < count {
            schedules::block_on(patient.is_told.notified());
        }
        session.join();
        drop(alarm);
        others.into_iter().for_each(schedules::Thread::join);
        assert_eq!(patient.told.load(Ordering::Relaxed), count, "how often");
    });
}

/// What a request does that a runtime serves: starts the timer, which runs on as a task.
fn serve(alarm: Arc<Alarm<Patient>>, runtime: Id) {
    let timer = alarm.timer_of(runtime);
    drop(alarm);
    timer.map(schedules::block_on);
}

#[test]
fn a_deadline_is_told_though_the_runtime_that_served_first_ends() {
    enter_beside(
        1,
        [
            ("first runtime", |alarm, [first, _]| {
                let Some(timer) = alarm.timer_of(first) else {
                    return;
                };
                let mut timer = pin!(timer);
                schedules::block_on(poll_fn(|cx| {
                    let _ = timer.as_mut().poll(cx);
                    Poll::Ready(())
                }));
            }),
            ("second runtime", |alarm, [_, second]| serve(alarm, second)),
        ],
    );
}

#[test]
fn a_deadline_is_told_by_one_of_two_runtimes_and_both_timers_end_with_the_table() {
    enter_beside(
        1,
        [
            ("first runtime", |alarm, [first, _]| serve(alarm, first)),
            ("second runtime", |alarm, [_, second]| serve(alarm, second)),
        ],
    );
}

#[test]
fn a_deadline_is_told_though_the_timer_waits_for_a_later_one() {
    enter_beside(
        2,
        [("runtime", |alarm, [first, _]| {
            let later = clock::now() + Duration::from_secs(600);
            alarm.enter(None, later.into(), Arc::default());
            serve(alarm, first);
        })],
    );
}

#[test]
fn a_runtime_that_serves_two_requests_at_once_has_one_timer() {
    let runtime = Builder::new_current_thread().build().unwrap();
    let id = runtime.handle().id();
    explore_in_runtime(move |_| {
        let alarm: Arc<Alarm<Patient>> = Arc::new(Alarm::new());
        let requests = [(); 2].map(|()| {
            let alarm = Arc::clone(&alarm);
            schedules::spawn("request", move || alarm.timer_of(id))
        });
        let timers = requests.map(schedules::Thread::join);
        assert_eq!(timers.iter().flatten().count(), 1);
    });
}
