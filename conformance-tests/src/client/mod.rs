//! Everything a case needs to be a client: bytes, HTTP, WebSocket, Engine.IO sessions, Socket.IO packets.
//!
//! None of it uses the server crates, so that an error there cannot hide here.

pub(crate) mod eio3;
pub(crate) mod http;
mod link;
mod member;
pub(crate) mod msgpack;
mod packet;
mod polling;
mod target;
pub(crate) mod token;
pub(crate) mod websocket;
mod wire;

pub(crate) use link::{Link, Transport, sid_of};
pub(crate) use member::Member;
pub(crate) use packet::is_same_packet;
pub(crate) use polling::Polling;
pub(crate) use target::Target;
pub(crate) use wire::Wire;
