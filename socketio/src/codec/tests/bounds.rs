//! Each bound at its value and one past it, and what a client may try against them.

use engineio::{Payload, Protocol};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use super::{decode, decode_with, decode_within, text};
use crate::codec::packet::Packet;
use crate::codec::vectors::Wire;
use crate::codec::{Codec, Decoder, OwnedArgs, PacketError, PacketLimits};

const ONE: Payload<'static> = Payload::Binary(&[1]);

fn limits(change: impl FnOnce(&mut PacketLimits)) -> PacketLimits {
    let mut limits = PacketLimits::default();
    change(&mut limits);
    limits
}

#[test]
fn an_idle_decoder_is_two_pointers() {
    assert_eq!(size_of::<Decoder>(), 2 * size_of::<usize>());
}

//= SIO5-BIN-06 test
#[test]
fn attachments_are_counted() {
    let limits = limits(|limits| limits.max_attachments = 2);
    let two = [Payload::Text(r#"52-["e"]"#), ONE, ONE];
    assert!(decode_within(&limits, &two).is_ok());
    let three = [Payload::Text(r#"53-["e"]"#)];
    assert_eq!(
        decode_within(&limits, &three).unwrap_err(),
        PacketError::TooManyAttachments
    );
    for count in ["99999999999999999999999999", "18446744073709551616"] {
        let header = format!(r#"5{count}-["e"]"#);
        assert_eq!(text(&header).unwrap_err(), PacketError::TooManyAttachments);
    }
}

#[test]
fn attachment_bytes_are_counted() {
    let limits = limits(|limits| limits.max_attachment_bytes = 4);
    let header = Payload::Text(r#"52-["e"]"#);
    let within = [header, Payload::Binary(&[0; 3]), ONE];
    assert!(decode_within(&limits, &within).is_ok());
    let past = [header, Payload::Binary(&[0; 3]), Payload::Binary(&[0; 2])];
    assert_eq!(
        decode_within(&limits, &past).unwrap_err(),
        PacketError::AttachmentsTooLarge
    );
}

/// Thousands of placeholders for one attachment would otherwise be a bomb.
#[test]
fn attachment_bytes_are_counted_for_each_placeholder() {
    let limits = limits(|limits| limits.max_attachment_bytes = 6);
    let header = r#"51-["e",{"_placeholder":true,"num":0},{"num":0,"\u005fplaceholder":true}]"#;
    let within = [Payload::Text(header), Payload::Binary(&[0; 3])];
    assert!(decode_within(&limits, &within).is_ok());
    let past = [Payload::Text(header), Payload::Binary(&[0; 4])];
    assert_eq!(
        decode_within(&limits, &past).unwrap_err(),
        PacketError::AttachmentsTooLarge
    );
}

fn nested(depth: usize) -> String {
    // The arguments are the first level.
    let inner = depth - 1;
    format!(r#"2["e",{}{}]"#, "[".repeat(inner), "]".repeat(inner))
}

#[test]
fn depth_is_bounded() {
    let limits = limits(|limits| limits.max_depth = 5);
    assert!(decode_within(&limits, &[Payload::Text(&nested(5))]).is_ok());
    let past = nested(6);
    assert_eq!(
        decode_within(&limits, &[Payload::Text(&past)]).unwrap_err(),
        PacketError::TooDeep
    );
    let objects = r#"2["e",{"a":{"a":{"a":{"a":{}}}}}]"#;
    assert_eq!(
        decode_within(&limits, &[Payload::Text(objects)]).unwrap_err(),
        PacketError::TooDeep
    );
}

/// One level less is the array of the arguments.
fn nested_in_msgpack(depth: usize) -> Vec<u8> {
    let mut message = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1e".to_vec();
    message.extend(std::iter::repeat_n(0x91, depth - 2));
    message.push(0x90);
    message
}

#[test]
fn no_depth_is_beyond_what_can_be_passed_on() {
    let limits = limits(|limits| limits.max_depth = u32::MAX);
    assert_eq!(PacketLimits::default().max_depth, 1_024);
    for limits in [limits, PacketLimits::default()] {
        let decode = |codec: &Codec, payload: Payload<'_>| {
            decode_with(codec, Protocol::V4, &limits, &[payload])
        };
        for open in [("[", "]"), (r#"{"a":["#, "]}")] {
            let text = |depth: usize| {
                let times = (depth - 1) / open.0.matches(['[', '{']).count();
                format!(r#"2["e",{}{}]"#, open.0.repeat(times), open.1.repeat(times))
            };
            let deepest = text(1_023);
            let packet = decode(&Codec::json(), Payload::Text(&deepest)).unwrap();
            let sent = super::encode(&Codec::json(), &packet.into_args());
            assert_eq!(sent, [Payload::Text(&deepest).into()]);
        }
        assert!(decode(&Codec::json(), Payload::Text(&nested(1_024))).is_ok());
        let past = nested(1_025);
        assert_eq!(
            decode(&Codec::json(), Payload::Text(&past)).unwrap_err(),
            PacketError::TooDeep
        );
        let deepest = nested_in_msgpack(1_024);
        let packet = decode(&Codec::msgpack(), Payload::Binary(&deepest)).unwrap();
        assert_eq!(packet.args().iter().count(), 1);
        let past = nested_in_msgpack(1_025);
        assert_eq!(
            decode(&Codec::msgpack(), Payload::Binary(&past)).unwrap_err(),
            PacketError::TooDeep
        );
    }
}

#[test]
fn arrays_and_objects_are_told_apart_at_any_depth() {
    for depth in 1..400 {
        let brackets: String = (0..depth)
            .map(|level| if level % 3 == 0 { r#"{"a":"# } else { "[" })
            .collect();
        let closing: String = (0..depth)
            .rev()
            .map(|level| if level % 3 == 0 { '}' } else { ']' })
            .collect();
        assert!(
            text(&format!(r#"2["e",{brackets}1{closing}]"#)).is_ok(),
            "{depth}"
        );
        assert!(
            text(&format!(r#"0{{"a":{brackets}1{closing}}}"#)).is_ok(),
            "{depth}"
        );
        for wrong in 0..closing.len() {
            let (before, after) = closing.split_at(wrong);
            let (bracket, after) = after.split_at(1);
            let other = if bracket == "}" { "]" } else { "}" };
            let message = format!(r#"2["e",{brackets}1{before}{other}{after}]"#);
            assert_eq!(
                text(&message).unwrap_err(),
                PacketError::Payload,
                "{depth} {wrong}"
            );
        }
    }
}

/// A recursive type with some fields, which takes more of the stack than a value.
#[derive(Deserialize)]
#[expect(dead_code, reason = "only that it can be read matters")]
struct Comment {
    id: Option<String>,
    score: Option<f64>,
    text: Option<String>,
    replies: Vec<Self>,
}

#[derive(Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "only that it can be read matters")]
enum Tree {
    Leaf(u64),
    Named { replies: Vec<Self> },
    List(Vec<Self>),
}

/// An argument of so many levels, an even number, in each format, and beside an attachment.
fn comments(levels: usize) -> [Packet<'static>; 3] {
    let times = levels / 2;
    let text = r#"{"replies":["#.repeat(times) + &"]}".repeat(times);
    let plain = format!(r#"2["e",{text}]"#);
    let binary = format!(r#"51-["e",{text},{{"_placeholder":true,"num":0}}]"#);
    let mut msgpack = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1e".to_vec();
    msgpack.extend(b"\x81\xa7replies\x91".repeat(times - 1));
    msgpack.extend(b"\x81\xa7replies\x90");
    let msgpack = [Payload::Binary(&msgpack)];
    [
        decode(&[Payload::Text(&plain)]),
        decode(&[Payload::Text(&binary), ONE]),
        decode_with(
            &Codec::msgpack(),
            Protocol::V4,
            &PacketLimits::default(),
            &msgpack,
        ),
    ]
    .map(Result::unwrap)
}

fn judge<T: DeserializeOwned>(packet: &Packet<'_>) -> Result<(), String> {
    let read = packet.args().deserialize::<T>();
    read.map(drop).map_err(|error| error.to_string())
}

/// Tests run on the stack that any thread has, and without optimization.
#[test]
fn values_are_read_as_deep_as_the_stack_allows_and_refused_beyond() {
    for levels in [100, 150, 256, 258, 1_022] {
        for packet in comments(levels) {
            // Whoever wants to know nothing of it, or to pass it on, is told nothing.
            assert_eq!(judge::<IgnoredAny>(&packet), Ok(()));
            let nested = OwnedArgs::new(&[packet.clone().into_args()]);
            let results = [
                judge::<Value>(&packet),
                judge::<Comment>(&packet),
                judge::<Tree>(&packet),
                nested.map(drop).map_err(|error| error.to_string()),
            ];
            for result in results {
                match result {
                    Ok(()) => assert!(levels <= 256, "{levels}"),
                    Err(said) => {
                        assert!(levels > 256, "{levels}: {said}");
                        assert!(
                            said.contains("deep") || said.contains("recursion"),
                            "{said}"
                        );
                    }
                }
            }
        }
    }
}

/// Scanning it again at each level would take the time of 250 of them.
#[test]
fn what_is_wide_and_deep_is_translated() {
    let wide = "1,".repeat(400_000);
    let deep = format!("{}{wide}1{}", "[".repeat(250), "]".repeat(250));
    let args = super::args(&deep);
    let Value::Array(nested) = args
        .as_raw()
        .transcode(serde_json::value::Serializer)
        .unwrap()
    else {
        panic!("it is an array");
    };
    assert_eq!(nested.len(), 1);
    let [Wire::Binary(message)] = &super::encode(&Codec::msgpack(), &args)[..] else {
        panic!("msgpack is one binary message");
    };
    let limits = PacketLimits::default();
    let message = [Payload::Binary(message)];
    let packet = decode_with(&Codec::msgpack(), Protocol::V4, &limits, &message).unwrap();
    let back = super::encode(&Codec::json(), &packet.into_args());
    assert_eq!(back, [Wire::Text(format!(r#"2["e",{deep}]"#))]);
}

/// No message of the engine's default `max_payload` has more values than the default allows.
#[test]
fn a_message_full_of_values_arrives() {
    let full = format!(r#"2["e",[{}1]]"#, "1,".repeat(499_994));
    assert_eq!(full.len(), 1_000_000 - 2);
    let packet = text(&full).unwrap();
    assert_eq!(
        packet.args().deserialize::<Vec<u8>>().unwrap().len(),
        499_995
    );
}

#[test]
fn a_million_brackets_are_refused() {
    for open in ["[", r#"{"a":"#] {
        let bomb = format!(r#"2["e",{}"#, open.repeat(1_000_000));
        assert_eq!(text(&bomb).unwrap_err(), PacketError::TooDeep);
        let bomb = format!("0{}", r#"{"a":"#.repeat(1_000_000));
        assert_eq!(text(&bomb).unwrap_err(), PacketError::TooDeep);
    }
    for open in [0x91_u8, 0x81] {
        let mut bomb = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data".to_vec();
        bomb.extend(std::iter::repeat_n(open, 1_000_000));
        let message = [Payload::Binary(&bomb)];
        let result = decode_with(
            &Codec::msgpack(),
            Protocol::V4,
            &PacketLimits::default(),
            &message,
        );
        assert_eq!(result.unwrap_err(), PacketError::TooDeep);
    }
}

#[test]
fn depth_of_msgpack_is_bounded() {
    let limits = limits(|limits| limits.max_depth = 3);
    let decode = |args: &[u8]| {
        let mut message = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data".to_vec();
        message.extend_from_slice(args);
        let message = [Payload::Binary(&message)];
        decode_with(&Codec::msgpack(), Protocol::V4, &limits, &message)
    };
    assert!(decode(b"\x92\xa1e\x91\x90").is_ok());
    let past = decode(b"\x92\xa1e\x91\x91\x90");
    assert_eq!(past.unwrap_err(), PacketError::TooDeep);
    // Siblings are not deeper than one another.
    assert!(decode(b"\x95\xa1e\x90\x80\x90\x91\x80").is_ok());
}

#[test]
fn values_are_counted() {
    let limits = limits(|limits| limits.max_values = 4);
    let within = r#"2["e",{"a":1},[2]]"#;
    assert!(decode_within(&limits, &[Payload::Text(within)]).is_ok());
    let past = r#"2["e",{"a":1},[2,3]]"#;
    assert_eq!(
        decode_within(&limits, &[Payload::Text(past)]).unwrap_err(),
        PacketError::TooManyValues
    );
}

#[test]
fn values_of_msgpack_are_counted() {
    // Three pairs are six values, the data adds two elements.
    let message = b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa1e\x01";
    let decode = |max_values| {
        let limits = limits(|limits| limits.max_values = max_values);
        decode_with(
            &Codec::msgpack(),
            Protocol::V4,
            &limits,
            &[Payload::Binary(message)],
        )
    };
    assert!(decode(8).is_ok());
    assert_eq!(decode(7).unwrap_err(), PacketError::TooManyValues);
}

#[test]
fn namespaces_have_a_longest_name() {
    let limits = limits(|limits| limits.max_namespace_len = 3);
    assert!(decode_within(&limits, &[Payload::Text("0/ab,")]).is_ok());
    assert_eq!(
        decode_within(&limits, &[Payload::Text("0/abc,")]).unwrap_err(),
        PacketError::NamespaceTooLong
    );
    let decode = |message: &[u8]| {
        decode_with(
            &Codec::msgpack(),
            Protocol::V4,
            &limits,
            &[Payload::Binary(message)],
        )
    };
    assert!(decode(b"\x82\xa4type\x00\xa3nsp\xa3/ab").is_ok());
    assert_eq!(
        decode(b"\x82\xa4type\x00\xa3nsp\xa4/abc").unwrap_err(),
        PacketError::NamespaceTooLong
    );
}

#[test]
fn of_a_connect_for_a_name_that_is_too_long_the_name_is_known() {
    let limits = limits(|limits| {
        limits.max_namespace_len = 3;
        limits.max_query_len = 5;
    });
    let unknown = |codec: &Codec, protocol, message| {
        let error = PacketError::NamespaceTooLong;
        Decoder::unknown_name(error, codec, message, protocol, &limits)
    };
    for (protocol, text, name) in [
        (Protocol::V4, "0/abc,", Some("/abc")),
        (Protocol::V4, "0/abc,{}", Some("/abc")),
        (Protocol::V4, "0/abc,[", None),
        (Protocol::V4, r#"2/abc,["n"]"#, None),
        (Protocol::V4, "1/abc,", None),
        (Protocol::V3, "0/abc?a=b?c,", Some("/abc")),
        (Protocol::V3, "0/abc?a=b?cd,", None),
    ] {
        let found = unknown(&Codec::json(), protocol, Payload::Text(text));
        assert_eq!(found.as_deref(), name, "{text}");
    }
    let message = Payload::Binary(b"\x82\xa4type\x00\xa3nsp\xa4/abc");
    let found = unknown(&Codec::msgpack(), Protocol::V4, message);
    assert_eq!(found.as_deref(), Some("/abc"));
}

//= SIO4-CON-03 test
//= SIO4-PKT-03 test
#[test]
fn queries_of_protocol_4_have_a_longest_form() {
    let limits = limits(|limits| {
        limits.max_namespace_len = 3;
        limits.max_query_len = 5;
    });
    let decode = |message| {
        let message = [Payload::Text(message)];
        decode_with(&Codec::json(), Protocol::V3, &limits, &message)
    };
    let packet = decode("0/ab?a=b?c,").unwrap();
    assert_eq!((packet.namespace(), packet.query()), ("/ab", Some("a=b?c")));
    let packet = decode("0//e").unwrap();
    assert_eq!((packet.namespace(), packet.query()), ("//e", None));
    assert_eq!(
        decode("0/ab?a=b?cd,").unwrap_err(),
        PacketError::NamespaceTooLong
    );
    // Only a CONNECT has a query.
    assert_eq!(decode("1/ab?,").unwrap_err(), PacketError::NamespaceTooLong);
}

//= SIO5-PKT-03 test
#[test]
fn queries_mean_nothing_to_protocol_5() {
    let packet = text("0/a?b=c,").unwrap();
    assert_eq!((packet.namespace(), packet.query()), ("/a?b=c", None));
}

//= SIO5-PKT-04 test
#[test]
fn ids_are_64_bits() {
    let packet = text(r#"200018446744073709551615["e"]"#).unwrap();
    assert_eq!(packet.id(), Some(u64::MAX));
    for id in ["18446744073709551616", "99999999999999999999999999"] {
        assert_eq!(
            text(&format!(r#"2{id}["e"]"#)).unwrap_err(),
            PacketError::Id
        );
    }
}

//= SIO5-PKT-05 test
#[test]
fn white_space_is_refused_where_the_reference_reads_zero() {
    for message in [
        " ",
        "2 [\"e\"]",
        "2\t7[\"e\"]",
        "2/a, [\"e\"]",
        "0 {}",
        "5 1-[\"e\"]",
        "51 -[\"e\"]",
    ] {
        assert!(text(message).is_err(), "{message:?}");
    }
    // Inside JSON, and behind it, it is nothing special.
    let packet = text("2[ \"e\" , 1\n, [ ] ]\r ").unwrap();
    assert_eq!((packet.name(), packet.args().len()), (Some("e"), 2));
}

//= SIO5-BIN-07 test
#[test]
fn messages_out_of_turn_are_refused_and_disarm() {
    let header = Payload::Text(r#"51-["e"]"#);
    assert_eq!(decode(&[ONE]).unwrap_err(), PacketError::UnexpectedBinary);
    assert_eq!(
        decode(&[header, header]).unwrap_err(),
        PacketError::UnexpectedText
    );
    let stray = Payload::Text(r#"51-["e",{"_placeholder":true,"num":7}]"#);
    assert_eq!(decode(&[stray, ONE]).unwrap_err(), PacketError::Placeholder);
    for empty in ["50-", "50-[\"e\"]", "5-", "60-[]"] {
        assert_eq!(text(empty).unwrap_err(), PacketError::AttachmentCount);
    }
}

#[test]
fn a_waiting_packet_is_known_before_its_attachments() {
    let mut decoder = Decoder::default();
    let header = Payload::Text(r#"51-/admin,["e"]"#);
    let limits = PacketLimits::default();
    let first = decoder.decode(&Codec::json(), header, Protocol::V4, &limits);
    assert!(matches!(first, Ok(None)));
    assert!(decoder.is_waiting());
    assert_eq!(decoder.waiting_namespace().unwrap(), "/admin");
    let second = decoder.decode(&Codec::json(), ONE, Protocol::V4, &limits);
    assert_eq!(
        second.unwrap().unwrap().args().attachments(),
        [[1_u8].as_slice()]
    );
    assert!(!decoder.is_waiting() && decoder.waiting_namespace().is_none());
}

//= SIO5-BIN-03 test
#[test]
fn placeholders_are_judged_as_javascript_reads_them() {
    let refused = [
        r#"{"_placeholder":true,"num":1}"#,
        r#"{"_placeholder":true,"num":-1}"#,
        r#"{"_placeholder":true,"num":0.5}"#,
        r#"{"_placeholder":true,"num":"0"}"#,
        r#"{"_placeholder":true,"num":[0]}"#,
        r#"{"_placeholder":true,"num":0,"num":1}"#,
        r#"{"_placeholder":false,"_placeholder":true,"num":9e99}"#,
        r#"[[{"x":{"_placeholder":true}}]]"#,
    ];
    for placeholder in refused {
        let header = format!(r#"51-["e",{placeholder}]"#);
        assert_eq!(
            decode(&[Payload::Text(&header), ONE]).unwrap_err(),
            PacketError::Placeholder,
            "{placeholder}"
        );
    }
    let data = [
        r#"{"_placeholder":1,"num":5}"#,
        r#"{"_placeholder":"true","num":5}"#,
        r#"{"_placeholder":[true],"num":5}"#,
        r#"{"_placeholder":true,"_placeholder":false}"#,
        r#"{"_placeholder":true,"num":0,"other":[]}"#,
        r#""_placeholder""#,
    ];
    for value in data {
        let header = format!(r#"51-["e",{value}]"#);
        assert!(decode(&[Payload::Text(&header), ONE]).is_ok(), "{value}");
    }
}

/// White space takes a placeholder the long way, which must lead to the same.
//= SIO5-BIN-03 test
#[test]
fn a_placeholder_as_senders_write_it_is_judged_like_any_other() {
    let around = [
        r#"X,X"#,
        r#"[[X]],1,{"x":X}"#,
        r#"{"_placeholder":true,"num":X}"#,
        r#"{"_placeholder":X,"num":0}"#,
        r#"{"num":1,"_placeholder":true},X"#,
    ];
    let numbers = [
        "0",
        "1",
        "2",
        "00",
        "10",
        "18446744073709551616",
        "",
        "-0",
        "0.5",
        "1e0",
    ];
    for (around, number) in around.iter().flat_map(|a| numbers.map(|n| (a, n))) {
        for bound in 0..9 {
            let judge = |limits: &PacketLimits, space: &str| {
                let object = format!(r#"{{{space}"_placeholder":true,"num":{number}}}"#);
                let header = format!(r#"52-["e",{}]"#, around.replace('X', &object));
                let messages = [Payload::Text(&header), ONE, ONE];
                let packet = decode_within(limits, &messages)?;
                let args = packet.args();
                let text = args.as_json().unwrap_or_default().replace(' ', "");
                let copy = packet.clone().into_args();
                let sent = copy.as_raw().as_json().unwrap_or_default().replace(' ', "");
                Ok::<_, PacketError>((args.len(), text, sent, copy.as_raw().attachments().len()))
            };
            let bounds = [
                limits(|limits| limits.max_values = bound),
                limits(|limits| limits.max_depth = u32::try_from(bound).unwrap()),
                limits(|limits| limits.max_attachment_bytes = bound),
            ];
            for limits in bounds {
                let (usual, unusual) = (judge(&limits, ""), judge(&limits, " "));
                assert_eq!(usual, unusual, "{around} {number} {limits:?}");
            }
        }
    }
}

#[test]
fn every_truncation_is_an_answer() {
    let whole =
        r#"52-/née,12["é\u00e9",{"a":[1.5e-3,true,null,"ü"]},{"_placeholder":true,"num":1}]"#;
    for len in 0..=whole.len() {
        let Some(part) = whole.get(..len) else {
            continue;
        };
        let result = decode(&[Payload::Text(part), ONE, ONE]);
        // Without JSON, and cut at the right place, it is an event without a name.
        let is_bare = part == "52-" || part.contains('/') && !part.contains('[');
        assert_eq!(result.is_ok(), len == whole.len() || is_bare, "{part}");
    }
    let message = b"\x84\xa4type\x02\xa3nsp\xa1/\xa2id\xcd\x01\x00\xa4data\x93\xa1e\xc4\x02ab\xd7\x00\0\0\0\0\0\0\0\0";
    for len in 0..message.len() {
        let part = [Payload::Binary(message.get(..len).unwrap())];
        let result = decode_with(
            &Codec::msgpack(),
            Protocol::V4,
            &PacketLimits::default(),
            &part,
        );
        assert!(result.is_err(), "{len}");
    }
}

//= SIO5-PKT-07 test
//= SIO5-PKT-11 test
#[test]
fn names_are_read_before_they_are_judged() {
    let name =
        |json: &str| text(&format!("2[{json}]")).map(|packet| packet.name().map(str::to_owned));
    for reserved in [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    ] {
        assert_eq!(
            name(&format!("{reserved:?}")),
            Err(PacketError::ReservedName)
        );
    }
    assert_eq!(name(r#""\u0063onnect""#), Err(PacketError::ReservedName));
    assert_eq!(name(r#""a\"\u00e9\n\/""#), Ok(Some("a\"é\n/".into())));
    assert_eq!(name(r#""\ud83d\ude00""#), Ok(Some("😀".into())));
    assert_eq!(name(r#""a\ud800b""#), Ok(Some("a\u{fffd}b".into())));
    assert_eq!(name(r#""__proto__""#), Ok(Some("__proto__".into())));
    assert_eq!(name("-1.50"), Ok(Some("-1.50".into())));
    for invalid in [
        r#""\x""#,
        r#""\u12g4""#,
        "\"\n\"",
        "01",
        "1.",
        "-",
        "+1",
        "[1]",
        "true",
        "",
    ] {
        assert_eq!(name(invalid), Err(PacketError::Payload), "{invalid}");
    }
    assert_eq!(text(r#"2["e",]"#).unwrap_err(), PacketError::Payload);
    assert_eq!(text(r#"3[,1]"#).unwrap_err(), PacketError::Payload);
}

//= SIO5-PKT-09 test
#[test]
fn an_event_without_payload_has_no_name() {
    for message in ["2", "20", "2/a", "2/a,"] {
        let packet = text(message).unwrap();
        assert_eq!((packet.name(), packet.args().len()), (None, 0));
    }
}

#[test]
fn of_what_is_past_a_limit_events_of_json_without_attachments_are_known() {
    let known = |codec: &Codec, error, message: &str| {
        let message = Payload::Text(message);
        let packet = Decoder::past_limit(
            error,
            codec,
            message,
            Protocol::V4,
            &PacketLimits::default(),
        )?;
        let name = packet.name().unwrap_or_default().to_owned();
        Ok((packet.namespace().to_owned(), packet.id(), name))
    };
    let expected = Ok(("/a".to_owned(), Some(7), "e".to_owned()));
    for error in [PacketError::TooDeep, PacketError::TooManyValues] {
        assert_eq!(known(&Codec::json(), error, r#"2/a,7["e",[[]]]"#), expected);
    }
    for (message, error) in [
        (r#"51-/a,7["e",[[]]]"#, PacketError::TooDeep),
        ("3/a,7[[[[]]]]", PacketError::TooDeep),
        (r#"0{"a":[[]]}"#, PacketError::TooDeep),
        (r#"2["connect",[[]]]"#, PacketError::ReservedName),
        ("2[[[]]]", PacketError::Payload),
        (r#"2["e",[["#, PacketError::Payload),
        (r#"2["e",[[]]]x"#, PacketError::Payload),
    ] {
        let found = known(&Codec::json(), PacketError::TooDeep, message);
        assert_eq!(found, Err(error), "{message}");
    }
    let event = r#"2["e",[[]]]"#;
    for (codec, error) in [
        (Codec::json(), PacketError::Payload),
        (Codec::msgpack(), PacketError::TooDeep),
    ] {
        assert_eq!(known(&codec, error, event), Err(error));
    }
}
