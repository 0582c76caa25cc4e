//! Who judges: the trait, and authenticators made of others.
//!
//! The trait makes its own combinators, as `Iterator` does, so these files know each other; nobody else in the crate
//! imports in a ring.

pub(crate) mod adapt;
pub(crate) mod by_issuer;
pub(crate) mod cached;
pub(crate) mod chain;
pub(crate) mod concurrent;
pub(crate) mod judge;
pub(crate) mod revocable;
pub(crate) mod timeout;

#[cfg(test)]
mod tests;
