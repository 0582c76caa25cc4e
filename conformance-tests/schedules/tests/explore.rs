//! What the explorer finds, what it does not, and what it says.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::sync::Arc;
use std::task::{Poll, Waker};

use schedules::sync::Mutex;
use schedules::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use schedules::{Bounds, Failure, block_on, explore, replay, search, spawn};

/// Runs all of these side by side, to their end.
fn side_by_side<const N: usize>(threads: [Box<dyn FnOnce() + Send>; N]) {
    let threads = threads.map(|run| spawn("one", run));
    threads.into_iter().for_each(|thread| thread.join());
}

fn bounds(preemptions: usize) -> Bounds {
    Bounds {
        preemptions,
        ..Bounds::default()
    }
}

fn lost_update() {
    let count = Arc::new(AtomicUsize::new(0));
    let add = || -> Box<dyn FnOnce() + Send> {
        let count = Arc::clone(&count);
        Box::new(move || count.store(count.load(SeqCst) + 1, SeqCst))
    };
    side_by_side([add(), add()]);
    assert_eq!(count.load(SeqCst), 2, "an update was lost");
}

fn found(preemptions: usize, model: fn()) -> Box<Failure> {
    search(bounds(preemptions), model).expect_err("the model fails under some schedule")
}

#[test]
fn an_update_that_is_lost_is_found_with_one_preemption_and_not_with_none() {
    assert!(search(bounds(0), lost_update).is_ok());
    let failure = found(1, lost_update);
    assert!(failure.message.contains("an update was lost"), "{failure}");
}

#[test]
fn what_failed_fails_again_under_its_schedule_alone() {
    let failure = found(2, lost_update);
    let again = replay(bounds(0), failure.schedule.clone(), lost_update).unwrap_err();
    assert_eq!(again.schedule, failure.schedule);
    assert_eq!(again.message, failure.message);
    assert_eq!(again.tried, 1);
}

#[test]
fn a_failure_tells_where_threads_were_stopped_and_how_to_run_it_again() {
    let failure = found(1, lost_update);
    let text = failure.to_string();
    let schedule = format!("SCHEDULE='{}' cargo test", failure.schedule);
    let place = format!("is preempted before {}", file!());
    assert!(text.contains(&schedule) && text.contains(&place), "{text}");
    let text = found(1, locks_in_both_orders).to_string();
    assert!(text.contains(&place), "{text}");
}

#[test]
fn a_mutex_lets_one_in_at_a_time() {
    explore(|| {
        let value = Arc::new(Mutex::new(0));
        let add = || -> Box<dyn FnOnce() + Send> {
            let value = Arc::clone(&value);
            Box::new(move || {
                let mut value = value.lock().unwrap();
                let before = *value;
                schedules::point();
                *value = before + 1;
            })
        };
        side_by_side([add(), add(), add()]);
        assert_eq!(*value.lock().unwrap(), 3);
    });
}

fn locks_in_both_orders() {
    let locks = Arc::new([Mutex::new(()), Mutex::new(())]);
    let take = |first: usize, second: usize| -> Box<dyn FnOnce() + Send> {
        let locks = Arc::clone(&locks);
        Box::new(move || {
            let _first = locks[first].lock().unwrap();
            let _second = locks[second].lock().unwrap();
        })
    };
    side_by_side([take(0, 1), take(1, 0)]);
}

#[test]
fn locks_taken_in_both_orders_are_found() {
    let failure = found(1, locks_in_both_orders);
    assert!(failure.message.contains("deadlock"), "{failure}");
}

#[test]
fn who_spins_is_found() {
    let failure = found(0, || {
        let flag = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&flag);
        let waiting = spawn("waiting", move || while seen.load(SeqCst) == 0 {});
        spawn("setting", move || flag.store(1, SeqCst)).join();
        waiting.join();
    });
    assert!(failure.message.contains("max_steps"), "{failure}");
}

#[test]
fn a_model_with_too_many_schedules_fails() {
    let mut bounds = bounds(2);
    bounds.schedules = 10;
    let failure = search(bounds, || {
        let both = ["a", "b"].map(|name| spawn(name, || (0..20).for_each(|_| schedules::point())));
        both.into_iter().for_each(|thread| thread.join());
    });
    let failure = failure.unwrap_err();
    assert!(
        failure.message.contains("more than 10 schedules"),
        "{failure}"
    );
}

/// A flag and who waits for it. `is_careful` looks at the flag again once the waker is in place.
fn wait_for_flag(is_careful: bool) {
    let flag = Arc::new(AtomicUsize::new(0));
    let waiting = Arc::new(Mutex::new(None::<Waker>));
    let waiter = spawn("waiter", {
        let (flag, waiting) = (Arc::clone(&flag), Arc::clone(&waiting));
        move || {
            block_on(std::future::poll_fn(|cx| {
                if flag.load(SeqCst) == 1 {
                    return Poll::Ready(());
                }
                *waiting.lock().unwrap() = Some(cx.waker().clone());
                if is_careful && flag.load(SeqCst) == 1 {
                    return Poll::Ready(());
                }
                Poll::Pending
            }));
        }
    });
    flag.store(1, SeqCst);
    let waker = waiting.lock().unwrap().take();
    if let Some(waker) = waker {
        waker.wake();
    }
    waiter.join();
}

#[test]
fn a_lost_wake_is_found_and_a_kept_one_is_not_taken_for_lost() {
    let failure = found(2, || wait_for_flag(false));
    assert!(failure.message.contains("deadlock"), "{failure}");
    explore(|| wait_for_flag(true));
}

#[test]
fn a_test_that_fails_beside_the_models_is_told_as_ever() {
    const NAME: &str = "a_test_that_fails_beside_the_models_is_told_as_ever";
    const IS_CHILD: &str = "FAILS_BESIDE_MODELS";
    if std::env::var_os(IS_CHILD).is_some() {
        explore(|| {});
        panic!("plainly");
    }
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(IS_CHILD, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stderr);
    assert!(told.contains("plainly"), "{told}");
    assert!(!told.contains("Task failed"), "{told}");
}
