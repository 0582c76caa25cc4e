//! The clocks that the shell reads; no machine does.

use std::time::{Instant, SystemTime};

/// Tokio's clock, like the engine's: a test can pause it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The time of day: tokens end by it, and events are numbered by it.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}
