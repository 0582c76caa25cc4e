//! What other servers say, and doing what they ask for.

use std::sync::Arc;

use crate::cluster::adapter::AdapterError;
use crate::cluster::handle::Hearing;
use crate::cluster::seat::{Seat, first_of};
use crate::codec::OwnedArgs;
use crate::event::Event;
use crate::live::handlers::{AckSender, Running};
use crate::live::server::Server;
use crate::live::space::Space;
use crate::proto::cluster::message::{ClusterBody, ClusterMessage, ClusterOptions, RequestId};
use crate::proto::cluster::node::Input;
use crate::running::{Guarded, Panicked, guard};
use crate::sending::broadcast::Broadcast;

impl Hearing for Server {
    fn hear(&self, message: ClusterMessage) {
        if &*message.nsp != ClusterMessage::SERVER_WIDE {
            if let Some(space) = self.spaces.find(&message.nsp) {
                feed(&space, Input::Received(message));
            }
        } else if let Some(cluster) = &self.cluster {
            for revocation in cluster.hear_server_wide(message) {
                self.authority.absorb(&revocation);
            }
        }
    }

    fn tick(&self) {
        for space in self.spaces.all() {
            feed(&space, Input::Timeout);
        }
    }
}

fn feed(space: &Arc<Space>, input: Input) {
    if let Some(seat) = &space.cluster {
        seat.feed(input, |body| apply(space, seat, body));
    }
}

//= CLA-03
fn apply(space: &Arc<Space>, seat: &Arc<Seat>, body: ClusterBody) {
    match body {
        ClusterBody::Broadcast {
            packet,
            opts,
            request_id: None,
        } => {
            let (name, args) = packet.into_parts();
            // What cannot be sent here was the sender's to refuse.
            let _ = to(space, &opts).emit(&name, &args);
        }
        ClusterBody::Broadcast {
            packet,
            opts,
            request_id: Some(request),
        } => collect_acks(space, seat, packet, &opts, request),
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
            seat.publish(ClusterBody::FetchSocketsResponse {
                request_id,
                sockets,
            });
        }
        ClusterBody::ServerSideEmit { packet, request_id } => {
            call_handlers(space, seat, &packet, request_id);
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
    packet: Event,
    opts: &ClusterOptions,
    request: RequestId,
) {
    let (name, args) = packet.into_parts();
    let timeout = seat.cluster.settings.request_timeout;
    let broadcast = to(space, opts).timeout(opts.flags.timeout.unwrap_or(timeout));
    let mut acks = broadcast.emit_with_ack::<OwnedArgs>(&name, &args);
    seat.publish(ClusterBody::BroadcastClientCount {
        request_id: request.clone(),
        client_count: u64::try_from(acks.target_count()).unwrap_or(u64::MAX),
    });
    let publisher = Arc::clone(seat);
    seat.cluster.answer(async move {
        while let Some((socket, answer)) = acks.next().await {
            // The reference has no word for an acknowledgement that does not come.
            if let Ok(args) = answer {
                publisher.publish(ClusterBody::BroadcastAck {
                    request_id: request.clone(),
                    packet: first_of(args.as_raw()),
                    socket: socket.map(|id| id.as_str().into()),
                });
            }
        }
        Ok(())
    });
}

fn call_handlers(space: &Arc<Space>, seat: &Arc<Seat>, packet: &Event, request: Option<RequestId>) {
    let ack = request.map(|request| AckSender::to_server(Arc::clone(seat), request));
    for (name, handler) in &space.handlers.server_side {
        if **name != *packet.name() {
            continue;
        }
        match guard(|| handler.start(space, packet.args(), ack.clone())) {
            Ok(Ok(running)) => seat.cluster.answer(run(running, ack.clone())),
            Ok(Err(_)) => fail(ack.clone(), "invalid_arguments"),
            Err(Panicked) => fail(ack.clone(), "internal"),
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
