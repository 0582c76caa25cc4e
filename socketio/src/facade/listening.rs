//! Handlers that a single socket is given at run time.

use std::future::Future;
use std::sync::Arc;

use super::handler::{IntoAck, Typed};
use super::socket::Socket;
use crate::codec::FromArgs;
use crate::live::listeners::{Lasts, ListenerId};

impl<D> Socket<D> {
    /// Adds a handler of an event to this socket alone, called after those of the namespace. It lives until it is
    /// removed or the socket leaves. One of a reserved event is never called.
    pub fn on<T, F, Fut>(&self, event: &str, handler: F) -> ListenerId
    where
        D: Send + Sync + 'static,
        T: FromArgs + Send + 'static,
        F: Fn(Self, T) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoAck,
    {
        let handler = Arc::new(Typed::<(D, T), _>::new(handler));
        self.core.add_listener(event, Lasts::Always, handler)
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
        self.core.add_listener(event, Lasts::Once, handler)
    }

    /// Removes a handler that was added to this socket.
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
