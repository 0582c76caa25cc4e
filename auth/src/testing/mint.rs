//! Makes JSON Web Tokens of every algorithm, and every kind of bad one.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::mint_keys::{Pair, pair};
use crate::base::clock::{Clock, SystemClock};
use crate::claims::strict_json::Object;
use crate::jwt::algorithm::Algorithm;
use crate::jwt::backend;
use crate::jwt::key::VerifyingKey;

/// Issues tokens with a key of its own. Its keys are fixed and public, so that tests are fast and repeatable.
///
/// ```
/// use socketio_auth::jwt::{Algorithm, JwtAuthenticator};
/// use socketio_auth::testing::TokenMint;
///
/// # fn main() -> Result<(), socketio_auth::jwt::JwtBuildError> {
/// let mint = TokenMint::new(Algorithm::Es256).issuer("https://id.example").audience("chat");
/// let jwt = JwtAuthenticator::<serde_json::Value>::builder()
///     .key(mint.verifying_key())
///     .issuer("https://id.example")
///     .audience("chat")
///     .build()?;
///
/// let good = mint.token("user-7").claim("scope", "chat:write").sign();
/// let forged = mint.token("user-7").sign_wrongly();
/// # let _ = (jwt, good, forged);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TokenMint {
    algorithm: Algorithm,
    pair: Pair,
    key_id: Option<Box<str>>,
    issuer: Option<Box<str>>,
    audience: Option<Box<str>>,
    clock: Arc<dyn Clock>,
}

impl TokenMint {
    /// A mint whose tokens are signed under `algorithm`.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        Self::with_pair(algorithm, pair(algorithm, false))
    }

    /// A mint with another key of the same kind: what it signs is forged in the eyes of those who trust
    /// [`new`](Self::new).
    #[must_use]
    pub fn stranger(algorithm: Algorithm) -> Self {
        Self::with_pair(algorithm, pair(algorithm, true))
    }

    fn with_pair(algorithm: Algorithm, pair: Pair) -> Self {
        Self {
            algorithm,
            pair,
            key_id: None,
            issuer: None,
            audience: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// Puts this `kid` into tokens and keys.
    #[must_use]
    pub fn key_id(mut self, id: &str) -> Self {
        self.key_id = Some(id.into());
        self
    }

    /// Puts this `iss` into tokens.
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Puts this `aud` into tokens.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Dates tokens by this clock instead of the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// A token of `subject`, issued now and good for five minutes, to be changed and signed.
    pub fn token(&self, subject: &str) -> TokenDraft<'_> {
        let mut draft = self
            .empty("JWT")
            .claim("sub", subject)
            .claim("iat", self.now());
        if let Some(issuer) = self.issuer.as_deref() {
            draft = draft.claim("iss", issuer);
        }
        if let Some(audience) = self.audience.as_deref() {
            draft = draft.claim("aud", audience);
        }
        draft.expires_in(Duration::from_secs(300))
    }

    /// A proof that the holder of this mint's key has `token` and is on the connection with this Engine.IO id, see
    /// [`ProofOfPossession`](crate::jwt::ProofOfPossession).
    pub fn proof(&self, token: &str, session_id: &str, url: &str) -> TokenDraft<'_> {
        self.empty("sio-pop+jwt")
            .without_header("kid")
            .header("jwk", self.jwk())
            .claim("sid", session_id)
            .claim("htu", url)
            .claim("nsp", "/")
            .claim("ath", URL_SAFE_NO_PAD.encode(Sha256::digest(token)))
            .claim("iat", self.now())
    }

    /// What verifies this mint's tokens.
    ///
    /// # Panics
    ///
    /// When the mint was given a [`key_id`](Self::key_id) that is no key id.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        let key = self.pair.verifying_key(self.algorithm);
        match &self.key_id {
            Some(id) => key.with_id(id).expect("the test chose a valid key id"),
            None => key,
        }
    }

    /// What verifies this mint's tokens, as a JWK. For an HMAC it holds the secret, which no key set should.
    #[must_use]
    pub fn jwk(&self) -> Value {
        let mut jwk = self.pair.jwk();
        if let Some(id) = &self.key_id {
            jwk["kid"] = json!(id);
            jwk["alg"] = json!(self.algorithm.name());
            jwk["use"] = json!("sig");
        }
        jwk
    }

    /// The JWK set with this mint's key alone.
    #[must_use]
    pub fn jwks(&self) -> String {
        json!({ "keys": [self.jwk()] }).to_string()
    }

    /// The thumbprint of the public key (RFC 7638), for `cnf: {"jkt"}`; empty for an HMAC.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        let jwk = self.pair.jwk().to_string();
        Object::parse(jwk.as_bytes())
            .and_then(|jwk| crate::jwt::jwks::thumbprint(&jwk))
            .unwrap_or_default()
    }

    /// The public key as PEM, or the text of the secret.
    #[must_use]
    pub const fn public_text(&self) -> &'static str {
        self.pair.public
    }

    fn empty(&self, token_type: &str) -> TokenDraft<'_> {
        let draft = TokenDraft {
            mint: self,
            header: Members::default(),
            claims: Members::default(),
        }
        .header("typ", token_type)
        .header("alg", self.algorithm.name());
        match self.key_id.as_deref() {
            Some(id) => draft.header("kid", id),
            None => draft,
        }
    }

    fn now(&self) -> u64 {
        self.clock
            .now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs()
    }
}

