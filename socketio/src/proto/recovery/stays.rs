//! When a socket was in which room.
//!
//! What was said in a room before the socket joined it, or after it left, was not for it, whatever rooms it has when its
//! connection is lost. So a replay asks for every event whether the socket was there. Most sockets join their rooms
//! before anything is said and stay: of them nothing is kept here.

use std::collections::HashMap;

use super::cost::cost_of;
use super::offset::Offset;
use crate::proto::room::Room;

/// How many rooms that a socket has left are remembered. Of one more the first is forgotten, and so is what was said
/// until then: whoever has heard nothing since is a stranger. [`Recovery`](crate::Recovery) names the number.
pub(crate) const MAX_LEFT: usize = 64;

/// From behind one packet up to another; without an end it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Offset,
    pub(super) until: Option<Offset>,
}

impl Span {
    const ALWAYS: Self = Self {
        from: Offset::FIRST,
        until: None,
    };

    fn has(self, offset: Offset) -> bool {
        self.from < offset && self.until.is_none_or(|until| offset <= until)
    }

    /// What of it is behind a packet; `None` when nothing is.
    fn behind(self, after: Offset) -> Option<Self> {
        let from = self.from.max(after);
        let is_some = self.until.is_none_or(|until| from < until);
        let until = self.until;
        is_some.then_some(Self { from, until })
    }

    /// Whether it has all from behind one packet up to another.
    fn spans(self, after: Offset, last: Offset) -> bool {
        self.from <= after && self.until.is_none_or(|until| last <= until)
    }
}

/// One time in a room: behind `from`, up to `until` if that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stay {
    pub(crate) room: Room,
    pub(super) span: Span,
    /// The client may not hear any more what was said there.
    pub(crate) is_withheld: bool,
}

/// For those who write it down and read it again.
#[cfg(feature = "cluster-wire")]
impl Stay {
    pub(crate) fn new(room: Room, from: Offset, until: Option<Offset>, is_withheld: bool) -> Self {
        let span = Span { from, until };
        Self {
            room,
            span,
            is_withheld,
        }
    }

    pub(crate) fn from(&self) -> Offset {
        self.span.from
    }

    pub(crate) fn until(&self) -> Option<Offset> {
        self.span.until
    }
}

/// When a socket was in which room, where that is not all the time: the rooms that it joined or left since it came. What was
/// said in a room before and after is not for it. It is carried from server to server as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stays {
    moved: Vec<Stay>,
    /// Nothing is known of what was before.
    known_from: Offset,
}

#[cfg(feature = "cluster-wire")]
impl Stays {
    /// As another server wrote them.
    pub(crate) fn known(moved: Vec<Stay>, known_from: Offset) -> Self {
        Self { moved, known_from }
    }

    pub(crate) fn moved(&self) -> &[Stay] {
        &self.moved
    }

    /// Nothing is known of what was before.
    pub(crate) fn known_from(&self) -> Offset {
        self.known_from
    }
}

impl Stays {
    /// The socket has joined a room, behind the packet `at`.
    pub(crate) fn join(&mut self, room: Room, at: Offset) {
        self.moved.push(Stay {
            room,
            span: Span {
                from: at,
                until: None,
            },
            is_withheld: false,
        });
    }

    /// The socket has left a room, behind the packet `at`.
    pub(crate) fn leave(&mut self, room: &Room, at: Offset) {
        let is_it = |stay: &Stay| stay.span.until.is_none() && stay.room == *room;
        let place = self.moved.iter().position(is_it);
        let mut stay = match place {
            Some(place) => self.moved.remove(place),
            None => Stay {
                room: room.clone(),
                span: Span::ALWAYS,
                is_withheld: false,
            },
        };
        if stay.span.from >= at {
            // Nothing was said meanwhile.
            return;
        }
        stay.span.until = Some(at);
        self.moved.push(stay);
        // Those that ended stand in the order in which they did.
        let is_over = |stay: &Stay| stay.span.until.is_some();
        if self.moved.iter().filter(|stay| is_over(stay)).count() > MAX_LEFT
            && let Some(first) = self.moved.iter().position(is_over)
        {
            let first = self.moved.remove(first);
            self.known_from = self.known_from.max(first.span.until.unwrap_or_default());
        }
    }

    /// The client may not hear any more what was said in these rooms.
    pub(crate) fn withhold(&mut self, rooms: &[Room]) {
        for stay in &mut self.moved {
            stay.is_withheld |= rooms.contains(&stay.room);
        }
    }

    pub(crate) fn rooms(&self) -> impl Iterator<Item = &Room> {
        self.moved.iter().map(|stay| &stay.room)
    }

    /// What they count in bytes.
    pub(super) fn cost(&self) -> usize {
        cost_of(self.rooms())
    }
}

/// When a socket was in which room, to be asked about packets behind one of them.
pub(super) struct Presence<'a> {
    after: Offset,
    rooms: HashMap<&'a Room, Vec<(Span, bool)>>,
}

impl<'a> Presence<'a> {
    /// Of a socket that is in `joined` and has moved as `stays` say, behind `after`. `None` when it is not known that far
    /// back.
    pub(super) fn new(
        own: &'a Room,
        joined: &'a [Room],
        stays: &'a Stays,
        after: Offset,
    ) -> Option<Self> {
        if after < stays.known_from {
            return None;
        }
        let mut rooms: HashMap<_, Vec<_>> = HashMap::new();
        let mut open = HashMap::new();
        for Stay {
            room,
            span,
            is_withheld,
        } in &stays.moved
        {
            match span.until {
                None => drop(open.insert(room, *span)),
                Some(_) => {
                    let spans = rooms.entry(room).or_default();
                    spans.extend(span.behind(after).map(|span| (span, *is_withheld)));
                }
            }
        }
        for room in joined.iter().chain([own]) {
            let span = open.get(room).copied().unwrap_or(Span::ALWAYS);
            let spans = rooms.entry(room).or_default();
            spans.extend(span.behind(after).map(|span| (span, false)));
        }
        Some(Self { after, rooms })
    }

    pub(super) fn after(&self) -> Offset {
        self.after
    }

    /// When what was said in which rooms is for the client. A room may come more than once.
    pub(super) fn heard(&self) -> impl Iterator<Item = (&'a Room, Span)> {
        self.rooms.iter().flat_map(|(room, spans)| {
            let heard = spans.iter().filter(|(_, is_withheld)| !is_withheld);
            heard.map(|(span, _)| (*room, *span))
        })
    }

    /// Whether what was said to these rooms then is for the client.
    pub(super) fn hears_any(&self, rooms: &[Room], offset: Offset) -> bool {
        let mut spans = rooms
            .iter()
            .filter_map(|room| self.rooms.get(room))
            .flatten();
        spans.any(|(span, is_withheld)| !is_withheld && span.has(offset))
    }

    /// Whether it was in one of the rooms when this was said.
    pub(super) fn was_in_any(&self, rooms: &[Room], offset: Offset) -> bool {
        self.has_span(rooms, |span| span.has(offset))
    }

    /// Whether it was in one of the rooms all the time from behind one packet up to another.
    pub(super) fn stayed_in_any(&self, rooms: &[Room], after: Offset, last: Offset) -> bool {
        self.has_span(rooms, |span| span.spans(after, last))
    }

    fn has_span(&self, rooms: &[Room], is_meant: impl Fn(Span) -> bool) -> bool {
        let mut spans = rooms.iter().filter_map(|room| self.rooms.get(room));
        spans.any(|spans| spans.iter().any(|(span, _)| is_meant(*span)))
    }
}
