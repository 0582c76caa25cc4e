//! What the application keeps with a socket.

use std::any::{Any, TypeId};
use std::fmt;
use std::sync::Arc;

use super::socket::Socket;
use crate::live::candidate::Candidate;
use crate::live::core::Core;
use crate::type_map::AnyValue;

/// What the application keeps with one socket, made by [`Socket::extensions`]: at most one value of each type.
///
/// A value is shared, not copied: [`get`](Self::get) gives an [`Arc`]. What is to change in place has a lock or an atomic
/// inside. Who keeps the [`Socket`] itself in it keeps it for ever.
pub struct Extensions<'a> {
    core: &'a Core,
    candidate: Option<&'a Candidate>,
}

impl<D> Socket<D> {
    /// What the application keeps with this socket, by type: from the first connect middleware on, through every event, to
    /// the last disconnect handler. It is what Node's server has as `socket.data`, and is gone with the socket. A client that
    /// is [recovered](crate::Recovery) gets it back, the very same values, as long as it comes back to this process; what
    /// it shares of it is [told](Self::recovered_data) elsewhere. So they live for as long as it may be away.
    ///
    /// It is the application's own. What the authenticator said of the client is [`data`](Self::data), what all sockets
    /// share is [`state`](Self::state), and what the HTTP request brought is in the [`handshake`](Self::handshake).
    /// A socket without any takes no memory for it.
    ///
    /// What connect middleware changes for a socket that is to become somebody else is kept for that one, as the rooms are:
    /// if another middleware refuses, nothing has changed. Where one subject takes the socket over from another, or a grant
    /// has ended and a guest goes on, it loses its extensions as it loses its rooms. What other servers are told of it says
    /// [`share_extension`](crate::NamespaceBuilder::share_extension).
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use socketio::{Ack, Socket, SocketIo};
    ///
    /// struct Locale(String);
    /// #[derive(Default)]
    /// struct Clicks(AtomicU32);
    ///
    /// # fn main() -> Result<(), socketio::BuildError> {
    /// let io = SocketIo::new();
    /// io.namespace("/")
    ///     .middleware(|socket: Socket| async move {
    ///         let locale = socket.handshake().query_value("locale").unwrap_or("en".into());
    ///         socket.extensions().insert(Locale(locale.into_owned()));
    ///         Ok(())
    ///     })
    ///     .on("click", |socket, (): ()| async move {
    ///         let clicks = socket.extensions().get_or_insert_with(Clicks::default);
    ///         Ack(clicks.0.fetch_add(1, Ordering::Relaxed) + 1)
    ///     })
    ///     .on("locale", |socket, (): ()| async move {
    ///         Ack(socket.extensions().get::<Locale>().map(|locale| locale.0.clone()))
    ///     })
    ///     .open()?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn extensions(&self) -> Extensions<'_> {
        Extensions {
            core: &self.core,
            candidate: self.candidate(),
        }
    }
}

impl Extensions<'_> {
    /// The value of this type.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        typed(self.core.extension(self.candidate, TypeId::of::<T>()))
    }

    /// Keeps a value, and gives the one of its type that was there.
    pub fn insert<T: Any + Send + Sync>(&self, value: T) -> Option<Arc<T>> {
        let value: AnyValue = Arc::new(value);
        let of = TypeId::of::<T>();
        typed(self.core.set_extension(self.candidate, of, Some(value)))
    }

    /// The value of this type, made when there is none. Two that make one at the same time get the same.
    pub fn get_or_insert_with<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(found) = self.get() {
            return found;
        }
        // Made before the lock is taken: this is the application's.
        let made = Arc::new(make());
        let of = TypeId::of::<T>();
        let kept = self.core.extension_or(self.candidate, of, made.clone());
        typed(Some(kept)).unwrap_or(made)
    }

    /// Forgets the value of this type, and gives it.
    #[expect(clippy::must_use_candidate, reason = "most forget what they remove")]
    pub fn remove<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        typed(
            self.core
                .set_extension(self.candidate, TypeId::of::<T>(), None),
        )
    }
}

fn typed<T: Any + Send + Sync>(value: Option<AnyValue>) -> Option<Arc<T>> {
    value?.downcast().ok()
}

impl fmt::Debug for Extensions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extensions").finish_non_exhaustive()
    }
}
