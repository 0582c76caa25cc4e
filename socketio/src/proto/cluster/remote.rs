//! Sockets of any server of the cluster, as data.

use serde_json::Value;

use crate::id::SocketId;
use crate::proto::room::Room;

/// A socket of this or another server, as it was when [`fetch_sockets`](crate::Broadcast::fetch_sockets) asked.
///
/// It is data. What can be done with the client is with [`FetchedSocket`](crate::FetchedSocket).
#[derive(Clone, Debug, PartialEq)]
pub struct RemoteSocket {
    id: SocketId,
    handshake: Value,
    rooms: Vec<Room>,
    data: Value,
}

impl RemoteSocket {
    /// A socket as another server described it.
    #[must_use]
    pub fn new(id: &str, handshake: Value, rooms: Vec<Room>, data: Value) -> Self {
        Self {
            id: SocketId::new(id),
            handshake,
            rooms,
            data,
        }
    }

    /// The public id.
    #[must_use]
    pub fn id(&self) -> &SocketId {
        &self.id
    }

    /// The request the connection began with, in the reference's shape: `headers`, `time`, `issued`, `address`,
    /// `xdomain`, `secure`, `url`, `query`, `auth`. As in [`Handshake`](crate::Handshake)
    /// nothing of it is a credential, and the `auth` of namespaces that authenticate is empty.
    #[must_use]
    pub fn handshake(&self) -> &Value {
        &self.handshake
    }

    /// The rooms the socket was in when it was asked. As everywhere, the one of its own id is left out; only an adapter sees
    /// it here, since between servers it is named.
    #[must_use]
    pub fn rooms(&self) -> &[Room] {
        &self.rooms
    }

    pub(crate) fn without_own_room(mut self) -> Self {
        self.rooms.retain(|room| room.as_str() != self.id.as_str());
        self
    }

    /// What [`share_data`](crate::NamespaceBuilder::share_data) tells of the socket; `{}` without it.
    #[must_use]
    pub fn data(&self) -> &Value {
        &self.data
    }
}
