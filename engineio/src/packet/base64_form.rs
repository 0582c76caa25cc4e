//! Base64 as the packets carry it: standard and padded on output, forgiving on input.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::BASE64_STANDARD;

/// What well-behaved clients send, with or without padding; decoded in bulk.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Appends the standard, padded base64 of `data`.
pub(super) fn push_base64(data: &[u8], out: &mut Vec<u8>) {
    let encoded_len = base64::encoded_len(data.len(), true)
        .expect("a slice has at most isize::MAX bytes, and 4/3 of that fits a usize");
    let start = out.len();
    out.resize(start.saturating_add(encoded_len), 0);
    let written = out
        .get_mut(start..)
        .map(|room| BASE64_STANDARD.encode_slice(data, room));
    debug_assert_eq!(written, Some(Ok(encoded_len)));
}

/// Decodes any text, since the reference does: both alphabets, padding optional, foreign
/// characters skipped, everything from the first `=` on ignored, a lone last character dropped.
//= EIO4-PKT-05
pub(super) fn decode(text: &str) -> Vec<u8> {
    TOLERANT
        .decode(text)
        .unwrap_or_else(|_| decode_slowly(text))
}

fn decode_slowly(text: &str) -> Vec<u8> {
    // Three quarters of the input is the most that can come out.
    let mut out = Vec::with_capacity((text.len() / 4).saturating_add(1).saturating_mul(3));
    let mut group = [0_u8; 4];
    let mut filled = 0_usize;
    let sextets = text
        .bytes()
        .take_while(|&byte| byte != b'=')
        .filter_map(sextet);
    for value in sextets {
        if let Some(place) = group.get_mut(filled) {
            *place = value;
        }
        filled = filled.saturating_add(1);
        if filled == group.len() {
            out.extend_from_slice(&join(group));
            group = [0; 4];
            filled = 0;
        }
    }
    // Two characters hold one whole byte, three hold two, one alone holds none.
    out.extend(join(group).into_iter().take(filled.saturating_sub(1)));
    out
}

fn join([a, b, c, d]: [u8; 4]) -> [u8; 3] {
    [(a << 2) | (b >> 4), (b << 4) | (c >> 2), (c << 6) | d]
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => byte.checked_sub(b'A'),
        b'a'..=b'z' => byte.checked_sub(b'a').and_then(|n| n.checked_add(26)),
        b'0'..=b'9' => byte.checked_sub(b'0').and_then(|n| n.checked_add(52)),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{decode, decode_slowly, push_base64};
    use crate::test_vectors::Xorshift;

    #[test]
    fn odd_input_decodes_as_node_does() {
        // Recorded with Buffer.from(text, "base64") of Node 20.
        let rows: [(&str, &[u8]); 16] = [
            ("", &[]),
            ("A", &[]),
            ("AB", &[0]),
            ("AR", &[1]),
            ("AQI", &[1, 2]),
            ("AQ==\n", &[1]),
            ("AQ===", &[1]),
            ("AQ=%", &[1]),
            ("AQ=I", &[1]),
            ("AQ=ID", &[1]),
            ("YQ==YQ==", &[0x61]),
            ("=bad", &[]),
            ("A%Q=", &[1]),
            ("AQ-_é+/", &[0x01, 0x0f, 0xbf, 0xfb]),
            ("é", &[]),
            ("AQID=AQID", &[1, 2, 3]),
        ];
        for (text, expected) in rows {
            assert_eq!(decode(text), expected, "{text:?}");
        }
    }

    #[test]
    fn both_decoders_agree_on_what_the_encoder_writes() {
        let data: Vec<u8> = (0..=255).collect();
        for end in 0..=data.len() {
            let data = &data[..end];
            let mut encoded = b"prefix".to_vec();
            push_base64(data, &mut encoded);
            let text = std::str::from_utf8(&encoded).unwrap();
            let text = text.strip_prefix("prefix").unwrap();
            assert_eq!(decode(text), data);
            assert_eq!(decode_slowly(text), data);
            assert_eq!(decode(text.trim_end_matches('=')), data);
        }
    }

    #[test]
    fn bulk_decoding_changes_no_result() {
        let mut random = Xorshift::new(1);
        for _ in 0..20_000 {
            let text: String = (0..random.below(12))
                .map(|_| ["A", "B", "z", "9", "+", "/", "-", "=", "%"][random.index(9)])
                .collect();
            assert_eq!(decode(&text), decode_slowly(&text), "{text:?}");
        }
    }

    #[test]
    fn slow_decoding_never_outgrows_its_reservation() {
        for text in ["", "A", "%", "AAAA%AAAA%", "AAAAAAA\u{e9}"] {
            let decoded = decode_slowly(text);
            assert!(decoded.len() <= text.len() / 4 * 3 + 3, "{text:?}");
        }
    }
}
