//! The atomics that decide something, which models of threads explore; mere counters are `std`'s.

#[cfg(test)]
pub(crate) use schedules::sync::atomic::*;
#[cfg(not(test))]
pub(crate) use std::sync::atomic::*;
