//! Refusals and their exact bytes (EIO4-ERR).

use std::borrow::Cow;

use http::StatusCode;

/// Why an admission hook refuses a handshake.
///
/// ```
/// use http::StatusCode;
///
/// let refusal = engineio::Refusal::forbidden()
///     .message("come back with a ticket")
///     .status(StatusCode::UNAUTHORIZED);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    message: Option<String>,
    status: StatusCode,
}

impl Refusal {
    /// Refused with the message `Forbidden` (code 4).
    //= EIO4-ERR-06
    #[must_use]
    pub const fn forbidden() -> Self {
        Self {
            message: None,
            status: StatusCode::FORBIDDEN,
        }
    }

    /// Replaces the text the client sees.
    #[must_use]
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Replaces the status, 403 by default. A handshake on WebSocket is refused with 400 whatever the reason.
    //= EIO4-ERR-05
    #[must_use]
    pub const fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

/// One row of the error table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    TransportUnknown,
    SessionUnknown,
    HandshakeMethod,
    BadRequest,
    /// By the admission hook.
    Refused(Refusal),
    UnsupportedVersion,
}

impl Rejection {
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::TransportUnknown => 0,
            Self::SessionUnknown => 1,
            Self::HandshakeMethod => 2,
            Self::BadRequest => 3,
            Self::Refused(_) => 4,
            Self::UnsupportedVersion => 5,
        }
    }

    pub(crate) fn message(&self) -> &str {
        match self {
            Self::TransportUnknown => "Transport unknown",
            Self::SessionUnknown => "Session ID unknown",
            Self::HandshakeMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Refused(refusal) => refusal.message.as_deref().unwrap_or("Forbidden"),
            Self::UnsupportedVersion => "Unsupported protocol version",
        }
    }

    /// The status of a plain request's refusal; an upgrade request's is always 400 (EIO4-ERR-05).
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Refused(refusal) => refusal.status,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The body of a plain request's refusal (EIO4-ERR-01).
    pub(crate) fn json(&self) -> String {
        format!(
            "{{\"code\":{},\"message\":{}}}",
            self.code(),
            json_string(self.message())
        )
    }
}

/// A JSON string literal.
pub(crate) fn json_string(text: &str) -> Cow<'static, str> {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            control if control < ' ' => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_has_its_bytes() {
        for (rejection, status, json) in [
            (
                Rejection::TransportUnknown,
                400,
                r#"{"code":0,"message":"Transport unknown"}"#,
            ),
            (
                Rejection::SessionUnknown,
                400,
                r#"{"code":1,"message":"Session ID unknown"}"#,
            ),
            (
                Rejection::HandshakeMethod,
                400,
                r#"{"code":2,"message":"Bad handshake method"}"#,
            ),
            (
                Rejection::BadRequest,
                400,
                r#"{"code":3,"message":"Bad request"}"#,
            ),
            (
                Rejection::Refused(Refusal::forbidden()),
                403,
                r#"{"code":4,"message":"Forbidden"}"#,
            ),
            (
                Rejection::Refused(
                    Refusal::forbidden()
                        .message("no \"ticket\"")
                        .status(StatusCode::UNAUTHORIZED),
                ),
                401,
                r#"{"code":4,"message":"no \"ticket\""}"#,
            ),
            (
                Rejection::UnsupportedVersion,
                400,
                r#"{"code":5,"message":"Unsupported protocol version"}"#,
            ),
        ] {
            assert_eq!(rejection.status().as_u16(), status);
            assert_eq!(rejection.json(), json);
        }
    }
}
