//! A question to the other servers, while it is open.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::mpsc;

use super::error::AdapterError;
use super::seat::{Heard, Seat};
use crate::clock::now;
use crate::proto::cluster::message::{ClusterBody, ClusterMessage, RequestId};
use crate::proto::cluster::requests::{Kind, Lacking, ServerCount};
use crate::running::Guarded;

/// A question that is open until it is complete or dropped.
pub(crate) struct Question {
    seat: Arc<Seat>,
    request: RequestId,
    answers: mpsc::UnboundedReceiver<Heard>,
}

impl Question {
    /// Asks every other server. Their number is waited for no longer than `limit`, if that has an end.
    pub(crate) fn ask(
        seat: &Arc<Seat>,
        kind: Kind,
        limit: Option<Duration>,
        body: impl FnOnce(RequestId) -> ClusterBody,
    ) -> Result<Self, AdapterError> {
        let request = seat.cluster.next_request();
        let (waiter, answers) = mpsc::unbounded_channel();
        let mut node = seat.node.lock();
        let Ok(is_lonely) = node.ask(now(), &request, kind, waiter.clone()) else {
            return Err(AdapterError::TooManyRequests);
        };
        // Earlier questions may be complete as well.
        let completed: Vec<_> = std::iter::from_fn(|| node.poll_output()).collect();
        let message = node.publish(now(), body(request.clone()));
        drop(node);
        drop(completed);
        // An event goes out even if nobody is known to be there: a server may have just come.
        if !is_lonely || kind.is_event() {
            let asking = Asking {
                seat: Arc::clone(seat),
                request: request.clone(),
                // Answers that are complete need not wait for the end of the publication.
                waiter: Some(waiter.downgrade()),
            };
            seat.cluster
                .publish_in_order(asking.publish(message, kind, limit));
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

/// A question on its way to the bus. Whoever waits is told when it does not get there.
struct Asking {
    seat: Arc<Seat>,
    request: RequestId,
    waiter: Option<mpsc::WeakUnboundedSender<Heard>>,
}

impl Asking {
    async fn publish(
        mut self,
        message: ClusterMessage,
        kind: Kind,
        limit: Option<Duration>,
    ) -> Result<(), AdapterError> {
        let asked = if self.seat.cluster.rhythm.is_some() {
            self.send(message).await
        } else if kind.is_event() {
            self.send_counting(message, limit).await
        } else {
            self.send_counted(message, limit).await
        };
        let waiter = self.waiter.take();
        if let Err(error) = &asked {
            tell(waiter.as_ref(), Heard::Failed(error.clone()));
        }
        asked
    }

    async fn send(&self, message: ClusterMessage) -> Result<(), AdapterError> {
        let seat = Arc::clone(&self.seat);
        let publishing = Box::pin(async move { seat.cluster.adapter.publish(message).await });
        Guarded(publishing)
            .await
            .unwrap_or(Err(AdapterError::Panicked))
    }

    /// An event does not wait for the number of the servers, or a later one would overtake it.
    async fn send_counting(
        &self,
        message: ClusterMessage,
        limit: Option<Duration>,
    ) -> Result<(), AdapterError> {
        let mut sending = pin!(self.send(message));
        let mut counting = pin!(self.count(limit));
        let (mut sent, mut counted) = (None, None);
        poll_fn(|cx| {
            if sent.is_none()
                && let Poll::Ready(outcome) = sending.as_mut().poll(cx)
            {
                sent = Some(outcome);
            }
            // What was not sent is not answered.
            if matches!(sent, Some(Err(_))) {
                return Poll::Ready(());
            }
            if counted.is_none()
                && let Poll::Ready(outcome) = counting.as_mut().poll(cx)
            {
                if let Err(error) = &outcome {
                    tell(self.waiter.as_ref(), Heard::Uncounted(error.clone()));
                }
                counted = Some(outcome.map(drop));
            }
            match (&sent, &counted) {
                (Some(_), Some(_)) => Poll::Ready(()),
                _ => Poll::Pending,
            }
        })
        .await;
        let counted = counted.and_then(Result::err);
        if let Some(error) = counted {
            self.seat.cluster.report(&error);
        }
        sent.unwrap_or(Ok(()))
    }

    /// Whoever is alone need not ask.
    async fn send_counted(
        &self,
        message: ClusterMessage,
        limit: Option<Duration>,
    ) -> Result<(), AdapterError> {
        //= RED-RQ-04
        if self.count(limit).await? == ServerCount::Exactly(0) {
            return Ok(());
        }
        self.send(message).await
    }

    /// Has the adapter count the others, and the machine wait for so many.
    async fn count(&self, limit: Option<Duration>) -> Result<ServerCount, AdapterError> {
        let seat = Arc::clone(&self.seat);
        let counting = Guarded(Box::pin(async move { seat.adapter_count().await }));
        let counted = match limit {
            None => counting.await,
            Some(limit) => tokio::time::timeout(limit, counting)
                .await
                .unwrap_or(Ok(Err(AdapterError::TimedOut))),
        };
        let others = counted.unwrap_or(Err(AdapterError::Panicked))?.others();
        let completed: Vec<_> = {
            let mut node = self.seat.node.lock();
            node.expect(&self.request, others);
            std::iter::from_fn(|| node.poll_output()).collect()
        };
        drop(completed);
        Ok(others)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if self.waiter.is_some() {
            let error = self.seat.cluster.why_dropped();
            tell(self.waiter.as_ref(), Heard::Failed(error));
        }
    }
}

fn tell(waiter: Option<&mpsc::WeakUnboundedSender<Heard>>, heard: Heard) {
    if let Some(waiter) = waiter.and_then(|waiter| waiter.upgrade()) {
        let _ = waiter.send(heard);
    }
}
