//! The answer to the request that opens a WebSocket, and the Engine.IO handshake behind it.

use std::cell::Cell;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use benches::wire::find;
use sha1::{Digest as _, Sha1};

use crate::Dialect;
use crate::frame::{OPCODE_TEXT, write_header};

/// RFC 6455 §1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const HEAD: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ";

thread_local! {
    static NEXT_ID: Cell<u64> = const { Cell::new(0) };
}

/// Appends the answer, in which the open packet travels along; the length of the request. `None` while it is not whole.
pub(crate) fn answer(request: &[u8], out: &mut Vec<u8>) -> Option<(Dialect, usize)> {
    let length = find(request, b"\r\n\r\n")? + 4;
    let dialect = if request.starts_with(b"GET /engine.io/") {
        Dialect::Engine
    } else {
        Dialect::Socket
    };
    let key = find(request, b"Sec-WebSocket-Key: ")? + 19;
    let sha = Sha1::new().chain_update(request.get(key..key + 24)?);
    let digest = sha.chain_update(GUID).finalize();
    out.extend_from_slice(HEAD);
    let mut accept = [0; 28];
    STANDARD.encode_slice(digest, &mut accept).ok()?;
    out.extend_from_slice(&accept);
    out.extend_from_slice(b"\r\n\r\n");

    let front = b"0{\"sid\":\"";
    let tail =
        b"\",\"upgrades\":[],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}";
    write_header(out, OPCODE_TEXT, front.len() + ID_LENGTH + tail.len());
    out.extend_from_slice(front);
    write_id(out);
    out.extend_from_slice(tail);
    Some((dialect, length))
}

/// The length of every id.
pub(crate) const ID_LENGTH: usize = 20;

/// Appends an id that no connection has yet.
pub(crate) fn write_id(out: &mut Vec<u8>) {
    let mut number = NEXT_ID.replace(NEXT_ID.get() + 1);
    for _ in 0..ID_LENGTH {
        out.push(b'A' + (number % 16) as u8);
        number /= 16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use benches::wire;

    #[test]
    fn the_example_of_the_rfc_is_accepted_and_the_open_packet_is_one_frame() {
        let request = wire::upgrade_request("/engine.io/?EIO=4&transport=websocket");
        let mut out = Vec::new();
        let (dialect, length) = answer(&request, &mut out).unwrap();
        assert_eq!((dialect, length), (Dialect::Engine, request.len()));
        assert!(find(&out, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=").is_some());
        let end = find(&out, b"\r\n\r\n").unwrap() + 4;
        let (frame, taken) = wire::read_frame(&out[end..]).unwrap();
        assert_eq!(taken, out.len() - end);
        let open: serde_json::Value = serde_json::from_slice(&frame.payload[1..]).unwrap();
        assert_eq!(open["sid"].as_str().unwrap().len(), ID_LENGTH);
        assert!(answer(&request[..length - 1], &mut Vec::new()).is_none());
    }
}
