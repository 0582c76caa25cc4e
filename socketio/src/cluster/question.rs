//! A question to the other servers, while it is open.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc;

use super::adapter::AdapterError;
use crate::clock::now;
use crate::live::space::Space;
use crate::proto::cluster::message::{ClusterBody, ClusterMessage, RequestId, ServerId};
use crate::proto::cluster::node::Output;
use crate::proto::cluster::requests::{Kind, Lacking};
use crate::running::Guarded;

/// What comes back. No more comes than the machine lets through, so the channel is bounded by its bounds.
pub(crate) enum Heard {
    Answer(ServerId, ClusterBody),
    /// The question was not asked, or not of all.
    Failed(AdapterError),
}

/// A question that is open until it is complete or dropped.
pub(crate) struct Question {
    space: Arc<Space>,
    request: RequestId,
    answers: mpsc::UnboundedReceiver<Heard>,
}

impl Question {
    /// Asks every other server. `None` when there is no cluster.
    pub(crate) fn ask(
        space: &Arc<Space>,
        kind: Kind,
        body: impl FnOnce(RequestId) -> ClusterBody,
    ) -> Option<Result<Self, AdapterError>> {
        let seat = space.cluster.as_ref()?;
        let request = seat.cluster.next_request();
        let (waiter, answers) = mpsc::unbounded_channel();
        let mut node = seat.node.lock();
        if node.ask(&request, kind, waiter.clone()).is_err() {
            return Some(Err(AdapterError::TooManyRequests));
        }
        let mut completed = Vec::new();
        while let Some(output) = node.poll_output() {
            if let Output::Complete(waiter) = output {
                completed.push(waiter);
            }
        }
        let is_lonely = !completed.is_empty();
        let message = node.publish(now(), body(request.clone()));
        drop(node);
        drop(completed);
        // An event goes out even if nobody is known to be there: a server may have just come.
        if !is_lonely || kind == Kind::Acks {
            let asking = publish_question(Arc::clone(space), request.clone(), message, kind);
            // Answers that are complete need not wait for the end of the publication.
            let waiter = waiter.downgrade();
            seat.cluster.publish_in_order(async move {
                let asked = Guarded(Box::pin(asking)).await;
                let asked = asked.unwrap_or(Err(AdapterError::Panicked));
                if let (Err(error), Some(waiter)) = (&asked, waiter.upgrade()) {
                    let _ = waiter.send(Heard::Failed(error.clone()));
                }
                asked
            });
        }
        Some(Ok(Self {
            space: Arc::clone(space),
            request,
            answers,
        }))
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Heard>> {
        self.answers.poll_recv(cx)
    }

    /// Gives the question up; what was lacking.
    pub(crate) fn give_up(&self) -> Lacking {
        let seat = self.space.cluster.as_ref();
        // Who waited is dropped behind the lock.
        let given_up = seat.and_then(|seat| seat.node.lock().forget(&self.request));
        given_up.map(|(_, lacking)| lacking).unwrap_or_default()
    }

    /// The time limit of questions to the cluster where a call sets none.
    pub(crate) fn default_timeout(space: &Space) -> Option<Duration> {
        let seat = space.cluster.as_ref()?;
        Some(seat.cluster.settings.request_timeout)
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Publishes a question, once it is known how many will answer where the adapter counts the servers.
async fn publish_question(
    space: Arc<Space>,
    request: RequestId,
    message: ClusterMessage,
    kind: Kind,
) -> Result<(), AdapterError> {
    let Some(seat) = &space.cluster else {
        return Ok(());
    };
    let adapter = &seat.cluster.adapter;
    if seat.cluster.rhythm.is_none() {
        let others = adapter.server_count(&space.name).await?.saturating_sub(1);
        let completed: Vec<_> = {
            let mut node = seat.node.lock();
            node.expect(&request, others);
            std::iter::from_fn(|| node.poll_output()).collect()
        };
        drop(completed);
        if others == 0 && kind != Kind::Acks {
            return Ok(());
        }
    }
    adapter.publish(message).await
}
