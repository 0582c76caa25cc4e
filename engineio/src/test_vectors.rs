//! The recorded codec vectors, and how this crate relates to each of them.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::packet::{Packet, PacketKind, ParseError};

/// What we do with a row of level `may`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Choice {
    AsReference,
    Stricter,
}

/// Every row of level `may`, with what we do and why.
const CHOICES: [(&str, Choice, &str); 10] = [
    (
        "eio4-pkt-040",
        Choice::AsReference,
        "unpadded encoders are common",
    ),
    (
        "eio4-pkt-042",
        Choice::AsReference,
        "the URL-safe alphabet is unambiguous",
    ),
    (
        "eio4-pkt-043",
        Choice::AsReference,
        "line ends come from wrapping encoders",
    ),
    (
        "eio4-pkt-044",
        Choice::AsReference,
        "no text after `b` fails, so none closes a session",
    ),
    (
        "eio3-pkt-025",
        Choice::AsReference,
        "an unknown binary type is ignored, not an error",
    ),
    (
        "eio3-pld-018",
        Choice::AsReference,
        "our own empty list must decode",
    ),
    (
        "eio3-pld-019",
        Choice::AsReference,
        "our own empty list must decode",
    ),
    (
        "eio3-pld-039",
        Choice::AsReference,
        "a leading zero is still decimal",
    ),
    (
        "eio3-pld-040",
        Choice::Stricter,
        "a blank is not a digit, no client writes one",
    ),
    (
        "eio3-pld-041",
        Choice::Stricter,
        "an exponent is not decimal, no client writes one",
    ),
];

/// Rows of level `must` whose packet has data that nobody may act on; ours comes without.
const DATA_DROPPED: [(&str, &str); 4] = [
    ("eio4-pkt-033", "an upgrade has no data to use"),
    ("eio4-pkt-035", "a noop has no data to use"),
    ("eio4-pld-020", "a close has no data to use"),
    (
        "eio3-pkt-024",
        "binary ping data is never echoed and never a probe",
    ),
];

pub(crate) struct Vector {
    row: Value,
}

/// All rows of one set.
pub(crate) fn load(set: &str) -> Vec<Vector> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../conformance-tests/spec/wire.json"
    );
    let text = std::fs::read_to_string(path).expect("the vectors are in the repository");
    // Other sets hold lone surrogates, which only stay out of sight while they are raw.
    let mut root: HashMap<&str, &RawValue> =
        serde_json::from_str(&text).expect("the vectors are JSON");
    let sets = root.remove("sets").expect("the vectors come in sets");
    let mut sets: HashMap<&str, &RawValue> = serde_json::from_str(sets.get()).unwrap();
    let rows = sets.remove(set).expect("the set exists");
    let rows: Vec<Value> = serde_json::from_str(rows.get()).unwrap();
    assert!(!rows.is_empty(), "set {set} is empty");
    rows.into_iter().map(|row| Vector { row }).collect()
}

impl Vector {
    pub(crate) fn id(&self) -> &str {
        self.row["id"].as_str().unwrap()
    }

    pub(crate) fn is_encoding(&self) -> bool {
        match self.row["op"].as_str().unwrap() {
            "encode" => true,
            "decode" => false,
            other => panic!("{}: unknown op {other}", self.id()),
        }
    }

    pub(crate) fn supports_binary(&self) -> bool {
        self.row["supports_binary"].as_bool().unwrap_or(true)
    }

    pub(crate) fn wire(&self) -> Wire {
        let wire = &self.row["wire"];
        match (wire["text"].as_str(), wire["hex"].as_str()) {
            (Some(text), None) => Wire::Text(text.into()),
            (None, Some(hex)) => Wire::Binary(unhex(hex)),
            _ => panic!("{}: unclear wire", self.id()),
        }
    }

    /// The packets of a row, be it about one packet or a payload.
    pub(crate) fn packets(&self) -> Vec<Seen> {
        match &self.row["packets"] {
            Value::Array(packets) => packets.iter().map(Seen::from_row).collect(),
            _ if self.row["packet"].is_null() => Vec::new(),
            _ => vec![Seen::from_row(&self.row["packet"])],
        }
    }

    /// Checks what was decoded before an error, if there was one, against the row.
    pub(crate) fn check_decoded(&self, packets: &[Seen], error: Option<ParseError>) {
        let id = self.id();
        let mut expected = self.packets();
        // The one row whose error is that the packet is ignored.
        let ignores = self.row["error"] == "unknown type ignored";
        let expects_error = !ignores && !self.row["error"].is_null();
        if DATA_DROPPED.iter().any(|(row, _)| *row == id) {
            assert_ne!(packets, expected, "{id} is no exception any more");
            for packet in &mut expected {
                packet.data = None;
            }
        }
        match self.choice() {
            Choice::AsReference => {
                assert_eq!(packets, expected, "{id}");
                assert_eq!(error.is_some(), expects_error, "{id}: {error:?}");
            }
            Choice::Stricter => {
                assert!(error.is_some() && !expects_error, "{id} is not stricter");
            }
        }
    }

