//! From a request to an answer, for both front doors.

pub(crate) mod answer;
#[cfg(feature = "nodes")]
mod elsewhere;
pub(crate) mod open;
mod origin;
mod respond;
pub(crate) mod response;
