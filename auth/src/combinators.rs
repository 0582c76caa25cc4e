//! Authenticators made of others.

use std::fmt;
use std::sync::Arc;

use crate::{AuthContext, Authenticator, Credential, DynAuthenticator, Grant, Outcome, Rejection};

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
}

impl<I> fmt::Debug for AnyOf<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyOf").field("len", &self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, SourceKind, auth_fn, ready::now_or_never};

    fn accepts(token: &'static str) -> impl Authenticator<Identity = String> {
        auth_fn(move |_cx, credential: Credential| async move {
            if credential.token() == token {
                Outcome::Accept(Grant::new(token.to_owned(), token))
            } else if credential.token() == "bad" {
                Outcome::Reject(Code::InvalidToken.into())
            } else {
                Outcome::NotMine
            }
        })
    }

    fn ask<A: Authenticator>(authenticator: &A, token: &str) -> Outcome<A::Identity> {
        let credential = Credential::new(token, SourceKind::Payload);
        now_or_never(authenticator.authenticate(&AuthContext::new("/"), &credential))
            .expect("these authenticators do not wait")
    }

    fn subject<I>(outcome: &Outcome<I>) -> &str {
        match outcome {
            Outcome::Accept(grant) => grant.subject(),
            Outcome::NotMine => "not mine",
            Outcome::Reject(rejection) => rejection.code().as_str(),
        }
    }

    #[test]
    fn the_second_is_asked_only_about_what_is_not_the_firsts() {
        let both = accepts("a").or(accepts("b"));
        assert_eq!(subject(&ask(&both, "a")), "a");
        assert_eq!(subject(&ask(&both, "b")), "b");
        assert_eq!(subject(&ask(&both, "c")), "not mine");
        assert_eq!(subject(&ask(&both, "bad")), "invalid_token");
        let second_would_accept = accepts("a").or(accepts("bad"));
        assert_eq!(subject(&ask(&second_would_accept, "bad")), "invalid_token");
    }

    #[test]
    fn any_of_stops_at_the_first_decision() {
        let list: [Arc<dyn DynAuthenticator<String>>; 2] =
            [Arc::new(accepts("a")), Arc::new(accepts("b"))];
        let any = any_of(list);
        assert_eq!(subject(&ask(&any, "b")), "b");
        assert_eq!(subject(&ask(&any, "c")), "not mine");
    }

    #[test]
    fn a_check_may_refuse_or_replace_the_identity() {
        let checked = accepts("a").check(|grant: Grant<String>| async move {
            if grant.subject() == "a" {
                Ok(grant.map(|name| name.len()))
            } else {
                Err(Code::TokenRevoked.into())
            }
        });
        assert!(matches!(ask(&checked, "a"), Outcome::Accept(grant) if *grant.identity() == 1));
        let refusing = accepts("a")
            .map_identity(|name| name.len())
            .check(|_| async { Err::<Grant<()>, _>(Code::TokenRevoked.into()) });
        assert_eq!(subject(&ask(&refusing, "a")), "token_revoked");
        assert_eq!(subject(&ask(&refusing, "c")), "not mine");
    }
}
