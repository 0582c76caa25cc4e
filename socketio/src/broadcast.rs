//! One event for many sockets.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use engineio::{EncodedMessage, OverflowPolicy, SendOptions};
use serde::Serialize;
use tokio::sync::mpsc;

use crate::ack::{AckStream, Awaited};
use crate::codec::{Event, FromArgs, OwnedArgs};
use crate::emitter::key_of;
use crate::error::EmitError;
use crate::namespace::Space;
use crate::recovery::Kept;
use crate::rooms::{Room, Selection};
use crate::socket::Core;

/// An event to be sent to many sockets of a namespace, encoded once.
///
/// Made by [`Namespace::to`](crate::Namespace::to) and [`Socket::to`](crate::Socket::to), narrowed, and then sent.
/// Every socket gets one copy, in however many of the rooms it is.
#[derive(Clone)]
#[must_use = "nothing is sent before `emit`"]
pub struct Broadcast {
    space: Arc<Space>,
    selection: Selection,
    options: SendOptions,
    timeout: Option<Duration>,
}

impl Broadcast {
    pub(crate) fn new(space: Arc<Space>, selection: Selection) -> Self {
        Self {
            timeout: space.settings.ack_timeout,
            options: space.options,
            space,
            selection,
        }
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

    /// Leaves out those whom it would not reach at once (SRV-VOL-01).
    pub fn volatile(mut self) -> Self {
        self.options = self.options.volatile(true);
        self
    }

    /// With `false` the event is not compressed, even where compression was negotiated.
    pub fn compress(mut self, compress: bool) -> Self {
        self.options = self.options.compress(compress);
        self
    }

    /// What happens where a client's queue is full, in place of the namespace's policy.
    pub fn overflow(mut self, policy: OverflowPolicy) -> Self {
        self.options = self.options.overflow(policy);
        self
    }

    /// The event takes the place of one with the same key that still waits for a client: only the latest matters.
    pub fn conflate(mut self, key: &str) -> Self {
        self.options = self.options.conflate(key_of(&self.space.name, key));
        self
    }

    /// How long [`emit_with_ack`](Self::emit_with_ack) waits; without a call
    /// [`SocketIoBuilder::ack_timeout`](crate::SocketIoBuilder::ack_timeout) holds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends the event.
    ///
    /// # Errors
    ///
    /// When the event has a reserved name or the arguments cannot be serialized. What happens to single clients,
    /// a full queue for instance, is no error here.
    pub fn emit<A: Serialize + ?Sized>(self, event: &str, args: &A) -> Result<(), EmitError> {
        //= SIO5-CSR-02
        let keeper = self.space.recovery.as_deref();
        let keeper = keeper.filter(|_| !self.options.is_volatile());
        let kept = keeper.map(|keeper| (keeper, keeper.next_offset()));
        let offset = kept.map(|(_, offset)| offset.to_string());
        let message = self.encode(None, event, args, offset.as_deref())?;
        let hooks = &self.space.handlers.any_outgoing;
        let shown = (!hooks.is_empty())
            .then(|| OwnedArgs::new(args))
            .transpose()?;
        let targets = {
            let rooms = self.space.rooms.lock();
            if let Some((keeper, offset)) = kept {
                let selection = self.selection.clone();
                keeper.append(
                    offset,
                    &self.space.name,
                    selection,
                    Kept::new(event, &message),
                );
            }
            rooms.select(&self.selection)
        };
        for socket in targets {
            if !socket.has_left() && socket.may_receive(event) {
                if let Some(args) = &shown {
                    socket.show_outgoing(event, args.as_raw());
                }
                // A client that is gone, or whose queue is full, misses it.
                let _ = socket.connection.send_as(&message, self.options);
            }
        }
        Ok(())
    }

    /// Sends the event and asks everyone to acknowledge it (SRV-BACK-01).
    ///
    /// # Errors
    ///
    /// As [`emit`](Self::emit).
    pub fn emit_with_ack<R: FromArgs>(
        self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> Result<AckStream<R>, EmitError> {
        let id = self.space.next_ack_id();
        let message = self.encode(Some(id), event, args, None)?;
        let (sender, answers) = mpsc::unbounded_channel();
        let mut targets = self.select();
        // One answer for each target, so the channel is bounded by their number.
        targets.retain(|socket| {
            let awaited = Awaited::Many(sender.clone());
            if !socket.is_joined()
                || !socket.may_receive(event)
                || socket.await_ack(id, awaited).is_err()
            {
                return false;
            }
            let is_sent = socket.connection.send_as(&message, self.options).is_ok();
            if !is_sent {
                socket.forget_ack(id);
            }
            is_sent
        });
        Ok(AckStream::new(id, targets, answers, self.timeout))
    }

    /// Has everyone join a room.
    pub fn join(self, room: impl Into<Room>) {
        let room = room.into();
        for socket in self.select() {
            // Who has left, or is in too many rooms, is not in this one.
            let _ = socket.join(room.clone());
        }
    }

    /// Has everyone leave a room.
    pub fn leave(self, room: impl Into<Room>) {
        let room = room.into();
        for socket in self.select() {
            socket.leave_room(&room);
        }
    }

    /// Disconnects everyone from the namespace (SRV-BC-01).
    pub fn disconnect(self) {
        for socket in self.select() {
            socket.disconnect();
        }
    }

    /// Disconnects everyone from every namespace and closes their connections.
    pub fn close(self) {
        for socket in self.select() {
            socket.close();
        }
    }

    fn encode<A: Serialize + ?Sized>(
        &self,
        id: Option<u64>,
        event: &str,
        args: &A,
        offset: Option<&str>,
    ) -> Result<EncodedMessage, EmitError> {
        let event = Event {
            namespace: &self.space.name,
            id,
            name: event,
            args,
            offset,
        };
        Ok(self.space.codec.encode_event(event)?)
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
