//! The messages of the classic Redis adapter and of the emitter (PROTOCOL.md §6.1 and §6.2).

use super::ignored::Ignored;
use super::parts;
use super::value::Value;
use super::{envelope, escape_pattern};
use crate::codec::EncodeError;
use crate::event::Event;
use crate::proto::cluster::message::{
    ClusterBody, ClusterMessage, ClusterOptions, RequestId, Scope, ServerId,
};
use crate::proto::room::Room;

/// Names of channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channels {
    key: String,
}

/// A channel of a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Channel<'a> {
    /// Broadcasts.
    Broadcast,
    /// Broadcasts to exactly one room.
    Room(&'a str),
    /// Requests. Who is subscribed to it is counted as a server.
    //= RED-CH-03
    Request,
    /// Answers, for all to hear.
    Response,
    /// Answers to one server.
    ResponseTo(&'a str),
    /// What only servers of this library say, about no namespace. No pattern of the reference matches it.
    //= RDS-09
    Server,
}

impl Channels {
    /// Channels that begin so, which is `socket.io` by default.
    //= RED-CH-01
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self { key: key.into() }
    }

    /// The name of a channel.
    #[must_use]
    pub fn name(&self, nsp: &str, channel: Channel<'_>) -> String {
        let key = &self.key;
        match channel {
            Channel::Broadcast => format!("{key}#{nsp}#"),
            Channel::Room(room) => format!("{key}#{nsp}#{room}#"),
            Channel::Request => format!("{key}-request#{nsp}#"),
            Channel::Response => format!("{key}-response#{nsp}#"),
            Channel::ResponseTo(uid) => format!("{key}-response#{nsp}#{uid}#"),
            Channel::Server => format!("{key}-server#"),
        }
    }

    /// The pattern that matches the broadcasts of a namespace, those to one room included.
    //= RED-CH-02
    //= RDS-10
    #[must_use]
    pub fn pattern(&self, nsp: &str) -> String {
        let begins = self.name(nsp, Channel::Broadcast);
        format!("{}*", escape_pattern(&begins))
    }

    /// The room that a broadcast on this channel is for: `Some(None)` for all, `None` when it is no channel of the namespace.
    #[must_use]
    pub fn room_in<'c>(&self, nsp: &str, channel: &'c str) -> Option<Option<&'c str>> {
        super::room_in(channel, &self.name(nsp, Channel::Broadcast))
    }
}

/// Where a message goes, and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outgoing<'a> {
    /// The channel. Answers are for all to hear unless the adapter knows better.
    pub channel: Channel<'a>,
    /// What is published.
    pub payload: Vec<u8>,
}

/// What asks for ids alone, as old versions of the reference did (type 0), marks its request id so. It comes back in the
/// answer, where it is taken off again.
const IDS_ONLY: &str = "\0ids:";

/// Reads a broadcast.
///
/// # Errors
///
/// Why it means nothing.
//= RED-BC-01
//= RED-BC-03
pub fn decode_broadcast(payload: &[u8], nsp: &str) -> Result<ClusterMessage, Ignored> {
    let elements = super::read(payload)?.into_array().ok_or(Ignored::Shape)?;
    let mut elements = elements.into_iter();
    let mut next = |name| match elements.next() {
        None | Some(Value::Nil) => Err(Ignored::Missing(name)),
        Some(value) => Ok(value),
    };
    let uid = next("uid")?.into_str().ok_or(Ignored::Mistyped("uid"))?;
    let (packet, of) = parts::read_packet(next("packet")?)?;
    //= RED-BC-07
    if of.as_deref().unwrap_or("/") != nsp {
        return Err(Ignored::OtherNamespace);
    }
    let mut opts = next("opts")?;
    let number = opts.number();
    let body = ClusterBody::Broadcast {
        packet,
        opts: parts::read_opts(opts)?,
        request_id: None,
    };
    let mut message = ClusterMessage::new(ServerId::new(&*uid), Scope::namespace(nsp), body);
    message.number = number;
    Ok(message)
}

