//! One Engine.IO packet: the text, base64 and binary-frame forms of both protocol revisions.
//!
//! Pure bytes in, pure bytes out. Nothing here knows about transports, sessions or sizes: the
//! caller bounds what it hands in, and what is decoded borrows from it except for base64.
//! Whether a packet is welcome in the current state of a session is not decided here.

#![deny(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

mod base64_form;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use base64_form::push_base64;

/// The revision of the Engine.IO protocol that a client speaks.
///
/// A client chooses it once, with the `EIO` query parameter of its handshake, and a session never
/// changes it.
#[allow(unreachable_pub, reason = "the crate root exports it")]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Protocol {
    /// Revision 3, spoken by Socket.IO clients before version 3: the client pings.
    V3,
    /// Revision 4, the current one: the server pings.
    V4,
}

/// The type of a packet, its data left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PacketKind {
    Open,
    Close,
    Ping,
    Pong,
    Message,
    Upgrade,
    Noop,
}

impl PacketKind {
    /// The kind behind the first character of a text packet.
    pub(crate) fn from_digit(digit: char) -> Option<Self> {
        match digit {
            '0' => Some(Self::Open),
            '1' => Some(Self::Close),
            '2' => Some(Self::Ping),
            '3' => Some(Self::Pong),
            '4' => Some(Self::Message),
            '5' => Some(Self::Upgrade),
            '6' => Some(Self::Noop),
            _ => None,
        }
    }

    /// The kind behind the first byte of a revision 3 binary packet.
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Open),
            1 => Some(Self::Close),
            2 => Some(Self::Ping),
            3 => Some(Self::Pong),
            4 => Some(Self::Message),
            5 => Some(Self::Upgrade),
            6 => Some(Self::Noop),
            _ => None,
        }
    }

    /// The first character of a text packet, as ASCII.
    pub(crate) fn to_digit(self) -> u8 {
        match self {
            Self::Open => b'0',
            Self::Close => b'1',
            Self::Ping => b'2',
            Self::Pong => b'3',
            Self::Message => b'4',
            Self::Upgrade => b'5',
            Self::Noop => b'6',
        }
    }

    /// The first byte of a revision 3 binary packet.
    pub(crate) fn to_byte(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::Close => 1,
            Self::Ping => 2,
            Self::Pong => 3,
            Self::Message => 4,
            Self::Upgrade => 5,
            Self::Noop => 6,
        }
    }
}

/// One decoded packet.
///
/// `Text` and `Binary` are the two forms of a message. Absent data and empty data are the same
/// thing. Data of a close, upgrade or noop packet is tolerated and dropped, because nobody may act
/// on it; so is the data of a binary packet that is not a message, hence a binary ping never
/// equals a probe.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Packet<'a> {
    Open(&'a str),
    Close,
    Ping(&'a str),
    Pong(&'a str),
    Text(&'a str),
    Binary(Cow<'a, [u8]>),
    Upgrade,
    Noop,
}

impl<'a> Packet<'a> {
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn kind(&self) -> PacketKind {
        match self {
            Self::Open(_) => PacketKind::Open,
            Self::Close => PacketKind::Close,
            Self::Ping(_) => PacketKind::Ping,
            Self::Pong(_) => PacketKind::Pong,
            Self::Text(_) | Self::Binary(_) => PacketKind::Message,
            Self::Upgrade => PacketKind::Upgrade,
            Self::Noop => PacketKind::Noop,
        }
    }

    /// Appends the packet as text; a binary message takes its base64 form.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn encode_text(&self, protocol: Protocol, out: &mut Vec<u8>) {
        let data = match self {
            Self::Binary(data) => return encode_base64(protocol, data, out),
            Self::Open(data) | Self::Ping(data) | Self::Pong(data) | Self::Text(data) => data,
            Self::Close | Self::Upgrade | Self::Noop => "",
        };
        out.push(self.kind().to_digit());
        out.extend_from_slice(data.as_bytes());
    }

    fn from_text(kind: PacketKind, data: &'a str) -> Self {
        match kind {
            PacketKind::Open => Self::Open(data),
            PacketKind::Close => Self::Close,
            PacketKind::Ping => Self::Ping(data),
            PacketKind::Pong => Self::Pong(data),
            PacketKind::Message => Self::Text(data),
            PacketKind::Upgrade => Self::Upgrade,
            PacketKind::Noop => Self::Noop,
        }
    }

    /// The packet of a revision 3 binary form; `data` is asked for only if it is a message.
    fn from_binary(kind: PacketKind, data: impl FnOnce() -> Cow<'a, [u8]>) -> Self {
        match kind {
            PacketKind::Message => Self::Binary(data()),
            other => Self::from_text(other, ""),
        }
    }
}

/// Why bytes are not a packet or not a payload.
#[allow(unreachable_pub, reason = "the crate root may export it")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ParseError {
    /// A text packet or a whole text body has no character at all.
    Empty,
    /// The first character of a text packet is not a packet type.
    UnknownType,
    /// A payload entry has no length, or a length that is not a decimal number of usable size.
    InvalidLength,
    /// A payload entry ends before its length is reached.
    Truncated,
    /// The length of a payload entry ends inside a character.
    SplitCharacter,
    /// A binary payload entry is marked as neither text nor binary.
    UnknownEntryFlag,
    /// A text entry of a binary payload is not UTF-8.
    InvalidUtf8,
    /// A payload carries more packets than the server takes.
    TooManyPackets,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty packet",
            Self::UnknownType => "unknown packet type",
            Self::InvalidLength => "invalid packet length",
            Self::Truncated => "packet shorter than its length",
            Self::SplitCharacter => "packet length ends inside a character",
            Self::UnknownEntryFlag => "payload entry is neither text nor binary",
            Self::InvalidUtf8 => "packet text is not utf-8",
            Self::TooManyPackets => "a payload carries too many packets",
        })
    }
}

