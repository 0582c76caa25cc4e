//! What is revoked, who knows it, and who has to hear of it.

use std::sync::{Arc, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::grant::GrantFacts;
use crate::subject::Subject;

/// One act of revocation.
///
/// A watermark is in whole Unix seconds: what was issued in that second or before is revoked, and so is what does
/// not tell when it was issued; what is issued later is welcome. What others issued may carry a time of a clock that is ahead,
/// so there the [leeway](crate::GrantFacts::clock_leeway) counts: a token that an issuer makes within it after a logout is
/// refused, too. The serialised form is what servers of a cluster
/// send each other; applying it twice is the same as once.
///
/// Names of subjects, sessions, tokens and keys are an issuer's own. A revocation by the name alone means whoever has it,
/// of whichever issuer, so that one written for a single issuer never misses. Who trusts several says which with
/// [`of_issuer`](Self::of_issuer), or revokes the [`Subject`] of a grant.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use socketio_auth::{Grant, revocation::Revocation};
///
/// let logout = Revocation::subject("user-7", UNIX_EPOCH + Duration::from_secs(100));
/// let issued_at = |seconds| {
///     Grant::new((), "user-7").with_issued_at(UNIX_EPOCH + Duration::from_secs(seconds))
/// };
/// assert!(logout.covers(issued_at(100).facts()));
/// assert!(!logout.covers(issued_at(101).facts()));
/// assert!(logout.covers(Grant::new((), "user-7").facts()));
///
/// let of_a = Revocation::session("s-1").of_issuer("https://a.example");
/// let session = |issuer| Grant::new((), "user-7").with_issuer(issuer).with_session_id("s-1");
/// assert!(of_a.covers(session("https://a.example").facts()));
/// assert!(!of_a.covers(session("https://b.example").facts()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Revocation {
    /// One token.
    Token {
        /// Its `jti`.
        id: Box<str>,
        /// Whose name that is.
        #[serde(default, skip_serializing_if = "OfIssuer::is_any")]
        issuer: OfIssuer,
        /// Its `exp` in Unix seconds, when known: the revocation need not be remembered much longer.
        expires_at: Option<u64>,
    },
    /// All tokens of a subject up to a time.
    Subject {
        /// Its `sub`.
        subject: Box<str>,
        /// Whose name that is.
        #[serde(default, skip_serializing_if = "OfIssuer::is_any")]
        issuer: OfIssuer,
        /// Unix seconds.
        watermark: u64,
    },
    /// All tokens of a login session.
    Session {
        /// Its `sid`.
        id: Box<str>,
        /// Whose name that is.
        #[serde(default, skip_serializing_if = "OfIssuer::is_any")]
        issuer: OfIssuer,
    },
    /// All tokens of an issuer up to a time.
    Issuer {
        /// The issuer.
        issuer: Box<str>,
        /// Unix seconds.
        watermark: u64,
    },
    /// All tokens signed with a key. Take the key out of the authenticator as well: whoever stole it signs more.
    Key {
        /// Its `kid`.
        id: Box<str>,
        /// Whose name that is.
        #[serde(default, skip_serializing_if = "OfIssuer::is_any")]
        issuer: OfIssuer,
    },
    /// Everything up to a time.
    All {
        /// Unix seconds.
        watermark: u64,
    },
}

impl Revocation {
    /// Revokes one token.
    #[must_use]
    pub fn token(id: impl Into<Box<str>>) -> Self {
        Self::Token {
            id: id.into(),
            issuer: OfIssuer::Any,
            expires_at: None,
        }
    }

    /// Revokes what was issued to `whose` up to `at`: a name, of whichever issuer, or exactly one [`Subject`].
    #[must_use]
    pub fn subject(whose: impl Into<Whose>, at: SystemTime) -> Self {
        let Whose { subject, issuer } = whose.into();
        Self::Subject {
            subject,
            issuer,
            watermark: unix_seconds(at),
        }
    }

    /// Revokes a login session.
    #[must_use]
    pub fn session(id: impl Into<Box<str>>) -> Self {
        Self::Session {
            id: id.into(),
            issuer: OfIssuer::Any,
        }
    }

    /// Revokes what `issuer` issued up to `at`.
    #[must_use]
    pub fn issuer(issuer: impl Into<Box<str>>, at: SystemTime) -> Self {
        Self::Issuer {
            issuer: issuer.into(),
            watermark: unix_seconds(at),
        }
    }

    /// Revokes what a key signed.
    #[must_use]
    pub fn key(id: impl Into<Box<str>>) -> Self {
        Self::Key {
            id: id.into(),
            issuer: OfIssuer::Any,
        }
    }

    /// Revokes everything issued up to `at`.
    #[must_use]
    pub fn all(at: SystemTime) -> Self {
        Self::All {
            watermark: unix_seconds(at),
        }
    }

