//! What holds of any message: it is read as it was written, in every format; cut anywhere it does no harm.

use std::time::Duration;

use serde_json::json;

use super::told;
use crate::codec::OwnedArgs;
use crate::event::Event;
use crate::proto::cluster::message::{
    ClusterBody, ClusterFlags, ClusterMessage, ClusterOptions, RequestId, Scope, ServerId,
};
use crate::proto::cluster::remote::RemoteSocket;
use crate::proto::cluster::wire::envelope::{self, Encoding};
use crate::proto::cluster::wire::stream::{self, Entry};
use crate::proto::cluster::wire::{classic, value::Value};
use crate::proto::room::Room;

/// A repeatable sequence: xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn is(&mut self) -> bool {
        self.below(2) == 0
    }

    fn text(&mut self) -> String {
        const LETTERS: [char; 10] = ['a', '"', '#', '\\', '\n', '\0', 'é', '😀', '{', '7'];
        let len = self.below(40);
        let mut letter = || LETTERS[usize::try_from(self.below(10)).unwrap()];
        (0..len).map(|_| letter()).collect()
    }

    fn id(&mut self) -> String {
        format!("{:x}", self.below(u64::MAX))
    }

    fn several<T>(&mut self, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(4)).map(|_| make(self)).collect()
    }

    fn value(&mut self, depth: u32) -> Value<'static> {
        match self.below(if depth == 0 { 7 } else { 9 }) {
            0 => Value::Nil,
            1 => Value::Bool(self.is()),
            2 => {
                let bits = self.below(53);
                Value::Unsigned(self.below(1 << bits))
            }
            3 => Value::Negative(-1 - i64::try_from(self.below(1 << 40)).unwrap()),
            4 => Value::Float(f64::from(u32::try_from(self.below(1 << 30)).unwrap()) + 0.25),
            5 => Value::Str(self.text().into()),
            6 => Value::Binary(self.several(|random| random.below(256) as u8).into()),
            7 => Value::Array(self.several(|random| random.value(depth - 1))),
            _ => {
                let mut members =
                    self.several(|random| (random.text().into(), random.value(depth - 1)));
                members.dedup_by(|one, other| one.0 == other.0);
                Value::Map(members)
            }
        }
    }

    fn event(&mut self) -> Event {
        let values = self.several(|random| random.value(3));
        let name = format!("e{}", self.text());
        Event::from_parts(name, OwnedArgs::from_values(&values).unwrap())
    }

    /// One argument that is not null, or none.
    fn answer(&mut self) -> OwnedArgs {
        let value = Some(self.value(3)).filter(|value| *value != Value::Nil);
        OwnedArgs::from_values(value.as_slice()).unwrap()
    }

    fn rooms(&mut self) -> Vec<Room> {
        self.several(|random| Room::from(random.text()))
    }

    fn selection(&mut self) -> ClusterOptions {
        ClusterOptions::new(self.rooms(), self.rooms())
    }

    fn opts(&mut self) -> ClusterOptions {
        let flags = ClusterFlags {
            volatile: self.is(),
            compress: self.is(),
            timeout: self
                .is()
                .then(|| Duration::from_millis(self.below(100_000))),
        };
        self.selection().with_flags(flags)
    }

    fn request(&mut self) -> RequestId {
        RequestId::new(self.id())
    }

    fn socket(&mut self) -> RemoteSocket {
        let data = json!({"k": self.text(), "n": [1, 2.5, null]});
        RemoteSocket::new(&self.id(), json!({"issued": 1}), self.rooms(), data)
    }

    fn body(&mut self) -> ClusterBody {
        match self.below(13) {
            0 => ClusterBody::Broadcast {
                packet: self.event(),
                opts: self.opts(),
                request_id: self.is().then(|| self.request()),
            },
            1 => ClusterBody::SocketsJoin {
                opts: self.selection(),
                rooms: self.rooms(),
            },
            2 => ClusterBody::SocketsLeave {
                opts: self.selection(),
                rooms: self.rooms(),
            },
            3 => ClusterBody::DisconnectSockets {
                opts: self.selection(),
                close: self.is(),
            },
            4 => ClusterBody::FetchSockets {
                opts: self.selection(),
                request_id: self.request(),
            },
            5 => ClusterBody::FetchSocketsResponse {
                request_id: self.request(),
                sockets: self.several(Self::socket),
            },
            6 => ClusterBody::ServerSideEmit {
                packet: self.event(),
                request_id: self.is().then(|| self.request()),
            },
            7 => ClusterBody::ServerSideEmitResponse {
                request_id: self.request(),
                packet: self.answer(),
            },
            8 => ClusterBody::AllRooms {
                with_own: true,
                request_id: self.request(),
            },
            9 => ClusterBody::AllRoomsResponse {
                request_id: self.request(),
                rooms: self.rooms(),
            },
            10 => ClusterBody::Returned {
                socket: self.id().into(),
                life: self.below(1 << 40),
            },
            11 => ClusterBody::BroadcastClientCount {
                request_id: self.request(),
                client_count: self.below(1 << 40),
            },
            _ => ClusterBody::BroadcastAck {
                request_id: self.request(),
                packet: self.answer(),
                socket: self.is().then(|| self.id().into()),
            },
        }
    }

    fn message(&mut self) -> ClusterMessage {
        let uid = ServerId::new(self.id());
        ClusterMessage::new(uid, Scope::namespace("/nsp"), self.body())
    }
}

