//! The working state of zlib, which is large: it belongs to the worker thread, and a connection has none of it.
//!
//! It is taken out of its cell for one message, as in [`buffers`](crate::buffers), and what the connection remembers of
//! the messages before is put in first.

use std::cell::Cell;

use flate2::{Compress, Compression, Decompress};

/// How many deflaters one worker keeps: of the window that is configured, and of the one that a client asked for last.
/// One is up to 300 KiB.
const DEFLATERS_MAX: usize = 2;

thread_local! {
    static INFLATER: Cell<Option<Decompress>> = const { Cell::new(None) };
    /// The one that was used last comes first.
    static DEFLATERS: Cell<[Option<Box<Deflate>>; DEFLATERS_MAX]> =
        const { Cell::new([const { None }; DEFLATERS_MAX]) };
}

struct Deflate {
    level: u8,
    window_bits: u8,
    state: Compress,
}

/// Lends an inflater that knows `context` as what came before, and nothing else. Nothing is lent when it cannot be told.
pub(crate) fn with_inflate<R>(
    context: &[u8],
    use_it: impl FnOnce(&mut Decompress) -> R,
) -> Option<R> {
    let mut state = match INFLATER.take() {
        Some(mut state) => {
            state.reset(false);
            state
        }
        None => Decompress::new(false),
    };
    let is_told = context.is_empty() || state.set_dictionary(context).is_ok();
    let result = is_told.then(|| use_it(&mut state));
    INFLATER.set(Some(state));
    result
}

/// Lends a deflater that knows `context` as what went before, and nothing else. Nothing is lent when it cannot be told.
pub(crate) fn with_deflate<R>(
    (level, window_bits): (u8, u8),
    context: &[u8],
    use_it: impl FnOnce(&mut Compress) -> R,
) -> Option<R> {
    let [first, second] = DEFLATERS.take();
    let fits = |deflate: &Deflate| deflate.level == level && deflate.window_bits == window_bits;
    let (found, other) = match (first, second) {
        (Some(first), second) if fits(&first) => (Some(first), second),
        (first, Some(second)) if fits(&second) => (Some(second), first),
        // The one that was not used for longer makes room.
        (first, second) => (None, first.or(second)),
    };
    let mut deflate = match found {
        Some(mut deflate) => {
            deflate.state.reset();
            deflate
        }
        None => Box::new(Deflate {
            level,
            window_bits,
            state: Compress::new_with_window_bits(
                Compression::new(u32::from(level)),
                false,
                window_bits,
            ),
        }),
    };
    let is_told = context.is_empty() || deflate.state.set_dictionary(context).is_ok();
    let result = is_told.then(|| use_it(&mut deflate.state));
    DEFLATERS.set([Some(deflate), other]);
    result
}
