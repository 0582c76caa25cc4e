//! HTTP/1.1 on a stream of ours: reads requests one after another, and answers them in order.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

use super::incoming::{Incoming, Line, poll_read};
use super::response::{self, Persistence};
use crate::buffers;
use crate::http::content::{Framing, Rest};
use crate::http::request::Caller;
use crate::http::{Head, HeadLimits};
use crate::lock::Lock;
use crate::server::clock;
use crate::server::exchange::answer;
use crate::server::exchange::response::{Answer, Response};
use crate::server::session::shared::HubOf;
use crate::server::stream::Stream;
use crate::server::stream::patience::{Idle, Patience};
use crate::server::transport::polling::Content;
use crate::server::transport::websocket::Task;
use crate::trace;

/// How much longer a connection is kept than its client was told, so that a request that was sent in time is not lost.
const KEEP_ALIVE_GRACE: Duration = Duration::from_secs(1);

/// Serves one connection: its requests, then the WebSocket it became.
pub(crate) enum Serving<D> {
    /// Nothing was read yet.
    Fresh(Option<Fresh<D>>),
    /// What requests need; gone while a WebSocket idles.
    Beginning(Pin<Box<dyn Future<Output = Option<Became<D>>> + Send>>),
    WebSocket(Task<D>),
    #[cfg(feature = "nodes")]
    Tunnel(Carrying),
}

/// What a connection has become.
pub(crate) enum Became<D> {
    WebSocket(Task<D>),
    /// A WebSocket whose session another node has.
    #[cfg(feature = "nodes")]
    Tunnel(Carrying),
}

#[cfg(feature = "nodes")]
type Carrying = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) fn serve<D: Send + Sync + 'static>(
    hub: Arc<HubOf<D>>,
    stream: Stream,
    caller: Caller,
) -> Serving<D> {
    Serving::Fresh(Some(Fresh {
        hub,
        stream,
        caller,
    }))
}

/// A connection that was accepted.
pub(crate) struct Fresh<D> {
    hub: Arc<HubOf<D>>,
    stream: Stream,
    caller: Caller,
}

impl<D: Send + Sync + 'static> Fresh<D> {
    /// Most connections begin with a handshake that is there as a whole and that nobody has to be waited for. It is answered
    /// where it was read: no clock is set for it, and the state of whoever waits for requests, the largest piece of memory
    /// of a connection, is not even made.
    fn begin(mut self, cx: &mut Context<'_>) -> Serving<D> {
        let (read, next) = buffers::with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            // Whatever it is that keeps it from being read comes up again.
            let _ = Pin::new(&mut self.stream).poll_read(cx, &mut buffer);
            let read = buffer.filled_mut();
            let next = head_in(&self.hub, read, self.caller);
            let used = match &next {
                Some(Next::Answered(head, Answer::Upgrade(_))) => head.length,
                _ => 0,
            };
            (read.get(used..).unwrap_or_default().to_vec(), next)
        });
        if let Some(Next::Answered(_, Answer::Upgrade(upgrade))) = next {
            return Serving::WebSocket(upgrade.answer_and_run(self.stream, read));
        }
        let beginning = begin(self.hub, self.stream, self.caller, read, next);
        Serving::Beginning(Box::pin(beginning))
    }
}

impl<D: Send + Sync + 'static> Future for Serving<D> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            match &mut *self {
                Self::Fresh(fresh) => match fresh.take() {
                    Some(fresh) => *self = fresh.begin(cx),
                    None => return Poll::Ready(()),
                },
                Self::Beginning(beginning) => match ready!(beginning.as_mut().poll(cx)) {
                    Some(Became::WebSocket(websocket)) => *self = Self::WebSocket(websocket),
                    #[cfg(feature = "nodes")]
                    Some(Became::Tunnel(carrying)) => *self = Self::Tunnel(carrying),
                    None => return Poll::Ready(()),
                },
                Self::WebSocket(websocket) => return Pin::new(websocket).poll(cx),
                #[cfg(feature = "nodes")]
                Self::Tunnel(carrying) => return carrying.as_mut().poll(cx),
            }
        }
    }
}

