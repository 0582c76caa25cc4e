//! A WebSocket whose session another node has: answered here, and its bytes passed on.

use std::time::Duration;

use http::HeaderMap;
use tokio::io::AsyncWriteExt as _;

use super::switch::Switch;
use crate::body::Body;
use crate::buffers;
use crate::server::nodes::pass_on::NodeStream;
use crate::server::nodes::pump::pump;
use crate::server::stream::Stream;

/// A handshake that the other node has accepted. Boxed from the beginning, as an upgrade is.
pub(crate) struct Tunnel {
    switch: Switch,
    node: NodeStream,
    write_timeout: Duration,
}

impl Tunnel {
    /// `headers` are those that the other node has answered with.
    pub(crate) fn new(
        accept: Option<[u8; 28]>,
        headers: HeaderMap,
        node: NodeStream,
        write_timeout: Duration,
    ) -> Box<Self> {
        let mut switch = Switch::new(accept, None);
        *switch.headers_mut() = headers;
        Box::new(Self {
            switch,
            node,
            write_timeout,
        })
    }

    /// The answer for a hyper server.
    pub(crate) fn response(&mut self) -> http::Response<Body> {
        self.switch.response()
    }

    /// Answers on a stream of ours, and carries bytes until the WebSocket ends.
    pub(crate) async fn answer_and_run(self: Box<Self>, mut stream: Stream, read: Vec<u8>) {
        let head = self.switch.head();
        let written = tokio::time::timeout(self.write_timeout, async {
            stream.write_all(&head).await?;
            stream.flush().await
        });
        let is_answered = matches!(written.await, Ok(Ok(())));
        buffers::give_back(head);
        if is_answered {
            self.run(stream, read).await;
        }
    }

    /// Carries bytes on a stream that was answered.
    pub(crate) async fn run(self: Box<Self>, stream: Stream, read: Vec<u8>) {
        let NodeStream { io, place } = self.node;
        pump(stream, read, io, self.write_timeout).await;
        drop(place);
    }
}