/// Reads a request. An emitter does not say who it is in most of its own.
///
/// # Errors
///
/// Why it means nothing.
//= RED-CH-05
//= EMT-03
pub fn decode_request(payload: &[u8], nsp: &str) -> Result<ClusterMessage, Ignored> {
    let mut request = super::read(payload)?;
    if !matches!(request, Value::Map(_)) {
        return Err(Ignored::Shape);
    }
    let uid = match request.take("uid") {
        Some(uid) => ServerId::new(&*uid.into_str().ok_or(Ignored::Mistyped("uid"))?),
        None => ServerId::ANONYMOUS,
    };
    let number = request.number();
    let body = match request.need_u64("type")? {
        0 => ClusterBody::FetchSockets {
            opts: parts::read_opts(Value::map([("rooms", request.take("rooms"))]))?,
            request_id: RequestId::new(format!("{IDS_ONLY}{}", request.request_id()?.as_str())),
        },
        1 => ClusterBody::AllRooms {
            with_own: true,
            request_id: request.request_id()?,
        },
        2 => {
            let (opts, rooms) = read_move(&mut request)?;
            ClusterBody::SocketsJoin { opts, rooms }
        }
        3 => {
            let (opts, rooms) = read_move(&mut request)?;
            ClusterBody::SocketsLeave { opts, rooms }
        }
        4 => ClusterBody::DisconnectSockets {
            opts: parts::read_opts(request.need("opts")?)?,
            close: request.flag("close")?,
        },
        5 => ClusterBody::FetchSockets {
            opts: parts::read_opts(request.need("opts")?)?,
            request_id: request.request_id()?,
        },
        6 => ClusterBody::ServerSideEmit {
            packet: parts::read_server_event(request.need_array("data")?, "data")?,
            request_id: request.optional_request_id()?,
        },
        7 => read_acknowledged(&mut request, nsp)?,
        envelope::RETURNED => ClusterBody::Returned {
            socket: request.need_str("socket")?.into(),
            life: request.need_u64("life")?,
        },
        _ => return Err(Ignored::UnknownType),
    };
    let mut message = ClusterMessage::new(uid, Scope::namespace(nsp), body);
    message.number = number;
    Ok(message)
}

fn read_move(request: &mut Value<'_>) -> Result<(ClusterOptions, Vec<Room>), Ignored> {
    let opts = parts::read_opts(request.need("opts")?)?;
    let rooms = parts::read_rooms(request.need_array("rooms")?, "rooms")?;
    Ok((opts, rooms))
}

//= RED-RQ-05
fn read_acknowledged(request: &mut Value<'_>, nsp: &str) -> Result<ClusterBody, Ignored> {
    let (packet, of) = parts::read_packet(request.need("packet")?)?;
    if of.is_some_and(|of| of != nsp) {
        return Err(Ignored::OtherNamespace);
    }
    Ok(ClusterBody::Broadcast {
        packet,
        opts: parts::read_opts(request.need("opts")?)?,
        request_id: Some(request.request_id()?),
    })
}

/// Reads an answer. The reference's have no sender.
///
/// # Errors
///
/// Why it means nothing.
//= RED-RQ-03
//= RED-RQ-09
pub fn decode_response(payload: &[u8], nsp: &str) -> Result<ClusterMessage, Ignored> {
    let mut answer = super::read(payload)?;
    if !matches!(answer, Value::Map(_)) {
        return Err(Ignored::Shape);
    }
    let uid = match answer.take("uid") {
        Some(uid) => ServerId::new(&*uid.into_str().ok_or(Ignored::Mistyped("uid"))?),
        None => ServerId::ANONYMOUS,
    };
    let number = answer.number();
    let request_id = answer.request_id()?;
    let kind = answer.take("type").map(|kind| kind.as_u64());
    let body = match kind {
        None | Some(Some(1)) if answer.has("rooms") => ClusterBody::AllRoomsResponse {
            request_id,
            rooms: parts::read_rooms(answer.need_array("rooms")?, "rooms")?,
        },
        None | Some(Some(0 | 5)) => ClusterBody::FetchSocketsResponse {
            request_id,
            sockets: parts::read_sockets(answer.need_array("sockets")?)?,
        },
        Some(Some(6)) => ClusterBody::ServerSideEmitResponse {
            request_id,
            packet: parts::read_answer(answer.take_even_nil("data"), "data")?,
        },
        Some(Some(8)) => ClusterBody::BroadcastClientCount {
            request_id,
            client_count: answer.need_u64("clientCount")?,
        },
        Some(Some(9)) => ClusterBody::BroadcastAck {
            request_id,
            packet: parts::read_answer(answer.take_even_nil("packet"), "packet")?,
            socket: answer.socket(),
        },
        Some(_) => return Err(Ignored::UnknownType),
    };
    let mut message = ClusterMessage::new(uid, Scope::namespace(nsp), body);
    message.number = number;
    Ok(message)
}

