//! Text packets and the attachments that follow them.

use std::borrow::Cow;

use bytes::Bytes;
use engineio::{Payload, Protocol};
use socketio_auth::server::lenient_json;

use super::placeholder::{Placeholders, References};
use super::plain::{is_plain, plain_len};
use super::scan::{Observer, PLACEHOLDER_VALUES, RawString, Scanner, Values};
use crate::codec::args::{ArgsSource, Attached, Attachments, RawArgs};
use crate::codec::error::PacketError;
use crate::codec::kind::{PacketKind, is_reserved};
use crate::codec::limits::PacketLimits;
use crate::codec::packet;
use crate::codec::packet::{IncomingEvent, Packet};

/// A packet whose attachments have not all arrived.
pub(in crate::codec) enum Waiting {
    /// What most are, see [`plain_event_name`]: nothing but the name is to be kept of it.
    Plain(Box<ShortName>),
    Any(Box<Incomplete>),
}

impl Waiting {
    pub(in crate::codec) fn namespace(&self) -> &str {
        match self {
            Self::Plain(_) => "/",
            Self::Any(incomplete) => incomplete.packet.namespace(),
        }
    }

    /// Takes the next attachment. The packet is complete with the last; until then it is left in `waiting`.
    pub(in crate::codec) fn receive<'a>(
        self,
        message: Payload<'_>,
        limits: &PacketLimits,
        waiting: &mut Option<Self>,
    ) -> Result<Option<Packet<'a>>, PacketError> {
        let incomplete = match self {
            Self::Plain(name) => Box::new(Incomplete::plain(name.as_str())),
            Self::Any(incomplete) => incomplete,
        };
        incomplete.receive(message, limits, waiting)
    }
}

/// As many bytes of a name are kept without an allocation of their own.
const SHORT_NAME_BYTES: usize = 31;

/// The name of an event.
pub(in crate::codec) struct ShortName {
    bytes: [u8; SHORT_NAME_BYTES],
    length: u8,
}

impl ShortName {
    fn new(name: &str) -> Option<Self> {
        let mut bytes = [0; SHORT_NAME_BYTES];
        bytes
            .get_mut(..name.len())?
            .copy_from_slice(name.as_bytes());
        let length = u8::try_from(name.len()).ok()?;
        Some(Self { bytes, length })
    }

    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length));
        std::str::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
    }
}

/// An event that was [plain](plain_event_name), with its attachment.
pub(crate) struct PlainBinaryEvent {
    name: Box<ShortName>,
    args: ArgsSource<'static>,
}

impl PlainBinaryEvent {
    /// `None` where the attachment is none or too large, which [`Waiting::receive`] tells.
    #[inline]
    pub(in crate::codec) fn of(
        waiting: &mut Option<Waiting>,
        message: Payload<'_>,
        limits: &PacketLimits,
    ) -> Option<Self> {
        let Payload::Binary(data) = message else {
            return None;
        };
        if data.len() > limits.max_attachment_bytes {
            return None;
        }
        let Waiting::Plain(name) = waiting.take_if(|of| matches!(of, Waiting::Plain(_)))? else {
            return None;
        };
        let attachment = Attachments::One(Bytes::copy_from_slice(data));
        let attached = Attached::new(Cow::Borrowed(ONLY_PLACEHOLDER), attachment);
        let args = ArgsSource::attached(attached, 1, true);
        Some(Self { name, args })
    }

    pub(crate) fn as_event(&self) -> IncomingEvent<'_> {
        IncomingEvent::plain(self.name.as_str(), self.args.as_raw())
    }
}

pub(in crate::codec) struct Incomplete {
    /// Without arguments.
    packet: Packet<'static>,
    /// Its arguments as text, and how many they are.
    text: Cow<'static, str>,
    count: usize,
    references: References,
    attachments: Vec<Bytes>,
    attachment_bytes: usize,
}

impl Incomplete {
    /// What was [plain](plain_event_name), and is not any more.
    fn plain(name: &str) -> Self {
        let (namespace, name) = (Cow::Borrowed("/"), Cow::Owned(name.to_owned()));
        let (kind, args) = (PacketKind::Event, ArgsSource::default());
        Self {
            packet: Packet::received(kind, namespace, None, None, Some(name), args),
            text: Cow::Borrowed(ONLY_PLACEHOLDER),
            count: 1,
            references: References::of_one(),
            attachments: Vec::new(),
            attachment_bytes: 0,
        }
    }

