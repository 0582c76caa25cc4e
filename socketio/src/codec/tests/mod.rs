//! What the codec promises, beyond the recorded vectors.

#![allow(
    clippy::arithmetic_side_effects,
    reason = "an overflow is a failed test"
)]

mod arguments;
mod bounds;
mod encoding;
mod msgpack_peer;
mod parser;
mod properties;

use engineio::{MessageBuffer, Payload, Protocol};
use serde::Serialize;

use super::vectors::Wire;
use super::{Codec, Decoder, OutgoingEvent, OwnedArgs, PacketError, PacketLimits};
use crate::codec::packet::Packet;

/// The packet that some JSON messages make.
fn decode(messages: &[Payload<'_>]) -> Result<Packet<'static>, PacketError> {
    decode_within(&PacketLimits::default(), messages)
}

fn decode_within(
    limits: &PacketLimits,
    messages: &[Payload<'_>],
) -> Result<Packet<'static>, PacketError> {
    decode_with(&Codec::json(), Protocol::V4, limits, messages)
}

fn decode_with(
    codec: &Codec,
    protocol: Protocol,
    limits: &PacketLimits,
    messages: &[Payload<'_>],
) -> Result<Packet<'static>, PacketError> {
    let mut decoder = Decoder::default();
    let mut packet = None;
    for message in messages {
        assert!(packet.is_none(), "more messages than needed");
        packet = match decoder.decode(codec, *message, protocol, limits) {
            Ok(packet) => packet.map(Packet::into_owned),
            Err(error) => {
                assert!(!decoder.is_waiting(), "something is still armed");
                return Err(error);
            }
        };
    }
    Ok(packet.expect("the messages are whole packets"))
}

fn text(text: &str) -> Result<Packet<'static>, PacketError> {
    decode(&[Payload::Text(text)])
}

/// The arguments of an event without attachments, given as they stand behind its name.
fn args(json: &str) -> OwnedArgs {
    text(&format!(r#"2["e",{json}]"#)).unwrap().into_args()
}

fn event<A: ?Sized>(args: &A) -> OutgoingEvent<'_, A> {
    OutgoingEvent {
        namespace: "/",
        id: None,
        name: "e",
        args,
        offset: None,
    }
}

fn encode<A: Serialize + ?Sized>(codec: &Codec, args: &A) -> Vec<Wire> {
    let mut out = MessageBuffer::new();
    codec.event(event(args), &mut out).unwrap();
    wires(&out)
}

fn wires(out: &MessageBuffer) -> Vec<Wire> {
    out.messages().map(Wire::from).collect()
}

fn only_text(out: &MessageBuffer) -> String {
    match &wires(out)[..] {
        [Wire::Text(text)] => text.clone(),
        other => panic!("not one text: {other:?}"),
    }
}
