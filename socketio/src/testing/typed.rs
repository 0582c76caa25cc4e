//! Typed events and acknowledgements of a client in memory.

use engineio::{Payload, Protocol};
use serde::Serialize;
use serde_json::Value;

use super::refused::Refused;
use super::{Received, TestClient, unexpected};
use crate::codec::kind::PacketKind;
use crate::codec::packet::Packet;
use crate::codec::{Codec, Decoder, FromArgs, OwnedArgs, PacketLimits};

/// The typed level. It speaks for the namespace that was [connected](Self::connect) last.
impl TestClient {
    /// Joins a namespace with this `auth` payload, an object or `&()` for none; the id of the socket. The typed methods
    /// speak for this namespace from here on.
    ///
    /// # Panics
    ///
    /// When the server refuses; [`try_connect`](Self::try_connect) says with what.
    pub async fn connect<A: Serialize + ?Sized>(&mut self, namespace: &str, auth: &A) -> String {
        let joined = self.try_connect(namespace, auth).await;
        joined.unwrap_or_else(|refused| unexpected(&format!("to join {namespace}"), &refused))
    }

    /// Joins a namespace as [`connect`](Self::connect) does, which may be refused.
    ///
    /// # Errors
    ///
    /// What a client reads in `connect_error`.
    ///
    /// # Panics
    ///
    /// When the server answers neither way.
    pub async fn try_connect<A: Serialize + ?Sized>(
        &mut self,
        namespace: &str,
        auth: &A,
    ) -> Result<String, Refused> {
        let auth = arguments(auth);
        let auth = auth.as_raw().as_json().unwrap_or_default().to_owned();
        let answer = self.join_with(namespace, &auth).await;
        let reply = decode(&[Received::Packet(answer.clone())]).and_then(|packet| {
            let reply: Value = packet.args().deserialize().ok()?;
            Some((packet.kind(), reply))
        });
        let text = |reply: &Value, member: &str| Some(reply.get(member)?.as_str()?.to_owned());
        match &reply {
            Some((PacketKind::Connect, reply)) => {
                if let Some(sid) = text(reply, "sid") {
                    self.speak_for(namespace);
                    return Ok(sid);
                }
            }
            Some((PacketKind::ConnectError, reply)) => {
                if let Some(message) = text(reply, "message") {
                    let data = reply.get("data").cloned().unwrap_or_default();
                    return Err(Refused { message, data });
                }
            }
            _ => {}
        }
        unexpected(&format!("an answer to CONNECT of {namespace}"), &answer)
    }

    /// Has the typed methods speak for a namespace that was joined before.
    pub fn speak_for(&mut self, namespace: &str) {
        namespace.clone_into(&mut self.namespace);
    }

    /// Sends an event, its attachments included.
    pub async fn emit<A: Serialize + ?Sized>(&mut self, event: &str, args: &A) {
        self.send_packet(PacketKind::Event, None, Some(event), args)
            .await;
    }

    /// Sends an event and waits for its acknowledgement. What comes meanwhile is kept for later.
    ///
    /// # Panics
    ///
    /// When the connection ends first, or the answer is no `R`.
    pub async fn emit_with_ack<R: FromArgs>(
        &mut self,
        event: &str,
        args: &(impl Serialize + ?Sized),
    ) -> R {
        let id = self.next_id;
        self.next_id += 1;
        self.send_packet(PacketKind::Event, Some(id), Some(event), args)
            .await;
        loop {
            let first = self.read().await;
            if first == Received::Closed {
                unexpected(&format!("the acknowledgement of {event:?}"), &first);
            }
            let mut whole = vec![first];
            let mut decoded = decode(&whole);
            while decoded.is_none() {
                whole.push(self.read().await);
                decoded = decode(&whole);
            }
            match decoded {
                Some(packet) if self.is_answer(&packet, id) => {
                    return read_args(&packet, &format!("the acknowledgement of {event:?}"));
                }
                _ => self.kept.extend(whole),
            }
        }
    }

