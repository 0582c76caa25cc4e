//! The verbs of sending: select, encode once, await.

pub(crate) mod ack;
pub(crate) mod broadcast;
pub(crate) mod describe;
pub(crate) mod emitter;
pub(crate) mod fetched;
pub(crate) mod options;
pub(crate) mod outgoing;
