//! What holds of the parsers whatever they are given. The fuzz targets call these functions, and an ordinary test
//! replays the inputs they found worth keeping.
//!
//! Each takes any bytes, and panics where a property does not hold. The bytes are messages, each behind a header of
//! three: whether it is binary, and its length.

use std::fmt;

use engineio::{MessageBuffer, Payload, Protocol};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use socketio_auth::server::lenient_json;

use crate::codec::kind::PacketKind;
use crate::codec::packet::Packet;
use crate::proto::cluster::message::{ClusterMessage, Scope};
use crate::proto::cluster::wire::envelope::{self, Encoding};
use crate::proto::cluster::wire::stream::{self, Entry, Session};
use crate::proto::cluster::wire::{Ignored, classic};

use crate::codec::{Codec, Decoder, OutgoingEvent, OwnedArgs, PacketLimits, RawArgs};

const LIMITS: PacketLimits = PacketLimits {
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

/// The arguments of an event as JSON text, without any framing: what the scanner accepts, and nothing else, can be read.
pub fn json_text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let whole = format!(r#"["e",{text}]"#);
    let message = format!("2{whole}");
    let payload = Payload::Text(&message);
    let limits = PacketLimits::default();
    let ours = Decoder::default().decode(&Codec::json(), payload, Protocol::V4, &limits);
    let values = lenient_json::from_str::<Vec<Value>>(&whole);
    match (ours, values) {
        (Ok(Some(packet)), Ok(values)) => {
            let expected = values.get(1..).unwrap_or_default();
            assert_eq!(packet.args().len(), expected.len());
            for (one, expected) in packet.args().iter().zip(expected) {
                assert_eq!(one.deserialize::<Value>().as_ref(), Ok(expected));
                let translated = one.transcode(serde_json::value::Serializer);
                assert_eq!(translated.ok().as_ref(), Some(expected));
            }
        }
        (Ok(Some(packet)), Err(error)) => {
            let deepest = packet.args().iter().map(depth).max();
            assert!(deepest >= Some(lenient_json::MAX_DEPTH), "{error}");
        }
        (ours, values) => assert!(
            ours.is_err() && values.is_err(),
            "the scanner said {ours:?}, and serde_json {values:?}"
        ),
    }
}

/// What another server writes on the bus of a cluster. The first byte says on which kind of channel. What is read can be
/// written, and reads as the same.
pub fn cluster_wire(data: &[u8]) {
    const NSP: &str = "/";
    let Some(([channel], payload)) = data.split_first_chunk() else {
        return;
    };
    match channel % 6 {
        0 => same(
            payload,
            |bytes| classic::decode_broadcast(bytes, NSP),
            classic_bytes,
        ),
        1 => same(
            payload,
            |bytes| classic::decode_request(bytes, NSP),
            classic_bytes,
        ),
        2 => same(
            payload,
            |bytes| classic::decode_response(bytes, NSP),
            classic_bytes,
        ),
        3 => {
            let scope = Scope::namespace(NSP);
            for encoding in [Encoding::JsonUnlessBinary, Encoding::Msgpack] {
                same(
                    payload,
                    |bytes| envelope::decode(bytes, &scope),
                    |message| envelope::encode(message, encoding).ok(),
                );
            }
        }
        4 => entry(payload),
        _ => {
            if let Ok(session) = Session::decode(payload) {
                let written = session.encode().expect("what was read can be written");
                let read = Session::decode(written.as_bytes());
                assert_eq!(read, Ok(session), "and reads as the same");
            }
        }
    }
}

fn classic_bytes(message: &ClusterMessage) -> Option<Vec<u8>> {
    classic::encode(message)
        .ok()
        .flatten()
        .map(|out| out.payload)
}

fn same(
    payload: &[u8],
    decode: impl Fn(&[u8]) -> Result<ClusterMessage, Ignored>,
    encode: impl Fn(&ClusterMessage) -> Option<Vec<u8>>,
) {
    let Ok(message) = decode(payload) else {
        return;
    };
    // It may be as deep as can be read and in a deeper frame here.
    let Some(written) = encode(&message) else {
        return;
    };
    let Ok(read) = decode(&written) else {
        let asks_for_ids = written
            .windows(5)
            .any(|part| part == b"0ids:" || part == b"\0ids");
        assert!(asks_for_ids, "what was written can be read");
        return;
    };
    assert_eq!(encode(&read), Some(written), "and reads as the same");
}

fn entry(payload: &[u8]) {
    let Some(([kind], data)) = payload.split_first_chunk() else {
        return;
    };
    let kind = (kind % 16).to_string();
    let fields: [(&[u8], &[u8]); 4] = [
        (b"uid", b"u"),
        (b"nsp", b"/"),
        (b"type", kind.as_bytes()),
        (b"data", data),
    ];
    let Ok(message) = stream::decode(&Entry::of(fields)) else {
        return;
    };
    let Ok(written) = stream::encode(&message) else {
        return;
    };
    let fields = written
        .iter()
        .map(|(name, value)| (name.as_bytes(), &**value));
    let read = stream::decode(&Entry::of(fields)).expect("what was written can be read");
    assert_eq!(
        stream::encode(&read),
        Ok(written.clone()),
        "and reads as the same"
    );
}

/// As many levels as there are brackets open at once, those inside strings included.
fn depth(args: RawArgs<'_>) -> u32 {
    let (mut open, mut deepest) = (0_u32, 0);
    for byte in args.as_json().unwrap_or_default().bytes() {
        match byte {
            b'[' | b'{' => open = open.saturating_add(1),
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = open.max(deepest);
    }
    deepest
}

/// Takes whatever there is, and looks at all of it.
struct Anything;

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

macro_rules! take {
    ($($visit:ident($type:ty))*) => {$(
        fn $visit<E: Error>(self, _: $type) -> Result<Self, E> {
            Ok(self)
        }
    )*};
}

impl<'de> Visitor<'de> for Anything {
    type Value = Self;

    take! { visit_bool(bool) visit_i64(i64) visit_u64(u64) visit_f64(f64) visit_str(&str) visit_bytes(&[u8]) }

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E: Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
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
            one.deserialize::<Anything>().is_ok(),
            "only the type asked for can be wrong with an argument"
        );
        let value = one.deserialize::<Value>();
        if one.as_json().is_some() && args.attachments().is_empty() {
            assert!(value.is_ok(), "all JSON without binary is a value");
        }
        if let Ok(value) = value {
            let translated = one.transcode(serde_json::value::Serializer);
            assert_eq!(translated.ok(), Some(value), "both ways of reading agree");
        }
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
        let packet = decoder.decode(codec, message, Protocol::V4, &PacketLimits::default());
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
    let event = OutgoingEvent {
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

/// The arguments as values, binary as arrays of numbers.
fn values(args: RawArgs<'_>) -> Vec<Option<Value>> {
    args.iter()
        .map(|one| one.transcode(serde_json::value::Serializer).ok())
        .collect()
}
