//! The pure machines: no clock, no lock, no task. Time and packets are arguments, effects are outputs.

pub(crate) mod client;
pub(crate) mod cluster;
pub(crate) mod grant_tag;
pub(crate) mod inbox;
pub(crate) mod pace;
pub(crate) mod recovery;
pub(crate) mod room;
pub(crate) mod rooms;
