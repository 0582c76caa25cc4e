//! From the bytes of a frame to the bytes of its answer.

use crate::Dialect;
use crate::frame::{
    Frame, OPCODE_BINARY, OPCODE_CLOSE, OPCODE_TEXT, unmask, write_frame, write_header,
};
use crate::handshake::{ID_LENGTH, write_id};

/// What is to be done besides sending what was appended.
pub(crate) enum Action {
    Answered,
    Connect,
    Join(usize),
    ToAll,
    ToRoom(usize),
    Close,
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
    use crate::frame::take_frame;
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
}
