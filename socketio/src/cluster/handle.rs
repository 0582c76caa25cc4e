//! How an adapter speaks to its server.

use std::fmt;
use std::future::Future;
use std::sync::Weak;

use tokio::runtime::Handle;
use tokio::sync::watch;

use super::error::AdapterError;
use crate::proto::cluster::entry::EntryId;
use crate::proto::cluster::message::{ClusterMessage, ServerId};
use crate::running::until_stopped;

/// What a server does with what its cluster tells it.
pub(crate) trait Hearing: Send + Sync {
    /// Acts on a message of another server, here and now.
    fn hear(&self, message: ClusterMessage);

    /// Acts on an entry of the log that the servers share.
    fn hear_entry(&self, id: EntryId, message: ClusterMessage);

    /// Acts on an own event that the log does not have.
    fn hear_unwritten(&self, message: ClusterMessage);

    /// The log is heard from here on.
    fn begin_log(&self, at: EntryId);

    /// Hears of what the adapter could not do.
    fn report(&self, error: &AdapterError);

    /// The bus was reached, or lost.
    fn set_connected(&self, is_connected: bool);

    /// A second or so has passed.
    fn tick(&self);
}

/// Where the tasks of a cluster run, and until when.
#[derive(Clone)]
pub(crate) struct Tasks {
    runtime: Handle,
    stop: watch::Receiver<bool>,
}

impl Tasks {
    pub(crate) fn new(runtime: Handle, stop: watch::Receiver<bool>) -> Self {
        Self { runtime, stop }
    }

    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Runs a task until it ends or the server has left the cluster or is gone.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(until_stopped(self.stop.clone(), task));
    }

    /// Runs what must outlive the others. It has to end by itself.
    pub(crate) fn spawn_unstopped(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(task);
    }
}

/// The server that an [`Adapter`](crate::cluster::Adapter) works for. It does not keep the server alive.
#[derive(Clone)]
pub struct ClusterHandle {
    server: Weak<dyn Hearing>,
    tasks: Tasks,
    uid: ServerId,
}

impl ClusterHandle {
    pub(crate) fn new(server: Weak<dyn Hearing>, tasks: Tasks, uid: ServerId) -> Self {
        Self { server, tasks, uid }
    }

    /// The id under which the server speaks, fresh for every one that is built.
    #[must_use]
    pub fn server_id(&self) -> &ServerId {
        &self.uid
    }

    /// Hands over a message of another server. It is acted on here and now, on the caller's thread. What is not for this
    /// server, or makes no sense, is ignored. An answer whose sender is not known is
    /// [`ANONYMOUS`](ServerId::ANONYMOUS).
    pub fn deliver(&self, message: ClusterMessage) {
        if let Some(server) = self.server.upgrade() {
            server.hear(message);
        }
    }

    /// Says from which entry of its [log](super::Adapter::log) on the adapter reads: every later one is handed over. To be said when
    /// reading begins, and again when it goes on elsewhere because entries were lost.
    pub fn begin_log(&self, at: EntryId) {
        if let Some(server) = self.server.upgrade() {
            server.begin_log(at);
        }
    }

    /// Hands over an entry of the log: each, whichever server wrote it, one after the other and in the order of the log. It is
    /// acted on here and now, on the caller's thread. One that comes again is ignored.
    //= STR-04
    pub fn deliver_entry(&self, id: EntryId, message: ClusterMessage) {
        if let Some(server) = self.server.upgrade() {
            server.hear_entry(id, message);
        }
    }

    /// Gives back an own event that was taken over to be written to the [log](super::Adapter::log), and is not there or will not be
    /// for now: the server's own clients, if they wait for it to be read back, get it without a name. Such an entry must not be
    /// handed over as well.
    //= STR-07
    pub fn deliver_unwritten(&self, message: ClusterMessage) {
        if let Some(server) = self.server.upgrade() {
            server.hear_unwritten(message);
        }
    }

    /// Tells the server of something that went wrong beside what its calls return: it goes to
    /// [`on_adapter_error`](crate::SocketIoBuilder::on_adapter_error) and is counted.
    /// [`AdapterError::ignored`] is for what arrived and made no sense.
    //= RDS-02
    #[expect(
        clippy::needless_pass_by_value,
        reason = "who reports an error has no more use for it"
    )]
    pub fn report(&self, error: AdapterError) {
        if let Some(server) = self.server.upgrade() {
            server.report(&error);
        }
    }

    /// Says whether the bus is reached, for [`SocketIo::is_cluster_connected`](crate::SocketIo::is_cluster_connected). True from
    /// the beginning, so an adapter that does not say it is taken for connected.
    pub fn set_connected(&self, is_connected: bool) {
        if let Some(server) = self.server.upgrade() {
            server.set_connected(is_connected);
        }
    }

    /// Runs a task of the adapter's on the runtime that the server was built on, until it ends or the server closes.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if self.server.strong_count() > 0 {
            self.tasks.spawn(task);
        }
    }
}

impl fmt::Debug for ClusterHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterHandle({})", self.uid)
    }
}
