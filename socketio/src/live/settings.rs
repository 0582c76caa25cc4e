//! The options of a server, as its parts read them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::keeping::Keeping;
use crate::codec::PacketLimits;
use crate::event::NamespaceEvent;
use crate::proto::client;
use crate::proto::inbox;
use crate::proto::pace::Rate;
use crate::proto::rooms::RoomBounds;
use crate::running::guard;
use crate::type_map::TypeMap;

/// What the builder has put together. It does not change once the server is built.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) ack_timeout: Option<Duration>,
    pub(crate) max_pending_acks: usize,
    pub(crate) rooms: RoomBounds,
    pub(crate) max_room_name_bytes: usize,
    pub(crate) max_dynamic_namespaces: usize,
    pub(crate) inbox: inbox::Bounds,
    pub(crate) event_rate: Option<Rate>,
    /// What the application shares with all handlers.
    pub(crate) state: TypeMap,
    pub(crate) on_namespace: NamespaceHooks,
    pub(crate) keeping: Keeping,
    pub(crate) binds_peer: bool,
    pub(crate) packets: PacketLimits,
    pub(crate) client: client::Limits,
}

/// A hook that hears of namespaces.
type NamespaceHook = dyn Fn(NamespaceEvent<'_>) + Send + Sync;

/// The hooks that hear of namespaces.
#[derive(Clone, Default)]
pub(crate) struct NamespaceHooks(Vec<Arc<NamespaceHook>>);

impl NamespaceHooks {
    pub(crate) fn add(&mut self, hook: Arc<NamespaceHook>) {
        self.0.push(hook);
    }

    /// They only look on: a panic there changes nothing.
    pub(super) fn tell(&self, event: NamespaceEvent<'_>) {
        for hook in &self.0 {
            let _ = guard(|| hook(event));
        }
    }
}

impl fmt::Debug for NamespaceHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamespaceHooks({})", self.0.len())
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ack_timeout: None,
            max_pending_acks: 1024,
            rooms: RoomBounds {
                per_socket: 1024,
                per_namespace: 1_000_000,
            },
            max_room_name_bytes: 1024,
            max_dynamic_namespaces: 10_000,
            inbox: inbox::Bounds {
                max_in_flight: 1024,
                max_bytes: 64 * 1024,
                overflow_bytes: 16 * 1024 * 1024,
            },
            event_rate: None,
            state: TypeMap::default(),
            on_namespace: NamespaceHooks::default(),
            keeping: Keeping::default(),
            binds_peer: false,
            packets: PacketLimits::default(),
            client: client::Limits {
                connect_timeout: Duration::from_secs(45),
                attachment_timeout: Duration::from_secs(45),
                max_namespaces: 64,
                max_connecting: 64,
            },
        }
    }
}
