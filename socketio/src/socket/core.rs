//! A socket, whatever the type of its data.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use engineio::{Connection, EncodedMessage, MessageBuffer, SendOptions, Sent};
use serde::Serialize;
use serde_json::Value;
use socketio_auth::{
    self as auth, Action, AuditKind, Code, Decision, DynPolicy, ErasedIdentity, Fingerprint, Grant,
    GrantFacts, Rejection, SourceKind, Subject,
};
use tokio::sync::oneshot;

use crate::ack::{Answer, Awaited, Pending};
use crate::auth_control::Margin;
use crate::closed::Closed;
use crate::codec::{EncodeError, Event, OwnedArgs, RawArgs};
use crate::connection::{Client, Shell};
use crate::error::{EmitError, JoinError};
use crate::grant_tag::GrantTag;
use crate::handler::EventHandler;
use crate::id::SocketId;
use crate::listeners::{Lasts, ListenerId, Listeners};
use crate::lock::Lock;
use crate::namespace::Space;
use crate::proto::client::{Input, Ticket};
use crate::proto::recovery::{Offset, Position};
use crate::recovery::{Claim, Kept, Recoverable};
use crate::rooms::{Emptied, Joined, Room, RoomEvent};
use crate::running::guard;
use crate::server::Server;

/// Where a socket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    /// Its CONNECT is being decided.
    Joining,
    /// Its CONNECT was answered, but it is not in: two-round-trip authentication.
    Held,
    Joined,
    /// Out, but the namespace does not know yet.
    Left,
    /// Out, and the disconnect handlers have been called.
    Gone,
}

/// A socket, whatever the type of its data.
pub(crate) struct Core {
    pub(crate) connection: Connection<Client>,
    pub(crate) space: Arc<Space>,
    fresh_id: SocketId,
    /// Set before user code sees the socket, where recovery is on.
    pub(super) recoverable: OnceLock<Box<Recoverable>>,
    pub(crate) ticket: Ticket,
    phase: AtomicU8,
    is_released: AtomicBool,
    /// Counted among the clients that wait to be let in.
    is_pending: AtomicBool,
    /// Spares sockets without listeners of their own the look for them.
    has_listeners: AtomicBool,
    pub(super) state: Lock<State>,
}

pub(super) struct State {
    identity: ErasedIdentity,
    grant: Option<Arc<Grant<ErasedIdentity>>>,
    /// When the grant ends, the policy's cap included.
    expires_at: Option<SystemTime>,
    auth: Option<Box<Value>>,
    pub(super) extra: Option<Box<Extra>>,
}

/// What the books are told of a verification beside its outcome.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Verdict {
    pub(crate) source: SourceKind,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) latency: Duration,
}

/// What few sockets need, made on first use.
pub(super) struct Extra {
    /// Rooms joined before the socket is in.
    staged: Vec<Room>,
    pending: Pending,
    listeners: Listeners,
    /// Dropped when the socket leaves.
    closed: Vec<oneshot::Sender<()>>,
    /// Connect middleware has it as a guest that asks to be let in.
    is_asking: bool,
    /// Dropping it ends the verification that runs.
    verification: Option<(u32, oneshot::Sender<()>)>,
    /// What the books are told of the verdict that is being acted on.
    verdict: Option<Box<Verdict>>,
    /// What the client says to be recovered, until it is let in.
    pub(super) claim: Option<Box<Claim>>,
    /// How far a resumed socket was sent what it missed, until it is in.
    pub(super) replayed_to: Option<Position>,
}

impl State {
    /// By which revocations find the socket among those of its namespace.
    pub(super) fn tag(&self) -> GrantTag {
        let grant = self.grant.as_ref();
        grant.map_or(GrantTag::NONE, |grant| GrantTag::of(grant.facts()))
    }

    pub(super) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_with(|| {
            Box::new(Extra {
                staged: Vec::new(),
                pending: Pending::new(),
                listeners: Listeners::default(),
                closed: Vec::new(),
                is_asking: false,
                verification: None,
                verdict: None,
                claim: None,
                replayed_to: None,
            })
        })
    }
}

