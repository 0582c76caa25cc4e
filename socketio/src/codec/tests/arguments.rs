//! What becomes of arguments.

use std::collections::HashMap;

use bytes::Bytes;
use engineio::{Payload, Protocol};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{args, decode, decode_with, encode, text};
use crate::codec::vectors::Wire;
use crate::codec::{Args, ArgsError, Binary, Codec, FromArgs, OwnedArgs, PacketLimits};

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
    assert_eq!(
        refusal::<String>(&none),
        "argument 0 is missing: expected String"
    );
    assert!(matches!(
        read::<Value>(&none),
        Err(ArgsError::Missing { index: 0, .. })
    ));
    assert_eq!(read::<Args<()>>(&none), Ok(Args(())));
    let one = args("1");
    assert_eq!(read::<Args<(u8, Option<u8>)>>(&one), Ok(Args((1, None))));
    assert!(matches!(
        read::<Args<(u8, u8)>>(&one),
        Err(ArgsError::Missing { index: 1, .. })
    ));
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

/// The same arguments as JSON and as msgpack.
fn both(json: &str) -> [OwnedArgs; 2] {
    let json = args(json);
    let written = encode(&Codec::msgpack(), &json);
    let [message] = written.as_slice() else {
        panic!("one message");
    };
    let packet = decode_with(
        &Codec::msgpack(),
        Protocol::V4,
        &PacketLimits::default(),
        &[message.payload()],
    );
    [json, packet.unwrap().into_args()]
}

#[derive(Debug, PartialEq, Deserialize)]
struct Point(f64, f64);

