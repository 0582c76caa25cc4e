//! What the server keeps for authentication as a whole: every policy in use, and the bounds over all clients.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use engineio::Forwarded;
use socketio_auth::{
    self as auth, AuditSink, AuthEvent, Code, Extract, HandshakeView, Rejection, Subject,
    limits::{AddressKey, AuthLimiter, Lockout, LockoutKey, TrustedProxies},
    revocation::Revocation,
    server::DynPolicy,
};

use super::guard::Guard;
use super::revoked::RecentRevocations;
use super::secrets::{Opening, Secrets};
use crate::lock::Lock;
use crate::running::{Panicked, guard};

pub(crate) struct Authority {
    policies: Lock<Arc<Policies>>,
    is_guarded: bool,
    limiter: Lock<AuthLimiter>,
    lockout: Option<Arc<dyn Lockout>>,
    audit: Option<Arc<dyn AuditSink>>,
    pub(crate) revoked: RecentRevocations,
}

/// The policies in use, and what an opening request is searched for on their behalf.
#[derive(Clone, Default)]
pub(crate) struct Policies {
    /// The first is the server's own, if there is one.
    all: Vec<InUse>,
    /// The parts of an opening request that are not kept.
    secrets: Secrets,
}

#[derive(Clone)]
struct InUse {
    policy: Arc<dyn DynPolicy>,
    /// A request without secrets presents nothing to it.
    is_confined: bool,
}

impl From<Arc<dyn DynPolicy>> for Policies {
    fn from(policy: Arc<dyn DynPolicy>) -> Self {
        Self {
            secrets: Secrets::of(&*policy),
            all: vec![InUse {
                is_confined: policy.is_confined(),
                policy,
            }],
        }
    }
}

impl Policies {
    /// What is not to be kept of an opening request; `None` when it has nothing of the kind.
    pub(crate) fn secrets_in(&self, request: &engineio::RequestView<'_>) -> Option<&Secrets> {
        Some(&self.secrets).filter(|secrets| secrets.are_in(request))
    }

    /// What the opening request presents to each policy; nothing is kept of requests that present nothing.
    pub(crate) fn extract(
        &self,
        request: &engineio::RequestView<'_>,
        secrets: Option<&Secrets>,
    ) -> impl Iterator<Item = (usize, Result<Extract, Panicked>)> {
        let policies = self.all.iter().enumerate();
        policies
            .filter(move |(_, of)| secrets.is_some() || !of.is_confined)
            .map(|(index, of)| (index, extract(&*of.policy, request)))
            .filter(|(_, found)| !matches!(found, Ok(Extract::Absent)))
    }
}

/// What the builder of a server was told about authentication as a whole.
#[derive(Default)]
pub(crate) struct AuthOptions {
    pub(crate) limits: auth::limits::AuthLimits,
    pub(crate) lockout: Option<Arc<dyn Lockout>>,
    pub(crate) proxies: Arc<TrustedProxies>,
    pub(crate) audit: Option<Arc<dyn AuditSink>>,
}

impl fmt::Debug for AuthOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthOptions")
            .field("limits", &self.limits)
            .field("proxies", &self.proxies)
            .field("has_lockout", &self.lockout.is_some())
            .field("has_audit", &self.audit.is_some())
            .finish()
    }
}

impl AuthOptions {
    /// Has the engine see the client behind the trusted proxies, if there are any.
    pub(crate) fn see_through_proxies(&self, engine: engineio::Config) -> engineio::Config {
        if *self.proxies == TrustedProxies::default() {
            return engine;
        }
        let proxies = Arc::clone(&self.proxies);
        engine.forwarded(move |request| forwarded_by(&proxies, request))
    }
}

/// Whom a trusted proxy speaks for. `None` where the peer itself is the client, or nothing says otherwise.
fn forwarded_by(
    proxies: &TrustedProxies,
    request: &engineio::RequestView<'_>,
) -> Option<Forwarded> {
    let peer = request.peer().map(|peer| peer.ip().to_canonical());
    let client = match peer {
        Some(peer) if proxies.contains(peer) => {
            Some(proxies.client_address(peer, &Opening(request)))
        }
        None if request.is_unix() && proxies.trusts_unix_sockets() => {
            proxies.client_address_on_unix(&Opening(request))
        }
        Some(_) | None => return None,
    };
    let said = request.header_values("x-forwarded-proto").last();
    // Of several words the last is that of the proxy next to us; the client may have written the others.
    let said = said.and_then(|protocols| protocols.rsplit(|&byte| byte == b',').next());
    let is_secure = match said.map(<[u8]>::trim_ascii) {
        Some(said) => said.eq_ignore_ascii_case(b"https") || said.eq_ignore_ascii_case(b"wss"),
        None => request.is_secure(),
    };
    // A proxy on the client's own machine names its own address: it speaks for a client all the same.
    let is_named = client.is_some() && request.header("x-forwarded-for").is_some();
    let is_as_seen = !is_named && client == peer && is_secure == request.is_secure();
    let forwarded = || client.map_or_else(Forwarded::unknown, Forwarded::new);
    (!is_as_seen).then(|| forwarded().secure(is_secure))
}

impl Authority {
    pub(crate) fn new(policy: Option<Arc<dyn DynPolicy>>, options: AuthOptions) -> Self {
        Self {
            is_guarded: policy.is_some(),
            policies: Lock::new(Arc::new(policy.map(Policies::from).unwrap_or_default())),
            limiter: Lock::new(AuthLimiter::new(options.limits)),
            lockout: options.lockout,
            audit: options.audit,
            revoked: RecentRevocations::default(),
        }
    }

