//! A queue that most connections seldom need.

use std::collections::VecDeque;
use std::fmt;

/// What waits, in order. It takes a pointer's room, and after [`release`](Self::release) no memory while nothing does.
#[derive(Clone)]
pub struct Queue<T>(Option<Box<Items<T>>>);

#[derive(Clone)]
enum Items<T> {
    /// The room of the last one, which the next may have.
    None,
    /// As nearly always, and then in one allocation.
    One(T),
    /// May be empty.
    Many(VecDeque<T>),
}

impl<T> Items<T> {
    #[inline(never)]
    fn push_second(&mut self, item: T) {
        *self = match std::mem::replace(self, Self::None) {
            Self::One(first) => Self::Many(VecDeque::from([first, item])),
            Self::None | Self::Many(_) => Self::One(item),
        };
    }
}

impl<T> Queue<T> {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// Adds an item behind all others.
    pub fn push_back(&mut self, item: T) {
        match self.0.as_deref_mut() {
            None => self.0 = Some(Box::new(Items::One(item))),
            // Items are large, and as a rule are moved but once.
            Some(items @ Items::None) => *items = Items::One(item),
            Some(Items::Many(items)) => items.push_back(item),
            Some(items @ Items::One(_)) => items.push_second(item),
        }
    }

    /// Takes the item that waits longest.
    pub fn pop_front(&mut self) -> Option<T> {
        match self.0.as_deref_mut()? {
            Items::None => None,
            Items::Many(items) => items.pop_front(),
            one @ Items::One(_) => match std::mem::replace(one, Items::None) {
                Items::One(item) => Some(item),
                Items::None | Items::Many(_) => None,
            },
        }
    }

    /// The item that waits longest.
    #[must_use]
    pub fn front(&self) -> Option<&T> {
        match self.0.as_deref()? {
            Items::None => None,
            Items::One(item) => Some(item),
            Items::Many(items) => items.front(),
        }
    }

    /// Drops the items of which `is_kept` is false.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&T) -> bool) {
        match self.0.as_deref_mut() {
            Some(Items::Many(items)) => items.retain(is_kept),
            Some(items) => {
                if matches!(items, Items::One(item) if !is_kept(item)) {
                    *items = Items::None;
                }
            }
            None => {}
        }
    }

    /// True when nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self.0.as_deref() {
            None | Some(Items::None) => true,
            Some(Items::One(_)) => false,
            Some(Items::Many(items)) => items.is_empty(),
        }
    }

    /// Whether there is anything to [`release`](Self::release), or something waits.
    #[inline]
    #[must_use]
    pub fn has_memory(&self) -> bool {
        self.0.is_some()
    }

    /// Takes the memory of a queue in which nothing waits, for another to [`borrow`](Self::borrow). `None` if there is none,
    /// or more than one item has room in it: that is given back.
    pub fn take_memory(&mut self) -> Option<Self> {
        if !self.is_empty() {
            return None;
        }
        let memory = self.0.take()?;
        matches!(*memory, Items::None).then_some(Self(Some(memory)))
    }

    /// Uses the memory that another has left, if it has none.
    pub fn borrow(&mut self, memory: Self) {
        if self.0.is_none() && memory.is_empty() {
            self.0 = memory.0;
        }
    }

    /// Gives the memory back if nothing waits.
    pub fn release(&mut self) {
        // As a rule it has none.
        if self.0.is_some() && self.is_empty() {
            self.0 = None;
        }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Queue");
        debug
            .field("is_empty", &self.is_empty())
            .finish_non_exhaustive()
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_goes_to_another_when_nothing_waits_in_it_and_it_is_small() {
        let (mut one, mut other) = (Queue::default(), Queue::default());
        assert!(one.take_memory().is_none());
        one.push_back(1);
        assert!(one.take_memory().is_none(), "it is in use");
        one.pop_front();
        let memory = one.take_memory().unwrap();
        assert!(!one.has_memory());
        other.borrow(memory);
        assert!(other.has_memory() && other.is_empty());
        other.push_back(2);
        other.push_back(3);
        assert_eq!((other.pop_front(), other.pop_front()), (Some(2), Some(3)));
        assert!(other.take_memory().is_none(), "it has room for many");
        assert!(!other.has_memory());
    }

    #[test]
    fn items_leave_in_order_and_none_leaves_memory_behind() {
        let mut queue = Queue::default();
        assert_eq!(queue.pop_front(), None);
        for item in 1..=4 {
            queue.push_back(item);
        }
        queue.retain(|item| *item != 2);
        assert_eq!(queue.front(), Some(&1));
        let left: Vec<_> = std::iter::from_fn(|| queue.pop_front()).collect();
        assert_eq!(left, [1, 3, 4]);
        assert!(queue.is_empty() && queue.0.is_some());
        queue.push_back(5);
        queue.release();
        assert_eq!(queue.pop_front(), Some(5));
        queue.release();
        assert!(queue.is_empty() && queue.0.is_none());
    }

    #[test]
    fn any_item_may_be_the_one_that_is_dropped() {
        for count in 1..=3 {
            for dropped in 0..count {
                let mut queue = Queue::default();
                (0..count).for_each(|item| queue.push_back(item));
                queue.retain(|item| *item != dropped);
                let left: Vec<_> = std::iter::from_fn(|| queue.pop_front()).collect();
                assert_eq!(left.len(), count - 1);
                assert!(!left.contains(&dropped) && queue.front().is_none());
            }
        }
    }
}
