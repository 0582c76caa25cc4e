//! What the server keeps for authentication as a whole: every policy in use, and the bounds over all clients.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use socketio_auth::{
    self as auth, AddressKey, AuditSink, AuthEvent, AuthLimiter, Code, DynPolicy, Extract, Lockout,
    LockoutKey, Rejection, RequestView, Revocation, TrustedProxies,
};

use crate::handshake::{Opening, Secrets};
use crate::lock::Lock;
use crate::namespace::Guard;
use crate::revoked::RecentRevocations;
use crate::running::guard;

pub(crate) struct Authority {
    /// So that the opening request is searched once for each. The first is the server's own, if there is one.
    policies: Lock<Vec<Arc<dyn DynPolicy>>>,
    /// The parts of the opening request that none of them lets be kept.
    secrets: Lock<Arc<Secrets>>,
    is_guarded: bool,
    limiter: Lock<AuthLimiter>,
    lockout: Option<Arc<dyn Lockout>>,
    proxies: TrustedProxies,
    audit: Option<Arc<dyn AuditSink>>,
    pub(crate) revoked: RecentRevocations,
}

/// What the builder of a server was told about authentication as a whole.
#[derive(Default)]
pub(crate) struct AuthOptions {
    pub(crate) limits: auth::Limits,
    pub(crate) lockout: Option<Arc<dyn Lockout>>,
    pub(crate) proxies: TrustedProxies,
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

impl Authority {
    pub(crate) fn new(policy: Option<Arc<dyn DynPolicy>>, options: AuthOptions) -> Self {
        let secrets = Secrets::default().with_those_of(policy.as_deref());
        Self {
            secrets: Lock::new(Arc::new(secrets)),
            is_guarded: policy.is_some(),
            policies: Lock::new(policy.into_iter().collect()),
            limiter: Lock::new(AuthLimiter::new(options.limits)),
            lockout: options.lockout,
            proxies: options.proxies,
            audit: options.audit,
            revoked: RecentRevocations::default(),
        }
    }

    /// Whose address the bounds count: that of the client behind the trusted proxies.
    pub(crate) fn address_of(&self, request: &engineio::RequestView<'_>) -> Option<IpAddr> {
        let peer = request.peer()?.ip();
        Some(self.proxies.client_address(peer, &Opening(request)))
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
        let policies = self.policies.lock();
        let policy = policies.first().filter(|_| self.is_guarded)?;
        Some(Guard {
            index: 0,
            policy: Arc::clone(policy),
        })
    }

    pub(crate) fn add(&self, policy: Arc<dyn DynPolicy>) -> Guard {
        {
            let mut secrets = self.secrets.lock();
            *secrets = Arc::new(Secrets::clone(&secrets).with_those_of(Some(&*policy)));
        }
        let mut policies = self.policies.lock();
        policies.push(Arc::clone(&policy));
        let index = policies.len() - 1;
        Guard { index, policy }
    }

    /// Takes in what another server of the cluster revoked. A list that panics has not taken it in; the others have.
    pub(crate) fn absorb(&self, revocation: &Revocation) {
        let policies = self.policies.lock().clone();
        for policy in policies {
            let _ = guard(|| policy.revocations(&mut |list| list.absorb(revocation)));
        }
    }

    /// What is not to be kept of an opening request.
    pub(crate) fn secrets(&self) -> Arc<Secrets> {
        Arc::clone(&self.secrets.lock())
    }

    /// What the opening request presents to each policy; nothing is kept of requests that present nothing.
    pub(crate) fn extract(&self, request: &engineio::RequestView<'_>) -> Vec<(usize, Extract)> {
        let policies = self.policies.lock().clone();
        policies
            .iter()
            .map(|policy| extract(&**policy, request))
            .enumerate()
            .filter(|(_, found)| !matches!(found, Extract::Absent))
            .collect()
    }

    /// What a request presents to the policy in this place.
    pub(crate) fn extract_for(
        &self,
        policy: usize,
        request: &engineio::RequestView<'_>,
    ) -> Extract {
        let policy = self.policies.lock().get(policy).cloned();
        policy.map_or(Extract::Absent, |policy| extract(&*policy, request))
    }

    /// Counts a client that waits to be let in; [`leave_pending`](Self::leave_pending) is due once after success.
    pub(crate) fn enter_pending(&self, address: Option<IpAddr>) -> Result<(), Rejection> {
        self.limiter.lock().enter_pending(address)
    }

    pub(crate) fn leave_pending(&self, address: Option<IpAddr>) {
        self.limiter.lock().leave_pending(address);
    }

    /// Asks before a credential is judged; `renewed` is whose grant it would renew.
    pub(crate) fn check(
        &self,
        now: Instant,
        address: Option<IpAddr>,
        renewed: Option<&str>,
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
                Err(_) => return Err(Rejection::unavailable("the lockout panicked")),
            }
        }
        Ok(())
    }

    pub(crate) fn record_failure(
        &self,
        now: Instant,
        address: Option<IpAddr>,
        renewed: Option<&str>,
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
        renewed: Option<&str>,
    ) {
        if let Some(lockout) = &self.lockout {
            for key in keys(address, renewed) {
                let _ = guard(|| lockout.succeeded(now, key));
            }
        }
    }
}

fn extract(policy: &dyn DynPolicy, request: &engineio::RequestView<'_>) -> Extract {
    let opening = Opening(request);
    let found = guard(|| policy.extract(&RequestView::new(&opening)));
    // Sources are the application's; one that panics spoils the attempt, not the connection.
    found.unwrap_or(Extract::Malformed(Code::AuthUnavailable))
}

/// Whom an attempt counts for.
fn keys(address: Option<IpAddr>, renewed: Option<&str>) -> impl Iterator<Item = LockoutKey<'_>> {
    let address = address.map(|address| LockoutKey::Address(AddressKey::of(address)));
    address.into_iter().chain(renewed.map(LockoutKey::Subject))
}
