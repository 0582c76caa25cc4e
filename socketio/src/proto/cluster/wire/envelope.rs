//! The common messages of a cluster (PROTOCOL.md §6.3): `{type, data, uid, nsp}`.

use super::ignored::Ignored;
use super::parts;
use super::value::Value;
use crate::codec::EncodeError;
use crate::proto::cluster::message::{ClusterBody, ClusterMessage, Scope, ServerId};

/// The numbers of the types that only this library knows, and the reference ignores.
const REVOKED: u64 = 101;
const ALL_ROOMS: u64 = 102;
const ALL_ROOMS_RESPONSE: u64 = 103;
pub(super) const RETURNED: u64 = 104;

/// In which format a message is written. Both are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// JSON, or msgpack where there are bytes in it, as the sharded adapter writes.
    JsonUnlessBinary,
    /// Msgpack, as the streams adapter writes what is no entry.
    Msgpack,
}

/// Names of channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channels {
    prefix: String,
}

impl Channels {
    /// Channels that begin so, which is `socket.io` by default.
    //= SHD-01
    #[must_use]
    pub fn new(prefix: impl Into<String>) -> Self {
        Self {
            prefix: prefix.into(),
        }
    }

    /// The one of a namespace, which every server has that has the namespace.
    #[must_use]
    pub fn main(&self, nsp: &str) -> String {
        format!("{}#{nsp}#", self.prefix)
    }

    /// The one of what is about no namespace. The reference has none of this name.
    //= RDS-09
    #[must_use]
    pub fn server(&self) -> String {
        format!("{}-server#", self.prefix)
    }

    /// The one of a room, or, by its id, of the answers to one server.
    #[must_use]
    pub fn inner(&self, nsp: &str, room_or_server: &str) -> String {
        format!("{}#{nsp}#{room_or_server}#", self.prefix)
    }
}

/// Reads a message about a namespace, or about whole servers.
///
/// # Errors
///
/// Why it means nothing.
//= CLA-01
//= CLA-02
pub fn decode(payload: &[u8], scope: &Scope) -> Result<ClusterMessage, Ignored> {
    read_envelope(payload, scope, Unsaid::IsMissing)
}

/// The same for a bus whose channels say the namespace: a message that does not is about the one of its channel, as those of
/// `@socket.io/postgres-emitter` are.
///
/// # Errors
///
/// Why it means nothing.
//= PGA-04
pub fn decode_on_channel(payload: &[u8], channel: &Scope) -> Result<ClusterMessage, Ignored> {
    read_envelope(payload, channel, Unsaid::IsOfChannel)
}

/// What a namespace is that is not said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unsaid {
    IsMissing,
    IsOfChannel,
}

fn read_envelope(payload: &[u8], scope: &Scope, unsaid: Unsaid) -> Result<ClusterMessage, Ignored> {
    let mut envelope = super::read(payload)?;
    if !matches!(envelope, Value::Map(_)) {
        return Err(Ignored::Shape);
    }
    let kind = envelope.need_u64("type")?;
    let uid = envelope.uid()?;
    let said = envelope.take("nsp");
    let is_of_scope = match (scope.name(), said) {
        (Some(name), Some(said)) => said.into_str().ok_or(Ignored::Mistyped("nsp"))? == name,
        (Some(_), None) if unsaid == Unsaid::IsMissing => return Err(Ignored::Missing("nsp")),
        (_, said) => said.is_none(),
    };
    if !is_of_scope {
        return Err(Ignored::OtherNamespace);
    }
    let number = envelope.number();
    let to = envelope.take("to").and_then(Value::into_str);
    let nil = Nil::in_format(payload);
    let body = read_body(kind, envelope.take("data"), nil)?;
    let mut message = ClusterMessage::new(uid, scope.clone(), body);
    message.number = number;
    message.to = to.map(|to| ServerId::new(&*to));
    Ok(message)
}

