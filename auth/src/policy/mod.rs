//! What a server attaches to a namespace.

pub(crate) mod collected;
pub(crate) mod policies;
pub(crate) mod settings;
