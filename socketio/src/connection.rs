//! One connection: the pure machine behind a lock, and what it asks for.
//!
//! Inputs are fed by whoever has them; one thread at a time carries out what follows, without the lock, and runs
//! no user code there. User code is called from the [inbox](crate::inbox), one call at a time and in order.

mod admission;
mod binding;
mod books;
mod calls;
mod effects;
mod replies;

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::{Instant, SystemTime};

use engineio::{CloseReason, Connection, Flow, Message, Protocol, RequestView};
use serde_json::Value;
use socketio_auth as auth;
use socketio_auth::{Code, Collected, ErasedIdentity, Extract, Grant, Queued};
use tokio::runtime::Handle;

use self::admission::new_guest;
use self::binding::presented_in;
use self::calls::tell_invalid;
use crate::ack::Awaited;
use crate::codec::Decoder;
use crate::error::DisconnectReason;
use crate::event::Invalid;
use crate::handler::{AckSender, SocketHook};
use crate::handshake::{Handshake, auth_of_query};
use crate::inbox::{Call, Inbox};
use crate::lock::Lock;
use crate::packet::{Packet, PacketKind};
use crate::proto::client::{self, Application, Input, Route, Ticket};
use crate::queue::Queue;
use crate::revoked::Mark;
use crate::running::{Panicked, guard};
use crate::server::Server;
use crate::socket::Core;
use crate::trace;

/// The application of the engine, and the types of the pure machine.
pub(crate) struct Shell {
    server: Arc<Server>,
}

impl Application for Shell {
    type Socket = Arc<Core>;
    type Payload = Payload;
    // Boxed since it is large, and inputs and outputs are moved more often than it is made.
    type Packet = Box<HeldPacket>;
    type Grant = Accepted;
}

/// A grant, and what had been revoked when its verification began.
pub(crate) struct Accepted {
    grant: Arc<Grant<ErasedIdentity>>,
    mark: Mark,
    /// The moment from which the rest of its life is counted.
    counted_from: SystemTime,
}

/// What came with a CONNECT.
#[derive(Default)]
pub(crate) struct Payload {
    auth: Option<Auth>,
    size: usize,
}

/// The auth object.
enum Auth {
    /// As it came, for most policies look at one field of it.
    Text(Box<str>),
    Value(Value),
}

impl Payload {
    fn value(&self) -> Option<Cow<'_, Value>> {
        match self.auth.as_ref()? {
            Auth::Text(text) => serde_json::from_str(text).ok().map(Cow::Owned),
            Auth::Value(value) => Some(Cow::Borrowed(value)),
        }
    }

    fn into_value(self) -> Option<Value> {
        match self.auth? {
            Auth::Text(text) => serde_json::from_str(&text).ok(),
            Auth::Value(value) => Some(value),
        }
    }
}

/// A packet that waits for a verification, or for its turn.
pub(crate) struct HeldPacket {
    pub(crate) packet: Packet<'static>,
    /// What it counts towards the bounds of what waits.
    pub(crate) size: usize,
}

impl HeldPacket {
    fn new(packet: &Packet<'_>, size: usize) -> Box<Self> {
        let packet = packet.clone().into_owned();
        Box::new(Self { packet, size })
    }
}

impl Queued for Box<HeldPacket> {
    fn size_bytes(&self) -> usize {
        self.size
    }
}

type Machine = client::Client<Shell>;

/// What the engine keeps for each connection.
pub(crate) struct Client {
    server: Arc<Server>,
    /// Where its handlers run, whichever thread has them called.
    runtime: Handle,
    pub(crate) handshake: Handshake,
    /// The address that the bounds count, where it is not the peer's own: behind a trusted proxy.
    forwarded: Option<Box<IpAddr>>,
    /// A packet waits in the decoder. Only messages change it, and they come one after the other.
    is_waiting: AtomicBool,
    state: Lock<State>,
}

/// What the opening request presented to one policy.
struct Presented {
    policy: usize,
    found: Result<Extract, Panicked>,
    /// It authenticated, so later requests may not present another.
    is_bound: bool,
}

