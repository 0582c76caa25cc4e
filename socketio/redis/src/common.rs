//! What the adapters have in common: options that all take, what runs once they are started, and who hears the common format.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use socketio::cluster::wire::Ignored;
use socketio::cluster::wire::envelope;
use socketio::cluster::{
    AdapterError, ClusterBody, ClusterHandle, ClusterMessage, Scope, ServerId,
};

use crate::deployment::Deployment;
use crate::link::Link;
use crate::shared::{Ears, QueueLimits, Reach};
use crate::subscriptions::Subscription;

/// As long as questions to the cluster take by default.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// What is common to all adapters, whatever `R` makes of what is heard. Clones are the same adapter.
#[derive(Debug)]
pub(crate) struct Common<R> {
    pub(crate) deployment: Deployment,
    reach: Reach,
    pub(crate) request_timeout: Duration,
    pub(crate) limits: QueueLimits,
    running: Arc<OnceLock<Running<R>>>,
}

/// An adapter that was started.
#[derive(Debug)]
pub(crate) struct Running<R> {
    pub(crate) link: Link,
    pub(crate) routes: Arc<R>,
    pub(crate) own: ServerId,
}

impl<R> Clone for Common<R> {
    fn clone(&self) -> Self {
        Self {
            deployment: self.deployment.clone(),
            running: Arc::clone(&self.running),
            ..*self
        }
    }
}

impl<R: Ears> Common<R> {
    pub(crate) fn new(deployment: Deployment, reach: Reach) -> Self {
        Self {
            deployment,
            reach,
            request_timeout: REQUEST_TIMEOUT,
            limits: QueueLimits::default(),
            running: Arc::default(),
        }
    }

    /// Connects, and hears what is for all servers. `begun` is told of the link before anybody else is.
    pub(crate) fn start(
        &self,
        server: &ClusterHandle,
        routes: R,
        everywhere: Subscription,
        begun: impl FnOnce(&Link),
    ) -> Result<(), AdapterError> {
        let running = Running {
            link: Link::new(self.deployment.clone(), self.reach, self.limits),
            routes: Arc::new(routes),
            own: server.server_id().clone(),
        };
        running.link.want([everywhere]);
        let ears = Arc::clone(&running.routes);
        running.link.start(server, ears)?;
        begun(&running.link);
        let set = self.running.set(running);
        set.map_err(|_| AdapterError::Closed)
    }

    /// What runs, once it was started.
    pub(crate) fn running(&self) -> Result<&Running<R>, AdapterError> {
        self.running.get().ok_or(AdapterError::Closed)
    }

    pub(crate) async fn ready(&self) -> Result<(), AdapterError> {
        self.running()?.link.ready().await
    }

    /// Returns when all that was put in the queue was said.
    pub(crate) async fn close(&self) -> Result<(), AdapterError> {
        self.running()?.link.flush().await
    }
}

/// Whether this only says that a server is there, or goes: Redis knows who is subscribed, so nobody needs to be told.
pub(crate) fn is_heartbeat(body: &ClusterBody) -> bool {
    matches!(
        body,
        ClusterBody::InitialHeartbeat | ClusterBody::Heartbeat | ClusterBody::AdapterClose
    )
}

/// Which channel belongs to whom, where the channel says so and the common format is spoken.
#[derive(Debug, Default)]
pub(crate) struct Envelopes {
    table: RwLock<HashMap<String, Scope>>,
}

impl Envelopes {
    pub(crate) fn open(&self, subscription: &Subscription, scope: Scope) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.insert(subscription.name.clone(), scope);
    }

    pub(crate) fn close(&self, channel: &str) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        table.remove(channel);
    }

    /// Closes all channels of a namespace, those of rooms included.
    pub(crate) fn close_all(&self, nsp: &str) -> Vec<String> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let closed = table.extract_if(|_, scope| scope.name() == Some(nsp));
        closed.map(|(name, _)| name).collect()
    }
}

impl Ears for Envelopes {
    fn read(
        &self,
        _: Option<&str>,
        channel: &str,
        payload: &[u8],
    ) -> Option<Result<ClusterMessage, Ignored>> {
        let scope = {
            let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
            table.get(channel)?.clone()
        };
        Some(envelope::decode(payload, &scope))
    }
}
