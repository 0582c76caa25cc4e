//! The clocks that the shell reads; no machine does.

#[cfg(any(test, feature = "testing"))]
use std::cell::Cell;
use std::time::{Instant, SystemTime};

#[cfg(any(test, feature = "testing"))]
thread_local! {
    /// What the time of day was set to on this thread, and when.
    static SET: Cell<Option<(SystemTime, Instant)>> = const { Cell::new(None) };
}

/// Tokio's clock, like the engine's: a test can pause it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The time of day: tokens end by it, and events are numbered by it.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub(crate) fn wall_clock() -> SystemTime {
    #[cfg(any(test, feature = "testing"))]
    if let Some((time, set_at)) = SET.get() {
        return time + now().saturating_duration_since(set_at);
    }
    SystemTime::now()
}

/// Sets the time of day, for all that happens on this thread from here on. It goes on with tokio's clock, so that on a
/// paused one tokens end in virtual time, like everything else.
///
/// To be called inside the runtime whose clock it is. Authenticators that read a clock are to be given the same time.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use std::time::{Duration, SystemTime};
///
/// let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
/// socketio::testing::set_wall_clock(noon);
/// # }
/// ```
#[cfg(any(test, feature = "testing"))]
pub fn set_wall_clock(time: SystemTime) {
    SET.set(Some((time, now())));
}
