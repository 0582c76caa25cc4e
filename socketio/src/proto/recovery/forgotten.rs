//! What is not kept any more: of every room, the last packet that was forgotten.
//!
//! Whoever has that one missed none of the room's, however many were forgotten. Rooms come and go, so their names are
//! kept in two generations: when the young one is full the old one is dropped, and of what was in it is known only how
//! far it went.

use std::collections::{HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use super::cost::{ROOM_COST_BYTES, cost_of};
use super::offset::Offset;
use crate::proto::rooms::{Room, Selection};

/// The last packet of a room that was forgotten.
#[derive(Default)]
struct Mark {
    last: Offset,
    /// Whom the last was not for: who sends and hears nothing else has missed nothing.
    except: Vec<Room>,
    /// The last one that had other exceptions; of it they are not known.
    before: Offset,
}

impl Mark {
    fn is_missed_by(&self, after: Offset, joined: &HashSet<&Room>) -> bool {
        let is_meant = || !self.except.iter().any(|room| joined.contains(room));
        after < self.before || (after < self.last && is_meant())
    }
}

#[derive(Default)]
struct Generation {
    /// By namespace and room; no room stands for what was sent to all.
    marks: HashMap<Arc<str>, HashMap<Option<Room>, Mark>>,
    last: Offset,
    bytes: usize,
}

pub(super) struct Forgotten {
    young: Generation,
    old: Generation,
    /// The last packet whose rooms are not known any more.
    nameless: Offset,
    /// How many bytes one generation may take.
    max_bytes: usize,
}

impl Forgotten {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            young: Generation::default(),
            old: Generation::default(),
            nameless: Offset::default(),
            max_bytes: max_bytes / 2,
        }
    }

    /// As they are counted.
    pub(super) fn bytes(&self) -> usize {
        self.young.bytes.saturating_add(self.old.bytes)
    }

    /// A packet is kept no more. They come in the order in which they were sent.
    pub(super) fn add(&mut self, namespace: &Arc<str>, selection: Selection, offset: Offset) {
        let Selection { rooms, except } = selection;
        if rooms.is_empty() {
            self.young.mark(namespace, None, &except, offset);
        }
        for room in rooms {
            self.young.mark(namespace, Some(room), &except, offset);
        }
        while self.young.bytes > self.max_bytes {
            self.age();
        }
        if self.old.bytes > self.max_bytes {
            self.age();
        }
    }

    fn age(&mut self) {
        let old = mem::replace(&mut self.old, mem::take(&mut self.young));
        self.nameless = self.nameless.max(old.last);
    }

    /// Whether one behind `after` was for someone in these rooms. When that is not known any more, it is.
    pub(super) fn is_missed_by(
        &self,
        namespace: &str,
        joined: &HashSet<&Room>,
        after: Offset,
    ) -> bool {
        let is_marked = |generation: &Generation| {
            let Some(marks) = generation.marks.get(namespace) else {
                return false;
            };
            let rooms = joined.iter().map(|&room| Some(room.clone()));
            rooms.chain([None]).any(|room| {
                let mark = marks.get(&room);
                mark.is_some_and(|mark| mark.is_missed_by(after, joined))
            })
        };
        after < self.nameless || [&self.young, &self.old].into_iter().any(is_marked)
    }
}

impl Generation {
    fn mark(&mut self, namespace: &Arc<str>, room: Option<Room>, except: &[Room], offset: Offset) {
        self.last = offset;
        if !self.marks.contains_key(namespace) {
            let named = namespace.len().saturating_add(ROOM_COST_BYTES);
            self.bytes = self.bytes.saturating_add(named);
        }
        let marks = self.marks.entry(Arc::clone(namespace)).or_default();
        let named = room.as_ref().map_or(0, |room| room.as_str().len());
        let mark = marks.entry(room).or_insert_with(|| {
            let cost = named.saturating_add(ROOM_COST_BYTES);
            self.bytes = self.bytes.saturating_add(cost);
            Mark::default()
        });
        if mark.except != except {
            let cost = self.bytes.saturating_add(cost_of(except));
            self.bytes = cost.saturating_sub(cost_of(&mark.except));
            mark.except = except.to_vec();
            mark.before = mark.last;
        }
        mark.last = offset;
    }
}
