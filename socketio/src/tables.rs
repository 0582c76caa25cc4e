//! Giving back what tables grew to in a flood. A table of the standard library does not get smaller by itself.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

/// Room for so many is kept whatever happens: it costs little, and clients come back.
const KEPT: usize = 1024;

/// The capacity to shrink to, where less than an eighth of it is used. Twice of what is used is left, so that a table whose size
/// stays about the same is not moved again and again.
fn smaller(len: usize, capacity: usize) -> Option<usize> {
    (capacity > KEPT && len < capacity / 8).then_some(len * 2)
}

/// To be called when something was removed.
pub(crate) fn shrink_map<K: Eq + Hash, V, S: BuildHasher>(map: &mut HashMap<K, V, S>) {
    if let Some(capacity) = smaller(map.len(), map.capacity()) {
        map.shrink_to(capacity);
    }
}

/// To be called when something was removed.
pub(crate) fn shrink_set<K: Eq + Hash, S: BuildHasher>(set: &mut HashSet<K, S>) {
    if let Some(capacity) = smaller(set.len(), set.capacity()) {
        set.shrink_to(capacity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_flood_needed_is_given_back() {
        let mut map: HashMap<u32, u32> = (0..100_000).map(|key| (key, key)).collect();
        for key in 0..100_000 {
            map.remove(&key);
            shrink_map(&mut map);
        }
        assert!(map.capacity() <= 2 * KEPT, "{}", map.capacity());
    }

    #[test]
    fn a_table_is_not_moved_again_before_it_is_much_emptier() {
        assert_eq!(smaller(1_000, 8_000), None);
        assert_eq!(smaller(999, 8_000), Some(1_998));
        assert_eq!(smaller(999, 2 * 1_998), None);
    }

    #[test]
    fn a_table_that_was_never_large_is_left_alone() {
        let mut set: HashSet<u32> = (0..500).collect();
        let capacity = set.capacity();
        set.clear();
        shrink_set(&mut set);
        assert_eq!(set.capacity(), capacity);
    }
}
