//! What everything else stands on; nothing here knows of authentication.

pub(crate) mod clock;
pub(crate) mod fingerprint;
pub(crate) mod future;
pub(crate) mod lock;
pub(crate) mod moment;
pub(crate) mod queue;
pub(crate) mod random;
#[cfg(test)]
pub(crate) mod ready;
pub(crate) mod recent;
pub(crate) mod secret;
pub(crate) mod shown;
