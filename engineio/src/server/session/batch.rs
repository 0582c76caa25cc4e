//! Packets as they come in.

use std::time::Instant;

use crate::message::Message;
use crate::packet::{Packet, ParseError};
use crate::proto::event::Received;

/// Packets that were read together. To an open session one message among them tells as much as many.
pub(crate) struct Batch {
    pub(crate) read_at: Instant,
    pub(crate) has_message: bool,
}

impl Batch {
    pub(crate) fn new(read_at: Instant) -> Self {
        Self {
            read_at,
            has_message: false,
        }
    }
}

/// The decoded packet as the session sees it, with its bytes if it is a message.
pub(crate) fn classify<'p>(
    packet: &'p Result<Packet<'_>, ParseError>,
    read_at: Instant,
) -> (Received, Option<Message<'p>>) {
    match packet {
        Ok(Packet::Text(text)) => (Received::Message, Some(Message::text(text, read_at))),
        Ok(Packet::Binary(data)) => (Received::Message, Some(Message::binary(data, read_at))),
        Ok(Packet::Ping(_)) => (Received::Ping, None),
        Ok(Packet::Pong(_)) => (Received::Pong, None),
        Ok(Packet::Close) => (Received::Close, None),
        Ok(Packet::Open(_) | Packet::Upgrade | Packet::Noop) => (Received::Meaningless, None),
        Err(_) => (Received::Undecodable, None),
    }
}
