//! Payloads of Engine.IO protocol 3: `<UTF-16 length>:<packet>`, repeated.

use std::fmt::Write as _;

use crate::failure::{Failure, Verdict};
use crate::trace::shown;

/// The string form of a payload.
pub(crate) fn encode(packets: &[&str]) -> String {
    let mut body = String::new();
    for packet in packets {
        let _ = write!(body, "{}:{packet}", packet.encode_utf16().count());
    }
    body
}

/// The packets of a payload in string form.
pub(crate) fn decode(body: &str) -> Verdict<Vec<String>> {
    let bad = || Failure::unmet("a protocol 3 payload", shown(body.as_bytes()));
    let mut packets = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (length, tail) = rest.split_once(':').ok_or_else(bad)?;
        let mut missing: usize = length.parse().map_err(|_| bad())?;
        let end = tail
            .char_indices()
            .map(|(at, character)| (at, character.len_utf16()))
            .chain([(tail.len(), 0)])
            .find_map(|(at, width)| match missing {
                0 => Some(at),
                _ => {
                    missing = missing.saturating_sub(width);
                    None
                }
            })
            .ok_or_else(bad)?;
        let (packet, after) = tail.split_at(end);
        packets.push(packet.to_owned());
        rest = after;
    }
    Ok(packets)
}

/// One packet of the binary form: a flag, the length as digits of value 0 to 9, `ff`, the data.
pub(crate) fn binary_entry(is_binary: bool, data: &[u8]) -> Vec<u8> {
    let mut entry = vec![u8::from(is_binary)];
    entry.extend(data.len().to_string().bytes().map(|digit| digit - b'0'));
    entry.push(0xff);
    entry.extend_from_slice(data);
    entry
}

#[cfg(test)]
mod tests {
    use super::{binary_entry, decode, encode};

    #[test]
    fn lengths_count_utf_16_units() {
        assert_eq!(encode(&["4€", "4😀x"]), "2:4€4:4😀x");
        assert_eq!(decode("2:4€4:4😀x").unwrap(), ["4€", "4😀x"]);
        assert!(decode("5:4a").is_err());
        assert!(decode("x:4a").is_err());
    }

    #[test]
    fn binary_lengths_are_digits_of_their_value() {
        assert_eq!(
            binary_entry(true, &[4; 12]),
            [&[1, 1, 2, 0xff][..], &[4; 12]].concat()
        );
    }
}