struct State {
    /// Keeps the packet that waits for its attachments.
    decoder: Decoder,
    machine: Machine,
    inputs: Queue<Input<Shell>>,
    is_pumping: bool,
    inbox: Inbox,
    /// What the opening request presented to each policy.
    presented: Box<[Presented]>,
    /// How far ahead of the pace of events the client is.
    paid_until: Option<Instant>,
    /// When the engine is to wake the machine.
    wake_at: Option<Instant>,
}

impl State {
    /// Gives the memory back that nothing waits in.
    fn release(&mut self) {
        self.inputs.release();
        self.machine.release();
        self.inbox.release();
    }
}

impl Shell {
    pub(crate) fn new(server: Arc<Server>) -> Self {
        Self { server }
    }
}

impl engineio::Handler for Shell {
    type Data = Client;

    fn on_open(&self, _: &Connection<Client>, request: &RequestView<'_>) -> Client {
        let (settings, authority) = (&self.server.settings, &self.server.authority);
        let policies = authority.policies();
        let secrets = policies.secrets_in(request);
        Client {
            server: Arc::clone(&self.server),
            runtime: Handle::current(),
            handshake: Handshake::keep(request, settings.keeps_headers, secrets, wall_clock()),
            forwarded: authority
                .address_of(request)
                .filter(|address| Some(*address) != own_address(request.peer()))
                .map(Box::new),
            is_waiting: AtomicBool::new(false),
            state: Lock::new(State {
                decoder: Decoder::default(),
                machine: Machine::new(now(), &settings.client),
                inputs: Queue::default(),
                is_pumping: false,
                inbox: Inbox::default(),
                presented: presented_in(&policies, request, secrets),
                paid_until: None,
                wake_at: None,
            }),
        }
    }

    fn on_ready(&self, connection: &Connection<Client>) {
        let Some(client) = connection.data() else {
            return;
        };
        //= SIO4-CON-01
        if connection.protocol() == Protocol::V3 {
            // Without an auth object: what the URL presents is for the sources that look there.
            client.connect(connection, now(), "/", Payload::default(), true);
        } else {
            client.arm(connection);
        }
    }

    fn admits(&self, connection: &Connection<Client>, request: &RequestView<'_>) -> bool {
        connection
            .data()
            .is_none_or(|client| client.is_owner(request))
    }

    fn on_message(&self, connection: &Connection<Client>, message: Message<'_>) -> Flow {
        connection
            .data()
            .map_or(Flow::Continue, |client| client.receive(connection, message))
    }

    fn on_deadline(&self, connection: &Connection<Client>) {
        if let Some(client) = connection.data() {
            client.state.lock().wake_at = None;
            client.feed(connection, Input::Timeout);
        }
    }

    fn on_slow(&self, connection: &Connection<Client>) {
        if let Some(client) = connection.data() {
            client.tell_all(|socket| &socket.space.handlers.slow);
        }
    }

    fn on_drained(&self, connection: &Connection<Client>) {
        if let Some(client) = connection.data() {
            client.tell_all(|socket| &socket.space.handlers.drained);
        }
    }

    fn on_close(&self, connection: &Connection<Client>, reason: CloseReason) {
        let Some(client) = connection.data() else {
            return;
        };
        //= SIO5-DIS-04
        let reason = match reason {
            CloseReason::ForcedClose if self.server.is_closing() => {
                DisconnectReason::ServerShuttingDown
            }
            reason => reason.into(),
        };
        drop(std::mem::take(&mut client.state.lock().decoder));
        client.feed(connection, Input::Closed(reason));
    }
}

