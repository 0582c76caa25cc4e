//! Configures a [`JwtAuthenticator`]; everything that can be wrong is found by `build`.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::algorithm::{Algorithm, AlgorithmSet};
use super::authenticator::{Inner, JwtAuthenticator};
use super::backend;
use super::header::LastHeader;
use super::issuer::{Issuer, KeyConfig, Trust};
use super::key::{KeyError, VerifyingKey};
use super::key_source::KeySource;
use super::proof::ProofOfPossession;
use crate::base::clock::{Clock, SystemClock};
use crate::claims::registered::Expectations;

/// Why an authenticator cannot be built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwtBuildError {
    /// A key was refused.
    Key(KeyError),
    /// No key was given, or an issuer has none.
    NoKey,
    /// Keys were given to the builder, but every issuer has its own.
    UnusedKey,
    /// An issuer was given twice.
    DuplicateIssuer,
    /// Neither [`issuer`](JwtBuilder::issuer) nor [`any_issuer`](JwtBuilder::any_issuer) was called.
    IssuerUndecided,
    /// Neither [`audience`](JwtBuilder::audience) nor [`any_audience`](JwtBuilder::any_audience) was called.
    AudienceUndecided,
    /// The cryptographic backend failed a known-answer test.
    Backend,
}

impl fmt::Display for JwtBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => write!(f, "a key was refused: {error}"),
            Self::NoKey => f.write_str("no key was given"),
            Self::UnusedKey => f.write_str("a key belongs to no issuer"),
            Self::DuplicateIssuer => f.write_str("an issuer was given twice"),
            Self::IssuerUndecided => f.write_str("the issuer is not decided"),
            Self::AudienceUndecided => f.write_str("the audience is not decided"),
            Self::Backend => f.write_str("the cryptographic backend does not work"),
        }
    }
}

impl std::error::Error for JwtBuildError {}

impl From<KeyError> for JwtBuildError {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}

/// The configuration of a [`JwtAuthenticator`].
#[must_use]
pub struct JwtBuilder<C> {
    keys: KeyConfig,
    issuers: Vec<Issuer>,
    accepts_any_issuer: bool,
    key_claim: Option<Box<str>>,
    audiences: Option<Vec<Box<str>>>,
    leeway: Duration,
    max_session: Duration,
    max_token_lifetime: Option<Duration>,
    subject_claim: Option<Box<str>>,
    end_claim: Option<Box<str>>,
    accepts_endless_tokens: bool,
    token_type: Option<Box<str>>,
    max_token_bytes: usize,
    clock: Arc<dyn Clock>,
    proof: Option<ProofOfPossession>,
    claims: PhantomData<fn() -> C>,
}

