//! The bounds of a cache of key sets.

use std::time::Duration;

use super::algorithm::Algorithm;

/// The bounds of a [`JwksCache`](super::JwksCache).
///
/// ```
/// use std::time::Duration;
/// use socketio_auth::jwt::JwksOptions;
///
/// let mut options = JwksOptions::default();
/// options.max_stale = Duration::from_secs(60 * 60);
/// assert_eq!(options.min_refresh_interval, Duration::from_secs(30));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JwksOptions {
    /// The least time between the starts of two fetches, whatever asks for them; 30 s by default. Lowering it finds
    /// a new key sooner, and lets whoever makes key ids up cause more requests.
    pub min_refresh_interval: Duration,
    /// How long keys are fresh when the answer has no `max-age`; 10 min by default.
    pub default_fresh: Duration,
    /// The least time that keys are fresh, `no-store` or not; 1 min by default.
    pub min_fresh: Duration,
    /// The longest time that keys are fresh; 24 h by default. A key that the issuer withdrew is trusted so long.
    pub max_fresh: Duration,
    /// How long keys are used after they went stale, while fetches fail; 24 h by default. Raising it survives longer
    /// outages of the issuer and trusts withdrawn keys for longer.
    pub max_stale: Duration,
    /// How long a key id that the issuer does not have is not asked for again; 30 s by default. 1024 such ids are
    /// remembered. Raising it saves requests where tokens name ids that the set does not have; a key that is used before it is
    /// published is refused for so long.
    pub negative_ttl: Duration,
    /// The longest key set, in bytes; 256 KiB by default. A longer one, or one of more than 64 keys, is a failed
    /// fetch.
    pub max_body_bytes: usize,
    /// Asks at `http` URLs of other machines, too; off by default. Whoever is on the way there can put in keys of his own and
    /// make any token with them, so only where nobody is: inside a cluster, to a sidecar.
    pub insecure_allow_http: bool,
    /// What RSA keys that name no algorithm are bound to; RS256 by default.
    pub rsa_algorithm: Algorithm,
}

impl Default for JwksOptions {
    fn default() -> Self {
        Self {
            min_refresh_interval: Duration::from_secs(30),
            default_fresh: Duration::from_secs(10 * 60),
            min_fresh: Duration::from_secs(60),
            max_fresh: Duration::from_secs(24 * 60 * 60),
            max_stale: Duration::from_secs(24 * 60 * 60),
            negative_ttl: Duration::from_secs(30),
            max_body_bytes: 256 * 1024,
            insecure_allow_http: false,
            rsa_algorithm: Algorithm::Rs256,
        }
    }
}
