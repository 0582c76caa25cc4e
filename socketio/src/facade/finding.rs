//! Finding namespaces, and hearing of them.

use std::any::TypeId;
use std::str::FromStr;
use std::sync::Arc;

use super::namespace::Namespace;
use super::server::{SocketIo, SocketIoBuilder};
use super::socket::Socket;
use crate::event::NamespaceEvent;
use crate::live::space::Space;

impl<D> SocketIoBuilder<D> {
    /// Adds a hook that hears when a namespace is opened and when it has closed, dynamic ones with their first and last
    /// socket. It must not block. Where namespaces of one name come and go on several threads it may hear of the next before
    /// it hears of the end of the last.
    ///
    /// ```
    /// use socketio::SocketIo;
    /// use socketio::namespace::NamespaceEvent;
    ///
    /// # fn main() -> Result<(), socketio::BuildError> {
    /// let io = SocketIo::builder()
    ///     .on_namespace(|event| match event {
    ///         NamespaceEvent::Opened { name, .. } => println!("{name} is there"),
    ///         NamespaceEvent::Closed { name, .. } => println!("{name} is gone"),
    ///         _ => {}
    ///     })
    ///     .build()?;
    /// # let _ = io; Ok(()) }
    /// ```
    pub fn on_namespace(
        mut self,
        hook: impl Fn(NamespaceEvent<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.settings.on_namespace.add(Arc::new(hook));
        self
    }
}

impl<D: Send + Sync + 'static> SocketIo<D> {
    /// The open namespace with this name, one of a set of dynamic ones included. `None` when there is none, and when it has a
    /// policy of its own whose identities are of another type: see [`of_as`](Self::of_as). It never makes one, as
    /// [`namespace`](Self::namespace) does.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let io = socketio::SocketIo::new();
    /// io.namespace("/chat").open()?;
    /// if let Some(chat) = io.of("/chat") {
    ///     chat.emit("news", "from anywhere in the program")?;
    /// }
    /// assert!(io.of("/none").is_none());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn of(&self, name: &str) -> Option<Namespace<D>> {
        self.of_as(name)
    }

    /// The same where the identities are of this type: what the namespace's own
    /// [`authenticate`](crate::NamespaceBuilder::authenticate) yields, `()` where it is
    /// [`public`](crate::NamespaceBuilder::public).
    #[must_use]
    pub fn of_as<E: Send + Sync + 'static>(&self, name: &str) -> Option<Namespace<E>> {
        let space = self.server.spaces.find(name)?;
        (space.handlers.identity == Some(TypeId::of::<E>())).then(|| Namespace::new(space))
    }

    /// The names of the open namespaces, in order, those of dynamic ones that have a socket included.
    #[must_use]
    pub fn namespace_names(&self) -> Vec<Arc<str>> {
        let spaces = self.server.spaces.all();
        spaces.iter().map(|space| Arc::clone(&space.name)).collect()
    }
}

impl<D> Socket<D> {
    /// The namespace that the socket is in: everyone in it, its rooms, its name.
    ///
    /// ```
    /// # fn handlers(chat: socketio::NamespaceBuilder<(), socketio::namespace::Decided>) {
    /// chat.on("count", |socket, (): ()| async move {
    ///     socketio::Ack(socket.namespace().socket_count())
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn namespace(&self) -> Namespace<D> {
        Namespace::new(Arc::clone(&self.core.space))
    }

    /// A parameter of the namespace's name, where that is one of a set: `7` is `id` in `/tenant/7` of
    /// [`namespaces("/tenant/{id}")`](SocketIo::namespaces). `None` when the pattern has no parameter of this name, or the text
    /// is no `T`; where its type was [said](crate::NamespaceBuilder::param), it always is one.
    #[must_use]
    pub fn param<T: FromStr>(&self, name: &str) -> Option<T> {
        param(&self.core.space, name)
    }
}

impl<D> Namespace<D> {
    /// A parameter of its name; see [`Socket::param`].
    #[must_use]
    pub fn param<T: FromStr>(&self, name: &str) -> Option<T> {
        param(&self.space, name)
    }
}

fn param<T: FromStr>(space: &Space, name: &str) -> Option<T> {
    let pattern = space.handlers.pattern.as_ref()?;
    pattern.parameter(name, &space.name)?.parse().ok()
}
