//! When to fetch a key set and what to answer meanwhile: the pure half of the cache.
//!
//! ```text
//!            fetched        refresh_at      stale_at                 useless_at
//! no keys ──────┼── fresh ──────┼─── keys served, refreshed behind ───────┼── no keys
//! ```
//!
//! One fetch flies at a time, and none starts within `min_refresh_interval` of the last start, whatever tokens say:
//! that bound is what an attacker who makes key ids up runs into.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::algorithm::Algorithm;
use super::jwks_options::JwksOptions;
use super::key_set::{Fit, KeySet};
use crate::base::recent::Recent;
use crate::fetch::exchange::{FetchError, FetchResponse};

/// How many key ids are remembered as unknown.
const MAX_ABSENT: usize = 1024;

/// A fetch that takes longer is given up: another may start, and its late answer counts for nothing.
const MAX_FLIGHT: Duration = Duration::from_secs(30);

/// What the keys of a token are asked for by.
pub(super) type Wanted = (Algorithm, Option<Arc<str>>);

#[derive(Debug)]
pub(super) struct JwksState {
    options: JwksOptions,
    held: Option<Held>,
    flight: Option<Flight>,
    last_start: Option<SystemTime>,
    has_last_failed: bool,
    absent: Recent<Wanted, SystemTime>,
    next_number: u64,
    /// Between 0 and 255, fixed for this process: servers that started together refresh apart.
    jitter: u8,
}

#[derive(Debug)]
struct Held {
    keys: KeySet,
    etag: Option<String>,
    fetched_at: SystemTime,
    refresh_after: Duration,
    useless_after: Duration,
}

impl Held {
    fn fit(&self, wanted: &Wanted) -> Fit {
        self.keys.fit(wanted.0, wanted.1.as_deref())
    }
}

/// A fetch under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flight {
    pub(super) number: u64,
    pub(super) etag: Option<String>,
    started_at: SystemTime,
}

/// What a fetch brought.
struct Fresh {
    keys: KeySet,
    etag: Option<String>,
    skipped: String,
}

/// How a fetch ended.
pub(super) enum Landed {
    Refreshed {
        /// The keys that were passed over and why, unless that is known from the fetch before.
        skipped: String,
    },
    /// Why not.
    Failed(String),
}

#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// These may verify the token.
    Keys(KeySet),
    /// No key of the issuer does.
    Unknown,
    /// It cannot be told.
    Unavailable,
    /// When this flight has landed, ask again with [`JwksState::settle`].
    Wait(u64),
}

impl JwksState {
    pub(super) fn new(options: JwksOptions, jitter: u8) -> Self {
        Self {
            options,
            held: None,
            flight: None,
            last_start: None,
            has_last_failed: false,
            absent: Recent::new(MAX_ABSENT),
            next_number: 0,
            jitter,
        }
    }

    /// What to answer now, and a fetch to start.
    pub(super) fn look_up(&mut self, now: SystemTime, wanted: &Wanted) -> (Answer, Option<Flight>) {
        let Some(held) = self.usable(now) else {
            return self.wait_or(now, Answer::Unavailable);
        };
        let (keys, fit) = (held.keys.clone(), held.fit(wanted));
        let is_due = has_passed(now, held.fetched_at, held.refresh_after);
        let is_known_absent = self
            .absent
            .get(wanted)
            .is_some_and(|since| !has_passed(now, *since, self.options.negative_ttl));
        match fit {
            Fit::None if is_known_absent => (Answer::Unknown, None),
            Fit::None => {
                let otherwise = self.not_found();
                self.wait_or(now, otherwise)
            }
            // The issuer may have published the key of that very id meanwhile. One that does not answer is not waited for.
            Fit::Nameless if !is_known_absent && !self.has_last_failed => {
                self.wait_or(now, Answer::Keys(keys))
            }
            Fit::Exact | Fit::Nameless => {
                let flight = if is_due { self.start(now) } else { None };
                (Answer::Keys(keys), flight)
            }
        }
    }

    /// What to answer after the flight that [`Answer::Wait`] named.
    pub(super) fn settle(&mut self, now: SystemTime, wanted: &Wanted) -> Answer {
        let Some(held) = self.usable(now) else {
            return Answer::Unavailable;
        };
        let (keys, fit) = (held.keys.clone(), held.fit(wanted));
        if fit != Fit::Exact && !self.has_last_failed {
            self.absent.insert(wanted.clone(), now);
        }
        match fit {
            Fit::None => self.not_found(),
            Fit::Exact | Fit::Nameless => Answer::Keys(keys),
        }
    }

