//! An adapter's link to Redis: connections that hear (`hear.rs`), connections that speak (`speak.rs`), one of each for every server
//! that there is, and who has which slot (`map.rs`). All are made again when they are lost.
//!
//! A third reads streams, where there are some (`reader.rs`).
//!
//! What is spoken waits in one queue, which is the order of everything that this server says (RDS-01). While Redis is away it
//! fills up to its bounds; what is on its way when a connection is lost may or may not have arrived, and is not said twice.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use redis::Value;
use socketio::cluster::wire::Ignored;
use socketio::cluster::wire::envelope::{self, Encoding};
use socketio::cluster::{AdapterError, ClusterHandle, ClusterMessage, ServerCount};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::connect::Lost;
use crate::deployment::Deployment;
use crate::error::{Refused, SlotMoved, TooMuchWaiting};
use crate::hear::{self, Ear};
use crate::map;
use crate::outbox::{Lane, Waits};
use crate::places::Places;
use crate::reader::{self, Streams};
use crate::slots::{Node, Topology, slot_of};
use crate::speak;
use crate::subscriptions::{Kind, Subscription, Table};
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

/// A command, and what is told of it when it is refused.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) words: redis::Cmd,
    name: &'static str,
    about: String,
    pub(crate) bytes: usize,
    /// `None` for what any server takes.
    slot: Option<u16>,
}

impl Command {
    /// `about` is told when it is refused: the channel or key.
    pub(crate) fn new(name: &'static str, about: impl Into<String>) -> Self {
        Self {
            words: redis::cmd(name),
            name,
            about: about.into(),
            bytes: 0,
            slot: None,
        }
    }

    pub(crate) fn arg(mut self, word: impl AsRef<[u8]>) -> Self {
        let word = word.as_ref();
        self.bytes = self.bytes.saturating_add(word.len());
        self.words.arg(word);
        self
    }

    /// The same, but it is for the server that has this key or sharded channel.
    pub(crate) fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.slot = Some(slot_of(key.as_ref()));
        self.arg(key)
    }

    pub(crate) fn refused(self, error: redis::ServerError) -> AdapterError {
        AdapterError::bus(Refused::new(self.name, self.about, error.into()))
    }
}

/// Something to say.
#[derive(Debug)]
pub(crate) enum Job {
    Say {
        command: Command,
        /// Whose own clients wait for it to be read back.
        kept: Option<Box<ClusterMessage>>,
    },
    Ask {
        command: Command,
        answer: oneshot::Sender<Result<Value, AdapterError>>,
    },
    /// Asks every server. One that has been away for longer than `grace` has nobody to tell of, as far as we are concerned.
    AskAll {
        command: Command,
        grace: Duration,
        answers: mpsc::UnboundedSender<Result<Value, AdapterError>>,
    },
    /// Tells when all before it was said.
    Flush(oneshot::Sender<()>),
}

impl Job {
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Say { command, .. } | Self::Ask { command, .. } => command.bytes,
            Self::AskAll { .. } | Self::Flush(_) => 0,
        }
    }
}

impl Waits for Job {
    fn lane(&self) -> Option<Lane> {
        match self {
            Self::Say { command, .. } | Self::Ask { command, .. } => {
                Some(command.slot.map_or(Lane::Any, Lane::Slot))
            }
            Self::AskAll { .. } | Self::Flush(_) => None,
        }
    }
}

/// How the connections are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    /// All that is wanted is subscribed.
    pub(crate) is_hearing: bool,
    /// Nothing waits for a server.
    pub(crate) is_speaking: bool,
    /// There are streams, and they are not read.
    misses_streams: bool,
    /// Nor is that over at once: own clients do not wait for what is written to be read.
    reads_in_vain: bool,
}

impl Condition {
    const fn is_ready(self) -> bool {
        self.is_hearing && self.can_ask()
    }

    /// Whatever is not subscribed.
    const fn can_ask(self) -> bool {
        self.is_speaking && !self.misses_streams
    }
}

pub(crate) struct Shared {
    pub(crate) deployment: Deployment,
    pub(crate) reach: Reach,
    hearing: Mutex<Hearing>,
    pub(crate) topology: watch::Sender<Topology>,
    /// Somebody found that the topology is another.
    pub(crate) stale: Notify,
    /// Something was subscribed anew since all was.
    was_deaf: AtomicBool,
    /// Subscriptions were confirmed, refused or given up, or a connection was lost.
    confirmed: watch::Sender<()>,
    condition: watch::Sender<Condition>,
    waiting: AtomicUsize,
    waiting_bytes: AtomicUsize,
    limits: QueueLimits,
    server: OnceLock<ClusterHandle>,
    counts: Mutex<Counts>,
    unread: Mutex<Unread>,
}

