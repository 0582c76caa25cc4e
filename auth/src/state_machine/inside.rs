//! What happens to a client that is in: its packets, its renewals, the end of its grant.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::common::{Common, left, refusal};
use super::messages::{Change, Granted, Input, Output, Purpose, QueuedPacket, Reason};
use super::stage::{Backlog, Candidate, Stage, Term, Trial, Who, Work, earlier, is_due};
use crate::base::moment::Moment;
use crate::policy::collected::Collected;
use crate::policy::settings::OnExpiry;
use crate::presented::credential::Credential;
use crate::rejection::code::{Code, Rejection};

impl<M: QueuedPacket, G, R: Reason> Common<M, G, R> {
    pub(super) fn handle_inside(
        &mut self,
        now: Instant,
        mut term: Term<M>,
        input: Input<M, G, R>,
    ) -> Stage<M> {
        match (input, term.take_work()) {
            (
                Input::Authenticate {
                    presented,
                    ack,
                    failed_attempts,
                },
                work,
            ) => {
                if self.make_way(now, &work) {
                    return self.renew(now, term, presented, ack, failed_attempts);
                }
                self.unauthorized(refusal(Code::AuthInProgress), ack);
                term.go_on_with(work)
            }
            (Input::Packet(packet), Work::Downgrading { trial, mut backlog }) => {
                if !backlog.push(&self.policy, packet) {
                    self.cancel(trial);
                    return self.close_connection();
                }
                term.go_on_with(Work::Downgrading { trial, backlog })
            }
            (Input::Packet(packet), work) => {
                self.emit(Output::Deliver(packet));
                term.go_on_with(work)
            }
            (Input::VerifyOk { epoch, granted }, Work::Refreshing { trial, ack })
                if trial.epoch == epoch =>
            {
                match self.weigh(now, granted) {
                    Ok((candidate, grant)) => self.renewed(now, term, trial, ack, candidate, grant),
                    Err(rejection) => self.refuse_renewal(term, ack, rejection, true),
                }
            }
            (Input::VerifyErr { epoch, rejection }, Work::Refreshing { trial, ack })
                if trial.epoch == epoch =>
            {
                self.refuse_renewal(term, ack, rejection, true)
            }
            (Input::VerifyOk { epoch, granted }, Work::Revalidating { trial })
                if trial.epoch == epoch =>
            {
                self.revalidated(now, term, granted)
            }
            (Input::VerifyErr { epoch, rejection }, Work::Revalidating { trial })
                if trial.epoch == epoch =>
            {
                self.revalidation_failed(now, term, rejection)
            }
            (
                Input::Asked { epoch, verdict },
                Work::Asking {
                    trial,
                    ack,
                    candidate,
                    change,
                    follows,
                },
            ) if trial.epoch == epoch => match verdict {
                Ok(()) => {
                    let expires_in = self.become_another(now, &mut term, candidate, change);
                    if !follows {
                        self.emit(Output::Authenticated { ack, expires_in });
                    }
                    term.into()
                }
                Err(rejection) => self.stay_or_go(term, ack, rejection, follows, true),
            },
            (Input::Asked { epoch, verdict }, Work::Downgrading { trial, backlog })
                if trial.epoch == epoch =>
            {
                match verdict {
                    Ok(()) => self.become_guest(term, backlog),
                    Err(rejection) => self.put_out_inside(rejection, None),
                }
            }
            (Input::VerifyRevoked { epoch, rejection }, work)
                if work.trial().is_some_and(|trial| trial.epoch == epoch) =>
            {
                self.revoked(&work, rejection)
            }
            (Input::Revoked(rejection), work) => self.revoked(&work, rejection),
            (Input::ExpireIn { margin, reason }, work) => {
                self.expire_in(now, &mut term, &work, margin, reason);
                term.go_on_with(work)
            }
            (
                Input::Inherited {
                    granted,
                    credential,
                },
                work,
            ) => self.follow(now, term, work, granted, credential),
            (Input::ConnectionExpires, work) => self.expire_with_connection(now, term, work),
            (Input::Left, work) => {
                self.cancel_work(&work);
                Stage::Closed
            }
            (_, work) => term.go_on_with(work),
        }
    }

