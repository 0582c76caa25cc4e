//! Ending grants before their time.

pub(crate) mod list;
pub(crate) mod memory;
mod table;

pub use list::{OfIssuer, Revocation, RevocationList, RevocationListener, RevocationOrigin, Whose};
pub use memory::{MemoryRevocations, RevocationsFull};
