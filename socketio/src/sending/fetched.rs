//! A socket of any server, and what can be done with it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use engineio::Sent;
use serde::Serialize;

use super::ack::AckStream;
use super::broadcast::Broadcast;
use crate::cluster::answers::Gathering;
use crate::codec::FromArgs;
use crate::error::EmitError;
use crate::live::space::Space;
use crate::proto::cluster::message::ClusterBody;
use crate::proto::cluster::remote::RemoteSocket;
use crate::proto::cluster::requests::Kind;
use crate::proto::room::{Room, Selection};

/// A socket of this or another server, as it was when [`fetch_sockets`](Broadcast::fetch_sockets) asked, and what can be done
/// with it wherever it is: the data is that of [`RemoteSocket`], to which it dereferences.
///
/// What is done is sent to the room of its id. A socket that has left since is in none, and nothing happens.
///
/// ```
/// # async fn tidy(chat: socketio::Namespace<()>) {
/// for socket in chat.to("lobby").fetch_sockets().await {
///     if socket.rooms().len() > 100 {
///         socket.leave("lobby");
///     } else if socket.data()["banned"] == true {
///         socket.disconnect();
///     }
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct FetchedSocket {
    remote: RemoteSocket,
    space: Arc<Space>,
}

impl Broadcast {
    /// The sockets that are meant, on every server of the cluster, each with what can be done with it. This server's are those
    /// of now.
    pub fn fetch_sockets(self) -> Gathering<FetchedSocket> {
        let space = Arc::clone(self.space());
        let fetched = move |remote| FetchedSocket::new(remote, Arc::clone(&space));
        let here = self.describe().into_iter().map(&fetched).collect();
        let (question, timeout) = self.ask_servers(Kind::Sockets, |opts, request_id| {
            ClusterBody::FetchSockets { opts, request_id }
        });
        Gathering::new(here, question, timeout, move |_, body| match body {
            ClusterBody::FetchSocketsResponse { sockets, .. } => {
                sockets.into_iter().map(&fetched).collect()
            }
            _ => Vec::new(),
        })
    }
}

impl FetchedSocket {
    fn new(remote: RemoteSocket, space: Arc<Space>) -> Self {
        Self {
            remote: remote.without_own_room(),
            space,
        }
    }

    /// The data alone.
    #[must_use]
    pub fn into_remote(self) -> RemoteSocket {
        self.remote
    }

    /// This socket alone, as the whom of a broadcast: for an event that is volatile, has a time limit, and so on.
    pub fn only(&self) -> Broadcast {
        let selection = Selection {
            rooms: vec![Room::from(self.remote.id())],
            except: Vec::new(),
        };
        Broadcast::new(Arc::clone(&self.space), selection)
    }

    /// Sends it an event. It is [`Dropped`](Sent::Dropped) when it is not on this server: what the other does with it is not
    /// known here.
    ///
    /// # Errors
    ///
    /// See [`Broadcast::emit`].
    pub fn emit<A: Serialize + ?Sized>(&self, event: &str, args: &A) -> Result<Sent, EmitError> {
        self.only().emit(event, args)
    }

    /// Sends it an event to be acknowledged; see [`Broadcast::emit_with_ack`].
    pub fn emit_with_ack<R: FromArgs>(
        &self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> AckStream<R> {
        self.only().emit_with_ack(event, args)
    }

    /// Has it join a room.
    pub fn join(&self, room: impl Into<Room>) {
        self.only().join(room);
    }

    /// Has it leave a room.
    pub fn leave(&self, room: impl Into<Room>) {
        self.only().leave(room);
    }

    /// Disconnects it from the namespace.
    pub fn disconnect(&self) {
        self.only().disconnect();
    }

    /// Disconnects it from every namespace and closes its connection.
    pub fn close(&self) {
        self.only().close();
    }
}

impl Deref for FetchedSocket {
    type Target = RemoteSocket;

    fn deref(&self) -> &RemoteSocket {
        &self.remote
    }
}

impl fmt::Debug for FetchedSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.remote.fmt(f)
    }
}
