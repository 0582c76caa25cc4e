//! Stands in for decoding messages to packets.

use engineio::Payload;

use crate::codec::error::PacketError;
use crate::codec::limits::Limits;
use crate::codec::packet::Packet;

pub(in crate::codec) fn decode<'a>(_: Payload<'a>, _: &Limits) -> Result<Packet<'a>, PacketError> {
    Err(PacketError::UnknownType)
}
