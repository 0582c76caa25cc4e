//! Emitting to one socket in another way than the default.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use engineio::{OverflowPolicy, Sent};
use serde::Serialize;

use super::ack::AckFuture;
use super::options::Sending;
use super::outgoing::Prepared;
use crate::codec::FromArgs;
use crate::error::EmitError;
use crate::live::client::Client;
use crate::live::core::Core;

/// An event to be sent to one socket, with options; made by [`Socket::volatile`](crate::Socket::volatile) and its
/// like.
///
/// ```
/// # fn later(socket: socketio::Socket) -> Result<(), socketio::EmitError> {
/// socket.volatile().emit("cursor", &(1, 2))?;
/// socket.conflate("score").emit("score", &7)?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
#[must_use = "nothing is sent before `emit`"]
pub struct Emitter {
    core: Arc<Core>,
    sending: Sending,
}

impl Emitter {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self {
            sending: Sending::in_space(&core.space),
            core,
        }
    }

    /// Drops the event unless it would leave at once.
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

    /// What happens when the client's queue is full, in place of the namespace's policy.
    pub fn overflow(mut self, policy: OverflowPolicy) -> Self {
        self.sending.overflow(policy);
        self
    }

    /// The event takes the place of one with the same key that still waits: only the latest matters. Keys are
    /// compared within one socket.
    pub fn conflate(mut self, key: &str) -> Self {
        self.sending.conflate(&self.core.space.name, key);
        self
    }

    /// How long [`emit_with_ack`](Self::emit_with_ack) waits.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.sending.timeout = Some(timeout);
        self
    }

    /// Sends the event, and tells what became of it.
    ///
    /// # Errors
    ///
    /// As [`Socket::emit`](crate::Socket::emit).
    pub fn emit<A: Serialize + ?Sized>(self, event: &str, args: &A) -> Result<Sent, EmitError> {
        self.core.emit_as(event, None, args, self.sending.options)
    }

    /// Sends the event and asks for an acknowledgement. A volatile event that is dropped is not acknowledged.
    ///
    /// Where [`emit`](Self::emit) would be an error, the future gives [`AckError::Emit`](crate::AckError::Emit).
    pub fn emit_with_ack<R: FromArgs>(
        self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> AckFuture<R> {
        let sent = self.core.emit_with_ack(event, args, self.sending.options);
        AckFuture::new(sent, self.sending.timeout)
    }

    /// Sends the event when the client's queue has room. It is encoded now.
    pub fn emit_when_ready<A: Serialize + ?Sized>(self, event: &str, args: &A) -> EmitWhenReady {
        EmitWhenReady {
            message: Some(self.core.prepare(event, args, self.sending.options)),
            ready: self.core.connection.ready(),
            core: self.core,
        }
    }
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("socket", self.core.id())
            .field("sending", &self.sending)
            .finish_non_exhaustive()
    }
}

/// Waits until at most the engine's [`high_watermark`](engineio::Config::high_watermark) bytes wait for the client,
/// then sends. Dropping it before that sends nothing.
#[must_use = "nothing is sent unless it is awaited"]
pub struct EmitWhenReady {
    core: Arc<Core>,
    ready: engineio::Ready<Client>,
    message: Option<Result<Prepared, EmitError>>,
}

impl Future for EmitWhenReady {
    type Output = Result<Sent, EmitError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !matches!(self.message, Some(Ok(_))) {
            let failed = self.message.take().and_then(Result::err);
            return Poll::Ready(Err(failed.unwrap_or(EmitError::Disconnected)));
        }
        if let Err(error) = std::task::ready!(Pin::new(&mut self.ready).poll(cx)) {
            return Poll::Ready(Err(error.into()));
        }
        let Some(Ok(message)) = self.message.take() else {
            return Poll::Ready(Err(EmitError::Disconnected));
        };
        Poll::Ready(self.core.send_prepared(&message))
    }
}

impl fmt::Debug for EmitWhenReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmitWhenReady")
    }
}
