use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Instant;

use super::address::AddressKey;
use super::bounds::{AuthLimits, Rate};
use crate::base::recent::Recent;
use crate::rejection::code::{Code, Rejection};
use crate::subject::Subject;

/// Counts pending clients and failures against [`AuthLimits`]. One for a server, behind its lock.
///
/// Pure: time is an argument. Every table is bounded, every step takes constant time.
///
/// ```
/// use std::time::Instant;
/// use socketio_auth::{Code, limits::{AuthLimiter, AuthLimits}};
///
/// let mut limiter = AuthLimiter::new(AuthLimits::recommended());
/// let (now, address) = (Instant::now(), "192.0.2.1".parse().ok());
/// for _ in 0..10 {
///     assert_eq!(limiter.check_attempt(now, address), Ok(()));
///     limiter.record_failure(now, address);
/// }
/// let refused = limiter.check_attempt(now, address).expect_err("ten are enough");
/// assert_eq!(refused.code(), Code::RateLimited);
/// ```
pub struct AuthLimiter {
    limits: AuthLimits,
    pending_count: u32,
    /// Holds at most as many entries as there are pending clients.
    pending_by_address: HashMap<AddressKey, u32>,
    failures: Failures<AddressKey>,
    failed_renewals: Failures<Subject>,
}

impl AuthLimiter {
    /// A limiter that has seen nothing.
    #[must_use]
    pub fn new(limits: AuthLimits) -> Self {
        Self {
            pending_count: 0,
            pending_by_address: HashMap::new(),
            failures: Failures::new(limits.failures_per_address, limits.max_remembered),
            failed_renewals: Failures::new(
                limits.failed_renewals_per_subject,
                limits.max_remembered,
            ),
            limits,
        }
    }

    /// Counts a client that waits to be let in, which is one connection. When this succeeds,
    /// [`leave_pending`](Self::leave_pending) is due once, when it is in or gone.
    ///
    /// # Errors
    ///
    /// [`Code::AuthUnavailable`] when too many wait, [`Code::RateLimited`] when too many of one address do. Nothing
    /// is counted then.
    pub fn enter_pending(&mut self, address: Option<IpAddr>) -> Result<(), Rejection> {
        if self.pending_count >= self.limits.max_pending {
            return Err(Rejection::unavailable("too many clients are pending"));
        }
        if let (Some(max), Some(address)) = (self.limits.max_pending_per_address, address) {
            let key = AddressKey::of(address);
            // Of an address that is turned away, nothing new is remembered.
            if max == 0 {
                return Err(too_many_of_address());
            }
            let of_address = self.pending_by_address.entry(key).or_insert(0);
            if *of_address >= max {
                return Err(too_many_of_address());
            }
            *of_address += 1;
        }
        self.pending_count += 1;
        Ok(())
    }

    /// Ends the wait of a client whose address is this.
    pub fn leave_pending(&mut self, address: Option<IpAddr>) {
        self.pending_count = self.pending_count.saturating_sub(1);
        if self.limits.max_pending_per_address.is_none() {
            return;
        }
        if let Some(key) = address.map(AddressKey::of)
            && let Entry::Occupied(mut of_address) = self.pending_by_address.entry(key)
        {
            let left = of_address.get().saturating_sub(1);
            if left == 0 {
                of_address.remove();
            } else {
                of_address.insert(left);
            }
        }
    }

    /// How many clients wait to be let in.
    #[must_use]
    pub const fn pending_count(&self) -> u32 {
        self.pending_count
    }

    /// Asks before a verification.
    ///
    /// # Errors
    ///
    /// [`Code::RateLimited`] with the time to wait when too many attempts of the address failed.
    pub fn check_attempt(
        &mut self,
        now: Instant,
        address: Option<IpAddr>,
    ) -> Result<(), Rejection> {
        address.map_or(Ok(()), |address| {
            self.failures.check(now, &AddressKey::of(address))
        })
    }

    /// Notes that a verification for this address failed. A server that cannot judge is not the client's failure.
    pub fn record_failure(&mut self, now: Instant, address: Option<IpAddr>) {
        if let Some(address) = address {
            self.failures.record(now, AddressKey::of(address));
        }
    }

    /// Asks before the renewal of a grant of `subject`: the one that is connected, not the one the token claims.
    ///
    /// # Errors
    ///
    /// [`Code::RateLimited`] with the time to wait when too many renewals of the subject failed.
    pub fn check_renewal(&mut self, now: Instant, subject: &Subject) -> Result<(), Rejection> {
        self.failed_renewals.check(now, subject)
    }

    /// Notes that a renewal of a grant of `subject` failed.
    pub fn record_failed_renewal(&mut self, now: Instant, subject: &Subject) {
        self.failed_renewals.record(now, subject.clone());
    }
}

fn too_many_of_address() -> Rejection {
    Rejection::new(Code::RateLimited).with_detail("too many clients of the address are pending")
}

impl fmt::Debug for AuthLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthLimiter")
            .field("limits", &self.limits)
            .field("pending_count", &self.pending_count)
            .finish_non_exhaustive()
    }
}

/// Per key, when all its failures will be forgiven (the generic cell rate algorithm): one instant says it all.
struct Failures<K> {
    rate: Option<Rate>,
    forgiven_at: Recent<K, Instant>,
}

impl<K: Eq + Hash> Failures<K> {
    fn new(rate: Option<Rate>, max_remembered: usize) -> Self {
        Self {
            rate,
            forgiven_at: Recent::new(max_remembered),
        }
    }

    fn check(&mut self, now: Instant, key: &K) -> Result<(), Rejection> {
        let Some(rate) = self.rate else {
            return Ok(());
        };
        let Some(forgiven_at) = self.forgiven_at.get(key) else {
            return Ok(());
        };
        let ahead = forgiven_at.saturating_duration_since(now);
        match ahead.checked_sub(rate.tolerance()) {
            Some(wait) if !wait.is_zero() => {
                Err(Rejection::new(Code::RateLimited).with_retry_after(wait))
            }
            _ => Ok(()),
        }
    }

    fn record(&mut self, now: Instant, key: K) {
        let Some(rate) = self.rate else {
            return;
        };
        let from = self
            .forgiven_at
            .get(&key)
            .map_or(now, |forgiven_at| now.max(*forgiven_at));
        if let Some(forgiven_at) = from.checked_add(rate.period()) {
            self.forgiven_at.insert(key, forgiven_at);
        }
    }
}
