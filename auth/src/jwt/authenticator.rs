//! The authenticator: length, shape, header, issuer, key, signature, claims, in this order, so that what is refused
//! costs the less the sooner.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::compact::{Parts, decode};
use super::header::{JoseHeader, LastHeader};
use super::issuer::Trust;
use super::key::{SkippedKey, VerifyingKey};
use super::key_set::{Fit, KeySet};
use super::key_source::{KeyRequest, LookupError};
use super::proof::{MAX_PROOF_BYTES, ProofOfPossession, Proven};
use super::refusal::{Refusal, invalid};
use crate::authenticator::judge::{Authenticator, Outcome};
use crate::base::clock::Clock;
use crate::base::shown::{Shown, ShownList};
use crate::claims::registered::{Expectations, Registered};
use crate::claims::strict_json::{Json, Object};
use crate::grant::SignedBy;
use crate::presented::context::AuthContext;
use crate::presented::credential::Credential;
use crate::presented::proven_field::PROOF_SEPARATOR;
use crate::rejection::code::Rejection;

/// Accepts JSON Web Tokens; the identity is their claims, as the application's type `C`.
///
/// A clone shares the keys. Verification takes 4 µs (HS256) to 200 µs (ES384) and waits for nothing but a
/// [key source](super::JwtBuilder::key_source), where there is one.
///
/// The grant ends with the token's `exp`, with its [`end_claim`](super::JwtBuilder::end_claim) if that is earlier, and with
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
/// # fn main() -> Result<(), socketio_auth::jwt::JwtBuildError> {
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
    /// The claim that key sources are shown.
    pub(super) key_claim: Option<Box<str>>,
    pub(super) expectations: Expectations,
    pub(super) proof: Option<ProofOfPossession>,
    pub(super) token_type: Option<Box<str>>,
    pub(super) max_token_bytes: usize,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) last_header: LastHeader,
}

/// Whoever sends it may mean another authenticator.
const NO_JWT: &str = "it is no JWT, which has three parts with points between";
const NOT_STRICT: &str = "the payload is not a strict JSON object";

