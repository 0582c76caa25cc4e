//! The msgpack parser: one binary message for each packet, binary inline, no attachments.

mod deserialize;
mod reader;
mod serialize;
mod surrogates;
mod transcode;

use std::borrow::Cow;

use engineio::{MessageBuffer, Payload};
use serde::de::{DeserializeOwned, DeserializeSeed};
use serde::ser::{Serialize, Serializer};

use self::reader::{Budget, Malformed, Reader, Token};
pub(super) use self::serialize::Writer;
pub(super) use self::transcode::transcode;
use super::args::{ARRAY, ArgsSource, Argument};
use super::error::{EncodeError, PacketError};
use super::json::Header;
use super::limits::{DEEPEST, Limits};
use super::outgoing::{self, ArgsSink, RawPart};
use crate::codec::packet::{Packet, PacketKind};

/// The members of the map that is a packet.
#[derive(Default)]
struct PacketMembers<'a> {
    kind: Option<Token<'a>>,
    namespace: Option<Token<'a>>,
    id: Option<Token<'a>>,
    data: Option<&'a [u8]>,
}

//= SIO5-MP-01
//= SIO5-MP-04
pub(super) fn decode<'a>(message: Payload<'a>, limits: &Limits) -> Result<Packet<'a>, PacketError> {
    let Payload::Binary(bytes) = message else {
        return Err(PacketError::UnexpectedText);
    };
    let mut reader = Reader::new(bytes);
    let members = members(&mut reader, limits)?;
    if !reader.rest().is_empty() {
        return Err(PacketError::Payload);
    }
    //= SIO5-MP-02
    let kind = match members.kind {
        Some(Token::Unsigned(0)) => PacketKind::Connect,
        Some(Token::Unsigned(1)) => PacketKind::Disconnect,
        Some(Token::Unsigned(2)) => PacketKind::Event,
        Some(Token::Unsigned(3)) => PacketKind::Ack,
        Some(Token::Unsigned(4)) => PacketKind::ConnectError,
        _ => return Err(PacketError::UnknownType),
    };
    let Some(Token::Str(namespace)) = members.namespace else {
        return Err(PacketError::Namespace);
    };
    if namespace.len() > limits.max_namespace_len {
        return Err(PacketError::NamespaceTooLong);
    }
    let id = match members.id {
        None => None,
        Some(Token::Unsigned(id)) => Some(id),
        Some(_) => return Err(PacketError::Id),
    };
    let packet = Packet::new(kind, namespace).with_id(id);
    match (kind, members.data) {
        (PacketKind::Connect | PacketKind::Disconnect, None) => Ok(packet),
        (PacketKind::Disconnect, Some(_)) | (_, None) => Err(PacketError::Payload),
        (_, Some(data)) => with_data(packet, data),
    }
}

fn members<'a>(reader: &mut Reader<'a>, limits: &Limits) -> Result<PacketMembers<'a>, PacketError> {
    let Token::Map(len) = reader.token()? else {
        return Err(PacketError::UnknownType);
    };
    let mut budget = Budget {
        depth: limits.max_depth.min(DEEPEST),
        values: limits.max_values,
    };
    let mut members = PacketMembers::default();
    for _ in 0..len {
        let key = reader.peek()?;
        reader.skip(&mut budget)?;
        let value = reader.peek()?;
        let bytes = reader.skip(&mut budget)?;
        // The reference's encoder writes absent members so (SIO5-MP-05).
        if matches!(value, Token::Undefined) {
            continue;
        }
        match key {
            Token::Str("type") => members.kind = Some(value),
            Token::Str("nsp") => members.namespace = Some(value),
            Token::Str("id") => members.id = Some(value),
            Token::Str("data") => members.data = Some(bytes),
            _ => {}
        }
    }
    Ok(members)
}

fn with_data<'a>(packet: Packet<'a>, data: &'a [u8]) -> Result<Packet<'a>, PacketError> {
    let mut reader = Reader::new(data);
    let head = reader.token()?;
    let values = |bytes, count| ArgsSource::Msgpack {
        bytes: Cow::Borrowed(bytes),
        count,
    };
    match (packet.kind(), head) {
        (PacketKind::Event, Token::Array(count)) => {
            let Some(count) = count.checked_sub(1) else {
                return Ok(packet);
            };
            let name = event_name(reader.peek()?);
            reader.pass();
            let packet = packet.with_source(values(reader.rest(), count));
            Ok(match name {
                Some(name) => packet.with_name(name),
                None => packet,
            })
        }
        (PacketKind::Ack, Token::Array(count)) => {
            Ok(packet.with_source(values(reader.rest(), count)))
        }
        (PacketKind::Connect | PacketKind::ConnectError, Token::Map(_))
        | (PacketKind::ConnectError, Token::Str(_)) => Ok(packet.with_source(values(data, 1))),
        _ => Err(PacketError::Payload),
    }
}

