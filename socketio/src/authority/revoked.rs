//! What was revoked of late, for grants that no revocation could find at the time.
//!
//! Who is being verified has no grant yet by which a revocation could find it. So the verdict looks back at what was
//! revoked since its verification began, and so does whoever takes the grant of another namespace over.
//!
//! Both sides go in two steps: a grant is [set, then checked](RecentRevocations::install), a revocation is
//! [remembered, then looked for](RecentRevocations::apply). Whichever way the steps of the two fall between each other,
//! the second step of one comes after the first of the other, so one of them sees the other.

use std::collections::VecDeque;

use socketio_auth::{Code, GrantFacts, Rejection, revocation::Revocation};

use crate::atomic::{AtomicU64, Ordering};
use crate::lock::Lock;

/// How many revocations are looked back at. When more came during one verification, nobody can tell whether it was
/// meant, and its client has to try again.
pub(crate) const MAX_RECENT: usize = 1024;

/// How many revocations there had been when a grant was not there to be found yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(u64);

/// The latest revocations of a server. They are kept for what was under way when they came; a credential that comes
/// later is none of their business.
#[derive(Default)]
pub(crate) struct RecentRevocations {
    /// Changed under the lock only; read without it by everyone who is let in.
    count: AtomicU64,
    log: Lock<Log>,
}

#[derive(Default)]
struct Log {
    recent: VecDeque<Revocation>,
    /// What has not been told yet to everyone it was found to mean: how many there had been before each.
    running: Vec<Mark>,
}

impl RecentRevocations {
    /// For a credential whose verification begins.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.count.load(Ordering::Acquire))
    }

    /// For a grant that a socket has, which another is to take over. What is revoked by now may have looked for the
    /// other already and not have ended the first yet; it counts as to come.
    pub(crate) fn mark_of_held(&self) -> Mark {
        let log = self.log.lock();
        log.running
            .iter()
            .copied()
            .min_by_key(|mark| mark.0)
            .unwrap_or_else(|| self.mark())
    }

    /// Remembers a revocation, then has `end` find and end the sockets it means.
    pub(crate) fn apply<T>(&self, revocation: &Revocation, end: impl FnOnce() -> T) -> T {
        let _running = self.begin(revocation);
        end()
    }

    /// Has `set` give a socket its grant, then looks whether it was revoked since the mark.
    pub(crate) fn install(
        &self,
        mark: Mark,
        facts: &GrantFacts,
        set: impl FnOnce(),
    ) -> Result<(), Rejection> {
        set();
        self.check(mark, facts)
    }

    fn begin(&self, revocation: &Revocation) -> Running<'_> {
        let mut log = self.log.lock();
        if log.recent.len() >= MAX_RECENT {
            log.recent.pop_front();
        }
        log.recent.push_back(revocation.clone());
        let began = Mark(self.count.fetch_add(1, Ordering::AcqRel));
        log.running.push(began);
        Running { of: self, began }
    }

    /// Whether nothing that was revoked since the mark is this grant.
    pub(crate) fn check(&self, mark: Mark, facts: &GrantFacts) -> Result<(), Rejection> {
        if self.mark() == mark {
            return Ok(());
        }
        let log = self.log.lock();
        let missed_count = self.mark().0.wrapping_sub(mark.0);
        let missed_count = usize::try_from(missed_count).unwrap_or(usize::MAX);
        if missed_count > log.recent.len() {
            return Err(Rejection::unavailable(
                "too much was revoked during the verification",
            ));
        }
        let mut missed = log.recent.iter().rev().take(missed_count);
        if missed.any(|revocation| revocation.covers(facts)) {
            return Err(Code::TokenRevoked.into());
        }
        Ok(())
    }
}

