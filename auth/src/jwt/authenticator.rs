//! The authenticator: length, shape, header, key, signature, claims, in this order.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::claims::Expectations;
use super::header::JoseHeader;
use super::strict_json::parse_object;
use super::{Clock, JwtBuilder, VerifyingKey};
use crate::{AuthContext, Authenticator, Code, Credential, Grant, Outcome, Rejection};

/// How many keys are tried for a token that names no key.
const MAX_TRIED_KEYS: usize = 4;

/// Accepts JSON Web Tokens; the identity is their claims, as the application's type `C`.
///
/// A clone shares the keys. Verification takes 4 µs (HS256) to 200 µs (ES384) and does not wait.
///
/// A token that has not the form of a JWT, or names another issuer than the configured one, is
/// [`Outcome::NotMine`], so that authenticators for several issuers can be chained with
/// [`or`](Authenticator::or).
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
    pub(super) keys: Vec<VerifyingKey>,
    pub(super) expectations: Expectations,
    pub(super) token_type: Option<Box<str>>,
    pub(super) max_token_bytes: usize,
    pub(super) clock: Arc<dyn Clock>,
}

impl<C: DeserializeOwned + Send + Sync + 'static> JwtAuthenticator<C> {
    /// Starts the configuration. A key, the issuer and the audience have to be decided.
    pub fn builder() -> JwtBuilder<C> {
        JwtBuilder::new()
    }

    pub(super) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
            claims: PhantomData,
        }
    }

    fn judge(&self, token: &str) -> Outcome<C> {
        let inner = &*self.inner;
        if token.len() > inner.max_token_bytes {
            return invalid("the token is too long");
        }
        let Some(parts) = Parts::split(token) else {
            return Outcome::NotMine;
        };
        let header = match decode(parts.header)
            .ok_or("the header is not Base64")
            .and_then(|json| JoseHeader::parse(&json))
        {
            Ok(header) => header,
            Err(detail) => return invalid(detail),
        };
        let Some(claims) = decode(parts.payload).and_then(|json| parse_object(&json)) else {
            return invalid("the payload is not a strict JSON object");
        };
        if let (Some(expected), Some(Value::String(named))) =
            (&inner.expectations.issuer, claims.get("iss"))
            && **expected != **named
        {
            return Outcome::NotMine;
        }
        let Some(signature) = decode(parts.signature) else {
            return invalid("the signature is not Base64");
        };
        let is_signed = inner
            .keys
            .iter()
            .filter(|key| key.fits(header.algorithm, header.key_id.as_deref()))
            .take(MAX_TRIED_KEYS)
            .any(|key| key.verify(parts.signed.as_bytes(), &signature));
        if !is_signed {
            return invalid("no key verifies the signature");
        }
        if let Some(expected) = &inner.token_type {
            let is_id_token = claims.contains_key("nonce") || claims.contains_key("at_hash");
            if !header.is_of_type(expected) || is_id_token {
                return invalid("the token is of another type");
            }
        }
        match inner.expectations.check(&claims, inner.clock.now()) {
            Ok(registered) => {
                let Ok(identity) = serde_json::from_value(Value::Object(claims)) else {
                    return invalid("the claims do not fit the application's type");
                };
                let mut grant = Grant::new(identity, registered.subject)
                    .with_expires_at(registered.expires_at)
                    .with_scopes(registered.scopes);
                if let Some(issuer) = registered.issuer {
                    grant = grant.with_issuer(issuer);
                }
                if let Some(id) = registered.token_id {
                    grant = grant.with_token_id(id);
                }
                if let Some(id) = registered.session_id {
                    grant = grant.with_session_id(id);
                }
                if let Some(at) = registered.issued_at {
                    grant = grant.with_issued_at(at);
                }
                Outcome::Accept(grant)
            }
            Err((code, detail)) => Outcome::Reject(Rejection::new(code).with_detail(detail)),
        }
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Authenticator for JwtAuthenticator<C> {
    type Identity = C;

    async fn authenticate(&self, _cx: &AuthContext, credential: &Credential) -> Outcome<C> {
        self.judge(credential.token())
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
            .field("keys", &self.inner.keys)
            .field("expectations", &self.inner.expectations)
            .finish_non_exhaustive()
    }
}

/// The three segments of the compact form (RFC 7515 §7.1).
struct Parts<'a> {
    signed: &'a str,
    header: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        (!payload.contains('.')).then_some(Self {
            signed,
            header,
            payload,
            signature,
        })
    }
}

fn decode(segment: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(segment).ok()
}

fn invalid<C>(detail: &'static str) -> Outcome<C> {
    Outcome::Reject(Rejection::new(Code::InvalidToken).with_detail(detail))
}
