//! What the servers of a cluster tell each other, not serialized yet (CLA-01). Pure data.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use socketio_auth::revocation::Revocation;

use super::remote::RemoteSocket;
use crate::codec::OwnedArgs;
use crate::event::Event;
use crate::proto::room::{Room, Selection};

/// The id of one server of a cluster: 16 lower-case hexadecimal digits for those of this library, any text for others.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId(Arc<str>);

impl ServerId {
    /// The id under which a process speaks that only sends and is no server.
    //= CLA-05
    pub const EMITTER: &str = "emitter";

    /// An id as another server wrote it.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    pub(crate) fn of_number(number: u64) -> Self {
        Self(format!("{number:016x}").into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for a sender that is no server.
    #[must_use]
    pub fn is_emitter(&self) -> bool {
        &*self.0 == Self::EMITTER
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerId({})", self.0)
    }
}

/// The id of a question to the cluster, which its answers repeat. Opaque to who answers.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// An id as another server wrote it.
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(id.into())
    }

    pub(crate) fn of_number(number: u64) -> Self {
        Self(format!("{number:016x}").into())
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({})", self.0)
    }
}

/// One message between servers. An [`Adapter`](crate::cluster::Adapter) carries it in whatever format its bus speaks.
///
/// Cloning shares what is in it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClusterMessage {
    /// Who sends it.
    pub uid: ServerId,
    /// The namespace it is about; [`SERVER_WIDE`](Self::SERVER_WIDE) for none.
    pub nsp: Arc<str>,
    /// What it says.
    pub body: ClusterBody,
    /// Its place among the sender's messages about this namespace, from which a receiver knows that it had it before.
    /// The reference has no such member and ignores it; without it a message that comes twice is believed twice.
    pub number: Option<u64>,
}

impl ClusterMessage {
    /// The `nsp` of what concerns whole servers. No namespace can have this name.
    pub const SERVER_WIDE: &str = "*";

    /// A message without a number.
    pub fn new(uid: ServerId, nsp: impl Into<Arc<str>>, body: ClusterBody) -> Self {
        Self {
            uid,
            nsp: nsp.into(),
            body,
            number: None,
        }
    }

    /// The same message with a number.
    #[must_use]
    pub fn with_number(mut self, number: u64) -> Self {
        self.number = Some(number);
        self
    }
}

/// What a [`ClusterMessage`] says: the types of PROTOCOL.md §6.3 with their data, and what only this library says.
///
/// Arguments are [`OwnedArgs`]: whatever format they came in, a codec of an adapter writes each with
/// [`RawArgs::transcode`](crate::args::RawArgs::transcode), binary as bytes, and makes them again with [`OwnedArgs::new`]
/// or [`OwnedArgs::from_values`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClusterBody {
    /// Type 1: a server has come, and wants to hear who is there.
    InitialHeartbeat,
    /// Type 2: a server is there.
    Heartbeat,
    /// Type 3: an event for the clients of every server.
    Broadcast {
        /// The event.
        packet: Event,
        /// For whom, and how.
        opts: ClusterOptions,
        /// Present when acknowledgements are wanted.
        //= CLA-04
        request_id: Option<RequestId>,
    },
    /// Type 4: have sockets join rooms.
    SocketsJoin {
        /// Which sockets.
        opts: ClusterOptions,
        /// The rooms.
        rooms: Vec<Room>,
    },
    /// Type 5: have sockets leave rooms.
    SocketsLeave {
        /// Which sockets.
        opts: ClusterOptions,
        /// The rooms.
        rooms: Vec<Room>,
    },
    /// Type 6: disconnect sockets.
    DisconnectSockets {
        /// Which sockets.
        opts: ClusterOptions,
        /// Whether their connections are closed, and not only this namespace left.
        close: bool,
    },
    /// Type 7: which sockets are there?
    FetchSockets {
        /// Which sockets are meant.
        opts: ClusterOptions,
        /// What the answers repeat.
        request_id: RequestId,
    },
    /// Type 8: the answer to [`FetchSockets`](Self::FetchSockets).
    FetchSocketsResponse {
        /// The id of the question.
        request_id: RequestId,
        /// The sockets of the server that answers.
        sockets: Vec<RemoteSocket>,
    },
    /// Type 9: an event for the servers themselves.
    ServerSideEmit {
        /// The event.
        packet: Event,
        /// Present when answers are wanted.
        //= CLA-04
        request_id: Option<RequestId>,
    },
    /// Type 10: the answer to [`ServerSideEmit`](Self::ServerSideEmit).
    ServerSideEmitResponse {
        /// The id of the question.
        request_id: RequestId,
        /// One argument, or none.
        packet: OwnedArgs,
    },
    /// Type 11: how many clients of a server were sent a [`Broadcast`](Self::Broadcast) to be acknowledged.
    BroadcastClientCount {
        /// The id of the broadcast.
        request_id: RequestId,
        /// How many.
        client_count: u64,
    },
    /// Type 12: the acknowledgement of one client.
    BroadcastAck {
        /// The id of the broadcast.
        request_id: RequestId,
        /// Its first argument, if it has one.
        packet: OwnedArgs,
        /// Whose it is. The reference has no such member and ignores it.
        socket: Option<Box<str>>,
    },
    /// Type 13: a server goes.
    AdapterClose,
    /// Grants were revoked on one server, and sockets of others that hold them must end. Unknown to the reference.
    Revoked {
        /// Which grants.
        revocation: Revocation,
    },
}

