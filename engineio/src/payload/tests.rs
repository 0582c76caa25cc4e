#![allow(clippy::string_slice, reason = "the texts and the cuts are our own")]

use super::{PayloadContent, PayloadEncoder, decode_v3_binary, decode_v3_text, decode_v4};
use crate::packet::{Packet, ParseError, Protocol};
use crate::test_vectors::{Seen, Vector, Wire, Xorshift, load};

fn collect<'a>(
    packets: impl Iterator<Item = Result<Packet<'a>, ParseError>>,
) -> (Vec<Seen>, Option<ParseError>) {
    let mut seen = Vec::new();
    let mut error = None;
    for packet in packets {
        assert_eq!(error, None, "nothing follows an error");
        match packet {
            Ok(packet) => seen.push(Seen::from(&packet)),
            Err(reason) => error = Some(reason),
        }
    }
    (seen, error)
}

fn decode(protocol: Protocol, wire: &Wire) -> (Vec<Seen>, Option<ParseError>) {
    match (protocol, wire) {
        (Protocol::V4, Wire::Text(body)) => collect(decode_v4(body)),
        (Protocol::V3, Wire::Text(body)) => collect(decode_v3_text(body)),
        (Protocol::V3, Wire::Binary(body)) => collect(decode_v3_binary(body)),
        (Protocol::V4, Wire::Binary(_)) => panic!("revision 4 has no binary payload"),
    }
}

fn encode(protocol: Protocol, supports_binary: bool, packets: &[Seen]) -> Wire {
    let mut encoder = PayloadEncoder::new(protocol, supports_binary);
    assert!(encoder.is_empty());
    for seen in packets {
        let packet = seen.to_packet();
        if let Packet::Binary(data) = packet {
            encoder.push_binary(&data);
        } else {
            let mut text = Vec::new();
            packet.encode_text(protocol, &mut text);
            encoder.push_text(std::str::from_utf8(&text).unwrap());
        }
        assert!(!encoder.is_empty());
    }
    let len = encoder.len();
    let (body, content) = encoder.finish();
    if !packets.is_empty() {
        assert_eq!(len, body.len());
    }
    match content {
        PayloadContent::Text => Wire::Text(String::from_utf8(body).unwrap()),
        PayloadContent::OctetStream => Wire::Binary(body),
    }
}

fn check_vector(protocol: Protocol, vector: &Vector) {
    if vector.is_encoding() {
        let wire = encode(protocol, vector.supports_binary(), &vector.packets());
        assert_eq!(wire, vector.wire(), "{}", vector.id());
    } else {
        let (packets, error) = decode(protocol, &vector.wire());
        vector.check_decoded(&packets, error);
    }
}

//= EIO4-PLD-01 test
//= EIO4-PLD-02 test
//= EIO4-PLD-03 test
#[test]
fn revision_4_payloads_are_as_recorded() {
    for vector in load("eio4_payloads") {
        check_vector(Protocol::V4, &vector);
    }
}

//= EIO3-PLD-01 test
//= EIO3-PLD-02 test
//= EIO3-PLD-03 test
//= EIO3-PLD-05 test
//= EIO3-PLD-06 test
#[test]
fn revision_3_payloads_are_as_recorded() {
    for vector in load("eio3_payloads") {
        check_vector(Protocol::V3, &vector);
    }
}

#[test]
fn payloads_survive_the_round_trip() {
    for seed in 0..2_000 {
        let mut random = Xorshift::new(seed);
        let packets: Vec<Seen> = (0..random.below(6)).map(|_| random.packet()).collect();
        for supports_binary in [false, true] {
            let wire = encode(Protocol::V3, supports_binary, &packets);
            assert_eq!(
                decode(Protocol::V3, &wire),
                (packets.clone(), None),
                "seed {seed}"
            );
            if !packets.is_empty() {
                let wire = encode(Protocol::V4, supports_binary, &packets);
                assert_eq!(
                    decode(Protocol::V4, &wire),
                    (packets.clone(), None),
                    "seed {seed}"
                );
            }
        }
    }
}

