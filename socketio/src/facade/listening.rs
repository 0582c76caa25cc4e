//! Handlers that a single socket is given at run time.

use std::future::Future;
use std::sync::Arc;

use super::handler::{IntoAck, Typed};
use super::socket::Socket;
use crate::codec::{FromArgs, RawArgs};
use crate::event::Event;
use crate::live::listeners::{Lasts, ListenerId, OwnHook};

impl<D> Socket<D> {
    /// Adds a handler of an event to this socket alone, called after those of the namespace. It lives until it is
    /// removed or the socket leaves. One of a reserved event is not called.
    pub fn on<T, F, Fut>(&self, event: &str, handler: F) -> ListenerId
    where
        D: Send + Sync + 'static,
        T: FromArgs + Send + 'static,
        F: Fn(Self, T) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoAck,
    {
        let handler = Arc::new(Typed::<(D, T), _>::new(handler));
        self.core
            .add_listener(|listeners| listeners.add(event, Lasts::Always, handler))
    }

    /// The same for one time only.
    pub fn once<T, F, Fut>(&self, event: &str, handler: F) -> ListenerId
    where
        D: Send + Sync + 'static,
        T: FromArgs + Send + 'static,
        F: Fn(Self, T) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoAck,
    {
        let handler = Arc::new(Typed::<(D, T), _>::new(handler));
        self.core
            .add_listener(|listeners| listeners.add(event, Lasts::Once, handler))
    }

    /// Adds event middleware to this socket alone, asked behind that of the namespace; see
    /// [`NamespaceBuilder::event_middleware`](crate::NamespaceBuilder::event_middleware). It lives until it is removed by
    /// [`off`](Self::off), or the socket leaves.
    ///
    /// ```
    /// # fn handlers(chat: socketio::NamespaceBuilder<(), socketio::namespace::Decided>) {
    /// chat.on("mute me", |socket, (): ()| async move {
    ///     socket.event_middleware(|_, event| async move { (event.name() != "say").then_some(event) });
    /// });
    /// # }
    /// ```
    pub fn event_middleware<F, Fut>(&self, middleware: F) -> ListenerId
    where
        D: Send + Sync + 'static,
        F: Fn(Self, Event) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<Event>> + Send + 'static,
    {
        let middleware = Arc::new(Typed::<D, _>::new(middleware));
        self.core
            .add_listener(|listeners| listeners.add_filter(middleware))
    }

    /// Adds a hook that sees every event of this socket alone as it arrives, behind those of the namespace and before
    /// middleware and handlers. It must not block. It lives until it is removed by [`off`](Self::off), or the socket leaves.
    pub fn on_any<F>(&self, hook: F) -> ListenerId
    where
        D: 'static,
        F: Fn(&Self, &str, RawArgs<'_>) + Send + Sync + 'static,
    {
        let hook: OwnHook = Arc::new(move |socket, event, args| {
            hook(&Self::new(Arc::clone(socket)), event, args);
        });
        self.core.add_listener(|listeners| listeners.add_hook(hook))
    }

    /// Adds a hook that sees every event that is sent to this socket alone, broadcasts included, behind those of the
    /// namespace. It runs where the event is emitted and must not block. While one socket of a namespace has one, arguments
    /// of what the namespace sends are encoded once more for it. It lives until it is removed by [`off`](Self::off), or the
    /// socket leaves.
    ///
    /// ```
    /// # fn handlers(chat: socketio::NamespaceBuilder<(), socketio::namespace::Decided>) {
    /// chat.on("trace me", |socket, (): ()| async move {
    ///     socket.on_any_outgoing(|socket, event, args| {
    ///         println!("{} <- {event} {}", socket.id(), args.as_json().unwrap_or_default());
    ///     });
    /// });
    /// # }
    /// ```
    pub fn on_any_outgoing<F>(&self, hook: F) -> ListenerId
    where
        D: 'static,
        F: Fn(&Self, &str, RawArgs<'_>) + Send + Sync + 'static,
    {
        let hook: OwnHook = Arc::new(move |socket, event, args| {
            hook(&Self::new(Arc::clone(socket)), event, args);
        });
        let hooks = &self.core.space.outgoing_hooks;
        self.core
            .add_listener(|listeners| listeners.add_outgoing(hook, hooks))
    }

    /// Removes a handler, a hook or middleware that was added to this socket.
    pub fn off(&self, listener: ListenerId) {
        self.core
            .remove_listeners(|listeners| listeners.remove(listener));
    }

    /// Removes all handlers of an event that were added to this socket.
    pub fn off_all(&self, event: &str) {
        self.core
            .remove_listeners(|listeners| listeners.remove_all(event));
    }
}
