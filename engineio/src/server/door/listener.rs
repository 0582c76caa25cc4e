//! The engine's own front door: it reads requests itself, answers WebSocket handshakes and long-polling directly, and
//! replays the first request that is neither into hyper.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, UnixListener};

use super::plain::{self, Then};
use super::service::EngineService;
use crate::body::Body;
use crate::buffers;
use crate::request::{Headers, RequestView};
use crate::server::clock;
use crate::server::exchange::answer::{self, Answer};
use crate::server::session::shared::HubOf;
use crate::server::stream::Stream;
use crate::server::stream::patience::Patience;
use crate::server::stream::rewound::Rewound;
use crate::server::tasks::spawn;
use crate::server::transport::upgrade::Upgrade;
use crate::server::transport::websocket::Task;
use crate::trace;

/// More headers than this are refused.
const HEADERS_MAX: usize = 64;

/// How long to wait when the process has no descriptor left for a connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// A connection from a [`Listener`].
#[expect(
    unnameable_types,
    reason = "to be exported, so that others can implement `Listener`"
)]
pub struct Accepted {
    stream: Stream,
    peer: Option<SocketAddr>,
}

impl std::fmt::Debug for Accepted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accepted")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// A listener that [`Engine::serve`](crate::Engine::serve) accepts from: tokio's for TCP and for Unix sockets.
pub trait Listener: Send {
    /// The next connection.
    ///
    /// # Errors
    ///
    /// As the operating system's `accept`.
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>>;

    /// Called once, before the first connection. True when accepted streams need not be told `TCP_NODELAY` any more,
    /// because they have it from the listener; false by default, which is right for any other.
    fn is_nodelay_inherited(&self) -> bool {
        false
    }
}

impl Listener for TcpListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let (stream, peer) = ready!(Self::poll_accept(self, cx))?;
        Poll::Ready(Ok(Accepted {
            stream: Stream::Tcp(stream),
            peer: Some(peer),
        }))
    }

    fn is_nodelay_inherited(&self) -> bool {
        // It is on Linux, which saves a system call for each connection.
        cfg!(target_os = "linux") && SockRef::from(self).set_tcp_nodelay(true).is_ok()
    }
}

impl Listener for UnixListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let (stream, _) = ready!(Self::poll_accept(self, cx))?;
        Poll::Ready(Ok(Accepted {
            stream: Stream::Unix(stream),
            peer: None,
        }))
    }
}

pub(crate) async fn serve<D, L>(hub: &Arc<HubOf<D>>, mut listener: L) -> io::Result<()>
where
    D: Send + Sync + 'static,
    L: Listener,
{
    let is_nodelay = listener.is_nodelay_inherited();
    loop {
        match poll_fn(|cx| listener.poll_accept(cx)).await {
            Ok(Accepted { stream, peer }) => {
                // Small packets must not wait for the acknowledgement of earlier ones.
                if let Stream::Tcp(stream) = &stream
                    && !is_nodelay
                {
                    let _ = stream.set_nodelay(true);
                }
                spawn(serve_stream(Arc::clone(hub), stream, peer));
            }
            Err(error) => match error.kind() {
                io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::Interrupted => {}
                io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected => return Err(error),
                _ => {
                    trace::warn!(%error, "no connection can be accepted");
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                }
            },
        }
    }
}

/// What a request turned out to be.
enum Next<D: Send + Sync + 'static> {
    /// Answered; there may be another.
    Another,
    /// A WebSocket handshake, accepted. The second value is what arrived behind it.
    WebSocket(Box<Upgrade<D>>, Vec<u8>),
    /// For hyper, like everything behind it.
    Http,
    /// Answered for the last time, or not worth an answer.
    Over,
}

/// Serves one connection: its requests, then the WebSocket or the hyper connection it became.
pub(crate) enum Serving<D> {
    /// What requests need; gone while a WebSocket idles.
    Beginning(Pin<Box<dyn Future<Output = Option<Task<D>>> + Send>>),
    WebSocket(Task<D>),
}

pub(crate) fn serve_stream<D: Send + Sync + 'static>(
    hub: Arc<HubOf<D>>,
    stream: Stream,
    peer: Option<SocketAddr>,
) -> Serving<D> {
    Serving::Beginning(Box::pin(begin(hub, stream, peer)))
}

impl<D: Send + Sync + 'static> Future for Serving<D> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut *self {
                Self::Beginning(beginning) => match ready!(beginning.as_mut().poll(cx)) {
                    Some(websocket) => *self = Self::WebSocket(websocket),
                    None => return Poll::Ready(()),
                },
                Self::WebSocket(websocket) => return Pin::new(websocket).poll(cx),
            }
        }
    }
}

