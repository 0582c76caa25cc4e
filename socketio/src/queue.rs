//! A queue that most connections seldom need.

use std::collections::VecDeque;

/// What waits, in order. It takes a pointer's room while nothing does.
///
/// Memory once needed stays until [`pop_front`](Self::pop_front) finds nothing, or the queue is replaced by a new one.
pub(crate) struct Queue<T>(
    #[expect(
        clippy::box_collection,
        reason = "absent from idle connections, whose size counts"
    )]
    Option<Box<VecDeque<T>>>,
);

impl<T> Queue<T> {
    pub(crate) fn push_back(&mut self, item: T) {
        self.0.get_or_insert_default().push_back(item);
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        let first = self.0.as_mut()?.pop_front();
        if first.is_none() {
            self.0 = None;
        }
        first
    }

    /// Takes out the first item of which `is_wanted` is true.
    pub(crate) fn remove_first(&mut self, is_wanted: impl Fn(&T) -> bool) -> Option<T> {
        let items = self.0.as_mut()?;
        let place = items.iter().position(is_wanted)?;
        items.remove(place)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|items| items.is_empty())
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_leave_in_order_and_the_last_leaves_no_memory() {
        let mut queue = Queue::default();
        assert_eq!(queue.pop_front(), None);
        for item in 1..=4 {
            queue.push_back(item);
        }
        assert_eq!(queue.remove_first(|item| item % 2 == 0), Some(2));
        assert_eq!(queue.remove_first(|item| *item > 4), None);
        let left: Vec<_> = std::iter::from_fn(|| queue.pop_front()).collect();
        assert_eq!(left, [1, 3, 4]);
        assert!(queue.is_empty() && queue.0.is_none());
    }
}
