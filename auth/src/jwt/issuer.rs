//! Whom to trust, with which keys.

use std::fmt;
use std::sync::Arc;

use super::algorithm::{Algorithm, AlgorithmSet};
use super::jwks::{self, Parsed};
use super::key::{KeyError, SkippedKey, VerifyingKey};
use super::key_set::KeySet;
use super::key_source::{DynKeySource, KeySource};

/// An issuer with keys and algorithms of its own, for [`JwtBuilder::issuer`](super::JwtBuilder::issuer).
///
/// A key of one issuer never verifies a token of another. An issuer without a key of its own uses those given to
/// the builder.
///
/// ```
/// # fn main() -> Result<(), socketio_auth::jwt::JwtBuildError> {
/// use socketio_auth::jwt::{Algorithm, Issuer, JwtAuthenticator, VerifyingKey};
///
/// let jwt = JwtAuthenticator::<serde_json::Value>::builder()
///     .issuer(Issuer::new("https://a.example").key(VerifyingKey::hmac(
///         Algorithm::Hs256,
///         b"what only a.example and we ourselves know",
///     )?))
///     .issuer(Issuer::new("https://b.example").key(VerifyingKey::hmac(
///         Algorithm::Hs256,
///         b"what only b.example and we ourselves know",
///     )?))
///     .audience("chat")
///     .build()?;
/// # let _ = jwt;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Issuer {
    pub(super) name: Arc<str>,
    pub(super) keys: KeyConfig,
    algorithms: Option<AlgorithmSet>,
}

impl Issuer {
    /// The issuer whose tokens have exactly this `iss`.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            keys: KeyConfig::default(),
            algorithms: None,
        }
    }

    /// Trusts one more key.
    pub fn key(mut self, key: VerifyingKey) -> Self {
        self.keys.add(Ok(key));
        self
    }

    /// Trusts every signing key of a JWK set given as JSON, as [`KeySet::from_jwks`] reads it.
    pub fn jwks(mut self, json: &str) -> Self {
        self.keys.add_jwks(json);
        self
    }

    /// Looks keys up when no fixed key verifies the token, unless one has its very id. The last call counts.
    pub fn key_source(mut self, source: impl KeySource) -> Self {
        self.keys.source = Some(Arc::new(source));
        self
    }

    /// Accepts these algorithms only. By default every algorithm that a key is bound to is accepted.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = Some(algorithms.into_iter().collect());
        self
    }

    pub(super) fn into_trust(self, shared: &Keys) -> Result<Trust, KeyError> {
        let keys = if self.keys.is_empty() {
            shared.clone()
        } else {
            self.keys.finish()?
        };
        Ok(Trust {
            issuer: Some(self.name),
            algorithms: self.algorithms.unwrap_or(AlgorithmSet::ALL),
            keys,
        })
    }
}

impl From<&str> for Issuer {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

/// Keys while they are being configured; the first error is kept until the end.
#[derive(Default)]
pub(super) struct KeyConfig {
    fixed: Vec<VerifyingKey>,
    skipped: Vec<SkippedKey>,
    error: Option<KeyError>,
    pub(super) source: Option<Arc<dyn DynKeySource>>,
}

impl KeyConfig {
    pub(super) fn add(&mut self, key: Result<VerifyingKey, KeyError>) {
        match key {
            Ok(key) => self.fixed.push(key),
            Err(error) => self.refuse(error),
        }
    }

    pub(super) fn add_jwks(&mut self, json: &str) {
        match jwks::parse_set(json, Algorithm::Rs256) {
            Ok(Parsed { keys, skipped }) => {
                self.fixed.extend(keys);
                self.skipped.extend(skipped);
            }
            Err(error) => self.refuse(error),
        }
    }

    fn refuse(&mut self, error: KeyError) {
        self.error.get_or_insert(error);
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.fixed.is_empty() && self.error.is_none() && self.source.is_none()
    }

    pub(super) fn finish(self) -> Result<Keys, KeyError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(Keys {
                fixed: KeySet::new(self.fixed, self.skipped),
                source: self.source,
            }),
        }
    }
}

impl fmt::Debug for KeyConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyConfig")
            .field("fixed", &self.fixed)
            .field("error", &self.error)
            .field("has_source", &self.source.is_some())
            .finish()
    }
}

/// Keys at hand, and where to look for others.
#[derive(Clone, Default)]
pub(super) struct Keys {
    pub(super) fixed: KeySet,
    pub(super) source: Option<Arc<dyn DynKeySource>>,
}

impl Keys {
    pub(super) fn is_empty(&self) -> bool {
        self.fixed.is_empty() && self.source.is_none()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("fixed", &self.fixed)
            .field("has_source", &self.source.is_some())
            .finish()
    }
}

/// The keys that tokens of one issuer are verified with; without a name, tokens of any other issuer or of none.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) issuer: Option<Arc<str>>,
    pub(super) algorithms: AlgorithmSet,
    pub(super) keys: Keys,
}

impl Trust {
    /// True of another issuer's tokens. One that names none may be anybody's.
    pub(super) fn is_not_of(&self, issuer: Option<&str>) -> bool {
        match (&self.issuer, issuer) {
            (Some(trusted), Some(named)) => **trusted != *named,
            _ => false,
        }
    }
}
