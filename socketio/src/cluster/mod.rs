//! Several servers with common clients: joining a cluster, asking the other servers, and writing an [`Adapter`] for one's
//! own bus.
//!
//! A server with an [`adapter`](crate::SocketIoBuilder::adapter) sends its broadcasts to the clients of the other servers
//! too. [`LocalBus`] links the servers of one process. Servers are asked by
//! [`fetch_sockets`](crate::Namespace::fetch_sockets) and
//! [`server_side_emit_with_ack`](crate::Namespace::server_side_emit_with_ack); what comes together is a [`Gathered`].
//! [`ClusterMessage`] and what is in it are for adapters.

// Outgoing: publishing, asking, who is there. What a message means is decided in `proto::cluster`, what it does in
// `facade::hearing`.

pub(crate) mod adapter;
pub(crate) mod answers;
pub(crate) mod error;
pub(crate) mod handle;
pub(crate) mod link;
pub(crate) mod local;
pub(crate) mod local_log;
pub(crate) mod log;
pub(crate) mod question;
pub(crate) mod seat;
pub(crate) mod settings;

pub use crate::proto::cluster::entry::{EntryId, NoEntryId};
pub use crate::proto::cluster::message::{
    ClusterBody, ClusterFlags, ClusterMessage, ClusterOptions, RequestId, Scope, ServerId,
};
pub use crate::proto::cluster::remote::RemoteSocket;
pub use crate::proto::cluster::requests::ServerCount;
#[cfg(feature = "cluster-wire")]
pub use crate::proto::cluster::wire;
pub use crate::proto::recovery::Stays;
pub use adapter::{Adapter, Membership, WantedRooms};
pub use answers::{Gathered, Gathering, ServerAnswer};
pub use error::AdapterError;
pub use handle::ClusterHandle;
pub use local::{LocalAdapter, LocalBus};
pub use local_log::LocalLogBounds;
pub use log::{LogBounds, LogRead, SharedLog, SharedSession};
pub use settings::ClusterSettings;
