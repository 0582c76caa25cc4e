//! A namespace as the sockets in it share it.

use std::sync::{Arc, Weak};

use engineio::SendOptions;
use socketio_auth::{Code, GrantFacts, Mode, Rejection, server::ErasedIdentity};

use super::core::Core;
use super::directory::{Directory, Listed};
use super::driver::Driver;
use super::handlers::Handlers;
use super::keeper::Keeper;
use super::listeners::OutgoingHooks;
use super::matcher::Matcher;
use super::meter::Meter;
use super::server::Server;
use super::settings::Settings;
use crate::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::authority::authority::Place;
use crate::authority::guard::Guard;
use crate::cluster::seat::Seat;
use crate::codec::Codec;
use crate::event::NamespaceEvent;
use crate::id::{SocketId, SocketMap};
use crate::lock::Lock;
use crate::proto::rooms::Rooms;
use crate::running::{Panicked, guard};
use crate::tables::shrink_map;

/// A namespace as the sockets in it share it.
pub(crate) struct Space {
    pub(crate) name: Arc<str>,
    pub(crate) codec: Codec,
    pub(crate) settings: Arc<Settings>,
    pub(crate) rooms: Lock<Rooms<Arc<Core>>>,
    /// Those that its policy has not let in yet, by the id they were made with. Few of each connection, of as many connections
    /// as the bound of authentication lets wait.
    waiting: Lock<SocketMap<Waiting>>,
    pub(crate) handlers: Arc<Handlers>,
    /// Those of single sockets that see what is sent.
    pub(crate) outgoing_hooks: OutgoingHooks,
    pub(crate) guard: Option<Guard>,
    /// Held where events are kept, from the offset of one until it is in the queues of all who get it, so that a client
    /// hears them in the order of the log. Under it are queued: an event, and what a client that comes back has missed.
    /// User code is not called under it, and nothing leaves.
    pub(crate) order: Lock<()>,
    /// Where its events are kept for clients that lost their connection.
    pub(crate) recovery: Option<Arc<Keeper>>,
    /// Where other servers have it too.
    pub(crate) cluster: Option<Arc<Seat>>,
    pub(crate) meter: Meter,
    /// The identity of a socket that has none yet, and in a public namespace of every socket.
    pub(crate) nobody: ErasedIdentity,
    /// How events are sent unless a call says otherwise.
    pub(crate) options: SendOptions,
    /// As the engine does by default, and no hook of the namespace looks at them: found out once, since it is asked for
    /// each event.
    sends_plainly: bool,
    ack_ids: AtomicU64,
    is_closed: AtomicBool,
    directory: Weak<Directory<Self>>,
    /// What does what its sockets ask for.
    pub(super) driver: &'static dyn Driver,
    /// It goes with its last socket. Each, and each attempt to become one, holds a lease.
    is_dynamic: bool,
}

/// A socket that is to be let in, and its connection's place among those that wait, unless it is judged on the spot. The last
/// of the connection that is taken out gives the place back.
struct Waiting {
    socket: Weak<Core>,
    place: Option<Arc<Place>>,
}

/// What the namespaces of one set have in common.
pub(crate) struct Family {
    pub(crate) matcher: Matcher,
    pub(crate) handlers: Arc<Handlers>,
    pub(crate) guard: Option<Guard>,
}

impl Space {
    /// Whether anybody looks at what is sent.
    #[inline]
    pub(crate) fn shows_outgoing(&self) -> bool {
        !self.handlers.any_outgoing.is_empty() || !self.outgoing_hooks.is_empty()
    }

    /// Whether events are sent in the engine's default way, with nobody looking at them.
    #[inline]
    pub(crate) fn sends_plainly(&self) -> bool {
        self.sends_plainly && self.outgoing_hooks.is_empty()
    }

