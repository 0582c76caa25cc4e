//! Events on their way out to one socket.

use std::sync::Arc;

use engineio::{EncodedMessage, MessageBuffer, Queued, SendOptions, Sent};
use serde::Serialize;
use tokio::sync::oneshot;

use super::broadcast::Broadcast;
use crate::codec::{OutgoingEvent, OwnedArgs, RawArgs};
use crate::error::EmitError;
use crate::live::client::Client;
use crate::live::core::Core;
use crate::live::keeper::Keeper;
use crate::live::owed::{Answer, Awaited};
use crate::proto::room::{Room, Selection};
use crate::running::guard;

/// An event that waits to be sent.
pub(crate) struct Prepared {
    event: Box<str>,
    form: Form,
    options: SendOptions,
}

/// How much of it is encoded.
enum Form {
    Message(EncodedMessage),
    /// It is to be kept, so its offset is known only when it is sent.
    Args(OwnedArgs),
}

impl Core {
    pub(crate) fn emit<A: Serialize + ?Sized>(
        self: &Arc<Self>,
        event: &str,
        args: &A,
    ) -> Result<Sent, EmitError> {
        let space = &self.space;
        if !space.sends_plainly() || self.recoverable.get().is_some() {
            return self.emit_as(event, None, args, space.options);
        }
        self.check_receiver(event)?;
        let event = OutgoingEvent {
            namespace: &space.name,
            id: None,
            name: event,
            args,
            offset: None,
        };
        // The common way, straight into a buffer of the worker's.
        let sent = self.send(|buffer| space.codec.event(event, buffer));
        // The engine's default is neither volatile nor conflated.
        let sent = sent.map(|()| Sent::Queued);
        space.meter.sent(sent.as_ref().copied());
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
        if self.follows_log(id, options) {
            self.check_receiver(event)?;
            return self.hand_over(event, &OwnedArgs::new(args)?, options);
        }
        let sent = self.send_event(event, id, args, options);
        self.space.meter.sent(sent.as_ref().copied());
        sent
    }

    /// Has the log that servers share bring it to the socket, wherever that is by then.
    //= STR-07
    fn hand_over(
        self: &Arc<Self>,
        event: &str,
        args: &OwnedArgs,
        options: SendOptions,
    ) -> Result<Sent, EmitError> {
        let selection = Selection {
            rooms: vec![Room::from(self.id())],
            except: Vec::new(),
        };
        let broadcast = Broadcast::new(Arc::clone(&self.space), selection);
        broadcast.with_options(options).emit(event, args)
    }

    fn send_event<A: Serialize + ?Sized>(
        self: &Arc<Self>,
        event: &str,
        id: Option<u64>,
        args: &A,
        options: SendOptions,
    ) -> Result<Sent, EmitError> {
        if let Some(keeper) = self.keeper(id, options) {
            self.check_receiver(event)?;
            let args = OwnedArgs::new(args)?;
            self.show_outgoing(event, args.as_raw());
            return self.send_kept(keeper, event, &args, options);
        }
        let mut buffer = self.write(event, id, args)?;
        Ok(self.connection.send_buffer_as(&mut buffer, options)?)
    }

    /// Sends an event that is kept, in the order in which it is.
    //= SIO5-CSR-02
    fn send_kept(
        &self,
        keeper: &Keeper,
        event: &str,
        args: &OwnedArgs,
        options: SendOptions,
    ) -> Result<Sent, EmitError> {
        let space = &self.space;
        let selection = Selection {
            rooms: vec![Room::from(self.id())],
            except: Vec::new(),
        };
        let order = space.order.lock();
        let message = keeper.keep(&space.name, selection, event, |offset| {
            space.codec.encode_event(OutgoingEvent {
                namespace: &space.name,
                id: None,
                name: event,
                args,
                offset: Some(offset),
            })
        })?;
        let queued = self.queue(&message, options);
        drop(order);
        Ok(queued.sent()?)
    }

    /// Puts a message in its place in the queue. It leaves when what is returned is dropped.
    pub(super) fn queue(
        &self,
        message: &EncodedMessage,
        options: SendOptions,
    ) -> Queued<'_, Client> {
        // The engine's lock is none that models of this crate see.
        #[cfg(test)]
        schedules::point();
        self.connection.queue_as(message, options)
    }

    /// An event, to be sent later with [`send_prepared`](Self::send_prepared).
    pub(crate) fn prepare<A: Serialize + ?Sized>(
        self: &Arc<Self>,
        event: &str,
        args: &A,
        options: SendOptions,
    ) -> Result<Prepared, EmitError> {
        let form = if self.follows_log(None, options) {
            self.check_receiver(event)?;
            Form::Args(OwnedArgs::new(args)?)
        } else if self.keeper(None, options).is_some() {
            self.check_receiver(event)?;
            let args = OwnedArgs::new(args)?;
            self.show_outgoing(event, args.as_raw());
            Form::Args(args)
        } else {
            Form::Message(self.write(event, None, args)?.into())
        };
        Ok(Prepared {
            event: event.into(),
            form,
            options,
        })
    }

    pub(crate) fn send_prepared(self: &Arc<Self>, prepared: &Prepared) -> Result<Sent, EmitError> {
        if self.has_left() {
            return Err(EmitError::Disconnected);
        }
        let Prepared {
            event,
            form,
            options,
        } = prepared;
        let sent = match (form, self.keeper(None, *options)) {
            (Form::Args(args), Some(keeper)) => self.send_kept(keeper, event, args, *options),
            (Form::Message(message), _) => {
                let sent = self.connection.send_as(message, *options);
                sent.map_err(EmitError::from)
            }
            // It was to be kept when it was prepared, and that does not change.
            (Form::Args(args), None) => return self.hand_over(event, args, *options),
        };
        self.space.meter.sent(sent.as_ref().copied());
        sent
    }

    fn write<A: Serialize + ?Sized>(
        self: &Arc<Self>,
        event: &str,
        id: Option<u64>,
        args: &A,
    ) -> Result<MessageBuffer, EmitError> {
        self.check_receiver(event)?;
        let space = &self.space;
        if space.shows_outgoing() {
            self.show_outgoing(event, OwnedArgs::new(args)?.as_raw());
        }
        let event = OutgoingEvent {
            namespace: &space.name,
            id,
            name: event,
            args,
            offset: None,
        };
        let mut buffer = MessageBuffer::new();
        space.codec.event(event, &mut buffer)?;
        Ok(buffer)
    }

    /// Shows an event that is being sent to the hooks of the namespace, then to those of the socket.
    pub(crate) fn show_outgoing(self: &Arc<Self>, event: &str, args: RawArgs<'_>) {
        for hook in &self.space.handlers.any_outgoing {
            if guard(|| hook(self, event, args)).is_err() {
                self.disconnect();
            }
        }
        for hook in self.outgoing_hooks() {
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

    fn check_receiver(&self, event: &str) -> Result<(), EmitError> {
        if self.has_left() {
            Err(EmitError::Disconnected)
        } else if self.may_receive(event) {
            Ok(())
        } else {
            Err(EmitError::Forbidden)
        }
    }
}
