//! The server: its options, and the doors clients come in by.

use std::convert::Infallible;
use std::future::Future;
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use engineio::{Accepted, Body, Engine, EngineService, ForeignStream, Listener};
use http_body::Body as HttpBody;
use socketio_auth::{Policy, server::DynPolicy};
use tokio::sync::watch;

use super::builder::{Inherited, Many, NamespaceBuilder};
use crate::authority::authority::{AuthOptions, Authority};
use crate::cluster::handle::Hearing;
use crate::cluster::link::{Cluster, ServerClusterOptions};
use crate::codec::{Codec, PacketLimits};
use crate::connection::drive::Drive;
use crate::error::BuildError;
use crate::live::client::{Client, Shell};
use crate::live::keeper::{Keeper, Recovery};
use crate::live::keeping::KeptHeaders;
use crate::live::matcher::{Matcher, Pattern};
use crate::live::server::Server;
use crate::live::settings::Settings;
use crate::proto::pace::Rate;

/// The options of a [`SocketIo`].
///
/// What has options of its own is changed by a function from its options to its options, starting from the defaults:
/// [`engine`](Self::engine), [`recovery`](Self::recovery), [`cluster`](Self::cluster),
/// [`packet_limits`](Self::packet_limits), [`auth_limits`](Self::auth_limits). Several calls add up.
///
/// ```
/// use std::time::Duration;
/// use socketio::SocketIo;
///
/// # fn main() -> Result<(), socketio::BuildError> {
/// let io = SocketIo::builder()
///     .engine(|config| config.ping_interval(Duration::from_secs(10)))
///     .connect_timeout(Duration::from_secs(5))
///     .build()?;
/// # let _ = io; Ok(()) }
/// ```
#[must_use = "a builder serves nobody before `build`"]
pub struct SocketIoBuilder<D = ()> {
    engine: engineio::Config,
    codec: Codec,
    pub(crate) settings: Settings,
    policy: Option<Arc<dyn DynPolicy>>,
    recovery: Option<Recovery>,
    pub(crate) auth: AuthOptions,
    pub(crate) cluster: ServerClusterOptions,
    data: PhantomData<fn() -> D>,
}

impl SocketIoBuilder<()> {
    /// Guards every namespace that does not say otherwise.
    pub fn authenticate<P: Policy>(self, policy: P) -> SocketIoBuilder<P::Identity> {
        SocketIoBuilder {
            engine: self.engine,
            codec: self.codec,
            settings: self.settings,
            policy: Some(policy.into_dyn()),
            recovery: self.recovery,
            auth: self.auth,
            cluster: self.cluster,
            data: PhantomData,
        }
    }
}

impl<D> SocketIoBuilder<D> {
    /// Changes the options of the engine: transports, heartbeat, sizes, CORS, cookies, protocol 3. The path is
    /// `/socket.io/` unless changed here.
    pub fn engine(mut self, change: impl FnOnce(engineio::Config) -> engineio::Config) -> Self {
        self.engine = change(self.engine);
        self
    }

