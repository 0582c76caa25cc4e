//! What a socket has to do with recovery.

use std::sync::Arc;

use engineio::{Protocol, SendOptions};

use super::core::Core;
use super::keeper::{Claim, Keeper, Kept, Recoverable, Resumed};
use crate::atomic::{AtomicBool, Ordering};
use crate::authority::revoked::RecentRevocations;
use crate::error::DisconnectReason;
use crate::proto::recovery::{Offset, Session};
use crate::proto::room::Room;
use crate::proto::rooms::{Joined, Rooms};

impl Core {
    pub(crate) fn set_claim(&self, claim: Box<Claim>) {
        self.state.lock().extra().claim = Some(claim);
    }

    /// Gives the socket its private id, and back what it had when it lost its connection. To be called when it has
    /// its grant. True when connect middleware is to be passed over.
    //= SIO5-CSR-01
    //= SIO5-CSR-09
    pub(crate) fn identify(&self) -> bool {
        let Some(keeper) = &self.space.recovery else {
            return false;
        };
        if self.connection.protocol() == Protocol::V3 {
            return false;
        }
        let claim = self
            .state
            .lock()
            .extra
            .as_mut()
            .and_then(|extra| extra.claim.take());
        let subject = self.subject();
        let mark = self.revocations().mark();
        let resumed = claim.and_then(|claim| {
            let (session, after) = keeper.resume(&claim, &self.space.name, subject.as_ref())?;
            // A list may have heard of it elsewhere.
            let grant = session.grant.as_ref();
            let is_held = grant.is_none_or(|facts| self.space.check_lists(facts).is_ok());
            is_held.then_some((claim.pid, (session, after)))
        });
        let recoverable = match resumed {
            Some((pid, (mut session, after))) => {
                self.withhold(&mut session, keeper);
                Recoverable {
                    pid,
                    since: session.since,
                    resumed: Some(Resumed {
                        session,
                        after,
                        mark,
                    }),
                    is_forfeit: AtomicBool::new(false),
                }
            }
            // Without random bytes the socket is one that cannot be recovered.
            None => match engineio::SessionId::generate() {
                Ok(pid) => Recoverable {
                    pid: pid.as_str().into(),
                    since: keeper.end(),
                    resumed: None,
                    is_forfeit: AtomicBool::new(false),
                },
                Err(_) => return false,
            },
        };
        let is_resumed = recoverable.resumed.is_some();
        let was_set = self.recoverable.set(Box::new(recoverable));
        debug_assert!(was_set.is_ok(), "a socket is let in once");
        is_resumed && keeper.skips_middleware
    }

    /// Takes a session the rooms that the grant of today does not allow.
    fn withhold(&self, session: &mut Session, keeper: &Keeper) {
        let mut refused = session.all_rooms();
        refused.retain(|room| !self.may_be_in(room));
        session.withhold(&refused, keeper.end());
    }

    pub(crate) fn pid(&self) -> Option<&str> {
        self.recoverable.get().map(|found| &*found.pid)
    }

    /// What let the socket in was revoked: it does not come back, even if its connection is being lost just now.
    pub(super) fn forfeit(&self) {
        if let Some(recoverable) = self.recoverable.get() {
            recoverable.is_forfeit.store(true, Ordering::Release);
        }
    }

    fn revocations(&self) -> &RecentRevocations {
        &self.connection.data().server.authority.revoked
    }

    pub(super) fn resumed(&self) -> Option<&Resumed> {
        self.recoverable.get()?.resumed.as_ref()
    }

    pub(crate) fn is_resumed(&self) -> bool {
        self.resumed().is_some()
    }

    /// Sends what a resumed socket missed, ahead of the answer to its CONNECT. False when not all of it is kept any
    /// more, or what had let it in was revoked while middleware was asked.
    //= SIO5-CSR-04
    pub(crate) fn send_missed(&self) -> bool {
        let (Some(keeper), Some(resumed)) = (&self.space.recovery, self.resumed()) else {
            return true;
        };
        let grant = resumed.session.grant.as_ref();
        if grant.is_some_and(|facts| self.revocations().check(resumed.mark, facts).is_err()) {
            return false;
        }
        let Some((missed, end)) = keeper.missed(&self.space.name, resumed, resumed.after) else {
            return false;
        };
        self.replay(&missed);
        self.state.lock().extra().replayed_to = Some(end);
        true
    }

