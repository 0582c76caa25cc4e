//! The packets that the server sends by itself.

use engineio::{Connection, MessageBuffer};
use serde_json::value::RawValue;

use crate::codec::{ConnectReply, EncodeError, OutgoingEvent, OwnedArgs};
use crate::live::client::Client;
use crate::live::core::Core;

/// Sends a packet of ours. A client that is gone, or whose queue is full, misses it.
pub(super) fn send_own(
    connection: &Connection<Client>,
    write: impl FnOnce(&mut MessageBuffer) -> Result<(), EncodeError>,
) {
    let _ = connection.send_with(|buffer| {
        let written = write(buffer);
        debug_assert_eq!(
            written,
            Ok(()),
            "what the server says by itself can be encoded"
        );
    });
}

pub(super) fn send_connected(connection: &Connection<Client>, socket: &Core, auth: Option<&str>) {
    let space = &socket.space;
    let reply = ConnectReply {
        sid: socket.id().as_str(),
        pid: socket.pid(),
        auth,
    };
    send_own(connection, |buffer| {
        space
            .codec
            .connect(connection.protocol(), &space.name, reply, buffer)
    });
}

pub(super) fn send_disconnect(socket: &Core) {
    let space = &socket.space;
    send_own(&socket.connection, |buffer| {
        space.codec.disconnect(&space.name, buffer)
    });
}

/// Sends an event of a policy, whose name and argument are JSON already.
pub(super) fn emit_json(socket: &Core, id: Option<u64>, json: &str) {
    let space = &socket.space;
    let Some((name, args)) = name_and_argument(json) else {
        return;
    };
    send_own(&socket.connection, |buffer| {
        let event = OutgoingEvent {
            namespace: &space.name,
            id,
            name: &name,
            args: &args,
            offset: None,
        };
        space.codec.event(event, buffer)
    });
}

/// Takes the messages of the auth crate, `["name"]` or `["name",argument]`, apart.
fn name_and_argument(json: &str) -> Option<(String, OwnedArgs)> {
    let (name, argument) = match serde_json::from_str::<(String, Box<RawValue>)>(json) {
        Ok((name, argument)) => (name, OwnedArgs::new(&argument)),
        Err(_) => {
            let (name,) = serde_json::from_str(json).ok()?;
            (name, OwnedArgs::new(&()))
        }
    };
    Some((name, argument.ok()?))
}

pub(super) fn ack_json(socket: &Core, id: u64, json: &str) {
    if let Ok((argument,)) = serde_json::from_str::<(Box<RawValue>,)>(json) {
        let space = &socket.space;
        send_own(&socket.connection, |buffer| {
            space.codec.ack(&space.name, id, &argument, buffer)
        });
    }
}
