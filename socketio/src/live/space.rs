//! A namespace as the sockets in it share it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use engineio::SendOptions;
use socketio_auth::{Code, ErasedIdentity, GrantFacts, Mode, Rejection};

use super::core::Core;
use super::driver::Driver;
use super::handlers::Handlers;
use super::keeper::Keeper;
use super::matcher::Matcher;
use super::meter::Meter;
use super::server::Server;
use super::settings::Settings;
use crate::authority::guard::Guard;
use crate::cluster::seat::Seat;
use crate::codec::Codec;
use crate::id::{SocketId, SocketMap};
use crate::lock::Lock;
use crate::proto::rooms::Rooms;
use crate::running::{Panicked, guard};

/// A namespace as the sockets in it share it.
pub(crate) struct Space {
    pub(crate) name: Arc<str>,
    pub(crate) codec: Codec,
    pub(crate) settings: Arc<Settings>,
    pub(crate) rooms: Lock<Rooms<Arc<Core>>>,
    /// Those that its policy has not let in yet, by the id they were made with. As many as the bound of
    /// authentication lets wait.
    pending: Lock<SocketMap<Weak<Core>>>,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) guard: Option<Guard>,
    /// Where its events are kept for clients that lost their connection.
    pub(crate) recovery: Option<Arc<Keeper>>,
    /// Where other servers have it too.
    pub(crate) cluster: Option<Arc<Seat>>,
    pub(crate) meter: Meter,
    /// The identity of a socket that has none yet, and in a public namespace of every socket.
    pub(crate) nobody: ErasedIdentity,
    /// How events are sent unless a call says otherwise.
    pub(crate) options: SendOptions,
    ack_ids: AtomicU64,
    is_closed: AtomicBool,
    pub(crate) server: Weak<Server>,
    /// What does what its sockets ask for.
    pub(super) driver: &'static dyn Driver,
    /// For a dynamic namespace, which goes with its last socket: how many sockets are in it or on the way in.
    /// Changed under the lock of the server's namespaces only.
    pub(crate) users: Option<AtomicUsize>,
}

/// What the namespaces of one set have in common.
pub(crate) struct Family {
    pub(crate) matcher: Matcher,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) guard: Option<Guard>,
}

impl Space {
    pub(crate) fn new(
        server: &Arc<Server>,
        name: Arc<str>,
        handlers: Arc<Handlers>,
        guard: Option<Guard>,
        users: Option<AtomicUsize>,
    ) -> Self {
        Self {
            cluster: server
                .cluster
                .as_ref()
                .map(|cluster| Arc::new(Seat::new(cluster, &name))),
            name,
            codec: server.codec.clone(),
            settings: Arc::clone(&server.settings),
            rooms: Lock::new(Rooms::new()),
            pending: Lock::new(SocketMap::default()),
            options: handlers.options,
            handlers,
            recovery: server
                .recovery
                .clone()
                .filter(|_| !is_two_round_trip(&guard)),
            guard,
            meter: server.meter.clone(),
            nobody: ErasedIdentity::new(()),
            ack_ids: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            server: Arc::downgrade(server),
            driver: server.driver,
            users,
        }
    }

    /// Ends a lease for which no socket was made.
    pub(crate) fn give_back(&self) {
        Server::release(self);
    }

    /// It is open: the other servers may know.
    pub(crate) fn enter_cluster(&self) {
        if let Some(seat) = &self.cluster {
            seat.open();
        }
    }

    pub(crate) fn leave_cluster(&self) {
        if let Some(seat) = &self.cluster {
            seat.close();
        }
    }

    /// A socket waits to be let in from here on.
    pub(crate) fn add_pending(&self, id: SocketId, socket: Weak<Core>) {
        self.pending.lock().insert(id, socket);
    }

    pub(crate) fn remove_pending(&self, id: &SocketId) {
        self.pending.lock().remove(id);
    }

    /// The sockets that wait to be let in.
    pub(crate) fn pending(&self) -> Vec<Arc<Core>> {
        let pending = self.pending.lock();
        pending.values().filter_map(Weak::upgrade).collect()
    }

    //= SIO5-ACK-02
    pub(crate) fn next_ack_id(&self) -> u64 {
        self.ack_ids.fetch_add(1, Ordering::Relaxed)
    }

    /// True when a socket that comes in only now is to leave again.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Whoever is not among the sockets yet sees this when he is.
    pub(crate) fn set_closed(&self) {
        self.is_closed.store(true, Ordering::Release);
    }

    /// The event that authenticates, which handlers never see.
    pub(crate) fn authenticate_event(&self) -> Option<&'static str> {
        self.guard.as_ref().map(Guard::event)
    }

    /// Whether no list of the policy names this grant. A list that cannot be asked vouches for nobody.
    pub(crate) fn check_lists(&self, facts: &GrantFacts) -> Result<(), Rejection> {
        let Some(of) = &self.guard else { return Ok(()) };
        match guard(|| of.policy.is_revoked(facts)) {
            Ok(false) => Ok(()),
            Ok(true) => Err(Code::TokenRevoked.into()),
            Err(Panicked) => Err(Rejection::panicked()),
        }
    }

    /// A new identity for a client that presented nothing.
    pub(crate) fn guest(&self) -> Result<ErasedIdentity, Rejection> {
        let policy = self.guard.as_ref().map(|guard| &guard.policy);
        let guest = guard(|| policy.and_then(|policy| policy.guest()));
        let guest = guest.map_err(|Panicked| Rejection::panicked())?;
        Ok(guest.unwrap_or_else(|| self.nobody.clone()))
    }
}

/// Whether no socket is let in by its handshake.
fn is_two_round_trip(guard: &Option<Guard>) -> bool {
    let guard = guard.as_ref();
    guard.is_some_and(|guard| guard.policy.settings().mode == Mode::TwoRoundTrip)
}