/// The WebSocket that the connection became; `None` when the connection is over.
async fn begin<D: Send + Sync + 'static>(
    hub: Arc<HubOf<D>>,
    mut stream: Stream,
    peer: Option<SocketAddr>,
) -> Option<Task<D>> {
    let mut read = Vec::new();
    let head = timely_head(&hub, &mut stream, &mut read, peer).await?;
    if let Head::Answered(Answer::Upgrade(upgrade), length) = head {
        let behind = read.get(length..).unwrap_or_default().to_vec();
        return Some(upgrade.answer_and_run(stream, behind));
    }
    // What any other request needs is large, and most connections begin with a handshake that nobody waits for.
    Box::pin(answer_requests(hub, stream, peer, read, head)).await
}

/// Answers one request after another, of which `head` is the first.
async fn answer_requests<D: Send + Sync + 'static>(
    hub: Arc<HubOf<D>>,
    mut stream: Stream,
    peer: Option<SocketAddr>,
    mut read: Vec<u8>,
    mut head: Head<D>,
) -> Option<Task<D>> {
    loop {
        match answer_request(&hub, &mut stream, &mut read, peer, head).await {
            Next::Another => {}
            Next::WebSocket(upgrade, behind) => {
                return Some(upgrade.answer_and_run(stream, behind));
            }
            Next::Http => {
                let stream = Rewound::new(stream, read, hub.config.write_timeout);
                Box::pin(serve_http(&hub, stream, peer)).await;
                return None;
            }
            Next::Over => return None,
        }
        head = timely_head(&hub, &mut stream, &mut read, peer).await?;
    }
}

/// Answers the request that begins with `head`. What was read and not used stays in `read`.
async fn answer_request<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    stream: &mut Stream,
    read: &mut Vec<u8>,
    peer: Option<SocketAddr>,
    head: Head<D>,
) -> Next<D> {
    let limit = hub.config.write_timeout;
    let (method, head_length, body_length) = match head {
        Head::Answered(answer, length) => {
            let behind = read.get(length..).unwrap_or_default().to_vec();
            return conclude(stream, read, behind, answer, limit).await;
        }
        Head::Whole(method, head_length, body_length) => (method, head_length, body_length),
        Head::Other => return Next::Http,
        Head::TooLarge => {
            trace::debug!("the head of a request is too large");
            let refusal = b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            let _ = write_timely(stream, refusal, limit).await;
            let _ = tokio::time::timeout(limit, stream.shutdown()).await;
            return Next::Over;
        }
    };
    let length = head_length + body_length;
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    if request.parse(read).is_err() {
        return Next::Http;
    }
    let view = view(&method, &request, peer);
    let body = read.get(head_length..length).unwrap_or_default();
    let answer = answer::answer(hub, &view, Body::full(Bytes::copy_from_slice(body)));
    let mut behind = read.get(length..).unwrap_or_default().to_vec();
    match while_connected(stream, &mut behind, answer).await {
        Some(answer) => conclude(stream, read, behind, answer, limit).await,
        None => Next::Over,
    }
}

/// Sends what a request is answered with; `behind` is what arrived behind it.
async fn conclude<D: Send + Sync + 'static>(
    stream: &mut Stream,
    read: &mut Vec<u8>,
    behind: Vec<u8>,
    answer: Answer<D>,
    limit: Duration,
) -> Next<D> {
    match answer {
        Answer::Upgrade(upgrade) => Next::WebSocket(upgrade, behind),
        Answer::Response(response) => {
            // A connection that waits for its next request holds no buffer.
            *read = behind;
            match send_response(stream, response, limit).await {
                Then::KeepAlive => Next::Another,
                Then::Close => Next::Over,
            }
        }
    }
}

fn view<'r>(
    method: &'r Method,
    request: &'r httparse::Request<'r, 'r>,
    peer: Option<SocketAddr>,
) -> RequestView<'r> {
    let path = request.path.unwrap_or("/");
    RequestView::new(method, path, Headers::Raw(request.headers), peer, false)
}

/// Waits for an answer for as long as the client does. What it sends meanwhile is kept, once; a client that goes on
/// sending has to wait.
async fn while_connected<T>(
    stream: &mut Stream,
    behind: &mut Vec<u8>,
    answer: impl Future<Output = T>,
) -> Option<T> {
    let mut answer = pin!(answer);
    poll_fn(|cx| {
        if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
            return Poll::Ready(Some(answer));
        }
        while behind.is_empty() {
            if !matches!(ready!(poll_read(stream, behind, cx)), Ok(count) if count > 0) {
                return Poll::Ready(None);
            }
        }
        Poll::Pending
    })
    .await
}

/// Appends what one read takes, which is held by nobody while there is nothing to read.
fn poll_read(
    stream: &mut Stream,
    read: &mut Vec<u8>,
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    buffers::with_scratch(|scratch| {
        let mut buffer = ReadBuf::new(scratch);
        ready!(Pin::new(stream).poll_read(cx, &mut buffer))?;
        read.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    })
}

