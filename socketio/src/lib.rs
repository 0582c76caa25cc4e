//! A Socket.IO server: protocol 5, and protocol 4 for clients of Socket.IO 2.
//!
//! Browsers and programs connect with any Socket.IO client and exchange named *events* with the server, over
//! long-polling or WebSocket, in order. A server has *namespaces*, which clients join one by one; a client in a namespace
//! is a [`Socket`]; sockets join *rooms*, and events are sent to a socket, a room or everyone. Each event may be
//! *acknowledged*, from either side.
//!
//! ```no_run
//! use socketio::{Ack, Args, SocketIo};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let io = SocketIo::new();
//! io.namespace("/board")
//!     .on("join", |socket, room: String| async move { socket.join(room) })
//!     .on("move", |socket, Args((room, x, y)): Args<(String, f64, f64)>| async move {
//!         let _ = socket.to(room).emit("move", &Args((x, y))); // encoded once
//!     })
//!     .on("size", |_socket, ()| async move { Ack(Args((800, 600))) })
//!     .open()?;
//! io.serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?).await?;
//! # Ok(()) }
//! ```
//!
//! [`SocketIo::serve`] owns its listener. [`SocketIo::service`] goes behind a hyper server, and with feature `tower`
//! into an axum router: `Router::new().route_service("/socket.io/", io.service())`.
//!
//! # Handlers
//!
//! A handler is a closure of the socket and the arguments of its event. It belongs to the namespace: a connection
//! costs no memory for it. Events of one socket start in the order in which they arrived; one that waits does not hold
//! up the next.
//!
//! | a handler takes | and gets |
//! |---|---|
//! | `()` | nothing, whatever the client sent |
//! | `T: Deserialize`, `String` for example | the first argument |
//! | [`Args`]`<(A, B)>` | several arguments |
//! | [`Option`]`<T>` | the first argument, if there is one |
//! | [`Binary`], [`bytes::Bytes`], at any depth of a `T` | bytes |
//! | [`OwnedArgs`] | all arguments unread, to keep or send on |
//!
//! | a handler returns | and a client that asked is acknowledged with |
//! |---|---|
//! | `()` | no arguments |
//! | [`Ack`]`(value)`, [`Ack`]`(`[`Args`]`((a, b)))` | one argument, or several |
//! | `Ok(…)` of these, or `Err(e)` | the same, or `{"error": e}` |
//! | [`NoAck`] | nothing: another handler answers, or nobody |
//!
//! Arguments that are not what the handler takes are acknowledged with `{"error":"invalid_arguments"}` and told to
//! [`on_invalid`](NamespaceBuilder::on_invalid). A panic disconnects its own socket and nothing else.
//!
//! Beside handlers of events a namespace has connect [`middleware`](NamespaceBuilder::middleware),
//! [`on_connect`](NamespaceBuilder::on_connect), [`event_middleware`](NamespaceBuilder::event_middleware), a
//! [`fallback`](NamespaceBuilder::fallback), [`on_disconnecting`](NamespaceBuilder::on_disconnecting) and
//! [`on_disconnect`](NamespaceBuilder::on_disconnect). [`Socket::on`] adds handlers to one socket.
//!
//! # Sending
//!
//! [`Socket::emit`] does not wait: the event is in the client's queue, or an error says why not. Everything else is
//! said before it, in any combination:
//!
//! ```
//! # use std::time::Duration;
//! # use socketio::{AckError, EmitError, Namespace, Socket};
//! # async fn show(socket: Socket, board: Namespace<()>) -> Result<(), EmitError> {
//! socket.emit("hello", "world")?;
//! socket.to("lobby").except("muted").emit("said", &"hi")?; // the room, but not this socket
//! board.to("lobby").to("staff").emit("notice", &"soon")?; // one copy each
//! socket.volatile().emit("cursor", &(3, 4))?; // only if it leaves at once
//! socket.conflate("price").emit("price", &42)?; // only the latest waits
//! let locale: Result<String, AckError> = socket
//!     .timeout(Duration::from_secs(5))
//!     .emit_with_ack("locale?", &())
//!     .await;
//! # let _ = locale; Ok(()) }
//! ```
//!
//! A broadcast's acknowledgements are an [`AckStream`], each as it comes and with its socket's id. A [`Socket`] and a
//! [`Namespace`] are valid anywhere, in the HTTP handlers of the same program for instance.
//!
//! # Authentication
//!
//! [`SocketIoBuilder::authenticate`] guards every namespace that does not say otherwise,
//! [`NamespaceBuilder::authenticate`] one, and [`NamespaceBuilder::public`] opens one. Handlers get the identity,
//! typed, from [`Socket::data`]. Policies and authenticators are in [`auth`].
//!
//! # Errors
//!
//! | type | of |
//! |---|---|
//! | [`BuildError`] | building a server, opening a namespace |
//! | [`EmitError`] | sending an event |
//! | [`AckError`] | waiting for an acknowledgement |
//! | [`JoinError`] | joining a room |
//! | [`ConnectError`] | the application's own, for clients that may not join |
//! | [`DisconnectReason`] | no error: why a socket left, in the reference's words |
//!
//! # Limits
//!
//! Everything a client can make grow is bounded. Methods of [`SocketIoBuilder`]:
//!
//! | limit | default | past it |
//! |---|---|---|
//! | [`connect_timeout`](SocketIoBuilder::connect_timeout) | 45 s | who has joined nothing is disconnected |
//! | [`attachment_timeout`](SocketIoBuilder::attachment_timeout) | 45 s | the connection is closed |
//! | [`ack_timeout`](SocketIoBuilder::ack_timeout) | none | [`AckError::Timeout`] |
//! | [`max_pending_acks`](SocketIoBuilder::max_pending_acks) | 1,024 a socket | [`EmitError::TooManyAcks`] |
//! | [`max_rooms_per_socket`](SocketIoBuilder::max_rooms_per_socket) | 1,024 | [`JoinError::TooManyRooms`] |
//! | [`max_rooms_per_namespace`](SocketIoBuilder::max_rooms_per_namespace) | 1,000,000 | [`JoinError::TooManyRooms`] |
//! | [`max_room_name_bytes`](SocketIoBuilder::max_room_name_bytes) | 1,024 | [`JoinError::NameTooLong`] |
//! | [`max_namespaces_per_connection`](SocketIoBuilder::max_namespaces_per_connection) | 64 | the CONNECT is refused |
//! | [`max_concurrent_connects`](SocketIoBuilder::max_concurrent_connects) | 16 a connection | the CONNECT is refused |
//! | [`max_dynamic_namespaces`](SocketIoBuilder::max_dynamic_namespaces) | 10,000 | the CONNECT is refused |
//! | [`max_handlers_in_flight`](SocketIoBuilder::max_handlers_in_flight) | 64 a connection | events wait |
//! | [`inbox_max_bytes`](SocketIoBuilder::inbox_max_bytes) | 64 KiB a connection | nothing more is read |
//! | [`events_per_second`](SocketIoBuilder::events_per_second) | none | the event is dropped, and acknowledged so |
//! | [`limits`](SocketIoBuilder::limits) | see [`Limits`] | the connection is closed |
//! | [`recovery`](SocketIoBuilder::recovery) | off | the oldest is forgotten, see [`Recovery`] |
//! | [`engine`](SocketIoBuilder::engine) | see [`engineio::Config`] | sizes, queues, sessions, heartbeat |
//!
//! A client that does not read is the matter of the engine's
//! [`max_queued_bytes`](engineio::Config::max_queued_bytes), 4 MiB, and of the [`OverflowPolicy`]: by default it is
//! disconnected.
//!
//! # Features
//!
//! None is on by default, and none changes what the others do.
//!
//! * `msgpack`: `Codec::msgpack`, for clients with `socket.io-msgpack-parser`. Other formats are a [`Parser`].
//! * `compression`, `deflate`: the engine's, for long-polling and for WebSocket; see [`engineio`].
//! * `tower`: [`Service`] as a tower `Service`.
//! * `regex`: dynamic namespaces by regular expression; those by pattern and by predicate are always there.
//! * `client-bundle`: serves the browser client's files.
//! * `tracing`: events for a log. The level says who is to blame: what any client can cause is `debug`, what the
//!   environment lacks is `warn`, a panic of the application's is `error`. No event carries an id, a credential, a
//!   header, a query or a payload.
//! * `metrics`: `SocketIo::stats`, a snapshot of counters.
//! * `testing`: the module `testing`, an in-memory client to test handlers with.

