//! Several keys, shared, and the rule for choosing among them.

use std::sync::Arc;

use super::algorithm::Algorithm;
use super::header::JoseHeader;
use super::jwks;
use super::key::{KeyError, VerifyingKey};

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
pub struct KeySet(Arc<[VerifyingKey]>);

impl KeySet {
    /// Reads a JWK set (RFC 7517 §5), or a single JWK. Keys that are symmetric, private, not for signatures or of
    /// an unknown type are passed over. An RSA key that names no algorithm is bound to `rsa`.
    ///
    /// # Errors
    ///
    /// [`KeyError::Malformed`] for what is no JWK set, [`KeyError::NoUsableKey`] for one with no key left or with
    /// more than 64.
    pub fn from_jwks(json: &str, rsa: Algorithm) -> Result<Self, KeyError> {
        jwks::parse_set(json, rsa).map(|keys| keys.into_iter().collect())
    }

    /// The number of keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True when there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys.
    pub fn iter(&self) -> impl Iterator<Item = &VerifyingKey> {
        self.0.iter()
    }

    /// True when a token of this algorithm and key id has a key to be tried with.
    pub(super) fn has_key_for(&self, algorithm: Algorithm, key_id: Option<&str>) -> bool {
        self.iter().any(|key| key.fits(algorithm, key_id))
    }

    /// The key, of those that fit the header, that verifies the signature.
    pub(super) fn verifying(
        &self,
        header: &JoseHeader<'_>,
        signed: &[u8],
        signature: &Vec<u8>,
    ) -> Option<&VerifyingKey> {
        self.iter()
            .filter(|key| key.fits(header.algorithm, header.key_id.as_deref()))
            .take(MAX_TRIED_KEYS)
            .find(|key| key.verify(signed, signature))
    }
}

impl From<VerifyingKey> for KeySet {
    fn from(key: VerifyingKey) -> Self {
        Self(Arc::new([key]))
    }
}

impl FromIterator<VerifyingKey> for KeySet {
    fn from_iter<T: IntoIterator<Item = VerifyingKey>>(keys: T) -> Self {
        Self(keys.into_iter().collect())
    }
}
