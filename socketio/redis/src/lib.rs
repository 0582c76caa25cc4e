//! Redis adapters for [`socketio`]: servers of this library and unmodified servers of Node's socket.io share rooms,
//! acknowledgements and clients over one Redis.
//!
//! ```no_run
//! # fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! use socketio::SocketIo;
//! use socketio_redis::RedisAdapter;
//!
//! let adapter = RedisAdapter::classic("redis://localhost")?;
//! let io = SocketIo::builder().adapter(adapter).build()?;
//! # Ok(()) }
//! ```
//!
//! [`serve`](socketio::SocketIo::serve) takes clients when all is subscribed. A program that listens in another way awaits
//! [`ready`](socketio::SocketIo::ready) first, so that nothing that others say after that is missed.
//!
//! | adapter | speaks with | choose it when |
//! |---|---|---|
//! | [`classic`](RedisAdapter::classic) | `createAdapter` of `@socket.io/redis-adapter`, [`Emitter`] | there are servers of Node with it, or emitters |
//! | [`sharded`](RedisAdapter::sharded) | `createShardedAdapter` of the same package | there is Redis 7, and rooms are many and small |
//! | [`streams`](RedisAdapter::streams) | `@socket.io/redis-streams-adapter` | clients are to get back what they had and missed on any server, also when theirs was killed |
//!
//! # Streams
//!
//! Events, and what moves and disconnects sockets, are entries of a stream, which each server reads from where it ended when the server
//! came. A reader that lost its connection goes on where it was, so nothing is lost and nothing comes twice, unless Redis gave
//! entries up meanwhile ([`Streams::max_len`]): that is told. With [`recovery`](socketio::SocketIoBuilder::recovery) all clients hear the
//! events of a namespace in the order of the stream, own ones of the sender too, which takes a trip to Redis.
//!
//! While Redis is away, or a server may not read its streams, its own clients get its events at once, without a name: one that
//! moves to another server right then may be sent such an event again.
//!
//! What a socket has is kept as Node's adapter does it, so that servers of both kinds restore each other's. Those of Node do not
//! say their namespace, nor whose they are: they are restored in the namespace that is asked for, where that takes strangers, and
//! nowhere for a client that has a subject. Those of this library say both, which Node ignores: with servers of Node in the cluster a
//! client that knows a private id gets its session there without being asked who it is.
//!
//! A server that has not noticed that its client is elsewhere keeps what it had, until it hears of it. By a script (`EVAL`), what
//! it keeps does not take the place of what its client has now.
//!
//! # Redis Cluster and Redis Sentinel
//!
//! [`Deployment::cluster`] is a Redis Cluster, and all three adapters go on while its slots move from server to server:
//!
//! | adapter | in a Redis Cluster |
//! |---|---|
//! | classic | every server tells all others of every message, so it is no faster than one; it needs one server of the cluster, whichever is there |
//! | sharded | each channel is at the server that has its slot, so the work is spread; events on different channels, those of a room and those of everyone, have no order between them |
//! | streams | the stream is at one server; sessions are spread. [Several streams](Streams::stream_count) need a hash tag in their name, `{socket.io}`, or the adapter does not start: [`StreamsApart`] |
//!
//! When a slot moves, what is published on a sharded channel until it is subscribed anew, some milliseconds, is lost, which is told as [`SlotMoved`]. Nothing is
//! lost of a stream, and nothing of the classic adapter. When a master dies, its replica takes its place after the cluster's
//! `cluster-node-timeout`; until then, or where it has none until it is back, what is for its slots waits as while Redis is away,
//! and [`is_cluster_connected`](socketio::SocketIo::is_cluster_connected) is false with the sharded and the streams adapter. What the replica had not got yet is lost.
//!
//! [`Deployment::sentinel`] is the master that Redis Sentinel names. [`Deployment::resolved_by`] asks the application whenever a
//! connection is made.
//!
//! # While Redis is away
//!
//! Every server goes on with its own clients. What it says to the others waits, in bounds ([`Classic::max_waiting`]); what does not fit is
//! told to [`on_adapter_error`](socketio::SocketIoBuilder::on_adapter_error) as [`TooMuchWaiting`]. Questions to the
//! cluster end at their time limit. A connection that is silently dead is noticed within 5 s; it is made again after 50 ms to 2 s,
//! all is subscribed again, and everything goes on without a restart. What was on its way when a connection was lost may or may
//! not have arrived; it is not sent twice.
//!
//! # Access control
//!
//! A user needs `+hello +auth +client +ping`, and for the classic adapter `+psubscribe +punsubscribe +subscribe +unsubscribe
//! +publish +pubsub &<prefix>#* &<prefix>-request#* &<prefix>-response#* &<prefix>-server#`, and `&<prefix>#<namespace>#*`
//! literally for each namespace. For the sharded one it is `+ssubscribe +sunsubscribe +spublish +pubsub &<prefix>#*
//! &<prefix>-server#`. For
//! streams it is `+xadd +xread +xrange +xrevrange +eval +get +set +del +subscribe +unsubscribe +publish +pubsub ~<stream>* ~<session prefix>*
//! &<prefix>#* &<prefix>-server#`, or the sharded commands of those names. In a Redis Cluster it is `+cluster|slots` as well, and
//! `+asking` for streams. What is refused is told as [`Refused`], and tried again.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(clippy::indexing_slicing, clippy::string_slice, clippy::as_conversions)]

mod attempts;
mod classic;
mod command;
mod common;
mod connect;
mod deployment;
#[cfg(test)]
mod draws;
mod emitter;
mod error;
mod hear;
mod link;
mod map;
mod outbox;
mod places;
mod reader;
mod sharded;
mod shared;
mod slots;
mod speak;
mod streams;
mod subscriptions;
mod unread;

pub use classic::Classic;
pub use deployment::Deployment;
pub use emitter::{EmitError, Emitter, Target};
pub use error::{InvalidUrl, Refused, SlotMoved, StreamsApart, TooMuchWaiting};
pub use sharded::{RoomChannels, Sharded};
pub use streams::Streams;

/// The adapters, by the format that they speak.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RedisAdapter;

impl RedisAdapter {
    /// The classic adapter, for `redis://[user:password@]host[:port][/database]` or another [`Deployment`].
    ///
    /// # Errors
    ///
    /// The address is none. Whether somebody is there is not asked yet.
    pub fn classic<D>(deployment: D) -> Result<Classic, InvalidUrl>
    where
        D: TryInto<Deployment>,
        InvalidUrl: From<D::Error>,
    {
        Ok(Classic::new(deployment.try_into()?))
    }

    /// The sharded adapter, for the same.
    ///
    /// # Errors
    ///
    /// The address is none. Whether somebody is there is not asked yet.
    pub fn sharded<D>(deployment: D) -> Result<Sharded, InvalidUrl>
    where
        D: TryInto<Deployment>,
        InvalidUrl: From<D::Error>,
    {
        Ok(Sharded::new(deployment.try_into()?))
    }

    /// The streams adapter, for the same.
    ///
    /// # Errors
    ///
    /// The address is none. Whether somebody is there is not asked yet.
    pub fn streams<D>(deployment: D) -> Result<Streams, InvalidUrl>
    where
        D: TryInto<Deployment>,
        InvalidUrl: From<D::Error>,
    {
        Ok(Streams::new(deployment.try_into()?))
    }
}

/// What the crate's first page and the guide show, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
