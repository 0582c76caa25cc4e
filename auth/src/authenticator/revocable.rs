use std::sync::Arc;

use super::judge::{Authenticator, Outcome};
use crate::presented::context::AuthContext;
use crate::presented::credential::Credential;
use crate::rejection::code::Code;
use crate::revocation::list::RevocationList;

/// Refuses what a list has revoked, made by [`Authenticator::with_revocation`].
#[derive(Clone)]
pub struct Revocable<A> {
    inner: A,
    list: Arc<dyn RevocationList>,
}

impl<A> Revocable<A> {
    pub(crate) fn new(inner: A, list: impl RevocationList) -> Self {
        Self {
            inner,
            list: Arc::new(list),
        }
    }
}

impl<A: Authenticator> Authenticator for Revocable<A> {
    type Identity = A::Identity;

    async fn authenticate(
        &self,
        cx: &AuthContext,
        credential: &Credential,
    ) -> Outcome<Self::Identity> {
        match self.inner.authenticate(cx, credential).await {
            Outcome::Accept(grant) if self.list.is_revoked(grant.facts()) => {
                Outcome::Reject(Code::TokenRevoked.into())
            }
            decided => decided,
        }
    }

    fn revocations(&self, visit: &mut dyn FnMut(&Arc<dyn RevocationList>)) {
        visit(&self.list);
        self.inner.revocations(visit);
    }
}

impl<A: std::fmt::Debug> std::fmt::Debug for Revocable<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Revocable")
            .field(&self.inner)
            .finish_non_exhaustive()
    }
}
