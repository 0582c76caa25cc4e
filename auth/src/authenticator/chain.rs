//! Authenticators asked in a row, until one judges the credential.

use std::fmt;
use std::sync::Arc;

use super::judge::{Authenticator, DynAuthenticator, Outcome};
use crate::presented::context::AuthContext;
use crate::presented::credential::Credential;
use crate::revocation::list::RevocationList;

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
