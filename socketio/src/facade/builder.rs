//! Namespaces that are being set up: their policy, then their handlers.

use std::any::TypeId;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::str::FromStr;
use std::sync::Arc;

use engineio::{OverflowPolicy, Transport};
use socketio_auth::{Policy, server::DynPolicy};

use super::handler::{IdentityChange, IntoAck, IntoConnect, Typed};
use super::namespace::{DynamicNamespaces, Namespace};
use super::socket::Socket;
use crate::authority::guard::Guard;
use crate::codec::kind::is_reserved;
use crate::codec::{FromArgs, RawArgs};
use crate::error::{BuildError, ConnectError, DisconnectReason};
use crate::event::{Event, Invalid};
use crate::live::directory::Taken;
use crate::live::handlers::Handlers;
use crate::live::matcher::Matcher;
use crate::live::server::Server;
use crate::live::space::{Family, Space};
use crate::proto::rooms::RoomEvent;
use crate::trace;

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
    reserved: Option<String>,
    /// A type was given for it, and names of the set have no parameters.
    strange_param: Option<String>,
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
            strange_param: None,
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
            strange_param: self.strange_param,
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
    pub fn on<T, F, Fut>(mut self, event: &str, handler: F) -> NamespaceBuilder<D, Decided, K>
    where
        T: FromArgs + Send + 'static,
        F: Fn(Socket<D>, T) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoAck,
    {
        if is_reserved(event) {
            self.reserved = Some(event.to_owned());
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
    /// A dropped event is not acknowledged. Middleware that waits delays its own event, not the ones
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
    //= SIO5-EVT-03
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
    /// that cannot be decoded, events that come too fast.
    //= SIO5-INV-01
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

    /// Adds a hook that hears when a client has moved to another transport, from long-polling to WebSocket: each socket that
    /// is in then, before anything that comes over the new one. It must not block. A socket that comes in later is on it
    /// already, as [`Socket::transport`] says.
    ///
    /// ```
    /// # fn main() -> Result<(), socketio::BuildError> {
    /// let io = socketio::SocketIo::new();
    /// io.namespace("/")
    ///     .on_upgrade(|socket, transport| println!("{} is on {transport}", socket.id()))
    ///     .open()?;
    /// # Ok(()) }
    /// ```
    pub fn on_upgrade<F>(mut self, hook: F) -> NamespaceBuilder<D, Decided, K>
    where
        F: Fn(&Socket<D>, Transport) + Send + Sync + 'static,
    {
        let upgraded = &mut self.handlers.upgraded;
        upgraded.push(Box::new(move |socket| {
            let transport = socket.connection.transport();
            hook(&Socket::new(Arc::clone(socket)), transport);
        }));
        self.retype()
    }

    /// Adds connect middleware: it decides, after authentication, whether a client may join, and the client waits
    /// meanwhile. Several are asked one after the other; an error ends the attempt and is sent to the client.
    ///
    /// It is asked again when a socket that is in becomes somebody else: a guest authenticates, another subject takes
    /// the socket over, the grant has ended and a guest goes on. Then the socket shows here whom it would become; it
    /// stays who it is, and is served as that, until all have agreed. A renewal by the same subject asks nobody.
    ///
    /// What the socket joins here takes effect when the client is let in; what is emitted to it precedes the answer to
    /// its CONNECT. Middleware is dropped when the client leaves, and where there is a policy after its
    /// [`middleware_timeout`](socketio_auth::NamespacePolicy::middleware_timeout). A panic refuses with `internal error`.
    ///
    /// The error is a [`ConnectError`], which text and the errors of joining and emitting become: by `?`, or by `.into()`.
    ///
    /// ```
    /// # fn main() -> Result<(), socketio::BuildError> {
    /// let io = socketio::SocketIo::new();
    /// io.namespace("/")
    ///     .middleware(|socket| async move {
    ///         let auth = socket.auth();
    ///         let team = auth["team"].as_str().ok_or("which team?")?;
    ///         socket.join(format!("team:{team}"))?;
    ///         Ok(())
    ///     })
    ///     .open()?;
    /// # Ok(()) }
    /// ```
    //= SRV-ORD-04
    pub fn middleware<F, Fut>(mut self, middleware: F) -> NamespaceBuilder<D, Decided, K>
    where
        F: Fn(Socket<D>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), ConnectError>> + Send + 'static,
    {
        let middleware = Box::new(Typed::<D, _>::new(middleware));
        self.handlers.middleware.push(middleware);
        self.retype()
    }

    /// Adds a handler that is called when a socket has joined, after its CONNECT was answered.
    ///
    /// An error of any type, or a panic, disconnects the socket. Events do not wait for a connect handler that waits: what
    /// their handlers need is loaded in [`middleware`](Self::middleware), where the client waits.
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

    /// Adds a handler that is called when a socket has another holder, or the same with a newer grant: a guest has
    /// authenticated, a grant was renewed, another subject took the socket over, the grant has ended and a guest goes
    /// on. What depends on who the client is belongs here as well as in [`on_connect`](Self::on_connect), above all the
    /// rooms of its own.
    ///
    /// Connect middleware was asked before and has agreed, but for a renewal, by which nobody new comes in. The client
    /// has been told; what it sent while that was being decided on comes after this. An error, or a panic, disconnects
    /// the socket. Events do not wait for a handler that waits.
    ///
    /// ```
    /// use socketio::auth::{AuthContext, Credential, Grant, InHandshake, Outcome, auth_fn};
    /// use socketio::{Socket, SocketIo};
    ///
    /// # fn main() -> Result<(), socketio::BuildError> {
    /// let users = auth_fn(|_: AuthContext, credential: Credential| async move {
    ///     // Whoever says a name has it. Not for use.
    ///     Outcome::Accept(Grant::new(credential.token().to_owned(), credential.token()))
    /// });
    /// let policy = InHandshake::new(users).guest(|| "guest".to_owned());
    /// let io = SocketIo::builder().authenticate(policy).build()?;
    /// io.namespace("/")
    ///     .on_connect(|socket: Socket<String>| async move { socket.join(format!("user:{}", socket.data())) })
    ///     .on_identity_change(|socket, change| async move {
    ///         socket.leave(format!("user:{}", change.before));
    ///         socket.join(format!("user:{}", change.after))
    ///     })
    ///     .open()?;
    /// # Ok(()) }
    /// ```
    pub fn on_identity_change<F, Fut>(mut self, handler: F) -> NamespaceBuilder<D, Decided, K>
    where
        F: Fn(Socket<D>, IdentityChange<D>) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoConnect,
    {
        let handler = Box::new(Typed::<D, _>::new(handler));
        self.handlers.change.push(handler);
        self.retype()
    }

    /// Adds a hook that is called when a socket is about to leave, while it is still in its rooms.
    //= SIO5-DIS-06
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
        self.handlers.identity = Some(TypeId::of::<D>());
        let guard = match std::mem::replace(&mut self.policy, Choice::Inherit) {
            Choice::Inherit => self.server.authority.default_guard(),
            Choice::Public => None,
            Choice::Own(policy) => Some(self.server.add_policy(policy)),
        };
        match guard.as_ref().map(Guard::event) {
            Some(event) if self.handlers.has(event) => {
                Err(BuildError::ReservedName(event.to_owned()))
            }
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
        let space = Space::new(&self.server, name, Arc::new(self.handlers), guard, false);
        let space = Arc::new(space);
        let opened = self.server.spaces.open(&space);
        opened.map_err(|Taken| BuildError::NamespaceTaken)?;
        trace::namespace_opened(&space.name, || Guard::summary(space.guard.as_ref()));
        Ok(Namespace::new(space))
    }
}

impl<D: Send + Sync + 'static, S> NamespaceBuilder<D, S, Many> {
    /// Says what type a parameter of the pattern has: a name whose part is none, such as `/tenant/x` for a number, is not of
    /// the set. Handlers have it from [`Socket::param`].
    ///
    /// ```
    /// use socketio::{Ack, SocketIo};
    ///
    /// # fn main() -> Result<(), socketio::BuildError> {
    /// let io = SocketIo::new();
    /// io.namespaces("/tenant/{id}")
    ///     .param::<u32>("id")
    ///     .on("which", |socket, (): ()| async move { Ack(socket.param::<u32>("id")) })
    ///     .open()?;
    /// # Ok(()) }
    /// ```
    pub fn param<T: FromStr>(mut self, name: &str) -> Self {
        if let Target::Many(Matcher::Pattern(pattern)) = &mut self.target
            && let Some(pattern) = Arc::get_mut(pattern)
        {
            pattern.check(name, |value| value.parse::<T>().is_ok());
        } else {
            self.strange_param = Some(name.to_owned());
        }
        self
    }

    /// Takes clients from now on. A namespace of the set comes into being with its first socket and goes with its
    /// last. Sets are asked in the order in which they were opened, and only about names that are not open.
    ///
    /// # Errors
    ///
    /// When a handler is for a reserved event; `authenticate` is one where there is a policy; when the pattern is in doubt, see
    /// [`BuildError::NamespacePattern`].
    //= SRV-DYN-01
    pub fn open(mut self) -> Result<DynamicNamespaces<D>, BuildError> {
        if let Some(event) = self.reserved {
            return Err(BuildError::ReservedName(event));
        }
        let guard = self.guard()?;
        let Target::Many(matcher) = self.target else {
            return Err(BuildError::NamespaceName);
        };
        if let Some(name) = self.strange_param {
            return Err(BuildError::NamespacePattern(format!("{{{name}}}")));
        }
        if let Matcher::Pattern(pattern) = &matcher {
            if !pattern.is_sound() {
                return Err(BuildError::NamespacePattern(pattern.as_str().to_owned()));
            }
            self.handlers.pattern = Some(Arc::clone(pattern));
        }
        let family = Arc::new(Family {
            matcher,
            handlers: Arc::new(self.handlers),
            guard,
        });
        self.server.add_family(&family);
        trace::namespace_opened(family.matcher.as_str(), || {
            Guard::summary(family.guard.as_ref())
        });
        Ok(DynamicNamespaces::new(self.server, family))
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
