//! A bounded table that forgets what was not used for longest.

use std::collections::HashMap;
use std::hash::Hash;

/// Maps keys to values, at most `capacity` of them.
///
/// Entries live in two generations. A use moves an entry into the young one; when that is half the capacity, the
/// old generation is forgotten as a whole and the young one becomes old. So what is forgotten was not used while
/// at least half the capacity of other entries was, every step is constant in time, and nothing has to be swept.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    half: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V> Recent<K, V> {
    /// A table of at most `capacity` entries; at least two.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            half: (capacity / 2).max(1),
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    /// The value of `key`, which counts as used.
    pub(crate) fn get(&mut self, key: &K) -> Option<&mut V> {
        if let Some((key, value)) = self.old.remove_entry(key) {
            self.insert(key, value);
        }
        self.young.get_mut(key)
    }

    /// Keeps `value`, in the place of an earlier one.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.old.remove(&key);
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// Forgets `key`.
    pub(crate) fn remove(&mut self, key: &K) {
        self.young.remove(key);
        self.old.remove(key);
    }

    /// How many entries there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_never_holds_more_than_its_capacity() {
        let mut table = Recent::new(8);
        for key in 0..100u32 {
            table.insert(key, key);
            assert!(table.len() <= 8);
            assert_eq!(table.get(&key), Some(&mut { key }));
        }
    }

    #[test]
    fn what_is_used_stays_while_others_come_and_go() {
        let mut table = Recent::new(8);
        table.insert(0, "kept");
        for key in 1..100u32 {
            table.insert(key, "passing");
            assert_eq!(table.get(&0), Some(&mut "kept"), "after {key}");
        }
        assert_eq!(table.get(&1), None);
        table.remove(&0);
        assert_eq!(table.get(&0), None);
    }

    #[test]
    fn an_insertion_replaces_the_earlier_value_in_either_generation() {
        let mut table = Recent::new(4);
        table.insert(1, "a");
        table.insert(2, "b");
        table.insert(3, "c");
        table.insert(1, "d");
        assert_eq!(table.get(&1), Some(&mut "d"));
        assert_eq!(table.len(), 3);
    }
}
