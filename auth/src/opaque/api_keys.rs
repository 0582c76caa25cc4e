//! API keys: long random strings, of which the server keeps digests only.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::authenticator::judge::{Authenticator, Outcome};
use crate::base::future::BoxFuture;
use crate::base::random::unguessable;
use crate::base::secret::Secret;
use crate::grant::Grant;
use crate::presented::context::AuthContext;
use crate::presented::credential::Credential;
use crate::rejection::code::{Code, Rejection};

/// A longer credential is no API key; it is refused before it is hashed.
const MAX_KEY_BYTES: usize = 512;

/// The SHA-256 of an API key, which is what a database should hold.
///
/// Two are compared in constant time. Without salt or stretching it hides only keys that cannot be guessed, such as
/// [`generate`](Self::generate) makes.
///
/// ```
/// use socketio_auth::opaque::ApiKeyDigest;
///
/// let digest = ApiKeyDigest::of("sk_live_7nM2");
/// let stored = digest.to_string();
/// assert_eq!(stored.len(), 64);
/// assert_eq!(ApiKeyDigest::from_hex(&stored), Some(digest));
/// ```
#[derive(Clone, Copy, Debug, Eq)]
pub struct ApiKeyDigest([u8; 32]);

impl ApiKeyDigest {
    /// The digest of `key`.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// A new key of 256 random bits behind `prefix`, and its digest. Show the key once and keep the digest. `None`
    /// when the operating system has no randomness.
    #[must_use]
    pub fn generate(prefix: &str) -> Option<(Secret, Self)> {
        let key = unguessable(prefix)?;
        let digest = Self::of(key.expose());
        Some((key, digest))
    }

    /// Reads the 64 hexadecimal digits that `Display` writes, in either case.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 {
            return None;
        }
        let mut digest = [0; 32];
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            for digit in pair {
                let value = char::from(*digit).to_digit(16)?;
                *byte = (*byte << 4) | u8::try_from(value).ok()?;
            }
        }
        Some(Self(digest))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Compares in constant time.
impl PartialEq for ApiKeyDigest {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.0.iter().zip(&other.0);
        let differing = pairs.fold(0, |seen, (a, b)| seen | (a ^ b));
        std::hint::black_box(differing) == 0
    }
}

impl Hash for ApiKeyDigest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for ApiKeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Accepts API keys that a table or a database knows by digest.
///
/// ```
/// use socketio_auth::{Grant, Rejection, opaque::{ApiKeyDigest, ApiKeys}};
///
/// #[derive(Clone)]
/// struct Tenant { id: u64, key_made_at: std::time::SystemTime }
///
/// # async fn tenant_by_digest(digest: &str) -> Result<Option<Tenant>, std::io::Error> { Ok(None) }
/// // From a database.
/// let keys = ApiKeys::new(|digest: ApiKeyDigest| async move {
///     let tenant = tenant_by_digest(&digest.to_string())
///         .await
///         .map_err(|error| Rejection::unavailable(error.to_string()))?;
///     Ok(tenant.map(|tenant| {
///         let subject = format!("tenant-{}", tenant.id);
///         let made_at = tenant.key_made_at;
///         // Or a logout of the tenant would revoke keys that are made later, too.
///         Grant::new(tenant, subject).with_issued_at(made_at)
///     }))
/// })
/// .prefix("sk_");
///
/// // A few, known beforehand.
/// let digest = ApiKeyDigest::of("sk_of_the_monitor_which_is_long_and_random");
/// let monitor = Tenant { id: 0, key_made_at: std::time::UNIX_EPOCH };
/// let fixed = ApiKeys::fixed([(digest, Grant::new(monitor, "monitor"))]);
/// # let _ = (keys, fixed);
/// ```
pub struct ApiKeys<I> {
    find: Arc<Find<I>>,
    prefix: Arc<str>,
}

type Find<I> = dyn Fn(ApiKeyDigest) -> BoxFuture<'static, Found<I>> + Send + Sync;
type Found<I> = Result<Option<Grant<I>>, Rejection>;

