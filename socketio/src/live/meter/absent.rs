//! Stands in for the counters without feature `metrics`: nothing is kept and nothing is done.

use engineio::Sent;

use crate::error::EmitError;

#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {}

impl Meter {
    pub(crate) fn event_in(&self) {}

    pub(crate) fn sent(&self, _: Result<Sent, &EmitError>) {}

    pub(crate) fn event_too_fast(&self) {}

    pub(crate) fn arguments_invalid(&self) {}

    pub(crate) fn packet_invalid(&self) {}

    pub(crate) fn connect_rejected(&self) {}

    pub(crate) fn ack_pending(&self) -> Counted {
        Counted
    }

    pub(crate) fn handler_in_flight(&self) -> Counted {
        Counted
    }
}

/// Takes no room.
pub(crate) struct Counted;
