//! Keys, each bound to one algorithm and checked when it is loaded.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use jsonwebtoken::DecodingKey;

use super::algorithm::{Algorithm, Family};
use super::{backend, certificate, header};
use crate::base::shown::Shown;
use crate::grant::SignedBy;

/// How many keys an error tells of.
const MAX_SHOWN_KEYS: usize = 4;

/// Why a key was refused at load.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// The secret is empty.
    EmptySecret,
    /// The secret is shorter than the hash of its algorithm (RFC 7518 §3.2), or one byte repeated.
    WeakSecret,
    /// The text is not Base64, neither the standard nor the URL-safe kind.
    Base64,
    /// A public key was given as an HMAC secret, a secret as a public key, or the key is of another type than the
    /// algorithm needs.
    WrongKind,
    /// A private key was given where the public one belongs.
    PrivateKey,
    /// The key is on the curve P-521, whose algorithm ES512 is [not supported](super::Algorithm).
    Es512,
    /// The key cannot be read.
    Malformed,
    /// The RSA modulus has less than 2048 or more than 8192 bits.
    RsaSize,
    /// The key id is longer than 1,024 bytes, empty, or has control characters.
    KeyId,
    /// The JWK set has no key that can verify signatures here; why each cannot.
    NoUsableKey(Box<[SkippedKey]>),
    /// The JWK set has more than 64 keys.
    TooManyKeys,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::NoUsableKey(skipped) => {
                f.write_str("the key set has no usable key")?;
                for (place, key) in skipped.iter().take(MAX_SHOWN_KEYS).enumerate() {
                    let between = if place == 0 { ": " } else { "; " };
                    write!(f, "{between}{key}")?;
                }
                return Ok(());
            }
            Self::EmptySecret => "the secret is empty",
            Self::WeakSecret => "the secret is too short or too regular for its algorithm",
            Self::Base64 => "the secret is not Base64",
            Self::WrongKind => "the key is of the wrong kind for its algorithm",
            Self::PrivateKey => "a private key was given, the public key is needed",
            Self::Es512 => "the key is on P-521, whose algorithm ES512 is not supported",
            Self::Malformed => "the key cannot be read",
            Self::RsaSize => "the RSA modulus must have 2048 to 8192 bits",
            Self::KeyId => "the key id is empty, over 1,024 bytes, or has control characters",
            Self::TooManyKeys => "the key set has more than 64 keys",
        };
        f.write_str(text)
    }
}

impl std::error::Error for KeyError {}

/// A key of a JWK set that is passed over, and why. Its `Display` says both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedKey {
    id: Option<Box<str>>,
    why: Cow<'static, str>,
}

impl SkippedKey {
    pub(super) fn new(id: Option<&str>, why: Cow<'static, str>) -> Self {
        Self {
            id: id.map(Into::into),
            why,
        }
    }

    /// Its `kid`.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Why it is passed over, in words.
    #[must_use]
    pub fn why(&self) -> &str {
        &self.why
    }
}

impl fmt::Display for SkippedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "key {}: {}", Shown(id), self.why),
            None => write!(f, "a key without kid: {}", self.why),
        }
    }
}

/// A key that verifies signatures of one algorithm. A clone shares it; its `Debug` shows the algorithm and the id
/// only.
///
/// ```
/// # fn main() -> Result<(), socketio_auth::jwt::KeyError> {
/// use socketio_auth::jwt::{Algorithm, VerifyingKey};
///
/// let key = VerifyingKey::hmac(Algorithm::Hs256, b"correct horse battery staple and more")?.with_id("2026-01")?;
/// assert_eq!(key.algorithm(), Algorithm::Hs256);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct VerifyingKey {
    algorithm: Algorithm,
    signed_by: Arc<SignedBy>,
    key: Arc<DecodingKey>,
}

