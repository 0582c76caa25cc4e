//! What tests of authentication are made of: tokens good and bad, keys that come when the script says so, answers
//! settled beforehand, a clock that stands still, the state machine with a time of its own, and a suite that any
//! authenticator has to pass. Behind the feature `testing`.
//!
//! ```
//! use socketio_auth::testing::{StaticAuth, block_on};
//! use socketio_auth::{AuthContext, Authenticator, Credential, Outcome, SourceKind};
//!
//! let authenticator = StaticAuth::accept("ann");
//! let token = Credential::new("any", SourceKind::Payload);
//! let outcome = block_on(authenticator.authenticate(&AuthContext::new("/"), &token));
//! assert!(matches!(outcome, Outcome::Accept(grant) if grant.subject().id() == "ann"));
//! ```
//!
//! Nothing here is secret: the private keys are published with the crate. Never trust them outside tests.

mod block_on;
mod conformance;
mod driver;
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
mod static_auth;

pub use block_on::{block_on, block_on_tokio};
pub use conformance::Conformance;
pub use driver::{MachineDriver, describe};
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
pub use static_auth::StaticAuth;