/// A revocation that is being applied, until it is dropped.
struct Running<'a> {
    of: &'a RecentRevocations,
    began: Mark,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut log = self.of.log.lock();
        log.running.retain(|running| *running != self.began);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use socketio_auth::Grant;

    use super::*;

    fn code(recent: &RecentRevocations, mark: Mark) -> Option<Code> {
        let grant = Grant::new((), "ann").with_session_id("s");
        let checked = recent.check(mark, grant.facts());
        checked.err().map(|rejection| rejection.code())
    }

    fn revoke(recent: &RecentRevocations, session: &str) {
        recent.apply(&Revocation::session(session), || ());
    }

    #[test]
    fn only_what_was_revoked_since_the_mark_counts() {
        let recent = RecentRevocations::default();
        let before = recent.mark();
        assert_eq!(code(&recent, before), None);
        revoke(&recent, "other");
        assert_eq!(code(&recent, before), None);
        revoke(&recent, "s");
        let after = recent.mark();
        revoke(&recent, "other");
        assert_eq!(code(&recent, before), Some(Code::TokenRevoked));
        assert_eq!(code(&recent, after), None, "it was revoked before");
    }

    #[test]
    fn one_revocation_too_many_leaves_it_open_who_was_meant() {
        let recent = RecentRevocations::default();
        let before = recent.mark();
        for _ in 0..MAX_RECENT {
            revoke(&recent, "other");
        }
        assert_eq!(code(&recent, before), None);
        revoke(&recent, "other");
        assert_eq!(code(&recent, before), Some(Code::AuthUnavailable));
        assert_eq!(recent.log.lock().recent.len(), MAX_RECENT);
    }

    /// The steps of a grant and of a revocation.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Step {
        Set,
        Check,
        Remember,
        Look,
    }

    /// Every way in which the rest of the two sides may come.
    fn interleavings(grant: &[Step], revocation: &[Step]) -> Vec<Vec<Step>> {
        let (Some((first, grant_left)), Some((other, revocation_left))) =
            (grant.split_first(), revocation.split_first())
        else {
            return vec![[grant, revocation].concat()];
        };
        let behind = |step: Step, rest: Vec<Vec<Step>>| {
            rest.into_iter()
                .map(move |rest| [vec![step], rest].concat())
        };
        behind(*first, interleavings(grant_left, revocation))
            .chain(behind(*other, interleavings(grant, revocation_left)))
            .collect()
    }

    #[test]
    fn in_whatever_order_the_steps_come_a_revocation_misses_no_grant() {
        use Step::{Check, Look, Remember, Set};
        let orders = interleavings(&[Set, Check], &[Remember, Look]);
        assert_eq!(orders.len(), 6);
        for order in orders {
            let recent = RecentRevocations::default();
            let mark = recent.mark();
            let (mut is_set, mut is_found, mut is_refused) = (false, false, false);
            let mut running = None;
            for step in &order {
                match step {
                    Set => is_set = true,
                    Check => is_refused = code(&recent, mark).is_some(),
                    Remember => running = Some(recent.begin(&Revocation::session("s"))),
                    Look => {
                        is_found = is_set;
                        running = None;
                    }
                }
            }
            assert!(running.is_none());
            assert!(is_found || is_refused, "{order:?}");
        }
    }

    #[test]
    fn both_sides_take_their_steps_in_this_order() {
        let recent = RecentRevocations::default();
        let mark = recent.mark();
        let grant = Grant::new((), "ann").with_session_id("s");
        let installed = recent.install(mark, grant.facts(), || revoke(&recent, "s"));
        assert!(installed.is_err(), "it is set before it is checked");

        let mark = recent.mark();
        let seen = recent.apply(&Revocation::session("s"), || code(&recent, mark));
        assert_eq!(
            seen,
            Some(Code::TokenRevoked),
            "it is remembered before anyone is looked for"
        );
    }

    #[test]
    fn a_grant_that_is_taken_over_counts_what_is_still_being_applied() {
        let recent = RecentRevocations::default();
        revoke(&recent, "s");
        let taken = Cell::new(recent.mark_of_held());
        assert_eq!(
            code(&recent, taken.get()),
            None,
            "it was applied, and the grant is there"
        );
        recent.apply(&Revocation::session("s"), || {
            revoke(&recent, "other");
            taken.set(recent.mark_of_held());
        });
        assert_eq!(code(&recent, taken.get()), Some(Code::TokenRevoked));
        assert_eq!(recent.mark_of_held(), recent.mark(), "nothing is under way");
    }
}
