//! From the bytes of a frame to the bytes of its answer.

use crate::Dialect;
use crate::handshake::{ID_LENGTH, write_id};

pub(crate) const OPCODE_TEXT: u8 = 1;
const OPCODE_BINARY: u8 = 2;
const OPCODE_CLOSE: u8 = 8;

/// A whole frame, still masked.
pub(crate) struct Frame<'a> {
    opcode: u8,
    mask: [u8; 4],
    payload: &'a mut [u8],
}

/// What is to be done besides sending what was appended.
pub(crate) enum Action {
    Answered,
    Connect,
    Join(usize),
    ToAll,
    ToRoom(usize),
    Close,
}

/// The length of the first frame's header and of its payload, if its header is whole.
fn measure(bytes: &[u8]) -> Option<(usize, usize)> {
    let second = bytes.get(1)? & 0x7f;
    match second {
        126 => {
            let length = bytes.get(2..4)?.try_into().ok()?;
            Some((8, usize::from(u16::from_be_bytes(length))))
        }
        127 => {
            let length = bytes.get(2..10)?.try_into().ok()?;
            Some((14, usize::try_from(u64::from_be_bytes(length)).ok()?))
        }
        length => Some((6, usize::from(length))),
    }
}

/// Takes the first frame off the bytes, if it is whole.
pub(crate) fn take_frame<'b>(bytes: &mut &'b mut [u8]) -> Option<Frame<'b>> {
    let (header, length) = measure(bytes)?;
    if bytes.len() < header + length {
        return None;
    }
    let (frame, rest) = std::mem::take(bytes).split_at_mut(header + length);
    *bytes = rest;
    let (header, payload) = frame.split_at_mut(header);
    Some(Frame {
        opcode: header.first()? & 0x0f,
        mask: *header.last_chunk::<4>()?,
        payload,
    })
}

/// Appends the header of an unmasked frame.
pub(crate) fn write_header(out: &mut Vec<u8>, opcode: u8, length: usize) {
    if length < 126 {
        out.extend_from_slice(&[0x80 | opcode, length as u8]);
    } else if let Ok(length) = u16::try_from(length) {
        let [high, low] = length.to_be_bytes();
        out.extend_from_slice(&[0x80 | opcode, 126, high, low]);
    } else {
        out.extend_from_slice(&[0x80 | opcode, 127]);
        out.extend_from_slice(&(length as u64).to_be_bytes());
    }
}

fn write_frame(out: &mut Vec<u8>, opcode: u8, parts: [&[u8]; 2]) {
    let [first, second] = parts;
    write_header(out, opcode, first.len() + second.len());
    out.extend_from_slice(first);
    out.extend_from_slice(second);
}

fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Appends the answer to one frame. What goes to many is put into `shared` instead.
pub(crate) fn answer(
    dialect: Dialect,
    frame: Frame<'_>,
    out: &mut Vec<u8>,
    shared: &mut Vec<u8>,
) -> Action {
    let Frame {
        opcode,
        mask,
        payload,
    } = frame;
    unmask(payload, mask);
    match (opcode, &*payload) {
        (OPCODE_BINARY, data) => write_frame(out, OPCODE_BINARY, [data, b""]),
        (OPCODE_CLOSE, code) => {
            write_frame(out, OPCODE_CLOSE, [code, b""]);
            return Action::Close;
        }
        (OPCODE_TEXT, [b'4', ..]) if dialect == Dialect::Engine => {
            write_frame(out, OPCODE_TEXT, [payload, b""]);
        }
        (OPCODE_TEXT, [b'4', packet @ ..]) => return answer_packet(packet, out, shared),
        _ => {}
    }
    Action::Answered
}

