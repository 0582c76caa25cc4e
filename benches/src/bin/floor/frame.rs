//! Frames as clients send them and as a server does.

pub(crate) const OPCODE_TEXT: u8 = 1;
pub(crate) const OPCODE_BINARY: u8 = 2;
pub(crate) const OPCODE_CLOSE: u8 = 8;

/// A whole frame, still masked.
pub(crate) struct Frame<'a> {
    pub(crate) opcode: u8,
    pub(crate) mask: [u8; 4],
    pub(crate) payload: &'a mut [u8],
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

pub(crate) fn write_frame(out: &mut Vec<u8>, opcode: u8, parts: [&[u8]; 2]) {
    let [first, second] = parts;
    write_header(out, opcode, first.len() + second.len());
    out.extend_from_slice(first);
    out.extend_from_slice(second);
}

pub(crate) fn unmask(payload: &mut [u8], mask: [u8; 4]) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use benches::wire;

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
