//! What happens to a client that is not in, from its CONNECT until it is let in or put out.

use std::time::Instant;

use super::common::{Common, refusal};
use super::messages::{Answer, Input, Output, QueuedPacket, Reason};
use super::stage::{
    Attempt, Backlog, Candidate, Door, Outside, Stage, Step, Term, Told, Who, earlier, is_due,
};
use crate::policy::collected::Collected;
use crate::rejection::code::{Code, Rejection};

impl<M: QueuedPacket, G, R: Reason> Common<M, G, R> {
    pub(super) fn handle_new(&mut self, now: Instant, input: Input<M, G, R>) -> Stage<M> {
        match input {
            Input::Connect {
                presented,
                failed_attempts,
            } => self.on_connect(now, presented, failed_attempts),
            Input::ConnectGranted {
                granted,
                credential,
            } => {
                if let Some(of) = &mut self.revalidation {
                    of.consider(credential);
                }
                match self.weigh(now, granted) {
                    Ok((candidate, grant)) => self.ask_at_handshake(now, Some((candidate, grant))),
                    Err(rejection) => self.refuse_connect(rejection),
                }
            }
            Input::Left => Stage::Closed,
            _ => Stage::New,
        }
    }

    fn on_connect(&mut self, now: Instant, presented: Collected, failed_attempts: u32) -> Stage<M> {
        if self.policy.mode.waits_for_event(&presented) {
            self.emit(Output::AcceptConnect);
            return Outside::at(Door::TwoRoundTrips).into();
        }
        match presented {
            Collected::Credential(_) if failed_attempts >= self.policy.max_attempts => {
                self.refuse_connect(refusal(Code::TooManyAttempts))
            }
            Collected::Credential(credential) => {
                let trial = self.verify(now, credential, None);
                let step = Step::Verifying(Attempt::new(trial, None));
                Outside::at(Door::Handshake).go_to(step)
            }
            Collected::Guest => self.ask_at_handshake(now, None),
            Collected::Missing(rejection) | Collected::Rejected(rejection) => {
                self.refuse_connect(rejection.into())
            }
        }
    }

    fn ask_at_handshake(&mut self, now: Instant, entrant: Option<(Candidate, G)>) -> Stage<M> {
        let epoch = self.new_epoch();
        let (candidate, grant) = entrant.unzip();
        let trial = self.ask(now, epoch, candidate.as_ref().zip(grant));
        let step = Step::Asking(Attempt::new(trial, None), candidate);
        Outside::at(Door::Handshake).go_to(step)
    }

    pub(super) fn handle_outside(
        &mut self,
        now: Instant,
        mut place: Box<Outside<M>>,
        input: Input<M, G, R>,
    ) -> Stage<M> {
        match (input, place.take_step()) {
            (
                Input::Authenticate {
                    presented,
                    ack,
                    failed_attempts,
                },
                step,
            ) => match (place.door, step) {
                (Door::TwoRoundTrips, Step::Waiting { .. }) => {
                    self.authenticate(now, place, presented, ack, failed_attempts)
                }
                (Door::TwoRoundTrips, step) => {
                    self.unauthorized(refusal(Code::AuthInProgress), ack);
                    place.step = step;
                    self.count_empty(place)
                }
                (Door::Handshake, step) => self.violation(&step),
            },
            (Input::Packet(packet), step) => {
                place.step = step;
                self.hold(place, packet)
            }
            (Input::UnauthorizedAcked { notice }, Step::Waiting { told: Some(told) })
                if told.notice == notice =>
            {
                self.disconnect()
            }
            (Input::VerifyOk { epoch, granted }, Step::Verifying(attempt))
                if attempt.trial.epoch == epoch =>
            {
                match self.weigh(now, granted) {
                    Ok((candidate, grant)) => {
                        let trial = self.ask(now, epoch, Some((&candidate, grant)));
                        let attempt = Attempt { trial, ..attempt };
                        place.go_to(Step::Asking(attempt, Some(candidate)))
                    }
                    Err(rejection) => {
                        self.count_attempt(&rejection);
                        self.turn_away(now, place, attempt.ack, rejection)
                    }
                }
            }
            (Input::VerifyErr { epoch, rejection }, Step::Verifying(attempt))
                if attempt.trial.epoch == epoch =>
            {
                self.count_attempt(&rejection);
                self.turn_away(now, place, attempt.ack, rejection)
            }
            (Input::Asked { epoch, verdict }, Step::Asking(attempt, candidate))
                if attempt.trial.epoch == epoch =>
            {
                match (verdict, place.door) {
                    (Ok(()), door) => self.enter(now, door, attempt, candidate),
                    // The credential was good, so nothing is counted.
                    (Err(rejection), Door::Handshake) => self.refuse_connect(rejection),
                    (Err(rejection), Door::TwoRoundTrips) => {
                        let ack = attempt.ack;
                        self.refuse_candidate(now, place, ack, rejection, candidate.is_none())
                    }
                }
            }
            (Input::VerifyRevoked { epoch, rejection }, step)
                if step.trial().is_some_and(|trial| trial.epoch == epoch) =>
            {
                self.put_out(place.door, step, rejection)
            }
            (Input::Revoked(rejection), step) => self.put_out(place.door, step, rejection),
            (Input::ExpireIn { margin, .. }, Step::Asking(attempt, Some(mut candidate))) => {
                // Nothing is told yet: the answer says how long the grant holds.
                candidate.expires_at = earlier(candidate.expires_at, now.checked_add(margin));
                place.go_to(Step::Asking(attempt, Some(candidate)))
            }
            (Input::Left, step) => {
                self.cancel_step(&step);
                Stage::Closed
            }
            (_, step) => place.go_to(step),
        }
    }

