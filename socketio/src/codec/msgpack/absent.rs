//! Stands in for the msgpack parser without feature `msgpack`. No codec speaks it then, so nothing here is reached;
//! what would be, refuses.

use engineio::{MessageBuffer, Payload};
use serde::de::{self, DeserializeOwned, DeserializeSeed, value};
use serde::ser::{Error as _, Serialize, Serializer};

use super::error::{EncodeError, PacketError};
use super::json::Header;
use super::limits::Limits;
use crate::codec::packet::Packet;

const ABSENT: &str = "the feature `msgpack` is off";

pub(super) fn decode<'a>(_: Payload<'a>, _: &Limits) -> Result<Packet<'a>, PacketError> {
    Err(PacketError::UnknownType)
}

pub(super) fn deserialize<T: DeserializeOwned>(_: &[u8]) -> Result<T, value::Error> {
    Err(de::Error::custom(ABSENT))
}

pub(super) fn deserialize_seed<'de, S: DeserializeSeed<'de>>(
    _: &'de [u8],
    _: S,
) -> Result<S::Value, value::Error> {
    Err(de::Error::custom(ABSENT))
}

pub(super) fn kind(_: &[u8]) -> &'static str {
    "malformed"
}

pub(super) fn split_first(_: &[u8]) -> (&[u8], &[u8]) {
    (&[], &[])
}

pub(super) fn transcode<S: Serializer>(_: &[u8], _: S) -> Result<S::Ok, S::Error> {
    Err(S::Error::custom(ABSENT))
}

pub(super) fn write_control(
    _: Header<'_>,
    _: Option<&str>,
    _: &mut MessageBuffer,
) -> Result<(), EncodeError> {
    Err(EncodeError::Serialize(ABSENT.to_owned()))
}

pub(super) fn write_event<A: Serialize + ?Sized>(
    _: Header<'_>,
    _: Option<&str>,
    _: &A,
    _: Option<&str>,
    _: &mut MessageBuffer,
) -> Result<(), EncodeError> {
    Err(EncodeError::Serialize(ABSENT.to_owned()))
}