/// Who hears what.
struct Hearing {
    places: Places<Instant>,
    ears: HashMap<Node, Arc<Ear>>,
    /// Once it was started.
    adapter: Option<Arc<dyn Ears>>,
}

/// How many servers there were.
#[derive(Default)]
struct Counts {
    /// When all was heard again after it was not, but what Redis does not allow; `None` until then.
    back_at: Option<Instant>,
    known: HashMap<String, usize>,
}

/// The link of an adapter to Redis.
pub(crate) struct Link {
    shared: Arc<Shared>,
    /// Bounded by what is counted.
    jobs: mpsc::UnboundedSender<Job>,
    /// Until it is started.
    waiting: Mutex<Option<mpsc::UnboundedReceiver<Job>>>,
}

impl Link {
    pub(crate) fn new(deployment: Deployment, reach: Reach, limits: QueueLimits) -> Self {
        let (jobs, waiting) = mpsc::unbounded_channel();
        let topology = deployment.topology();
        let hearing = Hearing {
            places: Places::new(topology.clone()),
            ears: HashMap::new(),
            adapter: None,
        };
        let shared = Shared {
            deployment,
            reach,
            hearing: Mutex::new(hearing),
            topology: watch::Sender::new(topology),
            stale: Notify::new(),
            was_deaf: AtomicBool::new(true),
            confirmed: watch::Sender::default(),
            condition: watch::Sender::new(Condition::default()),
            waiting: AtomicUsize::new(0),
            waiting_bytes: AtomicUsize::new(0),
            limits,
            server: OnceLock::new(),
            counts: Mutex::default(),
            unread: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
            jobs,
            waiting: Mutex::new(Some(waiting)),
        }
    }

    /// Connects, in tasks of the server.
    pub(crate) fn start(
        &self,
        server: &ClusterHandle,
        ears: Arc<impl Ears>,
    ) -> Result<(), AdapterError> {
        let waiting = lock(&self.waiting).take().ok_or(AdapterError::Closed)?;
        server.set_connected(false);
        let _ = self.shared.server.set(server.clone());
        let shared = &self.shared;
        {
            let mut hearing = lock(&shared.hearing);
            hearing.adapter = Some(ears);
            let nodes: Vec<_> = hearing.places.nodes().cloned().collect();
            shared.begin_to_hear(&mut hearing, nodes);
        }
        server.spawn(speak::speak(Arc::clone(shared), waiting));
        if *shared.topology.borrow() != Topology::Sole {
            server.spawn(map::keep(Arc::clone(shared)));
        }
        Ok(())
    }

    pub(crate) fn want(&self, subscriptions: impl IntoIterator<Item = Subscription>) {
        let mut hearing = lock(&self.shared.hearing);
        for subscription in subscriptions {
            let place = hearing.places.want(&subscription);
            hearing.tell(place.as_ref());
        }
        if !hearing.places.is_settled() {
            self.shared.change(|condition| condition.is_hearing = false);
        }
    }

    pub(crate) fn give_up(&self, subscriptions: impl IntoIterator<Item = Subscription>) {
        let mut hearing = lock(&self.shared.hearing);
        for subscription in subscriptions {
            let place = hearing.places.give_up(&subscription);
            hearing.tell(place.as_ref());
        }
        drop(hearing);
        self.shared.tell_confirmed();
    }

