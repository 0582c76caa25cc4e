//! What all sessions of an engine share. It knows neither the application nor what a session is.

pub(crate) mod alarm;
pub(crate) mod counters;
pub(crate) mod open_packet;
pub(crate) mod registry;

use std::hash::{BuildHasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use alarm::Alarm;
use counters::Counters;
use open_packet::OpenPacket;
use registry::Registry;

#[cfg(feature = "nodes")]
use super::nodes::link::Links;
use crate::config::Config;
use crate::http::PathMatcher;
use crate::http::request::RequestView;
use crate::lock::Lock;
use crate::owed::Answers;
use crate::random;
use crate::trace;
use crate::transport::Timing;

/// `A` is the application, `S` a session.
pub(crate) struct Hub<A, S> {
    pub(crate) config: Config,
    /// Shared with every session's machine.
    pub(crate) timing: Arc<Timing>,
    pub(crate) path: PathMatcher,
    pub(crate) open_packet: OpenPacket,
    pub(crate) registry: Registry<S>,
    pub(crate) counters: Counters,
    pub(crate) answers: Answers,
    pub(crate) alarm: Alarm<S>,
    #[cfg(feature = "nodes")]
    pub(crate) links: Links,
    application: A,
    pub(crate) is_draining: Lock<bool>,
    mark_keys: RandomState,
}

impl<A, S> Hub<A, S> {
    pub(crate) fn new(config: Config, application: A) -> Self {
        let path = PathMatcher::new(&config.path, config.add_trailing_slash);
        let registry = Registry::new(config.max_sessions, config.max_sessions_per_peer);
        Self {
            timing: Arc::new(config.timing),
            open_packet: OpenPacket::new(&config),
            config,
            path,
            registry,
            counters: Counters::new(),
            answers: Answers::default(),
            alarm: Alarm::new(),
            #[cfg(feature = "nodes")]
            links: Links::default(),
            application,
            is_draining: Lock::new(false),
            mark_keys: RandomState::new(),
        }
    }

    /// The request as one of the client that it comes from, whoever has passed it on.
    #[inline]
    pub(crate) fn identify<'r>(&self, request: RequestView<'r>) -> RequestView<'r> {
        match &self.config.forwarded {
            None => request,
            Some(hook) => {
                let found = catch_unwind(AssertUnwindSafe(|| hook(&request)));
                if found.is_err() {
                    trace::error!("the hook on forwarded requests panicked");
                }
                request.forwarded(found.ok().flatten())
            }
        }
    }

    /// Calls the application; false when it panicked.
    pub(crate) fn guard(&self, call: impl FnOnce(&A)) -> bool {
        let is_sound = catch_unwind(AssertUnwindSafe(|| call(&self.application))).is_ok();
        if !is_sound {
            trace::error!("a handler panicked");
        }
        is_sound
    }

    /// What a session remembers of an origin or a cookie: a keyed hash, never zero, so that nobody can look for
    /// another one with the same.
    pub(crate) fn mark(&self, origin_or_cookie: &[u8]) -> u64 {
        self.mark_keys.hash_one(origin_or_cookie).max(1)
    }

    /// After how many seconds a refused client may come back: at random, so that they do not come together.
    pub(crate) fn retry_after_secs(&self) -> u64 {
        let base = self.config.retry_after.as_secs().max(1);
        base + random::below(base)
    }
}
