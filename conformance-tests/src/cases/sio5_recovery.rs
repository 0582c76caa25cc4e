//! SIO5-CSR: connection state recovery. On the fixture every socket joins the room `r`.

use serde_json::Value;

use crate::case::{Area, Profile};
use crate::client::websocket::{CLOSE, Frame};
use crate::client::{Link, Transport};
use crate::context::Context;
use crate::failure::{Failure, Verdict, ensure};

/// A socket that may come back.
struct Session {
    link: Link,
    sid: String,
    pid: String,
}

async fn opened(c: &Context, auth: &str) -> Verdict<Session> {
    let mut link = c.link(Transport::WebSocket).await?;
    let (sid, data) = link.join_reply("/", auth).await?;
    let pid = pid_of(&data)?;
    Ok(Session { link, sid, pid })
}

fn pid_of(reply: &Value) -> Verdict<String> {
    match reply.get("pid").and_then(Value::as_str) {
        Some(pid) => Ok(pid.to_owned()),
        None => Err(Failure::unmet("a pid in the CONNECT reply", reply)),
    }
}

/// The data of an event of this many values, and the offset behind it.
fn with_offset(packet: &str, head: &str, count: usize) -> Verdict<(Vec<Value>, String)> {
    let bad = || Failure::unmet(format_args!("{head}[…] with an offset"), packet);
    let data = packet.strip_prefix(head).ok_or_else(bad)?;
    let mut data: Vec<Value> = serde_json::from_str(data).map_err(|_| bad())?;
    let offset = data.pop().and_then(|last| last.as_str().map(str::to_owned)).ok_or_else(bad)?;
    ensure(data.len() == count, format_args!("{count} values and an offset"), packet)?;
    Ok((data, offset))
}

