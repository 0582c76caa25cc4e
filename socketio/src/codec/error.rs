//! Why something could not be decoded or encoded.

use std::error::Error;
use std::fmt;

/// Why a message of a client is not part of a packet. The peer is to blame, and the connection is closed.
//= SIO5-INV-01
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
    /// The event has one of the reserved names.
    //= SIO5-PKT-07
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
        /// The name of the type that was asked for, as [`type_name`](std::any::type_name) gives it.
        expected: &'static str,
    },
    /// An argument is of another type.
    Type {
        /// Its position, from zero.
        index: usize,
        /// The name of the type that was asked for, as [`type_name`](std::any::type_name) gives it.
        expected: &'static str,
        /// What the argument is, with its article: `"a string"`, `"an array"`.
        found: &'static str,
        /// What the type's deserializer says; it may quote the argument.
        message: String,
    },
}

impl ArgsError {
    /// The position of the argument that is wrong or missing, from zero.
    #[must_use]
    pub fn index(&self) -> usize {
        match *self {
            Self::Missing { index, .. } | Self::Type { index, .. } => index,
        }
    }

    /// The type that was asked for, without its modules: `"Option<String>"`.
    #[must_use]
    pub fn expected(&self) -> String {
        match *self {
            Self::Missing { expected, .. } | Self::Type { expected, .. } => {
                without_modules(expected)
            }
        }
    }

    /// What the argument is, with its article; `"nothing"` where it is missing. It quotes no argument.
    #[must_use]
    pub fn found(&self) -> &'static str {
        match *self {
            Self::Missing { .. } => "nothing",
            Self::Type { found, .. } => found,
        }
    }
}

fn without_modules(type_name: &str) -> String {
    let is_in_path = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == ':';
    let mut short = String::new();
    let mut rest = type_name;
    while let Some(letter) = rest.chars().next() {
        let len = rest
            .find(|letter| !is_in_path(letter))
            .unwrap_or(rest.len());
        let (path, behind) = rest
            .split_at_checked(len.max(letter.len_utf8()))
            .unwrap_or((rest, ""));
        short.push_str(path.rsplit("::").next().unwrap_or(path));
        rest = behind;
    }
    short
}

impl fmt::Display for ArgsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, expected) = (self.index(), self.expected());
        match self {
            Self::Missing { .. } => write!(f, "argument {index} is missing: expected {expected}"),
            Self::Type { found, message, .. } => {
                write!(
                    f,
                    "argument {index}: expected {expected}, found {found}: {message}"
                )
            }
        }
    }
}

impl Error for ArgsError {}

/// Why a packet could not be encoded. Our side is to blame, and nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The event has one of the reserved names.
    //= SIO5-PKT-07
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
