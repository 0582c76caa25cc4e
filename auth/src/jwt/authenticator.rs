//! The authenticator: length, shape, header, issuer, key, signature, claims, in this order, so that what is refused
//! costs the less the sooner.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::compact::{Parts, decode};
use super::header::{JoseHeader, LastHeader};
use super::issuer::Trust;
use super::key::VerifyingKey;
use super::key_source::{KeyRequest, LookupError};
use super::proof::{MAX_PROOF_BYTES, ProofOfPossession, Proven};
use super::refusal::{Refusal, invalid};
use crate::authenticator::judge::{Authenticator, Outcome};
use crate::base::clock::Clock;
use crate::claims::registered::{Expectations, Registered};
use crate::claims::strict_json::Object;
use crate::presented::context::AuthContext;
use crate::presented::credential::Credential;
use crate::presented::proven_field::PROOF_SEPARATOR;
use crate::rejection::code::Rejection;

/// Accepts JSON Web Tokens; the identity is their claims, as the application's type `C`.
///
/// A clone shares the keys. Verification takes 4 µs (HS256) to 200 µs (ES384) and waits for nothing but a
/// [key source](super::JwtBuilder::key_source), where there is one.
///
/// The grant ends with the token's `exp`, with its `expire_at` if that is earlier, and with
/// [`max_session`](super::JwtBuilder::max_session) in any case.
///
/// A token that has not the form of a JWT, or names another issuer than the configured ones, is
/// [`Outcome::NotMine`], so that authenticators can be chained with [`or`](Authenticator::or).
///
/// ```
/// use serde::Deserialize;
/// use socketio_auth::jwt::JwtAuthenticator;
///
/// #[derive(Clone, Deserialize)]
/// struct Claims {
///     sub: String,
///     #[serde(default)]
///     admin: bool,
/// }
///
/// # fn main() -> Result<(), socketio_auth::jwt::BuildError> {
/// let secret = b"at least thirty-two bytes of real randomness";
/// let jwt = JwtAuthenticator::<Claims>::builder()
///     .hs256(secret)
///     .issuer("https://id.example")
///     .audience("chat")
///     .build()?;
/// # let _ = jwt;
/// # Ok(())
/// # }
/// ```
pub struct JwtAuthenticator<C> {
    inner: Arc<Inner>,
    claims: PhantomData<fn() -> C>,
}

pub(super) struct Inner {
    /// The one without a name, if any, is last.
    pub(super) trusted: Vec<Trust>,
    pub(super) expectations: Expectations,
    pub(super) proof: Option<ProofOfPossession>,
    pub(super) token_type: Option<Box<str>>,
    pub(super) max_token_bytes: usize,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) last_header: LastHeader,
}

const NOT_STRICT: &str = "the payload is not a strict JSON object";

impl<C: DeserializeOwned + Send + Sync + 'static> JwtAuthenticator<C> {
    pub(super) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
            claims: PhantomData,
        }
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Authenticator for JwtAuthenticator<C> {
    type Identity = C;

    async fn authenticate(&self, cx: &AuthContext, credential: &Credential) -> Outcome<C> {
        match self.inner.judge(cx, credential.token()).await {
            Ok((payload, registered)) => match serde_json::from_str(&payload) {
                Ok(identity) => Outcome::Accept(registered.into_grant(identity)),
                Err(_) => Outcome::Reject(invalid("the claims do not fit the application's type")),
            },
            Err(Refusal::NotMine) => Outcome::NotMine,
            Err(Refusal::Rejected(rejection)) => Outcome::Reject(rejection),
        }
    }
}

