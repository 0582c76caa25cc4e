//! Namespaces: their handlers, their policy and the sockets in them.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use engineio::{OverflowPolicy, SendOptions};
use serde::Serialize;
use socketio_auth::{Code, DynPolicy, ErasedIdentity, GrantFacts, Mode, Policy, Rejection};

use crate::ack::AckStream;
use crate::broadcast::Broadcast;
use crate::cluster::Seat;
use crate::codec::{Codec, FromArgs, RawArgs};
use crate::error::{BuildError, ConnectError, DisconnectReason, EmitError};
use crate::event::{Event, Invalid};
use crate::handler::{Handlers, IntoAck, IntoConnect, Typed};
use crate::id::{SocketId, SocketMap};
use crate::lock::Lock;
use crate::matcher::Matcher;
use crate::metrics::Meter;
use crate::packet::is_reserved;
use crate::recovery::Keeper;
use crate::rooms::{Room, RoomEvent, Rooms, Selection};
use crate::running::{Panicked, guard};
use crate::server::Server;
use crate::settings::Settings;
use crate::socket::{Core, Socket};
use crate::trace;

/// A policy in its place among all those of the server.
#[derive(Clone)]
pub(crate) struct Guard {
    /// Where the server keeps it; what the opening request presented is remembered by this number.
    pub(crate) index: usize,
    pub(crate) policy: Arc<dyn DynPolicy>,
}

impl Guard {
    /// The event that authenticates.
    fn event(&self) -> &'static str {
        self.policy.settings().dialect.authenticate_event()
    }

    /// What a namespace asks of its clients, in one line: that it is open should not be a surprise.
    pub(crate) fn summary(guard: Option<&Self>) -> String {
        guard.map_or_else(|| "public".to_owned(), |guard| guard.policy.summary())
    }
}

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
    pub(crate) cluster: Option<Seat>,
    pub(crate) meter: Meter,
    /// The identity of a socket that has none yet, and in a public namespace of every socket.
    pub(crate) nobody: ErasedIdentity,
    /// How events are sent unless a call says otherwise.
    pub(crate) options: SendOptions,
    ack_ids: AtomicU64,
    is_closed: AtomicBool,
    pub(crate) server: Weak<Server>,
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
                .map(|cluster| Seat::new(cluster, &name)),
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
            users,
        }
    }

    /// Ends a lease for which no socket was made.
    pub(crate) fn give_back(&self) {
        Server::release(self);
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

/// The policy of the server holds; it may still be replaced.
#[derive(Debug)]
pub struct Inherited(());

/// That the policy of a namespace may still be chosen: its builder has no handler yet.
#[diagnostic::on_unimplemented(
    message = "the policy of a namespace must be chosen before its first handler, and only once",
    label = "this namespace has a policy or a handler already",
    note = "handlers receive the identity that the policy yields: call `authenticate` or `public` right after `namespace`"
)]
pub trait Undecided: undecided::Sealed {}

impl Undecided for Inherited {}

mod undecided {
    #[expect(unnameable_types, reason = "a sealed trait is not to be named")]
    pub trait Sealed {}

    impl Sealed for super::Inherited {}
}

/// The policy is decided.
#[derive(Debug)]
pub struct Decided(());

/// The builder sets up one namespace.
#[derive(Debug)]
pub struct One(());

/// The builder sets up a set of dynamic namespaces.
#[derive(Debug)]
pub struct Many(());

/// A namespace, or a set of dynamic ones, that is being set up: its policy first, then its handlers, then [`open`](Self::open).
///
/// Handlers belong to the namespace: a connection costs no memory for them. Events of one socket start in the
/// order in which they arrived; a handler that waits does not hold up the next event, unless
/// [`max_handlers_in_flight`](crate::SocketIoBuilder::max_handlers_in_flight) are waiting.
#[must_use = "a namespace serves nobody before `open`"]
pub struct NamespaceBuilder<D, S, K = One> {
    server: Arc<Server>,
    target: Target,
    policy: Choice,
    pub(crate) handlers: Handlers,
    reserved: Option<&'static str>,
    data: PhantomData<fn() -> D>,
    state: PhantomData<(S, K)>,
}

enum Target {
    One(String),
    Many(Matcher),
}

enum Choice {
    Inherit,
    Public,
    Own(Arc<dyn DynPolicy>),
}