    pub(super) fn outside_timers(&mut self, now: Instant, mut place: Box<Outside<M>>) -> Stage<M> {
        let stage = match place.take_step() {
            Step::Verifying(attempt) if is_due(attempt.trial.by, now) => {
                self.cancel(attempt.trial);
                let rejection = Rejection::unavailable("the verification took too long");
                self.turn_away(now, place, attempt.ack, rejection.into())
            }
            Step::Asking(attempt, Some(candidate)) if is_due(candidate.expires_at, now) => {
                self.cancel(attempt.trial);
                let rejection = refusal(Code::TokenExpired);
                self.step_back(now, place, attempt.ack, rejection)
            }
            Step::Asking(attempt, _) if is_due(attempt.trial.by, now) => {
                self.cancel(attempt.trial);
                let rejection = Rejection::unavailable("connect middleware took too long");
                self.step_back(now, place, attempt.ack, rejection.into())
            }
            step => place.go_to(step),
        };
        match &stage {
            Stage::Outside(place) => match place.step {
                Step::Waiting { told } => self.waiting_timers(now, told).unwrap_or(stage),
                Step::Verifying(_) | Step::Asking(..) => stage,
            },
            _ => stage,
        }
    }

    fn waiting_timers(&mut self, now: Instant, told: Option<Told>) -> Option<Stage<M>> {
        if is_due(told.and_then(|told| told.close_at), now) {
            return Some(self.disconnect());
        }
        if !is_due(self.auth_by(), now) {
            return None;
        }
        // One `unauthorized` is enough when another one was sent just before.
        if told.is_none() && self.policy.notify_timeout {
            self.unauthorized(refusal(Code::AuthTimeout), None);
        }
        Some(self.disconnect())
    }

    /// The event that was waited for.
    fn authenticate(
        &mut self,
        now: Instant,
        mut place: Box<Outside<M>>,
        presented: Collected,
        ack: Option<u64>,
        failed_attempts: u32,
    ) -> Stage<M> {
        match presented {
            Collected::Credential(_) if failed_attempts >= self.policy.max_attempts => {
                self.unauthorized(refusal(Code::TooManyAttempts), ack);
                self.disconnect()
            }
            Collected::Credential(credential) => {
                let trial = self.verify(now, credential, None);
                place.go_to(Step::Verifying(Attempt::new(trial, ack)))
            }
            Collected::Guest => {
                let epoch = self.new_epoch();
                let trial = self.ask(now, epoch, None);
                place.go_to(Step::Asking(Attempt::new(trial, ack), None))
            }
            Collected::Missing(rejection) | Collected::Rejected(rejection) => {
                place.step = self.tell_and_wait(now, rejection.into(), ack);
                self.count_empty(place)
            }
        }
    }

    /// Keeps a packet for when the client is in, if that is being decided.
    fn hold(&mut self, mut place: Box<Outside<M>>, packet: M) -> Stage<M> {
        match (place.door, &mut place.step) {
            (Door::Handshake, step) => self.violation(step),
            (_, Step::Waiting { .. }) => self.ignore(place),
            (_, Step::Verifying(attempt) | Step::Asking(attempt, _)) => {
                if attempt.backlog.push(&self.policy, packet) {
                    return place.into();
                }
                self.violation(&place.step)
            }
        }
    }

