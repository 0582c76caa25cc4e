//! What the servers of a cluster answered.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::error::AdapterError;
use super::question::Question;
use super::seat::Heard;
use crate::codec::{ArgsError, FromArgs};
use crate::proto::cluster::message::{ClusterBody, ServerId};
use crate::time_limit::TimeLimit;

/// What the servers of a cluster answered, complete or not. It is no `Result`: what did come is there, whatever did not.
///
/// ```
/// # async fn ask(chat: socketio::Namespace<()>) {
/// let found = chat.to("lobby").fetch_sockets().await;
/// if !found.is_complete() {
///     eprintln!("{} servers did not answer", found.missing_servers());
/// }
/// for socket in found {
///     println!("{} is in {:?}", socket.id(), socket.rooms());
/// }
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it is what was asked for"]
pub struct Gathered<T> {
    items: Vec<T>,
    missing_servers: usize,
    is_count_unknown: bool,
    failure: Option<AdapterError>,
}

impl<T> Gathered<T> {
    /// What was found, this server's own first where it has any.
    #[must_use]
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// The same, to keep.
    #[must_use]
    pub fn into_items(self) -> Vec<T> {
        self.items
    }

    /// The same outcome, of what can be told from what was found.
    pub(crate) fn map<U>(self, change: impl FnOnce(Vec<T>) -> Vec<U>) -> Gathered<U> {
        Gathered {
            items: change(self.items),
            missing_servers: self.missing_servers,
            is_count_unknown: self.is_count_unknown,
            failure: self.failure,
        }
    }

    /// True when every server was asked and has answered, or left.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing_servers == 0 && !self.is_count_unknown && self.failure.is_none()
    }

    /// How many of the servers that were known of had not answered when the time was up.
    #[must_use]
    pub fn missing_servers(&self) -> usize {
        self.missing_servers
    }

    /// True when there may be servers that were not known of, and so are missing too: the adapter could not say how many there
    /// are ([`ServerCount::AtLeast`](crate::cluster::ServerCount::AtLeast)). The time was waited out then.
    //= RDS-07
    #[must_use]
    pub fn is_count_unknown(&self) -> bool {
        self.is_count_unknown
    }

    /// Why the other servers could not be asked, if so.
    #[must_use]
    pub fn failure(&self) -> Option<&AdapterError> {
        self.failure.as_ref()
    }
}

impl<T> IntoIterator for Gathered<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

/// What the handlers of one server answered to
/// [`server_side_emit_with_ack`](crate::Namespace::server_side_emit_with_ack).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerAnswer<R> {
    /// Which server.
    pub server: ServerId,
    /// Its answer, or why that is no `R`.
    pub answer: Result<R, ArgsError>,
}

impl<R: FromArgs> ServerAnswer<R> {
    pub(crate) fn of(server: ServerId, body: ClusterBody) -> Vec<Self> {
        match body {
            ClusterBody::ServerSideEmitResponse { packet, .. } => vec![Self {
                server,
                answer: R::from_args(packet.as_raw()),
            }],
            _ => Vec::new(),
        }
    }
}

/// Waits for the answers of the servers of a cluster.
///
/// The question was asked when this was made, and the time limit, 5 s unless set otherwise, runs from then, whatever the
/// adapter waits for; what came by then is the outcome. It is to be polled inside a tokio runtime. Dropping the future gives
/// the question up. Cancel-safe.
//= CLA-07
#[must_use = "the answers come only to whoever awaits them"]
pub struct Gathering<T> {
    items: Vec<T>,
    question: Option<Question>,
    failure: Option<AdapterError>,
    limit: TimeLimit,
    take: Box<Take<T>>,
}

/// What is in an answer of a server.
type Take<T> = dyn Fn(ServerId, ClusterBody) -> Vec<T> + Send;

impl<T> Gathering<T> {
    pub(crate) fn new(
        items: Vec<T>,
        question: Option<Result<Question, AdapterError>>,
        timeout: Option<Duration>,
        take: impl Fn(ServerId, ClusterBody) -> Vec<T> + Send + 'static,
    ) -> Self {
        let (question, failure) = match question.transpose() {
            Ok(question) => (question, None),
            Err(error) => (None, Some(error)),
        };
        Self {
            items,
            question,
            failure,
            limit: TimeLimit::from_now(timeout),
            take: Box::new(take),
        }
    }

    fn finish(&mut self) -> Gathered<T> {
        let question = self.question.take();
        let lacking = question.map(|question| question.give_up());
        let lacking = lacking.unwrap_or_default();
        Gathered {
            items: std::mem::take(&mut self.items),
            missing_servers: lacking.servers,
            is_count_unknown: lacking.unknown_servers,
            failure: self.failure.take(),
        }
    }
}

/// What is found is moved, not pinned.
impl<T> Unpin for Gathering<T> {}

impl<T> Future for Gathering<T> {
    type Output = Gathered<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while let Some(question) = &mut this.question {
            match question.poll_next(cx) {
                Poll::Ready(Some(Heard::Answer(from, body))) => {
                    this.items.extend((this.take)(from, body));
                }
                // Only acknowledgements are announced before they come.
                Poll::Ready(Some(Heard::Lost(_))) => {}
                Poll::Ready(Some(Heard::Failed(error))) => {
                    this.failure = Some(error);
                    break;
                }
                Poll::Ready(Some(Heard::Uncounted(error))) => this.failure = Some(error),
                Poll::Ready(None) => break,
                Poll::Pending if this.limit.poll(cx).is_ready() => break,
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(this.finish())
    }
}

impl<T> fmt::Debug for Gathering<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gathering({} so far)", self.items.len())
    }
}
