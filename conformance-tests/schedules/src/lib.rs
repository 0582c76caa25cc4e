//! Explores the schedules of threads that share locks and atomics, so that a race is found by going through what can happen
//! rather than by luck. For tests: [`sync`] takes the place of `std::sync` under `cfg(test)`, and a *model* is a test that has
//! a few threads do what a server's threads do, joins them and states what must hold then.
//!
//! ```
//! use std::sync::Arc;
//! use schedules::sync::atomic::{AtomicUsize, Ordering::SeqCst};
//!
//! schedules::explore(|| {
//!     let count = Arc::new(AtomicUsize::new(0));
//!     let threads = ["a", "b"].map(|name| {
//!         let count = Arc::clone(&count);
//!         schedules::spawn(name, move || count.fetch_add(1, SeqCst))
//!     });
//!     threads.into_iter().for_each(|thread| drop(thread.join()));
//!     assert_eq!(count.load(SeqCst), 2);
//! });
//! ```
//!
//! [`explore`] tries every schedule with at most two preemptions. A thread can be preempted before each use of a mutex or atomic
//! of [`sync`], at each [`point`], and before a waker of [`block_on`] is called; everything else is one step. What fails is
//! told with the switches of its schedule and how to run it again: with the environment variable `SCHEDULE`. The thread that
//! the model begins in counts as any other, so let it start the others, join them and do nothing in between: the choice who
//! goes on when it waits is no preemption.
//!
//! Not explored: what weaker orderings than `SeqCst` let a thread see, and time, which a model hands out itself.

mod explorer;
mod search;
pub mod sync;

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use shuttle::future::batch_semaphore::{BatchSemaphore, Fairness};

use explorer::Guide;
pub use search::{NoSchedule, Schedule};
use search::{Replay, Search};
pub use sync::point;

/// Where a schedule to run again is looked for.
const VARIABLE: &str = "SCHEDULE";

/// How far an exploration goes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// How often a schedule may switch away from a thread that could have run on. Two by default.
    pub preemptions: usize,
    /// How many schedules there may be: 100,000 by default. One more fails the model, which is to be made smaller.
    pub schedules: usize,
    /// How many steps an execution may take: 10,000 by default. One more fails the model: somebody waits without being blocked.
    pub steps: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            preemptions: 2,
            schedules: 100_000,
            steps: 10_000,
        }
    }
}

/// What an execution of a model did that it must not do.
#[derive(Debug)]
pub struct Failure {
    /// What was panicked with, or who is blocked.
    pub message: String,
    /// Runs it again.
    pub schedule: Schedule,
    /// The how many-th it was that was tried.
    pub tried: usize,
    switches: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            message,
            schedule,
            tried,
            switches,
        } = self;
        writeln!(f, "schedule {tried} fails: {message}")?;
        for switch in switches {
            writeln!(f, "  {switch}")?;
        }
        let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
        let thread = std::thread::current();
        let test = thread.name().unwrap_or_default();
        write!(
            f,
            "again: {VARIABLE}='{schedule}' cargo test --all-features -p {package} {test}"
        )
    }
}

/// Runs a model under every schedule with at most two preemptions; how many there are.
///
/// # Panics
///
/// When one of them panics, leaves all threads blocked or does not end.
pub fn explore(model: impl Fn() + Send + Sync + 'static) -> usize {
    explore_within(Bounds::default(), model)
}

/// The same within other bounds.
///
/// # Panics
///
/// When one of them panics, leaves all threads blocked or does not end.
#[expect(clippy::panic, reason = "that is how a test fails")]
pub fn explore_within(bounds: Bounds, model: impl Fn() + Send + Sync + 'static) -> usize {
    let found = match std::env::var(VARIABLE) {
        Ok(schedule) => match schedule.parse() {
            Ok(schedule) => replay(bounds, schedule, model).map(|()| 1),
            Err(NoSchedule) => panic!("{VARIABLE} is no schedule: {schedule}"),
        },
        Err(_) => search(bounds, model),
    };
    found.unwrap_or_else(|failure| panic!("{failure}"))
}

/// The same, for who expects that something fails: how many schedules there are, or the first that fails.
///
/// # Errors
///
/// When a schedule fails.
pub fn search(
    bounds: Bounds,
    model: impl Fn() + Send + Sync + 'static,
) -> Result<usize, Box<Failure>> {
    let guide = Guide::Search(Search::new(bounds.preemptions));
    explorer::run(bounds, guide, model)
}

/// Runs one schedule.
///
/// # Errors
///
/// When it fails.
pub fn replay(
    bounds: Bounds,
    schedule: Schedule,
    model: impl Fn() + Send + Sync + 'static,
) -> Result<(), Box<Failure>> {
    let guide = Guide::Replay(Replay::new(schedule));
    explorer::run(bounds, guide, model).map(drop)
}

/// A thread of a model.
#[derive(Debug)]
pub struct Thread<T>(shuttle::thread::JoinHandle<T>);

impl<T> Thread<T> {
    /// Waits for its end; what it returned.
    ///
    /// # Panics
    ///
    /// When it did, which fails the schedule.
    #[expect(clippy::unwrap_used, reason = "that is how a test fails")]
    #[expect(clippy::must_use_candidate, reason = "most are waited for only")]
    pub fn join(self) -> T {
        self.0.join().unwrap()
    }
}

/// Starts a thread of a model. Its name is for who reads a failure.
///
/// # Panics
///
/// Outside of a model.
#[expect(clippy::unwrap_used, reason = "the explorer starts any number")]
pub fn spawn<T: Send + 'static>(name: &str, run: impl FnOnce() -> T + Send + 'static) -> Thread<T> {
    let builder = shuttle::thread::Builder::new().name(name.to_owned());
    Thread(builder.spawn(run).unwrap())
}

/// Runs a future in a thread of a model, which polls it when it is woken, and only then.
///
/// # Panics
///
/// Outside of a model, if the future waits.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let alarm = Arc::new(Alarm {
        rings: BatchSemaphore::new(0, Fairness::Unfair),
        has_rung: AtomicBool::new(false),
    });
    let waker = Waker::from(Arc::clone(&alarm));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        alarm.wait();
    }
}

/// Wakes a thread. The explorer's own waker would be mixed up with that of a mutex the future waits for.
struct Alarm {
    rings: BatchSemaphore,
    has_rung: AtomicBool,
}

impl Alarm {
    fn wait(&self) {
        let _ = self.rings.acquire_blocking(1);
        self.has_rung.store(false, Ordering::SeqCst);
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    #[track_caller]
    fn wake_by_ref(self: &Arc<Self>) {
        point();
        if !self.has_rung.swap(true, Ordering::SeqCst) {
            self.rings.release_no_scheduling_point(1);
        }
    }
}
