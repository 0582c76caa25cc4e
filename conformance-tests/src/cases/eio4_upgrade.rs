//! EIO4-UPG: from polling to WebSocket.

use std::time::Duration;

use tokio::time::Instant;

use crate::case::{Area, Profile};
use crate::client::Polling;
use crate::client::http::Response;
use crate::client::websocket::{BINARY, CLOSE, Frame, PING, TEXT, WebSocket};
use crate::failure::{Verdict, ensure};

pub(super) fn cases() -> Area {
    let mut area = Area::new("eio4_upgrade", Profile::Engine);
    probing(&mut area);
    switching(&mut area);
    refusing(&mut area);
    dying(&mut area);
    area
}

fn probing(area: &mut Area) {
    area.must("EIO4-UPG-01", "a candidate is accepted without a word", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.candidate().await?;
        ws.is_silent(Duration::from_millis(120)).await
    });
    area.must("EIO4-UPG-02", "each probe is answered on the candidate", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.candidate().await?;
        for _ in 0..3 {
            ws.send("2probe").await?;
            ws.is("3probe").await?;
        }
        Ok(())
    });
    area.must("EIO4-UPG-03", "a poll that is held at the probe is answered with noop 100 ms later", |c| async move {
        let session = c.polling().await?;
        let mut poll = session.start_poll().await?;
        let _ws = session.probed().await?;
        let since = Instant::now();
        poll.is("6").await?;
        let took = since.elapsed();
        ensure(
            (Duration::from_millis(60)..Duration::from_millis(220)).contains(&took),
            "noop after 100 ms",
            format_args!("{took:?}"),
        )
    });
    area.must("EIO4-UPG-03", "a poll that comes after the probe is answered with noop as well", |c| async move {
        let session = c.polling().await?;
        let _ws = session.probed().await?;
        session.start_poll().await?.is("6").await?;
        session.start_poll().await?.is("6").await
    });
    area.must("EIO4-UPG-03", "no noop comes before a probe", |c| async move {
        let session = c.polling().await?;
        let mut poll = session.start_poll().await?;
        let _ws = session.candidate().await?;
        poll.wire.is_silent(Duration::from_millis(180)).await
    });
    area.must("EIO4-UPG-04", "between probe and upgrade messages stay on polling", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.probed().await?;
        session.send("4a").await?;
        session.is_batch(&["4a"]).await?;
        session.send("4b").await?;
        session.is_batch(&["4b"]).await?;
        ws.is_silent(Duration::from_millis(30)).await
    });
}

fn switching(area: &mut Area) {
    area.must("EIO4-UPG-05", "after the upgrade messages go over WebSocket both ways", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.upgraded().await?;
        ws.send("4a").await?;
        ws.is("4a").await?;
        ws.send_binary(vec![1, 2, 3]).await?;
        ws.is_binary(&[1, 2, 3]).await
    });
    area.must("EIO4-UPG-05 SRV-ORD-01", "what was queued is flushed to the WebSocket, in order", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.probed().await?;
        session.send_all(&["4a", "bAQID", "4b"]).await?;
        ws.send("5").await?;
        ws.send("4c").await?;
        ws.is("4a").await?;
        ws.is_binary(&[1, 2, 3]).await?;
        ws.is("4b").await?;
        ws.is("4c").await
    });
    area.must("EIO4-UPG-05 SRV-ORD-01", "a thousand messages before and after the upgrade keep their order", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.probed().await?;
        let packets: Vec<String> = (0..500).map(|number| format!("4{number}")).collect();
        let sent: Vec<&str> = packets.iter().map(String::as_str).collect();
        session.send_all(&sent).await?;
        ws.send("5").await?;
        for number in 500..1000 {
            ws.send(format!("4{number}")).await?;
        }
        for number in 0..1000 {
            ws.is(&format!("4{number}")).await?;
        }
        Ok(())
    });
    area.must("EIO4-UPG-05", "a message may follow the upgrade in the same write", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.probed().await?;
        ws.send_together(&[Frame::new(TEXT, "5"), Frame::new(TEXT, "4a"), Frame::new(TEXT, "4b")])
            .await?;
        ws.is("4a").await?;
        ws.is("4b").await
    });
    area.must("EIO4-UPG-05 EIO4-PKT-07", "the upgrade packet may carry a payload", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.probed().await?;
        ws.send("5abc").await?;
        ws.send("4a").await?;
        ws.is("4a").await
    });
    area.must("EIO4-UPG-06", "a poll that is still held at the upgrade is answered with close", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.probed().await?;
        let mut poll = session.start_poll().await?;
        ws.send("5").await?;
        poll.is("1").await?;
        ws.send("4a").await?;
        ws.is("4a").await
    });
    area.should("EIO4-UPG-08", "an upgrade without a probe is accepted", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.candidate().await?;
        ws.send("5").await?;
        ws.send("4a").await?;
        ws.is("4a").await
    });
    area.must("EIO4-UPG-13 EIO4-ERR-03", "after the upgrade polling is a bad request", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.upgraded().await?;
        ws.send("4a").await?;
        ws.is("4a").await?;
        session.get().await?.is_error(3, "Bad request")?;
        session.post("4a").await?.is_error(3, "Bad request")?;
        ws.send("4b").await?;
        ws.is("4b").await
    });
    area.should("EIO4-UPG-16", "the upgrade request decides on base64", |c| async move {
        let session = c.polling().await?;
        let query = format!("{}&b64=1", session.upgrade_query());
        let mut ws = c.websocket(&query).await?;
        ws.send("2probe").await?;
        ws.is("3probe").await?;
        ws.send("5").await?;
        ws.send_binary(vec![1, 2, 3]).await?;
        ws.is("bAQID").await
    });
    area.should("EIO4-UPG-17", "a POST under way at the upgrade is finished", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.probed().await?;
        let mut post = session.start_post(6).await?;
        post.send(b"4he").await?;
        c.settle().await;
        ws.send("5").await?;
        c.settle().await;
        post.send(b"llo").await?;
        Response::read(&mut post, "POST").await?.is_taken()?;
        ws.is("4hello").await
    });
    area.must("EIO4-UPG-05 EIO4-CLS-02", "after the upgrade the end of the WebSocket ends the session", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.upgraded().await?;
        ws.send_frame(Frame::new(CLOSE, "")).await?;
        ws.ends().await?;
        drop(ws);
        c.settle().await;
        session.is_gone().await
    });
}

