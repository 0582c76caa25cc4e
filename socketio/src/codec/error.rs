//! Why something could not be decoded or encoded.

use std::error::Error;
use std::fmt;

/// Why a message of a client is not part of a packet. The peer is to blame, and the connection is closed
/// (SIO5-INV-01).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PacketError {
    /// A message without any content.
    Empty,
    /// The type is none of the protocol's, or not one that this parser knows.
    UnknownType,
    /// The number of attachments is missing, zero or no decimal number.
    AttachmentCount,
    /// More attachments are announced than [`PacketLimits::max_attachments`](crate::parser::PacketLimits::max_attachments).
    TooManyAttachments,
    /// The attachments are larger than [`PacketLimits::max_attachment_bytes`](crate::parser::PacketLimits::max_attachment_bytes).
    AttachmentsTooLarge,
    /// A placeholder names no attachment of the packet.
    Placeholder,
    /// Text came where an attachment was due, or to a parser that takes none.
    UnexpectedText,
    /// Bytes came where no attachment was due.
    UnexpectedBinary,
    /// The namespace is missing or not text.
    Namespace,
    /// The namespace or its query is longer than allowed.
    NamespaceTooLong,
    /// The id is no whole number, or does not fit 64 bits.
    Id,
    /// The payload is malformed, or not one that the type of packet may have.
    Payload,
    /// The payload is nested deeper than [`PacketLimits::max_depth`](crate::parser::PacketLimits::max_depth).
    TooDeep,
    /// The payload has more values than [`PacketLimits::max_values`](crate::parser::PacketLimits::max_values).
    TooManyValues,
    /// The event has one of the reserved names (SIO5-PKT-07).
    ReservedName,
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty packet",
            Self::UnknownType => "unknown packet type",
            Self::AttachmentCount => "invalid number of attachments",
            Self::TooManyAttachments => "too many attachments",
            Self::AttachmentsTooLarge => "attachments too large",
            Self::Placeholder => "placeholder without an attachment",
            Self::UnexpectedText => "text instead of an attachment",
            Self::UnexpectedBinary => "unexpected attachment",
            Self::Namespace => "invalid namespace",
            Self::NamespaceTooLong => "namespace too long",
            Self::Id => "invalid packet id",
            Self::Payload => "invalid payload",
            Self::TooDeep => "payload nested too deep",
            Self::TooManyValues => "too many values in the payload",
            Self::ReservedName => "reserved event name",
        })
    }
}

impl Error for PacketError {}

/// Why arguments are not of the type that was asked for. The packet itself was well-formed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgsError {
    /// There are fewer arguments than asked for.
    Missing {
        /// The position of the first one missing, from zero.
        index: usize,
    },
    /// An argument is of another type.
    Type {
        /// Its position, from zero.
        index: usize,
        /// What the type's deserializer says.
        message: String,
    },
}

impl fmt::Display for ArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { index } => write!(f, "argument {index} is missing"),
            Self::Type { index, message } => write!(f, "argument {index}: {message}"),
        }
    }
}

impl Error for ArgsError {}

/// Why a packet could not be encoded. Our side is to blame, and nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The event has one of the reserved names (SIO5-PKT-07).
    ReservedName,
    /// The arguments cannot be serialized; what their serializer says.
    Serialize(String),
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedName => f.write_str("the event name is reserved"),
            Self::Serialize(message) => write!(f, "the arguments cannot be serialized: {message}"),
        }
    }
}

impl Error for EncodeError {}
