//! One namespace's machine, behind its lock.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::adapter::AdapterError;
use super::link::Cluster;
use crate::clock::now;
use crate::codec::{OwnedArgs, RawArgs};
use crate::lock::Lock;
use crate::proto::cluster::message::{ClusterBody, ClusterMessage, RequestId, ServerId};
use crate::proto::cluster::node::{Input, Node, Output};

/// What comes back to a question. No more comes than the machine lets through, so the channel is bounded by its bounds.
pub(crate) enum Heard {
    Answer(ServerId, ClusterBody),
    /// So many clients went with their server before they had answered.
    Lost(u64),
    /// The question was not asked, or not of all.
    Failed(AdapterError),
}

/// Who waits for the answers to a question.
pub(super) type Waiter = mpsc::UnboundedSender<Heard>;

/// A namespace's seat in the cluster.
pub(crate) struct Seat {
    pub(crate) cluster: Arc<Cluster>,
    nsp: Arc<str>,
    pub(super) node: Lock<Node<Waiter>>,
}

impl Seat {
    pub(crate) fn new(cluster: &Arc<Cluster>, nsp: &Arc<str>) -> Self {
        let node = Node::new(
            now(),
            cluster.uid.clone(),
            Arc::clone(nsp),
            cluster.rhythm,
            cluster.settings.max_requests,
            cluster.first_number(),
        );
        Self {
            cluster: Arc::clone(cluster),
            nsp: Arc::clone(nsp),
            node: Lock::new(node),
        }
    }

    /// Takes the namespace into the cluster.
    pub(crate) fn open(self: &Arc<Self>) {
        let (cluster, nsp) = (Arc::clone(&self.cluster), Arc::clone(&self.nsp));
        // It may be closed again before the adapter is done.
        let seat = Arc::downgrade(self);
        self.cluster.publish_in_order(async move {
            cluster.adapter.open_namespace(&nsp).await?;
            if let Some(seat) = seat.upgrade() {
                // Nobody has heard of it yet, so nobody wants anything of it.
                seat.feed(Input::Opened, |_| {});
            }
            Ok(())
        });
    }

    /// Takes it out of the cluster.
    pub(crate) fn close(&self) {
        let farewell = self.farewell();
        let (cluster, nsp) = (Arc::clone(&self.cluster), Arc::clone(&self.nsp));
        self.cluster.publish_in_order(async move {
            let published = cluster.adapter.publish(farewell).await;
            let closed = cluster.adapter.close_namespace(&nsp).await;
            published.and(closed)
        });
    }

    /// Its last words.
    pub(crate) fn farewell(&self) -> ClusterMessage {
        self.stamp(ClusterBody::AdapterClose)
    }

    /// Tells the other servers something.
    pub(crate) fn publish(&self, body: ClusterBody) {
        let message = self.stamp(body);
        self.cluster.publish(message);
    }

    /// Answers another server; of several arguments the first (CLA-04).
    pub(crate) fn answer_server(&self, request_id: RequestId, args: RawArgs<'_>) {
        let packet = first_of(args);
        self.publish(ClusterBody::ServerSideEmitResponse { request_id, packet });
    }

    fn stamp(&self, body: ClusterBody) -> ClusterMessage {
        self.node.lock().publish(now(), body)
    }

    /// Feeds the machine, and does what it says; `apply` does what another server wants of the namespace.
    pub(crate) fn feed(&self, input: Input, apply: impl Fn(ClusterBody)) {
        let outputs: Vec<_> = {
            let mut node = self.node.lock();
            node.handle_input(now(), input);
            std::iter::from_fn(|| node.poll_output()).collect()
        };
        for output in outputs {
            match output {
                Output::Publish(message) => self.cluster.publish(message),
                Output::Apply(body) => apply(body),
                // Whoever asked may have stopped waiting.
                Output::Answer { waiter, from, body } => {
                    let _ = waiter.send(Heard::Answer(from, body));
                }
                Output::Lost { waiter, acks } => {
                    let _ = waiter.send(Heard::Lost(acks));
                }
                Output::Complete(waiter) => drop(waiter),
            }
        }
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        self.cluster.settings.request_timeout
    }

    /// How many servers have the namespace open, as far as can be known.
    pub(crate) async fn server_count(&self) -> Result<usize, AdapterError> {
        if self.cluster.rhythm.is_some() {
            return Ok(self.node.lock().server_count());
        }
        self.adapter_count().await
    }

    /// The same as the adapter says it.
    pub(super) async fn adapter_count(&self) -> Result<usize, AdapterError> {
        self.cluster.adapter.server_count(&self.nsp).await
    }
}

/// The first argument, or none.
pub(crate) fn first_of(args: RawArgs<'_>) -> OwnedArgs {
    args.get(0).unwrap_or(args).to_owned()
}
