//! Who is in which room of one namespace. Pure bookkeeping over any kind of member.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::grant_tag::{GrantTag, MeantTags};
use super::recovery::{Offset, Session, Stays};
use super::room::{Room, Selection};
use crate::error::JoinError;
use crate::id::{SocketId, SocketMap, SocketSet};
use crate::tables::{shrink_map, shrink_set};

struct Member<S> {
    socket: S,
    /// Here and not in the socket, which is far away in memory.
    tag: GrantTag,
    /// The rooms joined; in a box, for a table of members has many empty places.
    #[expect(clippy::box_collection, reason = "absent from sockets in no room")]
    rooms: Option<Box<Vec<Room>>>,
}

impl<S> Member<S> {
    fn rooms(&self) -> &[Room] {
        self.rooms.as_deref().map_or(&[], Vec::as_slice)
    }
}

/// What joining a room came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    Already,
    Existing,
    Created,
}

/// Whether a room has gone with its last member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emptied {
    Yes,
    No,
}

/// How many rooms there may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoomBounds {
    pub(crate) per_socket: usize,
    pub(crate) per_namespace: usize,
}

/// Something that happened to a room, for [`on_room`](crate::NamespaceBuilder::on_room).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomEvent<'a> {
    /// A room has its first member.
    Created {
        /// The room.
        room: &'a Room,
    },
    /// A socket has joined.
    Joined {
        /// The room.
        room: &'a Room,
        /// The socket.
        socket: &'a SocketId,
    },
    /// A socket has left.
    Left {
        /// The room.
        room: &'a Room,
        /// The socket.
        socket: &'a SocketId,
    },
    /// A room has lost its last member.
    Deleted {
        /// The room.
        room: &'a Room,
    },
}

/// The sockets of a namespace and their rooms.
///
/// Every socket is in the room of its own id without an entry for it (SRV-ROOM-01).
pub(crate) struct Rooms<S> {
    members: SocketMap<Member<S>>,
    rooms: HashMap<Room, SocketSet>,
    /// Of those that can be recovered, who has changed rooms since something was said.
    stays: SocketMap<Stays>,
}

impl<S: Clone> Rooms<S> {
    pub(crate) fn new() -> Self {
        Self {
            members: HashMap::default(),
            rooms: HashMap::new(),
            stays: HashMap::default(),
        }
    }

    pub(crate) fn insert(&mut self, id: SocketId, socket: S, tag: GrantTag) {
        let rooms = None;
        self.members.insert(id, Member { socket, tag, rooms });
    }

    /// Inserts a socket that comes back, with its rooms; which of them it has joined. `at` is where the log ends.
    pub(crate) fn resume(
        &mut self,
        session: &Session,
        socket: S,
        tag: GrantTag,
        bounds: RoomBounds,
        at: Offset,
    ) -> Vec<(Room, Joined)> {
        let id = &session.id;
        self.insert(id.clone(), socket, tag);
        let mut stays = session.stays.clone();
        let rejoined = session.rooms.iter().filter_map(|room| {
            match self.join(id, room, bounds, None) {
                Ok(joined) => Some((room.clone(), joined)),
                // A namespace that is full of rooms takes the socket without them.
                Err(_) => {
                    stays.leave(room, at);
                    None
                }
            }
        });
        let rejoined = rejoined.collect();
        if stays != Stays::default() {
            self.stays.insert(id.clone(), stays);
        }
        rejoined
    }

    /// The socket has another grant.
    pub(crate) fn set_tag(&mut self, id: &SocketId, tag: GrantTag) {
        if let Some(member) = self.members.get_mut(id) {
            member.tag = tag;
        }
    }

    /// Everyone whose grant may be one of those.
    pub(crate) fn granted(&self, meant: MeantTags) -> Vec<S> {
        let members = self.members.values();
        let found = members.filter(|member| meant.include(member.tag));
        found.map(|member| member.socket.clone()).collect()
    }

