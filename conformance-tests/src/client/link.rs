//! A session on either transport, for cases that hold on both.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use super::packet::is_same_packet;
use super::polling::Polling;
use super::websocket::{Incoming, WebSocket};
use crate::failure::{Failure, Verdict, ensure};
use crate::trace::shown;

/// How a session is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Polling,
    WebSocket,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Polling => "polling",
            Self::WebSocket => "WebSocket",
        })
    }
}

/// A session of protocol 4 on either transport.
#[derive(Debug)]
pub(crate) enum Link {
    Polling(Polling),
    WebSocket(WebSocket),
}

/// How packets name a namespace: not at all for `/`, else with a comma.
fn prefix(namespace: &str) -> String {
    match namespace {
        "/" => String::new(),
        other => format!("{other},"),
    }
}

/// The id in a CONNECT reply, and the reply's data.
pub(crate) fn sid_of(reply: &str, namespace: &str) -> Verdict<(String, Value)> {
    let expected = format!("40{}", prefix(namespace));
    let data: Option<Value> = reply
        .strip_prefix(&expected)
        .and_then(|data| serde_json::from_str(data).ok());
    let sid = data.as_ref().and_then(|data| data.get("sid")?.as_str());
    match sid {
        Some(sid) => Ok((sid.to_owned(), data.clone().unwrap_or_default())),
        None => Err(Failure::unmet(
            format_args!("{expected}{{\"sid\":…}}"),
            reply,
        )),
    }
}

impl Link {
    /// Sends one text packet.
    pub(crate) async fn send(&mut self, packet: &str) -> Verdict {
        match self {
            Self::Polling(session) => session.send(packet).await,
            Self::WebSocket(ws) => ws.send(packet.to_owned()).await,
        }
    }

    /// Sends a binary message.
    pub(crate) async fn send_binary(&mut self, bytes: &[u8]) -> Verdict {
        match self {
            Self::Polling(session) => session.send(&format!("b{}", BASE64.encode(bytes))).await,
            Self::WebSocket(ws) => ws.send_binary(bytes.to_vec()).await,
        }
    }

    /// The next text packet.
    pub(crate) async fn next(&mut self, expected: &str) -> Verdict<String> {
        match self {
            Self::Polling(session) => session.next(expected).await,
            Self::WebSocket(ws) => ws.text(expected).await,
        }
    }

    /// The next packet is exactly this.
    pub(crate) async fn is(&mut self, expected: &str) -> Verdict {
        match self {
            Self::Polling(session) => session.is(expected).await,
            Self::WebSocket(ws) => ws.is(expected).await,
        }
    }

    /// The next packet is this Socket.IO packet, its JSON compared as JSON.
    pub(crate) async fn is_packet(&mut self, expected: &str) -> Verdict {
        let came = self.next(expected).await?;
        ensure(
            is_same_packet(&came, expected),
            format_args!("packet {expected}"),
            shown(came.as_bytes()),
        )
    }

    /// Sends CONNECT and gives the socket's id from the reply.
    pub(crate) async fn join(&mut self, namespace: &str, auth: &str) -> Verdict<String> {
        Ok(self.join_reply(namespace, auth).await?.0)
    }

    /// Sends CONNECT and gives the socket's id and the reply's whole data.
    pub(crate) async fn join_reply(
        &mut self,
        namespace: &str,
        auth: &str,
    ) -> Verdict<(String, Value)> {
        let name = prefix(namespace);
        self.send(&format!("40{name}{auth}")).await?;
        let reply = self.next("a CONNECT reply").await?;
        sid_of(&reply, namespace)
    }

    /// The next packet is a binary message with these bytes.
    pub(crate) async fn is_binary(&mut self, bytes: &[u8]) -> Verdict {
        let came = self.next_binary().await?;
        ensure(
            came == bytes,
            format_args!("binary message {}", shown(bytes)),
            shown(&came),
        )
    }

    /// The next packet is a binary message, returned.
    pub(crate) async fn next_binary(&mut self) -> Verdict<Vec<u8>> {
        match self {
            Self::Polling(session) => {
                let packet = session.next("a binary message").await?;
                packet
                    .strip_prefix('b')
                    .and_then(|text| BASE64.decode(text).ok())
                    .ok_or_else(|| Failure::unmet("b and base64", packet))
            }
            Self::WebSocket(ws) => match ws.next_message("a binary message").await? {
                Incoming::Binary(bytes) => Ok(bytes.to_vec()),
                other => Err(Failure::unmet(
                    "a binary message",
                    format_args!("{other:?}"),
                )),
            },
        }
    }

    /// The server ends the session, whatever the transport's way is, and says nothing else before.
    pub(crate) async fn is_ended(&mut self) -> Verdict {
        match self {
            Self::WebSocket(ws) => ws.ends().await,
            Self::Polling(session) => loop {
                let response = session.get().await?;
                match (response.status, response.text().as_str()) {
                    (200, "1" | "6\u{1e}1") => return session.is_gone().await,
                    (200, "6") => {}
                    (200, "2") => session.send("3").await?,
                    (400, _) => return Ok(()),
                    _ => return Err(Failure::unmet("the session's end", response.shown())),
                }
            },
        }
    }

    /// Nothing comes for a while and the session stays open.
    pub(crate) async fn is_silent(&mut self, time: Duration) -> Verdict {
        match self {
            Self::WebSocket(ws) => ws.is_silent(time).await,
            Self::Polling(session) => {
                let mut poll = session.start_poll().await?;
                poll.wire.is_silent(time).await
            }
        }
    }
}
