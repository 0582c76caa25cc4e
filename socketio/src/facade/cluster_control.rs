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
use super::server::SocketIoBuilder;
use super::socket::Socket;
use crate::cluster::adapter::{Adapter, AdapterError};
use crate::cluster::answers::{Gathered, Gathering, ServerAnswer};
use crate::cluster::question::Question;
use crate::cluster::settings::ClusterSettings;
use crate::codec::{EncodeError, FromArgs};
use crate::error::EmitError;
use crate::event::Event;
use crate::proto::cluster::message::ClusterBody;
use crate::proto::cluster::requests::Kind;
use crate::proto::room::Room;
use crate::sending::fetched::FetchedSocket;

/// Events between servers that the reference would take for its own.
const RESERVED_BETWEEN_SERVERS: [&str; 3] = ["connect", "connection", "new_namespace"];

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
    /// this server's alone are [`rooms`](Self::rooms). Every server describes all its sockets for it, so it is for a look now
    /// and then. A time limit and what is missing are as with [`fetch_sockets`](Self::fetch_sockets).
    ///
    /// ```
    /// # async fn list(chat: socketio::Namespace<()>) {
    /// for room in chat.fetch_rooms().await {
    ///     println!("{}", room.as_str());
    /// }
    /// # }
    /// ```
    pub async fn fetch_rooms(&self) -> Gathered<Room> {
        let found = self.fetch_sockets().await;
        found.map(|sockets| {
            let rooms = sockets.iter().flat_map(|socket| socket.rooms());
            let distinct: BTreeSet<&Room> = rooms.collect();
            distinct.into_iter().cloned().collect()
        })
    }

    /// How many servers of the cluster have the namespace open, this one included; 1 without a cluster. A server that
    /// has just come is known once it was heard of.
    ///
    /// # Errors
    ///
    /// The adapter cannot tell.
    pub async fn server_count(&self) -> Result<usize, AdapterError> {
        match &self.space.cluster {
            None => Ok(1),
            Some(seat) => seat.server_count().await,
        }
    }

    /// Sends an event to the other servers of the cluster, for their
    /// [`on_server_side`](NamespaceBuilder::on_server_side) handlers; this server's are not called.
    ///
    /// # Errors
    ///
    /// When the arguments cannot be serialized, or the event is one that the reference takes for its own: `connect`,
    /// `connection`, `new_namespace`.
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
        let question = match (server_event(event, args), seat) {
            (Err(error), _) => Some(Err(AdapterError::Encode(error))),
            (Ok(_), None) => None,
            (Ok(packet), Some(seat)) => Some(Question::ask(seat, Kind::ServerSide, |request| {
                ClusterBody::ServerSideEmit {
                    packet,
                    request_id: Some(request),
                }
            })),
        };
        let timeout = seat.map(|seat| seat.request_timeout());
        Gathering::new(Vec::new(), question, timeout, ServerAnswer::of)
    }
}

fn server_event<A: Serialize + ?Sized>(event: &str, args: &A) -> Result<Event, EncodeError> {
    if RESERVED_BETWEEN_SERVERS.contains(&event) {
        return Err(EncodeError::ReservedName);
    }
    Event::new(event, args)
}
