//! A WebSocket handshake that was accepted, until its stream is there.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::websocket;
use crate::body::Body;
use crate::buffers;
use crate::proto::event::Input;
use crate::server::clock;
use crate::server::session::shared::Shared;
use crate::server::stream::Stream;
use crate::server::stream::form::FrameForm;
use crate::websocket::Decoder;

/// Enough for most heads.
const HEAD_BYTES: usize = 512;

/// What the WebSocket is for.
enum Purpose<D: Send + Sync + 'static> {
    /// A session that was opened on it.
    Session(Arc<Shared<D>>),
    /// A session that is to move to it.
    Candidate(Arc<Shared<D>>),
    /// Nothing: it is closed as soon as it is there (EIO4-UPG-10).
    Refused,
}

/// A handshake to be answered with 101. Dropped without its stream, it tells the session. Boxed from the beginning: it is
/// large, and passes through many hands.
pub(crate) struct Upgrade<D: Send + Sync + 'static> {
    /// None on a stream of HTTP/2, where no protocol is switched.
    accept: Option<[u8; 28]>,
    subprotocol: Option<Box<str>>,
    /// What hooks of the application add; most servers have none.
    headers: HeaderMap,
    /// What the engine adds by itself, in order. Two or three headers are not worth a map.
    own_headers: Vec<(HeaderName, HeaderValue)>,
    purpose: Purpose<D>,
    form: FrameForm,
    decoder: Decoder,
}

impl<D: Send + Sync + 'static> Upgrade<D> {
    pub(crate) fn new(
        accept: Option<[u8; 28]>,
        subprotocol: Option<&str>,
        form: FrameForm,
        decoder: Decoder,
    ) -> Box<Self> {
        Box::new(Self {
            accept,
            subprotocol: subprotocol.map(Into::into),
            headers: HeaderMap::new(),
            own_headers: Vec::new(),
            purpose: Purpose::Refused,
            form,
            decoder,
        })
    }

    pub(crate) fn for_session(mut self: Box<Self>, shared: Arc<Shared<D>>) -> Box<Self> {
        self.purpose = Purpose::Session(shared);
        self
    }

    pub(crate) fn for_candidate(mut self: Box<Self>, shared: Arc<Shared<D>>) -> Box<Self> {
        self.purpose = Purpose::Candidate(shared);
        self
    }

    pub(crate) fn headers_mut(&mut self) -> &mut HeaderMap {
        &mut self.headers
    }

    pub(crate) fn add_header(&mut self, name: HeaderName, value: HeaderValue) {
        self.own_headers.push((name, value));
    }

    /// The 101 for a hyper server; on a stream of HTTP/2 the 200 (RFC 8441 §5).
    pub(crate) fn response(&mut self) -> http::Response<Body> {
        let mut response = http::Response::new(Body::empty());
        *response.headers_mut() = std::mem::take(&mut self.headers);
        let headers = response.headers_mut();
        for (name, value) in std::mem::take(&mut self.own_headers) {
            headers.append(name, value);
        }
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
    fn head(&self) -> Vec<u8> {
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
        let own = self.own_headers.iter().map(|(name, value)| (name, value));
        for (name, value) in self.headers.iter().chain(own) {
            append_header(&mut head, name, value.as_bytes());
        }
        head.extend_from_slice(b"\r\n");
        head
    }

    /// Answers 101 on a stream of ours, together with what is queued, and runs the WebSocket.
    pub(crate) fn answer_and_run(
        self: Box<Self>,
        stream: Stream,
        rest: Vec<u8>,
    ) -> websocket::Task<D> {
        let head = self.head();
        self.start(stream, rest, Some(head))
    }

    /// Runs the WebSocket on a stream whose 101 was sent. `rest` is what arrived behind the handshake.
    pub(crate) fn run(self: Box<Self>, stream: Stream, rest: Vec<u8>) -> websocket::Task<D> {
        self.start(stream, rest, None)
    }

    fn start(
        mut self: Box<Self>,
        stream: Stream,
        rest: Vec<u8>,
        head: Option<Vec<u8>>,
    ) -> websocket::Task<D> {
        let form = std::mem::take(&mut self.form);
        let decoder = std::mem::replace(&mut self.decoder, Decoder::new(0));
        let purpose = std::mem::replace(&mut self.purpose, Purpose::Refused);
        drop(self);
        let (shared, is_candidate) = match purpose {
            Purpose::Session(shared) => (Some(shared), false),
            Purpose::Candidate(shared) => (Some(shared), true),
            Purpose::Refused => (None, true),
        };
        websocket::begin(shared, stream, head, rest, form, decoder, is_candidate)
    }
}

fn append_header(head: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    head.extend_from_slice(name.as_str().as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

impl<D: Send + Sync + 'static> Drop for Upgrade<D> {
    fn drop(&mut self) {
        match &self.purpose {
            Purpose::Session(shared) => {
                shared.handle(clock::now(), Input::WebSocketClosed);
            }
            Purpose::Candidate(shared) => {
                shared.handle(clock::now(), Input::CandidateGone);
            }
            Purpose::Refused => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::session::shared::Shared;

    #[test]
    fn an_idle_connection_costs_less_than_a_kibibyte() {
        fn size_of_output<F, T>(_: F) -> usize
        where
            F: FnOnce(Box<Upgrade<()>>, Stream, Vec<u8>) -> T,
        {
            size_of::<T>()
        }
        let task = size_of_output(|upgrade, stream, rest| upgrade.answer_and_run(stream, rest));
        let state = size_of::<Shared<()>>();
        assert!(task + state <= 1024, "task {task}, state {state}");
    }
}
