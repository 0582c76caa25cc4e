//! Handlers that a single socket was given at run time.

use std::fmt;
use std::sync::Arc;

use super::core::Core;
use super::handlers::{EventHandler, Filter};
use crate::atomic::{AtomicUsize, Ordering};
use crate::codec::RawArgs;

/// Names a handler that was added to one socket, to remove it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// How often a listener is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasts {
    Once,
    Always,
}

/// A hook of one socket that looks at every event.
pub(crate) type OwnHook = Arc<dyn Fn(&Arc<Core>, &str, RawArgs<'_>) + Send + Sync>;

/// What sees every event of one socket, in the order in which it was added.
#[derive(Default)]
pub(crate) struct Watchers {
    pub(crate) hooks: Vec<OwnHook>,
    pub(crate) filters: Vec<Arc<dyn Filter>>,
}

/// How many hooks of single sockets a namespace has that look at what leaves. While there is none, nothing is encoded for them.
#[derive(Clone, Default)]
pub(crate) struct OutgoingHooks(Arc<AtomicUsize>);

impl OutgoingHooks {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }

    /// One more, until the value is dropped.
    fn count(&self) -> Counted {
        self.0.fetch_add(1, Ordering::Relaxed);
        Counted(self.clone())
    }
}

/// One hook that counts.
struct Counted(OutgoingHooks);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

struct OutgoingHook {
    id: ListenerId,
    hook: OwnHook,
    _counted: Counted,
}

struct Listener {
    id: ListenerId,
    event: Box<str>,
    lasts: Lasts,
    handler: Arc<dyn EventHandler>,
}

/// The side table of a socket that has such handlers.
#[derive(Default)]
pub(crate) struct Listeners {
    listeners: Vec<Listener>,
    hooks: Vec<(ListenerId, OwnHook)>,
    outgoing: Vec<OutgoingHook>,
    filters: Vec<(ListenerId, Arc<dyn Filter>)>,
    next_id: u64,
}

impl Listeners {
    pub(crate) fn add(
        &mut self,
        event: &str,
        lasts: Lasts,
        handler: Arc<dyn EventHandler>,
    ) -> ListenerId {
        let id = self.new_id();
        self.listeners.push(Listener {
            id,
            event: event.into(),
            lasts,
            handler,
        });
        id
    }

    pub(crate) fn add_hook(&mut self, hook: OwnHook) -> ListenerId {
        let id = self.new_id();
        self.hooks.push((id, hook));
        id
    }

    /// A hook that sees what is sent to the socket, and counts in its namespace.
    pub(crate) fn add_outgoing(&mut self, hook: OwnHook, hooks: &OutgoingHooks) -> ListenerId {
        let id = self.new_id();
        self.outgoing.push(OutgoingHook {
            id,
            hook,
            _counted: hooks.count(),
        });
        id
    }

    pub(crate) fn add_filter(&mut self, filter: Arc<dyn Filter>) -> ListenerId {
        let id = self.new_id();
        self.filters.push((id, filter));
        id
    }

    fn new_id(&mut self) -> ListenerId {
        let id = ListenerId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        id
    }

    /// What sees every event of the socket.
    pub(crate) fn watchers(&self) -> Watchers {
        let hooks = self.hooks.iter().map(|(_, hook)| Arc::clone(hook));
        let filters = self.filters.iter().map(|(_, filter)| Arc::clone(filter));
        Watchers {
            hooks: hooks.collect(),
            filters: filters.collect(),
        }
    }

    /// What sees all that is sent to the socket.
    pub(crate) fn outgoing(&self) -> Vec<OwnHook> {
        let hooks = self.outgoing.iter();
        hooks.map(|outgoing| Arc::clone(&outgoing.hook)).collect()
    }

    pub(crate) fn remove(&mut self, id: ListenerId) {
        self.hooks.retain(|(known, _)| *known != id);
        self.outgoing.retain(|outgoing| outgoing.id != id);
        self.filters.retain(|(known, _)| *known != id);
        self.listeners.retain(|listener| listener.id != id);
    }

    pub(crate) fn remove_all(&mut self, event: &str) {
        self.listeners.retain(|listener| *listener.event != *event);
    }

    /// The handlers of an event, in the order in which they were added; those for one time only are removed.
    pub(crate) fn take(&mut self, event: &str) -> Vec<Arc<dyn EventHandler>> {
        let is_meant = |listener: &&Listener| *listener.event == *event;
        let found = self.listeners.iter().filter(is_meant);
        let handlers = found
            .map(|listener| Arc::clone(&listener.handler))
            .collect();
        self.listeners
            .retain(|listener| *listener.event != *event || listener.lasts == Lasts::Always);
        handlers
    }
}

impl fmt::Debug for Listeners {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listeners({})", self.listeners.len())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{Listeners, OutgoingHooks};

    #[test]
    fn hooks_that_look_at_what_leaves_count_until_they_are_removed_or_their_socket_goes() {
        let count = OutgoingHooks::default();
        let mut listeners = Listeners::default();
        let first = listeners.add_outgoing(Arc::new(|_, _, _| {}), &count);
        let mut others = Listeners::default();
        others.add_outgoing(Arc::new(|_, _, _| {}), &count);
        assert!(!count.is_empty());
        listeners.remove(first);
        assert!(listeners.outgoing().is_empty());
        assert!(!count.is_empty());
        drop(others);
        assert!(count.is_empty());
    }
}
