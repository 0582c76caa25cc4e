//! What is remembered of revocations. Pure: time is an argument.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::list::{Revocation, is_issued_up_to};
use crate::grant::GrantFacts;

/// How much longer than a token its revocation is kept, for clocks that differ and leeways.
const SKEW: Duration = Duration::from_secs(5 * 60);

/// How often what has ended is looked for.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Table {
    max_entries: usize,
    lifetime: Duration,
    swept_at: SystemTime,
    tokens: Entries,
    subjects: Entries,
    sessions: Entries,
    issuers: Entries,
    keys: Entries,
    /// Under the empty id; not counted, so that it always fits.
    all: Entries,
}

type Entries = HashMap<Box<str>, Entry>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    /// `None` when it does not matter when the token was issued.
    watermark: Option<u64>,
    ends_at: SystemTime,
}

impl Entry {
    fn covers(&self, now: SystemTime, grant: &GrantFacts) -> bool {
        now < self.ends_at
            && self
                .watermark
                .is_none_or(|watermark| is_issued_up_to(grant, watermark))
    }
}

/// What became of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remembered {
    /// It revokes more than before.
    New,
    /// It was known.
    Known,
    /// There is no room for it.
    Full,
}

impl Table {
    pub(super) fn new(max_entries: usize, lifetime: Duration) -> Self {
        Self {
            max_entries,
            lifetime,
            swept_at: UNIX_EPOCH,
            tokens: Entries::new(),
            subjects: Entries::new(),
            sessions: Entries::new(),
            issuers: Entries::new(),
            keys: Entries::new(),
            all: Entries::new(),
        }
    }

    pub(super) fn insert(&mut self, now: SystemTime, revocation: &Revocation) -> Remembered {
        self.sweep(now);
        let has_room =
            self.len() < self.max_entries || matches!(revocation, Revocation::All { .. });
        let mut ends_at = later(now, self.lifetime);
        let (entries, id, watermark) = match revocation {
            Revocation::Token { id, expires_at } => {
                let token_ends_at =
                    expires_at.and_then(|at| UNIX_EPOCH.checked_add(Duration::from_secs(at)));
                ends_at = token_ends_at.map_or(ends_at, |at| later(at, SKEW));
                (&mut self.tokens, &**id, None)
            }
            Revocation::Subject { subject, watermark } => {
                (&mut self.subjects, &**subject, Some(*watermark))
            }
            Revocation::Session { id } => (&mut self.sessions, &**id, None),
            Revocation::Issuer { issuer, watermark } => {
                (&mut self.issuers, &**issuer, Some(*watermark))
            }
            Revocation::Key { id } => (&mut self.keys, &**id, None),
            Revocation::All { watermark } => (&mut self.all, "", Some(*watermark)),
        };
        match entries.get_mut(id) {
            Some(known) if now < known.ends_at => {
                let is_more = watermark > known.watermark;
                known.watermark = known.watermark.max(watermark);
                known.ends_at = known.ends_at.max(ends_at);
                if is_more {
                    Remembered::New
                } else {
                    Remembered::Known
                }
            }
            Some(ended) => {
                *ended = Entry { watermark, ends_at };
                Remembered::New
            }
            None if has_room => {
                entries.insert(id.into(), Entry { watermark, ends_at });
                Remembered::New
            }
            None => Remembered::Full,
        }
    }

    pub(super) fn is_revoked(&self, now: SystemTime, grant: &GrantFacts) -> bool {
        [
            (&self.tokens, grant.token_id()),
            (&self.subjects, Some(grant.subject())),
            (&self.sessions, grant.session_id()),
            (&self.issuers, grant.issuer()),
            (&self.keys, grant.key_id()),
            (&self.all, Some("")),
        ]
        .into_iter()
        .filter_map(|(entries, id)| entries.get(id?))
        .any(|entry| entry.covers(now, grant))
    }

    fn sweep(&mut self, now: SystemTime) {
        let is_due = now
            .duration_since(self.swept_at)
            .is_ok_and(|since| since >= SWEEP_INTERVAL);
        if is_due || self.len() >= self.max_entries {
            self.swept_at = now;
            for entries in [
                &mut self.tokens,
                &mut self.subjects,
                &mut self.sessions,
                &mut self.issuers,
                &mut self.keys,
                &mut self.all,
            ] {
                entries.retain(|_, entry| now < entry.ends_at);
            }
        }
    }

    /// True when nothing at all is revoked; the [length](Self::len) does not tell of everything.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0 && self.all.is_empty()
    }

    /// How many entries count.
    pub(super) fn len(&self) -> usize {
        [
            &self.tokens,
            &self.subjects,
            &self.sessions,
            &self.issuers,
            &self.keys,
        ]
        .into_iter()
        .map(HashMap::len)
        .sum()
    }
}

