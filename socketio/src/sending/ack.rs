//! Waiting for what clients owe: one acknowledgement, or those of a broadcast.

use std::fmt;
use std::future::{Future, poll_fn};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::{mpsc, oneshot};

use crate::cluster::error::AdapterError;
use crate::cluster::question::Question;
use crate::cluster::seat::Heard;
use crate::codec::{FromArgs, OwnedArgs};
use crate::error::{AckError, EmitError};
use crate::id::SocketId;
use crate::live::core::Core;
use crate::live::owed::Answer;
use crate::proto::cluster::message::ClusterBody;
use crate::time_limit::TimeLimit;

enum State {
    Failed(EmitError),
    Waiting {
        socket: Arc<Core>,
        id: u64,
        answer: oneshot::Receiver<Answer>,
        limit: TimeLimit,
    },
    Done,
}

/// Waits for the acknowledgement of one socket.
///
/// The event was sent when this was made; where it was not, this gives [`AckError::Emit`] at once. The time limit runs from the first poll, which must happen inside a tokio
/// runtime; dropping the future gives the acknowledgement up. Cancel-safe.
#[must_use = "the answer comes only to whoever awaits it"]
pub struct AckFuture<R> {
    state: State,
    answer: PhantomData<fn() -> R>,
}

impl<R> AckFuture<R> {
    pub(crate) fn new(
        sent: Result<(Arc<Core>, u64, oneshot::Receiver<Answer>), EmitError>,
        timeout: Option<Duration>,
    ) -> Self {
        let state = match sent {
            Err(error) => State::Failed(error),
            Ok((socket, id, answer)) => State::Waiting {
                socket,
                id,
                answer,
                limit: TimeLimit::new(timeout),
            },
        };
        Self {
            state,
            answer: PhantomData,
        }
    }
}

impl<R: FromArgs> Future for AckFuture<R> {
    type Output = Result<R, AckError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let State::Waiting { answer, limit, .. } = &mut self.state else {
            let failed = std::mem::replace(&mut self.state, State::Done);
            return Poll::Ready(Err(match failed {
                State::Failed(error) => AckError::Emit(error),
                _ => AckError::Disconnected,
            }));
        };
        let answer = match Pin::new(answer).poll(cx) {
            Poll::Ready(answer) => answer.unwrap_or(Err(AckError::Disconnected)),
            //= SIO5-ACK-04
            Poll::Pending if limit.poll(cx).is_ready() => Err(AckError::Timeout),
            Poll::Pending => return Poll::Pending,
        };
        self.give_up();
        Poll::Ready(answer.and_then(|args| decode(&args)))
    }
}

impl<R> AckFuture<R> {
    fn give_up(&mut self) {
        if let State::Waiting { socket, id, .. } = std::mem::replace(&mut self.state, State::Done) {
            socket.forget_ack(id);
        }
    }
}

impl<R> Drop for AckFuture<R> {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl<R> fmt::Debug for AckFuture<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AckFuture")
    }
}

fn decode<R: FromArgs>(args: &OwnedArgs) -> Result<R, AckError> {
    R::from_args(args.as_raw()).map_err(AckError::Decode)
}

/// The acknowledgements of a broadcast, as they come, each with the id of its socket.
///
/// It ends when every socket that was sent to has answered, left, or used up the time limit; those that left or
/// were late yield an error. The clients of a server that leaves the cluster have left with it. Where the event could not
/// be sent at all the stream yields [`AckError::Emit`] and ends.
///
/// Of the clients of other servers only the first argument arrives. There is no id where their server does not
/// tell it, as the reference does not, nor of those that were late or left with their server. The time limit runs from
/// the first poll, which must happen inside a tokio runtime; where other servers are asked it runs from the call.
///
/// ```
/// # async fn ask(board: socketio::Namespace<()>) {
/// let mut answers = board.to("lobby").emit_with_ack::<u32>("ready?", &());
/// while let Some((socket, answer)) = answers.next().await {
///     println!("{socket:?}: {answer:?}");
/// }
/// # }
/// ```
//= CLA-04
#[must_use = "the answers come only to whoever takes them"]
pub struct AckStream<R> {
    failed: Option<EmitError>,
    id: u64,
    /// Who was sent to; past the time limit those who were not looked at yet.
    targets: Vec<Arc<Core>>,
    /// How many those were.
    target_count: usize,
    answers: mpsc::UnboundedReceiver<(SocketId, Answer)>,
    elsewhere: Elsewhere,
    limit: TimeLimit,
    answer: PhantomData<fn() -> R>,
}

/// The clients of other servers.
#[derive(Default)]
struct Elsewhere {
    question: Option<Question>,
    target_count: usize,
    /// Acknowledgements that went with their server and were not yielded as such.
    lost: u64,
    /// The same of those that did not come in time.
    late: u64,
    missing_servers: usize,
    is_count_unknown: bool,
    failure: Option<AdapterError>,
}

