//! Latencies by size class: enough for a percentile, and constant in memory.

use std::time::Duration;

/// Classes within each power of two: a percentile is exact to a sixteenth.
const STEPS: u64 = 16;

/// How many latencies fell into which class.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    counts: Vec<u64>,
    total: u64,
}

impl Latencies {
    pub(super) fn note(&mut self, latency: Duration) {
        let class = class_of(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
        if self.counts.len() <= class {
            self.counts.resize(class + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(class) {
            *count += 1;
            self.total += 1;
        }
    }

    /// The latency that this many in a hundred do not exceed; `None` when none was noted.
    #[must_use]
    pub fn percentile(&self, percent: u64) -> Option<Duration> {
        let wanted = (self.total * percent).div_ceil(100).max(1);
        let mut seen = 0;
        for (class, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Some(Duration::from_nanos(upper_end(class)));
            }
        }
        None
    }
}

/// Up to [`STEPS`] each number has a class; beyond, a power of two has that many.
fn class_of(nanos: u64) -> usize {
    let class = if nanos < STEPS {
        nanos
    } else {
        let shift = nanos.ilog2() - STEPS.ilog2();
        u64::from(shift) * STEPS + (nanos >> shift)
    };
    usize::try_from(class).unwrap_or(usize::MAX)
}

fn upper_end(class: usize) -> u64 {
    let class = class as u64;
    if class < STEPS {
        return class;
    }
    let shift = class / STEPS - 1;
    ((class % STEPS + STEPS + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_is_at_most_a_sixteenth_below_the_end_of_its_class() {
        for nanos in (0..100_000).chain([1 << 30, (1 << 30) - 1, 123_456_789_012]) {
            let end = upper_end(class_of(nanos));
            assert!(nanos <= end, "{nanos} {end}");
            assert!(end - nanos <= nanos / 16, "{nanos} {end}");
        }
    }

    #[test]
    fn percentiles_count_from_below() {
        let mut latencies = Latencies::default();
        assert_eq!(latencies.percentile(99), None);
        for nanos in 1..=100 {
            latencies.note(Duration::from_nanos(nanos % 10));
        }
        assert_eq!(latencies.percentile(50), Some(Duration::from_nanos(4)));
        assert_eq!(latencies.percentile(100), Some(Duration::from_nanos(9)));
    }
}