    /// How packets are written; [`Codec::json`] by default. Every client must be configured alike.
    pub fn codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// How long a client may be connected without having joined a namespace; 45 s by default.
    /// Raising it lets idle strangers stay longer.
    //= SIO5-CON-08
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.settings.client.connect_timeout = timeout;
        self
    }

    /// How long the attachments of a binary packet may take to arrive; 45 s by default.
    pub fn attachment_timeout(mut self, timeout: Duration) -> Self {
        self.settings.client.attachment_timeout = timeout;
        self
    }

    /// How long acknowledgements are waited for unless the call says otherwise; for ever by default, as the
    /// reference does: until the client leaves.
    pub fn ack_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.settings.ack_timeout = timeout;
        self
    }

    /// How many acknowledgements one socket may owe; 1,024 by default. One more is
    /// [`EmitError::TooManyAcks`](crate::EmitError::TooManyAcks).
    pub fn max_pending_acks(mut self, acks: usize) -> Self {
        self.settings.max_pending_acks = acks;
        self
    }

    /// How many rooms one socket may be in; 1,024 by default. One more is
    /// [`JoinError::TooManyRooms`](crate::JoinError::TooManyRooms).
    pub fn max_rooms_per_socket(mut self, rooms: usize) -> Self {
        self.settings.rooms.per_socket = rooms;
        self
    }

    /// How many rooms one namespace may have, those of single sockets not counted; 1,000,000 by default. One more
    /// is [`JoinError::TooManyRooms`](crate::JoinError::TooManyRooms).
    pub fn max_rooms_per_namespace(mut self, rooms: usize) -> Self {
        self.settings.rooms.per_namespace = rooms;
        self
    }

    /// How many bytes the name of a room may have; 1,024 by default. A longer one is
    /// [`JoinError::NameTooLong`](crate::JoinError::NameTooLong).
    pub fn max_room_name_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_room_name_bytes = bytes;
        self
    }

    /// How many namespaces one connection may have joined or be joining; 64 by default. One more CONNECT is
    /// refused.
    pub fn max_namespaces_per_connection(mut self, namespaces: usize) -> Self {
        self.settings.client.max_namespaces = namespaces;
        self
    }

    /// How many dynamic namespaces there may be at once; 10,000 by default. One more CONNECT that would make one is
    /// refused.
    pub fn max_dynamic_namespaces(mut self, namespaces: usize) -> Self {
        self.settings.max_dynamic_namespaces = namespaces;
        self
    }

    /// How many CONNECTs of one connection may wait for their answer, or namespaces for authentication; 64 by default, as many
    /// as it may [join](Self::max_namespaces_per_connection), since a client that comes back asks for all of its namespaces
    /// at once. One more is refused.
    pub fn max_concurrent_connects(mut self, connects: usize) -> Self {
        self.settings.client.max_connecting = connects;
        self
    }

    /// How many handlers of one connection may wait at once; 1,024 by default. Further events start when one ends; with
    /// 1 events are handled strictly one after the other.
    ///
    /// The bound is for the hostile: one that waits costs about 600 bytes beside what it keeps itself. An application
    /// whose handlers wait for *other events* of the same client, or without an end, needs a number that is above how many
    /// of those there are; an acknowledgement is let through whatever the number.
    pub fn max_handlers_in_flight(mut self, handlers: usize) -> Self {
        let handlers = u32::try_from(handlers).unwrap_or(u32::MAX);
        self.settings.inbox.max_in_flight = handlers.max(1);
        self
    }

    /// How many bytes of events may wait for a handler to end, for each connection, counted as they lie in memory: a small
    /// event takes about 250; 64 KiB by default. Past it nothing more is read from the client until half of them have
    /// started.
    ///
    /// While an acknowledgement of this client is awaited reading goes on, because that stands behind the events: up to
    /// [`inbox_overflow_bytes`](Self::inbox_overflow_bytes).
    pub fn inbox_max_bytes(mut self, bytes: usize) -> Self {
        self.settings.inbox.max_bytes = bytes;
        self
    }

    /// How many bytes of events may wait, counted alike, while an acknowledgement of their client is awaited; 16 MiB by
    /// default, which is 256 times [`inbox_max_bytes`](Self::inbox_max_bytes) and takes 12,000 events of 1 kB at once.
    /// Below that bound, that bound holds. Past it the connection is closed: the sockets leave with
    /// [`ForcedClose`](crate::DisconnectReason::ForcedClose), after
    /// [`on_invalid`](crate::NamespaceBuilder::on_invalid) was told
    /// [`InboxFull`](crate::namespace::Invalid::InboxFull).
    ///
    /// A client that does not acknowledge what it was asked makes use of this bound instead of the other; the memory that a
    /// hostile one can take is this.
    pub fn inbox_overflow_bytes(mut self, bytes: usize) -> Self {
        self.settings.inbox.overflow_bytes = bytes;
        self
    }

    /// How many events a second one connection may send in the long run, over all its namespaces, and how many at
    /// once; not limited by default. One more is dropped, told to
    /// [`on_invalid`](crate::NamespaceBuilder::on_invalid), and acknowledged with `{"error":"rate_limited"}`.
    pub fn events_per_second(mut self, events: u32, burst: u32) -> Self {
        self.settings.event_rate = Some(Rate::new(events, burst));
        self
    }

    /// Lets clients that lost their connection get back what they had, and the events they missed; off without a call
    /// (SIO5-CSR). `change` gets the defaults, and may give them back as they are.
    pub fn recovery(mut self, change: impl FnOnce(Recovery) -> Recovery) -> Self {
        self.recovery = Some(change(self.recovery.unwrap_or_default()));
        self
    }

    /// Changes what a client may send in one packet.
    ///
    /// ```
    /// let builder = socketio::SocketIo::builder().packet_limits(|limits| limits.max_attachments(2));
    /// # let _ = builder;
    /// ```
    pub fn packet_limits(mut self, change: impl FnOnce(PacketLimits) -> PacketLimits) -> Self {
        self.settings.packets = change(self.settings.packets);
        self
    }

    /// Whether the headers of the opening request are kept for [`Handshake::header`](crate::Handshake::header);
    /// on by default. Those that carry credentials never are. Off saves their size for every connection, but for the
    /// `Origin`, which authenticators and the books are told.
    pub fn keep_headers(mut self, keep: bool) -> Self {
        self.settings.keeping.headers = if keep {
            KeptHeaders::All
        } else {
            KeptHeaders::Only(Vec::new())
        };
        self
    }

    /// Serves the browser client's files beside the connections, as `<path>/socket.io.js` and so on.
    //= SRV-FILE-01
    #[cfg(feature = "client-bundle")]
    pub fn client_bundle(self, bundle: super::client_bundle::ClientBundle) -> Self {
        self.engine(|config| config.files(move |request, name| bundle.respond(request, name)))
    }

    /// The server.
    ///
    /// # Errors
    ///
    /// When the engine's options contradict themselves, and when there is an adapter and no tokio runtime.
    pub fn build(self) -> Result<SocketIo<D>, BuildError> {
        let engine = self.auth.see_through_proxies(self.engine);
        let cluster_stop = watch::Sender::new(false);
        let cluster = Cluster::new(self.cluster, cluster_stop.subscribe())?;
        let log = cluster.as_ref().and_then(|cluster| cluster.log.clone());
        let recovery = self.recovery.as_ref();
        let recovery = recovery.map(|recovery| Keeper::new(recovery, log));
        let server = Arc::new(Server::new(
            self.codec,
            self.settings,
            Authority::new(self.policy.clone(), self.auth),
            recovery,
            cluster,
            cluster_stop,
            &Drive,
        ));
        if let Some(policy) = &self.policy {
            server.subscribe(&**policy);
        }
        let engine = Engine::new(engine, Shell::new(Arc::clone(&server)))?;
        if let Some(cluster) = &server.cluster {
            let hearing: Weak<dyn Hearing> = Arc::downgrade(&server) as _;
            cluster.start(&hearing);
        }
        Ok(SocketIo {
            server,
            engine,
            data: PhantomData,
        })
    }
}

