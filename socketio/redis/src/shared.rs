//! What the connections of an adapter have in common: what each is to hear, who has which slot, how they are, and what is known of
//! the cluster by that.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use socketio::cluster::wire::Ignored;
use socketio::cluster::{AdapterError, ClusterHandle, ClusterMessage, ServerCount};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use crate::deployment::Deployment;
use crate::error::SlotMoved;
use crate::places::Places;
use crate::slots::{Node, Topology, slot_of};
use crate::subscriptions::{Subscription, Table};
use crate::unread::Unread;

/// The bounds of what waits to be published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueLimits {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            messages: 8_192,
            bytes: 64 * 1024 * 1024,
        }
    }
}

/// What an adapter makes of what is heard.
pub(crate) trait Ears: Send + Sync + 'static {
    /// Reads a message. `None` when it is the server's own, or comes too late.
    fn read(
        &self,
        pattern: Option<&str>,
        channel: &str,
        payload: &[u8],
    ) -> Option<Result<ClusterMessage, Ignored>>;
}

/// Whom an adapter has to reach before it is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// What one server is told, all tell.
    Any,
    /// Each has channels or keys that no other has.
    All,
}

/// How the connections are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    /// All that is wanted is subscribed.
    pub(crate) is_hearing: bool,
    /// Nothing waits for a server.
    pub(crate) is_speaking: bool,
    /// There are streams, and they are not read.
    pub(crate) misses_streams: bool,
    /// Nor is that over at once: own clients do not wait for what is written to be read.
    pub(crate) reads_in_vain: bool,
}

impl Condition {
    pub(crate) const fn is_ready(self) -> bool {
        self.is_hearing && self.can_ask()
    }

    /// Whatever is not subscribed.
    pub(crate) const fn can_ask(self) -> bool {
        self.is_speaking && !self.misses_streams
    }
}

/// What all tasks of an adapter's link know.
pub(crate) struct Shared {
    pub(crate) deployment: Deployment,
    pub(crate) reach: Reach,
    hearing: Mutex<Hearing>,
    pub(crate) topology: watch::Sender<Topology>,
    /// Somebody found that the topology is another.
    pub(crate) stale: Notify,
    /// Subscriptions were confirmed, refused or given up, or a connection was lost.
    confirmed: watch::Sender<()>,
    pub(crate) condition: watch::Sender<Condition>,
    waiting: AtomicUsize,
    waiting_bytes: AtomicUsize,
    limits: QueueLimits,
    server: OnceLock<ClusterHandle>,
    /// How many servers there were, by what they subscribe.
    counts: Mutex<HashMap<String, usize>>,
    pub(crate) unread: Mutex<Unread>,
}

/// Who hears what.
struct Hearing {
    places: Places<Instant>,
    ears: HashMap<Node, Arc<Ear>>,
    /// Whoever makes new ears hear.
    new_ears: mpsc::UnboundedSender<Arc<Ear>>,
    /// Since when all that Redis allows is heard; `None` while something is to be subscribed again.
    heard_since: Option<Instant>,
}

/// What hears one server.
#[derive(Debug)]
pub(crate) struct Ear {
    node: Node,
    pub(crate) changed: Notify,
    /// The server has nothing to say any more: it has no slots.
    is_retired: AtomicBool,
}

impl Ear {
    pub(crate) fn new(node: Node) -> Self {
        Self {
            node,
            changed: Notify::new(),
            is_retired: AtomicBool::new(false),
        }
    }

    /// Something has to be done.
    pub(crate) fn tell(&self) {
        self.changed.notify_one();
    }

    pub(crate) fn retire(&self) {
        self.is_retired.store(true, Ordering::Release);
        self.tell();
    }

    pub(crate) fn node(&self) -> &Node {
        &self.node
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Acquire)
    }
}

impl Shared {
    /// The first ears are told at once.
    pub(crate) fn new(
        deployment: Deployment,
        reach: Reach,
        limits: QueueLimits,
        new_ears: mpsc::UnboundedSender<Arc<Ear>>,
    ) -> Self {
        let topology = deployment.topology();
        let mut hearing = Hearing {
            places: Places::new(topology.clone()),
            ears: HashMap::new(),
            new_ears,
            heard_since: None,
        };
        let nodes: Vec<_> = hearing.places.nodes().cloned().collect();
        hearing.begin(nodes);
        Self {
            deployment,
            reach,
            hearing: Mutex::new(hearing),
            topology: watch::Sender::new(topology),
            stale: Notify::new(),
            confirmed: watch::Sender::default(),
            condition: watch::Sender::new(Condition::default()),
            waiting: AtomicUsize::new(0),
            waiting_bytes: AtomicUsize::new(0),
            limits,
            server: OnceLock::new(),
            counts: Mutex::default(),
            unread: Mutex::default(),
        }
    }

    /// Whose adapter this is, once that is known.
    pub(crate) fn set_server(&self, server: &ClusterHandle) {
        let _ = self.server.set(server.clone());
    }

