//! Why a case did not pass.

use std::fmt;
use std::io;

/// Bytes of a message that are shown; the rest is counted.
const SHOWN_BYTES: usize = 2000;

/// What a case, or a step of one, ends with.
pub type Verdict<T = ()> = Result<T, Failure>;

/// Why a case did not pass: what was expected and what came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    kind: Kind,
    message: String,
}

/// Who is to blame for a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The server answered, but not as the rule says.
    Unmet,
    /// No connection to the server could be made.
    Unreachable,
    /// The server said nothing within the limit.
    Silent,
}

impl Failure {
    /// The server did something else than the rule says.
    #[must_use]
    pub fn unmet(expected: impl fmt::Display, came: impl fmt::Display) -> Self {
        Self {
            kind: Kind::Unmet,
            message: cut(format!("expected {expected}; came {came}")),
        }
    }

    /// A namespace does not let anybody in who has nothing to show.
    pub(crate) fn refused(namespace: &str, answer: impl fmt::Display) -> Self {
        Self {
            kind: Kind::Unmet,
            message: cut(format!("`{namespace}` refuses the CONNECT with {answer}")),
        }
    }

    pub(crate) fn unreachable(server: impl fmt::Display, error: &io::Error) -> Self {
        Self {
            kind: Kind::Unreachable,
            message: format!("no connection to {server}: {error}"),
        }
    }

    pub(crate) fn silent(expected: impl fmt::Display, waited: impl fmt::Display) -> Self {
        Self {
            kind: Kind::Silent,
            message: format!("expected {expected}; nothing came within {waited}"),
        }
    }

    /// The case was still busy when its time was up, for example because the server never stopped saying something.
    pub(crate) fn unfinished(limit: impl fmt::Display) -> Self {
        Self {
            kind: Kind::Silent,
            message: format!("expected the case's end; it was not done within {limit}"),
        }
    }

    /// The same, with where it happened.
    pub(crate) fn at(self, place: impl fmt::Display) -> Self {
        Self {
            message: format!("{place}: {}", self.message),
            ..self
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// A megabyte that came back wrong is as hard to read as it is to keep in a report.
fn cut(mut message: String) -> String {
    let (whole, mut end) = (message.len(), SHOWN_BYTES);
    if whole > SHOWN_BYTES {
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        message.truncate(end);
        message.push_str(&format!("… ({whole} bytes)"));
    }
    message
}

/// Fails with "expected …; came …" unless the claim holds.
pub(crate) fn ensure(claim: bool, expected: impl fmt::Display, came: impl fmt::Display) -> Verdict {
    if claim {
        Ok(())
    } else {
        Err(Failure::unmet(expected, came))
    }
}

#[cfg(test)]
mod tests {
    use super::{Failure, SHOWN_BYTES};

    #[test]
    fn a_long_message_is_cut_and_counted_even_inside_a_character() {
        let long = Failure::unmet("x", "€".repeat(SHOWN_BYTES)).to_string();
        assert!(long.len() < SHOWN_BYTES + 40, "{}", long.len());
        assert!(
            long.ends_with("€… (6017 bytes)"),
            "{}",
            &long[SHOWN_BYTES - 9..]
        );
        let short = Failure::unmet("x", "y").to_string();
        assert_eq!(short, "expected x; came y");
    }
}
