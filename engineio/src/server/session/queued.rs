//! Queueing under a lock of the application's what leaves behind it.

use std::fmt;

use bytes::Bytes;

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
use crate::server::stream::writer::Writer;
use crate::trace;

/// A message in its place in a client's queue; made by [`Connection::queue_as`]. Dropping it has the message leave.
#[must_use = "the message leaves when this is dropped, which must not happen under a lock"]
pub struct Queued<'c, D: Send + Sync + 'static> {
    connection: &'c Connection<D>,
    sent: Result<Sent, SendError>,
    next: Next,
}

/// What is due once no lock is held.
enum Next {
    Nothing,
    /// The queue was empty, and the right to write was taken: whatever is sent meanwhile queues behind it.
    Write(Writer, Bytes),
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
        match std::mem::replace(&mut self.next, Next::Nothing) {
            Next::Nothing => {}
            Next::Write(writer, frames) => shared.write_past_queue(writer, &frames),
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
                let frames = match message.compressed_before(settings) {
                    Some(frames) => frames.clone(),
                    None => {
                        drop(inner);
                        let frames = form::shared_frames(message, settings).into_owned();
                        inner = self.lock();
                        frames
                    }
                };
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
        let (messages, bytes) = (message.message_count(), frames.len());
        if let Some(writer) = inner.begin_bypass(bytes, wire) {
            drop(inner);
            self.hub.counters.sent(messages, bytes);
            return (Ok(Sent::Queued), Next::Write(writer, frames));
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::server::session::testing::opened;
    use crate::transport::Transport;

    #[tokio::test]
    async fn what_is_queued_leaves_when_its_place_is_given_up() {
        let (shared, _) = opened(Transport::Polling);
        let connection = Connection(Arc::clone(&shared));
        let (_, mut answer) = {
            let mut inner = shared.lock();
            let (reply, _) = shared.feed(&mut inner, clock::now(), Input::PollArrived);
            assert!(!reply.is_refused());
            inner.park()
        };
        let queued = connection.queue_as(&EncodedMessage::text("a"), SendOptions::new());
        assert_eq!(queued.sent(), Ok(Sent::Queued));
        assert!(answer.try_recv().is_err(), "it may be under a lock");
        drop(queued);
        let body = answer.try_recv().unwrap();
        assert_eq!(body.bytes, b"4a");
    }

    #[tokio::test]
    async fn a_queue_that_is_full_ends_the_session_when_the_place_is_given_up() {
        let (shared, told) = opened(Transport::Polling);
        let connection = Connection(shared);
        let message = EncodedMessage::text(&"x".repeat(1 << 20));
        let full = std::iter::from_fn(|| Some(connection.queue_as(&message, SendOptions::new())));
        let full = full.take(10).find(|queued| queued.sent().is_err()).unwrap();
        assert!(matches!(full.sent(), Err(SendError::QueueFull { .. })));
        assert_eq!(told.take(), [""; 0], "it may be under a lock");
        drop(full);
        assert_eq!(told.take(), ["close"]);
        let late = connection.queue_as(&message, SendOptions::new());
        assert_eq!(late.sent(), Err(SendError::Closed));
    }
}
