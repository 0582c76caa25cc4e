//! What the messages of all adapters are made of: targets, events, sockets, ids.

use std::borrow::Cow;
use std::time::Duration;

use super::ignored::Ignored;
use super::value::{Collector, MAX_SAFE, Value};
use crate::codec::kind::is_reserved;
use crate::codec::{EncodeError, OwnedArgs, RawArgs};
use crate::event::Event;
use crate::proto::cluster::message::{ClusterFlags, ClusterOptions, RequestId, ServerId};
use crate::proto::cluster::remote::RemoteSocket;
use crate::proto::room::Room;

/// The type of a packet that is an event.
const EVENT: u64 = 2;

/// The names that the reference keeps for itself among the servers (RED-RQ-09).
const RESERVED_AMONG_SERVERS: [&str; 3] = ["connect", "connection", "new_namespace"];

/// Members of a map that is being read.
impl<'a> Value<'a> {
    /// Whether there is such a member.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::Map(members) => members.iter().any(|(member, _)| member == name),
            _ => false,
        }
    }

    pub(super) fn need(&mut self, name: &'static str) -> Result<Self, Ignored> {
        self.take(name).ok_or(Ignored::Missing(name))
    }

    pub(super) fn need_str(&mut self, name: &'static str) -> Result<Cow<'a, str>, Ignored> {
        let text = self.need(name)?.into_str();
        text.ok_or(Ignored::Mistyped(name))
    }

    pub(super) fn need_array(&mut self, name: &'static str) -> Result<Vec<Self>, Ignored> {
        let elements = self.need(name)?.into_array();
        elements.ok_or(Ignored::Mistyped(name))
    }

    pub(super) fn need_u64(&mut self, name: &'static str) -> Result<u64, Ignored> {
        self.need(name)?.as_u64().ok_or(Ignored::Mistyped(name))
    }

    /// A member that may be absent, and then is false.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, Ignored> {
        let flag = self.take(name).map_or(Some(false), |flag| flag.as_bool());
        flag.ok_or(Ignored::Mistyped(name))
    }

    pub(super) fn uid(&mut self) -> Result<ServerId, Ignored> {
        self.need_str("uid").map(|uid| ServerId::new(&*uid))
    }

    pub(super) fn request_id(&mut self) -> Result<RequestId, Ignored> {
        self.need_str("requestId").map(|id| RequestId::new(&*id))
    }

    pub(super) fn optional_request_id(&mut self) -> Result<Option<RequestId>, Ignored> {
        let Some(id) = self.take("requestId") else {
            return Ok(None);
        };
        let id = id.into_str().ok_or(Ignored::Mistyped("requestId"))?;
        Ok(Some(RequestId::new(&*id)))
    }

    /// Whose an acknowledgement is, where that is said.
    pub(super) fn socket(&mut self) -> Option<Box<str>> {
        let id = self.take("socket")?.into_str()?;
        Some(id.into())
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        self.take("number").and_then(|number| number.as_u64())
    }
}

pub(super) fn id(request: &RequestId) -> Option<Value<'_>> {
    Some(Value::str(request.as_str()))
}

/// The names of rooms. Those that are numbers in JavaScript are their digits here.
//= RED-BC-06
pub(super) fn read_rooms(
    elements: Vec<Value<'_>>,
    member: &'static str,
) -> Result<Vec<Room>, Ignored> {
    let names = elements.into_iter().map(Value::into_name);
    let rooms = names.map(|name| name.map(|name| Room::from(&*name)));
    rooms
        .collect::<Option<_>>()
        .ok_or(Ignored::Mistyped(member))
}

pub(super) fn rooms<'a>(rooms: &'a [Room]) -> Option<Value<'a>> {
    let names = rooms.iter().map(|room| Value::str(room.as_str()));
    Some(Value::Array(names.collect()))
}

/// Whom a message means. One without `rooms` would mean everyone, so it means nothing.
//= RDS-02
//= RED-BC-07
pub(super) fn read_opts(mut opts: Value<'_>) -> Result<ClusterOptions, Ignored> {
    let rooms = read_rooms(opts.need_array("rooms")?, "rooms")?;
    let except = match opts.take("except") {
        Some(except) => {
            let except = except.into_array().ok_or(Ignored::Mistyped("except"))?;
            read_rooms(except, "except")?
        }
        None => Vec::new(),
    };
    let flags = match opts.take("flags") {
        Some(flags) => read_flags(flags)?,
        None => ClusterFlags::default(),
    };
    Ok(ClusterOptions::new(rooms, except).with_flags(flags))
}

//= RDS-05
fn read_flags(mut flags: Value<'_>) -> Result<ClusterFlags, Ignored> {
    if !matches!(flags, Value::Map(_)) {
        return Err(Ignored::Mistyped("flags"));
    }
    let timeout = flags
        .take("timeout")
        .map(|ms| read_timeout(&ms))
        .transpose()?;
    let compress = flags.take("compress").map_or(Some(true), |is| is.as_bool());
    Ok(ClusterFlags {
        volatile: flags.flag("volatile")?,
        compress: compress.ok_or(Ignored::Mistyped("compress"))?,
        timeout,
    })
}

/// Milliseconds, maybe a part of one; no more than every format carries.
fn read_timeout(ms: &Value<'_>) -> Result<Duration, Ignored> {
    let longest = Duration::from_millis(MAX_SAFE);
    let timeout = match ms {
        Value::Unsigned(ms) => Some(Duration::from_millis(*ms)),
        Value::Float(ms) if *ms >= 0.0 => {
            Some(Duration::try_from_secs_f64(ms / 1_000.0).unwrap_or(longest))
        }
        _ => None,
    };
    let timeout = timeout.ok_or(Ignored::Mistyped("timeout"))?;
    Ok(timeout.min(longest))
}

