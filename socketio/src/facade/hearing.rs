//! Doing what other servers ask for.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use futures_core::Stream;
use serde_json::{Map, Value, json};

use super::namespace::Space;
use crate::cluster::adapter::AdapterError;
use crate::cluster::seat::{Seat, first_of};
use crate::codec::{OwnedArgs, to_iso_string};
use crate::error::EmitError;
use crate::event::Event;
use crate::live::core::Core;
use crate::live::handlers::{AckSender, Running};
use crate::live::handshake::{Handshake, auth_of_query};
use crate::proto::cluster::message::{ClusterBody, ClusterOptions, RequestId};
use crate::proto::cluster::remote::RemoteSocket;
use crate::proto::rooms::Room;
use crate::running::{Guarded, Panicked, guard};
use crate::sending::broadcast::Broadcast;

//= CLA-03
pub(crate) fn apply(space: &Arc<Space>, seat: &Seat, body: ClusterBody) {
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

/// A socket of this server as data, in the reference's shape.
pub(crate) fn describe(socket: &Arc<Core>) -> RemoteSocket {
    let space = &socket.space;
    let own_room = Room::from(socket.id());
    let mut rooms = vec![own_room];
    rooms.extend(space.rooms.lock().rooms_of(socket.id()));
    let client = socket.connection.data();
    let handshake = client.map_or(Value::Null, |client| {
        // What a client of a guarded namespace presents may be a credential.
        let auth = socket.auth().filter(|_| space.guard.is_none());
        handshake_json(&client.handshake, auth)
    });
    let share = space.handlers.share_data.as_ref();
    let data = share.and_then(|share| guard(|| share(socket)).ok());
    let data = data.unwrap_or_else(|| Value::Object(Map::new()));
    RemoteSocket::new(socket.id().as_str(), handshake, rooms, data)
}

fn handshake_json(handshake: &Handshake, auth: Option<Value>) -> Value {
    let headers: Map<String, Value> = handshake
        .headers()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value).into_owned();
            (name.to_ascii_lowercase(), Value::String(value))
        })
        .collect();
    let is_cross_domain = handshake.header("origin").is_some();
    let issued = handshake.issued_at().duration_since(UNIX_EPOCH);
    let issued = issued.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    });
    json!({
        "headers": headers,
        "time": to_iso_string(issued),
        "address": handshake.peer().map(|peer| peer.ip().to_string()),
        "xdomain": is_cross_domain,
        "secure": handshake.is_secure(),
        "issued": issued,
        "url": handshake.url(),
        "query": auth_of_query(handshake.query()),
        "auth": auth.unwrap_or_else(|| Value::Object(Map::new())),
    })
}
