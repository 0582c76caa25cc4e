//! Garbage of every kind: what kills or deafens the reference (RDS-03) means nothing here, and for this reason.

use serde_json::{Value as Json, json};

use super::{pack, reason, scope};
use crate::proto::cluster::message::{ClusterBody, Scope, ServerId};
use crate::proto::cluster::wire::Ignored::{
    Malformed, Missing, Mistyped, OtherNamespace, ReservedName, Shape, TooDeep, TooLarge,
    UnknownType,
};
use crate::proto::cluster::wire::stream::{self, Entry, Session};
use crate::proto::cluster::wire::{self, MAX_BYTES, MAX_DEPTH, MAX_VALUES, classic, envelope};

#[test]
fn on_broadcast_channels() {
    let packet = json!({"type": 2, "data": ["x"], "nsp": "/"});
    let opts = json!({"rooms": [], "except": [], "flags": {}});
    for (payload, why) in [
        (vec![], Malformed),
        (vec![0xc1], Malformed),
        (vec![0xc0], Shape),
        (b"{\"type\":2}".to_vec(), Shape),
        (b"{not json".to_vec(), Malformed),
        (pack(json!({})), Shape),
        (pack(json!([])), Missing("uid")),
        (pack(json!([null, packet, opts])), Missing("uid")),
        (pack(json!([7, packet, opts])), Mistyped("uid")),
        (pack(json!(["uid"])), Missing("packet")),
        (pack(json!(["uid", packet])), Missing("opts")),
        (pack(json!(["uid", packet, null])), Missing("opts")),
        (pack(json!(["uid", 1, opts])), Mistyped("packet")),
        (pack(json!(["uid", {"nsp": "/"}, opts])), Missing("type")),
        (
            pack(json!(["uid", {"type": 2, "nsp": "/"}, opts])),
            Missing("data"),
        ),
        (
            pack(json!(["uid", {"type": 2, "data": {}}, opts])),
            Mistyped("data"),
        ),
        (
            pack(json!(["uid", {"type": 2, "data": []}, opts])),
            Mistyped("data"),
        ),
        (
            pack(json!(["uid", {"type": 2, "data": [{}]}, opts])),
            Mistyped("data"),
        ),
        (
            pack(json!(["uid", {"type": 3, "data": ["x"]}, opts])),
            UnknownType,
        ),
        (
            pack(json!(["uid", {"type": "2", "data": ["x"]}, opts])),
            Mistyped("type"),
        ),
        (
            pack(json!(["uid", {"type": 2, "data": ["x"], "nsp": 1}, opts])),
            Mistyped("nsp"),
        ),
        (
            pack(json!(["uid", {"type": 2, "data": ["x"], "nsp": "/b"}, opts])),
            OtherNamespace,
        ),
        (
            pack(json!(["uid", {"type": 2, "data": ["disconnect"]}, opts])),
            ReservedName,
        ),
        (pack(json!(["uid", packet, {}])), Missing("rooms")),
        (pack(json!(["uid", packet, []])), Missing("rooms")),
        (
            pack(json!(["uid", packet, {"rooms": null}])),
            Missing("rooms"),
        ),
        (
            pack(json!(["uid", packet, {"rooms": "r"}])),
            Mistyped("rooms"),
        ),
        (
            pack(json!(["uid", packet, {"rooms": [{}]}])),
            Mistyped("rooms"),
        ),
        (
            pack(json!(["uid", packet, {"rooms": [], "except": 1}])),
            Mistyped("except"),
        ),
        (
            pack(json!(["uid", packet, {"rooms": [], "flags": []}])),
            Mistyped("flags"),
        ),
        (
            pack(json!(["uid", packet, {"rooms": [], "flags": {"volatile": 1}}])),
            Mistyped("volatile"),
        ),
        (
            pack(json!(["uid", packet, {"rooms": [], "flags": {"timeout": "1"}}])),
            Mistyped("timeout"),
        ),
    ] {
        let text = payload.escape_ascii();
        assert_eq!(
            reason(classic::decode_broadcast(&payload, "/")),
            why,
            "{text}"
        );
    }
    let mut trailing = pack(json!(["uid", packet, opts]));
    assert!(classic::decode_broadcast(&trailing, "/").is_ok());
    assert!(classic::decode_broadcast(&pack(json!(["uid", packet, {"rooms": [1]}])), "/").is_ok());
    trailing.push(0);
    assert_eq!(reason(classic::decode_broadcast(&trailing, "/")), Malformed);
}

