//! Frames of the server: unmasked, never fragmented.

use super::frame::{COMPRESSED, Opcode};

/// Room left for the header of a text frame whose length is not known yet: as much as that of a small one takes, which
/// then need not be moved. It saves about 50 instructions of each small message, and costs one move of each large one.
pub(crate) const HEADER_ROOM: usize = 2;

const FIN: u8 = 0x80;

/// Appends the header of a frame of `length` bytes.
pub(crate) fn write_header(out: &mut Vec<u8>, opcode: Opcode, length: usize) {
    out.push(FIN | opcode.bits());
    if let Ok(length) = u8::try_from(length)
        && length < 126
    {
        out.push(length);
    } else if let Ok(length) = u16::try_from(length) {
        out.push(126);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(127);
        // A length in memory always fits 64 bits.
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        out.extend_from_slice(&length.to_be_bytes());
    }
}

/// Appends a whole frame.
pub(crate) fn write_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    write_header(out, opcode, payload.len());
    out.extend_from_slice(payload);
}

/// Appends a whole frame whose payload is compressed (RFC 7692 §6).
pub(crate) fn write_compressed_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    let start = out.len();
    write_frame(out, opcode, payload);
    if let Some(first) = out.get_mut(start) {
        *first |= COMPRESSED;
    }
}

/// Appends a close frame, without a status code as the reference closes (EIO4-WS-05) or with one.
pub(crate) fn write_close(out: &mut Vec<u8>, code: Option<u16>) {
    match code {
        Some(code) => write_frame(out, Opcode::Close, &code.to_be_bytes()),
        None => write_header(out, Opcode::Close, 0),
    }
}

/// Puts the header before a payload that was written [`HEADER_ROOM`] bytes behind `start`.
#[inline]
pub(crate) fn finish_text_frame(out: &mut Vec<u8>, start: usize) {
    let payload = start.saturating_add(HEADER_ROOM);
    let length = out.len().saturating_sub(payload);
    if let Ok(short) = u8::try_from(length)
        && short < 126
    {
        if let Some([first, second, ..]) = out.get_mut(start..) {
            (*first, *second) = (FIN | Opcode::Text.bits(), short);
        }
        return;
    }
    if let Ok(length) = u16::try_from(length) {
        insert_length(out, start, 126, &length.to_be_bytes());
    } else {
        // A length in memory always fits 64 bits.
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        insert_length(out, start, 127, &length.to_be_bytes());
    }
}

/// Writes the header of a text frame whose length takes bytes of its own, and moves the payload behind them.
fn insert_length(out: &mut Vec<u8>, start: usize, second: u8, length: &[u8]) {
    let payload = start.saturating_add(HEADER_ROOM);
    let end = out.len();
    out.extend_from_slice(length);
    let behind = payload.saturating_add(length.len());
    out.copy_within(payload..end, behind);
    if let Some([first, mark, room @ ..]) = out.get_mut(start..behind) {
        (*first, *mark) = (FIN | Opcode::Text.bits(), second);
        room.copy_from_slice(length);
    }
}

/// The first of some frames of the server, and what follows it.
pub(crate) fn split_frame(frames: &[u8]) -> Option<(Opcode, &[u8], &[u8])> {
    let (first, rest) = frames.split_first()?;
    let opcode = Opcode::from_bits(first & 0x0f)?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        126 => {
            let (bytes, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*bytes)), rest)
        }
        127 => {
            let (bytes, rest) = rest.split_first_chunk::<8>()?;
            (usize::try_from(u64::from_be_bytes(*bytes)).ok()?, rest)
        }
        length => (usize::from(*length), rest),
    };
    let (payload, rest) = rest.split_at_checked(length)?;
    Some((opcode, payload, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_class_read_back() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
            let payload = vec![b'x'; length];
            let mut whole = b"before".to_vec();
            whole.clear();
            write_frame(&mut whole, Opcode::Text, &payload);

            let mut late = b"before".to_vec();
            late.extend_from_slice(&[0; HEADER_ROOM]);
            late.extend_from_slice(&payload);
            finish_text_frame(&mut late, 6);
            assert_eq!(late.get(6..).unwrap(), whole, "{length}");

            whole.extend_from_slice(b"\x82\x01y");
            let (opcode, read, rest) = split_frame(&whole).unwrap();
            assert_eq!((opcode, read), (Opcode::Text, &payload[..]));
            assert_eq!(
                split_frame(rest),
                Some((Opcode::Binary, &b"y"[..], &b""[..]))
            );
        }
    }

    #[test]
    fn a_close_frame_has_no_code_unless_given_one() {
        let mut out = Vec::new();
        write_close(&mut out, None);
        write_close(&mut out, Some(1002));
        assert_eq!(out, [0x88, 0x00, 0x88, 0x02, 0x03, 0xea]);
    }

    #[test]
    fn truncated_frames_are_not_split() {
        let mut frame = Vec::new();
        write_frame(&mut frame, Opcode::Binary, &[7; 300]);
        for length in 0..frame.len() {
            assert_eq!(split_frame(frame.get(..length).unwrap()), None);
        }
    }
}
