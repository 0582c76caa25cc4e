//! The headers that an answer has by itself.

use std::cell::Cell;

use http::{HeaderMap, HeaderName, HeaderValue};

/// As many headers a thread keeps room for.
const KEPT_HEADERS: usize = 16;

thread_local! {
    /// What the last list of this thread needed, for the next one.
    static ROOM: Cell<Vec<(HeaderName, HeaderValue)>> = const { Cell::new(Vec::new()) };
}

/// Headers in order. Two or three are not worth a map.
#[derive(Debug, Default)]
pub(crate) struct HeaderList(Vec<(HeaderName, HeaderValue)>);

impl HeaderList {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn push(&mut self, name: HeaderName, value: HeaderValue) {
        if self.0.capacity() == 0 {
            self.0 = ROOM.take();
        }
        self.0.push((name, value));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Leaves them in a map, behind what is there.
    pub(crate) fn move_to(&mut self, map: &mut HeaderMap) {
        for (name, value) in self.0.drain(..) {
            map.append(name, value);
        }
    }
}

impl Drop for HeaderList {
    fn drop(&mut self) {
        let mut list = std::mem::take(&mut self.0);
        if (1..=KEPT_HEADERS).contains(&list.capacity()) {
            list.clear();
            // A thread that ends may have no place for it any more.
            let _ = ROOM.try_with(|room| room.set(list));
        }
    }
}