    /// Sends kept events, except those that the client may not receive any more.
    fn replay(&self, missed: &[Kept]) {
        for Kept { event, message } in missed {
            if self.may_receive(event) {
                // A client whose queue is full is treated as its namespace says.
                let _ = self.connection.send_as(message, self.space.options);
            }
        }
    }

    /// Puts the socket among those of the namespace, a resumed one with its rooms and in the same moment in which it has
    /// all that was kept: what is sent from here on reaches it directly.
    pub(super) fn insert(self: &Arc<Self>) -> Vec<(Room, Joined)> {
        let (replayed_to, tag) = {
            let mut state = self.state.lock();
            let extra = state.extra.as_mut();
            let replayed_to = extra.and_then(|extra| extra.replayed_to.take());
            (replayed_to, state.tag())
        };
        let (Some(keeper), Some(resumed), Some(mut from)) =
            (&self.space.recovery, self.resumed(), replayed_to)
        else {
            let mut rooms = self.space.rooms.lock();
            rooms.insert(self.id().clone(), Arc::clone(self), tag);
            return Vec::new();
        };
        // Each time around sends what came during the last, which is ever less.
        let _order = loop {
            let order = self.space.order.lock();
            match keeper.missed(&self.space.name, resumed, from) {
                Some((missed, _)) if missed.is_empty() => break order,
                Some((missed, end)) => {
                    drop(order);
                    self.replay(&missed);
                    from = end;
                }
                None => {
                    drop(order);
                    // Some of it was forgotten meanwhile. On its next attempt it is a stranger.
                    self.connection.close();
                    break self.space.order.lock();
                }
            }
        };
        let mut rooms = self.space.rooms.lock();
        let bounds = self.space.settings.rooms;
        let socket = Arc::clone(self);
        rooms.resume(&resumed.session, socket, tag, bounds, keeper.end())
    }

    /// Changes the rooms of the socket. Where that is to be known when it comes back, no event is sent meanwhile, and the
    /// change is given where the log ends.
    pub(super) fn in_rooms<T>(
        &self,
        change: impl FnOnce(&mut Rooms<Arc<Self>>, Option<Offset>) -> T,
    ) -> T {
        let (Some(keeper), Some(recoverable)) = (&self.space.recovery, self.recoverable.get())
        else {
            return change(&mut self.space.rooms.lock(), None);
        };
        let _order = self.space.order.lock();
        let mut rooms = self.space.rooms.lock();
        let end = keeper.end();
        change(&mut rooms, Some(end).filter(|&end| end > recoverable.since))
    }

    /// Where an event for this socket is to be kept.
    pub(crate) fn keeper(&self, id: Option<u64>, options: SendOptions) -> Option<&Keeper> {
        let keeper = self.space.recovery.as_deref()?;
        self.recoverable.get()?;
        (id.is_none() && !options.is_volatile()).then_some(keeper)
    }

    /// Saves what the socket has, if it may come back for it. To be called while it is in its rooms.
    //= SIO5-CSR-08
    pub(crate) fn save(&self, reason: DisconnectReason) {
        let (Some(keeper), Some(recoverable)) = (&self.space.recovery, self.recoverable.get())
        else {
            return;
        };
        if !reason.is_recoverable() {
            return;
        }
        let (rooms, stays) = {
            let rooms = self.space.rooms.lock();
            (rooms.rooms_of(self.id()), rooms.stays_of(self.id()))
        };
        let session = Session {
            id: self.id().clone(),
            grant: self.grant().map(|grant| grant.facts().clone()),
            rooms,
            stays,
            since: recoverable.since,
        };
        keeper.save(&recoverable.pid, &self.space.name, session);
        // A revocation marks the sockets that it finds, then looks for what is saved. Whichever way that falls between
        // these two steps, one of the sides sees the other.
        if recoverable.is_forfeit.load(Ordering::Acquire) {
            keeper.forget(&recoverable.pid);
        }
    }
}
