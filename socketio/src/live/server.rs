//! What the connections and namespaces of a server share.

use std::future::Future;
use std::sync::{Arc, Weak};

use socketio_auth::server::DynPolicy;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::directory::{Directory, Lease};
use super::driver::Driver;
use super::keeper::Keeper;
use super::meter::Meter;
use super::settings::Settings;
use super::space::{Family, Space};
use crate::atomic::{AtomicBool, Ordering};
use crate::authority::authority::Authority;
use crate::authority::guard::Guard;
use crate::cluster::link::Cluster;
use crate::codec::Codec;
use crate::lock::Lock;
use crate::running::until_stopped;

/// What the connections and namespaces of a server share.
pub(crate) struct Server {
    pub(crate) codec: Codec,
    pub(crate) settings: Arc<Settings>,
    pub(crate) spaces: Arc<Directory<Space>>,
    /// Sets of dynamic namespaces, in the order in which they were opened.
    families: Lock<Vec<Arc<Family>>>,
    pub(crate) authority: Arc<Authority>,
    pub(crate) recovery: Option<Arc<Keeper>>,
    pub(crate) cluster: Option<Arc<Cluster>>,
    /// True when the cluster's tasks are to be dropped, behind the farewell.
    cluster_stop: watch::Sender<bool>,
    pub(crate) meter: Meter,
    pub(super) driver: &'static dyn Driver,
    is_closing: AtomicBool,
    /// True when handlers that still wait are to be dropped.
    stop: watch::Sender<bool>,
}

impl Server {
    pub(crate) fn new(
        codec: Codec,
        settings: Settings,
        authority: Authority,
        recovery: Option<Keeper>,
        cluster: Option<Arc<Cluster>>,
        cluster_stop: watch::Sender<bool>,
        driver: &'static dyn Driver,
    ) -> Self {
        Self {
            codec,
            settings: Arc::new(settings),
            spaces: Arc::new(Directory::new()),
            families: Lock::new(Vec::new()),
            recovery: recovery.map(Arc::new),
            authority: Arc::new(authority),
            cluster,
            cluster_stop,
            meter: Meter::default(),
            driver,
            is_closing: AtomicBool::new(false),
            stop: watch::Sender::new(false),
        }
    }

    /// Leaves the cluster for good, and ends its tasks.
    pub(crate) async fn leave_cluster(&self) {
        if let Some(cluster) = &self.cluster {
            let spaces = self.spaces.all();
            let seats = spaces.iter().filter_map(|space| space.cluster.as_ref());
            cluster.leave(seats.map(|seat| seat.farewell())).await;
            self.cluster_stop.send_replace(true);
        }
    }

    /// The namespace with a name that a set of dynamic namespaces takes; `None` when there are too many.
    pub(crate) fn lease_of(&self, family: &Family, name: &Arc<str>) -> Option<Lease<Space>> {
        let max = self.settings.max_dynamic_namespaces;
        // Another client may have been faster.
        self.spaces.lease_or_open(name, max, || {
            let handlers = Arc::clone(&family.handlers);
            Space::new(self, Arc::clone(name), handlers, family.guard.clone(), true)
        })
    }

    pub(crate) fn add_family(&self, family: &Arc<Family>) {
        self.families.lock().push(Arc::clone(family));
    }

    pub(crate) fn families(&self) -> Vec<Arc<Family>> {
        self.families.lock().clone()
    }

    pub(crate) fn spaces_of(&self, family: &Family) -> Vec<Arc<Space>> {
        let mut spaces = self.spaces.all();
        spaces.retain(|space| Arc::ptr_eq(&space.handlers, &family.handlers));
        spaces
    }

    /// Takes a policy in, and hears of its revocations from now on.
    pub(crate) fn add_policy(self: &Arc<Self>, policy: Arc<dyn DynPolicy>) -> Guard {
        self.subscribe(&*policy);
        self.authority.add(policy)
    }

    pub(crate) fn subscribe(self: &Arc<Self>, policy: &dyn DynPolicy) {
        policy.revocations(&mut |list| {
            let server: Weak<Self> = Arc::downgrade(self);
            list.subscribe(server);
        });
    }

    /// Has whoever leaves from now on leave because of the end of the server.
    pub(crate) fn set_closing(&self) {
        self.is_closing.store(true, Ordering::Release);
    }

    /// Drops the handlers that still wait.
    pub(crate) fn stop_handlers(&self) {
        self.stop.send_replace(true);
    }

    /// Resolves when no handler waits any more: one that does holds a receiver.
    pub(crate) async fn handlers_ended(&self) {
        self.stop.closed().await;
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    /// Runs what must outlive the call that started it, until it ends or the server stops.
    pub(crate) fn spawn(&self, runtime: &Handle, task: impl Future<Output = ()> + Send + 'static) {
        runtime.spawn(until_stopped(self.stop.subscribe(), task));
    }
}
