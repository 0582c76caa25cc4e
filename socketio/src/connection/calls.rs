//! Calling user code, one call at a time and in order.

use std::sync::Arc;
use std::task::Poll;

use engineio::Connection;
use socketio_auth::{Code, Collected};

use super::Client;
use super::admission::{ask_middleware, refused_by};
use crate::error::ConnectError;
use crate::handler::{AckSender, Running};
use crate::inbox::Call;
use crate::packet::Packet;
use crate::proto::client::Input;
use crate::running::{Guarded, Panicked, guard, poll_now};
use crate::socket::Core;

impl Client {
    /// Makes the calls that are due, unless another thread is about to.
    pub(super) fn call(&self, connection: &Connection<Self>) {
        if self.state.lock().inbox.begin() {
            self.call_on(connection);
        }
    }

    /// Makes the calls that are due, with the right to call already taken.
    pub(super) fn call_on(&self, connection: &Connection<Self>) {
        let settings = &self.server.settings;
        let mut state = self.state.lock();
        while let Some(call) = state.inbox.next(settings.max_handlers_in_flight) {
            drop(state);
            self.make(connection, call);
            state = self.state.lock();
        }
        let is_resumed = state.inbox.take_resumed(settings.inbox_max_bytes);
        drop(state);
        if is_resumed {
            connection.resume();
        }
    }

    fn make(&self, connection: &Connection<Self>, call: Call) {
        match call {
            Call::Event { socket, packet, .. } => {
                // The disconnect handlers were the last to see it.
                if !socket.is_gone() {
                    self.dispatch(connection, &socket, &packet);
                }
            }
            Call::Admit { ticket, socket } => {
                let asked = ask_middleware(Arc::clone(&socket));
                self.wait_unless_left(
                    connection,
                    &socket,
                    asked,
                    move |client, connection, asked| {
                        client.feed(
                            connection,
                            match asked {
                                Ok(Ok(())) => Input::Admitted { ticket },
                                Ok(Err(error)) => Input::Denied { ticket, error },
                                Err(Panicked) => Input::Denied {
                                    ticket,
                                    error: ConnectError::new("internal error"),
                                },
                            },
                        );
                    },
                );
            }
            Call::AdmitGuest {
                ticket,
                socket,
                ack,
            } => {
                socket.set_grant(None, None);
                let asked = ask_middleware(Arc::clone(&socket));
                self.wait_unless_left(
                    connection,
                    &socket,
                    asked,
                    move |client, connection, asked| {
                        let presented = match asked {
                            Ok(Ok(())) => Collected::Guest,
                            Ok(Err(error)) => Collected::Rejected(refused_by(&error)),
                            Err(Panicked) => Collected::Rejected(Code::AuthUnavailable.into()),
                        };
                        client.feed(
                            connection,
                            Input::Authenticate {
                                ticket,
                                presented,
                                ack,
                            },
                        );
                    },
                );
            }
            Call::Connected(socket) => {
                for handler in &socket.space.handlers.connect {
                    let started = guard(|| handler.start(&socket));
                    self.run_started(connection, &socket, started, None);
                }
            }
            Call::Left(socket, reason) => {
                let handlers = &socket.space.handlers;
                for hook in &handlers.disconnecting {
                    // The socket is on its way out whatever the hook does.
                    let _ = guard(|| hook(&socket, reason));
                }
                socket.go();
                for handler in &handlers.disconnect {
                    let started = guard(|| handler.start(&socket, reason));
                    self.run_started(connection, &socket, started, None);
                }
            }
            Call::Find {
                ticket,
                name,
                payload,
            } => self.find(connection, ticket, name, payload),
            Call::Verify {
                ticket,
                socket,
                epoch,
                credential,
                renewed_subject,
            } => self.verify(
                connection,
                ticket,
                &socket,
                epoch,
                credential,
                renewed_subject,
            ),
        }
    }

    /// Starts the handlers of an event.
    pub(super) fn dispatch(
        &self,
        connection: &Connection<Self>,
        socket: &Arc<Core>,
        packet: &Packet<'_>,
    ) {
        let Some(name) = packet.name() else {
            return;
        };
        let handlers = socket.space.handlers.of_event(name);
        let ack = packet
            .id()
            .map(|id| AckSender::new(Arc::clone(socket), id, handlers.len() > 1));
        for handler in handlers {
            match guard(|| handler.start(socket, packet.args(), ack.clone())) {
                Ok(Ok(running)) => self.run(connection, socket, running, ack.clone()),
                Ok(Err(_)) => {
                    if let Some(ack) = ack.clone() {
                        ack.fail("invalid_arguments");
                    }
                }
                Err(Panicked) => panicked(socket, ack.clone()),
            }
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
            Poll::Pending => {
                self.state.lock().inbox.begin_flight();
                let (connection, socket) = (connection.clone(), Arc::clone(socket));
                self.server.spawn(async move {
                    if Guarded(running).await == Err(Panicked) {
                        panicked(&socket, ack);
                    }
                    if let Some(client) = connection.data() {
                        client.state.lock().inbox.end_flight();
                        client.call(&connection);
                    }
                });
            }
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
