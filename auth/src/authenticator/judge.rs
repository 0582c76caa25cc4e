//! The trait that turns a credential into an identity, and its object-safe twin.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::adapt::{Check, MapIdentity};
use super::cached::Cached;
use super::chain::OrElse;
use super::concurrent::MaxConcurrent;
use super::revocable::Revocable;
use super::timeout::Timeout;
use crate::base::future::BoxFuture;
use crate::grant::Grant;
use crate::presented::context::AuthContext;
use crate::presented::credential::Credential;
use crate::rejection::code::Rejection;
use crate::revocation::list::RevocationList;

/// The answer of an authenticator.
#[derive(Clone)]
#[non_exhaustive]
pub enum Outcome<I> {
    /// The credential holds.
    Accept(Grant<I>),
    /// The credential is of a kind that this authenticator does not judge; the next in the chain decides. At the
    /// end of the chain it is refused as [`Code::InvalidToken`](crate::Code::InvalidToken).
    NotMine,
    /// The credential does not hold, or cannot be judged now.
    Reject(Rejection),
}

/// Leaves the identity out: it may hold anything.
impl<I> fmt::Debug for Outcome<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept(grant) => f.debug_tuple("Accept").field(grant).finish(),
            Self::NotMine => f.write_str("NotMine"),
            Self::Reject(rejection) => f.debug_tuple("Reject").field(rejection).finish(),
        }
    }
}

impl<I> From<Result<Grant<I>, Rejection>> for Outcome<I> {
    fn from(result: Result<Grant<I>, Rejection>) -> Self {
        match result {
            Ok(grant) => Self::Accept(grant),
            Err(rejection) => Self::Reject(rejection),
        }
    }
}

/// Judges credentials.
///
/// An authenticator is called only when a credential was sent: what happens to clients without one is the
/// policy's decision, so a bad token can never turn into a guest. The future may be dropped at any `.await` when
/// the client leaves or the policy's `verify_timeout` ends. A panic counts as
/// [`Code::AuthUnavailable`](crate::Code::AuthUnavailable).
///
/// ```
/// use socketio_auth::{AuthContext, Authenticator, Code, Credential, Grant, Outcome};
///
/// struct ApiKeys;
/// struct Tenant { id: u64 }
///
/// impl Authenticator for ApiKeys {
///     type Identity = Tenant;
///
///     async fn authenticate(&self, _cx: &AuthContext, credential: &Credential) -> Outcome<Tenant> {
///         match credential.token() {
///             "key-1" => Outcome::Accept(Grant::new(Tenant { id: 1 }, "tenant-1")),
///             _ => Outcome::Reject(Code::InvalidToken.into()),
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an authenticator",
    note = "implement `Authenticator`, or wrap a closure: `auth_fn(|cx: AuthContext, credential: Credential| async move {{ … }})`"
)]
pub trait Authenticator: Send + Sync + 'static {
    /// What the handlers of an authenticated namespace receive.
    type Identity: Send + Sync + 'static;

    /// Judges `credential`.
    fn authenticate(
        &self,
        cx: &AuthContext,
        credential: &Credential,
    ) -> impl Future<Output = Outcome<Self::Identity>> + Send;

    /// Shows every revocation list in use to `visit`, so that the server can subscribe to them and caches can ask
    /// them again. An authenticator that wraps another one passes this on.
    fn revocations(&self, visit: &mut dyn FnMut(&Arc<dyn RevocationList>)) {
        let _ = visit;
    }

    /// Asks `other` about credentials that are [`Outcome::NotMine`] here. A rejection is final.
    fn or<B: Authenticator<Identity = Self::Identity>>(self, other: B) -> OrElse<Self, B>
    where
        Self: Sized,
    {
        OrElse::new(self, other)
    }

    /// Converts the identity, for instance from claims to a user.
    fn map_identity<J, F>(self, convert: F) -> MapIdentity<Self, F>
    where
        Self: Sized,
        J: Send + Sync + 'static,
        F: Fn(Self::Identity) -> J + Send + Sync + 'static,
    {
        MapIdentity::new(self, convert)
    }

    /// Runs `check` on every accepted grant, for instance against a database. It may return another identity, or
    /// refuse; it applies to first authentications and renewals alike.
    fn check<J, F, Fut>(self, check: F) -> Check<Self, F>
    where
        Self: Sized,
        J: Send + Sync + 'static,
        F: Fn(Grant<Self::Identity>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Grant<J>, Rejection>> + Send + 'static,
    {
        Check::new(self, check)
    }

    /// Refuses what `list` has revoked as [`Code::TokenRevoked`](crate::Code::TokenRevoked), and lets the server
    /// end live sockets when something is revoked later.
    fn with_revocation(self, list: impl RevocationList) -> Revocable<Self>
    where
        Self: Sized,
    {
        Revocable::new(self, list)
    }

    /// Remembers accepted tokens for `ttl`, at most 60 s and never past their end, so that a storm of reconnecting
    /// clients costs a hash each instead of a signature. At most `capacity` tokens, the least used are forgotten.
    ///
    /// The token itself is not kept, only its digest. Revocation lists are asked on every use, wherever they are
    /// attached. Refusals are not remembered, nor are verdicts for which the authenticator looked at the peer, the
    /// origin, the binding or the renewal: they hold for one connection only.
    fn cached(self, ttl: Duration, capacity: usize) -> Cached<Self>
    where
        Self: Sized,
        Self::Identity: Clone,
    {
        Cached::new(self, ttl, capacity)
    }

    /// Gives up after `limit`, as [`Code::AuthUnavailable`](crate::Code::AuthUnavailable), and drops the
    /// verification. `sleep` is the runtime's timer, such as `tokio::time::sleep`.
    ///
    /// The policy's `verify_timeout` bounds every verification as a whole; this one is for one member of a chain,
    /// for instance a remote service.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use socketio_auth::{AuthContext, Authenticator, Credential, Outcome, auth_fn};
    /// # let remote = auth_fn(|_: AuthContext, _: Credential| async { Outcome::<()>::NotMine });
    /// let patient_for_a_second = remote.timeout(Duration::from_secs(1), tokio::time::sleep);
    /// # let _ = patient_for_a_second;
    /// ```
    fn timeout<S, Fut>(self, limit: Duration, sleep: S) -> Timeout<Self, S>
    where
        Self: Sized,
        S: Fn(Duration) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send,
    {
        Timeout::new(self, limit, sleep)
    }

    /// Lets at most `max` verifications run at once; one more is refused at once as
    /// [`Code::AuthUnavailable`](crate::Code::AuthUnavailable). For authenticators that use something scarce.
    fn max_concurrent(self, max: usize) -> MaxConcurrent<Self>
    where
        Self: Sized,
    {
        MaxConcurrent::new(self, max)
    }
}

