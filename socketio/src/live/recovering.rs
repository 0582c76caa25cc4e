//! What a socket has to do with recovery.

use std::sync::Arc;

use engineio::{Protocol, SendOptions};
use serde_json::Value;

use super::core::Core;
use super::keeper::{Claim, Fetched, Held, Keeper, Kept, Recoverable, Resumed};
use crate::atomic::{AtomicBool, Ordering};
use crate::authority::revoked::{Mark, RecentRevocations};
use crate::clock::wall_clock;
use crate::error::DisconnectReason;
use crate::proto::recovery::{Offset, Session};
use crate::proto::room::Room;
use crate::proto::rooms::{Emptied, Joined, Rooms};

/// What was found for a client that comes back.
pub(crate) struct Restored {
    pub(super) pid: Arc<str>,
    pub(super) session: Session,
    pub(super) after: Offset,
    pub(super) mark: Mark,
    pub(super) fetched: Option<Box<Fetched>>,
}

/// What became of rooms when a socket came in.
#[derive(Default)]
pub(super) struct Inserted {
    /// Those that its former self was in.
    pub(super) left: Vec<(Room, Emptied)>,
    pub(super) joined: Vec<(Room, Joined)>,
}

impl Core {
    pub(crate) fn set_claim(&self, claim: Box<Claim>) {
        self.state.lock().extra().claim = Some(claim);
    }

    pub(super) fn take_claim(&self) -> Option<Box<Claim>> {
        let mut state = self.state.lock();
        state.extra.as_mut().and_then(|extra| extra.claim.take())
    }

