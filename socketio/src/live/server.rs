//! What the connections and namespaces of a server share.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use socketio_auth::DynPolicy;
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::driver::Driver;
use super::keeper::Keeper;
use super::meter::Meter;
use super::settings::Settings;
use super::space::{Family, Space};
use crate::authority::authority::Authority;
use crate::authority::guard::Guard;
use crate::cluster::link::Cluster;
use crate::codec::Codec;
use crate::error::BuildError;
use crate::lock::Lock;
use crate::running::until_stopped;

/// What the connections and namespaces of a server share.
pub(crate) struct Server {
    pub(crate) codec: Codec,
    pub(crate) settings: Arc<Settings>,
    spaces: Lock<Spaces>,
    /// Sets of dynamic namespaces, in the order in which they were opened.
    families: Lock<Vec<Arc<Family>>>,
    pub(crate) authority: Authority,
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

/// The open namespaces.
#[derive(Default)]
struct Spaces {
    /// Nearly every client asks for this one.
    root: Option<Arc<Space>>,
    /// The others.
    by_name: HashMap<Arc<str>, Arc<Space>>,
    dynamic_count: usize,
}

impl Spaces {
    fn get(&self, name: &str) -> Option<&Arc<Space>> {
        match name {
            "/" => self.root.as_ref(),
            name => self.by_name.get(name),
        }
    }

    fn insert(&mut self, space: &Arc<Space>) {
        match &*space.name {
            "/" => self.root = Some(Arc::clone(space)),
            _ => {
                let name = Arc::clone(&space.name);
                self.by_name.insert(name, Arc::clone(space));
            }
        }
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Space>> {
        self.root.iter().chain(self.by_name.values())
    }

    fn lease(&self, name: &str) -> Option<Arc<Space>> {
        let space = self.get(name)?;
        if let Some(users) = &space.users {
            users.fetch_add(1, Ordering::Relaxed);
        }
        Some(Arc::clone(space))
    }

    /// Removes this very namespace, not another one of its name; whether it was listed.
    fn remove(&mut self, space: &Space) -> bool {
        let listed = self.get(&space.name);
        let is_listed = listed.is_some_and(|listed| std::ptr::eq(&**listed, space));
        if is_listed {
            match &*space.name {
                "/" => self.root = None,
                name => drop(self.by_name.remove(name)),
            }
            self.dynamic_count -= usize::from(space.users.is_some());
        }
        is_listed
    }
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
            spaces: Lock::new(Spaces::default()),
            families: Lock::new(Vec::new()),
            recovery: recovery.map(Arc::new),
            authority,
            cluster,
            cluster_stop,
            meter: Meter::default(),
            driver,
            is_closing: AtomicBool::new(false),
            stop: watch::Sender::new(false),
        }
    }

    pub(crate) fn open(&self, space: &Arc<Space>) -> Result<(), BuildError> {
        let mut spaces = self.spaces.lock();
        if spaces.get(&space.name).is_some() {
            return Err(BuildError::NamespaceTaken);
        }
        spaces.insert(space);
        drop(spaces);
        space.enter_cluster();
        Ok(())
    }

    /// Leaves the cluster for good, and ends its tasks.
    pub(crate) async fn leave_cluster(&self) {
        if let Some(cluster) = &self.cluster {
            let spaces = self.all_spaces();
            let seats = spaces.iter().filter_map(|space| space.cluster.as_ref());
            cluster.leave(seats.map(|seat| seat.farewell())).await;
            self.cluster_stop.send_replace(true);
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<Arc<Space>> {
        self.spaces.lock().get(name).cloned()
    }

    /// The namespace with this name, kept until the lease is given back.
    pub(crate) fn lease(&self, name: &str) -> Option<Arc<Space>> {
        self.spaces.lock().lease(name)
    }

    /// The same for a name that a set of dynamic namespaces takes; `None` when there are too many.
    pub(crate) fn lease_of(
        self: &Arc<Self>,
        family: &Family,
        name: &Arc<str>,
    ) -> Option<Arc<Space>> {
        let mut spaces = self.spaces.lock();
        if let Some(space) = spaces.lease(name) {
            // Another client was faster.
            return Some(space);
        }
        if spaces.dynamic_count >= self.settings.max_dynamic_namespaces {
            return None;
        }
        let users = Some(AtomicUsize::new(1));
        let handlers = Arc::clone(&family.handlers);
        let guard = family.guard.clone();
        let space = Space::new(self, Arc::clone(name), handlers, guard, users);
        let space = Arc::new(space);
        spaces.insert(&space);
        spaces.dynamic_count += 1;
        drop(spaces);
        space.enter_cluster();
        Some(space)
    }

    /// Takes a namespace off the list: nobody joins it any more.
    pub(crate) fn close(&self, space: &Space) {
        let is_removed = self.spaces.lock().remove(space);
        if is_removed {
            space.leave_cluster();
        }
    }

    /// Gives a lease back. A dynamic namespace goes with its last.
    pub(crate) fn release(space: &Space) {
        let Some(users) = &space.users else {
            return;
        };
        let Some(server) = space.server.upgrade() else {
            return;
        };
        let is_removed = {
            let mut spaces = server.spaces.lock();
            users.fetch_sub(1, Ordering::Relaxed) == 1 && spaces.remove(space)
        };
        if is_removed {
            space.leave_cluster();
        }
    }

    pub(crate) fn add_family(&self, family: &Arc<Family>) {
        self.families.lock().push(Arc::clone(family));
    }

    pub(crate) fn families(&self) -> Vec<Arc<Family>> {
        self.families.lock().clone()
    }

    pub(crate) fn spaces_of(&self, family: &Family) -> Vec<Arc<Space>> {
        let spaces = self.spaces.lock();
        let is_member = |space: &&Arc<Space>| Arc::ptr_eq(&space.handlers, &family.handlers);
        spaces.all().filter(is_member).cloned().collect()
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

    /// The open namespaces, by name.
    pub(crate) fn all_spaces(&self) -> Vec<Arc<Space>> {
        let mut spaces: Vec<_> = self.spaces.lock().all().cloned().collect();
        spaces.sort_by(|one, other| one.name.cmp(&other.name));
        spaces
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
