//! What holds of the parsers whatever they are given. The fuzz targets call these functions, and an ordinary test
//! replays the inputs they found worth keeping.
//!
//! Each takes any bytes, and panics where a property does not hold. The bytes are messages, each behind a header of
//! three: whether it is binary, and its length.

use bytes::Bytes;
use engineio::{MessageBuffer, Payload, Protocol};
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::codec::packet::{Packet, PacketKind};
use crate::codec::{Codec, Decoder, Event, Limits, OwnedArgs, RawArgs};

const LIMITS: Limits = Limits {
    max_attachments: 3,
    max_attachment_bytes: 2_000,
    max_depth: 20,
    max_values: 500,
    max_namespace_len: 64,
    max_query_len: 64,
};

/// The JSON parser, in both protocols.
pub fn json(data: &[u8]) {
    run(&Codec::json(), Protocol::V4, data);
    run(&Codec::json(), Protocol::V3, data);
}

/// The msgpack parser.
pub fn msgpack(data: &[u8]) {
    run(&Codec::msgpack(), Protocol::V4, data);
}

fn run(codec: &Codec, protocol: Protocol, mut data: &[u8]) {
    let mut decoder = Decoder::default();
    while let Some(message) = take_message(&mut data) {
        match decoder.decode(codec, message, protocol, &LIMITS) {
            Ok(None) => assert!(decoder.is_waiting(), "no packet is lost"),
            Ok(Some(packet)) => {
                assert!(!decoder.is_waiting(), "a packet is given once");
                check(codec, &packet);
            }
            Err(_) => {
                assert!(!decoder.is_waiting(), "nothing is kept after an error");
                return;
            }
        }
    }
}

/// `None` at the end. A length past it is what is left; text that is none is passed as binary.
fn take_message<'a>(data: &mut &'a [u8]) -> Option<Payload<'a>> {
    let ([flag, high, low], rest) = data.split_first_chunk()?;
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    let (message, rest) = rest.split_at(length.min(rest.len()));
    *data = rest;
    let text = std::str::from_utf8(message).ok().filter(|_| flag & 1 == 0);
    Some(text.map_or(Payload::Binary(message), Payload::Text))
}

fn check(codec: &Codec, packet: &Packet<'_>) {
    assert!(packet.namespace().len() <= LIMITS.max_namespace_len);
    let args = packet.args();
    assert_eq!(args.iter().count(), args.len());
    for one in args.iter() {
        assert_eq!(one.len(), 1);
        assert!(
            one.deserialize::<IgnoredAny>().is_ok(),
            "only the type asked for can be wrong with an argument"
        );
        // Binary is no JSON value, nor are numbers past those of a double.
        let _ = one.deserialize::<Value>();
    }
    if let (PacketKind::Event, Some(name)) = (packet.kind(), packet.name()) {
        relay(codec, packet, name);
    }
}

/// An event that was received can be sent on, and reads as the same.
fn relay(codec: &Codec, packet: &Packet<'_>, name: &str) {
    let args = packet.clone().into_owned().into_args();
    let written = write(codec, packet, name, &args);
    let mut decoder = Decoder::default();
    let mut read = None;
    for message in written.messages() {
        assert!(read.is_none(), "an event is one packet");
        let packet = decoder.decode(codec, message, Protocol::V4, &Limits::default());
        read = packet
            .expect("the server's own packet, because the limits are larger here")
            .map(Packet::into_owned);
    }
    let read = read.expect("a whole packet, because all its messages were read");
    assert_eq!(
        (read.namespace(), read.id()),
        (packet.namespace(), packet.id())
    );
    assert_eq!(read.name(), Some(name));
    assert_eq!(values(read.args()), values(packet.args()));
}

fn write(codec: &Codec, packet: &Packet<'_>, name: &str, args: &OwnedArgs) -> MessageBuffer {
    let event = Event {
        namespace: packet.namespace(),
        id: packet.id(),
        name,
        args,
        offset: None,
    };
    let mut out = MessageBuffer::new();
    let result = codec.event(event, &mut out);
    assert_eq!(result, Ok(()), "what was received can be sent on");
    out
}

/// The arguments as values, each placeholder replaced by what it stands for: sent on, they are numbered anew.
fn values(args: RawArgs<'_>) -> Vec<Option<Value>> {
    let resolved = |value| resolve(value, args.attachments());
    args.iter()
        .map(|one| one.deserialize().ok().map(resolved))
        .collect()
}

fn resolve(value: Value, attachments: &[Bytes]) -> Value {
    match value {
        Value::Array(items) => items
            .into_iter()
            .map(|item| resolve(item, attachments))
            .collect(),
        Value::Object(members) => {
            let num = members.get("num").and_then(Value::as_u64);
            let attachment = num
                .filter(|_| members.get("_placeholder") == Some(&Value::Bool(true)))
                .and_then(|num| attachments.get(usize::try_from(num).ok()?));
            match attachment {
                Some(attachment) => format!("{attachment:?}").into(),
                None => members
                    .into_iter()
                    .map(|(name, member)| (name, resolve(member, attachments)))
                    .collect(),
            }
        }
        other => other,
    }
}
