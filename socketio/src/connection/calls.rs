//! Calling user code, one call at a time and in order.

use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use engineio::Connection;

use super::replies::ack_json;
use crate::clock::now;
use crate::codec::packet::IncomingEvent;
use crate::codec::{ArgsError, RawArgs};
use crate::event::{Event, Invalid};
use crate::live::client::Client;
use crate::live::core::Core;
use crate::live::handlers::{AckSender, EventHandler, Filter, Running};
use crate::live::inbox::{Call, HeldEvent};
use crate::live::listeners::Watchers;
use crate::proto::inbox::Next;
use crate::running::{Guarded, Panicked, guard, poll_now};
use crate::trace;

impl Client {
    /// Makes the calls that are due, unless another thread is about to. True when calls were made, and the engine knows
    /// when the machine wants it to come back.
    pub(super) fn call(&self, connection: &Connection<Self>, now: Instant) -> bool {
        let begins = self.state.lock().inbox.begin();
        begins && self.call_on(connection, now)
    }

    /// Makes the calls that are due, with the right to call already taken.
    pub(super) fn call_on(&self, connection: &Connection<Self>, now: Instant) -> bool {
        let settings = &self.server.settings;
        let mut entered = None;
        let mut state = self.state.lock();
        while let Some(next) = state.inbox.next(&settings.inbox) {
            drop(state);
            // Whoever disconnects or emits may be outside of any runtime, where a handler could not wait.
            entered.get_or_insert_with(|| self.runtime.enter());
            match next {
                Next::Event(HeldEvent { socket, held }) => {
                    // The disconnect handlers were the last to see it.
                    if !socket.is_gone() {
                        self.dispatch(connection, &socket, held.packet.as_event());
                    }
                }
                Next::Other(call) => self.make(connection, now, call),
            }
            state = self.state.lock();
        }
        // The right to call is given back, and others may take it once this is unlocked: who enters the runtime last leaves
        // it first, also where models play all threads on one.
        let has_called = entered.take().is_some();
        let is_resumed = state.inbox.take_resumed(&settings.inbox);
        // Whatever is done on a connection ends here, by this thread or by the one that has the right to call.
        state.release();
        if has_called {
            self.arm_with(connection, state);
        } else {
            drop(state);
        }
        if is_resumed {
            connection.resume();
        }
        has_called
    }

    fn make(&self, connection: &Connection<Self>, now: Instant, call: Call) {
        match call {
            Call::Ask { about, makes_guest } => {
                if about.socket.has_left() {
                    return;
                }
                let answer = if makes_guest {
                    self.ask_about_guest(connection, now, about)
                } else {
                    self.ask(connection, now, about)
                };
                self.pump_next(connection, now, answer);
            }
            Call::Connected(socket) => {
                for handler in &socket.space.handlers.connect {
                    let started = guard(|| handler.start(&socket));
                    self.run_started(connection, &socket, started, None);
                }
            }
            Call::PassOn { from, heirs } => self.pass_on(connection, now, &from, &heirs),
            Call::Changed(socket, changed) => {
                // The disconnect handlers were the last to see it.
                if socket.is_gone() {
                    return;
                }
                for handler in &socket.space.handlers.change {
                    let started = guard(|| handler.start(&socket, &changed));
                    self.run_started(connection, &socket, started, None);
                }
                // The identities are the application's, and so is what their end does.
                let _ = guard(|| drop(changed));
            }
            Call::Left(socket, reason) => {
                let handlers = &socket.space.handlers;
                for hook in &handlers.disconnecting {
                    // The socket is on its way out whatever the hook does.
                    let _ = guard(|| hook(&socket, reason));
                }
                socket.save(reason);
                socket.go();
                let is_void = |event: &HeldEvent| Arc::ptr_eq(&event.socket, &socket);
                self.state.lock().inbox.drop_events(is_void);
                for handler in &handlers.disconnect {
                    let started = guard(|| handler.start(&socket, reason));
                    self.run_started(connection, &socket, started, None);
                }
            }
            Call::Find {
                ticket,
                name,
                payload,
                found,
            } => self.find(connection, now, ticket, name, payload, found),
            Call::Verify {
                socket,
                epoch,
                credential,
                purpose,
            } => self.verify(connection, now, &socket, epoch, credential, purpose),
        }
    }

