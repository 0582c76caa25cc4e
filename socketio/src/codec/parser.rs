//! Which parser the server speaks, and what an application must write to bring its own.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use engineio::{MessageBuffer, Payload};

use super::args::RawArgs;
use super::error::{EncodeError, PacketError};
use super::kind::PacketKind;
use super::limits::PacketLimits;
use super::packet::Packet;

/// How packets are written, for a whole server. Every client must be configured alike; JSON is the default of
/// both.
#[derive(Clone, Default)]
pub struct Codec(pub(super) Format);

#[derive(Clone, Default)]
pub(super) enum Format {
    #[default]
    Json,
    #[cfg_attr(
        not(feature = "msgpack"),
        expect(dead_code, reason = "it is made where the parser is compiled in")
    )]
    Msgpack,
    Custom(Arc<dyn Parser>),
}

impl Codec {
    /// JSON text with binary attachments: the default.
    #[must_use]
    pub fn json() -> Self {
        Self(Format::Json)
    }

    /// Msgpack, compatible with `socket.io-msgpack-parser` (SIO5-MP). Needs feature `msgpack`.
    #[cfg(feature = "msgpack")]
    #[must_use]
    pub fn msgpack() -> Self {
        Self(Format::Msgpack)
    }

    /// A parser of the application's own.
    #[must_use]
    pub fn custom(parser: impl Parser) -> Self {
        Self(Format::Custom(Arc::new(parser)))
    }
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Format::Json => "Codec::json",
            Format::Msgpack => "Codec::msgpack",
            Format::Custom(_) => "Codec::custom",
        })
    }
}

/// A packet that a [`Parser`] encodes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Outgoing<'a> {
    /// What type of packet it is.
    pub kind: PacketKind,
    /// The namespace it is for.
    pub namespace: &'a str,
    /// The id of the acknowledgement that is asked for or given.
    pub id: Option<u64>,
    /// The name of an event.
    pub name: Option<&'a str>,
    /// The arguments of an event or ack; the payload of another kind counts as one argument.
    pub args: RawArgs<'a>,
}

/// A wire format of the application's own, for [`Codec::custom`].
///
/// Arguments pass through in a form that serde can read and write: what is decoded is given as
/// [`OwnedArgs`](super::OwnedArgs), what is to be encoded comes as [`RawArgs`], which
/// [`transcode`](RawArgs::transcode) writes with any serializer.
///
/// ```
/// use engineio::{MessageBuffer, Payload};
/// use socketio::args::EncodeError;
/// use socketio::parser::{Outgoing, Packet, PacketError, PacketKind, PacketLimits, Parser, Partial};
/// use socketio::OwnedArgs;
///
/// /// One line for each event of the main namespace: its name, a blank, its text.
/// struct Lines;
///
/// impl Parser for Lines {
///     fn decode<'a>(
///         &self,
///         message: Payload<'a>,
///         _limits: &PacketLimits,
///         _partial: &mut Partial,
///     ) -> Result<Option<Packet<'a>>, PacketError> {
///         let Payload::Text(line) = message else { return Err(PacketError::UnexpectedBinary) };
///         let Some((name, text)) = line.split_once(' ') else {
///             return Ok(Some(Packet::new(PacketKind::Connect, "/")));
///         };
///         let args = OwnedArgs::new(text).map_err(|_| PacketError::Payload)?;
///         Ok(Some(Packet::new(PacketKind::Event, "/").with_name(name).with_args(args)))
///     }
///
///     fn encode(&self, packet: &Outgoing<'_>, out: &mut MessageBuffer) -> Result<(), EncodeError> {
///         let text: String = packet.args.deserialize().unwrap_or_default();
///         out.push_text(&format!("{} {text}", packet.name.unwrap_or("-")));
///         Ok(())
///     }
/// }
/// let codec = socketio::parser::Codec::custom(Lines);
/// ```
///
/// `examples/custom_parser` is a whole one, with acknowledgements and refusals, and with tests.
pub trait Parser: Send + Sync + 'static {
    /// Takes one message of a client. `Ok(None)` means that the packet needs more messages; what is known of it
    /// then belongs in `partial`.
    ///
    /// The limits are the parser's to keep, and so is the rule that reserved names are refused.
    ///
    /// # Errors
    ///
    /// The message is not part of a valid packet; the connection is closed.
    //= SIO5-PKT-07
    fn decode<'a>(
        &self,
        message: Payload<'a>,
        limits: &PacketLimits,
        partial: &mut Partial,
    ) -> Result<Option<Packet<'a>>, PacketError>;

    /// Appends the messages of one packet.
    ///
    /// Where events are kept for [recovery](crate::Recovery) it is called under a lock, so it must not send
    /// anything, nor join or leave rooms.
    ///
    /// # Errors
    ///
    /// The packet cannot be expressed. Nothing may have been appended then.
    fn encode(&self, packet: &Outgoing<'_>, out: &mut MessageBuffer) -> Result<(), EncodeError>;
}

/// What a [`Parser`] keeps for one connection between the messages of one packet.
#[derive(Default)]
pub struct Partial(pub(super) Option<Box<dyn Any + Send>>);

impl Partial {
    /// Keeps something. The server closes a connection that leaves it here for too long.
    pub fn put<T: Send + 'static>(&mut self, state: T) {
        self.0 = Some(Box::new(state));
    }

    /// What was kept, if it is a `T`. Nothing is kept after that.
    pub fn take<T: Send + 'static>(&mut self) -> Option<T> {
        self.0.take()?.downcast().ok().map(|state| *state)
    }
}

impl fmt::Debug for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Partial({})",
            if self.0.is_some() { "some" } else { "none" }
        )
    }
}
