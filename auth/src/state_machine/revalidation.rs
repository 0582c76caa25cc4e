//! When a live socket's credential is asked about again, and what is kept for that.

use std::time::{Duration, Instant};

use crate::presented::credential::Credential;

/// The credentials of one machine. At most two are kept: that of the grant, and one under verification.
#[derive(Clone)]
pub(super) struct Revalidation {
    every: Duration,
    current: Option<Credential>,
    candidate: Option<Credential>,
    at: Option<Instant>,
}

impl Revalidation {
    pub(super) const fn new(every: Duration) -> Self {
        Self {
            every,
            current: None,
            candidate: None,
            at: None,
        }
    }

    /// A credential is being verified.
    pub(super) fn consider(&mut self, credential: Option<Credential>) {
        self.candidate = credential;
    }

    /// The one under verification was accepted.
    pub(super) fn accept(&mut self, now: Instant) {
        self.current = self.candidate.take();
        self.wait(now);
    }

    /// Another credential is that of the grant, whatever is under verification.
    pub(super) fn adopt(&mut self, now: Instant, credential: Option<Credential>) {
        self.current = credential;
        self.wait(now);
    }

    pub(super) fn wait(&mut self, now: Instant) {
        self.at = now.checked_add(self.every);
    }

    /// The grant is over, though the socket may stay.
    pub(super) fn forget(&mut self) {
        *self = Self::new(self.every);
    }

    /// The credential to ask about now, once.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Credential> {
        self.at.take_if(|at| *at <= now)?;
        self.current.clone()
    }

    pub(super) const fn current(&self) -> Option<&Credential> {
        self.current.as_ref()
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.at
    }

    /// When, and which credentials are kept.
    #[cfg(test)]
    pub(super) const fn shape(&self) -> (Option<Instant>, bool, bool) {
        (self.at, self.current.is_some(), self.candidate.is_some())
    }
}
