//! What can go wrong.

use std::error::Error;
use std::fmt;

use redis::RedisError;

/// What went wrong on the way to Redis.
pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// An address of a Redis server that is none.
#[derive(Debug)]
pub struct InvalidUrl(pub(crate) RedisError);

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not the address of a Redis server, as redis://[user:password@]host[:port][/database]",
        )
    }
}

impl Error for InvalidUrl {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

/// A message was not published since too many wait already, in number or in bytes: Redis is away or too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "it has nothing in it")]
pub struct TooMuchWaiting;

impl fmt::Display for TooMuchWaiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too much waits to be published to Redis")
    }
}

impl Error for TooMuchWaiting {}

/// The streams of an adapter are of different hash slots of a Redis Cluster, so that they have no common order. A hash tag in
/// [their name](crate::Streams::stream), `{socket.io}`, puts them into one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "it has nothing in it")]
pub struct StreamsApart;

impl fmt::Display for StreamsApart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("several streams of a Redis Cluster need a hash tag in their name")
    }
}

impl Error for StreamsApart {}

/// A hash slot of a Redis Cluster has gone to another server, and with it sharded channels. They are subscribed there; what was
/// said on them meanwhile is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "it has nothing in it")]
pub struct SlotMoved;

impl fmt::Display for SlotMoved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a hash slot went to another Redis server")
    }
}

impl Error for SlotMoved {}

/// Redis refused a command, for example since its access control list does not allow it.
#[derive(Debug)]
pub struct Refused {
    command: &'static str,
    channel: String,
    error: RedisError,
}

impl Refused {
    pub(crate) fn new(command: &'static str, channel: String, error: RedisError) -> Self {
        Self {
            command,
            channel,
            error,
        }
    }

    /// Which command.
    #[must_use]
    pub fn command(&self) -> &str {
        self.command
    }

    /// Of which channel or pattern.
    #[must_use]
    pub fn channel(&self) -> &str {
        &self.channel
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            command,
            channel,
            error,
        } = self;
        write!(f, "Redis refused {command} {channel:?}: {error}")
    }
}

impl Error for Refused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
