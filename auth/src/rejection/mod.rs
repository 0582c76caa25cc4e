//! Why a client is refused.

pub(crate) mod code;
pub(crate) mod panic_guard;
