//! What comes in: messages, and what the engine tells of a connection.

use std::sync::Arc;
use std::time::Instant;

use engineio::{CloseReason, Connection, Flow, Message, Protocol, RequestView};
use serde_json::Value;
use socketio_auth::server as auth;
use socketio_auth::{
    Code,
    server::{Collected, Queue},
};
use tokio::runtime::Handle;

use super::binding::presented_in;
use super::calls::tell_invalid;
use crate::atomic::{AtomicBool, AtomicU32, Ordering};
use crate::clock::{now, wall_clock};
use crate::codec::kind::PacketKind;
use crate::codec::packet::{IncomingEvent, Packet};
use crate::codec::{Decoder, PacketError};
use crate::error::DisconnectReason;
use crate::event::Invalid;
use crate::live::client::{Auth, Client, HeldPacket, Machine, Payload, Shell, State};
use crate::live::core::Core;
use crate::live::handlers::{AckSender, SocketHook};
use crate::live::handshake::{Handshake, auth_of_query};
use crate::live::inbox::{HeldEvent, Inbox};
use crate::live::owed::Awaited;
use crate::lock::{Lock, MutexGuard};
use crate::proto::client::{Input, Route, Ticket};
use crate::proto::inbox::Reading;
use crate::running::guard;
use crate::trace;

impl engineio::Handler for Shell {
    type Data = Client;

