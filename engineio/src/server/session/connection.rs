//! The application's handle to a session.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::shared::Shared;
use crate::buffers;
use crate::message::{EncodedMessage, MessageBuffer};
use crate::packet::Protocol;
use crate::proto::event::Input;
use crate::send_options::{SendOptions, Sent};
use crate::server::clock;
use crate::session_id::SessionId;
use crate::transport::Transport;

/// Why a message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The session is closed.
    Closed,
    /// More than [`Config::max_queued_bytes`](crate::Config::max_queued_bytes) wait for this client. With
    /// [`OverflowPolicy::Disconnect`](crate::OverflowPolicy::Disconnect) the session is closed now.
    QueueFull {
        /// The bytes that wait.
        queued_bytes: usize,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the session is closed"),
            Self::QueueFull { queued_bytes } => {
                write!(f, "the client's queue is full: {queued_bytes} bytes wait")
            }
        }
    }
}

impl std::error::Error for SendError {}

/// A handle to one session: cheap to clone, valid on any thread, and harmless after the session has ended.
pub struct Connection<D>(pub(crate) Arc<Shared<D>>);

impl<D> Clone for Connection<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Send + Sync + 'static> Connection<D> {
    /// The session's id. It is a secret.
    #[must_use]
    pub fn id(&self) -> SessionId {
        self.0.id()
    }

    /// What [`Handler::on_open`](crate::Handler::on_open) returned.
    #[must_use]
    pub fn data(&self) -> &D {
        &self.0.data
    }

    /// The address of the peer, when the front door knows it.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.0.peer
    }

    /// The protocol revision the client speaks.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.0.protocol()
    }

    /// The transport the session is on.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.0.lock().session.transport()
    }

    /// True until either side has closed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.lock().session.is_open()
    }

    /// True when a message sent now would reach the network at once: a poll waits, or the WebSocket has
    /// nothing queued.
    #[must_use]
    pub fn is_writable(&self) -> bool {
        self.0.lock().session.is_writable()
    }

    /// Bytes accepted for this client and not yet handed to its transport.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.0.lock().session.outbox.queued_bytes()
    }

    /// Sends text.
    ///
    /// # Errors
    ///
    /// When the session is closed or its queue is full; see [`SendError`].
    pub fn send_text(&self, text: &str) -> Result<(), SendError> {
        self.send_with(|buffer| buffer.push_text(text))
    }

    /// Sends bytes.
    ///
    /// # Errors
    ///
    /// When the session is closed or its queue is full; see [`SendError`].
    pub fn send_binary(&self, data: &[u8]) -> Result<(), SendError> {
        self.send_with(|buffer| buffer.push_binary(data))
    }

    /// Sends what `fill` writes into a buffer of the worker's, as one item.
    ///
    /// # Errors
    ///
    /// When the session is closed or its queue is full; see [`SendError`].
    pub fn send_with(&self, fill: impl FnOnce(&mut MessageBuffer)) -> Result<(), SendError> {
        let mut buffer = MessageBuffer::with_storage(buffers::take());
        fill(&mut buffer);
        let sent = self.send_buffer(&mut buffer);
        buffers::give_back(buffer.into_storage());
        sent
    }

    /// Sends what a buffer holds, as one item, and empties the buffer.
    ///
    /// # Errors
    ///
    /// When the session is closed or its queue is full; see [`SendError`].
    pub fn send_buffer(&self, buffer: &mut MessageBuffer) -> Result<(), SendError> {
        self.send_buffer_as(buffer, SendOptions::new()).map(drop)
    }

    /// The same, in another way than the default. An empty buffer counts as queued.
    ///
    /// # Errors
    ///
    /// When the session is closed or its queue is full; see [`SendError`].
    pub fn send_buffer_as(
        &self,
        buffer: &mut MessageBuffer,
        options: SendOptions,
    ) -> Result<Sent, SendError> {
        if buffer.is_empty() {
            return Ok(Sent::Queued);
        }
        let size = (buffer.message_count(), buffer.len_bytes());
        let sent = self.0.push(options, size, |outbox, placing| {
            outbox.push_own(buffer.frames_mut(), placing, buffers::take)
        });
        buffer.clear();
        sent
    }

    /// Sends messages that were encoded once for many recipients.
    ///
    /// # Errors
    ///
    /// When the session is closed or its queue is full; see [`SendError`].
    pub fn send(&self, message: &EncodedMessage) -> Result<(), SendError> {
        self.send_as(message, SendOptions::new()).map(drop)
    }

    /// The same, in another way than the default.
    ///
    /// # Errors
    ///
    /// When the session is closed or its queue is full; see [`SendError`].
    pub fn send_as(
        &self,
        message: &EncodedMessage,
        options: SendOptions,
    ) -> Result<Sent, SendError> {
        self.0.send_shared(message, options)
    }

    /// Runs `send`, and has what is sent to this client meanwhile leave in one write, or answer one poll. Sends that
    /// a handler of this session makes are together already. While a handler of this session runs on another thread,
    /// what is sent leaves when that has returned, perhaps in two parts.
    ///
    /// The session is not read meanwhile, so `send` must not block.
    ///
    /// ```
    /// # fn say(connection: &engineio::Connection<()>) {
    /// connection.together(|| {
    ///     let _ = connection.send_text("that was all");
    ///     connection.close();
    /// });
    /// # }
    /// ```
    pub fn together<T>(&self, send: impl FnOnce() -> T) -> T {
        let _held = self.0.begin_turn().then(|| Held(&self.0));
        send()
    }

    /// Reads on after a handler returned [`Flow::Pause`](crate::Flow::Pause).
    pub fn resume(&self) {
        self.0.resume();
    }

    /// Has [`Handler::on_deadline`](crate::Handler::on_deadline) called at `at`, once; `None` calls it off. A later
    /// call replaces an earlier one. It comes at `at` or soon after, whatever else runs for the session at that time: a
    /// handler that is running is let finish first.
    pub fn wake_at(&self, at: Option<Instant>) {
        self.0.wake_at(at);
    }

    /// Has [`Handler::on_deadline`](crate::Handler::on_deadline) called at `at`, once, unless it is to be called earlier:
    /// for several threads of which each knows a deadline, and none knows that of the others.
    pub fn wake_by(&self, at: Instant) {
        self.0.wake_by(at);
    }

    /// Closes the session; what is queued still leaves, for up to 30 seconds.
    pub fn close(&self) {
        self.0.handle(clock::now(), Input::Close);
    }

    /// Closes the session at once; what is queued may be lost.
    pub fn abort(&self) {
        self.0.handle(clock::now(), Input::Discard);
    }
}

/// The right to call the handler, without a handler being called.
struct Held<'a, D: Send + Sync + 'static>(&'a Arc<Shared<D>>);

impl<D: Send + Sync + 'static> Drop for Held<'_, D> {
    fn drop(&mut self) {
        self.0.end_turn(clock::now());
    }
}

impl<D> fmt::Debug for Connection<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.0.peer)
            .field("protocol", &self.0.protocol)
            .finish_non_exhaustive()
    }
}

impl<D> PartialEq for Connection<D> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<D> Eq for Connection<D> {}
