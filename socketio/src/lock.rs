//! A mutex that a panicking holder does not poison.

#[cfg(not(test))]
use parking_lot::Mutex;
#[cfg(not(test))]
pub(crate) use parking_lot::MutexGuard;
#[cfg(test)]
use schedules::sync::Mutex;
#[cfg(test)]
pub(crate) use schedules::sync::MutexGuard;

/// No lock here is held across user code, so a holder that panicked left no torn state behind.
#[derive(Debug, Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    #[cfg_attr(test, track_caller)]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        let guard = self.0.lock();
        #[cfg(test)]
        let guard = guard.unwrap_or_else(std::sync::PoisonError::into_inner);
        guard
    }
}
