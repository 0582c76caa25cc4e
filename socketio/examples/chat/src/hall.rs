//! Who is in which room, what was said there, and whose name is whose.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

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
    /// When the server got it, in milliseconds since 1970.
    pub(crate) at: u64,
}

/// A line of the list of rooms.
#[derive(Serialize)]
pub(crate) struct RoomLine {
    name: String,
    count: usize,
}

struct Guest {
    name: String,
    rooms: BTreeSet<String>,
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

    /// Puts a guest into a room, made if need be, beside those it is in already; what was said there lately.
    pub(crate) fn enter(
        &self,
        id: &SocketId,
        name: &str,
        room: &str,
    ) -> Result<Vec<Message>, &'static str> {
        if !is_name(room, ROOM_NAME_MAX) {
            return Err("a room's name is 1 to 30 letters, digits, - or _");
        }
        let mut state = self.lock();
        if state.rooms.len() >= ROOMS && !state.rooms.contains_key(room) {
            return Err("there are too many rooms");
        }
        let guest = state.guests.entry(id.clone()).or_insert_with(|| Guest {
            name: name.to_owned(),
            rooms: BTreeSet::new(),
        });
        guest.rooms.insert(room.to_owned());
        let said = state.rooms.entry(room.to_owned()).or_default();
        Ok(said.iter().cloned().collect())
    }

    pub(crate) fn leave(&self, id: &SocketId) {
        self.lock().guests.remove(id);
    }

    /// Keeps a message, and the time with it; refused from a guest who is not in the room.
    pub(crate) fn say(
        &self,
        id: &SocketId,
        room: String,
        text: String,
    ) -> Result<Message, &'static str> {
        if text.is_empty() || text.len() > TEXT_MAX {
            return Err("a message is 1 to 8,000 bytes long");
        }
        let mut state = self.lock();
        let guest = state
            .guests
            .get(id)
            .filter(|guest| guest.rooms.contains(&room));
        let from = guest.ok_or("you are not in that room")?.name.clone();
        let message = Message {
            from,
            text,
            at: milliseconds(),
            room,
        };
        let said = state.rooms.entry(message.room.clone()).or_default();
        said.push_back(message.clone());
        if said.len() > HISTORY {
            said.pop_front();
        }
        Ok(message)
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
                .filter(|guest| guest.rooms.contains(name))
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

#[expect(
    clippy::disallowed_methods,
    reason = "when something was said is this program's to say"
)]
fn milliseconds() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// True for 1 to `max` letters, digits, `-` or `_`.
pub(crate) fn is_name(text: &str, max: usize) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !text.is_empty() && text.len() <= max && text.bytes().all(is_allowed)
}