/// What came in.
impl Client {
    fn receive(&self, connection: &Connection<Self>, message: Message<'_>) -> Flow {
        let (size, now) = (message.as_bytes().len(), message.read_at());
        let was_waiting = self.is_waiting.load(Ordering::Relaxed);
        let mut decoder = if was_waiting {
            std::mem::take(&mut self.state.lock().decoder)
        } else {
            Decoder::default()
        };
        let decoded = decoder.decode(
            &self.server.codec,
            message.payload(),
            connection.protocol(),
            &self.server.settings.packets,
        );
        let is_waiting = decoder.is_waiting();
        if is_waiting && was_waiting {
            self.state.lock().decoder = decoder;
        } else if is_waiting && !self.await_attachments(connection, decoder, now) {
            return self.violation(connection);
        }
        let is_complete = was_waiting && !is_waiting;
        // A packet is large to be moved.
        match &decoded {
            Ok(None) if !is_complete => Flow::Continue,
            Ok(packet) => {
                let mut state = self.state.lock();
                if is_complete {
                    self.is_waiting.store(false, Ordering::Relaxed);
                    state.machine.end_attachments();
                }
                match packet {
                    Some(packet) => self.take(connection, state, now, packet, size),
                    None => Flow::Continue,
                }
            }
            //= SIO5-INV-01
            &Err(error) => {
                self.server.meter.packet_invalid();
                trace::debug!(%error, "a packet cannot be decoded");
                for socket in self.joined() {
                    tell_invalid(&socket, Invalid::Packet(error));
                }
                self.feed(connection, Input::GiveUp);
                Flow::Continue
            }
        }
    }

    /// The address that the bounds count.
    fn address(&self) -> Option<IpAddr> {
        let forwarded = self.forwarded.as_deref().copied();
        forwarded.or_else(|| own_address(self.handshake.peer()))
    }

    fn joined(&self) -> Vec<Arc<Core>> {
        self.state.lock().machine.joined().cloned().collect()
    }

    /// Calls hooks for every joined socket.
    fn tell_all(&self, hooks: impl Fn(&Core) -> &[SocketHook]) {
        let _entered = self.runtime.enter();
        for socket in self.joined() {
            for hook in hooks(&socket) {
                if guard(|| hook(&socket)).is_err() {
                    socket.disconnect();
                }
            }
        }
    }

    /// Keeps a packet, and bounds the wait for its attachments. False when nobody may send it, so that they are not
    /// waited for.
    fn await_attachments(
        &self,
        connection: &Connection<Self>,
        decoder: Decoder,
        now: Instant,
    ) -> bool {
        let mut state = self.state.lock();
        let limits = &self.server.settings.client;
        let namespace = decoder.waiting().map(Packet::namespace);
        let is_welcome = state.machine.await_attachments(now, limits, namespace);
        if !is_welcome {
            return false;
        }
        self.is_waiting.store(true, Ordering::Relaxed);
        state.decoder = decoder;
        // As a rule the wake-up for an earlier packet is still to come.
        let by = now.checked_add(limits.attachment_timeout);
        if state.wake_at.is_none() || state.wake_at > by {
            self.arm_with(connection, state);
        }
        true
    }

    fn may_be_late(&self, namespace: &str) -> bool {
        self.state.lock().machine.may_be_late(namespace)
    }

    fn take(
        &self,
        connection: &Connection<Self>,
        state: MutexGuard<'_, State>,
        now: Instant,
        packet: &Packet<'_>,
        size: usize,
    ) -> Flow {
        match packet.kind() {
            PacketKind::Event => return self.take_event(connection, state, now, packet, size),
            PacketKind::Ack => return self.take_ack(connection, state, packet, size),
            PacketKind::Connect => {
                drop(state);
                let args = packet.args();
                let auth = match (packet.query(), args.as_json()) {
                    (Some(query), _) => Some(Auth::Value(auth_of_query(query))),
                    // Protocol 4 has no payload here (SIO4-CON-03).
                    _ if connection.protocol() == Protocol::V3 || args.is_empty() => None,
                    (None, Some(text)) => Some(Auth::Text(text.into())),
                    // What cannot be read is none to those who want the whole, and bad to those who look for a credential.
                    (None, None) => {
                        let unreadable = || Auth::Text(Box::default());
                        Some(
                            args.deserialize()
                                .map_or_else(|_| unreadable(), Auth::Value),
                        )
                    }
                };
                let payload = Payload { auth, size };
                self.connect(connection, now, packet.namespace(), payload, false);
            }
            PacketKind::Disconnect => {
                drop(state);
                self.feed(connection, Input::Disconnect(packet.namespace().into()));
            }
            //= SIO5-CON-09
            PacketKind::ConnectError => {
                drop(state);
                self.feed(connection, Input::Violation);
            }
        }
        Flow::Continue
    }

