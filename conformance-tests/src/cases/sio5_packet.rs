//! SIO5-PKT and SIO5-INV: the grammar of packets, and what breaks it.

use std::time::Duration;

use crate::case::{Area, Profile};
use crate::client::websocket::{Frame, TEXT};
use crate::client::{Link, Transport};
use crate::failure::{Verdict, ensure};

pub(super) fn cases() -> Area {
    let mut area = Area::new("sio5_packet", Profile::Matrix);
    namespaces(&mut area);
    ids(&mut area);
    payloads(&mut area);
    surrogates(&mut area);
    large(&mut area);
    names(&mut area);
    invalid(&mut area);
    area
}

/// The socket still answers.
async fn is_alive(link: &mut Link) -> Verdict {
    link.send(r#"42["message","alive?"]"#).await?;
    link.is_packet(r#"42["message-back","alive?"]"#).await
}

/// The packet is the text with what a server may make of a lone surrogate, and nothing else.
fn is_text_around_surrogate(came: &str, before: &str, after: &str) -> Verdict {
    let inner = came.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    ensure(
        matches!(inner, Some("\\ud83d" | "\\ufffd" | "\u{fffd}")),
        format_args!("{before}, a lone surrogate or U+FFFD, {after}"),
        came,
    )
}

fn surrogates(area: &mut Area) {
    area.both("SIO5-PKT-12", "half an emoji costs nothing but itself", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send(r#"42["message",{"b":[1]},"ann \ud83d","z"]"#).await?;
        let came = link.next("the event").await?;
        is_text_around_surrogate(&came, r#"42["message-back",{"b":[1]},"ann "#, r#"","z"]"#)?;
        is_alive(&mut link).await
    });
    area.must("SIO5-PKT-12", "half an emoji does not cost the auth payload", |c| async move {
        let mut link = c.ws().await?;
        link.send(r#"40/auth,{"token":"t","name":"ann \ud83d"}"#).await?;
        crate::client::sid_of(&link.text("a CONNECT reply").await?, "/auth")?;
        let came = link.text("the auth event").await?;
        // The order of the members is the server's.
        let is_whole = [r#""token":"t""#, r#""name":"ann "#].iter().all(|part| came.contains(part));
        ensure(is_whole, "token and name", came)
    });
}

fn large(area: &mut Area) {
    for (what, value) in [
        ("100,000 values", format!("[{}0]", "0,".repeat(99_999))),
        ("500 levels of nesting", format!("{}{}", "[".repeat(500), "]".repeat(500))),
    ] {
        let name = format!("{what} come back");
        area.both("SIO5-PKT-13", &name, move |c, transport| {
            let value = value.clone();
            async move {
                let mut link = c.socket(transport).await?;
                link.send(&format!(r#"42["message",{value}]"#)).await?;
                link.is_packet(&format!(r#"42["message-back",{value}]"#)).await?;
                is_alive(&mut link).await
            }
        });
    }
}

fn namespaces(area: &mut Area) {
    area.both("SIO5-PKT-01 SIO5-CON-03", "the root is not named, another namespace is, with a comma", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.join("/custom", "").await?;
        link.send(r#"42["message",1]"#).await?;
        link.is_packet(r#"42["message-back",1]"#).await?;
        link.send(r#"42/custom,["message",1]"#).await?;
        link.is_packet(r#"42/custom,["message-back",1]"#).await
    });
    area.must("SIO5-PKT-01", "the root may be named and a name may end the packet", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        link.send("40/,").await?;
        crate::client::sid_of(&link.next("a CONNECT reply").await?, "/")?;
        link.send("40/custom").await?;
        crate::client::sid_of(&link.next("a CONNECT reply").await?, "/custom")?;
        link.send(r#"42/,["message",1]"#).await?;
        link.is_packet(r#"42["message-back",1]"#).await
    });
    area.must("SIO5-PKT-02 SIO5-CON-04", "a name runs to the first comma, whatever it contains", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send(r#"40/nope["x"]{"#).await?;
        let came = link.next("44/nope…").await?;
        ensure(
            came.starts_with(r#"44/nope["x"]{,"#) && came.contains("Invalid namespace"),
            r#"44/nope["x"]{,{"message":"Invalid namespace"}"#,
            came,
        )
    });
    area.both("SIO5-PKT-02 SIO5-EVT-02", "an event whose name swallows its data is for a namespace not joined", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send(r#"42/custom["message"]"#).await?;
        link.is_ended().await
    });
    area.must("SIO5-PKT-03 SIO5-CON-04", "a query string is part of the name", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send("40/custom?x=1,").await?;
        link.is_packet(r#"44/custom?x=1,{"message":"Invalid namespace"}"#).await
    });
}

fn ids(area: &mut Area) {
    for (id, back) in [("0", "0"), ("7", "7"), ("007", "7"), ("00", "0"), ("4294967296", "4294967296"), ("9007199254740991", "9007199254740991")] {
        let name = format!("the id {id} is answered with {back}");
        area.must("SIO5-PKT-04 SIO5-ACK-01", &name, move |c| async move {
            let mut link = c.socket(Transport::WebSocket).await?;
            link.send(&format!(r#"42{id}["message-with-ack",1]"#)).await?;
            link.is_packet(&format!("43{back}[1]")).await
        });
    }
    area.should("SIO5-PKT-04", "an id of 64 bits is answered exactly", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send(r#"4218446744073709551615["message-with-ack",1]"#).await?;
        link.is_packet("4318446744073709551615[1]").await
    });
    area.should("SIO5-PKT-04", "an id beyond 64 bits is no packet", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send(r#"4299999999999999999999["message-with-ack",1]"#).await?;
        link.is_ended().await
    });
    area.must("SIO5-PKT-04", "an id of ten thousand digits does no harm", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send(&format!(r#"42{}["message-with-ack",1]"#, "9".repeat(10_000))).await
    }).hostile();
    for packet in ["42 [\"message\",1]", "42\t7[\"message-with-ack\",1]", "4 ", "451.0-[\"bin\",{\"_placeholder\":true,\"num\":0}]", "451e0-[\"bin\",{\"_placeholder\":true,\"num\":0}]"] {
        let name = format!("white space and fractions are no numbers: {}", packet.escape_debug());
        area.should("SIO5-PKT-05", &name, move |c| async move {
            let mut link = c.socket(Transport::WebSocket).await?;
            link.send(packet).await?;
            link.is_ended().await
        });
    }
}

fn payloads(area: &mut Area) {
    area.both("SIO5-PKT-09 SIO5-PKT-06", "an event without payload does nothing", |c, transport| async move {
        let mut link = c.socket(transport).await?;
        link.send("42").await?;
        link.send("420").await?;
        is_alive(&mut link).await
    });
    area.must("SIO5-PKT-06", "a disconnect with an id is a disconnect", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send("411").await?;
        c.settle().await;
        link.join("/", "").await?;
        is_alive(&mut link).await
    });
    area.must("SIO5-PKT-06 SIO5-PKT-07", "an event named by a number is an event", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send("42[1]").await?;
        link.send("42[-1.5,\"a\"]").await?;
        is_alive(&mut link).await
    });
    for json in [
        r#"{"b":1,"a":[1.5,null,true,"é€😀"]}"#,
        r#""\u0001\n\"\\""#,
        r#"{"__proto__":{"x":1},"constructor":1,"toString":2}"#,
        r#"[[],{},"",0,-1,1000]"#,
        r#""4294967295""#,
        "9007199254740991",
        r#"{"a":{"a":{"a":{"a":{"a":[[[[[[1]]]]]]}}}}}"#,
        r#""\ud83d\ude00""#,
    ] {
        let name = format!("JSON comes back as it was: {json}");
        area.both("SIO5-PKT-11 SIO5-PKT-06 SIO5-EVT-01", &name, move |c, transport| async move {
            let mut link = c.socket(transport).await?;
            link.send(&format!(r#"42["message",{json}]"#)).await?;
            link.is_packet(&format!(r#"42["message-back",{json}]"#)).await
        });
    }
    area.should("SIO5-PKT-10", "JSON is written without spaces and text raw", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send(r#"42["message",{"b":1,"a":[true,null,"é😀"]},"x"]"#).await?;
        link.is(r#"42["message-back",{"b":1,"a":[true,null,"é😀"]},"x"]"#).await
    });
    area.should("SIO5-PKT-10", "JSON with spaces is taken", |c| async move {
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send("42[ \"message\" , {\n\"a\" : 1 } ]").await?;
        link.is_packet(r#"42["message-back",{"a":1}]"#).await
    });
    area.must("SIO5-PKT-08", "very deep JSON does no harm", |c| async move {
        for open in ["[", "{\"a\":"] {
            let mut link = c.socket(Transport::WebSocket).await?;
            link.send(&format!(r#"42["message",{}"#, open.repeat(100_000))).await?;
            link.is_ended().await?;
        }
        // To nobody: the reference dies of writing such a value again.
        let mut link = c.socket(Transport::WebSocket).await?;
        link.send(&format!(r#"42["nobody",{}{}]"#, "[".repeat(100_000), "]".repeat(100_000))).await
    }).hostile();
}

fn names(area: &mut Area) {
    for name in ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"] {
        let claim = format!("the reserved event name {name} ends the connection");
        area.both("SIO5-PKT-07 SIO5-INV-01", &claim, move |c, transport| async move {
            let mut link = c.socket(transport).await?;
            link.send(&format!(r#"42["{name}",1]"#)).await?;
            link.is_ended().await
        });
    }
    for name in ["error", "connection", "", "unknown", "__proto__", "constructor", "hasOwnProperty", "toString"] {
        let claim = format!("the event name [{name}] is an ordinary one");
        area.must("SIO5-PKT-07 SIO5-PKT-11", &claim, move |c| async move {
            let mut link = c.socket(Transport::WebSocket).await?;
            link.send(&format!(r#"42["{name}",1]"#)).await?;
            link.send(&format!(r#"425["{name}"]"#)).await?;
            is_alive(&mut link).await
        });
    }
    area.both("SIO5-PKT-07", "message is an ordinary event", |c, transport| async move {
        is_alive(&mut c.socket(transport).await?).await
    });
}

fn invalid(area: &mut Area) {
    for packet in [
        "4",
        "4x",
        "47",
        "48",
        "49",
        "42{}",
        "42[]",
        "42[null]",
        "42[{}]",
        "42[[]]",
        "42[true]",
        r#"42"a""#,
        r#"42["a""#,
        r#"42["a"]x"#,
        r#"42["a"]["b"]"#,
        r#"42['a']"#,
        r#"421.5["a"]"#,
        r#"42-1["a"]"#,
        r#"41{"a":1}"#,
        r#"41["a"]"#,
        "43{}",
        r#"430{"a":1}"#,
        r#"430"a""#,
        "40[]",
        r#"40"a""#,
        "401x",
        r#"45["a"]"#,
        r#"450-["a"]"#,
        r#"45-["a"]"#,
        r#"45-1-["a"]"#,
        r#"4511-["a"]"#,
        r#"45x-["a"]"#,
        r#"451["a"]"#,
        r#"451.5-["a"]"#,
        r#"4599999999999999999999-["a"]"#,
        r#"460-["a"]"#,
    ] {
        let name = format!("{packet} is no packet and ends the connection");
        area.both("SIO5-PKT-08 SIO5-PKT-06 SIO5-INV-01 SIO5-INV-03", &name, move |c, transport| async move {
            let mut link = c.socket(transport).await?;
            link.send(packet).await?;
            link.is_ended().await
        });
    }
    area.must("SIO5-INV-01", "no packet is written before an invalid one's close", |c| async move {
        let mut ws = c.ws().await?;
        ws.send("40").await?;
        ws.text("a CONNECT reply").await?;
        ws.send("4x").await?;
        ws.ends().await
    }).hostile();
    area.must("SIO5-INV-04 EIO4-CLS-03", "the POST is answered ok and the held poll hears of the close", |c| async move {
        let link = c.socket(Transport::Polling).await?;
        let Link::Polling(session) = link else { return Ok(()) };
        let mut poll = session.start_poll().await?;
        session.post("4x").await?.is_ok()?;
        poll.is("1").await?;
        session.is_gone().await
    });
    area.must("SIO5-INV-02 SIO5-INV-04", "a packet that is not allowed now lets the next poll hear of the close", |c| async move {
        let link = c.socket(Transport::Polling).await?;
        let Link::Polling(session) = link else { return Ok(()) };
        session.post("40").await?.is_taken()?;
        session.is_batch(&["6", "1"]).await?;
        session.is_gone().await
    });
    area.must("SIO5-INV-01 SIO5-BIN-07", "what an invalid packet's connection had sent before is still handled", |c| async move {
        let mut ws = c.ws().await?;
        ws.send("40").await?;
        ws.text("a CONNECT reply").await?;
        ws.send(r#"42["message",1]"#).await?;
        ws.is(r#"42["message-back",1]"#).await?;
        ws.send("4x").await?;
        ws.ends().await
    });
    area.must("SIO5-INV-01", "an invalid packet before any CONNECT ends the connection", |c| async move {
        let mut link = c.link(Transport::WebSocket).await?;
        link.send("4x").await?;
        link.is_ended().await
    }).hostile();
    area.must("SIO5-PKT-08", "text that is cut inside a character does no harm", |c| async move {
        for text in ["42€", "4€€", "42/€,", "45€-[]", "42[\"€", "42/a€"] {
            let mut ws = c.ws().await?;
            ws.send("40").await?;
            ws.send_frame(Frame::new(TEXT, text)).await?;
        }
        Ok(())
    }).hostile();
    area.must("SIO5-INV-03", "an empty message is no packet, on polling too", |c| async move {
        let mut link = c.socket(Transport::Polling).await?;
        link.send("4").await?;
        link.is_ended().await
    });
    area.must("SIO5-PKT-08", "a flood of events without handlers does no harm", |c| async move {
        let mut ws = c.ws().await?;
        ws.send("40").await?;
        ws.text("a CONNECT reply").await?;
        let frame = Frame::new(TEXT, r#"42["nobody",1]"#);
        ws.send_together(&vec![frame; 5000]).await?;
        ws.send(r#"42["message",1]"#).await?;
        ws.wire.set_patience(Duration::from_secs(8));
        ws.is(r#"42["message-back",1]"#).await
    }).hostile();
}
