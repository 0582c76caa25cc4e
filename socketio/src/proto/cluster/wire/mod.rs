//! What servers write on a bus, in the formats of Node's adapters, without any I/O: for [adapters](crate::cluster::Adapter).
//!
//! | module | bus of |
//! |---|---|
//! | [`classic`] | `@socket.io/redis-adapter`, `@socket.io/redis-emitter` |
//! | [`envelope`] | the sharded adapter, and what streams are too slow for; others can use it as well |
//! | [`stream`] | `@socket.io/redis-streams-adapter`: entries and sessions |
//!
//! Reading is total. Whatever bytes come, the outcome is a message or why there is none ([`Ignored`]); it takes no more memory
//! than some 50 bytes for each byte of the message, which has at most [`MAX_BYTES`].
//!
//! ```
//! use socketio::cluster::wire::{Ignored, classic};
//!
//! let garbage = classic::decode_broadcast(&[0xc1], "/");
//! assert_eq!(garbage.unwrap_err(), Ignored::Malformed);
//!
//! let payload = b"\x93\xa6tNUDuV\x83\xa4type\x02\xa4data\x92\xa1x\x01\xa3nsp\xa1/\x83\xa5rooms\x90\xa6except\x90\xa5flags\x80";
//! let message = classic::decode_broadcast(payload, "/")?;
//! assert_eq!(message.uid.as_str(), "tNUDuV");
//! # Ok::<(), Ignored>(())
//! ```

#![deny(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

pub mod classic;
pub mod envelope;
mod ignored;
mod json;
mod limits;
mod msgpack;
mod parts;
pub mod stream;
#[cfg(test)]
mod tests;
mod value;

pub use ignored::Ignored;
pub use limits::{MAX_BYTES, MAX_DEPTH, MAX_VALUES};

use crate::codec::EncodeError;
use value::{Nature, Value};

/// The first byte of JSON, which no message in msgpack begins with.
const JSON: u8 = b'{';

/// Reads a message that says by its first byte which format it is in.
//= RED-CH-05
fn read(payload: &[u8]) -> Result<Value<'_>, Ignored> {
    if payload.len() > MAX_BYTES {
        return Err(Ignored::TooLarge);
    }
    if payload.first() == Some(&JSON) {
        json::read(payload)
    } else {
        msgpack::read(payload)
    }
}

/// Writes a message as JSON, or as msgpack where there are bytes in it.
//= SHD-02
fn write(value: &Value<'_>) -> Result<Vec<u8>, EncodeError> {
    let nature = value.nature();
    check_depth(nature)?;
    Ok(if nature.has_binary {
        msgpack::write(value)
    } else {
        json::write(value)
    })
}

fn write_msgpack(value: &Value<'_>) -> Result<Vec<u8>, EncodeError> {
    check_depth(value.nature())?;
    Ok(msgpack::write(value))
}

/// What nobody would read is not written.
fn check_depth(nature: Nature) -> Result<(), EncodeError> {
    if nature.depth > MAX_DEPTH {
        return Err(EncodeError::Serialize(Ignored::TooDeep.to_string()));
    }
    Ok(())
}

/// Text that a pattern matches literally.
//= RDS-10
#[must_use]
pub fn escape_pattern(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '*' | '?' | '[' | ']' | '\\' | '^') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// The room in the name of a channel that begins so: none when it is for all rooms, `None` when it is another channel. Rooms
/// may have any letter in their names.
//= RED-BC-03
fn room_in<'c>(channel: &'c str, begins: &str) -> Option<Option<&'c str>> {
    let rest = channel.strip_prefix(begins)?;
    if rest.is_empty() {
        return Some(None);
    }
    rest.strip_suffix('#').map(Some)
}