#![forbid(unsafe_code)]

mod atomic;
mod authority;
mod clock;
mod cluster;
mod codec;
mod connection;
mod error;
mod event;
mod facade;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(doc, doctest))]
pub mod guide;
mod id;
mod live;
mod lock;
#[cfg(test)]
mod models;
mod proto;
mod queue;
mod running;
mod sending;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod time_limit;
mod trace;

pub use cluster::adapter::{Adapter, AdapterError, Membership};
pub use cluster::answers::{Gathered, Gathering, ServerAnswer};
pub use cluster::handle::ClusterHandle;
pub use cluster::local::{LocalAdapter, LocalBus};
pub use cluster::settings::ClusterSettings;
pub use codec::kind::PacketKind;
pub use codec::packet::Packet;
pub use codec::{
    Args, ArgsError, Binary, Codec, EncodeError, FromArgs, Limits, Outgoing, OwnedArgs,
    PacketError, Parser, Partial, RawArgs,
};
pub use error::{AckError, BuildError, ConnectError, DisconnectReason, EmitError, JoinError};
pub use event::{ChangeKind, Event, Invalid};
pub use facade::auth_control::AuthControl;
pub use facade::builder::{Decided, Inherited, Many, NamespaceBuilder, One, Undecided};
#[cfg(feature = "client-bundle")]
pub use facade::client_bundle::ClientBundle;
pub use facade::handler::{Ack, IdentityChange, IntoAck, IntoConnect, NoAck};
pub use facade::namespace::{DynamicNamespaces, Namespace};
pub use facade::server::{Service, SocketIo, SocketIoBuilder};
pub use facade::socket::Socket;
#[cfg(feature = "metrics")]
pub use facade::stats::{NamespaceStats, Stats};
pub use id::SocketId;
pub use live::closed::Closed;
pub use live::handlers::AckSender;
pub use live::handshake::Handshake;
pub use live::keeper::Recovery;
pub use live::listeners::ListenerId;
pub use proto::cluster::message::{
    ClusterBody, ClusterFlags, ClusterMessage, ClusterOptions, RequestId, ServerId,
};
pub use proto::cluster::remote::RemoteSocket;
pub use proto::rooms::{Room, RoomEvent};
pub use sending::ack::{AckFuture, AckStream};
pub use sending::broadcast::Broadcast;
pub use sending::emitter::{EmitWhenReady, Emitter};

pub use engineio::{OverflowPolicy, Sent};

pub use engineio;
pub use socketio_auth as auth;
