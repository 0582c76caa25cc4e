//! What an application holds and says. Typed; the types are erased on the way down.

pub(crate) mod auth_control;
pub(crate) mod builder;
#[cfg(feature = "client-bundle")]
pub(crate) mod client_bundle;
pub(crate) mod cluster_control;
pub(crate) mod extensions;
mod finding;
pub(crate) mod handler;
pub(crate) mod hearing;
#[cfg(feature = "tower")]
pub(crate) mod layer;
mod listening;
pub(crate) mod namespace;
mod request;
pub(crate) mod server;
pub(crate) mod socket;
mod state;
#[cfg(feature = "metrics")]
pub(crate) mod stats;
