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

/// Has a deadline that is due entered beside what other threads do in two runtimes, waits until it is told, and for the others
/// to end with the table.
fn enter_beside<const N: usize>(others: [(&'static str, Run); N]) {
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
            of_session.enter(None, clock::now(), entered);
        });
        schedules::block_on(patient.is_told.notified());
        session.join();
        drop(alarm);
        others.into_iter().for_each(schedules::Thread::join);
        assert_eq!(patient.told.load(Ordering::Relaxed), 1, "how often");
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
    enter_beside([
        ("first runtime", |alarm, [first, _]| {
            let mut timer = pin!(alarm.timer_of(first).unwrap());
            schedules::block_on(poll_fn(|cx| {
                let _ = timer.as_mut().poll(cx);
                Poll::Ready(())
            }));
        }),
        ("second runtime", |alarm, [_, second]| serve(alarm, second)),
    ]);
}

#[test]
fn a_deadline_is_told_by_one_of_two_runtimes_and_both_timers_end_with_the_table() {
    enter_beside([
        ("first runtime", |alarm, [first, _]| serve(alarm, first)),
        ("second runtime", |alarm, [_, second]| serve(alarm, second)),
    ]);
}

#[test]
fn a_deadline_is_told_though_the_timer_waits_for_a_later_one() {
    enter_beside([("runtime", |alarm, [first, _]| {
        let later = clock::now() + Duration::from_secs(600);
        alarm.enter(None, later, Arc::default());
        serve(alarm, first);
    })]);
}

#[test]
fn a_runtime_that_serves_two_requests_at_once_has_one_timer() {
    enter_beside([
        ("request", |alarm, [first, _]| serve(alarm, first)),
        ("request beside it", |alarm, [first, _]| serve(alarm, first)),
    ]);
}
