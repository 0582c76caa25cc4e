//! Our reader and writer of msgpack against `rmpv`, which is not ours: what it writes we read as it does, what we take it takes,
//! and what we write it reads.

use engineio::{MessageBuffer, Payload, Protocol};
use rmpv::{Value, decode::read_value, encode::write_value};

use super::properties::Random;
use super::{decode_with, wires};
use crate::codec::packet::Packet;
use crate::codec::vectors::Wire;
use crate::codec::{Codec, OutgoingEvent, PacketError, PacketLimits};

fn decode(bytes: &[u8]) -> Result<Packet<'static>, PacketError> {
    let limits = PacketLimits::default();
    decode_with(
        &Codec::msgpack(),
        Protocol::V4,
        &limits,
        &[Payload::Binary(bytes)],
    )
}

fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 8 } else { 10 }) {
        0 => Value::Nil,
        1 => (random.below(2) == 0).into(),
        // Of every width, at both ends of each.
        2 => Value::from(
            (u64::MAX >> random.below(64)).wrapping_add(u64::from(random.below(2) == 0)),
        ),
        3 => Value::from(i64::MIN >> random.below(64)),
        4 => Value::F64(f64::from(u32::try_from(random.below(1 << 30)).unwrap()) / 64.0),
        5 => Value::F32(0.5),
        6 => Value::from(random.text()),
        7 => Value::Binary(vec![7; [0, 1, 255, 256, 70_000][random.below(5)]]),
        8 => {
            let len = [0, 1, 3, 15, 16, 40][random.below(6)];
            Value::Array((0..len).map(|_| value(random, depth - 1)).collect())
        }
        _ => {
            let len = [0, 1, 3, 15, 16, 40][random.below(6)];
            let members = (0..len).map(|n| {
                let name = Value::from(format!("{n}{}", random.text()));
                (name, value(random, depth - 1))
            });
            Value::Map(members.collect())
        }
    }
}

/// An event, its members in an order of chance.
fn event(random: &mut Random, args: &[Value]) -> Vec<u8> {
    let data = [&[Value::from("e")], args].concat();
    let mut members = vec![
        (Value::from("type"), Value::from(2)),
        (Value::from("data"), Value::Array(data)),
        (Value::from("nsp"), Value::from("/")),
    ];
    if random.below(2) == 0 {
        members.push((
            Value::from("id"),
            Value::from(u32::try_from(random.below(1 << 20)).unwrap()),
        ));
    }
    let by = random.below(members.len());
    members.rotate_left(by);
    let mut bytes = Vec::new();
    write_value(&mut bytes, &Value::Map(members)).unwrap();
    bytes
}

/// What we read, as the peer's type.
fn read(packet: &Packet<'_>) -> Result<Vec<Value>, crate::codec::ArgsError> {
    packet
        .args()
        .iter()
        .map(|argument| argument.deserialize())
        .collect()
}

/// Numbers are those of JavaScript: a short one is widened.
fn widened(value: &Value) -> Value {
    match value {
        Value::F32(short) => Value::F64((*short).into()),
        Value::Array(items) => Value::Array(items.iter().map(widened).collect()),
        Value::Map(members) => {
            let members = members
                .iter()
                .map(|(name, value)| (widened(name), widened(value)));
            Value::Map(members.collect())
        }
        other => other.clone(),
    }
}

fn all_widened(values: &[Value]) -> Vec<Value> {
    values.iter().map(widened).collect()
}

/// The first place where two values are not the same. Text that is not UTF-8 is read with replacements.
fn difference(seen: &Value, meant: &Value) -> Option<(Value, Value)> {
    let all = |pairs: Vec<(&Value, &Value)>| {
        let mut found = pairs
            .into_iter()
            .map(|(seen, meant)| difference(seen, meant));
        found.find_map(|found| found)
    };
    match (seen, meant) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => all(a.iter().zip(b).collect()),
        (Value::Map(a), Value::Map(b)) if a.len() == b.len() => {
            // Whatever names a member is text, as in JavaScript.
            let texts = a.iter().zip(b).filter(|(_, b)| b.0.is_str());
            let names = texts.map(|(a, b)| (&a.0, &b.0));
            let values = a.iter().zip(b).map(|(a, b)| (&a.1, &b.1));
            all(names.chain(values).collect())
        }
        (Value::String(a), Value::String(b)) => {
            let b = String::from_utf8_lossy(b.as_bytes());
            (a.as_str() != Some(&b)).then(|| (seen.clone(), meant.clone()))
        }
        (Value::F64(a), Value::F64(b)) if a.is_nan() && b.is_nan() => None,
        _ => (seen != meant).then(|| (seen.clone(), meant.clone())),
    }
}

fn data_of(message: &Value) -> Option<&[Value]> {
    let mut data = message
        .as_map()?
        .iter()
        .filter(|(name, _)| name.as_str() == Some("data"));
    let (_, first) = data.next()?;
    // Of several it is a matter of taste which counts.
    data.next()
        .is_none()
        .then(|| first.as_array().map(Vec::as_slice))?
}

#[test]
fn what_the_peer_writes_is_read_as_it_was_meant() {
    for seed in 0..3_000 {
        let mut random = Random::new(seed);
        let len = random.below(4);
        let args: Vec<Value> = (0..len).map(|_| value(&mut random, 3)).collect();
        let bytes = event(&mut random, &args);
        let packet = decode(&bytes).unwrap();
        let args = all_widened(&args);
        assert_eq!(read(&packet).unwrap(), args, "seed {seed}");
        // And passed on as it came.
        let relayed = packet.into_args();
        let mut out = MessageBuffer::new();
        let event = OutgoingEvent {
            namespace: "/",
            id: None,
            name: "e",
            args: &relayed,
            offset: None,
        };
        Codec::msgpack().event(event, &mut out).unwrap();
        let [Wire::Binary(written)] = &wires(&out)[..] else {
            panic!("one binary message");
        };
        let written = read_value(&mut &written[..]).unwrap();
        let data = data_of(&written).unwrap();
        assert_eq!(all_widened(&data[1..]), args, "seed {seed}");
    }
}

#[test]
fn what_is_taken_of_a_damaged_message_the_peer_takes_alike() {
    let mut taken = 0;
    for seed in 0..40_000 {
        let mut random = Random::new(seed);
        let args = [value(&mut random, 2), value(&mut random, 1)];
        let mut bytes = event(&mut random, &args);
        for _ in 0..=random.below(2) {
            // Near the beginning, where the structure is.
            let place = random.below(bytes.len().min(60));
            match random.below(3) {
                0 => bytes[place] = u8::try_from(random.below(256)).unwrap(),
                1 => drop(bytes.remove(place)),
                _ => bytes.insert(place, u8::try_from(random.below(256)).unwrap()),
            }
        }
        let Ok(packet) = decode(&bytes) else { continue };
        let mut rest = &bytes[..];
        let theirs = read_value(&mut rest);
        let theirs = theirs.unwrap_or_else(|error| panic!("seed {seed}: {error}: {bytes:x?}"));
        assert!(rest.is_empty(), "seed {seed}: bytes are left");
        let (Some(data), Ok(seen)) = (data_of(&theirs), read(&packet)) else {
            continue;
        };
        if packet
            .name()
            .is_some_and(|name| data[0].as_str() == Some(name))
        {
            let (seen, meant) = (Value::Array(seen), Value::Array(all_widened(&data[1..])));
            assert_eq!(difference(&seen, &meant), None, "seed {seed}");
            taken += 1;
        }
    }
    assert!(taken > 1_000, "only {taken} were taken");
}
