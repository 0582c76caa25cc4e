//! What an identity may do once it is in.

pub(crate) mod authorizer;
pub(crate) mod capabilities;
pub(crate) mod join_ticket;
pub(crate) mod pattern;
pub(crate) mod scope_map;

#[cfg(test)]
mod tests;