impl Elsewhere {
    /// The next acknowledgement of another server's client; `None` when there are no more.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<(Option<SocketId>, Answer)>> {
        if let Some(lost) = self.take_lost() {
            return Poll::Ready(Some(lost));
        }
        while let Some(question) = &mut self.question {
            let body = match std::task::ready!(question.poll_next(cx)) {
                Some(Heard::Answer(_, body)) => body,
                Some(Heard::Lost(acks)) => {
                    self.lost = acks;
                    match self.take_lost() {
                        Some(lost) => return Poll::Ready(Some(lost)),
                        None => continue,
                    }
                }
                Some(Heard::Failed(error)) => {
                    self.failure = Some(error);
                    self.give_up();
                    break;
                }
                Some(Heard::Uncounted(error)) => {
                    self.failure = Some(error);
                    continue;
                }
                None => {
                    self.question = None;
                    break;
                }
            };
            match body {
                ClusterBody::BroadcastClientCount { client_count, .. } => {
                    let count = usize::try_from(client_count).unwrap_or(usize::MAX);
                    self.target_count = self.target_count.saturating_add(count);
                }
                ClusterBody::BroadcastAck { packet, socket, .. } => {
                    return Poll::Ready(Some((socket.map(SocketId::new), Ok(packet))));
                }
                _ => {}
            }
        }
        Poll::Ready(None)
    }

    /// One of those that went with their server. Whose it would be is not known.
    fn take_lost(&mut self) -> Option<(Option<SocketId>, Answer)> {
        self.lost = self.lost.checked_sub(1)?;
        Some((None, Err(AckError::Disconnected)))
    }

    /// One of those that did not come in time. Whose it would be is not known.
    fn take_late<R>(&mut self) -> Option<(Option<SocketId>, Result<R, AckError>)> {
        self.late = self.late.checked_sub(1)?;
        Some((None, Err(AckError::Timeout)))
    }

    fn give_up(&mut self) {
        if let Some(question) = self.question.take() {
            let lacking = question.give_up();
            self.late = lacking.acks;
            self.missing_servers = lacking.servers;
            self.is_count_unknown = lacking.unknown_servers;
        }
    }
}

impl<R> AckStream<R> {
    pub(crate) fn new(
        id: u64,
        targets: Vec<Arc<Core>>,
        answers: mpsc::UnboundedReceiver<(SocketId, Answer)>,
        timeout: Option<Duration>,
    ) -> Self {
        Self {
            failed: None,
            id,
            target_count: targets.len(),
            targets,
            answers,
            elsewhere: Elsewhere::default(),
            limit: TimeLimit::new(timeout),
            answer: PhantomData,
        }
    }

    /// Of an event that was not sent.
    pub(crate) fn failed(error: EmitError) -> Self {
        let (_, answers) = mpsc::unbounded_channel();
        let mut stream = Self::new(0, Vec::new(), answers, None);
        stream.failed = Some(error);
        stream
    }

    /// The same with the clients of other servers, who were asked as well.
    pub(crate) fn with_cluster(
        mut self,
        question: Result<Question, AdapterError>,
        timeout: Duration,
    ) -> Self {
        self.limit = TimeLimit::from_now(Some(timeout));
        match question {
            Ok(question) => self.elsewhere.question = Some(question),
            Err(error) => self.elsewhere.failure = Some(error),
        }
        self
    }

    /// How many sockets were sent to, as far as is known: those of another server count when it has said how many.
    #[must_use]
    pub fn target_count(&self) -> usize {
        self.target_count
            .saturating_add(self.elsewhere.target_count)
    }

    /// How many other servers had not said how many clients they sent to when the time was up. Known at the end.
    #[must_use]
    pub fn missing_servers(&self) -> usize {
        self.elsewhere.missing_servers
    }

    /// True when there may have been other servers that were not known of; see
    /// [`Gathered::is_count_unknown`](crate::cluster::Gathered::is_count_unknown). Known at the end.
    #[must_use]
    pub fn is_count_unknown(&self) -> bool {
        self.elsewhere.is_count_unknown
    }

    /// Why the other servers could not be asked, if so. Known at the end.
    #[must_use]
    pub fn failure(&self) -> Option<&AdapterError> {
        self.elsewhere.failure.as_ref()
    }
}

impl<R: FromArgs> AckStream<R> {
    /// The next acknowledgement; `None` when there are no more. Cancel-safe.
    pub async fn next(&mut self) -> Option<(Option<SocketId>, Result<R, AckError>)> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl<R: FromArgs> Stream for AckStream<R> {
    type Item = (Option<SocketId>, Result<R, AckError>);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(error) = this.failed.take() {
            return Poll::Ready(Some((None, Err(AckError::Emit(error)))));
        }
        let here = this.answers.poll_recv(cx);
        if let Poll::Ready(Some((id, answer))) = here {
            let answer = answer.and_then(|args| decode(&args));
            return Poll::Ready(Some((Some(id), answer)));
        }
        let elsewhere = this.elsewhere.poll_next(cx);
        if let Poll::Ready(Some((id, answer))) = elsewhere {
            let answer = answer.and_then(|args| decode(&args));
            return Poll::Ready(Some((id, answer)));
        }
        if here.is_ready() && elsewhere.is_ready() {
            return Poll::Ready(this.elsewhere.take_late());
        }
        if this.limit.poll(cx).is_pending() {
            return Poll::Pending;
        }
        //= SRV-BACK-02
        while let Some(socket) = this.targets.pop() {
            if socket.forget_ack(this.id) {
                return Poll::Ready(Some((Some(socket.id().clone()), Err(AckError::Timeout))));
            }
        }
        this.elsewhere.give_up();
        Poll::Ready(this.elsewhere.take_late())
    }
}

impl<R> Drop for AckStream<R> {
    fn drop(&mut self) {
        for socket in std::mem::take(&mut self.targets) {
            socket.forget_ack(self.id);
        }
    }
}

impl<R> fmt::Debug for AckStream<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AckStream({} targets)", self.target_count)
    }
}
