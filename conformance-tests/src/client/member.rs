//! A client of a namespace as applications see it: events and acknowledgements, whichever comes first.

use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::sid_of;
use super::websocket::{Incoming, WebSocket};
use crate::context::Context;
use crate::failure::{Failure, Verdict, ensure};

/// Time given to the nodes to hear of each other, before it is looked again.
const PAUSE: Duration = Duration::from_millis(50);

/// An event that came.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Heard {
    pub(crate) event: String,
    /// With placeholders where it has bytes.
    pub(crate) args: Vec<Value>,
    pub(crate) attachments: Vec<Vec<u8>>,
    /// Of the acknowledgement that is wanted.
    id: Option<u64>,
}

/// A packet of Socket.IO, in its parts.
struct Packet {
    kind: u8,
    id: Option<u64>,
    data: Value,
    attachments: Vec<Vec<u8>>,
}

/// A client of one namespace, on a WebSocket.
#[derive(Debug)]
pub(crate) struct Member {
    ws: WebSocket,
    nsp: String,
    pub(crate) sid: String,
    last_id: u64,
    patience: Duration,
    heard: VecDeque<Heard>,
}

impl Member {
    /// Joins a namespace other than `/` with this auth payload, and this behind the query of the handshake.
    pub(crate) async fn join(c: &Context, nsp: &str, auth: &Value, query: &str) -> Verdict<Self> {
        let (mut ws, _) = c
            .ws_open(&format!("EIO=4&transport=websocket{query}"))
            .await?;
        ws.send(format!("40{nsp},{auth}")).await?;
        let reply = ws.text("a CONNECT reply").await?;
        let (sid, _) = sid_of(&reply, nsp)?;
        Ok(Self {
            ws,
            nsp: nsp.to_owned(),
            sid,
            last_id: 0,
            patience: c.patience(),
            heard: VecDeque::new(),
        })
    }

    /// Sends an event that is to be acknowledged, and gives the id of that.
    pub(crate) async fn ask(&mut self, args: &Value) -> Verdict<u64> {
        self.last_id += 1;
        let (nsp, id) = (&self.nsp, self.last_id);
        self.ws.send(format!("42{nsp},{id}{args}")).await?;
        Ok(id)
    }

    /// The first argument of an acknowledgement, or null; what comes before it is kept.
    pub(crate) async fn answer(&mut self, id: u64) -> Verdict<Value> {
        loop {
            let packet = self.receive("an acknowledgement").await?;
            match packet {
                Packet {
                    kind: b'3' | b'6',
                    id: Some(of),
                    data,
                    ..
                } if of == id => {
                    return Ok(data.get(0).cloned().unwrap_or_default());
                }
                other => self.keep(other)?,
            }
        }
    }

    /// Sends an event and waits for its acknowledgement's first argument.
    pub(crate) async fn call(&mut self, args: Value) -> Verdict<Value> {
        let id = self.ask(&args).await?;
        self.answer(id).await.map_err(|failure| failure.at(args))
    }

    /// The same with bytes, for which the arguments have placeholders.
    pub(crate) async fn call_with_bytes(&mut self, args: &Value, bytes: &[u8]) -> Verdict<Value> {
        self.last_id += 1;
        let (nsp, id) = (&self.nsp, self.last_id);
        self.ws.send(format!("451-{nsp},{id}{args}")).await?;
        self.ws.send_binary(bytes.to_vec()).await?;
        self.answer(id).await
    }

    /// The next event of that name.
    pub(crate) async fn hear(&mut self, event: &str) -> Verdict<Heard> {
        loop {
            if let Some(heard) = self.take(event) {
                return Ok(heard);
            }
            let packet = self.receive(event).await?;
            self.keep(packet)?;
        }
    }

    /// An event of that name that was heard.
    fn take(&mut self, event: &str) -> Option<Heard> {
        let at = self.heard.iter().position(|heard| heard.event == event)?;
        self.heard.remove(at)
    }

    /// The first arguments of so many events of that name.
    pub(crate) async fn hear_all(&mut self, event: &str, count: usize) -> Verdict<Vec<Value>> {
        let mut all = Vec::new();
        while all.len() < count {
            let heard = self.hear(event).await.map_err(|failure| {
                failure.at(format_args!("behind {}", Value::Array(all.clone())))
            })?;
            all.push(heard.args.first().cloned().unwrap_or_default());
        }
        Ok(all)
    }