#[test]
fn a_body_cut_anywhere_yields_a_prefix_of_its_packets() {
    for seed in 0..200 {
        let mut random = Xorshift::new(seed);
        let packets: Vec<Seen> = (0..4).map(|_| random.packet()).collect();
        for supports_binary in [false, true] {
            match encode(Protocol::V3, supports_binary, &packets) {
                Wire::Text(body) => {
                    for end in (0..body.len()).filter(|&end| body.is_char_boundary(end)) {
                        let (seen, error) = collect(decode_v3_text(&body[..end]));
                        assert!(packets.starts_with(&seen) && seen.len() < 4);
                        let whole = encode(Protocol::V3, supports_binary, &seen);
                        let is_clean = end > 0 && whole == Wire::Text(body[..end].into());
                        assert_eq!(error.is_none(), is_clean, "seed {seed}, cut at {end}");
                    }
                }
                Wire::Binary(body) => {
                    for end in 0..body.len() {
                        let (seen, error) = collect(decode_v3_binary(&body[..end]));
                        assert!(packets.starts_with(&seen) && seen.len() < 4);
                        assert!(error.is_none_or(|error| error == ParseError::Truncated));
                    }
                }
            }
        }
        let Wire::Text(body) = encode(Protocol::V4, true, &packets) else {
            panic!("revision 4 is text");
        };
        for end in (0..body.len()).filter(|&end| body.is_char_boundary(end)) {
            // The last packet may be a shorter one; those before it are whole.
            let (mut seen, error) = collect(decode_v4(&body[..end]));
            if error.is_none() {
                seen.pop();
            }
            assert!(packets.starts_with(&seen), "seed {seed}, cut at {end}");
        }
    }
}

#[test]
fn random_bodies_end_and_never_panic() {
    for seed in 0..5_000 {
        let mut random = Xorshift::new(seed);
        let bytes: Vec<u8> = (0..random.below(40))
            .map(|_| [0, 1, 2, 9, 0xff, 0xf0, b'4', b'b', b':', b'1'][random.index(10)])
            .collect();
        let _ = collect(decode_v3_binary(&bytes));
        let text = random.text();
        let _ = collect(decode_v3_text(&text));
        let _ = collect(decode_v4(&text));
        let text: String = (0..random.below(20))
            .map(|_| ['0', '1', '2', '4', ':', 'b', '€', '😀'][random.index(8)])
            .collect();
        let _ = collect(decode_v3_text(&text));
    }
}

//= EIO3-PLD-05 test
#[test]
fn a_text_length_that_ends_inside_a_character_is_an_error() {
    let split = Some(ParseError::SplitCharacter);
    assert_eq!(collect(decode_v3_text("2:4😀")).1, split);
    assert_eq!(collect(decode_v3_text("1:😀")).1, split);
    let (seen, error) = collect(decode_v3_text("1:22:4😀"));
    assert_eq!((seen.len(), error), (1, split));
}

#[test]
fn a_text_packet_that_starts_inside_a_character_is_an_error() {
    // The first entry ends after one byte of three; the next begins with the other two.
    let body = [0, 2, 0xff, b'4', 0xe2, 0, 2, 0xff, 0x82, 0xac];
    let (seen, error) = collect(decode_v3_binary(&body));
    assert_eq!((seen.len(), error), (0, Some(ParseError::InvalidUtf8)));
    let body = [0, 1, 0xff, b'2', 0, 2, 0xff, 0x82, 0xac];
    let (seen, error) = collect(decode_v3_binary(&body));
    assert_eq!((seen.len(), error), (1, Some(ParseError::InvalidUtf8)));
}

