//! The default parser: JSON text, with binary as attachments.

mod decode;
mod deserialize;
mod encode;
mod placeholder;
mod plain;
mod scan;
mod transcode;

pub(super) use decode::{PlainBinaryEvent, Waiting, decode, event_without_args, plain_event};
pub(super) use deserialize::{deserialize, deserialize_seed, kind};
pub(super) use encode::{Header, write_args, write_control, write_event};
pub(super) use scan::split_first;
pub(super) use transcode::transcode;
