//! The options of a server, as its parts read them.

use std::time::Duration;

use super::keeping::Keeping;
use crate::codec::PacketLimits;
use crate::proto::client;
use crate::proto::inbox;
use crate::proto::pace::Rate;
use crate::proto::rooms::RoomBounds;
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
    pub(crate) keeping: Keeping,
    pub(crate) binds_peer: bool,
    pub(crate) packets: PacketLimits,
    pub(crate) client: client::Limits,
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
            keeping: Keeping::default(),
            binds_peer: false,
            packets: PacketLimits::default(),
            client: client::Limits {
                connect_timeout: Duration::from_secs(45),
                attachment_timeout: Duration::from_secs(45),
                max_namespaces: 64,
                max_connecting: 16,
            },
        }
    }
}
