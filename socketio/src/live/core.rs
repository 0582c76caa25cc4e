//! A socket, whatever the type of its data.

use std::sync::{Arc, OnceLock};

use engineio::{Connection, MessageBuffer};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;

use super::candidate::{Candidate, Holder};
use super::client::Client;
use super::closed::Closed;
use super::directory::Lease;
use super::driver::Ask;
use super::handlers::EventHandler;
use super::keeper::{Claim, Recoverable};
use super::listeners::{ListenerId, Listeners, OwnHook, Watchers};
use super::owed::{Awaited, Pending};
use super::space::Space;
use crate::atomic::{AtomicBool, AtomicU8, Ordering};
use crate::authority::refused::Evidence;
use crate::codec::EncodeError;
use crate::error::EmitError;
use crate::id::SocketId;
use crate::lock::Lock;
use crate::proto::client::Ticket;
use crate::proto::grant_tag::GrantTag;
use crate::proto::recovery::Offset;
use crate::proto::room::Room;
use crate::type_map::TypeMap;
use crate::wall_time::WallTime;

/// Where a socket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Not in yet: the machine says what it waits for.
    Outside,
    Inside,
    /// Out, but the namespace does not know yet.
    Left,
    /// Out, and the disconnect handlers are next to be called. Until here it holds a lease of its namespace.
    Gone,
}

/// A socket, whatever the type of its data.
pub(crate) struct Core {
    pub(crate) connection: Connection<Client>,
    pub(crate) space: Arc<Space>,
    pub(super) fresh_id: SocketId,
    /// Set before user code sees the socket, where recovery is on.
    pub(crate) recoverable: OnceLock<Box<Recoverable>>,
    pub(crate) ticket: Ticket,
    pub(super) phase: AtomicU8,
    /// Among those that wait to be let in.
    pub(super) is_waiting: AtomicBool,
    /// Spares sockets without listeners of their own the look for them.
    pub(super) has_listeners: AtomicBool,
    pub(super) state: Lock<State>,
}

pub(super) struct State {
    pub(super) holder: Holder,
    /// When the grant ends, the policy's cap included.
    pub(super) expires_at: Option<WallTime>,
    pub(super) auth: Option<Box<Value>>,
    pub(super) extra: Option<Box<Extra>>,
}

/// What few sockets need, made on first use.
pub(super) struct Extra {
    /// Rooms joined before the socket is in.
    pub(super) staged: Vec<Room>,
    pub(super) pending: Pending,
    /// Handlers of its own; most sockets have none.
    pub(super) listeners: Option<Box<Listeners>>,
    /// What the application keeps with it. It outlives the rest, for handlers of the disconnect still read it.
    pub(super) extensions: Option<Box<TypeMap>>,
    /// Dropped when the socket leaves.
    pub(super) closed: Vec<oneshot::Sender<()>>,
    /// Dropping it ends the verification that runs, or the middleware that is asked.
    pub(super) trial: Option<(u32, oneshot::Sender<()>)>,
    /// Whom middleware is asked about while the socket is in as another.
    pub(super) candidate: Option<Arc<Candidate>>,
    /// What the books are told when the socket is let in.
    pub(super) evidence: Option<Box<Evidence>>,
    /// What the client says to be recovered, until it is let in.
    pub(super) claim: Option<Box<Claim>>,
    /// How far a resumed socket was sent what it missed, until it is in.
    pub(super) replayed_to: Option<Offset>,
}

impl State {
    /// By which revocations find the socket among those of its namespace.
    pub(super) fn tag(&self) -> GrantTag {
        let grant = self.holder.grant();
        grant.map_or(GrantTag::NONE, |grant| GrantTag::of(grant.facts()))
    }

    pub(super) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_with(|| {
            Box::new(Extra {
                staged: Vec::new(),
                pending: Pending::new(),
                listeners: None,
                extensions: None,
                closed: Vec::new(),
                trial: None,
                candidate: None,
                evidence: None,
                claim: None,
                replayed_to: None,
            })
        })
    }
}

impl Core {
    pub(crate) fn new(
        connection: Connection<Client>,
        lease: Lease<Space>,
        id: SocketId,
        ticket: Ticket,
        auth: Option<Box<Value>>,
    ) -> Self {
        let space = lease.into_listed();
        let holder = Holder::Guest(space.nobody.clone());
        Self {
            connection,
            space,
            fresh_id: id,
            recoverable: OnceLock::new(),
            ticket,
            phase: AtomicU8::new(Phase::Outside as u8),
            is_waiting: AtomicBool::new(false),
            has_listeners: AtomicBool::new(false),
            state: Lock::new(State {
                holder,
                expires_at: None,
                auth,
                extra: None,
            }),
        }
    }

    pub(crate) fn id(&self) -> &SocketId {
        self.resumed()
            .map_or(&self.fresh_id, |resumed| &resumed.session.id)
    }

    pub(crate) fn is_joined(&self) -> bool {
        self.phase.load(Ordering::Acquire) == Phase::Inside as u8
    }

    pub(crate) fn has_left(&self) -> bool {
        self.phase.load(Ordering::Acquire) >= Phase::Left as u8
    }

    /// True when the handlers have seen the last of it.
    pub(crate) fn is_gone(&self) -> bool {
        self.phase.load(Ordering::Acquire) == Phase::Gone as u8
    }

