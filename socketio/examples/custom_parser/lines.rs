//! The format: each packet one line.
//!
//! | line | what it is |
//! |---|---|
//! | `+/name` | CONNECT, and the answer to it |
//! | `-/name` | DISCONNECT |
//! | `?/name reason` | a CONNECT refused |
//! | `event id text` | an event with one argument; `-` where no acknowledgement is asked for |
//! | `! id text` | an acknowledgement |
//!
//! The main namespace has no name, and events know no other.

use socketio::OwnedArgs;
use socketio::args::EncodeError;
use socketio::engineio::{MessageBuffer, Payload};
use socketio::parser::{Outgoing, Packet, PacketError, PacketKind, PacketLimits, Parser, Partial};

/// The names that no event may have, which a parser must refuse.
const RESERVED: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

pub(crate) struct Lines;

impl Parser for Lines {
    fn decode<'a>(
        &self,
        message: Payload<'a>,
        limits: &PacketLimits,
        _partial: &mut Partial,
    ) -> Result<Option<Packet<'a>>, PacketError> {
        let Payload::Text(line) = message else {
            return Err(PacketError::UnexpectedBinary);
        };
        let control = [('+', PacketKind::Connect), ('-', PacketKind::Disconnect)];
        for (mark, kind) in control {
            if let Some(name) = line.strip_prefix(mark) {
                if name.len() > limits.max_namespace_len {
                    return Err(PacketError::NamespaceTooLong);
                }
                let namespace = if name.is_empty() { "/" } else { name };
                return Ok(Some(Packet::new(kind, namespace)));
            }
        }
        let mut parts = line.splitn(3, ' ');
        let (Some(name), Some(id), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(PacketError::Payload);
        };
        if RESERVED.contains(&name) {
            return Err(PacketError::ReservedName);
        }
        let id = match id {
            "-" => None,
            digits => Some(digits.parse().map_err(|_| PacketError::Id)?),
        };
        let args = OwnedArgs::new(text).map_err(|_| PacketError::Payload)?;
        let packet = match name {
            "!" => Packet::new(PacketKind::Ack, "/"),
            name => Packet::new(PacketKind::Event, "/").with_name(name),
        };
        Ok(Some(packet.with_id(id).with_args(args)))
    }

    fn encode(&self, packet: &Outgoing<'_>, out: &mut MessageBuffer) -> Result<(), EncodeError> {
        let namespace = packet
            .namespace
            .strip_suffix('/')
            .unwrap_or(packet.namespace);
        let id = packet
            .id
            .map_or_else(|| "-".to_owned(), |id| id.to_string());
        let line = match packet.kind {
            PacketKind::Connect => format!("+{namespace}"),
            PacketKind::Disconnect => format!("-{namespace}"),
            PacketKind::ConnectError => {
                let error: serde_json::Value = packet.args.deserialize().unwrap_or_default();
                let reason = error["message"].as_str().unwrap_or("refused");
                format!("?{namespace} {reason}")
            }
            PacketKind::Event => {
                let name = packet.name.unwrap_or_default();
                format!("{name} {id} {}", text_of(packet)?)
            }
            PacketKind::Ack => format!("! {id} {}", text_of(packet)?),
            _ => return Err(EncodeError::Serialize("no line says that".to_owned())),
        };
        out.push_text(&line);
        Ok(())
    }
}

/// The one argument, which must be text or absent: a line has room for no more.
fn text_of(packet: &Outgoing<'_>) -> Result<String, EncodeError> {
    let is_line = |text: &String| !text.contains('\n');
    let text = packet.args.deserialize::<Option<String>>();
    text.map(Option::unwrap_or_default)
        .ok()
        .filter(is_line)
        .filter(|_| packet.args.len() <= 1)
        .ok_or_else(|| EncodeError::Serialize("the argument is no line of text".to_owned()))
}
