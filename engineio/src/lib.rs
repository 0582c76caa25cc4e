//! Engine.IO 4 and 3 server.
//!
//! # Features
//!
//! None is on by default, and none changes what the others do.
//!
//! * `compression`: long-polling responses compressed by gzip or deflate, once [`Config::http_compression`] asks for it.
//! * `deflate`: WebSocket messages compressed (RFC 7692), once [`Config::per_message_deflate`] asks for it.
//! * `tower`: [`EngineService`] as a tower `Service`, and as what wraps another one.
//! * `tracing`: events for a log. The level says who is to blame: what any peer can cause is `debug`, what the
//!   environment lacks is `warn`, a panic of the application's or ours is `error`. No event carries a session id, an
//!   address, a header, a query or a payload.

#![forbid(unsafe_code)]

mod body;
mod buffers;
mod config;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod jsonp;
mod message;
mod packet;
mod payload;
mod proto;
mod request;
mod send_options;
mod server;
mod session_id;
#[cfg(test)]
mod test_vectors;
mod trace;
mod websocket;

pub use body::{Body, BodyError};
pub use config::{Config, ConfigError, HookFuture};
pub use http::{AllowedOrigins, ConnectionError, CookieOptions, Cors, Refusal, SameSite};
pub use message::{EncodedMessage, Message, MessageBuffer, Payload};
pub use packet::{ParseError, Protocol};
pub use proto::close_reason::CloseReason;
pub use proto::transport::Transport;
pub use request::{RequestView, decode_form};
pub use send_options::{ConflationKey, OverflowPolicy, SendOptions, Sent};
pub use server::{
    Accepted, Connection, Engine, EngineService, Flow, ForeignStream, Handler, Listener, PeerAddr,
    Ready, SendError, Stats,
};
pub use session_id::{NoRandomness, SessionId};
pub use websocket::PerMessageDeflate;
