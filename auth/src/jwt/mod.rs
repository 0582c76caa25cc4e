//! JSON Web Tokens (RFC 7519) as credentials, in a strict profile.
//!
//! The algorithm belongs to the key, never to the token alone. `exp` and `sub` are required unless
//! [told otherwise](JwtBuilder::subject_claim), and so are `iss` and `aud` once configured; `nbf` and `iat` are checked; headers that could bring their own key or change the meaning of
//! the signature (`crit`, `jku`, `jwk`, `x5u`, `x5c`, `b64`, `zip`, `enc`) are refused; duplicate JSON members are
//! refused at every depth; a token longer than the limit is refused before it is decoded (RFC 8725).
//!
//! What a client hears is a fixed sentence per [code](crate::Code). `token_expired` is said only when the
//! signature holds; everything else is `invalid_token`, so that a forger learns nothing.

pub(crate) mod algorithm;
mod authenticator;
pub(crate) mod backend;
mod builder;
mod certificate;
mod compact;
#[cfg(feature = "discovery")]
mod discovery;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod header;
mod issuer;
pub(crate) mod jwks;
mod jwks_cache;
mod jwks_options;
mod jwks_state;
pub(crate) mod key;
mod key_set;
mod key_source;
mod proof;
mod refusal;

pub use algorithm::Algorithm;
pub use authenticator::JwtAuthenticator;
pub use builder::{JwtBuildError, JwtBuilder};
pub use issuer::Issuer;
pub use jwks_cache::JwksCache;
pub use jwks_options::JwksOptions;
pub use key::{KeyError, SkippedKey, VerifyingKey};
pub use key_set::KeySet;
pub use key_source::{KeyRequest, KeySource, LookupError};
pub use proof::ProofOfPossession;

#[cfg(test)]
mod tests;
