//! Instants in half of their memory, for what is kept of each session.
//!
//! `socketio-auth` has the same code, for neither crate knows the other. A test holds them to be one.

use std::num::NonZeroU64;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// An [`Instant`] in eight bytes, with or without `Option`. It is exact: what is kept so comes neither early nor late.
///
/// It counts from a beginning that is the same in the whole process and means nothing: 136 years before the first use, or as far
/// as the clock goes back. Making one takes four times what reading it takes: compare an instant with one by reading it.
/// An instant before that, or more than 272 years after it, is kept as the nearest that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Moment(NonZeroU64);

/// Seconds stand above the nanoseconds, so that there is nothing to multiply or to divide.
const NANOS_BITS: u32 = 30;
const NANOS: u64 = (1 << NANOS_BITS) - 1;
const SECONDS: u64 = (1 << 33) - 1;

/// What is set in each, so that `None` takes no memory.
const KEPT: NonZeroU64 = NonZeroU64::new(1 << 63).expect("it is not zero");

static BEGINNING: LazyLock<Instant> = LazyLock::new(|| {
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing is decided by where the count begins"
    )]
    let now = Instant::now();
    let earlier = |power| now.checked_sub(Duration::from_secs(1_u64 << power));
    (0..=32).rev().find_map(earlier).unwrap_or(now)
});

impl From<Instant> for Moment {
    #[inline]
    fn from(instant: Instant) -> Self {
        let since = instant.saturating_duration_since(*BEGINNING);
        let seconds = since.as_secs().min(SECONDS);
        Self(KEPT | seconds << NANOS_BITS | u64::from(since.subsec_nanos()))
    }
}

impl From<Moment> for Instant {
    #[inline]
    fn from(Moment(kept): Moment) -> Self {
        let seconds = kept.get() >> NANOS_BITS & SECONDS;
        let nanos = (kept.get() & NANOS) as u32;
        let since = Duration::new(seconds, nanos);
        BEGINNING.checked_add(since).unwrap_or(*BEGINNING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NANOSECOND: Duration = Duration::from_nanos(1);

    /// The last second that can be told from the next.
    fn last() -> Instant {
        *BEGINNING + Duration::from_secs(SECONDS)
    }

    fn kept(instant: Instant) -> Instant {
        Moment::from(instant).into()
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "some moment to begin with")]
    fn an_instant_is_kept_exactly_at_both_bounds_and_between() {
        let now = Instant::now();
        for instant in [
            *BEGINNING,
            *BEGINNING + NANOSECOND,
            now,
            now + Duration::from_nanos(24_999_999_999),
            last() - NANOSECOND,
            last() + Duration::from_nanos(999_999_999),
        ] {
            assert_eq!(kept(instant), instant);
        }
        assert!(*BEGINNING < now, "virtual clocks may be behind");
    }

    #[test]
    fn past_the_bounds_it_is_the_nearest_that_there_is() {
        if let Some(before) = BEGINNING.checked_sub(NANOSECOND) {
            assert_eq!(kept(before), *BEGINNING);
        }
        assert_eq!(kept(last() + Duration::from_secs(1)), last());
    }

    #[test]
    fn moments_are_ordered_as_instants_and_take_half_of_their_memory() {
        let second = *BEGINNING + Duration::from_secs(1);
        let instants = [*BEGINNING, second - NANOSECOND, second, second + NANOSECOND];
        let moments = instants.map(Moment::from);
        assert!(moments.is_sorted_by(|early, late| early < late));
        assert_eq!(size_of::<Option<Moment>>(), 8);
    }
}
