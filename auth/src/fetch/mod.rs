//! Asking another server, over HTTPS.

pub(crate) mod exchange;
#[cfg(feature = "jwks-http")]
pub(crate) mod http;

pub use exchange::{Fetch, FetchError, FetchRequest, FetchResponse, InsecureUrl};
#[cfg(feature = "jwks-http")]
pub use http::{HttpFetch, NoRoots};
