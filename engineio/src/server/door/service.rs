//! The front door behind a hyper or tower server.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Extensions, HeaderValue, Method, StatusCode, Version, header};
use http_body::Body as HttpBody;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};

use super::response::empty;
use crate::body::Body;
use crate::http::MessageRules;
use crate::http::request::{Caller, Headers, RequestView};
use crate::server::exchange::answer;
use crate::server::exchange::response::Answer;
#[cfg(feature = "nodes")]
use crate::server::nodes::card::Card;
use crate::server::session::shared::HubOf;
use crate::server::stream::Stream;
use crate::server::tasks::spawn;
use crate::server::transport::polling::Content;

/// The address of a request's peer, as a request extension, for servers that know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// An engine as a service: hyper's, and with feature `tower` tower's.
///
/// Serve it on connections that allow upgrades, or WebSockets cannot be opened. On a connection of HTTP/2 each is one stream
/// (RFC 8441), once the server around it announces that: hyper's by `enable_connect_protocol`, `axum::serve` with its feature
/// `http2` by itself. The server around it owns the connection, and
/// with it how long a client may take to send a head or to take a small answer. As on connections of the engine's own, a
/// request of HTTP/1.1 without a `Host`, or with two of them, is refused with 400 (RFC 9112 §3.2).
pub struct EngineService<D> {
    hub: Arc<HubOf<D>>,
    caller: Caller,
    peer_of: Option<Arc<PeerHook>>,
    is_nested: bool,
}

/// An answer that is on its way.
pub(super) type Answering =
    Pin<Box<dyn Future<Output = Result<http::Response<Body>, Infallible>> + Send>>;

type PeerHook = dyn Fn(&Extensions) -> Option<SocketAddr> + Send + Sync;

impl<D> Clone for EngineService<D> {
    fn clone(&self) -> Self {
        Self {
            hub: Arc::clone(&self.hub),
            caller: self.caller,
            peer_of: self.peer_of.clone(),
            is_nested: self.is_nested,
        }
    }
}

impl<D> fmt::Debug for EngineService<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineService")
            .field("caller", &self.caller)
            .finish_non_exhaustive()
    }
}

impl<D> EngineService<D> {
    pub(crate) fn new(hub: Arc<HubOf<D>>) -> Self {
        Self {
            hub,
            caller: Caller::UNKNOWN,
            peer_of: None,
            is_nested: false,
        }
    }

    /// The same service for one connection whose peer is known. A [`PeerAddr`] extension of the request wins.
    #[must_use]
    pub fn peer(mut self, peer: SocketAddr) -> Self {
        self.caller.peer = Some(peer);
        self
    }

    /// The same service behind a server that says each request's peer in an extension of a type of its own, such as
    /// axum's `ConnectInfo<SocketAddr>`. A [`PeerAddr`] wins; a request without either has the peer of
    /// [`peer`](Self::peer), if that was called.
    ///
    /// ```
    /// # struct Echo;
    /// # impl engineio::Handler for Echo {
    /// #     type Data = ();
    /// #     fn on_open(&self, _: &engineio::RequestView<'_>, _: engineio::Protocol) {}
    /// #     fn on_message(&self, _: &engineio::Connection<()>, _: engineio::Message<'_>) -> engineio::Flow {
    /// #         engineio::Flow::Continue
    /// #     }
    /// #     fn on_close(&self, _: &engineio::Connection<()>, _: engineio::CloseReason) {}
    /// # }
    /// # mod axum { pub mod extract { #[derive(Clone)] pub struct ConnectInfo<T>(pub T); } }
    /// use std::net::SocketAddr;
    /// use axum::extract::ConnectInfo;
    ///
    /// # fn main() -> Result<(), engineio::ConfigError> {
    /// let engine = engineio::Engine::new(engineio::Config::new(), Echo)?;
    /// let service = engine.service().peer_from(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| *peer);
    /// # let _ = service; Ok(()) }
    /// ```
    #[must_use]
    pub fn peer_from<T: Send + Sync + 'static>(
        mut self,
        peer: impl Fn(&T) -> SocketAddr + Send + Sync + 'static,
    ) -> Self {
        self.peer_of = Some(Arc::new(move |extensions| extensions.get().map(&peer)));
        self
    }

    /// The same service for a router that serves it at a path of its own and takes that path away, as axum's `nest_service`
    /// does: every path is inside.
    ///
    /// [`Config::path`](crate::Config::path) is not looked at then, but for clients it still has to be the path that they
    /// ask for, since a cookie may say it.
    #[must_use]
    pub fn nested(mut self) -> Self {
        self.is_nested = true;
        self
    }

    /// Whether a request with this path is for the engine.
    #[cfg(feature = "tower")]
    pub(super) fn serves(&self, path: &str) -> bool {
        self.is_nested || self.hub.path.matches(path)
    }

    /// Marks the connection as secured by TLS.
    #[must_use]
    pub fn secure(mut self, is_secure: bool) -> Self {
        self.caller.is_secure = is_secure;
        self
    }

    /// Marks the connection as one to a Unix socket, as [`RequestView::is_unix`] tells hooks and handlers.
    #[must_use]
    pub fn unix(mut self, is_unix: bool) -> Self {
        self.caller.is_unix = is_unix;
        self
    }
}

