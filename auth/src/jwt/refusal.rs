//! Why a token was not accepted.

use std::borrow::Cow;

use crate::rejection::code::{Code, Rejection};

/// What becomes of a token that is not accepted.
pub(super) enum Refusal {
    /// Why not.
    NotMine(Cow<'static, str>),
    Rejected(Rejection),
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<&'static str> for Refusal {
    fn from(detail: &'static str) -> Self {
        Self::Rejected(invalid(detail))
    }
}

impl From<Cow<'static, str>> for Refusal {
    fn from(detail: Cow<'static, str>) -> Self {
        Self::Rejected(invalid(detail))
    }
}

/// The refusal that tells the client nothing and the log why.
pub(super) fn invalid(detail: impl Into<Cow<'static, str>>) -> Rejection {
    Rejection::new(Code::InvalidToken).with_detail(detail)
}
