#![allow(clippy::string_slice, reason = "the texts and the cuts are our own")]

use super::{Packet, PacketKind, ParseError, Protocol, encode_binary, parse_binary, parse_text};
use crate::test_vectors::{Seen, Vector, Wire, Xorshift, load};

fn parse(protocol: Protocol, wire: &Wire) -> Result<Option<Seen>, ParseError> {
    match wire {
        Wire::Text(text) => parse_text(protocol, text).map(|packet| Some(Seen::from(&packet))),
        Wire::Binary(data) => {
            parse_binary(protocol, data).map(|packet| packet.as_ref().map(Seen::from))
        }
    }
}

fn encode(protocol: Protocol, supports_binary: bool, packet: &Packet<'_>) -> Wire {
    let mut out = Vec::new();
    if let (Packet::Binary(data), true) = (packet, supports_binary) {
        encode_binary(protocol, data, &mut out);
        return Wire::Binary(out);
    }
    packet.encode_text(protocol, &mut out);
    Wire::Text(String::from_utf8(out).unwrap())
}

fn check_vector(protocol: Protocol, vector: &Vector) {
    if vector.is_encoding() {
        let packets = vector.packets();
        let [packet] = packets.as_slice() else {
            panic!("{}: not one packet", vector.id());
        };
        let wire = encode(protocol, vector.supports_binary(), &packet.to_packet());
        assert_eq!(wire, vector.wire(), "{}", vector.id());
        return;
    }
    match parse(protocol, &vector.wire()) {
        Ok(packet) => vector.check_decoded(packet.as_slice(), None),
        Err(error) => vector.check_decoded(&[], Some(error)),
    }
}

//= EIO4-PKT-01 test
//= EIO4-PKT-02 test
//= EIO4-PKT-03 test
//= EIO4-PKT-04 test
//= EIO4-PKT-05 test
//= EIO4-PKT-06 test
//= EIO4-PKT-07 test
#[test]
fn revision_4_packets_are_as_recorded() {
    for vector in load("eio4_packets") {
        check_vector(Protocol::V4, &vector);
    }
}

//= EIO3-PKT-01 test
//= EIO3-PKT-02 test
//= EIO3-PKT-03 test
#[test]
fn revision_3_packets_are_as_recorded() {
    for vector in load("eio3_packets") {
        check_vector(Protocol::V3, &vector);
    }
}

#[test]
fn digit_and_byte_name_the_same_kind() {
    for byte in 0..=u8::MAX {
        let by_byte = PacketKind::from_byte(byte);
        let by_digit = PacketKind::from_digit(char::from(byte.wrapping_add(b'0')));
        assert_eq!(by_byte, by_digit, "{byte}");
        assert_eq!(by_byte.is_some(), byte <= 6);
        if let Some(kind) = by_byte {
            assert_eq!(kind.to_byte(), byte);
            assert_eq!(kind.to_digit(), byte + b'0');
        }
    }
}

#[test]
fn packets_survive_the_round_trip() {
    for seed in 0..2_000 {
        let seen = Xorshift::new(seed).packet();
        for protocol in [Protocol::V3, Protocol::V4] {
            for supports_binary in [false, true] {
                let wire = encode(protocol, supports_binary, &seen.to_packet());
                assert_eq!(
                    parse(protocol, &wire),
                    Ok(Some(seen.clone())),
                    "seed {seed}"
                );
            }
        }
    }
}

#[test]
fn binary_data_is_borrowed_from_the_frame() {
    let frame = [4, 1, 2];
    for (protocol, expected) in [(Protocol::V4, &frame[..]), (Protocol::V3, &frame[1..])] {
        let Ok(Some(Packet::Binary(std::borrow::Cow::Borrowed(data)))) =
            parse_binary(protocol, &frame)
        else {
            panic!("not borrowed");
        };
        assert!(std::ptr::eq(data, expected));
    }
}

//= EIO3-PKT-03 test
#[test]
fn revision_3_ignores_only_binary_frames_of_unknown_type() {
    for byte in 0..=u8::MAX {
        let frame = [byte, 0xff];
        let packet = parse_binary(Protocol::V3, &frame).unwrap();
        assert_eq!(packet.is_none(), byte > 6, "{byte}");
    }
    assert_eq!(parse_binary(Protocol::V3, &[]), Ok(None));
    for text in ["b", "b7", "bA", "b\u{e9}"] {
        assert_eq!(parse_text(Protocol::V3, text), Err(ParseError::UnknownType));
    }
}

#[test]
fn revision_3_base64_of_another_type_keeps_the_type_alone() {
    let expected = [("b1AQ==", Packet::Close), ("b2cHJvYmU=", Packet::Ping(""))];
    for (text, packet) in expected {
        assert_eq!(parse_text(Protocol::V3, text), Ok(packet));
    }
}

#[test]
fn a_packet_cut_anywhere_is_a_shorter_packet_or_an_error() {
    let rows = [
        (Protocol::V4, "0{\"sid\":\"€😀\"}"),
        (Protocol::V4, "bAQIDBA=="),
        (Protocol::V3, "4h\u{e9}llo"),
        (Protocol::V3, "b4AQIDBA=="),
        (Protocol::V3, "2probe"),
    ];
    for (protocol, text) in rows {
        let whole = parse_text(protocol, text).unwrap().kind();
        for end in (0..=text.len()).filter(|&end| text.is_char_boundary(end)) {
            let cut = &text[..end];
            match parse_text(protocol, cut) {
                Ok(packet) => assert_eq!(packet.kind(), whole, "{cut}"),
                Err(ParseError::Empty) => assert_eq!(cut, ""),
                Err(error) => {
                    assert_eq!(error, ParseError::UnknownType);
                    assert_eq!((cut, protocol), ("b", Protocol::V3));
                }
            }
        }
    }
}

#[test]
fn errors_read_as_lower_case_phrases() {
    for error in [
        ParseError::Empty,
        ParseError::UnknownType,
        ParseError::InvalidLength,
        ParseError::Truncated,
        ParseError::SplitCharacter,
        ParseError::UnknownEntryFlag,
        ParseError::InvalidUtf8,
    ] {
        let message = error.to_string();
        assert_eq!(message, message.to_lowercase());
        assert!(!message.is_empty() && !message.ends_with('.'));
    }
}