impl Inner {
    /// The payload, a strict JSON object, and what its registered claims say.
    async fn judge(
        &self,
        cx: &AuthContext,
        credential: &str,
    ) -> Result<(String, Registered), Refusal> {
        let longest_proof = self.proof.as_ref().map_or(0, |_| MAX_PROOF_BYTES + 1);
        if credential.len() > self.max_token_bytes.saturating_add(longest_proof) {
            return Err("the token is too long".into());
        }
        let proof = self.proof.as_ref();
        let (token, proof) = match proof.and_then(|_| credential.split_once(PROOF_SEPARATOR)) {
            Some((token, proof)) => (token, Some(proof)),
            None => (credential, None),
        };
        if token.len() > self.max_token_bytes {
            return Err("the token is too long".into());
        }
        let parts = Parts::split(token).ok_or(Refusal::NotMine)?;
        let (bytes, parsed);
        let known = self.last_header.of(parts.header);
        let header = if let Some(known) = &known {
            &known.header
        } else {
            bytes = decode(parts.header).ok_or("the header is not Base64")?;
            parsed = JoseHeader::parse(&bytes)?;
            &parsed
        };
        let payload = decode(parts.payload).ok_or("the payload is not Base64")?;
        let issuer = match self.needs_issuer_first() {
            true => peek_issuer(&payload)?,
            false => None,
        };
        let trust = self.trust(issuer.as_deref()).ok_or(Refusal::NotMine)?;
        let verified = match trust.algorithms.contains(header.algorithm) {
            true => self.verify(cx, trust, issuer, header, &parts).await,
            false => Err(invalid("the algorithm is not one of the issuer's")),
        };
        let key_id = match verified {
            Ok(key_id) => key_id,
            // A token of somebody else's was not for this key.
            Err(_) if trust.is_not_of(peek_issuer(&payload)?.as_deref()) => {
                return Err(Refusal::NotMine);
            }
            Err(rejection) => return Err(rejection.into()),
        };
        if known.is_none() {
            self.last_header.keep(parts.header, header);
        }
        let payload = String::from_utf8(payload).map_err(|_| NOT_STRICT)?;
        let claims = Object::parse_text(&payload).ok_or(NOT_STRICT)?;
        if trust.is_not_of(claims.text("iss")) {
            return Err(Refusal::NotMine);
        }
        self.check_type(header, &claims)?;
        let now = self.clock.now();
        let mut registered = self
            .expectations
            .check(&claims, trust.issuer.as_ref(), now)
            .map_err(|(code, detail)| Rejection::new(code).with_detail(detail))?;
        registered.key_id = key_id;
        registered.algorithm = Some(header.algorithm.name());
        if let Some(possession) = &self.proof {
            let proven = Proven {
                token,
                claims: &claims,
                proof,
            };
            possession.check(cx, &proven, now)?;
        }
        drop(claims);
        Ok((payload, registered))
    }

    /// Whether it takes the issuer to know which keys to try. It is not read for nothing, since the payload is
    /// anybody's until the signature has been verified.
    fn needs_issuer_first(&self) -> bool {
        !matches!(&*self.trusted, [only] if only.keys.source.is_none())
    }

    /// A token that names no issuer belongs to the first one, which refuses it once the signature was looked at.
    fn trust(&self, issuer: Option<&str>) -> Option<&Trust> {
        let nameless = || self.trusted.last().filter(|trust| trust.issuer.is_none());
        match issuer {
            Some(name) => self
                .trusted
                .iter()
                .find(|trust| trust.issuer.as_deref() == Some(name))
                .or_else(nameless),
            None => nameless().or_else(|| self.trusted.first()),
        }
    }

    /// Verifies the signature; yields the id of the key, if it has one.
    async fn verify(
        &self,
        cx: &AuthContext,
        trust: &Trust,
        issuer: Option<String>,
        header: &JoseHeader<'_>,
        parts: &Parts<'_>,
    ) -> Result<Option<Arc<str>>, Rejection> {
        let signature = decode(parts.signature).ok_or("the signature is not Base64");
        let signature = signature.map_err(invalid)?;
        let key_id = header.key_id.as_deref();
        let fixed = &trust.keys.fixed;
        let keys = match &trust.keys.source {
            Some(source) if !fixed.has_key_for(header.algorithm, key_id) => {
                let request = KeyRequest {
                    key_id: key_id.map(Into::into),
                    issuer: issuer.map(Into::into),
                    algorithm: header.algorithm,
                    context: cx.clone(),
                };
                let found = source.keys_dyn(&request).await;
                &found.map_err(LookupError::into_rejection)?
            }
            _ => fixed,
        };
        keys.verifying(header, parts.signed.as_bytes(), &signature)
            .map(VerifyingKey::shared_id)
            .ok_or_else(|| invalid("no key verifies the signature"))
    }

    /// Refuses tokens of another type where one is required. An OpenID Connect ID token is recognised by its
    /// claims, because few issuers give it a type.
    fn check_type(&self, header: &JoseHeader<'_>, claims: &Object<'_>) -> Result<(), &'static str> {
        let Some(expected) = &self.token_type else {
            return Ok(());
        };
        let is_id_token = claims
            .names()
            .any(|name| name == "nonce" || name == "at_hash");
        if header.is_of_type(expected) && !is_id_token {
            Ok(())
        } else {
            Err("the token is of another type")
        }
    }
}

impl<C> Clone for JwtAuthenticator<C> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            claims: PhantomData,
        }
    }
}

impl<C> fmt::Debug for JwtAuthenticator<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthenticator")
            .field("trusted", &self.inner.trusted)
            .field("expectations", &self.inner.expectations)
            .finish_non_exhaustive()
    }
}

/// The issuer that an unverified payload names.
fn peek_issuer(payload: &[u8]) -> Result<Option<String>, &'static str> {
    #[derive(Deserialize)]
    struct Named {
        iss: Option<String>,
    }
    serde_json::from_slice(payload)
        .map(|named: Named| named.iss)
        .map_err(|_| "the payload is not an object, or its iss is not a string")
}
