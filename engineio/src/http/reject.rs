//! Refusals and their exact bytes (EIO4-ERR).

use std::borrow::Cow;

/// One row of the error table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    TransportUnknown,
    SessionUnknown,
    HandshakeMethod,
    BadRequest,
    /// The admission hook's text, or the default.
    Forbidden(Option<String>),
    UnsupportedVersion,
}

impl Rejection {
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::TransportUnknown => 0,
            Self::SessionUnknown => 1,
            Self::HandshakeMethod => 2,
            Self::BadRequest => 3,
            Self::Forbidden(_) => 4,
            Self::UnsupportedVersion => 5,
        }
    }

    pub(crate) fn message(&self) -> &str {
        match self {
            Self::TransportUnknown => "Transport unknown",
            Self::SessionUnknown => "Session ID unknown",
            Self::HandshakeMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden(message) => message.as_deref().unwrap_or("Forbidden"),
            Self::UnsupportedVersion => "Unsupported protocol version",
        }
    }

    /// The status of a plain request's refusal; an upgrade request's is always 400 (EIO4-ERR-05).
    pub(crate) const fn status(&self) -> u16 {
        match self {
            Self::Forbidden(_) => 403,
            _ => 400,
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
                Rejection::Forbidden(None),
                403,
                r#"{"code":4,"message":"Forbidden"}"#,
            ),
            (
                Rejection::Forbidden(Some("no \"ticket\"".to_owned())),
                403,
                r#"{"code":4,"message":"no \"ticket\""}"#,
            ),
            (
                Rejection::UnsupportedVersion,
                400,
                r#"{"code":5,"message":"Unsupported protocol version"}"#,
            ),
        ] {
            assert_eq!(rejection.status(), status);
            assert_eq!(rejection.json(), json);
        }
    }
}
