//! What a case is given: the server's address and the ways to talk to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::client::http::{Request, Response};
use crate::client::websocket::{KEY, WebSocket};
use crate::client::{Link, Polling, Target, Transport, Wire};
use crate::failure::{Failure, Verdict, ensure};
use crate::trace::Trace;

/// How long a case waits for an answer that should come at once.
const PATIENCE: Duration = Duration::from_secs(3);

/// Time given to the server to notice what was sent on another connection.
///
/// Nothing on the wire tells that a poll has been parked, so this is the one thing the suite has to guess.
const SETTLING: Duration = Duration::from_millis(40);

/// One case's view of the server. Clones share the trace and the numbering of connections.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    target: Target,
    trace: Trace,
    connections: Arc<AtomicU32>,
    patience: Duration,
    /// The other nodes of the server's cluster.
    others: Arc<[Target]>,
}

/// The server's open packet.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) sid: String,
    /// The JSON text as it came.
    pub(crate) text: String,
    value: Value,
}

impl Open {
    /// Reads `0{…}`.
    pub(crate) fn parse(packet: &str) -> Verdict<Self> {
        let text = packet
            .strip_prefix('0')
            .ok_or_else(|| Failure::unmet("an open packet", packet))?;
        let value: Value = serde_json::from_str(text)
            .map_err(|_| Failure::unmet("an open packet with JSON", packet))?;
        let sid = value
            .get("sid")
            .and_then(Value::as_str)
            .ok_or_else(|| Failure::unmet("an open packet with a sid", packet))?;
        Ok(Self {
            sid: sid.to_owned(),
            text: text.to_owned(),
            value,
        })
    }

    /// A member is this.
    pub(crate) fn is(&self, name: &str, expected: &Value) -> Verdict {
        ensure(
            self.value.get(name) == Some(expected),
            format_args!("{name} to be {expected}"),
            &self.text,
        )
    }
}

impl Context {
    pub(crate) fn new(target: Target, trace: Trace) -> Self {
        Self {
            target,
            trace,
            connections: Arc::default(),
            patience: PATIENCE,
            others: Arc::default(),
        }
    }

    /// The same case, with these other nodes of the cluster.
    pub(crate) fn beside(self, others: Arc<[Target]>) -> Self {
        Self { others, ..self }
    }

    /// The same case at each node with each other one, in either order.
    pub(crate) fn pairs(&self) -> Vec<[Self; 2]> {
        let nodes: Vec<&Target> = std::iter::once(&self.target).chain(&*self.others).collect();
        let at = |target: &Target| Self {
            target: target.clone(),
            ..self.clone()
        };
        let pairs = nodes.iter().enumerate().flat_map(|(number, from)| {
            let others = nodes
                .iter()
                .enumerate()
                .filter(move |(other, _)| *other != number);
            others.map(move |(_, to)| [at(from), at(to)])
        });
        pairs.collect()
    }

