//! Keys that are looked up when a token comes: the seam behind JWK set caches and databases of tenants' keys.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::algorithm::Algorithm;
use super::key_set::KeySet;
use super::refusal::invalid;
use crate::base::future::BoxFuture;
use crate::presented::context::AuthContext;
use crate::rejection::code::Rejection;

/// What a [`KeySource`] is asked: everything known of a token before its signature is verified. A clone is cheap.
///
/// All of it is the client's word. The other claims are not shown, lest they be believed, but for
/// [one](super::JwtBuilder::key_claim).
#[derive(Clone, Debug)]
pub struct KeyRequest {
    pub(super) key_id: Option<Arc<str>>,
    pub(super) issuer: Option<Arc<str>>,
    pub(super) claim: Option<Arc<str>>,
    pub(super) algorithm: Algorithm,
    pub(super) context: AuthContext,
}

impl KeyRequest {
    /// The `kid` of the token: 1 to 1,024 bytes of any text without control characters. Use it as a key of a table, not as
    /// a path, a URL or a part of a query.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The `iss` of the token, one of the configured issuers unless any is accepted.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The claim that [`key_claim`](super::JwtBuilder::key_claim) names, when it is a text or a whole number. As unverified as
    /// all of this: whoever chooses it chooses which key the token is held against, and nothing else.
    #[must_use]
    pub fn claim(&self) -> Option<&str> {
        self.claim.as_deref()
    }

    /// The `alg` of the token. A key bound to another algorithm is not tried.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The handshake.
    #[must_use]
    pub const fn context(&self) -> &AuthContext {
        &self.context
    }
}

/// Why a [`KeySource`] has no key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LookupError {
    /// There is no such key: the token is invalid.
    Unknown,
    /// It cannot be told now, for the reason given to the log; the client hears `auth_unavailable`.
    Unavailable(Cow<'static, str>),
}

impl LookupError {
    /// [`LookupError::Unavailable`] with a detail for the log.
    pub fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Unavailable(detail.into())
    }

    pub(super) fn into_rejection(self) -> Rejection {
        match self {
            Self::Unknown => invalid("no key is known for the token"),
            Self::Unavailable(detail) => Rejection::unavailable(detail),
        }
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("the key is unknown"),
            Self::Unavailable(detail) => write!(f, "the keys are not available: {detail}"),
        }
    }
}

impl std::error::Error for LookupError {}

/// Finds the keys that a token may be verified with.
///
/// Implemented by [`JwksCache`](super::JwksCache) and by closures `Fn(KeyRequest) -> impl Future`. It is asked for
/// every token that no fixed key verifies, unless one has its very id, garbage included: bound what it costs. The answer may hold keys that do not fit; of
/// those that do, at most four are tried.
///
/// ```
/// use socketio_auth::jwt::{Algorithm, JwtAuthenticator, KeyRequest, LookupError, VerifyingKey};
///
/// # async fn secret_of_tenant(issuer: &str) -> Result<Option<Vec<u8>>, std::io::Error> { Ok(None) }
/// # fn main() -> Result<(), socketio_auth::jwt::JwtBuildError> {
/// let jwt = JwtAuthenticator::<serde_json::Value>::builder()
///     .any_issuer()
///     .audience("chat")
///     .key_source(|request: KeyRequest| async move {
///         let issuer = request.issuer().ok_or(LookupError::Unknown)?;
///         let secret = secret_of_tenant(issuer)
///             .await
///             .map_err(|error| LookupError::unavailable(error.to_string()))?
///             .ok_or(LookupError::Unknown)?;
///         VerifyingKey::hmac(Algorithm::Hs256, &secret)
///             .map_err(|error| LookupError::unavailable(error.to_string()))
///     })
///     .build()?;
/// # let _ = jwt;
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a source of keys",
    note = "implement `KeySource`, or use a closure: `|request: KeyRequest| async move {{ Ok::<VerifyingKey, LookupError>(…) }}`"
)]
pub trait KeySource: Send + Sync + 'static {
    /// The keys for this token. The future is dropped when the client leaves.
    fn keys(
        &self,
        request: &KeyRequest,
    ) -> impl Future<Output = Result<KeySet, LookupError>> + Send;
}

impl<F, Fut, K> KeySource for F
where
    F: Fn(KeyRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<K, LookupError>> + Send,
    K: Into<KeySet>,
{
    async fn keys(&self, request: &KeyRequest) -> Result<KeySet, LookupError> {
        self(request.clone()).await.map(Into::into)
    }
}

/// The object-safe twin of [`KeySource`].
pub(super) trait DynKeySource: Send + Sync {
    fn keys_dyn<'a>(
        &'a self,
        request: &'a KeyRequest,
    ) -> BoxFuture<'a, Result<KeySet, LookupError>>;
}

impl<S: KeySource> DynKeySource for S {
    fn keys_dyn<'a>(
        &'a self,
        request: &'a KeyRequest,
    ) -> BoxFuture<'a, Result<KeySet, LookupError>> {
        Box::pin(self.keys(request))
    }
}
