//! Why a case did not pass.

use std::fmt;
use std::io;

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
            message: format!("expected {expected}; came {came}"),
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

/// Fails with "expected …; came …" unless the claim holds.
pub(crate) fn ensure(claim: bool, expected: impl fmt::Display, came: impl fmt::Display) -> Verdict {
    if claim {
        Ok(())
    } else {
        Err(Failure::unmet(expected, came))
    }
}
