//! What clients may have missed, and who may ask for it (SIO5-CSR).
//!
//! Packets are kept in the order in which they were sent, which is that of their offsets. Every room of a namespace
//! lists the offsets of what was sent to it, and the namespace those of what was sent to all, so that a replay looks at
//! nothing but what its own rooms were sent, and of that at what was sent while it was in them. Of what had to be forgotten each room remembers the last, so that who
//! missed nothing is recovered whatever went. Everything is bounded in age, and together in bytes.

mod cost;
mod forgotten;
pub(crate) mod leases;
mod offset;
pub(crate) mod returning;
mod stays;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socketio_auth::{GrantFacts, Subject};

use self::cost::{PACKET_COST_BYTES, SESSION_COST_BYTES, cost_of};
use self::forgotten::Forgotten;
pub(crate) use self::offset::Offset;
use self::stays::Presence;
#[cfg(feature = "cluster-wire")]
pub(crate) use self::stays::Stay;
pub use self::stays::Stays;
use super::room::{Room, Selection};
use crate::id::SocketId;
use crate::tables::shrink_map;
use crate::type_map::TypeMap;

/// The part of all bytes that the names of the rooms may take of which packets were forgotten.
const FORGOTTEN_SHARE: usize = 4;

/// How much is kept, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) max_age: Duration,
    pub(crate) max_bytes: usize,
    pub(crate) max_sessions: usize,
}

/// What a socket had when it lost its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) id: SocketId,
    /// What let it in: only the same subject gets it back, and nobody when it is revoked.
    pub(crate) grant: Option<GrantFacts>,
    pub(crate) rooms: Vec<Room>,
    /// When it came into those rooms, and which it had left.
    pub(crate) stays: Stays,
    /// Where the log ended when the socket came; nothing up to there is replayed, whatever offset it names.
    pub(crate) since: Offset,
    /// What the application kept with the socket.
    pub(crate) extensions: TypeMap,
}

impl Session {
    pub(crate) fn subject(&self) -> Option<&Subject> {
        self.grant.as_ref().map(GrantFacts::subject)
    }

    /// Every room that it is or was in, each once.
    pub(crate) fn all_rooms(&self) -> Vec<Room> {
        let mut rooms: Vec<Room> = self
            .rooms
            .iter()
            .chain(self.stays.rooms())
            .cloned()
            .collect();
        rooms.sort_unstable();
        rooms.dedup();
        rooms
    }

