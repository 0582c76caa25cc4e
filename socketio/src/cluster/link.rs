//! The server's part in a cluster: publishing, and who is told what arrives. What it means is decided in
//! `proto::cluster`.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use socketio_auth::revocation::Revocation;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::unconstrained;

use super::adapter::{Adapter, Membership, WantedRooms};
use super::error::AdapterError;
use super::handle::{ClusterHandle, Hearing, Tasks};
use super::log::SharedLog;
use super::settings::ClusterSettings;
use crate::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::clock::now;
use crate::error::BuildError;
use crate::lock::Lock;
use crate::proto::cluster::message::{ClusterBody, ClusterMessage, RequestId, Scope, ServerId};
use crate::proto::cluster::node::{Input, Node, Output, Rhythm};
use crate::running::{Guarded, guard, poll_now};
use crate::trace;

/// How far apart the numbers of two namespaces of a server begin, and so of one namespace that is opened twice.
const NUMBERS_PER_NAMESPACE: u64 = 1 << 32;

/// How often the machines are asked whether it is time for something (CLA-06).
const TICK: Duration = Duration::from_secs(1);

/// Hears of what the adapter could not do.
pub(crate) type ErrorHook = Box<dyn Fn(&AdapterError) + Send + Sync>;

/// What the builder of a server was told about its cluster.
#[derive(Default)]
pub(crate) struct ServerClusterOptions {
    pub(crate) adapter: Option<Arc<dyn Adapter>>,
    pub(crate) settings: ClusterSettings,
    pub(crate) on_error: Option<ErrorHook>,
}

/// What the namespaces of a server share of its cluster.
pub(crate) struct Cluster {
    pub(crate) adapter: Arc<dyn Adapter>,
    pub(crate) uid: ServerId,
    /// Ids of questions count from the server's own number, so that those of two servers hardly meet.
    next_request: AtomicU64,
    /// How many namespaces were opened. One that is opened anew must not count from where its past began.
    opened: AtomicU64,
    /// Where the server was built. Emits come from any thread.
    pub(crate) tasks: Tasks,
    pub(crate) rhythm: Option<Rhythm>,
    pub(crate) wanted_rooms: WantedRooms,
    pub(crate) asks_rooms: bool,
    pub(crate) log: Option<Arc<dyn SharedLog>>,
    pub(crate) settings: ClusterSettings,
    /// How much is being opened, and so not heard of yet.
    opening: watch::Sender<usize>,
    is_connected: AtomicBool,
    errors: AtomicU64,
    ignored: AtomicU64,
    publishing: Slots,
    answering: Slots,
    on_error: Option<ErrorHook>,
    /// What is about no namespace.
    server_wide: Lock<Node<()>>,
    has_left: AtomicBool,
}

impl Cluster {
    pub(crate) fn new(
        options: ServerClusterOptions,
        stop: watch::Receiver<bool>,
    ) -> Result<Option<Arc<Self>>, BuildError> {
        let Some(adapter) = options.adapter else {
            return Ok(None);
        };
        let runtime = Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let number = getrandom::u64().map_err(|_| BuildError::NoRandomness)?;
        let rhythm = match adapter.membership() {
            Membership::Heartbeats {
                interval,
                max_silence,
                introduction,
            } => Some(Rhythm {
                interval,
                max_silence,
                introduction,
            }),
            Membership::Counted => None,
        };
        let uid = ServerId::of_number(number);
        let server_wide = Node::new(now(), uid.clone(), Scope::Server, None, 0, 0);
        Ok(Some(Arc::new(Self {
            server_wide: Lock::new(server_wide),
            wanted_rooms: adapter.wanted_rooms(),
            asks_rooms: adapter.asks_rooms(),
            log: adapter.log(),
            adapter,
            opening: watch::Sender::new(0),
            is_connected: AtomicBool::new(true),
            errors: AtomicU64::new(0),
            ignored: AtomicU64::new(0),
            uid,
            next_request: AtomicU64::new(number),
            opened: AtomicU64::new(0),
            tasks: Tasks::new(runtime, stop),
            rhythm,
            publishing: Slots::new(options.settings.max_publishing),
            answering: Slots::new(options.settings.max_requests),
            settings: options.settings,
            on_error: options.on_error,
            has_left: AtomicBool::new(false),
        })))
    }

    /// Starts the adapter, and the clock where the servers know of each other by heartbeats.
    pub(crate) fn start(self: &Arc<Self>, server: &Weak<dyn Hearing>) {
        let handle = ClusterHandle::new(Weak::clone(server), self.tasks.clone(), self.uid.clone());
        let cluster = Arc::clone(self);
        self.open_in_order(async move { cluster.adapter.start(handle).await });
        if self.rhythm.is_some() || self.log.is_some() {
            self.tasks.spawn(keep_time(Weak::clone(server)));
        }
    }

