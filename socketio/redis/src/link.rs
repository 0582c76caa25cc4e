//! The two connections to Redis: one that hears, one that speaks. Both are made again when they are lost.
//!
//! What is spoken waits in one queue, which is the order of everything that this server says (RDS-01). While Redis is away it
//! fills up to its bounds; what is on its way when a connection is lost may or may not have arrived, and is not said twice.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection, SendError};
use redis::{AsyncConnectionConfig, Client, PushInfo, PushKind, RedisError, Value};
use socketio::cluster::wire::Ignored;
use socketio::cluster::{AdapterError, ClusterHandle, ClusterMessage, ServerCount};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

use crate::error::{Refused, TooMuchWaiting};
use crate::subscriptions::{Subscription, Table};

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

/// Something to say.
enum Job {
    Publish {
        command: &'static str,
        channel: String,
        payload: Vec<u8>,
    },
    /// `PUBSUB NUMSUB` or its like.
    Count {
        command: &'static str,
        channel: String,
        answer: oneshot::Sender<Result<usize, AdapterError>>,
    },
    /// Tells when all before it was said.
    Flush(oneshot::Sender<()>),
}

impl Job {
    fn bytes(&self) -> usize {
        match self {
            Self::Publish {
                channel, payload, ..
            } => channel.len().saturating_add(payload.len()),
            _ => 0,
        }
    }
}

/// How the connections are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Condition {
    /// All that is wanted is subscribed.
    is_hearing: bool,
    is_speaking: bool,
}

impl Condition {
    const fn is_ready(self) -> bool {
        self.is_hearing && self.is_speaking
    }
}

struct Shared {
    client: Client,
    table: Mutex<Table<Instant>>,
    changed: Notify,
    condition: watch::Sender<Condition>,
    waiting_bytes: AtomicUsize,
    limits: QueueLimits,
    server: OnceLock<ClusterHandle>,
    counts: Mutex<Counts>,
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
    jobs: mpsc::Sender<Job>,
    /// Until it is started.
    waiting: Mutex<Option<mpsc::Receiver<Job>>>,
}

impl Link {
    pub(crate) fn new(client: Client, limits: QueueLimits) -> Self {
        let (jobs, waiting) = mpsc::channel(limits.messages.max(1));
        let shared = Shared {
            client,
            table: Mutex::default(),
            changed: Notify::new(),
            condition: watch::Sender::new(Condition::default()),
            waiting_bytes: AtomicUsize::new(0),
            limits,
            server: OnceLock::new(),
            counts: Mutex::default(),
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
        ears: Arc<dyn Ears>,
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
    }

    /// Puts a message in the queue.
    pub(crate) fn publish(
        &self,
        command: &'static str,
        channel: String,
        payload: Vec<u8>,
    ) -> Result<(), AdapterError> {
        self.put(Job::Publish {
            command,
            channel,
            payload,
        })
    }

    fn put(&self, job: Job) -> Result<(), AdapterError> {
        let shared = &self.shared;
        let bytes = job.bytes();
        let before = shared.waiting_bytes.fetch_add(bytes, Ordering::AcqRel);
        let put = if before.saturating_add(bytes) > shared.limits.bytes {
            Err(AdapterError::bus(TooMuchWaiting))
        } else {
            self.jobs.try_send(job).map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => AdapterError::bus(TooMuchWaiting),
                mpsc::error::TrySendError::Closed(_) => AdapterError::Closed,
            })
        };
        if put.is_err() {
            shared.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
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
        let (answer, counted) = oneshot::channel();
        self.put(Job::Count {
            command,
            channel: channel.clone(),
            answer,
        })?;
        // The connection was lost, or the server closed.
        let counted = counted.await.map_err(|_| AdapterError::bus(Lost))??;
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

    fn report(&self, error: AdapterError) {
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
struct Lost;

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
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_LIMIT))
        .set_response_timeout(Some(ANSWER_LIMIT))
        .set_push_sender(pushes);
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
struct Attempts {
    pause: Option<Duration>,
    told: Option<String>,
}

impl Attempts {
    fn succeeded(&mut self) {
        *self = Self::default();
    }

    async fn failed(&mut self, shared: &Shared, error: RedisError) {
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
async fn speak(shared: Arc<Shared>, mut jobs: mpsc::Receiver<Job>) {
    let mut attempts = Attempts::default();
    loop {
        let lost = Arc::new(Notify::new());
        let error = match connect(&shared, None, &lost).await {
            Ok(mut connection) => {
                attempts.succeeded();
                shared.change(|condition| condition.is_speaking = true);
                shared.tell_connected();
                match say_all(&shared, &mut connection, &mut jobs, &lost).await {
                    Some(error) => error,
                    None => return,
                }
            }
            Err(error) => error,
        };
        shared.change(|condition| condition.is_speaking = false);
        shared.tell_connected();
        attempts.failed(&shared, error).await;
    }
}

/// Says what is in the queue until the connection is lost. `None` when there will be no more.
async fn say_all(
    shared: &Shared,
    connection: &mut MultiplexedConnection,
    jobs: &mut mpsc::Receiver<Job>,
    lost: &Notify,
) -> Option<RedisError> {
    let mut batch = Vec::new();
    loop {
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
    batch: Vec<Job>,
) -> Result<(), RedisError> {
    let mut commands = redis::pipe();
    let mut bytes = 0_usize;
    for job in &batch {
        bytes = bytes.saturating_add(job.bytes());
        match job {
            Job::Publish {
                command,
                channel,
                payload,
            } => {
                commands.cmd(command).arg(channel).arg(payload);
            }
            Job::Count {
                command, channel, ..
            } => {
                commands.cmd("PUBSUB").arg(command).arg(channel);
            }
            Job::Flush(_) => {}
        }
    }
    let sent = if commands.is_empty() {
        Ok(Vec::new())
    } else {
        send(connection, &commands).await
    };
    shared.waiting_bytes.fetch_sub(bytes, Ordering::AcqRel);
    let mut answers = sent?.into_iter();
    for job in batch {
        match job {
            Job::Publish {
                command, channel, ..
            } => {
                if let Some(Value::ServerError(error)) = answers.next() {
                    let refused = Refused::new(command, channel, error.into());
                    shared.report(AdapterError::bus(refused));
                }
            }
            Job::Count {
                command,
                channel,
                answer,
            } => {
                let counted = match answers.next() {
                    Some(Value::ServerError(error)) => {
                        let refused = Refused::new(command, channel, error.into());
                        Err(AdapterError::bus(refused))
                    }
                    value => Ok(value.as_ref().and_then(count_in).unwrap_or_default()),
                };
                // Whoever asked may have stopped waiting.
                let _ = answer.send(counted);
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
                lock(&shared.table).disconnected();
                subscribe_all(&shared, &mut connection, &lost).await
            }
            Err(error) => error,
        };
        lock(&shared.table).disconnected();
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
        if is_settled && std::mem::take(&mut is_back) {
            lock(&shared.counts).back_at = Some(Instant::now());
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
