//! Text packets and the attachments that follow them.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use engineio::{Payload, Protocol};

use super::placeholder::{Placeholders, References};
use super::scan::{Observer, RawString, Scanner, Values};
use crate::codec::args::ArgsSource;
use crate::codec::binary::Binary;
use crate::codec::error::PacketError;
use crate::codec::limits::Limits;
use crate::packet::{Packet, PacketKind, is_reserved};

/// A packet whose attachments have not all arrived.
#[derive(Debug)]
pub(in crate::codec) struct Incomplete {
    /// Its arguments are without attachments.
    packet: Packet<'static>,
    references: References,
    attachments: Vec<Bytes>,
    attachment_bytes: usize,
}

impl Incomplete {
    pub(in crate::codec) fn packet(&self) -> &Packet<'static> {
        &self.packet
    }

    /// Takes the next attachment. The packet is complete with the last.
    //= SIO5-BIN-02
    //= SIO5-BIN-03
    //= SIO5-BIN-07
    //= SIO5-BIN-08
    pub(in crate::codec) fn receive(
        mut self: Box<Self>,
        message: Payload<'_>,
        limits: &Limits,
    ) -> Result<Received<'static>, PacketError> {
        let Payload::Binary(data) = message else {
            return Err(PacketError::UnexpectedText);
        };
        let uses = self.references.count(self.attachments.len()).max(1);
        let bytes = data.len().saturating_mul(uses);
        self.attachment_bytes = self.attachment_bytes.saturating_add(bytes);
        if self.attachment_bytes > limits.max_attachment_bytes {
            return Err(PacketError::AttachmentsTooLarge);
        }
        let attachment = Bytes::copy_from_slice(data);
        let is_last =
            self.attachments.len().saturating_add(1) >= self.references.attachment_count();
        if is_last && self.references.has_stray() {
            return Err(PacketError::Placeholder);
        }
        if is_last && self.attachments.is_empty() {
            return Ok(Received::Packet(self.complete([attachment])));
        }
        self.attachments.push(attachment);
        Ok(if is_last {
            let attachments = std::mem::take(&mut self.attachments);
            Received::Packet(self.complete(attachments))
        } else {
            Received::Incomplete(self)
        })
    }

    /// The packet with all its attachments.
    fn complete(self, attachments: impl Into<Arc<[Bytes]>>) -> Packet<'static> {
        let is_in_order = self.references.is_in_order();
        self.packet
            .with_attachments(attachments.into(), is_in_order)
    }
}

/// What a message led to.
pub(in crate::codec) enum Received<'a> {
    Packet(Packet<'a>),
    Incomplete(Box<Incomplete>),
}

/// Decodes a message while no attachment is awaited.
//= SIO5-PKT-01
//= SIO5-PKT-08
//= SIO5-INV-03
#[inline]
pub(in crate::codec) fn decode<'a>(
    message: Payload<'a>,
    protocol: Protocol,
    limits: &Limits,
) -> Result<Received<'a>, PacketError> {
    let Payload::Text(text) = message else {
        return Err(PacketError::UnexpectedBinary);
    };
    let mut cursor = Cursor::new(text);
    let (kind, is_binary) = match cursor.take_byte().ok_or(PacketError::Empty)? {
        b'0' => (PacketKind::Connect, false),
        b'1' => (PacketKind::Disconnect, false),
        b'2' => (PacketKind::Event, false),
        b'3' => (PacketKind::Ack, false),
        b'4' => (PacketKind::ConnectError, false),
        b'5' => (PacketKind::Event, true),
        b'6' => (PacketKind::Ack, true),
        _ => return Err(PacketError::UnknownType),
    };
    if is_binary {
        return decode_binary(kind, cursor, protocol, limits);
    }
    decode_rest(kind, cursor, protocol, limits, &mut ()).map(Received::Packet)
}

//= SIO5-BIN-06
fn decode_binary<'a>(
    kind: PacketKind,
    mut cursor: Cursor<'a>,
    protocol: Protocol,
    limits: &Limits,
) -> Result<Received<'a>, PacketError> {
    let count = match cursor.take_digits() {
        Digits::Number(count) => usize::try_from(count).unwrap_or(usize::MAX),
        Digits::Overflow => usize::MAX,
        Digits::None => return Err(PacketError::AttachmentCount),
    };
    if count == 0 || cursor.take_byte() != Some(b'-') {
        return Err(PacketError::AttachmentCount);
    }
    if count > limits.max_attachments {
        return Err(PacketError::TooManyAttachments);
    }
    let mut placeholders = Placeholders::new(count);
    let packet = decode_rest(kind, cursor, protocol, limits, &mut placeholders)?;
    let args = packet.args().to_owned();
    Ok(Received::Incomplete(Box::new(Incomplete {
        packet: packet.with_args(args).into_owned(),
        references: placeholders.into_references(),
        attachments: Vec::new(),
        attachment_bytes: 0,
    })))
}

