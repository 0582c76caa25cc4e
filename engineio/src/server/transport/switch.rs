//! The answer that turns a connection into a WebSocket, for both kinds of door.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::body::Body;
use crate::buffers;
use crate::header_list::HeaderList;

/// Enough for most heads.
const HEAD_BYTES: usize = 512;

/// What a WebSocket handshake is answered with.
pub(crate) struct Switch {
    /// None on a stream of HTTP/2, where no protocol is switched.
    accept: Option<[u8; 28]>,
    subprotocol: Option<Box<str>>,
    /// What hooks of the application add; most servers have none, and a map is large.
    headers: Option<Box<HeaderMap>>,
    /// What the engine adds by itself.
    pub(crate) own_headers: HeaderList,
}

impl Switch {
    pub(crate) fn new(accept: Option<[u8; 28]>, subprotocol: Option<&str>) -> Self {
        Self {
            accept,
            subprotocol: subprotocol.map(Into::into),
            headers: None,
            own_headers: HeaderList::new(),
        }
    }

    pub(crate) fn headers_mut(&mut self) -> &mut HeaderMap {
        self.headers.get_or_insert_default()
    }

    /// The 101 for a hyper server; on a stream of HTTP/2 the 200 (RFC 8441 §5).
    pub(crate) fn response(&mut self) -> http::Response<Body> {
        let mut response = http::Response::new(Body::empty());
        if let Some(headers) = self.headers.take() {
            *response.headers_mut() = *headers;
        }
        self.own_headers.move_to(response.headers_mut());
        if let Some(accept) = &self.accept {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            if let Ok(accept) = HeaderValue::from_bytes(accept) {
                headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
            }
        }
        let headers = response.headers_mut();
        if let Some(Ok(subprotocol)) = self.subprotocol.as_deref().map(HeaderValue::from_str) {
            headers.insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
        }
        response
    }

    /// The 101 as bytes, for the engine's own front door.
    pub(crate) fn head(&self) -> Vec<u8> {
        let mut head = buffers::take();
        head.reserve(HEAD_BYTES);
        head.extend_from_slice(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ",
        );
        head.extend_from_slice(self.accept.as_ref().map_or(&[], |accept| accept));
        head.extend_from_slice(b"\r\n");
        if let Some(subprotocol) = &self.subprotocol {
            append_header(
                &mut head,
                &header::SEC_WEBSOCKET_PROTOCOL,
                subprotocol.as_bytes(),
            );
        }
        for (name, value) in self.headers.iter().flat_map(|headers| headers.iter()) {
            append_header(&mut head, name, value.as_bytes());
        }
        for (name, value) in self.own_headers.iter() {
            append_header(&mut head, name, value.as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

fn append_header(head: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    head.extend_from_slice(name.as_str().as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}
