//! What a server has done since it was built, in numbers.

use std::sync::Arc;

use crate::cluster::link::Cluster;
use crate::live::server::Server;

/// A snapshot of a server's counters, made by [`SocketIo::stats`](crate::SocketIo::stats).
///
/// `sockets`, `acks_pending` and `handlers_in_flight` are what there is now; everything else counts from the server's
/// beginning. The numbers are read one after the other while the server runs, so they need not add up exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// Connections, packets and bytes of the engine below.
    pub engine: engineio::Stats,
    /// The open namespaces, by name.
    pub namespaces: Vec<NamespaceStats>,
    /// Events of clients that had joined, whether or not anything handles them.
    pub events_in: u64,
    /// Events accepted for sending, once for each client. Those that are sent again to a client that came back do not
    /// count.
    pub events_out: u64,
    /// Events not sent, once for each client: its queue was full, or they were volatile and it was busy.
    pub events_dropped: u64,
    /// Events of clients that were dropped because they came faster than
    /// [`events_per_second`](crate::SocketIoBuilder::events_per_second) allows.
    pub events_too_fast: u64,
    /// Events whose arguments were not what their handler takes, once for each handler.
    pub arguments_invalid: u64,
    /// Messages that are not part of a valid packet. Each closes its connection.
    pub packets_invalid: u64,
    /// CONNECTs that were refused, for whatever reason.
    pub connects_rejected: u64,
    /// Acknowledgements that are awaited from clients.
    pub acks_pending: usize,
    /// Handlers and event middleware that have started and wait for something.
    pub handlers_in_flight: usize,
    /// The part in a cluster; `None` without an adapter.
    pub cluster: Option<ClusterStats>,
}

impl ServerStats {
    pub(crate) fn of(server: &Server, engine: engineio::Stats) -> Self {
        let counts = server.meter.counts();
        let spaces = server.spaces.all();
        let namespaces = spaces.iter().map(|space| {
            let rooms = space.rooms.lock();
            NamespaceStats {
                name: Arc::clone(&space.name),
                sockets: rooms.count(),
                rooms: rooms.room_count(),
            }
        });
        Self {
            engine,
            namespaces: namespaces.collect(),
            events_in: counts.events_in,
            events_out: counts.events_out,
            events_dropped: counts.events_dropped,
            events_too_fast: counts.events_too_fast,
            arguments_invalid: counts.arguments_invalid,
            packets_invalid: counts.packets_invalid,
            connects_rejected: counts.connects_rejected,
            acks_pending: counts.acks_pending,
            handlers_in_flight: counts.handlers_in_flight,
            cluster: server.cluster.as_deref().map(ClusterStats::of),
        }
    }

    /// How many sockets there are in all namespaces.
    #[must_use]
    pub fn socket_count(&self) -> usize {
        self.namespaces.iter().map(|space| space.sockets).sum()
    }
}

/// A server's part in a cluster, in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterStats {
    /// Whether the bus is reached, as far as the adapter says so.
    pub is_connected: bool,
    /// Messages that wait to be published.
    pub publishing: usize,
    /// Questions of other servers that wait for clients or handlers.
    pub answering: usize,
    /// What the adapter could not do, from the server's beginning.
    pub errors: u64,
    /// What arrived and was ignored because it made no sense, from the server's beginning.
    pub ignored: u64,
}

impl ClusterStats {
    fn of(cluster: &Cluster) -> Self {
        let counts = cluster.counts();
        Self {
            is_connected: cluster.is_connected(),
            publishing: counts.publishing,
            answering: counts.answering,
            errors: counts.errors,
            ignored: counts.ignored,
        }
    }
}

/// One namespace in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamespaceStats {
    /// Its name.
    pub name: Arc<str>,
    /// How many sockets are in it.
    pub sockets: usize,
    /// How many rooms somebody is in, those of the sockets' own ids left out.
    pub rooms: usize,
}
