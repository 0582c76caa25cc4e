//! The cryptographic backend, chosen by this crate's features and named explicitly.
//!
//! The process-wide default of the underlying library is neither read nor set: it panics at the first token when
//! none or both of its backends are compiled in, which another crate of the workspace can bring about.

use std::cell::RefCell;
use std::sync::Arc;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier};

use super::algorithm::Algorithm;

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

thread_local! {
    /// What this thread verified with last. Nearly all tokens are of one key, and some of the work for a token is the
    /// same for all of a key. Each thread has its own, since the verifiers cannot be shared.
    static LAST: RefCell<Option<Prepared>> = const { RefCell::new(None) };
}

struct Prepared {
    algorithm: Algorithm,
    /// Held, so that no other key can take its place in memory.
    key: Arc<DecodingKey>,
    verifier: Box<dyn JwtVerifier>,
}

/// True when `signature` is one of `key` over `message`. The key was validated when it was loaded.
pub(super) fn verify(
    algorithm: Algorithm,
    key: &Arc<DecodingKey>,
    message: &[u8],
    signature: &Vec<u8>,
) -> bool {
    LAST.with_borrow_mut(|last| {
        let is_last = last.as_ref().is_some_and(|prepared| {
            prepared.algorithm == algorithm && Arc::ptr_eq(&prepared.key, key)
        });
        if !is_last {
            let made = (provider().verifier_factory)(&algorithm.backend(), key);
            *last = made.ok().map(|verifier| Prepared {
                algorithm,
                key: Arc::clone(key),
                verifier,
            });
        }
        let prepared = last.as_ref();
        prepared.is_some_and(|prepared| prepared.verifier.verify(message, signature).is_ok())
    })
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
    let (key, mac) = (Arc::new(DecodingKey::from_secret(&KEY)), MAC.to_vec());
    verify(Algorithm::Hs256, &key, b"Hi There", &mac)
        && !verify(Algorithm::Hs256, &key, b"Hi there", &mac)
}