impl Core {
    pub(crate) fn new(
        connection: Connection<Client>,
        space: Arc<Space>,
        id: SocketId,
        ticket: Ticket,
        auth: Option<Box<Value>>,
    ) -> Self {
        let identity = space.nobody.clone();
        Self {
            connection,
            space,
            fresh_id: id,
            recoverable: OnceLock::new(),
            ticket,
            phase: AtomicU8::new(Phase::Joining as u8),
            is_released: AtomicBool::new(false),
            is_pending: AtomicBool::new(false),
            has_listeners: AtomicBool::new(false),
            state: Lock::new(State {
                identity,
                grant: None,
                expires_at: None,
                auth,
                extra: None,
            }),
        }
    }

    pub(crate) fn id(&self) -> &SocketId {
        self.resumed().map_or(&self.fresh_id, |resumed| &resumed.id)
    }

    pub(crate) fn is_joined(&self) -> bool {
        self.phase.load(Ordering::Acquire) == Phase::Joined as u8
    }

    pub(crate) fn has_left(&self) -> bool {
        self.phase.load(Ordering::Acquire) >= Phase::Left as u8
    }

    pub(crate) fn is_held(&self) -> bool {
        self.phase.load(Ordering::Acquire) == Phase::Held as u8
    }

    pub(crate) fn hold(&self) {
        self.phase.store(Phase::Held as u8, Ordering::Release);
    }

    /// True when the handlers have seen the last of it.
    pub(crate) fn is_gone(&self) -> bool {
        self.phase.load(Ordering::Acquire) == Phase::Gone as u8
    }

    /// Takes the socket out of the namespace and its rooms.
    pub(crate) fn go(&self) {
        self.phase.store(Phase::Gone as u8, Ordering::Release);
        let left = self.space.rooms.lock().remove(self.id());
        for (room, emptied) in left {
            self.tell_left(&room, emptied);
        }
        self.release();
    }

    /// Counted already, it is found among those that wait from here on.
    pub(crate) fn set_pending(self: &Arc<Self>) {
        self.is_pending.store(true, Ordering::Release);
        let id = self.fresh_id.clone();
        self.space.add_pending(id, Arc::downgrade(self));
    }

    /// The socket is in or gone: nobody waits any more.
    fn settle(&self) {
        if self.is_pending.swap(false, Ordering::AcqRel) {
            self.space.remove_pending(&self.fresh_id);
            if let Some(client) = self.connection.data() {
                client.leave_pending();
            }
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
            Some(margin) => self.feed(Input::Auth {
                ticket: self.ticket,
                input: auth::Input::ExpireIn {
                    margin: margin.margin,
                    reason: margin.reason.clone(),
                },
            }),
            None => self.end_by(Code::TokenRevoked.into()),
        }
    }

    /// Puts the socket out, and says why.
    pub(crate) fn end_by(&self, rejection: Rejection) {
        self.feed(Input::Auth {
            ticket: self.ticket,
            input: auth::Input::Revoked(rejection),
        });
    }

    /// Whether the grant, if there is one, is one of those.
    pub(crate) fn has_grant_that(&self, is_meant: impl FnOnce(&GrantFacts) -> bool) -> bool {
        let grant = self.grant();
        grant.is_some_and(|grant| is_meant(grant.facts()))
    }

    /// What was accepted may have been revoked before a revocation could find the socket by it.
    pub(crate) fn revoke_if_late(&self) {
        if let Err(rejection) = self.check_lists() {
            self.end_by(rejection);
        }
    }

    /// Whether what was accepted has not been revoked meanwhile.
    pub(crate) fn check_lists(&self) -> Result<(), Rejection> {
        let grant = self.grant();
        grant.map_or(Ok(()), |grant| self.space.check_lists(grant.facts()))
    }

    /// Leaves the rooms that are named.
    pub(crate) fn leave_rooms(&self, is_meant: impl Fn(&Room) -> bool) {
        let rooms = self.space.rooms.lock().rooms_of(self.id());
        for room in rooms.iter().filter(|room| is_meant(room)) {
            self.leave_room(room);
        }
    }

    /// Whether the policy lets the socket be in a room; told to the books if not.
    pub(crate) fn may_be_in(&self, room: &Room) -> bool {
        let room = room.as_str();
        self.may(Action::Join { room })
    }

    pub(crate) fn subject(&self) -> Option<Subject> {
        self.grant().map(|grant| grant.subject().clone())
    }

