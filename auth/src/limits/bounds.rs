//! The numbers: how much strangers may cost.

use std::time::Duration;

/// How often something may fail: so many times at once, and then at this pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rate {
    /// How many failures are forgiven per minute. Zero counts as one.
    pub per_minute: u32,
    /// How many may come at once. Zero counts as one.
    pub burst: u32,
}

impl Rate {
    /// A rate.
    #[must_use]
    pub const fn new(per_minute: u32, burst: u32) -> Self {
        Self { per_minute, burst }
    }

    /// How long one failure takes to be forgiven.
    pub(super) fn period(self) -> Duration {
        Duration::from_secs(60) / self.per_minute.max(1)
    }

    /// How far ahead of the pace failures may be.
    pub(super) fn tolerance(self) -> Duration {
        self.period() * (self.burst.max(1) - 1)
    }
}

/// The bounds of a server as a whole.
///
/// By default only those who wait are bounded, and of one address far above what a company behind it needs. Failures are not:
/// there may be a load test. The attempts of a single connection are bounded in any case, by
/// [`NamespacePolicy::max_attempts`](crate::NamespacePolicy::max_attempts).
///
/// ```
/// use socketio_auth::limits::{AuthLimits, Rate};
///
/// let limits = AuthLimits::recommended().failures_per_address(Some(Rate::new(60, 30)));
/// assert_eq!(limits.max_pending, AuthLimits::default().max_pending);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "limits hold once the server has them"]
#[non_exhaustive]
pub struct AuthLimits {
    /// How many clients may wait to be let in; 10,000 by default. One more is refused as `auth_unavailable`. Raising it costs
    /// the memory of that many connections.
    ///
    /// A client is one connection, however many of its namespaces wait: how many may, the server bounds for each
    /// connection. Who is judged on the spot, as by most keys and secrets, does not wait and finds no place taken from him.
    pub max_pending: u32,
    /// How many of them may have one [address](crate::limits::AddressKey); 1,000 by default, 64 recommended. One more is refused as
    /// `rate_limited`, so that one address never keeps everybody else out. Clients that come through a proxy have its address
    /// unless it is [trusted](crate::limits::TrustedProxies); those without an address, on Unix sockets, count only together.
    pub max_pending_per_address: Option<u32>,
    /// How often attempts from one [address](crate::limits::AddressKey) may fail; not limited by default, 20 a minute and 10 at
    /// once recommended. Past it every attempt is refused as `rate_limited` and costs no verification. Good
    /// attempts do not count.
    pub failures_per_address: Option<Rate>,
    /// How often renewals of one subject may fail, whatever its connections; not limited by default, 5 a minute
    /// and 5 at once recommended.
    pub failed_renewals_per_subject: Option<Rate>,
    /// How many addresses and how many subjects are remembered, each; 65,536 by default. Past it those that have not failed for
    /// longest are forgotten: somebody with that many addresses is not slowed down any more.
    pub max_remembered: usize,
}

impl Default for AuthLimits {
    fn default() -> Self {
        Self {
            max_pending: 10_000,
            max_pending_per_address: Some(1_000),
            failures_per_address: None,
            failed_renewals_per_subject: None,
            max_remembered: 65_536,
        }
    }
}

impl AuthLimits {
    /// The bounds for a server in the open whose clients' addresses are known, which behind a proxy takes
    /// [`TrustedProxies`](crate::limits::TrustedProxies).
    pub fn recommended() -> Self {
        Self {
            max_pending_per_address: Some(64),
            failures_per_address: Some(Rate::new(20, 10)),
            failed_renewals_per_subject: Some(Rate::new(5, 5)),
            ..Self::default()
        }
    }

    /// Sets [`max_pending`](field@Self::max_pending).
    pub const fn max_pending(mut self, clients: u32) -> Self {
        self.max_pending = clients;
        self
    }

    /// Sets [`max_pending_per_address`](field@Self::max_pending_per_address).
    pub const fn max_pending_per_address(mut self, clients: Option<u32>) -> Self {
        self.max_pending_per_address = clients;
        self
    }

    /// Sets [`failures_per_address`](field@Self::failures_per_address).
    pub const fn failures_per_address(mut self, rate: Option<Rate>) -> Self {
        self.failures_per_address = rate;
        self
    }

    /// Sets [`failed_renewals_per_subject`](field@Self::failed_renewals_per_subject).
    pub const fn failed_renewals_per_subject(mut self, rate: Option<Rate>) -> Self {
        self.failed_renewals_per_subject = rate;
        self
    }

    /// Sets [`max_remembered`](field@Self::max_remembered).
    pub const fn max_remembered(mut self, entries: usize) -> Self {
        self.max_remembered = entries;
        self
    }
}
