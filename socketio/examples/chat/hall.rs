//! Who is in which room, what was said there, and whose name is whose.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use socketio::SocketId;

/// How many of the latest messages of a room a newcomer sees.
const HISTORY: usize = 50;
/// How many rooms there may be; one more is refused.
const ROOMS: usize = 100;

/// The room that is always there.
pub(crate) const LOBBY: &str = "lobby";
/// The longest room name, in bytes.
pub(crate) const ROOM_NAME_MAX: usize = 30;
/// The longest message, in bytes.
pub(crate) const TEXT_MAX: usize = 8_000;

/// Something said in a room.
#[derive(Clone, Serialize)]
pub(crate) struct Message {
    pub(crate) room: String,
    pub(crate) from: String,
    pub(crate) text: String,
}

/// A line of the list of rooms.
#[derive(Serialize)]
pub(crate) struct RoomLine {
    name: String,
    count: usize,
}

struct Guest {
    name: String,
    room: String,
}

#[derive(Default)]
struct State {
    guests: HashMap<SocketId, Guest>,
    rooms: BTreeMap<String, VecDeque<Message>>,
}

/// What all connections of the chat share.
#[derive(Default)]
pub(crate) struct Hall(Mutex<State>);

impl Hall {
    pub(crate) fn new() -> Self {
        let hall = Self::default();
        hall.lock().rooms.insert(LOBBY.to_owned(), VecDeque::new());
        hall
    }

    /// Puts a guest into a room, made if need be; what was said there lately, and the room that was left.
    pub(crate) fn enter(
        &self,
        id: &SocketId,
        name: &str,
        room: &str,
    ) -> Result<(Vec<Message>, Option<String>), &'static str> {
        if !is_name(room, ROOM_NAME_MAX) {
            return Err("a room's name is 1 to 30 letters, digits, - or _");
        }
        let mut state = self.lock();
        if state.rooms.len() >= ROOMS && !state.rooms.contains_key(room) {
            return Err("there are too many rooms");
        }
        let history = state
            .rooms
            .entry(room.to_owned())
            .or_default()
            .iter()
            .cloned()
            .collect();
        let guest = Guest {
            name: name.to_owned(),
            room: room.to_owned(),
        };
        let left = state
            .guests
            .insert(id.clone(), guest)
            .map(|guest| guest.room)
            .filter(|left| left != room);
        Ok((history, left))
    }

    pub(crate) fn leave(&self, id: &SocketId) {
        self.lock().guests.remove(id);
    }

    /// Keeps a message; refused from a guest who is in another room.
    pub(crate) fn say(&self, id: &SocketId, message: Message) -> Result<(), &'static str> {
        if message.text.is_empty() || message.text.len() > TEXT_MAX {
            return Err("a message is 1 to 8,000 bytes long");
        }
        let mut state = self.lock();
        if state
            .guests
            .get(id)
            .is_none_or(|guest| guest.room != message.room)
        {
            return Err("you are not in that room");
        }
        let said = state.rooms.entry(message.room.clone()).or_default();
        said.push_back(message);
        if said.len() > HISTORY {
            said.pop_front();
        }
        Ok(())
    }

    /// Everyone who is in, each once, in alphabetical order.
    pub(crate) fn people(&self) -> Vec<String> {
        let mut names: Vec<_> = self
            .lock()
            .guests
            .values()
            .map(|guest| guest.name.clone())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    pub(crate) fn rooms(&self) -> Vec<RoomLine> {
        let state = self.lock();
        let count = |name: &str| {
            state
                .guests
                .values()
                .filter(|guest| guest.room == name)
                .count()
        };
        state
            .rooms
            .keys()
            .map(|name| RoomLine {
                name: name.clone(),
                count: count(name),
            })
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// True for 1 to `max` letters, digits, `-` or `_`.
pub(crate) fn is_name(text: &str, max: usize) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= max && text.bytes().all(is_allowed)
}
