//! The two connections to Redis: one that hears, one that speaks. Both are made again when they are lost.
//!
//! A third reads streams, where there are some (`reader.rs`).
//!
//! What is spoken waits in one queue, which is the order of everything that this server says (RDS-01). While Redis is away it
//! fills up to its bounds; what is on its way when a connection is lost may or may not have arrived, and is not said twice.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection, SendError};
use redis::{AsyncConnectionConfig, Client, PushInfo, PushKind, RedisError, Value};
use socketio::cluster::wire::Ignored;
use socketio::cluster::wire::envelope::{self, Encoding};
use socketio::cluster::{AdapterError, ClusterHandle, ClusterMessage, ServerCount};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::error::{Refused, TooMuchWaiting};
use crate::reader::{self, Streams};
use crate::subscriptions::{Subscription, Table};
use crate::unread::Unread;

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// How long Redis may take to answer; then the connection counts as lost.
const ANSWER_LIMIT: Duration = Duration::from_secs(3);

/// How often it is asked whether it is there.
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// When something that was refused is tried again.
const REFUSED_RETRY: Duration = Duration::from_secs(5);

/// The first and the longest pause before a lost connection is made again.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How many commands go out at once.
const MAX_BATCH: usize = 256;

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

/// A command, and what is told of it when it is refused.
pub(crate) struct Command {
    words: redis::Cmd,
    name: &'static str,
    about: String,
    bytes: usize,
}

impl Command {
    /// `about` is told when it is refused: the channel or key.
    pub(crate) fn new(name: &'static str, about: impl Into<String>) -> Self {
        Self {
            words: redis::cmd(name),
            name,
            about: about.into(),
            bytes: 0,
        }
    }

    pub(crate) fn arg(mut self, word: impl AsRef<[u8]>) -> Self {
        let word = word.as_ref();
        self.bytes = self.bytes.saturating_add(word.len());
        self.words.arg(word);
        self
    }

    fn refused(self, error: redis::ServerError) -> AdapterError {
        AdapterError::bus(Refused::new(self.name, self.about, error.into()))
    }
}

/// Something to say.
enum Job {
    Say {
        command: Command,
        /// Whose own clients wait for it to be read back.
        kept: Option<Box<ClusterMessage>>,
    },
    Ask {
        command: Command,
        answer: oneshot::Sender<Result<Value, AdapterError>>,
    },
    /// Tells when all before it was said.
    Flush(oneshot::Sender<()>),
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Self::Say { command, .. } | Self::Ask { command, .. } => command.bytes,
            Self::Flush(_) => 0,
        }
    }
}

/// How the connections are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Condition {
    /// All that is wanted is subscribed.
    is_hearing: bool,
    is_speaking: bool,
    /// There are streams, and they are not read.
    misses_streams: bool,
}

impl Condition {
    const fn is_ready(self) -> bool {
        self.is_hearing && self.is_speaking && !self.misses_streams
    }
}

pub(crate) struct Shared {
    client: Client,
    table: Mutex<Table<Instant>>,
    changed: Notify,
    /// Subscriptions were confirmed, refused or given up, or the connection was lost.
    confirmed: watch::Sender<()>,
    condition: watch::Sender<Condition>,
    waiting: AtomicUsize,
    waiting_bytes: AtomicUsize,
    limits: QueueLimits,
    server: OnceLock<ClusterHandle>,
    counts: Mutex<Counts>,
    unread: Mutex<Unread>,
}

