//! Who holds a socket: its identity, its grant, and what the policy lets it do.

use std::sync::Arc;
use std::time::SystemTime;

use socketio_auth::{
    AuditKind, Code, Grant, GrantFacts, Rejection, Subject,
    authorize::{Action, Decision},
    server::{DynPolicy, ErasedIdentity},
};
use tokio::sync::oneshot;

use super::candidate::{Candidate, Holder};
use super::core::Core;
use super::driver::Ask;
use crate::authority::guard::Margin;
use crate::authority::refused::Evidence;
use crate::proto::room::Room;
use crate::running::guard;
use crate::wall_time::WallTime;

impl Core {
    pub(crate) fn set_grant(
        &self,
        grant: Arc<Grant<ErasedIdentity>>,
        expires_at: Option<SystemTime>,
    ) {
        self.set_holder(Holder::Granted(grant), expires_at);
    }

    /// Whom nothing is granted.
    pub(crate) fn set_guest(&self, identity: ErasedIdentity) {
        self.set_holder(Holder::Guest(identity), None);
    }

    /// The socket does not become the one that middleware was asked about. One that is not in has nothing granted any
    /// more and joins none of that one's rooms; middleware that keeps a handle still sees that one.
    pub(crate) fn step_back(&self) {
        if self.is_joined() {
            if let Some(candidate) = self.take_candidate() {
                candidate.give_up();
            }
            return;
        }
        let mut state = self.state.lock();
        state.expires_at = None;
        let guest = Holder::Guest(state.holder.identity().clone());
        let before = std::mem::replace(&mut state.holder, guest);
        if let Some(extra) = state.extra.as_mut() {
            extra.evidence = None;
            extra.staged = Vec::new();
        }
        drop(state);
        let _ = guard(|| drop(before));
        // What middleware kept with it was for whom it asked about.
        self.forget_extensions();
    }

    pub(crate) fn take_candidate(&self) -> Option<Arc<Candidate>> {
        self.state.lock().extra.as_mut()?.candidate.take()
    }

    /// Does what middleware had staged for the candidate that the socket has become.
    pub(crate) fn join_staged(&self, candidate: &Candidate) {
        let (rooms, changes) = candidate.take_place();
        self.apply(changes);
        for room in rooms {
            // A namespace that is full of rooms has the socket without them.
            let _ = self.join(room);
        }
    }

    /// Has middleware see the socket as another than it is.
    pub(crate) fn consider(&self, candidate: Candidate) -> Arc<Candidate> {
        let candidate = Arc::new(candidate);
        let mut state = self.state.lock();
        if !self.has_left() {
            state.extra().candidate = Some(Arc::clone(&candidate));
        }
        candidate
    }

    fn set_holder(&self, holder: Holder, expires_at: Option<SystemTime>) {
        let mut state = self.state.lock();
        state.expires_at = expires_at.map(WallTime::from);
        let before = std::mem::replace(&mut state.holder, holder);
        let tag = self.is_joined().then(|| state.tag());
        drop(state);
        if let Some(tag) = tag {
            self.space.rooms.lock().set_tag(self.id(), tag);
        }
        // The identity is the application's, and so is what its end does.
        let _ = guard(|| drop(before));
    }

    pub(crate) fn identity(&self) -> ErasedIdentity {
        self.state.lock().holder.identity().clone()
    }

    pub(crate) fn grant(&self) -> Option<Arc<Grant<ErasedIdentity>>> {
        self.state.lock().holder.grant().cloned()
    }

    pub(crate) fn expires_at(&self) -> Option<SystemTime> {
        self.state.lock().expires_at.map(SystemTime::from)
    }

    pub(crate) fn subject(&self) -> Option<Subject> {
        self.grant().map(|grant| grant.subject().clone())
    }

    /// Whether the grant, if there is one, is one of those.
    pub(crate) fn has_grant_that(&self, is_meant: impl FnOnce(&GrantFacts) -> bool) -> bool {
        let grant = self.grant();
        grant.is_some_and(|grant| is_meant(grant.facts()))
    }

    /// Whether what was accepted has not been revoked meanwhile.
    pub(crate) fn check_lists(&self) -> Result<(), Rejection> {
        let grant = self.grant();
        grant.map_or(Ok(()), |grant| self.space.check_lists(grant.facts()))
    }

