//! The guide: what a server is made of, by task. Every example is compiled with the tests.
//!
//! What a policy is, and every choice in it, is the guide of the crate `socketio-auth`; here it meets the server.

#[doc = include_str!("guide/authentication.md")]
pub mod authentication {}

#[doc = include_str!("guide/limits.md")]
pub mod limits {}

#[doc = include_str!("guide/memory.md")]
pub mod memory {}
