//! The server around another service, for tower.

use std::task::{Context, Poll};

use bytes::Bytes;
use engineio::{EitherBody, EitherFuture, EngineBefore, EngineLayer};
use http_body::Body as HttpBody;
use tower_layer::Layer;
use tower_service::Service;

use super::server::{SocketIo, SocketIoService};
use crate::live::client::Client;

/// Puts a server before another service: requests inside its path are the server's, all others go on. Made by
/// [`SocketIo::layer`].
#[derive(Clone, Debug)]
pub struct SocketIoLayer(EngineLayer<Client>);

/// A server before another service, made by [`SocketIoLayer`].
#[derive(Clone, Debug)]
#[expect(
    unnameable_types,
    reason = "a layer makes it, and nobody names what layers make"
)]
pub struct SocketIoBefore<S>(EngineBefore<S, Client>);

impl<D: Send + Sync + 'static> SocketIo<D> {
    /// The server as a layer of tower, around everything else that an application serves: an axum router, for example. It
    /// is [`service`](Self::service) without a route; what that can be told, such as who the peer is, is said to it before
    /// [`into_layer`](SocketIoService::into_layer).
    ///
    /// Layers outside of this one see the requests of Socket.IO too. A time limit there has to be longer than a poll may wait,
    /// which is [`ping_interval`](engineio::Config::ping_interval), and leaves WebSockets alone once they are open.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    ///
    /// let io = socketio::SocketIo::new();
    /// let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(io.layer());
    /// # let _ = app;
    /// ```
    #[must_use]
    pub fn layer(&self) -> SocketIoLayer {
        self.service().into_layer()
    }
}

impl SocketIoService {
    /// The same as a layer of tower, around an application's other service.
    #[must_use]
    pub fn into_layer(self) -> SocketIoLayer {
        SocketIoLayer(self.0.into_layer())
    }
}

impl<S> Layer<S> for SocketIoLayer {
    type Service = SocketIoBefore<S>;

    fn layer(&self, inner: S) -> Self::Service {
        SocketIoBefore(self.0.layer(inner))
    }
}

impl<S, B, C> Service<http::Request<B>> for SocketIoBefore<S>
where
    S: Service<http::Request<B>, Response = http::Response<C>>,
    B: HttpBody<Data = Bytes> + Send + 'static,
{
    type Response = http::Response<EitherBody<C>>;
    type Error = S::Error;
    type Future = EitherFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        self.0.call(request)
    }
}
