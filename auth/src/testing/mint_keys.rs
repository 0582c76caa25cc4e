//! The fixed key pairs of the mint, two for each kind.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::{Value, json};

use crate::jwt::algorithm::Algorithm;
use crate::jwt::backend;
use crate::jwt::key::VerifyingKey;

const SECRET: &str = "published with the crate, so that everyone knows it; for tests only";
const STRANGE_SECRET: &str =
    "another one that is published with the crate, and for tests only, too";

/// A private key with what verifies its signatures.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) signing: Arc<EncodingKey>,
    /// PEM, or the secret itself.
    pub(super) public: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Secret,
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// The pair for an algorithm, or the one that nobody is told to trust.
pub(super) fn pair(algorithm: Algorithm, is_strange: bool) -> Pair {
    macro_rules! pem {
        ($name:literal) => {
            (
                include_str!(concat!("pem/", $name, ".pem")),
                include_str!(concat!("pem/", $name, ".pub.pem")),
            )
        };
    }
    let (kind, (private, public)) = match (kind(algorithm), is_strange) {
        (Kind::Secret, false) => (Kind::Secret, (SECRET, SECRET)),
        (Kind::Secret, true) => (Kind::Secret, (STRANGE_SECRET, STRANGE_SECRET)),
        (Kind::Rsa, false) => (Kind::Rsa, pem!("rsa2048")),
        (Kind::Rsa, true) => (Kind::Rsa, pem!("rsa2048b")),
        (Kind::P256, false) => (Kind::P256, pem!("p256")),
        (Kind::P256, true) => (Kind::P256, pem!("p256b")),
        (Kind::P384, false) => (Kind::P384, pem!("p384")),
        (Kind::P384, true) => (Kind::P384, pem!("p384b")),
        (Kind::Ed25519, false) => (Kind::Ed25519, pem!("ed25519")),
        (Kind::Ed25519, true) => (Kind::Ed25519, pem!("ed25519b")),
    };
    let bytes = private.as_bytes();
    let signing = match kind {
        Kind::Secret => Ok(EncodingKey::from_secret(bytes)),
        Kind::Rsa => EncodingKey::from_rsa_pem(bytes),
        Kind::P256 | Kind::P384 => EncodingKey::from_ec_pem(bytes),
        Kind::Ed25519 => EncodingKey::from_ed_pem(bytes),
    };
    Pair {
        signing: Arc::new(signing.expect("the key that comes with the crate is well-formed")),
        public,
        kind,
    }
}

const fn kind(algorithm: Algorithm) -> Kind {
    match algorithm {
        Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => Kind::Secret,
        Algorithm::Es256 => Kind::P256,
        Algorithm::Es384 => Kind::P384,
        Algorithm::EdDsa => Kind::Ed25519,
        _ => Kind::Rsa,
    }
}

impl Pair {
    pub(super) fn verifying_key(&self, algorithm: Algorithm) -> VerifyingKey {
        match self.kind {
            Kind::Secret => VerifyingKey::hmac(algorithm, self.public.as_bytes()),
            _ => VerifyingKey::pem(algorithm, self.public),
        }
        .expect("the key that comes with the crate fits its algorithm")
    }

    /// The members that RFC 7638 hashes, and no others.
    pub(super) fn jwk(&self) -> Value {
        let pem = self.public.as_bytes();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let key = match self.kind {
            Kind::Secret => return json!({ "kty": "oct", "k": encode(pem) }),
            Kind::Rsa => DecodingKey::from_rsa_pem(pem),
            Kind::P256 | Kind::P384 => DecodingKey::from_ec_pem(pem),
            Kind::Ed25519 => DecodingKey::from_ed_pem(pem),
        }
        .expect("the key that comes with the crate is well-formed");
        let raw = key
            .try_get_as_bytes()
            .expect("a key read from PEM is kept as bytes");
        match self.kind {
            Kind::Rsa => {
                let numbers = (backend::provider()
                    .key_utils
                    .rsa_pub_components_from_public_key)(raw);
                let (n, e) = numbers.expect("the RSA key that comes with the crate has both");
                json!({ "kty": "RSA", "n": encode(&n), "e": encode(&e) })
            }
            Kind::Ed25519 => json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(raw) }),
            Kind::P256 | Kind::P384 | Kind::Secret => {
                let curve = if self.kind == Kind::P256 {
                    "P-256"
                } else {
                    "P-384"
                };
                let (x, y) = raw.split_at(1).1.split_at(raw.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": encode(x), "y": encode(y) })
            }
        }
    }
}
