//! One client in one namespace.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use engineio::{OverflowPolicy, Protocol, Sent};
use serde::Serialize;
use serde_json::Value;
use socketio_auth::{Grant, Subject, authorize::Action, server::ErasedIdentity};

use crate::codec::FromArgs;
use crate::error::{EmitError, JoinError};
use crate::id::SocketId;
use crate::live::candidate::Candidate;
use crate::live::closed::Closed;
use crate::live::core::Core;
use crate::live::handshake::Handshake;
use crate::proto::room::{Room, Selection};
use crate::sending::ack::AckFuture;
use crate::sending::broadcast::Broadcast;
use crate::sending::emitter::{EmitWhenReady, Emitter};

/// One client in one namespace, with the data that its authentication produced.
///
/// Cheap to clone, valid on any thread, and harmless after the client has left: what acts then says so, while
/// [`id`](Self::id), [`data`](Self::data) and [`handshake`](Self::handshake) stay readable.
pub struct Socket<D = ()> {
    pub(super) core: Arc<Core>,
    /// Whom connect middleware is asked about, where the socket is in already and is another.
    candidate: Option<Arc<Candidate>>,
    data: PhantomData<fn() -> D>,
}

impl<D> Clone for Socket<D> {
    fn clone(&self) -> Self {
        Self::asked_about(Arc::clone(&self.core), self.candidate.clone())
    }
}

impl<D> Socket<D> {
    pub(crate) fn new(core: Arc<Core>) -> Self {
        Self::asked_about(core, None)
    }

    pub(super) fn asked_about(core: Arc<Core>, candidate: Option<Arc<Candidate>>) -> Self {
        Self {
            core,
            candidate,
            data: PhantomData,
        }
    }

    /// Whom this handle shows, as long as the socket is not that one.
    pub(super) fn candidate(&self) -> Option<&Candidate> {
        let candidate = self.candidate.as_deref();
        candidate.filter(|candidate| !candidate.is_in_place())
    }

    /// The public id, fresh for every namespace joined.
    #[must_use]
    pub fn id(&self) -> &SocketId {
        self.core.id()
    }

    /// The name of the namespace.
    #[must_use]
    pub fn namespace_name(&self) -> &str {
        &self.core.space.name
    }

    /// The request the connection began with.
    #[must_use]
    pub fn handshake(&self) -> &Handshake {
        &self.core.connection.data().handshake
    }

    /// The payload of the CONNECT packet; the query for a client of protocol 4. `{}` when there was none, and in
    /// namespaces that authenticate: there it held a secret.
    #[must_use]
    pub fn auth(&self) -> Value {
        let auth = self.core.auth();
        auth.unwrap_or_else(|| Value::Object(serde_json::Map::new()))
    }