    /// Gives the socket its private id, and back what it had when it lost its connection: `restored` is what was found of it
    /// where servers share that. To be called when it has its grant. True when connect middleware is to be passed over.
    //= SIO5-CSR-01
    //= SIO5-CSR-09
    pub(crate) fn identify(&self, restored: Option<Restored>) -> bool {
        let Some(keeper) = &self.space.recovery else {
            return false;
        };
        if self.connection.protocol() == Protocol::V3 {
            return false;
        }
        let fetched = restored.as_ref().and_then(|found| found.fetched.as_ref());
        let life = fetched.map_or(0, |fetched| fetched.life);
        let shared = keeper.shared().map(|_| {
            Box::new(Held {
                granted_at: wall_clock(),
                life,
                is_over: AtomicBool::new(false),
                is_removed: AtomicBool::new(false),
            })
        });
        let restored = restored.or_else(|| {
            let claim = self.take_claim()?;
            let subject = self.subject();
            let mark = self.revocations().mark();
            let (mut session, after) = keeper.resume(&claim, &self.space.name, subject.as_ref())?;
            // A list may have heard of it elsewhere.
            let grant = session.grant.as_ref();
            let is_held = grant.is_none_or(|facts| self.space.check_lists(facts).is_ok());
            if is_held {
                self.withhold(&mut session, keeper);
            }
            is_held.then_some(Restored {
                pid: claim.pid,
                session,
                after,
                mark,
                fetched: None,
            })
        });
        let recoverable = match restored {
            Some(Restored {
                pid,
                mut session,
                after,
                mark,
                fetched,
            }) => {
                self.restore_extensions(std::mem::take(&mut session.extensions));
                Recoverable {
                    pid,
                    since: session.since,
                    resumed: Some(Resumed {
                        session,
                        after,
                        mark,
                        shared: fetched,
                    }),
                    is_forfeit: AtomicBool::new(false),
                    shared,
                }
            }
            // Without random bytes the socket is one that cannot be recovered.
            None => match engineio::SessionId::generate() {
                Ok(pid) => Recoverable {
                    pid: pid.as_str().into(),
                    since: keeper.end(),
                    resumed: None,
                    is_forfeit: AtomicBool::new(false),
                    shared,
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
    pub(super) fn withhold(&self, session: &mut Session, keeper: &Keeper) {
        let mut refused = session.all_rooms();
        refused.retain(|room| !self.may_be_in(room));
        session.withhold(&refused, keeper.end());
    }

    pub(crate) fn pid(&self) -> Option<&str> {
        self.recoverable.get().map(|found| &*found.pid)
    }

    /// What let the socket in was revoked, or what it had is lost: it does not come back, even if its connection is being lost
    /// just now.
    pub(crate) fn forfeit(&self) {
        if let Some(recoverable) = self.recoverable.get() {
            recoverable.is_forfeit.store(true, Ordering::Release);
        }
    }

    pub(super) fn revocations(&self) -> &RecentRevocations {
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
        let mut after = resumed.after;
        let fetched = resumed.shared.as_deref();
        if let Some((fetched, end)) = fetched.and_then(|fetched| fetched.missed.lock().take()) {
            self.replay(&fetched);
            after = end;
        }
        let Some((missed, end)) = keeper.missed(&self.space.name, resumed, after) else {
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
    pub(super) fn insert(self: &Arc<Self>) -> Inserted {
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
            return Inserted::default();
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
        if let Some(fetched) = &resumed.shared {
            fetched.sent_to.store(from.to_bits(), Ordering::Release);
        }
        let mut rooms = self.space.rooms.lock();
        let bounds = self.space.settings.rooms;
        let socket = Arc::clone(self);
        // Its former self may not have noticed yet that its connection is lost.
        let left = rooms.remove(self.id(), |_| true);
        let joined = rooms.resume(&resumed.session, socket, tag, bounds, keeper.end());
        Inserted { left, joined }
    }

    /// Whether it was sent this entry of a shared log when it came back.
    //= STR-08
    pub(crate) fn was_sent(&self, entry: Offset) -> bool {
        let resumed = self.resumed();
        let fetched = resumed.and_then(|resumed| resumed.shared.as_deref());
        fetched.is_some_and(|fetched| entry.to_bits() <= fetched.sent_to.load(Ordering::Acquire))
    }

    /// What other servers had shared of it when it came back.
    pub(crate) fn recovered_data(&self) -> Option<&Value> {
        Some(&self.resumed()?.shared.as_deref()?.data)
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
        let changed = {
            let _order = self.space.order.lock();
            let mut rooms = self.space.rooms.lock();
            let end = keeper.end();
            change(&mut rooms, Some(end).filter(|&end| end > recoverable.since))
        };
        self.has_changed();
        changed
    }

    /// Where an event for this socket is to be kept.
    pub(crate) fn keeper(&self, id: Option<u64>, options: SendOptions) -> Option<&Keeper> {
        let keeper = self.any_keeper(id, options)?;
        keeper.shared().is_none().then_some(keeper)
    }

    /// Whether an event for this socket goes by the log that servers share.
    pub(crate) fn follows_log(&self, id: Option<u64>, options: SendOptions) -> bool {
        let keeper = self.any_keeper(id, options);
        keeper.is_some_and(|keeper| keeper.shared().is_some()) && self.is_joined()
    }

    fn any_keeper(&self, id: Option<u64>, options: SendOptions) -> Option<&Keeper> {
        let keeper = self.space.recovery.as_deref()?;
        self.recoverable.get()?;
        (id.is_none() && !options.is_volatile()).then_some(keeper)
    }

    /// Saves what the socket has, if it may come back for it. To be called while it is in its rooms.
    //= SIO5-CSR-08
    pub(crate) fn save(self: &Arc<Self>, reason: DisconnectReason) {
        let (Some(keeper), Some(recoverable)) = (&self.space.recovery, self.recoverable.get())
        else {
            return;
        };
        if keeper.shared().is_some() {
            return self.save_shared(reason);
        }
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
            extensions: self.extensions(),
        };
        keeper.save(&recoverable.pid, &self.space.name, session);
        // A revocation marks the sockets that it finds, then looks for what is saved. Whichever way that falls between
        // these two steps, one of the sides sees the other.
        if recoverable.is_forfeit.load(Ordering::Acquire) {
            keeper.forget(&recoverable.pid);
        }
    }
}
