//! JWK sets (RFC 7517): the keys of an issuer, as it publishes them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::algorithm::Algorithm;
use super::certificate;
use super::key::{KeyError, SkippedKey, VerifyingKey};
use crate::base::shown::Shown;
use crate::claims::strict_json::{Json, Object};

const MAX_KEYS: usize = 64;

/// Members of private and symmetric keys (RFC 7518 §6). Who publishes them has lost the key.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// What a key set holds.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) keys: Vec<VerifyingKey>,
    pub(super) skipped: Vec<SkippedKey>,
}

/// Reads a key set, or a single JWK. Keys that are symmetric, not for verifying, or of an unknown type are
/// passed over; `default_rsa` is the algorithm of RSA keys that name none.
pub(super) fn parse_set(json: &str, default_rsa: Algorithm) -> Result<Parsed, KeyError> {
    let document = Object::parse(json.as_bytes()).ok_or(KeyError::Malformed)?;
    let found: Vec<&Object<'_>> = match document.get("keys") {
        Some(Json::Array(keys)) if keys.len() > MAX_KEYS => return Err(KeyError::TooManyKeys),
        Some(Json::Array(keys)) => keys.iter().filter_map(Json::as_object).collect(),
        Some(_) => return Err(KeyError::Malformed),
        None if is_of_certificates(&document) => return parse_certificates(&document, default_rsa),
        None => vec![&document],
    };
    let mut parsed = Parsed::default();
    for jwk in found {
        match parse_key(jwk, default_rsa) {
            Ok(key) => parsed.keys.push(key),
            Err(why) => parsed.skipped.push(SkippedKey::new(jwk.text("kid"), why)),
        }
    }
    if parsed.keys.is_empty() {
        return Err(KeyError::NoUsableKey(parsed.skipped.into()));
    }
    Ok(parsed)
}

/// True of an object of certificates in PEM form, each under its key id.
fn is_of_certificates(document: &Object<'_>) -> bool {
    let mut texts = document.names().filter_map(|name| document.text(name));
    texts.any(certificate::is_certificate)
}

fn parse_certificates(document: &Object<'_>, default_rsa: Algorithm) -> Result<Parsed, KeyError> {
    if document.names().count() > MAX_KEYS {
        return Err(KeyError::TooManyKeys);
    }
    // A certificate does not say what it signs with, but only one fits its key.
    let algorithms = [
        default_rsa,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
    ];
    let mut parsed = Parsed::default();
    for id in document.names() {
        let pem = document.text(id).unwrap_or_default();
        let mut found = algorithms.iter().map(|of| VerifyingKey::pem(*of, pem));
        let first = match found.next() {
            Some(Err(error)) => found.find(Result::is_ok).unwrap_or(Err(error)),
            Some(found) => found,
            None => continue,
        };
        match first.and_then(|key| key.with_id(id)) {
            Ok(key) => parsed.keys.push(key),
            Err(error) => {
                let skipped = SkippedKey::new(Some(id), error.to_string().into());
                parsed.skipped.push(skipped);
            }
        }
    }
    if parsed.keys.is_empty() {
        return Err(KeyError::NoUsableKey(parsed.skipped.into()));
    }
    Ok(parsed)
}

/// Reads one public key for signatures, bound to its algorithm; `default_rsa` where it is RSA and names none.
/// The error says why it cannot be used.
pub(super) fn parse_key(
    jwk: &Object<'_>,
    default_rsa: Algorithm,
) -> Result<VerifyingKey, Cow<'static, str>> {
    if !may_verify(jwk) {
        return Err("it is not for verifying signatures".into());
    }
    if jwk.text("kty") == Some("oct") {
        return Err("it is symmetric".into());
    }
    if jwk.names().any(|name| PRIVATE.contains(&name)) {
        return Err("it is private".into());
    }
    let text = |name: &str| {
        let text = jwk.text(name);
        text.ok_or_else(|| Cow::from(format!("it has no {name}")))
    };
    let number = |name: &str| {
        let decoded = URL_SAFE_NO_PAD.decode(text(name)?);
        decoded.map_err(|_| Cow::from(format!("{name} is not Base64url")))
    };
    if jwk.text("crv") == Some("P-521") {
        return Err(KeyError::Es512.to_string().into());
    }
    let named = match jwk.get("alg") {
        None => None,
        Some(_) => Some(known_algorithm(text("alg")?)?),
    };
    let key = match text("kty")? {
        "RSA" => VerifyingKey::rsa(named.unwrap_or(default_rsa), &number("n")?, &number("e")?),
        "EC" => {
            let algorithm = match text("crv")? {
                "P-256" => Algorithm::Es256,
                "P-384" => Algorithm::Es384,
                other => return Err(unsupported("curve", other)),
            };
            let mut point = vec![4];
            point.extend(number("x")?);
            point.extend(number("y")?);
            agree(named, algorithm)?;
            VerifyingKey::point(algorithm, &point)
        }
        "OKP" => match text("crv")? {
            "Ed25519" => {
                agree(named, Algorithm::EdDsa)?;
                VerifyingKey::point(Algorithm::EdDsa, &number("x")?)
            }
            other => return Err(unsupported("curve", other)),
        },
        other => return Err(unsupported("type", other)),
    };
    let key = key.map_err(|error| Cow::from(error.to_string()))?;
    match jwk.get("kid") {
        None => Ok(key),
        Some(_) => {
            let key = key.with_id(text("kid")?);
            key.map_err(|error| error.to_string().into())
        }
    }
}

fn known_algorithm(name: &str) -> Result<Algorithm, Cow<'static, str>> {
    Algorithm::from_name(name).ok_or_else(|| unsupported("algorithm", name))
}

fn unsupported(what: &str, named: &str) -> Cow<'static, str> {
    format!("its {what} {} is not supported", Shown(named)).into()
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

fn agree(named: Option<Algorithm>, fixed: Algorithm) -> Result<(), Cow<'static, str>> {
    match named {
        Some(named) if named != fixed => Err(format!(
            "it names the algorithm {}, its curve is that of {}",
            named.name(),
            fixed.name()
        )
        .into()),
        _ => Ok(()),
    }
}