impl<D> fmt::Debug for SocketIoBuilder<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketIoBuilder")
            .field("engine", &self.engine)
            .field("settings", &self.settings)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

/// A Socket.IO server. `D` is the identity that the policy of the server yields, `()` without one.
///
/// Cheap to clone; clones are the same server. There are two front doors: [`serve`](Self::serve) owns a listener
/// and is the cheaper one to connect to, [`service`](Self::service) goes behind any hyper or tower server.
///
/// ```no_run
/// use socketio::SocketIo;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let io = SocketIo::new();
/// io.namespace("/")
///     .on("echo", |socket, text: String| async move {
///         let _ = socket.emit("echo", &text);
///     })
///     .open()?;
/// io.serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?).await?;
/// # Ok(()) }
/// ```
pub struct SocketIo<D = ()> {
    pub(crate) server: Arc<Server>,
    engine: Engine<Client>,
    data: PhantomData<fn() -> D>,
}

impl<D> Clone for SocketIo<D> {
    fn clone(&self) -> Self {
        Self {
            server: Arc::clone(&self.server),
            engine: self.engine.clone(),
            data: PhantomData,
        }
    }
}

impl SocketIo {
    /// A server with the default options, open to everyone.
    ///
    /// # Panics
    ///
    /// Never: the default options do not contradict themselves.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "a server that came about by default would surprise"
    )]
    pub fn new() -> Self {
        let built = Self::builder().build();
        built.expect("the default options do not contradict themselves")
    }

    /// The options of a server.
    pub fn builder() -> SocketIoBuilder {
        SocketIoBuilder {
            engine: engineio::Config::new().path("/socket.io/"),
            codec: Codec::default(),
            settings: Settings::default(),
            policy: None,
            recovery: None,
            auth: AuthOptions::default(),
            cluster: ServerClusterOptions::default(),
            data: PhantomData,
        }
    }
}

