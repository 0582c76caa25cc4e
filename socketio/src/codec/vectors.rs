//! The recorded vectors, and how this codec relates to each of them.

use std::collections::HashMap;
use std::fmt;

use engineio::{MessageBuffer, Payload, Protocol};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeTuple, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::error::PacketError;
use super::kind::PacketKind;
use super::outgoing::SEVERAL;
use super::packet::Packet;
use super::{Codec, Decoder, OutgoingEvent, PacketLimits, RawArgs};

/// How we depart from a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Departure {
    /// What the row encodes cannot be said with this interface.
    Inexpressible,
    /// The message is refused.
    Refused,
    /// The packet is taken, but the values of its arguments are refused or others.
    OtherValues,
}

use Departure::{Inexpressible, OtherValues, Refused};

const PROTOCOL_5: &str = "the protocol 5 decoder serves protocol 4 too (SIO4-PKT-01)";

/// Every row from which we depart, with the reason.
const DEPARTURES: [(&str, Departure, &str); 20] = [
    ("sio5-021", Inexpressible, "no value of serde is undefined"),
    ("sio5-022", Inexpressible, "dates are strings to serde"),
    (
        "sio5-023",
        Inexpressible,
        "events are named by strings; a listener for 1 hears \"1\" as well",
    ),
    (
        "sio5-024",
        Inexpressible,
        "no string of Rust has a lone surrogate",
    ),
    ("sio5-050", Refused, "white space is no digit (section 8)"),
    (
        "sio5-064",
        OtherValues,
        "1e400 is the largest number there is",
    ),
    ("sio5-075", Refused, "1.0 is no count (section 8)"),
    (
        "sio5-077",
        Refused,
        "an empty message is no packet (SIO5-INV-03)",
    ),
    ("sio4-023", Refused, PROTOCOL_5),
    ("sio4-024", Refused, PROTOCOL_5),
    ("sio4-025", Refused, PROTOCOL_5),
    ("sio4-026", Refused, PROTOCOL_5),
    ("sio4-029", Refused, PROTOCOL_5),
    (
        "mp-002",
        Inexpressible,
        "absent members are left out (SIO5-MP-06)",
    ),
    (
        "mp-009",
        Inexpressible,
        "absent members are left out (SIO5-MP-06)",
    ),
    ("mp-011", Inexpressible, "dates are strings to serde"),
    ("mp-012", Inexpressible, "no value of serde is undefined"),
    (
        "mp-013",
        Inexpressible,
        "binary is written as bin (SIO5-MP-06)",
    ),
    ("mp-019", OtherValues, "an object names no event"),
    (
        "sio4-028",
        OtherValues,
        "a binary event is an event with attachments",
    ),
];

struct Row {
    id: String,
    row: Value,
    /// The data of its packet as JSON text, whose members are in order.
    data: Option<String>,
}

#[derive(Deserialize)]
struct RawRow<'a> {
    #[serde(borrow)]
    packet: Option<RawPacket<'a>>,
}

#[derive(Deserialize)]
struct RawPacket<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

fn rows(set: &str) -> Vec<Row> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../conformance-tests/spec/wire.json"
    );
    let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
    let mut root: HashMap<&str, &RawValue> = serde_json::from_str(&text).unwrap();
    let sets = root.remove("sets").unwrap().get();
    let mut sets: HashMap<&str, &RawValue> = serde_json::from_str(sets).unwrap();
    let rows: Vec<&RawValue> = serde_json::from_str(sets.remove(set).unwrap().get()).unwrap();
    assert!(rows.len() > 30, "set {set} is too small");
    rows.into_iter()
        .map(RawValue::get)
        .filter_map(|row_text| match serde_json::from_str::<Value>(row_text) {
            Ok(row) => Some(Row {
                id: row["id"].as_str().unwrap().to_owned(),
                row,
                data: compact_data(row_text),
            }),
            Err(_) => {
                // A lone surrogate, which no string of ours can have.
                assert!(row_text.contains("\"sio5-024\""));
                None
            }
        })
        .collect()
}

fn compact_data(row: &str) -> Option<String> {
    let row: RawRow<'_> = serde_json::from_str(row).unwrap();
    let mut compact = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut compact);
    super::json::transcode(row.packet?.data?.get(), &[], &mut serializer).unwrap();
    Some(String::from_utf8(compact).unwrap())
}

impl Row {
    fn departure(&self) -> Option<Departure> {
        let found = DEPARTURES.iter().find(|(id, ..)| *id == self.id);
        found.map(|(_, departure, _)| *departure)
    }

    fn wire(&self) -> Vec<Wire> {
        match &self.row["wire"] {
            Value::Array(messages) => messages.iter().map(Wire::of).collect(),
            message => vec![Wire::of(message)],
        }
    }

    fn protocol(&self) -> Protocol {
        if self.id.starts_with("sio4") {
            Protocol::V3
        } else {
            Protocol::V4
        }
    }

    fn codec(&self) -> Codec {
        if self.id.starts_with("mp") {
            Codec::msgpack()
        } else {
            Codec::json()
        }
    }

