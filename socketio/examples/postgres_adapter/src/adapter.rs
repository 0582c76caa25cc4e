//! What the server asks of its adapter.

use std::future::Future;
use std::sync::{Arc, OnceLock};

use socketio::auth::BoxFuture;
use socketio::cluster::{Adapter, AdapterError, ClusterHandle, ClusterMessage, Scope};
use tokio::sync::watch;
use tokio_postgres::Config;

use crate::channels::{self, Channels};
use crate::message::Written;
use crate::queue::Queue;
use crate::session::{self, Link};

/// Speaks with `createAdapter` of `@socket.io/postgres-adapter`, and hears its emitter.
///
/// Servers know of each other by heartbeats. While Postgres is away each serves its own clients; what they say to others waits, in
/// bounds. What others say meanwhile is lost.
#[derive(Debug)]
#[must_use = "a server is given it by its builder"]
pub struct PostgresAdapter {
    config: Config,
    prefix: String,
    table: String,
    running: OnceLock<Running>,
}

#[derive(Debug)]
struct Running {
    link: Arc<Link>,
    queue: Queue,
}

impl PostgresAdapter {
    /// The adapter for `postgres://[user[:password]@]host[:port][/database]`, without TLS. The user needs to read, insert into and
    /// delete from the table, and to make it where it is not there.
    ///
    /// # Errors
    ///
    /// The address is none. Whether somebody is there is not asked yet.
    pub fn new(address: &str) -> Result<Self, tokio_postgres::Error> {
        Ok(Self {
            config: address.parse()?,
            prefix: "socket.io".into(),
            table: "socket_io_attachments".into(),
            running: OnceLock::new(),
        })
    }

    /// What the names of all channels begin with, `socket.io` by default; Node's adapter calls it `channelPrefix`. All servers of a
    /// cluster need the same. With the name of a namespace a channel has at most
    /// [`MAX_CHANNEL_BYTES`](crate::MAX_CHANNEL_BYTES).
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The table of what has bytes or does not fit into a notification, `socket_io_attachments` by default; Node's adapter calls it
    /// `tableName`. It is one word, without a schema.
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.table = table.into();
        self
    }

    fn running(&self) -> Result<&Running, AdapterError> {
        self.running.get().ok_or(AdapterError::Closed)
    }

    fn channel(&self, scope: &Scope) -> Result<String, AdapterError> {
        let name = match scope.name() {
            Some(nsp) => channels::of_namespace(&self.prefix, nsp),
            None => channels::of_servers(&self.prefix),
        };
        name.map_err(AdapterError::bus)
    }

    /// Wants a channel, at once. The future resolves when it is listened to, or Postgres is away.
    //= RDS-08
    fn open(&self, scope: Scope) -> impl Future<Output = Result<(), AdapterError>> + Send + use<> {
        let opened = self.channel(&scope).and_then(|name| {
            let channels = &self.running()?.link.channels;
            let heard = channels.subscribe();
            channels.send_modify(|channels| channels.open(&name, scope));
            Ok((name, heard))
        });
        async move {
            let (name, mut heard) = opened?;
            let settled = heard.wait_for(|channels| channels.outcome(&name).is_some());
            let channels = settled.await.map_err(|_| AdapterError::Closed)?;
            channels.outcome(&name).unwrap_or(Ok(()))
        }
    }

    fn say(&self, message: &ClusterMessage) -> Result<(), AdapterError> {
        let channel = self.channel(&message.scope)?;
        let written = Written::of(message)?;
        let put = self.running()?.queue.put(channel, written);
        put.map_err(AdapterError::bus)
    }
}

impl Adapter for PostgresAdapter {
    fn start(&self, server: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>> {
        let (queue, jobs) = Queue::new();
        let link = Arc::new(Link {
            config: self.config.clone(),
            table: self.table.clone(),
            channels: watch::Sender::new(Channels::default()),
            server: server.clone(),
        });
        let running = Running {
            link: Arc::clone(&link),
            queue,
        };
        if self.running.set(running).is_err() {
            return Box::pin(async { Err(AdapterError::bus("an adapter is for one server")) });
        }
        let opened = self.open(Scope::Server);
        server.spawn(async move { session::keep(&link, jobs).await });
        Box::pin(opened)
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(async {
            let mut channels = self.running()?.link.channels.subscribe();
            let settled = channels.wait_for(Channels::is_settled).await;
            settled.map(drop).map_err(|_| AdapterError::Closed)
        })
    }

    fn publish(&self, message: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>> {
        // The queue does not wait, so neither does the future.
        let said = self.say(&message);
        Box::pin(async { said })
    }

    fn open_namespace(&self, nsp: &str) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(self.open(Scope::namespace(nsp)))
    }

    fn close_namespace(&self, nsp: &str) -> BoxFuture<'_, Result<(), AdapterError>> {
        let closed = self.channel(&Scope::namespace(nsp)).and_then(|name| {
            let channels = &self.running()?.link.channels;
            channels.send_modify(|channels| channels.close(&name));
            Ok(())
        });
        Box::pin(async { closed })
    }

    /// The reference has no such question.
    fn asks_rooms(&self) -> bool {
        false
    }

    /// Returns when all that waited was said.
    fn close(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(async {
            self.running()?.queue.emptied().await;
            Ok(())
        })
    }
}
