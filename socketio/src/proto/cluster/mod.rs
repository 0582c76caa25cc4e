//! What a namespace knows of the other servers of its cluster, and what their messages mean.

pub(crate) mod entrance;
pub(crate) mod entry;
mod members;
pub(crate) mod message;
pub(crate) mod node;
pub(crate) mod remote;
pub(crate) mod requests;
pub(crate) mod room_changes;
#[cfg(test)]
mod tests;
#[cfg(feature = "cluster-wire")]
pub mod wire;
