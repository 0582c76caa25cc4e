//! A Socket.IO server: protocol 5, and protocol 4 for clients of Socket.IO 2, which are let in with
//! [`engine(|config| config.allow_eio3(true))`](engineio::Config::allow_eio3) and answered 400 without. One server or a
//! [cluster] of them.
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
//!         socket.to(room).emit("move", &Args((x, y))) // encoded once
//!     })
//!     .on("size", |_socket, ()| async move { Ack(Args((800, 600))) })
//!     .open()?;
//! io.serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?).await?;
//! # Ok(()) }
//! ```
//!
//! [`SocketIo::serve`] owns its listener. [`SocketIo::service`] goes behind a hyper server, and with feature `tower` a
//! layer goes around the routes of axum: `Router::new().layer(io.layer())`.
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
//! | `()`, or [`Sent`], which `emit` gives | no arguments |
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
//! One rule for whomever an event is for, a [`Socket`], a [`Namespace`], any [`Broadcast`]:
//!
//! * `emit` does not wait and gives `Result<`[`Sent`]`, `[`EmitError`]`>`. The event is in the client's queue, or in at
//!   least one client's; or nobody takes it, which [`Sent::Dropped`] says; or an error says why it was not sent. A
//!   handler may return it, or let it go.
//! * `emit_with_ack` gives what is awaited, and the error comes where the answer would: an [`AckFuture`] of a socket, an
//!   [`AckStream`] of all others, each answer as it comes and with its socket's id.
//!
//! Everything else is said before these two, in any combination:
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
//! let mut answers = board.to("lobby").emit_with_ack::<bool>("ready?", &());
//! while let Some((_socket, answer)) = answers.next().await {
//!     println!("{answer:?}");
//! }
//! # let _ = locale; Ok(()) }
//! ```
//!
//! A [`Socket`] and a [`Namespace`] are valid anywhere, in the HTTP handlers of the same program for instance.
//!
//! # Authentication
//!
//! [`SocketIoBuilder::authenticate`] guards every namespace that does not say otherwise,
//! [`NamespaceBuilder::authenticate`] one, and [`NamespaceBuilder::public`] opens one. Handlers get the identity,
//! typed, from [`Socket::data`]. Policies and authenticators are in [`auth`].
//!
//! # Errors
//!
//! Each says what went wrong, and its [`source`](std::error::Error::source) why.
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
//! | [`max_concurrent_connects`](SocketIoBuilder::max_concurrent_connects) | 64 a connection | the CONNECT is refused |
//! | [`max_dynamic_namespaces`](SocketIoBuilder::max_dynamic_namespaces) | 10,000 | the CONNECT is refused |
//! | [`max_handlers_in_flight`](SocketIoBuilder::max_handlers_in_flight) | 1,024 a connection | events wait |
//! | [`inbox_max_bytes`](SocketIoBuilder::inbox_max_bytes) | 64 KiB a connection | nothing more is read, unless an acknowledgement is awaited |
//! | [`inbox_overflow_bytes`](SocketIoBuilder::inbox_overflow_bytes) | 16 MiB a connection | the connection is closed |
//! | [`events_per_second`](SocketIoBuilder::events_per_second) | none | the event is dropped, and acknowledged so |
//! | [`packet_limits`](SocketIoBuilder::packet_limits) | see [`PacketLimits`](parser::PacketLimits) | the connection is closed |
//! | [`recovery`](SocketIoBuilder::recovery) | off | the oldest is forgotten, see [`Recovery`] |
//! | [`engine`](SocketIoBuilder::engine) | see [`engineio::Config`] | sizes, queues, sessions, heartbeat |
//!
//! The guide's chapter on [limits](crate::guide::limits) has all of them, those of the engine and of authentication too, with why
//! each is as large as it is and who is told what.
//!
//! A client that does not read is the matter of the engine's
//! [`max_queued_bytes`](engineio::Config::max_queued_bytes), 4 MiB, and of the [`OverflowPolicy`]: by default it is
//! disconnected.
//!
//! # Several servers
//!
//! Servers of a [`cluster`] send to each other's clients: give each an [`adapter`](SocketIoBuilder::adapter).
//!
//! # Modules
//!
//! What most programs name stands here. The rest is in modules, by task:
//!
//! | module | what it is for |
//! |---|---|
//! | [`namespace`] | setting up namespaces in functions of one's own; dynamic ones; what hooks are told |
//! | [`args`] | arguments of events as types of one's own, or as they came |
//! | [`parser`] | another wire format than JSON; what one packet may hold |
//! | [`cluster`] | several servers, and adapters between them |
//! | [`auth`] | policies, authenticators, tokens: the crate `socketio-auth` |
//! | [`engineio`] | the engine below: transports, heartbeat, sizes, CORS |
//! | `metrics`, `testing` | with the features of these names |
//!
//! # Features
//!
//! None is on by default, and none changes what the others do.
//!
//! * `msgpack`: `Codec::msgpack`, for clients with `socket.io-msgpack-parser`. Other formats are a
//!   [`Parser`](parser::Parser).
//! * `compression`, `deflate`: the engine's, for long-polling and for WebSocket; see [`engineio`].
//! * `nodes`: `SocketIo::serve_nodes`, for several servers without sticky sessions; see [`engineio`].
//! * `tls`: [`SocketIo::serve`] on a listener that speaks TLS, by rustls: `engineio::TlsListener`; see [`guide::tls`].
//! * `tower`: [`SocketIoService`] as a tower `Service`, and `SocketIo::layer` around the rest of an application.
//! * `regex`: dynamic namespaces by regular expression; those by pattern and by predicate need no feature.
//! * `client-bundle`: serves the browser client's files.
//! * `tracing`: events for a log. The level says who is to blame: what any client can cause is `debug`, what the
//!   environment lacks is `warn`, a panic of the application's is `error`. No event carries an id, a credential, a
//!   header, a query or a payload.
//! * `metrics`: `SocketIo::stats`, a snapshot of counters, and the module `metrics`.
//! * `testing`: the module `testing`, an in-memory client to test handlers with.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod atomic;
mod authority;
mod clock;
pub mod cluster;
mod codec;
mod connection;
mod error;
mod event;
mod facade;
mod few;
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
mod running;
mod sending;
mod tables;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod time_limit;
mod trace;
mod type_map;
mod wall_time;