    //= SIO5-BIN-02
    //= SIO5-BIN-03
    //= SIO5-BIN-07
    //= SIO5-BIN-08
    fn receive<'a>(
        mut self: Box<Self>,
        message: Payload<'_>,
        limits: &PacketLimits,
        waiting: &mut Option<Waiting>,
    ) -> Result<Option<Packet<'a>>, PacketError> {
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
        if self.attachments.len().saturating_add(1) < self.references.attachment_count() {
            self.attachments.push(attachment);
            *waiting = Some(Waiting::Any(self));
            return Ok(None);
        }
        if self.references.has_stray() {
            return Err(PacketError::Placeholder);
        }
        let attachments = if self.attachments.is_empty() {
            Attachments::One(attachment)
        } else {
            self.attachments.push(attachment);
            Attachments::Several(self.attachments)
        };
        let attached = Attached::new(self.text, attachments);
        let is_in_order = self.references.is_in_order();
        let args = ArgsSource::attached(attached, self.count, is_in_order);
        self.packet.set_source(args);
        Ok(Some(self.packet))
    }
}

/// Decodes a message while no attachment is awaited. A packet that has some is left in `waiting`.
//= SIO5-PKT-01
//= SIO5-PKT-08
//= SIO5-INV-03
#[inline]
pub(in crate::codec) fn decode<'a>(
    message: Payload<'a>,
    protocol: Protocol,
    limits: &PacketLimits,
    waiting: &mut Option<Waiting>,
) -> Result<Option<Packet<'a>>, PacketError> {
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
        b'5' => {
            if let Some(name) = plain_event_name(cursor.rest, limits) {
                *waiting = Some(match ShortName::new(name) {
                    Some(short) => Waiting::Plain(Box::new(short)),
                    None => Waiting::Any(Box::new(Incomplete::plain(name))),
                });
                return Ok(None);
            }
            (PacketKind::Event, true)
        }
        b'6' => (PacketKind::Ack, true),
        _ => return Err(PacketError::UnknownType),
    };
    if is_binary {
        let incomplete = decode_binary(kind, cursor, protocol, limits)?;
        *waiting = Some(Waiting::Any(incomplete));
        return Ok(None);
    }
    let parts = HeaderParts::decode(kind, cursor, protocol, limits, &mut ())?;
    let args = ArgsSource::json(parts.values.text, parts.values.count);
    Ok(Some(Packet::received(
        kind,
        Cow::Borrowed(parts.namespace),
        parts.query,
        parts.id,
        parts.name,
        args,
    )))
}

/// The event that most messages are: of the main namespace, its name plain, its only argument one plain string, and
/// nothing in between. `None` of anything else, and of what may be wrong: that is for [`decode`].
///
/// What `decode` does in several steps, each of which knows but its own part, is one look at the bytes here. It saves an
/// eighth of all that a small echo costs.
#[inline]
pub(in crate::codec) fn plain_event<'a>(
    message: Payload<'a>,
    limits: &PacketLimits,
) -> Option<IncomingEvent<'a>> {
    let Payload::Text(text) = message else {
        return None;
    };
    let (name, behind) = plain_string(text.strip_prefix("2[\"")?.strip_suffix(']')?)?;
    let args = behind.strip_prefix(',')?;
    let argument = args.strip_prefix('"')?.strip_suffix('"')?;
    let is_welcome = limits.max_values > 0 && !is_reserved(name);
    (is_welcome && is_plain(argument.as_bytes()))
        .then(|| IncomingEvent::plain(name, RawArgs::json(args, 1)))
}

/// The one argument of most events that have an attachment.
const ONLY_PLACEHOLDER: &str = r#"{"_placeholder":true,"num":0}"#;