    /// Does what must be done before clients are taken.
    pub(crate) fn open_in_order<F>(self: &Arc<Self>, work: F)
    where
        F: Future<Output = Result<(), AdapterError>> + Send + 'static,
    {
        let opening = Opening::new(self);
        self.publish_in_order(async move {
            let outcome = work.await;
            drop(opening);
            outcome
        });
    }

    /// Resolves when what was opened is heard, or the time for it is up.
    //= RDS-08
    pub(crate) async fn ready(self: &Arc<Self>) -> Result<(), AdapterError> {
        let cluster = Arc::clone(self);
        let getting_ready = Guarded(Box::pin(async move {
            let mut opening = cluster.opening.subscribe();
            // The sender is in the cluster.
            let _ = opening.wait_for(|opening| *opening == 0).await;
            cluster.adapter.ready().await
        }));
        match tokio::time::timeout(self.settings.ready_timeout, getting_ready).await {
            Ok(ready) => ready.unwrap_or(Err(AdapterError::Panicked)),
            Err(_) => Err(AdapterError::TimedOut),
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.is_connected.load(Ordering::Acquire)
    }

    /// True if it was not so before.
    pub(crate) fn set_connected(&self, is_connected: bool) -> bool {
        self.is_connected.swap(is_connected, Ordering::AcqRel) != is_connected
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn counts(&self) -> Counts {
        Counts {
            errors: self.errors.load(Ordering::Relaxed),
            ignored: self.ignored.load(Ordering::Relaxed),
            publishing: self.publishing.taken.load(Ordering::Relaxed),
            answering: self.answering.taken.load(Ordering::Relaxed),
        }
    }

    /// Why something that was to be published was dropped.
    pub(crate) fn why_dropped(&self) -> AdapterError {
        if self.has_left.load(Ordering::Acquire) {
            AdapterError::Closed
        } else {
            AdapterError::TooManyPublishing
        }
    }

    /// Leaves the cluster for good, within the time limit of questions, with these last words of the namespaces.
    pub(crate) async fn leave(
        self: &Arc<Self>,
        of_namespaces: impl IntoIterator<Item = ClusterMessage>,
    ) {
        if self.has_left.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut farewells = vec![self.stamp_server_wide(ClusterBody::AdapterClose)];
        farewells.extend(of_namespaces);
        let time_limit = self.settings.request_timeout;
        let cluster = Arc::clone(self);
        let leaving = Box::pin(async move {
            let mut outcome = Ok(());
            for farewell in farewells {
                outcome = outcome.and(cluster.adapter.publish(farewell).await);
            }
            let outcome = outcome.and(cluster.adapter.close().await);
            cluster.ended(outcome);
        });
        // Who does not say so in time is missed by the others soon enough.
        let _ = tokio::time::timeout(time_limit, Guarded(leaving)).await;
    }

    /// Publishes what own clients hear when it is read back. `miss` is called if that will not be.
    //= STR-07
    pub(crate) fn publish_kept(
        self: &Arc<Self>,
        message: ClusterMessage,
        miss: impl FnOnce() + Send + 'static,
    ) {
        let missed = Missed(Some(Box::new(miss)));
        if self.has_left.load(Ordering::Acquire) {
            return self.report(&AdapterError::Closed);
        }
        let cluster = Arc::clone(self);
        self.publish_in_order(async move {
            cluster.adapter.publish(message).await?;
            missed.spare();
            Ok(())
        });
    }

    pub(crate) fn publish(self: &Arc<Self>, message: ClusterMessage) {
        if self.has_left.load(Ordering::Acquire) {
            return self.report(&AdapterError::Closed);
        }
        let cluster = Arc::clone(self);
        self.publish_in_order(async move { cluster.adapter.publish(message).await });
    }

    /// Tells the other servers that grants are revoked.
    pub(crate) fn publish_revocation(self: &Arc<Self>, revocation: Revocation) {
        let message = self.stamp_server_wide(ClusterBody::Revoked { revocation });
        self.publish(message);
    }

    pub(crate) fn stamp_server_wide(&self, body: ClusterBody) -> ClusterMessage {
        self.server_wide.lock().publish(now(), body)
    }

    /// Polls at once, so that what one thread publishes starts in order; only what waits gets a task.
    pub(crate) fn publish_in_order<F>(self: &Arc<Self>, work: F)
    where
        F: Future<Output = Result<(), AdapterError>> + Send + 'static,
    {
        self.run(
            work,
            |cluster| &cluster.publishing,
            &AdapterError::TooManyPublishing,
        );
    }

    /// The same for answers, which wait for clients and handlers.
    pub(crate) fn answer<F>(self: &Arc<Self>, work: F)
    where
        F: Future<Output = Result<(), AdapterError>> + Send + 'static,
    {
        self.run(
            work,
            |cluster| &cluster.answering,
            &AdapterError::TooManyRequests,
        );
    }

    fn run<F>(self: &Arc<Self>, work: F, slots: fn(&Self) -> &Slots, too_many: &AdapterError)
    where
        F: Future<Output = Result<(), AdapterError>> + Send + 'static,
    {
        // Until what is left of the work is dropped: it may hold what spawns.
        let _inside = self.tasks.runtime().enter();
        let mut work = Box::pin(work);
        // Tokio has what a task that has done much asks for say that it waits, before it is in line: later calls would overtake it.
        let polled = poll_now(Pin::new(&mut unconstrained(work.as_mut())));
        match polled {
            Poll::Ready(outcome) => self.ended(outcome.unwrap_or(Err(AdapterError::Panicked))),
            Poll::Pending if !slots(self).take() => self.report(too_many),
            Poll::Pending => {
                let cluster = Arc::clone(self);
                self.tasks.spawn(async move {
                    let _slot = Taken(slots(&cluster));
                    let outcome = Guarded(work).await;
                    cluster.ended(outcome.unwrap_or(Err(AdapterError::Panicked)));
                });
            }
        }
    }

    pub(crate) fn ended(&self, outcome: Result<(), AdapterError>) {
        if let Err(error) = outcome {
            self.report(&error);
        }
    }

    /// Tells the application. A hook that panics changes nothing. What lies behind an error of the bus may name hosts and
    /// passwords, so the log has it without its source.
    pub(crate) fn report(&self, error: &AdapterError) {
        if matches!(error, AdapterError::Ignored(_)) {
            self.ignored.fetch_add(1, Ordering::Relaxed);
            trace::debug!(%error, "a message of the cluster was ignored");
        } else {
            self.errors.fetch_add(1, Ordering::Relaxed);
            trace::warn!(%error, "the cluster was not reached");
        }
        if let Some(hook) = &self.on_error {
            let _ = guard(|| hook(error));
        }
    }

    pub(crate) fn next_request(&self) -> RequestId {
        RequestId::of_number(self.next_request.fetch_add(1, Ordering::Relaxed))
    }

    /// Where the messages of one more namespace count from.
    pub(crate) fn first_number(&self) -> u64 {
        let opened_before = self.opened.fetch_add(1, Ordering::Relaxed);
        opened_before.wrapping_mul(NUMBERS_PER_NAMESPACE)
    }

    /// What a message that is about no namespace revokes.
    pub(crate) fn hear_server_wide(&self, message: ClusterMessage) -> Vec<Revocation> {
        let mut node = self.server_wide.lock();
        node.handle_input(now(), Input::Received(message));
        let outputs = std::iter::from_fn(|| node.poll_output());
        let revocations = outputs.filter_map(|output| match output {
            Output::Apply {
                body: ClusterBody::Revoked { revocation },
                ..
            } => Some(revocation),
            _ => None,
        });
        revocations.collect()
    }
}

async fn keep_time(server: Weak<dyn Hearing>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        let Some(server) = server.upgrade() else {
            return;
        };
        server.tick();
    }
}

/// What is done where an event was not published, whatever the reason.
struct Missed(Option<Box<dyn FnOnce() + Send>>);

impl Missed {
    /// It was published.
    fn spare(mut self) {
        self.0 = None;
    }
}

impl Drop for Missed {
    fn drop(&mut self) {
        if let Some(miss) = self.0.take() {
            let _ = guard(miss);
        }
    }
}

/// Something that is being opened.
struct Opening(Arc<Cluster>);

impl Opening {
    fn new(cluster: &Arc<Cluster>) -> Self {
        let count = |opening: &mut usize| *opening = opening.saturating_add(1);
        cluster.opening.send_modify(count);
        Self(Arc::clone(cluster))
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        let count = |opening: &mut usize| *opening = opening.saturating_sub(1);
        self.0.opening.send_modify(count);
    }
}

/// What is counted of a cluster.
#[cfg(feature = "metrics")]
pub(crate) struct Counts {
    pub(crate) errors: u64,
    pub(crate) ignored: u64,
    pub(crate) publishing: usize,
    pub(crate) answering: usize,
}

/// How many tasks of one sort may wait.
struct Slots {
    taken: AtomicUsize,
    max: usize,
}

impl Slots {
    const fn new(max: usize) -> Self {
        Self {
            taken: AtomicUsize::new(0),
            max,
        }
    }

    fn take(&self) -> bool {
        let is_free = |taken: usize| (taken < self.max).then(|| taken.saturating_add(1));
        self.taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, is_free)
            .is_ok()
    }
}

struct Taken<'a>(&'a Slots);

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::AcqRel);
    }
}
