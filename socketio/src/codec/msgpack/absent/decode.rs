//! Stands in for decoding messages to packets.

use engineio::Payload;

use crate::codec::error::PacketError;
use crate::codec::limits::PacketLimits;
use crate::codec::packet::Packet;

pub(in crate::codec) fn decode<'a>(
    _: Payload<'a>,
    _: &PacketLimits,
) -> Result<Packet<'a>, PacketError> {
    Err(PacketError::UnknownType)
}
