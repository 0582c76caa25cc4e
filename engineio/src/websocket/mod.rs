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
mod handshake;
mod mask;

pub use deflate::PerMessageDeflate;

pub(crate) use decode::{Decoder, Event};
pub(crate) use deflate::{Deflater, Inflater, Settings, negotiate};
pub(crate) use encode::{
    HEADER_ROOM, finish_text_frame, split_frame, write_close, write_compressed_frame, write_frame,
    write_header,
};
pub(crate) use handshake::{Handshake, HandshakeError};

/// The bit of a frame's first byte that says that its message is compressed (RFC 7692 §6).
const COMPRESSED: u8 = 0x40;

/// The type of a frame (RFC 6455 §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// How a peer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Protocol,
    InvalidUtf8,
    TooBig,
}

impl Fault {
    /// The status code of the close frame that answers it (RFC 6455 §7.4.1).
    pub(crate) const fn close_code(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            Self::InvalidUtf8 => 1007,
            Self::TooBig => 1009,
        }
    }
}
