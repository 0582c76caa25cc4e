//! Packets as bytes: the parsers, their arguments, and how they are encoded.
//!
//! Pure: bytes and values in, bytes and values out. Nothing here knows which namespaces exist or whether a packet is
//! welcome; a decoder keeps nothing but a packet whose attachments have not all arrived.

#![deny(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

mod args;
mod binary;
mod date;
mod decoder;
mod encoder;
mod error;
mod json;
mod key;
pub(crate) mod kind;
mod limits;
#[cfg(feature = "msgpack")]
mod msgpack;
#[cfg(not(feature = "msgpack"))]
#[path = "msgpack/absent/mod.rs"]
mod msgpack;
mod outgoing;
pub(crate) mod packet;
mod parser;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use args::{Args, FromArgs, OwnedArgs, RawArgs};
pub use binary::Binary;
pub use error::{ArgsError, EncodeError, PacketError};
pub use limits::PacketLimits;
pub use parser::{Codec, Outgoing, Parser, Partial};

pub(crate) use date::to_iso_string;
pub(crate) use decoder::Decoder;
pub(crate) use encoder::{ConnectReply, OutgoingEvent};
