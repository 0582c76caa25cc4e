//! What other servers say, and doing what they ask for.

use std::sync::Arc;

use super::cluster_control::RESERVED_BETWEEN_SERVERS;
use crate::cluster::error::AdapterError;
use crate::cluster::handle::Hearing;
use crate::cluster::seat::{Seat, first_of};
use crate::codec::OwnedArgs;
use crate::event::Event;
use crate::live::handlers::{AckSender, Running};
use crate::live::server::Server;
use crate::live::space::Space;
use crate::proto::cluster::entry::EntryId;
use crate::proto::cluster::message::{
    ClusterBody, ClusterMessage, ClusterOptions, RequestId, Scope, ServerId,
};
use crate::proto::cluster::node::Input;
use crate::running::{Guarded, Panicked, guard};
use crate::sending::broadcast::Broadcast;

impl Hearing for Server {
    fn hear(&self, message: ClusterMessage) {
        if let Some(name) = message.scope.name() {
            if let Some(space) = self.spaces.find(name) {
                feed(&space, None, Input::Received(message));
            }
        } else if let Some(cluster) = &self.cluster {
            for revocation in cluster.hear_server_wide(message) {
                self.authority.absorb(&revocation);
            }
        }
    }

    fn hear_entry(&self, id: EntryId, message: ClusterMessage) {
        let name = message.scope.name().unwrap_or_default();
        let space = self.spaces.find(name);
        let keeper = self
            .recovery
            .as_deref()
            .filter(|keeper| keeper.shared().is_some());
        let is_own = self
            .cluster
            .as_ref()
            .is_some_and(|cluster| cluster.uid == message.uid);
        match (space, keeper) {
            _ if message.scope == Scope::Server => return self.hear(message),
            (Some(space), Some(_)) if space.recovery.is_some() => {
                feed(&space, Some(id), Input::Entry(id, message));
            }
            // Own events were sent when they were emitted.
            (Some(_), _) if is_own => {}
            (Some(space), _) => feed(&space, None, Input::Entry(id, message)),
            // Somebody may yet come to it who has missed this.
            (None, Some(keeper)) if message.is_kept() => {
                keeper.miss(&Arc::from(name), id.offset());
            }
            (None, _) => {}
        }
        if let Some(keeper) = keeper {
            keeper.pass(id.offset());
        }
    }

    fn hear_unwritten(&self, message: ClusterMessage) {
        let name = message.scope.name().unwrap_or_default();
        let Some(space) = self.spaces.find(name).filter(|_| message.is_kept()) else {
            return;
        };
        let keeper = space.recovery.as_deref();
        let waits = keeper.is_some_and(|keeper| keeper.shared().is_some());
        if let (true, ClusterBody::Broadcast { packet, opts, .. }) = (waits, message.body) {
            let (name, args) = packet.into_parts();
            // It was encoded before.
            let _ = to(&space, &opts).emit_here(&name, &args);
        }
    }

    fn begin_log(&self, at: EntryId) {
        for space in self.spaces.all() {
            if let Some(seat) = &space.cluster {
                seat.begin_log();
            }
        }
        if let Some(keeper) = self
            .recovery
            .as_deref()
            .filter(|keeper| keeper.shared().is_some())
        {
            keeper.begin(at.offset());
        }
    }

    fn report(&self, error: &AdapterError) {
        if let Some(cluster) = &self.cluster {
            cluster.report(error);
        }
    }

    fn set_connected(&self, is_connected: bool) {
        let Some(cluster) = &self.cluster else { return };
        // Whoever comes behind this sees it himself.
        if !cluster.set_connected(is_connected) {
            return;
        }
        for space in self.spaces.all() {
            if let Some(seat) = &space.cluster {
                seat.bus_changed();
            }
        }
    }

    fn tick(&self) {
        for space in self.spaces.all() {
            feed(&space, None, Input::Timeout);
        }
        let keeper = self.recovery.as_deref();
        if let Some(shared) = keeper.and_then(|keeper| keeper.shared()) {
            shared.save_due();
        }
    }
}

/// `entry` is where the input stands in the log that servers share.
fn feed(space: &Arc<Space>, entry: Option<EntryId>, input: Input) {
    if let Some(seat) = &space.cluster {
        seat.feed(input, |from, body| apply(space, seat, from, entry, body));
    }
}

