//! Times of the wall clock in half of their memory, for what is kept of each connection.

use std::num::NonZeroU64;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A [`SystemTime`] in eight bytes, with or without `Option`: exact from a nanosecond after 1970 to the year 2554, and the nearest of
/// these otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WallTime(NonZeroU64);

impl From<SystemTime> for WallTime {
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        Self(NonZeroU64::new(nanos).unwrap_or(NonZeroU64::MIN))
    }
}

impl From<WallTime> for SystemTime {
    fn from(time: WallTime) -> Self {
        UNIX_EPOCH + Duration::from_nanos(time.0.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(time: SystemTime) -> SystemTime {
        WallTime::from(time).into()
    }

    #[test]
    fn a_time_is_exact_at_both_bounds_and_the_nearest_past_them() {
        const NANOSECOND: Duration = Duration::from_nanos(1);
        let (first, last) = (
            UNIX_EPOCH + NANOSECOND,
            UNIX_EPOCH + Duration::from_nanos(u64::MAX),
        );
        for time in [
            first,
            last,
            UNIX_EPOCH + Duration::from_millis(1_764_374_400_001),
        ] {
            assert_eq!(kept(time), time);
        }
        assert_eq!(kept(UNIX_EPOCH), first);
        assert_eq!(kept(UNIX_EPOCH - NANOSECOND), first);
        assert_eq!(kept(last + NANOSECOND), last);
        assert_eq!(size_of::<Option<WallTime>>(), 8);
    }
}
