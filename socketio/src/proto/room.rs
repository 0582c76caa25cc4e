//! What a room is called, and whom a broadcast is for.

use std::sync::Arc;

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

/// As its name.
impl serde::Serialize for Room {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
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

/// Whom a broadcast is for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Members of any of these; empty means everyone.
    pub(crate) rooms: Vec<Room>,
    /// But no member of any of these.
    pub(crate) except: Vec<Room>,
}
