//! What holds for any input, tried on many.

use engineio::{MessageBuffer, Payload, Protocol};
use serde_json::{Value, json};
use socketio_auth::server::lenient_json;

use super::{decode_with, wires};
use crate::codec::kind::PacketKind;
use crate::codec::packet::{IncomingEvent, Packet};
use crate::codec::vectors::{Several, Wire, value_of};
use crate::codec::{Codec, Decoder, OutgoingEvent, PacketLimits, RawArgs};

/// A repeatable sequence: xorshift64.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }

    pub(super) fn text(&mut self) -> String {
        const ALPHABET: [char; 14] = [
            'a', 'b', '"', '\\', '/', ',', '[', '}', '\n', '\u{1}', 'é', '\u{2028}', '😀', '7',
        ];
        let len = self.below(40);
        (0..len).map(|_| ALPHABET[self.below(14)]).collect()
    }

    /// A value in the notation of the vectors.
    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 7 } else { 9 }) {
            0 => Value::Null,
            1 => (self.below(2) == 0).into(),
            2 => self.0.into(),
            3 => (-1_i64 - i64::try_from(self.below(1 << 40)).unwrap()).into(),
            4 => (f64::from(u32::try_from(self.below(1 << 30)).unwrap()) / 64.0 + 0.25).into(),
            5 => self.text().into(),
            6 => {
                let len = self.below(300);
                let hex: String = (0..len)
                    .map(|_| format!("{:02x}", self.below(256)))
                    .collect();
                json!({"$bin": hex})
            }
            7 => {
                let len = self.below(5);
                (0..len).map(|_| self.value(depth - 1)).collect()
            }
            _ => {
                let len = self.below(5);
                let members = (0..len).map(|_| (self.text(), self.value(depth - 1)));
                Value::Object(members.collect())
            }
        }
    }
}

fn encode(codec: &Codec, event: OutgoingEvent<'_, Several<'_>>) -> Vec<Wire> {
    let mut out = MessageBuffer::new();
    codec.event(event, &mut out).unwrap();
    wires(&out)
}

fn decode(codec: &Codec, messages: &[Wire]) -> Packet<'static> {
    let limits = PacketLimits {
        max_attachments: 1_000,
        ..PacketLimits::default()
    };
    let payloads: Vec<_> = messages.iter().map(Wire::payload).collect();
    decode_with(codec, Protocol::V4, &limits, &payloads).unwrap()
}

#[test]
fn what_is_written_reads_back_and_passes_through() {
    for codec in [Codec::json(), Codec::msgpack()] {
        for seed in 0..400 {
            let mut random = Random::new(seed);
            let len = random.below(4);
            let args: Vec<Value> = (0..len).map(|_| random.value(4)).collect();
            let name = random.text();
            let namespace = format!("/{}", random.text().replace(',', ""));
            let id = (random.below(2) == 0).then_some(random.0);
            let event = OutgoingEvent {
                namespace: &namespace,
                id,
                name: &name,
                args: &Several(&args),
                offset: None,
            };
            let written = encode(&codec, event);
            let packet = decode(&codec, &written);
            assert_eq!(packet.namespace(), namespace, "seed {seed}");
            assert_eq!(
                (packet.name(), packet.id()),
                (Some(&*name), id),
                "seed {seed}"
            );
            let seen: Vec<Value> = packet.args().iter().map(value_of).collect();
            assert_eq!(seen, args, "seed {seed}");

            let relayed = packet.into_args();
            let mut out = MessageBuffer::new();
            let event = OutgoingEvent {
                namespace: &namespace,
                id,
                name: &name,
                args: &relayed,
                offset: None,
            };
            codec.event(event, &mut out).unwrap();
            assert_eq!(wires(&out), written, "seed {seed}");
        }
    }
}

/// The scanner must accept exactly what can be deserialized, else what is in a packet could be lost later.
#[test]
fn what_the_scanner_accepts_can_be_read() {
    const PIECES: [&str; 36] = [
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"\\u0041\"",
        "\"\\ud800\"",
        "\\",
        "0",
        "1",
        "-",
        "01",
        "1.5",
        "1.",
        "e5",
        "E+3",
        "true",
        "false",
        "null",
        "nul",
        " ",
        "\n",
        "\u{b}",
        "é",
        "\"é\"",
        "\"b\":",
        "\u{1}",
        "\"\\ude00\\ud83d\\ude00\"",
        "\"\\ud800\":",
        "1e999",
        "-1E+400",
        "-0",
        "18446744073709551616",
    ];
    let mut accepted = 0;
    for seed in 0..60_000 {
        let mut random = Random::new(seed);
        let len = random.below(7) + 1;
        let mut text: String = (0..len).map(|_| PIECES[random.below(36)]).collect();
        if random.below(2) == 0 {
            text = format!("[{text}]");
        }
        let ours = super::text(&format!("2[\"e\",{text}]"));
        let whole = format!("[\"e\",{text}]");
        let theirs = lenient_json::from_str::<Vec<Value>>(&whole);
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{text:?}");
        let (Ok(packet), Ok(values)) = (ours, theirs) else {
            continue;
        };
        let seen: Result<Vec<Value>, _> = packet.args().iter().map(RawArgs::deserialize).collect();
        assert_eq!(seen.as_deref(), Ok(&values[1..]), "{text:?}");
        accepted += 1;
    }
    assert!(accepted > 1_000, "only {accepted} were JSON");
}