/// Rooms and exceptions, as far as requests of the classic adapter have them.
pub(super) fn selection(opts: &ClusterOptions) -> Option<Value<'_>> {
    Some(Value::map([
        ("rooms", rooms(&opts.rooms)),
        ("except", rooms(&opts.except)),
    ]))
}

//= RDS-05
pub(super) fn opts(opts: &ClusterOptions) -> Option<Value<'_>> {
    let ClusterFlags {
        volatile,
        compress,
        timeout,
    } = opts.flags;
    let timeout = timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
    let flags = Value::map([
        ("volatile", volatile.then_some(Value::Bool(true))),
        ("compress", (!compress).then_some(Value::Bool(false))),
        ("timeout", timeout.map(Value::Unsigned)),
    ]);
    Some(Value::map([
        ("rooms", rooms(&opts.rooms)),
        ("except", rooms(&opts.except)),
        ("flags", Some(flags)),
    ]))
}

/// An event: its name, and its arguments behind it.
fn read_event(elements: Vec<Value<'_>>, member: &'static str) -> Result<Event, Ignored> {
    let mut elements = elements.into_iter();
    let name = elements.next().and_then(Value::into_name);
    let name = name.ok_or(Ignored::Mistyped(member))?;
    let args = read_args(elements.as_slice(), member)?;
    Ok(Event::from_parts(name, args))
}

fn read_args(values: &[Value<'_>], member: &'static str) -> Result<OwnedArgs, Ignored> {
    OwnedArgs::from_values(values).map_err(|_| Ignored::Mistyped(member))
}

fn event(event: &Event) -> Result<Value<'static>, EncodeError> {
    let mut elements = vec![Value::str(event.name().to_owned())];
    for argument in event.args().iter() {
        elements.push(value(argument)?);
    }
    Ok(Value::Array(elements))
}

fn value(argument: RawArgs<'_>) -> Result<Value<'static>, EncodeError> {
    let collected = argument.transcode(Collector);
    collected.map_err(|error| EncodeError::Serialize(error.to_string()))
}

/// The packet of a broadcast, and the namespace in it if it has one.
pub(super) fn read_packet<'a>(
    mut packet: Value<'a>,
) -> Result<(Event, Option<Cow<'a, str>>), Ignored> {
    if !matches!(packet, Value::Map(_)) {
        return Err(Ignored::Mistyped("packet"));
    }
    if packet.need_u64("type")? != EVENT {
        return Err(Ignored::UnknownType);
    }
    let nsp = match packet.take("nsp") {
        Some(nsp) => Some(nsp.into_str().ok_or(Ignored::Mistyped("nsp"))?),
        None => None,
    };
    let event = read_event(packet.need_array("data")?, "data")?;
    if is_reserved(event.name()) {
        return Err(Ignored::ReservedName);
    }
    Ok((event, nsp))
}

//= RED-BC-01
pub(super) fn packet<'a>(
    of: &Event,
    nsp: Option<&'a str>,
) -> Result<Option<Value<'a>>, EncodeError> {
    Ok(Some(Value::map([
        ("type", Some(Value::Unsigned(EVENT))),
        ("data", Some(event(of)?)),
        ("nsp", nsp.map(Value::str)),
    ])))
}

//= RED-RQ-09
pub(super) fn read_server_event(
    elements: Vec<Value<'_>>,
    member: &'static str,
) -> Result<Event, Ignored> {
    let event = read_event(elements, member)?;
    if RESERVED_AMONG_SERVERS.contains(&event.name()) {
        return Err(Ignored::ReservedName);
    }
    Ok(event)
}

pub(super) fn server_event(of: &Event) -> Result<Option<Value<'static>>, EncodeError> {
    event(of).map(Some)
}

/// What was answered: one argument or none.
//= CLA-04
pub(super) fn read_answer(
    answer: Option<Value<'_>>,
    member: &'static str,
) -> Result<OwnedArgs, Ignored> {
    match answer {
        Some(answer) => read_args(&[answer], member),
        None => read_args(&[], member),
    }
}

//= CLA-04
pub(super) fn answer(args: &OwnedArgs) -> Result<Option<Value<'static>>, EncodeError> {
    args.as_raw().get(0).map(value).transpose()
}

/// The sockets of a server.
//= RED-RQ-03
pub(super) fn read_sockets(elements: Vec<Value<'_>>) -> Result<Vec<RemoteSocket>, Ignored> {
    elements.into_iter().map(read_socket).collect()
}

fn read_socket(mut socket: Value<'_>) -> Result<RemoteSocket, Ignored> {
    let id = socket.need_str("id")?;
    let empty = || Value::Map(Vec::new());
    let rooms = read_rooms(socket.need_array("rooms")?, "rooms")?;
    let handshake = socket.take("handshake").unwrap_or_else(empty);
    let data = socket.take("data").unwrap_or_else(empty);
    Ok(RemoteSocket::new(
        &id,
        handshake.into_json(),
        rooms,
        data.into_json(),
    ))
}

pub(super) fn sockets(of: &[RemoteSocket]) -> Result<Option<Value<'_>>, EncodeError> {
    let sockets = of.iter().map(|socket| {
        Ok(Value::map([
            ("id", Some(Value::str(socket.id().as_str()))),
            ("handshake", Some(Value::of(socket.handshake())?)),
            ("rooms", rooms(socket.rooms())),
            ("data", Some(Value::of(socket.data())?)),
        ]))
    });
    let sockets: Result<Vec<_>, EncodeError> = sockets.collect();
    Ok(Some(Value::Array(sockets?)))
}