/// What comes next on a connection.
enum Next<D: Send + Sync + 'static> {
    Request(Head),
    /// A WebSocket handshake that nobody had to be waited for; what it is answered with.
    Answered(Head, Answer<D>),
    /// No request: what is said to that.
    Refused(StatusCode),
    /// Nothing.
    End,
}

/// What the connection became; `None` when the connection is over. `next` is what the bytes were that have
/// been `read`, where these are a whole head.
async fn begin<D: Send + Sync + 'static>(
    hub: Arc<HubOf<D>>,
    mut stream: Stream,
    caller: Caller,
    mut read: Vec<u8>,
    next: Option<Next<D>>,
) -> Option<Became<D>> {
    let next = match next {
        Some(next) => next,
        None => timely_head(&hub, &mut stream, &mut read, caller).await,
    };
    if let Next::Answered(head, Answer::Upgrade(upgrade)) = next {
        let behind = read.get(head.length..).unwrap_or_default().to_vec();
        return Some(Became::WebSocket(upgrade.answer_and_run(stream, behind)));
    }
    let line = Line {
        stream,
        read,
        rest: Rest::new(Framing::Length(0)),
        leave: b"",
    };
    // What any other request needs is large, and most connections begin with a handshake that nobody waits for.
    Box::pin(answer_requests(hub, line, caller, next)).await
}

/// Answers one request after another, of which `next` is the first.
async fn answer_requests<D: Send + Sync + 'static>(
    hub: Arc<HubOf<D>>,
    mut line: Line,
    caller: Caller,
    mut next: Next<D>,
) -> Option<Became<D>> {
    let limit = hub.config.write_timeout;
    let idle = hub.config.keep_alive_timeout;
    let mut idle = Idle::new(idle.saturating_add(KEEP_ALIVE_GRACE));
    loop {
        let owed = hub.answers.owe();
        let (head, answer) = match next {
            Next::Request(head) => {
                let answer;
                if let Some(length) = whole_content(&line, &head) {
                    answer = answer_whole(&hub, &mut line, caller, &head, length).await;
                } else {
                    (line, answer) = answer_request(&hub, line, caller, &head).await;
                }
                // The client has left.
                (head, answer?)
            }
            Next::Answered(head, answer) => {
                line.read.drain(..head.length);
                (head, answer)
            }
            Next::Refused(status) => {
                trace::debug!(%status, "no request could be read");
                refuse(line, status, limit).await;
                return None;
            }
            Next::End => {
                end(&mut line.stream, limit).await;
                return None;
            }
        };
        let response = match answer {
            Answer::Upgrade(upgrade) => {
                let websocket = upgrade.answer_and_run(line.stream, line.read);
                return Some(Became::WebSocket(websocket));
            }
            #[cfg(feature = "nodes")]
            Answer::Tunnel(tunnel) => {
                let carrying = tunnel.answer_and_run(line.stream, line.read);
                return Some(Became::Tunnel(Box::pin(carrying)));
            }
            Answer::Response(response) => response,
        };
        // Where the next request begins is not known before the content has ended.
        let persistence = if head.message.is_persistent && line.rest.is_over() {
            Persistence::KeepAlive(hub.config.keep_alive_timeout)
        } else {
            Persistence::Close
        };
        let is_head = head.method == Method::HEAD;
        // A connection that waits for its next request holds nothing of the last one.
        drop(head);
        let sent = send_response(&mut line.stream, response, persistence, is_head, limit).await;
        drop(owed);
        match sent {
            Sent::All => {}
            Sent::Last => {
                leave(line, limit).await;
                return None;
            }
            Sent::Nothing => {
                end(&mut line.stream, limit).await;
                return None;
            }
            Sent::Failed => return None,
        }
        next = next_head(&hub, &mut line, caller, &mut idle).await;
    }
}

