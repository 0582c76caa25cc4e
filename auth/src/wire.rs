//! The exact JSON of every message, for both dialects.

use std::time::Duration;

use serde::Serialize;

use crate::rejection::code::{Code, Rejection};

/// Which convention of two-round-trip messages a namespace speaks. It names events and shapes, nothing else.
///
/// ```
/// use socketio_auth::{Code, Dialect};
///
/// assert_eq!(Dialect::SocketIoJwt.authenticated(), r#"["authenticated"]"#);
/// assert_eq!(
///     Dialect::SocketIoAuth.unauthorized(&Code::InvalidToken.into(), false),
///     r#"["unauthorized",{"message":"the token is not valid"}]"#,
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dialect {
    /// `authenticate`, `authenticated`, and errors with a code, as the socketio-jwt package has them.
    SocketIoJwt,
    /// `authentication`, `authenticated` with `true`, and errors with a message, as socketio-auth has them.
    SocketIoAuth,
}

#[derive(Serialize)]
struct Message<'a> {
    message: &'a str,
}

#[derive(Serialize)]
struct ErrorData<'a> {
    message: &'a str,
    code: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

#[derive(Serialize)]
struct ErrorEvent<'a> {
    message: &'a str,
    inner: Message<'a>,
    data: ErrorData<'a>,
}

#[derive(Serialize)]
struct ConnectError<'a> {
    message: &'a str,
    data: ErrorData<'a>,
}

#[derive(Serialize)]
struct AckError<'a> {
    error: ErrorCode<'a>,
}

#[derive(Serialize)]
struct ErrorCode<'a> {
    message: &'a str,
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

#[derive(Serialize)]
struct Lifetime {
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
}

impl Lifetime {
    fn of(expires_in: Option<Duration>) -> Self {
        Self {
            expires_in: expires_in.map(|left| left.as_secs()),
        }
    }
}

impl Dialect {
    /// The event that the client sends; reserved in every namespace with an authenticating policy.
    #[must_use]
    pub const fn authenticate_event(self) -> &'static str {
        match self {
            Self::SocketIoJwt => "authenticate",
            Self::SocketIoAuth => "authentication",
        }
    }

    /// The arguments of the event that tells success, its name included.
    #[must_use]
    pub const fn authenticated(self) -> &'static str {
        match self {
            Self::SocketIoJwt => r#"["authenticated"]"#,
            Self::SocketIoAuth => r#"["authenticated",true]"#,
        }
    }

    /// The arguments of the `unauthorized` event, its name included. It is sent with an ack id.
    #[must_use]
    pub fn unauthorized(self, rejection: &Rejection, legacy_codes: bool) -> String {
        let (message, _) = texts(rejection, legacy_codes);
        match self {
            Self::SocketIoJwt => json(&(
                "unauthorized",
                ErrorEvent {
                    message,
                    inner: Message { message },
                    data: error_data(rejection, legacy_codes),
                },
            )),
            Self::SocketIoAuth => json(&("unauthorized", Message { message })),
        }
    }
}

/// The payload of a CONNECT_ERROR packet of protocol 5.
#[must_use]
pub fn connect_error(rejection: &Rejection, legacy_codes: bool) -> String {
    let (message, _) = texts(rejection, legacy_codes);
    json(&ConnectError {
        message,
        data: error_data(rejection, legacy_codes),
    })
}

/// The payload of an ERROR packet of protocol 4.
#[must_use]
pub fn connect_error_v4(rejection: &Rejection, legacy_codes: bool) -> String {
    json(&error_data(rejection, legacy_codes))
}

/// The arguments of the acknowledgement of a successful `authenticate`.
#[must_use]
pub fn ack_authenticated(expires_in: Option<Duration>) -> String {
    json(&(Lifetime::of(expires_in),))
}

/// The arguments of the acknowledgement of a refused `authenticate`.
#[must_use]
pub fn ack_unauthorized(rejection: &Rejection, legacy_codes: bool) -> String {
    let (message, code) = texts(rejection, legacy_codes);
    json(&(AckError {
        error: ErrorCode {
            message,
            code,
            retry_after: retry_after(rejection),
        },
    },))
}

/// The arguments of the acknowledgement of an event that the authorizer denied: a code and nothing else.
#[must_use]
pub fn ack_denied() -> String {
    #[derive(Serialize)]
    struct Denied {
        error: &'static str,
    }
    json(&(Denied {
        error: Code::InsufficientScope.as_str(),
    },))
}

/// The arguments of the notice that a grant is about to end, the event's name included. One that ends before its time
/// may say why.
#[must_use]
pub fn token_expiring(expires_in: Duration, reason: Option<&str>) -> String {
    #[derive(Serialize)]
    struct Notice<'a> {
        expires_in: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
    }
    // In less than a second is not now.
    let expires_in = match expires_in.as_secs() {
        0 if !expires_in.is_zero() => 1,
        seconds => seconds,
    };
    json(&("token_expiring", Notice { expires_in, reason }))
}

/// The value of the `auth` member of the CONNECT reply: present only for grants that end.
#[must_use]
pub fn connect_reply_auth(expires_in: Option<Duration>) -> Option<String> {
    expires_in.map(|left| json(&Lifetime::of(Some(left))))
}

