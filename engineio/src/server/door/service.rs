//! The front door behind a hyper or tower server.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Extensions, HeaderValue, StatusCode, Version, header};
use http_body::Body as HttpBody;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};

use super::response::empty;
use crate::body::Body;
use crate::http::MessageRules;
use crate::http::request::{Caller, Headers, RequestView};
use crate::server::exchange::answer::{self, Answer};
use crate::server::session::shared::HubOf;
use crate::server::stream::Stream;
use crate::server::tasks::spawn;

/// The address of a request's peer, as a request extension, for servers that know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// An engine as a service: hyper's, and with feature `tower` tower's.
///
/// Serve it on connections that allow upgrades, or WebSockets cannot be opened. The server around it owns the connection, and
/// with it how long a client may take to send a head or to take a small answer. As on connections of the engine's own, a
/// request of HTTP/1.1 without a `Host`, or with two of them, is refused with 400 (RFC 9112 §3.2).
pub struct EngineService<D> {
    hub: Arc<HubOf<D>>,
    caller: Caller,
    peer_of: Option<Arc<PeerHook>>,
}

type PeerHook = dyn Fn(&Extensions) -> Option<SocketAddr> + Send + Sync;

impl<D> Clone for EngineService<D> {
    fn clone(&self) -> Self {
        Self {
            hub: Arc::clone(&self.hub),
            caller: self.caller,
            peer_of: self.peer_of.clone(),
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

    /// Marks the connection as secured by TLS.
    #[must_use]
    pub fn secure(mut self, is_secure: bool) -> Self {
        self.caller.is_secure = is_secure;
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
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn call(&self, request: http::Request<B>) -> Self::Future {
        let hub = Arc::clone(&self.hub);
        let mut caller = self.caller;
        if let Some(peer_of) = &self.peer_of {
            caller.peer = peer_of(request.extensions()).or(caller.peer);
        }
        Box::pin(async move { Ok(handle(&hub, request, caller).await) })
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
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

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
) -> http::Response<Body>
where
    D: Send + Sync + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    let owed = hub.answers.owe();
    let response = respond(hub, request, caller).await;
    response.map(|body| body.owed(owed))
}

async fn respond<D, B>(
    hub: &Arc<HubOf<D>>,
    request: http::Request<B>,
    mut caller: Caller,
) -> http::Response<Body>
where
    D: Send + Sync + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    let (mut parts, body) = request.into_parts();
    if let Some(PeerAddr(peer)) = parts.extensions.get() {
        caller.peer = Some(*peer);
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
    let view = hub.identify(RequestView::new(&parts.method, target, headers, &caller));
    if !hub.path.matches(view.path()) {
        return empty(StatusCode::NOT_FOUND);
    }
    match answer::answer(hub, &view, body).await {
        Answer::Response(response) => response.map(|body| body.paced(hub.config.write_timeout)),
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
    }
}

/// Takes the raw stream back from hyper, so that nothing of hyper stays with an idle connection.
fn into_stream(upgraded: Upgraded) -> (Stream, Vec<u8>) {
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