    fn check_decoding(&self) {
        let (id, codec) = (&self.id, self.codec());
        let limits = PacketLimits::default();
        let mut decoder = Decoder::default();
        let mut seen = Vec::new();
        let mut error: Option<(usize, PacketError)> = None;
        for (index, message) in self.wire().iter().enumerate() {
            match decoder.decode(&codec, message.payload(), self.protocol(), &limits) {
                Ok(packet) => seen.extend(packet.map(|packet| describe(&packet))),
                Err(found) => {
                    error = Some((index, found));
                    break;
                }
            }
        }
        if error.is_some() {
            assert!(!decoder.is_waiting(), "{id}: something is still armed");
        }
        let expected: Vec<Value> = self.row["packets"]
            .as_array()
            .unwrap()
            .iter()
            .map(normalize)
            .collect();
        let expects_error = !self.row["error"].is_null();
        match self.departure() {
            None => {
                assert_eq!(
                    Value::Array(seen),
                    Value::Array(expected),
                    "{id}: {error:?}"
                );
                assert_eq!(error.is_some(), expects_error, "{id}: {error:?}");
                if let (Some((index, _)), Some(frame)) =
                    (error, self.row["error_at_frame"].as_u64())
                {
                    assert_eq!(u64::try_from(index), Ok(frame), "{id}");
                }
            }
            Some(Refused) => {
                assert_eq!(self.row["level"], "may", "{id}");
                assert!(error.is_some() && !expects_error, "{id} is not refused");
            }
            Some(OtherValues) => {
                assert_eq!(self.row["level"], "may", "{id}");
                assert!(error.is_none(), "{id}: {error:?}");
                assert_ne!(seen, expected, "{id} is no departure any more");
            }
            Some(Inexpressible) => panic!("{id} is decoded"),
        }
    }

    fn check_encoding(&self) {
        let id = &self.id;
        if let Some(departure) = self.departure() {
            assert_eq!(departure, Inexpressible, "{id}");
            return;
        }
        let mut out = MessageBuffer::new();
        self.encode(&mut out);
        let written: Vec<Wire> = out.messages().map(Wire::from).collect();
        if self.row["compare"] == "json" {
            let tail = |wire: &Wire| match wire {
                Wire::Text(text) => {
                    serde_json::from_str::<Value>(text.trim_start_matches('2')).unwrap()
                }
                Wire::Binary(_) => panic!("{id}: not JSON"),
            };
            assert!(
                same_numbers(&tail(&written[0]), &tail(&self.wire()[0])),
                "{id}"
            );
        } else {
            assert_eq!(written, self.wire(), "{id}");
        }
    }

    fn encode(&self, out: &mut MessageBuffer) {
        let (packet, codec) = (&self.row["packet"], self.codec());
        let namespace = packet["nsp"].as_str().unwrap();
        let id = packet["id"].as_u64();
        let data = packet.get("data");
        let control = match packet["type"].as_u64().unwrap() {
            0 => PacketKind::Connect,
            1 => PacketKind::Disconnect,
            4 => PacketKind::ConnectError,
            2 | 5 => {
                let (name, args) = data.unwrap().as_array().unwrap().split_first().unwrap();
                let event = OutgoingEvent {
                    namespace,
                    id,
                    name: name.as_str().unwrap(),
                    args: &Several(args),
                    offset: None,
                };
                return codec.event(event, out).unwrap();
            }
            _ => {
                let args = Several(data.unwrap().as_array().unwrap());
                return codec.ack(namespace, id.unwrap(), &args, out).unwrap();
            }
        };
        codec
            .control(control, namespace, self.data.as_deref(), out)
            .unwrap();
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Wire {
    Text(String),
    Binary(Vec<u8>),
}

impl Wire {
    fn of(row: &Value) -> Self {
        match (row["text"].as_str(), row["hex"].as_str()) {
            (Some(text), None) => Self::Text(text.to_owned()),
            (None, Some(hex)) => Self::Binary(unhex(hex)),
            _ => panic!("unclear wire: {row}"),
        }
    }

    pub(super) fn payload(&self) -> Payload<'_> {
        match self {
            Self::Text(text) => Payload::Text(text),
            Self::Binary(data) => Payload::Binary(data),
        }
    }
}

impl From<Payload<'_>> for Wire {
    fn from(payload: Payload<'_>) -> Self {
        match payload {
            Payload::Text(text) => Self::Text(text.to_owned()),
            Payload::Binary(data) => Self::Binary(data.to_owned()),
            other => panic!("unknown payload {other:?}"),
        }
    }
}

