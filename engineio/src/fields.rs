//! Where the headers of a head stand that was read, so that none of it is copied.

use std::cell::Cell;

/// A part of a head that was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Where a part of `whole` is, which is shorter than 4 GiB. A span that is not inside is of nothing.
    #[inline]
    pub(crate) fn within(whole: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr()) as u32;
        Self {
            start,
            end: start.wrapping_add(part.len() as u32),
        }
    }

    pub(crate) fn start(self) -> usize {
        self.start as usize
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

    #[inline]
    pub(crate) fn of_mut(self, whole: &mut [u8]) -> Option<&mut [u8]> {
        whole.get_mut(self.start as usize..self.end as usize)
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
    pub(crate) fn push(&mut self, name: &str, field: Field) {
        self.names |= bit_of(name);
        self.list.push(field);
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Field> {
        self.list.iter()
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
        self.names & bit_of(name) != 0
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
fn bit_of(name: &str) -> u64 {
    let &[first, .., last] = name.as_bytes() else {
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