#[test]
fn on_request_channels() {
    let opts = json!({"rooms": [], "except": []});
    for (request, why) in [
        (json!(null), Shape),
        (json!([]), Shape),
        (json!({}), Missing("type")),
        (json!({"type": "5"}), Mistyped("type")),
        (json!({"type": 42}), UnknownType),
        (
            json!({"type": 8, "requestId": "r", "clientCount": 1}),
            UnknownType,
        ),
        (json!({"type": 2, "uid": 1}), Mistyped("uid")),
        (json!({"type": 2}), Missing("opts")),
        (json!({"type": 2, "opts": opts}), Missing("rooms")),
        (
            json!({"type": 2, "opts": opts, "rooms": "r"}),
            Mistyped("rooms"),
        ),
        (
            json!({"type": 2, "opts": 7, "rooms": ["r"]}),
            Missing("rooms"),
        ),
        (
            json!({"type": 2, "opts": {"rooms": 7}, "rooms": ["r"]}),
            Mistyped("rooms"),
        ),
        (
            json!({"type": 3, "opts": opts, "rooms": [[]]}),
            Mistyped("rooms"),
        ),
        (json!({"type": 4, "opts": {"rooms": {}}}), Mistyped("rooms")),
        (
            json!({"type": 4, "opts": opts, "close": "yes"}),
            Mistyped("close"),
        ),
        (json!({"type": 5, "requestId": "r"}), Missing("opts")),
        (json!({"type": 5, "opts": opts}), Missing("requestId")),
        (
            json!({"type": 5, "opts": opts, "requestId": {}}),
            Mistyped("requestId"),
        ),
        (json!({"type": 6, "uid": "u"}), Missing("data")),
        (json!({"type": 6, "data": "x"}), Mistyped("data")),
        (json!({"type": 6, "data": []}), Mistyped("data")),
        (json!({"type": 6, "data": ["connection"]}), ReservedName),
        (json!({"type": 6, "data": ["new_namespace"]}), ReservedName),
        (
            json!({"type": 7, "requestId": "r", "packet": {"type": 2, "data": ["x"]}}),
            Missing("opts"),
        ),
        (
            json!({"type": 7, "requestId": "r", "opts": opts}),
            Missing("packet"),
        ),
        (
            json!({"type": 7, "opts": opts, "packet": {"type": 2, "data": ["x"]}}),
            Missing("requestId"),
        ),
    ] {
        for payload in [request.to_string().into_bytes(), pack(request.clone())] {
            let expected = match payload.first() {
                // Only what begins with a brace is JSON.
                Some(b'{') | None | Some(0x80..) => why,
                _ => Malformed,
            };
            assert_eq!(
                reason(classic::decode_request(&payload, "/")),
                expected,
                "{request}"
            );
        }
    }
    assert_eq!(reason(classic::decode_request(&[0xc0], "/")), Shape);
}

#[test]
fn on_response_channels() {
    for (answer, why) in [
        (json!({"type": 8, "clientCount": 1}), Missing("requestId")),
        (json!({"requestId": "r"}), Missing("sockets")),
        (
            json!({"requestId": "r", "sockets": {}}),
            Mistyped("sockets"),
        ),
        (json!({"requestId": "r", "sockets": ["id"]}), Missing("id")),
        (
            json!({"requestId": "r", "sockets": [{"id": "id"}]}),
            Missing("rooms"),
        ),
        (json!({"requestId": "r", "type": 8}), Missing("clientCount")),
        (
            json!({"requestId": "r", "type": 8, "clientCount": -1}),
            Mistyped("clientCount"),
        ),
        (
            json!({"requestId": "r", "type": 8, "clientCount": 1.5}),
            Mistyped("clientCount"),
        ),
        (json!({"requestId": "r", "type": "8"}), UnknownType),
        (json!({"requestId": "r", "type": 77}), UnknownType),
    ] {
        for payload in [answer.to_string().into_bytes(), pack(answer.clone())] {
            assert_eq!(
                reason(classic::decode_response(&payload, "/")),
                why,
                "{answer}"
            );
        }
    }
    assert_eq!(reason(classic::decode_response(&[0xc0], "/")), Shape);
    assert_eq!(reason(classic::decode_response(&[0xc1], "/")), Malformed);
}

