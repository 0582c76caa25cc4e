//! The verbs of sending: select, encode once, await.

pub(crate) mod ack;
pub(crate) mod broadcast;
pub(crate) mod emitter;
