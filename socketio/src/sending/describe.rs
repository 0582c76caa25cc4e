//! A socket as data, for the servers of a cluster.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use serde_json::{Map, Value, json};

use crate::codec::to_iso_string;
use crate::live::core::Core;
use crate::live::handshake::{Handshake, auth_of_query};
use crate::proto::cluster::remote::RemoteSocket;
use crate::proto::room::Room;
use crate::running::guard;

/// A socket of this server as data, in the reference's shape.
pub(crate) fn describe(socket: &Arc<Core>) -> RemoteSocket {
    let space = &socket.space;
    let own_room = Room::from(socket.id());
    let mut rooms = vec![own_room];
    rooms.extend(space.rooms.lock().rooms_of(socket.id()));
    // What a client of a guarded namespace presents may be a credential.
    let auth = socket.auth().filter(|_| space.guard.is_none());
    let handshake = handshake_json(&socket.connection.data().handshake, auth);
    let share = space.handlers.share_data.as_ref();
    let data = share.and_then(|share| guard(|| share(socket)).ok());
    let data = data.unwrap_or_else(|| Value::Object(Map::new()));
    RemoteSocket::new(socket.id().as_str(), handshake, rooms, data)
}

fn handshake_json(handshake: &Handshake, auth: Option<Value>) -> Value {
    let headers: Map<String, Value> = handshake
        .headers()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value).into_owned();
            (name.to_ascii_lowercase(), Value::String(value))
        })
        .collect();
    let is_cross_domain = handshake.origin_bytes().is_some();
    let issued = handshake.issued_at().duration_since(UNIX_EPOCH);
    let issued = issued.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    });
    json!({
        "headers": headers,
        "time": to_iso_string(issued),
        "address": handshake.peer().map(|peer| peer.ip().to_string()),
        "xdomain": is_cross_domain,
        "secure": handshake.is_secure(),
        "issued": issued,
        "url": handshake.url(),
        "query": auth_of_query(handshake.query()),
        "auth": auth.unwrap_or_else(|| Value::Object(Map::new())),
    })
}