impl<D, B> hyper::service::Service<http::Request<B>> for EngineService<D>
where
    D: Send + Sync + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: http::Request<B>) -> Self::Future {
        let hub = Arc::clone(&self.hub);
        let mut caller = self.caller;
        if let Some(peer_of) = &self.peer_of {
            caller.peer = peer_of(request.extensions()).or(caller.peer);
        }
        let is_nested = self.is_nested;
        Box::pin(async move { Ok(handle(&hub, request, caller, is_nested).await) })
    }
}

#[cfg(feature = "tower")]
impl<D, B> tower_service::Service<http::Request<B>> for EngineService<D>
where
    D: Send + Sync + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answering;

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

/// Answers one request of a hyper server.
pub(crate) async fn handle<D, B>(
    hub: &Arc<HubOf<D>>,
    request: http::Request<B>,
    caller: Caller,
    is_nested: bool,
) -> http::Response<Body>
where
    D: Send + Sync + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    let owed = hub.answers.owe();
    let response = respond(hub, request, caller, is_nested).await;
    response.map(|body| body.owed(owed))
}

async fn respond<D, B>(
    hub: &Arc<HubOf<D>>,
    request: http::Request<B>,
    mut caller: Caller,
    is_nested: bool,
) -> http::Response<Body>
where
    D: Send + Sync + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    let (mut parts, body) = request.into_parts();
    if let Some(PeerAddr(peer)) = parts.extensions.get() {
        caller.peer = Some(*peer);
    }
    #[cfg(feature = "nodes")]
    let passed_on = parts.extensions.remove::<Card>();
    #[cfg(feature = "nodes")]
    if let Some(card) = &passed_on {
        caller = card.caller;
    }
    let on_upgrade = parts.extensions.remove::<OnUpgrade>();
    let headers = parts.headers.iter();
    let headers = headers.map(|(name, value)| (name.as_str(), value.as_bytes()));
    if let Err(fault) = MessageRules::of(parts.version, headers) {
        let mut response = empty(fault.status());
        if parts.version <= Version::HTTP_11 {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        return response;
    }
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let headers = Headers::Map(&parts.headers, Some(&parts.extensions));
    let view = RequestView::new(&parts.method, target, headers, &caller);
    let view = match is_extended_connect(&parts) {
        true => view.extended_connect(),
        false => view,
    };
    #[cfg(feature = "nodes")]
    let view = match passed_on {
        Some(card) => view.forwarded(card.forwarded).passed_on(),
        None => hub.identify(view),
    };
    #[cfg(not(feature = "nodes"))]
    let view = hub.identify(view);
    if !is_nested && !hub.path.matches(view.path()) {
        return empty(StatusCode::NOT_FOUND);
    }
    match answer::answer(hub, &view, Content::Coming(body)).await {
        Answer::Response(response) => response
            .into_http()
            .map(|body| body.paced(hub.config.write_timeout)),
        Answer::Upgrade(mut upgrade) => {
            let Some(on_upgrade) = on_upgrade else {
                // Served without upgrades: a mistake of the embedding server.
                return empty(StatusCode::INTERNAL_SERVER_ERROR);
            };
            let response = upgrade.response();
            spawn(async move {
                if let Ok(upgraded) = on_upgrade.await {
                    let (stream, rest) = into_stream(upgraded);
                    // A task of its own, sized for the WebSocket alone.
                    spawn(upgrade.run(stream, rest));
                }
            });
            response
        }
        #[cfg(feature = "nodes")]
        Answer::Tunnel(mut tunnel) => {
            let Some(on_upgrade) = on_upgrade else {
                return empty(StatusCode::INTERNAL_SERVER_ERROR);
            };
            let response = tunnel.response();
            spawn(async move {
                if let Ok(upgraded) = on_upgrade.await {
                    let (stream, rest) = into_stream(upgraded);
                    spawn(tunnel.run(stream, rest));
                }
            });
            response
        }
    }
}

