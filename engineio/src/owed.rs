//! The answers that clients still wait for.

use std::sync::Arc;

/// The answers that are owed: one for each request, from when its head was read until what is said to it has left, or is
/// dropped because nobody takes it.
#[derive(Debug, Default)]
pub(crate) struct Answers(Arc<()>);

/// One of them. Whoever drops it has paid.
#[derive(Debug)]
pub(crate) struct Owed(#[expect(dead_code, reason = "to be counted")] Arc<()>);

impl Answers {
    pub(crate) fn owe(&self) -> Owed {
        Owed(Arc::clone(&self.0))
    }

    pub(crate) fn are_owed(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }
}
