//! JSON Web Tokens (RFC 7519) as credentials, in a strict profile.
//!
//! The algorithm belongs to the key, never to the token alone. `exp` and `sub` are required, and so are `iss` and `aud` once
//! configured; `nbf` and `iat` are checked; headers that could bring their own key or change the meaning of
//! the signature (`crit`, `jku`, `jwk`, `x5u`, `x5c`, `b64`, `zip`, `enc`) are refused; duplicate JSON members are
//! refused at every depth; a token longer than the limit is refused before it is decoded (RFC 8725).
//!
//! What a client hears is a fixed sentence per [code](crate::Code). `token_expired` is said only when the
//! signature holds; everything else is `invalid_token`, so that a forger learns nothing.

mod algorithm;
mod authenticator;
pub(crate) mod backend;
mod builder;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod header;
mod issuer;
mod jwks;
mod jwks_cache;
mod jwks_state;
mod key;
mod key_set;
mod key_source;
mod proof;

pub use crate::{Clock, SystemClock};
pub use algorithm::Algorithm;
pub use authenticator::JwtAuthenticator;
pub use builder::{BuildError, JwtBuilder};
pub use issuer::Issuer;
pub use jwks_cache::{JwksCache, JwksOptions};
pub use key::{KeyError, VerifyingKey};
pub use key_set::KeySet;
pub use key_source::{KeyRequest, KeySource, LookupError};
pub use proof::ProofOfPossession;

#[cfg(any(test, feature = "testing"))]
pub(crate) use jwks::thumbprint;
pub(crate) use proof::PROOF_SEPARATOR;

use crate::{Code, Rejection};

/// The refusal that tells the client nothing and the log why.
fn invalid(detail: &'static str) -> Rejection {
    Rejection::new(Code::InvalidToken).with_detail(detail)
}

#[cfg(test)]
mod tests;
