//! Events on their way out to one socket.

use std::sync::Arc;

use engineio::{EncodedMessage, MessageBuffer, SendOptions, Sent};
use serde::Serialize;
use tokio::sync::oneshot;

use crate::codec::{OutgoingEvent, OwnedArgs, RawArgs};
use crate::error::EmitError;
use crate::live::core::Core;
use crate::live::keeper::Kept;
use crate::live::owed::{Answer, Awaited};
use crate::proto::recovery::Offset;
use crate::running::guard;

/// An event that waits to be sent.
pub(crate) struct Prepared {
    event: Box<str>,
    message: EncodedMessage,
    offset: Option<Offset>,
    options: SendOptions,
}

impl Core {
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
        let event = OutgoingEvent {
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
        let event = OutgoingEvent {
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
