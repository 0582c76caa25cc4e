//! Counts what one thread allocates, for tests that say how often a server may.

#![expect(
    unsafe_code,
    reason = "an allocator can be put in the place of the system's in no other way"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

thread_local! {
    static COUNT: Cell<Option<&'static Counters>> = const { Cell::new(None) };
}

#[derive(Debug, Default)]
struct Counters {
    calls: AtomicU64,
    held_bytes: AtomicI64,
}

/// The system's allocator, counting. Make it the global one of a test:
///
/// ```
/// use benches::allocations::{self, Counting};
///
/// #[global_allocator]
/// static ALLOCATOR: Counting = Counting;
///
/// let count = allocations::count_this_thread();
/// let before = count.so_far();
/// drop(Box::new(1));
/// assert_eq!(count.so_far() - before, 1);
/// ```
#[derive(Debug)]
pub struct Counting;

/// The count of one thread, readable from any.
#[derive(Clone, Copy, Debug)]
pub struct Count(&'static Counters);

impl Count {
    /// How often the thread has allocated, or grown what it had.
    #[must_use]
    pub fn so_far(self) -> u64 {
        self.0.calls.load(Ordering::SeqCst)
    }

    /// How many bytes more the thread has allocated than given back.
    #[must_use]
    pub fn held_bytes(self) -> i64 {
        self.0.held_bytes.load(Ordering::SeqCst)
    }
}

/// Counts what this thread allocates from now on.
#[must_use]
pub fn count_this_thread() -> Count {
    // As long-lived as the thread-local that refers to it, which may be read at the very end of the thread.
    let count: &'static Counters = Box::leak(Box::default());
    COUNT.set(Some(count));
    Count(count)
}

fn note(layout: Layout) {
    if let Some(count) = COUNT.get() {
        count.calls.fetch_add(1, Ordering::SeqCst);
        count
            .held_bytes
            .fetch_add(bytes(layout.size()), Ordering::SeqCst);
    }
}

fn note_given_back(layout: Layout) {
    if let Some(count) = COUNT.get() {
        count
            .held_bytes
            .fetch_sub(bytes(layout.size()), Ordering::SeqCst);
    }
}

/// No allocation is larger than `isize::MAX`.
fn bytes(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

// SAFETY: every call is handed to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout);
        // SAFETY: the caller keeps `alloc_zeroed`'s contract.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note_given_back(layout);
        note(Layout::from_size_align(size, layout.align()).unwrap_or(layout));
        // SAFETY: the caller keeps `realloc`'s contract, and all memory is the system's.
        unsafe { System.realloc(pointer, layout, size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note_given_back(layout);
        // SAFETY: the caller keeps `dealloc`'s contract, and all memory is the system's.
        unsafe { System.dealloc(pointer, layout) }
    }
}
