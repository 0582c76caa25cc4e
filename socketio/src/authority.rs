//! What the server keeps for authentication as a whole: every policy in use, and the bounds over all clients.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use socketio_auth::{self as auth, AuthLimiter, Code, DynPolicy, Extract, Rejection, RequestView};

use crate::handshake::Opening;
use crate::lock::Lock;
use crate::namespace::Guard;
use crate::running::guard;

pub(crate) struct Authority {
    /// So that the opening request is searched once for each. The first is the server's own, if there is one.
    policies: Lock<Vec<Arc<dyn DynPolicy>>>,
    is_guarded: bool,
    limiter: Lock<AuthLimiter>,
}

impl Authority {
    pub(crate) fn new(policy: Option<Arc<dyn DynPolicy>>, limits: auth::Limits) -> Self {
        Self {
            is_guarded: policy.is_some(),
            policies: Lock::new(policy.into_iter().collect()),
            limiter: Lock::new(AuthLimiter::new(limits)),
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
        let mut policies = self.policies.lock();
        policies.push(Arc::clone(&policy));
        let index = policies.len() - 1;
        Guard { index, policy }
    }

    /// What the opening request presents to each policy; nothing is kept of requests that present nothing.
    pub(crate) fn extract(&self, request: &engineio::RequestView<'_>) -> Vec<(usize, Extract)> {
        let policies = self.policies.lock().clone();
        let opening = Opening(request);
        let view = RequestView::new(&opening);
        policies
            .iter()
            .map(|policy| {
                let found = guard(|| policy.extract(&view));
                // Sources are the application's; one that panics spoils the attempt, not the connection.
                found.unwrap_or(Extract::Malformed(Code::AuthUnavailable))
            })
            .enumerate()
            .filter(|(_, found)| !matches!(found, Extract::Absent))
            .collect()
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
        let mut limiter = self.limiter.lock();
        limiter.check_attempt(now, address)?;
        renewed.map_or(Ok(()), |subject| limiter.check_renewal(now, subject))
    }

    pub(crate) fn record_failure(
        &self,
        now: Instant,
        address: Option<IpAddr>,
        renewed: Option<&str>,
    ) {
        let mut limiter = self.limiter.lock();
        limiter.record_failure(now, address);
        if let Some(subject) = renewed {
            limiter.record_failed_renewal(now, subject);
        }
    }
}
