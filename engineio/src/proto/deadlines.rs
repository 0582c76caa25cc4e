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
}

impl<T> Deadlines<T> {
    pub(crate) fn new() -> Self {
        Self {
            entries: BTreeMap::new(),
            next_serial: 0,
        }
    }

    /// Enters `item` at `at`. The second value is true when it is now the earliest of all.
    pub(crate) fn insert(&mut self, at: Instant, item: T) -> (DeadlineKey, bool) {
        let key = DeadlineKey {
            at,
            serial: self.next_serial,
        };
        self.next_serial = self.next_serial.wrapping_add(1);
        let is_earliest = self.next().is_none_or(|earliest| at < earliest);
        self.entries.insert(key, item);
        (key, is_earliest)
    }

    pub(crate) fn remove(&mut self, key: DeadlineKey) -> Option<T> {
        self.entries.remove(&key)
    }

    /// When [`Deadlines::pop_due`] has something to give next.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.entries.first_key_value().map(|(key, _)| key.at)
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
        let (_, first) = deadlines.insert(at(20), "b");
        assert!(first);
        let (gone, first) = deadlines.insert(at(20), "gone");
        assert!(!first, "equal is not earlier");
        let (_, first) = deadlines.insert(at(10), "a");
        assert!(first);
        assert_eq!(deadlines.remove(gone), Some("gone"));
        assert_eq!(deadlines.remove(gone), None);
        assert_eq!(deadlines.next(), Some(at(10)));
        assert_eq!(deadlines.pop_due(at(9)), None);
        assert_eq!(deadlines.pop_due(at(20)), Some("a"));
        assert_eq!(deadlines.pop_due(at(20)), Some("b"));
        assert_eq!(deadlines.pop_due(at(20)), None);
        assert_eq!(deadlines.next(), None);
    }
}