    /// Wants these, at once. The future resolves when they are confirmed, or there is nothing to wait for: Redis is away, or
    /// does not allow them.
    //= RDS-08
    pub(crate) fn subscribe<const N: usize>(
        &self,
        subscriptions: [Subscription; N],
    ) -> impl Future<Output = Result<(), AdapterError>> + Send + '_ {
        let mut confirmed = self.shared.confirmed.subscribe();
        self.want(subscriptions.clone());
        async move {
            for subscription in subscriptions {
                while lock(&self.shared.hearing).places.is_awaited(&subscription) {
                    // Its sender is here.
                    let _ = confirmed.changed().await;
                }
            }
            Ok(())
        }
    }

    /// Reads streams as well, in a task of the server.
    pub(crate) fn read(&self, server: &ClusterHandle, streams: Streams) {
        self.shared.change(|condition| {
            condition.misses_streams = true;
            // Where reading will begin is not known yet.
            condition.reads_in_vain = true;
        });
        server.spawn(reader::read(Arc::clone(&self.shared), streams));
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Puts a message in the queue.
    pub(crate) fn publish(
        &self,
        command: &'static str,
        channel: String,
        payload: Vec<u8>,
    ) -> Result<(), AdapterError> {
        let words = Command::new(command, &*channel);
        let words = match command {
            "SPUBLISH" => words.key(channel),
            _ => words.arg(channel),
        };
        self.say(words.arg(payload))
    }

    /// The same of the common format, on a channel that says whom it is to.
    pub(crate) fn publish_envelope(
        &self,
        command: &'static str,
        channel: String,
        mut message: ClusterMessage,
        encoding: Encoding,
    ) -> Result<(), AdapterError> {
        message.to = None;
        // Redis repeats nothing.
        message.number = None;
        let payload = envelope::encode(&message, encoding).map_err(AdapterError::Encode)?;
        self.publish(command, channel, payload)
    }

    /// Puts a command in the queue.
    pub(crate) fn say(&self, command: Command) -> Result<(), AdapterError> {
        self.put(Job::Say {
            command,
            kept: None,
        })
    }

    /// The same of an event that own clients hear when it is read back. While Redis is away, or not to be read, they hear it at
    /// once.
    //= STR-07
    //= RDS-07
    pub(crate) fn say_kept(
        &self,
        command: Command,
        message: ClusterMessage,
    ) -> Result<(), AdapterError> {
        let shared = &self.shared;
        let is_away = {
            // Held meanwhile: whoever loses the connection behind this finds the job in the queue.
            let condition = shared.condition.borrow();
            let is_away = !condition.is_speaking || condition.reads_in_vain;
            lock(&shared.unread).wait_for(&message, is_away);
            let kept = (!is_away).then(|| Box::new(message.clone()));
            if let Err(error) = self.put(Job::Say { command, kept }) {
                // The server sends it, as it knows of the error.
                lock(&shared.unread).forget(&message);
                return Err(error);
            }
            is_away
        };
        if is_away && let Some(server) = shared.server.get() {
            server.deliver_unwritten(message);
        }
        Ok(())
    }

    /// A namespace is gone.
    pub(crate) fn forget_unread(&self, nsp: &str) {
        lock(&self.shared.unread).forget_all(nsp);
    }

    /// Asks behind all that was said before.
    pub(crate) async fn ask(&self, command: Command) -> Result<Value, AdapterError> {
        let (answer, answered) = oneshot::channel();
        self.put(Job::Ask { command, answer })?;
        // The connection was lost, or the server closed.
        answered.await.map_err(|_| AdapterError::bus(Lost))?
    }

    fn put(&self, job: Job) -> Result<(), AdapterError> {
        let shared = &self.shared;
        let bytes = job.bytes();
        let waiting = shared.waiting.fetch_add(1, Ordering::AcqRel);
        let before = shared.waiting_bytes.fetch_add(bytes, Ordering::AcqRel);
        let is_too_much =
            waiting >= shared.limits.messages || before.saturating_add(bytes) > shared.limits.bytes;
        let put = if is_too_much {
            Err(AdapterError::bus(TooMuchWaiting))
        } else {
            self.jobs.send(job).map_err(|_| AdapterError::Closed)
        };
        if put.is_err() {
            shared.said(1, bytes);
        }
        put
    }

    /// How many servers are subscribed to a channel. Whoever is not heard yet is not counted, so this waits until what belongs to
    /// the channel is subscribed here, and for `grace` after the connection was lost a number lower than before is only a lower
    /// bound.
    //= RDS-07
    pub(crate) async fn count<const N: usize>(
        &self,
        counted: Subscription,
        belonging: [Subscription; N],
        grace: Duration,
    ) -> Result<ServerCount, AdapterError> {
        self.hears(&belonging).await;
        self.wait_until(Condition::can_ask).await?;
        let Subscription { kind, name } = counted;
        let words = Command::new("PUBSUB", &*name);
        let (counted, is_whole) = if kind == Kind::Sharded {
            // All are subscribed where its slot is.
            let words = words.arg("SHARDNUMSUB").key(&name);
            (count_in(&self.ask(words).await?), true)
        } else {
            let words = words.arg("NUMSUB").arg(&name);
            self.count_at_all(words, grace).await?
        };
        let counted = counted.unwrap_or_default();
        let mut counts = lock(&self.shared.counts);
        let is_settling = counts.back_at.is_none_or(|at| at.elapsed() < grace);
        let known = counts.known.entry(name).or_default();
        // This server is one of them.
        if counted == 0 || ((is_settling || !is_whole) && counted < *known) {
            return Ok(ServerCount::AtLeast((*known).max(1)));
        }
        if !is_whole {
            return Ok(ServerCount::AtLeast(counted));
        }
        *known = counted;
        Ok(ServerCount::Exactly(counted))
    }

    /// Each server tells of its own subscribers only. False if one of them did not tell.
    async fn count_at_all(
        &self,
        command: Command,
        grace: Duration,
    ) -> Result<(Option<usize>, bool), AdapterError> {
        let (answers, mut answered) = mpsc::unbounded_channel();
        self.put(Job::AskAll {
            command,
            grace,
            answers,
        })?;
        let (mut counted, mut failure) = (None::<usize>, None);
        while let Some(answer) = answered.recv().await {
            match answer {
                Ok(answer) => {
                    let there = count_in(&answer).unwrap_or_default();
                    counted = Some(counted.unwrap_or_default().saturating_add(there));
                }
                Err(error) => failure = Some(error),
            }
        }
        match (counted, failure) {
            (None, Some(failure)) => Err(failure),
            (counted, failure) => Ok((counted, failure.is_none())),
        }
    }

    /// Forgets how many there were, of a namespace that is gone.
    pub(crate) fn forget_count(&self, channel: &str) {
        lock(&self.shared.counts).known.remove(channel);
    }

    /// Resolves when all that is wanted is subscribed, and can be spoken to.
    pub(crate) async fn ready(&self) -> Result<(), AdapterError> {
        self.wait_until(Condition::is_ready).await
    }

    async fn wait_until(&self, is_so: fn(Condition) -> bool) -> Result<(), AdapterError> {
        let mut condition = self.shared.condition.subscribe();
        let so = condition.wait_for(|condition| is_so(*condition)).await;
        so.map(drop).map_err(|_| AdapterError::Closed)
    }

    /// Resolves when these are subscribed, whatever else is not.
    async fn hears(&self, subscriptions: &[Subscription]) {
        let mut confirmed = self.shared.confirmed.subscribe();
        let is_heard = |subscription| lock(&self.shared.hearing).places.is_confirmed(subscription);
        while !subscriptions.iter().all(is_heard) {
            // Its sender is here.
            let _ = confirmed.changed().await;
        }
    }

    /// Resolves when all that was put in the queue was said.
    pub(crate) async fn flush(&self) -> Result<(), AdapterError> {
        let (said, flushed) = oneshot::channel();
        self.put(Job::Flush(said))?;
        flushed.await.map_err(|_| AdapterError::bus(Lost))
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let condition = *self.shared.condition.borrow();
        f.debug_struct("Link")
            .field("condition", &condition)
            .finish_non_exhaustive()
    }
}

