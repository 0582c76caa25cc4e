//! What two servers of Node said to each other, what is garbage, and what holds of any message.

#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "a test that goes too far fails"
)]

mod encoders;
mod garbage;
mod golden;
mod properties;

use std::fmt::Write;

use super::Ignored;
use super::value::Value;
use crate::proto::cluster::message::{ClusterBody, ClusterMessage, Scope};

/// One value in the shortest msgpack.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it is written where it is passed"
)]
fn pack(json: serde_json::Value) -> Vec<u8> {
    super::msgpack::write(&Value::of(&json).unwrap())
}

/// Everything a message says, arguments included.
fn told(message: &ClusterMessage) -> String {
    let mut told = format!(
        "{:?} in {:?}: {:?}",
        message.uid, message.scope, message.body
    );
    let args = match &message.body {
        ClusterBody::Broadcast { packet, .. } | ClusterBody::ServerSideEmit { packet, .. } => {
            write!(told, " {:?}", packet.name()).unwrap();
            packet.args().to_owned()
        }
        ClusterBody::ServerSideEmitResponse { packet, .. }
        | ClusterBody::BroadcastAck { packet, .. } => packet.clone(),
        _ => return told,
    };
    for argument in args.as_raw().iter() {
        let value = argument.transcode(super::value::Collector).unwrap();
        write!(told, " {value:?}").unwrap();
    }
    told
}

fn scope() -> Scope {
    Scope::namespace("/")
}

fn reason(read: Result<ClusterMessage, Ignored>) -> Ignored {
    match read {
        Ok(message) => panic!("it means {}", told(&message)),
        Err(ignored) => ignored,
    }
}