impl<A: Authenticator> Authenticator for Arc<A> {
    type Identity = A::Identity;

    fn authenticate(
        &self,
        cx: &AuthContext,
        credential: &Credential,
    ) -> impl Future<Output = Outcome<Self::Identity>> + Send {
        (**self).authenticate(cx, credential)
    }

    fn revocations(&self, visit: &mut dyn FnMut(&Arc<dyn RevocationList>)) {
        (**self).revocations(visit);
    }
}

/// The object-safe twin of [`Authenticator`], implemented for every one of them.
pub trait DynAuthenticator<I>: Send + Sync + 'static {
    /// Judges `credential`.
    fn authenticate_dyn<'a>(
        &'a self,
        cx: &'a AuthContext,
        credential: &'a Credential,
    ) -> BoxFuture<'a, Outcome<I>>;

    /// Shows every revocation list in use, see [`Authenticator::revocations`].
    fn revocations_dyn(&self, visit: &mut dyn FnMut(&Arc<dyn RevocationList>));
}

impl<A: Authenticator> DynAuthenticator<A::Identity> for A {
    fn authenticate_dyn<'a>(
        &'a self,
        cx: &'a AuthContext,
        credential: &'a Credential,
    ) -> BoxFuture<'a, Outcome<A::Identity>> {
        Box::pin(self.authenticate(cx, credential))
    }

    fn revocations_dyn(&self, visit: &mut dyn FnMut(&Arc<dyn RevocationList>)) {
        self.revocations(visit);
    }
}

/// A closure as an authenticator, made by [`auth_fn`].
#[derive(Clone)]
pub struct AuthFn<F>(F);

/// Makes an authenticator of a closure. Its arguments are owned and cheap to clone.
///
/// ```
/// use socketio_auth::{AuthContext, Code, Credential, Grant, Outcome, auth_fn};
///
/// let authenticator = auth_fn(|_cx: AuthContext, credential: Credential| async move {
///     if credential.token() == "open sesame" {
///         Outcome::Accept(Grant::new("ali", "user-1"))
///     } else {
///         Outcome::Reject(Code::InvalidToken.into())
///     }
/// });
/// # let _ = authenticator;
/// ```
pub const fn auth_fn<F, Fut, I>(judge: F) -> AuthFn<F>
where
    F: Fn(AuthContext, Credential) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome<I>> + Send + 'static,
    I: Send + Sync + 'static,
{
    AuthFn(judge)
}

impl<F, Fut, I> Authenticator for AuthFn<F>
where
    F: Fn(AuthContext, Credential) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome<I>> + Send + 'static,
    I: Send + Sync + 'static,
{
    type Identity = I;

    fn authenticate(
        &self,
        cx: &AuthContext,
        credential: &Credential,
    ) -> impl Future<Output = Outcome<I>> + Send {
        (self.0)(cx.clone(), credential.clone())
    }
}

impl<F> fmt::Debug for AuthFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthFn")
    }
}