    pub(crate) fn want(&self, subscriptions: impl IntoIterator<Item = Subscription>) {
        let mut hearing = lock(&self.hearing);
        for subscription in subscriptions {
            let place = hearing.places.want(&subscription);
            hearing.tell(place.as_ref());
        }
        if !hearing.places.is_settled() {
            self.change(|condition| condition.is_hearing = false);
        }
    }

    pub(crate) fn give_up(&self, subscriptions: impl IntoIterator<Item = Subscription>) {
        let mut hearing = lock(&self.hearing);
        for subscription in subscriptions {
            let place = hearing.places.give_up(&subscription);
            hearing.tell(place.as_ref());
        }
        drop(hearing);
        self.tell_confirmed();
    }

    /// Told whenever what is confirmed changes.
    pub(crate) fn watch_confirmed(&self) -> watch::Receiver<()> {
        self.confirmed.subscribe()
    }

    /// Whether it is to be confirmed, and there is anything to wait for.
    pub(crate) fn is_awaited(&self, subscription: &Subscription) -> bool {
        lock(&self.hearing).places.is_awaited(subscription)
    }

    /// Whether it is subscribed.
    pub(crate) fn is_confirmed(&self, subscription: &Subscription) -> bool {
        lock(&self.hearing).places.is_confirmed(subscription)
    }

    /// Whether it is to be subscribed.
    pub(crate) fn is_wanted(&self, subscription: &Subscription) -> bool {
        lock(&self.hearing).places.is_wanted(subscription)
    }

    /// So much more waits. False if that is too much.
    pub(crate) fn wait(&self, bytes: usize) -> bool {
        let waiting = self.waiting.fetch_add(1, Ordering::AcqRel);
        let before = self.waiting_bytes.fetch_add(bytes, Ordering::AcqRel);
        let fits =
            waiting < self.limits.messages && before.saturating_add(bytes) <= self.limits.bytes;
        if !fits {
            self.said(1, bytes);
        }
        fits
    }

    /// How many servers there are when so many were counted on a channel, of all Redis servers or not of all. While something
    /// is subscribed again, and for `grace` after that, others may not be back.
    //= RDS-07
    pub(crate) fn judge(
        &self,
        channel: String,
        counted: usize,
        is_whole: bool,
        grace: Duration,
    ) -> ServerCount {
        let heard_since = lock(&self.hearing).heard_since;
        let is_settling = heard_since.is_none_or(|since| since.elapsed() < grace);
        let mut counts = lock(&self.counts);
        let known = counts.entry(channel).or_default();
        // This server is one of them.
        if counted == 0 || ((is_settling || !is_whole) && counted < *known) {
            return ServerCount::AtLeast((*known).max(1));
        }
        if !is_whole {
            return ServerCount::AtLeast(counted);
        }
        *known = counted;
        ServerCount::Exactly(counted)
    }

    /// Forgets how many there were, of a namespace that is gone.
    pub(crate) fn forget_count(&self, channel: &str) {
        lock(&self.counts).remove(channel);
    }

    /// So much does not wait any more.
    pub(crate) fn said(&self, messages: usize, bytes: usize) {
        self.waiting.fetch_sub(messages, Ordering::AcqRel);
        self.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    /// Who has a key.
    pub(crate) fn owner(&self, key: &str) -> Option<Node> {
        let topology = self.topology.borrow();
        topology.owner(slot_of(key.as_bytes())).cloned()
    }

    /// Slots have other owners.
    pub(crate) fn set_topology(&self, change: impl FnOnce(&Topology) -> Topology) {
        let mut hearing = lock(&self.hearing);
        let topology = change(hearing.places.topology());
        let changed = hearing.places.set_topology(topology.clone());
        for node in &changed.gone {
            if let Some(ear) = hearing.ears.remove(node) {
                ear.retire();
            }
        }
        hearing.begin(changed.new);
        if changed.is_moved {
            self.heed(&mut hearing);
        }
        self.topology.send_if_modified(|known| {
            let is_another = *known != topology;
            *known = topology;
            is_another
        });
    }

    /// Slots have other owners, as those say who had them.
    pub(crate) fn moved(&self, moved: Vec<(u16, Node)>) {
        self.set_topology(|topology| {
            moved
                .into_iter()
                .fold(topology.clone(), |topology, (slot, node)| {
                    match topology.owner(slot) {
                        Some(known) if *known == node => topology,
                        _ => topology.with(slot, node),
                    }
                })
        });
        self.stale.notify_one();
    }

    /// Something is to be subscribed elsewhere, or again.
    fn heed(&self, hearing: &mut Hearing) {
        hearing.heard_since = None;
        self.change(|condition| condition.is_hearing = false);
        for ear in hearing.ears.values() {
            ear.tell();
        }
        self.tell_confirmed();
    }

    /// Something to be done about what an ear hears. `None` if it is retired: its server, should it come back, has another.
    pub(crate) fn with_table<R>(
        &self,
        ear: &Ear,
        act: impl FnOnce(&mut Table<Instant>) -> R,
    ) -> Option<R> {
        let mut hearing = self.hearing_with(ear)?;
        hearing.places.table(ear.node()).map(act)
    }

    fn hearing_with(&self, ear: &Ear) -> Option<MutexGuard<'_, Hearing>> {
        // Ears are retired with this held.
        let hearing = lock(&self.hearing);
        (!ear.is_retired()).then_some(hearing)
    }

