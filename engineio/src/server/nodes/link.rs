//! One connection of HTTP/2 to each other node, opened when it is first needed and again when it has ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::lock::Lock;
use crate::server::clock;
use crate::server::tasks::{Spawning, spawn};

/// How many requests and WebSockets may be with one other node at a time.
pub(crate) const MAX_STREAMS: usize = 100_000;

/// How much of one stream may be on its way, which whoever does not read keeps there. The windows of all streams together
/// fit that of the connection, so that none waits for another.
pub(crate) const STREAM_WINDOW: u32 = 64 * 1024;
pub(crate) const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// A node that says nothing for as long as this is asked for a sign of life, and has as long again to give it.
pub(crate) const SILENCE: Duration = Duration::from_secs(5);

/// The heads of both directions. More than any front door lets in: what a client may say is decided there.
pub(crate) const HEAD_MAX_BYTES: u32 = 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a node counts as gone that could not be reached, so that its clients are not kept waiting one behind another.
const GONE_FOR: Duration = Duration::from_secs(1);

/// The connections to the other nodes, by address.
pub(crate) struct Links {
    links: Lock<HashMap<Arc<str>, Arc<Link>>>,
    max_streams: usize,
}

struct Link {
    address: Arc<str>,
    streams: Arc<Semaphore>,
    state: Lock<State>,
    /// Held by whoever connects.
    connecting: Semaphore,
}

enum State {
    Unopened,
    Open(http2::SendRequest<Full<Bytes>>),
    /// It could not be reached, at this time.
    Gone(Instant),
}

/// Why a request was not passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreached {
    /// The node is not there.
    Gone,
    /// As many requests are with it as may be.
    Busy,
}

/// A place among the streams of a connection.
pub(crate) struct StreamPlace(
    #[expect(dead_code, reason = "to be given back")] OwnedSemaphorePermit,
);

impl Default for Links {
    fn default() -> Self {
        Self::new(MAX_STREAMS)
    }
}

impl Links {
    fn new(max_streams: usize) -> Self {
        Self {
            links: Lock::new(HashMap::new()),
            max_streams,
        }
    }

    /// Sends a request to the node at the address, and waits for the head of its answer.
    pub(crate) async fn send(
        &self,
        address: &Arc<str>,
        request: http::Request<Full<Bytes>>,
    ) -> Result<(http::Response<Incoming>, StreamPlace), Unreached> {
        let link = self.link(address);
        let place = Arc::clone(&link.streams).try_acquire_owned();
        let place = StreamPlace(place.map_err(|_| Unreached::Busy)?);
        let mut sender = link.sender().await.ok_or(Unreached::Gone)?;
        let response = sender.send_request(request).await;
        Ok((response.map_err(|_| Unreached::Gone)?, place))
    }

    fn link(&self, address: &Arc<str>) -> Arc<Link> {
        let mut links = self.links.lock();
        if let Some(link) = links.get(address) {
            return Arc::clone(link);
        }
        // Those that nobody uses may be of nodes that are gone for good. They are opened again if not.
        links.retain(|_, link| Arc::strong_count(link) > 1 || link.is_in_use(self.max_streams));
        let link = Arc::new(Link {
            address: Arc::clone(address),
            streams: Arc::new(Semaphore::new(self.max_streams)),
            state: Lock::new(State::Unopened),
            connecting: Semaphore::new(1),
        });
        links.insert(Arc::clone(address), Arc::clone(&link));
        link
    }
}

impl Link {
    fn is_in_use(&self, max_streams: usize) -> bool {
        self.streams.available_permits() < max_streams
    }

    /// What sends requests, after at most one attempt to connect.
    async fn sender(&self) -> Option<http2::SendRequest<Full<Bytes>>> {
        if let Some(known) = self.known() {
            return known;
        }
        let _connecting = self.connecting.acquire().await.ok()?;
        // Somebody else may have connected meanwhile, or failed to.
        if let Some(known) = self.known() {
            return known;
        }
        let opened = timeout(CONNECT_TIMEOUT, open(&self.address)).await;
        let opened = opened.ok().flatten();
        let state = match &opened {
            Some(sender) => State::Open(sender.clone()),
            None => State::Gone(clock::now()),
        };
        let before = std::mem::replace(&mut *self.state.lock(), state);
        drop(before);
        opened
    }

    /// What is known without another attempt: what sends requests, or that the node is gone.
    fn known(&self) -> Option<Option<http2::SendRequest<Full<Bytes>>>> {
        match &*self.state.lock() {
            State::Open(sender) if !sender.is_closed() => Some(Some(sender.clone())),
            State::Gone(since) => {
                let gone_for = clock::now().saturating_duration_since(*since);
                (gone_for < GONE_FOR).then_some(None)
            }
            State::Open(_) | State::Unopened => None,
        }
    }
}

async fn open(address: &str) -> Option<http2::SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.ok()?;
    let _ = stream.set_nodelay(true);
    let (sender, connection) = http2::Builder::new(Spawning)
        .timer(TokioTimer::new())
        .keep_alive_interval(SILENCE)
        .keep_alive_timeout(SILENCE)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(HEAD_MAX_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .ok()?;
    spawn(async move {
        // How it ends, whoever waits for an answer is told.
        let _ = connection.await;
    });
    Some(sender)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::*;

    fn request() -> http::Request<Full<Bytes>> {
        let mut request = http::Request::new(Full::default());
        *request.uri_mut() = http::Uri::from_static("http://node/");
        request
    }

    /// Accepts, and says nothing.
    async fn silent() -> (TcpListener, Arc<str>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        (listener, address.into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_falls_silent_is_given_up_and_asked_again_later() {
        let links = Links::default();
        let (_listener, address) = silent().await;
        for _ in 0..2 {
            let begun = clock::now();
            let sent = links.send(&address, request()).await;
            assert_eq!(sent.err(), Some(Unreached::Gone));
            let took = clock::now() - begun;
            assert!(took <= 2 * SILENCE + CONNECT_TIMEOUT, "{took:?}");
        }
    }

    #[tokio::test]
    async fn a_node_that_is_not_there_is_not_waited_for_again_at_once() {
        let links = Links::default();
        let (listener, address) = silent().await;
        drop(listener);
        for _ in 0..2 {
            let sent = links.send(&address, request()).await;
            assert_eq!(sent.err(), Some(Unreached::Gone));
        }
        let link = links.link(&address);
        assert!(matches!(*link.state.lock(), State::Gone(_)));
    }

    #[tokio::test]
    async fn as_many_streams_as_may_be_are_with_a_node_and_not_one_more() {
        let links = Arc::new(Links::new(2));
        let (_listener, address) = silent().await;
        let mut waiting = JoinSet::new();
        for _ in 0..2 {
            let (links, address) = (Arc::clone(&links), Arc::clone(&address));
            waiting.spawn(async move { links.send(&address, request()).await.err() });
        }
        let link = links.link(&address);
        while link.streams.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let refused = links.send(&address, request()).await;
        assert_eq!(refused.err(), Some(Unreached::Busy));
        // Whoever leaves gives the place back.
        waiting.shutdown().await;
        assert_eq!(link.streams.available_permits(), 2);
    }

    #[tokio::test]
    async fn what_nobody_uses_is_forgotten_when_another_node_comes() {
        let links = Links::default();
        drop(links.link(&"old:1".into()));
        let used = links.link(&"used:1".into());
        drop(links.link(&"new:1".into()));
        let mut known: Vec<_> = links.links.lock().keys().cloned().collect();
        known.sort();
        assert_eq!(known, ["new:1".into(), "used:1".into()]);
        drop(used);
    }
}