    /// Takes the socket out of the namespace and of all its rooms, if it is the one of this id; which those were, and whether
    /// each is empty now.
    pub(crate) fn remove(
        &mut self,
        id: &SocketId,
        is_it: impl FnOnce(&S) -> bool,
    ) -> Vec<(Room, Emptied)> {
        let Entry::Occupied(member) = self.members.entry(id.clone()) else {
            return Vec::new();
        };
        if !is_it(&member.get().socket) {
            return Vec::new();
        }
        let member = member.remove();
        if !self.stays.is_empty() {
            self.stays.remove(id);
            shrink_map(&mut self.stays);
        }
        let left = member
            .rooms
            .into_iter()
            .flat_map(|rooms| *rooms)
            .map(|room| {
                let emptied = self.leave_room(&room, id);
                (room, emptied)
            });
        let left = left.collect();
        shrink_map(&mut self.members);
        left
    }

    /// Joins a room. `at` is where the log ends, if that is to be known when the socket comes back: where it can, and
    /// something was said since it came.
    pub(crate) fn join(
        &mut self,
        id: &SocketId,
        room: &Room,
        bounds: RoomBounds,
        at: Option<Offset>,
    ) -> Result<Joined, JoinError> {
        let member = self.members.get_mut(id).ok_or(JoinError::Disconnected)?;
        if room.as_str() == id.as_str() || member.rooms().contains(room) {
            return Ok(Joined::Already);
        }
        let is_new = !self.rooms.contains_key(room);
        if member.rooms().len() >= bounds.per_socket
            || (is_new && self.rooms.len() >= bounds.per_namespace)
        {
            return Err(JoinError::TooManyRooms);
        }
        member.rooms.get_or_insert_default().push(room.clone());
        self.rooms
            .entry(room.clone())
            .or_default()
            .insert(id.clone());
        if let Some(at) = at {
            let stays = self.stays.entry(id.clone()).or_default();
            stays.join(room.clone(), at);
        }
        Ok(if is_new {
            Joined::Created
        } else {
            Joined::Existing
        })
    }

    /// Leaves a room; `None` when the socket was not in it. `at` as when [joining](Self::join).
    pub(crate) fn leave(
        &mut self,
        id: &SocketId,
        room: &Room,
        at: Option<Offset>,
    ) -> Option<Emptied> {
        let member = self.members.get_mut(id)?;
        let rooms = member.rooms.as_mut()?;
        let place = rooms.iter().position(|joined| joined == room)?;
        rooms.remove(place);
        if rooms.is_empty() {
            member.rooms = None;
        }
        if let Some(at) = at {
            self.stays.entry(id.clone()).or_default().leave(room, at);
        }
        Some(self.leave_room(room, id))
    }

    fn leave_room(&mut self, room: &Room, id: &SocketId) -> Emptied {
        let Some(ids) = self.rooms.get_mut(room) else {
            return Emptied::No;
        };
        ids.remove(id);
        if !ids.is_empty() {
            shrink_set(ids);
            return Emptied::No;
        }
        self.rooms.remove(room);
        shrink_map(&mut self.rooms);
        Emptied::Yes
    }

    /// The rooms that have a member, those of single sockets only where wanted.
    pub(crate) fn names(&self, with_own: bool) -> Vec<Room> {
        let own = self.members.keys().filter(|_| with_own).map(Room::from);
        let own = own.filter(|room| !self.rooms.contains_key(room));
        self.rooms.keys().cloned().chain(own).collect()
    }

    /// Whether a socket has joined a room.
    pub(crate) fn is_joined(&self, room: &Room) -> bool {
        self.rooms.contains_key(room)
    }

    /// Whether a room has a member, if only the socket whose id it is.
    pub(crate) fn is_open(&self, room: &Room) -> bool {
        self.is_joined(room) || self.members.contains_key(room.as_str())
    }

