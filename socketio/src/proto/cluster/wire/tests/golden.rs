//! The recorded messages are read, and written again as they were.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{scope, told};
use crate::proto::cluster::entry::EntryId;
use crate::proto::cluster::message::{ClusterBody, ClusterMessage};
use crate::proto::cluster::wire::envelope::{self, Encoding};
use crate::proto::cluster::wire::stream::{self, Entry, Holder, Session};
use crate::proto::cluster::wire::value::Value;
use crate::proto::cluster::wire::{classic, read, write_msgpack};
use crate::proto::recovery::Offset;

/// The strings of a command as `MONITOR` shows it.
fn command(line: &str) -> Vec<Vec<u8>> {
    let mut strings = Vec::new();
    let mut letters = line.chars();
    while letters.next() == Some('"') {
        let mut bytes = Vec::new();
        loop {
            match letters.next().unwrap() {
                '"' => break,
                '\\' => bytes.push(match letters.next().unwrap() {
                    'x' => {
                        let digits: String = letters.by_ref().take(2).collect();
                        u8::from_str_radix(&digits, 16).unwrap()
                    }
                    'n' => b'\n',
                    'r' => b'\r',
                    't' => b'\t',
                    'a' => 7,
                    'b' => 8,
                    other => u8::try_from(other).unwrap(),
                }),
                other => bytes.push(u8::try_from(other).unwrap()),
            }
        }
        strings.push(bytes);
        letters.next();
    }
    strings
}

