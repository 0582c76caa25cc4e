//! A question to the other servers, while it is open.

use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc;

use super::adapter::AdapterError;
use super::seat::{Heard, Seat};
use crate::clock::now;
use crate::proto::cluster::message::{ClusterBody, ClusterMessage, RequestId};
use crate::proto::cluster::node::Output;
use crate::proto::cluster::requests::{Kind, Lacking};
use crate::running::Guarded;

/// A question that is open until it is complete or dropped.
pub(crate) struct Question {
    seat: Arc<Seat>,
    request: RequestId,
    answers: mpsc::UnboundedReceiver<Heard>,
}

impl Question {
    /// Asks every other server.
    pub(crate) fn ask(
        seat: &Arc<Seat>,
        kind: Kind,
        body: impl FnOnce(RequestId) -> ClusterBody,
    ) -> Result<Self, AdapterError> {
        let request = seat.cluster.next_request();
        let (waiter, answers) = mpsc::unbounded_channel();
        let mut node = seat.node.lock();
        if node.ask(&request, kind, waiter.clone()).is_err() {
            return Err(AdapterError::TooManyRequests);
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
            let asking = publish_question(Arc::clone(seat), request.clone(), message, kind);
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
        Ok(Self {
            seat: Arc::clone(seat),
            request,
            answers,
        })
    }

    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Heard>> {
        self.answers.poll_recv(cx)
    }

    /// Gives the question up; what was lacking.
    pub(crate) fn give_up(&self) -> Lacking {
        // Who waited is dropped behind the lock.
        let given_up = self.seat.node.lock().forget(&self.request);
        given_up.map(|(_, lacking)| lacking).unwrap_or_default()
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// Publishes a question, once it is known how many will answer where the adapter counts the servers.
async fn publish_question(
    seat: Arc<Seat>,
    request: RequestId,
    message: ClusterMessage,
    kind: Kind,
) -> Result<(), AdapterError> {
    if seat.cluster.rhythm.is_none() {
        let others = seat.adapter_count().await?.saturating_sub(1);
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
    seat.cluster.adapter.publish(message).await
}
