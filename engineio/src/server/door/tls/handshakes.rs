//! Who is in a handshake, at most so many, and who gives way when there are more.
//!
//! When every place is taken nobody is accepted, so that a crowd waits with the operating system until it is its turn. But a
//! place that was held for longer than a handshake takes is for whoever comes, or some connections that say nothing could
//! keep everybody out.

use std::collections::BTreeMap;
use std::task::Waker;
use std::time::{Duration, Instant};

/// The places. Time is an argument.
pub(super) struct Handshakes {
    max: usize,
    grace: Duration,
    /// By number, the oldest first.
    inside: BTreeMap<u64, Inside>,
    next: u64,
    /// Whoever waits for a place to give away.
    accepting: Option<Waker>,
}

struct Inside {
    since: Instant,
    waker: Option<Waker>,
}

impl Handshakes {
    pub(super) fn new(max: usize, grace: Duration) -> Self {
        Self {
            max: max.max(1),
            grace,
            inside: BTreeMap::new(),
            next: 0,
            accepting: None,
        }
    }

    /// When the next one may come, if not now. Before that a place may become free, which wakes `accepting`.
    pub(super) fn is_full_until(&mut self, now: Instant, accepting: &Waker) -> Option<Instant> {
        self.accepting = None;
        if self.inside.len() < self.max {
            return None;
        }
        let (_, oldest) = self.inside.first_key_value()?;
        let until = oldest.since.checked_add(self.grace)?;
        if until <= now {
            return None;
        }
        self.accepting = Some(accepting.clone());
        Some(until)
    }

    /// Somebody comes in, which [`is_full_until`](Self::is_full_until) has allowed: the number, and who has to be woken
    /// because it gave way.
    pub(super) fn enter(&mut self, now: Instant) -> (u64, Option<Waker>) {
        let displaced = if self.inside.len() < self.max {
            None
        } else {
            self.inside.pop_first()
        };
        let number = self.next;
        self.next += 1;
        let inside = Inside {
            since: now,
            waker: None,
        };
        self.inside.insert(number, inside);
        (number, displaced.and_then(|(_, inside)| inside.waker))
    }

    /// Whoever waits for its client here; false when it had to give way.
    pub(super) fn stays(&mut self, number: u64, waker: &Waker) -> bool {
        let Some(inside) = self.inside.get_mut(&number) else {
            return false;
        };
        match &mut inside.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        true
    }

    /// Somebody is done; who has to be woken.
    pub(super) fn leave(&mut self, number: u64) -> Option<Waker> {
        self.inside.remove(&number)?;
        self.accepting.take()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    const GRACE: Duration = Duration::from_secs(1);

    fn begun() -> Instant {
        #[expect(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
        Instant::now()
    }

    #[test]
    fn one_past_the_bound_waits_for_a_place_or_for_the_oldest_to_be_too_slow() {
        let start = begun();
        let mut handshakes = Handshakes::new(2, GRACE);
        let accepting = Waker::noop();
        let (first, _) = handshakes.enter(start);
        assert_eq!(handshakes.is_full_until(start, accepting), None);
        handshakes.enter(start + GRACE / 2);
        let until = Some(start + GRACE);
        assert_eq!(
            handshakes.is_full_until(start + GRACE / 2, accepting),
            until
        );
        assert!(handshakes.stays(first, accepting));

        let late = start + GRACE;
        assert_eq!(handshakes.is_full_until(late, accepting), None);
        handshakes.enter(late);
        assert!(!handshakes.stays(first, accepting), "it gave way");
        let until = Some(start + GRACE / 2 + GRACE);
        assert_eq!(handshakes.is_full_until(late, accepting), until);
    }

    #[test]
    fn a_place_that_becomes_free_is_told_once_to_whoever_waits_and_who_gives_way_is_woken() {
        let start = begun();
        let mut handshakes = Handshakes::new(1, GRACE);
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let (first, _) = handshakes.enter(start);
        assert!(handshakes.is_full_until(start, &waker).is_some());
        assert!(
            handshakes
                .leave(first)
                .is_some_and(|told| told.will_wake(&waker))
        );
        assert!(handshakes.leave(first).is_none());

        let (second, _) = handshakes.enter(start);
        assert!(handshakes.stays(second, &waker));
        let (_, displaced) = handshakes.enter(start + GRACE);
        assert!(displaced.is_some_and(|told| told.will_wake(&waker)));
        assert!(
            handshakes.leave(second).is_none(),
            "it has no place to free"
        );
    }

    #[test]
    fn there_is_one_place_at_least() {
        let mut handshakes = Handshakes::new(0, GRACE);
        assert_eq!(handshakes.is_full_until(begun(), Waker::noop()), None);
    }
}
