//! What an identity may do once it is in.

pub(crate) mod authorizer;
pub(crate) mod capabilities;
pub(crate) mod join_ticket;
pub(crate) mod pattern;
pub(crate) mod scope_map;

pub use authorizer::{
    Action, ActionKind, Authorizer, AuthorizerFn, BothAllow, Decision, EitherAllows, Holder,
    authorizer_fn,
};
pub use capabilities::{ByCapabilities, Capabilities, by_capabilities};
pub use join_ticket::{JoinClaims, JoinRequest, JoinTickets};
pub use pattern::{Pattern, PatternError};
pub use scope_map::{ScopeMap, ScopeMapBuilder};

#[cfg(test)]
mod tests;
