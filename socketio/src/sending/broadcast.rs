//! One event for many sockets.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use engineio::{EncodedMessage, OverflowPolicy, SendOptions, Sent};
use serde::Serialize;
use tokio::sync::mpsc;

use super::ack::AckStream;
use super::describe::describe;
use super::options::{Sending, best};
use crate::cluster::error::AdapterError;
use crate::cluster::question::Question;
use crate::cluster::seat::Seat;
use crate::codec::{EncodeError, FromArgs, OutgoingEvent, OwnedArgs};
use crate::error::EmitError;
use crate::event::Event as OwnedEvent;
use crate::live::core::Core;
use crate::live::keeper::Keeper;
use crate::live::owed::Awaited;
use crate::live::space::Space;
use crate::proto::cluster::entry::EntryId;
use crate::proto::cluster::message::{ClusterBody, ClusterOptions, RequestId};
use crate::proto::cluster::remote::RemoteSocket;
use crate::proto::cluster::requests::Kind;
use crate::proto::room::{Room, Selection};

/// An event to be sent to many sockets of a namespace, encoded once.
///
/// Made by [`Namespace::to`](crate::Namespace::to) and [`Socket::to`](crate::Socket::to), narrowed, and then sent.
/// Every socket gets one copy, in however many of the rooms it is.
#[derive(Clone)]
#[must_use = "nothing is sent before `emit`"]
pub struct Broadcast {
    space: Arc<Space>,
    selection: Selection,
    sending: Sending,
    is_local: bool,
}

impl Broadcast {
    pub(crate) fn new(space: Arc<Space>, selection: Selection) -> Self {
        Self {
            sending: Sending::in_space(&space),
            space,
            selection,
            is_local: false,
        }
    }

    /// What another server asks to be sent here.
    pub(crate) fn of_cluster(space: Arc<Space>, opts: &ClusterOptions) -> Self {
        let mut broadcast = Self::new(space, opts.selection()).local();
        broadcast.sending.volatile(opts.flags.volatile);
        broadcast.sending.compress(opts.flags.compress);
        broadcast
    }

    /// Adds the members of a room; without a call it is for everyone.
    pub fn to(mut self, room: impl Into<Room>) -> Self {
        self.selection.rooms.push(room.into());
        self
    }

    /// Leaves out the members of a room, and so also one socket by its id.
    pub fn except(mut self, room: impl Into<Room>) -> Self {
        self.selection.except.push(room.into());
        self
    }

    /// Leaves out those whom it would not reach at once.
    //= SRV-VOL-01
    pub fn volatile(mut self) -> Self {
        self.sending.volatile(true);
        self
    }

    /// With `false` the event is not compressed, even where compression was negotiated.
    pub fn compress(mut self, compress: bool) -> Self {
        self.sending.compress(compress);
        self
    }

    /// What happens where a client's queue is full, in place of the namespace's policy. Holds on this server.
    pub fn overflow(mut self, policy: OverflowPolicy) -> Self {
        self.sending.overflow(policy);
        self
    }

    /// The event takes the place of one with the same key that still waits for a client: only the latest matters. Holds on
    /// this server; clients of others get every event.
    pub fn conflate(mut self, key: &str) -> Self {
        self.sending.conflate(&self.space.name, key);
        self
    }

    /// Keeps it on this server: the other servers of the cluster hear nothing of it.
    pub fn local(mut self) -> Self {
        self.is_local = true;
        self
    }