/// An event of the case's own, and its offset.
async fn offset(session: &mut Session) -> Verdict<String> {
    session.link.send(r#"42["message","mark"]"#).await?;
    loop {
        let packet = session.link.next("the echo").await?;
        // Other cases speak to the room that all are in.
        if !packet.starts_with(r#"42["room","#) {
            return Ok(with_offset(&packet, "42", 2)?.1);
        }
    }
}

/// Cuts the connection as a lost network does.
async fn cut(c: &Context, link: Link) {
    if let Link::WebSocket(ws) = link {
        ws.wire.reset();
    }
    c.settle().await;
}

/// A private message for a socket that is away or not, from another one.
async fn say(c: &Context, room: &str, text: &str) -> Verdict {
    let mut other = opened(c, "").await?;
    other.link.send(&format!(r#"42["to","{room}","{text}"]"#)).await?;
    offset(&mut other).await?;
    Ok(())
}

/// The packets that come before the CONNECT reply, and the reply's data.
async fn replayed(link: &mut Link, auth: &str) -> Verdict<(Vec<String>, Value)> {
    link.send(&format!("40{auth}")).await?;
    let mut before = Vec::new();
    loop {
        let packet = link.next("a CONNECT reply").await?;
        match packet.strip_prefix("40") {
            Some(data) => {
                let data = serde_json::from_str(data)
                    .map_err(|_| Failure::unmet("a CONNECT reply", &packet))?;
                return Ok((before, data));
            }
            None => before.push(packet),
        }
    }
}

pub(super) fn cases() -> Area {
    let mut area = Area::new("sio5_recovery", Profile::Matrix);
    area.on_matrix(4);
    offsets(&mut area);
    coming_back(&mut area);
    not_coming_back(&mut area);
    area
}

fn offsets(area: &mut Area) {
    area.must("SIO5-CSR-01 SIO5-CON-03", "the reply has a pid of its own", |c| async move {
        let session = opened(&c, "").await?;
        ensure(session.pid != session.sid && !session.pid.is_empty(), "another id", session.pid)
    });
    area.must("SIO5-CSR-02", "an event has one argument more, and no two are the same", |c| async move {
        let mut session = opened(&c, "").await?;
        let one = offset(&mut session).await?;
        let two = offset(&mut session).await?;
        ensure(one != two, "two offsets", one)
    });
    area.must("SIO5-CSR-02", "an event that asks for an ack has none", |c| async move {
        let mut session = opened(&c, "").await?;
        session.link.send(r#"42["ask",1]"#).await?;
        let packet = session.link.next("ask").await?;
        ensure(packet.ends_with(r#"["ask",1]"#), "no offset", packet)
    });
    area.must("SIO5-CSR-02", "an ack has none", |c| async move {
        let mut session = opened(&c, "").await?;
        session.link.send(r#"421["message-with-ack",1]"#).await?;
        session.link.is_packet("431[1]").await
    });
    area.must("SIO5-CSR-02 SIO5-BIN-01", "in a binary event it is part of the JSON", |c| async move {
        let mut session = opened(&c, "").await?;
        session.link.send(r#"42["bin"]"#).await?;
        let packet = session.link.next("bin").await?;
        with_offset(&packet, "452-", 3)?;
        session.link.is_binary(&[1, 2, 3]).await?;
        session.link.is_binary(&[4]).await
    });
}

fn coming_back(area: &mut Area) {
    area.must("SIO5-CSR-04 SIO5-CSR-03 SIO5-CSR-08", "what was missed comes before the reply, which repeats both ids", |c| async move {
        let mut session = opened(&c, "").await?;
        let last = offset(&mut session).await?;
        cut(&c, session.link).await;
        say(&c, &session.sid, "one").await?;
        say(&c, &session.sid, "two").await?;
        let mut link = c.link(Transport::WebSocket).await?;
        let auth = format!(r#"{{"pid":"{}","offset":"{last}"}}"#, session.pid);
        let (missed, reply) = replayed(&mut link, &auth).await?;
        // Other cases speak to the room `r` meanwhile; what was said to this socket is ours.
        let is_ours = |packet: &&String| packet.contains(r#""one""#) || packet.contains(r#""two""#);
        let ours: Vec<&String> = missed.iter().filter(is_ours).collect();
        ensure(ours.len() == 2, "two missed events", format_args!("{missed:?}"))?;
        ensure(with_offset(ours[0], "42", 2)?.0[1] == "one", "one first", ours[0])?;
        ensure(with_offset(ours[1], "42", 2)?.0[1] == "two", "then two", ours[1])?;
        ensure(
            reply["sid"] == session.sid.as_str() && reply["pid"] == session.pid.as_str(),
            "the old sid and pid",
            reply,
        )
    });
    area.must("SIO5-CSR-04", "a recovered socket goes on", |c| async move {
        let mut session = opened(&c, "").await?;
        let last = offset(&mut session).await?;
        cut(&c, session.link).await;
        let mut link = c.link(Transport::WebSocket).await?;
        let auth = format!(r#"{{"pid":"{}","offset":"{last}"}}"#, session.pid);
        let (_, reply) = replayed(&mut link, &auth).await?;
        ensure(reply["sid"] == session.sid.as_str(), "the old sid", reply)?;
        let mut again = Session { link, sid: session.sid, pid: session.pid };
        offset(&mut again).await?;
        say(&c, &again.sid, "here").await?;
        loop {
            let packet = again.link.next("a message to the old id").await?;
            if packet.starts_with(r#"42["room","here","#) {
                return Ok(());
            }
        }
    });
    area.must("SIO5-CSR-06", "what was said to others is not replayed", |c| async move {
        let mut session = opened(&c, "").await?;
        let mut other = opened(&c, "").await?;
        let last = offset(&mut session).await?;
        cut(&c, session.link).await;
        say(&c, &other.sid, "secret").await?;
        while !other.link.next("the message").await?.contains("secret") {}
        let mut link = c.link(Transport::WebSocket).await?;
        let auth = format!(r#"{{"pid":"{}","offset":"{last}"}}"#, session.pid);
        let (missed, _) = replayed(&mut link, &auth).await?;
        ensure(
            !missed.iter().any(|packet| packet.contains("secret")),
            "nothing that was said to others",
            format_args!("{missed:?}"),
        )
    });
    area.must("SIO5-CSR-06 SIO5-CSR-04", "what was said to the socket's room is replayed", |c| async move {
        let mut session = opened(&c, "").await?;
        let last = offset(&mut session).await?;
        let mark = format!("to-r-{}", session.sid);
        cut(&c, session.link).await;
        say(&c, "r", &mark).await?;
        let mut link = c.link(Transport::WebSocket).await?;
        let auth = format!(r#"{{"pid":"{}","offset":"{last}"}}"#, session.pid);
        let (missed, _) = replayed(&mut link, &auth).await?;
        ensure(
            missed.iter().any(|packet| packet.contains(&mark)),
            "what was said to the room",
            format_args!("{missed:?}"),
        )
    });
}

fn not_coming_back(area: &mut Area) {
    for (what, auth) in [
        ("an unknown pid", r#"{"pid":"unknown","offset":"OFFSET"}"#),
        ("an unknown offset", r#"{"pid":"PID","offset":"unknown"}"#),
        ("no offset", r#"{"pid":"PID"}"#),
        ("an offset that is no string", r#"{"pid":"PID","offset":1}"#),
        ("a pid that is no string", r#"{"pid":["PID"],"offset":"OFFSET"}"#),
    ] {
        let name = format!("with {what} a new socket with new ids is opened");
        area.must("SIO5-CSR-07 SIO5-CSR-03", &name, move |c| async move {
            let mut session = opened(&c, "").await?;
            let last = offset(&mut session).await?;
            cut(&c, session.link).await;
            let auth = auth.replace("PID", &session.pid).replace("OFFSET", &last);
            let again = opened(&c, &auth).await?;
            ensure(again.sid != session.sid && again.pid != session.pid, "new ids", again.sid)
        });
    }
    area.must("SIO5-CSR-08 SIO5-DIS-01", "a socket that has left does not come back", |c| async move {
        let mut session = opened(&c, "").await?;
        let last = offset(&mut session).await?;
        session.link.send("41").await?;
        c.settle().await;
        cut(&c, session.link).await;
        let auth = format!(r#"{{"pid":"{}","offset":"{last}"}}"#, session.pid);
        let again = opened(&c, &auth).await?;
        ensure(again.sid != session.sid, "a new id", again.sid)
    });
    area.must("SIO5-CSR-08", "a socket whose WebSocket was closed in order comes back", |c| async move {
        let mut session = opened(&c, "").await?;
        let last = offset(&mut session).await?;
        if let Link::WebSocket(ws) = &mut session.link {
            ws.send_frame(Frame::new(CLOSE, "")).await?;
            ws.ends().await?;
        }
        drop(session.link);
        c.settle().await;
        let mut link = c.link(Transport::WebSocket).await?;
        let auth = format!(r#"{{"pid":"{}","offset":"{last}"}}"#, session.pid);
        let (_, reply) = replayed(&mut link, &auth).await?;
        ensure(reply["sid"] == session.sid.as_str(), "the old id", reply)
    });
    area.should("SIO5-CSR-11", "a session comes back once", |c| async move {
        let mut session = opened(&c, "").await?;
        let last = offset(&mut session).await?;
        cut(&c, session.link).await;
        let auth = format!(r#"{{"pid":"{}","offset":"{last}"}}"#, session.pid);
        let mut link = c.link(Transport::WebSocket).await?;
        replayed(&mut link, &auth).await?;
        link.send("41").await?;
        c.settle().await;
        let mut link = c.link(Transport::WebSocket).await?;
        let (_, reply) = replayed(&mut link, &auth).await?;
        ensure(reply["sid"] != session.sid.as_str(), "a new id", reply)
    });
}
