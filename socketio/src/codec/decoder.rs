//! The messages of one connection, put together to packets.

use std::any::Any;

use engineio::{Payload, Protocol};

use super::error::PacketError;
use super::json::{self, Incomplete, Received};
use super::limits::Limits;
use super::msgpack;
use super::parser::{Codec, Format, Partial};
use crate::packet::Packet;

/// Decodes the messages of one connection. It takes a pointer's room while no packet is incomplete.
#[derive(Default)]
pub(crate) struct Decoder {
    waiting: Option<Waiting>,
}

/// A packet that needs more messages.
enum Waiting {
    Json(Box<Incomplete>),
    Custom(Box<Box<dyn Any + Send>>),
}

impl Decoder {
    /// Takes the next message. `Ok(None)` means that the packet needs more messages.
    ///
    /// After an error nothing is kept; the connection is to be closed.
    //= SIO5-INV-01
    #[inline]
    pub(crate) fn decode<'a>(
        &mut self,
        codec: &Codec,
        message: Payload<'a>,
        protocol: Protocol,
        limits: &Limits,
    ) -> Result<Option<Packet<'a>>, PacketError> {
        let received = match (&codec.0, self.waiting.take()) {
            (Format::Json, Some(Waiting::Json(incomplete))) => {
                incomplete.receive(message, limits)?
            }
            (Format::Json, _) => json::decode(message, protocol, limits)?,
            (Format::Msgpack, _) => return msgpack::decode(message, limits).map(Some),
            (Format::Custom(parser), waiting) => {
                let mut partial = Partial(match waiting {
                    Some(Waiting::Custom(state)) => Some(*state),
                    _ => None,
                });
                let packet = parser.decode(message, limits, &mut partial)?;
                self.waiting = partial.0.map(|state| Waiting::Custom(Box::new(state)));
                return Ok(packet);
            }
        };
        match received {
            Received::Packet(packet) => Ok(Some(packet)),
            Received::Incomplete(incomplete) => {
                self.waiting = Some(Waiting::Json(incomplete));
                Ok(None)
            }
        }
    }

    /// True while a packet needs more messages; the caller bounds for how long.
    #[must_use]
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// The packet that waits for its attachments, so that one nobody may send can be refused before they arrive.
    /// A custom parser's is not known.
    #[must_use]
    pub(crate) fn waiting(&self) -> Option<&Packet<'static>> {
        match &self.waiting {
            Some(Waiting::Json(incomplete)) => Some(incomplete.packet()),
            _ => None,
        }
    }
}
