//! Sending to the clients of a cluster from a process that is no server.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use socketio::cluster::wire::classic::{self, Channels};
use socketio::cluster::{
    ClusterBody, ClusterFlags, ClusterMessage, ClusterOptions, Scope, ServerId,
};
use socketio::{Event, Room};
use tokio::sync::Mutex;

use crate::connect::Connection;
use crate::deployment::Deployment;
use crate::error::{Failure, InvalidUrl};
use crate::slots::Node;

/// Sends to the clients of servers with the [classic](crate::RedisAdapter::classic) adapter, those of Node as well, like
/// `@socket.io/redis-emitter`.
///
/// Servers with the sharded or the streams adapter do not hear it, and its calls succeed all the same: for their clients a
/// program builds a [`SocketIo`](socketio::SocketIo) with that adapter, and need not serve it.
///
/// It connects when it first sends, and again when the connection was lost. What it sends arrives in order.
///
/// ```no_run
/// # async fn report() -> Result<(), Box<dyn std::error::Error>> {
/// let emitter = socketio_redis::Emitter::new("redis://localhost")?;
/// emitter.of("/news").to("sports").emit("score", &3).await?;
/// # Ok(()) }
/// ```
//= EMT-01
#[derive(Debug)]
pub struct Emitter {
    deployment: Deployment,
    channels: Channels,
    connection: Mutex<Option<Connection>>,
}

impl Emitter {
    /// An emitter for the cluster on this Redis, which is `redis://[user:password@]host[:port][/database]` or another [`Deployment`].
    ///
    /// # Errors
    ///
    /// The address is none.
    pub fn new<D>(deployment: D) -> Result<Self, InvalidUrl>
    where
        D: TryInto<Deployment>,
        InvalidUrl: From<D::Error>,
    {
        Ok(Self {
            deployment: deployment.try_into()?,
            channels: Channels::new("socket.io"),
            connection: Mutex::new(None),
        })
    }

