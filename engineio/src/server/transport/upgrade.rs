//! A WebSocket handshake that was accepted, until its stream is there.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::switch::Switch;
use super::websocket;
use crate::body::Body;
use crate::proto::event::Input;
use crate::server::clock;
use crate::server::session::shared::Shared;
use crate::server::stream::Stream;
use crate::server::stream::form::FrameForm;
use crate::websocket::Decoder;

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
    switch: Switch,
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
            switch: Switch::new(accept, subprotocol),
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
        self.switch.headers_mut()
    }

    pub(crate) fn add_header(&mut self, name: HeaderName, value: HeaderValue) {
        self.switch.own_headers.push(name, value);
    }

    /// The answer for a hyper server.
    pub(crate) fn response(&mut self) -> http::Response<Body> {
        self.switch.response()
    }

    /// Answers 101 on a stream of ours, together with what is queued, and runs the WebSocket.
    pub(crate) fn answer_and_run(
        self: Box<Self>,
        stream: Stream,
        rest: Vec<u8>,
    ) -> websocket::Task<D> {
        let head = self.switch.head();
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
    fn an_idle_connection_costs_little() {
        fn size_of_output<F, T>(_: F) -> usize
        where
            F: FnOnce(Box<Upgrade<()>>, Stream, Vec<u8>) -> T,
        {
            size_of::<T>()
        }
        let task = size_of_output(|upgrade, stream, rest| upgrade.answer_and_run(stream, rest));
        let state = size_of::<Shared<()>>();
        assert!(task + state <= 536, "task {task}, state {state}");
    }
}
