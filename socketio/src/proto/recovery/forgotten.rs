//! What is not kept any more: of every room, the last packet that was forgotten.
//!
//! Whoever has that one missed none of the room's, however many were forgotten. Rooms come and go, so their names are
//! kept in two generations: when the young one is full the old one is dropped, and of what was in it is known only how
//! far it went.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;

use super::cost::{ROOM_COST_BYTES, cost_of};
use super::offset::Offset;
use super::stays::{Presence, Span};
use crate::proto::room::{Room, Selection};

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
    /// Whether one of a time in the room may have been for someone who was there.
    fn is_missed_by(&self, during: Span, presence: &Presence<'_>) -> bool {
        let Span { from, until } = during;
        // Of those up to the last, only the exceptions are known, which were the same.
        let last = until.map_or(self.last, |until| until.min(self.last));
        let is_meant = || !presence.stayed_in_any(&self.except, from, last);
        from < self.before || (from < self.last && is_meant())
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

    /// Whether one was for someone who was there. When that is not known any more, it was.
    pub(super) fn is_missed_by(&self, namespace: &str, presence: &Presence<'_>) -> bool {
        let after = presence.after();
        let everywhere = Span {
            from: after,
            until: None,
        };
        let is_marked = |generation: &Generation| {
            let Some(marks) = generation.marks.get(namespace) else {
                return false;
            };
            let rooms = presence.heard().map(|(room, span)| (Some(room), span));
            rooms.chain([(None, everywhere)]).any(|(room, span)| {
                let mark = marks.get(&room.cloned());
                mark.is_some_and(|mark| mark.is_missed_by(span, presence))
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
