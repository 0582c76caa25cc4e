//! How fast something may come: so many at once, and then at a steady pace.

use std::time::{Duration, Instant};

use socketio_auth::server::Moment;

/// The generic cell rate algorithm: one instant says how far ahead of the pace somebody is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    period: Duration,
    tolerance: Duration,
}

impl Rate {
    /// `per_second` in the long run, `burst` at once. Zero counts as one.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let period = Duration::from_secs(1) / per_second.max(1);
        Self {
            period,
            tolerance: period.saturating_mul(burst.max(1) - 1),
        }
    }

    /// True when one more is within the rate. `paid_until` is what is remembered of the earlier ones.
    pub(crate) fn admits(self, paid_until: &mut Option<Moment>, now: Instant) -> bool {
        let due = paid_until.map_or(now, |until| now.max(until.into()));
        if due.saturating_duration_since(now) > self.tolerance {
            return false;
        }
        *paid_until = due.checked_add(self.period).map(Moment::from);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "some moment to begin with")]
    fn a_burst_passes_and_then_one_for_each_period() {
        let (rate, mut paid, mut now) = (Rate::new(10, 3), None, Instant::now());
        let admitted = |paid: &mut _, now| (0..5).filter(|_| rate.admits(paid, now)).count();
        assert_eq!(admitted(&mut paid, now), 3);
        now += Duration::from_millis(99);
        assert_eq!(admitted(&mut paid, now), 0);
        now += Duration::from_millis(1);
        assert_eq!(admitted(&mut paid, now), 1);
        now += Duration::from_secs(60);
        assert_eq!(
            admitted(&mut paid, now),
            3,
            "what was not used is not saved up"
        );
    }
}
