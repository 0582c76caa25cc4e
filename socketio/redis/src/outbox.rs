//! What waits to be said, in lanes. Pure: no I/O, and time is an argument.
//!
//! ```text
//!   put ──► fresh ── take ──► a batch            its lane is closed, or something of it waits already ──► parked
//!                                put_back ──► parked, in front      parked ── take, when its lane is open ──► a batch
//! ```
//!
//! In a lane everything keeps its order, whatever is redirected or has to wait; lanes do not wait for each other.

use std::collections::{BTreeMap, VecDeque};

/// What keeps its order: all for one slot, or all for no slot in particular.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Lane {
    Any,
    Slot(u16),
}

/// Something that waits. Without a lane it goes at once.
pub(crate) trait Waits {
    fn lane(&self) -> Option<Lane>;
}

#[derive(Debug)]
struct Parked<J, T> {
    jobs: VecDeque<J>,
    until: Option<T>,
}

/// The queue of what waits. `T` is a moment.
#[derive(Debug)]
pub(crate) struct Outbox<J, T> {
    fresh: VecDeque<J>,
    parked: BTreeMap<Lane, Parked<J, T>>,
}

impl<J, T> Default for Outbox<J, T> {
    fn default() -> Self {
        Self {
            fresh: VecDeque::new(),
            parked: BTreeMap::new(),
        }
    }
}

impl<J: Waits, T: Copy + Ord> Outbox<J, T> {
    pub(crate) fn put(&mut self, jobs: impl IntoIterator<Item = J>) {
        self.fresh.extend(jobs);
    }

    /// Puts back what was not taken, in its order, before all else of its lane, and not to be tried before `until`.
    pub(crate) fn put_back(&mut self, lane: Lane, jobs: Vec<J>, until: Option<T>) {
        let parked = self.parked.entry(lane).or_insert_with(|| Parked {
            jobs: VecDeque::new(),
            until: None,
        });
        for job in jobs.into_iter().rev() {
            parked.jobs.push_front(job);
        }
        parked.until = parked.until.max(until);
    }

    /// Takes up to `max` that can go now.
    pub(crate) fn take(&mut self, max: usize, now: T, is_open: impl Fn(Lane) -> bool) -> Vec<J> {
        let mut batch = Vec::new();
        self.parked.retain(|lane, parked| {
            if is_open(*lane) && parked.until.is_none_or(|until| until <= now) {
                parked.until = None;
                let room = max.saturating_sub(batch.len()).min(parked.jobs.len());
                batch.extend(parked.jobs.drain(..room));
            }
            !parked.jobs.is_empty()
        });
        while batch.len() < max {
            let Some(job) = self.fresh.pop_front() else {
                break;
            };
            match job.lane() {
                Some(lane) if self.parked.contains_key(&lane) || !is_open(lane) => {
                    let parked = self.parked.entry(lane).or_insert_with(|| Parked {
                        jobs: VecDeque::new(),
                        until: None,
                    });
                    parked.jobs.push_back(job);
                }
                _ => batch.push(job),
            }
        }
        batch
    }

    /// Whether something waits for a lane to open.
    pub(crate) fn is_held_up(&self) -> bool {
        !self.parked.is_empty()
    }

    /// When something is to be tried again.
    pub(crate) fn next_retry(&self) -> Option<T> {
        self.parked.values().filter_map(|parked| parked.until).min()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut J> {
        let parked = self.parked.values_mut();
        parked
            .flat_map(|parked| parked.jobs.iter_mut())
            .chain(&mut self.fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of its slot, and its own.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    struct Job(u16, u32);

    impl Waits for Job {
        fn lane(&self) -> Option<Lane> {
            (self.0 != 99).then_some(Lane::Slot(self.0))
        }
    }

    #[test]
    fn a_closed_lane_holds_up_nobody_else() {
        let mut outbox = Outbox::<Job, u32>::default();
        outbox.put([Job(1, 0), Job(2, 0), Job(1, 1), Job(99, 0), Job(2, 1)]);
        let taken = outbox.take(9, 0, |lane| lane != Lane::Slot(1));
        assert_eq!(taken, [Job(2, 0), Job(99, 0), Job(2, 1)]);
        assert!(outbox.is_held_up());
        assert_eq!(outbox.take(9, 0, |_| true), [Job(1, 0), Job(1, 1)]);
        assert!(!outbox.is_held_up());
    }

    #[test]
    fn what_is_put_back_goes_first_and_not_before_its_time() {
        let mut outbox = Outbox::<Job, u32>::default();
        outbox.put([Job(1, 0), Job(1, 1), Job(1, 2)]);
        let taken = outbox.take(2, 0, |_| true);
        outbox.put_back(Lane::Slot(1), taken, Some(5));
        outbox.put([Job(1, 3)]);
        assert_eq!(outbox.next_retry(), Some(5));
        assert_eq!(outbox.take(9, 4, |_| true), []);
        assert_eq!(outbox.iter_mut().count(), 4);
        let order = [0, 1, 2, 3].map(|number| Job(1, number));
        assert_eq!(outbox.take(9, 5, |_| true), order);
        assert_eq!(outbox.next_retry(), None);
    }

    #[test]
    fn a_batch_has_a_bound() {
        let mut outbox = Outbox::<Job, u32>::default();
        let put = [0, 1, 2, 3, 4, 5].map(|number| Job(1, number));
        outbox.put(put);
        assert_eq!(outbox.take(4, 0, |_| false), []);
        let mut taken = outbox.take(4, 0, |_| true);
        assert_eq!(taken.len(), 4);
        taken.extend(outbox.take(4, 0, |_| true));
        assert_eq!(taken, put);
    }

    /// Lanes open and close and everything may be sent back: in each lane the order is that of `put`.
    #[test]
    fn whatever_is_sent_back_each_lane_keeps_its_order() {
        let mut draws = crate::draws::Draws::new();
        let mut below = |bound| draws.below(bound);
        for _ in 0..300 {
            let mut outbox = Outbox::<Job, u32>::default();
            let mut said = BTreeMap::<u16, Vec<u32>>::new();
            let (mut put, mut now) = (0, 0);
            for round in 0..60 {
                let is_last = round >= 50;
                for _ in 0..below(4) {
                    outbox.put([Job(below(3), put)]);
                    put += 1;
                }
                now += if is_last { 10 } else { 1 };
                let open = if is_last { 7 } else { below(8) };
                let is_open = |lane| matches!(lane, Lane::Slot(slot) if open >> slot & 1 == 1);
                let mut back = BTreeMap::<u16, Vec<Job>>::new();
                for job in outbox.take(4, now, is_open) {
                    let is_refused = !is_last && below(3) == 0;
                    match back.get_mut(&job.0) {
                        Some(jobs) => jobs.push(job),
                        None if is_refused => {
                            back.insert(job.0, vec![job]);
                        }
                        None => said.entry(job.0).or_default().push(job.1),
                    }
                }
                for (slot, jobs) in back {
                    let until = (below(2) == 0).then_some(now + 3);
                    outbox.put_back(Lane::Slot(slot), jobs, until);
                }
            }
            for _ in 0..60 {
                now += 10;
                for job in outbox.take(9, now, |_| true) {
                    said.entry(job.0).or_default().push(job.1);
                }
            }
            assert!(said.values().all(|said| said.is_sorted()), "{said:?}");
            assert_eq!(
                said.values().flatten().count(),
                usize::try_from(put).unwrap()
            );
        }
    }
}
