//! What was revoked of late, for credentials that were under verification at the time.
//!
//! Who is being verified has no grant yet by which a revocation could find it. So the verdict looks back at what was
//! revoked since its verification began.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};

use socketio_auth::{Code, GrantFacts, Rejection, Revocation};

use crate::lock::Lock;

/// How many revocations are looked back at. When more came during one verification, nobody can tell whether it was
/// meant, and its client has to try again.
pub(crate) const MAX_RECENT: usize = 1024;

/// How many revocations there had been when a verification began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark(u64);

/// The latest revocations of a server. They are kept for what was under way when they came; a credential that comes
/// later is none of their business.
#[derive(Default)]
pub(crate) struct RecentRevocations {
    /// Changed under the lock only; read without it by everyone who is let in.
    count: AtomicU64,
    recent: Lock<VecDeque<Revocation>>,
}

impl RecentRevocations {
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.count.load(Ordering::Acquire))
    }

    /// To be called before the sockets that are to end are looked for. Whoever sets a grant and then
    /// [checks](Self::check) is then found in one of the two ways.
    pub(crate) fn add(&self, revocation: &Revocation) {
        let mut recent = self.recent.lock();
        if recent.len() >= MAX_RECENT {
            recent.pop_front();
        }
        recent.push_back(revocation.clone());
        self.count.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether nothing that was revoked since the mark is this grant.
    pub(crate) fn check(&self, mark: Mark, facts: &GrantFacts) -> Result<(), Rejection> {
        if self.mark() == mark {
            return Ok(());
        }
        let recent = self.recent.lock();
        let missed_count = self.mark().0.wrapping_sub(mark.0);
        let missed_count = usize::try_from(missed_count).unwrap_or(usize::MAX);
        if missed_count > recent.len() {
            return Err(Rejection::unavailable(
                "too much was revoked during the verification",
            ));
        }
        let mut missed = recent.iter().rev().take(missed_count);
        if missed.any(|revocation| revocation.covers(facts)) {
            return Err(Code::TokenRevoked.into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use socketio_auth::Grant;

    use super::*;

    fn code(recent: &RecentRevocations, mark: Mark) -> Option<Code> {
        let grant = Grant::new((), "ann").with_session_id("s");
        let checked = recent.check(mark, grant.facts());
        checked.err().map(|rejection| rejection.code())
    }

    #[test]
    fn only_what_was_revoked_since_the_mark_counts() {
        let recent = RecentRevocations::default();
        let before = recent.mark();
        assert_eq!(code(&recent, before), None);
        recent.add(&Revocation::session("other"));
        assert_eq!(code(&recent, before), None);
        recent.add(&Revocation::session("s"));
        let after = recent.mark();
        recent.add(&Revocation::session("other"));
        assert_eq!(code(&recent, before), Some(Code::TokenRevoked));
        assert_eq!(code(&recent, after), None, "it was revoked before");
    }

    #[test]
    fn one_revocation_too_many_leaves_it_open_who_was_meant() {
        let recent = RecentRevocations::default();
        let before = recent.mark();
        for _ in 0..MAX_RECENT {
            recent.add(&Revocation::session("other"));
        }
        assert_eq!(code(&recent, before), None);
        recent.add(&Revocation::session("other"));
        assert_eq!(code(&recent, before), Some(Code::AuthUnavailable));
        assert_eq!(recent.recent.lock().len(), MAX_RECENT);
    }
}
