//! One session: the machine behind its lock, the application it tells, and the handle the application keeps.
//!
//! `connection`, `handler` and `shared` know each other, and rightly: a session calls the handler with its own handle, and
//! what the handler does with the handle may be what closes the session. It is the only such ring in the server.

pub(crate) mod aftermath;
pub(crate) mod batch;
pub(crate) mod connection;
pub(crate) mod handler;
pub(crate) mod queued;
pub(crate) mod ready;
pub(crate) mod requests;
pub(crate) mod sending;
pub(crate) mod shared;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod turn;
