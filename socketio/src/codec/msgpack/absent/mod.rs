//! Stands in for the msgpack parser without feature `msgpack`. No codec speaks it then, so nothing here is reached;
//! what would be, refuses.

mod decode;
mod refuse;

pub(super) use decode::decode;
pub(super) use refuse::{
    deserialize, deserialize_seed, kind, split_first, transcode, write_control, write_event,
};
