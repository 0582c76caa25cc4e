//! Long-polling: GETs that wait and POSTs that carry packets. Nothing is kept running between them.

use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use http_body::Body as HttpBody;

use crate::jsonp;
use crate::packet::{Packet, ParseError, Protocol};
use crate::payload;
use crate::proto::event::{Input, Received};
use crate::server::clock;
use crate::server::session::aftermath::{Aftermath, Reply};
use crate::server::session::batch::{Batch, classify};
use crate::server::session::connection::Connection;
use crate::server::session::handler::Flow;
use crate::server::session::requests::{Parking, PollBody};
use crate::server::session::shared::Shared;
use crate::trace;

/// After as many packets of one body, others get their turn: a body may carry hundreds of thousands.
const PACKETS_PER_TURN: usize = 1024;

/// What a GET is answered with.
pub(crate) enum Polled {
    Body(PollBody),
    /// A second GET at the same time (EIO4-POL-04).
    Refused,
}

/// Reports the end of a GET's connection while it waits.
struct ParkedGuard<'s, D: Send + Sync + 'static> {
    shared: &'s Arc<Shared<D>>,
    token: u32,
}

impl<D: Send + Sync + 'static> Drop for ParkedGuard<'_, D> {
    fn drop(&mut self) {
        self.shared.unpark(self.token);
    }
}

/// Answers a GET, now or when there is something to say.
pub(crate) async fn poll<D: Send + Sync + 'static>(shared: &Arc<Shared<D>>) -> Polled {
    let (arrived, after) = arrive(shared);
    shared.run(after);
    let (token, answer) = match arrived {
        Arrived::Answered(polled) => return polled,
        Arrived::Parked(parking) => parking,
    };
    let guard = ParkedGuard { shared, token };
    let body = answer.await;
    drop(guard);
    body.map_or(Polled::Refused, Polled::Body)
}

enum Arrived {
    Answered(Polled),
    Parked(Parking),
}

/// Tells the session of a GET, and parks it if there is no answer yet.
fn arrive<D: Send + Sync + 'static>(shared: &Shared<D>) -> (Arrived, Aftermath) {
    let now = clock::now();
    let mut inner = shared.lock();
    let (reply, after) = shared.feed(&mut inner, now, Input::PollArrived);
    let arrived = match reply {
        Reply::Poll(body) => Arrived::Answered(Polled::Body(body)),
        Reply::Refused => Arrived::Answered(Polled::Refused),
        Reply::Nothing | Reply::Deliver | Reply::ProbeAnswered => Arrived::Parked(inner.park()),
    };
    (arrived, after)
}

/// What a POST is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Posted {
    Ok,
    /// A second POST at the same time, or a content type that is not read.
    Refused,
    /// The body is larger than allowed; the session goes on (EIO4-POL-07).
    TooLarge,
    /// The session ended while the body was being read: no answer at all (EIO4-CLS-08).
    Destroyed,
    /// The body did not come in time, or its connection failed.
    Incomplete,
}

/// The content of a request.
pub(crate) enum Content<'r, B> {
    /// All of it. To hand it on as a body, which may have more to come, took 700 instructions of every POST.
    Whole(&'r [u8]),
    /// As it comes.
    Coming(B),
}

/// How the content of a POST is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PostContent {
    Text,
    Jsonp,
    OctetStream,
}

/// Reports a POST that ends before its body is complete.
struct PostGuard<'s, D: Send + Sync + 'static> {
    shared: &'s Arc<Shared<D>>,
    outcome: Input,
}

impl<D: Send + Sync + 'static> Drop for PostGuard<'_, D> {
    fn drop(&mut self) {
        self.shared.handle(clock::now(), self.outcome);
    }
}

/// Reads a POST and dispatches its packets.
pub(crate) async fn post<D, B>(
    shared: &Arc<Shared<D>>,
    content: Content<'_, B>,
    kind: PostContent,
) -> Posted
where
    D: Send + Sync + 'static,
    B: HttpBody<Data = Bytes>,
{
    let reply = shared.handle(clock::now(), Input::PostArrived);
    if reply.is_refused() {
        return Posted::Refused;
    }
    let mut guard = PostGuard {
        shared,
        outcome: Input::PostDropped,
    };
    if kind == PostContent::OctetStream && shared.protocol() == Protocol::V4 {
        guard.outcome = Input::PostUnreadable;
        return Posted::Refused;
    }
    let limit = shared.hub.config.max_payload;
    let read;
    let bytes = match content {
        Content::Whole(bytes) if bytes.len() > limit => Err(Posted::TooLarge),
        Content::Whole(bytes) => Ok(bytes),
        Content::Coming(body) => {
            read = timely_body(shared, body, limit).await;
            read.as_deref().map_err(|posted| *posted)
        }
    };
    let bytes = match bytes {
        Ok(bytes) => bytes,
        Err(posted) => {
            if posted == Posted::TooLarge {
                guard.outcome = Input::PostDone;
            }
            return posted;
        }
    };
    shared.hub.counters.received(0, bytes.len());
    shared.handle(clock::now(), Input::PostRead);
    // A client that leaves before all its packets are handed over has lost those: the session cannot go on without them, and
    // one that paused at them would wait for somebody who is not there.
    dispatch(shared, bytes, kind).await;
    guard.outcome = Input::PostDone;
    Posted::Ok
}

