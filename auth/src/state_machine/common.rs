//! What every stage does.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::messages::{Granted, Input, Output, Purpose, QueuedPacket, Reason};
use super::revalidation::Revalidation;
use super::stage::{Candidate, Stage, Trial};
use crate::base::moment::Moment;
use crate::base::queue::Queue;
use crate::policy::settings::NamespacePolicy;
use crate::presented::credential::Credential;
use crate::rejection::code::{Code, Rejection};
use crate::subject::Subject;

/// What belongs to no stage in particular. A stage's handler takes the stage and gives the next one.
#[derive(Clone)]
pub(super) struct Common<M, G, R> {
    pub(super) policy: Arc<NamespacePolicy>,
    pub(super) outputs: Queue<Output<M, G, R>>,
    /// Where the policy asks again about live sockets.
    pub(super) revalidation: Option<Box<Revalidation>>,
    pub(super) first_connect: Moment,
    pub(super) epoch: u32,
    pub(super) notices: u32,
    /// By how many thousandths of itself the longest session is shortened.
    pub(super) spread_permille: u16,
    pub(super) has_guests: bool,
}

impl<M: QueuedPacket, G, R: Reason> Common<M, G, R> {
    /// What a deadline that has passed does to a stage.
    pub(super) fn run_timers(&mut self, now: Instant, stage: Stage<M>) -> Stage<M> {
        match stage {
            Stage::Outside(place) => self.outside_timers(now, place),
            Stage::Inside(term) => self.inside_timers(now, term),
            Stage::New | Stage::Closed => stage,
        }
    }

    /// What an input does to a stage.
    pub(super) fn handle(
        &mut self,
        now: Instant,
        stage: Stage<M>,
        input: Input<M, G, R>,
    ) -> Stage<M> {
        match stage {
            Stage::New => self.handle_new(now, input),
            Stage::Outside(place) => self.handle_outside(now, place, input),
            Stage::Inside(term) => self.handle_inside(now, term, input),
            Stage::Closed => stage,
        }
    }

    /// The end of the patience with a client that is not in.
    pub(super) fn auth_by(&self) -> Option<Instant> {
        Instant::from(self.first_connect).checked_add(self.policy.deadline)
    }

    pub(super) fn emit(&mut self, output: Output<M, G, R>) {
        self.outputs.push_back(output);
    }

    /// Tells the client, and says by which number it may acknowledge.
    pub(super) fn unauthorized(&mut self, rejection: R, ack: Option<u64>) -> u32 {
        self.notices = self.notices.wrapping_add(1);
        self.emit(Output::Unauthorized {
            rejection,
            notice: self.notices,
            ack,
        });
        self.notices
    }

    /// Counts a credential of somebody without a grant that came to nothing, unless nobody could judge it.
    pub(super) fn count_attempt(&mut self, rejection: &R) {
        if rejection.code() != Code::AuthUnavailable {
            self.emit(Output::AttemptFailed);
        }
    }

    /// Begins to verify what a client presented.
    pub(super) fn verify(
        &mut self,
        now: Instant,
        credential: Credential,
        subject: Option<&Subject>,
    ) -> Trial {
        if let Some(of) = &mut self.revalidation {
            of.consider(Some(credential.clone()));
        }
        let purpose = subject.cloned().map_or(Purpose::Entry, Purpose::Renewal);
        self.start_verification(now, credential, purpose)
    }

    pub(super) fn start_verification(
        &mut self,
        now: Instant,
        credential: Credential,
        purpose: Purpose,
    ) -> Trial {
        let epoch = self.new_epoch();
        self.emit(Output::StartVerify {
            epoch,
            credential,
            purpose,
        });
        let by = now.checked_add(self.policy.verify_timeout);
        Trial { epoch, by }
    }

    /// Asks connect middleware. What follows a verification has the epoch of the verification.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        epoch: u32,
        entrant: Option<(&Candidate, G)>,
    ) -> Trial {
        let (expires_in, grant) = entrant
            .map(|(candidate, grant)| (left(now, candidate.expires_at), grant))
            .unzip();
        self.emit(Output::Ask {
            epoch,
            grant,
            expires_in: expires_in.flatten(),
        });
        let by = now.checked_add(self.policy.middleware_timeout);
        Trial { epoch, by }
    }

    pub(super) const fn new_epoch(&mut self) -> u32 {
        self.epoch = self.epoch.wrapping_add(1);
        self.epoch
    }

    /// Drops what is under way. Its result will carry an epoch that is not current.
    pub(super) fn cancel(&mut self, trial: Trial) {
        let epoch = trial.epoch;
        self.emit(Output::Cancel { epoch });
    }

    /// The credential under verification comes to nothing.
    pub(super) fn forget_candidate(&mut self) {
        if let Some(of) = &mut self.revalidation {
            of.consider(None);
        }
    }

    /// The credential under verification is that of the grant from now on.
    pub(super) fn keep_candidate(&mut self, now: Instant) {
        if let Some(of) = &mut self.revalidation {
            of.accept(now);
        }
    }

    /// What there is to ask about when a credential was accepted.
    pub(super) fn weigh(&self, now: Instant, granted: Granted<G>) -> Result<(Candidate, G), R> {
        if granted.expires_in.is_some_and(|left| left.is_zero()) {
            // Accepted by its leeway only: letting it in would end it at once, and the client would come back with
            // it again and again.
            return Err(refusal(Code::TokenExpired));
        }
        let candidate = Candidate {
            subject: granted.subject,
            expires_at: self.end_of(now, granted.expires_in),
        };
        Ok((candidate, granted.grant))
    }

    /// When a grant that is accepted now ends.
    fn end_of(&self, now: Instant, expires_in: Option<Duration>) -> Option<Instant> {
        let left = match (expires_in, self.policy.max_session) {
            (Some(left), Some(cap)) if left <= cap => Some(left),
            (_, Some(cap)) => {
                let spread = cap / 1000 * u32::from(self.spread_permille);
                Some(cap.saturating_sub(spread))
            }
            (left, None) => left,
        };
        left.and_then(|left| now.checked_add(left))
    }

    /// When a client whose grant holds for `left` from now is told that it is about to end.
    pub(super) fn notice_of(&self, now: Instant, left: Option<Duration>) -> Option<Instant> {
        let notice = self.policy.warn_before;
        let left = left.filter(|_| !notice.is_zero())?;
        now.checked_add(if left < notice.saturating_mul(2) {
            left.saturating_sub(left / 3)
        } else {
            left.saturating_sub(notice)
        })
    }

    pub(super) fn refuse_connect(&mut self, rejection: R) -> Stage<M> {
        self.emit(Output::RefuseConnect(rejection));
        Stage::Closed
    }

    pub(super) fn disconnect(&mut self) -> Stage<M> {
        self.emit(Output::Disconnect);
        Stage::Closed
    }

    pub(super) fn close_connection(&mut self) -> Stage<M> {
        self.emit(Output::CloseConnection);
        Stage::Closed
    }
}

/// A refusal that the machine thought of itself.
pub(super) fn refusal<R: Reason>(code: Code) -> R {
    Rejection::new(code).into()
}

/// How long it is until `at`.
pub(super) fn left(now: Instant, at: Option<Instant>) -> Option<Duration> {
    at.map(|at| at.saturating_duration_since(now))
}
