//! An adapter for [NATS](https://nats.io), to be copied for a bus of one's own: servers that share a nats-server share their clients.
//!
//! It needs five things, and the rest of a cluster comes with the library: a [format](envelope), names, [`publish`],
//! subscriptions that are known to be heard, and saying whether the bus is there. Which servers there are, they tell each other by
//! heartbeats. What it does when NATS is away, and how it is copied, is in its `README.md`.
//!
//! [`publish`]: Adapter::publish
//!
//! ```no_run
//! use nats_adapter::NatsAdapter;
//! use socketio::SocketIo;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let adapter = NatsAdapter::new("nats://localhost")?;
//! let io = SocketIo::builder().adapter(adapter).build()?;
//! # Ok(()) }
//! ```

mod subjects;

use std::collections::HashMap;
use std::future::ready;
use std::io;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

pub use async_nats::ConnectOptions;
use async_nats::{Client, Event, Message, ServerAddr, ToServerAddrs};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use socketio::auth::BoxFuture;
use socketio::cluster::wire::{Ignored, envelope};
use socketio::cluster::{Adapter, AdapterError, ClusterHandle, ClusterMessage};
use tokio::sync::{oneshot, watch};

use subjects::Subjects;

/// How many messages wait in the client while NATS is away. Further ones wait with their senders, where
/// [`max_publishing`](socketio::cluster::ClusterSettings::max_publishing) bounds them. None is longer than the `max_payload` of the
/// nats-server, 1 MiB by default.
const MAX_QUEUED: usize = 512;

/// How many messages of one subject may wait to be read here. Further ones are dropped, which is told as a slow consumer.
const MAX_UNREAD: usize = 65_536;

/// How often the client asks whether the nats-server is there. The third question without an answer ends the connection.
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// One server's way to the others, over NATS.
#[derive(Debug)]
#[must_use = "a server is given it by its builder"]
pub struct NatsAdapter {
    addresses: Vec<ServerAddr>,
    options: ConnectOptions,
    subjects: Subjects,
    running: OnceLock<Running>,
}

/// What there is once it was started.
#[derive(Debug)]
struct Running {
    client: Client,
    server: ClusterHandle,
    is_connected: watch::Receiver<bool>,
    /// What reads of a namespace ends when this is dropped.
    stops: Mutex<HashMap<String, oneshot::Sender<()>>>,
}

impl NatsAdapter {
    /// An adapter for the nats-server at this address, `nats://host[:port]`; of a cluster some addresses are enough. The client does
    /// not read a user's name from it: that is one of the [options](Self::options).
    ///
    /// # Errors
    ///
    /// One is no address. Whether anybody is there, is found out later.
    pub fn new(addresses: impl ToServerAddrs) -> io::Result<Self> {
        Ok(Self {
            addresses: addresses.to_server_addrs()?.collect(),
            options: ConnectOptions::new(),
            subjects: Subjects::new("socket.io"),
            running: OnceLock::new(),
        })
    }

    /// What all subjects begin with, `socket.io` by default: words with dots between, without wildcards. All servers of a cluster need the
    /// same, and clusters that share a nats-server different ones.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.subjects = Subjects::new(prefix);
        self
    }

    /// How it connects: credentials, TLS, a name. What keeps the connection and bounds its queues is set by the adapter.
    pub fn options(mut self, options: ConnectOptions) -> Self {
        self.options = options;
        self
    }

    fn running(&self) -> Result<&Running, AdapterError> {
        self.running.get().ok_or(AdapterError::Closed)
    }

    /// Subscribes to a namespace and reads of it, in a task: so it is done however long the queue is full, and whoever waits for it may stop
    /// to.
    fn open(&self, nsp: &str) -> Result<(&Running, oneshot::Receiver<()>), AdapterError> {
        let running = self.running()?;
        let subject = self.subjects.namespace(nsp).map_err(AdapterError::bus)?;
        let (stop, stopped) = oneshot::channel();
        let (told, subscribed) = oneshot::channel();
        running.stops().insert(nsp.to_owned(), stop);
        let (client, server) = (running.client.clone(), running.server.clone());
        let subjects = self.subjects.clone();
        running.server.spawn(async move {
            match client.subscribe(subject).await {
                Ok(messages) => {
                    let _ = told.send(());
                    read(server, subjects, messages.take_until(stopped)).await;
                }
                Err(error) => server.report(AdapterError::bus(error)),
            }
        });
        Ok((running, subscribed))
    }

    /// The subject of a message, and its bytes.
    fn outgoing(&self, mut message: ClusterMessage) -> Result<(String, Bytes), AdapterError> {
        let subject = self.subjects.of(&message).map_err(AdapterError::bus)?;
        // The subject says it.
        message.to = None;
        // NATS repeats nothing. With numbers a broadcast would be taken for a repeat when many later answers, which have a subject of their
        // own, are read before it.
        message.number = None;
        // JSON can be read by who looks on, with `nats sub 'socket.io.>'`.
        let payload = envelope::encode(&message, envelope::Encoding::JsonUnlessBinary);
        Ok((subject, payload.map_err(AdapterError::Encode)?.into()))
    }
}

