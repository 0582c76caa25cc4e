//! Answers of the network that come when the script says so, and how often they were asked for.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::base::future::BoxFuture;
use crate::base::lock::Lock;
use crate::fetch::exchange::{Fetch, FetchError, FetchRequest, FetchResponse};

/// A [`Fetch`] that follows a script. Clones share it.
///
/// ```
/// # async fn example() {
/// use socketio_auth::{fetch::Fetch, testing::FakeFetch};
///
/// let network = FakeFetch::new();
/// network.answer(200, r#"{"keys":[]}"#);
/// network.fail();
/// // … hand a clone to what is tested …
/// assert_eq!(network.calls(), 0);
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct FakeFetch(Arc<Lock<Script>>);

#[derive(Debug, Default)]
struct Script {
    answers: VecDeque<Result<FetchResponse, FetchError>>,
    requests: Vec<FetchRequest>,
    is_held: bool,
}

impl FakeFetch {
    /// A network that does not answer yet: requests beyond the script fail.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next request is answered so.
    pub fn answer(&self, status: u16, body: &str) {
        self.answer_with(FetchResponse::new(status, body.as_bytes().to_vec()));
    }

    /// The next request is answered so, headers included.
    pub fn answer_with(&self, response: FetchResponse) {
        self.0.lock().answers.push_back(Ok(response));
    }

    /// The next request fails.
    pub fn fail(&self) {
        self.0.lock().answers.push_back(Err(FetchError::Timeout));
    }

    /// Requests wait from now on, until [`release`](Self::release).
    pub fn hold(&self) {
        self.0.lock().is_held = true;
    }

    /// Lets waiting requests have their answers, when their tasks are polled next.
    pub fn release(&self) {
        self.0.lock().is_held = false;
    }

    /// How many requests came.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.0.lock().requests.len()
    }

    /// The requests that came.
    #[must_use]
    pub fn requests(&self) -> Vec<FetchRequest> {
        self.0.lock().requests.clone()
    }
}

impl Fetch for FakeFetch {
    async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        self.0.lock().requests.push(request);
        poll_fn(|_| {
            let mut script = self.0.lock();
            if script.is_held {
                return Poll::Pending;
            }
            Poll::Ready(
                script
                    .answers
                    .pop_front()
                    .unwrap_or(Err(FetchError::Timeout)),
            )
        })
        .await
    }
}

/// Tasks that run when the test says so: the `spawn` of a cache under test. Clones share them.
///
/// ```
/// use socketio_auth::testing::Tasks;
///
/// let tasks = Tasks::default();
/// tasks.spawn(Box::pin(async {}));
/// assert_eq!(tasks.len(), 1);
/// tasks.poll();
/// assert!(tasks.is_empty());
/// ```
#[derive(Clone, Default)]
pub struct Tasks(Arc<Lock<Vec<BoxFuture<'static, ()>>>>);

impl Tasks {
    /// Adds a task; it does not run yet.
    pub fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.0.lock().push(task);
    }

    /// Polls every task once and forgets those that ended.
    pub fn poll(&self) {
        let mut tasks = std::mem::take(&mut *self.0.lock());
        let mut cx = Context::from_waker(Waker::noop());
        tasks.retain_mut(|task| task.as_mut().poll(&mut cx).is_pending());
        self.0.lock().append(&mut tasks);
    }

    /// Drops every task, as a runtime does that shuts down.
    pub fn abort(&self) {
        let tasks = std::mem::take(&mut *self.0.lock());
        drop(tasks);
    }

    /// How many tasks have not ended.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().len()
    }

    /// True when every task has ended.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks").field("len", &self.len()).finish()
    }
}
