//! Where requests come in.

mod http1;
mod incoming;
pub(crate) mod listener;
mod response;
pub(crate) mod service;
