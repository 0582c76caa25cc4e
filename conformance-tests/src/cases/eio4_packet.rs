//! EIO4-PKT and EIO4-PLD: packets and payloads.

use crate::case::{Area, Profile};
use crate::client::websocket::{Frame, TEXT};
use crate::failure::ensure;

pub(super) fn cases() -> Area {
    let mut area = Area::new("eio4_packet", Profile::Engine);

    area.both("EIO4-PKT-01", "the payload of a message comes back unchanged", |c, transport| async move {
        let mut link = c.link(transport).await?;
        for text in ["4€", "4😀", "44", "4{\"a\": [1]}", "4 ", "4\n\t\"\\", "4\u{0}", "4\u{2028}", "4b", "4\u{feff}x"] {
            link.send(text).await?;
            link.is(text).await?;
        }
        Ok(())
    });
    area.must("EIO4-PKT-01", "a separator inside a message is text on WebSocket", |c| async move {
        let mut ws = c.ws().await?;
        ws.send("4a\u{1e}4b").await?;
        ws.is("4a\u{1e}4b").await
    }).without_polling();
    area.both("EIO4-PKT-02", "a message without payload comes back without one", |c, transport| async move {
        let mut link = c.link(transport).await?;
        link.send("4").await?;
        link.is("4").await
    });
    area.both("EIO4-PKT-03 EIO4-PKT-04 EIO4-WS-01", "binary messages come back unchanged", |c, transport| async move {
        let mut link = c.link(transport).await?;
        let every: Vec<u8> = (0..=255).collect();
        for bytes in [&[1, 2, 3][..], &[0], &[0xff, 0xfe], b"4text", &every] {
            link.send_binary(bytes).await?;
            link.is_binary(bytes).await?;
        }
        Ok(())
    });
    area.must("EIO4-PLD-04", "a body below the limit may hold 12,000 packets", |c| async move {
        const PACKETS: usize = 12_000;
        let mut session = c.polling().await?;
        session.send_all(&["4x"; PACKETS]).await?;
        for _ in 0..PACKETS {
            session.is("4x").await?;
        }
        session.is_alive().await
    });
    area.must("EIO4-PKT-03", "an empty binary frame is an empty message", |c| async move {
        let mut ws = c.ws().await?;
        ws.send_binary(Vec::new()).await?;
        ws.is_binary(&[]).await
    }).without_polling();
    area.must("EIO4-PKT-04", "a text frame with b is a binary message", |c| async move {
        let mut ws = c.ws().await?;
        ws.send("bAQID").await?;
        ws.is_binary(&[1, 2, 3]).await
    }).without_polling();
    area.must("EIO4-PKT-04", "base64 uses the standard alphabet and is padded", |c| async move {
        let mut session = c.polling().await?;
        session.send("b++//").await?;
        session.is("b++//").await?;
        session.send("bAQ==").await?;
        session.is("bAQ==").await?;
        session.send("bAQI=").await?;
        session.is("bAQI=").await
    });
    area.should("EIO4-PKT-05", "padding may be missing", |c| async move {
        let mut session = c.polling().await?;
        session.send("bAQ").await?;
        session.is("bAQ==").await?;
        session.send("bAQI").await?;
        session.is("bAQI=").await
    });
    area.should("EIO4-PKT-05", "b alone is an empty binary message", |c| async move {
        let mut session = c.polling().await?;
        session.send("b").await?;
        session.is("b").await
    });
    for packet in ["x", "7", "9abc", "a", "-1", "/", "€", "\u{0}", " 4a", "B"] {
        let name = format!("a packet of unknown type is a parse error: {}", packet.escape_debug());
        area.both("EIO4-PKT-06 EIO4-WS-07 EIO4-POL-03", &name, move |c, transport| async move {
            let mut link = c.link(transport).await?;
            link.send(packet).await?;
            link.is_ended().await
        });
    }
    area.must("EIO4-PKT-06 EIO4-WS-07", "an empty text frame is a parse error", |c| async move {
        let mut ws = c.ws().await?;
        ws.send("").await?;
        ws.ends().await
    }).without_polling().hostile();
    area.both("EIO4-PKT-07", "open, upgrade and noop are ignored on an established session", |c, transport| async move {
        let mut link = c.link(transport).await?;
        for packet in ["0", "0{\"sid\":\"x\"}", "5", "5abc", "6", "6x"] {
            link.send(packet).await?;
            link.send("4still").await?;
            link.is("4still").await?;
        }
        Ok(())
    });

    area.must("EIO4-PLD-01", "queued packets come joined by the separator, without one at the end", |c| async move {
        let session = c.polling().await?;
        session.send_all(&["4a", "bAQIDBA==", "4€😀"]).await?;
        let response = session.get().await?;
        response.is_body("4a\u{1e}bAQIDBA==\u{1e}4€😀")?;
        Ok(())
    });
    area.must("EIO4-PLD-03 SRV-ORD-02", "packets are handled in the order of the body", |c| async move {
        let mut session = c.polling().await?;
        let packets: Vec<String> = (0..200).map(|number| format!("4{number}")).collect();
        let sent: Vec<&str> = packets.iter().map(String::as_str).collect();
        session.send_all(&sent).await?;
        for packet in &packets {
            session.is(packet).await?;
        }
        Ok(())
    });
    area.must("EIO4-PLD-02 EIO4-POL-03 EIO4-CLS-10", "decoding stops at the first bad packet and the session closes", |c| async move {
        let session = c.polling().await?;
        let mut poll = session.start_poll().await?;
        session.post("4hello\u{1e}abc\u{1e}4x").await?.is_taken()?;
        poll.is("4hello").await?;
        session.is_gone().await
    });
    for (what, body) in [
        ("an empty body", ""),
        ("a leading separator", "\u{1e}4a"),
        ("a separator alone", "\u{1e}"),
        ("an unknown type", "z"),
    ] {
        let name = format!("{what} closes the session at once and is answered ok");
        area.must("EIO4-PLD-02 EIO4-POL-03 EIO4-CLS-10", &name, move |c| async move {
            let session = c.polling().await?;
            session.post(body).await?.is_ok()?;
            session.is_gone().await
        }).hostile();
        let name = format!("{what} answers a pending poll with close");
        area.must("EIO4-PLD-02 EIO4-CLS-10", &name, move |c| async move {
            let session = c.polling().await?;
            let mut poll = session.start_poll().await?;
            session.post(body).await?.is_taken()?;
            poll.is("1").await?;
            session.is_gone().await
        });
    }
    for (what, body) in [("doubled", "4a\u{1e}\u{1e}4b"), ("trailing", "4a\u{1e}")] {
        let name = format!("a {what} separator is an empty packet, after those before it");
        area.must("EIO4-PLD-02 EIO4-CLS-10", &name, move |c| async move {
            let session = c.polling().await?;
            let mut poll = session.start_poll().await?;
            session.post(body).await?.is_taken()?;
            poll.is("4a").await?;
            session.is_gone().await
        });
    }

    area.must("EIO4-PKT-01", "a megabyte comes back on WebSocket", |c| async move {
        let mut ws = c.ws().await?;
        let text = format!("4{}", "x".repeat(999_999));
        ws.send(text.clone()).await?;
        ws.is(&text).await
    }).without_polling();
    area.must("EIO4-PKT-01 EIO4-POL-07", "a megabyte comes back on polling", |c| async move {
        let mut session = c.polling().await?;
        let text = format!("4{}", "x".repeat(999_999));
        session.send(&text).await?;
        session.is(&text).await
    });
    area.must("EIO4-PKT-06", "text that begins inside a character does no harm", |c| async move {
        // Six bytes whose second byte is the middle of a character: a slice by number would panic.
        for text in ["€abc", "4\u{20ac}ab", "😀ab", "b€€", "2€€a", "0€€a"] {
            let mut ws = c.ws().await?;
            ws.send_frame(Frame::new(TEXT, text)).await?;
        }
        Ok(())
    }).hostile().without_polling();
    area.must("EIO4-PLD-01 EIO4-POL-14", "a payload's length is counted in bytes", |c| async move {
        let session = c.polling().await?;
        session.send("4€😀").await?;
        let response = session.get().await?;
        response.is_body("4€😀")?;
        ensure(
            response.value("content-length").is_none_or(|length| length == "8"),
            "Content-Length: 8",
            response.shown(),
        )
    });
    area
}