pub use codec::{Args, Binary, OwnedArgs};
pub use error::{AckError, BuildError, ConnectError, DisconnectReason, EmitError, JoinError};
pub use event::Event;
pub use facade::auth_control::AuthControl;
pub use facade::builder::NamespaceBuilder;
#[cfg(feature = "client-bundle")]
pub use facade::client_bundle::ClientBundle;
pub use facade::extensions::Extensions;
pub use facade::handler::{Ack, NoAck};
#[cfg(feature = "tower")]
pub use facade::layer::SocketIoLayer;
pub use facade::namespace::Namespace;
pub use facade::server::{SocketIo, SocketIoBuilder, SocketIoService};
pub use facade::socket::Socket;
pub use id::SocketId;
pub use live::closed::Closed;
pub use live::handshake::Handshake;
pub use live::keeper::Recovery;
pub use proto::room::Room;
pub use sending::ack::{AckFuture, AckStream};
pub use sending::broadcast::Broadcast;
pub use sending::emitter::{EmitWhenReady, Emitter};
pub use sending::fetched::FetchedSocket;

pub use engineio::{OverflowPolicy, Sent};

pub use engineio;
pub use socketio_auth as auth;

pub mod args {
    //! Arguments of events, beside [`Args`](crate::Args), [`Binary`](crate::Binary) and
    //! [`OwnedArgs`](crate::OwnedArgs): what a handler can take them as, how hooks see them, and what can be wrong with
    //! them.

    pub use crate::codec::{ArgsError, EncodeError, FromArgs, RawArgs};
}

#[cfg(feature = "metrics")]
pub mod metrics {
    //! What a server has done, in numbers: what [`SocketIo::stats`](crate::SocketIo::stats) gives.

    pub use crate::facade::stats::{ClusterStats, NamespaceStats, ServerStats};
}

pub mod namespace {
    //! Setting up namespaces, beside [`NamespaceBuilder`](crate::NamespaceBuilder): the states it goes through, what its
    //! handlers may return, what its hooks are told, and sets of dynamic namespaces.
    //!
    //! A function that takes part in the set-up names the states:
    //!
    //! ```
    //! use socketio::namespace::Decided;
    //! use socketio::{NamespaceBuilder, SocketIo};
    //!
    //! /// Adds what every namespace has; its policy was chosen before, or is the server's.
    //! fn common<D: Send + Sync + 'static, S, K>(
    //!     builder: NamespaceBuilder<D, S, K>,
    //! ) -> NamespaceBuilder<D, Decided, K> {
    //!     builder.on("hello", |socket, name: String| async move { socket.emit("hello", &name) })
    //! }
    //!
    //! # fn main() -> Result<(), socketio::BuildError> {
    //! let io = SocketIo::new();
    //! common(io.namespace("/status").public()).open()?;
    //! common(io.namespaces("/tenant-#")).open()?;
    //! # Ok(()) }
    //! ```

    pub use crate::event::{ChangeKind, Invalid, NamespaceEvent};
    pub use crate::facade::builder::{Decided, Inherited, Many, One, Undecided};
    pub use crate::facade::handler::{IdentityChange, IntoAck, IntoConnect};
    pub use crate::facade::namespace::DynamicNamespaces;
    pub use crate::live::listeners::ListenerId;
    pub use crate::proto::rooms::RoomEvent;
}

pub mod parser {
    //! How packets are written and read: the choice of a [`Codec`], what a client may send in one packet, and what it
    //! takes to bring a [`Parser`] of one's own.

    pub use crate::codec::kind::PacketKind;
    pub use crate::codec::packet::Packet;
    pub use crate::codec::{Codec, Outgoing, PacketError, PacketLimits, Parser, Partial};
}

/// The first page of the package, whose example is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