impl ClusterBody {
    /// The number of the type on the wire of the reference (PROTOCOL.md §6.3); `None` for what it does not know.
    #[must_use]
    pub const fn wire_type(&self) -> Option<u8> {
        Some(match self {
            Self::InitialHeartbeat => 1,
            Self::Heartbeat => 2,
            Self::Broadcast { .. } => 3,
            Self::SocketsJoin { .. } => 4,
            Self::SocketsLeave { .. } => 5,
            Self::DisconnectSockets { .. } => 6,
            Self::FetchSockets { .. } => 7,
            Self::FetchSocketsResponse { .. } => 8,
            Self::ServerSideEmit { .. } => 9,
            Self::ServerSideEmitResponse { .. } => 10,
            Self::BroadcastClientCount { .. } => 11,
            Self::BroadcastAck { .. } => 12,
            Self::AdapterClose => 13,
            Self::Revoked { .. } => return None,
        })
    }
}

/// Which sockets a message means, and how an event is sent to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterOptions {
    /// Members of any of these; empty means everyone.
    pub rooms: Vec<Room>,
    /// But no member of any of these.
    pub except: Vec<Room>,
    /// How an event is sent.
    pub flags: ClusterFlags,
}

impl ClusterOptions {
    /// Sockets by their rooms.
    #[must_use]
    pub fn new(rooms: Vec<Room>, except: Vec<Room>) -> Self {
        Self {
            rooms,
            except,
            flags: ClusterFlags::default(),
        }
    }

    /// The same sockets, sent to in this way.
    #[must_use]
    pub fn with_flags(mut self, flags: ClusterFlags) -> Self {
        self.flags = flags;
        self
    }

    pub(crate) fn selection(&self) -> Selection {
        Selection {
            rooms: self.rooms.clone(),
            except: self.except.clone(),
        }
    }
}

/// How an event is sent. Policies for full queues and conflation are each server's own and do not travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterFlags {
    /// Leave out those whom it would not reach at once.
    //= SRV-VOL-01
    pub volatile: bool,
    /// Compress it where that was negotiated; true by default.
    pub compress: bool,
    /// How long acknowledgements are waited for.
    //= CLA-07
    pub timeout: Option<Duration>,
}

impl Default for ClusterFlags {
    fn default() -> Self {
        Self {
            volatile: false,
            compress: true,
            timeout: None,
        }
    }
}
