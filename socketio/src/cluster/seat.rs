//! One namespace's machine, behind its lock.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::apply::first_of;
use super::{Cluster, ClusterBody, ClusterMessage, Heard, RequestId, now};
use crate::adapter::AdapterError;
use crate::codec::RawArgs;
use crate::lock::Lock;
use crate::proto::cluster::{Input, Node, Output};

/// Who waits for the answers to a question.
pub(super) type Waiter = mpsc::UnboundedSender<Heard>;

/// A namespace's seat in the cluster.
pub(crate) struct Seat {
    pub(crate) cluster: Arc<Cluster>,
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
            node: Lock::new(node),
        }
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

    pub(super) fn stamp(&self, body: ClusterBody) -> ClusterMessage {
        self.node.lock().publish(now(), body)
    }

    pub(super) fn feed(&self, input: Input) -> Vec<Output<Waiter>> {
        let mut node = self.node.lock();
        node.handle_input(now(), input);
        std::iter::from_fn(|| node.poll_output()).collect()
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        self.cluster.settings.request_timeout
    }

    /// How many servers have the namespace open, as far as can be known.
    pub(crate) async fn server_count(&self, nsp: &str) -> Result<usize, AdapterError> {
        if self.cluster.rhythm.is_some() {
            return Ok(self.node.lock().server_count());
        }
        self.cluster.adapter.server_count(nsp).await
    }
}
