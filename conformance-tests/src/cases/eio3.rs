//! EIO3: Engine.IO protocol 3, where a server allows it. The fixture waits 500 ms for a client's ping.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::time::Instant;

use crate::case::{Area, Profile};
use crate::client::eio3::binary_entry;
use crate::client::http::{Request, Response};
use crate::client::websocket::WebSocket;
use crate::client::Polling;
use crate::context::{Context, Open};
use crate::failure::{Failure, Verdict, ensure};

const PLAIN: &str = "EIO=3&transport=polling";
const OCTETS: &str = "application/octet-stream";

pub(super) fn cases() -> Area {
    let mut area = Area::new("eio3", Profile::EngineEio3);
    opening(&mut area);
    packets(&mut area);
    string_payloads(&mut area);
    binary_payloads(&mut area);
    heartbeat(&mut area);
    transports(&mut area);
    area
}

/// A session that takes binary answers.
async fn binary_session(c: &Context) -> Verdict<Polling> {
    Polling::open(c, PLAIN).await
}

/// POSTs a payload in binary form.
async fn post_octets(c: &Context, session: &Polling, body: Vec<u8>) -> Verdict {
    let request = Request::post(session.query.as_str(), body).header("Content-Type", OCTETS);
    c.request(request).await?.is_ok()?;
    Ok(())
}

fn opening(area: &mut Area) {
    for query in ["EIO=3&transport=polling", "transport=polling", "EIO=5&transport=polling", "EIO=04&transport=polling"] {
        let name = format!("[{query}] is protocol 3");
        area.must("EIO3-GEN-01 EIO4-QRY-05 EIO3-PLD-01", &name, move |c| async move {
            let response = c.get(query).await?;
            let text = response.is_status(200)?.text();
            let packets = crate::client::eio3::decode(&text)?;
            ensure(packets.len() == 1, "one packet with its length", response.shown())?;
            Open::parse(&packets[0])?;
            Ok(())
        });
    }
    area.must("EIO3-GEN-02", "the open packet names the payload limit", |c| async move {
        c.polling3().await?.open.is("maxPayload", &json!(1_000_000))
    });
    area.must("EIO3-GEN-01 EIO4-HS-03", "WebSocket is offered and opens with the open packet", |c| async move {
        c.polling3().await?.open.is("upgrades", &json!(["websocket"]))?;
        let (_, open) = c.ws_open("EIO=3&transport=websocket").await?;
        open.is("upgrades", &json!([]))
    });
    area.must("EIO4-QRY-05", "protocol 4 is served beside protocol 3", |c| async move {
        c.polling().await?.is_alive().await
    });
    area.must("EIO4-ERR-04", "a session of protocol 3 is not to be used with protocol 4", |c| async move {
        let mut session = c.polling3().await?;
        let query = session.query.replace("EIO=3", "EIO=4");
        c.get(&query).await?.is_error(3, "Bad request")?;
        c.refused(&query.replace("polling", "websocket")).await?.is_upgrade_error("Bad request")?;
        session.is_alive().await
    });
    area.must("EIO3-GEN-03", "the handshake's answer holds the open packet alone", |c| async move {
        let text = c.get("EIO=3&transport=polling&b64=1").await?.text();
        ensure(crate::client::eio3::decode(&text)?.len() == 1, "one packet", text)
    });
    area.on(Profile::SocketEio3);
    area.must("EIO3-GEN-03 SIO4-CON-01", "what Socket.IO says on its own comes with the next poll", |c| async move {
        let text = c.get("EIO=3&transport=polling&b64=1").await?.text();
        ensure(crate::client::eio3::decode(&text)?.len() == 1, "the open packet alone", text)
    });
    area.on(Profile::EngineEio3);
}

