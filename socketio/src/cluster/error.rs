//! What can go wrong between the servers of a cluster.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::codec::EncodeError;

/// Why the other servers of a cluster were not reached, or not all.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AdapterError {
    /// The bus failed.
    Bus(Arc<dyn Error + Send + Sync>),
    /// What was to be said cannot be encoded.
    Encode(EncodeError),
    /// As many messages wait to be published as may ([`max_publishing`](crate::cluster::ClusterSettings::max_publishing)).
    TooManyPublishing,
    /// As many questions are open, or being answered, as may be
    /// ([`max_requests`](crate::cluster::ClusterSettings::max_requests)).
    TooManyRequests,
    /// It took the adapter too long: to get [ready](super::Adapter::ready), or to [count](super::Adapter::server_count) the servers.
    TimedOut,
    /// What a socket has takes more bytes than are saved of one
    /// ([`max_session_bytes`](crate::Recovery::max_session_bytes)): its client cannot come back.
    SessionTooLarge,
    /// Something on the bus was ignored because it made no sense. Nothing is wrong with this server.
    //= RDS-02
    Ignored(Arc<dyn Error + Send + Sync>),
    /// The server or the adapter is closed.
    Closed,
    /// The adapter panicked.
    Panicked,
}

impl AdapterError {
    /// The bus failed.
    pub fn bus(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Bus(error.into().into())
    }

    /// Something on the bus was ignored, for this reason.
    pub fn ignored(reason: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Ignored(reason.into().into())
    }
}

impl fmt::Display for AdapterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bus(_) => "the bus of the cluster failed",
            Self::Encode(_) => "the message cannot be encoded",
            Self::TooManyPublishing => "too many messages wait to be published",
            Self::TooManyRequests => "too many questions to the cluster are open",
            Self::TimedOut => "the bus of the cluster takes too long",
            Self::SessionTooLarge => "what a socket has is too large to be saved",
            Self::Ignored(_) => "something on the bus of the cluster makes no sense",
            Self::Closed => "the adapter is closed",
            Self::Panicked => "the adapter panicked",
        })
    }
}

impl Error for AdapterError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Bus(error) | Self::Ignored(error) => Some(&**error),
            Self::Encode(error) => Some(error),
            _ => None,
        }
    }
}
