//! One namespace's machine, behind its lock.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::adapter::AdapterError;
use super::link::Cluster;
use super::question::Heard;
use crate::clock::now;
use crate::codec::{OwnedArgs, RawArgs};
use crate::lock::Lock;
use crate::proto::cluster::message::{ClusterBody, ClusterMessage, RequestId};
use crate::proto::cluster::node::{Input, Node, Output};

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

    pub(crate) fn feed(&self, input: Input) -> Vec<Output<Waiter>> {
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

/// The first argument, or none.
pub(crate) fn first_of(args: RawArgs<'_>) -> OwnedArgs {
    args.get(0).unwrap_or(args).to_owned()
}
