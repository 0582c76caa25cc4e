//! Packets to msgpack messages.

use engineio::MessageBuffer;
use serde::ser::{Serialize, Serializer};

use super::serialize::{Error, Writer, write_array_head, write_map_head};
use crate::codec::error::EncodeError;
use crate::codec::json::{self, Header};
use crate::codec::kind::PacketKind;
use crate::codec::outgoing::{self, ArgsSink, RawPart};

/// Writes a packet that is neither event nor ack, with its payload given as JSON text.
pub(in crate::codec) fn write_control(
    header: Header<'_>,
    payload: Option<&str>,
    buffer: &mut MessageBuffer,
) -> Result<(), EncodeError> {
    let mut packet = PacketWriter::begin(header, payload.is_some())?;
    if let Some(payload) = payload {
        packet.data(|out| json::transcode(payload, &[], Writer(out)).map_err(failed))?;
    }
    packet.finish(buffer)
}

/// Writes an event or an ack.
pub(in crate::codec) fn write_event<A: Serialize + ?Sized>(
    header: Header<'_>,
    name: Option<&str>,
    args: &A,
    offset: Option<&str>,
    buffer: &mut MessageBuffer,
) -> Result<(), EncodeError> {
    let mut packet = PacketWriter::begin(header, true)?;
    packet.data(|out| {
        let mut sink = MsgpackArgs {
            out: &mut *out,
            name,
            extra: usize::from(offset.is_some()),
        };
        outgoing::write(args, &mut sink)?;
        match offset {
            Some(offset) => sink.string(offset),
            None => Ok(()),
        }
    })?;
    packet.finish(buffer)
}

/// Writes the map that is a packet.
struct PacketWriter<'a> {
    out: Vec<u8>,
    header: Header<'a>,
}

impl<'a> PacketWriter<'a> {
    fn begin(header: Header<'a>, has_data: bool) -> Result<Self, EncodeError> {
        let mut packet = Self {
            out: Vec::new(),
            header,
        };
        let len = 2_usize
            .saturating_add(usize::from(has_data))
            .saturating_add(usize::from(header.id.is_some()));
        write_map_head(&mut packet.out, len).map_err(failed)?;
        if let Some(id) = header.id {
            packet.member("id", &id)?;
        }
        let kind: u8 = match header.kind {
            PacketKind::Connect => 0,
            PacketKind::Disconnect => 1,
            PacketKind::Event => 2,
            PacketKind::Ack => 3,
            PacketKind::ConnectError => 4,
        };
        packet.member("type", &kind)?;
        //= SIO5-MP-07
        if header.kind == PacketKind::ConnectError {
            packet.member("nsp", header.namespace)?;
        }
        Ok(packet)
    }

    fn data(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        Writer(&mut self.out)
            .serialize_str("data")
            .map_err(failed)?;
        write(&mut self.out)
    }

    fn finish(mut self, buffer: &mut MessageBuffer) -> Result<(), EncodeError> {
        if self.header.kind != PacketKind::ConnectError {
            self.member("nsp", self.header.namespace)?;
        }
        buffer.push_binary(&self.out);
        Ok(())
    }

    fn member<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), EncodeError> {
        Writer(&mut self.out).serialize_str(name).map_err(failed)?;
        value.serialize(Writer(&mut self.out)).map_err(failed)
    }
}

/// Writes arguments as an array, the event's name in front.
struct MsgpackArgs<'a> {
    out: &'a mut Vec<u8>,
    name: Option<&'a str>,
    /// How many elements come behind the arguments.
    extra: usize,
}

impl ArgsSink for MsgpackArgs<'_> {
    const RAW: &'static str = outgoing::RAW_MSGPACK;

    fn begin(&mut self, count: usize) -> Result<(), EncodeError> {
        let len = count
            .saturating_add(usize::from(self.name.is_some()))
            .saturating_add(self.extra);
        write_array_head(self.out, len).map_err(failed)?;
        match self.name {
            Some(name) => self.string(name),
            None => Ok(()),
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        value.serialize(Writer(&mut *self.out)).map_err(failed)
    }

    fn raw(&mut self, part: RawPart<'_>) -> Result<(), EncodeError> {
        match part {
            RawPart::Count(count) => self.begin(count),
            RawPart::Bytes(bytes) => {
                self.out.extend_from_slice(bytes);
                Ok(())
            }
            RawPart::Text(_) => Ok(()),
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "it is used as a function")]
fn failed(error: Error) -> EncodeError {
    EncodeError::Serialize(error.to_string())
}