/// All of a body, if it comes in time.
async fn timely_body<D, B>(shared: &Arc<Shared<D>>, body: B, limit: usize) -> Result<Bytes, Posted>
where
    D: Send + Sync + 'static,
    B: HttpBody<Data = Bytes>,
{
    let read = read_body(shared, body, limit);
    match tokio::time::timeout(shared.hub.config.body_timeout, read).await {
        Ok(read) => read,
        Err(_) => {
            trace::debug!("the body of a request did not come in time");
            Err(Posted::Incomplete)
        }
    }
}

/// All of a body. One that comes in a single piece is not copied.
async fn read_body<D, B>(shared: &Arc<Shared<D>>, body: B, limit: usize) -> Result<Bytes, Posted>
where
    D: Send + Sync + 'static,
    B: HttpBody<Data = Bytes>,
{
    let mut body = pin!(body);
    if body.size_hint().lower() > limit as u64 {
        return Err(Posted::TooLarge);
    }
    let mut first = Bytes::new();
    let mut bytes = Vec::new();
    loop {
        let frame = poll_fn(|cx| {
            if shared.poll_post_destroyed(cx.waker()) {
                return Poll::Ready(Err(Posted::Destroyed));
            }
            body.as_mut().poll_frame(cx).map(Ok)
        })
        .await?;
        match frame {
            None if bytes.is_empty() => return Ok(first),
            None => return Ok(bytes.into()),
            Some(Err(_)) => return Err(Posted::Incomplete),
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else {
                    continue;
                };
                if first.len().max(bytes.len()) + data.len() > limit {
                    return Err(Posted::TooLarge);
                }
                if first.is_empty() {
                    first = data;
                    continue;
                }
                if bytes.is_empty() {
                    bytes.extend_from_slice(&first);
                }
                bytes.extend_from_slice(&data);
            }
        }
    }
}

async fn dispatch<D: Send + Sync + 'static>(
    shared: &Arc<Shared<D>>,
    bytes: &[u8],
    kind: PostContent,
) {
    let limit = shared.hub.config.max_packets_per_payload;
    if kind == PostContent::OctetStream {
        return each(shared, bounded(payload::decode_v3_binary(bytes), limit)).await;
    }
    // Nearly all are text, which takes half as long to find out as how much of them is.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    };
    let text = match kind {
        PostContent::Jsonp => match jsonp::jsonp_request(&text) {
            Some(text) => text.into(),
            // A form without the field carries nothing (EIO4-JSP-03).
            None => return,
        },
        _ => text,
    };
    match shared.protocol() {
        Protocol::V3 => each(shared, bounded(payload::decode_v3_text(&text), limit)).await,
        Protocol::V4 => each(shared, bounded(payload::decode_v4(&text), limit)).await,
    }
}

/// The packets up to the limit; one more is an error.
fn bounded<'p>(
    packets: impl Iterator<Item = Result<Packet<'p>, ParseError>>,
    limit: usize,
) -> impl Iterator<Item = Result<Packet<'p>, ParseError>> {
    packets.enumerate().map(move |(index, packet)| {
        if index < limit {
            packet
        } else {
            Err(ParseError::TooManyPackets)
        }
    })
}

