//! Several keys, shared, and the rule for choosing among them.

use std::sync::Arc;

use super::algorithm::Algorithm;
use super::header::JoseHeader;
use super::jwks::{self, Parsed};
use super::key::{KeyError, SkippedKey, VerifyingKey};

/// How many keys are tried for one token. Only a token that names no key, or a set with several keys of one id,
/// can need more than one.
const MAX_TRIED_KEYS: usize = 4;

/// The keys of an issuer. A clone shares them.
///
/// ```
/// # fn main() -> Result<(), socketio_auth::jwt::KeyError> {
/// use socketio_auth::jwt::{Algorithm, KeySet, VerifyingKey};
///
/// let old = VerifyingKey::hmac(Algorithm::Hs256, b"the secret of the year that ended")?.with_id("2025")?;
/// let new = VerifyingKey::hmac(Algorithm::Hs256, b"the secret of the year that began")?.with_id("2026")?;
/// let keys: KeySet = [old, new].into_iter().collect();
/// assert_eq!(keys.len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct KeySet(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    keys: Box<[VerifyingKey]>,
    skipped: Box<[SkippedKey]>,
}

impl KeySet {
    /// Reads a JWK set (RFC 7517 §5), a single JWK, or an object of key ids and PEM certificates, as Google publishes them for
    /// Firebase. Keys that are symmetric, private, not for signatures or of
    /// an unknown type are passed over; [`skipped`](Self::skipped) tells which. An RSA key that names no algorithm is bound
    /// to `rsa`.
    ///
    /// # Errors
    ///
    /// [`KeyError::Malformed`] for what is no JWK set, [`KeyError::NoUsableKey`] for one with no key left,
    /// [`KeyError::TooManyKeys`] for one with more than 64.
    pub fn from_jwks(json: &str, rsa: Algorithm) -> Result<Self, KeyError> {
        let Parsed { keys, skipped } = jwks::parse_set(json, rsa)?;
        Ok(Self::new(keys, skipped))
    }

    pub(super) fn new(keys: Vec<VerifyingKey>, skipped: Vec<SkippedKey>) -> Self {
        Self(Arc::new(Inner {
            keys: keys.into(),
            skipped: skipped.into(),
        }))
    }

    /// The keys of the JWK set that were passed over, and why.
    pub fn skipped(&self) -> impl Iterator<Item = &SkippedKey> {
        self.0.skipped.iter()
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.keys.len()
    }

    /// True when there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.keys.is_empty()
    }

    /// The keys.
    pub fn iter(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.0.keys.iter()
    }

    /// What there is for a token of this algorithm and key id.
    pub(super) fn fit(&self, algorithm: Algorithm, key_id: Option<&str>) -> Fit {
        let mut best = Fit::None;
        for key in self.iter().filter(|key| key.fits(algorithm, key_id)) {
            if key_id.is_none() || key.id().is_some() {
                return Fit::Exact;
            }
            best = Fit::Nameless;
        }
        best
    }

    /// The key, of those that fit the header, that verifies the signature. One that has the id is tried before those that
    /// have none.
    pub(super) fn verifying(
        &self,
        header: &JoseHeader<'_>,
        signed: &[u8],
        signature: &Vec<u8>,
    ) -> Option<&VerifyingKey> {
        let key_id = header.key_id.as_deref();
        let fitting = |is_named: bool| {
            let fitting = self.iter().filter(|key| key.fits(header.algorithm, key_id));
            fitting.filter(move |key| key.id().is_some() == is_named)
        };
        fitting(true)
            .chain(fitting(false))
            .take(MAX_TRIED_KEYS)
            .find(|key| key.verify(signed, signature))
    }
}

/// How a set fits a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// A key of the very id, or any key when the token names none.
    Exact,
    /// Keys without an id, which may be it. One with the id may be published later.
    Nameless,
    None,
}

impl From<VerifyingKey> for KeySet {
    fn from(key: VerifyingKey) -> Self {
        Self::new(vec![key], Vec::new())
    }
}

impl FromIterator<VerifyingKey> for KeySet {
    fn from_iter<T: IntoIterator<Item = VerifyingKey>>(keys: T) -> Self {
        Self::new(keys.into_iter().collect(), Vec::new())
    }
}
