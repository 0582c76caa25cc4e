//! The engine's own front door: it reads the first request itself, answers a WebSocket handshake directly and
//! replays anything else into hyper.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt as _, Empty};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, UnixListener};

use super::buffers;
use super::exchange::{self, Answer};
use super::hub::Hub;
use super::service::{EngineService, spawn};
use super::socket::{Stream, Task};
use super::upgrade::Upgrade;
use crate::body::Body;
use crate::request::{Headers, RequestView};
use crate::trace;

/// More headers than this are refused.
const HEADERS_MAX: usize = 64;

/// How long to wait when the process has no descriptor left for a connection.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(50);

/// A connection from a [`Listener`].
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
}

impl Listener for TcpListener {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let (stream, peer) = ready!(Self::poll_accept(self, cx))?;
        // Small packets must not wait for the acknowledgement of earlier ones.
        let _ = stream.set_nodelay(true);
        Poll::Ready(Ok(Accepted {
            stream: Stream::Tcp(stream),
            peer: Some(peer),
        }))
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

pub(super) async fn serve<D, L>(hub: &Arc<Hub<D>>, mut listener: L) -> io::Result<()>
where
    D: Send + Sync + 'static,
    L: Listener,
{
    loop {
        match poll_fn(|cx| listener.poll_accept(cx)).await {
            Ok(Accepted { stream, peer }) => {
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

/// What the first request turned out to be.
enum First<D: Send + Sync + 'static> {
    /// A WebSocket handshake, accepted. The second value is what arrived behind it.
    WebSocket(Box<Upgrade<D>>, Vec<u8>),
    /// Anything else, for hyper.
    Http(Vec<u8>),
    /// Answered, or not worth an answer.
    Over,
}

/// Serves one connection: its first request, then the WebSocket or the hyper connection it became.
pub(super) enum Serving<D> {
    /// What the first request needs; gone while a WebSocket idles.
    Beginning(Pin<Box<dyn Future<Output = Option<Task<D>>> + Send>>),
    WebSocket(Task<D>),
}

pub(super) fn serve_stream<D: Send + Sync + 'static>(
    hub: Arc<Hub<D>>,
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
    hub: Arc<Hub<D>>,
    mut stream: Stream,
    peer: Option<SocketAddr>,
) -> Option<Task<D>> {
    match first_request(&hub, &mut stream, peer).await {
        First::WebSocket(upgrade, rest) => Some(upgrade.answer_and_run(stream, rest)),
        First::Http(head) => {
            Box::pin(serve_http(&hub, Rewound::new(stream, head), peer)).await;
            None
        }
        First::Over => None,
    }
}

async fn first_request<D: Send + Sync + 'static>(
    hub: &Arc<Hub<D>>,
    stream: &mut Stream,
    peer: Option<SocketAddr>,
) -> First<D> {
    let mut head = buffers::take();
    let read = tokio::time::timeout(hub.config.header_timeout, read_head(hub, stream, &mut head));
    let length = match read.await {
        Ok(Ok(Head::WebSocket(length))) => length,
        Ok(Ok(Head::Other)) => return First::Http(head),
        Ok(Ok(Head::TooLarge)) => {
            trace::debug!("the head of a request is too large");
            let _ = stream
                .write_all(b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
                .await;
            return First::Over;
        }
        Ok(Err(_)) => return First::Over,
        Err(_) => {
            trace::debug!("the head of a request did not come in time");
            return First::Over;
        }
    };
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    if request.parse(&head).is_err() {
        return First::Http(head);
    }
    let target = request.path.unwrap_or("/");
    let view = RequestView::new(
        &Method::GET,
        target,
        Headers::Raw(request.headers),
        peer,
        false,
    );
    match exchange::answer(hub, &view, Empty::<Bytes>::new()).await {
        Answer::Upgrade(upgrade) => {
            let rest = head.get(length..).unwrap_or_default().to_vec();
            buffers::give_back(head);
            First::WebSocket(Box::new(upgrade), rest)
        }
        Answer::Response(response) => {
            write_response(stream, response).await;
            First::Over
        }
    }
}

enum Head {
    /// A GET with an `Upgrade` header inside the path; the head is this long.
    WebSocket(usize),
    Other,
    TooLarge,
}

/// Reads until the head of the first request is whole, or hyper had better see it.
async fn read_head<D: Send + Sync + 'static>(
    hub: &Hub<D>,
    stream: &mut Stream,
    head: &mut Vec<u8>,
) -> io::Result<Head> {
    loop {
        let count = poll_fn(|cx| {
            buffers::with_scratch(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                ready!(Pin::new(&mut *stream).poll_read(cx, &mut buffer))?;
                head.extend_from_slice(buffer.filled());
                Poll::Ready(io::Result::Ok(buffer.filled().len()))
            })
        })
        .await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(head) {
            // However few reads it came in.
            Ok(httparse::Status::Complete(length)) if length > hub.config.max_header_bytes => {
                return Ok(Head::TooLarge);
            }
            Ok(httparse::Status::Complete(length)) => {
                let path = request.path.unwrap_or("/");
                let path = path.split_once('?').map_or(path, |(path, _)| path);
                let is_websocket = request.method == Some("GET")
                    && hub.config.websocket
                    && hub.path.matches(path)
                    && request
                        .headers
                        .iter()
                        .any(|header| header.name.eq_ignore_ascii_case("upgrade"));
                return Ok(if is_websocket {
                    Head::WebSocket(length)
                } else {
                    Head::Other
                });
            }
            // Hyper knows how to answer what it cannot parse either.
            Err(_) => return Ok(Head::Other),
            Ok(httparse::Status::Partial) if head.len() > hub.config.max_header_bytes => {
                return Ok(Head::TooLarge);
            }
            Ok(httparse::Status::Partial) => {}
        }
    }
}

async fn write_response(stream: &mut Stream, response: http::Response<Body>) {
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let reason = parts.status.canonical_reason().unwrap_or_default();
    let mut out = format!("HTTP/1.1 {} {reason}\r\n", parts.status.as_str()).into_bytes();
    for (name, value) in &parts.headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    out.extend_from_slice(&body);
    let _ = stream.write_all(&out).await;
    let _ = stream.shutdown().await;
}

async fn serve_http<D: Send + Sync + 'static>(
    hub: &Arc<Hub<D>>,
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

/// A stream whose first bytes were read already.
pub(super) struct Rewound {
    stream: Stream,
    head: Vec<u8>,
    taken: usize,
}

impl Rewound {
    fn new(stream: Stream, head: Vec<u8>) -> Self {
        Self {
            stream,
            head,
            taken: 0,
        }
    }

    /// The stream, and what was read of it and not used: by hyper, and before hyper.
    pub(super) fn into_stream(self, by_hyper: Vec<u8>) -> (Stream, Vec<u8>) {
        let mut rest = by_hyper;
        rest.extend_from_slice(self.head.get(self.taken..).unwrap_or_default());
        (self.stream, rest)
    }
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let left = this.head.get(this.taken..).unwrap_or_default();
        if left.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let count = left.len().min(buffer.remaining());
        buffer.put_slice(left.get(..count).unwrap_or_default());
        this.taken += count;
        if this.taken == this.head.len() {
            buffers::give_back(std::mem::take(&mut this.head));
            this.taken = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }
}
