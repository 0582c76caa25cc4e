//! Asking another server, over HTTPS.

pub(crate) mod exchange;
#[cfg(feature = "jwks-http")]
pub(crate) mod http;
