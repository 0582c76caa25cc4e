//! A policy in use, and how much time a grant under it may still have.

use std::sync::Arc;
use std::time::Duration;

use socketio_auth::server::DynPolicy;

/// A policy in its place among all those of the server.
#[derive(Clone)]
pub(crate) struct Guard {
    /// Where the server keeps it; what the opening request presented is remembered by this number.
    pub(crate) index: usize,
    pub(crate) policy: Arc<dyn DynPolicy>,
}

impl Guard {
    /// The event that authenticates.
    pub(crate) fn event(&self) -> &'static str {
        self.policy.settings().dialect.authenticate_event()
    }

    /// What a namespace asks of its clients, in one line: that it is open should not be a surprise.
    pub(crate) fn summary(guard: Option<&Self>) -> String {
        guard.map_or_else(|| "public".to_owned(), |guard| guard.policy.summary())
    }
}

/// What a grant that ends before its time still has.
#[derive(Clone)]
pub(crate) struct Margin {
    pub(crate) margin: Duration,
    pub(crate) reason: Option<Arc<str>>,
}