    /// How long [`emit_with_ack`](Self::emit_with_ack) waits; without a call
    /// [`SocketIoBuilder::ack_timeout`](crate::SocketIoBuilder::ack_timeout) holds, and where that sets none the
    /// [`request_timeout`](crate::cluster::ClusterSettings::request_timeout) of the cluster. It also limits how long
    /// [`fetch_sockets`](Self::fetch_sockets) waits for other servers.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.sending.timeout = Some(timeout);
        self
    }

    /// Sends the event. It is [`Dropped`](Sent::Dropped) when no client of this server gets it: nobody is meant, every
    /// queue is full, or it is volatile and nobody could take it at once. What other servers do with it is not known here.
    ///
    /// # Errors
    ///
    /// When the event cannot be [encoded](EmitError::Encode). What happens to single clients, a full queue for instance,
    /// is no error here, nor is that other servers of the cluster cannot be reached: see
    /// [`on_adapter_error`](crate::SocketIoBuilder::on_adapter_error).
    pub fn emit<A: Serialize + ?Sized>(self, event: &str, args: &A) -> Result<Sent, EmitError> {
        let Some(seat) = self.seat() else {
            return self.emit_here(event, args);
        };
        let args = OwnedArgs::new(args)?;
        if self.follows_log() {
            let seat = Arc::clone(seat);
            return self.emit_by_log(&seat, event, args);
        }
        //= CLA-03
        let sent = self.emit_here(event, &args)?;
        seat.publish(ClusterBody::Broadcast {
            packet: OwnedEvent::from_parts(event, args),
            opts: self.cluster_options(),
            request_id: None,
        });
        Ok(sent)
    }

    /// Sends the event to the clients of this server, and does not name it where servers share a log.
    pub(crate) fn emit_here<A: Serialize + ?Sized>(
        &self,
        event: &str,
        args: &A,
    ) -> Result<Sent, EmitError> {
        let keeper = self.keeper().filter(|keeper| keeper.shared().is_none());
        if let Some(keeper) = keeper {
            return self.emit_kept(keeper, None, event, &OwnedArgs::new(args)?);
        }
        let message = self.encode(None, event, args, None)?;
        let shown = self.shown(args)?;
        let has_authorizer = self.space.has_authorizer();
        let mut sent = Sent::Dropped;
        for socket in self.select() {
            if !socket.has_left() && (!has_authorizer || socket.may_receive(event)) {
                // A client that is gone, or whose queue is full, misses it.
                sent = best(
                    sent,
                    self.deliver_to(&socket, event, shown.as_ref(), &message),
                );
            }
        }
        Ok(sent)
    }

    /// Where the event is to be kept, if it is.
    fn keeper(&self) -> Option<&Keeper> {
        let keeper = self.space.recovery.as_deref();
        keeper.filter(|_| !self.sending.options.is_volatile())
    }

    /// Whether it goes by the log that servers share.
    fn follows_log(&self) -> bool {
        self.keeper()
            .is_some_and(|keeper| keeper.shared().is_some())
    }

    /// Has the log bring it to the clients, own ones too, so that all hear one order. If it cannot, own ones get it without a
    /// name.
    //= STR-07
    fn emit_by_log(
        self,
        seat: &Arc<Seat>,
        event: &str,
        args: OwnedArgs,
    ) -> Result<Sent, EmitError> {
        // What cannot be sent is refused here and not where it is read.
        drop(self.encode(None, event, &args, None)?);
        let body = ClusterBody::Broadcast {
            packet: OwnedEvent::from_parts(event, args.clone()),
            opts: self.cluster_options(),
            request_id: None,
        };
        let name = event.to_owned();
        seat.publish_kept(body, move || {
            // It was encoded before.
            let _ = self.emit_here(&name, &args);
        });
        Ok(Sent::Queued)
    }

    /// Sends what was read of the log that servers share.
    pub(crate) fn emit_entry(&self, entry: EntryId, event: &str, args: &OwnedArgs) {
        let outcome = match self.keeper() {
            Some(keeper) => self.emit_kept(keeper, Some(entry), event, args),
            None => self.emit_here(event, args),
        };
        // What cannot be sent here was the sender's to refuse.
        drop(outcome);
    }

    pub(super) fn with_options(mut self, options: SendOptions) -> Self {
        self.sending.options = options;
        self
    }

    /// Sends an event that is kept, in the order in which it is; `entry` is where, if servers share the log.
    //= SIO5-CSR-02
    fn emit_kept(
        &self,
        keeper: &Keeper,
        entry: Option<EntryId>,
        event: &str,
        args: &OwnedArgs,
    ) -> Result<Sent, EmitError> {
        let space = &self.space;
        let has_authorizer = space.has_authorizer();
        let mut asked = HashMap::new();
        let (targets, order) = loop {
            let order = space.order.lock();
            let targets = self.select();
            if !has_authorizer {
                break (targets, order);
            }
            let is_new = |socket: &&Arc<Core>| !asked.contains_key(socket.id());
            let newcomers: Vec<_> = targets.iter().filter(is_new).cloned().collect();
            if newcomers.is_empty() {
                break (targets, order);
            }
            // The authorizer is the application's. Who comes in meanwhile is asked about the next time around.
            drop(order);
            for socket in newcomers {
                asked.insert(socket.id().clone(), socket.may_receive(event));
            }
        };
        let encode = |offset: &str| self.encode(None, event, args, Some(offset));
        let selection = self.selection.clone();
        let message = match entry {
            None => keeper.keep(&space.name, selection, event, encode)?,
            Some(entry) => keeper.keep_entry(&space.name, selection, event, entry, encode)?,
        };
        let was_sent = |socket: &Core| entry.is_some_and(|entry| socket.was_sent(entry.offset()));
        let is_allowed = |socket: &Core| asked.get(socket.id()).copied().unwrap_or(true);
        let is_meant = |socket: &&Arc<Core>| {
            !socket.has_left() && (!has_authorizer || is_allowed(socket)) && !was_sent(socket)
        };
        let queued: Vec<_> = targets
            .iter()
            .filter(is_meant)
            .map(|socket| (socket, socket.queue(&message, self.sending.options)))
            .collect();
        drop(order);
        let mut best_sent = Sent::Dropped;
        for (socket, queued) in queued {
            // A client that is gone, or whose queue is full, misses it.
            let sent = queued.sent().map_err(EmitError::from);
            space.meter.sent(sent.as_ref().copied());
            drop(queued);
            best_sent = best(best_sent, sent.unwrap_or(Sent::Dropped));
            socket.show_outgoing(event, args.as_raw());
        }
        Ok(best_sent)
    }

    /// Sends the event and asks everyone to acknowledge it, the clients of other servers too. How
    /// many those are is known when their servers say so. One that a volatile event could not reach at once is not asked.
    ///
    /// Where [`emit`](Self::emit) would be an error, the stream yields [`AckError::Emit`](crate::AckError::Emit) and ends.
    //= SRV-BACK-01
    //= CLA-04
    pub fn emit_with_ack<R: FromArgs>(
        self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> AckStream<R> {
        let asked = self.ask(event, args);
        asked.unwrap_or_else(|error| AckStream::failed(error))
    }

    fn ask<R: FromArgs>(
        &self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> Result<AckStream<R>, EmitError> {
        let Some(seat) = self.seat() else {
            return self.ask_here(event, args, self.sending.timeout);
        };
        let args = OwnedArgs::new(args)?;
        let timeout = self
            .sending
            .timeout
            .unwrap_or_else(|| seat.request_timeout());
        let here = self.ask_here(event, &args, Some(timeout))?;
        let mut opts = self.cluster_options();
        opts.flags.timeout = Some(timeout);
        let question = Question::ask(seat, Kind::Acks, Some(timeout), |request| {
            ClusterBody::Broadcast {
                packet: OwnedEvent::from_parts(event, args),
                opts,
                request_id: Some(request),
            }
        });
        Ok(here.with_cluster(question, timeout))
    }

    fn ask_here<R: FromArgs>(
        &self,
        event: &str,
        args: &(impl Serialize + ?Sized),
        timeout: Option<Duration>,
    ) -> Result<AckStream<R>, EmitError> {
        let id = self.space.next_ack_id();
        let message = self.encode(Some(id), event, args, None)?;
        let shown = self.shown(args)?;
        let (sender, answers) = mpsc::unbounded_channel();
        let mut targets = self.select();
        // One answer for each target, so the channel is bounded by their number.
        targets.retain(|socket| {
            let awaited = Awaited::Many(sender.clone());
            if socket.has_left()
                || !socket.may_receive(event)
                || socket.await_ack(id, awaited).is_err()
            {
                return false;
            }
            let sent = self.deliver_to(socket, event, shown.as_ref(), &message);
            let is_sent = sent != Sent::Dropped;
            if !is_sent {
                socket.forget_ack(id);
            }
            is_sent
        });
        Ok(AckStream::new(id, targets, answers, timeout))
    }

    /// Asks the other servers something about those who are meant, with the time limit of the answers.
    pub(super) fn ask_servers(
        &self,
        kind: Kind,
        body: impl FnOnce(ClusterOptions, RequestId) -> ClusterBody,
    ) -> (Option<Result<Question, AdapterError>>, Option<Duration>) {
        let seat = self.seat();
        let default = seat.map(|seat| seat.request_timeout());
        let timeout = self.sending.timeout.or(default);
        let question = seat.map(|seat| {
            Question::ask(seat, kind, timeout, |request| {
                let mut opts = self.cluster_options();
                opts.flags.timeout = self.sending.timeout;
                body(opts, request)
            })
        });
        (question, timeout)
    }

    pub(super) fn space(&self) -> &Arc<Space> {
        &self.space
    }

    /// The sockets of this server that are meant, as data.
    pub(crate) fn describe(&self) -> Vec<RemoteSocket> {
        self.select().iter().map(describe).collect()
    }

    /// Has everyone join a room.
    pub fn join(self, room: impl Into<Room>) {
        let room = room.into();
        self.tell(|opts| ClusterBody::SocketsJoin {
            opts,
            rooms: vec![room.clone()],
        });
        for socket in self.select() {
            // Who has left, or is in too many rooms, is not in this one.
            let _ = socket.join(room.clone());
        }
    }

    /// Has everyone leave a room.
    pub fn leave(self, room: impl Into<Room>) {
        let room = room.into();
        self.tell(|opts| ClusterBody::SocketsLeave {
            opts,
            rooms: vec![room.clone()],
        });
        for socket in self.select() {
            socket.leave_room(&room);
        }
    }

    /// Disconnects everyone from the namespace.
    //= SRV-BC-01
    pub fn disconnect(self) {
        self.tell(|opts| ClusterBody::DisconnectSockets { opts, close: false });
        for socket in self.select() {
            socket.disconnect();
        }
    }

    /// Disconnects everyone from every namespace and closes their connections.
    pub fn close(self) {
        self.tell(|opts| ClusterBody::DisconnectSockets { opts, close: true });
        for socket in self.select() {
            socket.close();
        }
    }

    /// Where the other servers are told, unless this stays here.
    fn seat(&self) -> Option<&Arc<Seat>> {
        self.space.cluster.as_ref().filter(|_| !self.is_local)
    }

    fn tell(&self, body: impl FnOnce(ClusterOptions) -> ClusterBody) {
        if let Some(seat) = self.seat() {
            seat.publish(body(self.cluster_options()));
        }
    }

    fn cluster_options(&self) -> ClusterOptions {
        let Selection { rooms, except } = self.selection.clone();
        let mut opts = ClusterOptions::new(rooms, except);
        opts.flags.volatile = self.sending.options.is_volatile();
        opts.flags.compress = self.sending.options.is_compressible();
        opts
    }

    /// The arguments as the hooks see them, where there are hooks.
    fn shown<A: Serialize + ?Sized>(&self, args: &A) -> Result<Option<OwnedArgs>, EncodeError> {
        let is_shown = self.space.shows_outgoing();
        is_shown.then(|| OwnedArgs::new(args)).transpose()
    }

    /// Shows the event to the hooks and sends it to one socket; [`Sent::Dropped`] also when its queue refuses.
    fn deliver_to(
        &self,
        socket: &Arc<Core>,
        event: &str,
        shown: Option<&OwnedArgs>,
        message: &EncodedMessage,
    ) -> Sent {
        if let Some(args) = shown {
            socket.show_outgoing(event, args.as_raw());
        }
        let sent = socket.connection.send_as(message, self.sending.options);
        let sent = sent.map_err(EmitError::from);
        self.space.meter.sent(sent.as_ref().copied());
        sent.unwrap_or(Sent::Dropped)
    }

    fn encode<A: Serialize + ?Sized>(
        &self,
        id: Option<u64>,
        event: &str,
        args: &A,
        offset: Option<&str>,
    ) -> Result<EncodedMessage, EncodeError> {
        let event = OutgoingEvent {
            namespace: &self.space.name,
            id,
            name: event,
            args,
            offset,
        };
        self.space.codec.encode_event(event)
    }

    fn select(&self) -> Vec<Arc<Core>> {
        self.space.rooms.lock().select(&self.selection)
    }
}

impl fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast")
            .field("namespace", &self.space.name)
            .field("selection", &self.selection)
            .finish_non_exhaustive()
    }
}