impl<C: DeserializeOwned + Send + Sync + 'static> JwtAuthenticator<C> {
    pub(super) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
            claims: PhantomData,
        }
    }

    /// The keys of [JWK sets](super::JwtBuilder::jwks) that were passed over, and why. Worth a line in the log at start: a
    /// token that one of them signed is refused.
    pub fn skipped_keys(&self) -> impl Iterator<Item = &SkippedKey> {
        let of_trusted = self.inner.trusted.iter();
        of_trusted.flat_map(|trust| trust.keys.fixed.skipped())
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Authenticator for JwtAuthenticator<C> {
    type Identity = C;

    async fn authenticate(&self, cx: &AuthContext, credential: &Credential) -> Outcome<C> {
        match self.inner.judge(cx, credential.token()).await {
            Ok((payload, registered)) => match serde_json::from_str(&payload) {
                Ok(identity) => Outcome::Accept(registered.into_grant(identity)),
                Err(error) => Outcome::Reject(invalid(format!(
                    "the claims do not fit the application's type: {error}"
                ))),
            },
            Err(Refusal::NotMine(why)) => {
                cx.explain(why);
                Outcome::NotMine
            }
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
            return Err(self.too_long(credential.len()).into());
        }
        let proof = self.proof.as_ref();
        let (token, proof) = match proof.and_then(|_| credential.split_once(PROOF_SEPARATOR)) {
            Some((token, proof)) => (token, Some(proof)),
            None => (credential, None),
        };
        if token.len() > self.max_token_bytes {
            return Err(self.too_long(token.len()).into());
        }
        let parts = Parts::split(token).ok_or_else(|| Refusal::NotMine(NO_JWT.into()))?;
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
        let trust = self
            .trust(issuer.as_deref())
            .ok_or_else(|| self.not_mine(issuer.as_deref()))?;
        let verified = match trust.algorithms.contains(header.algorithm) {
            true => self.verify(cx, trust, issuer, header, &parts).await,
            false => Err(invalid(format!(
                "the algorithm {} is not one of the issuer's",
                header.algorithm.name()
            ))),
        };
        let signed_by = match verified {
            Ok(signed_by) => signed_by,
            Err(rejection) => {
                let named = peek_issuer(&payload)?;
                // A token of somebody else's was not for this key.
                return Err(match trust.is_not_of(named.as_deref()) {
                    true => self.not_mine(named.as_deref()),
                    false => rejection.into(),
                });
            }
        };
        if known.is_none() {
            self.last_header.keep(parts.header, header);
        }
        let payload = String::from_utf8(payload).map_err(|_| NOT_STRICT)?;
        let claims = Object::parse_text(&payload).ok_or(NOT_STRICT)?;
        if trust.is_not_of(claims.text("iss")) {
            return Err(self.not_mine(claims.text("iss")));
        }
        self.check_type(header, &claims)?;
        let now = self.clock.now();
        let mut registered = self
            .expectations
            .check(&claims, trust.issuer.as_ref(), now)
            .map_err(|(code, detail)| Rejection::new(code).with_detail(detail))?;
        registered.signed_by = Some(signed_by);
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

    fn too_long(&self, len: usize) -> Cow<'static, str> {
        let max = self.max_token_bytes;
        format!("the token has {len} bytes, max_token_len is {max}").into()
    }

    /// It is another issuer's, so it may be another authenticator's.
    fn not_mine(&self, named: Option<&str>) -> Refusal {
        let names: Vec<&str> = self
            .trusted
            .iter()
            .filter_map(|trust| trust.issuer.as_deref())
            .collect();
        let named = Shown(named.unwrap_or_default());
        Refusal::NotMine(format!("iss is {named}, expected {}", ShownList(&names)).into())
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

    /// Verifies the signature; yields by what it was made.
    async fn verify(
        &self,
        cx: &AuthContext,
        trust: &Trust,
        issuer: Option<String>,
        header: &JoseHeader<'_>,
        parts: &Parts<'_>,
    ) -> Result<Arc<SignedBy>, Rejection> {
        let signature = decode(parts.signature).ok_or("the signature is not Base64");
        let signature = signature.map_err(invalid)?;
        let (key_id, signed) = (header.key_id.as_deref(), parts.signed.as_bytes());
        let fixed = &trust.keys.fixed;
        if let Some(key) = fixed.verifying(header, signed, &signature) {
            return Ok(key.signed_by());
        }
        // A key without an id may be it, or not: the source may have the very one.
        let is_named = key_id.is_some() && fixed.fit(header.algorithm, key_id) == Fit::Exact;
        let Some(source) = trust.keys.source.as_ref().filter(|_| !is_named) else {
            return Err(not_verified(fixed, header));
        };
        let request = KeyRequest {
            key_id: key_id.map(Into::into),
            issuer: issuer.map(Into::into),
            claim: self.key_claim.as_deref().and_then(|name| {
                let payload = decode(parts.payload)?;
                let claims = Object::parse(&payload)?;
                match claims.get(name)? {
                    Json::Text(text) => Some(Arc::from(&**text)),
                    Json::Number(id) if !id.is_f64() => Some(id.to_string().into()),
                    _ => None,
                }
            }),
            algorithm: header.algorithm,
            context: cx.clone(),
        };
        let found = source.keys_dyn(&request).await;
        let found = found.map_err(LookupError::into_rejection)?;
        found
            .verifying(header, signed, &signature)
            .map(VerifyingKey::signed_by)
            .ok_or_else(|| not_verified(&found, header))
    }

    /// Refuses tokens of another type where one is required. An OpenID Connect ID token is recognised by its
    /// claims, because few issuers give it a type.
    fn check_type(
        &self,
        header: &JoseHeader<'_>,
        claims: &Object<'_>,
    ) -> Result<(), Cow<'static, str>> {
        let Some(expected) = &self.token_type else {
            return Ok(());
        };
        let is_id_token = claims
            .names()
            .any(|name| name == "nonce" || name == "at_hash");
        if is_id_token {
            return Err("nonce or at_hash: this is an ID token".into());
        }
        if !header.is_of_type(expected) {
            let given = Shown(header.token_type.as_deref().unwrap_or_default());
            return Err(format!("typ is {given}, expected {}", Shown(expected)).into());
        }
        Ok(())
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

/// No key of these verifies the signature.
fn not_verified(keys: &KeySet, header: &JoseHeader<'_>) -> Rejection {
    let (name, key_id) = (header.algorithm.name(), header.key_id.as_deref());
    let kid = match key_id {
        None => "no kid".to_owned(),
        Some(id) => format!("kid {}", Shown(id)),
    };
    let fitting = keys
        .iter()
        .filter(|key| key.fits(header.algorithm, key_id))
        .count();
    invalid(match fitting {
        0 => format!("none of {} keys is for {name} and {kid}", keys.len()),
        _ => format!("{fitting} keys are for {name} and {kid}, and none verifies the signature"),
    })
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
