//! What the server says to a log: nothing, unless the feature `tracing` is on.
//!
//! The level says who is to blame: the peer at `debug`, for anyone can cause it; the environment at `warn`; this
//! program at `error`. What a namespace asks of its clients is told at `info` when it is opened. No event carries an id,
//! a credential, a header, a query or a payload; of a payload, what kind of value an argument is. The reader of
//! arguments quotes them in its errors, and a panic may hold anything, so neither is passed on.

#[cfg(feature = "tracing")]
pub(crate) use tracing::{debug, error, warn};

/// Tells what a namespace asks of its clients.
#[cfg(feature = "tracing")]
pub(crate) fn namespace_opened(name: &str, policy: impl FnOnce() -> String) {
    tracing::info!(name, policy = policy(), "a namespace was opened");
}

#[cfg(not(feature = "tracing"))]
pub(crate) fn namespace_opened(_: &str, _: impl FnOnce() -> String) {}

#[cfg(not(feature = "tracing"))]
pub(crate) use silent::{debug, error, warn};

#[cfg(not(feature = "tracing"))]
mod silent {
    /// Takes what the macros of `tracing` take, and does nothing.
    macro_rules! silence {
        ($($ignored:tt)*) => {
            ()
        };
    }

    pub(crate) use {silence as debug, silence as error, silence as warn};
}