fn packets(area: &mut Area) {
    area.must("EIO3-PKT-01", "text comes back on both transports", |c| async move {
        let mut session = c.polling3().await?;
        let mut ws = c.ws3().await?;
        for text in ["4hello", "4", "4€😀", "4\u{1e}"] {
            session.send(text).await?;
            session.is(text).await?;
            ws.send(text).await?;
            ws.is(text).await?;
        }
        Ok(())
    });
    area.must("EIO3-PKT-01", "a binary frame begins with the type as a number", |c| async move {
        let mut ws = c.ws3().await?;
        ws.send_binary(vec![4, 1, 2, 3]).await?;
        ws.is_binary(&[4, 1, 2, 3]).await?;
        ws.send_binary(vec![4]).await?;
        ws.is_binary(&[4]).await
    });
    area.must("EIO3-PKT-02", "base64 has the type's digit, on WebSocket and on polling", |c| async move {
        let mut ws = c.ws3().await?;
        ws.send("b4AQID").await?;
        ws.is_binary(&[4, 1, 2, 3]).await?;
        let mut session = c.polling3().await?;
        session.send("b4AQID").await?;
        session.is("b4AQID").await
    });
    area.must("EIO3-PKT-02", "with b64 binary goes out as base64 on WebSocket", |c| async move {
        let (mut ws, _) = c.ws_open("EIO=3&transport=websocket&b64=1").await?;
        ws.send_binary(vec![4, 1, 2, 3]).await?;
        ws.is("b4AQID").await
    });
    // A lone `b` is left out: the reference takes it for a packet of no type and ignores it.
    for packet in ["x", "7", ""] {
        let name = format!("a packet without a known type ends the session: [{packet}]");
        area.must("EIO3-PKT-03 EIO4-WS-07", &name, move |c| async move {
            let mut ws = c.ws3().await?;
            ws.send(packet).await?;
            is_closed_at_once(&mut ws).await
        }).hostile();
    }
    area.should("EIO3-PKT-03", "a binary frame of unknown type does the server no harm", |c| async move {
        for bytes in [vec![], vec![9, 1], vec![255]] {
            let mut ws = c.ws3().await?;
            ws.send_binary(bytes).await?;
        }
        Ok(())
    }).hostile();
}

fn string_payloads(area: &mut Area) {
    area.must("EIO3-PLD-01", "lengths count UTF-16 units", |c| async move {
        let session = c.polling3().await?;
        session.post("2:4€4:4😀x").await?.is_ok()?;
        session.get().await?.is_body("2:4€4:4😀x")?;
        Ok(())
    });
    area.must("EIO3-PLD-02", "without binary the payload is a string", |c| async move {
        let session = binary_session(&c).await?;
        session.post("3:4ab").await?.is_ok()?;
        session
            .get()
            .await?
            .is_body("3:4ab")?
            .is_like_header("Content-Type", "text/plain; charset=UTF-8")?;
        Ok(())
    });
    area.must("EIO3-PLD-02", "with b64 binary is inline", |c| async move {
        let session = c.polling3().await?;
        session.post("3:4a€6:b4AQID2:4b").await?.is_ok()?;
        session
            .get()
            .await?
            .is_body("3:4a€6:b4AQID2:4b")?
            .is_like_header("Content-Type", "text/plain; charset=UTF-8")?;
        Ok(())
    });
    area.must("EIO3-PLD-02", "the handshake's b64 counts, not that of later requests", |c| async move {
        let session = c.polling3().await?;
        session.post("6:b4AQID").await?.is_ok()?;
        c.get(&session.query.replace("&b64=1", "")).await?.is_body("6:b4AQID")?;
        Ok(())
    });
    for (what, body) in [
        ("an empty body", ""),
        ("no length", "4a"),
        ("a length that is no number", "x:4a"),
        ("a length beyond the text", "5:4a"),
        ("a negative length", "-2:4a"),
        ("a fractional length", "1.5:4a"),
        ("a bad packet", "2:xa"),
        ("a length alone", "2"),
        ("a length without end", "99999999999999999999999999999999999999"),
        ("a huge length", "99999999999999999999:4a"),
    ] {
        let name = format!("{what} ends the session");
        area.must("EIO3-PLD-05 EIO4-POL-03", &name, move |c| async move {
            let session = c.polling3().await?;
            session.post(body).await?.is_ok()?;
            session.is_gone().await
        }).hostile();
    }
    area.must("EIO3-PLD-05", "packets before the error are handled", |c| async move {
        let session = c.polling3().await?;
        let mut poll = session.start_poll().await?;
        session.post("2:4ax").await?.is_ok()?;
        poll.is("2:4a").await?;
        session.is_gone().await
    });
    area.must("EIO3-PLD-05", "an entry of length zero is skipped", |c| async move {
        let session = c.polling3().await?;
        session.post("0:2:4a").await?.is_ok()?;
        session.get().await?.is_body("2:4a")?;
        Ok(())
    });
    area.must("EIO3-PLD-05", "a length that ends inside a character ends the session", |c| async move {
        let session = c.polling3().await?;
        session.post("2:4😀").await?.is_ok()?;
        session.is_gone().await
    }).hostile();
}

