//! The cryptographic backend, chosen by this crate's features and named explicitly.
//!
//! The process-wide default of the underlying library is neither read nor set: it panics at the first token when
//! none or both of its backends are compiled in, which another crate of the workspace can bring about.

use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::CryptoProvider;

use super::Algorithm;

pub(crate) fn provider() -> &'static CryptoProvider {
    #[cfg(feature = "jwt-aws-lc")]
    {
        &jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER
    }
    #[cfg(not(feature = "jwt-aws-lc"))]
    {
        &jsonwebtoken::crypto::rust_crypto::DEFAULT_PROVIDER
    }
}

/// True when `signature` is one of `key` over `message`. The key was validated when it was loaded.
pub(super) fn verify(
    algorithm: Algorithm,
    key: &DecodingKey,
    message: &[u8],
    signature: &[u8],
) -> bool {
    (provider().verifier_factory)(&algorithm.backend(), key)
        .is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok())
}

/// A signature of `key` over `message`, for the mint.
#[cfg(any(test, feature = "testing"))]
pub(crate) fn sign(
    algorithm: Algorithm,
    key: &jsonwebtoken::EncodingKey,
    message: &[u8],
) -> Vec<u8> {
    (provider().signer_factory)(&algorithm.backend(), key)
        .ok()
        .and_then(|signer| signer.try_sign(message).ok())
        .expect("the mint's keys fit their algorithms")
}

/// Verifies a known signature and refuses a wrong one, so that a broken backend fails at start-up.
pub(super) fn self_test() -> bool {
    // HMAC-SHA-256, RFC 4231 §4.2 (test case 1).
    const KEY: [u8; 20] = [0x0b; 20];
    const MAC: [u8; 32] = [
        0xb0, 0x34, 0x4c, 0x61, 0xd8, 0xdb, 0x38, 0x53, 0x5c, 0xa8, 0xaf, 0xce, 0xaf, 0x0b, 0xf1,
        0x2b, 0x88, 0x1d, 0xc2, 0x00, 0xc9, 0x83, 0x3d, 0xa7, 0x26, 0xe9, 0x37, 0x6c, 0x2e, 0x32,
        0xcf, 0xf7,
    ];
    let key = DecodingKey::from_secret(&KEY);
    verify(Algorithm::Hs256, &key, b"Hi There", &MAC)
        && !verify(Algorithm::Hs256, &key, b"Hi there", &MAC)
}