fn commands(text: &str) -> Vec<Vec<Vec<u8>>> {
    let commands: Vec<_> = text.lines().map(command).collect();
    assert!(commands.len() >= 15, "the recording is there");
    commands
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// The same message, though members of what we hold as maps may be in another order.
fn assert_same(message: &ClusterMessage, written: &[u8], recorded: &[u8]) {
    if matches!(message.body, ClusterBody::FetchSocketsResponse { .. }) {
        let json = |bytes| read(bytes).map(Value::into_json);
        assert_eq!(json(written), json(recorded));
    } else {
        assert_eq!(
            written.escape_ascii().to_string(),
            recorded.escape_ascii().to_string()
        );
    }
}

#[test]
fn the_classic_adapter() {
    let channels = classic::Channels::new("socket.io");
    let mut types = Vec::new();
    for command in commands(include_str!("vectors/classic.txt")) {
        let [_, channel, payload] = &*command else {
            panic!("{command:?}");
        };
        let message = if channel.starts_with(b"socket.io-request#/#") {
            classic::decode_request(payload, "/")
        } else if channel.starts_with(b"socket.io-response#/#") {
            classic::decode_response(payload, "/")
        } else {
            assert!(channels.room_in("/", text(channel)).is_some());
            classic::decode_broadcast(payload, "/")
        };
        let message = message.unwrap();
        types.push(message.body.wire_type().unwrap());
        let outgoing = classic::encode(&message).unwrap().unwrap();
        assert_eq!(channels.name("/", outgoing.channel), text(channel));
        assert_same(&message, &outgoing.payload, payload);
    }
    types.sort_unstable();
    types.dedup();
    assert_eq!(types, [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
}

#[test]
fn the_sharded_adapter() {
    let mut types = Vec::new();
    for command in commands(include_str!("vectors/sharded.txt")) {
        let [_, _, payload] = &*command else {
            panic!("{command:?}");
        };
        let message = envelope::decode(payload, &scope()).unwrap();
        types.push(message.body.wire_type().unwrap());
        let written = envelope::encode(&message, Encoding::JsonUnlessBinary).unwrap();
        assert_same(&message, &written, payload);
    }
    types.sort_unstable();
    types.dedup();
    assert_eq!(types, [3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
}

#[test]
fn the_streams_adapter() {
    let (mut entries, mut published, mut sessions) = (0, 0, 0);
    for command in commands(include_str!("vectors/streams.txt")) {
        match &*command {
            [xadd, _, _, _, _, _, fields @ ..] if xadd == b"XADD" => {
                let pairs = fields.chunks(2).map(|pair| (&*pair[0], &*pair[1]));
                let message = stream::decode(&Entry::of(pairs)).unwrap();
                assert!(stream::is_entry(&message.body));
                let written: Vec<Vec<u8>> = stream::encode(&message)
                    .unwrap()
                    .into_iter()
                    .flat_map(|(name, value)| [name.into(), value])
                    .collect();
                assert_eq!(written, fields, "{}", told(&message));
                entries += 1;
            }
            [publish, _, payload] if publish == b"PUBLISH" => {
                let message = envelope::decode(payload, &scope()).unwrap();
                assert!(!stream::is_entry(&message.body));
                let written = envelope::encode(&message, Encoding::Msgpack).unwrap();
                assert_same(&message, &written, payload);
                published += 1;
            }
            [set, key, kept, ..] if set == b"SET" => {
                let session = Session::decode(kept).unwrap();
                assert_eq!(format!("sio:session:{}", session.pid), text(key));
                assert_eq!(session.encode().unwrap(), text(kept));
                sessions += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((entries, published, sessions), (10, 8, 2));
}

#[test]
fn bytes_and_flags_arrive() {
    let all = commands(include_str!("vectors/classic.txt"));
    let message = classic::decode_broadcast(&all[1][2], "/").unwrap();
    let ClusterBody::Broadcast { opts, .. } = &message.body else {
        panic!("{message:?}");
    };
    assert_eq!(
        (opts.rooms[0].as_str(), opts.except[0].as_str()),
        ("r1", "r2")
    );
    assert!(opts.flags.volatile && !opts.flags.compress);
    let binary = classic::decode_broadcast(&all[3][2], "/").unwrap();
    let ClusterBody::Broadcast { packet, .. } = &binary.body else {
        panic!("{binary:?}");
    };
    let [bytes] = packet.args().attachments() else {
        panic!("{:?}", packet.args());
    };
    assert_eq!(**bytes, [1, 2]);
}

#[test]
fn a_session_keeps_whose_it_is() {
    let mut holder = Holder::new("user-7", Some("https://a.example".into()));
    holder.granted_at = Some(1_700_000_000_000);
    holder.issued_at = Some(1);
    holder.leeway = Some(30);
    holder.key_id = Some("key".into());
    holder.token_id = Some("token".into());
    holder.session_id = Some("login".into());
    let session = Session::new("sid", "pid", vec!["r".into()], json!({"k": 1}));
    assert_eq!(
        Session::decode(session.encode().unwrap().as_bytes()),
        Ok(session.clone())
    );
    let mut session = session.with_holder(holder);
    session.nsp = Some("/a".into());
    session.since = EntryId::new(7, 1);
    session.life = 3;
    let at = |number| EntryId::new(7, number).unwrap().offset();
    session.stays.leave(&"always".into(), at(2));
    session.stays.join("r".into(), at(3));
    session.stays.leave(&"r".into(), at(4));
    session.stays.join("now".into(), at(5));
    session.stays.withhold(&["r".into()]);
    assert_eq!(
        Session::decode(session.encode().unwrap().as_bytes()),
        Ok(session.clone())
    );
    // One room more than is remembered.
    for number in 6..=68 {
        session.stays.leave(&"r".into(), at(number));
    }
    assert_ne!(session.stays.known_from(), Offset::FIRST);
    assert_eq!(
        Session::decode(session.encode().unwrap().as_bytes()),
        Ok(session)
    );
}

//= STR-05 test
#[test]
fn of_stays_that_are_none_the_session_is_none() {
    let written = |stays: serde_json::Value| {
        let session = json!({"sid": "s", "pid": "p", "rooms": [], "data": {}, "stays": stays});
        let session = Value::of(&session).unwrap();
        STANDARD.encode(write_msgpack(&session).unwrap())
    };
    let is_read = |stays| Session::decode(written(stays).as_bytes()).is_ok();
    assert!(is_read(json!([])) && is_read(json!([["r", null, "7-1", false]])));
    for stays in [
        json!("r"),
        json!(["r"]),
        json!([["r"]]),
        json!([["r", "7-1", null]]),
        json!([["r", "7", null, false]]),
        json!([["r", null, 7, false]]),
        json!([[{}, null, null, false]]),
        json!([["r", null, null, 0]]),
    ] {
        assert!(!is_read(stays.clone()), "{stays}");
    }
}

#[test]
fn streams_of_namespaces_are_those_of_the_reference() {
    assert_eq!(stream::index("/notifications", 3), -2);
    assert_eq!(stream::index("/", 3), 2);
    assert_eq!(stream::index("/", 1), 0);
    assert_eq!(stream::index("/", 0), 0);
}

#[test]
fn channels_are_those_of_the_reference() {
    use classic::Channel::{Broadcast, Request, Response, ResponseTo, Room, Server};
    let channels = classic::Channels::new("socket.io");
    for (channel, name) in [
        (Broadcast, "socket.io#/chat#"),
        (Room("r#1"), "socket.io#/chat#r#1#"),
        (Request, "socket.io-request#/chat#"),
        (Response, "socket.io-response#/chat#"),
        (ResponseTo("uid"), "socket.io-response#/chat#uid#"),
        (Server, "socket.io-server#"),
    ] {
        assert_eq!(channels.name("/chat", channel), name);
    }
    assert_eq!(
        channels.pattern("/a*[b]?\\^"),
        r"socket.io#/a\*\[b\]\?\\\^#*"
    );
    for (channel, room) in [
        ("socket.io#/chat#", Some(None)),
        ("socket.io#/chat#r#1#", Some(Some("r#1"))),
        ("socket.io#/chat##", Some(Some(""))),
        ("socket.io#/chat#r", None),
        ("socket.io#/chatter#", None),
        ("other#/chat#", None),
    ] {
        assert_eq!(channels.room_in("/chat", channel), room, "{channel}");
    }
    let sharded = envelope::Channels::new("p");
    assert_eq!(sharded.main("/"), "p#/#");
    assert_eq!(sharded.inner("/", "r"), "p#/#r#");
}