    /// True when somebody keeps the books.
    pub(crate) fn is_audited(&self) -> bool {
        self.audit.is_some()
    }

    /// Writes into the books. A sink that panics loses what it was told and nothing else.
    pub(crate) fn audit(&self, event: &AuthEvent<'_>) {
        if let Some(sink) = &self.audit {
            let _ = guard(|| sink.event(event));
        }
    }

    /// The policy of the server.
    pub(crate) fn default_guard(&self) -> Option<Guard> {
        let policies = self.policies();
        let of_server = policies.all.first().filter(|_| self.is_guarded)?;
        Some(Guard {
            index: 0,
            policy: Arc::clone(&of_server.policy),
        })
    }

    pub(crate) fn add(&self, policy: Arc<dyn DynPolicy>) -> Guard {
        // The policy is asked before the lock is taken.
        let added = Policies::from(Arc::clone(&policy));
        let mut shared = self.policies.lock();
        let policies = Arc::make_mut(&mut shared);
        let index = policies.all.len();
        policies.all.extend(added.all);
        policies.secrets.add(&added.secrets);
        Guard { index, policy }
    }

    /// Takes in what another server of the cluster revoked. A list that panics has not taken it in; the others have.
    pub(crate) fn absorb(&self, revocation: &Revocation) {
        for InUse { policy, .. } in &self.policies().all {
            let _ = guard(|| policy.revocations(&mut |list| list.absorb(revocation)));
        }
    }

    pub(crate) fn policies(&self) -> Arc<Policies> {
        Arc::clone(&self.policies.lock())
    }

    /// What a request presents to the policy in this place.
    pub(crate) fn extract_for(
        &self,
        policy: usize,
        request: &engineio::RequestView<'_>,
    ) -> Extract {
        let policies = self.policies();
        let of = policies.all.get(policy);
        let found = of.map_or(Ok(Extract::Absent), |of| extract(&*of.policy, request));
        // Not what was presented before.
        found.unwrap_or(Extract::Malformed(Code::AuthUnavailable))
    }

    /// Counts a client that waits to be let in, if one more may.
    pub(crate) fn enter_pending(
        self: &Arc<Self>,
        address: Option<IpAddr>,
    ) -> Result<Place, Rejection> {
        self.limiter.lock().enter_pending(address)?;
        Ok(Place {
            authority: Arc::clone(self),
            address,
        })
    }

    /// Asks before a credential is judged; `renewed` is whose grant it would renew.
    pub(crate) fn check(
        &self,
        now: Instant,
        address: Option<IpAddr>,
        renewed: Option<&Subject>,
    ) -> Result<(), Rejection> {
        {
            let mut limiter = self.limiter.lock();
            limiter.check_attempt(now, address)?;
            if let Some(subject) = renewed {
                limiter.check_renewal(now, subject)?;
            }
        }
        let Some(lockout) = &self.lockout else {
            return Ok(());
        };
        for key in keys(address, renewed) {
            match guard(|| lockout.locked_for(now, key)) {
                Ok(None) => {}
                Ok(Some(left)) => {
                    return Err(Rejection::new(Code::RateLimited)
                        .with_retry_after(left)
                        .with_detail("locked out"));
                }
                // Who cannot be asked lets nobody in.
                Err(_) => return Err(Rejection::panicked().with_detail("the lockout panicked")),
            }
        }
        Ok(())
    }

    pub(crate) fn record_failure(
        &self,
        now: Instant,
        address: Option<IpAddr>,
        renewed: Option<&Subject>,
    ) {
        {
            let mut limiter = self.limiter.lock();
            limiter.record_failure(now, address);
            if let Some(subject) = renewed {
                limiter.record_failed_renewal(now, subject);
            }
        }
        if let Some(lockout) = &self.lockout {
            for key in keys(address, renewed) {
                // A count that is lost locks nobody out.
                let _ = guard(|| lockout.failed(now, key));
            }
        }
    }

    pub(crate) fn record_success(
        &self,
        now: Instant,
        address: Option<IpAddr>,
        renewed: Option<&Subject>,
    ) {
        if let Some(lockout) = &self.lockout {
            for key in keys(address, renewed) {
                let _ = guard(|| lockout.succeeded(now, key));
            }
        }
    }
}

/// A place among the clients that wait to be let in, until it is dropped.
pub(crate) struct Place {
    authority: Arc<Authority>,
    address: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut limiter = self.authority.limiter.lock();
        limiter.leave_pending(self.address);
    }
}

/// Sources are the application's; one that panics is remembered, for it spoils the attempt that it was asked for.
fn extract(
    policy: &dyn DynPolicy,
    request: &engineio::RequestView<'_>,
) -> Result<Extract, Panicked> {
    let opening = Opening(request);
    guard(|| policy.extract(&HandshakeView::new(&opening)))
}

/// Whom an attempt counts for.
fn keys(
    address: Option<IpAddr>,
    renewed: Option<&Subject>,
) -> impl Iterator<Item = LockoutKey<'_>> {
    let address = address.map(|address| LockoutKey::Address(AddressKey::of(address)));
    address.into_iter().chain(renewed.map(LockoutKey::Subject))
}
