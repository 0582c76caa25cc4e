//! How an event is sent, to one socket or to many.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use engineio::{ConflationKey, OverflowPolicy, SendOptions, Sent};

use crate::live::space::Space;

/// How an event is sent, and how long its acknowledgement is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sending {
    pub(crate) options: SendOptions,
    pub(crate) timeout: Option<Duration>,
}

impl Sending {
    /// As the namespace says.
    pub(crate) fn in_space(space: &Space) -> Self {
        Self {
            options: space.options,
            timeout: space.settings.ack_timeout,
        }
    }

    pub(super) fn volatile(&mut self, is_volatile: bool) {
        self.options = self.options.volatile(is_volatile);
    }

    pub(super) fn compress(&mut self, compress: bool) {
        self.options = self.options.compress(compress);
    }

    pub(super) fn overflow(&mut self, policy: OverflowPolicy) {
        self.options = self.options.overflow(policy);
    }

    /// A collision would merge two streams of one connection, whose application chose both names.
    pub(super) fn conflate(&mut self, namespace: &str, key: &str) {
        let mut hasher = DefaultHasher::new();
        (namespace, key).hash(&mut hasher);
        self.options = self.options.conflate(ConflationKey::new(hasher.finish()));
    }
}

/// What became of an event for many: the best of what became of it for each.
pub(crate) fn best(one: Sent, other: Sent) -> Sent {
    match (one, other) {
        (Sent::Queued, _) | (_, Sent::Queued) => Sent::Queued,
        (Sent::Replaced, _) | (_, Sent::Replaced) => Sent::Replaced,
        _ => Sent::Dropped,
    }
}
