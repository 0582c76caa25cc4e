//! Closures of the application, and what they may return.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use engineio::Sent;
use pin_project_lite::pin_project;
use sealed::{Accept as _, Answer as _};
use serde::Serialize;

use super::namespace::Namespace;
use super::socket::{Socket, typed};
use crate::codec::{ArgsError, FromArgs, RawArgs};
use crate::error::{ConnectError, DisconnectReason};
use crate::event::{ChangeKind, Event};
use crate::live::candidate::Candidate;
use crate::live::core::Core;
use crate::live::handlers::{
    AckSender, Admission, ChangeHandler, Changed, ConnectHandler, DisconnectHandler, EventHandler,
    Failure, FallbackHandler, Filter, Filtering, Middleware, Running, ServerHandler,
};
use crate::live::space::Space;
use crate::running::poll_unguarded;

/// The answer of an event handler: its value is the acknowledgement's argument.
///
/// Several arguments are `Ack(Args((a, b)))`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a wrapper to be built and taken apart"
)]
pub struct Ack<T>(pub T);

/// The answer of an event handler that leaves the answer to another handler of the same event, or to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing in it")]
pub struct NoAck;

/// What an event handler may return.
///
/// `()` acknowledges without arguments, and so does [`Sent`], which every `emit` gives; [`Ack`] acknowledges with some, an
/// `Err(e)` with `{"error": e}`, [`NoAck`] not at all. When the client asked for no acknowledgement the value is dropped.
#[diagnostic::on_unimplemented(
    message = "an event handler must return `()`, `Ack<T>`, `NoAck`, `Sent` or a `Result` of these, not `{Self}`",
    label = "what this handler returns is no acknowledgement",
    note = "wrap what the client shall get: `Ack(value)`",
    note = "an error is told to the client too, so it must be `serde::Serialize`: `.map_err(|error| error.to_string())?` makes it text"
)]
pub trait IntoAck: sealed::Answer {}

impl IntoAck for () {}
impl<T: Serialize> IntoAck for Ack<T> {}
impl IntoAck for NoAck {}
impl IntoAck for Sent {}
// What is missing is told of the whole of it: that some error is not `Serialize` does not say where to go from there.
#[diagnostic::do_not_recommend]
impl<A: IntoAck, E: Serialize> IntoAck for Result<A, E> {}

/// What a handler of connects or of changes of the holder may return. An error of any type disconnects the socket; nobody
/// is told what it was.
#[diagnostic::on_unimplemented(
    message = "a connect handler must return `()`, `Sent` or a `Result` of these, not `{Self}`",
    label = "nobody is told what this handler returns",
    note = "what the client shall get is emitted: `socket.emit(\"welcome\", &value)`"
)]
pub trait IntoConnect: sealed::Accept {}

impl IntoConnect for () {}
impl IntoConnect for Sent {}
impl<A: IntoConnect, E> IntoConnect for Result<A, E> {}

/// What the two traits do. It is none of the application's, so that it may change.
mod sealed {
    use super::*;

    #[expect(unnameable_types, reason = "a sealed trait is not to be named")]
    pub trait Answer {
        fn answer(self, sender: AckSender);
    }

    impl Answer for () {
        fn answer(self, sender: AckSender) {
            sender.send(&());
        }
    }

    impl<T: Serialize> Answer for Ack<T> {
        fn answer(self, sender: AckSender) {
            sender.send(&self.0);
        }
    }

    impl Answer for NoAck {
        fn answer(self, _: AckSender) {}
    }

    impl Answer for Sent {
        fn answer(self, sender: AckSender) {
            sender.send(&());
        }
    }

    impl<A: IntoAck, E: Serialize> Answer for Result<A, E> {
        fn answer(self, sender: AckSender) {
            match self {
                Ok(value) => value.answer(sender),
                Err(error) => sender.send(&Failure { error }),
            }
        }
    }

    #[expect(unnameable_types, reason = "a sealed trait is not to be named")]
    pub trait Accept {
        fn accept(self) -> bool;
    }

    impl Accept for () {
        fn accept(self) -> bool {
            true
        }
    }

    impl Accept for Sent {
        fn accept(self) -> bool {
            true
        }
    }

    impl<A: IntoConnect, E> Accept for Result<A, E> {
        fn accept(self) -> bool {
            self.is_ok_and(Accept::accept)
        }
    }
}

/// Who a socket was and who it is, for [`on_identity_change`](crate::NamespaceBuilder::on_identity_change).
#[non_exhaustive]
pub struct IdentityChange<D> {
    /// Who it was, as [`Socket::data`] gave it.
    pub before: Arc<D>,
    /// Who it is.
    pub after: Arc<D>,
    /// What has happened.
    pub kind: ChangeKind,
}

impl<D> fmt::Debug for IdentityChange<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityChange")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A closure of the application's, with the types of what it takes: the identity of its sockets, and of an event's
/// handler the arguments too.
pub(crate) struct Typed<A, F> {
    call: F,
    types: PhantomData<fn(A)>,
}

impl<A, F> Typed<A, F> {
    pub(crate) fn new(call: F) -> Self {
        Self {
            call,
            types: PhantomData,
        }
    }
}

pin_project! {
    /// A handler that runs, and the right to acknowledge with what it returns. An `async` block that awaits the handler would
    /// keep it twice, and move it from one place to the other.
    struct Acknowledging<Fut> {
        #[pin]
        handler: Fut,
        ack: Option<AckSender>,
    }
}