impl<D, K> NamespaceBuilder<D, Inherited, K> {
    fn new(server: Arc<Server>, target: Target) -> Self {
        Self {
            server,
            target,
            policy: Choice::Inherit,
            handlers: Handlers::default(),
            reserved: None,
            data: PhantomData,
            state: PhantomData,
        }
    }
}

impl<D, S, K> NamespaceBuilder<D, S, K> {
    /// Replaces the policy of the server for this namespace. Its handlers receive the policy's identity.
    pub fn authenticate<P: Policy>(self, policy: P) -> NamespaceBuilder<P::Identity, Decided, K>
    where
        S: Undecided,
    {
        self.decide(Choice::Own(policy.into_dyn()))
    }

    /// Opens the namespace to everyone, whatever the policy of the server says. No credential is looked at.
    pub fn public(self) -> NamespaceBuilder<(), Decided, K>
    where
        S: Undecided,
    {
        self.decide(Choice::Public)
    }

    fn decide<E>(self, policy: Choice) -> NamespaceBuilder<E, Decided, K> {
        Self { policy, ..self }.retype()
    }
}

impl<D> NamespaceBuilder<D, Inherited, One> {
    pub(crate) fn one(server: Arc<Server>, name: &str) -> Self {
        Self::new(server, Target::One(name.to_owned()))
    }
}

impl<D> NamespaceBuilder<D, Inherited, Many> {
    pub(crate) fn many(server: Arc<Server>, matcher: Matcher) -> Self {
        Self::new(server, Target::Many(matcher))
    }
}

impl<D, S, K> NamespaceBuilder<D, S, K> {
    pub(crate) fn retype<E, T>(self) -> NamespaceBuilder<E, T, K> {
        NamespaceBuilder {
            server: self.server,
            target: self.target,
            policy: self.policy,
            handlers: self.handlers,
            reserved: self.reserved,
            data: PhantomData,
            state: PhantomData,
        }
    }
}