/// As Node's emitter for Postgres writes them.
//= PGA-04 test
#[test]
fn a_namespace_that_is_not_said_is_that_of_the_channel_where_channels_say_it() {
    let opts = json!({"rooms": ["a"], "except": []});
    let data = json!({"opts": opts, "rooms": ["b"]});
    let join = json!({"type": 4, "data": data, "uid": "emitter"});
    let of_b = json!({"type": 4, "data": data, "uid": "emitter", "nsp": "/b"});
    let of_none = json!({"type": 4, "data": data, "uid": "emitter", "nsp": 1});
    let channel = Scope::namespace("/a");
    for write in [
        |json: &Json| json.to_string().into_bytes(),
        |json: &Json| pack(json.clone()),
    ] {
        let read = |json| envelope::decode_on_channel(&write(json), &channel);
        let message = read(&join).unwrap();
        assert_eq!(
            (message.scope, message.uid.is_emitter()),
            (channel.clone(), true)
        );
        assert_eq!(reason(read(&of_b)), OtherNamespace);
        assert_eq!(reason(read(&of_none)), Mistyped("nsp"));
        let server_wide = envelope::decode_on_channel(&write(&of_b), &Scope::Server);
        assert_eq!(reason(server_wide), OtherNamespace);
    }
}

#[test]
fn in_envelopes() {
    let message = |kind, data| json!({"type": kind, "data": data, "uid": "u", "nsp": "/"});
    let opts = json!({"rooms": [], "except": [], "flags": {}});
    let packet = json!({"type": 2, "data": ["x"]});
    for (envelope, why) in [
        (json!({}), Missing("type")),
        (json!({"type": 3, "nsp": "/"}), Missing("uid")),
        (json!({"type": 3, "uid": "u"}), Missing("nsp")),
        (json!({"type": 3, "uid": "u", "nsp": "/b"}), OtherNamespace),
        (json!({"type": 3, "uid": "u", "nsp": "/"}), Missing("data")),
        (message(3, json!("x")), Mistyped("data")),
        (message(3, json!({})), Missing("packet")),
        (message(3, json!({"packet": packet})), Missing("opts")),
        (message(3, json!({"opts": opts})), Missing("packet")),
        (
            message(3, json!({"packet": {"type": 2}, "opts": opts})),
            Missing("data"),
        ),
        (
            message(3, json!({"packet": packet, "opts": opts, "requestId": 1})),
            Mistyped("requestId"),
        ),
        (message(4, json!({"opts": opts})), Missing("rooms")),
        (message(5, json!({"rooms": []})), Missing("opts")),
        (
            message(6, json!({"opts": opts, "close": 1})),
            Mistyped("close"),
        ),
        (message(7, json!({"opts": opts})), Missing("requestId")),
        (message(8, json!({"requestId": "r"})), Missing("sockets")),
        (message(9, json!({})), Missing("packet")),
        (message(9, json!({"packet": ["connect"]})), ReservedName),
        (message(10, json!({})), Missing("requestId")),
        (
            message(11, json!({"requestId": "r"})),
            Missing("clientCount"),
        ),
        (message(12, json!({"packet": 1})), Missing("requestId")),
        (
            message(101, json!({"revocation": "everything"})),
            Mistyped("revocation"),
        ),
        (message(0, json!({})), UnknownType),
        (message(14, json!({})), UnknownType),
    ] {
        for payload in [envelope.to_string().into_bytes(), pack(envelope.clone())] {
            assert_eq!(
                reason(envelope::decode(&payload, &scope())),
                why,
                "{envelope}"
            );
        }
    }
    assert_eq!(reason(envelope::decode(&[0xc0], &scope())), Shape);
    assert_eq!(reason(envelope::decode(b"", &scope())), Malformed);
}

