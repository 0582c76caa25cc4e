//! Every session's next deadline, in one ordered table.
//!
//! A session stands in the table at most once. Deadlines that move later, as the heartbeat's does with every
//! pong, are not moved here: the entry comes up early, the session finds nothing due and enters its new time.
//! Leaving removes the entry, so a closed session keeps no memory waiting for a timer.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Instant;

use crate::moment::Moment;

/// Names one entry; opaque to its holder. Packed, for there are two of each session, one in a table with empty places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(Rust, packed(4))]
pub(crate) struct DeadlineKey {
    at: Moment,
    /// Which of those at the same moment.
    serial: u32,
}

impl DeadlineKey {
    pub(crate) fn at(self) -> Moment {
        self.at
    }
}

#[derive(Debug)]
pub(crate) struct Deadlines<T> {
    entries: BTreeMap<DeadlineKey, T>,
    next_serial: u32,
    /// When the timer rings.
    alarm: Option<Moment>,
}

impl<T> Deadlines<T> {
    pub(crate) fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            next_serial: 0,
            alarm: None,
        }
    }

    /// Enters `item` at `at`. The second value is true when the timer has to ring earlier than it would.
    pub(crate) fn insert(&mut self, at: Moment, item: T) -> (DeadlineKey, bool) {
        let is_before_alarm = self.alarm.is_none_or(|alarm| at < alarm);
        if is_before_alarm {
            self.alarm = Some(at);
        }
        (self.enter(at, item), is_before_alarm)
    }

    fn enter(&mut self, at: Moment, item: T) -> DeadlineKey {
        loop {
            let serial = self.next_serial;
            self.next_serial = serial.wrapping_add(1);
            let key = DeadlineKey { at, serial };
            // It is free, unless an entry is left of when the serials were last here.
            if let Entry::Vacant(place) = self.entries.entry(key) {
                place.insert(item);
                return key;
            }
        }
    }

    pub(crate) fn remove(&mut self, key: DeadlineKey) -> Option<T> {
        self.entries.remove(&key)
    }

    /// Sets the timer; when it has to ring. It is not put off when the entry it was set for leaves: where sessions come
    /// and go, each would be the earliest in turn.
    pub(crate) fn set_alarm(&mut self) -> Option<Instant> {
        self.alarm = self.entries.first_key_value().map(|(key, _)| key.at());
        self.alarm.map(Instant::from)
    }

    /// The earliest entry that is due at `now`, removed.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<T> {
        let first = self.entries.first_entry()?;
        (Instant::from(first.key().at()) <= now).then(|| first.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a starting point for virtual time"
    )]
    fn entries_come_due_in_order_and_leave_when_removed() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut deadlines = Deadlines::new();
        let (_, rings_earlier) = deadlines.insert(at(20).into(), "b");
        assert!(rings_earlier);
        let (gone, rings_earlier) = deadlines.insert(at(20).into(), "gone");
        assert!(!rings_earlier, "equal is not earlier");
        let (_, rings_earlier) = deadlines.insert(at(10).into(), "a");
        assert!(rings_earlier);
        assert_eq!(deadlines.remove(gone), Some("gone"));
        assert_eq!(deadlines.remove(gone), None);
        assert_eq!(deadlines.set_alarm(), Some(at(10)));
        assert_eq!(deadlines.pop_due(at(9)), None);
        assert_eq!(deadlines.pop_due(at(20)), Some("a"));
        assert_eq!(deadlines.pop_due(at(20)), Some("b"));
        assert_eq!(deadlines.pop_due(at(20)), None);
        assert_eq!(deadlines.set_alarm(), None);
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a starting point for virtual time"
    )]
    fn no_entry_takes_the_place_of_another_when_the_serials_begin_anew() {
        let now = Instant::now();
        let mut deadlines = Deadlines::new();
        let (first, _) = deadlines.insert(now.into(), "first");
        deadlines.next_serial = u32::MAX;
        let (last, _) = deadlines.insert(now.into(), "last");
        let (next, _) = deadlines.insert(now.into(), "next");
        assert_eq!(deadlines.remove(first), Some("first"));
        assert_eq!(deadlines.remove(next), Some("next"));
        assert_eq!(deadlines.remove(last), Some("last"));
    }

    #[test]
    fn a_session_has_a_key_in_twelve_bytes() {
        assert_eq!(size_of::<Option<DeadlineKey>>(), 12);
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "a starting point for virtual time"
    )]
    fn the_timer_is_moved_only_to_ring_earlier() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut deadlines = Deadlines::new();
        let (first, _) = deadlines.insert(at(10).into(), ());
        deadlines.remove(first);
        let (_, rings_earlier) = deadlines.insert(at(11).into(), ());
        assert!(!rings_earlier, "it rings at 10, for nobody");
        assert_eq!(deadlines.pop_due(at(10)), None);
        assert_eq!(deadlines.set_alarm(), Some(at(11)));
        let (_, rings_earlier) = deadlines.insert(at(10).into(), ());
        assert!(rings_earlier);
    }
}