impl<D: Send + Sync + 'static, S, K> NamespaceBuilder<D, S, K> {
    /// Adds a handler of an event. What it returns acknowledges the event, see [`IntoAck`].
    ///
    /// The arguments are read before the handler starts. When they are not of the type asked for the handler is not
    /// called, and the event is acknowledged with `{"error":"invalid_arguments"}`. A panic disconnects the socket.
    /// With several handlers of one event all run, in the order in which they were added.
    pub fn on<T, F, Fut>(
        mut self,
        event: &'static str,
        handler: F,
    ) -> NamespaceBuilder<D, Decided, K>
    where
        T: FromArgs + Send + 'static,
        F: Fn(Socket<D>, T) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoAck,
    {
        if is_reserved(event) {
            self.reserved = Some(event);
        }
        let handler = Box::new(Typed::<(D, T), _>::new(handler));
        self.handlers.add_event(event, handler);
        self.retype()
    }

    /// What happens when the queue of a client is full, in place of the engine's
    /// [`overflow`](engineio::Config::overflow).
    pub fn overflow(mut self, policy: OverflowPolicy) -> NamespaceBuilder<D, Decided, K> {
        self.handlers.options = self.handlers.options.overflow(policy);
        self.retype()
    }

    /// Adds event middleware: it sees every event before its handlers do, and passes it on, passes another one on,
    /// or drops it by returning `None`. Several are asked one after the other.
    ///
    /// A dropped event is not acknowledged (SIO5-EVT-03). Middleware that waits delays its own event, not the ones
    /// behind it; a panic disconnects the socket.
    ///
    /// ```
    /// # fn main() -> Result<(), socketio::BuildError> {
    /// let io = socketio::SocketIo::new();
    /// io.namespace("/")
    ///     .event_middleware(|_socket, event| async move { (event.name() != "secret").then_some(event) })
    ///     .on("secret", |_, (): ()| async {})
    ///     .open()?;
    /// # Ok(()) }
    /// ```
    pub fn event_middleware<F, Fut>(mut self, middleware: F) -> NamespaceBuilder<D, Decided, K>
    where
        F: Fn(Socket<D>, Event) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Option<Event>> + Send + 'static,
    {
        let middleware = Box::new(Typed::<D, _>::new(middleware));
        self.handlers.filters.push(middleware);
        self.retype()
    }

    /// Adds a hook that sees every event as it arrives, before middleware and handlers. It must not block.
    pub fn on_any<F>(mut self, hook: F) -> NamespaceBuilder<D, Decided, K>
    where
        F: Fn(&Socket<D>, &str, RawArgs<'_>) + Send + Sync + 'static,
    {
        self.handlers.any.push(Box::new(move |socket, event, args| {
            hook(&Socket::new(Arc::clone(socket)), event, args);
        }));
        self.retype()
    }

    /// Adds a hook that sees every event that is sent to a socket, broadcasts included, once for each socket. It
    /// runs where the event is emitted and must not block. Arguments are encoded once more for it.
    pub fn on_any_outgoing<F>(mut self, hook: F) -> NamespaceBuilder<D, Decided, K>
    where
        F: Fn(&Socket<D>, &str, RawArgs<'_>) + Send + Sync + 'static,
    {
        let outgoing = &mut self.handlers.any_outgoing;
        outgoing.push(Box::new(move |socket, event, args| {
            hook(&Socket::new(Arc::clone(socket)), event, args);
        }));
        self.retype()
    }

    /// Sets the handler of events that have no handler of their own; a later call replaces an earlier one.
    pub fn fallback<F, Fut>(mut self, handler: F) -> NamespaceBuilder<D, Decided, K>
    where
        F: Fn(Socket<D>, Event) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoAck,
    {
        self.handlers.fallback = Some(Box::new(Typed::<D, _>::new(handler)));
        self.retype()
    }

    /// Adds a hook that hears of what a client sent and no handler will see: arguments of a wrong type, packets
    /// that cannot be decoded (SIO5-INV-01), events that come too fast.
    pub fn on_invalid<F>(mut self, hook: F) -> NamespaceBuilder<D, Decided, K>
    where
        F: Fn(&Socket<D>, Invalid<'_>) + Send + Sync + 'static,
    {
        self.handlers.invalid.push(Box::new(move |socket, invalid| {
            hook(&Socket::new(Arc::clone(socket)), invalid);
        }));
        self.retype()
    }

    /// Adds a hook that hears when rooms come into being and go, and who joins and leaves them. It must not block.
    pub fn on_room<F>(mut self, hook: F) -> NamespaceBuilder<D, Decided, K>
    where
        F: Fn(RoomEvent<'_>) + Send + Sync + 'static,
    {
        self.handlers.room.push(Box::new(hook));
        self.retype()
    }

    /// Adds a hook that hears when more bytes wait for a client than the engine's
    /// [`high_watermark`](engineio::Config::high_watermark); called once until it has caught up.
    pub fn on_slow<F>(mut self, hook: F) -> NamespaceBuilder<D, Decided, K>
    where
        F: Fn(&Socket<D>) + Send + Sync + 'static,
    {
        let slow = &mut self.handlers.slow;
        slow.push(Box::new(move |socket| {
            hook(&Socket::new(Arc::clone(socket)));
        }));
        self.retype()
    }

    /// Adds a hook that hears when a slow client has taken all that waited for it.
    pub fn on_drained<F>(mut self, hook: F) -> NamespaceBuilder<D, Decided, K>
    where
        F: Fn(&Socket<D>) + Send + Sync + 'static,
    {
        let drained = &mut self.handlers.drained;
        drained.push(Box::new(move |socket| {
            hook(&Socket::new(Arc::clone(socket)));
        }));
        self.retype()
    }

    /// Adds connect middleware: it decides, after authentication, whether a client may join, and the client waits
    /// meanwhile. Several are asked one after the other; an error ends the attempt and is sent to the client.
    ///
    /// What the socket joins here takes effect when it is let in; what is emitted to it precedes the answer to its
    /// CONNECT (SRV-ORD-04). It is dropped when the client leaves. A panic refuses with `internal error`.
    pub fn middleware<F, Fut, E>(mut self, middleware: F) -> NamespaceBuilder<D, Decided, K>
    where
        F: Fn(Socket<D>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<ConnectError> + 'static,
    {
        let middleware = Box::new(Typed::<D, _>::new(middleware));
        self.handlers.middleware.push(middleware);
        self.retype()
    }

    /// Adds a handler that is called when a socket has joined, after its CONNECT was answered.
    ///
    /// An error, or a panic, disconnects the socket. Events do not wait for a connect handler that waits.
    pub fn on_connect<F, Fut>(mut self, handler: F) -> NamespaceBuilder<D, Decided, K>
    where
        F: Fn(Socket<D>) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoConnect,
    {
        let handler = Box::new(Typed::<D, _>::new(handler));
        self.handlers.connect.push(handler);
        self.retype()
    }

    /// Adds a hook that is called when a socket is about to leave, while it is still in its rooms (SIO5-DIS-06).
    pub fn on_disconnecting<F>(mut self, hook: F) -> NamespaceBuilder<D, Decided, K>
    where
        F: Fn(Socket<D>, DisconnectReason) + Send + Sync + 'static,
    {
        self.handlers
            .disconnecting
            .push(Box::new(move |socket, reason| {
                hook(Socket::new(Arc::clone(socket)), reason);
            }));
        self.retype()
    }

    /// Adds a handler that is called when a socket has left, once for every socket that had joined.
    pub fn on_disconnect<F, Fut>(mut self, handler: F) -> NamespaceBuilder<D, Decided, K>
    where
        F: Fn(Socket<D>, DisconnectReason) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let handler = Box::new(Typed::<D, _>::new(handler));
        self.handlers.disconnect.push(handler);
        self.retype()
    }

    /// The policy that holds. Its event is not for handlers.
    fn guard(&mut self) -> Result<Option<Guard>, BuildError> {
        let guard = match std::mem::replace(&mut self.policy, Choice::Inherit) {
            Choice::Inherit => self.server.authority.default_guard(),
            Choice::Public => None,
            Choice::Own(policy) => Some(self.server.add_policy(policy)),
        };
        match guard.as_ref().map(Guard::event) {
            Some(event) if self.handlers.has(event) => Err(BuildError::ReservedName(event)),
            _ => Ok(guard),
        }
    }
}

impl<D: Send + Sync + 'static, S> NamespaceBuilder<D, S, One> {
    /// Opens the namespace.
    ///
    /// # Errors
    ///
    /// When the name cannot be one, is taken, or a handler is for a reserved event; `authenticate` is one where there is a policy.
    pub fn open(mut self) -> Result<Namespace<D>, BuildError> {
        if let Some(event) = self.reserved {
            return Err(BuildError::ReservedName(event));
        }
        let name = match &self.target {
            Target::One(name) if name.starts_with('/') && !name.contains([',', '?']) => {
                Arc::<str>::from(name.as_str())
            }
            _ => return Err(BuildError::NamespaceName),
        };
        let guard = self.guard()?;
        let space = Space::new(&self.server, name, Arc::new(self.handlers), guard, None);
        let space = Arc::new(space);
        self.server.open(&space)?;
        trace::namespace_opened(&space.name, || Guard::summary(space.guard.as_ref()));
        Ok(Namespace::new(space))
    }
}

impl<D: Send + Sync + 'static, S> NamespaceBuilder<D, S, Many> {
    /// Takes clients from now on. A namespace of the set comes into being with its first socket and goes with its
    /// last. Sets are asked in the order in which they were opened, and only about names that are not open
    /// (SRV-DYN-01).
    ///
    /// # Errors
    ///
    /// When a handler is for a reserved event; `authenticate` is one where there is a policy.
    pub fn open(mut self) -> Result<DynamicNamespaces<D>, BuildError> {
        if let Some(event) = self.reserved {
            return Err(BuildError::ReservedName(event));
        }
        let guard = self.guard()?;
        let Target::Many(matcher) = self.target else {
            return Err(BuildError::NamespaceName);
        };
        let family = Arc::new(Family {
            matcher,
            handlers: Arc::new(self.handlers),
            guard,
        });
        self.server.add_family(&family);
        trace::namespace_opened(family.matcher.as_str(), || {
            Guard::summary(family.guard.as_ref())
        });
        Ok(DynamicNamespaces {
            server: self.server,
            family,
            data: PhantomData,
        })
    }
}

impl<D, S, K> fmt::Debug for NamespaceBuilder<D, S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match &self.target {
            Target::One(name) => name,
            Target::Many(matcher) => matcher.as_str(),
        };
        f.debug_struct("NamespaceBuilder")
            .field("name", &name)
            .finish_non_exhaustive()
    }
}

