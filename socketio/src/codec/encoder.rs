//! Packets of the server, written with whichever parser it speaks.

use engineio::{EncodedMessage, MessageBuffer, Protocol};
use serde::Serialize;
use serde_json::value::RawValue;

use super::args::OwnedArgs;
use super::error::EncodeError;
use super::json::{self, Header};
use super::kind::{PacketKind, is_reserved};
use super::msgpack;
use super::parser::{Codec, Format, Outgoing, Parser};

/// What the server tells a client that has joined a namespace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConnectReply<'a> {
    /// The socket's public id.
    pub(crate) sid: &'a str,
    /// The private id for state recovery (SIO5-CSR-01).
    pub(crate) pid: Option<&'a str>,
    /// The `auth` member: an object as JSON text.
    pub(crate) auth: Option<&'a str>,
}

impl ConnectReply<'_> {
    /// The payload as JSON, in parts. Ids are made of characters that JSON does not escape (EIO4-QRY-10), and `auth` is
    /// JSON.
    fn write(&self, mut out: impl FnMut(&str)) {
        out("{\"sid\":\"");
        out(self.sid);
        if let Some(pid) = self.pid {
            out("\",\"pid\":\"");
            out(pid);
        }
        out("\"");
        if let Some(auth) = self.auth {
            out(",\"auth\":");
            out(auth);
        }
        out("}");
    }
}

/// An event to send.
#[derive(Debug)]
pub(crate) struct OutgoingEvent<'a, A: ?Sized> {
    pub(crate) namespace: &'a str,
    /// The id under which an acknowledgement is asked for.
    pub(crate) id: Option<u64>,
    pub(crate) name: &'a str,
    pub(crate) args: &'a A,
    /// The offset for state recovery, which becomes the last argument (SIO5-CSR-02).
    pub(crate) offset: Option<&'a str>,
}

impl<A: ?Sized> Clone for OutgoingEvent<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: ?Sized> Copy for OutgoingEvent<'_, A> {}

impl Codec {
    /// Tells a client that it has joined. Protocol 4 is told no more than that (SIO4-CON-02).
    //= SIO5-CON-03
    //= SIO4-CON-02
    pub(crate) fn connect(
        &self,
        protocol: Protocol,
        namespace: &str,
        reply: ConnectReply<'_>,
        out: &mut MessageBuffer,
    ) -> Result<(), EncodeError> {
        if protocol == Protocol::V3 {
            return self.control(PacketKind::Connect, namespace, None, out);
        }
        if let Format::Json = self.0 {
            let header = Header {
                kind: PacketKind::Connect,
                namespace,
                id: None,
            };
            return json::write_control(
                header,
                |out| reply.write(|part| out.extend_from_slice(part.as_bytes())),
                out,
            );
        }
        let mut payload = String::with_capacity(128);
        reply.write(|part| payload.push_str(part));
        self.control(PacketKind::Connect, namespace, Some(&payload), out)
    }

    /// Tells a client that it has left.
    pub(crate) fn disconnect(
        &self,
        namespace: &str,
        out: &mut MessageBuffer,
    ) -> Result<(), EncodeError> {
        self.control(PacketKind::Disconnect, namespace, None, out)
    }

