//! Text that is UTF-8 but for surrogates, which some encoders write as if they were characters.

/// A surrogate as three bytes.
const SURROGATE_LEN: usize = 3;

/// Text with surrogates in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Surrogates<'a>(&'a [u8]);

impl<'a> Surrogates<'a> {
    /// `None` when there is anything else that is no UTF-8.
    pub(super) fn new(text: &'a [u8]) -> Option<Self> {
        let mut rest = text;
        while let Err(error) = std::str::from_utf8(rest) {
            let invalid = rest.get(error.valid_up_to()..)?;
            surrogate(invalid)?;
            rest = invalid.get(SURROGATE_LEN..)?;
        }
        Some(Self(text))
    }

    /// The text with each pair as the character that it means, and U+FFFD for each half of one.
    pub(super) fn mended(self) -> String {
        let mut mended = String::with_capacity(self.0.len());
        let mut units = Vec::new();
        let mut rest = self.0;
        while !rest.is_empty() {
            while let Some(unit) = surrogate(rest) {
                units.push(unit);
                rest = rest.get(SURROGATE_LEN..).unwrap_or_default();
            }
            let characters = char::decode_utf16(units.drain(..));
            mended.extend(characters.map(|read| read.unwrap_or(char::REPLACEMENT_CHARACTER)));
            let valid = match std::str::from_utf8(rest) {
                Ok(valid) => valid.len(),
                Err(error) => error.valid_up_to(),
            };
            let (text, behind) = rest.split_at_checked(valid).unwrap_or_default();
            mended.push_str(std::str::from_utf8(text).unwrap_or_default());
            rest = behind;
        }
        mended
    }
}

/// The surrogate in front.
fn surrogate(text: &[u8]) -> Option<u16> {
    match text {
        [0xed, high @ 0xa0..=0xbf, low @ 0x80..=0xbf, ..] => {
            let bits = u16::from(high & 0x3f) << 6 | u16::from(low & 0x3f);
            Some(0xd000 | bits)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_replaced_and_pairs_are_read() {
        for (text, expected) in [
            (&b"\xed\xa0\xbd"[..], "\u{fffd}"),
            (b"a\xed\xa0\xbdz", "a\u{fffd}z"),
            (b"\xed\xb8\x80\xed\xa0\xbd", "\u{fffd}\u{fffd}"),
            (b"\xc3\xa9\xed\xa0\xbd\xed\xb8\x80\xc3\xa9", "é😀é"),
        ] {
            assert_eq!(
                Surrogates::new(text).map(Surrogates::mended).as_deref(),
                Some(expected)
            );
        }
        for text in [
            &b"\xff"[..],
            b"\xed\xa0",
            b"\xed\xa0\xbd\xc3",
            b"\xed\xa0\xbd\xc0\x80",
        ] {
            assert_eq!(Surrogates::new(text), None, "{text:?}");
        }
    }
}