    /// Lets the socket in, with the rooms it joined before.
    pub(crate) fn enter(self: &Arc<Self>) {
        let (rejoined, missed) = self.insert();
        self.replay(&missed);
        for (room, joined) in &rejoined {
            self.tell_joined(room, *joined);
        }
        let staged = {
            let mut state = self.state.lock();
            // From here on rooms are joined at once; what was staged before is taken with it.
            self.phase.store(Phase::Joined as u8, Ordering::Release);
            let extra = state.extra.as_mut();
            extra.map(|extra| std::mem::take(&mut extra.staged))
        };
        for room in staged.into_iter().flatten() {
            // A namespace that is full of rooms takes the socket without them.
            let _ = self.join_now(&room);
        }
        self.settle();
        self.revoke_if_late();
        if self.space.is_closed() {
            self.disconnect();
        }
    }

    /// Nothing is sent to the socket from here on, and what it owes is not waited for any longer.
    pub(crate) fn leave(&self) {
        self.phase.store(Phase::Left as u8, Ordering::Release);
        self.settle();
        let extra = self.state.lock().extra.take();
        if let Some(extra) = extra {
            extra.pending.fail(self.id());
        }
    }

    /// The namespace is not needed any more, as far as this socket goes.
    pub(crate) fn release(&self) {
        if self.space.users.is_some() && !self.is_released.swap(true, Ordering::AcqRel) {
            Server::release(&self.space);
        }
    }

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

    pub(crate) fn emit<A: Serialize + ?Sized>(
        self: &Arc<Self>,
        event: &str,
        args: &A,
    ) -> Result<(), EmitError> {
        let space = &self.space;
        let is_plain = space.options == SendOptions::new()
            && space.handlers.any_outgoing.is_empty()
            && self.recoverable.get().is_none();
        if !is_plain {
            return self.emit_as(event, None, args, space.options).map(drop);
        }
        self.check_receiver(event)?;
        let event = Event {
            namespace: &space.name,
            id: None,
            name: event,
            args,
            offset: None,
        };
        // The common way, straight into a buffer of the worker's.
        let sent = self.send(|buffer| space.codec.event(event, buffer));
        space.meter.sent(sent.as_ref().map(|()| Sent::Queued));
        sent
    }

    /// The same with options, and what became of it.
    pub(crate) fn emit_as<A: Serialize + ?Sized>(
        self: &Arc<Self>,
        event: &str,
        id: Option<u64>,
        args: &A,
        options: SendOptions,
    ) -> Result<Sent, EmitError> {
        let sent = self.send_event(event, id, args, options);
        self.space.meter.sent(sent.as_ref().copied());
        sent
    }

    fn send_event<A: Serialize + ?Sized>(
        self: &Arc<Self>,
        event: &str,
        id: Option<u64>,
        args: &A,
        options: SendOptions,
    ) -> Result<Sent, EmitError> {
        //= SIO5-CSR-02
        let Some((keeper, offset)) = self.next_offset(id, options) else {
            let mut buffer = self.write(event, id, args, None)?;
            return Ok(self.connection.send_buffer_as(&mut buffer, options)?);
        };
        let message = self.write(event, id, args, Some(offset))?.into();
        self.keep(keeper, offset, Kept::new(event, &message));
        Ok(self.connection.send_as(&message, options)?)
    }

    /// An event, to be sent later with [`send_prepared`](Self::send_prepared).
    pub(crate) fn prepare<A: Serialize + ?Sized>(
        self: &Arc<Self>,
        event: &str,
        args: &A,
        options: SendOptions,
    ) -> Result<Prepared, EmitError> {
        let offset = self.next_offset(None, options).map(|(_, offset)| offset);
        let message = self.write(event, None, args, offset)?.into();
        Ok(Prepared {
            event: event.into(),
            message,
            offset,
            options,
        })
    }

    pub(crate) fn send_prepared(&self, prepared: &Prepared) -> Result<Sent, EmitError> {
        if self.has_left() {
            return Err(EmitError::Disconnected);
        }
        if let (Some(keeper), Some(offset)) = (&self.space.recovery, prepared.offset) {
            self.keep(
                keeper,
                offset,
                Kept::new(&prepared.event, &prepared.message),
            );
        }
        let sent = self.connection.send_as(&prepared.message, prepared.options);
        let sent = sent.map_err(EmitError::from);
        self.space.meter.sent(sent.as_ref().copied());
        sent
    }

