//! A mutex that a panicking holder does not poison.

use std::sync::PoisonError;

#[cfg(test)]
use schedules::sync::Mutex;
#[cfg(test)]
pub(crate) use schedules::sync::MutexGuard;
#[cfg(not(test))]
use std::sync::Mutex;
#[cfg(not(test))]
pub(crate) use std::sync::MutexGuard;

/// No lock here is held across user code, so a holder that panicked left no torn state behind.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    #[cfg_attr(test, track_caller)]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn into_inner(self) -> T {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