/// The name of the event that most with attachments are: of the main namespace, its name plain, its only argument the
/// placeholder of its only attachment. `None` of anything else, and of what may be wrong: that is for [`decode_binary`].
///
/// One look at the bytes as in [`plain_event`], and nothing is allocated for an argument that is known. It saves a tenth of
/// what an echo of 128 bytes costs.
fn plain_event_name<'t>(text: &'t str, limits: &PacketLimits) -> Option<&'t str> {
    let (name, behind) = plain_string(text.strip_prefix("1-[\"")?)?;
    let args = behind.strip_prefix(',')?.strip_suffix(']')?;
    let is_plain = args == ONLY_PLACEHOLDER && !is_reserved(name);
    // The array of the arguments and the object in it; the object and its two members.
    let is_within = limits.max_attachments > 0
        && limits.max_depth > 1
        && limits.max_values > PLACEHOLDER_VALUES;
    (is_plain && is_within).then_some(name)
}

/// The rest of a string whose opening quote was taken, and what is behind it. `None` if it is not plain to its end.
#[inline]
fn plain_string(rest: &str) -> Option<(&str, &str)> {
    let (text, behind) = rest.split_at_checked(plain_len(rest.as_bytes()))?;
    Some((text, behind.strip_prefix('"')?))
}

/// Who sent which event, read without its arguments, which must be JSON all the same. `None` of anything else, and of an
/// event whose attachments follow.
pub(in crate::codec) fn event_without_args<'a>(
    message: Payload<'a>,
    protocol: Protocol,
    limits: &PacketLimits,
) -> Result<Option<Packet<'a>>, PacketError> {
    let kind = PacketKind::Event;
    let Payload::Text(text) = message else {
        return Ok(None);
    };
    let Some(text) = text.strip_prefix('2') else {
        return Ok(None);
    };
    let mut cursor = Cursor::new(text);
    let (namespace, _) = cursor.take_namespace(kind, protocol, limits)?;
    let id = cursor.take_id()?;
    let mut scanner = Scanner::new(cursor.rest);
    scanner.expect(b'[')?;
    let name = event_name(&mut scanner)?;
    scanner.skip_whitespace();
    scanner.expect(b',')?;
    scanner.skip_elements()?;
    scanner.finish()?;
    let namespace = Cow::Borrowed(namespace);
    let args = ArgsSource::default();
    let event = Packet::received(kind, namespace, None, id, Some(name), args);
    Ok(Some(event))
}

//= SIO5-BIN-06
fn decode_binary(
    kind: PacketKind,
    mut cursor: Cursor<'_>,
    protocol: Protocol,
    limits: &PacketLimits,
) -> Result<Box<Incomplete>, PacketError> {
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
    let parts = HeaderParts::decode(kind, cursor, protocol, limits, &mut placeholders)?;
    Ok(Box::new(Incomplete {
        // Only a CONNECT has a query.
        packet: Packet::received(
            kind,
            packet::kept(Cow::Borrowed(parts.namespace)),
            None,
            parts.id,
            parts.name.map(|name| Cow::Owned(name.into_owned())),
            ArgsSource::default(),
        ),
        text: Cow::Owned(parts.values.text.to_owned()),
        count: parts.values.count,
        references: placeholders.into_references(),
        attachments: Vec::new(),
        attachment_bytes: 0,
    }))
}

/// What stands behind the type and the number of attachments.
struct HeaderParts<'a> {
    namespace: &'a str,
    query: Option<&'a str>,
    id: Option<u64>,
    name: Option<Cow<'a, str>>,
    values: Values<'a>,
}

impl<'a> HeaderParts<'a> {
    #[inline]
    fn decode(
        kind: PacketKind,
        mut cursor: Cursor<'a>,
        protocol: Protocol,
        limits: &PacketLimits,
        observer: &mut impl Observer,
    ) -> Result<Self, PacketError> {
        let (namespace, query) = cursor.take_namespace(kind, protocol, limits)?;
        let id = cursor.take_id()?;
        let (name, values) = match cursor.rest {
            "" => (None, Values::default()),
            text => decode_payload(kind, text, limits, observer)?,
        };
        Ok(Self {
            namespace,
            query,
            id,
            name,
            values,
        })
    }
}

