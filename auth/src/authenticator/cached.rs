use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::judge::{Authenticator, Outcome};
use crate::base::clock::{Clock, SystemClock};
use crate::base::fingerprint::Fingerprint;
use crate::base::lock::Lock;
use crate::base::recent::Recent;
use crate::grant::{Grant, GrantFacts};
use crate::presented::context::AuthContext;
use crate::presented::credential::Credential;
use crate::revocation::list::RevocationList;

/// Remembers accepted tokens for a short time, made by [`Authenticator::cached`].
pub struct Cached<A: Authenticator> {
    inner: A,
    ttl: Duration,
    clock: Arc<dyn Clock>,
    table: Lock<Recent<Key, Entry<A::Identity>>>,
}

/// A verdict may depend on the namespace, so that is part of the key.
type Key = (Fingerprint, Box<str>);

struct Entry<I> {
    grant: Arc<Grant<I>>,
    kept_at: SystemTime,
    ends_at: SystemTime,
}

impl<A: Authenticator> Cached<A> {
    /// The longest time for which a token is remembered, whatever was asked for.
    pub const MAX_TTL: Duration = Duration::from_secs(60);

    pub(crate) fn new(inner: A, ttl: Duration, capacity: usize) -> Self {
        Self {
            inner,
            ttl: ttl.min(Self::MAX_TTL),
            clock: Arc::new(SystemClock),
            table: Lock::new(Recent::new(capacity)),
        }
    }

    /// Uses another clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    fn is_revoked(&self, grant: &GrantFacts) -> bool {
        let mut is_revoked = false;
        self.inner
            .revocations(&mut |list| is_revoked |= list.is_revoked(grant));
        is_revoked
    }
}

impl<A: Authenticator<Identity: Clone>> Cached<A> {
    fn find(&self, key: &Key) -> Option<Grant<A::Identity>> {
        let now = self.clock.now();
        let grant = {
            let mut table = self.table.lock();
            let entry = table.get(key)?;
            // A clock that was set back ends entries as well.
            if now < entry.kept_at || entry.ends_at <= now {
                table.remove(key);
                return None;
            }
            Arc::clone(&entry.grant)
        };
        (!self.is_revoked(grant.facts())).then(|| Grant::clone(&grant))
    }

    fn keep(&self, key: Key, grant: &Grant<A::Identity>) {
        let kept_at = self.clock.now();
        let Some(mut ends_at) = kept_at.checked_add(self.ttl) else {
            return;
        };
        if let Some(expires_at) = grant.expires_at() {
            ends_at = ends_at.min(expires_at);
        }
        if kept_at < ends_at {
            let grant = Arc::new(grant.clone());
            let entry = Entry {
                grant,
                kept_at,
                ends_at,
            };
            self.table.lock().insert(key, entry);
        }
    }
}

impl<A: Authenticator<Identity: Clone>> Authenticator for Cached<A> {
    type Identity = A::Identity;

    async fn authenticate(
        &self,
        cx: &AuthContext,
        credential: &Credential,
    ) -> Outcome<Self::Identity> {
        let key = (credential.fingerprint(), cx.namespace().into());
        if let Some(grant) = self.find(&key) {
            return Outcome::Accept(grant);
        }
        let watched = cx.watched();
        let outcome = self.inner.authenticate(&watched, credential).await;
        for why in watched.take_explanations() {
            cx.explain(why);
        }
        if watched.is_looked_at() {
            cx.do_not_cache();
        } else if let Outcome::Accept(grant) = &outcome {
            self.keep(key, grant);
        }
        outcome
    }

    fn revocations(&self, visit: &mut dyn FnMut(&Arc<dyn RevocationList>)) {
        self.inner.revocations(visit);
    }
}

impl<A: Authenticator + fmt::Debug> fmt::Debug for Cached<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached")
            .field("inner", &self.inner)
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}
