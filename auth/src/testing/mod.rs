//! What tests of authentication are made of: tokens good and bad, keys that come when the script says so, a clock
//! that stands still. Behind the feature `testing`.
//!
//! Nothing here is secret: the private keys are published with the crate. Never trust them outside tests.

mod fake_clock;
#[cfg(any(
    feature = "jwt-aws-lc",
    feature = "jwt-rust-crypto",
    feature = "introspection",
    feature = "jwks-http"
))]
mod keys;
#[cfg(any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto"))]
mod mint;
#[cfg(any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto"))]
mod mint_keys;

pub use fake_clock::FakeClock;
#[cfg(any(
    feature = "jwt-aws-lc",
    feature = "jwt-rust-crypto",
    feature = "introspection",
    feature = "jwks-http"
))]
pub use keys::{FakeFetch, Tasks};
#[cfg(any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto"))]
pub use mint::{TokenDraft, TokenMint};