fn binary_payloads(area: &mut Area) {
    area.must("EIO3-PLD-03 EIO3-PLD-04", "with binary and without b64 the payload is binary", |c| async move {
        let session = binary_session(&c).await?;
        let body = [
            binary_entry(false, "4a€".as_bytes()),
            binary_entry(true, &[4, 1, 2, 0xff]),
            binary_entry(false, "4😀".as_bytes()),
        ]
        .concat();
        post_octets(&c, &session, body.clone()).await?;
        let response = session.get().await?;
        response.is_like_header("Content-Type", OCTETS)?;
        ensure(
            response.body == body,
            crate::trace::shown(&body),
            crate::trace::shown(&response.body),
        )
    });
    area.must("EIO3-PLD-03", "a length has one byte per digit", |c| async move {
        let session = binary_session(&c).await?;
        let message = [&[4_u8][..], &[7; 1199]].concat();
        post_octets(&c, &session, binary_entry(true, &message)).await?;
        let body = session.get().await?.body;
        ensure(
            body.starts_with(&[1, 1, 2, 0, 0, 0xff, 4, 7]),
            "01 01 02 00 00 ff 04 07",
            crate::trace::shown(&body),
        )
    });
    area.must("EIO3-PLD-04", "text inside a binary payload is text", |c| async move {
        let session = c.polling3().await?;
        post_octets(&c, &session, binary_entry(false, b"4hello")).await?;
        session.get().await?.is_body("6:4hello")?;
        Ok(())
    });
    area.must("EIO3-PLD-04", "any other content type is the string form", |c| async move {
        let session = c.polling3().await?;
        let request = Request::post(session.query.as_str(), "2:4a").header("Content-Type", "application/json");
        c.request(request).await?.is_ok()?;
        session.get().await?.is_body("2:4a")?;
        Ok(())
    });
    for (what, body) in [
        ("digits without end", vec![0; 5000]),
        ("a length beyond the data", vec![0, 9, 0xff, b'4']),
        ("a length of many digits", [vec![1], vec![9; 400], vec![0xff]].concat()),
        ("a flag alone", vec![1]),
    ] {
        let name = format!("a binary payload with {what} does the server no harm");
        area.should("EIO3-PLD-07", &name, move |c| {
            let body = body.clone();
            async move {
                let session = binary_session(&c).await?;
                let request = Request::post(session.query.as_str(), body).header("Content-Type", OCTETS);
                c.request(request).await?;
                Ok(())
            }
        }).hostile();
    }
}

fn heartbeat(area: &mut Area) {
    area.must("EIO3-HB-01", "a ping is answered with a bare pong", |c| async move {
        let mut ws = c.ws3().await?;
        ws.send("2").await?;
        ws.is("3").await?;
        ws.send("2probe").await?;
        ws.is("3").await?;
        let mut session = c.polling3().await?;
        session.send("2").await?;
        session.is("3").await
    });
    area.must("EIO3-HB-01", "the server does not ping", |c| async move {
        let mut ws = c.ws3().await?;
        ws.is_silent(Duration::from_millis(400)).await
    });
    area.must("EIO3-HB-02", "a session without a ping ends after interval and timeout", |c| async move {
        let mut ws = c.ws3().await?;
        let since = Instant::now();
        ws.ends().await?;
        is_about_half_a_second(since)
    });
    area.must("EIO3-HB-02", "each ping restarts the time", |c| async move {
        let mut ws = c.ws3().await?;
        for _ in 0..3 {
            c.wait(300).await;
            ws.send("2").await?;
            ws.is("3").await?;
        }
        let since = Instant::now();
        ws.ends().await?;
        is_about_half_a_second(since)
    });
    area.must("EIO3-HB-02", "other packets do not", |c| async move {
        let mut ws = c.ws3().await?;
        let since = Instant::now();
        c.wait(300).await;
        ws.send("4a").await?;
        ws.is("4a").await?;
        ws.ends().await?;
        is_about_half_a_second(since)
    });
    area.must("EIO3-HB-02 EIO3-CLS-01", "a held poll hears of the timeout with close", |c| async move {
        let session = c.polling3().await?;
        session.start_poll().await?.is("1:1").await?;
        session.is_gone().await
    });
    area.must("EIO3-HB-03", "a pong from the client ends the session", |c| async move {
        let mut ws = c.ws3().await?;
        ws.send("3").await?;
        is_closed_at_once(&mut ws).await?;
        let session = c.polling3().await?;
        session.post("1:3").await?.is_ok()?;
        session.is_gone().await
    }).hostile();
    area.should("EIO3-HB-04", "an upgraded session still has its timeout", |c| async move {
        let session = c.polling3().await?;
        let mut ws = session.upgraded().await?;
        ws.ends().await
    });
}