impl<D: Send + Sync + 'static> SocketIo<D> {
    /// A namespace to be set up and opened. Clients can join only what was opened.
    pub fn namespace(&self, name: &str) -> NamespaceBuilder<D, Inherited> {
        NamespaceBuilder::one(Arc::clone(&self.server), name)
    }

    /// A set of dynamic namespaces by pattern: `*` stands for one or more characters other than a slash, `{name}` for the same
    /// as a [parameter](crate::Socket::param), `#` for one or more digits, everything else for itself.
    ///
    /// ```
    /// # fn main() -> Result<(), socketio::BuildError> {
    /// let io = socketio::SocketIo::new();
    /// let tenants = io.namespaces("/tenant-#/chat").on("hi", |_, (): ()| async {}).open()?;
    /// assert!(tenants.namespaces().is_empty());
    /// # Ok(()) }
    /// ```
    pub fn namespaces(&self, pattern: &str) -> NamespaceBuilder<D, Inherited, Many> {
        let matcher = Matcher::Pattern(Arc::new(Pattern::new(pattern)));
        NamespaceBuilder::many(Arc::clone(&self.server), matcher)
    }

    /// A set of dynamic namespaces by a predicate of the name and the payload of the CONNECT. A client that asks
    /// waits for it, at most [`connect_timeout`](SocketIoBuilder::connect_timeout).
    pub fn namespaces_where<F, Fut>(&self, decide: F) -> NamespaceBuilder<D, Inherited, Many>
    where
        F: Fn(String, serde_json::Value) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = bool> + Send + 'static,
    {
        let matcher = Matcher::predicate(decide);
        NamespaceBuilder::many(Arc::clone(&self.server), matcher)
    }

    /// A set of dynamic namespaces by a regular expression, which must match somewhere in the name: anchor it.
    #[cfg(feature = "regex")]
    pub fn namespaces_regex(&self, regex: regex::Regex) -> NamespaceBuilder<D, Inherited, Many> {
        self.namespaces_where(move |name, _| std::future::ready(regex.is_match(&name)))
    }

    /// How many connections are live, in however many namespaces each is.
    #[must_use]
    pub fn connection_count(&self) -> usize {
        self.engine.session_count()
    }

    /// What the server has done, in numbers. Reads some counters and the size of each namespace: cheap enough for
    /// every scrape.
    ///
    /// ```
    /// # fn main() -> Result<(), socketio::BuildError> {
    /// let io = socketio::SocketIo::new();
    /// io.namespace("/").on("hi", |_, (): ()| async {}).open()?;
    /// let stats = io.stats();
    /// assert_eq!((stats.socket_count(), stats.events_in), (0, 0));
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "metrics")]
    #[must_use]
    pub fn stats(&self) -> super::stats::ServerStats {
        super::stats::ServerStats::of(&self.server, self.engine.stats())
    }

    /// A service for a hyper server, and with feature `tower` for a tower one.
    #[must_use]
    pub fn service(&self) -> SocketIoService {
        SocketIoService(self.engine.service())
    }

    /// Accepts connections until accepting fails for good. Requests outside the path are answered 404.
    ///
    /// In a cluster the adapter is waited for first, see [`ready`](Self::ready). When that fails,
    /// [`on_adapter_error`](SocketIoBuilder::on_adapter_error) is told, and the clients are served without the others.
    ///
    /// # Errors
    ///
    /// When the listener cannot accept any more.
    pub async fn serve<L: Listener>(&self, listener: L) -> io::Result<()> {
        if let Some(cluster) = &self.server.cluster {
            cluster.ended(cluster.ready().await);
        }
        self.engine.serve(listener).await
    }

    /// Accepts connections of the other nodes of a cluster, so that no sticky sessions are needed; see
    /// [`Engine::serve_nodes`](engineio::Engine::serve_nodes) and [`Config::nodes`](engineio::Config::nodes).
    ///
    /// # Errors
    ///
    /// When the listener cannot accept any more, or there are no nodes.
    #[cfg(feature = "nodes")]
    pub async fn serve_nodes(&self, listener: tokio::net::TcpListener) -> io::Result<()> {
        self.engine.serve_nodes(listener).await
    }

    /// Serves one accepted connection of any kind until it ends, with what is known of it: that it is one of TLS, for
    /// example.
    pub async fn serve_accepted(&self, accepted: Accepted) {
        self.engine.serve_accepted(accepted).await;
    }

    /// Serves one accepted stream of any kind. That it is secured by TLS can be said to
    /// [`serve_accepted`](Self::serve_accepted).
    pub async fn serve_stream<S: ForeignStream>(&self, stream: S, peer: Option<SocketAddr>) {
        self.engine.serve_stream(stream, peer).await;
    }

    /// Serves one accepted TCP connection.
    pub async fn serve_tcp(&self, stream: tokio::net::TcpStream, peer: Option<SocketAddr>) {
        self.engine.serve_tcp(stream, peer).await;
    }

    /// True from the beginning of [`drain`](Self::drain) or [`close`](Self::close) on: new clients are refused, and a health
    /// check should fail.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.engine.is_draining()
    }

    /// Closes every connection at once and refuses new ones; the reason that handlers see is
    /// [`ServerShuttingDown`](crate::DisconnectReason::ServerShuttingDown). Handlers that wait are
    /// dropped.
    //= SIO5-DIS-04
    pub fn close(&self) {
        self.server.set_closing();
        self.engine.close();
        if let Some(cluster) = &self.server.cluster {
            let server = Arc::clone(&self.server);
            cluster
                .tasks
                .spawn_unstopped(async move { server.leave_cluster().await });
        }
        self.server.stop_handlers();
    }

    /// Refuses new connections and closes the live ones spread over `deadline`, so that clients do not reconnect
    /// elsewhere all at once. The reason that handlers see is
    /// [`ServerShuttingDown`](crate::DisconnectReason::ServerShuttingDown).
    ///
    /// Returns when every connection has gone and every handler has ended, and at the deadline at the latest: a
    /// client that has not taken its last events by then loses them, and a handler that still waits is dropped.
    /// Dropping the future stops the closing; new connections stay refused.
    pub async fn drain(&self, deadline: Duration) {
        self.server.set_closing();
        let started = tokio::time::Instant::now();
        self.engine.drain(deadline).await;
        let left = deadline.saturating_sub(started.elapsed());
        let _ = tokio::time::timeout(left, self.server.handlers_ended()).await;
        let left = deadline.saturating_sub(started.elapsed());
        // Behind the last that handlers had to say. What needs no waiting is done even past the deadline.
        let _ = tokio::time::timeout(left, self.server.leave_cluster()).await;
        self.server.stop_handlers();
    }
}

