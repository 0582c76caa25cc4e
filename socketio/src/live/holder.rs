//! Who holds a socket: its identity, its grant, and what the policy lets it do.

use std::sync::Arc;
use std::time::SystemTime;

use socketio_auth::{
    Action, AuditKind, Code, Decision, DynPolicy, ErasedIdentity, Grant, GrantFacts, Rejection,
    Subject,
};
use tokio::sync::oneshot;

use super::core::{Core, Verdict};
use super::driver::Ask;
use crate::authority::guard::Margin;
use crate::proto::rooms::Room;
use crate::running::guard;

impl Core {
    pub(crate) fn set_grant(
        &self,
        grant: Arc<Grant<ErasedIdentity>>,
        expires_at: Option<SystemTime>,
    ) {
        self.set_holder(grant.identity().clone(), Some(grant), expires_at);
    }

    /// Whom nothing is granted.
    pub(crate) fn set_guest(&self, identity: ErasedIdentity) {
        self.set_holder(identity, None, None);
    }

    fn set_holder(
        &self,
        identity: ErasedIdentity,
        grant: Option<Arc<Grant<ErasedIdentity>>>,
        expires_at: Option<SystemTime>,
    ) {
        let mut state = self.state.lock();
        state.expires_at = expires_at;
        let before = (
            std::mem::replace(&mut state.identity, identity),
            std::mem::replace(&mut state.grant, grant),
        );
        let tag = self.is_joined().then(|| state.tag());
        drop(state);
        if let Some(tag) = tag {
            self.space.rooms.lock().set_tag(self.id(), tag);
        }
        // The identity is the application's, and so is what its end does.
        let _ = guard(|| drop(before));
    }

    pub(crate) fn identity(&self) -> ErasedIdentity {
        self.state.lock().identity.clone()
    }

    pub(crate) fn grant(&self) -> Option<Arc<Grant<ErasedIdentity>>> {
        self.state.lock().grant.clone()
    }

    pub(crate) fn expires_at(&self) -> Option<SystemTime> {
        self.state.lock().expires_at
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
            None => self.end_by(Code::TokenRevoked.into()),
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
    pub(crate) fn may_emit(&self, event: &str, args_count: usize) -> bool {
        self.may(Action::Emit { event, args_count })
    }

    /// Whether the policy lets the client receive an event. Not told to the books: the client did nothing.
    pub(crate) fn may_receive(&self, event: &str) -> bool {
        self.is_allowed(Action::Receive { event })
    }

    /// Whether the policy allows an action of the client; told to the books if not.
    pub(crate) fn may(&self, action: Action<'_>) -> bool {
        let is_allowed = self.is_allowed(action);
        if !is_allowed {
            self.space.driver.note(self, AuditKind::Denied(action));
        }
        is_allowed
    }

    #[inline]
    fn is_allowed(&self, action: Action<'_>) -> bool {
        match &self.space.guard {
            Some(gate) if gate.policy.has_authorizer() => self.consult(&*gate.policy, action),
            _ => true,
        }
    }

    fn consult(&self, policy: &dyn DynPolicy, action: Action<'_>) -> bool {
        let (identity, grant) = {
            let state = self.state.lock();
            (state.identity.clone(), state.grant.clone())
        };
        let facts = grant.as_ref().map(|grant| grant.facts());
        let decided = guard(|| policy.can(&identity, facts, action));
        // Who cannot be asked allows nothing.
        decided.is_ok_and(|decision| decision == Decision::Allow)
    }

    pub(crate) fn is_asking(&self) -> bool {
        let state = self.state.lock();
        state.extra.as_ref().is_some_and(|extra| extra.is_asking)
    }

    pub(crate) fn set_asking(&self, is_asking: bool) {
        self.state.lock().extra().is_asking = is_asking;
    }

    /// Starts a verification that ends when the returned receiver does. An older one ends now.
    pub(crate) fn begin_verification(&self, epoch: u32) -> oneshot::Receiver<()> {
        let (alive, ended) = oneshot::channel();
        self.state.lock().extra().verification = Some((epoch, alive));
        ended
    }

    pub(crate) fn cancel_verification(&self, epoch: u32) {
        let mut state = self.state.lock();
        if let Some(extra) = state.extra.as_mut() {
            extra.verification.take_if(|(running, _)| *running == epoch);
        }
    }

    /// Has the books told of this verdict while `act` acts on it.
    pub(crate) fn with_verdict(&self, verdict: Option<Verdict>, act: impl FnOnce()) {
        let Some(verdict) = verdict else {
            return act();
        };
        self.state.lock().extra().verdict = Some(Box::new(verdict));
        act();
        if let Some(extra) = self.state.lock().extra.as_mut() {
            extra.verdict = None;
        }
    }

    pub(crate) fn verdict(&self) -> Option<Verdict> {
        self.state
            .lock()
            .extra
            .as_ref()?
            .verdict
            .as_deref()
            .copied()
    }
}