/// Writes a message. Whom it is to is a member that the reference ignores; where the channel says so already, leave it out.
///
/// # Errors
///
/// Arguments in it are nested too deep, or cannot be translated.
//= CLA-01
pub fn encode(message: &ClusterMessage, encoding: Encoding) -> Result<Vec<u8>, EncodeError> {
    let to = message.to.as_ref().map(|to| Value::str(to.as_str()));
    let envelope = Value::map([
        ("type", Some(Value::Unsigned(kind(&message.body)))),
        ("data", data(&message.body)?),
        ("uid", Some(Value::str(message.uid.as_str()))),
        ("nsp", message.scope.name().map(Value::str)),
        ("to", to),
        ("number", message.number.map(Value::Unsigned)),
    ]);
    match encoding {
        Encoding::JsonUnlessBinary => super::write(&envelope),
        Encoding::Msgpack => super::write_msgpack(&envelope),
    }
}

/// What a nil answer means: no argument where msgpack of the streams adapter has one, `null` elsewhere.
//= CLA-04
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Nil {
    Nothing,
    Null,
}

impl Nil {
    pub(super) fn in_format(payload: &[u8]) -> Self {
        if payload.first() == Some(&super::JSON) {
            Self::Null
        } else {
            Self::Nothing
        }
    }
}

pub(super) fn kind(body: &ClusterBody) -> u64 {
    match body {
        ClusterBody::AllRooms { .. } => ALL_ROOMS,
        ClusterBody::AllRoomsResponse { .. } => ALL_ROOMS_RESPONSE,
        ClusterBody::Returned { .. } => RETURNED,
        body => body.wire_type().map_or(REVOKED, u64::from),
    }
}

pub(super) fn read_body(
    kind: u64,
    data: Option<Value<'_>>,
    nil: Nil,
) -> Result<ClusterBody, Ignored> {
    match kind {
        1 => return Ok(ClusterBody::InitialHeartbeat),
        2 => return Ok(ClusterBody::Heartbeat),
        13 => return Ok(ClusterBody::AdapterClose),
        3..=12 | REVOKED..=RETURNED => {}
        _ => return Err(Ignored::UnknownType),
    }
    let mut data = data.ok_or(Ignored::Missing("data"))?;
    if !matches!(data, Value::Map(_)) {
        return Err(Ignored::Mistyped("data"));
    }
    let answer = |data: &mut Value<'_>| {
        let answer = match nil {
            Nil::Nothing => data.take("packet"),
            Nil::Null => data.take_even_nil("packet"),
        };
        parts::read_answer(answer, "packet")
    };
    Ok(match kind {
        3 => ClusterBody::Broadcast {
            packet: parts::read_packet(data.need("packet")?)?.0,
            opts: parts::read_opts(data.need("opts")?)?,
            request_id: data.optional_request_id()?,
        },
        4 => ClusterBody::SocketsJoin {
            opts: parts::read_opts(data.need("opts")?)?,
            rooms: parts::read_rooms(data.need_array("rooms")?, "rooms")?,
        },
        5 => ClusterBody::SocketsLeave {
            opts: parts::read_opts(data.need("opts")?)?,
            rooms: parts::read_rooms(data.need_array("rooms")?, "rooms")?,
        },
        6 => ClusterBody::DisconnectSockets {
            opts: parts::read_opts(data.need("opts")?)?,
            close: data.flag("close")?,
        },
        7 => ClusterBody::FetchSockets {
            opts: parts::read_opts(data.need("opts")?)?,
            request_id: data.request_id()?,
        },
        8 => ClusterBody::FetchSocketsResponse {
            request_id: data.request_id()?,
            sockets: parts::read_sockets(data.need_array("sockets")?)?,
        },
        9 => ClusterBody::ServerSideEmit {
            packet: parts::read_server_event(data.need_array("packet")?, "packet")?,
            request_id: data.optional_request_id()?,
        },
        10 => ClusterBody::ServerSideEmitResponse {
            request_id: data.request_id()?,
            packet: answer(&mut data)?,
        },
        11 => ClusterBody::BroadcastClientCount {
            request_id: data.request_id()?,
            client_count: data.need_u64("clientCount")?,
        },
        12 => ClusterBody::BroadcastAck {
            request_id: data.request_id()?,
            packet: answer(&mut data)?,
            socket: data.socket(),
        },
        ALL_ROOMS => ClusterBody::AllRooms {
            with_own: data.flag("withOwn")?,
            request_id: data.request_id()?,
        },
        ALL_ROOMS_RESPONSE => ClusterBody::AllRoomsResponse {
            request_id: data.request_id()?,
            rooms: parts::read_rooms(data.need_array("rooms")?, "rooms")?,
        },
        RETURNED => ClusterBody::Returned {
            socket: data.need_str("socket")?.into(),
            life: data.need_u64("life")?,
        },
        _ => read_revocation(data)?,
    })
}

