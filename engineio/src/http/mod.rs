//! What a request comes to, decided without any I/O: query, order of checks, refusals, CORS, cookies.

#![deny(
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::as_conversions
)]

pub(crate) mod content;
mod cookie;
mod cors;
mod decide;
pub(crate) mod encoding;
mod error;
mod handshake;
mod head;
mod origins;
mod path;
mod query;
mod reject;
pub(crate) mod request;

pub use cookie::{CookieOptions, SameSite};
pub use cors::Cors;
pub use error::ConnectionError;
pub use origins::AllowedOrigins;

pub(crate) use decide::{
    Decision, Facts, Gate, Misfit, Options, admit_version, decide, is_upgrade,
};
#[cfg(feature = "compression")]
pub(crate) use encoding::{accepted as accepted_encoding, compress};
pub(crate) use handshake::{Handshake, HandshakeError};
pub(crate) use head::{Head, HeadLimits, MessageRules};
pub(crate) use path::PathMatcher;
pub(crate) use query::Query;
pub use reject::Refusal;
pub(crate) use reject::Rejection;
