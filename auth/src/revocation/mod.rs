//! Ending grants before their time.

pub(crate) mod list;
pub(crate) mod memory;
mod table;