fn read_revocation(mut data: Value<'_>) -> Result<ClusterBody, Ignored> {
    let revocation = data.need("revocation")?.into_json();
    let revocation = serde_json::from_value(revocation);
    Ok(ClusterBody::Revoked {
        revocation: revocation.map_err(|_| Ignored::Mistyped("revocation"))?,
    })
}

/// The member `data`, which some types are without.
pub(super) fn data(body: &ClusterBody) -> Result<Option<Value<'_>>, EncodeError> {
    Ok(Some(match body {
        ClusterBody::InitialHeartbeat | ClusterBody::Heartbeat | ClusterBody::AdapterClose => {
            return Ok(None);
        }
        ClusterBody::Broadcast {
            packet,
            opts,
            request_id,
        } => Value::map([
            ("packet", parts::packet(packet, None)?),
            ("requestId", request_id.as_ref().and_then(parts::id)),
            ("opts", parts::opts(opts)),
        ]),
        ClusterBody::SocketsJoin { opts, rooms } | ClusterBody::SocketsLeave { opts, rooms } => {
            Value::map([("opts", parts::opts(opts)), ("rooms", parts::rooms(rooms))])
        }
        ClusterBody::DisconnectSockets { opts, close } => Value::map([
            ("opts", parts::opts(opts)),
            ("close", Some(Value::Bool(*close))),
        ]),
        ClusterBody::FetchSockets { opts, request_id } => Value::map([
            ("opts", parts::opts(opts)),
            ("requestId", parts::id(request_id)),
        ]),
        ClusterBody::FetchSocketsResponse {
            request_id,
            sockets,
        } => Value::map([
            ("requestId", parts::id(request_id)),
            ("sockets", parts::sockets(sockets)?),
        ]),
        ClusterBody::ServerSideEmit { packet, request_id } => Value::map([
            ("requestId", request_id.as_ref().and_then(parts::id)),
            ("packet", parts::server_event(packet)?),
        ]),
        ClusterBody::ServerSideEmitResponse { request_id, packet } => Value::map([
            ("requestId", parts::id(request_id)),
            ("packet", parts::answer(packet)?),
        ]),
        ClusterBody::BroadcastClientCount {
            request_id,
            client_count,
        } => Value::map([
            ("requestId", parts::id(request_id)),
            ("clientCount", Some(Value::Unsigned(*client_count))),
        ]),
        ClusterBody::BroadcastAck {
            request_id,
            packet,
            socket,
        } => Value::map([
            ("requestId", parts::id(request_id)),
            ("packet", parts::answer(packet)?),
            ("socket", socket.as_deref().map(Value::str)),
        ]),
        ClusterBody::AllRooms {
            with_own,
            request_id,
        } => Value::map([
            ("withOwn", Some(Value::Bool(*with_own))),
            ("requestId", parts::id(request_id)),
        ]),
        ClusterBody::AllRoomsResponse { request_id, rooms } => Value::map([
            ("requestId", parts::id(request_id)),
            ("rooms", parts::rooms(rooms)),
        ]),
        ClusterBody::Returned { socket, life } => Value::map([
            ("socket", Some(Value::str(&**socket))),
            ("life", Some(Value::Unsigned(*life))),
        ]),
        ClusterBody::Revoked { revocation } => {
            Value::map([("revocation", Some(Value::of(revocation)?))])
        }
    }))
}