/// Hands the packets to the session in order. What handlers send meanwhile answers a poll once, at the end of the turn.
async fn each<'p, D: Send + Sync + 'static>(
    shared: &Arc<Shared<D>>,
    packets: impl Iterator<Item = Result<Packet<'p>, ParseError>>,
) {
    let connection = Connection(Arc::clone(shared));
    let mut packets = packets.peekable();
    while packets.peek().is_some() {
        poll_fn(|cx| shared.poll_turn(cx.waker())).await;
        let now = clock::now();
        let flow = dispatch_run(shared, &connection, now, &mut packets);
        shared.end_turn(now);
        if flow == Flow::Pause {
            shared.handle(now, Input::Paused);
            poll_fn(|cx| {
                if shared.poll_resumed(cx.waker()) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
            shared.handle(clock::now(), Input::Resumed);
        } else if packets.peek().is_some() {
            tokio::task::yield_now().await;
        }
    }
}

fn dispatch_run<'p, D: Send + Sync + 'static>(
    shared: &Arc<Shared<D>>,
    connection: &Connection<D>,
    now: Instant,
    packets: &mut impl Iterator<Item = Result<Packet<'p>, ParseError>>,
) -> Flow {
    let mut batch = Batch::new(now);
    for packet in packets.take(PACKETS_PER_TURN) {
        shared.hub.counters.received(1, 0);
        let (received, message) = classify(&packet, now);
        if shared.receive(connection, &mut batch, received, message) == Flow::Pause {
            return Flow::Pause;
        }
        if received == Received::Undecodable {
            return Flow::Continue;
        }
    }
    Flow::Continue
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Waker};

    use http_body::Frame;

    use super::*;
    use crate::body::{Body, BodyError};
    use crate::server::session::testing::{Wakes, opened};
    use crate::transport::Transport;

    fn whole(text: &str) -> Content<'_, Body> {
        Content::Whole(text.as_bytes())
    }

    /// A body of which nothing comes.
    struct Unsent;

    impl HttpBody for Unsent {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            Poll::Pending
        }
    }

    #[tokio::test]
    async fn a_post_that_was_destroyed_stays_so_however_many_arrive_behind_it() {
        //= EIO4-CLS-08 test
        let (shared, _) = opened(Transport::Polling);
        let mut cx = Context::from_waker(Waker::noop());
        let mut first = pin!(post(&shared, Content::Coming(Unsent), PostContent::Text));
        assert!(first.as_mut().poll(&mut cx).is_pending());
        for _ in 0..2 {
            // The first of them ends the session; the other had found it before.
            let refused = post(&shared, whole("4late"), PostContent::Text).await;
            assert_eq!(refused, Posted::Refused);
        }
        assert_eq!(first.as_mut().poll(&mut cx), Poll::Ready(Posted::Destroyed));
    }

    #[tokio::test]
    async fn a_post_of_many_packets_lets_others_have_their_turn() {
        let (shared, told) = opened(Transport::Polling);
        let body = vec!["4x"; 2 * PACKETS_PER_TURN + 1].join("\u{1e}");
        let (wakes, waker) = Wakes::new();
        let mut cx = Context::from_waker(&waker);
        let mut posting = pin!(post(&shared, whole(&body), PostContent::Text));
        for _ in 0..2 {
            assert!(posting.as_mut().poll(&mut cx).is_pending());
            assert_eq!(told.take().len(), PACKETS_PER_TURN);
            assert!(shared.begin_turn(), "others may");
            shared.end_turn(clock::now());
            tokio::task::yield_now().await;
            assert_eq!(wakes.take(), 1);
        }
        assert_eq!(posting.as_mut().poll(&mut cx), Poll::Ready(Posted::Ok));
        assert_eq!(told.take().len(), 1);
    }

    #[tokio::test]
    async fn a_client_that_leaves_before_its_packets_are_handed_over_ends_the_session() {
        let (shared, told) = opened(Transport::Polling);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(shared.begin_turn());
        {
            let mut posting = pin!(post(&shared, whole("4lost"), PostContent::Text));
            assert!(posting.as_mut().poll(&mut cx).is_pending());
        }
        shared.end_turn(clock::now());
        assert_eq!(told.take(), ["close"]);
        let (shared, told) = opened(Transport::Polling);
        let posted = post(&shared, whole("4hi"), PostContent::Text).await;
        assert_eq!((posted, told.take()), (Posted::Ok, vec!["hi".to_owned()]));
    }

    #[tokio::test]
    async fn a_post_that_comes_during_a_turn_is_woken_when_it_ends_and_not_before() {
        let (shared, told) = opened(Transport::Polling);
        let (wakes, waker) = Wakes::new();
        let mut cx = Context::from_waker(&waker);
        let mut posting = pin!(post(&shared, whole("4hi"), PostContent::Text));
        assert!(shared.begin_turn());
        for _ in 0..3 {
            assert!(posting.as_mut().poll(&mut cx).is_pending());
        }
        assert_eq!(wakes.take(), 0, "a wait that is no wait");
        assert!(told.take().is_empty());
        shared.end_turn(clock::now());
        assert_eq!(wakes.take(), 1);
        assert_eq!(posting.as_mut().poll(&mut cx), Poll::Ready(Posted::Ok));
        assert_eq!(told.take(), ["hi"]);
    }
}
