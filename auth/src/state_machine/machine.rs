use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::messages::{Input, Output, Purpose, Queued};
use super::revalidation::Revalidation;
use super::state::State;
use crate::policy::collected::Collected;
use crate::policy::settings::{Mode, NamespacePolicy, OnExpiry};
use crate::presented::credential::Credential;
use crate::rejection::code::{Code, Rejection};
use crate::subject::Subject;

/// The most by which a session is shortened to spread the ends, in thousandths.
const MAX_SPREAD_PERMILLE: u32 = 50;

/// Runs a policy for one namespace of one connection. Pure: time is an argument, effects are outputs.
///
/// ```text
///            handshake                two round trips
///                │                          │
///                ▼                          ▼
///           Connecting ──► refused       Pending ◄────────┐ rejected
///                │                          │ authenticate│
///                │ accepted                 ▼             │
///                │                      Verifying ────────┘
///                ▼                          │ accepted
///             Active ◄──────────────────────┘
///                │ ▲
///   authenticate ▼ │ accepted or rejected
///            Refreshing
///
///   Active ⇄ Revalidating, now and then, of the server's own accord
///   from every state: Closed, which nothing leaves
/// ```
///
/// After every [`handle_input`](Self::handle_input) the caller drains [`poll_output`](Self::poll_output) and asks
/// [`poll_timeout`](Self::poll_timeout). A deadline that has passed takes effect before the input that arrives
/// after it, so there is one order of events whatever the timer does. Results of verifications that were
/// cancelled are ignored by their epoch.
pub struct AuthMachine<M, G> {
    policy: Arc<NamespacePolicy>,
    state: State,
    epoch: u32,
    /// The end of the patience with a client that is not in, counted from its first CONNECT.
    auth_by: Option<Instant>,
    verify_by: Option<Instant>,
    /// Armed by the `unauthorized` whose number is in `armed_notice`.
    close_at: Option<Instant>,
    armed_notice: Option<u32>,
    notices: u32,
    warn_at: Option<Instant>,
    expires_at: Option<Instant>,
    /// Whose grant is active; `None` for a guest.
    subject: Option<Subject>,
    renewed_at: Option<Instant>,
    /// The ack id of the `authenticate` under verification.
    ack: Option<u64>,
    /// Where the policy asks again about live sockets.
    revalidation: Option<Box<Revalidation>>,
    has_guests: bool,
    ignored_packets: u32,
    /// By how many thousandths of itself the longest session is shortened.
    spread_permille: u32,
    queue: VecDeque<M>,
    queued_bytes: usize,
    outputs: VecDeque<Output<M, G>>,
}

impl<M: Queued, G> AuthMachine<M, G> {
    /// A machine before CONNECT. `first_connect` is when this connection first asked for this namespace; coming
    /// back does not restart the deadline. `has_guests` tells whether the policy lets clients in that present
    /// nothing.
    #[must_use]
    pub fn new(policy: Arc<NamespacePolicy>, has_guests: bool, first_connect: Instant) -> Self {
        Self {
            auth_by: first_connect.checked_add(policy.deadline),
            revalidation: policy
                .revalidate_every
                .map(|every| Box::new(Revalidation::new(every))),
            policy,
            state: State::New,
            epoch: 0,
            verify_by: None,
            close_at: None,
            armed_notice: None,
            notices: 0,
            warn_at: None,
            expires_at: None,
            subject: None,
            renewed_at: None,
            ack: None,
            has_guests,
            ignored_packets: 0,
            spread_permille: 0,
            queue: VecDeque::new(),
            queued_bytes: 0,
            outputs: VecDeque::new(),
        }
    }

    /// Spreads the ends of sessions that [`NamespacePolicy::max_session`] limits: each is shortened by up to 5 %,
    /// as `random` says, so that those who came together do not all have to come back together.
    #[must_use]
    pub const fn with_spread(mut self, random: u32) -> Self {
        self.spread_permille = random % (MAX_SPREAD_PERMILLE + 1);
        self
    }

