//! The msgpack parser: one binary message for each packet, binary inline, no attachments.

mod decode;
mod deserialize;
mod encode;
mod reader;
mod serialize;
mod surrogates;
mod transcode;

pub(super) use decode::decode;
pub(super) use deserialize::{deserialize, deserialize_seed, kind};
pub(super) use encode::{write_control, write_event};
pub(super) use reader::split_first;
#[cfg(test)]
pub(super) use serialize::Writer;
pub(super) use transcode::transcode;
