//! What the application shares with all handlers.

use std::any::{Any, TypeId, type_name};
use std::sync::Arc;

use super::namespace::Namespace;
use super::server::{SocketIo, SocketIoBuilder};
use super::socket::Socket;
use crate::live::settings::Settings;

impl<D> SocketIoBuilder<D> {
    /// Gives all middleware and handlers a value: a pool of database connections, what is configured, counters. They reach
    /// it by its type, with [`Socket::state`], so no closure has to own a clone. Call it once for each type; a later value
    /// of the same type takes the place of the earlier one.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use std::sync::Mutex;
    /// use socketio::{Ack, SocketIo};
    ///
    /// #[derive(Default)]
    /// struct Scores(Mutex<HashMap<String, u32>>);
    ///
    /// # fn main() -> Result<(), socketio::BuildError> {
    /// let io = SocketIo::builder().state(Scores::default()).build()?;
    /// io.namespace("/")
    ///     .on("score", |socket, player: String| async move {
    ///         let scores = socket.state::<Scores>().0.lock().unwrap();
    ///         Ack(scores.get(&player).copied())
    ///     })
    ///     .open()?;
    /// io.state::<Scores>().0.lock().unwrap().insert("ada".to_owned(), 3); // from anywhere else
    /// # Ok(()) }
    /// ```
    pub fn state<T: Any + Send + Sync>(mut self, value: T) -> Self {
        self.settings.state.insert(Arc::new(value));
        self
    }
}

impl<D> Socket<D> {
    /// What the whole server shares, given to [`SocketIoBuilder::state`] as a value of this type. What belongs to this
    /// socket alone is in its [`extensions`](Self::extensions).
    ///
    /// # Panics
    ///
    /// When the server was given none: in a handler that disconnects the socket. See [`try_state`](Self::try_state).
    #[must_use]
    #[track_caller]
    pub fn state<T: Any + Send + Sync>(&self) -> &T {
        self.try_state().unwrap_or_else(|| missing::<T>())
    }

    /// The same, or `None` when the server was given none.
    #[must_use]
    pub fn try_state<T: Any + Send + Sync>(&self) -> Option<&T> {
        find(&self.core.space.settings)
    }
}

impl<D> Namespace<D> {
    /// What the whole server shares; see [`Socket::state`].
    ///
    /// # Panics
    ///
    /// When the server was given none of this type.
    #[must_use]
    #[track_caller]
    pub fn state<T: Any + Send + Sync>(&self) -> &T {
        find(&self.space.settings).unwrap_or_else(|| missing::<T>())
    }
}

impl<D> SocketIo<D> {
    /// What the whole server shares; see [`Socket::state`].
    ///
    /// # Panics
    ///
    /// When the server was given none of this type.
    #[must_use]
    #[track_caller]
    pub fn state<T: Any + Send + Sync>(&self) -> &T {
        find(&self.server.settings).unwrap_or_else(|| missing::<T>())
    }
}

fn find<T: Any>(settings: &Settings) -> Option<&T> {
    settings.state.get(TypeId::of::<T>())?.downcast_ref()
}

#[expect(
    clippy::panic,
    reason = "a mistake of the program that no answer mends"
)]
#[track_caller]
#[cold]
fn missing<T>() -> ! {
    panic!(
        "no `{}` was given to `SocketIoBuilder::state`",
        type_name::<T>()
    )
}
