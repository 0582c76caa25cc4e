//! Authenticators of tokens that mean nothing by themselves: they are looked up, here or at their issuer.

pub(crate) mod api_keys;
#[cfg(feature = "introspection")]
pub(crate) mod introspection;
pub(crate) mod tickets;

pub use api_keys::{ApiKeyDigest, ApiKeys};
#[cfg(feature = "introspection")]
pub use introspection::Introspection;
pub use tickets::{TicketError, Tickets};