/// Reads what a server of this library says on [`Channel::Server`].
///
/// # Errors
///
/// Why it means nothing.
pub fn decode_server(payload: &[u8]) -> Result<ClusterMessage, Ignored> {
    envelope::decode(payload, &Scope::Server)
}

/// Writes a message. `None` for what the adapter has no word for: that a server comes, is there or goes.
///
/// # Errors
///
/// Arguments in it are nested too deep, or cannot be translated.
//= RDS-03
//= RED-RQ-10
pub fn encode(message: &ClusterMessage) -> Result<Option<Outgoing<'_>>, EncodeError> {
    let (channel, payload) = match &message.body {
        ClusterBody::Broadcast {
            packet,
            opts,
            request_id: None,
        } => encode_broadcast(message, packet, opts)?,
        ClusterBody::Revoked { .. } => {
            let payload = envelope::encode(message, envelope::Encoding::JsonUnlessBinary)?;
            (Channel::Server, payload)
        }
        ClusterBody::InitialHeartbeat | ClusterBody::Heartbeat | ClusterBody::AdapterClose => {
            return Ok(None);
        }
        body if body.answered().is_some() => match encode_response(message)? {
            Some(payload) => (Channel::Response, payload),
            None => return Ok(None),
        },
        _ => match encode_request(message)? {
            Some(payload) => (Channel::Request, payload),
            None => return Ok(None),
        },
    };
    Ok(Some(Outgoing { channel, payload }))
}

fn encode_broadcast<'a>(
    message: &'a ClusterMessage,
    packet: &Event,
    opts: &'a ClusterOptions,
) -> Result<(Channel<'a>, Vec<u8>), EncodeError> {
    let packet = parts::packet(packet, message.scope.name())?;
    let mut options = parts::opts(opts).unwrap_or(Value::Nil);
    if let (Value::Map(members), Some(number)) = (&mut options, number(message)) {
        members.push(("number".into(), number));
    }
    // Nobody's broadcast has no place for that, so it is an emitter's.
    let uid = sender(message).unwrap_or_else(|| Value::str(ServerId::EMITTER));
    let elements = [Some(uid), packet, Some(options)];
    let payload = Value::Array(elements.into_iter().flatten().collect());
    //= RED-BC-02
    let channel = match &*opts.rooms {
        [room] => Channel::Room(room.as_str()),
        _ => Channel::Broadcast,
    };
    Ok((channel, super::write_msgpack(&payload)?))
}

