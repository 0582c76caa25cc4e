//! Acknowledgements that clients owe us.

use std::collections::BTreeMap;

use tokio::sync::{mpsc, oneshot};

use super::meter::Counted;
use crate::codec::OwnedArgs;
use crate::error::AckError;
use crate::id::SocketId;

/// What a client answered, or why it did not.
pub(crate) type Answer = Result<OwnedArgs, AckError>;

/// Who waits for one acknowledgement.
pub(crate) enum Awaited {
    /// An [`AckFuture`](crate::AckFuture).
    One(oneshot::Sender<Answer>),
    /// An [`AckStream`](crate::AckStream), together with other sockets.
    Many(mpsc::UnboundedSender<(SocketId, Answer)>),
    /// The policy's machine: it is the `unauthorized` with this number.
    Notice(u32),
}

/// The acknowledgements that one socket owes, by id.
pub(crate) struct Pending {
    awaited: BTreeMap<u64, (Awaited, Counted)>,
}

impl Pending {
    pub(crate) const fn new() -> Self {
        Self {
            awaited: BTreeMap::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.awaited.len()
    }

    pub(crate) fn insert(&mut self, id: u64, awaited: Awaited, counted: Counted) {
        self.awaited.insert(id, (awaited, counted));
    }

    pub(crate) fn remove(&mut self, id: u64) -> Option<Awaited> {
        let (awaited, _) = self.awaited.remove(&id)?;
        Some(awaited)
    }

    /// Tells whoever waits that the socket has left.
    pub(crate) fn fail(self, socket: &SocketId) {
        for (awaited, _) in self.awaited.into_values() {
            awaited.resolve(socket, Err(AckError::Disconnected));
        }
    }
}

impl Awaited {
    /// Hands the answer over. The number of the notice when it is for the policy's machine.
    pub(crate) fn resolve(self, socket: &SocketId, answer: Answer) -> Option<u32> {
        match self {
            // Whoever waited may have stopped waiting.
            Self::One(sender) => drop(sender.send(answer)),
            Self::Many(sender) => drop(sender.send((socket.clone(), answer))),
            Self::Notice(number) => return Some(number),
        }
        None
    }
}
