//! An adapter's link to Redis: connections that hear (`hear.rs`), connections that speak (`speak.rs`), one of each for every server
//! that there is, and who has which slot (`map.rs`). All are made again when they are lost.
//!
//! A third reads streams, where there are some (`reader.rs`).
//!
//! What is spoken waits in one queue, which is the order of everything that this server says (RDS-01). While Redis is away it
//! fills up to its bounds; what is on its way when a connection is lost may or may not have arrived, and is not said twice.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::Value;
use socketio::cluster::wire::envelope::{self, Encoding};
use socketio::cluster::{AdapterError, ClusterHandle, ClusterMessage, ServerCount};
use tokio::sync::{mpsc, oneshot};

use crate::command::{Command, Job};
use crate::connect::Lost;
use crate::deployment::Deployment;
use crate::error::TooMuchWaiting;
use crate::hear;
use crate::map;
use crate::reader::{self, Streams};
use crate::shared::{Condition, Ear, Ears, QueueLimits, Reach, Shared, lock};
use crate::slots::Topology;
use crate::speak;
use crate::subscriptions::{Kind, Subscription};

/// The link of an adapter to Redis.
pub(crate) struct Link {
    shared: Arc<Shared>,
    /// Bounded by what is counted.
    jobs: mpsc::UnboundedSender<Job>,
    /// Until it is started.
    waiting: Mutex<Option<Waiting>>,
}

/// What waits for the start.
struct Waiting {
    jobs: mpsc::UnboundedReceiver<Job>,
    ears: mpsc::UnboundedReceiver<Arc<Ear>>,
}

impl Link {
    pub(crate) fn new(deployment: Deployment, reach: Reach, limits: QueueLimits) -> Self {
        let (jobs, waiting_jobs) = mpsc::unbounded_channel();
        let (new_ears, ears) = mpsc::unbounded_channel();
        let waiting = Waiting {
            jobs: waiting_jobs,
            ears,
        };
        Self {
            shared: Arc::new(Shared::new(deployment, reach, limits, new_ears)),
            jobs,
            waiting: Mutex::new(Some(waiting)),
        }
    }

    /// Connects, in tasks of the server.
    pub(crate) fn start(
        &self,
        server: &ClusterHandle,
        adapter: Arc<impl Ears>,
    ) -> Result<(), AdapterError> {
        let Waiting { jobs, ears } = lock(&self.waiting).take().ok_or(AdapterError::Closed)?;
        server.set_connected(false);
        let shared = &self.shared;
        shared.set_server(server);
        server.spawn(hear::hear_all(
            Arc::clone(shared),
            ears,
            adapter,
            server.clone(),
        ));
        server.spawn(speak::speak(Arc::clone(shared), jobs));
        if *shared.topology.borrow() != Topology::Sole {
            server.spawn(map::keep(Arc::clone(shared)));
        }
        Ok(())
    }

    pub(crate) fn want(&self, subscriptions: impl IntoIterator<Item = Subscription>) {
        self.shared.want(subscriptions);
    }

    pub(crate) fn give_up(&self, subscriptions: impl IntoIterator<Item = Subscription>) {
        self.shared.give_up(subscriptions);
    }

    /// Wants these, at once. The future resolves when they are confirmed, or there is nothing to wait for: Redis is away, or
    /// does not allow them.
    //= RDS-08
    pub(crate) fn subscribe<const N: usize>(
        &self,
        subscriptions: [Subscription; N],
    ) -> impl Future<Output = Result<(), AdapterError>> + Send + '_ {
        let mut confirmed = self.shared.watch_confirmed();
        self.want(subscriptions.clone());
        async move {
            for subscription in subscriptions {
                while self.shared.is_awaited(&subscription) {
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
        if is_away && let Some(server) = shared.server() {
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
        let bytes = job.bytes();
        if !self.shared.wait(bytes) {
            return Err(AdapterError::bus(TooMuchWaiting));
        }
        self.jobs.send(job).map_err(|_| {
            self.shared.said(1, bytes);
            AdapterError::Closed
        })
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
        self.hears(&belonging).await?;
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
        Ok(self.shared.judge(name, counted, is_whole, grace))
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
        self.shared.forget_count(channel);
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

    /// Resolves when these are subscribed, whatever else is not; an error when they are given up.
    async fn hears(&self, subscriptions: &[Subscription]) -> Result<(), AdapterError> {
        let mut confirmed = self.shared.watch_confirmed();
        let each = |is_so: fn(&Shared, &Subscription) -> bool| {
            subscriptions.iter().all(|one| is_so(&self.shared, one))
        };
        while !each(Shared::is_confirmed) {
            if !each(Shared::is_wanted) {
                return Err(AdapterError::Closed);
            }
            // Its sender is here.
            let _ = confirmed.changed().await;
        }
        Ok(())
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