impl<I: Send + Sync + 'static> ApiKeys<I> {
    /// Asks `find` for the grant of a key by its digest. An error is passed on; `None` is
    /// [`Code::InvalidToken`]. Say in the grant when the key was [made](Grant::with_issued_at): only `find` knows.
    pub fn new<F, Fut>(find: F) -> Self
    where
        F: Fn(ApiKeyDigest) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Option<Grant<I>>, Rejection>> + Send + 'static,
    {
        Self {
            find: Arc::new(move |digest| Box::pin(find(digest))),
            prefix: Arc::from(""),
        }
    }

    /// Knows these keys and no others.
    pub fn fixed(keys: impl IntoIterator<Item = (ApiKeyDigest, Grant<I>)>) -> Self
    where
        I: Clone,
    {
        let table: HashMap<ApiKeyDigest, Grant<I>> = keys.into_iter().collect();
        Self::new(move |digest| std::future::ready(Ok(table.get(&digest).cloned())))
    }

    /// Judges only credentials that begin so; others are [`Outcome::NotMine`], so that tokens of other kinds can be
    /// told apart with [`or`](Authenticator::or). The prefix is part of the key and of what is hashed.
    #[must_use]
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.into();
        self
    }
}

impl<I: Send + Sync + 'static> Authenticator for ApiKeys<I> {
    type Identity = I;

    async fn authenticate(&self, _cx: &AuthContext, credential: &Credential) -> Outcome<I> {
        let key = credential.token();
        if !key.starts_with(&*self.prefix) {
            return Outcome::NotMine;
        }
        if key.len() > MAX_KEY_BYTES {
            return Outcome::Reject(Code::InvalidToken.into());
        }
        match (self.find)(ApiKeyDigest::of(key)).await {
            Ok(Some(grant)) => Outcome::Accept(grant),
            Ok(None) => Outcome::Reject(Code::InvalidToken.into()),
            Err(rejection) => Outcome::Reject(rejection),
        }
    }
}

impl<I> Clone for ApiKeys<I> {
    fn clone(&self) -> Self {
        Self {
            find: Arc::clone(&self.find),
            prefix: Arc::clone(&self.prefix),
        }
    }
}

impl<I> fmt::Debug for ApiKeys<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKeys")
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SourceKind, base::ready::now_or_never};

    fn verdict<A: Authenticator>(keys: &A, token: &str) -> &'static str {
        let credential = Credential::new(token, SourceKind::Header);
        match now_or_never(keys.authenticate(&AuthContext::new("/"), &credential)).unwrap() {
            Outcome::Accept(_) => "ok",
            Outcome::NotMine => "not mine",
            Outcome::Reject(rejection) => rejection.code().as_str(),
        }
    }

    #[test]
    fn a_key_is_known_by_its_digest_alone() {
        let (key, digest) = ApiKeyDigest::generate("sk_").unwrap();
        assert!(key.expose().starts_with("sk_") && key.len() == 46);
        let keys = ApiKeys::fixed([(digest, Grant::new((), "tenant"))]).prefix("sk_");
        assert_eq!(verdict(&keys, key.expose()), "ok");
        assert_eq!(verdict(&keys, &key.expose()[..45]), "invalid_token");
        assert_eq!(verdict(&keys, &digest.to_string()), "not mine");
        assert_eq!(verdict(&keys, "eyJhbGciOi"), "not mine");
        assert_ne!(ApiKeyDigest::generate("sk_").unwrap().1, digest);
    }

    #[test]
    fn a_key_of_512_bytes_is_looked_up_and_a_longer_one_is_not() {
        let keys = ApiKeys::new(|_| async { Ok(Some(Grant::new((), "anyone"))) });
        assert_eq!(verdict(&keys, &"k".repeat(512)), "ok");
        assert_eq!(verdict(&keys, &"k".repeat(513)), "invalid_token");
    }

    #[test]
    fn a_database_that_fails_is_no_verdict() {
        let keys = ApiKeys::new(|_| async {
            Err::<Option<Grant<()>>, _>(Rejection::unavailable("the database is down"))
        });
        assert_eq!(verdict(&keys, "k"), "auth_unavailable");
    }

    #[test]
    fn row_28_digests_differ_wherever_a_bit_does() {
        let digest = ApiKeyDigest::of("abc");
        for byte in 0..32 {
            for bit in 0..8 {
                let mut other = digest;
                other.0[byte] ^= 1 << bit;
                assert_ne!(other, digest);
            }
        }
        assert_eq!(ApiKeyDigest::of("abc"), digest);
    }

    #[test]
    fn hexadecimal_is_read_strictly() {
        let hex = ApiKeyDigest::of("abc").to_string();
        // FIPS 180-2, appendix B.1.
        assert!(hex.starts_with("ba7816bf8f01cfea"));
        let upper = hex.to_uppercase();
        assert_eq!(
            ApiKeyDigest::from_hex(&upper),
            Some(ApiKeyDigest::of("abc"))
        );
        for bad in [
            &hex[1..],
            &format!("{hex}0"),
            &format!("g{}", &hex[1..]),
            "",
        ] {
            assert_eq!(ApiKeyDigest::from_hex(bad), None, "{bad}");
        }
    }
}
