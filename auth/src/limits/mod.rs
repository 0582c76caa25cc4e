//! Bounds on what strangers may cost. Time is an argument everywhere.

pub(crate) mod address;
pub(crate) mod bounds;
pub(crate) mod limiter;
pub(crate) mod lockout;

#[cfg(test)]
mod tests;
