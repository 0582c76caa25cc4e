//! What user code is still to be called for, in order, on one connection.
//!
//! Calls are made by one thread at a time; who finds the right to call taken leaves his call here. Events wait
//! here too while too many handlers are in flight; everything else overtakes them then.

use std::sync::Arc;

use socketio_auth::{Credential, Purpose};

use super::candidate::Candidate;
use super::client::{HeldPacket, Payload};
use super::core::Core;
use super::directory::Lease;
use super::handlers::Changed;
use super::space::Space;
use crate::error::DisconnectReason;
use crate::proto::client::Ticket;
use crate::queue::Queue;

/// One call of user code.
pub(crate) enum Call {
    Event {
        socket: Arc<Core>,
        /// Boxed since it is large, and other calls are moved more often.
        held: Box<HeldPacket>,
    },
    /// Make a guest, or ask connect middleware, or both.
    Ask {
        about: Asked,
        makes_guest: bool,
    },
    Connected(Arc<Core>),
    /// Ask whether those that took over what a socket held may have what it holds now.
    PassOn {
        from: Arc<Core>,
        heirs: Vec<Arc<Core>>,
    },
    Changed(Arc<Core>, Box<Changed>),
    Left(Arc<Core>, DisconnectReason),
    Find {
        ticket: Ticket,
        name: Arc<str>,
        payload: Payload,
        found: Option<Lease<Space>>,
    },
    Verify {
        socket: Arc<Core>,
        epoch: u32,
        credential: Credential,
        purpose: Purpose,
    },
}

/// A socket that connect middleware is asked about, and whom it is asked about if the socket is still another.
pub(crate) struct Asked {
    pub(crate) ticket: Ticket,
    pub(crate) epoch: u32,
    pub(crate) socket: Arc<Core>,
    pub(crate) candidate: Option<Arc<Candidate>>,
    /// The answer to its CONNECT waits for the verdict.
    pub(crate) answers_connect: bool,
}

/// The calls of one connection.
#[derive(Default)]
pub(crate) struct Inbox {
    calls: Queue<Call>,
    /// Of the events that wait.
    bytes: usize,
    /// Calls that are no events.
    urgent: usize,
    /// Handlers that wait for something.
    in_flight: usize,
    is_calling: bool,
    is_paused: bool,
}

impl Inbox {
    /// Takes the right to call, for an event that just arrived and that nothing precedes.
    pub(crate) fn begin_event(&mut self, max_in_flight: usize) -> bool {
        let is_free = !self.is_calling && self.calls.is_empty() && self.in_flight < max_in_flight;
        self.is_calling |= is_free;
        is_free
    }

    /// Takes the right to call.
    pub(crate) fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.is_calling, true)
    }

    /// The next call to make, or, when there is none now, gives the right to call back.
    pub(crate) fn next(&mut self, max_in_flight: usize) -> Option<Call> {
        // As behind nearly every event. A call is large to be moved, even one that is none.
        if self.calls.is_empty() {
            self.is_calling = false;
            return None;
        }
        let next = if self.in_flight < max_in_flight {
            self.calls.pop_front()
        } else if self.urgent > 0 {
            self.calls
                .remove_first(|call| !matches!(call, Call::Event { .. }))
        } else {
            // Thousands of events may wait here, and every further one comes by.
            None
        };
        match &next {
            Some(Call::Event { held, .. }) => self.bytes = self.bytes.saturating_sub(held.size),
            Some(_) => self.urgent = self.urgent.saturating_sub(1),
            None => self.is_calling = false,
        }
        next
    }

    pub(crate) fn push(&mut self, call: Call) {
        match &call {
            Call::Event { held, .. } => self.bytes = self.bytes.saturating_add(held.size),
            _ => self.urgent = self.urgent.saturating_add(1),
        }
        self.calls.push_back(call);
    }

    /// Gives the memory back that nothing waits in.
    pub(crate) fn release(&mut self) {
        self.calls.release();
    }

    /// True when nothing more is to be read until [`take_resumed`](Self::take_resumed) says so.
    pub(crate) fn pause_if_full(&mut self, max_bytes: usize) -> bool {
        self.is_paused |= self.bytes > max_bytes;
        self.is_paused
    }

    /// True once when half of the bound is free again after a pause.
    pub(crate) fn take_resumed(&mut self, max_bytes: usize) -> bool {
        let is_resumed = self.is_paused && self.bytes <= max_bytes / 2;
        self.is_paused &= !is_resumed;
        is_resumed
    }

    /// A handler waits.
    pub(crate) fn begin_flight(&mut self) {
        self.in_flight = self.in_flight.saturating_add(1);
    }

    /// A handler that waited has ended.
    pub(crate) fn end_flight(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }
}
