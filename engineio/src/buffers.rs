//! Buffers that belong to the worker thread, so that an idle connection holds none.
//!
//! A buffer is taken out of its cell for the time it is used and put back afterwards; a second user on the same
//! thread, such as a handler that sends from within a serializer, simply finds the cell empty and makes its own.

use std::cell::Cell;

/// One read takes at most this much.
pub(crate) const SCRATCH_BYTES: usize = 64 * 1024;

/// Vectors larger than this are not kept.
const POOLED_MAX_BYTES: usize = 64 * 1024;

/// How many vectors one worker keeps.
const POOLED_MAX_COUNT: usize = 32;

thread_local! {
    static SCRATCH: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
    /// The vector that was given back last. Most are taken again at once, and one in a cell of its own takes a third of the
    /// instructions of one among others.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    static POOL: Cell<Vec<Vec<u8>>> = const { Cell::new(Vec::new()) };
}

/// Lends the worker's read buffer. It is zeroed once in the worker's life.
pub(crate) fn with_scratch<R>(use_it: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut scratch = SCRATCH
        .take()
        .unwrap_or_else(|| vec![0; SCRATCH_BYTES].into_boxed_slice());
    let result = use_it(&mut scratch);
    SCRATCH.set(Some(scratch));
    result
}

/// An empty vector, used before if there is one.
// What is done without the spare one is in functions by themselves, so that these two are a few instructions where they are
// called: a third of what they are with all in one.
#[inline]
pub(crate) fn take() -> Vec<u8> {
    let spare = SPARE.take();
    if spare.capacity() > 0 {
        return spare;
    }
    take_from_pool()
}

#[inline(never)]
fn take_from_pool() -> Vec<u8> {
    with_pool(|pool| {
        make_room(pool);
        pool.pop().unwrap_or_default()
    })
}

/// Gives a vector back to the worker.
#[inline]
pub(crate) fn give_back(mut vector: Vec<u8>) {
    if vector.capacity() == 0 || vector.capacity() > POOLED_MAX_BYTES {
        return;
    }
    vector.clear();
    let vector = SPARE.replace(vector);
    if vector.capacity() > 0 {
        give_to_pool(vector);
    }
}

#[inline(never)]
fn give_to_pool(vector: Vec<u8>) {
    with_pool(|pool| {
        make_room(pool);
        if pool.len() < POOLED_MAX_COUNT {
            pool.push(vector);
        }
    });
}

/// Brings the pool to its full size from the beginning: a small piece of memory that is moved while thousands are connected
/// lies behind all of them, and keeps the allocator from giving theirs back.
fn make_room(pool: &mut Vec<Vec<u8>>) {
    if pool.capacity() < POOLED_MAX_COUNT {
        pool.reserve_exact(POOLED_MAX_COUNT.saturating_sub(pool.len()));
    }
}

/// Lends the worker's vectors, with a single look for them.
fn with_pool<R>(use_it: impl FnOnce(&mut Vec<Vec<u8>>) -> R) -> R {
    POOL.with(|cell| {
        let mut pool = cell.take();
        let result = use_it(&mut pool);
        cell.set(pool);
        result
    })
}
