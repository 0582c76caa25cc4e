//! Authenticators of tokens that mean nothing by themselves: they are looked up, here or at their issuer.

pub(crate) mod api_keys;
#[cfg(feature = "introspection")]
pub(crate) mod introspection;
pub(crate) mod tickets;
