//! What is done to the verdict of another authenticator: its identity converted, its grant checked.

use std::fmt;
use std::sync::Arc;

use super::judge::{Authenticator, Outcome};
use crate::grant::Grant;
use crate::presented::context::AuthContext;
use crate::presented::credential::Credential;
use crate::rejection::code::Rejection;
use crate::revocation::list::RevocationList;

/// Converts identities, made by [`Authenticator::map_identity`].
#[derive(Clone)]
pub struct MapIdentity<A, F>(A, F);

impl<A, F> MapIdentity<A, F> {
    pub(crate) const fn new(inner: A, convert: F) -> Self {
        Self(inner, convert)
    }
}

impl<A, F, J> Authenticator for MapIdentity<A, F>
where
    A: Authenticator,
    J: Send + Sync + 'static,
    F: Fn(A::Identity) -> J + Send + Sync + 'static,
{
    type Identity = J;

    async fn authenticate(&self, cx: &AuthContext, credential: &Credential) -> Outcome<J> {
        match self.0.authenticate(cx, credential).await {
            Outcome::Accept(grant) => Outcome::Accept(grant.map(&self.1)),
            Outcome::NotMine => Outcome::NotMine,
            Outcome::Reject(rejection) => Outcome::Reject(rejection),
        }
    }

    fn revocations(&self, visit: &mut dyn FnMut(&Arc<dyn RevocationList>)) {
        self.0.revocations(visit);
    }
}

impl<A: fmt::Debug, F> fmt::Debug for MapIdentity<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MapIdentity")
            .field(&self.0)
            .finish_non_exhaustive()
    }
}

/// Runs a further check on accepted grants, made by [`Authenticator::check`].
#[derive(Clone)]
pub struct Check<A, F>(A, F);

impl<A, F> Check<A, F> {
    pub(crate) const fn new(inner: A, check: F) -> Self {
        Self(inner, check)
    }
}

impl<A, F, Fut, J> Authenticator for Check<A, F>
where
    A: Authenticator,
    J: Send + Sync + 'static,
    F: Fn(Grant<A::Identity>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Grant<J>, Rejection>> + Send + 'static,
{
    type Identity = J;

    async fn authenticate(&self, cx: &AuthContext, credential: &Credential) -> Outcome<J> {
        match self.0.authenticate(cx, credential).await {
            Outcome::Accept(grant) => (self.1)(grant).await.into(),
            Outcome::NotMine => Outcome::NotMine,
            Outcome::Reject(rejection) => Outcome::Reject(rejection),
        }
    }

    fn revocations(&self, visit: &mut dyn FnMut(&Arc<dyn RevocationList>)) {
        self.0.revocations(visit);
    }
}

impl<A: fmt::Debug, F> fmt::Debug for Check<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Check")
            .field(&self.0)
            .finish_non_exhaustive()
    }
}
