//! Feeding the machine, and carrying out what follows.
//!
//! Inputs are fed by whoever has them; one thread at a time carries out what follows, without the lock, and runs
//! no user code there. User code is called from the [inbox](crate::proto::inbox), one call at a time and in order.

use std::time::Instant;

use engineio::Connection;
use socketio_auth::AuditKind;
use socketio_auth::server as auth;

use crate::authority::guard::Margin;
use crate::clock::now;
use crate::live::client::{Client, Shell, State};
use crate::live::core::Core;
use crate::live::driver::{Ask, Driver};
use crate::live::inbox::Call;
use crate::lock::MutexGuard;
use crate::proto::client::Input;

/// Drives the connections of every server.
pub(crate) struct Drive;

impl Driver for Drive {
    fn ask(&self, socket: &Core, ask: Ask) {
        let ticket = socket.ticket;
        let input = match ask {
            Ask::Leave => Input::Leave { ticket },
            Ask::LeaveAll => Input::LeaveAll,
            Ask::End(rejection) => Input::Auth {
                ticket,
                input: auth::Input::Revoked(rejection.into()),
            },
            Ask::ExpireIn(Margin { margin, reason }) => Input::Auth {
                ticket,
                input: auth::Input::ExpireIn { margin, reason },
            },
        };
        socket.connection.data().feed(&socket.connection, input);
    }

    fn note(&self, socket: &Core, kind: AuditKind<'_>) {
        let client = socket.connection.data();
        client.audit(&socket.connection, socket, kind, None);
    }
}

impl Client {
    /// Feeds what happened just now, see [`feed_at`](Self::feed_at).
    pub(super) fn feed(&self, connection: &Connection<Self>, input: Input<Shell>) {
        self.feed_at(connection, now(), input);
    }

    /// Feeds an input, and makes the calls that are due then.
    pub(super) fn feed_at(&self, connection: &Connection<Self>, now: Instant, input: Input<Shell>) {
        self.pump(connection, now, input);
        self.go_on(connection, now);
    }

    /// Makes the calls that are due, and has the engine come back when the machine wants it. In this order: most
    /// verifications are done at once, and nobody need be woken for their deadline.
    pub(super) fn go_on(&self, connection: &Connection<Self>, now: Instant) {
        if !self.call(connection, now) {
            self.arm(connection);
        }
    }

    /// Feeds an input and carries out what follows, unless another thread is about to. One moment counts for all of it:
    /// nothing that is done here waits. [`go_on`](Self::go_on) is due then, but for whoever is making calls.
    pub(super) fn pump(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        mut input: Input<Shell>,
    ) {
        let limits = &self.server.settings.client;
        let mut state = self.state.lock();
        if state.is_pumping {
            state.push_input(input);
            return;
        }
        debug_assert!(state.inputs.is_empty(), "whoever pumps leaves none behind");
        state.is_pumping = true;
        // The first, and what it leads to at once, do not pass through the queue, which therefore seldom needs memory.
        loop {
            let mut next = None;
            state.make_output_room();
            state.machine.handle_input(now, limits, input);
            while let Some(output) = state.machine.poll_output() {
                drop(state);
                let follows = self.perform(connection, now, output);
                state = self.state.lock();
                if let Some(follows) = follows {
                    if next.is_none() && state.inputs.is_empty() {
                        next = Some(follows);
                    } else {
                        state.push_input(follows);
                    }
                }
            }
            match next.or_else(|| state.inputs.pop_front()) {
                Some(next) => input = next,
                None => break,
            }
        }
        state.is_pumping = false;
    }

    /// Feeds what followed from a call, if anything did at once.
    pub(super) fn pump_next(
        &self,
        connection: &Connection<Self>,
        now: Instant,
        next: Option<Input<Shell>>,
    ) {
        if let Some(input) = next {
            self.pump(connection, now, input);
        }
    }

    /// Has the engine come back when the machine wants it. A wake-up too many is harmless.
    pub(super) fn arm(&self, connection: &Connection<Self>) {
        self.arm_with(connection, self.state.lock());
    }

    pub(super) fn arm_with(&self, connection: &Connection<Self>, mut state: MutexGuard<'_, State>) {
        let Some(at) = state.machine.poll_timeout() else {
            return;
        };
        if state.wake_at.is_none_or(|armed| at < Instant::from(armed)) {
            state.wake_at = Some(at.into());
            drop(state);
            // Another thread may have armed an earlier one since the lock was released.
            connection.wake_by(at);
        }
    }

    /// Adds an input while outputs are being carried out.
    pub(super) fn enqueue(&self, input: Input<Shell>) {
        self.state.lock().push_input(input);
    }

    pub(super) fn push(&self, call: Call) {
        self.state.lock().push_call(call);
    }
}
