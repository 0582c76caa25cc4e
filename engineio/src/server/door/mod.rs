//! Where requests come in.

mod http1;
mod incoming;
#[cfg(feature = "tower")]
pub(crate) mod layer;
pub(crate) mod listener;
#[cfg(feature = "nodes")]
pub(crate) mod nodes;
mod response;
pub(crate) mod service;
#[cfg(feature = "tls")]
pub(crate) mod tls;
