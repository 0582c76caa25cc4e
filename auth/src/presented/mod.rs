//! What a client presents: the request and its payload, the credential found in them, and the circumstances.

pub(crate) mod binding;
pub(crate) mod context;
pub(crate) mod credential;
pub(crate) mod payload_text;
#[cfg(any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto"))]
pub(crate) mod proven_field;
pub(crate) mod request;
pub(crate) mod session_binding;
pub(crate) mod sources;