impl<Fut> Future for Acknowledging<Fut>
where
    Fut: Future,
    Fut::Output: IntoAck,
{
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let answer = ready!(this.handler.poll(cx));
        if let Some(sender) = this.ack.take() {
            answer.answer(sender);
        }
        Poll::Ready(())
    }
}

impl<D, T, F, Fut> EventHandler for Typed<(D, T), F>
where
    D: Send + Sync + 'static,
    T: FromArgs + Send + 'static,
    F: Fn(Socket<D>, T) -> Fut + Send + Sync,
    Fut: Future + Send + 'static,
    Fut::Output: IntoAck,
{
    fn start(
        &self,
        socket: &Arc<Core>,
        args: RawArgs<'_>,
        ack: Option<AckSender>,
    ) -> Result<Option<Running>, Box<ArgsError>> {
        let args = T::from_args(args)?;
        let handler = (self.call)(Socket::new(Arc::clone(socket)), args);
        let mut running = Box::pin(Acknowledging { handler, ack });
        // While its type is known, which most handlers do not outlive.
        Ok(match poll_unguarded(running.as_mut()) {
            Poll::Ready(()) => None,
            Poll::Pending => Some(running),
        })
    }
}

impl<D, T, F, Fut> ServerHandler for Typed<(D, T), F>
where
    D: Send + Sync + 'static,
    T: FromArgs + Send + 'static,
    F: Fn(Namespace<D>, T) -> Fut + Send + Sync,
    Fut: Future + Send + 'static,
    Fut::Output: IntoAck,
{
    fn start(
        &self,
        space: &Arc<Space>,
        args: RawArgs<'_>,
        ack: Option<AckSender>,
    ) -> Result<Running, ArgsError> {
        let args = T::from_args(args)?;
        let answer = (self.call)(Namespace::new(Arc::clone(space)), args);
        Ok(Box::pin(async move {
            let answer = answer.await;
            if let Some(sender) = ack {
                answer.answer(sender);
            }
        }))
    }
}

impl<D, F, Fut> ConnectHandler for Typed<D, F>
where
    D: Send + Sync + 'static,
    F: Fn(Socket<D>) -> Fut + Send + Sync,
    Fut: Future + Send + 'static,
    Fut::Output: IntoConnect,
{
    fn start(&self, socket: &Arc<Core>) -> Running {
        let started = (self.call)(Socket::new(Arc::clone(socket)));
        let socket = Arc::clone(socket);
        Box::pin(async move {
            if !started.await.accept() {
                socket.disconnect();
            }
        })
    }
}

impl<D, F, Fut> ChangeHandler for Typed<D, F>
where
    D: Send + Sync + 'static,
    F: Fn(Socket<D>, IdentityChange<D>) -> Fut + Send + Sync,
    Fut: Future + Send + 'static,
    Fut::Output: IntoConnect,
{
    fn start(&self, socket: &Arc<Core>, changed: &Changed) -> Running {
        let change = IdentityChange {
            before: typed(&changed.before),
            after: typed(&changed.after),
            kind: changed.kind,
        };
        let started = (self.call)(Socket::new(Arc::clone(socket)), change);
        let socket = Arc::clone(socket);
        Box::pin(async move {
            if !started.await.accept() {
                socket.disconnect();
            }
        })
    }
}

impl<D, F, Fut> Middleware for Typed<D, F>
where
    D: Send + Sync + 'static,
    F: Fn(Socket<D>) -> Fut + Send + Sync,
    Fut: Future<Output = Result<(), ConnectError>> + Send + 'static,
{
    fn start(&self, socket: &Arc<Core>, candidate: Option<&Arc<Candidate>>) -> Admission {
        let socket = Socket::asked_about(Arc::clone(socket), candidate.cloned());
        Box::pin((self.call)(socket))
    }
}

impl<D, F, Fut> DisconnectHandler for Typed<D, F>
where
    D: Send + Sync + 'static,
    F: Fn(Socket<D>, DisconnectReason) -> Fut + Send + Sync,
    Fut: Future<Output = ()> + Send + 'static,
{
    fn start(&self, socket: &Arc<Core>, reason: DisconnectReason) -> Running {
        Box::pin((self.call)(Socket::new(Arc::clone(socket)), reason))
    }
}

impl<D, F, Fut> Filter for Typed<D, F>
where
    D: Send + Sync + 'static,
    F: Fn(Socket<D>, Event) -> Fut + Send + Sync,
    Fut: Future<Output = Option<Event>> + Send + 'static,
{
    fn start(&self, socket: &Arc<Core>, event: Event) -> Filtering {
        Box::pin((self.call)(Socket::new(Arc::clone(socket)), event))
    }
}

impl<D, F, Fut> FallbackHandler for Typed<D, F>
where
    D: Send + Sync + 'static,
    F: Fn(Socket<D>, Event) -> Fut + Send + Sync,
    Fut: Future + Send + 'static,
    Fut::Output: IntoAck,
{
    fn start(&self, socket: &Arc<Core>, event: Event, ack: Option<AckSender>) -> Running {
        let started = (self.call)(Socket::new(Arc::clone(socket)), event);
        Box::pin(async move {
            let answer = started.await;
            if let Some(sender) = ack {
                answer.answer(sender);
            }
        })
    }
}