/// A packet as the rows have it.
pub(super) fn describe(packet: &Packet<'_>) -> Value {
    let kind = match packet.kind() {
        PacketKind::Connect => 0,
        PacketKind::Disconnect => 1,
        PacketKind::Event => 2,
        PacketKind::Ack => 3,
        PacketKind::ConnectError => 4,
    };
    let namespace = match packet.query() {
        Some(query) => format!("{}?{query}", packet.namespace()),
        None => packet.namespace().to_owned(),
    };
    let mut row = json!({"type": kind, "nsp": namespace});
    if let Some(id) = packet.id() {
        row["id"] = id.into();
    }
    let mut data: Vec<Value> = packet.name().map(name_value).into_iter().collect();
    data.extend(packet.args().iter().map(value_of));
    match packet.kind() {
        PacketKind::Event | PacketKind::Ack if !data.is_empty() => row["data"] = data.into(),
        PacketKind::Connect | PacketKind::ConnectError if !data.is_empty() => {
            row["data"] = data.swap_remove(0);
        }
        _ => assert!(data.is_empty()),
    }
    row
}

fn name_value(name: &str) -> Value {
    // The rows name events by numbers only where they look like numbers.
    name.parse::<u64>()
        .map_or_else(|_| name.into(), Value::from)
}

/// An argument with its binary in the notation of the rows.
pub(super) fn value_of(args: RawArgs<'_>) -> Value {
    let mut encoded = Vec::new();
    let Ok(()) = args.transcode(super::msgpack::Writer(&mut encoded)) else {
        return "refused".into();
    };
    let Seen(value) = super::msgpack::deserialize(&encoded).unwrap();
    value
}

/// The packet of a row in the terms of [`describe`]: no arguments is like no data, undefined like null.
fn normalize(packet: &Value) -> Value {
    let mut packet = packet.clone();
    let members = packet.as_object_mut().unwrap();
    members.remove("options");
    if members.get("data") == Some(&json!([])) {
        members.remove("data");
    }
    plain(&packet)
}

fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) if members.contains_key("$undef") => Value::Null,
        Value::Object(members) if members.contains_key("$date") => members["$date"].clone(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| (name.clone(), plain(member)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(elements) => elements.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// Any value, binary included.
pub(super) struct Seen(pub(super) Value);

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SeenVisitor).map(Seen)
    }
}

struct SeenVisitor;

impl<'de> Visitor<'de> for SeenVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        let hex: String = value.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(json!({"$bin": hex}))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(Seen(element)) = seq.next_element()? {
            elements.push(element);
        }
        Ok(elements.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Seen(member))) = map.next_entry()? {
            members.insert(name, member);
        }
        Ok(members.into())
    }
}

/// Any number of arguments in the notation of the rows.
pub(super) struct Several<'a>(pub(super) &'a [Value]);

impl Serialize for Several<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(SEVERAL, &Elements(self.0))
    }
}

struct Elements<'a>(&'a [Value]);

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut tuple = serializer.serialize_tuple(self.0.len())?;
        for element in self.0 {
            tuple.serialize_element(&Filled(element))?;
        }
        tuple.end()
    }
}

struct Filled<'a>(&'a Value);

impl Serialize for Filled<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Object(members) => {
                if let Some(hex) = members.get("$bin") {
                    return serializer.serialize_bytes(&unhex(hex.as_str().unwrap()));
                }
                if let Some(number) = members.get("$num") {
                    return match number.as_str().unwrap() {
                        "-0" => serializer.serialize_f64(-0.0),
                        _ => serializer.serialize_f64(f64::NAN),
                    };
                }
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, member) in members {
                    map.serialize_entry(name, &Self(member))?;
                }
                map.end()
            }
            Value::Array(elements) => serializer.collect_seq(elements.iter().map(Filled)),
            scalar => scalar.serialize(serializer),
        }
    }
}

fn same_numbers(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_numbers(a, b))
        }
        _ => a == b,
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn check(set: &str) {
    for row in rows(set) {
        match row.row["op"].as_str().unwrap() {
            "encode" => row.check_encoding(),
            "decode" => row.check_decoding(),
            other => panic!("{}: unknown op {other}", row.id),
        }
    }
}

//= SIO5-PKT-01 test
//= SIO5-PKT-06 test
//= SIO5-BIN-01 test
//= SIO5-BIN-03 test
//= SIO5-BIN-06 test
#[test]
fn protocol_5_is_as_recorded() {
    check("sio5");
}

//= SIO4-PKT-01 test
//= SIO4-PKT-02 test
#[test]
fn protocol_4_is_as_recorded() {
    check("sio4_reference_v2_parser");
}

//= SIO5-MP-01 test
//= SIO5-MP-02 test
//= SIO5-MP-04 test
//= SIO5-MP-05 test
//= SIO5-MP-06 test
#[test]
fn msgpack_is_as_recorded() {
    check("sio5_msgpack");
}

#[test]
fn every_departure_names_a_row_once() {
    let sets = ["sio5", "sio4_reference_v2_parser", "sio5_msgpack"];
    let mut ids: Vec<String> = sets
        .iter()
        .flat_map(|set| rows(set))
        .map(|row| row.id)
        .collect();
    ids.push("sio5-024".to_owned());
    for (id, ..) in DEPARTURES {
        assert!(ids.iter().any(|known| known == id), "no row {id}");
        assert_eq!(
            DEPARTURES.iter().filter(|(other, ..)| *other == id).count(),
            1
        );
    }
}
