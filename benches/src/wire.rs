//! WebSocket frames as a client writes and reads them, and no more of RFC 6455 than that.

/// The mask of every frame. It is not zero, so that a server has to unmask; it is constant, so that a scenario's
/// frames are made once.
pub const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The key of every handshake: that of RFC 6455's example.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// Of a frame's first byte: its message is compressed.
const COMPRESSED: u8 = 0x40;

/// The kinds of frame that occur.
pub mod opcode {
    /// Text.
    pub const TEXT: u8 = 1;
    /// Bytes.
    pub const BINARY: u8 = 2;
    /// The end.
    pub const CLOSE: u8 = 8;
}

/// One frame of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// See [`opcode`].
    pub opcode: u8,
    /// Whether its message is compressed (RFC 7692).
    pub is_compressed: bool,
    /// What it carries.
    pub payload: &'a [u8],
}

/// The first whole frame and the length of the bytes it took; `None` when more bytes are needed.
#[must_use]
pub fn read_frame(bytes: &[u8]) -> Option<(Frame<'_>, usize)> {
    let [first, second, ..] = *bytes else {
        return None;
    };
    let (length, start) = match second & 0x7f {
        126 => {
            let length = bytes.get(2..4)?.try_into().ok()?;
            (usize::from(u16::from_be_bytes(length)), 4)
        }
        127 => {
            let length = bytes.get(2..10)?.try_into().ok()?;
            (usize::try_from(u64::from_be_bytes(length)).ok()?, 10)
        }
        length => (usize::from(length), 2),
    };
    let end = length.checked_add(start)?;
    let payload = bytes.get(start..end)?;
    let frame = Frame {
        opcode: first & 0x0f,
        is_compressed: first & COMPRESSED != 0,
        payload,
    };
    Some((frame, end))
}

/// Appends a masked frame.
pub fn write_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    if let Ok(length) = u8::try_from(payload.len())
        && length < 126
    {
        out.push(0x80 | length);
    } else if let Ok(length) = u16::try_from(payload.len()) {
        out.push(0x80 | 126);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(0x80 | 127);
        out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    }
    out.extend_from_slice(&MASK);
    let masked = payload
        .iter()
        .zip(MASK.iter().cycle())
        .map(|(byte, mask)| byte ^ mask);
    out.extend(masked);
}

/// One masked frame by itself.
#[must_use]
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_frame(&mut out, opcode, payload);
    out
}

/// One masked frame of a message that is compressed already.
#[must_use]
pub fn compressed_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = frame(opcode, payload);
    if let Some(first) = out.first_mut() {
        *first |= COMPRESSED;
    }
    out
}

/// The request that opens a WebSocket and offers these extensions.
#[must_use]
pub fn upgrade_request_with(target: &str, extensions: &str) -> Vec<u8> {
    let mut request = upgrade_request(target);
    request.truncate(request.len().saturating_sub(2));
    request.extend_from_slice(format!("Sec-WebSocket-Extensions: {extensions}\r\n\r\n").as_bytes());
    request
}

/// The request that opens a WebSocket: about what a browser sends, at most 300 bytes of it.
#[must_use]
pub fn upgrade_request(target: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\n\
         Host: 127.0.0.1:3000\r\n\
         Connection: Upgrade\r\n\
         Upgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {KEY}\r\n\
         User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\r\n"
    )
    .into_bytes()
}

/// A GET on a connection that stays open.
#[must_use]
pub fn get_request(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1:3000\r\n\r\n").into_bytes()
}

/// A POST on a connection that stays open.
#[must_use]
pub fn post_request(target: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {target} HTTP/1.1\r\n\
         Host: 127.0.0.1:3000\r\n\
         Content-Type: text/plain;charset=UTF-8\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One answer of an HTTP server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// Its status.
    pub status: u16,
    /// Its body, whole.
    pub body: &'a [u8],
}

/// The first whole response, with a length or in one chunk or more, and the length of the bytes it took.
///
/// Of a body in chunks only the first is given: servers that answer so send short bodies in one.
#[must_use]
pub fn read_response(bytes: &[u8]) -> Option<(Response<'_>, usize)> {
    let head = find(bytes, b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(bytes.get(..head)?).ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    let header = |wanted: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    if status == 101 {
        return Some((Response { status, body: b"" }, head));
    }
    if header("transfer-encoding").is_some() {
        let rest = bytes.get(head..)?;
        let end = if rest.starts_with(b"0\r\n\r\n") {
            5
        } else {
            find(rest, b"\r\n0\r\n\r\n")? + 7
        };
        let start = find(rest, b"\r\n")? + 2;
        let size = usize::from_str_radix(std::str::from_utf8(rest.get(..start - 2)?).ok()?, 16);
        let body = rest.get(start..start + size.ok()?)?;
        return Some((Response { status, body }, head + end));
    }
    let length: usize = header("content-length").map_or(Some(0), |value| value.parse().ok())?;
    let body = bytes.get(head..head + length)?;
    Some((Response { status, body }, head + length))
}

/// Where `needle` begins.
#[must_use]
pub fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_every_length_class_read_back() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut bytes = frame(opcode::TEXT, &payload);
            // As a server writes it: without the mask.
            let start = bytes.len() - length;
            bytes.truncate(start);
            bytes.drain(start - 4..);
            bytes[1] &= 0x7f;
            bytes.extend_from_slice(&payload);
            let (read, taken) = read_frame(&bytes).unwrap();
            assert_eq!((read.opcode, read.payload.len()), (opcode::TEXT, length));
            assert_eq!(taken, bytes.len());
            assert_eq!(read_frame(&bytes[..taken - 1]), None);
        }
    }

    #[test]
    fn responses_with_a_length_and_in_chunks_are_read_whole_or_not_at_all() {
        let plain = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP";
        let (response, taken) = read_response(plain).unwrap();
        assert_eq!((response.status, response.body), (200, &b"ok"[..]));
        assert_eq!(taken, plain.len() - 4);
        assert_eq!(read_response(&plain[..taken - 1]), None);

        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
        let (response, taken) = read_response(chunked).unwrap();
        assert_eq!((response.body, taken), (&b"abc"[..], chunked.len()));
        assert_eq!(read_response(&chunked[..chunked.len() - 1]), None);
    }

    #[test]
    fn the_upgrade_request_has_the_size_the_targets_speak_of() {
        assert!(upgrade_request("/socket.io/?EIO=4&transport=websocket").len() <= 300);
    }
}
