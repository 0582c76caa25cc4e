//! The front door for other nodes: a listener of its own, for requests that they pass on.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use http::StatusCode;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use super::listener::EXHAUSTED_PAUSE;
use super::response::empty;
use super::service;
use crate::body::Body;
use crate::http::request::Caller;
use crate::nodes::Nodes;
use crate::server::nodes::card;
use crate::server::nodes::link::{
    CONNECTION_WINDOW, HEAD_MAX_BYTES, MAX_STREAMS, SILENCE, STREAM_WINDOW,
};
use crate::server::session::shared::HubOf;
use crate::server::tasks::{Spawning, spawn};
use crate::trace;

/// Accepts connections of other nodes until accepting fails for good.
pub(crate) async fn serve<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    listener: TcpListener,
) -> io::Result<()> {
    let Some(nodes) = &hub.config.nodes else {
        let error = "there are no nodes: Config::nodes was not called";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => spawn(serve_node(Arc::clone(hub), nodes.clone(), stream)),
            Err(error) => match error.kind() {
                io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected => return Err(error),
                _ => {
                    trace::warn!(%error, "no connection of a node can be accepted");
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                }
            },
        }
    }
}

async fn serve_node<D: Send + Sync + 'static>(hub: Arc<HubOf<D>>, nodes: Nodes, stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let (hub, nodes) = (Arc::clone(&hub), nodes.clone());
        async move { Ok::<_, Infallible>(answer(&hub, &nodes, request).await) }
    });
    let max_streams = u32::try_from(MAX_STREAMS).unwrap_or(u32::MAX);
    // How it ends is nobody's here: the node at the other end tells its clients.
    let _ = http2::Builder::new(Spawning)
        .timer(TokioTimer::new())
        .keep_alive_interval(SILENCE)
        .keep_alive_timeout(SILENCE)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(max_streams)
        .max_header_list_size(HEAD_MAX_BYTES)
        // Clients leave whenever they like, and thousands may at once.
        .max_pending_accept_reset_streams(MAX_STREAMS)
        .enable_connect_protocol()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    nodes: &Nodes,
    mut request: http::Request<hyper::body::Incoming>,
) -> http::Response<Body> {
    let Some(card) = card::take(nodes, request.headers_mut()) else {
        trace::warn!("a request that no node has passed on came to the listener of the nodes");
        return empty(StatusCode::FORBIDDEN);
    };
    request.extensions_mut().insert(card);
    service::handle(hub, request, Caller::UNKNOWN, true).await
}
