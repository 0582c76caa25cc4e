//! JSON as senders write it, for types of serde.
//!
//! `JSON.parse` takes three things that serde_json refuses as a whole, with all that stands beside them: half of a surrogate
//! pair (`"\ud83d"`, what cutting a string leaves of an emoji), numbers beyond those of a double, and more than 127 levels.
//! One member that nobody asked for must not spoil a payload, so what is refused is mended and read again. What can be
//! read at once costs nothing more.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeOwned, Error, IgnoredAny};

/// The most levels of arrays and objects that are deserialized. One level takes up to 2.5 kB of the stack of a debug build,
/// and a thread has 2 MB as a rule.
pub const MAX_DEPTH: u32 = 256;

/// The levels that serde_json reads by itself.
const UNAIDED_DEPTH: u32 = 127;

/// What a number too large becomes: the largest there is.
const LARGEST: &str = "1.7976931348623157e308";

/// The length of `\u` and its digits.
const ESCAPE_LEN: usize = 6;

/// No number of fewer characters, and without an exponent, is too large.
const SHORTEST_TOO_LARGE: usize = 309;

/// Reads a value from JSON text as `JSON.parse` would: half a surrogate pair becomes U+FFFD, a number beyond those of a double
/// the largest of them, and up to [`MAX_DEPTH`] levels are read.
///
/// # Errors
///
/// The text is no JSON, is nested deeper, or is no `T`.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text).or_else(|error| {
        let mended = mend(text).map_err(Error::custom)?.ok_or(error)?;
        let mut json = serde_json::Deserializer::from_str(&mended);
        json.disable_recursion_limit();
        let value = T::deserialize(&mut json)?;
        json.end()?;
        Ok(value)
    })
}

/// Why a value is not deserialized although it is well-formed: it has more than [`MAX_DEPTH`] levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "it has nothing in it")]
pub struct TooDeep;

impl fmt::Display for TooDeep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nested deeper than {MAX_DEPTH} levels")
    }
}

impl std::error::Error for TooDeep {}

/// The text that serde_json, without its limit on recursion, reads instead of one that it refused. `None` when there is
/// nothing to mend, so that it would refuse it again.
///
/// # Errors
///
/// It is nested too deep.
pub fn mend(text: &str) -> Result<Option<Cow<'_, str>>, TooDeep> {
    let mut mender = Mender {
        rest: text,
        uncopied: text,
        mended: String::new(),
        depth: 0,
        deepest: 0,
    };
    mender.run();
    if mender.deepest > MAX_DEPTH {
        return Err(TooDeep);
    }
    if mender.mended.is_empty() {
        let is_deep = mender.deepest > UNAIDED_DEPTH;
        return Ok(is_deep.then_some(Cow::Borrowed(text)));
    }
    mender.mended.push_str(mender.uncopied);
    Ok(Some(Cow::Owned(mender.mended)))
}

/// Passes over JSON and replaces what serde_json refuses. Whether it is JSON is not its business.
struct Mender<'a> {
    rest: &'a str,
    /// The text from behind the last replacement on.
    uncopied: &'a str,
    /// What comes before it, once something was replaced.
    mended: String,
    depth: u32,
    deepest: u32,
}

impl<'a> Mender<'a> {
    fn run(&mut self) {
        while let Some(first) = self.rest.bytes().next() {
            match first {
                b'"' => self.string(),
                b'-' | b'0'..=b'9' => self.number(),
                b'[' | b'{' => {
                    self.depth = self.depth.saturating_add(1);
                    self.deepest = self.deepest.max(self.depth);
                    self.pass(1);
                }
                b']' | b'}' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.pass(1);
                }
                _ => self.pass_to(|byte| {
                    matches!(byte, b'"' | b'-' | b'0'..=b'9' | b'[' | b'{' | b']' | b'}')
                }),
            }
        }
    }

    fn string(&mut self) {
        self.pass(1);
        loop {
            self.pass_to(|byte| matches!(byte, b'"' | b'\\'));
            if !self.rest.starts_with('\\') {
                self.pass(1);
                return;
            }
            self.escape();
        }
    }

    fn escape(&mut self) {
        let behind = self.rest.get(ESCAPE_LEN..).unwrap_or_default();
        match (surrogate(self.rest), surrogate(behind)) {
            (Some(..0xdc00), Some(0xdc00..)) => {
                self.pass(ESCAPE_LEN);
                self.pass(ESCAPE_LEN);
            }
            (Some(_), _) => {
                let before = self.rest;
                self.pass(ESCAPE_LEN);
                self.replace(before, &[r"\ufffd"]);
            }
            (None, _) => {
                self.pass(1);
                // Where the text is no JSON, what is escaped may be longer than a byte.
                let escaped = self.rest.chars().next();
                self.pass(escaped.map_or(0, char::len_utf8));
            }
        }
    }

    fn number(&mut self) {
        let before = self.rest;
        self.pass_to(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'));
        let len = before.len().saturating_sub(self.rest.len());
        let number = before.get(..len).unwrap_or_default();
        let may_be_too_large = number.len() >= SHORTEST_TOO_LARGE || number.contains(['e', 'E']);
        if may_be_too_large
            && serde_json::from_str::<IgnoredAny>(number).is_ok()
            && serde_json::from_str::<f64>(number).is_err()
        {
            let sign = if number.starts_with('-') { "-" } else { "" };
            self.replace(before, &[sign, LARGEST]);
        }
    }

    /// Replaces what was passed since `before` was the rest.
    fn replace(&mut self, before: &str, with: &[&str]) {
        let len = self.uncopied.len().saturating_sub(before.len());
        self.mended
            .push_str(self.uncopied.get(..len).unwrap_or_default());
        self.mended.extend(with.iter().copied());
        self.uncopied = self.rest;
    }

    /// Passes over so many bytes, or what there is.
    fn pass(&mut self, len: usize) {
        self.rest = self.rest.get(len..).unwrap_or_default();
    }

    /// Passes over all before such a byte, which stands at the beginning of a character.
    fn pass_to(&mut self, is_end: impl Fn(u8) -> bool) {
        let len = self.rest.bytes().position(is_end);
        self.pass(len.unwrap_or(self.rest.len()));
    }
}