    fn write<A: Serialize + ?Sized>(
        self: &Arc<Self>,
        event: &str,
        id: Option<u64>,
        args: &A,
        offset: Option<Offset>,
    ) -> Result<MessageBuffer, EmitError> {
        self.check_receiver(event)?;
        let space = &self.space;
        if !space.handlers.any_outgoing.is_empty() {
            self.show_outgoing(event, OwnedArgs::new(args)?.as_raw());
        }
        let offset = offset.map(|offset| offset.to_string());
        let event = Event {
            namespace: &space.name,
            id,
            name: event,
            args,
            offset: offset.as_deref(),
        };
        let mut buffer = MessageBuffer::new();
        space.codec.event(event, &mut buffer)?;
        Ok(buffer)
    }

    /// Shows an event that is being sent to the hooks.
    pub(crate) fn show_outgoing(self: &Arc<Self>, event: &str, args: RawArgs<'_>) {
        for hook in &self.space.handlers.any_outgoing {
            if guard(|| hook(self, event, args)).is_err() {
                self.disconnect();
            }
        }
    }

    pub(crate) fn emit_with_ack<A: Serialize + ?Sized>(
        self: &Arc<Self>,
        event: &str,
        args: &A,
        options: SendOptions,
    ) -> Result<(Arc<Self>, u64, oneshot::Receiver<Answer>), EmitError> {
        let (sender, answer) = oneshot::channel();
        let id = self.space.next_ack_id();
        self.await_ack(id, Awaited::One(sender))?;
        if let Err(error) = self.emit_as(event, Some(id), args, options) {
            self.forget_ack(id);
            return Err(error);
        }
        Ok((Arc::clone(self), id, answer))
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
        pending.insert(id, awaited, self.space.meter.ack_pending());
        Ok(())
    }

    pub(crate) fn add_listener(
        &self,
        event: &str,
        lasts: Lasts,
        handler: Arc<dyn EventHandler>,
    ) -> ListenerId {
        self.has_listeners.store(true, Ordering::Release);
        let mut state = self.state.lock();
        if self.has_left() {
            return Listeners::default().add(event, lasts, handler);
        }
        state.extra().listeners.add(event, lasts, handler)
    }

    pub(crate) fn remove_listeners(&self, remove: impl FnOnce(&mut Listeners)) {
        if let Some(extra) = self.state.lock().extra.as_mut() {
            remove(&mut extra.listeners);
        }
    }

    pub(crate) fn auth(&self) -> Option<Value> {
        self.state.lock().auth.as_deref().cloned()
    }

    pub(crate) fn expires_at(&self) -> Option<SystemTime> {
        self.state.lock().expires_at
    }

    /// The handlers that only this socket has for an event.
    pub(crate) fn listeners_of(&self, event: &str) -> Vec<Arc<dyn EventHandler>> {
        if !self.has_listeners.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut state = self.state.lock();
        let extra = state.extra.as_mut();
        extra
            .map(|extra| extra.listeners.take(event))
            .unwrap_or_default()
    }

    /// Whether the policy lets the client send an event.
    pub(crate) fn may_emit(&self, event: &str, args_count: usize) -> bool {
        self.may(Action::Emit { event, args_count })
    }

    /// Whether the policy lets the client receive an event. Not told to the books: the client did nothing.
    pub(crate) fn may_receive(&self, event: &str) -> bool {
        self.is_allowed(Action::Receive { event })
    }

    fn check_receiver(&self, event: &str) -> Result<(), EmitError> {
        if self.has_left() {
            Err(EmitError::Disconnected)
        } else if self.may_receive(event) {
            Ok(())
        } else {
            Err(EmitError::Forbidden)
        }
    }

    /// Whether the policy allows an action of the client; told to the books if not.
    pub(crate) fn may(&self, action: Action<'_>) -> bool {
        let is_allowed = self.is_allowed(action);
        if !is_allowed && let Some(client) = self.connection.data() {
            client.audit(&self.connection, self, AuditKind::Denied(action), None);
        }
        is_allowed
    }