    fn on_open(&self, request: &RequestView<'_>, _: Protocol) -> Client {
        let (settings, authority) = (&self.server.settings, &self.server.authority);
        let policies = authority.policies();
        let secrets = policies.secrets_in(request);
        Client {
            server: Arc::clone(&self.server),
            runtime: Handle::current(),
            handshake: Handshake::keep(request, &settings.keeping, secrets, wall_clock()),
            is_waiting: AtomicBool::new(false),
            awaited: AtomicU32::new(0),
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
        let client = connection.data();
        //= SIO4-CON-01
        if connection.protocol() == Protocol::V3 {
            // Without an auth object: what the URL presents is for the sources that look there.
            client.connect(connection, now(), "/", Payload::default(), true);
        } else {
            client.arm(connection);
        }
    }

    fn admits(&self, connection: &Connection<Client>, request: &RequestView<'_>) -> bool {
        connection.data().is_owner(request)
    }

    fn on_message(&self, connection: &Connection<Client>, message: Message<'_>) -> Flow {
        connection.data().receive(connection, message)
    }

    fn on_deadline(&self, connection: &Connection<Client>) {
        let client = connection.data();
        client.state.lock().wake_at = None;
        client.feed(connection, Input::Timeout);
    }

    fn on_upgrade(&self, connection: &Connection<Client>) {
        let client = connection.data();
        client.tell_all(|socket| &socket.space.handlers.upgraded);
    }

    fn on_slow(&self, connection: &Connection<Client>) {
        let client = connection.data();
        client.tell_all(|socket| &socket.space.handlers.slow);
    }

    fn on_drained(&self, connection: &Connection<Client>) {
        let client = connection.data();
        client.tell_all(|socket| &socket.space.handlers.drained);
    }

    fn on_close(&self, connection: &Connection<Client>, reason: CloseReason) {
        let client = connection.data();
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
        let was_waiting = self.is_waiting.load(Ordering::Relaxed);
        let settings = &self.server.settings;
        if !was_waiting
            && let Some(event) =
                Decoder::plain_event(&self.server.codec, message.payload(), &settings.packets)
        {
            let now = message.read_at();
            return self.take_event(connection, self.state.lock(), now, event);
        }
        self.receive_any(connection, message, was_waiting)
    }

    /// The long way, by itself: what it needs of the stack would be made room for on the short one too.
    #[inline(never)]
    fn receive_any(
        &self,
        connection: &Connection<Self>,
        message: Message<'_>,
        was_waiting: bool,
    ) -> Flow {
        let (size, now) = (message.as_bytes().len(), message.read_at());
        let mut decoder = Decoder::default();
        if was_waiting {
            let mut state = self.state.lock();
            let packets = &self.server.settings.packets;
            if let Some(event) = state.decoder.plain_binary_event(message.payload(), packets) {
                self.is_waiting.store(false, Ordering::Relaxed);
                state.machine.end_attachments();
                return self.take_event(connection, state, now, event.as_event());
            }
            decoder = std::mem::take(&mut state.decoder);
        }
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
                let unknown = Decoder::unknown_name(
                    error,
                    &self.server.codec,
                    message.payload(),
                    connection.protocol(),
                    &self.server.settings.packets,
                );
                if let Some(name) = unknown.filter(|_| !was_waiting) {
                    self.feed_at(connection, now, Input::ConnectUnknown(name));
                    return Flow::Continue;
                }
                self.server.meter.packet_invalid();
                trace::debug!(%error, "a packet cannot be decoded");
                let past_limit = Decoder::past_limit(
                    error,
                    &self.server.codec,
                    message.payload(),
                    connection.protocol(),
                    &self.server.settings.packets,
                );
                let error = match past_limit {
                    Ok(event) if self.refuse_event(now, &event, error) => return Flow::Continue,
                    Ok(_) => error,
                    Err(error) => error,
                };
                for socket in self.joined() {
                    tell_invalid(&socket, Invalid::Packet(error));
                }
                self.feed(connection, Input::GiveUp);
                Flow::Continue
            }
        }
    }

    /// Calls hooks for every joined socket.
    fn tell_all(&self, hooks: impl Fn(&Core) -> &[SocketHook]) {
        let to_tell: Vec<Arc<Core>> = {
            let state = self.state.lock();
            let joined = state.machine.joined();
            // Most namespaces have no such hook: then nothing is allocated.
            joined
                .filter(|socket| !hooks(socket).is_empty())
                .cloned()
                .collect()
        };
        if to_tell.is_empty() {
            return;
        }
        let _entered = self.runtime.enter();
        for socket in to_tell {
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
        let namespace = decoder.waiting_namespace();
        let Ok(by) = state.machine.await_attachments(now, limits, namespace) else {
            return false;
        };
        self.is_waiting.store(true, Ordering::Relaxed);
        state.decoder = decoder;
        // As a rule the wake-up for an earlier packet is still to come.
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
            PacketKind::Event => {
                return self.take_event(connection, state, now, packet.as_event());
            }
            PacketKind::Ack => return self.take_ack(connection, state, packet),
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
        let found = self.server.spaces.lease(name);
        let name = match &found {
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
                found,
            },
        );
    }

    fn take_event(
        &self,
        connection: &Connection<Self>,
        mut state: MutexGuard<'_, State>,
        now: Instant,
        event: IncomingEvent<'_>,
    ) -> Flow {
        let settings = &self.server.settings;
        let (ticket, socket, is_held) = match state.machine.route(event.namespace) {
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
            .is_some_and(|name| event.name == Some(name));
        if is_held || authenticates {
            drop(state);
            if authenticates {
                self.authenticate(connection, now, ticket, &socket, event);
            } else {
                self.hold(connection, ticket, event.to_packet());
            }
            return Flow::Continue;
        }
        if let Some(rate) = settings.event_rate
            && !rate.admits(&mut state.paid_until, now)
        {
            drop(state);
            self.drop_event(&socket, event);
            return Flow::Continue;
        }
        if state.inbox.begin_event(&settings.inbox) {
            drop(state);
            self.dispatch(connection, &socket, event);
            // A third of the instructions of `call_on`, which would do the same.
            let is_over = self.state.lock().end_calls_quietly();
            if !is_over {
                self.call_on(connection, now);
            }
            return Flow::Continue;
        }
        self.set_event_aside(connection, state, now, socket, event)
    }

    /// An event that has to wait for its turn.
    #[inline(never)]
    fn set_event_aside(
        &self,
        connection: &Connection<Self>,
        mut state: MutexGuard<'_, State>,
        now: Instant,
        socket: Arc<Core>,
        event: IncomingEvent<'_>,
    ) -> Flow {
        let settings = &self.server.settings;
        let held = HeldPacket::new(event.to_packet());
        state.inbox.push_event(HeldEvent { socket, held });
        let reading = state.inbox.reading(&settings.inbox, self.is_awaited());
        drop(state);
        // Whoever had the right to call may have given it back meanwhile.
        self.call(connection, now);
        match reading {
            Reading::GoesOn => Flow::Continue,
            Reading::Pauses => Flow::Pause,
            Reading::Overflows => {
                self.overflow(connection);
                Flow::Continue
            }
        }
    }

    /// More events wait than may, behind handlers that wait for an answer of this client.
    fn overflow(&self, connection: &Connection<Self>) {
        trace::debug!("a client owes an answer and sent more events than may wait for it");
        let max_bytes = self.server.settings.inbox.overflow_bytes;
        for socket in self.joined() {
            tell_invalid(&socket, Invalid::InboxFull { max_bytes });
        }
        self.feed(connection, Input::GiveUp);
    }

    /// Refuses one event, and leaves the connection to those that can be handled. False when no handler would get it.
    fn refuse_event(&self, now: Instant, packet: &Packet<'_>, error: PacketError) -> bool {
        let mut state = self.state.lock();
        let Route::Deliver(_, socket) = state.machine.route(packet.namespace()) else {
            return false;
        };
        let event = packet.name().unwrap_or_default();
        if socket.space.authenticate_event() == Some(event) {
            return false;
        }
        let rate = self.server.settings.event_rate;
        let is_too_fast = rate.is_some_and(|rate| !rate.admits(&mut state.paid_until, now));
        drop(state);
        if is_too_fast {
            self.drop_event(&socket, packet.as_event());
            return true;
        }
        tell_invalid(&socket, Invalid::PastLimit { event, error });
        if let Some(id) = packet.id() {
            let code = match error {
                PacketError::TooDeep => "too_deep",
                _ => "too_many_values",
            };
            AckSender::new(socket, id, false).fail(code);
        }
        true
    }

    /// Refuses an event that came too fast.
    fn drop_event(&self, socket: &Arc<Core>, event: IncomingEvent<'_>) {
        self.server.meter.event_too_fast();
        trace::debug!(namespace = &*socket.space.name, "an event came too fast");
        let name = event.name.unwrap_or_default();
        tell_invalid(socket, Invalid::TooFast { event: name });
        if let Some(id) = event.id {
            AckSender::new(Arc::clone(socket), id, false).fail("rate_limited");
        }
    }

    fn take_ack(
        &self,
        connection: &Connection<Self>,
        state: MutexGuard<'_, State>,
        packet: &Packet<'_>,
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
            None if is_held => self.hold(connection, ticket, packet.clone().into_owned()),
            None => {}
        }
        Flow::Continue
    }

    /// A packet of a client of which it is not settled whether it is in, or who it is.
    fn hold(&self, connection: &Connection<Self>, ticket: Ticket, packet: Packet<'static>) {
        let input = auth::Input::Packet(HeldPacket::new(packet));
        self.feed(connection, Input::Auth { ticket, input });
    }

    fn authenticate(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        ticket: Ticket,
        socket: &Arc<Core>,
        event: IncomingEvent<'_>,
    ) {
        let Some(gate) = &socket.space.guard else {
            return;
        };
        let args = event.args;
        let presented = match args.deserialize::<Value>() {
            _ if args.is_empty() => gate.policy.collect_event(None),
            Ok(argument) => gate.policy.collect_event(Some(&argument)),
            Err(_) => Collected::Rejected(Code::CredentialsBadFormat.into()),
        };
        let presented = self.within_limits(now, presented, socket.subject().as_ref());
        let ack = event.id;
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