    pub(super) fn inside_timers(&mut self, now: Instant, mut term: Term<M>) -> Stage<M> {
        let grace = self.policy.refresh_grace;
        let expires_at = term.ends_at();
        let is_over = is_due(expires_at, now);
        let is_over_for_good = is_due(expires_at.and_then(|at| at.checked_add(grace)), now);
        match term.take_work() {
            Work::Idle if is_over => self.expire(now, term, None),
            Work::Revalidating { trial } if is_over => {
                self.cancel(trial);
                self.expire(now, term, None)
            }
            // The renewal that is cut short by the end may still want its answer.
            Work::Refreshing { trial, ack } if is_over_for_good => {
                self.cancel(trial);
                self.expire(now, term, ack)
            }
            Work::Asking { trial, ack, .. } if is_over_for_good => {
                self.cancel(trial);
                self.emit(Output::StepBack);
                self.expire(now, term, ack)
            }
            Work::Revalidating { trial } if is_due(trial.by, now) => {
                self.cancel(trial);
                self.wait_to_revalidate(now);
                self.run_timers(now, term.into())
            }
            Work::Refreshing { trial, ack } if is_due(trial.by, now) => {
                self.cancel(trial);
                let rejection = Rejection::unavailable("the verification took too long");
                let stage = self.refuse_renewal(term, ack, rejection.into(), false);
                self.run_timers(now, stage)
            }
            Work::Asking {
                trial,
                ack,
                candidate,
                follows,
                ..
            } if is_due(earlier(trial.by, candidate.expires_at), now) => {
                self.cancel(trial);
                let rejection = if is_due(candidate.expires_at, now) {
                    refusal(Code::TokenExpired)
                } else {
                    Rejection::unavailable("connect middleware took too long").into()
                };
                let stage = self.stay_or_go(term, ack, rejection, follows, false);
                self.run_timers(now, stage)
            }
            Work::Downgrading { trial, .. } if is_due(trial.by, now) => {
                self.cancel(trial);
                let rejection = Rejection::unavailable("connect middleware took too long");
                self.put_out_inside(rejection.into(), None)
            }
            Work::Idle => {
                self.warn_if_due(now, &mut term);
                self.revalidate_if_due(now, term)
            }
            work => {
                self.warn_if_due(now, &mut term);
                term.go_on_with(work)
            }
        }
    }

    /// Whether the client may bring a newer credential now.
    fn make_way(&mut self, now: Instant, work: &Work<M>) -> bool {
        if let Work::Revalidating { trial } = *work {
            self.cancel(trial);
            self.wait_to_revalidate(now);
        }
        matches!(work, Work::Idle | Work::Revalidating { .. })
    }

    fn warn_if_due(&mut self, now: Instant, term: &mut Term<M>) {
        if term
            .warn_at
            .take_if(|at| Instant::from(*at) <= now)
            .is_none()
        {
            return;
        }
        let left = left(now, term.ends_at()).filter(|left| !left.is_zero());
        if let Some(expires_in) = left {
            self.emit(Output::TokenExpiring {
                expires_in,
                reason: None,
            });
        }
    }

    fn renew(
        &mut self,
        now: Instant,
        mut term: Term<M>,
        presented: Collected,
        ack: Option<u64>,
        failed_attempts: u32,
    ) -> Stage<M> {
        let least = self.policy.min_renewal_interval;
        let is_too_soon = |last: Moment| now.saturating_duration_since(last.into()) < least;
        let refused = match presented {
            Collected::Credential(_) if failed_attempts >= self.policy.max_attempts => {
                Code::TooManyAttempts.into()
            }
            Collected::Credential(_) if term.renewed_at.is_some_and(is_too_soon) => {
                Code::RateLimited.into()
            }
            Collected::Credential(credential) => {
                term.renewed_at = Some(now.into());
                let trial = self.verify(now, credential, term.who.subject());
                return term.go_on_with(Work::Refreshing { trial, ack });
            }
            Collected::Guest => Code::CredentialsRequired.into(),
            Collected::Missing(rejection) | Collected::Rejected(rejection) => rejection,
        };
        self.unauthorized(refused.into(), ack);
        term.into()
    }