/// The surrogate whose escape stands in front.
fn surrogate(text: &str) -> Option<u32> {
    let digits = text.strip_prefix(r"\u")?.get(..4)?;
    // `from_str_radix` would take a sign.
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let code = u32::from_str_radix(digits, 16).ok()?;
    (is_hex && (0xd800..0xe000).contains(&code)).then_some(code)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn half_a_pair_is_replaced_and_spoils_nothing() {
        for (text, expected) in [
            (r#""\ud83d""#, "\u{fffd}"),
            (r#""\uDE00""#, "\u{fffd}"),
            (r#""a\ud83dz""#, "a\u{fffd}z"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
            (r#""\ud83d\\ude00""#, "\u{fffd}\\ude00"),
            (r#""\ud83d\n\"é""#, "\u{fffd}\n\"é"),
            (r#""\\ud83d \ud83d""#, "\\ud83d \u{fffd}"),
        ] {
            assert_eq!(from_str::<String>(text).unwrap(), expected, "{text}");
        }
        let spoiled: Value = from_str(r#"{"a\ud800":["\udfff",1],"token":"abc"}"#).unwrap();
        assert_eq!(
            spoiled,
            json!({"a\u{fffd}": ["\u{fffd}", 1], "token": "abc"})
        );
    }

    #[test]
    fn a_number_too_large_is_the_largest_and_spoils_nothing() {
        let digits = format!("-{}", "9".repeat(400));
        let fraction = format!("{}.5", "1".repeat(310));
        for (text, expected) in [
            ("1e999", f64::MAX),
            ("-1E+999", f64::MIN),
            (&*digits, f64::MIN),
            (&*fraction, f64::MAX),
            (LARGEST, f64::MAX),
            ("1e-999", 0.0),
        ] {
            assert_eq!(from_str::<f64>(text).unwrap(), expected, "{text}");
            let beside: Value = from_str(&format!("[{text},\"1e999\"]")).unwrap();
            assert_eq!(beside, json!([expected, "1e999"]), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: u32| {
            let depth = usize::try_from(depth).unwrap();
            "[{\"a\":".repeat(depth / 2) + "[]" + &"}]".repeat(depth / 2)
        };
        for depth in [UNAIDED_DEPTH - 1, UNAIDED_DEPTH + 1, MAX_DEPTH - 2] {
            assert!(from_str::<Value>(&nested(depth)).is_ok(), "{depth}");
        }
        let deepest = format!("[{}]", nested(MAX_DEPTH - 2));
        assert!(from_str::<Value>(&deepest).is_ok());
        assert!(from_str::<Value>(&format!("[{deepest}]")).is_err());
        assert!(from_str::<Value>(&"[".repeat(1_000_000)).is_err());
    }

    #[test]
    fn what_is_no_json_stays_refused() {
        for text in [
            "",
            "\"",
            "\"\\",
            "\"\\é",
            r#""\ud83"#,
            r#""\ud83d"#,
            r#"{"a":"\ud800""#,
            r#""\ud800"x"#,
            r#"[1e999e9]"#,
            "[-e999]",
            "01e999",
            r#""\ud8é""#,
            "\"\\ud8\u{1}\"",
            r#""\u+d80""#,
        ] {
            assert!(from_str::<Value>(text).is_err(), "{text}");
        }
    }
}
