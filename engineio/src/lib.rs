//! Engine.IO 4 and 3 server.

#![forbid(unsafe_code)]

mod body;
mod config;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod handler;
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
pub use config::{Config, ConfigError, HookFuture, Refusal};
pub use handler::{Flow, Handler};
pub use http::{AllowedOrigins, CookieOptions, Cors, SameSite};
pub use message::{EncodedMessage, Message, MessageBuffer, Payload};
pub use packet::{ParseError, Protocol};
pub use proto::close_reason::CloseReason;
pub use proto::transport::Transport;
pub use request::{RequestView, decode_form};
pub use send_options::{ConflationKey, OverflowPolicy, SendOptions, Sent};
pub use server::{
    Connection, ConnectionError, Engine, EngineService, ForeignStream, Listener, PeerAddr, Ready,
    SendError, Stats,
};
pub use session_id::SessionId;
pub use websocket::PerMessageDeflate;