fn refusing(area: &mut Area) {
    for (what, frame) in [
        ("a message", Frame::new(TEXT, "4a")),
        ("a bare ping", Frame::new(TEXT, "2")),
        ("a ping with another payload", Frame::new(TEXT, "2probeX")),
        ("a pong", Frame::new(TEXT, "3")),
        ("a noop", Frame::new(TEXT, "6")),
        ("a close packet", Frame::new(TEXT, "1")),
        ("text that is no packet", Frame::new(TEXT, "x")),
        ("an empty text frame", Frame::new(TEXT, "")),
        ("a binary frame", Frame::new(BINARY, vec![1, 2, 3])),
    ] {
        let name = format!("{what} on a candidate closes it and the session goes on");
        let first = frame.clone();
        area.must("EIO4-UPG-07 EIO4-UPG-11", &name, move |c| {
            let frame = first.clone();
            async move {
                let mut session = c.polling().await?;
                let mut ws = session.candidate().await?;
                ws.send_frame(frame).await?;
                ws.closes().await?;
                session.is_alive().await
            }
        }).hostile();
        let name = format!("{what} on a probed candidate closes it and the session goes on");
        area.must("EIO4-UPG-07 EIO4-UPG-11", &name, move |c| {
            let frame = frame.clone();
            async move {
                let mut session = c.polling().await?;
                let mut ws = session.probed().await?;
                ws.send_frame(frame).await?;
                ws.closes().await?;
                is_alive_after_probe(&mut session).await
            }
        }).hostile();
    }
    area.must("EIO4-UPG-07", "a message on a refused candidate is not handled", |c| async move {
        let mut session = c.polling().await?;
        let mut ws = session.candidate().await?;
        ws.send("4smuggled").await?;
        ws.closes().await?;
        session.is_alive().await
    });
    area.must("EIO4-UPG-10", "while one candidate exists another is closed at once", |c| async move {
        let session = c.polling().await?;
        let mut first = session.probed().await?;
        let mut second = session.candidate().await?;
        second.closes().await?;
        first.send("2probe").await?;
        first.is("3probe").await
    });
    area.must("EIO4-UPG-10", "after the upgrade another candidate is closed at once", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.upgraded().await?;
        let mut second = session.candidate().await?;
        second.closes().await?;
        ws.send("4a").await?;
        ws.is("4a").await
    });
    area.must("EIO4-UPG-07 EIO4-UPG-10", "candidates are closed without a status", |c| async move {
        let session = c.polling().await?;
        let mut wrong = session.candidate().await?;
        wrong.send("3").await?;
        wrong.is_closed().await?;
        let _first = session.probed().await?;
        session.candidate().await?.is_closed().await
    });
    area.should("EIO4-UPG-14", "a session born on WebSocket takes no candidate", |c| async move {
        let (mut ws, open) = c.ws_open("EIO=4&transport=websocket").await?;
        let query = format!("EIO=4&transport=websocket&sid={}", open.sid);
        c.websocket(&query).await?.closes().await?;
        ws.send("4a").await?;
        ws.is("4a").await
    });
    area.must("EIO4-UPG-01 EIO4-ERR-05", "a candidate for an unknown session is refused", |c| async move {
        c.refused("EIO=4&transport=websocket&sid=abcdefghijklmnopqrst")
            .await?
            .is_upgrade_error("Session ID unknown")?;
        Ok(())
    });
}

