//! A queue that most connections seldom need.

use std::collections::VecDeque;

/// What waits, in order. It takes a pointer's room, and no memory while nothing does.
pub(crate) struct Queue<T>(Option<Box<Items<T>>>);

/// Never none.
enum Items<T> {
    /// As nearly always, and then in one allocation.
    One(T),
    Many(VecDeque<T>),
}

impl<T> Queue<T> {
    pub(crate) fn push_back(&mut self, item: T) {
        match self.0.as_deref_mut() {
            Some(Items::Many(items)) => items.push_back(item),
            _ => {
                self.0 = Some(Box::new(match self.0.take().map(|items| *items) {
                    Some(Items::One(first)) => Items::Many(VecDeque::from([first, item])),
                    _ => Items::One(item),
                }));
            }
        }
    }

    pub(crate) fn pop_front(&mut self) -> Option<T> {
        match self.0.as_deref_mut()? {
            Items::Many(items) if items.len() > 1 => items.pop_front(),
            _ => self.0.take().and_then(|last| match *last {
                Items::One(item) => Some(item),
                Items::Many(mut items) => items.pop_front(),
            }),
        }
    }

    /// Takes out the first item of which `is_wanted` is true.
    pub(crate) fn remove_first(&mut self, is_wanted: impl Fn(&T) -> bool) -> Option<T> {
        match self.0.as_deref_mut()? {
            Items::One(item) if is_wanted(item) => self.pop_front(),
            Items::One(_) => None,
            Items::Many(items) => {
                let place = items.iter().position(is_wanted)?;
                let removed = items.remove(place);
                if items.is_empty() {
                    self.0 = None;
                }
                removed
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
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

    #[test]
    fn the_last_item_may_be_the_one_that_is_taken_out() {
        for count in 1..=3 {
            let mut queue = Queue::default();
            (0..count).for_each(|item| queue.push_back(item));
            for item in (0..count).rev() {
                assert!(!queue.is_empty());
                assert_eq!(queue.remove_first(|found| *found == item), Some(item));
            }
            assert!(queue.is_empty());
            assert_eq!(queue.remove_first(|_| true), None);
        }
    }
}