//= SIO5-PKT-06
#[inline]
fn decode_payload<'a>(
    kind: PacketKind,
    text: &'a str,
    limits: &PacketLimits,
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
    let name = lenient_json::from_str(&quoted).map_err(|_| PacketError::Payload)?;
    Ok(Cow::Owned(name))
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

    //= SIO5-PKT-04
    //= SIO5-PKT-05 exception: white space is no digit, as section 8 recommends
    #[inline]
    fn take_id(&mut self) -> Result<Option<u64>, PacketError> {
        match self.take_digits() {
            Digits::Number(id) => Ok(Some(id)),
            Digits::None => Ok(None),
            Digits::Overflow => Err(PacketError::Id),
        }
    }

    //= SIO5-PKT-02
    //= SIO5-PKT-03
    #[inline]
    fn take_namespace(
        &mut self,
        kind: PacketKind,
        protocol: Protocol,
        limits: &PacketLimits,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the long way makes of a message behind its first digit.
    fn long_way(text: &str, limits: &PacketLimits) -> Result<Box<Incomplete>, PacketError> {
        decode_binary(PacketKind::Event, Cursor::new(text), Protocol::V4, limits)
    }

    #[test]
    fn the_short_way_of_a_plain_binary_event_leads_where_the_long_one_does() {
        let limits = PacketLimits::default();
        let plain = r#"1-["ab",{"_placeholder":true,"num":0}]"#;
        let mut short_count = 0;
        let tight = [
            limits,
            limits.max_attachments(0),
            limits.max_depth(1),
            limits.max_depth(2),
            limits.max_values(PLACEHOLDER_VALUES),
            limits.max_values(PLACEHOLDER_VALUES + 1),
        ];
        for limits in &tight {
            // The message itself, and with every byte left out, doubled, or another.
            let mut messages = vec![plain.to_owned(), plain.replace("ab", "connect")];
            for (at, one) in plain.char_indices() {
                let (before, behind) = plain.split_at(at);
                let after = behind.strip_prefix(one).unwrap_or_default();
                messages.push(format!("{before}{after}"));
                messages.push(format!("{before}{one}{behind}"));
                for other in ['0', '2', '"', '\\', '\u{1}', ' ', '/', ',', 'é'] {
                    messages.push(format!("{before}{other}{after}"));
                }
            }
            for message in messages {
                let Some(name) = plain_event_name(&message, limits) else {
                    continue;
                };
                short_count += 1;
                let short = Incomplete::plain(name);
                let long = long_way(&message, limits).unwrap();
                assert_eq!(format!("{:?}", short.packet), format!("{:?}", long.packet));
                assert_eq!((&short.text, short.count), (&long.text, long.count));
                let (short, long) = (short.references, long.references);
                assert_eq!(format!("{short:?}"), format!("{long:?}"));
            }
            let is_taken = plain_event_name(plain, limits).is_some();
            assert_eq!(is_taken, long_way(plain, limits).is_ok());
        }
        assert!(short_count > 10, "{short_count}");
    }

    #[test]
    fn a_plain_binary_event_is_the_same_whichever_way_its_attachment_takes() {
        let limits = PacketLimits::default().max_attachment_bytes(4);
        for length in [1, 2, SHORT_NAME_BYTES, SHORT_NAME_BYTES + 1] {
            let name = "é".repeat(length / 2) + &"n".repeat(length % 2);
            let text = format!(r#"51-["{name}",{{"_placeholder":true,"num":0}}]"#);
            let wait = || {
                let mut waiting = None;
                let decoded = decode(Payload::Text(&text), Protocol::V4, &limits, &mut waiting);
                assert!(matches!(decoded, Ok(None)));
                waiting
            };
            for message in [
                Payload::Binary(b"1234"),
                Payload::Binary(b"12345"),
                Payload::Binary(b""),
                Payload::Text("2"),
            ] {
                let mut waiting = wait();
                let short = PlainBinaryEvent::of(&mut waiting, message, &limits);
                // What is not taken still waits.
                assert_ne!(short.is_some(), waiting.is_some());
                let long =
                    wait().and_then(|of| of.receive(message, &limits, &mut None).transpose());
                match (&short, long) {
                    (Some(short), Some(Ok(long))) => {
                        let (short, long) = (short.as_event(), long.as_event());
                        assert_eq!((short.name, short.id), (long.name, long.id));
                        assert_eq!(short.namespace, long.namespace);
                        assert_eq!(short.args.as_json(), long.args.as_json());
                        assert_eq!(short.args.attachments(), long.args.attachments());
                        assert_eq!(short.args.len(), long.args.len());
                    }
                    (None, Some(long)) => {
                        assert!(long.is_err() || length > SHORT_NAME_BYTES, "{name}");
                    }
                    (_, long) => panic!("{name}: {}", long.is_some()),
                }
            }
        }
    }
}