const MESSAGES: usize = 300;

fn messages() -> impl Iterator<Item = ClusterMessage> {
    let mut random = Random(0x5eed);
    (0..MESSAGES).map(move |_| random.message())
}

#[test]
fn envelopes_are_read_as_they_were_written() {
    for message in messages() {
        for encoding in [Encoding::JsonUnlessBinary, Encoding::Msgpack] {
            let written = envelope::encode(&message, encoding).unwrap();
            let back = envelope::decode(&written, &Scope::namespace("/nsp")).unwrap();
            assert_eq!(told(&back), told(&message));
            for end in 0..written.len() {
                assert!(envelope::decode(&written[..end], &Scope::namespace("/nsp")).is_err());
            }
        }
    }
}

#[test]
fn classic_messages_are_read_as_they_were_written() {
    for message in messages() {
        let outgoing = classic::encode(&message).unwrap().unwrap();
        let decode = match outgoing.channel {
            classic::Channel::Broadcast | classic::Channel::Room(_) => classic::decode_broadcast,
            classic::Channel::Request => classic::decode_request,
            _ => classic::decode_response,
        };
        let back = decode(&outgoing.payload, "/nsp").unwrap();
        assert_eq!(told(&back), told(&message));
        for end in 0..outgoing.payload.len() {
            assert!(decode(&outgoing.payload[..end], "/nsp").is_err());
        }
    }
}

#[test]
fn entries_are_read_as_they_were_written() {
    for message in messages().filter(|message| stream::is_entry(&message.body)) {
        let fields = stream::encode(&message).unwrap();
        let pairs = fields
            .iter()
            .map(|(name, value)| (name.as_bytes(), &**value));
        let back = stream::decode(&Entry::of(pairs)).unwrap();
        assert_eq!(told(&back), told(&message));
    }
}

#[test]
fn a_number_travels_where_it_is_given() {
    for message in messages() {
        let message = message.with_number(7);
        let written = envelope::encode(&message, Encoding::JsonUnlessBinary).unwrap();
        assert_eq!(
            envelope::decode(&written, &Scope::namespace("/nsp"))
                .unwrap()
                .number,
            Some(7)
        );
        let outgoing = classic::encode(&message).unwrap().unwrap();
        let back = match outgoing.channel {
            classic::Channel::Broadcast | classic::Channel::Room(_) => {
                classic::decode_broadcast(&outgoing.payload, "/nsp")
            }
            classic::Channel::Request => classic::decode_request(&outgoing.payload, "/nsp"),
            _ => classic::decode_response(&outgoing.payload, "/nsp"),
        };
        assert_eq!(back.unwrap().number, Some(7));
    }
}

#[test]
fn whatever_is_changed_in_a_message_is_read_or_ignored() {
    let mut random = Random(0xfade);
    for message in messages() {
        let outgoing = classic::encode(&message).unwrap().unwrap();
        let envelope = envelope::encode(&message, Encoding::Msgpack).unwrap();
        let json = envelope::encode(&message, Encoding::JsonUnlessBinary).unwrap();
        for original in [outgoing.payload, envelope, json] {
            for _ in 0..40 {
                let mut bytes = original.clone();
                for _ in 0..=random.below(3) {
                    let at = usize::try_from(random.below(bytes.len() as u64)).unwrap();
                    bytes[at] = random.below(256) as u8;
                }
                let channel = random.below(6) as u8;
                bytes.insert(0, channel);
                crate::fuzzing::cluster_wire(&bytes);
            }
        }
    }
}