/// The sum, or what is as good as for ever.
fn later(at: SystemTime, by: Duration) -> SystemTime {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    at.checked_add(by.min(CENTURY)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Grant;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn grant(issued_at: u64) -> Grant<()> {
        Grant::new((), "ann")
            .with_issuer("idp")
            .with_key_id("k1")
            .with_token_id("t1")
            .with_session_id("s1")
            .with_issued_at(at(issued_at))
    }

    #[test]
    fn each_kind_revokes_its_own_and_nothing_else() {
        for (own, foreign) in [
            (Revocation::token("t1"), Revocation::token("s1")),
            (Revocation::session("s1"), Revocation::session("t1")),
            (Revocation::key("k1"), Revocation::key("k2")),
            (
                Revocation::subject("ann", at(50)),
                Revocation::subject("bob", at(50)),
            ),
            (
                Revocation::issuer("idp", at(50)),
                Revocation::issuer("other", at(50)),
            ),
            (Revocation::all(at(50)), Revocation::all(at(49))),
        ] {
            for (revocation, is_revoked) in [(own, true), (foreign, false)] {
                let mut table = Table::new(10, DAY);
                assert_eq!(table.insert(at(50), &revocation), Remembered::New);
                let facts = grant(50);
                assert_eq!(
                    table.is_revoked(at(50), facts.facts()),
                    is_revoked,
                    "{revocation:?}"
                );
                assert_eq!(revocation.covers(facts.facts()), is_revoked);
            }
        }
    }

    #[test]
    fn a_watermark_is_inclusive_in_whole_seconds_and_never_falls() {
        let mut table = Table::new(10, DAY);
        let revoked = |table: &Table, grant: &Grant<()>| table.is_revoked(at(101), grant.facts());
        let late = SystemTime::UNIX_EPOCH + Duration::from_millis(100_999);
        table.insert(at(100), &Revocation::subject("ann", late));
        assert!(revoked(&table, &grant(100)));
        assert!(!revoked(&table, &grant(101)));
        assert!(revoked(&table, &Grant::new((), "ann")), "without iat");
        let earlier = Revocation::subject("ann", at(90));
        assert_eq!(table.insert(at(101), &earlier), Remembered::Known);
        assert!(revoked(&table, &grant(100)));
        let more = Revocation::subject("ann", at(101));
        assert_eq!(table.insert(at(101), &more), Remembered::New);
        assert!(revoked(&table, &grant(101)));
    }

    #[test]
    fn an_entry_lives_as_long_as_what_it_revokes() {
        let mut table = Table::new(10, DAY);
        table.insert(at(0), &Revocation::session("s1"));
        let last = DAY.as_secs() - 1;
        assert!(table.is_revoked(at(last), grant(0).facts()));
        assert!(!table.is_revoked(at(last + 1), grant(0).facts()));

        let mut table = Table::new(10, DAY);
        let token = Revocation::Token {
            id: "t1".into(),
            expires_at: Some(1000),
        };
        table.insert(at(0), &token);
        let end = 1000 + SKEW.as_secs();
        assert!(table.is_revoked(at(end - 1), grant(0).facts()));
        assert!(!table.is_revoked(at(end), grant(0).facts()));
        assert_eq!(table.insert(at(end), &token), Remembered::New, "it ended");
    }

    #[test]
    fn a_full_table_refuses_what_is_new_until_something_ends() {
        let mut table = Table::new(2, DAY);
        let session = |id: &str| Revocation::session(id);
        assert_eq!(table.insert(at(0), &session("a")), Remembered::New);
        assert_eq!(table.insert(at(9), &session("b")), Remembered::New);
        assert_eq!(table.insert(at(9), &session("c")), Remembered::Full);
        assert_eq!(table.insert(at(9), &session("a")), Remembered::Known);
        let all = Revocation::all(at(9));
        assert_eq!(table.insert(at(9), &all), Remembered::New, "always fits");
        let later = at(DAY.as_secs() + 9);
        assert_eq!(table.insert(later, &session("c")), Remembered::New);
        assert_eq!(
            table.len(),
            1,
            "a was prolonged by its repetition to 9 s, b ended"
        );
    }

    #[test]
    fn no_time_is_too_large() {
        let mut table = Table::new(2, Duration::MAX);
        let token = Revocation::Token {
            id: "t1".into(),
            expires_at: Some(u64::MAX),
        };
        assert_eq!(table.insert(at(0), &token), Remembered::New);
        assert!(table.is_revoked(at(1), grant(0).facts()));
    }
}
