//! What clients may have missed, and who may ask for it (SIO5-CSR).
//!
//! Packets are kept in the order in which they were sent, each under its offset. Every room of a namespace lists the
//! positions of what was sent to it, and the namespace those of what was sent to all, so that a replay looks at
//! nothing but what its own rooms were sent. Everything is bounded in age and number, and together in bytes.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socketio_auth::Subject;

use super::rooms::{Room, Selection};
use crate::id::SocketId;

/// What a kept packet counts besides its own bytes.
const PACKET_COST_BYTES: usize = 256;
/// What a saved session counts besides its rooms.
const SESSION_COST_BYTES: usize = 512;
/// What a room that is named costs besides its name.
const ROOM_COST_BYTES: usize = 64;
/// The digits of offsets, the smallest first (SIO5-CSR-05).
const DIGITS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
/// As many digits as the largest number has.
const MAX_DIGITS: usize = 11;

/// How much is kept, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) max_age: Duration,
    pub(crate) max_bytes: usize,
    pub(crate) max_packets: usize,
    pub(crate) max_sessions: usize,
}

/// The name of a kept packet, which its receivers remember it by: a time in milliseconds, and a count within it.
//= SIO5-CSR-05
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Offset {
    millis: u64,
    /// 0 for the first of its millisecond, which carries no suffix.
    repeat: u64,
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shift = (MAX_DIGITS as u32 - 1) * 6;
        while shift > 0 && self.millis >> shift == 0 {
            shift -= 6;
        }
        loop {
            let place = usize::try_from((self.millis >> shift) & 63).unwrap_or_default();
            let digit = DIGITS.get(place).copied().unwrap_or_default();
            fmt::Write::write_char(f, char::from(digit))?;
            if shift == 0 {
                break;
            }
            shift -= 6;
        }
        match self.repeat.checked_sub(1) {
            Some(suffix) => write!(f, ".{suffix}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Offset {
    type Err = UnknownOffset;

    fn from_str(text: &str) -> Result<Self, UnknownOffset> {
        let (digits, repeat) = match text.split_once('.') {
            None => (text, 0),
            Some((digits, suffix)) => {
                let suffix: u64 = suffix.parse().map_err(|_| UnknownOffset)?;
                (digits, suffix.checked_add(1).ok_or(UnknownOffset)?)
            }
        };
        if digits.is_empty() || digits.len() > MAX_DIGITS {
            return Err(UnknownOffset);
        }
        let mut millis: u64 = 0;
        for digit in digits.bytes() {
            let place = DIGITS.iter().position(|&known| known == digit);
            let value = place.and_then(|place| u64::try_from(place).ok());
            millis = millis
                .checked_mul(64)
                .and_then(|millis| millis.checked_add(value?))
                .ok_or(UnknownOffset)?;
        }
        let offset = Self { millis, repeat };
        // Another way to write the same number was not ours.
        (offset.to_string() == text)
            .then_some(offset)
            .ok_or(UnknownOffset)
    }
}

/// The text is no offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnknownOffset;

/// A place between two packets of the log, or before the first or behind the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position(u64);

/// What a socket had when it lost its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: SocketId,
    /// Whose credential let it in; only the same subject gets it back.
    pub(crate) subject: Option<Subject>,
    pub(crate) rooms: Vec<Room>,
    /// Where the log ended when the socket came; nothing before that is replayed, whatever offset it names.
    pub(crate) since: Position,
}

struct Packet<M> {
    at: Instant,
    offset: Offset,
    namespace: Arc<str>,
    selection: Selection,
    message: M,
    cost: usize,
}

struct Saved {
    serial: u64,
    at: Instant,
    namespace: Arc<str>,
    session: Session,
    cost: usize,
}

/// The positions of the packets of one namespace, ascending.
#[derive(Default)]
struct Index {
    to_all: VecDeque<u64>,
    by_room: HashMap<Room, VecDeque<u64>>,
}

/// The packets that clients may have missed and the sessions that may ask for them, of all namespaces together.
pub(crate) struct Log<M> {
    bounds: Bounds,
    packets: VecDeque<Packet<M>>,
    /// The position of the first packet.
    first: u64,
    by_offset: HashMap<Offset, u64>,
    indexes: HashMap<Arc<str>, Index>,
    last_offset: Option<Offset>,
    sessions: HashMap<Arc<str>, Saved>,
    /// The private ids in the order in which they were saved.
    pids: BTreeMap<u64, Arc<str>>,
    next_serial: u64,
    bytes: usize,
}

impl<M: Clone> Log<M> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            packets: VecDeque::new(),
            first: 0,
            by_offset: HashMap::new(),
            indexes: HashMap::new(),
            last_offset: None,
            sessions: HashMap::new(),
            pids: BTreeMap::new(),
            next_serial: 0,
            bytes: 0,
        }
    }

    /// A new offset, whatever the clock does. `millis` is the time since the Unix epoch.
    pub(crate) fn next_offset(&mut self, millis: u64) -> Offset {
        let offset = match self.last_offset {
            Some(last) if last.millis >= millis => Offset {
                repeat: last.repeat.saturating_add(1),
                ..last
            },
            _ => Offset { millis, repeat: 0 },
        };
        self.last_offset = Some(offset);
        offset
    }

    /// Keeps a packet of `size` bytes behind all others.
    pub(crate) fn append(
        &mut self,
        now: Instant,
        offset: Offset,
        namespace: &Arc<str>,
        mut selection: Selection,
        message: M,
        size: usize,
    ) {
        selection.rooms.sort_unstable();
        selection.rooms.dedup();
        let position = self.end().0;
        let index = self.indexes.entry(Arc::clone(namespace)).or_default();
        if selection.rooms.is_empty() {
            index.to_all.push_back(position);
        }
        for room in &selection.rooms {
            let positions = index.by_room.entry(room.clone()).or_default();
            positions.push_back(position);
        }
        let named = cost_of(&selection.rooms).saturating_add(cost_of(&selection.except));
        let cost = size.saturating_add(PACKET_COST_BYTES).saturating_add(named);
        self.bytes = self.bytes.saturating_add(cost);
        self.by_offset.insert(offset, position);
        self.packets.push_back(Packet {
            at: now,
            offset,
            namespace: Arc::clone(namespace),
            selection,
            message,
            cost,
        });
        self.keep_bounds(now);
    }

    /// Behind the last packet.
    pub(crate) fn end(&self) -> Position {
        let count = u64::try_from(self.packets.len()).unwrap_or(u64::MAX);
        Position(self.first.saturating_add(count))
    }

    /// Saves what a socket had, for whoever presents its private id.
    pub(crate) fn save(
        &mut self,
        now: Instant,
        pid: &Arc<str>,
        namespace: &Arc<str>,
        session: Session,
    ) {
        self.forget_session(pid);
        let cost = SESSION_COST_BYTES.saturating_add(cost_of(&session.rooms));
        self.bytes = self.bytes.saturating_add(cost);
        let serial = self.next_serial;
        self.next_serial = serial.saturating_add(1);
        self.pids.insert(serial, Arc::clone(pid));
        let saved = Saved {
            serial,
            at: now,
            namespace: Arc::clone(namespace),
            session,
            cost,
        };
        self.sessions.insert(Arc::clone(pid), saved);
        self.keep_bounds(now);
    }

    /// Hands out what a private id stands for, once, and the place behind the last packet that its owner has.
    ///
    /// Whoever is another subject, or asks in another namespace, leaves the session to its owner.
    //= SIO5-CSR-07
    //= SIO5-CSR-10
    //= SIO5-CSR-11
    pub(crate) fn resume(
        &mut self,
        now: Instant,
        pid: &str,
        namespace: &str,
        subject: Option<&Subject>,
        offset: &str,
    ) -> Option<(Session, Position)> {
        self.keep_bounds(now);
        let saved = self.sessions.get(pid)?;
        if *saved.namespace != *namespace || saved.session.subject.as_ref() != subject {
            return None;
        }
        let session = self.forget_session(pid)?.session;
        let position = *self.by_offset.get(&offset.parse().ok()?)?;
        let from = Position(position.saturating_add(1)).max(session.since);
        Some((session, from))
    }

    /// What a socket in these rooms was sent since `from`, in order; `None` when some of it is not kept any more.
    //= SIO5-CSR-06
    pub(crate) fn missed(
        &self,
        namespace: &str,
        id: &SocketId,
        rooms: &[Room],
        from: Position,
    ) -> Option<Vec<M>> {
        if from.0 < self.first {
            return None;
        }
        let Some(index) = self.indexes.get(namespace) else {
            return Some(Vec::new());
        };
        let own = Room::from(id);
        let joined: HashSet<&Room> = rooms.iter().chain([&own]).collect();
        let of_rooms = joined.iter().filter_map(|room| index.by_room.get(*room));
        let mut positions: Vec<u64> = Vec::new();
        for list in of_rooms.chain([&index.to_all]) {
            let start = list.partition_point(|&position| position < from.0);
            positions.extend(list.range(start..));
        }
        positions.sort_unstable();
        positions.dedup();
        let packets = positions.into_iter().filter_map(|position| {
            let place = usize::try_from(position.checked_sub(self.first)?).ok()?;
            self.packets.get(place)
        });
        let meant = packets.filter(|packet| {
            let except = &packet.selection.except;
            !except.iter().any(|room| joined.contains(room))
        });
        Some(meant.map(|packet| packet.message.clone()).collect())
    }

    /// Forgets what is too old or too much, the oldest first.
    fn keep_bounds(&mut self, now: Instant) {
        let Bounds {
            max_age,
            max_bytes,
            max_packets,
            max_sessions,
        } = self.bounds;
        let is_old = |at: Instant| now.saturating_duration_since(at) > max_age;
        while let Some(packet) = self.packets.front() {
            let is_over = self.packets.len() > max_packets || self.bytes > max_bytes;
            if !is_over && !is_old(packet.at) {
                break;
            }
            self.forget_packet();
        }
        while let Some(pid) = self.pids.values().next() {
            let is_over = self.pids.len() > max_sessions || self.bytes > max_bytes;
            let saved = self.sessions.get(pid);
            if !is_over && saved.is_some_and(|saved| !is_old(saved.at)) {
                break;
            }
            let pid = Arc::clone(pid);
            self.forget_session(&pid);
        }
    }

    fn forget_packet(&mut self) {
        let Some(packet) = self.packets.pop_front() else {
            return;
        };
        self.first = self.first.saturating_add(1);
        self.bytes = self.bytes.saturating_sub(packet.cost);
        self.by_offset.remove(&packet.offset);
        let Some(index) = self.indexes.get_mut(&packet.namespace) else {
            return;
        };
        if packet.selection.rooms.is_empty() {
            index.to_all.pop_front();
        }
        for room in &packet.selection.rooms {
            if let Some(positions) = index.by_room.get_mut(room) {
                positions.pop_front();
                if positions.is_empty() {
                    index.by_room.remove(room);
                }
            }
        }
        if index.to_all.is_empty() && index.by_room.is_empty() {
            self.indexes.remove(&packet.namespace);
        }
    }

    fn forget_session(&mut self, pid: &str) -> Option<Saved> {
        let saved = self.sessions.remove(pid)?;
        self.pids.remove(&saved.serial);
        self.bytes = self.bytes.saturating_sub(saved.cost);
        Some(saved)
    }
}

fn cost_of(rooms: &[Room]) -> usize {
    let costs = rooms
        .iter()
        .map(|room| room.as_str().len().saturating_add(ROOM_COST_BYTES));
    costs.fold(0, usize::saturating_add)
}
