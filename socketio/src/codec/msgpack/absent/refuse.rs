//! Stands in for reading and writing arguments.

use engineio::MessageBuffer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, value};
use serde::ser::{Error as _, Serialize, Serializer};

use crate::codec::error::EncodeError;
use crate::codec::json::Header;

const ABSENT: &str = "the feature `msgpack` is off";

pub(in crate::codec) fn deserialize<T: DeserializeOwned>(_: &[u8]) -> Result<T, value::Error> {
    Err(de::Error::custom(ABSENT))
}

pub(in crate::codec) fn deserialize_seed<'de, S: DeserializeSeed<'de>>(
    _: &'de [u8],
    _: S,
) -> Result<S::Value, value::Error> {
    Err(de::Error::custom(ABSENT))
}

pub(in crate::codec) fn kind(_: &[u8]) -> &'static str {
    "malformed"
}

pub(in crate::codec) fn split_first(_: &[u8]) -> (&[u8], &[u8]) {
    (&[], &[])
}

pub(in crate::codec) fn transcode<S: Serializer>(_: &[u8], _: S) -> Result<S::Ok, S::Error> {
    Err(S::Error::custom(ABSENT))
}

pub(in crate::codec) fn write_control(
    _: Header<'_>,
    _: Option<&str>,
    _: &mut MessageBuffer,
) -> Result<(), EncodeError> {
    Err(EncodeError::Serialize(ABSENT.to_owned()))
}

pub(in crate::codec) fn write_event<A: Serialize + ?Sized>(
    _: Header<'_>,
    _: Option<&str>,
    _: &A,
    _: Option<&str>,
    _: &mut MessageBuffer,
) -> Result<(), EncodeError> {
    Err(EncodeError::Serialize(ABSENT.to_owned()))
}
