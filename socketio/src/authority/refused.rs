//! Why a client is refused, with what is the server's own of it.

use std::time::Duration;

use socketio_auth::{Code, Credential, Fingerprint, Rejection, SourceKind, server::Reason};

use crate::error::ConnectError;

/// What the books are told of a credential that is being judged or was.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence {
    pub(crate) source: SourceKind,
    pub(crate) fingerprint: Fingerprint,
    /// How long it took to judge it.
    pub(crate) latency: Option<Duration>,
}

impl Evidence {
    pub(crate) fn of(credential: &Credential) -> Self {
        Self {
            source: credential.source(),
            fingerprint: credential.fingerprint(),
            latency: None,
        }
    }
}

/// Why a client is refused, by a policy or by connect middleware.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) rejection: Rejection,
    /// What middleware said. The answer to a CONNECT has it as it is.
    pub(crate) error: Option<Box<ConnectError>>,
    /// For the books, if there are any.
    pub(crate) evidence: Option<Box<Evidence>>,
}

impl Refused {
    /// By middleware that returned an error.
    pub(crate) fn by_middleware(error: ConnectError) -> Self {
        let rejection = Rejection::new(Code::InsufficientScope);
        Self {
            rejection: rejection.with_message(error.message().to_owned()),
            error: Some(Box::new(error)),
            evidence: None,
        }
    }

    /// By middleware that panicked.
    pub(crate) fn by_panic() -> Self {
        Self {
            rejection: Rejection::panicked(),
            error: Some(Box::new(ConnectError::new("internal error"))),
            evidence: None,
        }
    }

    pub(crate) fn with_evidence(self, evidence: Option<Box<Evidence>>) -> Self {
        Self { evidence, ..self }
    }

    /// Whether what judges credentials panicked.
    pub(crate) fn is_panic_of_policy(&self) -> bool {
        self.error.is_none() && self.rejection.is_panic()
    }
}

impl From<Rejection> for Refused {
    fn from(rejection: Rejection) -> Self {
        Self {
            rejection,
            error: None,
            evidence: None,
        }
    }
}

impl Reason for Refused {
    fn rejection(&self) -> &Rejection {
        &self.rejection
    }
}
