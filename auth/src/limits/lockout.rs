use std::fmt;
use std::time::{Duration, Instant};

use super::address::AddressKey;
use crate::base::lock::Lock;
use crate::base::recent::Recent;
use crate::subject::Subject;

/// Whom a [`Lockout`] may lock out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LockoutKey<'a> {
    /// Everybody at an address.
    Address(AddressKey),
    /// A subject that was verified: the holder of the grant that is being renewed. Do not take what an unverified token
    /// claims, or anybody could lock anybody out.
    Subject(&'a Subject),
}

/// Locks out who fails again and again; the application's own may share its state between servers.
///
/// The server asks before an attempt, refuses it as [`Code::RateLimited`](crate::Code::RateLimited) when locked,
/// and reports how it went. All three answer from memory, at once.
pub trait Lockout: Send + Sync + 'static {
    /// How long `key` is still locked out; `None` when it is not.
    fn locked_for(&self, now: Instant, key: LockoutKey<'_>) -> Option<Duration>;

    /// An attempt failed.
    fn failed(&self, now: Instant, key: LockoutKey<'_>);

    /// An attempt succeeded.
    fn succeeded(&self, now: Instant, key: LockoutKey<'_>);
}

/// Locks out for twice as long at every failure.
///
/// The first [`FREE_FAILURES`](Self::FREE_FAILURES) are free, the next locks out for one second, then two, four and so on up to
/// [`LONGEST`](Self::LONGEST). A success forgets them all, and so does as much quiet as the longest lock after
/// the last one ended. Remembers a bounded number of keys.
///
/// ```
/// use std::time::{Duration, Instant};
/// use socketio_auth::{Subject, limits::{ExponentialLockout, Lockout, LockoutKey}};
///
/// let (lockout, now) = (ExponentialLockout::new(65_536), Instant::now());
/// let user = Subject::new("user-7");
/// for _ in 0..=ExponentialLockout::FREE_FAILURES {
///     assert_eq!(lockout.locked_for(now, LockoutKey::Subject(&user)), None);
///     lockout.failed(now, LockoutKey::Subject(&user));
/// }
/// assert_eq!(lockout.locked_for(now, LockoutKey::Subject(&user)), Some(Duration::from_secs(1)));
/// ```
pub struct ExponentialLockout(Lock<Recent<OwnedKey, Record>>);

#[derive(Debug, PartialEq, Eq, Hash)]
enum OwnedKey {
    Address(AddressKey),
    Subject(Subject),
}

#[derive(Clone, Copy)]
struct Record {
    failures_count: u32,
    locked_until: Instant,
}

impl ExponentialLockout {
    /// How many failures are free.
    pub const FREE_FAILURES: u32 = 5;

    /// The longest lock: 15 minutes.
    pub const LONGEST: Duration = Duration::from_secs(15 * 60);

    /// A lockout that remembers `max_remembered` keys; the least active are forgotten.
    #[must_use]
    pub fn new(max_remembered: usize) -> Self {
        Self(Lock::new(Recent::new(max_remembered)))
    }
}

impl Lockout for ExponentialLockout {
    fn locked_for(&self, now: Instant, key: LockoutKey<'_>) -> Option<Duration> {
        let mut table = self.0.lock();
        let record = table.get(&OwnedKey::from(key))?;
        let left = record.locked_until.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    fn failed(&self, now: Instant, key: LockoutKey<'_>) {
        let (mut table, key) = (self.0.lock(), OwnedKey::from(key));
        let failures_count = match table.get(&key) {
            Some(record) if now.saturating_duration_since(record.locked_until) < Self::LONGEST => {
                record.failures_count.saturating_add(1)
            }
            _ => 1,
        };
        let lock = match failures_count.checked_sub(Self::FREE_FAILURES + 1) {
            Some(doublings) => Duration::from_secs(1u64 << doublings.min(30)).min(Self::LONGEST),
            None => Duration::ZERO,
        };
        let record = Record {
            failures_count,
            locked_until: now.checked_add(lock).unwrap_or(now),
        };
        table.insert(key, record);
    }

    fn succeeded(&self, _now: Instant, key: LockoutKey<'_>) {
        self.0.lock().remove(&OwnedKey::from(key));
    }
}

impl From<LockoutKey<'_>> for OwnedKey {
    fn from(key: LockoutKey<'_>) -> Self {
        match key {
            LockoutKey::Address(address) => Self::Address(address),
            LockoutKey::Subject(subject) => Self::Subject(subject.clone()),
        }
    }
}

impl fmt::Debug for ExponentialLockout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ExponentialLockout")
    }
}
