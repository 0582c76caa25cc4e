//! A session on HTTP long-polling.

use std::collections::VecDeque;

use bytes::Bytes;

use super::eio3;
use super::http::{Request, Response};
use super::websocket::WebSocket;
use super::wire::Wire;
use crate::context::{Context, Open};
use crate::failure::{Failure, Verdict, ensure};
use crate::trace::shown;

/// What separates the packets of a payload in protocol 4.
const SEPARATOR: char = '\u{1e}';

/// A session on polling; each request goes over a connection of its own.
#[derive(Debug)]
pub(crate) struct Polling {
    context: Context,
    /// The query of every request after the handshake.
    pub(crate) query: String,
    pub(crate) open: Open,
    is_eio3: bool,
    /// Packets of an answer that the case has not asked for yet.
    inbox: VecDeque<String>,
}

/// A poll that the server holds.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) wire: Wire,
}

impl Pending {
    pub(crate) async fn response(&mut self) -> Verdict<Response> {
        Response::read(&mut self.wire, "GET").await
    }

    /// The poll is answered with exactly this body.
    pub(crate) async fn is(&mut self, body: &str) -> Verdict {
        self.response().await?.is_status(200)?.is_body(body)?;
        Ok(())
    }
}

impl Polling {
    /// Shakes hands with this query.
    pub(crate) async fn open(context: &Context, query: &str) -> Verdict<Self> {
        let response = context.get(query).await?;
        Self::opened(context, query, &response)
    }

    /// The session that a handshake's answer opened.
    pub(crate) fn opened(context: &Context, query: &str, response: &Response) -> Verdict<Self> {
        response.is_status(200)?;
        let is_eio3 = query.contains("EIO=3&");
        let first = packets(response, is_eio3)?.into_iter().next();
        let open = Open::parse(&first.unwrap_or_default())?;
        Ok(Self {
            context: context.clone(),
            query: format!("{query}&sid={}", open.sid),
            open,
            is_eio3,
            inbox: VecDeque::new(),
        })
    }

    pub(crate) fn sid(&self) -> &str {
        &self.open.sid
    }

    /// A POST with this body, as it is.
    pub(crate) async fn post(&self, body: impl Into<Bytes>) -> Verdict<Response> {
        self.context
            .request(Request::post(self.query.as_str(), body))
            .await
    }

    /// A GET and its answer, as it is.
    pub(crate) async fn get(&self) -> Verdict<Response> {
        self.context.get(&self.query).await
    }

    /// Starts a GET and gives the server time to park it.
    pub(crate) async fn start_poll(&self) -> Verdict<Pending> {
        let wire = self
            .context
            .start(&Request::get(self.query.as_str()))
            .await?;
        self.context.settle().await;
        Ok(Pending { wire })
    }

    /// Starts a POST whose body is announced and not yet sent.
    pub(crate) async fn start_post(&self, length: usize) -> Verdict<Wire> {
        let mut wire = self.context.wire().await?;
        let request = Request::post(self.query.as_str(), Bytes::new());
        let head = request
            .head(self.context.target())
            .replace("Content-Length: 0", &format!("Content-Length: {length}"));
        wire.send(head.as_bytes()).await?;
        self.context.settle().await;
        Ok(wire)
    }

    /// Sends one packet. What the answer says is a rule of its own, with its own cases; here it is enough that it was taken.
    pub(crate) async fn send(&self, packet: &str) -> Verdict {
        let body = match self.is_eio3 {
            true => eio3::encode(&[packet]),
            false => packet.to_owned(),
        };
        self.post(body).await?.is_status(200)?;
        Ok(())
    }

    /// Sends several packets in one payload.
    pub(crate) async fn send_all(&self, packets: &[&str]) -> Verdict {
        let body = match self.is_eio3 {
            true => eio3::encode(packets),
            false => packets.join("\u{1e}"),
        };
        self.post(body).await?.is_status(200)?;
        Ok(())
    }

    /// The next packet, polling when none is left of the last answer; pings of protocol 4 are answered on the way.
    pub(crate) async fn next(&mut self, expected: &str) -> Verdict<String> {
        loop {
            match self.inbox.pop_front() {
                Some(ping) if ping == "2" && expected != "2" && !self.is_eio3 => {
                    self.send("3").await?;
                }
                Some(packet) => return Ok(packet),
                None => {
                    let response = self.get().await?;
                    response.is_status(200)?;
                    self.inbox.extend(packets(&response, self.is_eio3)?);
                }
            }
        }
    }

    /// The next packet is this one.
    pub(crate) async fn is(&mut self, expected: &str) -> Verdict {
        let came = self.next(expected).await?;
        ensure(
            came == expected,
            format_args!("packet {}", shown(expected.as_bytes())),
            shown(came.as_bytes()),
        )
    }

    /// The next answer holds exactly these packets.
    pub(crate) async fn is_batch(&self, expected: &[&str]) -> Verdict {
        let response = self.get().await?;
        response.is_status(200)?;
        is_packets(&packets(&response, self.is_eio3)?, expected)
    }

    /// The server no longer knows the session, in whatever words.
    pub(crate) async fn is_gone(&self) -> Verdict {
        self.get().await?.is_status(400)?;
        Ok(())
    }

    /// The session still carries a message both ways.
    pub(crate) async fn is_alive(&mut self) -> Verdict {
        self.send("4alive?").await?;
        self.is("4alive?").await
    }

    /// The query of an upgrade request for this session.
    pub(crate) fn upgrade_query(&self) -> String {
        self.query
            .replace("transport=polling", "transport=websocket")
    }

    /// A candidate for an upgrade, before its probe.
    pub(crate) async fn candidate(&self) -> Verdict<WebSocket> {
        self.context.websocket(&self.upgrade_query()).await
    }

    /// A candidate whose probe was answered.
    pub(crate) async fn probed(&self) -> Verdict<WebSocket> {
        let mut ws = self.candidate().await?;
        ws.send("2probe").await?;
        ws.is("3probe").await?;
        Ok(ws)
    }

    /// The whole upgrade, as a well-behaved client does it.
    pub(crate) async fn upgraded(&self) -> Verdict<WebSocket> {
        let mut poll = self.start_poll().await?;
        let mut ws = self.probed().await?;
        let noop = if self.is_eio3 { "1:6" } else { "6" };
        poll.is(noop).await?;
        ws.send("5").await?;
        Ok(ws)
    }
}

/// The packets of a polling answer.
pub(crate) fn packets(response: &Response, is_eio3: bool) -> Verdict<Vec<String>> {
    if is_eio3 {
        return eio3::decode(&response.text());
    }
    let text = std::str::from_utf8(&response.body)
        .map_err(|_| Failure::unmet("a payload in UTF-8", response.shown()))?;
    Ok(text.split(SEPARATOR).map(str::to_owned).collect())
}

fn is_packets(came: &[String], expected: &[&str]) -> Verdict {
    ensure(
        came == expected,
        format_args!("packets {expected:?}"),
        format_args!("{came:?}"),
    )
}
