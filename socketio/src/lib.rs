//! Socket.IO 5 and 4 server: namespaces, rooms, acknowledgements, broadcast and pluggable authentication.
//!
//! ```no_run
//! use socketio::{Args, Ack, SocketIo};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let io = SocketIo::new();
//! io.namespace("/board")
//!     .on("join", |socket, room: String| async move { socket.join(room) })
//!     .on("move", |socket, Args((room, x, y)): Args<(String, f64, f64)>| async move {
//!         let _ = socket.to(room).emit("move", &Args((x, y)));
//!     })
//!     .on("size", |_socket, ()| async move { Ack(Args((800, 600))) })
//!     .open()?;
//! io.serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?).await?;
//! # Ok(()) }
//! ```

#![forbid(unsafe_code)]

mod ack;
mod adapter;
mod auth_control;
mod authority;
mod broadcast;
#[cfg(feature = "client-bundle")]
mod client_bundle;
mod closed;
mod cluster;
mod cluster_control;
mod codec;
mod connection;
mod emitter;
mod error;
mod event;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(doc, doctest))]
pub mod guide;
mod handler;
mod handshake;
mod id;
mod inbox;
mod listeners;
mod lock;
mod matcher;
mod namespace;
mod packet;
mod proto;
mod recovery;
mod rooms;
mod running;
mod server;
mod settings;
mod socket;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod trace;

pub use ack::{AckFuture, AckStream};
pub use adapter::{Adapter, AdapterError, Membership};
pub use auth_control::AuthControl;
pub use broadcast::Broadcast;
#[cfg(feature = "client-bundle")]
pub use client_bundle::ClientBundle;
pub use closed::Closed;
pub use cluster::{
    ClusterBody, ClusterFlags, ClusterHandle, ClusterMessage, ClusterOptions, ClusterSettings,
    Gathered, Gathering, LocalAdapter, LocalBus, RemoteSocket, RequestId, ServerAnswer, ServerId,
};
pub use codec::{
    Args, ArgsError, Binary, Codec, EncodeError, FromArgs, Limits, Outgoing, OwnedArgs,
    PacketError, Parser, Partial, RawArgs,
};
pub use emitter::{EmitWhenReady, Emitter};
pub use error::{AckError, BuildError, ConnectError, DisconnectReason, EmitError, JoinError};
pub use event::{Event, Invalid};
pub use handler::{Ack, AckSender, IntoAck, IntoConnect, NoAck};
pub use handshake::Handshake;
pub use id::SocketId;
pub use listeners::ListenerId;
pub use namespace::{
    Decided, DynamicNamespaces, Inherited, Many, Namespace, NamespaceBuilder, One, Undecided,
};
pub use packet::{Packet, PacketKind};
pub use recovery::Recovery;
pub use rooms::{Room, RoomEvent};
pub use server::{Service, SocketIo, SocketIoBuilder};
pub use socket::Socket;

pub use engineio::{OverflowPolicy, Sent};

pub use engineio;
pub use socketio_auth as auth;