    /// A good credential. Middleware decides about persons, not about their tokens: it is asked when the client
    /// becomes somebody else, and not when it stays who it is.
    fn renewed(
        &mut self,
        now: Instant,
        mut term: Term<M>,
        trial: Trial,
        ack: Option<u64>,
        candidate: Candidate,
        grant: G,
    ) -> Stage<M> {
        let is_foreign = term
            .who
            .subject()
            .is_some_and(|subject| *subject != candidate.subject);
        if is_foreign && !self.policy.allow_switch {
            return self.refuse_renewal(term, ack, refusal(Code::IdentityMismatch), false);
        }
        if !is_foreign && matches!(term.who, Who::Holder(_)) {
            self.keep_candidate(now);
            let expires_in = self.hold_until(now, &mut term, candidate.expires_at);
            self.emit(Output::ReplaceGrant { grant, expires_in });
            self.emit(Output::Authenticated { ack, expires_in });
            return term.into();
        }
        let change = if is_foreign {
            Change::Switch
        } else {
            Change::Login
        };
        let trial = self.ask(now, trial.epoch, Some((&candidate, grant)));
        term.go_on_with(Work::Asking {
            trial,
            ack,
            candidate,
            change,
            follows: false,
        })
    }

    fn become_another(
        &mut self,
        now: Instant,
        term: &mut Term<M>,
        candidate: Candidate,
        change: Change,
    ) -> Option<Duration> {
        self.keep_candidate(now);
        let expires_in = self.hold_until(now, term, candidate.expires_at);
        term.who = Who::Holder(candidate.subject);
        if change == Change::Switch {
            self.emit(Output::LeaveRooms);
        }
        self.emit(Output::Become { change, expires_in });
        expires_in
    }

    /// Takes over what has come in the place of the grant that this one was taken over from. The client has presented
    /// nothing here, so it is told nothing; but it cannot go on as who it is no more elsewhere.
    fn follow(
        &mut self,
        now: Instant,
        mut term: Term<M>,
        work: Work<M>,
        granted: Granted<G>,
        credential: Option<Credential>,
    ) -> Stage<M> {
        let weighed = self.weigh(now, granted);
        // It is over here, too, already or in a moment; the guest that comes of it follows the next time.
        let (Ok((candidate, grant)), false) = (weighed, matches!(work, Work::Downgrading { .. }))
        else {
            return term.go_on_with(work);
        };
        let is_holder = matches!(&term.who, Who::Holder(subject) if *subject == candidate.subject);
        if is_holder {
            if let Some(of) = &mut self.revalidation {
                of.adopt(now, credential);
            }
            let expires_in = self.hold_until(now, &mut term, candidate.expires_at);
            // What the client is about in this namespace goes on.
            let work = match work {
                Work::Idle | Work::Refreshing { .. } | Work::Asking { follows: false, .. } => work,
                work => {
                    self.abandon(work, None);
                    Work::Idle
                }
            };
            self.emit(Output::ReplaceGrant { grant, expires_in });
            return term.go_on_with(work);
        }
        self.abandon(work, Some(Code::IdentityMismatch));
        if let Some(of) = &mut self.revalidation {
            of.consider(credential);
        }
        let is_new = term
            .who
            .subject()
            .is_none_or(|was| *was == candidate.subject);
        let change = if is_new {
            Change::Login
        } else {
            Change::Switch
        };
        let epoch = self.new_epoch();
        let trial = self.ask(now, epoch, Some((&candidate, grant)));
        term.go_on_with(Work::Asking {
            trial,
            ack: None,
            candidate,
            change,
            follows: true,
        })
    }

