//! SIO5-MP: protocol 5 with the msgpack parser.

use crate::case::{Area, Profile};
use crate::client::msgpack::Packed;
use crate::client::{Link, Transport};
use crate::context::Context;
use crate::failure::{Failure, Verdict, ensure};

/// A socket whose packets are msgpack.
struct Socket {
    link: Link,
}

impl Socket {
    async fn send(&mut self, packet: &Packed) -> Verdict {
        self.link.send_binary(&packet.encode()).await
    }

    async fn next(&mut self) -> Verdict<Packed> {
        Packed::decode(&self.link.next_binary().await?)
    }

    /// The next packet has this type, namespace and data, and no id unless one is expected.
    async fn is(&mut self, kind: i64, namespace: &str, data: &Packed, id: Option<i64>) -> Verdict {
        let came = self.next().await?;
        let is_it = came.get("type") == Some(&Packed::Int(kind))
            && came.get("nsp") == Some(&Packed::text(namespace))
            && came.get("data") == Some(data)
            && came.get("id").cloned() == id.map(Packed::Int);
        ensure(
            is_it,
            format_args!("type {kind}, nsp {namespace}, id {id:?}, data {data:?}"),
            format_args!("{came:?}"),
        )
    }
}

fn event(items: Vec<Packed>) -> Packed {
    Packed::map([
        ("type", Packed::Int(2)),
        ("nsp", Packed::text("/")),
        ("data", Packed::List(items)),
    ])
}

fn connect(namespace: &str) -> Packed {
    Packed::map([("type", Packed::Int(0)), ("nsp", Packed::text(namespace))])
}

/// A socket that has joined `/` and been greeted.
async fn joined(c: &Context, transport: Transport) -> Verdict<Socket> {
    let mut socket = Socket { link: c.link(transport).await? };
    socket.send(&connect("/")).await?;
    sid(&socket.next().await?, "/")?;
    let greeting = Packed::List(vec![Packed::text("auth"), Packed::Map(Vec::new())]);
    socket.is(2, "/", &greeting, None).await?;
    Ok(socket)
}

/// The id in a CONNECT reply.
fn sid(packet: &Packed, namespace: &str) -> Verdict<String> {
    let is_reply = packet.get("type") == Some(&Packed::Int(0))
        && packet.get("nsp") == Some(&Packed::text(namespace));
    match packet.get("data").and_then(|data| data.get("sid")) {
        Some(Packed::Text(sid)) if is_reply => Ok(sid.clone()),
        _ => Err(Failure::unmet("a CONNECT reply with a sid", format_args!("{packet:?}"))),
    }
}

async fn is_echoed(socket: &mut Socket, value: Packed) -> Verdict {
    socket.send(&event(vec![Packed::text("message"), value.clone()])).await?;
    let back = Packed::List(vec![Packed::text("message-back"), value]);
    socket.is(2, "/", &back, None).await
}