/// How long the content of a request is, if it is here as a whole.
fn whole_content(line: &Line, head: &Head) -> Option<usize> {
    let Framing::Length(length) = head.message.framing else {
        return None;
    };
    let here = line.read.len().saturating_sub(head.length);
    usize::try_from(length)
        .ok()
        .filter(|&length| length <= here)
}

/// Answers the request with this head, whose content is here as a whole; `None` when the client does not wait for it.
async fn answer_whole<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    line: &mut Line,
    caller: Caller,
    head: &Head,
    length: usize,
) -> Option<Answer<D>> {
    line.rest = Rest::Length(0);
    line.leave = b"";
    let read = std::mem::take(&mut line.read);
    let end = head.length + length;
    line.read
        .extend_from_slice(read.get(end..).unwrap_or_default());
    let view = hub.identify(head.view(&read, &caller));
    if !hub.path.matches(view.path()) {
        return Some(not_found());
    }
    let content = read.get(head.length..end).unwrap_or_default();
    let content = Content::<Incoming<'_>>::Whole(content);
    while_connected(line, answer::answer(hub, &view, content)).await
}

/// Answers the request with this head; `None` when the client does not wait for it. Its content is read meanwhile.
async fn answer_request<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    mut line: Line,
    caller: Caller,
    head: &Head,
) -> (Line, Option<Answer<D>>) {
    line.rest = Rest::new(head.message.framing);
    line.leave = b"";
    let behind = line.read.split_off(head.length);
    let read = std::mem::replace(&mut line.read, behind);
    let view = hub.identify(head.view(&read, &caller));
    if !hub.path.matches(view.path()) {
        return (line, Some(not_found()));
    }
    if head.message.expects_continue && line.read.is_empty() {
        line.owe_leave();
    }
    let line = Lock::new(line);
    let answer = {
        let mut answer = pin!(answer::answer(hub, &view, Content::Coming(Incoming(&line))));
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(Some(answer));
            }
            let mut line = line.lock();
            if line.rest.is_over() {
                return poll_gone(&mut line, cx).map(|()| None);
            }
            // Whoever waits for the content notices the end.
            Poll::Pending
        })
        .await
    };
    (line.into_inner(), answer)
}

fn not_found<D: Send + Sync + 'static>() -> Answer<D> {
    Answer::Response(Response::empty(StatusCode::NOT_FOUND))
}

/// Waits for an answer for as long as the client does.
async fn while_connected<T>(line: &mut Line, answer: impl Future<Output = T>) -> Option<T> {
    let mut answer = pin!(answer);
    poll_fn(|cx| match answer.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => poll_gone(line, cx).map(|()| None),
    })
    .await
}

/// Ready when the client has left. What it sends meanwhile is kept, once; a client that goes on sending has to wait.
fn poll_gone(line: &mut Line, cx: &mut Context<'_>) -> Poll<()> {
    while line.read.is_empty() {
        if !matches!(ready!(line.poll_read(cx)), Ok(count) if count > 0) {
            return Poll::Ready(());
        }
    }
    Poll::Pending
}

/// The head of the next request, for which a connection may idle first.
async fn next_head<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    line: &mut Line,
    caller: Caller,
    idle: &mut Idle,
) -> Next<D> {
    if line.read.is_empty() {
        idle.begin();
        let read = poll_fn(|cx| match line.poll_read(cx) {
            Poll::Pending => idle.poll_over(cx).map(|()| None),
            Poll::Ready(read) => Poll::Ready(read.ok()),
        });
        if read.await.unwrap_or(0) == 0 {
            return Next::End;
        }
    }
    timely_head(hub, &mut line.stream, &mut line.read, caller).await
}

/// The head of a request that has begun, or of the first one of a connection.
async fn timely_head<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    stream: &mut Stream,
    read: &mut Vec<u8>,
    caller: Caller,
) -> Next<D> {
    // As most are: no clock is set for what is there.
    if let Some(next) = head_in(hub, read, caller) {
        return next;
    }
    let head = read_head(hub, stream, read, caller);
    match timeout(hub.config.header_timeout, head).await {
        Ok(next) => next.unwrap_or(Next::End),
        Err(_) if read.is_empty() => Next::End,
        Err(_) => Next::Refused(StatusCode::REQUEST_TIMEOUT),
    }
}

