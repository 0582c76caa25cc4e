//! Msgpack messages to packets.

use std::borrow::Cow;

use engineio::Payload;

use super::reader::{Budget, Reader, Token};
use crate::codec::args::ArgsSource;
use crate::codec::error::PacketError;
use crate::codec::kind::PacketKind;
use crate::codec::limits::{DEEPEST, PacketLimits};
use crate::codec::packet::Packet;

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
pub(in crate::codec) fn decode<'a>(
    message: Payload<'a>,
    limits: &PacketLimits,
) -> Result<Packet<'a>, PacketError> {
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

fn members<'a>(
    reader: &mut Reader<'a>,
    limits: &PacketLimits,
) -> Result<PacketMembers<'a>, PacketError> {
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
