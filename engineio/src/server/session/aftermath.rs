//! What an input comes to: an answer for whoever fed it, and what is left to do once the lock is released.

use std::task::Waker;

use super::requests::PollBody;
use crate::proto::close_reason::CloseReason;

/// For whoever fed the input. There is one at most.
#[derive(Debug, Default)]
pub(crate) enum Reply {
    #[default]
    Nothing,
    /// Hand the message just received to the application.
    Deliver,
    /// The answer for the GET that just arrived.
    Poll(PollBody),
    /// The GET, the POST or the candidate that just arrived is refused.
    Refused,
    /// The probe that just arrived is to be answered.
    ProbeAnswered,
}

impl Reply {
    /// Says it; the machine says one thing at most.
    pub(crate) fn say(&mut self, reply: Self) {
        debug_assert!(
            matches!(self, Self::Nothing),
            "an input has one reply, not {self:?} and {reply:?}"
        );
        *self = reply;
    }

    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Self::Refused)
    }
}

/// What is left to do once the lock is released, whoever fed the input.
#[derive(Debug, Default)]
#[must_use = "done by `Shared::run`"]
pub(crate) struct Aftermath {
    /// Write what waits.
    pub(crate) flush: bool,
    /// The queue has grown, or a poll took it: who waits for it is told.
    pub(crate) settle: bool,
    pub(crate) closed: Option<CloseReason>,
    pub(crate) gone: bool,
    /// The task of the WebSocket, for which there is a signal.
    pub(crate) wake: Option<Waker>,
    /// The POST, which is to end without an answer.
    pub(crate) wake_post: Option<Waker>,
}
