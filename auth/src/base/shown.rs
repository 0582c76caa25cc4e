//! What a log shows of what a client can choose.

use std::fmt;

/// The most characters of a text that are shown.
const MAX_SHOWN_CHARS: usize = 80;

/// A text in quotes, escaped, and cut where it is long.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(MAX_SHOWN_CHARS) {
            None => write!(f, "{:?}", self.0),
            Some((end, _)) => write!(f, "{:?}…", self.0.get(..end).unwrap_or_default()),
        }
    }
}

/// The first of a list, so many that each says something.
pub(crate) struct ShownList<'a, S>(pub(crate) &'a [S]);

impl<S: AsRef<str>> fmt::Display for ShownList<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 4;
        for (place, text) in self.0.iter().take(MOST).enumerate() {
            let between = if place == 0 { "" } else { ", " };
            write!(f, "{between}{}", Shown(text.as_ref()))?;
        }
        match self.0.len().saturating_sub(MOST) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_cut_and_what_is_odd_is_escaped() {
        assert_eq!(Shown("a\n\"b").to_string(), r#""a\n\"b""#);
        let longest = "ä".repeat(MAX_SHOWN_CHARS);
        assert_eq!(Shown(&longest).to_string(), format!("{longest:?}"));
        let longer = format!("{longest}x");
        assert_eq!(Shown(&longer).to_string(), format!("{longest:?}…"));
        assert_eq!(ShownList::<&str>(&[]).to_string(), "");
        assert_eq!(ShownList(&["a", "b"]).to_string(), r#""a", "b""#);
        let many = ["a"; 6];
        assert!(ShownList(&many).to_string().ends_with(" and 2 more"));
    }
}