impl VerifyingKey {
    /// A shared secret, used as it is.
    ///
    /// # Errors
    ///
    /// [`KeyError::EmptySecret`], [`KeyError::WeakSecret`], or [`KeyError::WrongKind`] when `algorithm` is not an
    /// HMAC or the secret is a PEM text.
    pub fn hmac(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        let key = Self::hmac_of_any_length(algorithm, secret)?;
        let is_constant = secret.windows(2).all(|pair| pair.first() == pair.last());
        if secret.len() < algorithm.min_secret_bytes() || is_constant {
            return Err(KeyError::WeakSecret);
        }
        Ok(key)
    }

    /// A shared secret that may be too short to be safe: anyone who sees one token can search for it.
    ///
    /// # Errors
    ///
    /// [`KeyError::EmptySecret`] or [`KeyError::WrongKind`].
    pub fn insecure_allow_short_secret(
        algorithm: Algorithm,
        secret: &[u8],
    ) -> Result<Self, KeyError> {
        Self::hmac_of_any_length(algorithm, secret)
    }

    /// A shared secret written in Base64, standard or URL-safe, padded or not.
    ///
    /// # Errors
    ///
    /// As [`hmac`](Self::hmac), and [`KeyError::Base64`].
    pub fn hmac_base64(algorithm: Algorithm, secret: &str) -> Result<Self, KeyError> {
        let text = secret.trim();
        let bytes = STANDARD
            .decode(text)
            .or_else(|_| STANDARD_NO_PAD.decode(text))
            .or_else(|_| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')))
            .map_err(|_| KeyError::Base64)?;
        let bytes = zeroize::Zeroizing::new(bytes);
        Self::hmac(algorithm, &bytes)
    }

    /// A public key in PEM form: `PUBLIC KEY`, `RSA PUBLIC KEY` for RSA, or `CERTIFICATE`, of which the key alone counts: its
    /// dates and who signed it are not looked at. Of several certificates it is the first.
    ///
    /// # Errors
    ///
    /// [`KeyError::PrivateKey`], [`KeyError::WrongKind`], [`KeyError::RsaSize`], [`KeyError::Es512`] or
    /// [`KeyError::Malformed`].
    pub fn pem(algorithm: Algorithm, pem: &str) -> Result<Self, KeyError> {
        if pem.contains("PRIVATE KEY-----") {
            return Err(KeyError::PrivateKey);
        }
        if certificate::is_certificate(pem) {
            let key = certificate::public_key(pem).ok_or(KeyError::Malformed)?;
            return Self::pem(algorithm, &key);
        }
        if !pem.contains("-----BEGIN PUBLIC KEY-----")
            && !pem.contains("-----BEGIN RSA PUBLIC KEY-----")
        {
            return Err(KeyError::Malformed);
        }
        let bytes = pem.as_bytes();
        let key = match algorithm.family() {
            Family::Hmac => return Err(KeyError::WrongKind),
            Family::Rsa => DecodingKey::from_rsa_pem(bytes),
            Family::Ec => DecodingKey::from_ec_pem(bytes),
            Family::Ed => DecodingKey::from_ed_pem(bytes),
        }
        .map_err(|_| KeyError::WrongKind)?;
        let raw = key.try_get_as_bytes().map_err(|_| KeyError::Malformed)?;
        match algorithm.family() {
            Family::Rsa => {
                let (modulus, exponent) =
                    (backend::provider()
                        .key_utils
                        .rsa_pub_components_from_public_key)(raw)
                    .map_err(|_| KeyError::Malformed)?;
                Self::rsa(algorithm, &modulus, &exponent)
            }
            _ => Self::point(algorithm, raw),
        }
    }

    /// Gives the key an id. A token that names a key id is verified only with keys of that id or without one.
    ///
    /// # Errors
    ///
    /// [`KeyError::KeyId`].
    pub fn with_id(mut self, id: &str) -> Result<Self, KeyError> {
        if !header::is_key_id(id) {
            return Err(KeyError::KeyId);
        }
        Arc::make_mut(&mut self.signed_by).key_id = Some(id.into());
        Ok(self)
    }

    /// The algorithm that the key is bound to.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The id of the key.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.signed_by.key_id.as_deref()
    }

