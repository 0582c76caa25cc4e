//! Queueing under a lock of the application's what leaves behind it.

use std::fmt;

use super::connection::{Connection, SendError};
use super::shared::Shared;
use crate::buffers;
use crate::message::EncodedMessage;
use crate::proto::chunk::Shape;
use crate::proto::event::Input;
use crate::proto::outbox::{Placing, Pushed};
use crate::send_options::{OverflowPolicy, SendOptions, Sent};
use crate::server::clock;
use crate::server::stream::form;
use crate::trace;

/// A message in its place in a client's queue; made by [`Connection::queue_as`]. Dropping it has the message leave.
#[must_use = "the message leaves when this is dropped, which must not happen under a lock"]
pub struct Queued<'c, D: Send + Sync + 'static> {
    connection: &'c Connection<D>,
    sent: Result<Sent, SendError>,
    next: Next,
}

/// What is due once no lock is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Nothing,
    Leave,
    /// The queue was full: the session ends.
    Discard,
}

impl<D: Send + Sync + 'static> Connection<D> {
    /// Puts a message that was encoded once for many recipients in its place in the queue, and no more: whatever is done
    /// about it, a system call or a call of a [`Handler`](crate::Handler) for instance, is done when what is returned is
    /// dropped. So an application may hold a lock of its own meanwhile, to have several threads send in one order.
    ///
    /// ```
    /// # fn run(connection: &engineio::Connection<()>, order: &std::sync::Mutex<u64>, message: &engineio::EncodedMessage) {
    /// let queued = {
    ///     let mut number = order.lock().unwrap();
    ///     *number += 1;
    ///     connection.queue_as(message, engineio::SendOptions::new())
    /// };
    /// drop(queued); // without the lock
    /// # }
    /// ```
    pub fn queue_as(&self, message: &EncodedMessage, options: SendOptions) -> Queued<'_, D> {
        let (sent, next) = self.0.queue(message, options);
        Queued {
            connection: self,
            sent,
            next,
        }
    }
}

impl<D: Send + Sync + 'static> Queued<'_, D> {
    /// What became of the message.
    ///
    /// # Errors
    ///
    /// As [`Connection::send_as`].
    pub fn sent(&self) -> Result<Sent, SendError> {
        self.sent
    }
}

impl<D: Send + Sync + 'static> Drop for Queued<'_, D> {
    fn drop(&mut self) {
        let shared = &self.connection.0;
        match self.next {
            Next::Nothing => {}
            Next::Leave => shared.flush_queued(),
            Next::Discard => {
                trace::debug!("a client does not read what it is sent");
                shared.handle(clock::now(), Input::Discard);
            }
        }
    }
}

impl<D: Send + Sync + 'static> fmt::Debug for Queued<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Queued({:?})", self.sent)
    }
}

impl<D: Send + Sync + 'static> Shared<D> {
    fn queue(
        &self,
        message: &EncodedMessage,
        options: SendOptions,
    ) -> (Result<Sent, SendError>, Next) {
        let mut inner = self.lock();
        let settings = inner.form.shared_settings();
        let settings = settings.filter(|_| !options.is_incompressible && inner.session.is_open());
        let (frames, wire) = match settings {
            Some(settings) => {
                drop(inner);
                let frames = form::shared_frames(message, settings);
                inner = self.lock();
                (frames, Some(Shape::Wire))
            }
            None => (message.frames().clone(), None),
        };
        if !inner.session.is_open() {
            return (Err(SendError::Closed), Next::Nothing);
        }
        if options.is_volatile && !inner.session.is_writable() {
            return (Ok(Sent::Dropped), Next::Nothing);
        }
        let queued_bytes = inner.session.outbox.queued_bytes();
        let placing = self.placing(options);
        let shape = wire.unwrap_or(placing.shape);
        let placing = Placing { shape, ..placing };
        let outbox = &mut inner.session.outbox;
        match outbox.push_shared(&frames, placing, buffers::take) {
            Pushed::Queued => {}
            Pushed::Replaced => return (Ok(Sent::Replaced), Next::Nothing),
            Pushed::Full => {
                let next = match placing.policy {
                    OverflowPolicy::Disconnect => Next::Discard,
                    _ => Next::Nothing,
                };
                return (Err(SendError::QueueFull { queued_bytes }), next);
            }
        }
        let (messages, bytes) = (message.message_count(), frames.len());
        if inner.turn.is_taken() {
            // It leaves when the turn ends.
            inner.sent.0 += messages;
            inner.sent.1 += bytes;
            return (Ok(Sent::Queued), Next::Nothing);
        }
        drop(inner);
        self.hub.counters.sent(messages, bytes);
        (Ok(Sent::Queued), Next::Leave)
    }
}