/// Namespace, id and payload.
#[inline]
fn decode_rest<'a>(
    kind: PacketKind,
    mut cursor: Cursor<'a>,
    protocol: Protocol,
    limits: &Limits,
    observer: &mut impl Observer,
) -> Result<Packet<'a>, PacketError> {
    let (namespace, query) = cursor.take_namespace(kind, protocol, limits)?;
    //= SIO5-PKT-04
    //= SIO5-PKT-05 exception: white space is no digit, as section 8 recommends
    let id = match cursor.take_digits() {
        Digits::Number(id) => Some(id),
        Digits::None => None,
        Digits::Overflow => return Err(PacketError::Id),
    };
    let (name, values) = match cursor.rest {
        "" => (None, Values::default()),
        text => decode_payload(kind, text, limits, observer)?,
    };
    let args = ArgsSource::json(values.text, values.count);
    Ok(Packet::received(kind, namespace, query, id, name, args))
}

//= SIO5-PKT-06
#[inline]
fn decode_payload<'a>(
    kind: PacketKind,
    text: &'a str,
    limits: &Limits,
    observer: &mut impl Observer,
) -> Result<(Option<Cow<'a, str>>, Values<'a>), PacketError> {
    let mut scanner = Scanner::new(text);
    let mut name = None;
    let values = match (kind, text.as_bytes().first()) {
        (PacketKind::Event, Some(b'[')) => {
            scanner.take_byte()?;
            name = Some(event_name(&mut scanner)?);
            scanner.skip_whitespace();
            match scanner.take_byte()? {
                // A comma promises another argument.
                b',' if !scanner.closes() => scanner.elements(limits, observer)?,
                b']' => Values::default(),
                _ => return Err(PacketError::Payload),
            }
        }
        (PacketKind::Ack, Some(b'[')) => {
            scanner.take_byte()?;
            scanner.elements(limits, observer)?
        }
        (PacketKind::Connect | PacketKind::ConnectError, Some(b'{'))
        | (PacketKind::ConnectError, Some(b'"')) => Values {
            text: scanner.value(limits, observer)?,
            count: 1,
        },
        _ => return Err(PacketError::Payload),
    };
    scanner.finish()?;
    Ok((name, values))
}

/// The first element of an event: a number, or a string that is not reserved.
//= SIO5-EVT-01
//= SIO5-PKT-11
#[inline]
fn event_name<'a>(scanner: &mut Scanner<'a>) -> Result<Cow<'a, str>, PacketError> {
    scanner.skip_whitespace();
    let start = scanner.offset();
    let name = match scanner.take_byte()? {
        b'"' => unescape(scanner.string()?)?,
        first @ (b'-' | b'0'..=b'9') => {
            scanner.scalar(first)?;
            Cow::Borrowed(scanner.slice(start, scanner.offset()))
        }
        _ => return Err(PacketError::Payload),
    };
    if is_reserved(&name) {
        return Err(PacketError::ReservedName);
    }
    Ok(name)
}

/// What a string means. Lone surrogates, which no `str` can hold, become replacement characters.
fn unescape(string: RawString<'_>) -> Result<Cow<'_, str>, PacketError> {
    if !string.has_escape {
        return Ok(Cow::Borrowed(string.text));
    }
    let quoted = format!("\"{}\"", string.text);
    let bytes: Binary = serde_json::from_str(&quoted).map_err(|_| PacketError::Payload)?;
    Ok(Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()))
}

/// A decimal number at the front of some text.
enum Digits {
    None,
    Number(u64),
    Overflow,
}

/// Takes what precedes the payload.
struct Cursor<'a> {
    rest: &'a str,
}

impl<'a> Cursor<'a> {
    fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    #[inline]
    fn take_byte(&mut self) -> Option<u8> {
        let first = *self.rest.as_bytes().first()?;
        // Longer characters are no part of this grammar, so they may as well stay.
        if let Some((_, rest)) = self.rest.split_at_checked(1) {
            self.rest = rest;
        }
        Some(first)
    }

    //= SIO5-PKT-02
    //= SIO5-PKT-03
    #[inline]
    fn take_namespace(
        &mut self,
        kind: PacketKind,
        protocol: Protocol,
        limits: &Limits,
    ) -> Result<(&'a str, Option<&'a str>), PacketError> {
        if !self.rest.starts_with('/') {
            return Ok(("/", None));
        }
        let (name, rest) = self.rest.split_once(',').unwrap_or((self.rest, ""));
        self.rest = rest;
        let (name, query) = match (kind, protocol) {
            //= SIO4-CON-03
            //= SIO4-PKT-03 exception: split at the first question mark only, as recommended
            (PacketKind::Connect, Protocol::V3) => match name.split_once('?') {
                Some((name, query)) => (name, Some(query)),
                None => (name, None),
            },
            _ => (name, None),
        };
        if name.len() > limits.max_namespace_len
            || query.is_some_and(|query| query.len() > limits.max_query_len)
        {
            return Err(PacketError::NamespaceTooLong);
        }
        Ok((name, query))
    }

    #[inline]
    fn take_digits(&mut self) -> Digits {
        let len = self
            .rest
            .bytes()
            .position(|byte| !byte.is_ascii_digit())
            .unwrap_or(self.rest.len());
        match self.rest.split_at_checked(len) {
            None | Some(("", _)) => Digits::None,
            Some((digits, rest)) => {
                self.rest = rest;
                digits.parse().map_or(Digits::Overflow, Digits::Number)
            }
        }
    }
}