    /// What a grant keeps of it.
    pub(super) fn signed_by(&self) -> Arc<SignedBy> {
        Arc::clone(&self.signed_by)
    }

    /// True when a token with this header may be tried with this key.
    pub(super) fn fits(&self, algorithm: Algorithm, key_id: Option<&str>) -> bool {
        self.algorithm == algorithm
            && match (self.id(), key_id) {
                (Some(mine), Some(theirs)) => mine == theirs,
                _ => true,
            }
    }

    pub(super) fn verify(&self, message: &[u8], signature: &Vec<u8>) -> bool {
        backend::verify(self.algorithm, &self.key, message, signature)
    }

    /// An RSA key of its big-endian numbers.
    pub(super) fn rsa(
        algorithm: Algorithm,
        modulus: &[u8],
        exponent: &[u8],
    ) -> Result<Self, KeyError> {
        if algorithm.family() != Family::Rsa {
            return Err(KeyError::WrongKind);
        }
        let strip = |number: &[u8]| -> Vec<u8> {
            number
                .iter()
                .copied()
                .skip_while(|byte| *byte == 0)
                .collect()
        };
        let (modulus, exponent) = (strip(modulus), strip(exponent));
        let leading = modulus
            .first()
            .map_or(0, |byte| byte.leading_zeros() as usize);
        let bits = (modulus.len() * 8).saturating_sub(leading);
        if !(2048..=8192).contains(&bits) {
            return Err(KeyError::RsaSize);
        }
        // Odd and at least 3, as RFC 8017 §3.1 has it.
        let is_odd = exponent.last().is_some_and(|byte| byte % 2 == 1);
        if !is_odd || exponent == [1] || exponent.len() > 8 {
            return Err(KeyError::Malformed);
        }
        let key = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
        Ok(Self::bound(algorithm, key))
    }

    /// An elliptic-curve point in uncompressed form, or the 32 bytes of an Ed25519 key.
    pub(super) fn point(algorithm: Algorithm, raw: &[u8]) -> Result<Self, KeyError> {
        const P521_POINT_BYTES: usize = 133;
        let is_uncompressed = raw.first() == Some(&4);
        if algorithm.family() == Family::Ec && is_uncompressed && raw.len() == P521_POINT_BYTES {
            return Err(KeyError::Es512);
        }
        let fits = match algorithm {
            Algorithm::Es256 => raw.len() == 65 && is_uncompressed,
            Algorithm::Es384 => raw.len() == 97 && is_uncompressed,
            Algorithm::EdDsa => raw.len() == 32,
            _ => false,
        };
        if !fits {
            return Err(KeyError::WrongKind);
        }
        let key = match algorithm.family() {
            Family::Ed => DecodingKey::from_ed_der(raw),
            _ => DecodingKey::from_ec_der(raw),
        };
        Ok(Self::bound(algorithm, key))
    }

    fn hmac_of_any_length(algorithm: Algorithm, secret: &[u8]) -> Result<Self, KeyError> {
        if secret.is_empty() {
            return Err(KeyError::EmptySecret);
        }
        if algorithm.family() != Family::Hmac
            || secret.trim_ascii_start().starts_with(b"-----BEGIN")
        {
            return Err(KeyError::WrongKind);
        }
        Ok(Self::bound(algorithm, DecodingKey::from_secret(secret)))
    }

    fn bound(algorithm: Algorithm, key: DecodingKey) -> Self {
        Self {
            algorithm,
            signed_by: Arc::new(SignedBy {
                key_id: None,
                algorithm: Some(algorithm.name()),
            }),
            key: Arc::new(key),
        }
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("algorithm", &self.algorithm)
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