    /// Takes in what happened at `now`.
    pub fn handle_input(&mut self, now: Instant, input: Input<M, G>) {
        debug_assert!(self.outputs.is_empty(), "outputs are drained first");
        self.run_timers(now);
        match input {
            Input::Connect {
                presented,
                failed_attempts,
            } => self.on_connect(now, presented, failed_attempts),
            Input::ConnectGranted {
                grant,
                subject,
                expires_in,
                credential,
            } => self.on_connect_granted(now, grant, subject, expires_in, credential),
            Input::Authenticate {
                presented,
                ack,
                failed_attempts,
            } => self.on_authenticate(now, presented, ack, failed_attempts),
            Input::Packet(packet) => self.on_packet(packet),
            Input::UnauthorizedAcked { notice } => self.on_acked(notice),
            Input::VerifyOk {
                epoch,
                grant,
                subject,
                expires_in,
            } => self.on_verified(now, epoch, grant, subject, expires_in),
            Input::VerifyErr { epoch, rejection } => self.on_refused(now, epoch, rejection),
            Input::VerifyRevoked { epoch, .. } if !self.is_current(epoch) => {}
            Input::VerifyRevoked { rejection, .. } | Input::Revoked(rejection) => {
                self.on_revoked(rejection);
            }
            Input::ExpireIn { margin, reason } => self.on_expire_in(now, margin, reason),
            Input::Left => {
                self.cancel_verification();
                self.close();
            }
            Input::Timeout => {}
        }
        debug_assert!(self.queue.len() <= self.policy.max_pending_packets);
        debug_assert!(self.state == State::Verifying || self.queue.is_empty());
    }

    /// The next thing to do; `None` when all is done.
    pub fn poll_output(&mut self) -> Option<Output<M, G>> {
        let next = self.outputs.pop_front();
        if next.is_none() && !self.is_verifying() {
            // Most machines are at rest most of the time, and there is one for every socket.
            self.outputs = VecDeque::new();
        }
        next
    }

