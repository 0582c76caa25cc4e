//! Authenticators whose answer is settled beforehand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::authenticator::judge::{Authenticator, Outcome};
use crate::grant::Grant;
use crate::presented::context::AuthContext;
use crate::presented::credential::Credential;
use crate::rejection::code::{Code, Rejection};

/// An authenticator that gives every credential the same answer, and counts how often it was asked. Clones share
/// the count.
///
/// ```
/// use socketio_auth::{Code, InHandshake};
/// use socketio_auth::testing::StaticAuth;
///
/// let ann = StaticAuth::accept("ann");
/// let nobody = StaticAuth::reject(Code::InvalidToken);
/// let policy = InHandshake::new(ann.clone());
/// assert_eq!(ann.asked_count(), 0);
/// # let _ = (nobody, policy);
/// ```
#[derive(Clone, Debug)]
pub struct StaticAuth {
    answer: Answer,
    asked_count: Arc<AtomicUsize>,
}

#[derive(Clone, Debug)]
enum Answer {
    Accept(Box<Grant<String>>),
    Reject(Rejection),
    Hang,
    Panic,
}

impl StaticAuth {
    /// Accepts everything, as this subject; the identity is its name.
    #[must_use]
    pub fn accept(subject: &str) -> Self {
        Self::accept_grant(Grant::new(subject.to_owned(), subject))
    }

    /// Accepts everything with this grant.
    #[must_use]
    pub fn accept_grant(grant: Grant<String>) -> Self {
        Self::with(Answer::Accept(Box::new(grant)))
    }

    /// Refuses everything.
    #[must_use]
    pub fn reject(rejection: impl Into<Rejection>) -> Self {
        Self::with(Answer::Reject(rejection.into()))
    }

    /// Never answers.
    #[must_use]
    pub fn hang() -> Self {
        Self::with(Answer::Hang)
    }

    /// Panics.
    #[must_use]
    pub fn panic() -> Self {
        Self::with(Answer::Panic)
    }

    /// How often it was asked.
    #[must_use]
    pub fn asked_count(&self) -> usize {
        self.asked_count.load(Ordering::Relaxed)
    }

    fn with(answer: Answer) -> Self {
        Self {
            answer,
            asked_count: Arc::default(),
        }
    }
}

impl From<Code> for StaticAuth {
    fn from(code: Code) -> Self {
        Self::reject(code)
    }
}

impl Authenticator for StaticAuth {
    type Identity = String;

    #[expect(clippy::panic, reason = "what it is for")]
    async fn authenticate(&self, _cx: &AuthContext, _credential: &Credential) -> Outcome<String> {
        self.asked_count.fetch_add(1, Ordering::Relaxed);
        match &self.answer {
            Answer::Accept(grant) => Outcome::Accept(Grant::clone(grant)),
            Answer::Reject(rejection) => Outcome::Reject(rejection.clone()),
            Answer::Hang => std::future::pending().await,
            Answer::Panic => panic!("StaticAuth::panic"),
        }
    }
}
