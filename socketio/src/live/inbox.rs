//! What user code is called for, on one connection; in which order and when, the [inbox](crate::proto::inbox) decides.

use std::sync::Arc;

use socketio_auth::{Credential, server::Purpose};

use super::candidate::Candidate;
use super::client::{HeldPacket, Payload};
use super::core::Core;
use super::directory::Lease;
use super::handlers::Changed;
use super::space::Space;
use crate::error::DisconnectReason;
use crate::proto::client::Ticket;
use crate::proto::inbox::{self, Waiting};

/// The calls of one connection.
pub(crate) type Inbox = inbox::Inbox<HeldEvent, Call>;

/// An event that waits for its handlers to be called.
pub(crate) struct HeldEvent {
    pub(crate) socket: Arc<Core>,
    pub(crate) held: Box<HeldPacket>,
}

impl Waiting for HeldEvent {
    fn resident_bytes(&self) -> usize {
        self.held.resident_bytes()
    }
}

/// One call of user code, but for an event.
pub(crate) enum Call {
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