    /// Whose grant ends with that of another namespace hears so while it can. Those of one token end in the same second,
    /// and the closing of the connection does not wait for each.
    fn expire_with_connection(
        &mut self,
        now: Instant,
        mut term: Term<M>,
        work: Work<M>,
    ) -> Stage<M> {
        let soon = now.checked_add(Duration::from_secs(1));
        let ends_as_well = term
            .ends_at()
            .is_some_and(|at| soon.is_some_and(|soon| at < soon));
        if !ends_as_well {
            return term.go_on_with(work);
        }
        term.expires_at = None;
        term.warn_at = None;
        if !self.abandon(work, Some(Code::TokenExpired)) {
            self.unauthorized(refusal(Code::TokenExpired), None);
        }
        term.into()
    }

    /// Drops what is under way, and answers whom the client asked for it; whether it did.
    fn abandon(&mut self, work: Work<M>, code: Option<Code>) -> bool {
        self.cancel_work(&work);
        if matches!(work, Work::Asking { .. }) {
            self.emit(Output::StepBack);
        }
        match (work, code) {
            (
                Work::Refreshing { ack, .. }
                | Work::Asking {
                    ack,
                    follows: false,
                    ..
                },
                Some(code),
            ) => {
                self.unauthorized(refusal(code), ack);
                true
            }
            _ => false,
        }
    }

    fn become_guest(&mut self, mut term: Term<M>, backlog: Backlog<M>) -> Stage<M> {
        term.who = Who::Guest {
            was: term.who.subject().cloned(),
        };
        // Handlers that were running may have entered it into some since the end of the grant.
        self.emit(Output::LeaveRooms);
        self.emit(Output::Become {
            change: Change::Downgrade,
            expires_in: None,
        });
        self.deliver_all(backlog);
        term.into()
    }

    /// Sets the deadlines of a grant and says how long it holds.
    pub(super) fn hold_until(
        &self,
        now: Instant,
        term: &mut Term<M>,
        expires_at: Option<Instant>,
    ) -> Option<Duration> {
        let left = left(now, expires_at);
        term.expires_at = expires_at.map(Moment::from);
        term.is_ending = false;
        term.warn_at = self.notice_of(now, left).map(Moment::from);
        left
    }

    /// The client does not become whom was asked about: it stays who it is, unless it cannot.
    fn stay_or_go(
        &mut self,
        term: Term<M>,
        ack: Option<u64>,
        rejection: R,
        follows: bool,
        was_judged: bool,
    ) -> Stage<M> {
        self.emit(Output::StepBack);
        if follows {
            return self.put_out_inside(rejection, None);
        }
        self.refuse_renewal(term, ack, rejection, was_judged)
    }

    /// The client stays who it is. Only a guest that never was anybody tries to get in.
    fn refuse_renewal(
        &mut self,
        term: Term<M>,
        ack: Option<u64>,
        rejection: R,
        was_judged: bool,
    ) -> Stage<M> {
        if was_judged && term.who.subject().is_none() {
            self.count_attempt(&rejection);
        }
        self.forget_candidate();
        self.unauthorized(rejection, ack);
        term.into()
    }

    /// The credential still holds, for less or for longer: a session in a database is prolonged while it is used. What the
    /// server ends on purpose is only ended sooner.
    fn revalidated(&mut self, now: Instant, mut term: Term<M>, granted: Granted<G>) -> Stage<M> {
        let (candidate, grant) = match self.weigh(now, granted) {
            Ok(weighed) => weighed,
            Err(rejection) => return self.revalidation_failed(now, term, rejection),
        };
        if term.who.subject() != Some(&candidate.subject) {
            return self.revalidation_failed(now, term, refusal(Code::IdentityMismatch));
        }
        let ends_at = candidate.expires_at;
        let is_sooner = ends_at.is_some_and(|at| {
            term.expires_at
                .is_none_or(|known| at < Instant::from(known))
        });
        let is_ending = term.is_ending;
        if is_sooner || !is_ending {
            self.hold_until(now, &mut term, ends_at);
            term.is_ending = is_ending;
        }
        self.wait_to_revalidate(now);
        self.emit(Output::ReplaceGrant {
            grant,
            expires_in: left(now, term.ends_at()),
        });
        term.into()
    }