    /// What the names of all channels begin with, `socket.io` by default.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.channels = Channels::new(prefix);
        self
    }

    /// Everyone in a namespace. A name without a slash in front gets one.
    //= EMT-04
    pub fn of(&self, nsp: &str) -> Target<'_> {
        let nsp = if nsp.starts_with('/') {
            nsp.to_owned()
        } else {
            format!("/{nsp}")
        };
        Target {
            emitter: self,
            nsp,
            opts: ClusterOptions::default(),
        }
    }

    /// Members of a room of the namespace `/`.
    pub fn to(&self, room: impl Into<Room>) -> Target<'_> {
        self.of("/").to(room)
    }

    /// Everyone in the namespace `/` but members of a room.
    pub fn except(&self, room: impl Into<Room>) -> Target<'_> {
        self.of("/").except(room)
    }

    /// Sends to everyone in the namespace `/`.
    ///
    /// # Errors
    ///
    /// As [`Target::emit`].
    pub async fn emit<A: Serialize + ?Sized>(
        &self,
        event: &str,
        args: &A,
    ) -> Result<(), EmitError> {
        self.of("/").emit(event, args).await
    }

    /// Whichever server of a cluster is there: each tells all.
    async fn connect(&self) -> Result<Connection, Failure> {
        let mut seeds = self.deployment.seeds();
        if seeds.is_empty() {
            seeds.push(Node::Sole);
        }
        let mut last = Failure::from("no Redis server is known");
        for node in seeds {
            match self.deployment.connect(&node, Duration::ZERO).await {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn publish(&self, channel: String, payload: Vec<u8>) -> Result<(), Failure> {
        // Whoever comes first speaks first.
        let mut connection = self.connection.lock().await;
        let mut speaking = match connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let published = redis::cmd("PUBLISH")
            .arg(channel)
            .arg(payload)
            .query_async::<redis::Value>(&mut speaking)
            .await;
        if !published
            .as_ref()
            .is_err_and(redis::RedisError::is_unrecoverable_error)
        {
            *connection = Some(speaking);
        }
        published.map(drop).map_err(Into::into)
    }
}

/// Whom an [`Emitter`] sends to.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent yet"]
pub struct Target<'a> {
    emitter: &'a Emitter,
    nsp: String,
    opts: ClusterOptions,
}

impl Target<'_> {
    /// Only members of this room, or of another that is named so.
    pub fn to(mut self, room: impl Into<Room>) -> Self {
        self.opts.rooms.push(room.into());
        self
    }

    /// But no members of this room.
    pub fn except(mut self, room: impl Into<Room>) -> Self {
        self.opts.except.push(room.into());
        self
    }

    /// Leaves out those whom it would not reach at once.
    pub fn volatile(self) -> Self {
        self.with(|flags| flags.volatile = true)
    }

    /// Whether it is compressed where that was negotiated; true by default.
    pub fn compress(self, compress: bool) -> Self {
        self.with(|flags| flags.compress = compress)
    }

    fn with(mut self, change: impl FnOnce(&mut ClusterFlags)) -> Self {
        change(&mut self.opts.flags);
        self
    }

    /// Sends an event.
    ///
    /// # Errors
    ///
    /// The arguments cannot be serialized, or Redis was not reached; then it may have arrived nevertheless.
    pub async fn emit<A: Serialize + ?Sized>(self, event: &str, args: &A) -> Result<(), EmitError> {
        let packet = Event::new(event, args).map_err(EmitError::Encode)?;
        let opts = self.opts.clone();
        self.say(ClusterBody::Broadcast {
            packet,
            opts,
            request_id: None,
        })
        .await
    }

    /// Has them join rooms.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    //= EMT-03
    pub async fn join<R: Into<Room>>(
        self,
        rooms: impl IntoIterator<Item = R>,
    ) -> Result<(), EmitError> {
        let opts = self.opts.clone();
        let rooms = rooms.into_iter().map(Into::into).collect();
        self.say(ClusterBody::SocketsJoin { opts, rooms }).await
    }

    /// Has them leave rooms.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub async fn leave<R: Into<Room>>(
        self,
        rooms: impl IntoIterator<Item = R>,
    ) -> Result<(), EmitError> {
        let opts = self.opts.clone();
        let rooms = rooms.into_iter().map(Into::into).collect();
        self.say(ClusterBody::SocketsLeave { opts, rooms }).await
    }

    /// Disconnects them from the namespace, or closes their connections.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub async fn disconnect(self, close: bool) -> Result<(), EmitError> {
        let opts = self.opts.clone();
        self.say(ClusterBody::DisconnectSockets { opts, close })
            .await
    }

    /// Tells the servers themselves; rooms do not matter. None can answer.
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub async fn server_side_emit<A: Serialize + ?Sized>(
        self,
        event: &str,
        args: &A,
    ) -> Result<(), EmitError> {
        let packet = Event::new(event, args).map_err(EmitError::Encode)?;
        self.say(ClusterBody::ServerSideEmit {
            packet,
            request_id: None,
        })
        .await
    }

    async fn say(self, body: ClusterBody) -> Result<(), EmitError> {
        let uid = ServerId::new(ServerId::EMITTER);
        let message = ClusterMessage::new(uid, Scope::namespace(&*self.nsp), body);
        let outgoing = classic::encode(&message).map_err(EmitError::Encode)?;
        let Some(outgoing) = outgoing else {
            return Ok(());
        };
        let channel = self.emitter.channels.name(&self.nsp, outgoing.channel);
        let published = self.emitter.publish(channel, outgoing.payload).await;
        published.map_err(EmitError::Redis)
    }
}

/// Why an [`Emitter`] did not send.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmitError {
    /// The arguments cannot be serialized.
    Encode(socketio::args::EncodeError),
    /// Redis was not reached, or refused.
    Redis(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Encode(_) => "the event cannot be encoded",
            Self::Redis(_) => "Redis was not reached",
        })
    }
}

impl std::error::Error for EmitError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Encode(error) => Some(error),
            Self::Redis(error) => Some(&**error),
        }
    }
}
