//! Refused requests, as a hook sees them.

use std::fmt;

use super::reject::Rejection;

/// Why a request was refused, for [`Config::on_connection_error`](crate::Config::on_connection_error).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionError {
    /// The code of the error table, 0 to 5 (EIO4-ERR); `None` for refusals outside it, such as 503.
    pub code: Option<u8>,
    /// The text the client was sent.
    pub message: String,
    /// The HTTP status it was sent with.
    pub status: u16,
    /// What was wrong, in words for a log. It repeats nothing the client sent.
    pub context: &'static str,
}

impl ConnectionError {
    pub(crate) fn rejected(rejection: &Rejection, context: &'static str) -> Self {
        Self {
            code: Some(rejection.code()),
            message: rejection.message().to_owned(),
            status: rejection.status().as_u16(),
            context,
        }
    }
}

impl ConnectionError {
    /// A refusal outside the error table.
    pub(crate) fn refused(status: u16, message: &'static str) -> Self {
        Self {
            code: None,
            message: message.to_owned(),
            status,
            context: message,
        }
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.context)
    }
}

impl std::error::Error for ConnectionError {}
