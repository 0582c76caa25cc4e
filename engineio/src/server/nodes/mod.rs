//! The way to the other nodes of a cluster: their connections, and what is passed on over them.

pub(crate) mod card;
pub(crate) mod link;
pub(crate) mod pass_on;
pub(crate) mod pump;
