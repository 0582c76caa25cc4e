//! A parser of an application's own: JSON whose attachments come first.

use engineio::{MessageBuffer, Payload, Protocol};

use super::event;
use crate::codec::kind::PacketKind;
use crate::codec::packet::Packet;
use crate::codec::vectors::Wire;
use crate::codec::{
    Args, Binary, Codec, ConnectReply, Decoder, EncodeError, Outgoing, OutgoingEvent, OwnedArgs,
    PacketError, PacketLimits, Parser, Partial,
};

struct DataFirst;

impl Parser for DataFirst {
    fn decode<'a>(
        &self,
        message: Payload<'a>,
        _: &PacketLimits,
        partial: &mut Partial,
    ) -> Result<Option<Packet<'a>>, PacketError> {
        match message {
            Payload::Binary(data) => {
                partial.put(data.to_vec());
                Ok(None)
            }
            Payload::Text(name) => {
                let data: Vec<u8> = partial.take().ok_or(PacketError::Payload)?;
                let args = OwnedArgs::new(&Args((Binary::from(data), name.len())))
                    .map_err(|_| PacketError::Payload)?;
                let packet = Packet::new(PacketKind::Event, "/").with_name(name);
                Ok(Some(packet.with_args(args).with_id(Some(3))))
            }
            _ => Err(PacketError::UnknownType),
        }
    }

    fn encode(&self, packet: &Outgoing<'_>, out: &mut MessageBuffer) -> Result<(), EncodeError> {
        let args: Vec<_> = packet.args.iter().collect();
        let mut json = Vec::new();
        for argument in args {
            let mut serializer = serde_json::Serializer::new(&mut json);
            argument
                .transcode(&mut serializer)
                .map_err(|error| EncodeError::Serialize(error.to_string()))?;
            json.push(b';');
        }
        out.push_binary(&json);
        out.push_text(packet.name.unwrap_or("-"));
        Ok(())
    }
}

#[test]
fn it_decodes_over_several_messages() {
    let codec = Codec::custom(DataFirst);
    let limits = PacketLimits::default();
    let mut decoder = Decoder::default();
    let first = decoder.decode(&codec, Payload::Binary(&[7, 8]), Protocol::V4, &limits);
    assert!(matches!(first, Ok(None)) && decoder.is_waiting());
    let packet = decoder
        .decode(&codec, Payload::Text("hey"), Protocol::V4, &limits)
        .unwrap()
        .unwrap();
    assert_eq!((packet.name(), packet.id()), (Some("hey"), Some(3)));
    assert_eq!(packet.args().deserialize(), Ok(Binary::from(vec![7, 8])));
    assert!(!decoder.is_waiting());
    let error = decoder.decode(&codec, Payload::Text("hey"), Protocol::V4, &limits);
    assert_eq!(error.unwrap_err(), PacketError::Payload);
}

#[test]
fn it_encodes_arguments_with_their_binary() {
    let codec = Codec::custom(DataFirst);
    let mut out = MessageBuffer::new();
    let args = Args((1, Binary::from(vec![2, 3])));
    let with_offset = OutgoingEvent {
        offset: Some("o"),
        ..event(&args)
    };
    codec.event(with_offset, &mut out).unwrap();
    // serde_json writes bytes as numbers, which shows that bytes it was.
    let expected = [
        Wire::Binary(br#"1;[2,3];"o";"#.to_vec()),
        Wire::Text("e".into()),
    ];
    assert_eq!(super::wires(&out), expected);

    let mut out = MessageBuffer::new();
    let reply = ConnectReply {
        sid: "s",
        pid: None,
        auth: None,
    };
    codec.connect(Protocol::V4, "/", reply, &mut out).unwrap();
    let expected = [
        Wire::Binary(br#"{"sid":"s"};"#.to_vec()),
        Wire::Text("-".into()),
    ];
    assert_eq!(super::wires(&out), expected);
}
