//! Which task runs next, drawn from the seed.
//!
//! The library's tables are hashed with keys of their own, so the order in which a broadcast wakes its receivers
//! differs from run to run. Here the order of waking is not seen: what is ready is a set, and the seed chooses from it.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use crate::rng::Rng;

/// How many tasks are run before those that the library itself spawned have their turn.
const TURNS: u64 = 6;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Shared>>> = const { RefCell::new(None) };
}

type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    next: u64,
    waiting: BTreeMap<u64, Body>,
    ready: BTreeSet<u64>,
    /// Whose task was dropped while it ran.
    running: Option<u64>,
    is_aborted: bool,
    root: Option<Waker>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, task: u64) {
        let mut state = self.state();
        state.ready.insert(task);
        let root = state.root.take();
        drop(state);
        if let Some(root) = root {
            root.wake();
        }
    }
}

struct Alarm {
    shared: Arc<Shared>,
    task: u64,
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.shared.wake(self.task);
    }
}

/// Runs `main` and all that it spawns; what is left when it ends is dropped.
pub(crate) struct Executor<F> {
    main: Pin<Box<F>>,
    shared: Arc<Shared>,
    rng: Rng,
}

impl<F: Future> Executor<F> {
    pub(crate) fn new(rng: Rng, main: F) -> Self {
        let shared = Arc::<Shared>::default();
        CURRENT.with(|current| *current.borrow_mut() = Some(Arc::clone(&shared)));
        Self {
            main: Box::pin(main),
            shared,
            rng,
        }
    }

    fn run_one(&mut self) -> bool {
        let mut state = self.shared.state();
        if state.ready.is_empty() {
            return false;
        }
        let place = self.rng.below(state.ready.len());
        let Some(task) = state.ready.iter().nth(place).copied() else {
            return false;
        };
        state.ready.remove(&task);
        let Some(mut body) = state.waiting.remove(&task) else {
            return true;
        };
        state.running = Some(task);
        drop(state);
        let waker = Waker::from(Arc::new(Alarm {
            shared: Arc::clone(&self.shared),
            task,
        }));
        let is_done = body
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_ready();
        let mut state = self.shared.state();
        state.running = None;
        if !std::mem::take(&mut state.is_aborted) && !is_done {
            state.waiting.insert(task, body);
        } else {
            // Dropping it may wake and end others.
            drop(state);
            drop(body);
        }
        true
    }
}

impl<F: Future> Future for Executor<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = &mut *self;
        this.shared.state().root = Some(cx.waker().clone());
        if let Poll::Ready(done) = this.main.as_mut().poll(cx) {
            return Poll::Ready(done);
        }
        for _ in 0..this.rng.between(1, TURNS) {
            if !this.run_one() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<F> Drop for Executor<F> {
    fn drop(&mut self) {
        let waiting = std::mem::take(&mut self.shared.state().waiting);
        drop(waiting);
        CURRENT.with(|current| *current.borrow_mut() = None);
    }
}

/// A task that ends with this, unless it is detached.
pub(crate) struct Task(Option<u64>);

impl Task {
    /// Lets it run to its end, or to the end of the run.
    pub(crate) fn detach(mut self) {
        self.0 = None;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let (Some(task), Some(shared)) = (self.0, current()) else {
            return;
        };
        let mut state = shared.state();
        if state.running == Some(task) {
            state.is_aborted = true;
        }
        let body = state.waiting.remove(&task);
        drop(state);
        drop(body);
    }
}

fn current() -> Option<Arc<Shared>> {
    CURRENT.with(|current| current.borrow().clone())
}

pub(crate) fn spawn(body: impl Future<Output = ()> + Send + 'static) -> Task {
    let shared = current().unwrap();
    let mut state = shared.state();
    let task = state.next;
    state.next += 1;
    state.waiting.insert(task, Box::pin(body));
    drop(state);
    shared.wake(task);
    Task(Some(task))
}
