//! Why an attempt was refused: the code clients match on, and the rejection that carries it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// The machine-readable reason of a refusal, as clients see it.
///
/// ```
/// use socketio_auth::Code;
///
/// assert_eq!(Code::TokenExpired.as_str(), "token_expired");
/// assert!(Code::AuthUnavailable.is_retryable());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// No credential was sent, or an empty or `null` one.
    CredentialsRequired,
    /// A credential was sent in a form that cannot be one: a number, an object, a header without a token.
    CredentialsBadFormat,
    /// The only credential was an `Authorization` header of a scheme nobody here speaks.
    CredentialsBadScheme,
    /// The policy takes the `Authorization` header only, and there was none.
    MissingAuthorizationHeader,
    /// Two different credentials were sent at once; none is preferred over another.
    AmbiguousCredentials,
    /// The credential does not hold: wrong signature, wrong audience, undecodable and so on.
    InvalidToken,
    /// The token was good once; sent only when its signature holds.
    TokenExpired,
    /// The token, its subject or its session was revoked.
    TokenRevoked,
    /// A renewal named another subject than the one that is connected.
    IdentityMismatch,
    /// An `authenticate` came while another one was being verified.
    AuthInProgress,
    /// The client did not authenticate in time.
    AuthTimeout,
    /// This connection has used up its failed attempts.
    TooManyAttempts,
    /// Attempts come faster than allowed.
    RateLimited,
    /// The grant lacks what the action needs.
    InsufficientScope,
    /// A cookie came from a page of an origin that is not on the list.
    OriginNotAllowed,
    /// The server could not decide now; trying again later may help.
    AuthUnavailable,
}

impl Code {
    /// The code as sent on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CredentialsRequired => "credentials_required",
            Self::CredentialsBadFormat => "credentials_bad_format",
            Self::CredentialsBadScheme => "credentials_bad_scheme",
            Self::MissingAuthorizationHeader => "missing_authorization_header",
            Self::AmbiguousCredentials => "ambiguous_credentials",
            Self::InvalidToken => "invalid_token",
            Self::TokenExpired => "token_expired",
            Self::TokenRevoked => "token_revoked",
            Self::IdentityMismatch => "identity_mismatch",
            Self::AuthInProgress => "auth_in_progress",
            Self::AuthTimeout => "auth_timeout",
            Self::TooManyAttempts => "too_many_attempts",
            Self::RateLimited => "rate_limited",
            Self::InsufficientScope => "insufficient_scope",
            Self::OriginNotAllowed => "origin_not_allowed",
            Self::AuthUnavailable => "auth_unavailable",
        }
    }

    /// The fixed sentence sent with the code unless the rejection brings its own. It never tells what was
    /// expected.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::CredentialsRequired => "no credentials were sent",
            Self::CredentialsBadFormat => "the credentials have a wrong format",
            Self::CredentialsBadScheme => "the authorization scheme is not supported",
            Self::MissingAuthorizationHeader => "the Authorization header is missing",
            Self::AmbiguousCredentials => "different credentials were sent at once",
            Self::InvalidToken => "the token is not valid",
            Self::TokenExpired => "the token has expired",
            Self::TokenRevoked => "the token has been revoked",
            Self::IdentityMismatch => "the token belongs to another identity",
            Self::AuthInProgress => "authentication is already in progress",
            Self::AuthTimeout => "authentication timeout",
            Self::TooManyAttempts => "too many failed attempts",
            Self::RateLimited => "too many requests",
            Self::InsufficientScope => "insufficient scope",
            Self::OriginNotAllowed => "the origin is not allowed",
            Self::AuthUnavailable => "authentication is not available, try again later",
        }
    }

    /// True when the same credential may succeed later.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::AuthUnavailable | Self::RateLimited | Self::AuthInProgress
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal: a code and a message for the client, and a detail that stays on the server.
///
/// ```
/// use socketio_auth::{Code, Rejection};
///
/// let rejection = Rejection::new(Code::InvalidToken)
///     .with_message("account suspended")
///     .with_detail("user 42, ticket 7");
/// assert_eq!(rejection.message(), "account suspended");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    code: Code,
    message: Cow<'static, str>,
    detail: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    is_panic: bool,
}

impl Rejection {
    /// A refusal with the message that belongs to `code`.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self {
            code,
            message: Cow::Borrowed(code.message()),
            detail: None,
            retry_after: None,
            is_panic: false,
        }
    }

    /// The refusal for a failure that is not the client's fault: a database or key server that cannot be reached.
    /// `detail` is for the log only.
    #[must_use]
    pub fn unavailable(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::AuthUnavailable).with_detail(detail)
    }

    /// The refusal for a panic of user code that was caught: [`Code::AuthUnavailable`] to the client, whose connection is
    /// closed unless other namespaces are open on it. What the panic said is left out: it may quote the token.
    #[must_use]
    pub fn panicked() -> Self {
        Self {
            is_panic: true,
            ..Self::unavailable("the authenticator panicked")
        }
    }

    /// True for [`panicked`](Self::panicked).
    #[must_use]
    pub const fn is_panic(&self) -> bool {
        self.is_panic
    }

    /// Replaces the message. The client sees it.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    /// Adds what the operator should know. It never leaves the server; keep tokens out of it.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds how long the client should wait before it tries again. It sees `retry_after` beside the code, in whole
    /// seconds.
    #[must_use]
    pub const fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The code.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The message for the client.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the operator should know.
    #[must_use]
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// How long the client should wait.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl From<Code> for Rejection {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

/// The code and the message, never the detail.
impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Rejection {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_hides_the_detail() {
        let rejection = Rejection::unavailable("db at 10.0.0.7 is down");
        assert!(!rejection.to_string().contains("10.0.0.7"));
        assert_eq!(rejection.detail(), Some("db at 10.0.0.7 is down"));
    }
}
