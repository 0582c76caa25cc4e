//! The policies in use, the bounds over all clients, and what is being revoked.

#[expect(
    clippy::module_inception,
    reason = "the folder is named after its main type"
)]
pub(crate) mod authority;
pub(crate) mod guard;
pub(crate) mod refused;
pub(crate) mod revoked;
pub(crate) mod secrets;
