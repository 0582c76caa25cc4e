//! What is said to Redis, and what waits to be.

use std::time::Duration;

use redis::Value;
use socketio::cluster::{AdapterError, ClusterMessage};
use tokio::sync::{mpsc, oneshot};

use crate::error::Refused;
use crate::outbox::{Lane, Waits};
use crate::slots::slot_of;

/// A command, and what is told of it when it is refused.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) words: redis::Cmd,
    name: &'static str,
    about: String,
    pub(crate) bytes: usize,
    /// `None` for what any server takes.
    slot: Option<u16>,
}

impl Command {
    /// `about` is told when it is refused: the channel or key.
    pub(crate) fn new(name: &'static str, about: impl Into<String>) -> Self {
        Self {
            words: redis::cmd(name),
            name,
            about: about.into(),
            bytes: 0,
            slot: None,
        }
    }

    pub(crate) fn arg(mut self, word: impl AsRef<[u8]>) -> Self {
        let word = word.as_ref();
        self.bytes = self.bytes.saturating_add(word.len());
        self.words.arg(word);
        self
    }

    /// The same, but it is for the server that has this key or sharded channel.
    pub(crate) fn key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.slot = Some(slot_of(key.as_ref()));
        self.arg(key)
    }

    pub(crate) fn refused(self, error: redis::ServerError) -> AdapterError {
        AdapterError::bus(Refused::new(self.name, self.about, error.into()))
    }
}

/// Something to say.
#[derive(Debug)]
pub(crate) enum Job {
    Say {
        command: Command,
        /// Whose own clients wait for it to be read back.
        kept: Option<Box<ClusterMessage>>,
    },
    Ask {
        command: Command,
        answer: oneshot::Sender<Result<Value, AdapterError>>,
    },
    /// Asks every server. One that has been away for longer than `grace` has nobody to tell of, as far as we are concerned.
    AskAll {
        command: Command,
        grace: Duration,
        answers: mpsc::UnboundedSender<Result<Value, AdapterError>>,
    },
    /// Tells when all before it was said.
    Flush(oneshot::Sender<()>),
}

impl Job {
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Say { command, .. } | Self::Ask { command, .. } => command.bytes,
            Self::AskAll { .. } | Self::Flush(_) => 0,
        }
    }
}

impl Waits for Job {
    fn lane(&self) -> Option<Lane> {
        match self {
            Self::Say { command, .. } | Self::Ask { command, .. } => {
                Some(command.slot.map_or(Lane::Any, Lane::Slot))
            }
            Self::AskAll { .. } | Self::Flush(_) => None,
        }
    }
}