    fn choice(&self) -> Choice {
        let choice = CHOICES.iter().find(|(id, ..)| *id == self.id());
        match (self.row["level"].as_str().unwrap(), choice) {
            ("must", None) => Choice::AsReference,
            ("may", Some((_, choice, _))) => *choice,
            (level, choice) => panic!("{}: level {level} but {choice:?}", self.id()),
        }
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Wire {
    Text(String),
    Binary(Vec<u8>),
}

/// A packet as the vectors describe it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    kind: PacketKind,
    data: Option<Wire>,
}

impl Seen {
    /// The packet of a row, as the codec takes it.
    pub(crate) fn to_packet(&self) -> Packet<'_> {
        let text = match &self.data {
            None => "",
            Some(Wire::Text(text)) => text,
            Some(Wire::Binary(data)) => {
                assert_eq!(self.kind, PacketKind::Message);
                return Packet::Binary(Cow::Borrowed(data));
            }
        };
        match self.kind {
            PacketKind::Open => Packet::Open(text),
            PacketKind::Close => Packet::Close,
            PacketKind::Ping => Packet::Ping(text),
            PacketKind::Pong => Packet::Pong(text),
            PacketKind::Message => Packet::Text(text),
            PacketKind::Upgrade => Packet::Upgrade,
            PacketKind::Noop => Packet::Noop,
        }
    }

    fn from_row(row: &Value) -> Self {
        let kind = match row["type"].as_str().unwrap() {
            "open" => PacketKind::Open,
            "close" => PacketKind::Close,
            "ping" => PacketKind::Ping,
            "pong" => PacketKind::Pong,
            "message" => PacketKind::Message,
            "upgrade" => PacketKind::Upgrade,
            "noop" => PacketKind::Noop,
            other => panic!("unknown type {other}"),
        };
        let data = match (row["data"].as_str(), row["data"]["$bin"].as_str()) {
            (Some(""), _) => None,
            (Some(text), _) => Some(Wire::Text(text.into())),
            (None, Some(hex)) => Some(Wire::Binary(unhex(hex))),
            (None, None) => None,
        };
        Self { kind, data }
    }
}

impl From<&Packet<'_>> for Seen {
    fn from(packet: &Packet<'_>) -> Self {
        let data = match packet {
            Packet::Open(text) | Packet::Ping(text) | Packet::Pong(text) | Packet::Text(text) => {
                (!text.is_empty()).then(|| Wire::Text((*text).into()))
            }
            Packet::Binary(data) => Some(Wire::Binary(data.to_vec())),
            Packet::Close | Packet::Upgrade | Packet::Noop => None,
        };
        Self {
            kind: packet.kind(),
            data,
        }
    }
}

/// A repeatable sequence of packets and numbers: xorshift64.
pub(crate) struct Xorshift(u64);

impl Xorshift {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub(crate) fn index(&mut self, len: u64) -> usize {
        usize::try_from(self.below(len)).unwrap()
    }

    /// Text of up to 11 characters of one to four bytes, without the revision 4 separator.
    pub(crate) fn text(&mut self) -> String {
        const ALPHABET: [char; 12] = [
            '0',
            '4',
            'b',
            ':',
            '"',
            '\u{0}',
            '\n',
            '\u{ff}',
            '€',
            '\u{2028}',
            '😀',
            '\u{10ffff}',
        ];
        (0..self.below(12))
            .map(|_| ALPHABET[self.index(12)])
            .collect()
    }

    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        (0..self.below(130))
            .map(|_| u8::try_from(self.below(256)).unwrap())
            .collect()
    }

    pub(crate) fn packet(&mut self) -> Seen {
        let text = self.text();
        let data = (!text.is_empty()).then_some(Wire::Text(text));
        let (kind, data) = match self.below(8) {
            0 => (PacketKind::Open, data),
            1 => (PacketKind::Close, None),
            2 => (PacketKind::Ping, data),
            3 => (PacketKind::Pong, data),
            4 => (PacketKind::Upgrade, None),
            5 => (PacketKind::Noop, None),
            6 => (PacketKind::Message, data),
            _ => (PacketKind::Message, Some(Wire::Binary(self.bytes()))),
        };
        Seen { kind, data }
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    assert_eq!(hex.len() % 2, 0);
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn every_choice_and_exception_names_a_row() {
    let rows: Vec<Vector> = [
        "eio4_packets",
        "eio4_payloads",
        "eio3_packets",
        "eio3_payloads",
    ]
    .into_iter()
    .flat_map(load)
    .collect();
    let named = CHOICES.iter().map(|(id, ..)| *id);
    for id in named.chain(DATA_DROPPED.iter().map(|(id, _)| *id)) {
        assert!(rows.iter().any(|row| row.id() == id), "no row {id}");
    }
}
