//! Payloads: what a long-polling body carries, several packets in one.
//!
//! Decoders are lazy iterators that end after the first error, so that the packets before it are
//! still delivered, in order. They borrow from the body and hold no memory of their own.

#![deny(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

mod cursor;
mod encoder;
#[cfg(test)]
mod tests;
mod v3;
mod v4;

#[allow(unused_imports, reason = "the transports use it")]
pub(crate) use encoder::{PayloadContent, PayloadEncoder};
#[allow(unused_imports, reason = "the transports use it")]
pub(crate) use v3::{decode_v3_binary, decode_v3_text};
#[allow(unused_imports, reason = "the transports use it")]
pub(crate) use v4::decode_v4;
