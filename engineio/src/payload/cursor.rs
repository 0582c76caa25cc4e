//! Cursors over a body: the only place that takes a body apart.

/// Reads bytes from the front; asking for more than is left yields `None` and moves nothing.
#[derive(Clone, Debug)]
pub(super) struct ByteCursor<'a> {
    rest: &'a [u8],
}

impl<'a> ByteCursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn take_byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

/// Reads characters from the front, counting as the peer counts.
#[derive(Clone, Debug)]
pub(super) struct TextCursor<'a> {
    rest: &'a str,
}

/// Why a stretch of text of a given length could not be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TakeTextError {
    TooShort,
    SplitCharacter,
}

impl<'a> TextCursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { rest: text }
    }

    /// What precedes the next `delimiter`, which is consumed too.
    pub(super) fn take_until(&mut self, delimiter: char) -> Option<&'a str> {
        let (taken, rest) = self.rest.split_once(delimiter)?;
        self.rest = rest;
        Some(taken)
    }

    pub(super) fn take_utf16(&mut self, units: usize) -> Result<&'a str, TakeTextError> {
        let len = utf16_prefix_len(self.rest, units)?;
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(TakeTextError::TooShort)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}

/// How many UTF-16 code units a text has.
pub(super) fn utf16_len(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.encode_utf16().count()
    }
}

/// The length in bytes of the prefix of `text` that has exactly `units` UTF-16 code units.
fn utf16_prefix_len(text: &str, units: usize) -> Result<usize, TakeTextError> {
    // No code unit is shorter than a byte, so this also refuses absurd lengths at once.
    let prefix = text
        .as_bytes()
        .get(..units)
        .ok_or(TakeTextError::TooShort)?;
    if prefix.is_ascii() {
        return Ok(units);
    }
    let mut missing = units;
    let mut len = 0_usize;
    for character in text.chars() {
        if missing == 0 {
            break;
        }
        missing = missing
            .checked_sub(character.len_utf16())
            .ok_or(TakeTextError::SplitCharacter)?;
        len = len.saturating_add(character.len_utf8());
    }
    if missing == 0 {
        Ok(len)
    } else {
        Err(TakeTextError::TooShort)
    }
}

#[cfg(test)]
mod tests {
    use super::{ByteCursor, TakeTextError, TextCursor, utf16_len};

    #[test]
    fn bytes_beyond_the_end_are_refused_and_nothing_moves() {
        let mut cursor = ByteCursor::new(&[1, 2, 3]);
        assert_eq!(cursor.take(4), None);
        assert_eq!(cursor.take(usize::MAX), None);
        assert_eq!(cursor.take_byte(), Some(1));
        assert_eq!(cursor.take(2), Some(&[2, 3][..]));
        assert_eq!(cursor.take_byte(), None);
        assert!(cursor.is_empty());
    }

    #[test]
    fn text_is_taken_by_utf16_units() {
        let mut cursor = TextCursor::new("€😀xé");
        assert_eq!(cursor.take_utf16(2), Err(TakeTextError::SplitCharacter));
        assert_eq!(cursor.take_utf16(3), Ok("€😀"));
        assert_eq!(cursor.take_utf16(3), Err(TakeTextError::TooShort));
        assert_eq!(cursor.take_utf16(usize::MAX), Err(TakeTextError::TooShort));
        assert_eq!(cursor.take_utf16(2), Ok("xé"));
        assert_eq!(cursor.take_utf16(0), Ok(""));
        assert!(cursor.is_empty());
    }

    #[test]
    fn utf16_length_counts_a_surrogate_pair_as_two() {
        assert_eq!(utf16_len("abc"), 3);
        assert_eq!(utf16_len("4€😀"), 4);
    }
}