    /// Drops a packet. A client that comes back sends whatever was emitted meanwhile before it can know that it has to
    /// authenticate first, so there may be many.
    fn ignore(&mut self, mut place: Box<Outside<M>>) -> Stage<M> {
        place.ignored_packets = place.ignored_packets.saturating_add(1);
        if place.ignored_packets <= self.policy.max_ignored_packets {
            return place.into();
        }
        self.violation(&place.step)
    }

    /// Counts an attempt that presents nothing to judge. Each is answered and may ask the application, and no client has a
    /// reason for many.
    fn count_empty(&mut self, mut place: Box<Outside<M>>) -> Stage<M> {
        place.empty_attempts = place.empty_attempts.saturating_add(1);
        if place.empty_attempts <= self.policy.max_empty_attempts {
            return place.into();
        }
        self.violation(&place.step)
    }

    /// The client sent what it may not send, or too much of it.
    fn violation(&mut self, step: &Step<M>) -> Stage<M> {
        self.cancel_step(step);
        self.close_connection()
    }

    fn enter(
        &mut self,
        now: Instant,
        door: Door,
        attempt: Attempt<M>,
        candidate: Option<Candidate>,
    ) -> Stage<M> {
        let expires_at = candidate.as_ref().and_then(|of| of.expires_at);
        let who = match candidate {
            Some(Candidate { subject, .. }) => {
                self.keep_candidate(now);
                Who::Holder(subject)
            }
            None => Who::Guest { was: None },
        };
        let mut term = Term::of(who);
        let expires_in = self.hold_until(now, &mut term, expires_at);
        let answer = match door {
            Door::Handshake => Answer::Connect,
            Door::TwoRoundTrips => Answer::Authenticated { ack: attempt.ack },
        };
        self.emit(Output::Enter { answer, expires_in });
        self.deliver_all(attempt.backlog);
        term.into()
    }

    pub(super) fn deliver_all(&mut self, backlog: Backlog<M>) {
        for packet in backlog {
            self.emit(Output::Deliver(packet));
        }
    }

    /// Middleware turned away somebody whose CONNECT was answered long ago.
    fn refuse_candidate(
        &mut self,
        now: Instant,
        place: Box<Outside<M>>,
        ack: Option<u64>,
        rejection: R,
        is_guest: bool,
    ) -> Stage<M> {
        if !is_guest {
            self.count_attempt(&rejection);
        }
        match self.step_back(now, place, ack, rejection) {
            // Guests use up no attempts: they are counted as noise.
            Stage::Outside(place) if is_guest => self.count_empty(place),
            stage => stage,
        }
    }

    /// Takes back what middleware was asked about.
    fn step_back(
        &mut self,
        now: Instant,
        place: Box<Outside<M>>,
        ack: Option<u64>,
        rejection: R,
    ) -> Stage<M> {
        if matches!(place.door, Door::TwoRoundTrips) {
            self.emit(Output::StepBack);
        }
        self.turn_away(now, place, ack, rejection)
    }

    /// Refuses what a client presented. At the second door it may try again for a while; what it sent behind its
    /// credential is dropped.
    fn turn_away(
        &mut self,
        now: Instant,
        place: Box<Outside<M>>,
        ack: Option<u64>,
        rejection: R,
    ) -> Stage<M> {
        self.forget_candidate();
        match place.door {
            Door::Handshake => self.refuse_connect(rejection),
            Door::TwoRoundTrips => {
                let step = self.tell_and_wait(now, rejection, ack);
                place.go_to(step)
            }
        }
    }

    fn tell_and_wait(&mut self, now: Instant, rejection: R, ack: Option<u64>) -> Step<M> {
        let notice = self.unauthorized(rejection, ack);
        let close_at = now.checked_add(self.policy.reject_grace);
        let told = Some(Told { notice, close_at });
        Step::Waiting { told }
    }

    /// A revocation ends whatever is under way.
    fn put_out(&mut self, door: Door, step: Step<M>, rejection: R) -> Stage<M> {
        self.cancel_step(&step);
        match (door, step) {
            (Door::Handshake, _) => self.refuse_connect(rejection),
            (_, Step::Waiting { .. }) => self.disconnect(),
            (_, Step::Verifying(attempt) | Step::Asking(attempt, _)) => {
                self.unauthorized(rejection, attempt.ack);
                self.disconnect()
            }
        }
    }

    fn cancel_step(&mut self, step: &Step<M>) {
        if let Some(trial) = step.trial() {
            self.cancel(trial);
        }
    }
}
