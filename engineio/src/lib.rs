//! An Engine.IO server: sessions over HTTP long-polling and WebSocket, for clients of protocol 4 and, where it is allowed,
//! protocol 3. It is what Socket.IO stands on, and carries any other protocol of messages as well.
//!
//! ```no_run
//! use engineio::{CloseReason, Config, Connection, Engine, Flow, Handler, Message, Payload, Protocol, RequestView};
//!
//! /// Sends back what it is sent.
//! struct Echo;
//!
//! impl Handler for Echo {
//!     /// What is kept for each session: here the name that the request gave.
//!     type Data = String;
//!
//!     fn on_open(&self, request: &RequestView<'_>, _: Protocol) -> String {
//!         request.query_value("name").unwrap_or_default().into_owned()
//!     }
//!
//!     fn on_message(&self, connection: &Connection<String>, message: Message<'_>) -> Flow {
//!         // An error means that the session has ended, or that its client takes nothing; either way it is over.
//!         let _ = match message.payload() {
//!             Payload::Text(text) => connection.send_text(&format!("{}: {text}", connection.data())),
//!             Payload::Binary(data) => connection.send_binary(data),
//!             _ => Ok(()),
//!         };
//!         Flow::Continue
//!     }
//!
//!     fn on_close(&self, _: &Connection<String>, reason: CloseReason) {
//!         println!("closed: {reason}");
//!     }
//! }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::new(Config::new(), Echo)?;
//! // Or `engine.service()` behind a hyper or tower server, or `engine.serve_accepted(…)` for streams of other kinds.
//! engine.serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Limits
//!
//! What a client can make the server hold, or wait for, is bounded. Each bound is an option of [`Config`], where it says what
//! raising and lowering it does.
//!
//! | of | option | default | past it |
//! |---|---|---|---|
//! | a POST, a WebSocket message | [`max_payload`](Config::max_payload) | 1,000,000 bytes | 413; close code 1009 |
//! | packets of a POST | [`max_packets_per_payload`](Config::max_packets_per_payload) | what fits | the session ends |
//! | what waits for one client | [`max_queued_bytes`](Config::max_queued_bytes) | 4 MiB | [`overflow`](Config::overflow): the session ends |
//! | the same, for reading to go on | [`high_watermark`](Config::high_watermark) | 256 KiB | its messages are not read |
//! | sessions | [`max_sessions`](Config::max_sessions) | 1,000,000 | 503 |
//! | sessions of one peer | [`max_sessions_per_peer`](Config::max_sessions_per_peer) | none | 503 |
//! | the head of a request | [`max_header_bytes`](Config::max_header_bytes) | 16 KiB | 431 |
//! | headers of a request | [`max_headers`](Config::max_headers) | 256 | 431 |
//! | time for a head to arrive | [`header_timeout`](Config::header_timeout) | 10 s | 408 |
//! | time for a body to arrive | [`body_timeout`](Config::body_timeout) | 30 s | the session ends |
//! | time for a client to take an answer | [`write_timeout`](Config::write_timeout) | 30 s | the connection ends |
//! | time between two requests of a connection | [`keep_alive_timeout`](Config::keep_alive_timeout) | 75 s | the connection ends |
//! | time for an upgrade | [`upgrade_timeout`](Config::upgrade_timeout) | 10 s | the session stays on polling |
//! | time for a pong | [`ping_interval`](Config::ping_interval), [`ping_timeout`](Config::ping_timeout) | 25 s, 20 s | the session ends |
//! | time that reading stands still | [`stall_timeout`](Config::stall_timeout) | 60 s | the session ends |
//!
//! Some are not for choosing: 65,536 fragments of a WebSocket message that carry nothing, 16 KiB of extensions and trailers of
//! a chunked body, 2 s for the answer to a close frame and for a polling client to come back and hear of a drain, 30 s for a
//! client to take what was sent before a close. The heads, and the time for them and between them, are those of
//! [`Engine::serve`] and [`Engine::serve_accepted`]; behind [`Engine::service`] the server around it has its own.
//! With feature `tls`, `TlsListener::max_handshakes` bounds handshakes at once: 1,024, and past it nobody is accepted.
//!
//! # Features
//!
//! None is on by default, and none changes what the others do.
//!
//! * `compression`: long-polling responses compressed by gzip or deflate, once [`Config::http_compression`] asks for it.
//! * `deflate`: WebSocket messages compressed (RFC 7692), once [`Config::per_message_deflate`] asks for it.
//! * `nodes`: several nodes without sticky sessions, see [`Nodes`].
//! * `tls`: [`Engine::serve`] on a listener that speaks TLS, by rustls: `TlsListener`.
//! * `tower`: [`EngineService`] as a tower `Service`, and, by `into_layer`, as what wraps another one.
//! * `tracing`: events for a log. The level says who is to blame: what any peer can cause is `debug`, what the
//!   environment lacks is `warn`, a panic of the application's or ours is `error`. No event carries a session id, an
//!   address, a header, a query or a payload.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod body;
mod buffers;
mod config;
mod fields;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod header_list;
mod http;
mod jsonp;
mod lock;
mod message;
mod moment;
#[cfg(feature = "nodes")]
mod nodes;
mod owed;
mod packet;
mod payload;
mod proto;
mod random;
mod send_options;
mod server;
mod session_id;
#[cfg(test)]
mod test_vectors;
mod trace;
mod transport;
mod websocket;
#[cfg(feature = "deflate")]
mod zlib;

pub use body::{Body, BodyError};
pub use config::{Config, ConfigError, HookFuture};
pub use http::request::{Forwarded, RequestView, decode_form};
pub use http::{AllowedOrigins, ConnectionError, CookieOptions, Cors, Refusal, SameSite};
pub use message::{EncodedMessage, Message, MessageBuffer, Payload};
#[cfg(feature = "nodes")]
pub use nodes::{Nodes, NodesError};
pub use packet::{ParseError, Protocol};
pub use proto::close_reason::CloseReason;
pub use send_options::{ConflationKey, OverflowPolicy, SendOptions, Sent};
pub use server::{
    Accepted, Connection, Engine, EngineService, Flow, ForeignStream, Handler, Listener, PeerAddr,
    Queued, Ready, SendError, Stats,
};
#[cfg(feature = "tls")]
pub use server::{Certificates, TlsError, TlsListener};
#[cfg(feature = "tower")]
pub use server::{EitherBody, EitherFuture, EngineBefore, EngineLayer};
pub use session_id::{NoRandomness, SessionId};
pub use transport::Transport;
pub use websocket::PerMessageDeflate;

/// The first page of the package, whose example is compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
