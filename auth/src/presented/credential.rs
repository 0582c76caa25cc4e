//! Credentials and how they are collected: every source is asked, none overrides another.

use super::request::HandshakeView;
use crate::base::fingerprint::Fingerprint;
use crate::base::secret::Secret;
use crate::rejection::code::Code;

/// Where a credential came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SourceKind {
    /// The payload of the CONNECT packet.
    Payload,
    /// The `Authorization` header.
    Authorization,
    /// Another header.
    Header,
    /// A cookie.
    Cookie,
    /// The query string.
    Query,
    /// An `authenticate` event.
    Event,
    /// A source of the application's own.
    Custom,
}

impl SourceKind {
    /// A word for logs.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payload => "payload",
            Self::Authorization => "authorization",
            Self::Header => "header",
            Self::Cookie => "cookie",
            Self::Query => "query",
            Self::Event => "event",
            Self::Custom => "custom",
        }
    }
}

/// What a client presented to prove who it is.
///
/// ```
/// use socketio_auth::{Credential, SourceKind};
///
/// let credential = Credential::new("eyJhbGciOi", SourceKind::Payload);
/// assert_eq!(credential.token(), "eyJhbGciOi");
/// assert!(!format!("{credential:?}").contains("eyJ"));
/// ```
#[derive(Clone, Debug)]
pub struct Credential {
    secret: Secret,
    source: SourceKind,
}

impl Credential {
    /// A credential with this text.
    #[must_use]
    pub fn new(token: impl Into<String>, source: SourceKind) -> Self {
        Self {
            secret: Secret::new(token),
            source,
        }
    }

    /// The text as the client sent it, without a `Bearer` prefix. Do not log it.
    #[must_use]
    pub fn token(&self) -> &str {
        self.secret.expose()
    }

    /// The text, still guarded.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        &self.secret
    }

    /// What a log may show of it.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.secret)
    }

    /// Where it came from.
    #[must_use]
    pub const fn source(&self) -> SourceKind {
        self.source
    }
}

/// What one source, or several together, found in a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Extract {
    /// One credential.
    Found(Credential),
    /// Nothing.
    Absent,
    /// An `Authorization` header of a scheme that is not ours: nothing, if another source has a credential.
    ForeignScheme,
    /// Something that ends the attempt, whatever other sources found.
    Malformed(Code),
}

impl Extract {
    /// Joins what two sources found. The order does not matter.
    ///
    /// Two equal credentials are one; two different ones are [`Code::AmbiguousCredentials`]; a malformed source
    /// spoils a good one.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        match (self, other) {
            (found, Self::Absent) | (Self::Absent, found) => found,
            (Self::Malformed(a), Self::Malformed(b)) => Self::Malformed(graver(a, b)),
            (Self::Malformed(code), _) | (_, Self::Malformed(code)) => Self::Malformed(code),
            (Self::Found(a), Self::Found(b)) if a.secret == b.secret => Self::Found(a),
            (Self::Found(_), Self::Found(_)) => Self::Malformed(Code::AmbiguousCredentials),
            (Self::Found(found), _) | (_, Self::Found(found)) => Self::Found(found),
            (Self::ForeignScheme, Self::ForeignScheme) => Self::ForeignScheme,
        }
    }
}

/// A foreign origin outweighs a wrong form, which outweighs a contradiction.
fn graver(a: Code, b: Code) -> Code {
    for code in [Code::OriginNotAllowed, Code::CredentialsBadFormat] {
        if a == code || b == code {
            return code;
        }
    }
    a
}

/// A part of the opening request that a [source](CredentialSource::places) takes a credential from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place<'a> {
    /// A header, by its name; ASCII case does not matter.
    Header(&'a str),
    /// A query parameter, by its decoded name.
    Query(&'a str),
}

/// A place in the handshake where a credential may be.
///
/// Sources are pure and do no I/O. A source looks either at the HTTP request or at the CONNECT payload, not at
/// both: the server asks at the opening request without a payload and at CONNECT without a request, and
/// [merges](Extract::merge) the answers, so that headers need not be kept.
///
/// ```
/// use socketio_auth::{AuthField, BearerHeader, CredentialSource};
///
/// let sources = AuthField("token").or(BearerHeader);
/// # let _ = sources;
/// ```
pub trait CredentialSource: Send + Sync + 'static {
    /// Looks for a credential.
    fn extract(&self, request: &HandshakeView<'_>) -> Extract;

    /// The code for a client that sent nothing; [`Code::CredentialsRequired`] unless overridden.
    fn missing_code(&self) -> Code {
        Code::CredentialsRequired
    }

    /// Shows every part of the opening request that it looks at, so that the server keeps none of them: whatever
    /// handlers, hooks and logs see of the request is without them. A source of your own that reads the request
    /// names its places here. Shows nothing unless overridden.
    fn places(&self, visit: &mut dyn FnMut(Place<'_>)) {
        let _ = visit;
    }

    /// True when it finds nothing in an opening request that has none of the [places](Self::places) it shows, so that
    /// the server need not ask it about such a request. False unless overridden: a source that did not say where it
    /// looks is always asked.
    fn is_confined(&self) -> bool {
        false
    }

    /// Asks another source as well. Both are always asked, see [`Extract::merge`].
    fn or<B: CredentialSource>(self, other: B) -> Or<Self, B>
    where
        Self: Sized,
    {
        Or(self, other)
    }
}

/// Two sources, made by [`CredentialSource::or`].
#[derive(Clone, Debug)]
pub struct Or<A, B>(A, B);

impl<A: CredentialSource, B: CredentialSource> CredentialSource for Or<A, B> {
    fn extract(&self, request: &HandshakeView<'_>) -> Extract {
        self.0.extract(request).merge(self.1.extract(request))
    }

    fn missing_code(&self) -> Code {
        let (first, second) = (self.0.missing_code(), self.1.missing_code());
        if first == second {
            first
        } else {
            Code::CredentialsRequired
        }
    }

    fn places(&self, visit: &mut dyn FnMut(Place<'_>)) {
        self.0.places(visit);
        self.1.places(visit);
    }

    fn is_confined(&self) -> bool {
        self.0.is_confined() && self.1.is_confined()
    }
}
