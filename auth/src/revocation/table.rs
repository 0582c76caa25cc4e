//! What is remembered of revocations. Pure: time is an argument.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::list::{OfIssuer, Revocation, is_issued_up_to};
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
    tokens: Names,
    subjects: Names,
    sessions: Names,
    issuers: Entries,
    keys: Names,
    /// Under the empty id; not counted, so that it always fits.
    all: Entries,
}

type Entries = HashMap<Box<str>, Entry>;

/// Names of one kind, each of one issuer or of all.
#[derive(Debug, Default)]
struct Names {
    of_any: Entries,
    of_nobody: Entries,
    of_issuer: HashMap<Box<str>, Entries>,
}

impl Names {
    fn entries_mut(&mut self, issuer: &OfIssuer) -> &mut Entries {
        match issuer {
            OfIssuer::Any => &mut self.of_any,
            OfIssuer::Nobody => &mut self.of_nobody,
            OfIssuer::Named(name) => self.of_issuer.entry(name.clone()).or_default(),
        }
    }

    fn get(&self, issuer: Option<&str>, id: &str) -> impl Iterator<Item = &Entry> {
        let exactly = match issuer {
            None => Some(&self.of_nobody),
            Some(name) => self.of_issuer.get(name),
        };
        [self.of_any.get(id), exactly.and_then(|of| of.get(id))]
            .into_iter()
            .flatten()
    }

    fn retain(&mut self, now: SystemTime) {
        let keep = |entries: &mut Entries| entries.retain(|_, entry| now < entry.ends_at);
        keep(&mut self.of_any);
        keep(&mut self.of_nobody);
        self.of_issuer.retain(|_, entries| {
            keep(entries);
            !entries.is_empty()
        });
    }

    fn len(&self) -> usize {
        let of_issuers: usize = self.of_issuer.values().map(HashMap::len).sum();
        self.of_any.len() + self.of_nobody.len() + of_issuers
    }
}

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
            tokens: Names::default(),
            subjects: Names::default(),
            sessions: Names::default(),
            issuers: Entries::new(),
            keys: Names::default(),
            all: Entries::new(),
        }
    }

    pub(super) fn insert(&mut self, now: SystemTime, revocation: &Revocation) -> Remembered {
        self.sweep(now);
        let has_room =
            self.len() < self.max_entries || matches!(revocation, Revocation::All { .. });
        let mut ends_at = later(now, self.lifetime);
        let (entries, id, watermark) = match revocation {
            Revocation::Token {
                id,
                issuer,
                expires_at,
            } => {
                let token_ends_at =
                    expires_at.and_then(|at| UNIX_EPOCH.checked_add(Duration::from_secs(at)));
                ends_at = token_ends_at.map_or(ends_at, |at| later(at, SKEW));
                (self.tokens.entries_mut(issuer), &**id, None)
            }
            Revocation::Subject {
                subject,
                issuer,
                watermark,
            } => (
                self.subjects.entries_mut(issuer),
                &**subject,
                Some(*watermark),
            ),
            Revocation::Session { id, issuer } => (self.sessions.entries_mut(issuer), &**id, None),
            Revocation::Issuer { issuer, watermark } => {
                (&mut self.issuers, &**issuer, Some(*watermark))
            }
            Revocation::Key { id, issuer } => (self.keys.entries_mut(issuer), &**id, None),
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
        let issuer = grant.issuer();
        let by_name = [
            (&self.tokens, grant.token_id()),
            (&self.subjects, Some(grant.subject().id())),
            (&self.sessions, grant.session_id()),
            (&self.keys, grant.key_id()),
        ]
        .into_iter()
        .filter_map(|(names, id)| Some(names.get(issuer, id?)))
        .flatten();
        let of_many = [(&self.issuers, issuer), (&self.all, Some(""))]
            .into_iter()
            .filter_map(|(entries, id)| entries.get(id?));
        by_name.chain(of_many).any(|entry| entry.covers(now, grant))
    }

    fn sweep(&mut self, now: SystemTime) {
        let is_due = now
            .duration_since(self.swept_at)
            .is_ok_and(|since| since >= SWEEP_INTERVAL);
        if is_due || self.len() >= self.max_entries {
            self.swept_at = now;
            for names in [
                &mut self.tokens,
                &mut self.subjects,
                &mut self.sessions,
                &mut self.keys,
            ] {
                names.retain(now);
            }
            for entries in [&mut self.issuers, &mut self.all] {
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
        let names = [&self.tokens, &self.subjects, &self.sessions, &self.keys];
        names.into_iter().map(Names::len).sum::<usize>() + self.issuers.len()
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
    fn a_name_of_one_issuer_is_not_that_of_another() {
        let of = |issuer: Option<&str>| {
            let grant = Grant::new((), "ann")
                .with_key_id("k1")
                .with_token_id("t1")
                .with_session_id("s1")
                .with_issued_at(at(50));
            match issuer {
                Some(name) => grant.with_issuer(name),
                None => grant,
            }
        };
        let everybody = [Some("a"), Some("b"), None];
        for revocation in [
            Revocation::token("t1"),
            Revocation::session("s1"),
            Revocation::key("k1"),
            Revocation::subject("ann", at(50)),
        ] {
            for meant in everybody {
                let exact = revocation.clone().of_issuer(meant);
                let mut table = Table::new(10, DAY);
                table.insert(at(50), &exact);
                assert_eq!(table.len(), 1);
                for issuer in everybody {
                    let grant = of(issuer);
                    let is_meant = issuer == meant;
                    assert_eq!(table.is_revoked(at(50), grant.facts()), is_meant);
                    assert_eq!(exact.covers(grant.facts()), is_meant, "{exact:?}");
                    assert!(revocation.covers(grant.facts()), "{revocation:?}");
                }
                table.sweep(at(50 + DAY.as_secs()));
                assert_eq!((table.len(), table.is_empty()), (0, true));
            }
        }
        let exact = Revocation::subject(of(Some("a")).subject(), at(50));
        assert_eq!(exact, Revocation::subject("ann", at(50)).of_issuer("a"));
        let own = Revocation::subject(of(None).subject(), at(50));
        assert_eq!(own, Revocation::subject("ann", at(50)).of_issuer(None));
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
            issuer: OfIssuer::Any,
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
            issuer: OfIssuer::Any,
            expires_at: Some(u64::MAX),
        };
        assert_eq!(table.insert(at(0), &token), Remembered::New);
        assert!(table.is_revoked(at(1), grant(0).facts()));
    }
}