enum Head<D: Send + Sync + 'static> {
    /// A WebSocket handshake that nobody had to be waited for, and how long it is.
    Answered(Answer<D>, usize),
    /// A whole request inside the path that is answered without hyper; how long its head and its body are.
    Whole(Method, usize, usize),
    Other,
    TooLarge,
}

/// The head of the next request; `None` when none comes in time.
async fn timely_head<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    stream: &mut Stream,
    read: &mut Vec<u8>,
    peer: Option<SocketAddr>,
) -> Option<Head<D>> {
    let head = tokio::time::timeout(
        hub.config.header_timeout,
        read_head(hub, stream, read, peer),
    );
    match head.await {
        Ok(head) => head.ok(),
        Err(_) => {
            trace::debug!("the head of a request did not come in time");
            None
        }
    }
}

/// Reads until the head of a request is whole, or hyper had better see it.
async fn read_head<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    stream: &mut Stream,
    read: &mut Vec<u8>,
    peer: Option<SocketAddr>,
) -> io::Result<Head<D>> {
    loop {
        if !read.is_empty()
            && let Some(head) = parse_head(hub, read, peer)
        {
            return Ok(head);
        }
        if poll_fn(|cx| poll_read(stream, read, cx)).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// What the head of a request asks for; `None` when it is not there as a whole.
fn parse_head<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    read: &[u8],
    peer: Option<SocketAddr>,
) -> Option<Head<D>> {
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    let length = match request.parse_with_uninit_headers(read, &mut headers) {
        Ok(httparse::Status::Complete(length)) => length,
        // Hyper knows how to answer what it cannot parse either.
        Err(_) => return Some(Head::Other),
        Ok(httparse::Status::Partial) => {
            return (read.len() > hub.config.max_header_bytes).then_some(Head::TooLarge);
        }
    };
    // However few reads it came in.
    if length > hub.config.max_header_bytes {
        return Some(Head::TooLarge);
    }
    let path = request.path.unwrap_or("/");
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    if !hub.path.matches(path) {
        return Some(Head::Other);
    }
    let is_upgrade = request
        .headers
        .iter()
        .any(|header| header.name.eq_ignore_ascii_case("upgrade"));
    if is_upgrade && request.method == Some("GET") && hub.config.websocket {
        let answer = answer::answer_handshake(hub, &view(&Method::GET, &request, peer));
        return Some(match answer {
            Some(answer) => Head::Answered(answer, length),
            None => Head::Whole(Method::GET, length, 0),
        });
    }
    let whole = plain::accept(&request).filter(|(_, body)| *body <= read.len() - length);
    Some(whole.map_or(Head::Other, |(method, body)| {
        Head::Whole(method, length, body)
    }))
}

/// Sends a response; whether the connection goes on.
async fn send_response(
    stream: &mut Stream,
    response: http::Response<Body>,
    limit: Duration,
) -> Then {
    let mut out = buffers::take();
    let then = plain::write_response(clock::now(), response, &mut out);
    let is_sent = write_timely(stream, &out, limit).await.is_ok();
    buffers::give_back(out);
    if then == Some(Then::KeepAlive) && is_sent {
        return Then::KeepAlive;
    }
    if then.is_some() {
        let _ = tokio::time::timeout(limit, stream.shutdown()).await;
    }
    Then::Close
}

/// Writes all of it, unless the peer takes nothing for as long as the limit.
async fn write_timely(stream: &mut Stream, mut bytes: &[u8], limit: Duration) -> io::Result<()> {
    let mut patience = Patience::new(limit);
    poll_fn(|cx| {
        while !bytes.is_empty() {
            let attempt = Pin::new(&mut *stream).poll_write(cx, bytes);
            let written = ready!(patience.bound(cx, attempt))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            bytes = bytes.get(written..).unwrap_or_default();
        }
        let attempt = Pin::new(&mut *stream).poll_flush(cx);
        patience.bound(cx, attempt)
    })
    .await
}

async fn serve_http<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    stream: Rewound,
    peer: Option<SocketAddr>,
) {
    let mut service = EngineService::new(Arc::clone(hub));
    if let Some(peer) = peer {
        service = service.peer(peer);
    }
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(hub.config.header_timeout)
        .max_buf_size(hub.config.max_header_bytes.max(8192))
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
        .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_has_nodelay_where_the_listener_says_that_it_inherits_it() {
        let mut listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let is_inherited = listener.is_nodelay_inherited();
        assert_eq!(is_inherited, cfg!(target_os = "linux"));
        let address = listener.local_addr().unwrap();
        let _client = tokio::net::TcpStream::connect(address).await.unwrap();
        let accepted = poll_fn(|cx| Listener::poll_accept(&mut listener, cx)).await;
        let is_nodelay = match accepted.unwrap().stream {
            Stream::Tcp(stream) => stream.nodelay().ok(),
            _ => None,
        };
        assert_eq!(is_nodelay, Some(is_inherited));
    }
}
