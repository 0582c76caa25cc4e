//! What is told of authentication, to whoever keeps the books.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::authorize::authorizer::Action;
use crate::base::fingerprint::Fingerprint;
use crate::grant::GrantFacts;
use crate::presented::context::AuthContext;
use crate::presented::credential::{Credential, SourceKind};
use crate::rejection::code::{Code, Rejection};

/// How much of a connection's binding a log shows.
const SHOWN_CONNECTION_BYTES: usize = 12;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum AuditKind<'a> {
    /// A verification begins.
    Attempt,
    /// A client is in.
    Accepted,
    /// A client was refused.
    Rejected(&'a Rejection),
    /// A client did not authenticate in time.
    Timeout(&'a Rejection),
    /// A grant was renewed.
    Refreshed,
    /// A renewal named another subject.
    Mismatch(&'a Rejection),
    /// Another subject takes the socket over, as the policy allows.
    Switched,
    /// A client was told that its grant is about to end.
    Expiring {
        /// How long it still holds.
        expires_in: Duration,
    },
    /// A grant ended on a live socket, or a token had ended when it came.
    Expired(&'a Rejection),
    /// A grant was revoked, or a token had been when it came.
    Revoked(&'a Rejection),
    /// The authorizer denied an action.
    Denied(Action<'a>),
    /// A client comes too often or failed too often.
    RateLimited(&'a Rejection),
    /// The keys of an issuer were fetched, see [`AuthEvent::key_set`].
    KeysRefreshed,
    /// Keys of an issuer are passed over: tokens that they signed are refused.
    KeysSkipped {
        /// Which, and why.
        detail: &'a str,
    },
    /// The keys of an issuer could not be fetched.
    KeysFailed {
        /// Why.
        detail: &'a str,
    },
    /// An authenticator panicked.
    Panic,
}

impl<'a> AuditKind<'a> {
    /// The kind of event that a refusal is.
    #[must_use]
    pub fn of_rejection(rejection: &'a Rejection) -> Self {
        match rejection.code() {
            Code::AuthTimeout => Self::Timeout(rejection),
            Code::IdentityMismatch => Self::Mismatch(rejection),
            Code::TokenExpired => Self::Expired(rejection),
            Code::TokenRevoked => Self::Revoked(rejection),
            Code::RateLimited | Code::TooManyAttempts => Self::RateLimited(rejection),
            Code::AuthUnavailable if rejection.is_panic() => Self::Panic,
            _ => Self::Rejected(rejection),
        }
    }

    /// Why somebody was refused or put out, where that is what happened.
    #[must_use]
    pub const fn rejection(&self) -> Option<&'a Rejection> {
        match self {
            Self::Rejected(rejection)
            | Self::Timeout(rejection)
            | Self::Mismatch(rejection)
            | Self::Expired(rejection)
            | Self::Revoked(rejection)
            | Self::RateLimited(rejection) => Some(rejection),
            _ => None,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Attempt => "attempt",
            Self::Accepted => "accepted",
            Self::Rejected(_) => "rejected",
            Self::Timeout(_) => "timeout",
            Self::Refreshed => "refreshed",
            Self::Mismatch(_) => "mismatch",
            Self::Switched => "switched",
            Self::Expiring { .. } => "expiring",
            Self::Expired(_) => "expired",
            Self::Revoked(_) => "revoked",
            Self::Denied(_) => "denied",
            Self::RateLimited(_) => "rate_limited",
            Self::KeysRefreshed => "keys_refreshed",
            Self::KeysSkipped { .. } => "keys_skipped",
            Self::KeysFailed { .. } => "keys_failed",
            Self::Panic => "panic",
        }
    }
}

/// One entry of the books. What is not known is `None`.
///
/// There is no token in it, and no subject that was not verified. Its `Display` is one line in which everything
/// that a client can choose is quoted.
///
/// ```
/// use socketio_auth::{AuditKind, AuthContext, AuthEvent, Credential, SourceKind};
///
/// let context = AuthContext::new("/admin");
/// let credential = Credential::new("eyJhbGciOi", SourceKind::Payload);
/// let event = AuthEvent::new(AuditKind::Attempt)
///     .in_context(&context)
///     .with_credential(&credential);
/// assert_eq!(event.to_string(), r#"auth attempt namespace="/admin" source=payload token=oHM4bZfinOo"#);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct AuthEvent<'a> {
    /// What happened.
    pub kind: AuditKind<'a>,
    /// Which connection: the beginning of its [binding](AuthContext::binding).
    pub connection: Option<&'a str>,
    /// The namespace, as the client spelled it.
    pub namespace: Option<&'a str>,
    /// The address of the client.
    pub peer: Option<SocketAddr>,
    /// The `Origin` of the opening request.
    pub origin: Option<&'a str>,
    /// Where the credential came from.
    pub source: Option<SourceKind>,
    /// What stands for the token.
    pub fingerprint: Option<Fingerprint>,
    /// Whose grant it is, once verified.
    pub subject: Option<&'a str>,
    /// Who issued the credential, once verified.
    pub issuer: Option<&'a str>,
    /// The key that verified it.
    pub key_id: Option<&'a str>,
    /// The algorithm that verified it.
    pub algorithm: Option<&'a str>,
    /// Where the keys of an issuer are published.
    pub key_set: Option<&'a str>,
    /// How long the verification took.
    pub latency: Option<Duration>,
}

impl<'a> AuthEvent<'a> {
    /// An event of which nothing else is known.
    #[must_use]
    pub const fn new(kind: AuditKind<'a>) -> Self {
        Self {
            kind,
            connection: None,
            namespace: None,
            peer: None,
            origin: None,
            source: None,
            fingerprint: None,
            subject: None,
            issuer: None,
            key_id: None,
            algorithm: None,
            key_set: None,
            latency: None,
        }
    }

    /// Adds connection, namespace, peer and origin.
    #[must_use]
    pub fn in_context(mut self, cx: &'a AuthContext) -> Self {
        self.connection = cx
            .binding()
            .map(|binding| binding.get(..SHOWN_CONNECTION_BYTES).unwrap_or(binding));
        self.namespace = Some(cx.namespace());
        self.peer = cx.peer();
        self.origin = cx.origin();
        self
    }

    /// Adds the source and what stands for the token.
    #[must_use]
    pub fn with_credential(mut self, credential: &Credential) -> Self {
        self.source = Some(credential.source());
        self.fingerprint = Some(credential.fingerprint());
        self
    }

    /// Adds what was verified.
    #[must_use]
    pub fn with_grant(mut self, grant: &'a GrantFacts) -> Self {
        self.subject = Some(grant.subject().id());
        self.issuer = grant.issuer();
        self.key_id = grant.key_id();
        self.algorithm = grant.algorithm();
        self
    }

    /// Adds where the keys are published.
    #[must_use]
    pub const fn with_key_set(mut self, url: &'a str) -> Self {
        self.key_set = Some(url);
        self
    }

    /// Adds how long the verification took.
    #[must_use]
    pub const fn with_latency(mut self, latency: Duration) -> Self {
        self.latency = Some(latency);
        self
    }
}

impl fmt::Display for AuthEvent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "auth {}", self.kind.as_str())?;
        match self.kind {
            // The other words stand for one code.
            AuditKind::Rejected(rejection) | AuditKind::RateLimited(rejection) => {
                write!(f, " code={}", rejection.code())?;
            }
            AuditKind::Expiring { expires_in } => {
                write!(f, " expires_in={}", expires_in.as_secs())?;
            }
            AuditKind::Denied(action) => {
                write!(
                    f,
                    " action={} object={:?}",
                    action.kind().as_str(),
                    action.object()
                )?;
            }
            AuditKind::KeysFailed { detail } | AuditKind::KeysSkipped { detail } => {
                write!(f, " detail={detail:?}")?;
            }
            _ => {}
        }
        if let Some(detail) = self.kind.rejection().and_then(Rejection::detail) {
            write!(f, " detail={detail:?}")?;
        }
        for (name, text) in [
            ("connection", self.connection),
            ("namespace", self.namespace),
            ("origin", self.origin),
            ("subject", self.subject),
            ("issuer", self.issuer),
            ("key", self.key_id),
            ("key_set", self.key_set),
        ] {
            if let Some(text) = text {
                write!(f, " {name}={text:?}")?;
            }
        }
        if let Some(peer) = self.peer {
            write!(f, " peer={peer}")?;
        }
        if let Some(source) = self.source {
            write!(f, " source={}", source.as_str())?;
        }
        if let Some(fingerprint) = self.fingerprint {
            write!(f, " token={fingerprint}")?;
        }
        if let Some(algorithm) = self.algorithm {
            write!(f, " algorithm={algorithm}")?;
        }
        if let Some(latency) = self.latency {
            write!(f, " latency_us={}", latency.as_micros())?;
        }
        Ok(())
    }
}

/// Keeps the books. A closure `Fn(&AuthEvent<'_>)` is one.
///
/// Called on the connection's own task: it must not block, so hand the event on to a queue of your own.
///
/// ```
/// use socketio_auth::{AuditSink, AuthEvent};
///
/// fn takes_sink(_: impl AuditSink) {}
///
/// takes_sink(|event: &AuthEvent<'_>| eprintln!("{event}"));
/// ```
pub trait AuditSink: Send + Sync + 'static {
    /// Takes in one event.
    fn event(&self, event: &AuthEvent<'_>);
}

/// One sink for several: the server and its key sets.
///
/// ```
/// use std::sync::Arc;
/// use socketio_auth::{AuditSink, AuthEvent};
///
/// let books: Arc<dyn AuditSink> = Arc::new(|event: &AuthEvent<'_>| eprintln!("{event}"));
/// fn takes_sink(_: impl AuditSink) {}
/// takes_sink(Arc::clone(&books));
/// ```
impl AuditSink for Arc<dyn AuditSink> {
    fn event(&self, event: &AuthEvent<'_>) {
        (**self).event(event);
    }
}

impl<F: Fn(&AuthEvent<'_>) + Send + Sync + 'static> AuditSink for F {
    fn event(&self, event: &AuthEvent<'_>) {
        self(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Grant;

    #[test]
    fn a_line_tells_everything_and_quotes_what_clients_choose() {
        let cx = AuthContext::new("/a\nauth accepted")
            .with_peer(SocketAddr::from(([192, 0, 2, 1], 80)))
            .with_origin("https://a.example")
            .with_binding("0123456789abcdef");
        let grant = Grant::new((), "ann")
            .with_issuer("idp")
            .with_key_id("k1")
            .with_algorithm("ES256");
        let rejection = Rejection::new(Code::InvalidToken).with_detail("no \"key\"");
        let event = AuthEvent::new(AuditKind::of_rejection(&rejection))
            .in_context(&cx)
            .with_grant(grant.facts())
            .with_latency(Duration::from_micros(7));
        assert_eq!(
            event.to_string(),
            "auth rejected code=invalid_token detail=\"no \\\"key\\\"\" connection=\"0123456789ab\" \
             namespace=\"/a\\nauth accepted\" origin=\"https://a.example\" subject=\"ann\" \
             issuer=\"idp\" key=\"k1\" peer=192.0.2.1:80 algorithm=ES256 latency_us=7"
        );
    }

    #[test]
    fn refusals_are_told_by_what_they_mean() {
        for (code, word) in [
            (Code::AuthTimeout, "timeout"),
            (Code::IdentityMismatch, "mismatch"),
            (Code::TokenExpired, "expired"),
            (Code::TokenRevoked, "revoked"),
            (Code::RateLimited, "rate_limited"),
            (Code::TooManyAttempts, "rate_limited"),
            (Code::InvalidToken, "rejected"),
            (Code::AuthUnavailable, "rejected"),
        ] {
            let rejection = Rejection::new(code).with_detail("why");
            let kind = AuditKind::of_rejection(&rejection);
            assert_eq!((kind.as_str(), kind.rejection()), (word, Some(&rejection)));
            // No line keeps the reason to itself, and where a word stands for several codes it says which.
            let line = AuthEvent::new(kind).to_string();
            assert!(line.ends_with(" detail=\"why\""), "{line}");
            if matches!(word, "rejected" | "rate_limited") {
                assert!(line.contains(&format!(" code={code} ")), "{line}");
            }
        }
        let panicked = Rejection::panicked();
        assert_eq!(AuditKind::of_rejection(&panicked), AuditKind::Panic);
    }
}
