//! Every session's next deadline, in one ordered table.
//!
//! A session stands in the table at most once. Deadlines that move later, as the heartbeat's does with every
//! pong, are not moved here: the entry comes up early, the session finds nothing due and enters its new time.
//! Leaving removes the entry, so a closed session keeps no memory waiting for a timer.

use std::collections::BTreeMap;
use std::time::Instant;

/// Names one entry; opaque to its holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct DeadlineKey {
    at: Instant,
    serial: u64,
}

impl DeadlineKey {
    pub(crate) fn at(self) -> Instant {
        self.at
    }
}

#[derive(Debug)]
pub(crate) struct Deadlines<T> {
    entries: BTreeMap<DeadlineKey, T>,
    next_serial: u64,
    /// When the timer rings.
    alarm: Option<Instant>,
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
    pub(crate) fn insert(&mut self, at: Instant, item: T) -> (DeadlineKey, bool) {
        let key = DeadlineKey {
            at,
            serial: self.next_serial,
        };
        self.next_serial = self.next_serial.wrapping_add(1);
        let is_before_alarm = self.alarm.is_none_or(|alarm| at < alarm);
        if is_before_alarm {
            self.alarm = Some(at);
        }
        self.entries.insert(key, item);
        (key, is_before_alarm)
    }

    pub(crate) fn remove(&mut self, key: DeadlineKey) -> Option<T> {
        self.entries.remove(&key)
    }

    /// Sets the timer; when it has to ring. It is not put off when the entry it was set for leaves: where sessions come
    /// and go, each would be the earliest in turn.
    pub(crate) fn set_alarm(&mut self) -> Option<Instant> {
        self.alarm = self.entries.first_key_value().map(|(key, _)| key.at);
        self.alarm
    }

    /// The earliest entry that is due at `now`, removed.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<T> {
        let first = self.entries.first_entry()?;
        (first.key().at <= now).then(|| first.remove())
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
        let (_, rings_earlier) = deadlines.insert(at(20), "b");
        assert!(rings_earlier);
        let (gone, rings_earlier) = deadlines.insert(at(20), "gone");
        assert!(!rings_earlier, "equal is not earlier");
        let (_, rings_earlier) = deadlines.insert(at(10), "a");
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
    fn the_timer_is_moved_only_to_ring_earlier() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut deadlines = Deadlines::new();
        let (first, _) = deadlines.insert(at(10), ());
        deadlines.remove(first);
        let (_, rings_earlier) = deadlines.insert(at(11), ());
        assert!(!rings_earlier, "it rings at 10, for nobody");
        assert_eq!(deadlines.pop_due(at(10)), None);
        assert_eq!(deadlines.set_alarm(), Some(at(11)));
        let (_, rings_earlier) = deadlines.insert(at(10), ());
        assert!(rings_earlier);
    }
}