#[test]
fn in_streams() {
    let good = Entry {
        uid: Some(b"u"),
        nsp: Some(b"/"),
        kind: Some(b"3"),
        data: Some(br#"{"packet":{"type":2,"data":["x"]},"opts":{"rooms":[]}}"#),
        number: Some(b"7"),
    };
    assert_eq!(stream::decode(&good).unwrap().number, Some(7));
    // An extra member that makes no sense is none.
    for number in [b"x".as_slice(), b"-1", b"\xff", b""] {
        let odd = Entry {
            number: Some(number),
            ..good
        };
        assert_eq!(stream::decode(&odd).unwrap().number, None);
    }
    for (entry, why) in [
        (Entry { uid: None, ..good }, Missing("uid")),
        (Entry { nsp: None, ..good }, Missing("nsp")),
        (
            Entry {
                nsp: Some(b"\xff"),
                ..good
            },
            Mistyped("nsp"),
        ),
        (Entry { kind: None, ..good }, Missing("type")),
        (
            Entry {
                kind: Some(b"x"),
                ..good
            },
            UnknownType,
        ),
        (
            Entry {
                kind: Some(b"77"),
                ..good
            },
            UnknownType,
        ),
        (Entry { data: None, ..good }, Missing("data")),
        (
            Entry {
                data: Some(b"{}"),
                ..good
            },
            Missing("packet"),
        ),
        (
            Entry {
                data: Some(b"!"),
                ..good
            },
            Malformed,
        ),
        (
            Entry {
                data: Some(b"wQ=="),
                ..good
            },
            Malformed,
        ),
    ] {
        assert_eq!(reason(stream::decode(&entry)), why, "{entry:?}");
    }
    for kept in ["", "!", "wQ==", "wA==", "gA=="] {
        assert!(Session::decode(kept.as_bytes()).is_err(), "{kept}");
    }
}

#[test]
fn depth_and_size_are_bounded() {
    let nested = |depth: u32| {
        let mut bytes = vec![0x91; usize::try_from(depth).unwrap()];
        bytes.push(0);
        bytes
    };
    assert!(wire::read(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(wire::read(&nested(MAX_DEPTH + 1)), Err(TooDeep));
    assert_eq!(wire::read(&nested(1_000_000)), Err(TooDeep));
    let json = |depth: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(depth), "]".repeat(depth));
    let most = usize::try_from(MAX_DEPTH).unwrap() - 1;
    assert!(wire::read(json(most).as_bytes()).is_ok());
    assert_eq!(wire::read(json(most + 1).as_bytes()), Err(TooDeep));
    assert_eq!(wire::read(json(1_000_000).as_bytes()), Err(TooDeep));

    let many = |len: usize| {
        let mut bytes = vec![0xdd];
        bytes.extend(u32::try_from(len).unwrap().to_be_bytes());
        bytes.resize(len + 5, 0xc0);
        bytes
    };
    assert!(wire::read(&many(MAX_VALUES - 1)).is_ok());
    assert_eq!(wire::read(&many(MAX_VALUES)), Err(TooLarge));
    assert_eq!(wire::read(&vec![0; MAX_BYTES + 1]), Err(TooLarge));

    // A head that promises what is not there makes room for nothing.
    for head in [
        [0xdd, 0xff, 0xff, 0xff, 0xff],
        [0xdf, 0xff, 0xff, 0xff, 0xff],
        [0xc6, 0xff, 0xff, 0xff, 0xff],
    ] {
        assert_eq!(wire::read(&head), Err(Malformed));
    }
}

#[test]
fn too_deep_arguments_are_not_written() {
    use crate::OwnedArgs;
    use crate::cluster::{ClusterMessage, ClusterOptions};
    let broadcast = |depth: usize| {
        let text = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let value: serde_json::Value =
            socketio_auth::server::lenient_json::from_str(&text).unwrap();
        let args = OwnedArgs::from_values(&[value]).unwrap();
        let body = ClusterBody::Broadcast {
            packet: crate::Event::from_parts("x", args),
            opts: ClusterOptions::default(),
            request_id: None,
        };
        ClusterMessage::new(ServerId::new("u"), scope(), body)
    };
    // An array, the packet and the array of its arguments are around them.
    let most = usize::try_from(MAX_DEPTH).unwrap() - 3;
    let deepest = broadcast(most);
    let written = classic::encode(&deepest).unwrap().unwrap();
    assert!(classic::decode_broadcast(&written.payload, "/").is_ok());
    assert!(classic::encode(&broadcast(most + 1)).is_err());
}

#[test]
fn who_sends_no_uid_is_anonymous() {
    let request = br#"{"type":2,"opts":{"rooms":[],"except":[]},"rooms":["a"]}"#;
    let message = classic::decode_request(request, "/").unwrap();
    assert!(message.uid.is_anonymous());
}

#[test]
fn who_asks_for_ids_alone_gets_them() {
    use crate::cluster::{ClusterMessage, RemoteSocket};
    let request = br#"{"type":0,"uid":"n","requestId":"r","rooms":["a"]}"#;
    let message = classic::decode_request(request, "/").unwrap();
    let ClusterBody::FetchSockets { request_id, .. } = message.body else {
        panic!("{message:?}");
    };
    let sockets = vec![RemoteSocket::new("id", json!({}), vec![], json!({}))];
    let body = ClusterBody::FetchSocketsResponse {
        request_id,
        sockets,
    };
    let answer = ClusterMessage::new(ServerId::new("u"), scope(), body);
    let outgoing = classic::encode(&answer).unwrap().unwrap();
    assert_eq!(
        String::from_utf8(outgoing.payload).unwrap(),
        r#"{"requestId":"r","sockets":["id"],"uid":"u"}"#
    );
}