impl<D> fmt::Debug for SocketIo<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketIo")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

/// A server as a service: hyper's, and with feature `tower` tower's.
///
/// Serve it on connections that allow upgrades, or WebSockets cannot be opened. On a connection of HTTP/2 each is one stream
/// (RFC 8441), once the server around it announces that: hyper's by `enable_connect_protocol`, `axum::serve` with its feature
/// `http2` by itself.
#[derive(Clone, Debug)]
pub struct SocketIoService(pub(super) EngineService<Client>);

impl SocketIoService {
    /// The same service for one connection whose peer is known. An [`engineio::PeerAddr`] extension of the request
    /// wins.
    #[must_use]
    pub fn peer(self, peer: SocketAddr) -> Self {
        Self(self.0.peer(peer))
    }

    /// The same service behind a server that says each request's peer in an extension of a type of its own. For axum:
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::Router;
    /// use axum::extract::ConnectInfo;
    ///
    /// let io = socketio::SocketIo::new();
    /// let service = io.service().peer_from(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| *peer);
    /// let app: Router = Router::new().layer(service.into_layer());
    /// // Only this has axum say it.
    /// let app = app.into_make_service_with_connect_info::<SocketAddr>();
    /// # let _ = app;
    /// ```
    #[must_use]
    pub fn peer_from<T: Send + Sync + 'static>(
        self,
        peer: impl Fn(&T) -> SocketAddr + Send + Sync + 'static,
    ) -> Self {
        Self(self.0.peer_from(peer))
    }

    /// The same service for a router that serves it at a path of its own and takes that path away, as axum's `nest_service`
    /// does: every path is inside.
    ///
    /// ```
    /// use axum::Router;
    ///
    /// let io = socketio::SocketIo::new();
    /// let app: Router = Router::new().nest_service("/live", io.service().nested());
    /// // For clients: io("https://example.org", { path: "/live" })
    /// # let _ = app;
    /// ```
    #[must_use]
    pub fn nested(self) -> Self {
        Self(self.0.nested())
    }

    /// Marks the connection as secured by TLS.
    #[must_use]
    pub fn secure(self, is_secure: bool) -> Self {
        Self(self.0.secure(is_secure))
    }

    /// Marks the connection as one to a Unix socket, which a proxy on this machine may be
    /// [trusted](crate::SocketIoBuilder::trusted_proxies) on.
    #[must_use]
    pub fn unix(self, is_unix: bool) -> Self {
        Self(self.0.unix(is_unix))
    }
}

type ServiceFuture = Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

impl<B> hyper::service::Service<http::Request<B>> for SocketIoService
where
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = ServiceFuture;

    fn call(&self, request: http::Request<B>) -> Self::Future {
        hyper::service::Service::call(&self.0, request)
    }
}

#[cfg(feature = "tower")]
impl<B> tower_service::Service<http::Request<B>> for SocketIoService
where
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = ServiceFuture;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        hyper::service::Service::call(self, request)
    }
}
