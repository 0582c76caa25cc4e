//! A list of which there is one as a rule.

use std::ops::{Deref, DerefMut};

/// Items in order. One is kept without an allocation.
#[derive(Debug, Default)]
pub(crate) enum Few<T> {
    #[default]
    None,
    One(T),
    Many(Vec<T>),
}

impl<T> Few<T> {
    pub(crate) fn push(&mut self, item: T) {
        match self {
            Self::None => *self = Self::One(item),
            Self::Many(items) => items.push(item),
            Self::One(_) => {
                if let Self::One(first) = std::mem::take(self) {
                    *self = Self::Many(vec![first, item]);
                }
            }
        }
    }

    /// Takes out the first item that is wanted. Those behind it keep their order.
    pub(crate) fn take(&mut self, is_wanted: impl Fn(&T) -> bool) -> Option<T> {
        match self {
            Self::One(item) if is_wanted(item) => match std::mem::take(self) {
                Self::One(item) => Some(item),
                Self::None | Self::Many(_) => None,
            },
            Self::None | Self::One(_) => None,
            Self::Many(items) => {
                let position = items.iter().position(is_wanted)?;
                Some(items.remove(position))
            }
        }
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(item) => std::slice::from_ref(item),
            Self::Many(items) => items,
        }
    }
}

impl<T> DerefMut for Few<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::None => &mut [],
            Self::One(item) => std::slice::from_mut(item),
            Self::Many(items) => items,
        }
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = std::iter::Chain<std::option::IntoIter<T>, std::vec::IntoIter<T>>;

    fn into_iter(self) -> Self::IntoIter {
        let (one, many) = match self {
            Self::None => (None, Vec::new()),
            Self::One(item) => (Some(item), Vec::new()),
            Self::Many(items) => (None, items),
        };
        one.into_iter().chain(many)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_kept_in_order_however_many_there_are() {
        for count in 0..4 {
            for taken in 0..=count {
                let mut few = Few::default();
                let mut many = Vec::new();
                for item in 0..count {
                    few.push(item);
                    many.push(item);
                }
                assert_eq!(few.take(|item| *item == taken).is_some(), taken < count);
                many.retain(|item| *item != taken);
                assert_eq!(*few, *many);
                few.push(9);
                many.push(9);
                few.iter_mut().chain(&mut many).for_each(|item| *item += 1);
                assert_eq!(few.into_iter().collect::<Vec<_>>(), many);
            }
        }
    }
}
