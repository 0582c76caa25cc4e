//! Bounds on what strangers may cost. Time is an argument everywhere.

pub(crate) mod address;
pub(crate) mod bounds;
pub(crate) mod limiter;
pub(crate) mod lockout;

pub use address::{AddressKey, NetworkError, TrustedProxies};
pub use bounds::{AuthLimits, Rate};
pub use limiter::AuthLimiter;
pub use lockout::{ExponentialLockout, Lockout, LockoutKey};

#[cfg(test)]
mod tests;