    /// Takes rooms away, behind the packet `at`, and all that was said in them.
    pub(crate) fn withhold(&mut self, rooms: &[Room], at: Offset) {
        for room in self.rooms.extract_if(.., |room| rooms.contains(room)) {
            self.stays.leave(&room, at);
        }
        self.stays.withhold(rooms);
    }
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

/// The offsets of the packets of one namespace, ascending.
#[derive(Default)]
struct Index {
    to_all: VecDeque<Offset>,
    by_room: HashMap<Room, VecDeque<Offset>>,
}

/// The packets that clients may have missed and the sessions that may ask for them, of all namespaces together.
pub(crate) struct Log<M> {
    bounds: Bounds,
    packets: VecDeque<Packet<M>>,
    indexes: HashMap<Arc<str>, Index>,
    forgotten: Forgotten,
    /// Of the packet that was appended last.
    end: Offset,
    /// The first and the last that were given out.
    given: Option<(Offset, Offset)>,
    sessions: HashMap<Arc<str>, Saved>,
    /// The private ids in the order in which they were saved.
    pids: BTreeMap<u64, Arc<str>>,
    next_serial: u64,
    /// Of the packets and the sessions.
    bytes: usize,
    /// Nothing up to there is known of, though it may have been sent.
    known_from: Offset,
    /// What was kept with sessions that are gone.
    left_over: Vec<TypeMap>,
}

impl<M: Clone> Log<M> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            packets: VecDeque::new(),
            indexes: HashMap::new(),
            forgotten: Forgotten::new(bounds.max_bytes / FORGOTTEN_SHARE),
            end: Offset::default(),
            given: None,
            sessions: HashMap::new(),
            pids: BTreeMap::new(),
            next_serial: 0,
            bytes: 0,
            known_from: Offset::FIRST,
            left_over: Vec::new(),
        }
    }

    /// What is the application's and is to be dropped where its code may run.
    pub(crate) fn take_left_over(&mut self) -> Vec<TypeMap> {
        std::mem::take(&mut self.left_over)
    }

    /// Of a log that servers share, what is behind this entry comes here from now on; nothing yet for
    /// [`NEVER`](Offset::NEVER).
    pub(crate) fn begin(&mut self, at: Offset) {
        self.known_from = at;
        if at != Offset::NEVER {
            self.known_from = at.max(self.end);
            self.end = self.known_from;
        }
    }

    /// Whether anything is known of what is behind.
    pub(crate) fn has_begun(&self) -> bool {
        self.known_from != Offset::NEVER
    }

    /// An entry has gone by that nobody here may miss.
    pub(crate) fn pass(&mut self, entry: Offset) {
        self.end = self.end.max(entry);
    }

    /// An entry has gone by that was not kept, for whoever in its namespace.
    pub(crate) fn miss(&mut self, namespace: &Arc<str>, entry: Offset) {
        self.forgotten.add(namespace, Selection::default(), entry);
        self.pass(entry);
    }

    /// Keeps an entry of `size` bytes. One that comes behind later ones has no place here: then nothing up to those is
    /// known of any more.
    pub(crate) fn append_entry(
        &mut self,
        now: Instant,
        entry: Offset,
        namespace: &Arc<str>,
        selection: Selection,
        message: M,
        size: usize,
    ) {
        if entry > self.end {
            self.append(now, entry, namespace, selection, message, size);
        } else {
            self.known_from = self.end;
        }
    }

    /// Whether all is here that a socket was sent behind an entry.
    pub(crate) fn covers(&self, namespace: &str, session: &Session, after: Offset) -> bool {
        after >= self.known_from
            && after <= self.end
            && self.missed(namespace, session, after).is_some()
    }

    /// A new offset, whatever the clock does. `millis` is the time since the Unix epoch.
    pub(crate) fn next_offset(&mut self, millis: u64) -> Offset {
        let now = Offset::at(millis);
        let (first, offset) = match self.given {
            Some((first, last)) => (first, last.next().max(now)),
            None => (now, now),
        };
        self.given = Some((first, offset));
        offset
    }

    /// Keeps a packet of `size` bytes behind all others, which have smaller offsets.
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
        let index = self.indexes.entry(Arc::clone(namespace)).or_default();
        if selection.rooms.is_empty() {
            index.to_all.push_back(offset);
        }
        for room in &selection.rooms {
            let offsets = index.by_room.entry(room.clone()).or_default();
            offsets.push_back(offset);
        }
        let named = cost_of(&selection.rooms).saturating_add(cost_of(&selection.except));
        let cost = size.saturating_add(PACKET_COST_BYTES).saturating_add(named);
        self.bytes = self.bytes.saturating_add(cost);
        self.end = offset;
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

    /// The last packet's offset.
    pub(crate) fn end(&self) -> Offset {
        self.end
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
        let moved = session.stays.cost();
        let cost = SESSION_COST_BYTES
            .saturating_add(cost_of(&session.rooms))
            .saturating_add(moved);
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

    /// Hands out what a private id stands for, once, and the last packet that its owner has. `None` also when some of
    /// what the owner missed is not kept any more.
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
    ) -> Option<(Session, Offset)> {
        self.keep_bounds(now);
        let saved = self.sessions.get(pid)?;
        if *saved.namespace != *namespace || saved.session.subject() != subject {
            return None;
        }
        let session = self.take_session(pid)?.session;
        let resumed = self.resume_behind(namespace, &session, offset);
        if resumed.is_none() {
            self.leave_over(session);
            return None;
        }
        resumed.map(|after| (session, after))
    }

    /// The last packet that the owner of a session has.
    fn resume_behind(&self, namespace: &str, session: &Session, offset: &str) -> Option<Offset> {
        let offset: Offset = offset.parse().ok()?;
        // Clients take any text at the end of an event for an offset (SIO5-CSR-12). What was not given out here says
        // nothing about what they have.
        let (first, last) = self.given?;
        if !(first..=last).contains(&offset) {
            return None;
        }
        let after = offset.max(session.since);
        let own = Room::from(&session.id);
        let presence = Presence::new(&own, &session.rooms, &session.stays, after)?;
        let is_whole = !self.forgotten.is_missed_by(namespace, &presence);
        is_whole.then_some(after)
    }

    /// What a socket was sent behind `after`, in order; `None` when some of it is not kept any more.
    //= SIO5-CSR-06
    pub(crate) fn missed(
        &self,
        namespace: &str,
        session: &Session,
        after: Offset,
    ) -> Option<Vec<M>> {
        let own = Room::from(&session.id);
        let presence = Presence::new(&own, &session.rooms, &session.stays, after)?;
        if after < self.known_from || self.forgotten.is_missed_by(namespace, &presence) {
            return None;
        }
        let Some(index) = self.indexes.get(namespace) else {
            return Some(Vec::new());
        };
        let mut offsets: Vec<Offset> = Vec::new();
        let first_behind =
            |list: &VecDeque<Offset>, last: Offset| list.partition_point(|&offset| offset <= last);
        offsets.extend(index.to_all.range(first_behind(&index.to_all, after)..));
        for (room, span) in presence.heard() {
            if let Some(list) = index.by_room.get(room) {
                let end = span.until.map(|until| first_behind(list, until));
                let start = first_behind(list, span.from);
                offsets.extend(list.range(start..end.unwrap_or(list.len())));
            }
        }
        offsets.sort_unstable();
        offsets.dedup();
        let packets = offsets.into_iter().filter_map(|offset| {
            let place = self
                .packets
                .partition_point(|packet| packet.offset < offset);
            self.packets.get(place)
        });
        let meant = packets.filter(|packet| {
            let except = &packet.selection.except;
            !presence.was_in_any(except, packet.offset)
        });
        Some(meant.map(|packet| packet.message.clone()).collect())
    }

    /// Forgets what is too old or too much, the oldest first.
    fn keep_bounds(&mut self, now: Instant) {
        let Bounds {
            max_age,
            max_bytes,
            max_sessions,
        } = self.bounds;
        let is_old = |at: Instant| now.saturating_duration_since(at) > max_age;
        while let Some(packet) = self.packets.front() {
            if self.bytes() <= max_bytes && !is_old(packet.at) {
                break;
            }
            self.forget_packet();
        }
        while let Some(pid) = self.pids.values().next() {
            let is_over = self.pids.len() > max_sessions || self.bytes() > max_bytes;
            let saved = self.sessions.get(pid);
            if !is_over && saved.is_some_and(|saved| !is_old(saved.at)) {
                break;
            }
            let pid = Arc::clone(pid);
            self.forget_session(&pid);
        }
    }

    fn bytes(&self) -> usize {
        self.bytes.saturating_add(self.forgotten.bytes())
    }

    fn forget_packet(&mut self) {
        let Some(packet) = self.packets.pop_front() else {
            return;
        };
        self.bytes = self.bytes.saturating_sub(packet.cost);
        self.forget_place(&packet);
        let Packet {
            offset,
            namespace,
            selection,
            ..
        } = packet;
        self.forgotten.add(&namespace, selection, offset);
    }

    /// Takes the first packet out of the lists.
    fn forget_place(&mut self, packet: &Packet<M>) {
        let Some(index) = self.indexes.get_mut(&packet.namespace) else {
            return;
        };
        if packet.selection.rooms.is_empty() {
            index.to_all.pop_front();
        }
        for room in &packet.selection.rooms {
            if let Some(offsets) = index.by_room.get_mut(room) {
                offsets.pop_front();
                if offsets.is_empty() {
                    index.by_room.remove(room);
                    shrink_map(&mut index.by_room);
                }
            }
        }
        if index.to_all.is_empty() && index.by_room.is_empty() {
            self.indexes.remove(&packet.namespace);
        }
    }

    /// Forgets every session that one of these grants let in.
    pub(crate) fn revoke(&mut self, is_meant: impl Fn(&GrantFacts) -> bool) {
        let saved = self.sessions.iter();
        let meant = saved.filter(|(_, saved)| saved.session.grant.as_ref().is_some_and(&is_meant));
        let meant: Vec<_> = meant.map(|(pid, _)| Arc::clone(pid)).collect();
        for pid in meant {
            self.forget_session(&pid);
        }
    }

    /// Forgets what was saved for a private id.
    pub(crate) fn forget(&mut self, pid: &str) {
        self.forget_session(pid);
    }

    fn forget_session(&mut self, pid: &str) {
        if let Some(saved) = self.take_session(pid) {
            self.leave_over(saved.session);
        }
    }

    /// What the application kept with it is not dropped here.
    fn leave_over(&mut self, session: Session) {
        if !session.extensions.is_empty() {
            self.left_over.push(session.extensions);
        }
    }

    fn take_session(&mut self, pid: &str) -> Option<Saved> {
        let saved = self.sessions.remove(pid)?;
        shrink_map(&mut self.sessions);
        self.pids.remove(&saved.serial);
        self.bytes = self.bytes.saturating_sub(saved.cost);
        Some(saved)
    }
}
