//! Open namespaces, as an application holds them.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use engineio::Sent;
use serde::Serialize;

use super::socket::Socket;
use crate::codec::FromArgs;
use crate::error::EmitError;
use crate::id::SocketId;
use crate::live::server::Server;
use crate::live::space::{Family, Space};
use crate::proto::room::{Room, Selection};
use crate::sending::ack::AckStream;
use crate::sending::broadcast::Broadcast;
use crate::sending::options::best;

/// An open namespace: what reaches all its sockets, or some of them.
///
/// Cheap to clone and valid anywhere, in plain HTTP handlers for instance.
pub struct Namespace<D> {
    pub(crate) space: Arc<Space>,
    data: PhantomData<fn() -> D>,
}

impl<D> Clone for Namespace<D> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.space))
    }
}

impl<D> Namespace<D> {
    pub(crate) fn new(space: Arc<Space>) -> Self {
        Self {
            space,
            data: PhantomData,
        }
    }

    /// The name, `/` or `/chat` for instance.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.space.name
    }

    /// Closes the namespace: nobody joins it any more, and its sockets are disconnected. Its name is free again.
    pub fn close(&self) {
        self.space.close();
        self.everyone().local().disconnect();
    }

    /// The rooms that have a member, those of single sockets left out.
    #[must_use]
    pub fn rooms(&self) -> Vec<Room> {
        self.space.rooms.lock().names(false)
    }

    /// Everyone in the namespace.
    pub fn everyone(&self) -> Broadcast {
        Broadcast::new(Arc::clone(&self.space), Selection::default())
    }

    /// The members of a room.
    pub fn to(&self, room: impl Into<Room>) -> Broadcast {
        self.everyone().to(room)
    }

    /// Everyone but the members of a room.
    pub fn except(&self, room: impl Into<Room>) -> Broadcast {
        self.everyone().except(room)
    }

    /// Sends an event to everyone.
    ///
    /// # Errors
    ///
    /// See [`Broadcast::emit`].
    pub fn emit<A: Serialize + ?Sized>(&self, event: &str, args: &A) -> Result<Sent, EmitError> {
        self.everyone().emit(event, args)
    }

    /// Sends an event to everyone, to be acknowledged; see [`Broadcast::emit_with_ack`].
    pub fn emit_with_ack<R: FromArgs>(
        &self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> AckStream<R> {
        self.everyone().emit_with_ack(event, args)
    }

    /// The socket with this id.
    #[must_use]
    pub fn socket(&self, id: &str) -> Option<Socket<D>> {
        self.space.rooms.lock().get(id).map(Socket::new)
    }

    /// The sockets in the namespace.
    #[must_use]
    pub fn sockets(&self) -> Vec<Socket<D>> {
        let sockets = self.space.rooms.lock().select(&Selection::default());
        sockets.into_iter().map(Socket::new).collect()
    }

    /// How many sockets are in the namespace.
    #[must_use]
    pub fn socket_count(&self) -> usize {
        self.space.rooms.lock().count()
    }

    /// The ids of the sockets in a room.
    #[must_use]
    pub fn ids_in(&self, room: impl Into<Room>) -> Vec<SocketId> {
        let selection = Selection {
            rooms: vec![room.into()],
            except: Vec::new(),
        };
        let sockets = self.space.rooms.lock().select(&selection);
        sockets.iter().map(|socket| socket.id().clone()).collect()
    }
}

impl<D> fmt::Debug for Namespace<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("name", &self.space.name)
            .finish_non_exhaustive()
    }
}

/// A set of dynamic namespaces: those of its names that have a socket.
pub struct DynamicNamespaces<D> {
    server: Arc<Server>,
    family: Arc<Family>,
    data: PhantomData<fn() -> D>,
}

impl<D> Clone for DynamicNamespaces<D> {
    fn clone(&self) -> Self {
        Self {
            server: Arc::clone(&self.server),
            family: Arc::clone(&self.family),
            data: PhantomData,
        }
    }
}

impl<D> DynamicNamespaces<D> {
    pub(crate) fn new(server: Arc<Server>, family: Arc<Family>) -> Self {
        Self {
            server,
            family,
            data: PhantomData,
        }
    }

    /// The namespace with this name, if it has a socket now. A handle to one that has gone reaches nobody.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Option<Namespace<D>> {
        let space = self.server.spaces.find(name)?;
        Arc::ptr_eq(&space.handlers, &self.family.handlers).then(|| Namespace::new(space))
    }

    /// The namespaces that have a socket now.
    #[must_use]
    pub fn namespaces(&self) -> Vec<Namespace<D>> {
        let spaces = self.server.spaces_of(&self.family);
        spaces.into_iter().map(Namespace::new).collect()
    }

    /// Sends an event to everyone in every namespace of the set. It is [`Dropped`](Sent::Dropped) when no client gets it.
    ///
    /// # Errors
    ///
    /// See [`Broadcast::emit`].
    pub fn emit<A: Serialize + ?Sized>(&self, event: &str, args: &A) -> Result<Sent, EmitError> {
        let namespaces = self.namespaces();
        namespaces
            .iter()
            .try_fold(Sent::Dropped, |sent, namespace| {
                Ok(best(sent, namespace.emit(event, args)?))
            })
    }
}

impl<D> fmt::Debug for DynamicNamespaces<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicNamespaces").finish_non_exhaustive()
    }
}
