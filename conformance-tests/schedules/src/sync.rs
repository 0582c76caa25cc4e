//! `std`'s mutex and atomics, which stop at every use while schedules are explored.
//!
//! They are as large as `std`'s, so that tests of sizes hold, and are `std`'s where nothing is explored.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::rc::Rc;
use std::sync::{LockResult, PoisonError};
use std::time::Duration;

use shuttle::future::batch_semaphore::{BatchSemaphore, Fairness};

thread_local! {
    static IS_EXPLORING: Cell<bool> = const { Cell::new(false) };
    /// Where the thread that runs just now stops next.
    static STOP: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
    /// What makes threads wait for a mutex, by its address. Beside it, for a mutex is not to be larger than `std`'s.
    static GATES: RefCell<HashMap<usize, Rc<BatchSemaphore>>> = RefCell::new(HashMap::new());
}

/// While it lives, schedules are explored on this operating-system thread.
#[derive(Debug)]
pub(crate) struct Exploring(());

impl Exploring {
    /// `None` when they are already: one exploration within another has no meaning.
    pub(crate) fn begin() -> Option<Self> {
        (!IS_EXPLORING.replace(true)).then_some(Self(()))
    }
}

/// True while schedules are explored on this thread of the operating system.
pub(crate) fn is_exploring() -> bool {
    IS_EXPLORING.get()
}

impl Drop for Exploring {
    fn drop(&mut self) {
        IS_EXPLORING.set(false);
        forget_gates();
    }
}

/// A new execution: what is at an address now is not what was there in the last.
pub(crate) fn forget_gates() {
    GATES.take();
    STOP.take();
}

/// Where the thread stopped that has run until now, if in code that was built for it.
pub(crate) fn take_stop() -> Option<&'static Location<'static>> {
    STOP.take()
}

/// Lets others run, if schedules are explored.
///
/// Before every use of a mutex or an atomic there is one. To be added where what others may do in between does not show at any
/// of them.
#[track_caller]
pub fn point() {
    if IS_EXPLORING.get() {
        STOP.set(Some(Location::caller()));
        shuttle::thread::sleep(Duration::ZERO);
    }
}

/// `std::sync::Mutex`.
#[derive(Debug, Default)]
pub struct Mutex<T>(std::sync::Mutex<T>);

/// `std::sync::MutexGuard`. Its lock is given back before others are let through the gate.
pub struct MutexGuard<'a, T> {
    inner: std::sync::MutexGuard<'a, T>,
    _gate: Option<Gate>,
}

impl<T> Mutex<T> {
    /// A free mutex.
    pub const fn new(value: T) -> Self {
        Self(std::sync::Mutex::new(value))
    }

    /// As that of `std`. Nobody else has it, so there is nothing to explore.
    ///
    /// # Errors
    ///
    /// As that of `std`.
    pub fn into_inner(self) -> LockResult<T> {
        self.0.into_inner()
    }

    /// Waits for the mutex.
    ///
    /// # Errors
    ///
    /// When a holder panicked, as `std`'s does.
    #[track_caller]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        let at = Location::caller();
        let gate = IS_EXPLORING
            .get()
            .then(|| Gate::pass(std::ptr::from_ref(self).addr(), at));
        match self.0.lock() {
            Ok(inner) => Ok(MutexGuard { inner, _gate: gate }),
            Err(poisoned) => Err(PoisonError::new(MutexGuard {
                inner: poisoned.into_inner(),
                _gate: gate,
            })),
        }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// The place of the holder of a mutex.
struct Gate(Rc<BatchSemaphore>);

impl Gate {
    fn pass(address: usize, at: &'static Location<'static>) -> Self {
        let gate = GATES.with_borrow_mut(|gates| {
            let new = || Rc::new(BatchSemaphore::new(1, Fairness::Unfair));
            Rc::clone(gates.entry(address).or_insert_with(new))
        });
        STOP.set(Some(at));
        // Closed only when the execution is over, and then nobody else is in the way.
        let _ = gate.acquire_blocking(1);
        Self(gate)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // Whatever the holder does next that others can see has a point before it.
        self.0.release_no_scheduling_point(1);
    }
}

/// `std::sync::atomic`. Every use is sequentially consistent: what is explored is which runs first, not what a weaker ordering
/// would let a thread see.
pub mod atomic {
    pub use std::sync::atomic::Ordering;

    use super::point;

    macro_rules! atomic {
        ($(#[$doc:meta])* $name:ident($value:ty): $($also:ident)*) => {
            $(#[$doc])*
            #[derive(Debug, Default)]
            pub struct $name(std::sync::atomic::$name);

            #[expect(missing_docs, reason = "std documents them")]
            impl $name {
                pub const fn new(value: $value) -> Self {
                    Self(std::sync::atomic::$name::new(value))
                }

                #[track_caller]
                pub fn load(&self, order: Ordering) -> $value {
                    point();
                    self.0.load(order)
                }

                #[track_caller]
                pub fn store(&self, value: $value, order: Ordering) {
                    point();
                    self.0.store(value, order);
                }

                $(
                    #[track_caller]
                    pub fn $also(&self, value: $value, order: Ordering) -> $value {
                        point();
                        self.0.$also(value, order)
                    }
                )*

                #[expect(clippy::missing_errors_doc, reason = "std documents them")]
                #[track_caller]
                pub fn compare_exchange(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    point();
                    self.0.compare_exchange(current, new, success, failure)
                }

                #[expect(clippy::missing_errors_doc, reason = "std documents them")]
                #[track_caller]
                pub fn fetch_update(
                    &self,
                    success: Ordering,
                    failure: Ordering,
                    update: impl FnMut($value) -> Option<$value>,
                ) -> Result<$value, $value> {
                    point();
                    self.0.fetch_update(success, failure, update)
                }
            }
        };
    }

    atomic! {
        /// `std::sync::atomic::AtomicBool`.
        AtomicBool(bool): swap fetch_and fetch_or
    }
    atomic! {
        /// `std::sync::atomic::AtomicU8`.
        AtomicU8(u8): swap fetch_add fetch_sub fetch_and fetch_or fetch_max
    }
    atomic! {
        /// `std::sync::atomic::AtomicU32`.
        AtomicU32(u32): swap fetch_add fetch_sub fetch_and fetch_or fetch_max
    }
    atomic! {
        /// `std::sync::atomic::AtomicU64`.
        AtomicU64(u64): swap fetch_add fetch_sub fetch_and fetch_or fetch_max
    }
    atomic! {
        /// `std::sync::atomic::AtomicUsize`.
        AtomicUsize(usize): swap fetch_add fetch_sub fetch_and fetch_or fetch_max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_as_large_as_those_of_std() {
        assert_eq!(
            size_of::<Mutex<[u8; 5]>>(),
            size_of::<std::sync::Mutex<[u8; 5]>>()
        );
        assert_eq!(size_of::<atomic::AtomicU8>(), 1);
    }

    #[test]
    fn they_work_where_nothing_is_explored() {
        let mutex = Mutex::new(1);
        *mutex.lock().unwrap() += 1;
        assert_eq!(*mutex.lock().unwrap(), 2);
        let count = atomic::AtomicUsize::new(1);
        assert_eq!(count.fetch_add(1, atomic::Ordering::Relaxed), 1);
        assert_eq!(count.load(atomic::Ordering::Relaxed), 2);
    }
}