impl Shared {
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
    pub(crate) fn set_topology(self: &Arc<Self>, change: impl FnOnce(&Topology) -> Topology) {
        let mut hearing = lock(&self.hearing);
        let topology = change(hearing.places.topology());
        let changed = hearing.places.set_topology(topology.clone());
        for node in &changed.gone {
            if let Some(ear) = hearing.ears.remove(node) {
                ear.retire();
            }
        }
        self.begin_to_hear(&mut hearing, changed.new);
        if changed.is_moved {
            self.heed(&hearing);
        }
        self.topology.send_if_modified(|known| {
            let is_another = *known != topology;
            *known = topology;
            is_another
        });
    }

    /// Slots have other owners, as those say who had them.
    pub(crate) fn moved(self: &Arc<Self>, moved: Vec<(u16, Node)>) {
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

    fn begin_to_hear(self: &Arc<Self>, hearing: &mut Hearing, nodes: Vec<Node>) {
        let (Some(adapter), Some(server)) = (&hearing.adapter, self.server.get()) else {
            return;
        };
        for node in nodes {
            let ear = Arc::new(Ear::new(node.clone()));
            let task = hear::hear(Arc::clone(self), Arc::clone(&ear), Arc::clone(adapter));
            server.spawn(task);
            hearing.ears.insert(node, ear);
        }
    }

    /// Something is to be subscribed elsewhere, or again.
    fn heed(&self, hearing: &Hearing) {
        self.was_deaf.store(true, Ordering::Release);
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
            self.heed(&hearing);
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
        self.heed(&hearing);
        drop(hearing);
        self.tell_connected();
        lock(&self.counts).back_at = None;
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
        let is_told = self.was_deaf.load(Ordering::Acquire);
        self.heed(&hearing);
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
            let hearing = lock(&self.hearing);
            if !hearing.places.is_answered() {
                return;
            }
            if hearing.places.is_settled() {
                self.change(|condition| condition.is_hearing = true);
            }
        }
        if self.was_deaf.swap(false, Ordering::AcqRel) {
            lock(&self.counts).back_at = Some(Instant::now());
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hearing {
    fn tell(&self, node: Option<&Node>) {
        if let Some(ear) = node.and_then(|node| self.ears.get(node)) {
            ear.tell();
        }
    }
}

/// The number of subscribers in what `PUBSUB NUMSUB` answers for one channel.
fn count_in(value: &Value) -> Option<usize> {
    let number = match value {
        Value::Array(pair) => match &**pair {
            [_, number] => number,
            _ => return None,
        },
        Value::Map(pairs) => match &**pairs {
            [(_, number)] => number,
            _ => return None,
        },
        _ => return None,
    };
    match number {
        Value::Int(number) => usize::try_from(*number).ok(),
        _ => None,
    }
}