    /// The rooms of a socket, the one of its own id left out.
    pub(crate) fn rooms_of(&self, id: &SocketId) -> Vec<Room> {
        self.members
            .get(id)
            .map(|member| member.rooms().to_vec())
            .unwrap_or_default()
    }

    /// When a socket came into its rooms, and which it had left.
    pub(crate) fn stays_of(&self, id: &SocketId) -> Stays {
        self.stays.get(id).cloned().unwrap_or_default()
    }

    pub(crate) fn count(&self) -> usize {
        self.members.len()
    }

    /// How many rooms there are, those of the sockets' own ids left out.
    #[cfg(feature = "metrics")]
    pub(crate) fn room_count(&self) -> usize {
        self.rooms.len()
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
            [] => {
                let included = self
                    .members
                    .iter()
                    .filter(|(id, _)| is_included(id.as_str()))
                    .map(|(_, member)| member.socket.clone());
                collect(self.members.len(), included)
            }
            [room] => {
                let included = self
                    .ids_in(room)
                    .filter(|id| is_included(id))
                    .filter_map(|id| self.get(id));
                // The room of a socket is among the members.
                let joined = self.rooms.get(room).map_or(0, HashSet::len);
                collect(joined.saturating_add(1), included)
            }
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

/// At most so many, with room for all from the beginning: a filter does not know how many it lets pass.
fn collect<S>(most: usize, sockets: impl Iterator<Item = S>) -> Vec<S> {
    let mut found = Vec::with_capacity(most);
    found.extend(sockets);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: RoomBounds = RoomBounds {
        per_socket: 2,
        per_namespace: 3,
    };

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
            rooms.insert(id(name), name, GrantTag::NONE);
            for room in joined {
                rooms
                    .join(&id(name), &Room::from(*room), BOUNDS, None)
                    .unwrap();
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
        let left = [("x", Emptied::No), ("y", Emptied::No)];
        assert_eq!(
            rooms.remove(&id("b"), |_| true),
            left.map(|(room, emptied)| (Room::from(room), emptied))
        );
        assert_eq!(rooms.remove(&id("b"), |_| true), []);
        assert_eq!(select(&rooms, &["x", "y"], &[]), ["a", "c"]);
        assert_eq!(
            rooms.leave(&id("a"), &Room::from("x"), None),
            Some(Emptied::Yes)
        );
        assert_eq!(rooms.leave(&id("a"), &Room::from("x"), None), None);
        assert_eq!(select(&rooms, &["x"], &[]), Vec::<&str>::new());
        assert!(rooms.rooms.len() == 1, "an empty room is forgotten");
        let late = rooms.join(&id("b"), &Room::from("x"), BOUNDS, None);
        assert_eq!(
            late,
            Err(JoinError::Disconnected),
            "who has left joins nothing"
        );
    }

    #[test]
    fn a_socket_whose_id_another_has_meanwhile_takes_nothing_along() {
        let mut rooms = rooms();
        assert_eq!(
            rooms.remove(&id("a"), |there| *there == "its former self"),
            []
        );
        assert_eq!(select(&rooms, &["x"], &[]), ["a", "b"]);
        let is_it = |there: &&str| *there == "a";
        assert_eq!(rooms.remove(&id("a"), is_it).len(), 1);
    }

    #[test]
    fn the_rooms_of_a_socket_and_of_a_namespace_are_bounded() {
        let mut rooms = rooms();
        let mut join = |name, room| rooms.join(&id(name), &Room::from(room), BOUNDS, None);
        assert_eq!(join("b", "x"), Ok(Joined::Already));
        assert_eq!(join("b", "z"), Err(JoinError::TooManyRooms));
        assert_eq!(join("a", "y"), Ok(Joined::Existing));
        assert_eq!(join("d", "z"), Ok(Joined::Created));
        assert_eq!(join("d", "zz"), Err(JoinError::TooManyRooms));
        assert_eq!(
            join("d", "d"),
            Ok(Joined::Already),
            "its own room counts for nothing"
        );
    }
}