/// Shows the algorithm only.
impl fmt::Debug for TokenMint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenMint")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// A token in the making: every method returns the changed draft, the ones that sign return the token.
#[derive(Clone, Debug)]
#[must_use]
pub struct TokenDraft<'a> {
    mint: &'a TokenMint,
    header: Members,
    claims: Members,
}

impl TokenDraft<'_> {
    /// Sets or replaces a claim.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.set(name, value.into());
        self
    }

    /// Leaves a claim out.
    pub fn without_claim(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Adds a claim although there may be one of that name.
    pub fn duplicate_claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.append(name, value.into());
        self
    }

    /// Sets or replaces a member of the header.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.set(name, value.into());
        self
    }

    /// Leaves a member of the header out.
    pub fn without_header(mut self, name: &str) -> Self {
        self.header.remove(name);
        self
    }

    /// Adds a member of the header although there may be one of that name.
    pub fn duplicate_header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.append(name, value.into());
        self
    }

    /// Sets `exp` to so much from now.
    pub fn expires_in(self, after: Duration) -> Self {
        let at = self.mint.now().saturating_add(after.as_secs());
        self.claim("exp", at)
    }

    /// Sets `exp` to so long ago.
    pub fn expired(self, ago: Duration) -> Self {
        let at = self.mint.now().saturating_sub(ago.as_secs());
        self.claim("exp", at)
    }

    /// Sets `nbf` to so much from now.
    pub fn not_before(self, after: Duration) -> Self {
        let at = self.mint.now().saturating_add(after.as_secs());
        self.claim("nbf", at)
    }

    /// The token, signed as it should be.
    #[must_use]
    pub fn sign(&self) -> String {
        let signed = self.to_be_signed();
        let signature = self.signature(&signed);
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The token with one bit of its signature changed.
    #[must_use]
    pub fn sign_wrongly(&self) -> String {
        let signed = self.to_be_signed();
        let mut signature = self.signature(&signed);
        if let Some(byte) = signature.last_mut() {
            *byte ^= 1;
        }
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The token with `alg` `none`, in this spelling, and no signature.
    #[must_use]
    pub fn unsigned(self, none: &str) -> String {
        format!("{}.", self.header("alg", none).to_be_signed())
    }

    /// The token signed with the mint's key, but naming another algorithm.
    #[must_use]
    pub fn sign_naming(self, algorithm: Algorithm) -> String {
        self.header("alg", algorithm.name()).sign()
    }

    /// The confusion of a public key with a secret: HS256 with the text of the public key.
    #[must_use]
    pub fn sign_with_public_text(self) -> String {
        let secret = EncodingKey::from_secret(self.mint.pair.public.as_bytes());
        let signed = self.header("alg", "HS256").to_be_signed();
        let signature = backend::sign(Algorithm::Hs256, &secret, signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn signature(&self, signed: &str) -> Vec<u8> {
        let key = &self.mint.pair.signing;
        backend::sign(self.mint.algorithm, key, signed.as_bytes())
    }

    fn to_be_signed(&self) -> String {
        let encode = |members: &Members| URL_SAFE_NO_PAD.encode(members.to_json());
        format!("{}.{}", encode(&self.header), encode(&self.claims))
    }
}

/// The members of a JSON object, which may repeat names.
#[derive(Clone, Debug, Default)]
struct Members(Vec<(String, Value)>);

impl Members {
    fn set(&mut self, name: &str, value: Value) {
        self.remove(name);
        self.append(name, value);
    }

    fn append(&mut self, name: &str, value: Value) {
        self.0.push((name.to_owned(), value));
    }

    fn remove(&mut self, name: &str) {
        self.0.retain(|(known, _)| known != name);
    }

    fn to_json(&self) -> String {
        let members: Vec<_> = self
            .0
            .iter()
            .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
            .collect();
        format!("{{{}}}", members.join(","))
    }
}
