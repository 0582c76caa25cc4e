//! Servers of a cluster as an application sees them: its options, and events from server to server.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use super::builder::{Decided, NamespaceBuilder};
use super::handler::{IntoAck, Typed};
use super::namespace::Namespace;
use super::server::{SocketIo, SocketIoBuilder};
use super::socket::Socket;
use crate::cluster::adapter::Adapter;
use crate::cluster::answers::{Gathered, Gathering, ServerAnswer};
use crate::cluster::error::AdapterError;
use crate::cluster::question::Question;
use crate::cluster::settings::ClusterSettings;
use crate::codec::{EncodeError, FromArgs};
use crate::error::EmitError;
use crate::event::Event;
use crate::proto::cluster::message::ClusterBody;
use crate::proto::cluster::requests::{Kind, ServerCount};
use crate::proto::room::Room;
use crate::sending::fetched::FetchedSocket;

/// Events between servers that the reference would take for its own, or the application for the library's: neither sent nor
/// heard.
//= RED-RQ-09
pub(super) const RESERVED_BETWEEN_SERVERS: [&str; 8] = [
    "connect",
    "connect_error",
    "connection",
    "disconnect",
    "disconnecting",
    "newListener",
    "new_namespace",
    "removeListener",
];

impl<D> SocketIoBuilder<D> {
    /// Joins a cluster: broadcasts, joins and disconnects by room, and events between servers reach the other servers
    /// through `adapter`. Then the server must be built inside a tokio runtime. No cluster by default, which costs
    /// nothing.
    ///
    /// See [`Adapter`], and [`LocalBus`](crate::cluster::LocalBus) for servers of one process.
    pub fn adapter(mut self, adapter: impl Adapter) -> Self {
        self.cluster.adapter = Some(Arc::new(adapter));
        self
    }

    /// Changes the bounds of the cluster.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let builder = socketio::SocketIo::builder()
    ///     .cluster(|settings| settings.request_timeout(Duration::from_secs(2)));
    /// # let _ = builder;
    /// ```
    pub fn cluster(mut self, change: impl FnOnce(ClusterSettings) -> ClusterSettings) -> Self {
        self.cluster.settings = change(self.cluster.settings);
        self
    }

    /// Sets the hook that hears what the adapter could not do. A broadcast that was not published has still reached this
    /// server's clients, and `emit` says `Ok`. It is called on any thread and must not block.
    pub fn on_adapter_error(
        mut self,
        hook: impl Fn(&AdapterError) + Send + Sync + 'static,
    ) -> Self {
        self.cluster.on_error = Some(Box::new(hook));
        self
    }
}

impl<D: Send + Sync + 'static> SocketIo<D> {
    /// Resolves when the adapter hears what the namespaces that are open need, so that no broadcast of another server is missed
    /// by the first clients; at once without a cluster. [`serve`](Self::serve) waits for it; whoever serves in another way is to
    /// do so before taking clients.
    ///
    /// ```
    /// use socketio::SocketIo;
    /// use socketio::cluster::LocalBus;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let io = SocketIo::builder().adapter(LocalBus::new().adapter()).build()?;
    /// io.namespace("/").open()?;
    /// io.ready().await?;
    /// // Now `axum::serve`, or whatever takes connections.
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// The adapter cannot get ready, or not within the [`ready_timeout`](ClusterSettings::ready_timeout). The server works all
    /// the same, for its own clients at least.
    //= RDS-08
    pub async fn ready(&self) -> Result<(), AdapterError> {
        match &self.server.cluster {
            None => Ok(()),
            Some(cluster) => cluster.ready().await,
        }
    }

    /// Whether the bus of the cluster is reached, as far as the adapter says so; true without a cluster. For health checks:
    /// a server that has lost the others still serves its own clients.
    #[must_use]
    pub fn is_cluster_connected(&self) -> bool {
        let cluster = self.server.cluster.as_ref();
        cluster.is_none_or(|cluster| cluster.is_connected())
    }
}