    /// Shows an event to the hooks and the middleware, then to its handlers.
    #[inline]
    pub(super) fn dispatch(
        &self,
        connection: &Connection<Self>,
        socket: &Arc<Core>,
        event: IncomingEvent<'_>,
    ) {
        self.server.meter.event_in();
        let handlers = &socket.space.handlers;
        if handlers.is_event_watched() || socket.has_listeners() {
            return self.dispatch_watched(connection, socket, event);
        }
        let Some(name) = self.allowed_name(socket, event) else {
            return;
        };
        // As nearly every event: nobody looks at it but its one handler, and nobody waits for an answer. Then nothing is made
        // or iterated for those who might, which spares 200 instructions.
        match (handlers.of_event(name), event.id) {
            ([only], None) => {
                self.start_handler(connection, socket, name, event.args, &**only, &None);
            }
            (_, id) => self.start_handlers(connection, socket, name, event.args, id),
        }
    }

    /// The name of an event that the client may send. Of one that it may not send, it is told so.
    // Always, as `start_handler` too: in the one caller that counts, a call of either costs as much as what it does.
    #[inline(always)]
    fn allowed_name<'p>(&self, socket: &Arc<Core>, event: IncomingEvent<'p>) -> Option<&'p str> {
        //= SIO5-PKT-09
        let name = event.name?;
        if socket.may_emit(name, event.args.len()) {
            return Some(name);
        }
        if let Some(id) = event.id {
            ack_json(socket, id, &socketio_auth::server::ack_denied());
        }
        None
    }

    fn dispatch_watched(
        &self,
        connection: &Connection<Self>,
        socket: &Arc<Core>,
        event: IncomingEvent<'_>,
    ) {
        let handlers = &socket.space.handlers;
        let Watchers { hooks, filters } = socket.watchers();
        let of_space = handlers.any.iter().map(|hook| &**hook);
        for hook in of_space.chain(hooks.iter().map(|hook| &**hook)) {
            let name = event.name.unwrap_or_default();
            if guard(|| hook(socket, name, event.args)).is_err() {
                return panicked(socket, None);
            }
        }
        let Some(name) = self.allowed_name(socket, event) else {
            return;
        };
        if handlers.filters.is_empty() && filters.is_empty() {
            return self.start_handlers(connection, socket, name, event.args, event.id);
        }
        let id = event.id;
        let event = Event::from_parts(name, event.args.to_owned());
        let mut filtering = Box::pin(filter(Arc::clone(socket), filters, event));
        match poll_now(filtering.as_mut()) {
            Poll::Ready(event) => self.filtered(connection, socket, event, id),
            Poll::Pending => {
                self.state.lock().inbox.begin_flight();
                let in_flight = self.server.meter.handler_in_flight();
                let (connection, socket) = (connection.clone(), Arc::clone(socket));
                self.server.spawn(&self.runtime, async move {
                    let _in_flight = in_flight;
                    let event = Guarded(filtering).await;
                    let client = connection.data();
                    client.filtered(&connection, &socket, event, id);
                    client.state.lock().inbox.end_flight();
                    client.go_on(&connection, now());
                });
            }
        }
    }

    //= SIO5-EVT-03
    fn filtered(
        &self,
        connection: &Connection<Self>,
        socket: &Arc<Core>,
        event: Result<Option<Event>, Panicked>,
        id: Option<u64>,
    ) {
        match event {
            Ok(Some(event)) if !socket.is_gone() => {
                self.start_handlers(connection, socket, event.name(), event.args(), id);
            }
            Ok(_) => {}
            Err(Panicked) => panicked(socket, None),
        }
    }

    /// Starts the handlers of an event: those of the namespace, those of the socket, or else the fallback.
    fn start_handlers(
        &self,
        connection: &Connection<Self>,
        socket: &Arc<Core>,
        name: &str,
        args: RawArgs<'_>,
        id: Option<u64>,
    ) {
        let of_space = socket.space.handlers.of_event(name);
        let of_socket = socket.listeners_of(name);
        let of_socket = of_socket.as_deref().unwrap_or_default();
        let count = of_space.len() + of_socket.len();
        let ack = id.map(|id| AckSender::new(Arc::clone(socket), id, count > 1));
        for handler in of_space {
            self.start_handler(connection, socket, name, args, &**handler, &ack);
        }
        for handler in of_socket {
            self.start_handler(connection, socket, name, args, &**handler, &ack);
        }
        if count > 0 {
            return;
        }
        if let Some(fallback) = &socket.space.handlers.fallback {
            let event = Event::from_parts(name, args.to_owned());
            let started = guard(|| fallback.start(socket, event, ack.clone()));
            self.run_started(connection, socket, started, ack);
        } else if socket.space.handlers.any.is_empty() {
            trace::debug!(
                namespace = &*socket.space.name,
                event = shortened(name),
                "nobody handles this event"
            );
        }
    }

    #[inline(always)]
    fn start_handler(
        &self,
        connection: &Connection<Self>,
        socket: &Arc<Core>,
        name: &str,
        args: RawArgs<'_>,
        handler: &dyn EventHandler,
        ack: &Option<AckSender>,
    ) {
        match guard(|| handler.start(socket, args, ack.clone())) {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(running))) => self.set_aside(connection, socket, running, ack.clone()),
            Ok(Err(error)) => self.refuse_arguments(socket, name, &error, ack.clone()),
            Err(Panicked) => panicked(socket, ack.clone()),
        }
    }

    #[cold]
    fn refuse_arguments(
        &self,
        socket: &Arc<Core>,
        name: &str,
        error: &ArgsError,
        ack: Option<AckSender>,
    ) {
        self.server.meter.arguments_invalid();
        trace::debug!(
            namespace = &*socket.space.name,
            event = name,
            argument = error.index(),
            expected = error.expected(),
            found = error.found(),
            "arguments are not what the handler takes"
        );
        tell_invalid(socket, Invalid::Arguments { event: name, error });
        if let Some(ack) = ack {
            ack.fail("invalid_arguments");
        }
    }

    fn run_started(
        &self,
        connection: &Connection<Self>,
        socket: &Arc<Core>,
        started: Result<Running, Panicked>,
        ack: Option<AckSender>,
    ) {
        match started {
            Ok(running) => self.run(connection, socket, running, ack),
            Err(Panicked) => panicked(socket, ack),
        }
    }

    /// Polls a handler at once; only one that waits gets a task.
    fn run(
        &self,
        connection: &Connection<Self>,
        socket: &Arc<Core>,
        mut running: Running,
        ack: Option<AckSender>,
    ) {
        match poll_now(running.as_mut()) {
            Poll::Ready(Ok(())) => {}
            Poll::Ready(Err(Panicked)) => panicked(socket, ack),
            Poll::Pending => self.set_aside(connection, socket, running, ack),
        }
    }

    /// Gives a handler that waits a task.
    fn set_aside(
        &self,
        connection: &Connection<Self>,
        socket: &Arc<Core>,
        running: Running,
        ack: Option<AckSender>,
    ) {
        self.state.lock().inbox.begin_flight();
        let in_flight = self.server.meter.handler_in_flight();
        let (connection, socket) = (connection.clone(), Arc::clone(socket));
        self.server.spawn(&self.runtime, async move {
            let _in_flight = in_flight;
            if Guarded(running).await == Err(Panicked) {
                panicked(&socket, ack);
            }
            let client = connection.data();
            client.state.lock().inbox.end_flight();
            client.go_on(&connection, now());
        });
    }
}