/// Closed long before the missing ping would end the session.
async fn is_closed_at_once(ws: &mut WebSocket) -> Verdict {
    ws.wire.set_patience(Duration::from_millis(300));
    ws.ends().await
}

fn is_about_half_a_second(since: Instant) -> Verdict {
    let took = since.elapsed();
    ensure(
        (Duration::from_millis(440)..Duration::from_millis(700)).contains(&took),
        "the close after 500 ms",
        format_args!("{took:?}"),
    )
}

fn transports(area: &mut Area) {
    area.must("EIO3-UPG-01", "the upgrade is that of protocol 4, with a noop of its own", |c| async move {
        let session = binary_session(&c).await?;
        let mut ws: WebSocket = session.upgraded().await?;
        ws.send("4a").await?;
        ws.is("4a").await?;
        ws.send_binary(vec![4, 1, 2, 3]).await?;
        ws.is_binary(&[4, 1, 2, 3]).await
    });
    area.must("EIO3-UPG-01", "what was queued is flushed to the WebSocket", |c| async move {
        let session = c.polling3().await?;
        let mut ws = session.probed().await?;
        session.post("2:4a2:4b").await?.is_ok()?;
        ws.send("5").await?;
        ws.is("4a").await?;
        ws.is("4b").await
    });
    area.must("EIO3-UPG-01 EIO4-UPG-07", "another packet on a candidate closes it and the session goes on", |c| async move {
        let mut session = c.polling3().await?;
        let mut ws = session.candidate().await?;
        ws.send("4a").await?;
        ws.ends().await?;
        session.is_alive().await
    });
    area.must("EIO3-CLS-01", "close on polling is answered ok and a held poll with noop", |c| async move {
        let session = c.polling3().await?;
        let mut poll = session.start_poll().await?;
        session.post("1:1").await?.is_ok()?;
        poll.is("1:6").await?;
        session.is_gone().await
    });
    area.must("EIO4-POL-04 EIO3-CLS-01", "a second poll is refused and the first gets close", |c| async move {
        let session = c.polling3().await?;
        let mut first = session.start_poll().await?;
        session.get().await?.is_bare(400)?;
        first.is("1:1").await?;
        session.is_gone().await
    });
    area.must("EIO3-JSP-01", "JSONP wraps the payload with its lengths", |c| async move {
        let unwrapped = |response: &Response| {
            let text = response.text();
            text.strip_prefix("___eio[3](")
                .and_then(|rest| rest.strip_suffix(");"))
                .and_then(|json| serde_json::from_str::<String>(json).ok())
                .ok_or_else(|| Failure::unmet("___eio[3](\"…\");", response.shown()))
        };
        let payload = unwrapped(&c.get("EIO=3&transport=polling&j=3&b64=1").await?)?;
        let open = Open::parse(&crate::client::eio3::decode(&payload)?.remove(0))?;
        let query = format!("EIO=3&transport=polling&j=3&b64=1&sid={}", open.sid);
        let form = Request::post(query.as_str(), Bytes::from_static(b"d=2%3A4a"))
            .header("Content-Type", "application/x-www-form-urlencoded");
        c.request(form).await?.is_ok()?;
        let payload = unwrapped(&c.get(&query).await?)?;
        ensure(payload == "2:4a", "payload 2:4a", payload)
    });
    area.must("EIO3-PLD-01 SRV-ORD-02", "a long batch keeps its order", |c| async move {
        let mut session = c.polling3().await?;
        let packets: Vec<String> = (0..200).map(|number| format!("4{number}")).collect();
        session.send_all(&packets.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        for packet in &packets {
            session.is(packet).await?;
        }
        Ok(())
    });
    area.both("EIO4-PKT-03", "a session of protocol 4 is unchanged beside it", |c, transport| async move {
        let mut link = c.link(transport).await?;
        link.send_binary(&[1, 2, 3]).await?;
        link.is_binary(&[1, 2, 3]).await
    });
}