    fn revalidation_failed(&mut self, now: Instant, term: Term<M>, rejection: R) -> Stage<M> {
        match rejection.code() {
            Code::AuthUnavailable => {
                self.wait_to_revalidate(now);
                term.into()
            }
            Code::TokenExpired => self.expire(now, term, None),
            _ => self.put_out_inside(rejection, None),
        }
    }

    fn revalidate_if_due(&mut self, now: Instant, term: Term<M>) -> Stage<M> {
        let due = self.revalidation.as_mut().and_then(|of| of.take_due(now));
        match (due, term.who.subject().cloned()) {
            (Some(credential), Some(subject)) => {
                let purpose = Purpose::Revalidation(subject);
                let trial = self.start_verification(now, credential, purpose);
                term.go_on_with(Work::Revalidating { trial })
            }
            _ => term.into(),
        }
    }

    fn wait_to_revalidate(&mut self, now: Instant) {
        if let Some(of) = &mut self.revalidation {
            of.wait(now);
        }
    }

    fn expire_in(
        &mut self,
        now: Instant,
        term: &mut Term<M>,
        work: &Work<M>,
        margin: Duration,
        reason: Option<Arc<str>>,
    ) {
        let has_grant = matches!(term.who, Who::Holder(_));
        if !has_grant || matches!(work, Work::Downgrading { .. }) {
            return;
        }
        let Some(at) = earlier(term.ends_at(), now.checked_add(margin)) else {
            return;
        };
        term.expires_at = Some(at.into());
        term.is_ending = true;
        term.warn_at = None;
        self.emit(Output::TokenExpiring {
            expires_in: at.saturating_duration_since(now),
            reason,
        });
    }

    fn expire(&mut self, now: Instant, mut term: Term<M>, ack: Option<u64>) -> Stage<M> {
        term.expires_at = None;
        term.warn_at = None;
        if let Some(of) = &mut self.revalidation {
            of.forget();
        }
        self.unauthorized(refusal(Code::TokenExpired), ack);
        match self.policy.on_expiry {
            OnExpiry::NotifyOnly => term.into(),
            OnExpiry::DisconnectNamespace => self.disconnect(),
            OnExpiry::Downgrade if self.has_guests => {
                // What was joined for the holder of the grant is no place for a guest.
                self.emit(Output::LeaveRooms);
                let epoch = self.new_epoch();
                let trial = self.ask(now, epoch, None);
                let backlog = Backlog::new();
                term.go_on_with(Work::Downgrading { trial, backlog })
            }
            OnExpiry::Downgrade | OnExpiry::ReconnectTransport => {
                self.emit(Output::ExpireConnection);
                Stage::Closed
            }
        }
    }

    /// A revocation ends whatever is under way.
    fn revoked(&mut self, work: &Work<M>, rejection: R) -> Stage<M> {
        self.cancel_work(work);
        let ack = match work {
            Work::Refreshing { ack, .. } | Work::Asking { ack, .. } => *ack,
            Work::Idle | Work::Revalidating { .. } | Work::Downgrading { .. } => None,
        };
        self.put_out_inside(rejection, ack)
    }

    fn put_out_inside(&mut self, rejection: R, ack: Option<u64>) -> Stage<M> {
        self.unauthorized(rejection, ack);
        self.disconnect()
    }

    fn cancel_work(&mut self, work: &Work<M>) {
        if let Some(trial) = work.trial() {
            self.cancel(trial);
        }
    }
}
