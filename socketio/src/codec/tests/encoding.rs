//! What the server writes, to the byte.

use engineio::{MessageBuffer, Protocol};
use serde::ser::{Serialize, Serializer};

use super::{encode, event, only_text};
use crate::codec::vectors::Wire;
use crate::codec::{Args, Binary, Codec, ConnectReply, EncodeError, OutgoingEvent};
use crate::error::EmitError;

fn written(write: impl FnOnce(&Codec, &mut MessageBuffer) -> Result<(), EncodeError>) -> String {
    let mut out = MessageBuffer::new();
    write(&Codec::json(), &mut out).unwrap();
    only_text(&out)
}

//= SIO5-CON-03 test
//= SIO4-CON-02 test
#[test]
fn a_connect_reply_tells_what_there_is() {
    let reply = |protocol, pid, auth| {
        written(|codec, out| {
            let reply = ConnectReply {
                sid: "s",
                pid,
                auth,
            };
            codec.connect(protocol, "/a", reply, out)
        })
    };
    assert_eq!(reply(Protocol::V4, None, None), r#"0/a,{"sid":"s"}"#);
    assert_eq!(
        reply(Protocol::V4, Some("p"), Some(r#"{"expires_in":60}"#)),
        r#"0/a,{"sid":"s","pid":"p","auth":{"expires_in":60}}"#
    );
    assert_eq!(reply(Protocol::V3, Some("p"), None), "0/a,");
}

//= SIO5-CON-05 test
//= SIO4-ERR-01 test
#[test]
fn a_connect_error_has_the_form_of_the_protocol() {
    let error = |protocol, data| {
        written(|codec, out| codec.connect_error(protocol, "/", "no \"way\"", data, out))
    };
    assert_eq!(error(Protocol::V4, None), r#"4{"message":"no \"way\""}"#);
    assert_eq!(
        error(Protocol::V4, Some(r#"{"code":1}"#)),
        r#"4{"message":"no \"way\"","data":{"code":1}}"#
    );
    assert_eq!(error(Protocol::V3, None), r#"4"no \"way\"""#);
    assert_eq!(error(Protocol::V3, Some(r#"{"code":1}"#)), r#"4{"code":1}"#);
    let payload = |codec: &Codec, out: &mut MessageBuffer| {
        codec.connect_error_payload("/n", r#"{"message":"Invalid namespace"}"#, out)
    };
    assert_eq!(written(payload), r#"4/n,{"message":"Invalid namespace"}"#);
}

#[test]
fn a_disconnect_is_a_digit() {
    assert_eq!(written(|codec, out| codec.disconnect("/", out)), "1");
    assert_eq!(written(|codec, out| codec.disconnect("/a", out)), "1/a,");
}

//= SIO5-ACK-01 test
#[test]
fn an_ack_repeats_the_id() {
    let ack = |codec: &Codec, out: &mut MessageBuffer| codec.ack("/a", u64::MAX, &(), out);
    assert_eq!(written(ack), "3/a,18446744073709551615[]");
    let ack = |codec: &Codec, out: &mut MessageBuffer| codec.ack("/", 0, &Args((1, "b")), out);
    assert_eq!(written(ack), r#"30[1,"b"]"#);
    let mut out = MessageBuffer::new();
    let binary = Binary::from(vec![1]);
    Codec::json().ack("/", 5, &binary, &mut out).unwrap();
    let header = r#"61-5[{"_placeholder":true,"num":0}]"#;
    assert_eq!(
        super::wires(&out),
        [Wire::Text(header.into()), Wire::Binary(vec![1])]
    );
}

//= SIO5-EVT-01 test
#[test]
fn an_event_has_none_one_or_several_arguments() {
    fn text<A: Serialize + ?Sized>(args: &A) -> String {
        written(|codec, out| codec.event(event(args), out))
    }
    assert_eq!(text(&()), r#"2["e"]"#);
    assert_eq!(text(&Args(())), r#"2["e"]"#);
    assert_eq!(text("a"), r#"2["e","a"]"#);
    assert_eq!(
        text(&"a\u{1}\"\\é\u{2028}"),
        "2[\"e\",\"a\\u0001\\\"\\\\é\u{2028}\"]"
    );
    assert_eq!(text(&(1, 2)), r#"2["e",[1,2]]"#);
    assert_eq!(text(&[1, 2][..]), r#"2["e",[1,2]]"#);
    assert_eq!(text(&None::<u8>), r#"2["e",null]"#);
    assert_eq!(text(&Some(())), r#"2["e",null]"#);
    assert_eq!(text(&Args((1,))), r#"2["e",1]"#);
    assert_eq!(
        text(&Args(((1, 2), (), "x", f64::NAN))),
        r#"2["e",[1,2],null,"x",null]"#
    );
    assert_eq!(text(&[Args((1, 2))]), r#"2["e",[[1,2]]]"#);
}

//= SIO5-CSR-02 test
#[test]
fn an_offset_is_the_last_argument() {
    for codec in [Codec::json(), Codec::msgpack()] {
        let mut out = MessageBuffer::new();
        let event = OutgoingEvent {
            namespace: "/a",
            id: None,
            name: "n\"",
            args: &Args((1, Binary::from(vec![2]))),
            offset: Some("Q81.0"),
        };
        codec.event(event, &mut out).unwrap();
        let expected = match &super::wires(&out)[..] {
            [Wire::Text(text), Wire::Binary(_)] => {
                text == r#"51-/a,["n\"",1,{"_placeholder":true,"num":0},"Q81.0"]"#
            }
            [Wire::Binary(message)] => {
                let data: &[u8] = b"\x94\xa2n\"\x01\xc4\x01\x02\xa5Q81.0";
                message.windows(data.len()).any(|part| part == data)
            }
            _ => false,
        };
        assert!(expected, "{codec:?}");
    }
}

//= SIO5-PKT-07 test
#[test]
fn reserved_names_are_not_sent() {
    let mut out = MessageBuffer::new();
    let event = OutgoingEvent {
        name: "disconnect",
        ..event(&())
    };
    let refused = Codec::json().event(event, &mut out);
    assert_eq!(refused, Err(EncodeError::ReservedName));
    assert!(out.is_empty());
    assert_eq!(
        EmitError::from(EncodeError::ReservedName),
        EmitError::Encode(EncodeError::ReservedName)
    );
}

struct Broken;

impl Serialize for Broken {
    fn serialize<S: Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("broken"))
    }
}

#[test]
fn what_cannot_be_serialized_leaves_no_trace() {
    for codec in [Codec::json(), Codec::msgpack()] {
        let mut out = MessageBuffer::new();
        out.push_text("before");
        let failed = Err(EncodeError::Serialize("broken".into()));
        assert_eq!(codec.event(event(&Broken), &mut out), failed);
        let binary = Binary::from(vec![1]);
        assert_eq!(
            codec.event(event(&Args((binary, Broken))), &mut out),
            failed
        );
        assert_eq!(codec.ack("/", 1, &vec![Broken], &mut out), failed);
        assert_eq!(only_text(&out), "before");
    }
}

#[test]
fn an_encoded_event_is_the_written_one() {
    let args = Args(("x", Binary::from(vec![1; 200])));
    let encoded = Codec::json().encode_event(event(&args)).unwrap();
    let mut buffer = MessageBuffer::new();
    Codec::json().event(event(&args), &mut buffer).unwrap();
    assert_eq!(encoded.message_count(), 2);
    assert_eq!(encoded.len_bytes(), buffer.len_bytes());
    assert_eq!(encode(&Codec::json(), &args), super::wires(&buffer));
}
