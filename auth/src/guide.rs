//! The guide: from a first token to a deployment, in the order in which one needs it.
//!
//! Each chapter stands on its own; every example is compiled and run with the crate's tests. What is shown here is the
//! policy, which is where this crate ends; how a server attaches it to a namespace is one line of the `socketio`
//! crate (`io.namespace("/chat").authenticate(policy)`).

#[doc = include_str!("guide/handshake.md")]
pub mod _1_a_token_in_the_handshake {}

#[doc = include_str!("guide/two_round_trips.md")]
pub mod _2_two_round_trips {}

#[doc = include_str!("guide/own_authenticator.md")]
pub mod _3_your_own_authenticator {}

#[doc = include_str!("guide/authorization.md")]
pub mod _4_scopes_and_rooms {}

#[doc = include_str!("guide/renewal.md")]
pub mod _5_expiry_renewal_revocation {}

#[doc = include_str!("guide/deployment.md")]
pub mod _6_deployment {}

#[doc = include_str!("guide/coming_from.md")]
pub mod _7_coming_from_another_library {}

#[doc = include_str!("guide/attacks.md")]
pub mod _8_attacks_and_defences {}

#[doc = include_str!("guide/providers.md")]
pub mod _9_identity_providers {}