fn dying(area: &mut Area) {
    area.must("EIO4-UPG-09", "a silent candidate is closed after 10 seconds and the session goes on", |c| async move {
        let mut session = c.polling().await?;
        let mut ws = session.candidate().await?;
        ws.wire.set_patience(Duration::from_secs(13));
        let since = Instant::now();
        let query = session.query.clone();
        let closing = async {
            ws.closes().await?;
            is_ten_seconds(since)?;
            c.post(&query, "4done").await?.is_taken().map(|_| ())
        };
        let (closed, done) = tokio::join!(closing, comes(&mut session, "4done"));
        closed.and(done)
    }).within(20);
    area.must("EIO4-UPG-09", "probing does not lengthen the upgrade timeout", |c| async move {
        let mut session = c.polling().await?;
        let since = Instant::now();
        let mut ws = session.probed().await?;
        ws.wire.set_patience(Duration::from_secs(13));
        let query = session.query.clone();
        let closing = async {
            c.wait(6000).await;
            ws.send("2probe").await?;
            ws.is("3probe").await?;
            ws.closes().await?;
            is_ten_seconds(since)?;
            c.post(&query, "4done").await?.is_taken().map(|_| ())
        };
        let (closed, done) = tokio::join!(closing, comes(&mut session, "4done"));
        closed.and(done)
    }).within(20);
    area.must("EIO4-UPG-11", "a candidate that closes does the session no harm", |c| async move {
        let mut session = c.polling().await?;
        let mut ws = session.candidate().await?;
        ws.send_frame(Frame::new(CLOSE, "")).await?;
        ws.ends().await?;
        session.is_alive().await
    });
    area.must("EIO4-UPG-11", "a probed candidate that vanishes does the session no harm, and a new one may come", |c| async move {
        let mut session = c.polling().await?;
        session.probed().await?.wire.reset();
        c.settle().await;
        is_alive_after_probe(&mut session).await?;
        let mut ws = session.upgraded().await?;
        ws.send("4a").await?;
        ws.is("4a").await
    }).hostile();
    area.must("EIO4-UPG-11 EIO4-WS-03", "a candidate that breaks the WebSocket protocol does the session no harm", |c| async move {
        let mut session = c.polling().await?;
        let mut ws = session.candidate().await?;
        ws.send_frame(Frame::new(TEXT, "2probe").unmasked()).await?;
        ws.ends().await?;
        session.is_alive().await
    }).hostile();
    area.must("EIO4-UPG-11", "a ping frame on a candidate is answered", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.candidate().await?;
        ws.send_frame(Frame::new(PING, "x")).await?;
        ws.is_pong(b"x").await?;
        ws.send("2probe").await?;
        ws.is("3probe").await
    });
    area.must("EIO4-UPG-12", "a session that closes takes its candidate along", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.probed().await?;
        session.post("1").await?.is_taken()?;
        ws.ends().await?;
        session.is_gone().await
    });
    area.must("EIO4-UPG-12", "a session that dies of a fault takes its candidate along", |c| async move {
        let session = c.polling().await?;
        let mut ws = session.candidate().await?;
        session.post("x").await?.is_taken()?;
        ws.ends().await
    });
    area.must("EIO4-UPG-12 EIO4-HB-05", "a session that times out takes its candidate along", |c| async move {
        let session = c.polling().await?;
        let mut ws: WebSocket = session.candidate().await?;
        ws.ends().await?;
        session.is_gone().await
    });
}

fn is_ten_seconds(since: Instant) -> Verdict {
    let took = since.elapsed();
    ensure(
        took > Duration::from_secs(9) && took < Duration::from_secs(12),
        "the close after 10 s",
        format_args!("{took:?}"),
    )
}

/// Polls like a client's loop until this packet comes; pings are answered and noops skipped.
async fn comes(session: &mut Polling, expected: &str) -> Verdict {
    loop {
        let packet = session.next(expected).await?;
        if packet != "6" {
            return ensure(packet == expected, format_args!("packet {expected}"), packet);
        }
    }
}

/// A message both ways; noops that the probe has caused are skipped.
async fn is_alive_after_probe(session: &mut Polling) -> Verdict {
    session.send("4alive?").await?;
    comes(session, "4alive?").await
}