/// How many servers there were.
#[derive(Default)]
struct Counts {
    /// When all was heard again after it was not.
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
    pub(crate) fn new(client: Client, limits: QueueLimits) -> Self {
        let (jobs, waiting) = mpsc::unbounded_channel();
        let shared = Shared {
            client,
            table: Mutex::default(),
            changed: Notify::new(),
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
        server.spawn(speak(Arc::clone(&self.shared), waiting));
        server.spawn(hear(Arc::clone(&self.shared), ears));
        Ok(())
    }

    pub(crate) fn want(&self, subscriptions: impl IntoIterator<Item = Subscription>) {
        let mut table = lock(&self.shared.table);
        for subscription in subscriptions {
            table.want(&subscription);
        }
        if !table.is_settled() {
            self.shared.change(|condition| condition.is_hearing = false);
        }
        drop(table);
        self.shared.changed.notify_one();
    }

    pub(crate) fn give_up(&self, subscriptions: impl IntoIterator<Item = Subscription>) {
        let mut table = lock(&self.shared.table);
        for subscription in subscriptions {
            table.give_up(&subscription);
        }
        drop(table);
        self.shared.changed.notify_one();
        self.shared.confirmed.send_replace(());
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
                while lock(&self.shared.table).is_awaited(&subscription) {
                    // Its sender is here.
                    let _ = confirmed.changed().await;
                }
            }
            Ok(())
        }
    }

    /// Reads streams as well, in a task of the server.
    pub(crate) fn read(&self, server: &ClusterHandle, streams: Streams) {
        self.shared
            .change(|condition| condition.misses_streams = true);
        server.spawn(reader::read(Arc::clone(&self.shared), streams));
    }

    /// Puts a message in the queue.
    pub(crate) fn publish(
        &self,
        command: &'static str,
        channel: String,
        payload: Vec<u8>,
    ) -> Result<(), AdapterError> {
        let words = Command::new(command, &*channel).arg(channel).arg(payload);
        self.say(words)
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

    /// The same of an event that own clients hear when it is read back. While Redis is away they hear it at once.
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
            let is_away = !condition.is_speaking;
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

    /// How many servers are subscribed to a channel. Whoever is not heard yet is not counted, so this waits until all is
    /// subscribed here, and for `grace` after the connection was lost a number lower than before is only a lower bound.
    //= RDS-07
    pub(crate) async fn count(
        &self,
        command: &'static str,
        channel: String,
        grace: Duration,
    ) -> Result<ServerCount, AdapterError> {
        self.ready().await?;
        let words = Command::new("PUBSUB", &*channel).arg(command).arg(&channel);
        let counted = count_in(&self.ask(words).await?).unwrap_or_default();
        let mut counts = lock(&self.shared.counts);
        let is_settling = counts.back_at.is_some_and(|at| at.elapsed() < grace);
        let known = counts.known.entry(channel).or_default();
        // This server is one of them.
        if counted == 0 || (is_settling && counted < *known) {
            return Ok(ServerCount::AtLeast((*known).max(1)));
        }
        *known = counted;
        Ok(ServerCount::Exactly(counted))
    }

    /// Forgets how many there were, of a namespace that is gone.
    pub(crate) fn forget_count(&self, channel: &str) {
        lock(&self.shared.counts).known.remove(channel);
    }

    /// Resolves when all that is wanted is subscribed, and can be spoken to.
    pub(crate) async fn ready(&self) -> Result<(), AdapterError> {
        let mut condition = self.shared.condition.subscribe();
        let ready = condition.wait_for(|condition| condition.is_ready()).await;
        ready.map(drop).map_err(|_| AdapterError::Closed)
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
    fn said(&self, messages: usize, bytes: usize) {
        self.waiting.fetch_sub(messages, Ordering::AcqRel);
        self.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn server(&self) -> Option<&ClusterHandle> {
        self.server.get()
    }

    /// Whether streams are read.
    pub(crate) fn set_reading(&self, is_reading: bool) {
        self.change(|condition| condition.misses_streams = !is_reading);
        self.tell_connected();
    }

    /// An own entry was read. False if own clients had it before.
    pub(crate) fn is_first(&self, message: &ClusterMessage) -> bool {
        lock(&self.unread).read(message)
    }

    /// Own clients wait no longer for what was perhaps not written.
    fn give_back(&self, message: ClusterMessage) {
        let is_waited_for = lock(&self.unread).give_up(&message);
        if let Some(server) = self.server.get().filter(|_| is_waited_for) {
            server.deliver_unwritten(message);
        }
    }

    /// The same of what was refused.
    fn give_back_refused(&self, message: ClusterMessage) {
        let is_waited_for = lock(&self.unread).forget(&message);
        if let Some(server) = self.server.get().filter(|_| is_waited_for) {
            server.deliver_unwritten(message);
        }
    }

    fn change(&self, change: impl FnOnce(&mut Condition)) {
        self.condition.send_if_modified(|condition| {
            let before = *condition;
            change(condition);
            before != *condition
        });
    }

    /// Connections were made or lost.
    fn tell_connected(&self) {
        if let Some(server) = self.server.get() {
            server.set_connected(self.condition.borrow().is_ready());
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

/// The connection was lost.
#[derive(Debug)]
pub(crate) struct Lost;

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the connection to Redis was lost")
    }
}

impl std::error::Error for Lost {}

/// Takes what Redis says by itself, on the task that reads from it.
struct Pushes {
    shared: Arc<Shared>,
    ears: Option<Arc<dyn Ears>>,
    lost: Arc<Notify>,
}

impl AsyncPushSender for Pushes {
    fn send(&self, info: PushInfo) -> Result<(), SendError> {
        let PushInfo { kind, data } = info;
        match (kind, &*data) {
            (PushKind::Disconnection, _) => self.lost.notify_one(),
            (PushKind::Message | PushKind::SMessage, [channel, payload]) => {
                self.hear(None, channel, payload);
            }
            (PushKind::PMessage, [pattern, channel, payload]) => {
                self.hear(Some(pattern), channel, payload);
            }
            _ => {}
        }
        Ok(())
    }
}

impl Pushes {
    fn hear(&self, pattern: Option<&Value>, channel: &Value, payload: &Value) {
        let (Some(ears), Some(server)) = (&self.ears, self.shared.server.get()) else {
            return;
        };
        let pattern = pattern.map(text);
        // A channel whose name is no text is none of ours.
        let (Some(channel), Value::BulkString(payload)) = (text(channel), payload) else {
            return;
        };
        match ears.read(pattern.flatten(), channel, payload) {
            Some(Ok(message)) => server.deliver(message),
            //= RDS-02
            Some(Err(ignored)) => server.report(AdapterError::ignored(ignored)),
            None => {}
        }
    }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

/// How a connection is made over which Redis may take so much longer to answer.
fn config(longer: Duration) -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_LIMIT))
        .set_response_timeout(Some(ANSWER_LIMIT.saturating_add(longer)))
}

/// A connection that hears nothing by itself.
pub(crate) async fn connect_to(
    client: &Client,
    longer: Duration,
) -> Result<MultiplexedConnection, RedisError> {
    client
        .get_multiplexed_async_connection_with_config(&config(longer))
        .await
}

async fn connect(
    shared: &Arc<Shared>,
    ears: Option<Arc<dyn Ears>>,
    lost: &Arc<Notify>,
) -> Result<MultiplexedConnection, RedisError> {
    let pushes = Pushes {
        shared: Arc::clone(shared),
        ears,
        lost: Arc::clone(lost),
    };
    let config = config(Duration::ZERO).set_push_sender(pushes);
    let client = &shared.client;
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

async fn ping(connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
    redis::cmd("PING")
        .query_async::<Value>(connection)
        .await
        .map(drop)
}

/// Sends commands at once. The outcome of each, unless the connection is lost.
async fn send(
    connection: &mut MultiplexedConnection,
    commands: &redis::Pipeline,
) -> Result<Vec<Value>, RedisError> {
    let count = commands.len();
    connection.send_packed_commands(commands, 0, count).await
}

fn lost_connection() -> RedisError {
    RedisError::from((redis::ErrorKind::Io, "the connection was lost"))
}

/// The pauses between attempts to connect, and what is told of them: not the same twice.
#[derive(Default)]
pub(crate) struct Attempts {
    pause: Option<Duration>,
    told: Option<String>,
}

impl Attempts {
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(crate) async fn failed<E>(&mut self, shared: &Shared, error: E)
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let text = error.to_string();
        if self.told.as_ref() != Some(&text) {
            self.told = Some(text);
            shared.report(AdapterError::bus(error));
        }
        let pause = self.pause.unwrap_or(FIRST_PAUSE);
        self.pause = Some(pause.saturating_mul(2).min(LONGEST_PAUSE));
        tokio::time::sleep(pause).await;
    }
}

/// Keeps the connection that speaks.
async fn speak(shared: Arc<Shared>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut attempts = Attempts::default();
    // What waited when the connection was lost.
    let mut backlog = VecDeque::new();
    loop {
        let lost = Arc::new(Notify::new());
        let error = match connect(&shared, None, &lost).await {
            Ok(mut connection) => {
                attempts.succeeded();
                shared.change(|condition| condition.is_speaking = true);
                shared.tell_connected();
                let said = say_all(&shared, &mut connection, &mut backlog, &mut jobs, &lost);
                match said.await {
                    Some(error) => error,
                    None => return,
                }
            }
            Err(error) => error,
        };
        shared.change(|condition| condition.is_speaking = false);
        shared.tell_connected();
        backlog.extend(std::iter::from_fn(|| jobs.try_recv().ok()));
        for job in &mut backlog {
            if let Job::Say { kept, .. } = job
                && let Some(kept) = kept.take()
            {
                shared.give_back(*kept);
            }
        }
        attempts.failed(&shared, error).await;
    }
}

/// Says what is in the queue until the connection is lost. `None` when there will be no more.
async fn say_all(
    shared: &Shared,
    connection: &mut MultiplexedConnection,
    backlog: &mut VecDeque<Job>,
    jobs: &mut mpsc::UnboundedReceiver<Job>,
    lost: &Notify,
) -> Option<RedisError> {
    let mut batch = Vec::new();
    loop {
        let waiting = backlog.len().min(MAX_BATCH);
        if waiting > 0 {
            batch.extend(backlog.drain(..waiting));
            if let Err(error) = say(shared, connection, std::mem::take(&mut batch)).await {
                return Some(error);
            }
            continue;
        }
        tokio::select! {
            biased;
            () = lost.notified() => return Some(lost_connection()),
            received = jobs.recv_many(&mut batch, MAX_BATCH) => {
                if received == 0 {
                    return None;
                }
                if let Err(error) = say(shared, connection, std::mem::take(&mut batch)).await {
                    return Some(error);
                }
            }
            () = tokio::time::sleep(PING_INTERVAL) => {
                if let Err(error) = ping(connection).await {
                    return Some(error);
                }
            }
        }
    }
}

async fn say(
    shared: &Shared,
    connection: &mut MultiplexedConnection,
    mut batch: Vec<Job>,
) -> Result<(), RedisError> {
    let mut commands = redis::pipe();
    let mut bytes = 0_usize;
    for job in &mut batch {
        bytes = bytes.saturating_add(job.bytes());
        if let Job::Say { command, .. } | Job::Ask { command, .. } = job {
            commands.add_command(std::mem::take(&mut command.words));
        }
    }
    let sent = if commands.is_empty() {
        Ok(Vec::new())
    } else {
        send(connection, &commands).await
    };
    shared.said(batch.len(), bytes);
    let mut answers = match sent {
        Ok(answers) => answers.into_iter(),
        Err(error) => {
            // It may or may not have arrived.
            shared.change(|condition| condition.is_speaking = false);
            for job in batch {
                if let Job::Say {
                    kept: Some(kept), ..
                } = job
                {
                    shared.give_back(*kept);
                }
            }
            return Err(error);
        }
    };
    for job in batch {
        match job {
            Job::Say { command, kept } => {
                if let Some(Value::ServerError(error)) = answers.next() {
                    shared.report(command.refused(error));
                    if let Some(kept) = kept {
                        shared.give_back_refused(*kept);
                    }
                }
            }
            Job::Ask { command, answer } => {
                let answered = match answers.next() {
                    Some(Value::ServerError(error)) => Err(command.refused(error)),
                    value => value.ok_or_else(|| AdapterError::bus(Lost)),
                };
                // Whoever asked may have stopped waiting.
                let _ = answer.send(answered);
            }
            Job::Flush(said) => {
                let _ = said.send(());
            }
        }
    }
    Ok(())
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

/// Keeps the connection that hears.
async fn hear(shared: Arc<Shared>, ears: Arc<dyn Ears>) {
    let mut attempts = Attempts::default();
    loop {
        let lost = Arc::new(Notify::new());
        let error = match connect(&shared, Some(Arc::clone(&ears)), &lost).await {
            Ok(mut connection) => {
                attempts.succeeded();
                lock(&shared.table).connected();
                subscribe_all(&shared, &mut connection, &lost).await
            }
            Err(error) => error,
        };
        lock(&shared.table).disconnected();
        shared.confirmed.send_replace(());
        shared.change(|condition| condition.is_hearing = false);
        shared.tell_connected();
        lock(&shared.counts).back_at = None;
        attempts.failed(&shared, error).await;
    }
}

/// Brings Redis to what is wanted, again and again until the connection is lost.
//= SHD-07
async fn subscribe_all(
    shared: &Shared,
    connection: &mut MultiplexedConnection,
    lost: &Notify,
) -> RedisError {
    let mut next_ping = Instant::now() + PING_INTERVAL;
    let mut is_back = true;
    loop {
        let steps = lock(&shared.table).take(Instant::now(), MAX_BATCH);
        if !steps.is_empty() {
            let mut commands = redis::pipe();
            for step in &steps {
                commands.cmd(step.command()).arg(&step.subscription.name);
            }
            let answers = match send(connection, &commands).await {
                Ok(answers) => answers,
                Err(error) => return error,
            };
            for (step, answer) in steps.into_iter().zip(answers) {
                let Value::ServerError(error) = answer else {
                    lock(&shared.table).finish(&step, Ok(()));
                    continue;
                };
                let again = Instant::now() + REFUSED_RETRY;
                lock(&shared.table).finish(&step, Err(again));
                //= RDS-11
                let command = step.command();
                let refused = Refused::new(command, step.subscription.name, error.into());
                shared.report(AdapterError::bus(refused));
            }
            shared.confirmed.send_replace(());
            continue;
        }
        let (is_settled, retry) = {
            // Held meanwhile, so that what is wanted now is not taken for heard.
            let table = lock(&shared.table);
            if table.is_settled() {
                shared.change(|condition| condition.is_hearing = true);
            }
            (table.is_settled(), table.next_retry())
        };
        if is_settled {
            if std::mem::take(&mut is_back) {
                lock(&shared.counts).back_at = Some(Instant::now());
            }
            // Who lost another connection while something was not confirmed yet has told that none is there.
            shared.tell_connected();
        }
        let wake = retry.map_or(next_ping, |retry| retry.min(next_ping));
        tokio::select! {
            biased;
            () = lost.notified() => return lost_connection(),
            () = shared.changed.notified() => {}
            () = tokio::time::sleep_until(wake) => {}
        }
        if Instant::now() >= next_ping {
            if let Err(error) = ping(connection).await {
                return error;
            }
            next_ping = Instant::now() + PING_INTERVAL;
        }
    }
}