//= EIO3-PLD-05 test
#[test]
fn hostile_text_lengths_are_refused() {
    let rows = [
        ("18446744073709551615:4", ParseError::Truncated),
        ("18446744073709551616:4", ParseError::InvalidLength),
        ("+1:4", ParseError::InvalidLength),
        ("٣:4ab", ParseError::InvalidLength),
        ("1", ParseError::InvalidLength),
        ("1 :4", ParseError::InvalidLength),
    ];
    for (body, expected) in rows {
        assert_eq!(collect(decode_v3_text(body)).1, Some(expected), "{body}");
    }
    let digits = "9".repeat(100_000);
    let body = format!("{digits}:4");
    assert_eq!(
        collect(decode_v3_text(&body)).1,
        Some(ParseError::InvalidLength)
    );
    let zeros = format!("{}:2", "0:".repeat(50_000) + "1");
    assert_eq!(collect(decode_v3_text(&zeros)).0.len(), 1);
}

//= EIO3-PLD-07 test
#[test]
fn a_binary_length_without_end_is_given_up_after_310_digits() {
    let body = |digits: usize| {
        let mut body = vec![0];
        body.resize(digits, 0);
        body.extend([1, 0xff, b'2']);
        body
    };
    assert_eq!(collect(decode_v3_binary(&body(310))).1, None);
    let refused = Some(ParseError::InvalidLength);
    assert_eq!(collect(decode_v3_binary(&body(311))).1, refused);
    assert_eq!(collect(decode_v3_binary(&vec![0; 100_000])).1, refused);
    assert_eq!(
        collect(decode_v3_binary(&vec![9; 400])).1,
        Some(ParseError::UnknownEntryFlag)
    );
    let mut nines = vec![1];
    nines.resize(300, 9);
    assert_eq!(collect(decode_v3_binary(&nines)).1, refused);
    assert_eq!(collect(decode_v3_binary(&[1, 0xff])).1, refused);
    assert_eq!(collect(decode_v3_binary(&[1, 10, 0xff])).1, refused);
}

#[test]
fn a_binary_body_skips_only_packets_of_unknown_type() {
    let body = [1, 1, 0xff, 7, 1, 0, 0xff, 0, 1, 0xff, b'2'];
    let (seen, error) = collect(decode_v3_binary(&body));
    assert_eq!((seen, error), (vec![Seen::from(&Packet::Ping(""))], None));
    assert_eq!(
        collect(decode_v3_binary(&[0, 0, 0xff])).1,
        Some(ParseError::Empty)
    );
}

#[test]
fn a_decoder_that_ended_stays_ended() {
    let mut packets = decode_v4("x\u{1e}4a");
    assert_eq!(packets.next(), Some(Err(ParseError::UnknownType)));
    assert_eq!(packets.next(), None);
    assert_eq!(packets.next(), None);
    let mut packets = decode_v3_text("");
    assert_eq!(packets.next(), Some(Err(ParseError::Empty)));
    assert_eq!(packets.next(), None);
    let mut packets = decode_v3_binary(&[2]);
    assert_eq!(packets.next(), Some(Err(ParseError::UnknownEntryFlag)));
    assert_eq!(packets.next(), None);
}

//= EIO3-PLD-02 test
#[test]
fn the_first_binary_packet_alone_decides_the_form() {
    let mut encoder = PayloadEncoder::new(Protocol::V3, true);
    encoder.push_text("4€");
    encoder.push_text("2");
    assert_eq!(encoder.len(), "2:4€1:2".len());
    encoder.push_binary(&[7]);
    encoder.push_text("3");
    encoder.push_binary(&[]);
    let (body, content) = encoder.finish();
    assert_eq!(content, PayloadContent::OctetStream);
    assert_eq!(content.content_type(), "application/octet-stream");
    #[rustfmt::skip]
    assert_eq!(body, [
        0, 4, 0xff, b'4', 0xe2, 0x82, 0xac,
        0, 1, 0xff, b'2',
        1, 2, 0xff, 4, 7,
        0, 1, 0xff, b'3',
        1, 1, 0xff, 4,
    ]);
}

#[test]
fn an_empty_list_is_empty_in_revision_4() {
    let (body, content) = PayloadEncoder::new(Protocol::V4, true).finish();
    assert_eq!((body.as_slice(), content), (&[][..], PayloadContent::Text));
    assert_eq!(content.content_type(), "text/plain; charset=UTF-8");
}
