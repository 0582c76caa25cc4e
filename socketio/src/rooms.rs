//! Who is in which room of one namespace. Pure bookkeeping over any kind of member.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::error::JoinError;
use crate::id::SocketId;

/// The name of a room.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Room(Arc<str>);

impl Room {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Room {
    fn from(name: &str) -> Self {
        Self(name.into())
    }
}

impl From<String> for Room {
    fn from(name: String) -> Self {
        Self(name.into())
    }
}

impl From<&String> for Room {
    fn from(name: &String) -> Self {
        Self(name.as_str().into())
    }
}

impl From<&Self> for Room {
    fn from(room: &Self) -> Self {
        room.clone()
    }
}

impl From<&SocketId> for Room {
    /// The room that a socket is in by itself.
    fn from(id: &SocketId) -> Self {
        Self(id.as_str().into())
    }
}

struct Member<S> {
    socket: S,
    rooms: Vec<Room>,
}

/// Whom a broadcast is for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Members of any of these; empty means everyone.
    pub(crate) rooms: Vec<Room>,
    /// But no member of any of these.
    pub(crate) except: Vec<Room>,
}

/// The sockets of a namespace and their rooms.
///
/// Every socket is in the room of its own id without an entry for it (SRV-ROOM-01).
pub(crate) struct Rooms<S> {
    members: HashMap<SocketId, Member<S>>,
    rooms: HashMap<Room, HashSet<SocketId>>,
}

impl<S: Clone> Rooms<S> {
    pub(crate) fn new() -> Self {
        Self {
            members: HashMap::new(),
            rooms: HashMap::new(),
        }
    }

    pub(crate) fn insert(&mut self, id: SocketId, socket: S) {
        let rooms = Vec::new();
        self.members.insert(id, Member { socket, rooms });
    }

    /// Takes the socket out of the namespace and of all its rooms.
    pub(crate) fn remove(&mut self, id: &SocketId) -> Option<S> {
        let member = self.members.remove(id)?;
        for room in &member.rooms {
            self.leave_room(room, id);
        }
        if self.members.len() * 8 < self.members.capacity() && self.members.capacity() > 1024 {
            self.members.shrink_to_fit();
        }
        Some(member.socket)
    }

    /// Joins unless the socket is in `max` rooms already.
    pub(crate) fn join_bounded(
        &mut self,
        id: &SocketId,
        room: Room,
        max: usize,
    ) -> Result<(), JoinError> {
        let member = self.members.get(id).ok_or(JoinError::Disconnected)?;
        if member.rooms.len() >= max && !member.rooms.contains(&room) {
            return Err(JoinError::TooManyRooms);
        }
        self.join(id, room);
        Ok(())
    }

    /// False when the socket is not in the namespace.
    pub(crate) fn join(&mut self, id: &SocketId, room: Room) -> bool {
        let Some(member) = self.members.get_mut(id) else {
            return false;
        };
        if room.as_str() == id.as_str() || member.rooms.contains(&room) {
            return true;
        }
        member.rooms.push(room.clone());
        self.rooms.entry(room).or_default().insert(id.clone());
        true
    }

    pub(crate) fn leave(&mut self, id: &SocketId, room: &Room) {
        let Some(member) = self.members.get_mut(id) else {
            return;
        };
        member.rooms.retain(|joined| joined != room);
        self.leave_room(room, id);
    }

    fn leave_room(&mut self, room: &Room, id: &SocketId) {
        if let Some(ids) = self.rooms.get_mut(room) {
            ids.remove(id);
            if ids.is_empty() {
                self.rooms.remove(room);
            }
        }
    }

    /// The rooms of a socket, the one of its own id left out.
    pub(crate) fn rooms_of(&self, id: &SocketId) -> Vec<Room> {
        self.members
            .get(id)
            .map(|member| member.rooms.clone())
            .unwrap_or_default()
    }

    pub(crate) fn count(&self) -> usize {
        self.members.len()
    }

    pub(crate) fn get(&self, id: &str) -> Option<S> {
        self.members.get(id).map(|member| member.socket.clone())
    }

