//! How an adapter speaks to its server.

use std::fmt;
use std::future::Future;
use std::sync::Weak;

use crate::facade::hearing::feed;
use crate::live::server::Server;
use crate::proto::cluster::message::{ClusterMessage, ServerId};
use crate::proto::cluster::node::Input;

/// The server that an [`Adapter`](crate::Adapter) works for. It does not keep the server alive.
#[derive(Clone)]
pub struct ClusterHandle {
    server: Weak<Server>,
    uid: ServerId,
}

impl ClusterHandle {
    pub(crate) fn new(server: Weak<Server>, uid: ServerId) -> Self {
        Self { server, uid }
    }

    /// The id under which the server speaks, fresh for every one that is built.
    #[must_use]
    pub fn server_id(&self) -> &ServerId {
        &self.uid
    }

    /// Hands over a message of another server. It is acted on here and now, on the caller's thread. What is not for this
    /// server, or makes no sense, is ignored.
    pub fn deliver(&self, message: ClusterMessage) {
        let Some(server) = self.server.upgrade() else {
            return;
        };
        if &*message.nsp == ClusterMessage::SERVER_WIDE {
            if let Some(cluster) = &server.cluster {
                cluster.deliver_server_wide(&server, message);
            }
        } else if let Some(space) = server.find(&message.nsp) {
            feed(&space, Input::Received(message));
        }
    }

    /// Runs a task of the adapter's on the runtime that the server was built on, until it ends or the server closes.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(server) = self.server.upgrade()
            && let Some(cluster) = &server.cluster
        {
            cluster.spawn(task);
        }
    }
}

impl fmt::Debug for ClusterHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterHandle({})", self.uid)
    }
}
