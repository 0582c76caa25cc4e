//! Authenticators made of others.

mod by_issuer;
mod cached;
mod concurrent;
mod revocable;
mod timeout;

use std::fmt;
use std::sync::Arc;

use crate::{
    AuthContext, Authenticator, Credential, DynAuthenticator, Grant, Outcome, Rejection,
    RevocationList,
};

pub use by_issuer::{ByIssuer, by_issuer};
pub use cached::Cached;
pub use concurrent::MaxConcurrent;
pub use revocable::Revocable;
pub use timeout::Timeout;

/// Two authenticators in a row, made by [`Authenticator::or`].
#[derive(Clone, Debug)]
pub struct OrElse<A, B>(A, B);

impl<A, B> OrElse<A, B> {
    pub(crate) const fn new(first: A, second: B) -> Self {
        Self(first, second)
    }
}

impl<A, B> Authenticator for OrElse<A, B>
where
    A: Authenticator,
    B: Authenticator<Identity = A::Identity>,
{
    type Identity = A::Identity;

    async fn authenticate(
        &self,
        cx: &AuthContext,
        credential: &Credential,
    ) -> Outcome<Self::Identity> {
        match self.0.authenticate(cx, credential).await {
            Outcome::NotMine => self.1.authenticate(cx, credential).await,
            decided => decided,
        }
    }

    fn revocations(&self, visit: &mut dyn FnMut(&Arc<dyn RevocationList>)) {
        self.0.revocations(visit);
        self.1.revocations(visit);
    }
}

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

/// Authenticators chosen at run time, asked in order until one judges the credential.
pub struct AnyOf<I>(Vec<Arc<dyn DynAuthenticator<I>>>);

/// Makes one authenticator of a list. An empty list refuses everything.
pub fn any_of<I>(
    authenticators: impl IntoIterator<Item = Arc<dyn DynAuthenticator<I>>>,
) -> AnyOf<I> {
    AnyOf(authenticators.into_iter().collect())
}

impl<I: Send + Sync + 'static> Authenticator for AnyOf<I> {
    type Identity = I;

    async fn authenticate(&self, cx: &AuthContext, credential: &Credential) -> Outcome<I> {
        for authenticator in &self.0 {
            match authenticator.authenticate_dyn(cx, credential).await {
                Outcome::NotMine => {}
                decided => return decided,
            }
        }
        Outcome::NotMine
    }

    fn revocations(&self, visit: &mut dyn FnMut(&Arc<dyn RevocationList>)) {
        for authenticator in &self.0 {
            authenticator.revocations_dyn(visit);
        }
    }
}

impl<I> fmt::Debug for AnyOf<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyOf").field("len", &self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests;
