//! Which Redis server has which hash slot. Pure.
//!
//! A Redis Cluster spreads keys and sharded channels over 16,384 slots, and slots over its masters. A single Redis is a cluster
//! of one master that has all of them and keeps them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use redis::Value;

/// How many slots there are.
pub(crate) const SLOTS: u16 = 16_384;

/// The remainders of CRC-16/XMODEM, by which Redis tells the slot of a key.
const CRC: [u16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u16;
    while byte < 256 {
        let mut rest = byte << 8;
        let mut bit = 0;
        while bit < 8 {
            rest = if rest & 0x8000 == 0 {
                rest << 1
            } else {
                (rest << 1) ^ 0x1021
            };
            bit += 1;
        }
        #[allow(
            clippy::indexing_slicing,
            clippy::as_conversions,
            reason = "computed by the compiler"
        )]
        {
            table[byte as usize] = rest;
        }
        byte += 1;
    }
    table
};

/// The slot of a key or of a sharded channel: of what is between its first braces, where that is something.
pub(crate) fn slot_of(key: &[u8]) -> u16 {
    let tag = || {
        let (_, behind) = split(key, b'{')?;
        let (tag, _) = split(behind, b'}')?;
        (!tag.is_empty()).then_some(tag)
    };
    let hashed = tag().unwrap_or(key);
    let crc = hashed.iter().fold(0_u16, |crc, byte| {
        let [high, low] = crc.to_be_bytes();
        let rest = CRC.get(usize::from(high ^ byte)).copied();
        u16::from_be_bytes([low, 0]) ^ rest.unwrap_or_default()
    });
    crc % SLOTS
}

fn split(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|byte| *byte == at)?;
    let (before, behind) = bytes.split_at_checked(place)?;
    Some((before, behind.get(1..)?))
}

/// A Redis server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Node {
    /// The one that there is, wherever.
    Sole,
    At(Arc<str>, u16),
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sole => f.write_str("the Redis server"),
            Self::At(host, port) => write!(f, "{host}:{port}"),
        }
    }
}

/// Who has which slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Topology {
    Sole,
    /// Nobody is known before a server was asked.
    Cluster(Slots),
}

/// Ranges of slots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slots {
    /// By the first slot: the last, and who has them.
    ranges: BTreeMap<u16, (u16, Node)>,
    /// What was heard of single slots since.
    moved: BTreeMap<u16, Node>,
}

impl Topology {
    pub(crate) fn owner(&self, slot: u16) -> Option<&Node> {
        match self {
            Self::Sole => Some(&Node::Sole),
            Self::Cluster(slots) => slots.owner(slot),
        }
    }

    /// All that have slots.
    pub(crate) fn nodes(&self) -> BTreeSet<Node> {
        match self {
            Self::Sole => BTreeSet::from([Node::Sole]),
            Self::Cluster(slots) => {
                let ranges = slots.ranges.values().map(|(_, node)| node);
                ranges.chain(slots.moved.values()).cloned().collect()
            }
        }
    }

    /// The same but for one slot.
    pub(crate) fn with(&self, slot: u16, node: Node) -> Self {
        match self {
            Self::Sole => Self::Sole,
            Self::Cluster(slots) => {
                let mut slots = slots.clone();
                slots.moved.insert(slot, node);
                Self::Cluster(slots)
            }
        }
    }

    /// What `CLUSTER SLOTS` answers. Who does not say where he is, is where he was `asked`. `None` if it is something else.
    pub(crate) fn of(answer: &Value, asked: &Node) -> Option<Self> {
        let Value::Array(ranges) = answer else {
            return None;
        };
        let mut slots = Slots::default();
        for range in ranges {
            let Value::Array(range) = range else {
                return None;
            };
            let [first, last, Value::Array(master), ..] = &**range else {
                return None;
            };
            let [host, port, ..] = &**master else {
                return None;
            };
            let (first, last, port) = (number(first)?, number(last)?, number(port)?);
            let host = match host {
                Value::BulkString(host) => std::str::from_utf8(host).ok()?,
                Value::SimpleString(host) => host,
                Value::Nil => "",
                _ => return None,
            };
            // It has no name yet.
            if host != "?" && first <= last && last < SLOTS {
                slots
                    .ranges
                    .insert(first, (last, asked.neighbour(host, port)));
            }
        }
        Some(Self::Cluster(slots))
    }
}

impl Slots {
    fn owner(&self, slot: u16) -> Option<&Node> {
        if let Some(node) = self.moved.get(&slot) {
            return Some(node);
        }
        let (_, (last, node)) = self.ranges.range(..=slot).next_back()?;
        (slot <= *last).then_some(node)
    }
}

impl Node {
    fn neighbour(&self, host: &str, port: u16) -> Self {
        match self {
            Self::At(own, _) if host.is_empty() => Self::At(Arc::clone(own), port),
            _ => Self::At(host.into(), port),
        }
    }
}

fn number(value: &Value) -> Option<u16> {
    match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    }
}

/// What has to be done about what a server refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Remedy {
    /// Another has that slot now.
    Moved(u16, Node),
    /// Another has this key already: it is to be asked once.
    Ask(Node),
    /// It does not take this now, and will.
    Wait,
    /// It is no master any more: another connection is needed.
    Reconnect,
    /// Nothing helps.
    Tell,
}