/// Whether a request opens a WebSocket on a stream of HTTP/2 (RFC 8441). A plain CONNECT has no path, and one for another
/// protocol says no version of WebSocket. What else says the protocol is a type of hyper's that only a feature brings.
fn is_extended_connect(parts: &http::request::Parts) -> bool {
    parts.method == Method::CONNECT
        && parts.version == Version::HTTP_2
        && parts.uri.path_and_query().is_some()
        && parts.headers.contains_key(header::SEC_WEBSOCKET_VERSION)
}

/// Takes the raw stream back from hyper, so that nothing of hyper stays with an idle connection.
fn into_stream(upgraded: Upgraded) -> (Stream, Vec<u8>) {
    let (stream, read) = taken_back(upgraded);
    // Not every server says so, and small packets must not wait for the acknowledgement of earlier ones.
    if let Stream::Tcp(stream) = &stream {
        let _ = stream.set_nodelay(true);
    }
    (stream, read)
}

fn taken_back(upgraded: Upgraded) -> (Stream, Vec<u8>) {
    let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
        Ok(parts) => return (Stream::Tcp(parts.io.into_inner()), parts.read_buf.to_vec()),
        Err(upgraded) => upgraded,
    };
    let upgraded = match upgraded.downcast::<TokioIo<UnixStream>>() {
        Ok(parts) => return (Stream::Unix(parts.io.into_inner()), parts.read_buf.to_vec()),
        Err(upgraded) => upgraded,
    };
    match hyper_util::server::conn::auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => (Stream::Tcp(parts.io.into_inner()), parts.read_buf.to_vec()),
        Err(upgraded) => (
            Stream::Foreign(Box::new(TokioIo::new(upgraded))),
            Vec::new(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use hyper::service::service_fn;
    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[tokio::test]
    async fn a_websocket_behind_a_server_that_leaves_nagle_on_has_it_off() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
        client.write_all(request).await.unwrap();
        let (accepted, _) = listener.accept().await.unwrap();
        assert!(!accepted.nodelay().unwrap());
        let (upgrades, mut upgraded) = unbounded_channel();
        let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
            let _ = upgrades.send(hyper::upgrade::on(&mut request));
            let mut response = empty(StatusCode::SWITCHING_PROTOCOLS);
            let headers = response.headers_mut();
            headers.insert(header::UPGRADE, HeaderValue::from_static("x"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            std::future::ready(Ok::<_, Infallible>(response))
        });
        hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(accepted), service)
            .with_upgrades()
            .await
            .unwrap();
        let on_upgrade: OnUpgrade = upgraded.recv().await.unwrap();
        match into_stream(on_upgrade.await.unwrap()) {
            (Stream::Tcp(stream), _) => assert!(stream.nodelay().unwrap()),
            _ => panic!("it was TCP"),
        }
    }
}