    fn connect(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        name: &str,
        payload: Payload,
        is_implied: bool,
    ) {
        let name = match self.server.find(name) {
            Some(space) => Arc::clone(&space.name),
            None => name.into(),
        };
        self.feed_at(
            connection,
            now,
            Input::Connect {
                name,
                payload,
                is_implied,
            },
        );
    }

    fn take_event(
        &self,
        connection: &Connection<Self>,
        mut state: MutexGuard<'_, State>,
        now: Instant,
        packet: &Packet<'_>,
        size: usize,
    ) -> Flow {
        let settings = &self.server.settings;
        let (ticket, socket, is_held) = match state.machine.route(packet.namespace()) {
            Route::Deliver(ticket, socket) => (ticket, socket, false),
            Route::Held(ticket, socket) => (ticket, socket, true),
            Route::Violation => {
                drop(state);
                return self.violation(connection);
            }
        };
        let authenticates = socket
            .space
            .authenticate_event()
            .is_some_and(|event| packet.name() == Some(event));
        if is_held || authenticates {
            drop(state);
            if authenticates {
                self.authenticate(connection, now, ticket, &socket, packet);
            } else {
                self.hold(connection, ticket, packet, size);
            }
            return Flow::Continue;
        }
        if let Some(rate) = settings.event_rate
            && !rate.admits(&mut state.paid_until, now)
        {
            drop(state);
            self.drop_event(&socket, packet);
            return Flow::Continue;
        }
        if state.inbox.begin_event(settings.max_handlers_in_flight) {
            drop(state);
            self.dispatch(connection, &socket, packet);
            self.call_on(connection, now);
            return Flow::Continue;
        }
        let held = HeldPacket::new(packet, size);
        state.inbox.push(Call::Event { socket, held });
        let is_full = state.inbox.pause_if_full(settings.inbox_max_bytes);
        drop(state);
        // Whoever had the right to call may have given it back meanwhile.
        self.call(connection, now);
        if is_full { Flow::Pause } else { Flow::Continue }
    }

    /// Refuses an event that came too fast.
    fn drop_event(&self, socket: &Arc<Core>, packet: &Packet<'_>) {
        self.server.meter.event_too_fast();
        trace::debug!(namespace = &*socket.space.name, "an event came too fast");
        let event = packet.name().unwrap_or_default();
        tell_invalid(socket, Invalid::TooFast { event });
        if let Some(id) = packet.id() {
            AckSender::new(Arc::clone(socket), id, false).fail("rate_limited");
        }
    }

    fn take_ack(
        &self,
        connection: &Connection<Self>,
        state: MutexGuard<'_, State>,
        packet: &Packet<'_>,
        size: usize,
    ) -> Flow {
        let route = state.machine.route(packet.namespace());
        drop(state);
        let (ticket, socket, is_held) = match route {
            Route::Deliver(ticket, socket) => (ticket, socket, false),
            Route::Held(ticket, socket) => (ticket, socket, true),
            Route::Violation if self.may_be_late(packet.namespace()) => return Flow::Continue,
            Route::Violation => return self.violation(connection),
        };
        let awaited = packet.id().and_then(|id| socket.take_ack(id));
        match awaited {
            Some(Awaited::Notice(notice)) => {
                let input = auth::Input::UnauthorizedAcked { notice };
                self.feed(connection, Input::Auth { ticket, input });
            }
            Some(awaited) => {
                awaited.resolve(socket.id(), Ok(packet.args().to_owned()));
            }
            None if is_held => self.hold(connection, ticket, packet, size),
            None => {}
        }
        Flow::Continue
    }

    /// A packet for a socket that is not in yet.
    fn hold(
        &self,
        connection: &Connection<Self>,
        ticket: Ticket,
        packet: &Packet<'_>,
        size: usize,
    ) {
        let input = auth::Input::Packet(HeldPacket::new(packet, size));
        self.feed(connection, Input::Auth { ticket, input });
    }