    /// Tells a client that it cannot join, with a message and what else the application says, as JSON text.
    //= SIO5-CON-05
    //= SIO4-ERR-01
    pub(crate) fn connect_error(
        &self,
        protocol: Protocol,
        namespace: &str,
        message: &str,
        data: Option<&str>,
        out: &mut MessageBuffer,
    ) -> Result<(), EncodeError> {
        #[derive(Serialize)]
        struct RefusalPayload<'a> {
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<&'a RawValue>,
        }
        let payload = match (protocol, data) {
            (Protocol::V3, Some(data)) => raw_value(data)?.get().to_owned(),
            (Protocol::V3, None) => to_json(message)?,
            (_, data) => to_json(&RefusalPayload {
                message,
                data: data.map(raw_value).transpose()?,
            })?,
        };
        self.connect_error_payload(namespace, &payload, out)
    }

    /// Tells a client that it cannot join, with a whole payload as JSON text.
    pub(crate) fn connect_error_payload(
        &self,
        namespace: &str,
        payload: &str,
        out: &mut MessageBuffer,
    ) -> Result<(), EncodeError> {
        self.control(PacketKind::ConnectError, namespace, Some(payload), out)
    }

    /// Appends an event, its attachments included.
    #[inline]
    pub(crate) fn event<A: Serialize + ?Sized>(
        &self,
        event: OutgoingEvent<'_, A>,
        out: &mut MessageBuffer,
    ) -> Result<(), EncodeError> {
        //= SIO5-PKT-07
        if is_reserved(event.name) {
            return Err(EncodeError::ReservedName);
        }
        let header = Header {
            kind: PacketKind::Event,
            namespace: event.namespace,
            id: event.id,
        };
        self.write(header, Some(event.name), event.args, event.offset, out)
    }

    /// Encodes an event once, for any number of clients.
    pub(crate) fn encode_event<A: Serialize + ?Sized>(
        &self,
        event: OutgoingEvent<'_, A>,
    ) -> Result<EncodedMessage, EncodeError> {
        EncodedMessage::with(|buffer| self.event(event, buffer))
    }

    /// Appends the answer to an event, its attachments included.
    //= SIO5-ACK-01
    #[inline]
    pub(crate) fn ack<A: Serialize + ?Sized>(
        &self,
        namespace: &str,
        id: u64,
        args: &A,
        out: &mut MessageBuffer,
    ) -> Result<(), EncodeError> {
        let header = Header {
            kind: PacketKind::Ack,
            namespace,
            id: Some(id),
        };
        self.write(header, None, args, None, out)
    }

    // Always, for by itself it copies what it is handed, and has two callers.
    #[inline(always)]
    fn write<A: Serialize + ?Sized>(
        &self,
        header: Header<'_>,
        name: Option<&str>,
        args: &A,
        offset: Option<&str>,
        out: &mut MessageBuffer,
    ) -> Result<(), EncodeError> {
        match &self.0 {
            Format::Json => json::write_event(header, name, args, offset, out),
            Format::Msgpack => msgpack::write_event(header, name, args, offset, out),
            Format::Custom(parser) => {
                let args = OwnedArgs::with_offset(args, offset)?;
                encode_custom(&**parser, header, name, &args, out)
            }
        }
    }

    pub(super) fn control(
        &self,
        kind: PacketKind,
        namespace: &str,
        payload: Option<&str>,
        out: &mut MessageBuffer,
    ) -> Result<(), EncodeError> {
        let header = Header {
            kind,
            namespace,
            id: None,
        };
        match &self.0 {
            Format::Json => {
                let payload = payload.unwrap_or_default().as_bytes();
                json::write_control(header, |out| out.extend_from_slice(payload), out)
            }
            Format::Msgpack => msgpack::write_control(header, payload, out),
            Format::Custom(parser) => {
                let args = match payload {
                    Some(payload) => OwnedArgs::new(raw_value(payload)?)?,
                    None => OwnedArgs::new(&())?,
                };
                encode_custom(&**parser, header, None, &args, out)
            }
        }
    }
}

fn encode_custom(
    parser: &dyn Parser,
    header: Header<'_>,
    name: Option<&str>,
    args: &OwnedArgs,
    out: &mut MessageBuffer,
) -> Result<(), EncodeError> {
    let packet = Outgoing {
        kind: header.kind,
        namespace: header.namespace,
        id: header.id,
        name,
        args: args.as_raw(),
    };
    parser.encode(&packet, out)
}

fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<String, EncodeError> {
    serde_json::to_string(value).map_err(|error| EncodeError::Serialize(error.to_string()))
}

fn raw_value(json: &str) -> Result<&RawValue, EncodeError> {
    serde_json::from_str(json).map_err(|error| EncodeError::Serialize(error.to_string()))
}
