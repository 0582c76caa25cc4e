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
pub struct ServerId(Option<Arc<str>>);

impl ServerId {
    /// The id under which a process speaks that only sends and is no server.
    //= CLA-05
    pub const EMITTER: &str = "emitter";

    /// The sender of a message that does not say whose it is, as answers in the format of the classic Redis adapter do
    /// not. Each of its answers to a question counts as that of one more server, for whether it comes twice cannot be
    /// told; it is no member of the cluster.
    //= RED-RQ-04
    pub const ANONYMOUS: Self = Self(None);

    /// An id as another server wrote it. The empty one is [`ANONYMOUS`](Self::ANONYMOUS).
    pub fn new(id: impl Into<Arc<str>>) -> Self {
        Self(Some(id.into()).filter(|id| !id.is_empty()))
    }

    pub(crate) fn of_number(number: u64) -> Self {
        Self(Some(format!("{number:016x}").into()))
    }

    /// The id as text, empty for an anonymous sender.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// True for a sender that is no server.
    #[must_use]
    pub fn is_emitter(&self) -> bool {
        self.as_str() == Self::EMITTER
    }

    /// True for a sender that did not say who it is.
    #[must_use]
    pub const fn is_anonymous(&self) -> bool {
        self.0.is_none()
    }

    /// Whether it names a server, which can be counted and answered.
    pub(crate) fn is_server(&self) -> bool {
        !self.is_anonymous() && !self.is_emitter()
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerId({})", self.as_str())
    }
}

/// What a [`ClusterMessage`] is about: one namespace, or whole servers.
///
/// A namespace of any name is no [`Server`](Self::Server): a message of that scope belongs on a channel of its own, whose name no
/// pattern for namespaces matches. On a bus with the reference's channels that is one outside `<key>#*`.
//= RDS-09
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Whole servers, whatever namespaces they have. Only servers of this library say something of it.
    Server,
    /// The namespace of this name.
    Namespace(Arc<str>),
}

impl Scope {
    /// A namespace.
    pub fn namespace(name: impl Into<Arc<str>>) -> Self {
        Self::Namespace(name.into())
    }

    /// The name of the namespace; `None` for whole servers.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Server => None,
            Self::Namespace(name) => Some(name),
        }
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
    /// Whom it is for; `None` for every other server. Answers go to who asked. Whoever gets what is for another ignores it,
    /// so an adapter need not have a channel for each server.
    //= CLA-09
    pub to: Option<ServerId>,
    /// The namespace it is about, or the whole server.
    pub scope: Scope,
    /// What it says.
    pub body: ClusterBody,
    /// Its place among the sender's messages about this namespace, from which a receiver knows that it had it before. One that
    /// is 1,024 or more behind counts as such, whatever channels they came by: an adapter whose bus may mix up so many carries `None`.
    /// The reference has no such member and ignores it; without it a message that comes twice is believed twice.
    pub number: Option<u64>,
}

impl ClusterMessage {
    /// A message without a number, for everybody.
    #[must_use]
    pub fn new(uid: ServerId, scope: Scope, body: ClusterBody) -> Self {
        Self {
            uid,
            to: None,
            scope,
            body,
            number: None,
        }
    }

    /// The same message for one server alone.
    #[must_use]
    pub fn with_addressee(mut self, to: ServerId) -> Self {
        self.to = Some(to);
        self
    }

    /// Whether a log that servers share has it: an event for clients, neither volatile nor to be acknowledged.
    //= STR-01
    #[must_use]
    pub fn is_kept(&self) -> bool {
        match &self.body {
            ClusterBody::Broadcast {
                opts,
                request_id: None,
                ..
            } => !opts.flags.volatile,
            _ => false,
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
    /// Which rooms are there? Type 1 of the requests of the classic Redis adapter; the common format does not know it.
    //= RED-RQ-07
    AllRooms {
        /// Whether the rooms of single sockets, named by their ids, are wanted as well. The reference wants them.
        with_own: bool,
        /// What the answers repeat.
        request_id: RequestId,
    },
    /// The answer to [`AllRooms`](Self::AllRooms).
    AllRoomsResponse {
        /// The id of the question.
        request_id: RequestId,
        /// The rooms that have a member on the server that answers, each once. The reference's have the rooms of single sockets
        /// among them whatever was wanted: an adapter leaves them out where it can tell.
        rooms: Vec<Room>,
    },
    /// A client has come back to another server: whoever still has a socket of this id, and of an earlier life, has it for
    /// nothing. Unknown to the reference.
    Returned {
        /// Its id.
        socket: Box<str>,
        /// Which of its [lives](crate::cluster::SharedSession::life) began there.
        life: u64,
    },
    /// Grants were revoked on one server, and sockets of others that hold them must end. Unknown to the reference.
    Revoked {
        /// Which grants.
        revocation: Revocation,
    },
}

impl ClusterBody {
    /// The question that this answers; `None` for what is no answer.
    #[must_use]
    pub const fn answered(&self) -> Option<&RequestId> {
        match self {
            Self::FetchSocketsResponse { request_id, .. }
            | Self::ServerSideEmitResponse { request_id, .. }
            | Self::BroadcastClientCount { request_id, .. }
            | Self::BroadcastAck { request_id, .. }
            | Self::AllRoomsResponse { request_id, .. } => Some(request_id),
            _ => None,
        }
    }

    /// What is to be done about it where nobody is to be answered; `None` for what only asks.
    pub(crate) fn without_question(mut self) -> Option<Self> {
        match &mut self {
            Self::Broadcast { request_id, .. } | Self::ServerSideEmit { request_id, .. } => {
                *request_id = None;
            }
            Self::FetchSockets { .. } | Self::AllRooms { .. } => return None,
            _ => {}
        }
        Some(self)
    }

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
            Self::AllRooms { .. }
            | Self::AllRoomsResponse { .. }
            | Self::Returned { .. }
            | Self::Revoked { .. } => return None,
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
