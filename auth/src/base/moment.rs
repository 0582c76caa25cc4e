//! Instants in half of their memory, for what is kept of each client.

use std::num::NonZeroU64;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// An [`Instant`] in eight bytes, with or without `Option`. It is exact: what is kept so comes neither early nor late.
///
/// It counts nanoseconds from an origin that is the same in the whole process and means nothing. An instant more than 292 years
/// from it is kept as the furthest that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(NonZeroU64);

#[expect(
    clippy::disallowed_methods,
    reason = "nothing is decided by where the count begins"
)]
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What the origin counts as: the middle, for a virtual clock may be behind it.
const AT_ORIGIN: u64 = 1 << 63;

impl From<Instant> for Moment {
    fn from(instant: Instant) -> Self {
        let origin = *ORIGIN;
        let nanos = match instant.checked_duration_since(origin) {
            Some(after) => AT_ORIGIN.saturating_add(nanos(after)),
            None => AT_ORIGIN.saturating_sub(nanos(origin.duration_since(instant))),
        };
        Self(NonZeroU64::new(nanos).unwrap_or(NonZeroU64::MIN))
    }
}

impl From<Moment> for Instant {
    fn from(moment: Moment) -> Self {
        let (origin, nanos) = (*ORIGIN, moment.0.get());
        let distance = Duration::from_nanos(nanos.abs_diff(AT_ORIGIN));
        let instant = if nanos < AT_ORIGIN {
            origin.checked_sub(distance)
        } else {
            origin.checked_add(distance)
        };
        instant.unwrap_or(origin)
    }
}

fn nanos(distance: Duration) -> u64 {
    u64::try_from(distance.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FURTHEST: Duration = Duration::from_nanos(AT_ORIGIN - 1);
    const NANOSECOND: Duration = Duration::from_nanos(1);

    fn kept(instant: Instant) -> Instant {
        Moment::from(instant).into()
    }

    #[test]
    fn an_instant_is_kept_exactly_before_and_after_the_origin_and_at_both_bounds() {
        for distance in [
            Duration::ZERO,
            NANOSECOND,
            Duration::from_secs(25),
            FURTHEST,
        ] {
            let after = *ORIGIN + distance;
            assert_eq!(kept(after), after);
            // A clock that began with the machine may not go back so far.
            if let Some(before) = ORIGIN.checked_sub(distance) {
                assert_eq!(kept(before), before);
            }
        }
    }

    #[test]
    fn past_the_bounds_it_is_the_furthest_that_there_is() {
        assert_eq!(kept(*ORIGIN + FURTHEST + NANOSECOND), *ORIGIN + FURTHEST);
        if let Some(before) = ORIGIN.checked_sub(FURTHEST + NANOSECOND) {
            assert_eq!(kept(before), *ORIGIN - FURTHEST);
        }
    }

    #[test]
    fn moments_are_ordered_as_instants_and_take_half_of_their_memory() {
        let (early, late) = (*ORIGIN, *ORIGIN + NANOSECOND);
        assert!(Moment::from(early) < Moment::from(late));
        assert_eq!(size_of::<Option<Moment>>(), 8);
    }
}