impl Adapter for NatsAdapter {
    fn start(&self, server: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(async move {
            if self.running.get().is_some() {
                return Err(AdapterError::bus("an adapter is for one server"));
            }
            let (connection, is_connected) = watch::channel(false);
            server.set_connected(false);
            let told = server.clone();
            let options = self.options.clone();
            // Does not wait for a connection, and makes it again, with all subscriptions, whenever it is lost. So all is in place when
            // this was polled once, as it has to be. A client that waits here would have to be made in a task.
            let client = options
                .retry_on_initial_connect()
                .ping_interval(PING_INTERVAL)
                .client_capacity(MAX_QUEUED)
                .subscription_capacity(MAX_UNREAD)
                .event_callback(move |event| {
                    notice(&told, &connection, &event);
                    ready(())
                })
                .connect(&self.addresses[..])
                .await
                .map_err(AdapterError::bus)?;
            let answers = self.subjects.answers(server.server_id());
            for subject in [self.subjects.server(), answers] {
                let messages = client.subscribe(subject).await.map_err(AdapterError::bus)?;
                server.spawn(read(server.clone(), self.subjects.clone(), messages));
            }
            let running = Running {
                client,
                server,
                is_connected,
                stops: Mutex::default(),
            };
            self.running.set(running).map_err(|_| AdapterError::Closed)
        })
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(async {
            let running = self.running()?;
            let mut is_connected = running.is_connected.clone();
            loop {
                let waited = is_connected.wait_for(|is_connected| *is_connected).await;
                waited.map_err(|_| AdapterError::Closed)?;
                if running.reach().await? {
                    return Ok(());
                }
            }
        })
    }

    /// The client's queue is entered at the first poll, by waiting in line for it if it is full: nothing overtakes.
    fn publish(&self, message: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(async {
            let (subject, payload) = self.outgoing(message)?;
            let client = &self.running()?.client;
            // What is too long for the nats-server is refused here, and does not cost the connection.
            let published = client.publish(subject, payload).await;
            published.map_err(AdapterError::bus)
        })
    }

    fn open_namespace(&self, nsp: &str) -> BoxFuture<'_, Result<(), AdapterError>> {
        let opened = self.open(nsp);
        Box::pin(async {
            let (running, subscribed) = opened?;
            running.subscribed(subscribed).await
        })
    }

    fn close_namespace(&self, nsp: &str) -> BoxFuture<'_, Result<(), AdapterError>> {
        let closed = self.running().map(|running| {
            running.stops().remove(nsp);
        });
        Box::pin(ready(closed))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(async {
            let running = self.running()?;
            // Everything before it was sent.
            running.reach().await?;
            running.client.drain().await.map_err(AdapterError::bus)
        })
    }
}

impl Running {
    /// Resolves with true when the nats-server has done all that was asked of it before, and with false if it is away. It takes one command
    /// after the other, so what is said to oneself behind a subscription comes back behind it. The client's `flush` only writes.
    async fn reach(&self) -> Result<bool, AdapterError> {
        let mut is_connected = self.is_connected.clone();
        if !*is_connected.borrow_and_update() {
            return Ok(false);
        }
        let echo = async {
            let inbox = self.client.new_inbox();
            let echo = self.client.subscribe(inbox.clone()).await;
            let mut echo = echo.map_err(AdapterError::bus)?;
            let published = self.client.publish(inbox, Bytes::new()).await;
            published.map_err(AdapterError::bus)?;
            let received = echo.next().await;
            received.map(|_| true).ok_or(AdapterError::Closed)
        };
        tokio::select! {
            echoed = echo => echoed,
            _ = is_connected.changed() => Ok(false),
        }
    }

    /// Resolves when the nats-server has a subscription, or is away: then there is nothing to wait for.
    async fn subscribed(&self, subscribed: oneshot::Receiver<()>) -> Result<(), AdapterError> {
        let mut is_connected = self.is_connected.clone();
        let away = async { drop(is_connected.wait_for(|is_connected| !is_connected).await) };
        tokio::select! {
            // If it failed, that was reported.
            _ = subscribed => {}
            () = away => return Ok(()),
        }
        self.reach().await.map(drop)
    }

    fn stops(&self) -> MutexGuard<'_, HashMap<String, oneshot::Sender<()>>> {
        self.stops.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Hands over what is heard.
async fn read(
    server: ClusterHandle,
    subjects: Subjects,
    messages: impl Stream<Item = Message> + Send,
) {
    let mut messages = std::pin::pin!(messages);
    while let Some(Message {
        subject, payload, ..
    }) = messages.next().await
    {
        let scope = subjects.scope(&subject).ok_or(Ignored::OtherNamespace);
        match scope.and_then(|scope| envelope::decode(&payload, &scope)) {
            // One's own is among them, and the server ignores it.
            Ok(message) => server.deliver(message),
            Err(ignored) => server.report(AdapterError::ignored(ignored)),
        }
    }
}

/// Tells of what happened to the connection.
fn notice(server: &ClusterHandle, connection: &watch::Sender<bool>, event: &Event) {
    let is_connected = match event {
        Event::Connected => true,
        // An attempt to connect failed.
        Event::ClientError(_) | Event::Disconnected | Event::Closed => false,
        _ => *connection.borrow(),
    };
    connection.send_if_modified(|was_connected| {
        std::mem::replace(was_connected, is_connected) != is_connected
    });
    server.set_connected(is_connected);
    match event {
        Event::Connected | Event::Draining | Event::Closed => {}
        // Among them: messages were dropped as they were not read in time.
        lost => server.report(AdapterError::bus(lost.to_string())),
    }
}
