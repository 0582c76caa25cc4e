//! SIO5-EVT, SIO5-ACK and SIO5-BIN: events, acknowledgements and attachments.

use serde_json::{Value, json};

use crate::case::{Area, Profile};
use crate::client::websocket::{BINARY, Frame, TEXT};
use crate::client::{Link, Transport};
use crate::context::Context;
use crate::failure::{Failure, Verdict, ensure};

pub(super) fn cases() -> Area {
    let mut area = Area::new("sio5_event", Profile::Matrix);
    events(&mut area);
    acks(&mut area);
    binary(&mut area);
    bad_binary(&mut area);
    area.on(Profile::Socket);
    socket(&mut area);
    area
}

/// The socket still answers.
async fn is_alive(link: &mut Link) -> Verdict {
    link.send(r#"42["message","alive?"]"#).await?;
    link.is_packet(r#"42["message-back","alive?"]"#).await
}

/// The id in `42<id>["name",…]`.
fn asked_id(packet: &str, name: &str) -> Verdict<u64> {
    let bad = || Failure::unmet(format_args!("{name} with an id"), packet);
    let (head, data) = packet.split_at(packet.find('[').ok_or_else(bad)?);
    let data: Value = serde_json::from_str(data).map_err(|_| bad())?;
    ensure(data.get(0) == Some(&json!(name)), name, packet)?;
    head.strip_prefix("42").and_then(|id| id.parse().ok()).ok_or_else(bad)
}

fn events(area: &mut Area) {
    for arguments in ["", ",1", r#",1,"2",{"a":[]},null,true"#, ",[[]]", r#","",0"#] {
        let name = format!("an event's arguments come back: [{arguments}]");
        area.both("SIO5-EVT-01", &name, move |c, transport| async move {
            for (namespace, prefix) in [("/", ""), ("/custom", "/custom,"), ("/dyn-7", "/dyn-7,")] {
                let (mut link, _) = c.joined(transport, namespace, "").await?;
                link.send(&format!(r#"42{prefix}["message"{arguments}]"#)).await?;
                link.is_packet(&format!(r#"42{prefix}["message-back"{arguments}]"#)).await?;
            }
            Ok(())
        });
    }
    area.both("SRV-ORD-01 SRV-ORD-02 SIO5-EVT-01", "five hundred events come back in order", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        match &mut link {
            Link::WebSocket(ws) => {
                let frames: Vec<Frame> =
                    (0..500).map(|n| Frame::new(TEXT, format!(r#"42["message",{n}]"#))).collect();
                ws.send_together(&frames).await?;
            }
            Link::Polling(session) => {
                let packets: Vec<String> = (0..500).map(|n| format!(r#"42["message",{n}]"#)).collect();
                session.send_all(&packets.iter().map(String::as_str).collect::<Vec<_>>()).await?;
            }
        }
        for n in 0..500 {
            link.is_packet(&format!(r#"42["message-back",{n}]"#)).await?;
        }
        Ok(())
    });
    area.both("SIO5-EVT-03", "an event that middleware refuses is not answered and those after it are", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send(r#"421["forbidden"]"#).await?;
        link.send(r#"42["forbidden"]"#).await?;
        is_alive(&mut link).await
    });
    area.both("SRV-ORD-01", "a burst of the server's arrives in order", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send(r#"42["burst",300]"#).await?;
        for n in 0..300 {
            link.is_packet(&format!(r#"42["n",{n}]"#)).await?;
        }
        Ok(())
    });
    area.must("SRV-ORD-01", "order holds across namespaces", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.join("/custom", "").await?;
        for n in 0..50 {
            link.send(&format!(r#"42["message",{n}]"#)).await?;
            link.send(&format!(r#"42/custom,["message",{n}]"#)).await?;
        }
        for n in 0..50 {
            link.is_packet(&format!(r#"42["message-back",{n}]"#)).await?;
            link.is_packet(&format!(r#"42/custom,["message-back",{n}]"#)).await?;
        }
        Ok(())
    });
    area.must("SRV-ORD-01 EIO4-UPG-05", "order holds across the upgrade", |c| async move {
        let Link::Polling(mut session) = c.socket(Transport::Polling).await? else { return Ok(()) };
        session.send(r#"42["message",0]"#).await?;
        session.is(r#"42["message-back",0]"#).await?;
        let mut ws = session.probed().await?;
        session.send(r#"42["burst",200]"#).await?;
        c.settle().await;
        ws.send("5").await?;
        ws.send(r#"42["message","after"]"#).await?;
        for n in 0..200 {
            ws.is(&format!(r#"42["n",{n}]"#)).await?;
        }
        ws.is(r#"42["message-back","after"]"#).await
    });
    area.must("SRV-ORD-01 SIO5-BIN-01", "a packet may be split by the upgrade", |c| async move {
        let Link::Polling(session) = c.socket(Transport::Polling).await? else { return Ok(()) };
        let mut ws = session.probed().await?;
        session.send(r#"451-["message",{"_placeholder":true,"num":0}]"#).await?;
        ws.send("5").await?;
        ws.send_binary(vec![1, 2, 3]).await?;
        let came = ws.text("the event").await?;
        ensure(came.starts_with("451-"), "the event back", &came)?;
        ws.is_binary(&[1, 2, 3]).await
    });
}

fn acks(area: &mut Area) {
    for arguments in ["", "1", r#"1,"2",{"a":[]}"#, "null", "[]", "[1,2]"] {
        let name = format!("an ack carries its arguments: [{arguments}]");
        area.both("SIO5-ACK-01 SIO5-EVT-01", &name, move |c, transport| async move {
            let comma = if arguments.is_empty() { "" } else { "," };
            let mut link = c.socket(transport).await?;
            link.send(&format!(r#"421["message-with-ack"{comma}{arguments}]"#)).await?;
            link.is_packet(&format!("431[{arguments}]")).await?;
            let (mut link, _) = c.joined(transport, "/custom", "").await?;
            link.send(&format!(r#"42/custom,12["message-with-ack"{comma}{arguments}]"#)).await?;
            link.is_packet(&format!("43/custom,12[{arguments}]")).await
        });
    }
    area.both("SIO5-ACK-01 SIO5-BIN-01", "binary arguments make it a binary ack", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send(r#"452-9["message-with-ack",{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":1}}]"#).await?;
        link.send_binary(&[1, 2]).await?;
        link.send_binary(&[3]).await?;
        link.is_packet(r#"462-9[{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":1}}]"#).await?;
        link.is_binary(&[1, 2]).await?;
        link.is_binary(&[3]).await
    });
    area.must("SIO5-ACK-01", "the same id may be used again and is answered again", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        for n in 0..3 {
            link.send(&format!(r#"425["message-with-ack",{n}]"#)).await?;
            link.is_packet(&format!("435[{n}]")).await?;
        }
        Ok(())
    });
    area.both("SIO5-ACK-02", "the server asks with an id and gets the answer", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send(r#"42["ask",1,"x"]"#).await?;
        let id = asked_id(&link.next("ask").await?, "ask")?;
        link.send(&format!(r#"43{id}["yes",2]"#)).await?;
        link.is_packet(r#"42["answer","yes",2]"#).await
    });
    area.must("SIO5-ACK-06", "200 questions asked in one go are all answered", |c| async move {
        const QUESTIONS: usize = 200;
        let Link::WebSocket(mut ws) = c.socket(Transport::WebSocket).await? else { return Ok(()) };
        let filling = "x".repeat(1000);
        let asked: Vec<Frame> = (0..QUESTIONS)
            .map(|n| Frame::new(TEXT, format!(r#"42["ask",{n},"{filling}"]"#)))
            .collect();
        ws.send_together(&asked).await?;
        let mut answers = 0;
        while answers < QUESTIONS {
            let packet = ws.text("a question or an answer").await?;
            if packet.starts_with(r#"42["answer","#) {
                answers += 1;
                continue;
            }
            let id = asked_id(&packet, "ask")?;
            ws.send(format!("43{id}[{answers}]")).await?;
        }
        Ok(())
    }).without_polling();
    area.must("SIO5-ACK-02", "the namespace's sockets share one counter", |c| async move {
        let mut one = c.socket(Transport::WebSocket).await?;
        let mut two = c.socket(Transport::WebSocket).await?;
        let mut ids = Vec::new();
        for _ in 0..2 {
            for link in [&mut one, &mut two] {
                link.send(r#"42["ask"]"#).await?;
                ids.push(asked_id(&link.next("ask").await?, "ask")?);
            }
        }
        ensure(ids.windows(2).all(|pair| pair[0] < pair[1]), "rising ids", format_args!("{ids:?}"))
    });
    area.must("SIO5-ACK-02 SIO5-ACK-01", "answers may come in another order", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send(r#"42["ask",1]"#).await?;
        link.send(r#"42["ask",2]"#).await?;
        let first = asked_id(&link.next("ask").await?, "ask")?;
        let second = asked_id(&link.next("ask").await?, "ask")?;
        link.send(&format!(r#"43{second}["second"]"#)).await?;
        link.is_packet(r#"42["answer","second"]"#).await?;
        link.send(&format!(r#"43{first}["first"]"#)).await?;
        link.is_packet(r#"42["answer","first"]"#).await
    });
    area.both("SIO5-ACK-02 SIO5-BIN-02", "an answer may be binary", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send(r#"42["ask"]"#).await?;
        let id = asked_id(&link.next("ask").await?, "ask")?;
        link.send(&format!(r#"461-{id}[{{"_placeholder":true,"num":0}}]"#)).await?;
        link.send_binary(&[7, 8]).await?;
        link.is_packet(r#"451-["answer",{"_placeholder":true,"num":0}]"#).await?;
        link.is_binary(&[7, 8]).await
    });
    area.must("SIO5-ACK-05", "an answer without JSON has no arguments", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send(r#"42["ask"]"#).await?;
        let id = asked_id(&link.next("ask").await?, "ask")?;
        link.send(&format!("43{id}")).await?;
        link.is_packet(r#"42["answer"]"#).await
    });
    for packet in ["43[1]", "43987654321[1]", "43", "430", "43/,5[]", r#"461-987654["x"]"#] {
        let name = format!("an answer nobody asked for is ignored: {packet}");
        area.must("SIO5-ACK-03", &name, move |c| async move {
            let mut link = c.socket(Transport::WebSocket).await?;
            link.send(packet).await?;
            if packet.starts_with("46") {
                link.send_binary(&[1]).await?;
            }
            is_alive(&mut link).await
        });
    }
    area.must("SIO5-ACK-03", "a second answer is ignored", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send(r#"42["ask"]"#).await?;
        let id = asked_id(&link.next("ask").await?, "ask")?;
        link.send(&format!("43{id}[1]")).await?;
        link.send(&format!("43{id}[2]")).await?;
        link.is_packet(r#"42["answer",1]"#).await?;
        is_alive(&mut link).await
    });
    area.must("SIO5-ACK-03 SRV-ROOM-02", "an answer from another socket is not taken for the asked one's", |c| async move {
        let mut one = c.socket(Transport::WebSocket).await?;
        let mut two = c.socket(Transport::WebSocket).await?;
        one.send(r#"42["ask"]"#).await?;
        let id = asked_id(&one.next("ask").await?, "ask")?;
        two.send(&format!(r#"43{id}["forged"]"#)).await?;
        is_alive(&mut two).await?;
        one.send(&format!(r#"43{id}["true"]"#)).await?;
        one.is_packet(r#"42["answer","true"]"#).await
    });
}

fn binary(area: &mut Area) {
    area.both("SIO5-BIN-01", "what the server emits is numbered depth first and followed by its attachments", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send(r#"42["bin"]"#).await?;
        link.is_packet(r#"452-["bin",{"_placeholder":true,"num":0},{"b":{"_placeholder":true,"num":1}}]"#).await?;
        link.is_binary(&[1, 2, 3]).await?;
        link.is_binary(&[4]).await
    });
    area.both("SIO5-BIN-02 SIO5-BIN-01", "numbers may come in any order and are set right", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send(r#"452-["message",{"_placeholder":true,"num":1},{"a":{"_placeholder":true,"num":0}}]"#).await?;
        link.send_binary(&[1]).await?;
        link.send_binary(&[2]).await?;
        link.is_packet(r#"452-["message-back",{"_placeholder":true,"num":0},{"a":{"_placeholder":true,"num":1}}]"#).await?;
        link.is_binary(&[2]).await?;
        link.is_binary(&[1]).await
    });
    area.must("SIO5-BIN-02", "a number may repeat", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send(r#"451-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]"#).await?;
        link.send_binary(&[9]).await?;
        link.is_packet(r#"452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#).await?;
        link.is_binary(&[9]).await?;
        link.is_binary(&[9]).await
    });
    area.must("SIO5-BIN-03", "a placeholder that is not exactly true is data", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        let data = r#"{"_placeholder":1,"num":0},{"_placeholder":"true","num":0},{"_placeholder":false}"#;
        link.send(&format!(r#"451-["message",{data}]"#)).await?;
        link.send_binary(&[9]).await?;
        link.is_packet(&format!(r#"42["message-back",{data}]"#)).await
    });
    area.both("SIO5-BIN-04", "what looks like a placeholder in a text packet is data", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        let data = r#"{"_placeholder":true,"num":0},{"_placeholder":true,"num":-1}"#;
        link.send(&format!(r#"42["message",{data}]"#)).await?;
        link.is_packet(&format!(r#"42["message-back",{data}]"#)).await
    });
    area.must("SIO5-BIN-05", "attachments without a placeholder are discarded", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send(r#"452-["message",{"_placeholder":true,"num":1}]"#).await?;
        link.send_binary(&[1]).await?;
        link.send_binary(&[2]).await?;
        link.is_packet(r#"451-["message-back",{"_placeholder":true,"num":0}]"#).await?;
        link.is_binary(&[2]).await
    });
    area.both("SIO5-BIN-06", "ten attachments are taken", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        let places: Vec<String> = (0..10).map(|n| format!(r#"{{"_placeholder":true,"num":{n}}}"#)).collect();
        let places = places.join(",");
        link.send(&format!(r#"4510-["message",{places}]"#)).await?;
        for n in 0..10 {
            link.send_binary(&[n]).await?;
        }
        link.is_packet(&format!(r#"4510-["message-back",{places}]"#)).await?;
        for n in 0..10 {
            link.is_binary(&[n]).await?;
        }
        Ok(())
    });
    area.both("SIO5-BIN-08", "an attachment may be empty", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send(r#"451-["message",{"_placeholder":true,"num":0}]"#).await?;
        match &mut link {
            Link::WebSocket(ws) => ws.send_binary(Vec::new()).await?,
            Link::Polling(session) => session.send("b").await?,
        }
        link.is_packet(r#"451-["message-back",{"_placeholder":true,"num":0}]"#).await?;
        link.is_binary(&[]).await
    });
    area.must("SIO5-BIN-08", "an attachment may come as base64 on WebSocket", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send(r#"451-["message",{"_placeholder":true,"num":0}]"#).await?;
        link.send("bAQID").await?;
        link.is_packet(r#"451-["message-back",{"_placeholder":true,"num":0}]"#).await?;
        link.is_binary(&[1, 2, 3]).await
    });
    area.must("SIO5-BIN-01", "binary works in another namespace", |c| async move {
        let (mut link, _) = c.joined(Transport::WebSocket, "/custom", "").await?;
        link.send(r#"451-/custom,["message",{"_placeholder":true,"num":0}]"#).await?;
        link.send_binary(&[1]).await?;
        link.is_packet(r#"451-/custom,["message-back",{"_placeholder":true,"num":0}]"#).await?;
        link.is_binary(&[1]).await
    });
    area.must("SIO5-BIN-01 SRV-ORD-01", "headers and attachments of many events stay together", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        for n in 0..50_u8 {
            link.send(r#"451-["message",{"_placeholder":true,"num":0}]"#).await?;
            link.send_binary(&[n]).await?;
            link.send(&format!(r#"42["message",{n}]"#)).await?;
        }
        for n in 0..50_u8 {
            link.is_packet(r#"451-["message-back",{"_placeholder":true,"num":0}]"#).await?;
            link.is_binary(&[n]).await?;
            link.is_packet(&format!(r#"42["message-back",{n}]"#)).await?;
        }
        Ok(())
    });
    area.must("SIO5-BIN-09 SIO5-BIN-01", "a large attachment keeps every byte", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        link.send(r#"451-["message",{"_placeholder":true,"num":0}]"#).await?;
        link.send_binary(&bytes).await?;
        link.next("the event").await?;
        link.is_binary(&bytes).await
    });
}

fn bad_binary(area: &mut Area) {
    for (what, number) in [
        ("negative", "-1"),
        ("too high", "1"),
        ("huge", "99999999999999999999"),
        ("a string", "\"0\""),
        ("missing", "null"),
        ("an object", "{}"),
    ] {
        let name = format!("a placeholder whose number is {what} ends the connection");
        area.must("SIO5-BIN-03 SIO5-INV-01", &name, move |c| async move {
            let mut link = c.socket(Transport::WebSocket).await?;
            link.send(&format!(r#"451-["message",{{"_placeholder":true,"num":{number}}}]"#)).await?;
            link.send_binary(&[1]).await?;
            link.is_ended().await
        }).hostile();
    }
    area.should("SIO5-BIN-03", "a placeholder whose number is a fraction ends the connection", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send(r#"452-["message",{"_placeholder":true,"num":0.5}]"#).await?;
        link.send_binary(&[1]).await?;
        link.send_binary(&[1]).await?;
        link.is_ended().await
    });
    for header in [r#"450-["message"]"#, r#"4511-["message"]"#, r#"4550-["message"]"#, r#"45-["message"]"#, r#"45["message"]"#, r#"460-1[]"#, r#"4611-1[]"#] {
        let name = format!("{header} ends the connection");
        area.both("SIO5-BIN-06 SIO5-PKT-08", &name, move |c, transport| async move {
            let mut link = c.socket(transport).await?;
            link.send(header).await?;
            link.is_ended().await
        });
    }
    area.both("SIO5-BIN-07", "text while attachments are outstanding ends the connection", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send(r#"451-["message",{"_placeholder":true,"num":0}]"#).await?;
        link.send(r#"42["message",1]"#).await?;
        link.is_ended().await
    });
    area.both("SIO5-BIN-07", "binary that was not announced ends the connection", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send_binary(&[1]).await?;
        link.is_ended().await
    });
    area.must("SIO5-BIN-07", "one attachment too many ends the connection", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send(r#"451-["message",{"_placeholder":true,"num":0}]"#).await?;
        link.send_binary(&[1]).await?;
        link.is_packet(r#"451-["message-back",{"_placeholder":true,"num":0}]"#).await?;
        link.is_binary(&[1]).await?;
        link.send_binary(&[2]).await?;
        link.is_ended().await
    });
    area.must("SIO5-BIN-07 SIO5-EVT-02", "attachments for a namespace not joined do no harm", |c| async move {
        let mut ws = c.ws().await?;
        ws.send("40").await?;
        ws.text("a CONNECT reply").await?;
        let mut frames = vec![Frame::new(TEXT, r#"4510-/custom,["x"]"#)];
        frames.extend((0..10).map(|_| Frame::new(BINARY, vec![0; 50_000])));
        ws.send_together(&frames).await?;
        ws.ends().await
    }).hostile();
    area.must("SIO5-BIN-07", "announced attachments that never come do no harm", |c| async move {
        for _ in 0..20 {
            let mut link = c.socket(Transport::WebSocket).await?;
            link.send(r#"4510-["message",{"_placeholder":true,"num":9}]"#).await?;
            link.send_binary(&[0; 1000]).await?;
        }
        Ok(())
    }).hostile();
}

/// Joins `/` of the socket profile, whose connection handler says hello.
async fn greeted(c: &Context, transport: Transport) -> Verdict<Link> {
    let mut link = c.socket(transport).await?;
    link.is_packet(r#"42["auth",{}]"#).await?;
    Ok(link)
}

fn socket(area: &mut Area) {
    area.both("SIO5-EVT-01 SIO5-ACK-01", "echo and ack work with every kind of argument", |c, transport| async move {
        let mut link = greeted(&c, transport).await?;
        link.send(r#"42["message",1,"2",{"3":[true]}]"#).await?;
        link.is_packet(r#"42["message-back",1,"2",{"3":[true]}]"#).await?;
        link.send(r#"42456["message-with-ack",1,"2",{"3":[false]}]"#).await?;
        link.is_packet(r#"43456[1,"2",{"3":[false]}]"#).await
    });
    area.both("SIO5-ACK-02", "the server's question is answered", |c, transport| async move {
        let mut link = greeted(&c, transport).await?;
        link.send(r#"42["emit-with-ack",1,"2"]"#).await?;
        let id = asked_id(&link.next("emit-with-ack").await?, "emit-with-ack")?;
        link.send(&format!(r#"43{id}[true,null]"#)).await?;
        link.is_packet(r#"42["emit-with-ack",true,null]"#).await
    });
    area.must("SIO5-ACK-04", "an answer that comes after the timeout is ignored", |c| async move {
        let mut link = greeted(&c, Transport::WebSocket).await?;
        link.send(r#"42["emit-with-ack",1]"#).await?;
        let id = asked_id(&link.next("emit-with-ack").await?, "emit-with-ack")?;
        c.wait(700).await;
        link.send(&format!(r#"43{id}["late"]"#)).await?;
        is_alive(&mut link).await
    });
    area.must("SIO5-ACK-01", "a typed handler acknowledges its argument", |c| async move {
        let mut link = greeted(&c, Transport::WebSocket).await?;
        for value in ["1", r#""x""#, "{}", "[1]"] {
            link.send(&format!(r#"421["ack",{value}]"#)).await?;
            link.is_packet(&format!("431[{value}]")).await?;
        }
        Ok(())
    });
    area.must("SIO5-CON-03 SIO5-EVT-01", "namespaces of one connection are apart", |c| async move {
        let mut link = greeted(&c, Transport::WebSocket).await?;
        link.join("/custom", "").await?;
        link.is_packet(r#"42/custom,["auth",{}]"#).await?;
        link.send(r#"42/custom,["message","x"]"#).await?;
        link.is_packet(r#"42/custom,["message-back","x"]"#).await?;
        link.send("41/custom,").await?;
        link.send(r#"42["message","y"]"#).await?;
        link.is_packet(r#"42["message-back","y"]"#).await
    });
    area.both("SIO5-BIN-01 SIO5-BIN-02", "binary comes back at its place", |c, transport| async move {
        let mut link = greeted(&c, transport).await?;
        link.send(r#"452-["message",{"_placeholder":true,"num":0},{"a":[{"_placeholder":true,"num":1}]}]"#).await?;
        link.send_binary(&[1, 2, 3]).await?;
        link.send_binary(&[4]).await?;
        link.is_packet(r#"452-["message-back",{"_placeholder":true,"num":0},{"a":[{"_placeholder":true,"num":1}]}]"#).await?;
        link.is_binary(&[1, 2, 3]).await?;
        link.is_binary(&[4]).await
    });
}
