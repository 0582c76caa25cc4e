//! The server side of RFC 6455, without any I/O.
//!
//! It exists because no crate sends one pre-built frame to many sockets, unmasks in a buffer of the worker's, and
//! keeps nothing while a connection is idle, all at once.

#![deny(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

mod decode;
mod deflate;
#[cfg(test)]
mod differential;
mod encode;
mod fault;
mod frame;
mod mask;

pub use deflate::PerMessageDeflate;

pub(crate) use decode::{Decoder, Event};
pub(crate) use deflate::{Deflater, Inflater, Settings, WINDOWS, negotiate};
pub(crate) use encode::{
    HEADER_ROOM, finish_text_frame, split_frame, write_close, write_compressed_frame, write_frame,
    write_header,
};
#[cfg(feature = "fuzzing")]
pub(crate) use fault::Fault;
pub(crate) use frame::Opcode;
