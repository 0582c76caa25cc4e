//! permessage-deflate (RFC 7692): what both sides agree on, and the codec where the feature is there.

mod negotiate;

#[cfg(feature = "deflate")]
mod zlib;
#[cfg(feature = "deflate")]
pub(crate) use zlib::{Deflater, Inflater};

#[cfg(not(feature = "deflate"))]
#[expect(
    clippy::needless_pass_by_ref_mut,
    reason = "the same signatures as the codec's"
)]
mod absent;
#[cfg(not(feature = "deflate"))]
pub(crate) use absent::{Deflater, Inflater};

pub use negotiate::PerMessageDeflate;
pub(crate) use negotiate::{Agreement, negotiate};

/// How messages are compressed; two connections with equal settings and no context share the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) level: u8,
    pub(crate) window_bits: u8,
    /// Messages below this many bytes are not compressed, unless each adds to a context (EIO4-CMP-03).
    pub(crate) threshold: usize,
}