    /// Everyone the selection means, each once.
    pub(crate) fn select(&self, selection: &Selection) -> Vec<S> {
        let mut excluded: HashSet<&str> = HashSet::new();
        for room in &selection.except {
            excluded.extend(self.ids_in(room));
        }
        let is_included = |id: &str| excluded.is_empty() || !excluded.contains(id);
        match selection.rooms.as_slice() {
            [] => self
                .members
                .iter()
                .filter(|(id, _)| is_included(id.as_str()))
                .map(|(_, member)| member.socket.clone())
                .collect(),
            [room] => self
                .ids_in(room)
                .filter(|id| is_included(id))
                .filter_map(|id| self.get(id))
                .collect(),
            rooms => {
                let mut seen = HashSet::new();
                rooms
                    .iter()
                    .flat_map(|room| self.ids_in(room))
                    .filter(|id| is_included(id) && seen.insert(*id))
                    .filter_map(|id| self.get(id))
                    .collect()
            }
        }
    }

    fn ids_in<'s>(&'s self, room: &'s Room) -> impl Iterator<Item = &'s str> {
        let own = self
            .members
            .get_key_value(room.as_str())
            .map(|(id, _)| id.as_str());
        let joined = self
            .rooms
            .get(room)
            .into_iter()
            .flatten()
            .map(SocketId::as_str);
        own.into_iter().chain(joined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> SocketId {
        SocketId::new(name)
    }

    fn rooms() -> Rooms<&'static str> {
        let mut rooms = Rooms::new();
        for (name, joined) in [
            ("a", &["x"][..]),
            ("b", &["x", "y"]),
            ("c", &["y"]),
            ("d", &[]),
        ] {
            rooms.insert(id(name), name);
            for room in joined {
                assert!(rooms.join(&id(name), Room::from(*room)));
            }
        }
        rooms
    }

    fn select(rooms: &Rooms<&'static str>, to: &[&str], except: &[&str]) -> Vec<&'static str> {
        let selection = Selection {
            rooms: to.iter().copied().map(Room::from).collect(),
            except: except.iter().copied().map(Room::from).collect(),
        };
        let mut found = rooms.select(&selection);
        found.sort_unstable();
        found
    }

    #[test]
    fn a_selection_is_a_union_with_one_copy_each_less_the_exceptions() {
        let rooms = rooms();
        assert_eq!(select(&rooms, &[], &[]), ["a", "b", "c", "d"]);
        assert_eq!(select(&rooms, &["x"], &[]), ["a", "b"]);
        assert_eq!(select(&rooms, &["x", "y"], &[]), ["a", "b", "c"]);
        assert_eq!(select(&rooms, &["x", "y"], &["y"]), ["a"]);
        assert_eq!(select(&rooms, &[], &["x"]), ["c", "d"]);
        assert_eq!(select(&rooms, &["nowhere"], &[]), Vec::<&str>::new());
    }

    #[test]
    fn every_socket_is_in_the_room_of_its_id() {
        let rooms = rooms();
        assert_eq!(select(&rooms, &["d"], &[]), ["d"]);
        assert_eq!(select(&rooms, &["x", "a"], &[]), ["a", "b"]);
        assert_eq!(select(&rooms, &[], &["d"]), ["a", "b", "c"]);
        assert_eq!(rooms.rooms_of(&id("d")), []);
    }

    #[test]
    fn leaving_the_namespace_leaves_every_room() {
        let mut rooms = rooms();
        assert_eq!(rooms.remove(&id("b")), Some("b"));
        assert_eq!(select(&rooms, &["x", "y"], &[]), ["a", "c"]);
        rooms.leave(&id("a"), &Room::from("x"));
        assert_eq!(select(&rooms, &["x"], &[]), Vec::<&str>::new());
        assert!(rooms.rooms.len() == 1, "an empty room is forgotten");
        assert!(
            !rooms.join(&id("b"), Room::from("x")),
            "who has left joins nothing"
        );
    }
}