    /// When to come back with [`Input::Timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.state {
            State::New | State::Closed => None,
            State::Connecting | State::Verifying => self.verify_by,
            State::Pending => earlier(self.auth_by, self.close_at),
            State::Active => earlier(
                earlier(self.expires_at, self.warn_at),
                self.revalidation.as_ref().and_then(|of| of.deadline()),
            ),
            State::Revalidating => earlier(earlier(self.verify_by, self.warn_at), self.expires_at),
            State::Refreshing => earlier(
                earlier(self.verify_by, self.warn_at),
                self.expiry_while_refreshing(),
            ),
        }
    }

    /// True when the client has still to authenticate, and no credential of its is being judged.
    #[must_use]
    pub fn awaits_credential(&self) -> bool {
        self.state == State::Pending
    }

    /// True when the socket is in the namespace and may be sent to.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(
            self.state,
            State::Active | State::Refreshing | State::Revalidating
        )
    }

    /// The credential of the active grant, where the policy [asks again](NamespacePolicy::revalidate_every).
    #[must_use]
    pub fn credential(&self) -> Option<&Credential> {
        self.revalidation.as_ref()?.current()
    }

    /// True when nothing more will come of this machine.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// True while the client waits to be let in; such clients count towards the server's `max_pending`.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(
            self.state,
            State::Connecting | State::Pending | State::Verifying
        )
    }

    fn on_connect(&mut self, now: Instant, presented: Collected, failed_attempts: u32) {
        if self.state != State::New {
            return;
        }
        match (self.policy.mode, presented) {
            (Mode::TwoRoundTrip, _) | (Mode::Either, Collected::Guest | Collected::Missing(_)) => {
                self.state = State::Pending;
                self.emit(Output::AcceptConnect);
                self.run_timers(now);
            }
            (_, Collected::Credential(credential)) => {
                if failed_attempts >= self.policy.max_attempts {
                    self.refuse_connect(Code::TooManyAttempts.into());
                } else {
                    self.state = State::Connecting;
                    self.start_verification(now, credential);
                }
            }
            (Mode::Handshake, Collected::Guest) => {
                self.state = State::Active;
                self.emit(Output::Admit {
                    grant: None,
                    expires_in: None,
                });
            }
            (_, Collected::Missing(rejection) | Collected::Rejected(rejection)) => {
                self.refuse_connect(rejection);
            }
        }
    }

    fn on_connect_granted(
        &mut self,
        now: Instant,
        grant: G,
        subject: Subject,
        expires_in: Option<Duration>,
        credential: Option<Credential>,
    ) {
        if self.state != State::New {
            return;
        }
        if expires_in.is_some_and(|left| left.is_zero()) {
            return self.refuse_connect(Code::TokenExpired.into());
        }
        self.subject = Some(subject);
        let expires_in = self.arm_expiry(now, expires_in);
        if let Some(of) = &mut self.revalidation {
            of.consider(credential);
            of.accept(now);
        }
        self.state = State::Active;
        self.emit(Output::Admit {
            grant: Some(grant),
            expires_in,
        });
    }

    fn on_authenticate(
        &mut self,
        now: Instant,
        presented: Collected,
        ack: Option<u64>,
        failed_attempts: u32,
    ) {
        match self.state {
            State::New | State::Closed => {}
            State::Connecting => self.close_connection(),
            State::Verifying | State::Refreshing => {
                self.unauthorized(Code::AuthInProgress.into(), ack);
                if self.state == State::Verifying {
                    self.count_ignored();
                }
            }
            State::Pending => self.authenticate_pending(now, presented, ack, failed_attempts),
            State::Active => self.renew(now, presented, ack, failed_attempts),
            State::Revalidating => {
                // The client is about to bring a newer one.
                self.stop_revalidating(now);
                self.renew(now, presented, ack, failed_attempts);
            }
        }
    }

    fn authenticate_pending(
        &mut self,
        now: Instant,
        presented: Collected,
        ack: Option<u64>,
        failed_attempts: u32,
    ) {
        match presented {
            Collected::Credential(credential) => {
                if failed_attempts >= self.policy.max_attempts {
                    self.unauthorized(Code::TooManyAttempts.into(), ack);
                    self.disconnect();
                } else {
                    self.close_at = None;
                    self.armed_notice = None;
                    self.ack = ack;
                    self.state = State::Verifying;
                    self.start_verification(now, credential);
                }
            }
            Collected::Guest => {
                self.state = State::Active;
                self.emit(Output::Activate {
                    grant: None,
                    expires_in: None,
                });
                self.emit(Output::Authenticated {
                    ack,
                    expires_in: None,
                });
                self.emit(Output::RunConnectHandler);
            }
            Collected::Missing(rejection) | Collected::Rejected(rejection) => {
                match rejection.code() {
                    // The server still asks others about what came before.
                    Code::AuthInProgress => self.unauthorized(rejection, ack),
                    _ => self.unauthorized_and_arm(now, rejection, ack),
                }
                self.count_ignored();
            }
        }
    }

    fn renew(
        &mut self,
        now: Instant,
        presented: Collected,
        ack: Option<u64>,
        failed_attempts: u32,
    ) {
        let credential = match presented {
            Collected::Credential(credential) => credential,
            Collected::Guest => {
                return self.unauthorized(Code::CredentialsRequired.into(), ack);
            }
            Collected::Missing(rejection) | Collected::Rejected(rejection) => {
                return self.unauthorized(rejection, ack);
            }
        };
        if failed_attempts >= self.policy.max_attempts {
            return self.unauthorized(Code::TooManyAttempts.into(), ack);
        }
        let is_too_soon = self.renewed_at.is_some_and(|last| {
            now.saturating_duration_since(last) < self.policy.min_renewal_interval
        });
        if is_too_soon {
            return self.unauthorized(Code::RateLimited.into(), ack);
        }
        self.renewed_at = Some(now);
        self.ack = ack;
        self.state = State::Refreshing;
        self.start_verification(now, credential);
    }

    fn on_packet(&mut self, packet: M) {
        match self.state {
            State::New | State::Closed => {}
            State::Connecting => self.close_connection(),
            State::Pending => self.count_ignored(),
            State::Verifying => {
                let bytes = self.queued_bytes.saturating_add(packet.size_bytes());
                if self.queue.len() >= self.policy.max_pending_packets
                    || bytes > self.policy.max_pending_bytes
                {
                    self.close_connection();
                } else {
                    self.queued_bytes = bytes;
                    self.queue.push_back(packet);
                }
            }
            State::Active | State::Refreshing | State::Revalidating => {
                self.emit(Output::Deliver(packet));
            }
        }
    }

    fn on_acked(&mut self, notice: u32) {
        if self.state == State::Pending && self.armed_notice == Some(notice) {
            self.disconnect();
        }
    }

    fn on_verified(
        &mut self,
        now: Instant,
        epoch: u32,
        grant: G,
        subject: Subject,
        expires_in: Option<Duration>,
    ) {
        if !self.is_current(epoch) {
            return;
        }
        if expires_in.is_some_and(|left| left.is_zero()) {
            // Accepted by its leeway only: letting it in would end it at once, and the client would come back with
            // it again and again.
            return self.on_refused(now, epoch, Code::TokenExpired.into());
        }
        self.verify_by = None;
        let ack = self.ack.take();
        let is_foreign = self
            .subject
            .as_ref()
            .is_some_and(|current| *current != subject);
        if self.state == State::Revalidating {
            return if is_foreign {
                self.fail_verification(now, Code::IdentityMismatch.into());
            } else {
                self.on_revalidated(now, grant, expires_in);
            };
        }
        let switches = self.state == State::Refreshing && is_foreign;
        if switches && !self.policy.allow_switch {
            self.ack = ack;
            self.fail_verification(now, Code::IdentityMismatch.into());
            return self.run_timers(now);
        }
        self.subject = Some(subject);
        let expires_in = self.arm_expiry(now, expires_in);
        if let Some(of) = &mut self.revalidation {
            of.accept(now);
        }
        let before = std::mem::replace(&mut self.state, State::Active);
        let success = Output::Authenticated { ack, expires_in };
        match before {
            State::Connecting => self.emit(Output::Admit {
                grant: Some(grant),
                expires_in,
            }),
            State::Refreshing => {
                if switches {
                    self.emit(Output::LeaveRooms);
                }
                self.emit(Output::ReplaceGrant { grant, expires_in });
                self.emit(success);
            }
            _ => {
                self.emit(Output::Activate {
                    grant: Some(grant),
                    expires_in,
                });
                self.emit(success);
                self.emit(Output::RunConnectHandler);
                self.queued_bytes = 0;
                for packet in std::mem::take(&mut self.queue) {
                    self.emit(Output::Deliver(packet));
                }
            }
        }
    }

    /// The credential still holds, perhaps for less. The same one cannot hold for longer than it did.
    fn on_revalidated(&mut self, now: Instant, grant: G, expires_in: Option<Duration>) {
        let ends_at = expires_in.and_then(|left| now.checked_add(left));
        if ends_at.is_some_and(|at| self.expires_at.is_none_or(|known| at < known)) {
            self.arm_expiry(now, expires_in);
        }
        self.state = State::Active;
        self.wait_to_revalidate(now);
        let left = self.expires_at.map(|at| at.saturating_duration_since(now));
        self.emit(Output::ReplaceGrant {
            grant,
            expires_in: left,
        });
    }

    fn on_refused(&mut self, now: Instant, epoch: u32, rejection: Rejection) {
        if !self.is_current(epoch) {
            return;
        }
        // A renewal is no attempt to get in, and a server that cannot judge uses up none.
        if self.subject.is_none() && rejection.code() != Code::AuthUnavailable {
            self.emit(Output::AttemptFailed);
        }
        self.fail_verification(now, rejection);
        self.run_timers(now);
    }

    fn fail_verification(&mut self, now: Instant, rejection: Rejection) {
        self.verify_by = None;
        if let Some(of) = &mut self.revalidation {
            of.consider(None);
        }
        let ack = self.ack.take();
        match self.state {
            State::Connecting => self.refuse_connect(rejection),
            State::Verifying => {
                self.queue = VecDeque::new();
                self.queued_bytes = 0;
                self.state = State::Pending;
                self.unauthorized_and_arm(now, rejection, ack);
            }
            State::Refreshing => {
                self.state = State::Active;
                self.unauthorized(rejection, ack);
            }
            State::Revalidating if rejection.code() == Code::AuthUnavailable => {
                self.state = State::Active;
                self.wait_to_revalidate(now);
            }
            State::Revalidating if rejection.code() == Code::TokenExpired => {
                self.state = State::Active;
                self.expire();
            }
            State::Revalidating => {
                self.unauthorized(rejection, ack);
                self.disconnect();
            }
            State::New | State::Pending | State::Active | State::Closed => {}
        }
    }

    fn on_revoked(&mut self, rejection: Rejection) {
        match self.state {
            State::New | State::Closed => {}
            State::Connecting => {
                self.cancel_verification();
                self.refuse_connect(rejection);
            }
            State::Pending => self.disconnect(),
            State::Verifying => {
                let ack = self.ack.take();
                self.cancel_verification();
                self.unauthorized(rejection, ack);
                self.disconnect();
            }
            State::Active | State::Refreshing | State::Revalidating => {
                self.cancel_verification();
                self.unauthorized(rejection, None);
                self.disconnect();
            }
        }
    }

    fn on_expire_in(&mut self, now: Instant, margin: Duration, reason: Option<Arc<str>>) {
        if !self.is_active() {
            return;
        }
        let Some(at) = earlier(self.expires_at, now.checked_add(margin)) else {
            return;
        };
        self.expires_at = Some(at);
        self.warn_at = None;
        self.emit(Output::TokenExpiring {
            expires_in: at.saturating_duration_since(now),
            reason,
        });
        self.run_timers(now);
    }

    fn run_timers(&mut self, now: Instant) {
        let due = |deadline: Option<Instant>| deadline.is_some_and(|at| at <= now);
        if self.state == State::Refreshing && due(self.expiry_while_refreshing()) {
            self.cancel_verification();
            self.state = State::Active;
        }
        if self.state == State::Revalidating && due(self.expires_at) {
            self.stop_revalidating(now);
        }
        if self.is_verifying() && due(self.verify_by) {
            self.cancel_verification();
            let rejection = Rejection::unavailable("the verification took too long");
            self.fail_verification(now, rejection);
        }
        match self.state {
            State::Pending if due(self.close_at) => self.disconnect(),
            State::Pending if due(self.auth_by) => {
                // One `unauthorized` is enough when another one was sent just before.
                if self.close_at.is_none() && self.policy.notify_timeout {
                    self.unauthorized(Code::AuthTimeout.into(), None);
                }
                self.disconnect();
            }
            State::Active if due(self.expires_at) => self.expire(),
            State::Active | State::Refreshing | State::Revalidating if due(self.warn_at) => {
                self.warn_at = None;
                let left = self
                    .expires_at
                    .map(|at| at.saturating_duration_since(now))
                    .filter(|left| !left.is_zero());
                if let Some(expires_in) = left {
                    self.emit(Output::TokenExpiring {
                        expires_in,
                        reason: None,
                    });
                }
            }
            State::Active => self.revalidate_if_due(now),
            _ => {}
        }
    }

    fn revalidate_if_due(&mut self, now: Instant) {
        let due = self.revalidation.as_mut().and_then(|of| of.take_due(now));
        if let (Some(credential), Some(subject)) = (due, self.subject.clone()) {
            self.state = State::Revalidating;
            self.verify(now, credential, Purpose::Revalidation(subject));
        }
    }

    fn wait_to_revalidate(&mut self, now: Instant) {
        if let Some(of) = &mut self.revalidation {
            of.wait(now);
        }
    }

    fn stop_revalidating(&mut self, now: Instant) {
        self.cancel_verification();
        self.state = State::Active;
        self.wait_to_revalidate(now);
    }

    fn expire(&mut self) {
        self.expires_at = None;
        self.warn_at = None;
        if let Some(of) = &mut self.revalidation {
            of.forget();
        }
        // The renewal that was cut short by the end may still want its answer.
        let ack = self.ack.take();
        self.unauthorized(Code::TokenExpired.into(), ack);
        match self.policy.on_expiry {
            OnExpiry::NotifyOnly => {}
            OnExpiry::DisconnectNamespace => self.disconnect(),
            // The subject stays: who was somebody may come back as the same one only.
            OnExpiry::Downgrade if self.has_guests => self.emit(Output::Downgrade),
            OnExpiry::Downgrade | OnExpiry::ReconnectTransport => self.close_connection(),
        }
    }

    /// Sets the deadlines of a grant and says how long it really holds.
    fn arm_expiry(&mut self, now: Instant, expires_in: Option<Duration>) -> Option<Duration> {
        let left = match (expires_in, self.policy.max_session) {
            (Some(left), Some(cap)) if left <= cap => Some(left),
            (_, Some(cap)) => Some(cap.saturating_sub(cap / 1000 * self.spread_permille)),
            (left, None) => left,
        };
        let notice = self.policy.warn_before;
        self.expires_at = left.and_then(|left| now.checked_add(left));
        self.warn_at = left
            .filter(|_| !notice.is_zero())
            .map(|left| {
                if left < notice.saturating_mul(2) {
                    left.saturating_sub(left / 3)
                } else {
                    left.saturating_sub(notice)
                }
            })
            .and_then(|wait| now.checked_add(wait));
        left
    }

    fn expiry_while_refreshing(&self) -> Option<Instant> {
        self.expires_at
            .and_then(|at| at.checked_add(self.policy.refresh_grace))
    }

    fn start_verification(&mut self, now: Instant, credential: Credential) {
        if let Some(of) = &mut self.revalidation {
            of.consider(Some(credential.clone()));
        }
        let subject = self.subject.clone();
        let purpose = subject.map_or(Purpose::Entry, Purpose::Renewal);
        self.verify(now, credential, purpose);
    }

    fn verify(&mut self, now: Instant, credential: Credential, purpose: Purpose) {
        self.epoch = self.epoch.wrapping_add(1);
        self.verify_by = now.checked_add(self.policy.verify_timeout);
        self.emit(Output::StartVerify {
            epoch: self.epoch,
            credential,
            purpose,
        });
    }

    /// Drops the verification, if one is under way. Its result will carry an epoch that is not current.
    fn cancel_verification(&mut self) {
        if self.is_verifying() {
            self.emit(Output::CancelVerify { epoch: self.epoch });
            self.epoch = self.epoch.wrapping_add(1);
            self.verify_by = None;
        }
    }

    fn is_current(&self, epoch: u32) -> bool {
        epoch == self.epoch && self.is_verifying()
    }

    const fn is_verifying(&self) -> bool {
        matches!(
            self.state,
            State::Connecting | State::Verifying | State::Refreshing | State::Revalidating
        )
    }

    fn unauthorized_and_arm(&mut self, now: Instant, rejection: Rejection, ack: Option<u64>) {
        self.unauthorized(rejection, ack);
        self.armed_notice = Some(self.notices);
        self.close_at = now.checked_add(self.policy.reject_grace);
    }

    fn unauthorized(&mut self, rejection: Rejection, ack: Option<u64>) {
        self.notices = self.notices.wrapping_add(1);
        self.emit(Output::Unauthorized {
            rejection,
            notice: self.notices,
            ack,
        });
    }

    fn count_ignored(&mut self) {
        self.ignored_packets = self.ignored_packets.saturating_add(1);
        if self.ignored_packets > self.policy.max_ignored_packets {
            self.close_connection();
        }
    }

    fn refuse_connect(&mut self, rejection: Rejection) {
        self.emit(Output::RefuseConnect(rejection));
        self.close();
    }

    fn disconnect(&mut self) {
        self.emit(Output::Disconnect);
        self.close();
    }

    fn close_connection(&mut self) {
        self.cancel_verification();
        self.emit(Output::CloseConnection);
        self.close();
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.revalidation = None;
        self.queue = VecDeque::new();
        self.queued_bytes = 0;
    }

    fn emit(&mut self, output: Output<M, G>) {
        self.outputs.push_back(output);
    }

    #[cfg(test)]
    pub(super) fn buffered_capacity(&self) -> usize {
        self.queue.capacity() + self.outputs.capacity()
    }

    #[cfg(test)]
    pub(super) const fn state(&self) -> State {
        self.state
    }
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}

impl<M: Clone, G: Clone> Clone for AuthMachine<M, G> {
    fn clone(&self) -> Self {
        Self {
            policy: Arc::clone(&self.policy),
            subject: self.subject.clone(),
            revalidation: self.revalidation.clone(),
            queue: self.queue.clone(),
            outputs: self.outputs.clone(),
            ..*self
        }
    }
}

impl<M, G> fmt::Debug for AuthMachine<M, G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthMachine")
            .field("state", &self.state)
            .field("queued", &self.queue.len())
            .finish_non_exhaustive()
    }
}
