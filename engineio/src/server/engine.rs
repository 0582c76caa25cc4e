//! The engine, as an application holds it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body::Body as HttpBody;

use super::door::listener::{self, Accepted, Listener};
#[cfg(feature = "nodes")]
use super::door::nodes;
use super::door::service::{self, EngineService};
use super::drain;
use super::hub::Hub;
use super::hub::counters::Stats;
use super::session::connection::Connection;
use super::session::handler::Handler;
use super::session::shared::HubOf;
use super::stream::ForeignStream;
use crate::body::Body;
use crate::config::{Config, ConfigError};
use crate::http::request::Caller;

/// An Engine.IO server: the sessions, and the doors they come in by.
///
/// Cheap to clone; clones are the same engine. There are two front doors with one connection code behind them:
/// [`Engine::serve`] owns a listener and is the cheaper one to connect to, [`Engine::service`] goes behind any
/// hyper or tower server. Streams accepted elsewhere go to [`Engine::serve_accepted`].
///
/// ```no_run
/// use engineio::{CloseReason, Config, Connection, Engine, Flow, Handler, Message, Payload, Protocol, RequestView};
///
/// struct Echo;
///
/// impl Handler for Echo {
///     type Data = ();
///     fn on_open(&self, _: &RequestView<'_>, _: Protocol) {}
///     fn on_message(&self, connection: &Connection<()>, message: Message<'_>) -> Flow {
///         let _ = match message.payload() {
///             Payload::Text(text) => connection.send_text(text),
///             Payload::Binary(data) => connection.send_binary(data),
///             _ => Ok(()),
///         };
///         Flow::Continue
///     }
///     fn on_close(&self, _: &Connection<()>, _: CloseReason) {}
/// }
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::new(Config::new(), Echo)?;
/// engine.serve(tokio::net::TcpListener::bind("127.0.0.1:3000").await?).await?;
/// # Ok(()) }
/// ```
pub struct Engine<D> {
    hub: Arc<HubOf<D>>,
}

impl<D> Clone for Engine<D> {
    fn clone(&self) -> Self {
        Self {
            hub: Arc::clone(&self.hub),
        }
    }
}

impl<D> fmt::Debug for Engine<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("config", &self.hub.config)
            .finish_non_exhaustive()
    }
}

impl<D: Send + Sync + 'static> Engine<D> {
    /// An engine with these options, handing its sessions to `handler`.
    ///
    /// # Errors
    ///
    /// When the options contradict themselves.
    pub fn new<H: Handler<Data = D>>(config: Config, handler: H) -> Result<Self, ConfigError> {
        config.validate()?;
        Ok(Self {
            hub: Arc::new(Hub::new(config, Arc::new(handler))),
        })
    }

    /// How many sessions are live.
    #[must_use]
    pub fn session_count(&self) -> usize {
        self.hub.registry.count()
    }

    /// The live sessions.
    #[must_use]
    pub fn connections(&self) -> Vec<Connection<D>> {
        self.hub
            .registry
            .all()
            .into_iter()
            .map(Connection)
            .collect()
    }

    /// A service for a hyper server, and with feature `tower` for a tower one.
    #[must_use]
    pub fn service(&self) -> EngineService<D> {
        EngineService::new(Arc::clone(&self.hub))
    }

    /// Answers one request, for servers that route by themselves. WebSocket handshakes are completed through
    /// hyper's upgrade, so the request must come from a connection served with upgrades.
    pub async fn handle<B>(&self, request: http::Request<B>) -> http::Response<Body>
    where
        B: HttpBody<Data = bytes::Bytes> + Send + 'static,
    {
        service::handle(&self.hub, request, Caller::UNKNOWN, false).await
    }

    /// Accepts connections until accepting fails for good. Requests outside the path are answered 404.
    ///
    /// # Errors
    ///
    /// When the listener cannot accept any more.
    pub async fn serve<L: Listener>(&self, listener: L) -> io::Result<()> {
        listener::serve(&self.hub, listener).await
    }

    /// Accepts connections of the other nodes of a cluster, see [`Nodes`](crate::Nodes), until accepting fails for good.
    ///
    /// The listener belongs into a network of the nodes alone: what they say is not encrypted, and who can listen to it can
    /// speak as one of them. A request of anybody else is answered 403.
    ///
    /// # Errors
    ///
    /// When the listener cannot accept any more; [`InvalidInput`](io::ErrorKind::InvalidInput) when
    /// [`Config::nodes`](crate::Config::nodes) was not called.
    ///
    /// ```no_run
    /// # use engineio::{Config, ConfigError, Engine, Handler, Nodes};
    /// # async fn run<H: Handler>(secret: &[u8], handler: H) -> Result<(), Box<dyn std::error::Error>> {
    /// let nodes = Nodes::new(1, secret)?.node(2, "10.0.0.2:7000");
    /// let engine = Engine::new(Config::new().nodes(nodes), handler)?;
    /// let clients = tokio::net::TcpListener::bind("0.0.0.0:3000").await?;
    /// let others = tokio::net::TcpListener::bind("10.0.0.1:7000").await?;
    /// tokio::try_join!(engine.serve(clients), engine.serve_nodes(others))?;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "nodes")]
    pub async fn serve_nodes(&self, listener: tokio::net::TcpListener) -> io::Result<()> {
        nodes::serve(&self.hub, listener).await
    }

    /// Serves one accepted connection of any kind until it ends.
    ///
    /// Dropping the future drops the connection.
    pub async fn serve_accepted(&self, accepted: Accepted) {
        listener::serve_accepted(Arc::clone(&self.hub), accepted).await;
    }

    /// Serves one accepted TCP connection.
    pub async fn serve_tcp(&self, stream: tokio::net::TcpStream, peer: Option<SocketAddr>) {
        self.serve_accepted(known(Accepted::tcp(stream), peer))
            .await;
    }

    /// Serves one accepted stream of any kind. That it is secured by TLS can be said to
    /// [`serve_accepted`](Self::serve_accepted).
    pub async fn serve_stream<S: ForeignStream>(&self, stream: S, peer: Option<SocketAddr>) {
        self.serve_accepted(known(Accepted::stream(stream), peer))
            .await;
    }

    /// Closes every session at once and refuses new ones.
    //= EIO4-CLS-07
    pub fn close(&self) {
        drain::close(&self.hub);
    }

    /// Refuses new sessions, with 503 and `Retry-After`, then closes the live ones at random times spread evenly
    /// over `deadline`, so that the clients do not reconnect elsewhere all at once.
    ///
    /// Returns as soon as nobody is left who can be told and every answer is with the operating system, and at the deadline
    /// at the latest: a client of long-polling that is not there at the beginning has 2 seconds to come back for its last
    /// messages, and one in the middle of its upgrade as long as that may take. Whoever has not taken them by then loses them. Behind [`service`](Self::service) an answer counts as
    /// written when the server around it is done with its bytes, which over TLS and HTTP/2 may be a moment earlier. Dropping the future stops the closing; new sessions stay refused.
    pub async fn drain(&self, deadline: Duration) {
        drain::run(&self.hub, deadline).await;
    }

    /// True from the beginning of [`drain`](Self::drain) or [`close`](Self::close) on: new sessions are refused.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        *self.hub.is_draining.lock()
    }

    /// The engine's counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.hub.counters.snapshot(self.session_count())
    }
}

fn known(accepted: Accepted, peer: Option<SocketAddr>) -> Accepted {
    match peer {
        Some(peer) => accepted.peer(peer),
        None => accepted,
    }
}