    /// Takes the answer of a fetch. One that was given up, or is not the last, counts for nothing.
    pub(super) fn land(
        &mut self,
        now: SystemTime,
        number: u64,
        result: &Result<FetchResponse, FetchError>,
    ) -> Option<Landed> {
        if !self.is_flying(number) {
            return None;
        }
        self.flight = None;
        let fresh = match result {
            Ok(response) if response.status() == 200 => self.read(response),
            Ok(response) if response.status() == 304 => match self.held.take() {
                Some(Held { keys, etag, .. }) => Ok(Fresh {
                    keys,
                    etag: response.header("etag").map(str::to_owned).or(etag),
                    skipped: String::new(),
                }),
                None => Err("the status is 304, and there is nothing to go on with".to_owned()),
            },
            Ok(response) => Err(format!("the status is {}", response.status())),
            Err(error) => Err(error.to_string()),
        };
        self.has_last_failed = fresh.is_err();
        let fresh = match fresh {
            Ok(fresh) => fresh,
            Err(why) => return Some(Landed::Failed(why)),
        };
        let Fresh {
            keys,
            etag,
            skipped,
        } = fresh;
        if let Ok(response) = result {
            let fresh_for = self.fresh_for(response.header("cache-control"));
            // From 3/4 to almost all of the time.
            let share = 768 + u32::from(self.jitter);
            self.held = Some(Held {
                keys,
                etag,
                fetched_at: now,
                refresh_after: fresh_for.saturating_mul(share) / 1024,
                useless_after: fresh_for.saturating_add(self.options.max_stale),
            });
        }
        Some(Landed::Refreshed { skipped })
    }

    pub(super) fn is_flying(&self, number: u64) -> bool {
        self.flight
            .as_ref()
            .is_some_and(|flight| flight.number == number)
    }

    fn usable(&self, now: SystemTime) -> Option<&Held> {
        self.held
            .as_ref()
            .filter(|held| !has_passed(now, held.fetched_at, held.useless_after))
    }

    fn not_found(&self) -> Answer {
        if self.has_last_failed {
            Answer::Unavailable
        } else {
            Answer::Unknown
        }
    }

    /// Waits for the flight under way or for a new one; when none may start, `otherwise`.
    fn wait_or(&mut self, now: SystemTime, otherwise: Answer) -> (Answer, Option<Flight>) {
        let started = self.start(now);
        match &self.flight {
            Some(flight) => (Answer::Wait(flight.number), started),
            None => (otherwise, None),
        }
    }

    /// Starts a fetch unless one flies or it is too soon.
    fn start(&mut self, now: SystemTime) -> Option<Flight> {
        let is_flying = self
            .flight
            .as_ref()
            .is_some_and(|flight| !has_passed(now, flight.started_at, MAX_FLIGHT));
        let is_too_soon = self
            .last_start
            .is_some_and(|at| !has_passed(now, at, self.options.min_refresh_interval));
        if is_flying {
            return None;
        }
        if is_too_soon {
            self.flight = None;
            return None;
        }
        let flight = Flight {
            number: self.next_number,
            etag: self.held.as_ref().and_then(|held| held.etag.clone()),
            started_at: now,
        };
        self.next_number = self.next_number.wrapping_add(1);
        self.last_start = Some(now);
        self.flight = Some(flight.clone());
        Some(flight)
    }

    fn read(&self, response: &FetchResponse) -> Result<Fresh, String> {
        let (len, max) = (response.body().len(), self.options.max_body_bytes);
        if len > max {
            return Err(format!(
                "the answer has {len} bytes, max_body_bytes is {max}"
            ));
        }
        let json = std::str::from_utf8(response.body());
        let json = json.map_err(|_| "the answer is no text".to_owned())?;
        let keys = KeySet::from_jwks(json, self.options.rsa_algorithm)
            .map_err(|error| format!("the answer is no key set: {error}"))?;
        let known = self.held.as_ref().map(|held| &held.keys);
        let is_known = known.is_some_and(|known| known.skipped().eq(keys.skipped()));
        let skipped: Vec<String> = match is_known {
            true => Vec::new(),
            false => keys.skipped().map(ToString::to_string).collect(),
        };
        Ok(Fresh {
            keys,
            etag: response.header("etag").map(str::to_owned),
            skipped: skipped.join("; "),
        })
    }

    /// `max-age` within the configured bounds (RFC 9111 §5.2.2); what forbids storing is as short as allowed.
    fn fresh_for(&self, cache_control: Option<&str>) -> Duration {
        let mut fresh = self.options.default_fresh;
        for directive in cache_control.unwrap_or_default().split(',') {
            let directive = directive.trim();
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                fresh = Duration::ZERO;
                break;
            }
            if name.eq_ignore_ascii_case("max-age")
                && let Ok(seconds) = value.trim_matches('"').parse()
            {
                fresh = Duration::from_secs(seconds);
            }
        }
        // Not `clamp`, which panics when the options contradict each other.
        fresh
            .max(self.options.min_fresh)
            .min(self.options.max_fresh)
    }
}

/// True when so much time has passed since; also when the clock went back, so that it cannot keep keys alive.
fn has_passed(now: SystemTime, since: SystemTime, duration: Duration) -> bool {
    now.duration_since(since)
        .map_or(true, |elapsed| elapsed >= duration)
}
