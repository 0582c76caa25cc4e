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
pub(crate) use negotiate::{Settings, WINDOWS, negotiate};