    /// What was accepted may have been revoked before a revocation could find the socket by it.
    pub(crate) fn revoke_if_late(&self) {
        if let Err(rejection) = self.check_lists() {
            self.end_by(rejection);
        }
    }

    /// Ends the grant if it is one of those: the socket leaves at once or, given a margin, unless it renews in time.
    pub(crate) fn end_grant_if(
        &self,
        margin: Option<&Margin>,
        is_meant: impl FnOnce(&GrantFacts) -> bool,
    ) -> bool {
        let is_meant = self.has_grant_that(is_meant);
        if is_meant {
            self.end_grant(margin);
        }
        is_meant
    }

    pub(crate) fn end_grant(&self, margin: Option<&Margin>) {
        match margin {
            Some(margin) => self.ask(Ask::ExpireIn(margin.clone())),
            None => {
                self.forfeit();
                self.end_by(Code::TokenRevoked.into());
            }
        }
    }

    /// Puts the socket out, and says why.
    pub(crate) fn end_by(&self, rejection: Rejection) {
        self.ask(Ask::End(rejection));
    }

    /// Whether the policy lets the socket be in a room; told to the books if not.
    pub(crate) fn may_be_in(&self, room: &Room) -> bool {
        let room = room.as_str();
        self.may(Action::Join { room })
    }

    /// Whether the policy lets the client send an event.
    #[inline]
    pub(crate) fn may_emit(&self, event: &str, args_count: usize) -> bool {
        self.may(Action::Emit { event, args_count })
    }

    /// Whether the policy lets the client receive an event. Not told to the books: the client did nothing.
    #[inline]
    pub(crate) fn may_receive(&self, event: &str) -> bool {
        self.is_allowed(None, Action::Receive { event })
    }

    /// Whether the policy allows an action of the client; told to the books if not.
    #[inline]
    pub(crate) fn may(&self, action: Action<'_>) -> bool {
        self.may_as(None, action)
    }

    /// The same of a candidate, as long as the socket is not that one.
    #[inline]
    pub(crate) fn may_as(&self, candidate: Option<&Candidate>, action: Action<'_>) -> bool {
        let is_allowed = self.is_allowed(candidate, action);
        if !is_allowed {
            self.space.driver.note(self, AuditKind::Denied(action));
        }
        is_allowed
    }

    // Always, since it is asked twice of each message, and mostly there is no policy.
    #[inline(always)]
    fn is_allowed(&self, candidate: Option<&Candidate>, action: Action<'_>) -> bool {
        match &self.space.guard {
            Some(gate) if gate.policy.has_authorizer() => {
                self.consult(&*gate.policy, candidate, action)
            }
            _ => true,
        }
    }

    fn consult(
        &self,
        policy: &dyn DynPolicy,
        candidate: Option<&Candidate>,
        action: Action<'_>,
    ) -> bool {
        let holder = match candidate {
            Some(candidate) => candidate.holder(),
            None => self.state.lock().holder.clone(),
        };
        let facts = holder.grant().map(|grant| grant.facts());
        let decided = guard(|| policy.can(holder.identity(), facts, action));
        // Who cannot be asked allows nothing.
        decided.is_ok_and(|decision| decision == Decision::Allow)
    }

    /// Starts a verification, or a question to middleware, that ends when the returned receiver does. An older one ends
    /// now, and so does this one if the socket has left.
    pub(crate) fn begin_trial(&self, epoch: u32) -> oneshot::Receiver<()> {
        let (alive, ended) = oneshot::channel();
        let mut state = self.state.lock();
        if !self.has_left() {
            state.extra().trial = Some((epoch, alive));
        }
        ended
    }

    pub(crate) fn cancel_trial(&self, epoch: u32) {
        let mut state = self.state.lock();
        if let Some(extra) = state.extra.as_mut() {
            extra.trial.take_if(|(running, _)| *running == epoch);
        }
    }

    /// Keeps what the books are to be told when the socket is let in.
    pub(crate) fn set_evidence(&self, evidence: Option<Box<Evidence>>) {
        if evidence.is_some() {
            self.state.lock().extra().evidence = evidence;
        }
    }

    pub(crate) fn take_evidence(&self) -> Option<Box<Evidence>> {
        self.state.lock().extra.as_mut()?.evidence.take()
    }
}