pub(super) fn cases() -> Area {
    let mut area = Area::new("sio5_msgpack", Profile::SocketMsgpack);
    area.both("SIO5-MP-01 SIO5-CON-03", "a packet is one binary message holding one map", |c, transport| async move {
        joined(&c, transport).await?;
        Ok(())
    });
    area.must("SIO5-MP-04", "on polling it is b and base64", |c| async move {
        let mut session = c.polling().await?;
        session.send("bgqR0eXBlAKNuc3ChLw==").await?;
        let packet = session.next("a CONNECT reply").await?;
        ensure(packet.starts_with('b'), "b and base64", packet)
    });
    for (what, value) in [
        ("text", Packed::text("é€😀")),
        ("a long text", Packed::text(&"x".repeat(1000))),
        ("small numbers", Packed::List(vec![Packed::Int(0), Packed::Int(127), Packed::Int(-1), Packed::Int(-32)])),
        ("larger numbers", Packed::List(vec![Packed::Int(128), Packed::Int(65_535), Packed::Int(65_536), Packed::Int(-33), Packed::Int(-40_000)])),
        ("a fraction", Packed::Float(1.5)),
        ("booleans and nil", Packed::List(vec![Packed::Bool(true), Packed::Bool(false), Packed::Nil])),
        ("a map", Packed::map([("a", Packed::List(vec![Packed::Map(Vec::new())])), ("__proto__x", Packed::Int(1))])),
        ("binary", Packed::Bytes(vec![1, 2, 3])),
        ("binary within", Packed::map([("b", Packed::List(vec![Packed::Bytes(vec![0; 300])]))])),
        ("what looks like a placeholder", Packed::map([("_placeholder", Packed::Bool(true)), ("num", Packed::Int(0))])),
    ] {
        let name = format!("{what} comes back");
        area.both("SIO5-MP-01 SIO5-MP-05", &name, move |c, transport| {
            let value = value.clone();
            async move { is_echoed(&mut joined(&c, transport).await?, value).await }
        });
    }
    area.must("SIO5-MP-06", "extension type 0 is binary", |c| async move {
        let mut socket = joined(&c, Transport::WebSocket).await?;
        let value = Packed::Extension(0, vec![5, 6, 7]);
        socket.send(&event(vec![Packed::text("message"), value])).await?;
        let came = socket.next().await?;
        let Some(Packed::List(items)) = came.get("data") else {
            return Err(Failure::unmet("an event", format_args!("{came:?}")));
        };
        // Either form of binary is binary.
        let is_bytes = |value: &Packed| {
            matches!(value, Packed::Bytes(bytes) | Packed::Extension(0, bytes) if bytes == &[5, 6, 7])
        };
        ensure(items.get(1).is_some_and(is_bytes), "the bytes 05 06 07", format_args!("{came:?}"))
    });
    area.must("SIO5-MP-06", "undefined and dates are taken", |c| async move {
        let mut socket = joined(&c, Transport::WebSocket).await?;
        let date = [0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0];
        for value in [Packed::Extension(0, vec![0]), Packed::Extension(0, date.to_vec())] {
            // The fixed forms: d4 and d7.
            let mut packet = event(vec![Packed::text("nobody")]).encode();
            let Packed::Extension(_, data) = &value else { continue };
            let at = packet.len() - b"\xa6nobody".len() - 1;
            packet[at] = 0x92;
            packet.push(if data.len() == 1 { 0xd4 } else { 0xd7 });
            packet.push(0);
            packet.extend_from_slice(data);
            socket.link.send_binary(&packet).await?;
        }
        is_echoed(&mut socket, Packed::Int(1)).await
    });
    area.both("SIO5-MP-02 SIO5-ACK-01", "an ack has the event's id", |c, transport| async move {
        let mut socket = joined(&c, transport).await?;
        let packet = Packed::map([
            ("type", Packed::Int(2)),
            ("nsp", Packed::text("/")),
            ("id", Packed::Int(5)),
            ("data", Packed::List(vec![Packed::text("message-with-ack"), Packed::Bytes(vec![1])])),
        ]);
        socket.send(&packet).await?;
        socket.is(3, "/", &Packed::List(vec![Packed::Bytes(vec![1])]), Some(5)).await
    });
    area.must("SIO5-MP-02 SIO5-ACK-02", "the server's question is answered", |c| async move {
        let mut socket = joined(&c, Transport::WebSocket).await?;
        socket.send(&event(vec![Packed::text("emit-with-ack"), Packed::Int(1)])).await?;
        let asked = socket.next().await?;
        let id = asked.get("id").cloned().ok_or_else(|| Failure::unmet("an id", format_args!("{asked:?}")))?;
        let answer = Packed::map([
            ("type", Packed::Int(3)),
            ("nsp", Packed::text("/")),
            ("id", id),
            ("data", Packed::List(vec![Packed::text("yes")])),
        ]);
        socket.send(&answer).await?;
        let back = Packed::List(vec![Packed::text("emit-with-ack"), Packed::text("yes")]);
        socket.is(2, "/", &back, None).await
    });
    area.must("SIO5-MP-01", "members come in any order and unknown ones are ignored", |c| async move {
        let mut socket = joined(&c, Transport::WebSocket).await?;
        let packet = Packed::map([
            ("data", Packed::List(vec![Packed::text("message"), Packed::Int(1)])),
            ("extra", Packed::Nil),
            ("nsp", Packed::text("/")),
            ("type", Packed::Int(2)),
        ]);
        socket.send(&packet).await?;
        let back = Packed::List(vec![Packed::text("message-back"), Packed::Int(1)]);
        socket.is(2, "/", &back, None).await
    });
    area.must("SIO5-MP-02 SIO5-CON-02", "CONNECT may carry a map", |c| async move {
        let mut socket = Socket { link: c.link(Transport::WebSocket).await? };
        let auth = Packed::map([("token", Packed::text("123"))]);
        let packet = Packed::map([("type", Packed::Int(0)), ("nsp", Packed::text("/custom")), ("data", auth.clone())]);
        socket.send(&packet).await?;
        sid(&socket.next().await?, "/custom")?;
        socket.is(2, "/custom", &Packed::List(vec![Packed::text("auth"), auth]), None).await
    });
    area.must("SIO5-MP-07 SIO5-CON-04", "an unknown namespace is refused", |c| async move {
        let mut socket = joined(&c, Transport::WebSocket).await?;
        socket.send(&connect("/nope")).await?;
        let refusal = Packed::map([("message", Packed::text("Invalid namespace"))]);
        socket.is(4, "/nope", &refusal, None).await?;
        is_echoed(&mut socket, Packed::Int(1)).await
    });
    area.must("SIO5-MP-02 SIO5-DIS-01", "a namespace may be left and joined again", |c| async move {
        let mut socket = joined(&c, Transport::WebSocket).await?;
        socket.send(&Packed::map([("type", Packed::Int(1)), ("nsp", Packed::text("/"))])).await?;
        c.settle().await;
        socket.send(&connect("/")).await?;
        sid(&socket.next().await?, "/")?;
        Ok(())
    });
    for (what, data) in [
        ("a reserved name", vec![Packed::text("connect")]),
        ("an object for a name", vec![Packed::Map(Vec::new())]),
        ("no name at all", vec![]),
        ("nobody's name", vec![Packed::text("nobody")]),
    ] {
        let name = format!("the event's name is not checked: {what}");
        area.must("SIO5-MP-03", &name, move |c| {
            let data = data.clone();
            async move {
                let mut socket = joined(&c, Transport::WebSocket).await?;
                socket.send(&event(data)).await?;
                is_echoed(&mut socket, Packed::Int(1)).await
            }
        });
    }
    invalid(&mut area);
    area
}