    /// No event of that name has come beyond what was heard.
    pub(crate) async fn has_heard_all(&mut self, event: &str) -> Verdict {
        // Its own server answers behind whatever it has sent before.
        self.call(json!(["me"])).await?;
        match self.take(event) {
            None => Ok(()),
            Some(heard) => Err(Failure::unmet(
                "nothing else",
                format_args!("{:?}", heard.args),
            )),
        }
    }

    /// Acknowledges an event.
    pub(crate) async fn reply(&mut self, heard: &Heard, args: &Value) -> Verdict {
        let id = heard.id.map(|id| id.to_string()).unwrap_or_default();
        ensure(
            !id.is_empty(),
            "an event that wants an acknowledgement",
            &heard.event,
        )?;
        self.ws.send(format!("43{},{id}{args}", self.nsp)).await
    }

    /// Asks until the answer is right.
    pub(crate) async fn call_until(&mut self, args: Value, expected: &Value) -> Verdict {
        let end = Instant::now() + self.patience;
        loop {
            let came = self.call(args.clone()).await?;
            if came == *expected {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(Failure::unmet(format_args!("{expected} of {args}"), came));
            }
            sleep(PAUSE).await;
        }
    }

    /// Joins a room, and waits until what `teller` says to it arrives: that a server is told of a room may come behind joining it.
    pub(crate) async fn enter(&mut self, room: &str, teller: &mut Self) -> Verdict {
        self.call(json!(["join", room])).await?;
        let end = Instant::now() + self.patience;
        let said = json!(["tell", {"rooms": [room], "from": "socket"}, "entered"]);
        loop {
            teller.call(said.clone()).await?;
            // Its own server answers behind whatever it has sent before.
            self.call(json!(["me"])).await?;
            if self.take("entered").is_some() {
                return Ok(());
            }
            if Instant::now() > end {
                let expected = format!("what is said to {room}");
                return Err(Failure::silent(
                    expected,
                    format_args!("{:?}", self.patience),
                ));
            }
            sleep(PAUSE).await;
        }
    }

    /// The server takes the client out of the namespace.
    pub(crate) async fn is_put_out(&mut self) -> Verdict {
        loop {
            let packet = self.receive("a DISCONNECT").await?;
            if packet.kind == b'1' {
                return Ok(());
            }
            self.keep(packet)?;
        }
    }

    /// The server ends the connection, whatever it says before.
    pub(crate) async fn is_cut_off(&mut self) -> Verdict {
        loop {
            match self.ws.next_message("the connection's end").await? {
                Incoming::Close(_) | Incoming::End => return Ok(()),
                _ => {}
            }
        }
    }

    fn keep(&mut self, packet: Packet) -> Verdict {
        let Packet {
            kind: b'2' | b'5',
            id,
            data: Value::Array(mut args),
            attachments,
        } = packet
        else {
            return match packet.kind {
                // Of a question that nobody waits for any more.
                b'3' | b'6' => Ok(()),
                kind => Err(Failure::unmet(
                    "an event",
                    format_args!("a packet of type {}", char::from(kind)),
                )),
            };
        };
        let event = match args.is_empty() {
            true => Value::Null,
            false => args.remove(0),
        };
        let event = event.as_str().unwrap_or_default().to_owned();
        self.heard.push_back(Heard {
            event,
            args,
            attachments,
            id,
        });
        Ok(())
    }

    async fn receive(&mut self, expected: &str) -> Verdict<Packet> {
        let text = self.ws.text(expected).await?;
        let (mut packet, count) =
            parse(&text, &self.nsp).ok_or_else(|| Failure::unmet(expected, &text))?;
        for _ in 0..count {
            match self.ws.next_message("an attachment").await? {
                Incoming::Binary(bytes) => packet.attachments.push(bytes.to_vec()),
                other => return Err(Failure::unmet("an attachment", format_args!("{other:?}"))),
            }
        }
        Ok(packet)
    }
}

/// A packet of this namespace, and how many attachments follow.
fn parse(text: &str, nsp: &str) -> Option<(Packet, usize)> {
    let rest = text.strip_prefix('4')?;
    let (kind, rest) = (*rest.as_bytes().first()?, rest.get(1..)?);
    let (count, rest) = match kind {
        b'5' | b'6' => rest.split_once('-')?,
        _ => ("0", rest),
    };
    let rest = rest.strip_prefix(nsp)?.trim_start_matches(',');
    let data = rest.find('[').unwrap_or(rest.len());
    let (id, data) = rest.split_at(data);
    let packet = Packet {
        kind,
        id: id.parse().ok(),
        data: serde_json::from_str(data).unwrap_or_default(),
        attachments: Vec::new(),
    };
    Some((packet, count.parse().ok()?))
}
