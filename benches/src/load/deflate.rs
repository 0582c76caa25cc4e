//! permessage-deflate as the client of the load speaks it: every message by itself, both ways, so that what is said is made
//! once, and what is heard is compared and not inflated.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

/// An offer that nothing is kept for, which every server that compresses agrees on.
pub const CONTEXTLESS: &str =
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// The offer of browsers: both sides may keep what was said.
pub const OF_BROWSERS: &str = "permessage-deflate; client_max_window_bits";

/// What a sync flush ends with and is not sent.
const FLUSH_MARK: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// Text of this length of which about a third remains, as of the records that servers send.
pub(super) fn text(bytes: usize) -> String {
    let mut text = String::new();
    let mut number = 1_u64;
    while text.len() < bytes {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let (id, price) = (number >> 44, (number >> 30) % 10_000);
        text.push_str(&format!(
            "(id: {id}, name: order, price: {price}, open: true) "
        ));
    }
    text.truncate(bytes);
    text
}

/// The payload of a message.
pub(super) fn compressed(message: &[u8]) -> Vec<u8> {
    let mut payload = Vec::with_capacity(message.len() + 1024);
    let mut deflate = Compress::new(Compression::default(), false);
    // There is room for it, whatever it is.
    let _ = deflate.compress_vec(message, &mut payload, FlushCompress::Sync);
    payload.truncate(payload.len().saturating_sub(FLUSH_MARK.len()));
    payload
}

/// Whether a payload is this message.
pub(super) fn is_message(payload: &[u8], message: &[u8]) -> bool {
    let mut inflated = Vec::with_capacity(message.len() + 1);
    let whole = [payload, &FLUSH_MARK].concat();
    Decompress::new(false)
        .decompress_vec(&whole, &mut inflated, FlushDecompress::Sync)
        .is_ok()
        && inflated == message
}

/// Whether a frame is the one that is awaited. One that is compressed is inflated when it comes for the first time; from then
/// on these bytes are awaited.
pub(super) fn is_expected(frame: crate::wire::Frame<'_>, expected: &mut Vec<u8>) -> bool {
    if frame.payload == *expected {
        return true;
    }
    let is_first = frame.is_compressed && is_message(frame.payload, expected);
    if is_first {
        *expected = frame.payload.to_vec();
    }
    is_first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Frame, opcode};

    #[test]
    fn what_is_compressed_is_known_by_its_bytes_from_then_on() {
        let text = text(1024);
        let payload = compressed(text.as_bytes());
        assert!((200..700).contains(&payload.len()), "{}", payload.len());
        let frame = |payload, is_compressed| Frame {
            opcode: opcode::TEXT,
            is_compressed,
            payload,
        };
        let mut expected = text.clone().into_bytes();
        assert!(is_expected(frame(text.as_bytes(), false), &mut expected));
        assert!(!is_expected(frame(&payload, false), &mut expected));
        assert!(!is_expected(frame(&payload[1..], true), &mut expected));
        assert_eq!(expected, text.as_bytes());
        assert!(is_expected(frame(&payload, true), &mut expected));
        assert_eq!(expected, payload);
        assert!(is_expected(frame(&payload, true), &mut expected));
    }
}