    #[inline]
    fn is_allowed(&self, action: Action<'_>) -> bool {
        match &self.space.guard {
            Some(gate) if gate.policy.has_authorizer() => self.ask(&*gate.policy, action),
            _ => true,
        }
    }

    fn ask(&self, policy: &dyn DynPolicy, action: Action<'_>) -> bool {
        let (identity, grant) = {
            let state = self.state.lock();
            (state.identity.clone(), state.grant.clone())
        };
        let facts = grant.as_ref().map(|grant| grant.facts());
        let decided = guard(|| policy.can(&identity, facts, action));
        // Who cannot be asked allows nothing.
        decided.is_ok_and(|decision| decision == Decision::Allow)
    }

    /// Gives an acknowledgement up; true when it had not come.
    pub(crate) fn forget_ack(&self, id: u64) -> bool {
        self.take_ack(id).is_some()
    }

    //= SIO5-ACK-03
    pub(crate) fn take_ack(&self, id: u64) -> Option<Awaited> {
        self.state.lock().extra.as_mut()?.pending.remove(id)
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
        self.feed(Input::Leave {
            ticket: self.ticket,
        });
    }

    pub(crate) fn close(&self) {
        self.feed(Input::LeaveAll);
    }

    pub(crate) fn feed(&self, input: Input<Shell>) {
        if let Some(client) = self.connection.data() {
            client.feed(&self.connection, input);
        }
    }

    pub(crate) fn join(&self, room: Room) -> Result<(), JoinError> {
        let settings = &self.space.settings;
        if room.as_str().len() > settings.max_room_name_bytes {
            return Err(JoinError::NameTooLong);
        }
        {
            let mut state = self.state.lock();
            match self.phase.load(Ordering::Acquire) {
                phase if phase >= Phase::Left as u8 => return Err(JoinError::Disconnected),
                phase if phase < Phase::Joined as u8 => {
                    let staged = &mut state.extra().staged;
                    if !staged.contains(&room) {
                        if staged.len() >= settings.rooms.per_socket {
                            return Err(JoinError::TooManyRooms);
                        }
                        staged.push(room);
                    }
                    return Ok(());
                }
                _ => {}
            }
        }
        self.join_now(&room)
    }

    fn join_now(&self, room: &Room) -> Result<(), JoinError> {
        let bounds = self.space.settings.rooms;
        let joined = self.space.rooms.lock().join(self.id(), room, bounds)?;
        self.tell_joined(room, joined);
        Ok(())
    }

    fn tell_joined(&self, room: &Room, joined: Joined) {
        if joined == Joined::Created {
            self.tell_room(RoomEvent::Created { room });
        }
        if joined != Joined::Already {
            let socket = self.id();
            self.tell_room(RoomEvent::Joined { room, socket });
        }
    }

    pub(crate) fn leave_room(&self, room: &Room) {
        let mut state = self.state.lock();
        if let Some(extra) = state.extra.as_mut() {
            extra.staged.retain(|staged| staged != room);
        }
        drop(state);
        let left = self.space.rooms.lock().leave(self.id(), room);
        if let Some(emptied) = left {
            self.tell_left(room, emptied);
        }
    }

    fn tell_left(&self, room: &Room, emptied: Emptied) {
        let socket = self.id();
        self.tell_room(RoomEvent::Left { room, socket });
        if emptied == Emptied::Yes {
            self.tell_room(RoomEvent::Deleted { room });
        }
    }

    /// Hooks on rooms only look on: a panic there changes nothing.
    fn tell_room(&self, event: RoomEvent<'_>) {
        for hook in &self.space.handlers.room {
            let _ = guard(|| hook(event));
        }
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

    pub(crate) fn cancel_verification(&self, epoch: u32) {
        let mut state = self.state.lock();
        if let Some(extra) = state.extra.as_mut() {
            extra.verification.take_if(|(running, _)| *running == epoch);
        }
    }
}

/// An event that waits to be sent.
pub(crate) struct Prepared {
    event: Box<str>,
    message: EncodedMessage,
    offset: Option<Offset>,
    options: SendOptions,
}

/// An attempt that was forgotten gives its namespace back too.
impl Drop for Core {
    fn drop(&mut self) {
        self.settle();
        self.release();
    }
}
