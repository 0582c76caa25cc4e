//! When a lost connection is made again.

use std::time::Duration;

use socketio::cluster::AdapterError;

use crate::error::Failure;
use crate::shared::Shared;

/// The first and the longest pause before it is.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The pauses between attempts to connect, and what is told of them: not the same twice.
#[derive(Debug, Default)]
pub(crate) struct Attempts {
    pause: Duration,
    told: Option<String>,
}

impl Attempts {
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// For how long to wait before the next, which is longer after each.
    pub(crate) fn failed(&mut self, shared: &Shared, error: impl Into<Failure>) -> Duration {
        let error = error.into();
        let text = error.to_string();
        if self.told.as_ref() != Some(&text) {
            self.told = Some(text);
            shared.report(AdapterError::bus(error));
        }
        self.pause = (self.pause.saturating_mul(2)).clamp(FIRST_PAUSE, LONGEST_PAUSE);
        self.pause
    }

    /// The same: none before the first.
    pub(crate) const fn pause(&self) -> Duration {
        self.pause
    }
}
