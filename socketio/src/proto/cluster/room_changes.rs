//! Which rooms have changed and are still to be told of, each once.

use std::collections::HashSet;

use crate::proto::room::Room;

/// Rooms that may have come or gone since somebody was told.
///
/// Only that a room has changed is kept, not how: whoever tells looks at it then, so the last that is told is right however
/// the threads that changed it went on. One of them tells at a time.
#[derive(Default)]
pub(crate) struct RoomChanges {
    marked: HashSet<Room>,
    is_telling: bool,
}

impl RoomChanges {
    /// Notes a change that has happened; true for who is to tell now, until there is nothing more to [`take`](Self::take).
    pub(crate) fn mark(&mut self, room: &Room) -> bool {
        self.marked.insert(room.clone());
        !std::mem::replace(&mut self.is_telling, true)
    }

    /// What is to be told of next; `None` ends the telling.
    pub(crate) fn take(&mut self) -> Option<HashSet<Room>> {
        self.is_telling = !self.marked.is_empty();
        self.is_telling.then(|| std::mem::take(&mut self.marked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tells_at_a_time_and_each_room_once() {
        let (a, b) = (Room::from("a"), Room::from("b"));
        let mut changes = RoomChanges::default();
        assert!(changes.mark(&a));
        assert!(!changes.mark(&a), "somebody tells already");
        assert!(!changes.mark(&b));
        assert_eq!(changes.take().map(|rooms| rooms.len()), Some(2));
        assert!(!changes.mark(&a), "what changes meanwhile is told next");
        assert_eq!(changes.take(), Some(HashSet::from([a.clone()])));
        assert_eq!(changes.take(), None);
        assert!(changes.mark(&b), "the next one tells again");
    }
}