    /// Narrows it to what this issuer named; `None` is the application itself, as with [`Subject::new`]. Does not change
    /// [`Issuer`](Self::Issuer) and [`All`](Self::All).
    #[must_use]
    pub fn of_issuer<'a>(mut self, named_by: impl Into<Option<&'a str>>) -> Self {
        if let Self::Token { issuer, .. }
        | Self::Subject { issuer, .. }
        | Self::Session { issuer, .. }
        | Self::Key { issuer, .. } = &mut self
        {
            *issuer = OfIssuer::exactly(named_by.into());
        }
        self
    }

    /// True when the grant with these facts is revoked by this.
    #[must_use]
    pub fn covers(&self, grant: &GrantFacts) -> bool {
        match self {
            Self::Token { id, issuer, .. } => grant.token_id() == Some(id) && issuer.is_of(grant),
            Self::Subject {
                subject,
                issuer,
                watermark,
            } => {
                grant.subject().id() == &**subject
                    && issuer.is_of(grant)
                    && is_issued_up_to(grant, *watermark)
            }
            Self::Session { id, issuer } => grant.session_id() == Some(id) && issuer.is_of(grant),
            Self::Issuer { issuer, watermark } => {
                grant.issuer() == Some(issuer) && is_issued_up_to(grant, *watermark)
            }
            Self::Key { id, issuer } => grant.key_id() == Some(id) && issuer.is_of(grant),
            Self::All { watermark } => is_issued_up_to(grant, *watermark),
        }
    }
}

/// Which issuer a revoked name is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OfIssuer {
    /// Whichever.
    #[default]
    Any,
    /// This one.
    Named(Box<str>),
    /// None: the application knows the name itself.
    Nobody,
}

impl OfIssuer {
    fn exactly(issuer: Option<&str>) -> Self {
        issuer.map_or(Self::Nobody, |name| Self::Named(name.into()))
    }

    fn is_any(&self) -> bool {
        *self == Self::Any
    }

    fn is_of(&self, grant: &GrantFacts) -> bool {
        match self {
            Self::Any => true,
            Self::Named(name) => grant.issuer() == Some(name),
            Self::Nobody => grant.issuer().is_none(),
        }
    }
}

/// Whom [`Revocation::subject`] means: a name stands for whoever has it, a [`Subject`] for itself only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    subject: Box<str>,
    issuer: OfIssuer,
}

impl From<&Subject> for Whose {
    fn from(subject: &Subject) -> Self {
        Self {
            subject: subject.id().into(),
            issuer: OfIssuer::exactly(subject.issuer()),
        }
    }
}

impl From<Subject> for Whose {
    fn from(subject: Subject) -> Self {
        Self::from(&subject)
    }
}

impl From<&str> for Whose {
    fn from(name: &str) -> Self {
        Self::from(Box::from(name))
    }
}

impl From<String> for Whose {
    fn from(name: String) -> Self {
        Self::from(name.into_boxed_str())
    }
}

impl From<Box<str>> for Whose {
    fn from(subject: Box<str>) -> Self {
        Self {
            subject,
            issuer: OfIssuer::Any,
        }
    }
}

pub(super) fn is_issued_up_to(grant: &GrantFacts, watermark: u64) -> bool {
    let latest = watermark.saturating_add(grant.clock_leeway().as_secs());
    grant
        .issued_at()
        .is_none_or(|at| unix_seconds(at) <= latest)
}

/// Whole seconds; a time before 1970 is its beginning.
pub(super) fn unix_seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Where a revocation was first made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RevocationOrigin {
    /// In this process: the other servers of a cluster have to be told.
    Here,
    /// By another server of the cluster, which has told the others itself.
    Cluster,
}

/// Hears of revocations; the server implements it to end live sockets.
pub trait RevocationListener: Send + Sync + 'static {
    /// Called in the thread that revokes, without a lock held. It must not block.
    fn on_revoked(&self, revocation: &Revocation, origin: RevocationOrigin);
}

/// Knows what is revoked.
///
/// Attach one with [`Authenticator::with_revocation`](crate::Authenticator::with_revocation). It is asked when a
/// credential is accepted, whenever a [cached](crate::Authenticator::cached) one is used again, and by the server;
/// live sockets end because the server subscribes. [`MemoryRevocations`](crate::revocation::MemoryRevocations) is one; write your own to mirror a store
/// that other services write to.
pub trait RevocationList: Send + Sync + 'static {
    /// True when the grant with these facts is revoked. Answers from memory, at once.
    fn is_revoked(&self, grant: &GrantFacts) -> bool;

    /// Tells `listener` of every revocation from now on, until it is dropped. Subscribing one twice is the same as
    /// once.
    fn subscribe(&self, listener: Weak<dyn RevocationListener>);

    /// Takes in what another server of the cluster revoked, and tells the listeners with
    /// [`RevocationOrigin::Cluster`]. May be called several times for one revocation.
    fn absorb(&self, revocation: &Revocation);
}

impl<L: RevocationList + ?Sized> RevocationList for Arc<L> {
    fn is_revoked(&self, grant: &GrantFacts) -> bool {
        (**self).is_revoked(grant)
    }

    fn subscribe(&self, listener: Weak<dyn RevocationListener>) {
        (**self).subscribe(listener);
    }

    fn absorb(&self, revocation: &Revocation) {
        (**self).absorb(revocation);
    }
}