async fn read_head<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    stream: &mut Stream,
    read: &mut Vec<u8>,
    caller: Caller,
) -> io::Result<Next<D>> {
    loop {
        if poll_fn(|cx| poll_read(stream, read, cx)).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(next) = head_in(hub, read, caller) {
            return Ok(next);
        }
    }
}

/// What comes of the bytes that were read; `None` when they are no whole head.
fn head_in<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    read: &mut [u8],
    caller: Caller,
) -> Option<Next<D>> {
    if read.is_empty() {
        return None;
    }
    match Head::parse(read, limits(hub)) {
        Ok(Some(head)) => Some(answer_at_once(hub, read, head, caller)),
        Ok(None) => None,
        Err(fault) => Some(Next::Refused(fault.status())),
    }
}

fn limits<D>(hub: &HubOf<D>) -> HeadLimits {
    HeadLimits {
        bytes: hub.config.max_header_bytes,
        headers: hub.config.max_headers,
    }
}

/// Answers a WebSocket handshake, if nobody has to be waited for.
fn answer_at_once<D: Send + Sync + 'static>(
    hub: &Arc<HubOf<D>>,
    read: &[u8],
    head: Head,
    caller: Caller,
) -> Next<D> {
    let may_be_handshake = head.message.has_upgrade
        && hub.config.websocket
        && head.method == Method::GET
        && head.message.framing == Framing::Length(0);
    if may_be_handshake {
        let view = hub.identify(head.view(read, &caller));
        if hub.path.matches(view.path())
            && let Some(answer) = answer::answer_handshake(hub, &view)
        {
            return Next::Answered(head, answer);
        }
    }
    Next::Request(head)
}

/// What became of an answer.
enum Sent {
    /// It was sent, and another request may come.
    All,
    /// It was sent, and nothing follows.
    Last,
    /// There is none: the connection just ends.
    Nothing,
    /// The client does not take it.
    Failed,
}

async fn send_response(
    stream: &mut Stream,
    response: Response,
    persistence: Persistence,
    is_head: bool,
    limit: Duration,
) -> Sent {
    let mut out = buffers::take();
    let written = response::write(clock::now(), &response, persistence, is_head, &mut out);
    let is_sent = write_timely(stream, &out, limit).await.is_ok();
    buffers::give_back(out);
    match written {
        None => Sent::Nothing,
        Some(_) if !is_sent => Sent::Failed,
        Some(Persistence::KeepAlive(_)) => Sent::All,
        Some(Persistence::Close) => Sent::Last,
    }
}

/// Refuses what is no request, and ends the connection.
async fn refuse(mut line: Line, status: StatusCode, limit: Duration) {
    let response = Response::empty(status);
    let sent = send_response(&mut line.stream, response, Persistence::Close, false, limit).await;
    if let Sent::Last = sent {
        // Where it ends nobody knows.
        line.rest = Rest::Length(u64::MAX);
        leave(line, limit).await;
    }
}

/// Ends a connection behind its last answer. Closed over what the client goes on sending, the connection would be reset,
/// and the answer might be lost: that is read first, and thrown away, but not forever.
async fn leave(mut line: Line, limit: Duration) {
    let is_more_to_come = !line.rest.is_over() || !line.read.is_empty();
    line.read = Vec::new();
    let leaving = async {
        if line.stream.shutdown().await.is_ok() && is_more_to_come {
            let mut sink = [0; 512];
            while matches!(line.stream.read(&mut sink).await, Ok(count) if count > 0) {}
        }
    };
    let _ = timeout(limit, leaving).await;
}

/// Ends a connection in order, so that a client of TLS knows that nothing was cut off.
async fn end(stream: &mut Stream, limit: Duration) {
    let _ = timeout(limit, stream.shutdown()).await;
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
