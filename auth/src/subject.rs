//! Whose a grant is.

use std::fmt;
use std::sync::Arc;

/// Whose a grant is: the name of a subject, and the issuer that gave it the name.
///
/// A `sub` is unique in the context of its issuer (RFC 7519 §4.1.2). So two subjects are equal only when both are: user
/// 1 of one issuer is not user 1 of another, nor the user 1 that the application itself knows. A clone is cheap.
///
/// ```
/// use socketio_auth::Subject;
///
/// let ann = Subject::new("1").with_issuer("https://a.example");
/// assert_ne!(ann, Subject::new("1").with_issuer("https://b.example"));
/// assert_ne!(ann, Subject::new("1"));
/// assert_eq!((ann.id(), ann.issuer()), ("1", Some("https://a.example")));
/// ```
///
/// Its `Display` is the name alone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Subject(Arc<Name>);

/// Behind one pointer: every member of a guarded namespace has one in its grant and another in its machine.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Name {
    issuer: Option<Arc<str>>,
    id: Box<str>,
}

impl Subject {
    /// A subject that no issuer named: the application knows it itself.
    pub fn new(id: impl Into<Box<str>>) -> Self {
        Self(Arc::new(Name {
            issuer: None,
            id: id.into(),
        }))
    }

    /// Sets who named it.
    #[must_use]
    pub fn with_issuer(mut self, issuer: impl Into<Arc<str>>) -> Self {
        Arc::make_mut(&mut self.0).issuer = Some(issuer.into());
        self
    }

    /// Its name (`sub`). Compare whole subjects, unless there is one issuer.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Who named it (`iss`).
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.0.issuer.as_deref()
    }
}

impl From<&str> for Subject {
    fn from(id: &str) -> Self {
        Self::new(id)
    }
}

impl From<String> for Subject {
    fn from(id: String) -> Self {
        Self::new(id)
    }
}

impl From<Box<str>> for Subject {
    fn from(id: Box<str>) -> Self {
        Self::new(id)
    }
}

impl From<Arc<str>> for Subject {
    fn from(id: Arc<str>) -> Self {
        Self::new(&*id)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.id.fmt(f)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.issuer {
            None => write!(f, "Subject({:?})", self.0.id),
            Some(issuer) => write!(f, "Subject({:?} of {issuer:?})", self.0.id),
        }
    }
}