//= CLA-03
fn apply(
    space: &Arc<Space>,
    seat: &Arc<Seat>,
    from: ServerId,
    entry: Option<EntryId>,
    body: ClusterBody,
) {
    match body {
        ClusterBody::Broadcast {
            packet,
            opts,
            request_id: None,
        } => {
            let (name, args) = packet.into_parts();
            if let Some(entry) = entry {
                return to(space, &opts).emit_entry(entry, &name, &args);
            }
            // What cannot be sent here was the sender's to refuse.
            let _ = to(space, &opts).emit(&name, &args);
        }
        ClusterBody::Broadcast {
            packet,
            opts,
            request_id: Some(request),
        } => collect_acks(space, seat, from, packet, &opts, request),
        ClusterBody::SocketsJoin { opts, rooms } => {
            for room in rooms {
                to(space, &opts).join(room);
            }
        }
        ClusterBody::SocketsLeave { opts, rooms } => {
            for room in rooms {
                to(space, &opts).leave(room);
            }
        }
        ClusterBody::DisconnectSockets { opts, close: false } => to(space, &opts).disconnect(),
        ClusterBody::DisconnectSockets { opts, close: true } => to(space, &opts).close(),
        ClusterBody::FetchSockets { opts, request_id } => {
            let sockets = to(space, &opts).describe();
            let answer = ClusterBody::FetchSocketsResponse {
                request_id,
                sockets,
            };
            seat.answer(&from, answer);
        }
        ClusterBody::AllRooms {
            with_own,
            request_id,
        } => {
            let rooms = space.rooms.lock().names(with_own);
            seat.answer(&from, ClusterBody::AllRoomsResponse { request_id, rooms });
        }
        ClusterBody::Returned { socket, life } => {
            let socket = space.rooms.lock().get(&socket);
            if let Some(socket) = socket {
                socket.has_returned(life);
            }
        }
        ClusterBody::ServerSideEmit { packet, request_id } => {
            let ack =
                request_id.map(|request| AckSender::to_server(Arc::clone(seat), from, request));
            call_handlers(space, seat, &packet, ack.as_ref());
        }
        // The machine keeps what it understands itself; what is new to this version means nothing to it.
        _ => {}
    }
}

/// The sockets of this server that are meant.
fn to(space: &Arc<Space>, opts: &ClusterOptions) -> Broadcast {
    Broadcast::of_cluster(Arc::clone(space), opts)
}

//= CLA-04
fn collect_acks(
    space: &Arc<Space>,
    seat: &Arc<Seat>,
    asker: ServerId,
    packet: Event,
    opts: &ClusterOptions,
    request: RequestId,
) {
    let (name, args) = packet.into_parts();
    let timeout = seat.cluster.settings.request_timeout;
    let broadcast = to(space, opts).timeout(opts.flags.timeout.unwrap_or(timeout));
    let mut acks = broadcast.emit_with_ack::<OwnedArgs>(&name, &args);
    let count = ClusterBody::BroadcastClientCount {
        request_id: request.clone(),
        client_count: u64::try_from(acks.target_count()).unwrap_or(u64::MAX),
    };
    seat.answer(&asker, count);
    let publisher = Arc::clone(seat);
    seat.cluster.answer(async move {
        while let Some((socket, answer)) = acks.next().await {
            // The reference has no word for an acknowledgement that does not come.
            if let Ok(args) = answer {
                let ack = ClusterBody::BroadcastAck {
                    request_id: request.clone(),
                    packet: first_of(args.as_raw()),
                    socket: socket.map(|id| id.as_str().into()),
                };
                publisher.answer(&asker, ack);
            }
        }
        Ok(())
    });
}

fn call_handlers(space: &Arc<Space>, seat: &Arc<Seat>, packet: &Event, ack: Option<&AckSender>) {
    //= RED-RQ-09
    if RESERVED_BETWEEN_SERVERS.contains(&packet.name()) {
        return seat.cluster.report(&AdapterError::ignored(
            "an event between servers has a reserved name",
        ));
    }
    for (name, handler) in &space.handlers.server_side {
        if **name != *packet.name() {
            continue;
        }
        match guard(|| handler.start(space, packet.args(), ack.cloned())) {
            Ok(Ok(running)) => seat.cluster.answer(run(running, ack.cloned())),
            Ok(Err(_)) => fail(ack.cloned(), "invalid_arguments"),
            Err(Panicked) => fail(ack.cloned(), "internal"),
        }
    }
}

async fn run(running: Running, ack: Option<AckSender>) -> Result<(), AdapterError> {
    if Guarded(running).await == Err(Panicked) {
        fail(ack, "internal");
    }
    Ok(())
}

fn fail(ack: Option<AckSender>, error: &str) {
    if let Some(ack) = ack {
        ack.fail(error);
    }
}