    /// The next packet must be this event; its arguments.
    ///
    /// # Panics
    ///
    /// When something else comes, or the arguments are no `T`.
    pub async fn expect_event<T: FromArgs>(&mut self, event: &str) -> T {
        let expected = format!("the event {event:?} in {}", self.namespace);
        let mut whole = vec![self.next().await];
        let packet = loop {
            match decode(&whole) {
                Some(packet) => break packet,
                None => whole.push(self.next().await),
            }
        };
        let is_expected = packet.kind() == PacketKind::Event
            && packet.namespace() == self.namespace
            && packet.name() == Some(event);
        if !is_expected {
            unexpected(&expected, &whole);
        }
        self.asked = packet.id();
        read_args(&packet, &expected)
    }

    /// Acknowledges the event that was last expected.
    ///
    /// # Panics
    ///
    /// When it asked for no acknowledgement.
    pub async fn answer<A: Serialize + ?Sized>(&mut self, args: &A) {
        let Some(id) = self.asked.take() else {
            unexpected("an event that asks for an acknowledgement", &"none")
        };
        self.send_packet(PacketKind::Ack, Some(id), None, args)
            .await;
    }

    fn is_answer(&self, packet: &Packet<'_>, id: u64) -> bool {
        packet.kind() == PacketKind::Ack
            && packet.namespace() == self.namespace
            && packet.id() == Some(id)
    }

    async fn send_packet<A: Serialize + ?Sized>(
        &mut self,
        kind: PacketKind,
        id: Option<u64>,
        event: Option<&str>,
        args: &A,
    ) {
        let args = arguments(args);
        let raw = args.as_raw();
        let attachments = raw.attachments();
        let plain_type = if kind == PacketKind::Ack { 3 } else { 2 };
        let mut text = match attachments.len() {
            0 => format!("4{plain_type}"),
            count => format!("4{}{count}-", plain_type + 3),
        };
        if self.namespace != "/" {
            text.push_str(&self.namespace);
            text.push(',');
        }
        text.extend(id.map(|id| id.to_string()));
        let event = event.map(|event| Value::from(event).to_string());
        let values = raw.as_json().filter(|values| !values.is_empty());
        let elements: Vec<&str> = event.as_deref().into_iter().chain(values).collect();
        text.push_str(&format!("[{}]", elements.join(",")));
        self.send(&text).await;
        for attachment in attachments {
            self.send_attachment(attachment).await;
        }
    }
}

fn arguments<A: Serialize + ?Sized>(args: &A) -> OwnedArgs {
    OwnedArgs::new(args)
        .unwrap_or_else(|error| unexpected("arguments that can be serialized", &error))
}

fn read_args<T: FromArgs>(packet: &Packet<'_>, expected: &str) -> T {
    T::from_args(packet.args()).unwrap_or_else(|error| {
        let args = packet.args();
        let found = args.as_json().unwrap_or_default();
        unexpected(&format!("{expected} with other arguments: {error}"), &found)
    })
}

/// The packet that was received; `None` while attachments are missing.
fn decode(received: &[Received]) -> Option<Packet<'static>> {
    let mut decoder = Decoder::default();
    let mut packet = None;
    for part in received {
        let payload = match part {
            Received::Packet(text) => match text.strip_prefix('4') {
                Some(text) => Payload::Text(text),
                None => unexpected("a packet of Socket.IO", part),
            },
            Received::Attachment(data) => Payload::Binary(data),
            Received::Closed => unexpected("a packet", part),
        };
        let decoded = decoder.decode(
            &Codec::json(),
            payload,
            Protocol::V4,
            &PacketLimits::default(),
        );
        packet = match decoded {
            Ok(decoded) => decoded.map(Packet::into_owned),
            Err(error) => unexpected(&format!("a packet, not one with {error}"), part),
        };
    }
    packet
}
