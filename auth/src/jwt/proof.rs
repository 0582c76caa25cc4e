//! Proof of possession, bound to one connection: a stolen token alone opens nothing.
//!
//! The token names the thumbprint of a key (`cnf.jkt`); the client signs, with that key, the id of the very
//! connection it is on. The connection's id is the server's nonce, so nothing is remembered and no further round
//! trip is needed. The URL in the proof is what a server in the middle cannot change.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::compact::{Parts, decode};
use super::header::JoseHeader;
use super::jwks;
use super::refusal::invalid;
use crate::claims::strict_json::{Json, Object};
use crate::presented::binding::connection_binding;
use crate::presented::context::AuthContext;
use crate::rejection::code::Rejection;

/// How far the clock of the client may be from ours, either way.
const MAX_AGE: Duration = Duration::from_secs(30);

/// The longest proof that is looked at; one with an RSA key of 4096 bits needs 2 KiB.
pub(super) const MAX_PROOF_BYTES: usize = 4096;

const PROOF_TYPE: &str = "sio-pop+jwt";

/// Requires that clients prove to hold the key that their token is bound to, for
/// [`JwtBuilder::proof_of_possession`](super::JwtBuilder::proof_of_possession).
///
/// The token has a claim `cnf: {jkt}`, the SHA-256 thumbprint of a public key (RFC 7638, as in RFC 9449). With
/// every token, renewals included, the client sends a proof: a JWT that it signs itself, with
///
/// * header: `typ` `sio-pop+jwt`, an asymmetric `alg`, and `jwk`, the public key with that thumbprint;
/// * `sid`: the Engine.IO id of this connection, `socket.io.engine.id` in the JavaScript client;
/// * `htu`: the URL that it believes to be connected to, one of those given here;
/// * `nsp`: the namespace; `ath`: Base64url of the SHA-256 of the token; `iat`: now, within 30 s.
///
/// In the handshake both are fields of the CONNECT payload, read by [`ProvenAuthField`](crate::ProvenAuthField);
/// everywhere else, in `authenticate {token}` too, they are one text `<token>~<proof>`. The browser's side:
///
/// ```js
#[doc = include_str!("proof.js")]
/// ```
///
/// A server must set [`AuthContext::with_binding`] to [`connection_binding`] of the connection's id.
///
/// ```
/// # fn main() -> Result<(), socketio_auth::jwt::JwtBuildError> {
/// use socketio_auth::jwt::{JwtAuthenticator, ProofOfPossession};
///
/// let jwt = JwtAuthenticator::<serde_json::Value>::builder()
///     .hs256(b"at least thirty-two bytes of real randomness")
///     .issuer("https://id.example")
///     .audience("chat")
///     .proof_of_possession(ProofOfPossession::for_url("https://chat.example/socket.io/"))
///     .build()?;
/// # let _ = jwt;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ProofOfPossession {
    urls: Vec<Box<str>>,
    accepts_unbound_tokens: bool,
}

/// What there is to compare.
pub(super) struct Proven<'a> {
    pub(super) token: &'a str,
    pub(super) claims: &'a Object<'a>,
    pub(super) proof: Option<&'a str>,
}

impl ProofOfPossession {
    /// Requires a proof made for this URL: what clients connect to, with scheme, host and path, compared as text.
    pub fn for_url(url: &str) -> Self {
        Self {
            urls: vec![url.into()],
            accepts_unbound_tokens: false,
        }
    }

    /// Accepts proofs made for this URL, too.
    pub fn or_url(mut self, url: &str) -> Self {
        self.urls.push(url.into());
        self
    }

    /// Accepts tokens that name no key without a proof, as bearer tokens. Those that name one still need it.
    pub const fn accept_unbound_tokens(mut self) -> Self {
        self.accepts_unbound_tokens = true;
        self
    }

    pub(super) fn check(
        &self,
        cx: &AuthContext,
        proven: &Proven<'_>,
        now: SystemTime,
    ) -> Result<(), Rejection> {
        let Some(confirmation) = proven.claims.get("cnf") else {
            return if self.accepts_unbound_tokens {
                Ok(())
            } else {
                Err(invalid("the token is not bound to a key"))
            };
        };
        let thumbprint = confirmation.as_object().and_then(|cnf| cnf.text("jkt"));
        let Some(thumbprint) = thumbprint else {
            return Err(invalid("cnf has no jkt"));
        };
        let Some(binding) = cx.binding() else {
            return Err(Rejection::unavailable(
                "the server does not say which connection a proof has to name",
            ));
        };
        let payload = proven
            .proof
            .ok_or(Cow::Borrowed("the proof is missing"))
            .and_then(|proof| signed_payload(proof, thumbprint))
            .map_err(invalid)?;
        let claims = Object::parse(&payload)
            .ok_or_else(|| invalid("the payload of the proof is not a strict JSON object"))?;
        let text = |name: &str| claims.text(name);
        if text("sid").map(connection_binding).as_deref() != Some(binding) {
            return Err(invalid("the proof names another connection"));
        }
        let is_for_us = text("htu").is_some_and(|url| self.urls.iter().any(|ours| **ours == *url));
        if !is_for_us || text("nsp") != Some(cx.namespace()) {
            return Err(invalid("the proof names another URL or namespace"));
        }
        if text("ath") != Some(&digest(proven.token)) {
            return Err(invalid("the proof was made for another token"));
        }
        if !is_recent(claims.get("iat"), now) {
            return Err(invalid("the proof is too old or from the future"));
        }
        Ok(())
    }
}

/// The payload of a proof that is signed by the key with this thumbprint.
fn signed_payload(proof: &str, thumbprint: &str) -> Result<Vec<u8>, Cow<'static, str>> {
    if proof.len() > MAX_PROOF_BYTES {
        return Err("the proof is too long".into());
    }
    let parts = Parts::split(proof).ok_or("the proof is not a JWT")?;
    let header = decode(parts.header).unwrap_or_default();
    let mut members =
        Object::parse(&header).ok_or("the header of the proof is not a strict JSON object")?;
    let Some(Json::Object(jwk)) = members.take("jwk") else {
        return Err("the proof brings no key".into());
    };
    let header = JoseHeader::from_members(members)?;
    if !header.is_of_type(PROOF_TYPE) {
        return Err("the proof is of another type".into());
    }
    if jwks::thumbprint(&jwk).as_deref() != Some(thumbprint) {
        return Err("the proof is signed with another key than the token names".into());
    }
    let key = jwks::parse_key(&jwk, header.algorithm)
        .map_err(|why| format!("the key of the proof cannot be used: {why}"))?;
    if key.algorithm() != header.algorithm {
        return Err("the key of the proof is of another algorithm than the proof".into());
    }
    let signature = decode(parts.signature).ok_or("the signature of the proof is not Base64")?;
    if !key.verify(parts.signed.as_bytes(), &signature) {
        return Err("the signature of the proof does not hold".into());
    }
    decode(parts.payload).ok_or_else(|| "the payload of the proof is not Base64".into())
}

fn is_recent(issued_at: Option<&Json<'_>>, now: SystemTime) -> bool {
    let Some(at) = issued_at
        .and_then(Json::as_u64)
        .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)))
    else {
        return false;
    };
    let distance = now
        .duration_since(at)
        .or_else(|_| at.duration_since(now))
        .unwrap_or_default();
    distance <= MAX_AGE
}

fn digest(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text))
}