    /// How long each answer is waited for.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// The same case, waiting longer or shorter for each answer.
    pub(crate) fn patient(&self, patience: Duration) -> Self {
        Self {
            patience,
            ..self.clone()
        }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// A connection without a word on it.
    pub(crate) async fn wire(&self) -> Verdict<Wire> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed) + 1;
        Wire::connect(&self.target, self.trace.clone(), number, self.patience).await
    }

    /// Sends a request on a connection of its own and leaves the answer to the caller.
    pub(crate) async fn start(&self, request: &Request) -> Verdict<Wire> {
        let mut wire = self.wire().await?;
        wire.send(&request.bytes(&self.target)).await?;
        Ok(wire)
    }

    /// One request and its answer.
    pub(crate) async fn request(&self, request: Request) -> Verdict<Response> {
        let mut wire = self.start(&request).await?;
        Response::read(&mut wire, request.method()).await
    }

    /// One GET at the server's path.
    pub(crate) async fn get(&self, query: &str) -> Verdict<Response> {
        self.request(Request::get(query)).await
    }

    /// One POST at the server's path, as `text/plain`.
    pub(crate) async fn post(&self, query: &str, body: &str) -> Verdict<Response> {
        self.request(Request::post(query, body.to_owned())).await
    }

    /// An answer to an upgrade request, whatever it is, with the connection it came on.
    pub(crate) async fn upgrade(&self, request: Request) -> Verdict<(Response, Wire)> {
        let mut wire = self.start(&request).await?;
        let response = Response::read(&mut wire, request.method()).await?;
        Ok((response, wire))
    }

    /// The answer to an upgrade request that is to be refused.
    pub(crate) async fn refused(&self, query: &str) -> Verdict<Response> {
        let (response, _) = self.upgrade(Self::upgrade_request(query)).await?;
        ensure(response.status != 101, "a refusal", response.shown())?;
        Ok(response)
    }

    /// A WebSocket, before anything was read from it.
    pub(crate) async fn websocket(&self, query: &str) -> Verdict<WebSocket> {
        self.websocket_by(Self::upgrade_request(query)).await
    }

    /// A WebSocket by a request of the case's own.
    pub(crate) async fn websocket_by(&self, request: Request) -> Verdict<WebSocket> {
        let (response, wire) = self.upgrade(request).await?;
        response.is_status(101)?;
        Ok(WebSocket::new(wire, response))
    }

    /// A correct WebSocket handshake at the server's path.
    pub(crate) fn upgrade_request(query: &str) -> Request {
        Request::get(query)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", KEY)
    }

    /// A session on polling, protocol 4.
    pub(crate) async fn polling(&self) -> Verdict<Polling> {
        Polling::open(self, "EIO=4&transport=polling").await
    }

    /// A session on polling, protocol 3, base64 for binary.
    pub(crate) async fn polling3(&self) -> Verdict<Polling> {
        Polling::open(self, "EIO=3&transport=polling&b64=1").await
    }

    /// A session born on WebSocket, protocol 4, its open packet read.
    pub(crate) async fn ws(&self) -> Verdict<WebSocket> {
        Ok(self.ws_open("EIO=4&transport=websocket").await?.0)
    }

    /// A session born on WebSocket, protocol 3, its open packet read.
    pub(crate) async fn ws3(&self) -> Verdict<WebSocket> {
        Ok(self.ws_open("EIO=3&transport=websocket").await?.0)
    }

    /// A session born on WebSocket and its open packet.
    pub(crate) async fn ws_open(&self, query: &str) -> Verdict<(WebSocket, Open)> {
        let mut ws = self.websocket(query).await?;
        let open = Open::parse(&ws.text("an open packet").await?)?;
        Ok((ws, open))
    }

    /// A session, protocol 4, on the given transport.
    pub(crate) async fn link(&self, transport: Transport) -> Verdict<Link> {
        match transport {
            Transport::Polling => self.polling().await.map(Link::Polling),
            Transport::WebSocket => self.ws().await.map(Link::WebSocket),
        }
    }

    /// A session, protocol 3, on the given transport.
    pub(crate) async fn link3(&self, transport: Transport) -> Verdict<Link> {
        match transport {
            Transport::Polling => self.polling3().await.map(Link::Polling),
            Transport::WebSocket => self.ws3().await.map(Link::WebSocket),
        }
    }

    /// A session that has joined `/`, and nothing else read.
    pub(crate) async fn socket(&self, transport: Transport) -> Verdict<Link> {
        Ok(self.joined(transport, "/", "").await?.0)
    }

    /// A session that has joined a namespace with this auth payload, and the socket's id.
    pub(crate) async fn joined(
        &self,
        transport: Transport,
        namespace: &str,
        auth: &str,
    ) -> Verdict<(Link, String)> {
        let mut link = self.link(transport).await?;
        let sid = link.join(namespace, auth).await?;
        Ok((link, sid))
    }

    /// Gives the server a moment to notice what was sent.
    pub(crate) async fn settle(&self) {
        tokio::time::sleep(SETTLING).await;
    }

    /// Waits because the rule is about time.
    pub(crate) async fn wait(&self, millis: u64) {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}
