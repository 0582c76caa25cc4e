//! What other servers say, and doing what they ask for.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_core::Stream;

use crate::cluster::adapter::AdapterError;
use crate::cluster::question::Heard;
use crate::cluster::seat::{Seat, first_of};
use crate::codec::OwnedArgs;
use crate::error::EmitError;
use crate::event::Event;
use crate::live::handlers::{AckSender, Running};
use crate::live::server::Server;
use crate::live::space::Space;
use crate::proto::cluster::message::{ClusterBody, ClusterOptions, RequestId};
use crate::proto::cluster::node::{Input, Output};
use crate::running::{Guarded, Panicked, guard};
use crate::sending::broadcast::Broadcast;

/// How often the machines are asked whether it is time for something (CLA-06).
const TICK: Duration = Duration::from_secs(1);

//= CLA-03
fn apply(space: &Arc<Space>, seat: &Seat, body: ClusterBody) {
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
    seat: &Seat,
    packet: Event,
    opts: &ClusterOptions,
    request: RequestId,
) {
    let (name, args) = packet.into_parts();
    let timeout = seat.cluster.settings.request_timeout;
    let broadcast = to(space, opts).timeout(opts.flags.timeout.unwrap_or(timeout));
    let sent: Result<_, EmitError> = broadcast.emit_with_ack::<OwnedArgs>(&name, &args);
    let client_count = sent.as_ref().map_or(0, |acks| acks.target_count());
    seat.publish(ClusterBody::BroadcastClientCount {
        request_id: request.clone(),
        client_count: u64::try_from(client_count).unwrap_or(u64::MAX),
    });
    let Ok(mut acks) = sent else {
        return;
    };
    let space = Arc::clone(space);
    seat.cluster.answer(async move {
        while let Some((socket, answer)) = poll_fn(|cx| Pin::new(&mut acks).poll_next(cx)).await {
            // The reference has no word for an acknowledgement that does not come.
            if let (Ok(args), Some(seat)) = (answer, &space.cluster) {
                seat.publish(ClusterBody::BroadcastAck {
                    request_id: request.clone(),
                    packet: first_of(args.as_raw()),
                    socket: Some(socket.as_str().into()),
                });
            }
        }
        Ok(())
    });
}

fn call_handlers(space: &Arc<Space>, seat: &Seat, packet: &Event, request: Option<RequestId>) {
    let ack = request.map(|request| AckSender::to_server(Arc::clone(space), request));
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

/// Feeds the machine of a namespace, and does what it says.
pub(crate) fn feed(space: &Arc<Space>, input: Input) {
    let Some(seat) = &space.cluster else {
        return;
    };
    for output in seat.feed(input) {
        match output {
            Output::Publish(message) => seat.cluster.publish(message),
            Output::Apply(body) => apply(space, seat, body),
            // Whoever asked may have stopped waiting.
            Output::Answer { waiter, from, body } => {
                let _ = waiter.send(Heard::Answer(from, body));
            }
            Output::Complete(waiter) => drop(waiter),
        }
    }
}

pub(crate) async fn keep_time(server: Weak<Server>) {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        let Some(server) = server.upgrade() else {
            return;
        };
        for space in server.all_spaces() {
            feed(&space, Input::Timeout);
        }
    }
}