/// The name of an event that the client made up, for a log: lines are not to grow with it.
#[cfg(feature = "tracing")]
fn shortened(name: &str) -> &str {
    const MOST_BYTES: usize = 64;
    let mut ends = (0..=MOST_BYTES).rev();
    let end = ends.find(|&end| name.is_char_boundary(end));
    name.get(..end.unwrap_or(0)).unwrap_or(name)
}

/// Asks the event middleware, one after the other.
async fn filter(socket: Arc<Core>, own: Vec<Arc<dyn Filter>>, mut event: Event) -> Option<Event> {
    for middleware in &socket.space.handlers.filters {
        event = middleware.start(&socket, event).await?;
    }
    for middleware in &own {
        event = middleware.start(&socket, event).await?;
    }
    Some(event)
}

/// Tells the hooks what no handler will see.
pub(super) fn tell_invalid(socket: &Arc<Core>, invalid: Invalid<'_>) {
    for hook in &socket.space.handlers.invalid {
        if guard(|| hook(socket, invalid)).is_err() {
            panicked(socket, None);
        }
    }
}

/// A panic ends its own socket and nothing else.
fn panicked(socket: &Core, ack: Option<AckSender>) {
    if let Some(ack) = ack {
        ack.fail("internal");
    }
    socket.disconnect();
}