/// `None` for what is no request.
fn encode_request(message: &ClusterMessage) -> Result<Option<Vec<u8>>, EncodeError> {
    let (uid, number) = (sender(message), number(message));
    let request = match &message.body {
        ClusterBody::Broadcast {
            packet,
            opts,
            request_id,
        } => {
            let request = Value::map([
                ("uid", uid),
                ("requestId", request_id.as_ref().and_then(parts::id)),
                ("type", kind(7)),
                ("packet", parts::packet(packet, message.scope.name())?),
                ("opts", parts::opts(opts)),
                ("number", number),
            ]);
            return super::write_msgpack(&request).map(Some);
        }
        ClusterBody::SocketsJoin { opts, rooms } | ClusterBody::SocketsLeave { opts, rooms } => {
            let is_join = matches!(message.body, ClusterBody::SocketsJoin { .. });
            Value::map([
                ("uid", uid),
                ("type", kind(if is_join { 2 } else { 3 })),
                ("opts", parts::selection(opts)),
                ("rooms", parts::rooms(rooms)),
                ("number", number),
            ])
        }
        ClusterBody::DisconnectSockets { opts, close } => Value::map([
            ("uid", uid),
            ("type", kind(4)),
            ("opts", parts::selection(opts)),
            ("close", Some(Value::Bool(*close))),
            ("number", number),
        ]),
        ClusterBody::FetchSockets { opts, request_id } => Value::map([
            ("uid", uid),
            ("requestId", parts::id(request_id)),
            ("type", kind(5)),
            ("opts", parts::selection(opts)),
            ("number", number),
        ]),
        ClusterBody::ServerSideEmit { packet, request_id } => Value::map([
            ("uid", uid),
            ("requestId", request_id.as_ref().and_then(parts::id)),
            ("type", kind(6)),
            ("data", parts::server_event(packet)?),
            ("number", number),
        ]),
        ClusterBody::AllRooms { request_id, .. } => Value::map([
            ("uid", uid),
            ("requestId", parts::id(request_id)),
            ("type", kind(1)),
            ("number", number),
        ]),
        // Unknown to the reference, and a map, as all that it ignores there must be (RDS-04).
        ClusterBody::Returned { socket, life } => Value::map([
            ("uid", uid),
            ("type", kind(envelope::RETURNED)),
            ("socket", Some(Value::str(&**socket))),
            ("life", Some(Value::Unsigned(*life))),
            ("number", number),
        ]),
        _ => return Ok(None),
    };
    super::write(&request).map(Some)
}

/// `None` for what is no answer. Whose it is the reference does not say, and does not mind.
fn encode_response(message: &ClusterMessage) -> Result<Option<Vec<u8>>, EncodeError> {
    let (uid, number) = (sender(message), number(message));
    let response = match &message.body {
        ClusterBody::FetchSocketsResponse {
            request_id,
            sockets,
        } => {
            let (request_id, sockets) = match request_id.as_str().strip_prefix(IDS_ONLY) {
                Some(request_id) => {
                    let ids = sockets
                        .iter()
                        .map(|socket| Value::str(socket.id().as_str()));
                    (Value::str(request_id), Some(Value::Array(ids.collect())))
                }
                None => (Value::str(request_id.as_str()), parts::sockets(sockets)?),
            };
            Value::map([
                ("requestId", Some(request_id)),
                ("sockets", sockets),
                ("uid", uid),
                ("number", number),
            ])
        }
        ClusterBody::ServerSideEmitResponse { request_id, packet } => Value::map([
            ("type", kind(6)),
            ("requestId", parts::id(request_id)),
            ("data", parts::answer(packet)?),
            ("uid", uid),
            ("number", number),
        ]),
        ClusterBody::BroadcastClientCount {
            request_id,
            client_count,
        } => Value::map([
            ("type", kind(8)),
            ("requestId", parts::id(request_id)),
            ("clientCount", Some(Value::Unsigned(*client_count))),
            ("uid", uid),
            ("number", number),
        ]),
        ClusterBody::BroadcastAck {
            request_id,
            packet,
            socket,
        } => {
            let answer = Value::map([
                ("type", kind(9)),
                ("requestId", parts::id(request_id)),
                ("packet", parts::answer(packet)?),
                ("uid", uid),
                ("socket", socket.as_deref().map(Value::str)),
                ("number", number),
            ]);
            return super::write_msgpack(&answer).map(Some);
        }
        ClusterBody::AllRoomsResponse { request_id, rooms } => Value::map([
            ("requestId", parts::id(request_id)),
            ("rooms", parts::rooms(rooms)),
            ("uid", uid),
            ("number", number),
        ]),
        _ => return Ok(None),
    };
    super::write(&response).map(Some)
}

fn kind(kind: u64) -> Option<Value<'static>> {
    Some(Value::Unsigned(kind))
}

fn number(message: &ClusterMessage) -> Option<Value<'_>> {
    message.number.map(Value::Unsigned)
}

/// Whose a message is, when that is known.
fn sender(message: &ClusterMessage) -> Option<Value<'_>> {
    let uid = &message.uid;
    (!uid.is_anonymous()).then(|| Value::str(uid.as_str()))
}