fn texts(rejection: &Rejection, legacy_codes: bool) -> (&str, &str) {
    if legacy_codes && rejection.code() == Code::TokenExpired {
        ("jwt expired", Code::InvalidToken.as_str())
    } else {
        (rejection.message(), rejection.code().as_str())
    }
}

fn error_data(rejection: &Rejection, legacy_codes: bool) -> ErrorData<'_> {
    let (message, code) = texts(rejection, legacy_codes);
    ErrorData {
        message,
        code,
        // Clients that look at it send people to the login.
        kind: match rejection.code() {
            Code::AuthUnavailable => "UnavailableError",
            _ => "UnauthorizedError",
        },
        retry_after: retry_after(rejection),
    }
}

/// In whole seconds, rounded up: who comes back earlier is refused again.
fn retry_after(rejection: &Rejection) -> Option<u64> {
    let wait = rejection.retry_after()?;
    Some(
        wait.as_secs()
            .saturating_add(u64::from(wait.subsec_nanos() > 0)),
    )
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("strings, numbers and structs always have a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejection() -> Rejection {
        Rejection::new(Code::InvalidToken)
            .with_message("no \"way\"")
            .with_detail("secret")
    }

    #[test]
    fn messages_are_exactly_these() {
        let m = r#"no \"way\""#;
        let data =
            format!(r#"{{"message":"{m}","code":"invalid_token","type":"UnauthorizedError"}}"#);
        assert_eq!(
            Dialect::SocketIoJwt.unauthorized(&rejection(), false),
            format!(
                r#"["unauthorized",{{"message":"{m}","inner":{{"message":"{m}"}},"data":{data}}}]"#
            )
        );
        assert_eq!(
            Dialect::SocketIoAuth.unauthorized(&rejection(), false),
            format!(r#"["unauthorized",{{"message":"{m}"}}]"#)
        );
        assert_eq!(
            connect_error(&rejection(), false),
            format!(r#"{{"message":"{m}","data":{data}}}"#)
        );
        assert_eq!(connect_error_v4(&rejection(), false), data);
        assert_eq!(
            ack_unauthorized(&rejection(), false),
            format!(r#"[{{"error":{{"message":"{m}","code":"invalid_token"}}}}]"#)
        );
        let minute = Some(Duration::from_millis(60_999));
        assert_eq!(ack_authenticated(minute), r#"[{"expires_in":60}]"#);
        assert_eq!(ack_authenticated(None), "[{}]");
        assert_eq!(ack_denied(), r#"[{"error":"insufficient_scope"}]"#);
        assert_eq!(
            token_expiring(Duration::from_secs(30), None),
            r#"["token_expiring",{"expires_in":30}]"#
        );
        assert_eq!(
            token_expiring(Duration::from_secs(30), Some("moving \"house\"")),
            r#"["token_expiring",{"expires_in":30,"reason":"moving \"house\""}]"#
        );
        assert_eq!(
            connect_reply_auth(minute).as_deref(),
            Some(r#"{"expires_in":60}"#)
        );
        assert_eq!(connect_reply_auth(None), None);
    }

    #[test]
    fn who_may_come_back_later_is_told_when() {
        let busy = |wait| Rejection::new(Code::RateLimited).with_retry_after(wait);
        let ends = r#""type":"UnauthorizedError","retry_after":3}"#;
        for wait in [Duration::from_secs(3), Duration::from_millis(2_001)] {
            let rejection = busy(wait);
            let told = Dialect::SocketIoJwt.unauthorized(&rejection, false);
            assert!(told.ends_with(&format!("{ends}}}]")), "{told}");
            assert!(connect_error(&rejection, false).ends_with(&format!("{ends}}}")));
            assert!(connect_error_v4(&rejection, false).ends_with(ends));
            let acked = ack_unauthorized(&rejection, false);
            assert!(acked.ends_with(r#""code":"rate_limited","retry_after":3}}]"#));
        }
    }

    #[test]
    fn who_cannot_be_judged_is_not_sent_to_the_login() {
        let down = connect_error_v4(&Rejection::unavailable("db"), false);
        assert!(down.ends_with(r#""code":"auth_unavailable","type":"UnavailableError"}"#));
        let bad = connect_error_v4(&Code::InvalidToken.into(), false);
        assert!(bad.ends_with(r#""type":"UnauthorizedError"}"#));
    }

    #[test]
    fn less_than_a_second_is_not_now() {
        for (millis, told) in [(0, 0), (1, 1), (999, 1), (1000, 1), (1999, 1), (2000, 2)] {
            assert_eq!(
                token_expiring(Duration::from_millis(millis), None),
                format!(r#"["token_expiring",{{"expires_in":{told}}}]"#)
            );
        }
    }

    #[test]
    fn legacy_codes_change_expiry_only() {
        let expired = connect_error_v4(&Code::TokenExpired.into(), true);
        assert_eq!(
            expired,
            r#"{"message":"jwt expired","code":"invalid_token","type":"UnauthorizedError"}"#
        );
        let other = connect_error_v4(&Code::AuthTimeout.into(), true);
        assert!(other.contains("auth_timeout"));
    }
}
