//! The messages of one connection, put together to packets.

use std::fmt;
use std::sync::Arc;

use engineio::{Payload, Protocol};

use super::error::PacketError;
use super::json::{self, PlainBinaryEvent};
use super::kind::PacketKind;
use super::limits::PacketLimits;
use super::msgpack;
use super::packet::{IncomingEvent, Packet};
use super::parser::{Codec, Format, Parser, Partial};

/// Decodes the messages of one connection. It takes two pointers' room while no packet is incomplete.
#[derive(Default)]
pub(crate) struct Decoder {
    waiting: Option<Waiting>,
}

/// A packet that needs more messages.
enum Waiting {
    Json(json::Waiting),
    Custom(Box<Partial>),
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("waiting", &self.waiting_namespace())
            .finish()
    }
}

impl Decoder {
    /// Takes the next message. `Ok(None)` means that the packet needs more messages.
    ///
    /// After an error nothing is kept; the connection is to be closed, unless it was [past a limit](Self::past_limit) or asks
    /// for [a name that is too long](Self::unknown_name).
    //= SIO5-INV-01
    #[inline]
    pub(crate) fn decode<'a>(
        &mut self,
        codec: &Codec,
        message: Payload<'a>,
        protocol: Protocol,
        limits: &PacketLimits,
    ) -> Result<Option<Packet<'a>>, PacketError> {
        if self.waiting.is_some() {
            return self.receive(codec, message, limits);
        }
        match &codec.0 {
            Format::Json => {
                let mut waiting = None;
                let decoded = json::decode(message, protocol, limits, &mut waiting);
                self.waiting = waiting.map(Waiting::Json);
                decoded
            }
            Format::Msgpack => msgpack::decode(message, limits).map(Some),
            Format::Custom(parser) => {
                self.decode_custom(&**parser, message, limits, Partial::default())
            }
        }
    }

    /// The short way for what most messages are, while no packet is incomplete; `None` says nothing about a message.
    #[inline]
    pub(crate) fn plain_event<'a>(
        codec: &Codec,
        message: Payload<'a>,
        limits: &PacketLimits,
    ) -> Option<IncomingEvent<'a>> {
        match codec.0 {
            Format::Json => json::plain_event(message, limits),
            Format::Msgpack | Format::Custom(_) => None,
        }
    }

    /// The short way for what most packets that wait are, with the attachment that they wait for; `None` says nothing about a
    /// message.
    #[inline]
    pub(crate) fn plain_binary_event(
        &mut self,
        message: Payload<'_>,
        limits: &PacketLimits,
    ) -> Option<PlainBinaryEvent> {
        let Some(Waiting::Json(_)) = self.waiting else {
            return None;
        };
        let Some(Waiting::Json(waiting)) = self.waiting.take() else {
            return None;
        };
        let mut waiting = Some(waiting);
        let event = PlainBinaryEvent::of(&mut waiting, message, limits);
        self.waiting = waiting.map(Waiting::Json);
        event
    }

    fn receive<'a>(
        &mut self,
        codec: &Codec,
        message: Payload<'a>,
        limits: &PacketLimits,
    ) -> Result<Option<Packet<'a>>, PacketError> {
        match (self.waiting.take(), &codec.0) {
            (None, _) => Ok(None),
            (Some(Waiting::Json(known)), _) => {
                let mut waiting = None;
                let received = known.receive(message, limits, &mut waiting);
                self.waiting = waiting.map(Waiting::Json);
                received
            }
            (Some(Waiting::Custom(partial)), Format::Custom(parser)) => {
                self.decode_custom(&**parser, message, limits, *partial)
            }
            // Whoever decodes with one codec never meets the state of another.
            (Some(Waiting::Custom(_)), _) => Err(PacketError::UnexpectedText),
        }
    }

    fn decode_custom<'a>(
        &mut self,
        parser: &dyn Parser,
        message: Payload<'a>,
        limits: &PacketLimits,
        mut partial: Partial,
    ) -> Result<Option<Packet<'a>>, PacketError> {
        let packet = parser.decode(message, limits, &mut partial)?;
        self.waiting = (partial.0.is_some()).then(|| Waiting::Custom(Box::new(partial)));
        Ok(packet)
    }

    /// The event that a message was, without its arguments, where these are all that was past a limit, so that it alone
    /// can be refused. Known of JSON without attachments; msgpack may name the event behind its arguments.
    ///
    /// # Errors
    ///
    /// What is wrong with a message of which nothing can be kept: behind the limit it may be worse than past it.
    #[cold]
    pub(crate) fn past_limit<'a>(
        error: PacketError,
        codec: &Codec,
        message: Payload<'a>,
        protocol: Protocol,
        limits: &PacketLimits,
    ) -> Result<Packet<'a>, PacketError> {
        let is_past = matches!(error, PacketError::TooDeep | PacketError::TooManyValues);
        match codec.0 {
            Format::Json if is_past => {
                json::event_without_args(message, protocol, limits)?.ok_or(error)
            }
            _ => Err(error),
        }
    }

    /// The namespace that a message asked for, where its name is longer than any that this server has, so that the CONNECT
    /// alone can be refused. The name is no longer than the message.
    #[cold]
    pub(crate) fn unknown_name(
        error: PacketError,
        codec: &Codec,
        message: Payload<'_>,
        protocol: Protocol,
        limits: &PacketLimits,
    ) -> Option<Arc<str>> {
        if error != PacketError::NamespaceTooLong {
            return None;
        }
        let limits = limits.max_namespace_len(usize::MAX);
        let decoded = Self::default().decode(codec, message, protocol, &limits);
        let packet = decoded.ok().flatten()?;
        (packet.kind() == PacketKind::Connect).then(|| packet.namespace().into())
    }

    /// True while a packet needs more messages; the caller bounds for how long.
    #[must_use]
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// The namespace of the packet that waits for its attachments, so that one nobody may send can be refused before they
    /// arrive. A custom parser's is not known.
    #[must_use]
    pub(crate) fn waiting_namespace(&self) -> Option<&str> {
        match &self.waiting {
            Some(Waiting::Json(waiting)) => Some(waiting.namespace()),
            _ => None,
        }
    }
}