/// An open namespace: what reaches all its sockets, or some of them.
///
/// Cheap to clone and valid anywhere, in plain HTTP handlers for instance.
pub struct Namespace<D> {
    pub(crate) space: Arc<Space>,
    data: PhantomData<fn() -> D>,
}

impl<D> Clone for Namespace<D> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.space))
    }
}

impl<D> Namespace<D> {
    pub(crate) fn new(space: Arc<Space>) -> Self {
        Self {
            space,
            data: PhantomData,
        }
    }

    /// The name, `/` or `/chat` for instance.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.space.name
    }

    /// Closes the namespace: nobody joins it any more, and its sockets are disconnected. Its name is free again.
    pub fn close(&self) {
        if let Some(server) = self.space.server.upgrade() {
            server.close(&self.space);
        }
        // Whoever is not among the sockets yet sees this when he is.
        self.space.is_closed.store(true, Ordering::Release);
        self.all().local().disconnect();
    }

    /// The rooms that have a member, those of single sockets left out.
    #[must_use]
    pub fn rooms(&self) -> Vec<Room> {
        self.space.rooms.lock().names()
    }

    /// Everyone in the namespace.
    pub fn all(&self) -> Broadcast {
        Broadcast::new(Arc::clone(&self.space), Selection::default())
    }

    /// The members of a room.
    pub fn to(&self, room: impl Into<Room>) -> Broadcast {
        self.all().to(room)
    }

    /// Everyone but the members of a room.
    pub fn except(&self, room: impl Into<Room>) -> Broadcast {
        self.all().except(room)
    }

    /// Sends an event to everyone.
    ///
    /// # Errors
    ///
    /// See [`Broadcast::emit`].
    pub fn emit<A: Serialize + ?Sized>(&self, event: &str, args: &A) -> Result<(), EmitError> {
        self.all().emit(event, args)
    }

    /// Sends an event to everyone, to be acknowledged.
    ///
    /// # Errors
    ///
    /// See [`Broadcast::emit_with_ack`].
    pub fn emit_with_ack<R: FromArgs>(
        &self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> Result<AckStream<R>, EmitError> {
        self.all().emit_with_ack(event, args)
    }

    /// The socket with this id.
    #[must_use]
    pub fn socket(&self, id: &str) -> Option<Socket<D>> {
        self.space.rooms.lock().get(id).map(Socket::new)
    }

    /// The sockets in the namespace.
    #[must_use]
    pub fn sockets(&self) -> Vec<Socket<D>> {
        let sockets = self.space.rooms.lock().select(&Selection::default());
        sockets.into_iter().map(Socket::new).collect()
    }

    /// How many sockets are in the namespace.
    #[must_use]
    pub fn socket_count(&self) -> usize {
        self.space.rooms.lock().count()
    }

    /// The ids of the sockets in a room.
    #[must_use]
    pub fn ids_in(&self, room: impl Into<Room>) -> Vec<SocketId> {
        let selection = Selection {
            rooms: vec![room.into()],
            except: Vec::new(),
        };
        let sockets = self.space.rooms.lock().select(&selection);
        sockets.iter().map(|socket| socket.id().clone()).collect()
    }
}