impl<D: Send + Sync + 'static, S, K> NamespaceBuilder<D, S, K> {
    /// Adds a handler of an event that another server of the cluster sends with
    /// [`server_side_emit`](Namespace::server_side_emit). What it returns answers, if an answer was asked for: of
    /// several handlers the first.
    ///
    /// A handler that waits is counted among [`max_requests`](ClusterSettings::max_requests).
    ///
    /// ```
    /// use socketio::{Ack, SocketIo};
    ///
    /// # fn main() -> Result<(), socketio::BuildError> {
    /// let io = SocketIo::new();
    /// io.namespace("/")
    ///     .on_server_side("load", |here, (): ()| async move { Ack(here.socket_count()) })
    ///     .open()?;
    /// # Ok(()) }
    /// ```
    pub fn on_server_side<T, F, Fut>(
        mut self,
        event: &str,
        handler: F,
    ) -> NamespaceBuilder<D, Decided, K>
    where
        T: FromArgs + Send + 'static,
        F: Fn(Namespace<D>, T) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoAck,
    {
        let handler = Box::new(Typed::<(D, T), _>::new(handler));
        self.handlers.server_side.push((event.into(), handler));
        self.retype()
    }

    /// Sets what [`fetch_sockets`](crate::Broadcast::fetch_sockets) tells of a socket, on this server and on others, as
    /// [`RemoteSocket::data`](crate::cluster::RemoteSocket::data); `{}` without it. What cannot be serialized to JSON is `null`.
    ///
    /// ```
    /// # fn main() -> Result<(), socketio::BuildError> {
    /// let io = socketio::SocketIo::new();
    /// io.namespace("/").share_data(|socket| socket.rooms().len()).open()?;
    /// # Ok(()) }
    /// ```
    pub fn share_data<T, F>(mut self, share: F) -> NamespaceBuilder<D, Decided, K>
    where
        T: Serialize,
        F: Fn(&Socket<D>) -> T + Send + Sync + 'static,
    {
        self.handlers.share_data = Some(Box::new(move |socket| {
            let shared = share(&Socket::new(Arc::clone(socket)));
            serde_json::to_value(shared).unwrap_or_default()
        }));
        self.retype()
    }

    /// The same of one of the socket's [`extensions`](Socket::extensions): what the application keeps there of this type,
    /// and `{}` while that is nothing. A later call of either takes the place of an earlier one.
    ///
    /// ```
    /// #[derive(serde::Serialize)]
    /// struct Presence {
    ///     status: &'static str,
    /// }
    ///
    /// # fn main() -> Result<(), socketio::BuildError> {
    /// let io = socketio::SocketIo::new();
    /// io.namespace("/")
    ///     .share_extension::<Presence>()
    ///     .on("away", |socket, (): ()| async move {
    ///         socket.extensions().insert(Presence { status: "away" });
    ///     })
    ///     .open()?;
    /// # Ok(()) }
    /// ```
    pub fn share_extension<T>(mut self) -> NamespaceBuilder<D, Decided, K>
    where
        T: Serialize + Send + Sync + 'static,
    {
        self.handlers.share_data = Some(Box::new(|socket| {
            let found = socket.extension(None, TypeId::of::<T>());
            let found = found.and_then(|found| found.downcast::<T>().ok());
            found.map_or_else(
                || Value::Object(Map::new()),
                |found| serde_json::to_value(&*found).unwrap_or_default(),
            )
        }));
        self.retype()
    }
}

impl<D> Namespace<D> {
    /// The sockets of the namespace on every server of the cluster.
    pub fn fetch_sockets(&self) -> Gathering<FetchedSocket> {
        self.everyone().fetch_sockets()
    }

    /// The rooms that a socket of any server of the cluster is in, each once and in order, those of single sockets left out;
    /// this server's alone are [`rooms`](Self::rooms). The time limit is the
    /// [`request_timeout`](ClusterSettings::request_timeout), and what is missing then is as with
    /// [`fetch_sockets`](Self::fetch_sockets).
    ///
    /// With an adapter that cannot [ask for rooms](Adapter::asks_rooms) every server describes all its sockets for it, so it is for
    /// a look now and then.
    ///
    /// ```
    /// # async fn list(chat: socketio::Namespace<()>) {
    /// for room in chat.fetch_rooms().await {
    ///     println!("{}", room.as_str());
    /// }
    /// # }
    /// ```
    //= RED-RQ-07
    pub async fn fetch_rooms(&self) -> Gathered<Room> {
        let seat = self.space.cluster.as_ref();
        if seat.is_some_and(|seat| !seat.cluster.asks_rooms) {
            return self.fetch_sockets().await.map(|sockets| rooms_of(&sockets));
        }
        let timeout = seat.map(|seat| seat.request_timeout());
        let question = seat.map(|seat| {
            Question::ask(seat, Kind::Rooms, timeout, |request_id| {
                ClusterBody::AllRooms {
                    with_own: false,
                    request_id,
                }
            })
        });
        let take = |_, body| match body {
            ClusterBody::AllRoomsResponse { rooms, .. } => rooms,
            _ => Vec::new(),
        };
        let found = Gathering::new(self.rooms(), question, timeout, take).await;
        found.map(|mut rooms| {
            rooms.sort_unstable();
            rooms.dedup();
            rooms
        })
    }