impl Error for ParseError {}

/// Parses one text packet, the base64 forms of a binary message included.
//= EIO4-PKT-01
//= EIO4-PKT-02
//= EIO4-PKT-04
//= EIO4-PKT-06
//= EIO4-PKT-07
//= EIO3-PKT-02
//= EIO3-PKT-03
pub(crate) fn parse_text(protocol: Protocol, text: &str) -> Result<Packet<'_>, ParseError> {
    let (first, data) = split_first(text).ok_or(ParseError::Empty)?;
    match (first, protocol) {
        ('b', Protocol::V4) => Ok(Packet::Binary(Cow::Owned(base64_form::decode(data)))),
        ('b', Protocol::V3) => {
            let (digit, data) = split_first(data).ok_or(ParseError::UnknownType)?;
            let kind = PacketKind::from_digit(digit).ok_or(ParseError::UnknownType)?;
            Ok(Packet::from_binary(kind, || {
                Cow::Owned(base64_form::decode(data))
            }))
        }
        (digit, _) => {
            let kind = PacketKind::from_digit(digit).ok_or(ParseError::UnknownType)?;
            Ok(Packet::from_text(kind, data))
        }
    }
}

/// Parses one WebSocket binary frame.
///
/// `Ok(None)` is a revision 3 frame with an unknown type byte or none, which is to be ignored.
/// Nothing is an error today; the result leaves room for a stricter revision.
//= EIO4-PKT-03
//= EIO3-PKT-01
pub(crate) fn parse_binary(
    protocol: Protocol,
    data: &[u8],
) -> Result<Option<Packet<'_>>, ParseError> {
    match protocol {
        Protocol::V4 => Ok(Some(Packet::Binary(Cow::Borrowed(data)))),
        //= EIO3-PKT-03
        Protocol::V3 => Ok(data.split_first().and_then(|(&byte, data)| {
            let kind = PacketKind::from_byte(byte)?;
            Some(Packet::from_binary(kind, || Cow::Borrowed(data)))
        })),
    }
}

/// Appends the bytes of a WebSocket binary frame that carries a message.
pub(crate) fn encode_binary(protocol: Protocol, data: &[u8], out: &mut Vec<u8>) {
    if protocol == Protocol::V3 {
        out.push(PacketKind::Message.to_byte());
    }
    out.extend_from_slice(data);
}

/// Appends the base64 text form of a binary message.
pub(crate) fn encode_base64(protocol: Protocol, data: &[u8], out: &mut Vec<u8>) {
    out.push(b'b');
    if protocol == Protocol::V3 {
        out.push(PacketKind::Message.to_digit());
    }
    push_base64(data, out);
}

fn split_first(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    let first = chars.next()?;
    Some((first, chars.as_str()))
}
