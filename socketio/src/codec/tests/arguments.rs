//! What becomes of arguments.

use bytes::Bytes;
use engineio::Payload;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{args, decode, encode, text};
use crate::codec::vectors::Wire;
use crate::codec::{Args, ArgsError, Binary, Codec, FromArgs, OwnedArgs};

fn read<T: FromArgs>(args: &OwnedArgs) -> Result<T, ArgsError> {
    T::from_args(args.as_raw())
}

#[test]
fn a_type_takes_the_first_argument() {
    let two = args(r#" "a" , 2 "#);
    assert_eq!(read::<String>(&two), Ok("a".into()));
    assert_eq!(read::<()>(&two), Ok(()));
    assert_eq!(read::<Option<String>>(&two), Ok(Some("a".into())));
    assert!(matches!(
        read::<u8>(&two),
        Err(ArgsError::Type { index: 0, .. })
    ));
}

#[test]
fn an_absent_argument_is_none_or_missing() {
    let none = text(r#"2["e"]"#).unwrap().into_args();
    assert_eq!(read::<()>(&none), Ok(()));
    assert_eq!(read::<Option<String>>(&none), Ok(None));
    assert_eq!(read::<String>(&none), Err(ArgsError::Missing { index: 0 }));
    assert_eq!(read::<Value>(&none), Err(ArgsError::Missing { index: 0 }));
    assert_eq!(read::<Args<()>>(&none), Ok(Args(())));
    let one = args("1");
    assert_eq!(read::<Args<(u8, Option<u8>)>>(&one), Ok(Args((1, None))));
    assert_eq!(
        read::<Args<(u8, u8)>>(&one),
        Err(ArgsError::Missing { index: 1 })
    );
}

#[test]
fn several_arguments_are_a_tuple() {
    let three = args(r#"{"a":[1,"]"]},"x",3,"more""#);
    let Args((first, second, third)) = read::<Args<(Value, String, u8)>>(&three).unwrap();
    assert_eq!(
        (first, second.as_str(), third),
        (json!({"a": [1, "]"]}), "x", 3)
    );
    let error = read::<Args<(Value, u8)>>(&three).unwrap_err();
    assert!(matches!(error, ArgsError::Type { index: 1, .. }));
    assert_eq!(three.as_raw().len(), 4);
    assert_eq!(
        three.as_raw().get(3).unwrap().deserialize(),
        Ok("more".to_owned())
    );
    assert!(three.as_raw().get(4).is_none());
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Deep {
    name: String,
    parts: Vec<Part>,
    maybe: Option<Binary>,
    tuple: (u8, Bytes),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Part {
    Nothing,
    One(Binary),
    Pair(Bytes, u8),
    Named { data: Binary },
}

fn deep() -> Deep {
    let bytes = |byte: u8| Bytes::from(vec![byte; 3]);
    Deep {
        name: "deep".into(),
        parts: vec![
            Part::Nothing,
            Part::One(bytes(1).into()),
            Part::Pair(bytes(2), 9),
            Part::Named {
                data: bytes(3).into(),
            },
        ],
        maybe: Some(bytes(4).into()),
        tuple: (7, bytes(5)),
    }
}

//= SIO5-BIN-01 test
//= SIO5-BIN-09 test
#[test]
fn binary_is_found_at_any_depth() {
    let written = encode(&Codec::json(), &deep());
    assert_eq!(written.len(), 6);
    let payloads: Vec<_> = written.iter().map(Wire::payload).collect();
    let packet = decode(&payloads).unwrap();
    assert_eq!(packet.args().deserialize(), Ok(deep()));
    let args = packet.into_args();
    assert_eq!(args.as_raw().attachments().len(), 5);
    assert_eq!(read::<Args<(Deep,)>>(&args), Ok(Args((deep(),))));
}

//= SIO5-BIN-02 test
//= SIO5-BIN-05 test
#[test]
fn a_placeholder_is_bytes_only_where_bytes_are_asked_for() {
    let packet = decode(&[
        Payload::Text(
            r#"52-["e",{"num":1,"x":[],"_placeholder":true},{"_placeholder":true,"num":1}]"#,
        ),
        Payload::Binary(&[1]),
        Payload::Binary(&[2, 3]),
    ])
    .unwrap();
    let args = packet.into_args();
    let Args((first, second)) = read::<Args<(Bytes, Value)>>(&args).unwrap();
    assert_eq!(first, [2, 3].as_slice());
    assert_eq!(second, json!({"_placeholder": true, "num": 1}));
    assert!(read::<String>(&args).is_err());
}

//= SIO5-BIN-04 test
#[test]
fn without_attachments_a_placeholder_is_plain_data() {
    let plain = args(r#"{"_placeholder":true,"num":0}"#);
    assert!(read::<Binary>(&plain).is_err());
    let value = json!({"_placeholder": true, "num": 0});
    assert_eq!(read::<Value>(&plain), Ok(value.clone()));
    let written = encode(&Codec::json(), &value);
    assert_eq!(
        written,
        [Wire::Text(r#"2["e",{"_placeholder":true,"num":0}]"#.into())]
    );
}

#[test]
fn kept_arguments_leave_as_they_came() {
    let messages = [
        Payload::Text(
            "52-[\"e\",{\"a\": {\"_placeholder\":true,\"num\":0}} , {\"_placeholder\":true,\"num\":1}, \"\\u00e9\"]",
        ),
        Payload::Binary(&[1]),
        Payload::Binary(&[2, 3]),
    ];
    let kept: OwnedArgs = read(&decode(&messages).unwrap().into_args()).unwrap();
    assert_eq!(encode(&Codec::json(), &kept), messages.map(Wire::from));
}

#[test]
fn kept_arguments_leave_with_their_attachments_in_order() {
    //= SIO5-BIN-01 test
    let place = |num| format!(r#"{{"_placeholder":true,"num":{num}}}"#);
    let cases: [(String, &[&[u8]]); 5] = [
        (
            format!(r#"{},{{"a":{}}}"#, place(1), place(0)),
            &[&[2], &[1]],
        ),
        (format!("{},{}", place(1), place(1)), &[&[2], &[2]]),
        (place(1), &[&[2]]),
        (r#"{"_placeholder":1,"num":0}"#.to_owned(), &[]),
        (
            format!(r#"{},{{"num":1,"_placeholder":true}}"#, place(0)),
            &[&[1], &[2]],
        ),
    ];
    for (text, expected) in cases {
        let header = format!(r#"52-["e",{text}]"#);
        let messages = [
            Payload::Text(&header),
            Payload::Binary(&[1]),
            Payload::Binary(&[2]),
        ];
        let packet = decode(&messages).unwrap();
        let count = packet.args().len();
        let kept: OwnedArgs = read(&packet.into_args()).unwrap();
        let raw = kept.as_raw();
        assert_eq!(raw.len(), count, "{text}");
        assert_eq!(raw.attachments(), expected, "{text}");
        let json = raw.as_json().unwrap();
        for num in 0..expected.len() {
            assert!(json.contains(&place(num)), "{json}");
        }
    }
}

#[test]
fn kept_arguments_can_be_kept_again_and_nested() {
    let inner = OwnedArgs::new(&Args((1, Binary::from(vec![9])))).unwrap();
    let again = OwnedArgs::new(&inner).unwrap();
    assert_eq!(again.as_raw().len(), 2);
    assert_eq!(again.as_raw().attachments(), inner.as_raw().attachments());
    let nested = OwnedArgs::new(&[inner]).unwrap();
    assert_eq!(
        nested.as_raw().as_json(),
        Some(r#"[[1,{"_placeholder":true,"num":0}]]"#)
    );
}

#[test]
fn kept_arguments_change_their_form_with_the_codec() {
    let kept = OwnedArgs::new(&Args((deep(), "x"))).unwrap();
    let [Wire::Binary(message)] = &encode(&Codec::msgpack(), &kept)[..] else {
        panic!("msgpack is one binary message");
    };
    let packet = super::decode_with(
        &Codec::msgpack(),
        engineio::Protocol::V4,
        &crate::codec::Limits::default(),
        &[Payload::Binary(message)],
    )
    .unwrap();
    let args = packet.into_args();
    assert_eq!(
        read::<Args<(Deep, String)>>(&args),
        Ok(Args((deep(), "x".into())))
    );
    // Passed through in its own form, it is the same message.
    assert_eq!(
        encode(&Codec::msgpack(), &args),
        [Wire::Binary(message.clone())]
    );
    let back = encode(&Codec::json(), &args);
    assert_eq!(back, encode(&Codec::json(), &kept));
}

//= SIO5-MP-06 test
#[test]
fn a_member_that_is_undefined_is_absent() {
    // {type: 0, data: undefined, nsp: "/"}, as the official client writes it.
    let connect = b"\x83\xa4type\x00\xa4data\xd4\x00\x00\xa3nsp\xa1/";
    let packet = super::decode_with(
        &Codec::msgpack(),
        engineio::Protocol::V4,
        &crate::codec::Limits::default(),
        &[Payload::Binary(connect)],
    )
    .unwrap();
    assert!(packet.args().is_empty());
}

/// One argument in the hands of a codec of messages between servers.
struct Carried<'a>(crate::RawArgs<'a>);

impl Serialize for Carried<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.transcode(serializer)
    }
}

#[test]
fn arguments_of_any_number_are_taken_apart_and_put_together_again() {
    let sent = OwnedArgs::new(&Args((
        "a",
        Binary::from(vec![1, 2]),
        json!({"b": [null, 1.5]}),
    )))
    .unwrap();
    let carried: Vec<_> = sent.as_raw().iter().map(Carried).collect();
    let again = OwnedArgs::from_values(&carried).unwrap();
    assert_eq!(again.as_raw().as_json(), sent.as_raw().as_json());
    assert_eq!(again.as_raw().attachments(), [&[1, 2][..]]);
    assert_eq!(again.as_raw().len(), 3);
    let read_again = read::<Args<(String, Binary, Value)>>(&again).unwrap();
    assert_eq!(read_again.0.1, Binary::from(vec![1, 2]));
    for count in [0, 1, 12] {
        let args = OwnedArgs::from_values(&vec![7; count]).unwrap();
        assert_eq!(args.as_raw().len(), count);
    }
}