    /// How many servers of the cluster have the namespace open, this one included; 1 without a cluster. A server that
    /// has just come is known once it was heard of. It is at least so many where the adapter is not sure.
    ///
    /// # Errors
    ///
    /// The adapter cannot tell, or not within the [`request_timeout`](ClusterSettings::request_timeout).
    pub async fn server_count(&self) -> Result<ServerCount, AdapterError> {
        match &self.space.cluster {
            None => Ok(ServerCount::Exactly(1)),
            Some(seat) => seat.server_count().await,
        }
    }

    /// Sends an event to the other servers of the cluster, for their
    /// [`on_server_side`](NamespaceBuilder::on_server_side) handlers; this server's are not called.
    ///
    /// # Errors
    ///
    /// When the arguments cannot be serialized, or the event is one that the reference or a socket takes for its own: `connect`,
    /// `connect_error`, `connection`, `disconnect`, `disconnecting`, `new_namespace`, `newListener`, `removeListener`. What
    /// another server sends under such a name is ignored.
    pub fn server_side_emit<A: Serialize + ?Sized>(
        &self,
        event: &str,
        args: &A,
    ) -> Result<(), EmitError> {
        let packet = server_event(event, args)?;
        if let Some(seat) = &self.space.cluster {
            seat.publish(ClusterBody::ServerSideEmit {
                packet,
                request_id: None,
            });
        }
        Ok(())
    }

    /// Sends an event to the other servers of the cluster and collects one answer of each, with the id of the server; see
    /// [`Gathered`](crate::cluster::Gathered).
    ///
    /// ```
    /// # async fn ask(chat: socketio::Namespace<()>) {
    /// let answers = chat.server_side_emit_with_ack::<u64>("load", &()).await;
    /// for found in answers {
    ///     println!("{}: {:?}", found.server, found.answer);
    /// }
    /// # }
    /// ```
    ///
    /// Where [`server_side_emit`](Self::server_side_emit) would be an error, nobody is asked, and the outcome's
    /// [`failure`](crate::cluster::Gathered::failure) says why.
    pub fn server_side_emit_with_ack<R: FromArgs + 'static>(
        &self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> Gathering<ServerAnswer<R>> {
        let seat = self.space.cluster.as_ref();
        let timeout = seat.map(|seat| seat.request_timeout());
        let question = match (server_event(event, args), seat) {
            (Err(error), _) => Some(Err(AdapterError::Encode(error))),
            (Ok(_), None) => None,
            (Ok(packet), Some(seat)) => {
                Some(Question::ask(seat, Kind::ServerSide, timeout, |request| {
                    ClusterBody::ServerSideEmit {
                        packet,
                        request_id: Some(request),
                    }
                }))
            }
        };
        Gathering::new(Vec::new(), question, timeout, ServerAnswer::of)
    }
}

/// The rooms that these sockets have joined, each once and in order.
fn rooms_of(sockets: &[FetchedSocket]) -> Vec<Room> {
    let rooms = sockets.iter().flat_map(|socket| socket.rooms());
    let distinct: BTreeSet<&Room> = rooms.collect();
    distinct.into_iter().cloned().collect()
}

fn server_event<A: Serialize + ?Sized>(event: &str, args: &A) -> Result<Event, EncodeError> {
    if RESERVED_BETWEEN_SERVERS.contains(&event) {
        return Err(EncodeError::ReservedName);
    }
    Event::new(event, args)
}