    fn authenticate(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        ticket: Ticket,
        socket: &Arc<Core>,
        packet: &Packet<'_>,
    ) {
        let Some(gate) = &socket.space.guard else {
            return;
        };
        let args = packet.args();
        let presented = match args.deserialize::<Value>() {
            _ if args.is_empty() => gate.policy.collect_event(None),
            Ok(argument) => gate.policy.collect_event(Some(&argument)),
            Err(_) => Collected::Rejected(Code::CredentialsBadFormat.into()),
        };
        let mut presented = self.within_limits(now, presented, socket.subject().as_ref());
        let ack = packet.id();
        // Who is being verified, or is in, does not become a guest.
        let is_waited_for = self.state.lock().machine.awaits_credential(ticket);
        if socket.is_asking() {
            presented = Collected::Rejected(Code::AuthInProgress.into());
        }
        if is_waited_for && matches!(presented, Collected::Guest) {
            match new_guest(gate, &socket.space) {
                Ok(guest) => socket.set_guest(guest),
                Err(rejection) => presented = Collected::Rejected(rejection),
            }
        }
        let asks_first = is_waited_for && !socket.space.handlers.middleware.is_empty();
        if asks_first && matches!(presented, Collected::Guest) {
            socket.set_asking(true);
            self.push(Call::AdmitGuest {
                ticket,
                socket: Arc::clone(socket),
                ack,
            });
            return self.go_on(connection, now);
        }
        self.feed_at(
            connection,
            now,
            Input::Authenticate {
                ticket,
                presented,
                ack,
            },
        );
    }

    fn violation(&self, connection: &Connection<Self>) -> Flow {
        self.feed(connection, Input::Violation);
        Flow::Continue
    }
}

/// The machine.
impl Client {
    /// Feeds what happened just now, see [`feed_at`](Self::feed_at).
    pub(crate) fn feed(&self, connection: &Connection<Self>, input: Input<Shell>) {
        self.feed_at(connection, now(), input);
    }

    /// Feeds an input, and makes the calls that are due then.
    fn feed_at(&self, connection: &Connection<Self>, now: Instant, input: Input<Shell>) {
        self.pump(connection, now, input);
        self.go_on(connection, now);
    }

    /// Makes the calls that are due, and has the engine come back when the machine wants it. In this order: most
    /// verifications are done at once, and nobody need be woken for their deadline.
    fn go_on(&self, connection: &Connection<Self>, now: Instant) {
        if !self.call(connection, now) {
            self.arm(connection);
        }
    }

    /// Feeds an input and carries out what follows, unless another thread is about to. One moment counts for all of it:
    /// nothing that is done here waits. [`go_on`](Self::go_on) is due then, but for whoever is making calls.
    fn pump(&self, connection: &Connection<Self>, now: Instant, input: Input<Shell>) {
        let limits = &self.server.settings.client;
        let mut state = self.state.lock();
        if state.is_pumping {
            state.inputs.push_back(input);
            return;
        }
        debug_assert!(state.inputs.is_empty(), "whoever pumps leaves none behind");
        state.is_pumping = true;
        // The first does not pass through the queue, which therefore seldom needs memory.
        let mut next = Some(input);
        while let Some(input) = next.take().or_else(|| state.inputs.pop_front()) {
            state.machine.handle_input(now, limits, input);
            while let Some(output) = state.machine.poll_output() {
                drop(state);
                self.perform(connection, output);
                state = self.state.lock();
            }
        }
        state.is_pumping = false;
    }

    /// Has the engine come back when the machine wants it. A wake-up too many is harmless.
    fn arm(&self, connection: &Connection<Self>) {
        self.arm_with(connection, self.state.lock());
    }

    fn arm_with(&self, connection: &Connection<Self>, mut state: MutexGuard<'_, State>) {
        let Some(at) = state.machine.poll_timeout() else {
            return;
        };
        if state.wake_at.is_none_or(|armed| at < armed) {
            state.wake_at = Some(at);
            drop(state);
            connection.wake_at(Some(at));
        }
    }

    /// Adds an input while outputs are being carried out.
    fn enqueue(&self, input: Input<Shell>) {
        self.state.lock().inputs.push_back(input);
    }

    fn push(&self, call: Call) {
        self.state.lock().inbox.push(call);
    }
}

fn own_address(peer: Option<SocketAddr>) -> Option<IpAddr> {
    peer.map(|peer| peer.ip().to_canonical())
}

/// Tokio's clock, like the engine's: a test can pause it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[expect(clippy::disallowed_methods, reason = "tokens end by the wall clock")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}
