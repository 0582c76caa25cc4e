//! The pure machines: everything the protocol decides, with time and bytes as arguments.
//!
//! Nothing here reads a clock, owns a socket, takes a lock or draws a random number, so every race between
//! timers, requests and frames is a sequence of inputs that a test can enumerate.

pub(crate) mod chunk;
mod chunks;
pub(crate) mod close_reason;
pub(crate) mod deadlines;
pub(crate) mod event;
pub(crate) mod outbox;
pub(crate) mod session;

#[cfg(test)]
mod exploration;
#[cfg(test)]
mod simulation;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod testing;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod world;
