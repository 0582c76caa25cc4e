//! The front door behind a hyper or tower server.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http_body::Body as HttpBody;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};

use crate::body::Body;
use crate::request::{Headers, RequestView};
use crate::server::exchange::answer::{self, Answer};
use crate::server::session::shared::HubOf;
use crate::server::stream::Stream;
use crate::server::stream::rewound::Rewound;
use crate::server::tasks::spawn;

/// The address of a request's peer, as a request extension, for servers that know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerAddr(pub SocketAddr);

/// An engine as a service: hyper's, and with feature `tower` tower's.
///
/// Serve it on connections that allow upgrades, or WebSockets cannot be opened. The server around it owns the connection, and
/// with it how long a client may take to send a head or to take a small answer.
pub struct EngineService<D> {
    hub: Arc<HubOf<D>>,
    peer: Option<SocketAddr>,
    is_secure: bool,
}

impl<D> Clone for EngineService<D> {
    fn clone(&self) -> Self {
        Self {
            hub: Arc::clone(&self.hub),
            peer: self.peer,
            is_secure: self.is_secure,
        }
    }
}

impl<D> fmt::Debug for EngineService<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineService")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl<D> EngineService<D> {
    pub(crate) fn new(hub: Arc<HubOf<D>>) -> Self {
        Self {
            hub,
            peer: None,
            is_secure: false,
        }
    }

    /// The same service for one connection whose peer is known. A [`PeerAddr`] extension of the request wins.
    #[must_use]
    pub fn peer(mut self, peer: SocketAddr) -> Self {
        self.peer = Some(peer);
        self
    }

    /// Marks the connection as secured by TLS.
    #[must_use]
    pub fn secure(mut self, is_secure: bool) -> Self {
        self.is_secure = is_secure;
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
        let (peer, is_secure) = (self.peer, self.is_secure);
        Box::pin(async move { Ok(handle(&hub, request, peer, is_secure).await) })
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
    peer: Option<SocketAddr>,
    is_secure: bool,
) -> http::Response<Body>
where
    D: Send + Sync + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    let (mut parts, body) = request.into_parts();
    let peer = parts
        .extensions
        .get::<PeerAddr>()
        .map(|peer| peer.0)
        .or(peer);
    let on_upgrade = parts.extensions.remove::<OnUpgrade>();
    let target = parts
        .uri
        .path_and_query()
        .map_or("/", |target| target.as_str());
    let view = RequestView::new(
        &parts.method,
        target,
        Headers::Map(&parts.headers),
        peer,
        is_secure,
    );
    if !hub.path.matches(view.path()) {
        return status(StatusCode::NOT_FOUND);
    }
    match answer::answer(hub, &view, body).await {
        Answer::Response(response) => response.map(|body| body.paced(hub.config.write_timeout)),
        Answer::Upgrade(mut upgrade) => {
            let Some(on_upgrade) = on_upgrade else {
                // Served without upgrades: a mistake of the embedding server.
                return status(StatusCode::INTERNAL_SERVER_ERROR);
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

fn status(status: StatusCode) -> http::Response<Body> {
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = status;
    response
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
    let upgraded = match upgraded.downcast::<TokioIo<Rewound>>() {
        Ok(parts) => return parts.io.into_inner().into_stream(parts.read_buf.to_vec()),
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
