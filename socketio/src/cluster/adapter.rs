//! The seam to other servers: what an adapter must do, and what it is told.

use std::sync::Arc;
use std::time::Duration;

use socketio_auth::BoxFuture;

use super::error::AdapterError;
use super::handle::ClusterHandle;
use super::log::SharedLog;
use crate::proto::cluster::message::ClusterMessage;
use crate::proto::cluster::requests::ServerCount;
use crate::proto::room::Room;

/// Carries messages between the servers of a cluster, so that a broadcast reaches the clients of all of them.
///
/// A server delivers to its own clients itself; the adapter's is the way to the others, over whatever bus
/// they share. It is given to [`SocketIoBuilder::adapter`](crate::SocketIoBuilder::adapter); without one nothing of this
/// costs anything. [`LocalBus`](crate::cluster::LocalBus) links servers of one process.
///
/// What it must promise:
///
/// * While the bus is up, every other server gets each message, or the one server that it is [to](ClusterMessage::to). Messages may be
///   lost while the bus is down: [`set_connected(false)`](ClusterHandle::set_connected) says so, and questions count as incomplete then.
///   A message may come twice where its [`number`](ClusterMessage::number) is carried. It does no harm to deliver a server's own
///   messages, or those of other namespaces or to other servers: they are ignored.
/// * [`publish`](Self::publish) keeps its order. Calls of different threads may overlap; for each thread the future is
///   polled once before the next call, outside of Tokio's cooperative budget. Take the place in the queue by then: a `send` into a
///   bounded channel has it.
///
/// Each server needs an adapter of its own. Its methods may be called as soon as the future of [`start`](Self::start) was polled for the
/// first time, not when it is ready: what they need must be in place by then.
///
/// Input to [`ClusterHandle::deliver`] is validated. Access to the bus must be restricted: anyone who can write to it can send to
/// every client.
///
/// A future that waits when as many wait as [`max_publishing`](crate::cluster::ClusterSettings::max_publishing) allows is dropped after its
/// first poll, which `on_adapter_error` is told. A panic counts as [`AdapterError::Panicked`].
///
/// To turn messages into bytes, enable the feature `cluster-wire` and use `cluster::wire::envelope`. The example `nats_adapter` of the
/// repository is one to copy, for a bus between processes. A minimal adapter:
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
/// assert_eq!((last.scope.name(), last.body.wire_type()), (Some("/news"), Some(3)));
/// # Ok(()) }
/// ```
//= CLA-03
pub trait Adapter: Send + Sync + 'static {
    /// Called once, when the server is built. What arrives from now on goes to
    /// [`ClusterHandle::deliver`]; tasks that this takes belong on [`ClusterHandle::spawn`]. What is about whole servers
    /// ([`Scope::Server`](crate::cluster::Scope::Server)) is to be heard from here on.
    ///
    /// A bus that cannot be reached is better waited for in a task than an error here: the adapter is not started again.
    fn start(&self, server: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>>;

    /// Resolves when the server receives messages for everything that it has opened so far: when subscriptions are confirmed, for
    /// example. It is called once all of that was opened, and before clients are taken ([`SocketIo::ready`](crate::SocketIo::ready)); at once by default.
    //= RDS-08
    fn ready(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(async { Ok(()) })
    }

    /// Sends a message to every other server, or to the one that it is [to](ClusterMessage::to). An error is told to
    /// [`on_adapter_error`](crate::SocketIoBuilder::on_adapter_error); what was sent locally stays sent.
    fn publish(&self, message: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>>;

    /// Called before a namespace takes clients, for adapters with a channel for each. Resolves when it is heard: clients are let
    /// in behind that, so that no question of another server misses the first of them.
    ///
    /// They wait no longer than the [`ready_timeout`](crate::cluster::ClusterSettings::ready_timeout), counted from this call, and
    /// not at all while the adapter says that it is not [connected](ClusterHandle::set_connected). One that waits counts among
    /// [`max_publishing`](crate::cluster::ClusterSettings::max_publishing), so it is to resolve when the bus is away.
    //= RDS-08
    fn open_namespace(&self, nsp: &str) -> BoxFuture<'_, Result<(), AdapterError>> {
        let _ = nsp;
        Box::pin(async { Ok(()) })
    }

    /// Called when a namespace is gone, and its rooms with it; before one of the same name is opened again.
    fn close_namespace(&self, nsp: &str) -> BoxFuture<'_, Result<(), AdapterError>> {
        let _ = nsp;
        Box::pin(async { Ok(()) })
    }

    /// Which rooms [`room_changed`](Self::room_changed) reports; asked once, when the server is built. None by default,
    /// and then it costs nothing.
    fn wanted_rooms(&self) -> WantedRooms {
        WantedRooms::default()
    }

    /// Called when a room gets its first member on this server or has lost its last, for adapters with a channel for each room.
    ///
    /// The calls for one namespace come one after the other. A room that changes faster than they return is told of once, as it
    /// is then: the last call is right, and it may say what was said before. No lock is held; it must not block.
    ///
    /// ```
    /// use std::collections::BTreeSet;
    /// use std::sync::Mutex;
    /// use socketio::Room;
    ///
    /// /// What is to be subscribed; a task brings the bus to it.
    /// #[derive(Default)]
    /// struct Wanted(Mutex<BTreeSet<(String, Room)>>);
    ///
    /// impl Wanted {
    ///     fn room_changed(&self, nsp: &str, room: &Room, is_open: bool) {
    ///         let channel = (nsp.to_owned(), room.clone());
    ///         let mut wanted = self.0.lock().unwrap();
    ///         if is_open { wanted.insert(channel) } else { wanted.remove(&channel) };
    ///     }
    /// }
    /// # let wanted = Wanted::default();
    /// # wanted.room_changed("/", &"a".into(), true);
    /// # assert_eq!(wanted.0.lock().unwrap().len(), 1);
    /// ```
    //= SHD-07
    fn room_changed(&self, nsp: &str, room: &Room, is_open: bool) {
        let _ = (nsp, room, is_open);
    }

    /// How the servers know of each other; asked once, when the server is built. [`Membership::Heartbeats`] by default: nothing but
    /// [`publish`](Self::publish) is needed.
    fn membership(&self) -> Membership {
        Membership::default()
    }

    /// How many servers have the namespace open, this one included; asked for
    /// [`Membership::Counted`] only, when somebody wants to know and at the beginning of each question.
    ///
    /// An adapter that has lost its bus and come back waits here until the others can be back too, or says
    /// [`AtLeast`](ServerCount::AtLeast): a number that is too low would make a part of the answers look like all of them.
    /// The question waits no longer than its own time limit.
    //= RDS-07
    fn server_count(&self, nsp: &str) -> BoxFuture<'_, Result<ServerCount, AdapterError>> {
        let _ = nsp;
        Box::pin(async { Ok(ServerCount::Exactly(1)) })
    }

    /// Whether every server of the cluster may be asked for its rooms with
    /// [`AllRooms`](crate::cluster::ClusterBody::AllRooms); asked once, when the server is built, and true by default. If not, their sockets are asked for, which takes
    /// longer: for formats that have no such question, where it would wait for an answer in vain.
    fn asks_rooms(&self) -> bool {
        true
    }

    /// The log that the servers share, if this adapter has one, for [`recovery`](crate::SocketIoBuilder::recovery) that survives
    /// a server; asked once, when the server is built. None by default.
    fn log(&self) -> Option<Arc<dyn SharedLog>> {
        None
    }

    /// Called once, when the server closes and has said so to the others. It may take as long as is left of the time limit of
    /// [`drain`](crate::SocketIo::drain), and no longer than a question; tasks of the adapter go on meanwhile. It is not called for a server that is only dropped.
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
        /// server that crashed sooner, but a slow one may count as gone.
        max_silence: Duration,
        /// How long a question waits, after a namespace was opened or the bus came back, for servers that were not heard of
        /// yet; 200 ms by default. A bus that takes longer for a message and its answer needs more: the answers of a server that is
        /// heard of later are missing, and nothing says so.
        introduction: Duration,
    },
    /// The adapter can [tell](Adapter::server_count) their number.
    Counted,
}

impl Default for Membership {
    fn default() -> Self {
        Self::Heartbeats {
            interval: Duration::from_secs(5),
            max_silence: Duration::from_secs(10),
            introduction: Duration::from_millis(200),
        }
    }
}

/// Of which rooms an adapter is told that they come and go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WantedRooms {
    /// Of none.
    #[default]
    None,
    /// Of those that sockets join.
    //= SHD-03
    Joined,
    /// Of those, and of the room of each socket's own id, which it is in while it is in the namespace.
    All,
}