/// The name of an event. This parser checks neither its type nor whether it is reserved; what is neither text nor
/// number has no name that anybody could listen to.
//= SIO5-MP-03
fn event_name(token: Token<'_>) -> Option<Cow<'_, str>> {
    match token {
        Token::Str(_)
        | Token::Surrogates(_)
        | Token::Unsigned(_)
        | Token::Negative(_)
        | Token::Float(_) => token.into_name(),
        _ => None,
    }
}

/// The first of some values.
pub(super) fn deserialize<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, deserialize::Error> {
    T::deserialize(Argument(&mut Reader::new(bytes)))
}

/// The same with a seed.
pub(super) fn deserialize_seed<'de, S: DeserializeSeed<'de>>(
    bytes: &'de [u8],
    seed: S,
) -> Result<S::Value, deserialize::Error> {
    seed.deserialize(Argument(&mut Reader::new(bytes)))
}

/// What the first of some values is, with its article.
pub(super) fn kind(bytes: &[u8]) -> &'static str {
    match Reader::new(bytes).token() {
        Ok(Token::Nil) => "null",
        Ok(Token::Undefined) => "undefined",
        Ok(Token::Bool(_)) => "a boolean",
        Ok(Token::Unsigned(_) | Token::Negative(_) | Token::Float(_)) => "a number",
        Ok(Token::Str(_) | Token::Surrogates(_)) => "a string",
        Ok(Token::Binary(_)) => "binary",
        Ok(Token::Date(_)) => "a date",
        Ok(Token::Extension(..)) => "an extension",
        Ok(Token::Array(_)) => ARRAY,
        Ok(Token::Map(_)) => "an object",
        Err(Malformed) => "malformed",
    }
}

/// The first of some values that have been read before, and those behind it.
pub(super) fn split_first(values: &[u8]) -> (&[u8], &[u8]) {
    let mut reader = Reader::new(values);
    let first = reader.pass();
    (first, reader.rest())
}

/// Writes a packet that is neither event nor ack, with its payload given as JSON text.
pub(super) fn write_control(
    header: Header<'_>,
    payload: Option<&str>,
    buffer: &mut MessageBuffer,
) -> Result<(), EncodeError> {
    let mut packet = PacketWriter::begin(header, payload.is_some())?;
    if let Some(payload) = payload {
        packet.data(|out| super::json::transcode(payload, &[], Writer(out)).map_err(failed))?;
    }
    packet.finish(buffer)
}

/// Writes an event or an ack.
pub(super) fn write_event<A: Serialize + ?Sized>(
    header: Header<'_>,
    name: Option<&str>,
    args: &A,
    offset: Option<&str>,
    buffer: &mut MessageBuffer,
) -> Result<(), EncodeError> {
    let mut packet = PacketWriter::begin(header, true)?;
    packet.data(|out| {
        let mut sink = MsgpackArgs {
            out: &mut *out,
            name,
            extra: usize::from(offset.is_some()),
        };
        outgoing::write(args, &mut sink)?;
        match offset {
            Some(offset) => sink.string(offset),
            None => Ok(()),
        }
    })?;
    packet.finish(buffer)
}

/// Writes the map that is a packet.
struct PacketWriter<'a> {
    out: Vec<u8>,
    header: Header<'a>,
}

impl<'a> PacketWriter<'a> {
    fn begin(header: Header<'a>, has_data: bool) -> Result<Self, EncodeError> {
        let mut packet = Self {
            out: Vec::new(),
            header,
        };
        let len = 2_usize
            .saturating_add(usize::from(has_data))
            .saturating_add(usize::from(header.id.is_some()));
        serialize::write_map_head(&mut packet.out, len).map_err(failed)?;
        if let Some(id) = header.id {
            packet.member("id", &id)?;
        }
        let kind: u8 = match header.kind {
            PacketKind::Connect => 0,
            PacketKind::Disconnect => 1,
            PacketKind::Event => 2,
            PacketKind::Ack => 3,
            PacketKind::ConnectError => 4,
        };
        packet.member("type", &kind)?;
        //= SIO5-MP-07
        if header.kind == PacketKind::ConnectError {
            packet.member("nsp", header.namespace)?;
        }
        Ok(packet)
    }

    fn data(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        Writer(&mut self.out)
            .serialize_str("data")
            .map_err(failed)?;
        write(&mut self.out)
    }

    fn finish(mut self, buffer: &mut MessageBuffer) -> Result<(), EncodeError> {
        if self.header.kind != PacketKind::ConnectError {
            self.member("nsp", self.header.namespace)?;
        }
        buffer.push_binary(&self.out);
        Ok(())
    }

    fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), EncodeError> {
        Writer(&mut self.out).serialize_str(name).map_err(failed)?;
        value.serialize(Writer(&mut self.out)).map_err(failed)
    }
}

/// Writes arguments as an array, the event's name in front.
struct MsgpackArgs<'a> {
    out: &'a mut Vec<u8>,
    name: Option<&'a str>,
    /// How many elements come behind the arguments.
    extra: usize,
}

impl ArgsSink for MsgpackArgs<'_> {
    const RAW: &'static str = outgoing::RAW_MSGPACK;

    fn begin(&mut self, count: usize) -> Result<(), EncodeError> {
        let len = count
            .saturating_add(usize::from(self.name.is_some()))
            .saturating_add(self.extra);
        serialize::write_array_head(self.out, len).map_err(failed)?;
        match self.name {
            Some(name) => self.string(name),
            None => Ok(()),
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        value.serialize(Writer(&mut *self.out)).map_err(failed)
    }

    fn raw(&mut self, part: RawPart<'_>) -> Result<(), EncodeError> {
        match part {
            RawPart::Count(count) => self.begin(count),
            RawPart::Bytes(bytes) => {
                self.out.extend_from_slice(bytes);
                Ok(())
            }
            RawPart::Text(_) => Ok(()),
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is used as a function")]
fn failed(error: serialize::Error) -> EncodeError {
    EncodeError::Serialize(error.to_string())
}
