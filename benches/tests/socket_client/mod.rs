//! What tests of memory say to a server of Socket.IO.

use std::net::SocketAddr;

use benches::wire::{self, opcode};

use super::client::Client;

const TARGET: &str = "/socket.io/?EIO=4&transport=websocket";

/// Opens a session and joins the main namespace.
pub(crate) fn join(address: SocketAddr) -> Client {
    let mut client = Client::open(address, TARGET);
    client.send(&text("40"));
    assert!(client.hear().starts_with(b"40{"));
    client
}

/// A frame of text.
pub(crate) fn text(packet: &str) -> Vec<u8> {
    wire::frame(opcode::TEXT, packet.as_bytes())
}

/// Sends frames; true when the server has read all of them, false when it has closed the connection.
pub(crate) fn is_read(client: &mut Client, mut frames: Vec<u8>) -> bool {
    frames.extend(text("40/nowhere,"));
    client.send(&frames);
    client.hear().starts_with(b"44/nowhere,")
}