impl<C: DeserializeOwned + Send + Sync + 'static> JwtAuthenticator<C> {
    /// Starts the configuration. A key, the issuer and the audience have to be decided.
    pub fn builder() -> JwtBuilder<C> {
        JwtBuilder::new()
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> JwtBuilder<C> {
    pub(super) fn new() -> Self {
        Self {
            keys: KeyConfig::default(),
            issuers: Vec::new(),
            accepts_any_issuer: false,
            key_claim: None,
            audiences: None,
            leeway: Duration::from_secs(30),
            max_session: Duration::from_secs(24 * 60 * 60),
            max_token_lifetime: None,
            subject_claim: None,
            end_claim: None,
            accepts_endless_tokens: false,
            token_type: None,
            max_token_bytes: 8 * 1024,
            clock: Arc::new(SystemClock),
            proof: None,
            claims: PhantomData,
        }
    }

    /// Trusts tokens signed with this secret of at least 32 bytes under HS256.
    pub fn hs256(self, secret: impl AsRef<[u8]>) -> Self {
        self.try_key(VerifyingKey::hmac(Algorithm::Hs256, secret.as_ref()))
    }

    /// As [`hs256`](Self::hs256), the secret written in Base64.
    pub fn hs256_base64(self, secret: &str) -> Self {
        self.try_key(VerifyingKey::hmac_base64(Algorithm::Hs256, secret))
    }

    /// Trusts tokens signed under `algorithm` with the private half of this PEM public key, or of that in a PEM certificate;
    /// see [`VerifyingKey::pem`].
    pub fn pem(self, algorithm: Algorithm, pem: &str) -> Self {
        self.try_key(VerifyingKey::pem(algorithm, pem))
    }

    /// Trusts every signing key of a JWK set (or a single JWK), given as JSON. Symmetric keys and keys for
    /// encryption are passed over, see [`skipped_keys`](JwtAuthenticator::skipped_keys); RSA keys that name no algorithm are
    /// bound to RS256. At most 64 keys.
    pub fn jwks(mut self, json: &str) -> Self {
        self.keys.add_jwks(json);
        self
    }

    /// Trusts one more key. For rotation give each an id: for a token without a key id at most four keys of its
    /// algorithm are tried.
    pub fn key(self, key: VerifyingKey) -> Self {
        self.try_key(Ok(key))
    }

    /// Looks keys up when no fixed key verifies the token, unless one has its very id: a [`JwksCache`](super::JwksCache), or an async function of
    /// the token's key id, its issuer and the handshake. The last call counts.
    pub fn key_source(mut self, source: impl KeySource) -> Self {
        self.keys.source = Some(Arc::new(source));
        self
    }

    /// Shows this claim to the [key source](Self::key_source), as [`KeyRequest::claim`](super::KeyRequest::claim): for secrets
    /// that are chosen by a tenant or a client.
    ///
    /// ```
    /// # fn main() -> Result<(), socketio_auth::jwt::JwtBuildError> {
    /// use socketio_auth::jwt::{Algorithm, JwtAuthenticator, KeyRequest, LookupError, VerifyingKey};
    ///
    /// # fn secret_of(tenant: &str) -> Option<[u8; 32]> { None }
    /// let jwt = JwtAuthenticator::<serde_json::Value>::builder()
    ///     .any_issuer()
    ///     .any_audience()
    ///     .key_claim("tenant")
    ///     .key_source(|token: KeyRequest| async move {
    ///         let secret = token.claim().and_then(secret_of).ok_or(LookupError::Unknown)?;
    ///         VerifyingKey::hmac(Algorithm::Hs256, &secret).map_err(|_| LookupError::Unknown)
    ///     })
    ///     .build()?;
    /// # let _ = jwt;
    /// # Ok(())
    /// # }
    /// ```
    pub fn key_claim(mut self, name: &str) -> Self {
        self.key_claim = Some(name.into());
        self
    }

    /// Requires `iss` to be exactly this string, or this [`Issuer`] with keys of its own. Several calls allow
    /// several issuers.
    pub fn issuer(mut self, issuer: impl Into<Issuer>) -> Self {
        self.issuers.push(issuer.into());
        self
    }

    /// Accepts any issuer, and none: whoever holds a key given to the builder may issue, except in the name of an
    /// [`Issuer`] that has its own keys.
    pub fn any_issuer(mut self) -> Self {
        self.accepts_any_issuer = true;
        self
    }

    /// Requires `aud` to be or contain this string. Several calls allow several audiences.
    pub fn audience(mut self, audience: &str) -> Self {
        self.audiences.get_or_insert_default().push(audience.into());
        self
    }

    /// Accepts any audience: tokens that the issuer made for other services are good here, too.
    pub fn any_audience(mut self) -> Self {
        self.audiences = Some(Vec::new());
        self
    }

    /// How much clocks may differ, for `exp`, `nbf` and `iat`; 30 s by default. Raising it lets expired tokens in
    /// for longer, lowering it refuses clients whose issuer's clock is ahead.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// How long a session may last at most, whatever `exp` says; 24 h by default.
    pub fn max_session(mut self, max: Duration) -> Self {
        self.max_session = max;
        self
    }

    /// Refuses tokens made to live longer than this, and those without `iat`. Off by default.
    pub fn max_token_lifetime(mut self, max: Duration) -> Self {
        self.max_token_lifetime = Some(max);
        self
    }

    /// Takes the subject from this claim, a text or a whole number, instead of `sub`: tokens that say who somebody is with a
    /// `user_id`. Choose one that does not change hands: renewal, revocation and recovery go by it.
    ///
    /// ```
    /// # fn main() -> Result<(), socketio_auth::jwt::JwtBuildError> {
    /// use std::time::Duration;
    /// use socketio_auth::jwt::JwtAuthenticator;
    ///
    /// // jwt.sign({ user_id: 7 }, secret), without an issuer, an audience or an end.
    /// let jwt = JwtAuthenticator::<serde_json::Value>::builder()
    ///     .hs256("a secret of at least thirty-two bytes")
    ///     .any_issuer()
    ///     .any_audience()
    ///     .subject_claim("user_id")
    ///     .accept_endless_tokens(Duration::from_secs(8 * 60 * 60))
    ///     .build()?;
    /// # let _ = jwt;
    /// # Ok(())
    /// # }
    /// ```
    pub fn subject_claim(mut self, name: &str) -> Self {
        self.subject_claim = Some(name.into());
        self
    }

    /// Accepts tokens without `exp`, and sets [`max_session`](Self::max_session): so long after each connect the client is put
    /// out. It may come back with the same token, for ever: whoever steals one keeps it until it is
    /// [revoked](crate::revocation::Revocation) or the key is replaced.
    pub fn accept_endless_tokens(mut self, max_session: Duration) -> Self {
        self.accepts_endless_tokens = true;
        self.max_session(max_session)
    }

    /// Ends the session at the time in this claim, in Unix seconds like `exp`, where that is earlier: a token that is good for
    /// other services for longer than for this one. A token without the claim is as good; one in which it is no such number
    /// is refused. Off by default, since the names of private claims are their issuer's (RFC 7519 §4.3).
    pub fn end_claim(mut self, name: &str) -> Self {
        self.end_claim = Some(name.into());
        self
    }

    /// Requires the `typ` header, for instance `at+jwt` (RFC 9068), and refuses OpenID Connect ID tokens. Off by
    /// default.
    pub fn token_type(mut self, name: &str) -> Self {
        self.token_type = Some(name.into());
        self
    }

    /// The longest token that is looked at, in bytes; 8192 by default. Every byte of a token costs before the
    /// signature is known to be good. For longer ones raise what they come in, too:
    /// [`NamespacePolicy::max_payload_bytes`](crate::NamespacePolicy::max_payload_bytes) for the CONNECT payload, the
    /// engine's `max_header_bytes` for a header or cookie.
    pub fn max_token_len(mut self, bytes: usize) -> Self {
        self.max_token_bytes = bytes;
        self
    }

    /// Requires that the client proves to hold the key that its token is bound to, see [`ProofOfPossession`]. Off by
    /// default: whoever has a token may use it, and a `cnf` claim is not looked at.
    pub fn proof_of_possession(mut self, proof: ProofOfPossession) -> Self {
        self.proof = Some(proof);
        self
    }

    /// Replaces the clock, for tests.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Checks the configuration and the cryptographic backend.
    ///
    /// # Errors
    ///
    /// The first [`JwtBuildError`] found.
    pub fn build(self) -> Result<JwtAuthenticator<C>, JwtBuildError> {
        let trusted = trusted(self.keys, self.issuers, self.accepts_any_issuer)?;
        let audiences = self.audiences.ok_or(JwtBuildError::AudienceUndecided)?;
        if !backend::self_test() {
            return Err(JwtBuildError::Backend);
        }
        Ok(JwtAuthenticator::new(Inner {
            trusted,
            key_claim: self.key_claim,
            expectations: Expectations {
                audiences,
                leeway: self.leeway,
                max_session: self.max_session,
                max_token_lifetime: self.max_token_lifetime,
                is_expiry_required: !self.accepts_endless_tokens,
                subject_claim: self.subject_claim,
                end_claim: self.end_claim,
            },
            proof: self.proof,
            last_header: LastHeader::default(),
            token_type: self.token_type,
            max_token_bytes: self.max_token_bytes,
            clock: self.clock,
        }))
    }

    fn try_key(mut self, key: Result<VerifyingKey, KeyError>) -> Self {
        self.keys.add(key);
        self
    }
}

/// Gives every issuer its keys; the nameless one comes last, so that it takes what no other does.
fn trusted(
    shared: KeyConfig,
    issuers: Vec<Issuer>,
    accepts_any_issuer: bool,
) -> Result<Vec<Trust>, JwtBuildError> {
    if issuers.is_empty() && shared.is_empty() {
        return Err(JwtBuildError::NoKey);
    }
    let shared = shared.finish()?;
    if issuers.is_empty() && !accepts_any_issuer {
        return Err(JwtBuildError::IssuerUndecided);
    }
    let is_shared_used = accepts_any_issuer || issuers.iter().any(|issuer| issuer.keys.is_empty());
    if !is_shared_used && !shared.is_empty() {
        return Err(JwtBuildError::UnusedKey);
    }
    let mut names: Vec<&str> = issuers.iter().map(|issuer| issuer.name.as_ref()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(JwtBuildError::DuplicateIssuer);
    }
    let mut trusted = issuers
        .into_iter()
        .map(|issuer| issuer.into_trust(&shared))
        .collect::<Result<Vec<_>, _>>()?;
    if accepts_any_issuer {
        trusted.push(Trust {
            issuer: None,
            algorithms: AlgorithmSet::ALL,
            keys: shared,
        });
    }
    if trusted.iter().any(|trust| trust.keys.is_empty()) {
        return Err(JwtBuildError::NoKey);
    }
    Ok(trusted)
}

impl<C> fmt::Debug for JwtBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtBuilder")
            .field("keys", &self.keys)
            .field("issuers", &self.issuers)
            .field("audiences", &self.audiences)
            .finish_non_exhaustive()
    }
}
