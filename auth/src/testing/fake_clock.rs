//! A clock that stands still until it is told to move.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::base::clock::Clock;

/// A wall clock under the control of a test. Clones show the same time.
///
/// ```
/// use std::time::Duration;
/// use socketio_auth::{Clock, testing::FakeClock};
///
/// let clock = FakeClock::at(1_800_000_000);
/// let before = clock.now();
/// clock.advance(Duration::from_secs(90));
/// assert_eq!(clock.now(), before + Duration::from_secs(90));
/// ```
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<AtomicU64>);

impl FakeClock {
    /// A clock that shows this many seconds since 1970.
    #[must_use]
    pub fn at(unix_seconds: u64) -> Self {
        Self(Arc::new(AtomicU64::new(unix_seconds)))
    }

    /// The time shown, in seconds since 1970.
    #[must_use]
    pub fn unix_seconds(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    /// Moves on by whole seconds.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(by.as_secs(), Ordering::SeqCst);
    }

    /// Jumps to this many seconds since 1970, back as well as on.
    pub fn set(&self, unix_seconds: u64) {
        self.0.store(unix_seconds, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.unix_seconds())
    }
}
