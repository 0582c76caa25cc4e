//! What is revoked, who knows it, and who has to hear of it.

use std::sync::{Arc, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::grant::GrantFacts;

/// One act of revocation.
///
/// A watermark is in whole Unix seconds: what was issued in that second or before is revoked, and so is what does
/// not tell when it was issued; what is issued later is welcome. The serialised form is what servers of a cluster
/// send each other; applying it twice is the same as once.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use socketio_auth::{Grant, Revocation};
///
/// let logout = Revocation::subject("user-7", UNIX_EPOCH + Duration::from_secs(100));
/// let issued_at = |seconds| {
///     Grant::new((), "user-7").with_issued_at(UNIX_EPOCH + Duration::from_secs(seconds))
/// };
/// assert!(logout.covers(issued_at(100).facts()));
/// assert!(!logout.covers(issued_at(101).facts()));
/// assert!(logout.covers(Grant::new((), "user-7").facts()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Revocation {
    /// One token.
    Token {
        /// Its `jti`.
        id: Box<str>,
        /// Its `exp` in Unix seconds, when known: the revocation need not be remembered much longer.
        expires_at: Option<u64>,
    },
    /// All tokens of a subject up to a time.
    Subject {
        /// The subject.
        subject: Box<str>,
        /// Unix seconds.
        watermark: u64,
    },
    /// All tokens of a login session.
    Session {
        /// Its `sid`.
        id: Box<str>,
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
            expires_at: None,
        }
    }

    /// Revokes what was issued to `subject` up to `at`.
    #[must_use]
    pub fn subject(subject: impl Into<Box<str>>, at: SystemTime) -> Self {
        Self::Subject {
            subject: subject.into(),
            watermark: unix_seconds(at),
        }
    }

    /// Revokes a login session.
    #[must_use]
    pub fn session(id: impl Into<Box<str>>) -> Self {
        Self::Session { id: id.into() }
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
        Self::Key { id: id.into() }
    }

    /// Revokes everything issued up to `at`.
    #[must_use]
    pub fn all(at: SystemTime) -> Self {
        Self::All {
            watermark: unix_seconds(at),
        }
    }

    /// True when the grant with these facts is revoked by this.
    #[must_use]
    pub fn covers(&self, grant: &GrantFacts) -> bool {
        match self {
            Self::Token { id, .. } => grant.token_id() == Some(id),
            Self::Subject { subject, watermark } => {
                grant.subject() == &**subject && is_issued_up_to(grant, *watermark)
            }
            Self::Session { id } => grant.session_id() == Some(id),
            Self::Issuer { issuer, watermark } => {
                grant.issuer() == Some(issuer) && is_issued_up_to(grant, *watermark)
            }
            Self::Key { id } => grant.key_id() == Some(id),
            Self::All { watermark } => is_issued_up_to(grant, *watermark),
        }
    }
}

pub(super) fn is_issued_up_to(grant: &GrantFacts, watermark: u64) -> bool {
    grant
        .issued_at()
        .is_none_or(|at| unix_seconds(at) <= watermark)
}

/// Whole seconds; a time before 1970 is its beginning.
pub(super) fn unix_seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Where a revocation was first made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
/// live sockets end because the server subscribes. [`MemoryRevocations`](crate::MemoryRevocations) is one; write your own to mirror a store
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
