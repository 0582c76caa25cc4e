//! The msgpack parser.

use engineio::{MessageBuffer, Payload};
use serde::de::DeserializeOwned;
use serde::ser::{Error as _, Serialize, Serializer};

use super::error::{EncodeError, PacketError};
use super::json::Header;
use super::limits::Limits;
use crate::packet::Packet;

pub(super) fn decode<'a>(_: Payload<'a>, _: &Limits) -> Result<Packet<'a>, PacketError> {
    Err(PacketError::UnknownType)
}
pub(super) fn deserialize<T: DeserializeOwned>(_: &[u8]) -> Result<T, serde_json::Error> {
    Err(serde::de::Error::custom("not yet"))
}
pub(super) fn transcode<S: Serializer>(_: &[u8], _: S) -> Result<S::Ok, S::Error> {
    Err(S::Error::custom("not yet"))
}
pub(super) fn split_first(bytes: &[u8]) -> (&[u8], &[u8]) {
    (bytes, &[])
}
pub(super) fn write_event<A: Serialize + ?Sized>(
    _: Header<'_>,
    _: Option<&str>,
    _: &A,
    _: Option<&str>,
    _: &mut MessageBuffer,
) -> Result<(), EncodeError> {
    Err(EncodeError::Serialize("not yet".into()))
}
pub(super) fn write_control(
    _: Header<'_>,
    _: Option<&str>,
    _: &mut MessageBuffer,
) -> Result<(), EncodeError> {
    Err(EncodeError::Serialize("not yet".into()))
}
