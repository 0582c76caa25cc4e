//! Where requests come in: the engine's own listener, and a service behind another server.

pub(crate) mod listener;
mod plain;
pub(crate) mod service;