#[test]
fn damaged_messages_are_answered() {
    for codec in [Codec::json(), Codec::msgpack()] {
        for seed in 0..4_000 {
            let mut random = Random::new(seed);
            let args = [random.value(3), random.value(3)];
            let event = OutgoingEvent {
                namespace: "/née",
                id: Some(5),
                name: "\"",
                args: &Several(&args),
                offset: None,
            };
            let mut decoder = Decoder::default();
            for message in encode(&codec, event) {
                let damaged = damage(&mut random, message);
                let limits = PacketLimits::default();
                match decoder.decode(&codec, damaged.payload(), Protocol::V4, &limits) {
                    Ok(None) => assert!(decoder.is_waiting()),
                    Ok(Some(packet)) => {
                        assert!(!decoder.is_waiting());
                        assert_eq!(packet.args().iter().count(), packet.args().len());
                        let _ = packet.args().deserialize::<Value>();
                        packet
                            .args()
                            .iter()
                            .for_each(|argument| drop(value_of(argument)));
                    }
                    Err(_) => {
                        assert!(!decoder.is_waiting());
                        break;
                    }
                }
            }
        }
    }
}

fn damage(random: &mut Random, message: Wire) -> Wire {
    match message {
        Wire::Text(text) => {
            let mut characters: Vec<char> = text.chars().collect();
            for _ in 0..random.below(3) {
                let at = random.below(characters.len());
                match random.below(3) {
                    0 => drop(characters.remove(at)),
                    1 => characters.insert(at, ['[', '"', '\\', '0', '-', 'é'][random.below(6)]),
                    _ => characters.truncate(at + 1),
                }
            }
            Wire::Text(characters.into_iter().collect())
        }
        Wire::Binary(mut data) => {
            for _ in 0..random.below(3) {
                if data.is_empty() {
                    break;
                }
                let at = random.below(data.len());
                data[at] = u8::try_from(random.below(256)).unwrap();
            }
            Wire::Binary(data)
        }
    }
}

#[test]
fn a_message_of_any_bytes_is_answered_by_msgpack() {
    for seed in 0..4_000 {
        let mut random = Random::new(seed);
        let mut message = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data".to_vec();
        let len = random.below(60);
        message.extend((0..len).map(|_| u8::try_from(random.below(256)).unwrap()));
        let mut decoder = Decoder::default();
        let limits = PacketLimits::default();
        let payload = Payload::Binary(&message);
        if let Ok(Some(packet)) = decoder.decode(&Codec::msgpack(), payload, Protocol::V4, &limits)
        {
            assert_eq!(packet.args().iter().count(), packet.args().len());
            packet
                .args()
                .iter()
                .for_each(|argument| drop(value_of(argument)));
        }
    }
}

/// Every way to put a message together from these parts, most of which are nearly a plain event.
fn nearly_plain_events() -> impl Iterator<Item = String> {
    const LONG: &str = "0123456789012345678901234567890123456789";
    const PARTS: [&[&str]; 6] = [
        &[
            "2", "", "0", "1", "3", "5", "51-", "27", "2/a,", "2/,", " 2",
        ],
        &["[\"", "[ \"", "[", "[1", "{\"", "[[\""],
        &[
            "",
            "e",
            "connect",
            "newListener",
            "é",
            "a\\n",
            "\u{1}",
            "x\"",
            LONG,
        ],
        &[
            "\",\"", "\" ,\"", "\", \"", "\",1", "\",[\"", "\"", "\":\"", ",",
        ],
        &["", "v", "a\"", "\\u0041", "\\", "😀", "\n", LONG],
        &[
            "\"]",
            "\"] ",
            "\" ]",
            "\"",
            "\",\"w\"]",
            "]",
            "\"]]",
            "\"],",
        ],
    ];
    let count = PARTS.iter().map(|parts| parts.len()).product::<usize>();
    (0..count).map(|mut number| {
        let mut message = String::new();
        for parts in PARTS {
            message.push_str(parts[number % parts.len()]);
            number /= parts.len();
        }
        message
    })
}

#[test]
fn the_short_way_of_a_plain_event_leads_where_the_long_one_does() {
    let codec = Codec::json();
    let mut plain_count = 0;
    for max_values in [PacketLimits::default().max_values, 1, 0] {
        let limits = PacketLimits {
            max_values,
            ..PacketLimits::default()
        };
        for message in nearly_plain_events() {
            let payload = Payload::Text(&message);
            let Some(short) = Decoder::plain_event(&codec, payload, &limits) else {
                continue;
            };
            plain_count += 1;
            for protocol in [Protocol::V4, Protocol::V3] {
                let mut decoder = Decoder::default();
                let long = decoder.decode(&codec, payload, protocol, &limits);
                let long = long.unwrap_or_else(|error| panic!("{message:?}: {error}"));
                let long = long.unwrap_or_else(|| panic!("{message:?} is incomplete"));
                assert_eq!((long.kind(), long.query()), (PacketKind::Event, None));
                let parts = |event: IncomingEvent<'_>| {
                    let (name, args) = (event.name.map(str::to_owned), event.args);
                    let text = args.as_json().map(str::to_owned);
                    (event.namespace.to_owned(), event.id, name, text, args.len())
                };
                let expected = parts(long.as_event());
                assert_eq!(parts(short), expected, "{message:?}");
                let kept = [short.to_packet(), long.as_event().to_packet()];
                for kept in kept {
                    assert_eq!(parts(kept.as_event()), expected, "{message:?}");
                }
            }
        }
    }
    // So many of them are plain, within each of the two limits that let one value through.
    assert_eq!(plain_count, 2 * 52);
    let msgpack = Decoder::plain_event(
        &codec,
        Payload::Binary(b"2[\"e\",\"v\"]"),
        &PacketLimits::default(),
    );
    assert!(msgpack.is_none());
}
