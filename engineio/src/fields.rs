//! Where the headers of a head stand that was read, so that none of it is copied.

use std::cell::Cell;

/// A part of a head that was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// A part of a head, which is shorter than 4 GiB.
    #[inline]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    /// As many of its last bytes.
    pub(crate) fn last(self, length: usize) -> Self {
        Self {
            start: self.end.saturating_sub(length as u32).max(self.start),
            end: self.end,
        }
    }

    #[inline]
    fn length(self) -> usize {
        self.end.wrapping_sub(self.start) as usize
    }

    #[inline]
    pub(crate) fn of(self, whole: &[u8]) -> &[u8] {
        whole
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }
}

/// Where a header is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: Span,
    pub(crate) value: Span,
}

/// As many headers a thread keeps room for.
const KEPT_FIELDS: usize = 64;

thread_local! {
    /// What the last head of this thread needed, for the next one.
    static ROOM: Cell<Vec<Field>> = const { Cell::new(Vec::new()) };
}

/// Where the headers of a head are, in order.
#[derive(Debug)]
pub(crate) struct Fields {
    list: Vec<Field>,
    /// A bit for each name that may be there: most that are asked for are not.
    names: u64,
}

impl Fields {
    pub(crate) fn new() -> Self {
        Self {
            list: ROOM.take(),
            names: 0,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, name: &[u8], field: Field) {
        self.names |= bit_of(name);
        self.list.push(field);
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    pub(crate) fn as_slice(&self) -> &[Field] {
        &self.list
    }

    /// All of them, or none when this name is not there.
    #[inline]
    pub(crate) fn with(&self, name: &str) -> &[Field] {
        if self.may_have(name) { &self.list } else { &[] }
    }

    /// False when there is no header of this name.
    #[inline]
    pub(crate) fn may_have(&self, name: &str) -> bool {
        self.names & bit_of(name.as_bytes()) != 0
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        let mut list = std::mem::take(&mut self.list);
        if list.capacity() <= KEPT_FIELDS {
            list.clear();
            ROOM.set(list);
        }
    }
}

/// One of 64 bits for a name, in any case.
#[inline]
fn bit_of(name: &[u8]) -> u64 {
    let &[first, .., last] = name else {
        return 1;
    };
    // Letters differ from the same in another case by this bit alone. So mixed, hardly one of the names that are looked for
    // has the bit of one that requests usually have; `connection` and `origin`, for instance, must not share theirs.
    let mixed =
        (name.len() as u32 * 5) ^ (u32::from(first | 0x20) << 3) ^ (u32::from(last | 0x20) << 1);
    1_u64 << (mixed % 64)
}

#[inline]
pub(crate) fn is_named(read: &[u8], field: &Field, name: &str) -> bool {
    // Most names differ in their length already, and most that are asked for are in lower case too.
    if field.name.length() != name.len() {
        return false;
    }
    let found = field.name.of(read);
    found == name.as_bytes() || found.eq_ignore_ascii_case(name.as_bytes())
}