impl Remedy {
    /// `code` and `details` are those of an error that `asked` answered.
    pub(crate) fn of(code: &str, details: Option<&str>, asked: &Node) -> Self {
        let redirect = || {
            let (slot, address) = details?.split_once(' ')?;
            let address = address.split(' ').next()?;
            let (host, port) = address.rsplit_once(':')?;
            let node = asked.neighbour(host, port.parse().ok()?);
            Some((slot.parse().ok().filter(|slot| *slot < SLOTS)?, node))
        };
        match code {
            // Only servers of a cluster know of others.
            _ if *asked == Node::Sole && matches!(code, "MOVED" | "ASK") => Self::Tell,
            "MOVED" => redirect().map_or(Self::Wait, |(slot, node)| Self::Moved(slot, node)),
            "ASK" => redirect().map_or(Self::Wait, |(_, node)| Self::Ask(node)),
            "CLUSTERDOWN" | "TRYAGAIN" | "LOADING" | "MASTERDOWN" => Self::Wait,
            "READONLY" => Self::Reconnect,
            _ => Self::Tell,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Node {
        Node::At(host.into(), port)
    }

    /// What Redis itself answers to `CLUSTER KEYSLOT`.
    #[test]
    fn the_slot_of_a_key_is_what_redis_says() {
        for (key, slot) in [
            ("123456789", 12_739),
            ("foo", 12_182),
            ("socket.io", 9_972),
            ("socket.io#/#", 13_868),
            ("", 0),
        ] {
            assert_eq!(slot_of(key.as_bytes()), slot, "{key}");
        }
        let same = |one: &str, other: &str| slot_of(one.as_bytes()) == slot_of(other.as_bytes());
        assert!(same("{user}.a", "{user}.b") && same("{user}.a", "user"));
        assert!(same("x{user}{other}", "user"));
        for whole in ["{}user", "{user", "user}"] {
            assert!(!same(whole, "user"), "{whole}");
        }
    }

    fn master(host: Value, port: i64) -> Value {
        Value::Array(vec![host, Value::Int(port), Value::BulkString("id".into())])
    }

    fn range(first: i64, last: i64, host: Value, port: i64) -> Value {
        let replica = master(Value::BulkString("replica".into()), 1);
        let of = vec![
            Value::Int(first),
            Value::Int(last),
            master(host, port),
            replica,
        ];
        Value::Array(of)
    }

    #[test]
    fn slots_are_with_the_masters_that_redis_names() {
        let asked = at("asked", 9);
        let name = |name: &str| Value::BulkString(name.into());
        let answer = Value::Array(vec![
            range(0, 99, name("a"), 1),
            range(100, 199, name(""), 2),
            range(200, 299, Value::Nil, 3),
            range(300, 399, name("?"), 4),
            range(500, 16_383, name("e"), 5),
        ]);
        let topology = Topology::of(&answer, &asked).unwrap();
        for (slot, owner) in [
            (0, Some(at("a", 1))),
            (99, Some(at("a", 1))),
            (100, Some(at("asked", 2))),
            (299, Some(at("asked", 3))),
            (300, None),
            (499, None),
            (16_383, Some(at("e", 5))),
        ] {
            assert_eq!(topology.owner(slot), owner.as_ref(), "{slot}");
        }
        assert_eq!(topology.nodes().len(), 4);
        let topology = topology.with(99, at("e", 5)).with(400, at("new", 6));
        assert_eq!(topology.owner(98), Some(&at("a", 1)));
        assert_eq!(topology.owner(99), Some(&at("e", 5)));
        assert!(topology.nodes().contains(&at("new", 6)));
        for bad in [
            Value::Nil,
            Value::Array(vec![Value::Nil]),
            Value::Array(vec![range(0, 70_000, name("a"), 1)]),
        ] {
            assert_eq!(Topology::of(&bad, &asked), None);
        }
        assert_eq!(
            Topology::Sole.with(1, asked).owner(1),
            Some(&Node::Sole),
            "it never loses one"
        );
    }

    #[test]
    fn what_is_refused_says_what_helps() {
        let asked = at("asked", 9);
        let remedy = |code, details| Remedy::of(code, Some(details), &asked);
        assert_eq!(
            remedy("MOVED", "3999 127.0.0.1:6381"),
            Remedy::Moved(3_999, at("127.0.0.1", 6_381))
        );
        assert_eq!(
            remedy("MOVED", "3999 ::1:6381"),
            Remedy::Moved(3_999, at("::1", 6_381))
        );
        assert_eq!(
            remedy("MOVED", "3999 :6381"),
            Remedy::Moved(3_999, at("asked", 6_381))
        );
        assert_eq!(remedy("ASK", "3999 b:1"), Remedy::Ask(at("b", 1)));
        for nonsense in ["", "x b:1", "16384 b:1", "1 b", "1 b:70000"] {
            assert_eq!(remedy("MOVED", nonsense), Remedy::Wait, "{nonsense}");
        }
        assert_eq!(Remedy::of("CLUSTERDOWN", None, &asked), Remedy::Wait);
        assert_eq!(Remedy::of("READONLY", None, &Node::Sole), Remedy::Reconnect);
        assert_eq!(Remedy::of("NOPERM", None, &asked), Remedy::Tell);
        assert_eq!(
            Remedy::of("MOVED", Some("1 b:1"), &Node::Sole),
            Remedy::Tell
        );
    }
}