    /// True from the answer to CONNECT until the socket leaves.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.core.is_joined()
    }

    /// True when the client had lost its connection and got back its id, its rooms and the events it missed; see [`Recovery`](crate::Recovery).
    //= SIO5-CSR-04
    #[must_use]
    pub fn is_recovered(&self) -> bool {
        self.core.is_resumed()
    }

    /// What [`share_data`](crate::NamespaceBuilder::share_data) told of the socket when it was saved, if it was recovered by a
    /// [log](crate::cluster::Adapter::log) that servers share, perhaps on another server. What the application
    /// [keeps](Self::extensions) with it comes back by itself within one process only.
    ///
    /// ```
    /// # fn handlers(chat: socketio::NamespaceBuilder<(), socketio::namespace::Decided>) {
    /// struct Name(String);
    ///
    /// chat.share_data(|socket| socket.extensions().get::<Name>().map(|name| name.0.clone()))
    ///     .on_connect(|socket| async move {
    ///         if let Some(name) = socket.recovered_data().and_then(|data| data.as_str()) {
    ///             socket.extensions().insert(Name(name.to_owned()));
    ///         }
    ///     });
    /// # }
    /// ```
    #[must_use]
    pub fn recovered_data(&self) -> Option<&Value> {
        self.core.recovered_data()
    }

    /// The protocol the client speaks.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        self.core.connection.protocol()
    }

    /// The transport the client is on.
    #[must_use]
    pub fn transport(&self) -> engineio::Transport {
        self.core.connection.transport()
    }

    /// Bytes accepted for the client's connection and not yet handed to its transport.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.core.connection.queued_bytes()
    }

    /// Sends an event. One argument is any serializable value, several are [`Args`](crate::Args), none is `&()`.
    ///
    /// # Errors
    ///
    /// When the socket has left, its queue is full, or the arguments cannot be serialized; see [`EmitError`].
    pub fn emit<A: Serialize + ?Sized>(&self, event: &str, args: &A) -> Result<Sent, EmitError> {
        self.core.emit(event, args)
    }

    /// To send an event only if it would leave at once.
    ///
    /// It leaves when nothing that was sent before it is still queued, and on long-polling if the client is waiting. So of
    /// several in a row the first is sent and the others are dropped, as by Node's server, unless the connection has taken
    /// the earlier ones meanwhile, as it may on another thread. It suits what is worth nothing once a later one is there;
    /// where the last of a burst matters, see [`conflate`](Self::conflate).
    //= SRV-VOL-01
    pub fn volatile(&self) -> Emitter {
        self.emitter().volatile()
    }

    /// To send an event compressed or not, where compression was negotiated.
    pub fn compress(&self, compress: bool) -> Emitter {
        self.emitter().compress(compress)
    }

    /// To send an event with another policy for a full queue than the namespace's.
    pub fn overflow(&self, policy: OverflowPolicy) -> Emitter {
        self.emitter().overflow(policy)
    }

    /// To send one of a stream of events of which only the latest matters.
    pub fn conflate(&self, key: &str) -> Emitter {
        self.emitter().conflate(key)
    }

    /// To send an event and wait so long for its acknowledgement.
    pub fn timeout(&self, timeout: Duration) -> Emitter {
        self.emitter().timeout(timeout)
    }

    /// Sends an event when the client's queue has room.
    pub fn emit_when_ready<A: Serialize + ?Sized>(&self, event: &str, args: &A) -> EmitWhenReady {
        self.emitter().emit_when_ready(event, args)
    }

    fn emitter(&self) -> Emitter {
        Emitter::new(Arc::clone(&self.core))
    }

    /// Sends an event that the client must acknowledge. It is sent now, whether or not the future is awaited; where it
    /// cannot be, the future gives [`AckError::Emit`](crate::AckError::Emit).
    pub fn emit_with_ack<R: FromArgs>(
        &self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> AckFuture<R> {
        self.emitter().emit_with_ack(event, args)
    }

    /// Joins a room. In a connect middleware it takes effect when the client is let in, or becomes whom the middleware
    /// was asked about.
    ///
    /// # Errors
    ///
    /// When the socket has left, or is in too many rooms; see [`JoinError`].
    pub fn join(&self, room: impl Into<Room>) -> Result<(), JoinError> {
        self.core.join_as(self.candidate(), room.into())
    }

    /// Leaves a room.
    pub fn leave(&self, room: impl Into<Room>) {
        self.core.leave_as(self.candidate(), &room.into());
    }

    /// Leaves every room but the one of its own id.
    pub fn leave_all(&self) {
        self.core.leave_all_as(self.candidate());
    }

    /// The rooms the socket is in, the one of its own id left out.
    #[must_use]
    pub fn rooms(&self) -> Vec<Room> {
        self.core.space.rooms.lock().rooms_of(self.core.id())
    }

    /// The members of a room, this socket left out.
    pub fn to(&self, room: impl Into<Room>) -> Broadcast {
        self.broadcast().to(room)
    }

    /// Everyone in the namespace but this socket.
    pub fn broadcast(&self) -> Broadcast {
        let selection = Selection {
            rooms: Vec::new(),
            except: vec![Room::from(self.core.id())],
        };
        Broadcast::new(Arc::clone(&self.core.space), selection)
    }

    /// Everyone in the namespace, this socket included.
    pub fn everyone(&self) -> Broadcast {
        Broadcast::new(Arc::clone(&self.core.space), Selection::default())
    }

    /// Leaves the namespace; the connection stays open. The reason is
    /// [`ServerNamespaceDisconnect`](crate::DisconnectReason::ServerNamespaceDisconnect).
    //= SIO5-DIS-02
    pub fn disconnect(&self) {
        self.core.disconnect();
    }

    /// Leaves every namespace and closes the connection.
    //= SIO5-DIS-03
    pub fn close(&self) {
        self.core.close();
    }

    /// Resolves when the socket has left, at once when it has left before. Cancel-safe.
    pub fn closed(&self) -> Closed {
        self.core.closed()
    }
}

impl<D: Send + Sync + 'static> Socket<D> {
    /// What authentication produced, as it is now: a renewal replaces it. It is read, not set: what the application
    /// itself keeps with a socket, as Node's `socket.data` does, is in its [`extensions`](Self::extensions).
    ///
    /// # Panics
    ///
    /// Never: the policy of the namespace fixes the type.
    #[must_use]
    pub fn data(&self) -> Arc<D> {
        match self.candidate() {
            Some(candidate) => typed(&candidate.identity),
            None => typed(&self.core.identity()),
        }
    }

    /// Whether the authorizer of the namespace allows an action; without one each is allowed. Connects and events are asked
    /// about by the server, a room that the client names has to be asked about by the handler that joins it.
    ///
    /// ```
    /// use socketio::auth::authorize::Action;
    ///
    /// # fn handlers(chat: socketio::NamespaceBuilder<(), socketio::namespace::Decided>) {
    /// chat.on("join", |socket, room: String| async move {
    ///     if !socket.may(Action::Join { room: &room }) {
    ///         return Err("forbidden");
    ///     }
    ///     socket.join(room).map_err(|_| "not joined")
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn may(&self, action: Action<'_>) -> bool {
        self.core.may_as(self.candidate(), action)
    }

    /// Whose grant it is; `None` for guests and in public namespaces.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        self.grant().map(|grant| grant.subject().clone())
    }

    /// The facts of the accepted credential; `None` for guests and in public namespaces.
    #[must_use]
    pub fn grant(&self) -> Option<Arc<Grant<ErasedIdentity>>> {
        match self.candidate() {
            Some(candidate) => candidate.grant().cloned(),
            None => self.core.grant(),
        }
    }

    /// When the grant ends, the policy's cap included.
    #[must_use]
    pub fn expires_at(&self) -> Option<SystemTime> {
        match self.candidate() {
            Some(candidate) => candidate.expires_at,
            None => self.core.expires_at(),
        }
    }
}

/// An identity of a namespace whose identities are of this type.
pub(super) fn typed<D: Send + Sync + 'static>(identity: &ErasedIdentity) -> Arc<D> {
    let data = identity.downcast();
    data.expect("the policy of the namespace fixes the type of its identities")
}

impl<D> fmt::Debug for Socket<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("id", self.core.id())
            .field("namespace", &self.core.space.name)
            .finish_non_exhaustive()
    }
}

impl<D> PartialEq for Socket<D> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }
}

impl<D> Eq for Socket<D> {}
