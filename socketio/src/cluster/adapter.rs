//! The seam to other servers: what an adapter must do, and what it is told.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use socketio_auth::BoxFuture;

use super::handle::ClusterHandle;
use crate::codec::EncodeError;
use crate::proto::cluster::message::ClusterMessage;

/// Carries messages between the servers of a cluster, so that a broadcast reaches the clients of all of them.
///
/// A server delivers to its own clients itself; the adapter's is the way to the others, over whatever bus
/// they share. It is given to [`SocketIoBuilder::adapter`](crate::SocketIoBuilder::adapter); without one nothing of this
/// costs anything. [`LocalBus`](crate::cluster::LocalBus) links servers of one process.
///
/// What it must promise:
///
/// * Every other server gets each message at least once. Twice does no harm where
///   [`ClusterMessage::number`] travels with it; a sender's own messages and those of other namespaces do none either.
/// * [`publish`](Self::publish) is called in the order in which a thread emits, and its future is polled once before
///   the next call. What has been polled once must not overtake or be overtaken.
/// * Nothing it hands to [`ClusterHandle::deliver`] is trusted, but the bus must be: who can write to it can send to
///   every client.
///
/// A panic counts as [`AdapterError::Panicked`].
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use socketio::auth::BoxFuture;
/// use socketio::cluster::{Adapter, AdapterError, ClusterHandle, ClusterMessage};
/// use socketio::SocketIo;
///
/// /// Keeps what would be sent.
/// #[derive(Clone, Default)]
/// struct Recorder(Arc<Mutex<Vec<ClusterMessage>>>);
///
/// impl Adapter for Recorder {
///     fn start(&self, _server: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>> {
///         Box::pin(async { Ok(()) })
///     }
///
///     fn publish(&self, message: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>> {
///         self.0.lock().unwrap().push(message);
///         Box::pin(async { Ok(()) })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let recorder = Recorder::default();
/// let io = SocketIo::builder().adapter(recorder.clone()).build()?;
/// let news = io.namespace("/news").open()?;
/// news.to("sports").emit("score", &3)?;
/// let last = recorder.0.lock().unwrap().pop().unwrap();
/// assert_eq!((&*last.nsp, last.body.wire_type()), ("/news", Some(3)));
/// # Ok(()) }
/// ```
//= CLA-03
pub trait Adapter: Send + Sync + 'static {
    /// Called once, when the server is built. What arrives from now on goes to
    /// [`ClusterHandle::deliver`]; tasks that this takes belong on [`ClusterHandle::spawn`].
    fn start(&self, server: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>>;

    /// Sends a message to every other server. An error is told to
    /// [`on_adapter_error`](crate::SocketIoBuilder::on_adapter_error); what was sent locally stays sent.
    fn publish(&self, message: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>>;

    /// Called before a namespace takes clients, for adapters with a channel for each.
    /// [`ClusterMessage::SERVER_WIDE`] counts as one.
    fn open_namespace(&self, nsp: &str) -> BoxFuture<'_, Result<(), AdapterError>> {
        let _ = nsp;
        Box::pin(async { Ok(()) })
    }

    /// Called when a namespace is gone.
    fn close_namespace(&self, nsp: &str) -> BoxFuture<'_, Result<(), AdapterError>> {
        let _ = nsp;
        Box::pin(async { Ok(()) })
    }

    /// How the servers know of each other. [`Membership::Heartbeats`] by default: nothing but
    /// [`publish`](Self::publish) is needed.
    fn membership(&self) -> Membership {
        Membership::default()
    }

    /// How many servers have the namespace open, this one included; asked for
    /// [`Membership::Counted`] only.
    fn server_count(&self, nsp: &str) -> BoxFuture<'_, Result<usize, AdapterError>> {
        let _ = nsp;
        Box::pin(async { Ok(1) })
    }

    /// Called once, when the server closes and has said so to the others.
    fn close(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(async { Ok(()) })
    }
}

/// How the servers of a cluster know of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Membership {
    /// They say so: each when it comes and goes, and whenever it has published nothing for a while.
    //= CLA-06
    Heartbeats {
        /// How long a server is silent before it says that it is there; 5 s by default. Checked each second.
        interval: Duration,
        /// How long it may be silent before it counts as gone; 10 s by default. Lowering it ends the wait for a
        /// server that crashed sooner, and takes a slow one for gone.
        max_silence: Duration,
    },
    /// The adapter can [tell](Adapter::server_count) their number.
    Counted,
}

impl Default for Membership {
    fn default() -> Self {
        Self::Heartbeats {
            interval: Duration::from_secs(5),
            max_silence: Duration::from_secs(10),
        }
    }
}

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
}

impl fmt::Display for AdapterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bus(_) => "the bus of the cluster failed",
            Self::Encode(_) => "the message cannot be encoded",
            Self::TooManyPublishing => "too many messages wait to be published",
            Self::TooManyRequests => "too many questions to the cluster are open",
            Self::Closed => "the adapter is closed",
            Self::Panicked => "the adapter panicked",
        })
    }
}

impl Error for AdapterError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Bus(error) => Some(&**error),
            Self::Encode(error) => Some(error),
            _ => None,
        }
    }
}
