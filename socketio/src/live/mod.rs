//! The ring of a live server: a connection has sockets, a socket is in a namespace, a namespace has sockets and handlers,
//! and a socket writes to its connection. Types, locks and accessors; nothing here calls user code by itself.

pub(crate) mod candidate;
pub(crate) mod client;
pub(crate) mod closed;
pub(crate) mod core;
pub(crate) mod directory;
pub(crate) mod driver;
mod extensions;
pub(crate) mod handlers;
pub(crate) mod handshake;
mod holder;
pub(crate) mod inbox;
pub(crate) mod keeper;
pub(crate) mod keeping;
pub(crate) mod listeners;
pub(crate) mod matcher;
mod membership;
#[cfg(feature = "metrics")]
pub(crate) mod meter;
#[cfg(not(feature = "metrics"))]
#[path = "meter/absent.rs"]
pub(crate) mod meter;
pub(crate) mod owed;
pub(crate) mod recovering;
mod restoring;
pub(crate) mod server;
pub(crate) mod settings;
pub(crate) mod space;
