//! The one place where the engine reads the clock.

use std::time::Instant;

/// Now. Tokio's clock stands still, and jumps, where a test has paused it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
