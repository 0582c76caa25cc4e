//! What may be told and kept of a token: its digest.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::secret::Secret;

/// How many bytes of the digest a log shows: enough to tell tokens apart, too few to search for one.
const SHOWN_BYTES: usize = 8;

/// The SHA-256 of a token: stands for it where two are compared, and in logs.
///
/// Its `Display` is the Base64 of the first 8 bytes, 11 characters.
///
/// ```
/// use socketio_auth::{Fingerprint, Secret};
///
/// let fingerprint = Fingerprint::of(&Secret::new("eyJhbGciOi"));
/// assert_eq!(fingerprint.to_string().len(), 11);
/// assert_eq!(fingerprint, Fingerprint::of(&Secret::new("eyJhbGciOi")));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of `secret`.
    #[must_use]
    pub fn of(secret: &Secret) -> Self {
        Self(Sha256::digest(secret.expose()).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.first_chunk::<SHOWN_BYTES>().map_or(&[][..], |b| b);
        f.write_str(&URL_SAFE_NO_PAD.encode(shown))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shown_part_is_the_start_of_the_sha_256() {
        // SHA-256("abc") begins ba7816bf 8f01cfea (FIPS 180-2, appendix B.1).
        let shown = Fingerprint::of(&Secret::new("abc")).to_string();
        assert_eq!(shown, "ungWv48Bz-o");
    }
}
