//! JWK sets (RFC 7517): the keys of an issuer, as it publishes them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::algorithm::Algorithm;
use super::key::{KeyError, VerifyingKey};
use crate::claims::strict_json::{Json, Object};

const MAX_KEYS: usize = 64;

/// Members of private and symmetric keys (RFC 7518 §6). Who publishes them has lost the key.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// Reads a key set, or a single JWK. Keys that are symmetric, not for verifying, or of an unknown type are
/// passed over; `default_rsa` is the algorithm of RSA keys that name none.
pub(super) fn parse_set(json: &str, default_rsa: Algorithm) -> Result<Vec<VerifyingKey>, KeyError> {
    let document = Object::parse(json.as_bytes()).ok_or(KeyError::Malformed)?;
    let found: Vec<&Object<'_>> = match document.get("keys") {
        Some(Json::Array(keys)) if keys.len() > MAX_KEYS => return Err(KeyError::NoUsableKey),
        Some(Json::Array(keys)) => keys.iter().filter_map(Json::as_object).collect(),
        Some(_) => return Err(KeyError::Malformed),
        None => vec![&document],
    };
    let keys: Vec<_> = found
        .into_iter()
        .filter_map(|jwk| parse_key(jwk, default_rsa))
        .collect();
    if keys.is_empty() {
        return Err(KeyError::NoUsableKey);
    }
    Ok(keys)
}

/// Reads one public key for signatures, bound to its algorithm; `default_rsa` where it is RSA and names none.
pub(super) fn parse_key(jwk: &Object<'_>, default_rsa: Algorithm) -> Option<VerifyingKey> {
    if !may_verify(jwk) || jwk.names().any(|name| PRIVATE.contains(&name)) {
        return None;
    }
    let text = |name: &str| jwk.text(name);
    let named = match jwk.get("alg") {
        None => None,
        Some(alg) => Some(Algorithm::from_name(alg.as_text()?)?),
    };
    let key = match (text("kty")?, text("crv")) {
        ("RSA", _) => {
            let algorithm = named.unwrap_or(default_rsa);
            VerifyingKey::rsa(algorithm, &number(text("n")?)?, &number(text("e")?)?)
        }
        ("EC", Some(curve)) => {
            let algorithm = match curve {
                "P-256" => Algorithm::Es256,
                "P-384" => Algorithm::Es384,
                _ => return None,
            };
            let mut point = vec![4];
            point.extend(number(text("x")?)?);
            point.extend(number(text("y")?)?);
            agree(named, algorithm)?;
            VerifyingKey::point(algorithm, &point)
        }
        ("OKP", Some("Ed25519")) => {
            agree(named, Algorithm::EdDsa)?;
            VerifyingKey::point(Algorithm::EdDsa, &number(text("x")?)?)
        }
        _ => return None,
    }
    .ok()?;
    match jwk.get("kid") {
        None => Some(key),
        Some(id) => key.with_id(id.as_text()?).ok(),
    }
}

/// The SHA-256 thumbprint of a public key (RFC 7638), in Base64url.
pub(crate) fn thumbprint(jwk: &Object<'_>) -> Option<String> {
    let members: &[&str] = match jwk.text("kty")? {
        "RSA" => &["e", "kty", "n"],
        "EC" => &["crv", "kty", "x", "y"],
        "OKP" => &["crv", "kty", "x"],
        _ => return None,
    };
    // In the order of their names, without white space: what RFC 7638 §3 hashes.
    let canonical = members
        .iter()
        .map(|name| {
            let value = jwk.text(name)?;
            Some(format!("{}:{}", Value::from(*name), Value::from(value)))
        })
        .collect::<Option<Vec<_>>>()?
        .join(",");
    let digest = Sha256::digest(format!("{{{canonical}}}"));
    Some(URL_SAFE_NO_PAD.encode(digest))
}

fn may_verify(jwk: &Object<'_>) -> bool {
    let is = |value: &Json<'_>, expected: &str| value.as_text() == Some(expected);
    let for_signatures = jwk.get("use").is_none_or(|usage| is(usage, "sig"));
    let for_verifying = jwk.get("key_ops").is_none_or(|operations| {
        operations
            .as_array()
            .is_some_and(|list| list.iter().any(|operation| is(operation, "verify")))
    });
    for_signatures && for_verifying
}

fn agree(named: Option<Algorithm>, fixed: Algorithm) -> Option<()> {
    (named.unwrap_or(fixed) == fixed).then_some(())
}

fn number(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