    /// The one place that sends. `fill` writes one packet, header and attachments together.
    pub(crate) fn send(
        &self,
        fill: impl FnOnce(&mut MessageBuffer) -> Result<(), EncodeError>,
    ) -> Result<(), EmitError> {
        let mut filled = Ok(());
        let sent = self.connection.send_with(|buffer| filled = fill(buffer));
        filled?;
        Ok(sent?)
    }

    pub(crate) fn await_ack(&self, id: u64, awaited: Awaited) -> Result<(), EmitError> {
        let mut state = self.state.lock();
        if self.has_left() {
            return Err(EmitError::Disconnected);
        }
        let pending = &mut state.extra().pending;
        if pending.len() >= self.space.settings.max_pending_acks {
            return Err(EmitError::TooManyAcks);
        }
        let client = self.connection.data();
        let is_first = client.awaited.fetch_add(1, Ordering::Relaxed) == 0;
        pending.insert(id, awaited, self.space.meter.ack_pending());
        drop(state);
        // It may stand behind what nobody reads.
        if is_first && client.state.lock().inbox.take_awaited() {
            self.connection.resume();
        }
        Ok(())
    }

    /// Adds something to the handlers of this socket alone.
    pub(crate) fn add_listener(
        &self,
        add: impl FnOnce(&mut Listeners) -> ListenerId,
    ) -> ListenerId {
        self.has_listeners.store(true, Ordering::Release);
        let mut state = self.state.lock();
        if self.has_left() {
            return add(&mut Listeners::default());
        }
        add(state.extra().listeners.get_or_insert_default())
    }

    pub(crate) fn remove_listeners(&self, remove: impl FnOnce(&mut Listeners)) {
        let mut state = self.state.lock();
        let listeners = state
            .extra
            .as_mut()
            .and_then(|extra| extra.listeners.as_mut());
        if let Some(listeners) = listeners {
            remove(listeners);
        }
    }

    pub(crate) fn auth(&self) -> Option<Value> {
        self.state.lock().auth.as_deref().cloned()
    }

    /// The handlers that only this socket has for an event; `None` when it has none at all.
    #[inline]
    pub(crate) fn listeners_of(&self, event: &str) -> Option<Vec<Arc<dyn EventHandler>>> {
        if !self.has_listeners() {
            return None;
        }
        let mut state = self.state.lock();
        let listeners = state.extra.as_mut()?.listeners.as_mut()?;
        Some(listeners.take(event))
    }

    /// False when it never had listeners of its own, as most.
    #[inline]
    pub(crate) fn has_listeners(&self) -> bool {
        self.has_listeners.load(Ordering::Acquire)
    }

    /// What sees every event of this socket alone.
    pub(crate) fn watchers(&self) -> Watchers {
        if !self.has_listeners() {
            return Watchers::default();
        }
        let state = self.state.lock();
        let extra = state.extra.as_ref();
        let listeners = extra.and_then(|extra| extra.listeners.as_ref());
        listeners.map_or_else(Watchers::default, |listeners| listeners.watchers())
    }

    /// What sees all that is sent to this socket alone.
    pub(crate) fn outgoing_hooks(&self) -> Vec<OwnHook> {
        if self.space.outgoing_hooks.is_empty() {
            return Vec::new();
        }
        let state = self.state.lock();
        let extra = state.extra.as_ref();
        let listeners = extra.and_then(|extra| extra.listeners.as_ref());
        listeners.map_or_else(Vec::new, |listeners| listeners.outgoing())
    }

    /// Gives an acknowledgement up; true when it had not come.
    pub(crate) fn forget_ack(&self, id: u64) -> bool {
        self.take_ack(id).is_some()
    }

    //= SIO5-ACK-03
    pub(crate) fn take_ack(&self, id: u64) -> Option<Awaited> {
        let awaited = self.state.lock().extra.as_mut()?.pending.remove(id)?;
        self.end_awaiting(1);
        Some(awaited)
    }

    /// So many answers are not awaited any more.
    pub(super) fn end_awaiting(&self, count: usize) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let awaited = &self.connection.data().awaited;
        awaited.fetch_sub(count, Ordering::Relaxed);
    }

    pub(crate) fn acknowledge<A: Serialize + ?Sized>(&self, id: u64, args: &A) {
        //= SIO5-ACK-01
        if self.has_left() {
            return;
        }
        let space = &self.space;
        // A client that is gone, or whose queue is full, hears nothing either way.
        let _ = self.send(|buffer| space.codec.ack(&space.name, id, args, buffer));
    }

    pub(crate) fn disconnect(&self) {
        self.ask(Ask::Leave);
    }

    pub(crate) fn close(&self) {
        self.ask(Ask::LeaveAll);
    }

    pub(super) fn ask(&self, ask: Ask) {
        self.space.driver.ask(self, ask);
    }

    pub(crate) fn closed(&self) -> Closed {
        let (alive, closed) = oneshot::channel();
        let mut state = self.state.lock();
        if !self.has_left() {
            let waiting = &mut state.extra().closed;
            // Whoever waits no longer is forgotten here, so that waiting often costs nothing.
            waiting.retain(|sender| !sender.is_closed());
            waiting.push(alive);
        }
        Closed::new(closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_few_sockets_need_costs_the_others_nothing() {
        assert!(size_of::<Core>() <= 104, "{}", size_of::<Core>());
        assert!(size_of::<Extra>() <= 152, "{}", size_of::<Extra>());
    }
}
