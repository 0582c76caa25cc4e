//! Whose turn it is to call the handler.
//!
//! The calls of one session are serial, whichever threads they come from. Whoever finds the turn taken never tries again
//! by the clock: either it leaves what it has to say, and the holder says it, or it waits to be woken.

use crate::proto::close_reason::CloseReason;

/// Whose turn it is. Guarded by the session's lock, like all of its state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Free,
    Taken {
        /// The session was closed meanwhile.
        closed: Option<CloseReason>,
        /// The application's deadline came up meanwhile.
        is_due: bool,
        /// The application asked to read on meanwhile: the handler that is about to say "pause" was overtaken.
        is_resumed: bool,
        /// Whoever reads for the session waits for its turn.
        is_awaited: bool,
    },
}

/// What the holder of the turn has to tell the application before it gives the turn back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owed {
    Closed(CloseReason),
    Deadline,
}

impl Turn {
    const TAKEN: Self = Self::Taken {
        closed: None,
        is_due: false,
        is_resumed: false,
        is_awaited: false,
    };

    /// The turn of whoever opens the session: until the handler has been told of it, nothing else may be told.
    pub(crate) fn taken() -> Self {
        Self::TAKEN
    }

    pub(crate) fn is_taken(self) -> bool {
        matches!(self, Self::Taken { .. })
    }

    /// Takes the turn; false when somebody has it.
    pub(crate) fn take(&mut self) -> bool {
        if self.is_taken() {
            return false;
        }
        *self = Self::TAKEN;
        true
    }

    /// The same for whoever reads: where it fails, [`Turn::end`] tells that somebody waits.
    pub(crate) fn take_or_await(&mut self) -> bool {
        if let Self::Taken { is_awaited, .. } = self {
            *is_awaited = true;
            return false;
        }
        self.take()
    }

    /// The session is closed: takes the turn to tell it, or leaves that to the holder.
    pub(crate) fn take_to_close(&mut self, reason: CloseReason) -> bool {
        if let Self::Taken { closed, .. } = self {
            *closed = Some(reason);
            return false;
        }
        self.take()
    }

    /// The deadline has come up: takes the turn to tell it, or leaves that to the holder.
    pub(crate) fn take_when_due(&mut self) -> bool {
        if let Self::Taken { is_due, .. } = self {
            *is_due = true;
            return false;
        }
        self.take()
    }

    /// The application has thought better of its deadline, which nobody may have told it of.
    pub(crate) fn call_off_deadline(&mut self) {
        if let Self::Taken { is_due, .. } = self {
            *is_due = false;
        }
    }

    /// The application asks to read on.
    pub(crate) fn note_resumed(&mut self) {
        if let Self::Taken { is_resumed, .. } = self {
            *is_resumed = true;
        }
    }

    /// Whether the application asked to read on before it said "pause"; once.
    pub(crate) fn take_resumed(&mut self) -> bool {
        match self {
            Self::Taken { is_resumed, .. } => std::mem::take(is_resumed),
            Self::Free => false,
        }
    }

    /// What the holder has to tell yet. After a close there is nothing more.
    pub(crate) fn take_owed(&mut self) -> Option<Owed> {
        let Self::Taken { closed, is_due, .. } = self else {
            return None;
        };
        let is_due = std::mem::take(is_due);
        match closed.take() {
            Some(reason) => Some(Owed::Closed(reason)),
            None => is_due.then_some(Owed::Deadline),
        }
    }

    /// Gives the turn back; true when somebody waits for it.
    pub(crate) fn end(&mut self) -> bool {
        let ended = std::mem::replace(self, Self::Free);
        matches!(
            ended,
            Self::Taken {
                is_awaited: true,
                ..
            }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_is_told_of_the_end_and_only_then() {
        let mut turn = Turn::Free;
        assert!(turn.take());
        assert!(!turn.take());
        assert!(!turn.end(), "nobody waited");
        assert!(turn.take_or_await());
        assert!(!turn.take_or_await());
        assert!(turn.end());
        assert!(turn.take());
        assert!(!turn.end(), "told once");
    }

    #[test]
    fn what_happens_during_a_turn_is_told_by_its_holder() {
        let mut turn = Turn::Free;
        assert!(turn.take());
        assert!(!turn.take_when_due());
        assert_eq!(turn.take_owed(), Some(Owed::Deadline));
        assert_eq!(turn.take_owed(), None);
        assert!(!turn.take_when_due());
        assert!(!turn.take_to_close(CloseReason::TransportClose));
        let owed = Some(Owed::Closed(CloseReason::TransportClose));
        assert_eq!(turn.take_owed(), owed);
        assert_eq!(turn.take_owed(), None, "a closed session has no deadline");
        turn.end();
        assert!(turn.take_when_due(), "nobody else can tell it");
        turn.end();
        assert!(turn.take_to_close(CloseReason::TransportClose));
        assert_eq!(turn.take_owed(), None, "who took the turn tells it");
    }

    #[test]
    fn a_deadline_that_was_put_off_is_not_told() {
        let mut turn = Turn::Free;
        turn.take();
        turn.take_when_due();
        turn.call_off_deadline();
        assert_eq!(turn.take_owed(), None);
    }

    #[test]
    fn to_read_on_overtakes_a_pause_of_the_same_turn_alone() {
        let mut turn = Turn::Free;
        turn.note_resumed();
        turn.take();
        assert!(!turn.take_resumed());
        turn.note_resumed();
        assert!(turn.take_resumed());
        assert!(!turn.take_resumed());
    }
}