fn invalid(area: &mut Area) {
    let root = || ("nsp", Packed::text("/"));
    let bad: Vec<(&str, Packed)> = vec![
        ("type 5", Packed::map([("type", Packed::Int(5)), root(), ("data", Packed::List(vec![Packed::text("x")]))])),
        ("type 6", Packed::map([("type", Packed::Int(6)), root(), ("data", Packed::List(vec![]))])),
        ("type -1", Packed::map([("type", Packed::Int(-1)), root()])),
        ("a type that is text", Packed::map([("type", Packed::text("2")), root(), ("data", Packed::List(vec![Packed::text("x")]))])),
        ("no type", Packed::map([root()])),
        ("no namespace", Packed::map([("type", Packed::Int(2)), ("data", Packed::List(vec![Packed::text("x")]))])),
        ("a namespace that is a number", Packed::map([("type", Packed::Int(2)), ("nsp", Packed::Int(1)), ("data", Packed::List(vec![]))])),
        ("an event without data", Packed::map([("type", Packed::Int(2)), root()])),
        ("an event whose data is a map", Packed::map([("type", Packed::Int(2)), root(), ("data", Packed::Map(Vec::new()))])),
        ("an event whose data is nil", Packed::map([("type", Packed::Int(2)), root(), ("data", Packed::Nil)])),
        ("an id that is text", Packed::map([("type", Packed::Int(2)), root(), ("id", Packed::text("1")), ("data", Packed::List(vec![Packed::text("x")]))])),
        ("an id that is a fraction", Packed::map([("type", Packed::Int(2)), root(), ("id", Packed::Float(1.5)), ("data", Packed::List(vec![Packed::text("x")]))])),
        ("a disconnect with data", Packed::map([("type", Packed::Int(1)), root(), ("data", Packed::List(vec![]))])),
        ("an ack without data", Packed::map([("type", Packed::Int(3)), root(), ("id", Packed::Int(0))])),
        ("a CONNECT whose data is a number", Packed::map([("type", Packed::Int(0)), ("nsp", Packed::text("/custom")), ("data", Packed::Int(1))])),
        ("a list", Packed::List(vec![Packed::Int(2)])),
        ("a number", Packed::Int(2)),
        ("nil", Packed::Nil),
    ];
    for (what, packet) in bad {
        let name = format!("{what} is no packet and ends the connection");
        area.must("SIO5-MP-02 SIO5-INV-01", &name, move |c| {
            let packet = packet.clone();
            async move {
                let mut socket = joined(&c, Transport::WebSocket).await?;
                socket.send(&packet).await?;
                socket.link.is_ended().await
            }
        }).hostile();
    }
    for (what, bytes) in [
        ("trailing bytes", [&connect("/custom").encode()[..], &[0]].concat()),
        ("a cut packet", connect("/custom").encode()[..8].to_vec()),
        ("no bytes", Vec::new()),
        ("a reserved byte", vec![0xc1]),
        ("a length beyond the data", vec![0xdf, 0xff, 0xff, 0xff, 0xff]),
        ("a text beyond the data", vec![0xdb, 0xff, 0xff, 0xff, 0xff, b'a']),
        ("very deep lists", vec![0x91; 100_000]),
    ] {
        let name = format!("{what} ends the connection");
        area.must("SIO5-MP-04 SIO5-INV-01", &name, move |c| {
            let bytes = bytes.clone();
            async move {
                let mut socket = joined(&c, Transport::WebSocket).await?;
                match &mut socket.link {
                    Link::WebSocket(ws) => ws.send_binary(bytes).await?,
                    Link::Polling(_) => {}
                }
                socket.link.is_ended().await
            }
        }).hostile();
    }
    area.both("SIO5-MP-04", "text ends the connection", |c, transport| async move {
        let mut socket = joined(&c, transport).await?;
        socket.link.send(r#"42["message",1]"#).await?;
        socket.link.is_ended().await
    });
}