#[test]
fn a_tuple_takes_as_many_arguments_or_one_array_of_as_many() {
    for spread in both("1,2").iter().chain(&both("[1,2]")) {
        assert_eq!(read::<(i64, i64)>(spread), Ok((1, 2)));
        assert_eq!(read::<[u8; 2]>(spread), Ok([1, 2]));
        assert_eq!(read::<Point>(spread), Ok(Point(1.0, 2.0)));
    }
    for more in both(r#"[1],"a",null"#) {
        let read = read::<(Vec<u8>, String)>(&more);
        assert_eq!(read, Ok((vec![1], "a".into())));
    }
    for first in both(r#"[1,"a"],"more""#) {
        assert_eq!(read::<(u8, String)>(&first), Ok((1, "a".into())));
        assert_eq!(
            read::<(Value, String)>(&first),
            Ok((json!([1, "a"]), "more".into()))
        );
    }
    for one in both("1") {
        assert_eq!(read::<(u8, Option<u8>)>(&one), Ok((1, None)));
        assert_eq!(
            refusal::<(u8, u8)>(&one),
            "argument 1 is missing: expected u8"
        );
    }
    let none = text(r#"2["e"]"#).unwrap().into_args();
    let nothing = read::<(Option<u8>, Option<u8>)>(&none);
    assert_eq!(nothing, Ok((None, None)));
}

#[test]
fn the_elements_of_a_tuple_are_read_like_arguments() {
    let mended = args(r#""\ud83d",1e999"#);
    let expected = ("\u{fffd}".to_owned(), f64::MAX);
    assert_eq!(read::<(String, f64)>(&mended), Ok(expected));
    let binary = with_attachments(&format!("{PLACE_0},[{{\"_placeholder\":true,\"num\":1}}]"));
    let expected = (Bytes::from_static(&[1]), vec![Bytes::from_static(&[2, 3])]);
    assert_eq!(read::<(Bytes, Vec<Bytes>)>(&binary), Ok(expected));
}

#[test]
fn a_refusal_names_what_was_expected_and_what_was_found() {
    for (json, expected) in [
        ("1", "String, found a number: "),
        ("[[]]", "String, found an array: "),
        ("{\"a\":1}", "String, found an object: "),
        ("null", "String, found null: "),
        (" true", "String, found a boolean: "),
    ] {
        for args in both(json) {
            let refusal = refusal::<String>(&args);
            let expected = format!("argument 0: expected {expected}");
            assert!(refusal.starts_with(&expected), "{refusal}");
        }
    }
    let second = refusal::<(u8, HashMap<String, Option<u8>>)>(&args(r#"1,"a""#));
    let expected = "argument 1: expected HashMap<String, Option<u8>>, found a string: ";
    assert!(second.starts_with(expected), "{second}");
    let array = refusal::<(u8, u8)>(&args("[1]"));
    let expected = "argument 0: expected (u8, u8), found an array: ";
    assert!(array.starts_with(expected), "{array}");
    let binary = refusal::<Part>(&with_attachments(&format!("{PLACE_0},{{\"a\":1}}")));
    assert!(
        binary.starts_with("argument 0: expected Part, found binary: "),
        "{binary}"
    );
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

/// An event with one argument and two attachments, `[1]` and `[2, 3]`.
fn with_attachments(json: &str) -> OwnedArgs {
    let header = format!(r#"52-["e",{json}]"#);
    let messages = [
        Payload::Text(&header),
        Payload::Binary(&[1]),
        Payload::Binary(&[2, 3]),
    ];
    decode(&messages).unwrap().into_args()
}

fn refusal<T: FromArgs + std::fmt::Debug>(args: &OwnedArgs) -> String {
    read::<T>(args).unwrap_err().to_string()
}

//= SIO5-BIN-02 test
//= SIO5-BIN-05 test
#[test]
fn a_placeholder_is_bytes_where_bytes_are_asked_for() {
    let first = |json| read::<Bytes>(&with_attachments(json));
    assert_eq!(first(PLACE_0), Ok(Bytes::from_static(&[1])));
    let unusual = r#"{"num":1,"x":[],"_placeholder":true}"#;
    assert_eq!(first(unusual), Ok(Bytes::from_static(&[2, 3])));
    assert!(first(r#"{"num":0}"#).is_err());
    assert!(read::<String>(&with_attachments(PLACE_0)).is_err());
}

const PLACE_0: &str = r#"{"_placeholder":true,"num":0}"#;

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Lenient {
    num: Option<Value>,
    name: String,
}

//= SIO5-BIN-02 test
#[test]
fn whoever_cannot_hold_binary_is_told_and_never_given_a_placeholder() {
    for json in [
        PLACE_0.to_owned(),
        format!("[{PLACE_0}]"),
        format!(r#"{{"a":{{"b":[1,{PLACE_0}]}}}}"#),
        format!(r#"{{"num":{PLACE_0}}}"#),
        r#"{"num":0,"_placeholder":true}"#.to_owned(),
    ] {
        let args = with_attachments(&json);
        let said = refusal::<Value>(&args);
        assert!(said.contains("byte array"), "{json}: {said}");
    }
    let plain = with_attachments(PLACE_0);
    for said in [
        refusal::<Lenient>(&plain),
        refusal::<HashMap<String, Value>>(&plain),
        refusal::<HashMap<String, IgnoredAny>>(&plain),
        refusal::<Option<Value>>(&plain),
    ] {
        assert!(said.contains("byte array"), "{said}");
    }
    // No sender writes it so, but it is one (SIO5-BIN-03).
    let unusual = r#"51-["e",{"x":1,"_placeholder":true,"num":0}]"#;
    let packet = decode(&[Payload::Text(unusual), Payload::Binary(&[1])]).unwrap();
    let said = packet
        .args()
        .deserialize::<Value>()
        .unwrap_err()
        .to_string();
    assert!(said.contains("placeholder"), "{said}");
    assert!(refusal::<Value>(&packet.into_args()).contains("byte array"));
}

#[test]
fn what_merely_looks_like_a_placeholder_stays_what_it_is() {
    for json in [
        r#"{"_placeholder":1,"num":0,"x":[{"num":[1]}]}"#,
        r#"{"x":null,"num":7,"_placeholder":"true"}"#,
        r#"{"num":{"num":1.5},"y":{}}"#,
        r#"{"_placeholder":false}"#,
        "{}",
    ] {
        let args = with_attachments(&format!("{json},{PLACE_0}"));
        assert_eq!(
            read::<Value>(&args),
            Ok(serde_json::from_str(json).unwrap()),
            "{json}"
        );
    }
    let table = with_attachments(r#"{"num":{},"7":[],"\u0038":["x"]}"#);
    let error = read::<HashMap<u8, Vec<String>>>(&table).unwrap_err();
    assert!(error.to_string().contains("num"), "{error}");
    let table = with_attachments(r#"{"7":[],"\u0038":["x"]}"#);
    let read_table = read::<HashMap<u8, Vec<String>>>(&table).unwrap();
    assert_eq!(
        read_table,
        HashMap::from([(7, vec![]), (8, vec!["x".into()])])
    );
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Either {
    Number(u8),
    Bytes(Binary),
    Named { data: Binary },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type")]
enum Tagged {
    File { data: Binary },
}

#[test]
fn types_that_serde_buffers_hold_binary() {
    let bytes = || Binary::from(vec![7]);
    for codec in [Codec::json(), Codec::msgpack()] {
        for value in [
            Either::Bytes(bytes()),
            Either::Named { data: bytes() },
            Either::Number(7),
        ] {
            assert_eq!(returned(&codec, &value), Ok(value));
        }
        let tagged = Tagged::File { data: bytes() };
        assert_eq!(returned(&codec, &tagged), Ok(tagged));
    }
}

/// What a value is after it was sent and received.
fn returned<T: Serialize + DeserializeOwned>(codec: &Codec, value: &T) -> Result<T, ArgsError> {
    let written = encode(codec, value);
    let payloads: Vec<_> = written.iter().map(Wire::payload).collect();
    let limits = PacketLimits::default();
    let packet = decode_with(codec, Protocol::V4, &limits, &payloads).unwrap();
    read(&packet.into_args())
}

#[test]
fn tables_with_numbers_as_keys_read_alike_in_every_format() {
    let table = HashMap::from([(7_u32, true), (8, false)]);
    // As JavaScript sends it.
    let sent = json!({"7": true, "8": false});
    for codec in [Codec::json(), Codec::msgpack()] {
        let written = encode(&codec, &sent);
        let payloads: Vec<_> = written.iter().map(Wire::payload).collect();
        let limits = PacketLimits::default();
        let packet = decode_with(&codec, Protocol::V4, &limits, &payloads).unwrap();
        assert_eq!(read(&packet.into_args()), Ok(table.clone()));
    }
    let numbers = args_of_msgpack(b"\x83\x07\xc3\xc0\xc2\xff\xc3");
    let value = json!({"7": true, "null": false, "-1": true});
    assert_eq!(read::<Value>(&numbers), Ok(value.clone()));
    let text = OwnedArgs::new(&[numbers]).unwrap();
    assert_eq!(read::<(Value,)>(&text), Ok((json!([value]),)));
}

/// One argument in msgpack.
fn args_of_msgpack(value: &[u8]) -> OwnedArgs {
    let mut message = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1e".to_vec();
    message.extend_from_slice(value);
    decode_with(
        &Codec::msgpack(),
        Protocol::V4,
        &PacketLimits::default(),
        &[Payload::Binary(&message)],
    )
    .unwrap()
    .into_args()
}

/// Half an emoji is what cutting a string in JavaScript leaves.
#[test]
fn half_a_surrogate_pair_is_replaced_and_spoils_nothing() {
    let spoiled = r#"{"name":"ann \ud83d","\ude00":[],"token":"abc","big":-1e999}"#;
    let expected = json!({"name": "ann \u{fffd}", "\u{fffd}": [], "token": "abc", "big": f64::MIN});
    let json = args(spoiled);
    assert_eq!(read::<Value>(&json), Ok(expected.clone()));
    assert_eq!(read::<Args<(Value,)>>(&json), Ok(Args((expected.clone(),))));
    assert_eq!(
        read::<String>(&args(r#""r\ud83d""#)),
        Ok("r\u{fffd}".into())
    );
    assert_eq!(read::<Option<f64>>(&args("1e999")), Ok(Some(f64::MAX)));
    // Passed on as it came.
    assert_eq!(json.as_raw().as_json(), Some(spoiled));
    assert_eq!(
        encode(&Codec::json(), &json),
        [Wire::Text(format!(r#"2["e",{spoiled}]"#))]
    );
    // Translated, and beside attachments.
    let nested = OwnedArgs::new(&[&json]).unwrap();
    assert_eq!(read::<Value>(&nested), Ok(json!([[expected]])));
    let beside = with_attachments(&format!(r#"[{PLACE_0},"\ud83d"]"#));
    assert_eq!(
        read::<(Binary, String)>(&beside),
        Ok((Binary::from(vec![1]), "\u{fffd}".into()))
    );
}

#[test]
fn half_a_surrogate_pair_is_replaced_in_msgpack_too() {
    let msgpack = args_of_msgpack(b"\x82\xa4a\xed\xa0\xbd\x01\xa5token\xa4\xed\xb8\x80z");
    let expected = json!({"a\u{fffd}": 1, "token": "\u{fffd}z"});
    assert_eq!(read::<Value>(&msgpack), Ok(expected.clone()));
    let [Wire::Binary(sent)] = &encode(&Codec::msgpack(), &msgpack)[..] else {
        panic!("msgpack is one binary message");
    };
    let raw = b"a\xed\xa0\xbd";
    assert!(
        sent.windows(raw.len()).any(|window| window == raw),
        "it is passed on as it came"
    );
    let nested = OwnedArgs::new(&[&msgpack]).unwrap();
    assert_eq!(read::<Value>(&nested), Ok(json!([[expected]])));
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
    let packet = decode_with(
        &Codec::msgpack(),
        Protocol::V4,
        &PacketLimits::default(),
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
    let packet = decode_with(
        &Codec::msgpack(),
        Protocol::V4,
        &PacketLimits::default(),
        &[Payload::Binary(connect)],
    )
    .unwrap();
    assert!(packet.args().is_empty());
}

/// One argument in the hands of a codec of messages between servers.
struct Carried<'a>(crate::args::RawArgs<'a>);

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