    pub(crate) fn hears(&self, ear: &Ear) {
        let Some(mut hearing) = self.hearing_with(ear) else {
            return;
        };
        if hearing.places.connected(ear.node()) {
            self.heed(&mut hearing);
        }
    }

    /// A server is not heard any more.
    pub(crate) fn hears_no_more(&self, ear: &Ear) {
        self.stale.notify_one();
        let Some(mut hearing) = self.hearing_with(ear) else {
            return;
        };
        hearing.places.disconnected(ear.node());
        if hearing.places.is_settled() {
            // Nothing was to be heard of it.
            return;
        }
        self.heed(&mut hearing);
        drop(hearing);
        self.tell_connected();
    }

    /// Redis ended a subscription by itself.
    pub(crate) fn lost(&self, ear: &Ear, subscription: &Subscription) {
        let Some(mut hearing) = self.hearing_with(ear) else {
            return;
        };
        let table = hearing.places.table(ear.node());
        if !table.is_some_and(|table| table.lost(subscription)) {
            return;
        }
        let is_told = hearing.heard_since.is_none();
        self.heed(&mut hearing);
        drop(hearing);
        self.stale.notify_one();
        if !is_told {
            self.report(AdapterError::bus(SlotMoved));
        }
    }

    /// Looks whether all is subscribed that Redis allows.
    pub(crate) fn settle(&self) {
        {
            // Held meanwhile, so that what is wanted now is not taken for heard.
            let mut hearing = lock(&self.hearing);
            if !hearing.places.is_answered() {
                return;
            }
            if hearing.places.is_settled() {
                self.change(|condition| condition.is_hearing = true);
            }
            hearing.heard_since.get_or_insert_with(Instant::now);
        }
        // Who lost another connection while something was not confirmed yet has told that none is there.
        self.tell_connected();
    }

    /// Whoever waits for a subscription looks again.
    pub(crate) fn tell_confirmed(&self) {
        self.confirmed.send_replace(());
    }

    pub(crate) fn server(&self) -> Option<&ClusterHandle> {
        self.server.get()
    }

    /// Streams are read.
    pub(crate) fn set_reading(&self) {
        self.change(|condition| {
            condition.misses_streams = false;
            condition.reads_in_vain = false;
        });
        self.tell_connected();
    }

    /// Streams are not read for now. False if they were not before.
    pub(crate) fn stop_reading(&self) -> bool {
        let was_reading = self.change(|condition| condition.misses_streams = true);
        self.tell_connected();
        was_reading
    }

    /// It is not known when streams will be read again.
    pub(crate) fn read_in_vain(&self) {
        self.change(|condition| condition.reads_in_vain = true);
    }

    /// An own entry was read. False if own clients had it before.
    pub(crate) fn is_first(&self, message: &ClusterMessage) -> bool {
        lock(&self.unread).read(message)
    }

    /// Own clients wait no longer for what was perhaps not written.
    pub(crate) fn give_back(&self, message: ClusterMessage) {
        let is_waited_for = lock(&self.unread).give_up(&message);
        if let Some(server) = self.server.get().filter(|_| is_waited_for) {
            server.deliver_unwritten(message);
        }
    }

    /// The same of what was refused.
    pub(crate) fn give_back_refused(&self, message: ClusterMessage) {
        let is_waited_for = lock(&self.unread).forget(&message);
        if let Some(server) = self.server.get().filter(|_| is_waited_for) {
            server.deliver_unwritten(message);
        }
    }

    /// False if it was so before.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Condition)) -> bool {
        self.condition.send_if_modified(|condition| {
            let before = *condition;
            change(condition);
            before != *condition
        })
    }

    /// Connections were made or lost.
    pub(crate) fn tell_connected(&self) {
        let is_ready = self.condition.borrow().is_ready();
        if let Some(server) = self.server.get() {
            server.set_connected(is_ready);
        }
    }

    pub(crate) fn report(&self, error: AdapterError) {
        if let Some(server) = self.server.get() {
            server.report(error);
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hearing {
    /// Servers are to be heard that were not.
    fn begin(&mut self, nodes: Vec<Node>) {
        for node in nodes {
            let ear = Arc::new(Ear::new(node.clone()));
            // Once the server is gone, nobody hears any more.
            let _ = self.new_ears.send(Arc::clone(&ear));
            self.ears.insert(node, ear);
        }
    }

    fn tell(&self, node: Option<&Node>) {
        if let Some(ear) = node.and_then(|node| self.ears.get(node)) {
            ear.tell();
        }
    }
}
