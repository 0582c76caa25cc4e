//! The bounds of a cluster.

use std::time::Duration;

/// What a server waits for and keeps for the cluster it is in; changed with
/// [`SocketIoBuilder::cluster`](crate::SocketIoBuilder::cluster).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "settings hold once the builder has them"]
pub struct ClusterSettings {
    pub(crate) request_timeout: Duration,
    pub(crate) ready_timeout: Duration,
    pub(crate) max_requests: usize,
    pub(crate) max_publishing: usize,
}

impl Default for ClusterSettings {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(5),
            ready_timeout: Duration::from_secs(10),
            max_requests: 1024,
            max_publishing: 1024,
        }
    }
}

impl ClusterSettings {
    /// How long other servers, and the acknowledgements of their clients, are waited for unless a call says otherwise, from
    /// the call that asks; 5 s by default.
    //= CLA-07
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long [`serve`](crate::SocketIo::serve) and [`ready`](crate::SocketIo::ready) wait for the adapter, and the clients of a
    /// namespace that has just been opened; 10 s by default. Raising it keeps clients away longer while the bus cannot be
    /// reached.
    //= RDS-08
    pub fn ready_timeout(mut self, timeout: Duration) -> Self {
        self.ready_timeout = timeout;
        self
    }

    /// How many questions each namespace may have open, and how many of others the server answers at once; 1,024 by
    /// default. One more is [`AdapterError::TooManyRequests`](crate::cluster::AdapterError::TooManyRequests): it is not asked, or
    /// not answered.
    pub fn max_requests(mut self, requests: usize) -> Self {
        self.max_requests = requests;
        self
    }

    /// How many messages may wait for the adapter to publish them; 1,024 by default. One more is not published, which is
    /// [`AdapterError::TooManyPublishing`](crate::cluster::AdapterError::TooManyPublishing). Raising it rides out longer pauses of
    /// the bus, and takes memory meanwhile.
    pub fn max_publishing(mut self, messages: usize) -> Self {
        self.max_publishing = messages;
        self
    }
}