    pub(crate) fn new(
        server: &Server,
        name: Arc<str>,
        handlers: Arc<Handlers>,
        guard: Option<Guard>,
        is_dynamic: bool,
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
            waiting: Lock::new(SocketMap::default()),
            options: handlers.options,
            sends_plainly: handlers.options == SendOptions::new()
                && handlers.any_outgoing.is_empty(),
            order: Lock::new(()),
            handlers,
            outgoing_hooks: OutgoingHooks::default(),
            recovery: server
                .recovery
                .clone()
                .filter(|_| !is_two_round_trip(&guard)),
            guard,
            meter: server.meter.clone(),
            nobody: ErasedIdentity::new(()),
            ack_ids: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
            directory: Arc::downgrade(&server.spaces),
            driver: server.driver,
            is_dynamic,
        }
    }

    /// Nobody comes in any more, and who is about to leaves again.
    pub(crate) fn close(&self) {
        if let Some(directory) = self.directory.upgrade() {
            directory.close(self);
        }
        // Whoever is not among the sockets yet sees this when he is.
        self.is_closed.store(true, Ordering::Release);
    }

    /// Ends the lease that a socket took over.
    pub(super) fn give_back(&self) {
        if let Some(directory) = self.leased_from() {
            directory.give_back(self);
        }
    }

    /// A socket is to be let in from here on.
    pub(super) fn add_waiting(&self, id: SocketId, socket: Weak<Core>, place: Option<Arc<Place>>) {
        let waiting = Waiting { socket, place };
        self.waiting.lock().insert(id, waiting);
    }

    pub(super) fn place_of(&self, id: &SocketId) -> Option<Arc<Place>> {
        self.waiting.lock().get(id)?.place.clone()
    }

    /// Gives a socket a place to wait in, unless it is in or gone meanwhile.
    pub(super) fn set_place(&self, id: &SocketId, place: Arc<Place>) {
        // If it is, the argument outlives the lock, so its place is given back behind it.
        if let Some(waiting) = self.waiting.lock().get_mut(id) {
            waiting.place = Some(place);
        }
    }

    pub(super) fn remove_waiting(&self, id: &SocketId) {
        // Its place is given back behind the lock.
        let removed = {
            let mut waiting = self.waiting.lock();
            let removed = waiting.remove(id);
            shrink_map(&mut waiting);
            removed
        };
        drop(removed);
    }

    /// The sockets that wait to be let in.
    pub(crate) fn waiting(&self) -> Vec<Arc<Core>> {
        let waiting = self.waiting.lock();
        let sockets = waiting.values().map(|waiting| &waiting.socket);
        sockets.filter_map(Weak::upgrade).collect()
    }

    //= SIO5-ACK-02
    pub(crate) fn next_ack_id(&self) -> u64 {
        self.ack_ids.fetch_add(1, Ordering::Relaxed)
    }

    /// True when a socket that comes in only now is to leave again.
    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
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

    /// Whether there is somebody to ask what a client may do.
    #[inline]
    pub(crate) fn has_authorizer(&self) -> bool {
        let guard = self.guard.as_ref();
        guard.is_some_and(|guard| guard.policy.has_authorizer())
    }

    /// A new identity for a client that presented nothing.
    pub(crate) fn guest(&self) -> Result<ErasedIdentity, Rejection> {
        let policy = self.guard.as_ref().map(|guard| &guard.policy);
        let guest = guard(|| policy.and_then(|policy| policy.guest()));
        let guest = guest.map_err(|Panicked| Rejection::panicked())?;
        Ok(guest.unwrap_or_else(|| self.nobody.clone()))
    }
}

impl Listed for Space {
    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn leased_from(&self) -> Option<Arc<Directory<Self>>> {
        if self.is_dynamic {
            self.directory.upgrade()
        } else {
            None
        }
    }

    fn opened(&self) {
        if let Some(seat) = &self.cluster {
            seat.open();
        }
        self.settings.on_namespace.tell(NamespaceEvent::Opened {
            name: &self.name,
            is_dynamic: self.is_dynamic,
        });
    }

    fn closed(&self) {
        if let Some(seat) = &self.cluster {
            seat.close();
        }
        self.settings.on_namespace.tell(NamespaceEvent::Closed {
            name: &self.name,
            is_dynamic: self.is_dynamic,
        });
    }
}

/// Whether no socket is let in by its handshake.
fn is_two_round_trip(guard: &Option<Guard>) -> bool {
    let guard = guard.as_ref();
    guard.is_some_and(|guard| guard.policy.settings().mode == Mode::TwoRoundTrip)
}