impl<D> fmt::Debug for Namespace<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace")
            .field("name", &self.space.name)
            .finish_non_exhaustive()
    }
}

/// A set of dynamic namespaces: those of its names that have a socket.
pub struct DynamicNamespaces<D> {
    server: Arc<Server>,
    family: Arc<Family>,
    data: PhantomData<fn() -> D>,
}

impl<D> Clone for DynamicNamespaces<D> {
    fn clone(&self) -> Self {
        Self {
            server: Arc::clone(&self.server),
            family: Arc::clone(&self.family),
            data: PhantomData,
        }
    }
}

impl<D> DynamicNamespaces<D> {
    /// The namespace with this name, if it has a socket now. A handle to one that has gone reaches nobody.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Option<Namespace<D>> {
        let space = self.server.find(name)?;
        Arc::ptr_eq(&space.handlers, &self.family.handlers).then(|| Namespace::new(space))
    }

    /// The namespaces that have a socket now.
    #[must_use]
    pub fn namespaces(&self) -> Vec<Namespace<D>> {
        let spaces = self.server.spaces_of(&self.family);
        spaces.into_iter().map(Namespace::new).collect()
    }

    /// Sends an event to everyone in every namespace of the set.
    ///
    /// # Errors
    ///
    /// See [`Broadcast::emit`].
    pub fn emit<A: Serialize + ?Sized>(&self, event: &str, args: &A) -> Result<(), EmitError> {
        self.namespaces()
            .iter()
            .try_for_each(|namespace| namespace.emit(event, args))
    }
}

impl<D> fmt::Debug for DynamicNamespaces<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamicNamespaces").finish_non_exhaustive()
    }
}