fn answer_packet(packet: &[u8], out: &mut Vec<u8>, shared: &mut Vec<u8>) -> Action {
    if let Some(rest) = packet.strip_prefix(b"2[\"message\"") {
        write_frame(out, OPCODE_TEXT, [b"42[\"message-back\"", rest]);
        return Action::Answered;
    }
    if let Some(rest) = packet.strip_prefix(b"51-[\"message\"") {
        write_frame(out, OPCODE_TEXT, [b"451-[\"message-back\"", rest]);
        return Action::Answered;
    }
    if packet.starts_with(b"2[\"broadcast\",") {
        shared.clear();
        write_frame(shared, OPCODE_TEXT, [b"4", packet]);
        return Action::ToAll;
    }
    if let Some(rest) = packet.strip_prefix(b"2[\"roomcast\",\"") {
        let (room, rest) = split_room(rest);
        shared.clear();
        write_frame(shared, OPCODE_TEXT, [b"42[\"broadcast\"", rest]);
        return Action::ToRoom(room);
    }
    if let Some(rest) = packet.strip_prefix(b"21[\"join\",\"") {
        write_frame(out, OPCODE_TEXT, [b"431[]", b""]);
        return Action::Join(split_room(rest).0);
    }
    if packet.starts_with(b"0") {
        let (front, tail) = (b"40{\"sid\":\"", b"\"}");
        write_header(out, OPCODE_TEXT, front.len() + ID_LENGTH + tail.len());
        out.extend_from_slice(front);
        write_id(out);
        out.extend_from_slice(tail);
        return Action::Connect;
    }
    Action::Answered
}

/// The number in a room's name, `r17"`, and what follows the name.
fn split_room(text: &[u8]) -> (usize, &[u8]) {
    let mut room = 0;
    let mut rest = text;
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'0'..=b'9' => room = room * 10 + usize::from(byte - b'0'),
            b'"' => break,
            _ => {}
        }
    }
    (room, rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use benches::wire::{self, opcode, read_frame};

    fn converse(dialect: Dialect, opcode: u8, text: &[u8]) -> (Action, Vec<u8>, Vec<u8>) {
        let mut bytes = wire::frame(opcode, text);
        let (mut out, mut shared) = (Vec::new(), Vec::new());
        let mut left = &mut bytes[..];
        let frame = take_frame(&mut left).unwrap();
        assert!(left.is_empty());
        let action = answer(dialect, frame, &mut out, &mut shared);
        (action, out, shared)
    }

    fn text(bytes: &[u8]) -> &str {
        let (frame, taken) = read_frame(bytes).unwrap();
        assert_eq!((frame.opcode, taken), (opcode::TEXT, bytes.len()));
        std::str::from_utf8(frame.payload).unwrap()
    }

    #[test]
    fn events_are_answered_with_the_bytes_of_the_profile() {
        let (_, out, _) = converse(Dialect::Socket, 1, b"42[\"message\",\"x\"]");
        assert_eq!(text(&out), "42[\"message-back\",\"x\"]");
        let (action, _, shared) = converse(Dialect::Socket, 1, b"42[\"broadcast\",\"x\"]");
        assert!(matches!(action, Action::ToAll));
        assert_eq!(text(&shared), "42[\"broadcast\",\"x\"]");
        let (action, _, shared) = converse(Dialect::Socket, 1, b"42[\"roomcast\",\"r17\",1]");
        assert!(matches!(action, Action::ToRoom(17)));
        assert_eq!(text(&shared), "42[\"broadcast\",1]");
        let (action, out, _) = converse(Dialect::Socket, 1, b"421[\"join\",\"r3\"]");
        assert!(matches!(action, Action::Join(3)));
        assert_eq!(text(&out), "431[]");
        let (action, out, _) = converse(Dialect::Socket, 1, b"40");
        assert!(matches!(action, Action::Connect));
        let answer: serde_json::Value = serde_json::from_str(&text(&out)[2..]).unwrap();
        assert_eq!(answer["sid"].as_str().unwrap().len(), ID_LENGTH);
    }

    #[test]
    fn an_engine_echoes_every_length_as_it_is() {
        for length in [1, 125, 126, 65_535, 65_536] {
            let message = vec![b'4'; length];
            let (_, out, _) = converse(Dialect::Engine, 1, &message);
            assert_eq!(text(&out).as_bytes(), message);
        }
        let (_, out, _) = converse(Dialect::Engine, 2, &[1, 2]);
        assert_eq!(out, [0x82, 2, 1, 2]);
    }

    #[test]
    fn a_cut_frame_is_left_alone() {
        let mut bytes = wire::frame(1, &[b'4'; 200]);
        let length = bytes.len();
        for cut in 0..length {
            let mut left = &mut bytes[..cut];
            assert!(take_frame(&mut left).is_none());
            assert_eq!(left.len(), cut);
        }
    }
}
