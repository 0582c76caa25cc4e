//! EIO4-WS: the WebSocket transport, well-formed and not.

use std::time::Duration;

use bytes::Bytes;

use crate::case::{Area, Profile};
use crate::client::http::Request;
use crate::client::websocket::{BINARY, CLOSE, CONTINUATION, Frame, PING, PONG, TEXT};
use crate::context::Context;
use crate::failure::ensure;

const PROTOCOL_ERROR: u16 = 1002;
const NOT_UTF8: u16 = 1007;
const TOO_BIG: u16 = 1009;

pub(super) fn cases() -> Area {
    let mut area = Area::new("eio4_websocket", Profile::Engine);
    messages(&mut area);
    control(&mut area);
    faults(&mut area);
    closing(&mut area);
    for case in &mut area.cases {
        case.is_polling = false;
    }
    area
}

fn messages(area: &mut Area) {
    area.must("EIO4-WS-01", "one packet per message, in order", |c| async move {
        let mut ws = c.ws().await?;
        let frames: Vec<Frame> = (0..100).map(|number| Frame::new(TEXT, format!("4{number}"))).collect();
        ws.send_together(&frames).await?;
        for number in 0..100 {
            ws.is(&format!("4{number}")).await?;
        }
        Ok(())
    });
    area.must("EIO4-WS-01", "a message in fragments is one message", |c| async move {
        let mut ws = c.ws().await?;
        ws.send_frame(Frame::new(TEXT, "4he").open()).await?;
        ws.send_frame(Frame::new(CONTINUATION, "ll").open()).await?;
        ws.send_frame(Frame::new(CONTINUATION, "").open()).await?;
        ws.send_frame(Frame::new(CONTINUATION, "o")).await?;
        ws.is("4hello").await
    });
    area.must("EIO4-WS-01", "a binary message in fragments is one message", |c| async move {
        let mut ws = c.ws().await?;
        ws.send_frame(Frame::new(BINARY, vec![1, 2]).open()).await?;
        ws.send_frame(Frame::new(CONTINUATION, vec![3])).await?;
        ws.is_binary(&[1, 2, 3]).await
    });
    area.must("EIO4-WS-01", "a character may be cut between fragments", |c| async move {
        let mut ws = c.ws().await?;
        let text = "4€😀".as_bytes();
        for (at, byte) in text.iter().enumerate() {
            let opcode = if at == 0 { TEXT } else { CONTINUATION };
            let frame = Frame::new(opcode, vec![*byte]);
            ws.send_frame(if at + 1 < text.len() { frame.open() } else { frame }).await?;
        }
        ws.is("4€😀").await
    });
    area.must("EIO4-WS-01", "frames may arrive byte by byte", |c| async move {
        let mut ws = c.ws().await?;
        for byte in Frame::new(TEXT, "4slow").bytes() {
            ws.wire.send(&[byte]).await?;
        }
        ws.is("4slow").await
    });
    for length in [1_usize, 125, 126, 127, 65_535, 65_536, 65_537, 200_000] {
        let name = format!("a message of {length} bytes comes back");
        area.must("EIO4-WS-01", &name, move |c| async move {
            let mut ws = c.ws().await?;
            let text = format!("4{}", "x".repeat(length - 1));
            ws.send(text.clone()).await?;
            ws.is(&text).await?;
            let bytes = vec![0xa5; length];
            ws.send_binary(bytes.clone()).await?;
            ws.is_binary(&bytes).await
        });
    }
    area.must("EIO4-WS-02", "a message of exactly the limit is taken", |c| async move {
        let mut ws = c.ws().await?;
        let text = format!("4{}", "x".repeat(999_999));
        ws.send(text.clone()).await?;
        ws.is(&text).await?;
        ws.send_binary(vec![7; 1_000_000]).await?;
        ws.is_binary(&vec![7; 1_000_000]).await
    });
    for opcode in [TEXT, BINARY] {
        let name = format!("a message of one byte more closes with 1009 (opcode {opcode})");
        area.must("EIO4-WS-02", &name, move |c| async move {
            let mut ws = c.ws().await?;
            ws.send_frame(Frame::new(opcode, vec![b'4'; 1_000_001])).await?;
            ws.is_closed_with(TOO_BIG).await
        }).hostile();
    }
    area.must("EIO4-WS-02", "the limit counts a message's fragments together", |c| async move {
        let mut ws = c.ws().await?;
        ws.send_frame(Frame::new(TEXT, vec![b'4'; 600_000]).open()).await?;
        ws.send_frame(Frame::new(CONTINUATION, vec![b'4'; 600_000])).await?;
        ws.is_closed_with(TOO_BIG).await
    }).hostile();
    area.must("EIO4-WS-02", "an announced length beyond the limit closes before the payload comes", |c| async move {
        let mut ws = c.ws().await?;
        // A length of 2^62: a server that allocates first is dead now.
        ws.wire.send(&[0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]).await?;
        ws.is_closed_with(TOO_BIG).await
    }).hostile();
    area.must("EIO4-WS-08", "permessage-deflate is not agreed on by default", |c| async move {
        let request = Context::upgrade_request("EIO=4&transport=websocket")
            .header("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits");
        let mut ws = c.websocket_by(request).await?;
        ws.response.is_without("Sec-WebSocket-Extensions")?;
        ws.text("an open packet").await?;
        ws.send(format!("4{}", "x".repeat(5000))).await?;
        ws.is(&format!("4{}", "x".repeat(5000))).await
    });
}

fn control(area: &mut Area) {
    area.must("EIO4-WS-04", "a ping frame is answered with its data", |c| async move {
        let mut ws = c.ws().await?;
        ws.send_frame(Frame::new(PING, "abc")).await?;
        ws.is_pong(b"abc").await?;
        ws.send_frame(Frame::new(PING, "")).await?;
        ws.is_pong(b"").await?;
        ws.send_frame(Frame::new(PING, vec![0xff; 125])).await?;
        ws.is_pong(&[0xff; 125]).await
    });
    area.must("EIO4-WS-04", "a ping frame may come between fragments", |c| async move {
        let mut ws = c.ws().await?;
        ws.send_frame(Frame::new(TEXT, "4he").open()).await?;
        ws.send_frame(Frame::new(PING, "x")).await?;
        ws.is_pong(b"x").await?;
        ws.send_frame(Frame::new(CONTINUATION, "llo")).await?;
        ws.is("4hello").await
    });
    area.must("EIO4-WS-04", "an unasked pong frame is ignored", |c| async move {
        let mut ws = c.ws().await?;
        ws.send_frame(Frame::new(PONG, "x")).await?;
        ws.send("4a").await?;
        ws.is("4a").await
    });
    area.must("EIO4-WS-04 EIO4-HB-05", "ping frames do not keep the session alive", |c| async move {
        let mut ws = c.ws().await?;
        ws.watch_pings();
        ws.is("2").await?;
        for _ in 0..3 {
            ws.send_frame(Frame::new(PING, "x")).await?;
            ws.is_pong(b"x").await?;
            c.wait(50).await;
        }
        ws.ends().await
    });
}

fn faults(area: &mut Area) {
    for (what, bytes) in [
        ("a stray continuation byte", &b"4\x80"[..]),
        ("an overlong form", b"4\xc0\xaf"),
        ("a surrogate", b"4\xed\xa0\x80"),
        ("a code point beyond the last", b"4\xf4\x90\x80\x80"),
        ("a cut character", b"4\xe2\x82"),
        ("a byte that is none", b"4\xff"),
    ] {
        let name = format!("text with {what} closes with 1007");
        area.must("EIO4-WS-03", &name, move |c| async move {
            let mut ws = c.ws().await?;
            ws.send_frame(Frame::new(TEXT, Bytes::from_static(bytes))).await?;
            ws.is_closed_with(NOT_UTF8).await
        }).hostile();
    }
    area.must("EIO4-WS-03", "text that goes bad in a later fragment closes with 1007", |c| async move {
        let mut ws = c.ws().await?;
        ws.send_frame(Frame::new(TEXT, Bytes::from_static(b"4\xe2")).open()).await?;
        ws.send_frame(Frame::new(CONTINUATION, "x")).await?;
        ws.is_closed_with(NOT_UTF8).await
    }).hostile();
    area.must("EIO4-WS-03", "an unmasked frame closes with 1002", |c| async move {
        let mut ws = c.ws().await?;
        ws.send_frame(Frame::new(TEXT, "4a").unmasked()).await?;
        ws.is_closed_with(PROTOCOL_ERROR).await
    }).hostile();
    for bits in [0x40, 0x20, 0x10] {
        let name = format!("a reserved bit closes with 1002 ({bits:#x})");
        area.must("EIO4-WS-03", &name, move |c| async move {
            let mut ws = c.ws().await?;
            ws.send_frame(Frame::new(TEXT, "4a").reserved(bits)).await?;
            ws.is_closed_with(PROTOCOL_ERROR).await
        }).hostile();
    }
    for opcode in [3, 7, 11, 15] {
        let name = format!("the reserved opcode {opcode} closes with 1002");
        area.must("EIO4-WS-03", &name, move |c| async move {
            let mut ws = c.ws().await?;
            ws.send_frame(Frame::new(opcode, "4a")).await?;
            ws.is_closed_with(PROTOCOL_ERROR).await
        }).hostile();
    }
    for opcode in [CLOSE, PING, PONG] {
        let name = format!("a control frame in fragments closes with 1002 (opcode {opcode})");
        area.must("EIO4-WS-03", &name, move |c| async move {
            let mut ws = c.ws().await?;
            ws.send_frame(Frame::new(opcode, "").open()).await?;
            ws.is_closed_with(PROTOCOL_ERROR).await
        }).hostile();
        let name = format!("a control frame of 126 bytes closes with 1002 (opcode {opcode})");
        area.must("EIO4-WS-03", &name, move |c| async move {
            let mut ws = c.ws().await?;
            ws.send_frame(Frame::new(opcode, vec![b'a'; 126])).await?;
            ws.is_closed_with(PROTOCOL_ERROR).await
        }).hostile();
    }
    area.must("EIO4-WS-03", "a continuation without a beginning closes with 1002", |c| async move {
        let mut ws = c.ws().await?;
        ws.send_frame(Frame::new(CONTINUATION, "4a")).await?;
        ws.is_closed_with(PROTOCOL_ERROR).await
    }).hostile();
    area.must("EIO4-WS-03", "a new message inside another closes with 1002", |c| async move {
        let mut ws = c.ws().await?;
        ws.send_frame(Frame::new(TEXT, "4a").open()).await?;
        ws.send_frame(Frame::new(TEXT, "4b")).await?;
        ws.is_closed_with(PROTOCOL_ERROR).await
    }).hostile();
    area.must("EIO4-WS-02 EIO4-WS-03", "a flood of empty fragments does the server no harm", |c| async move {
        let mut ws = c.ws().await?;
        let mut frames = vec![Frame::new(TEXT, "4").open()];
        frames.extend((0..20_000).map(|_| Frame::new(CONTINUATION, "").open()));
        ws.send_together(&frames).await?;
        Ok(())
    }).hostile();
    area.must("EIO4-WS-03", "bytes that are no frames do the server no harm", |c| async move {
        let mut ws = c.ws().await?;
        ws.wire.send(b"GET / HTTP/1.1\r\n\r\n").await?;
        ws.ends().await
    }).hostile();
    area.must("EIO4-WS-07", "a parse error closes without a status", |c| async move {
        let mut ws = c.ws().await?;
        ws.send("x").await?;
        ws.is_closed().await
    }).hostile();
    area.must("EIO4-WS-07 EIO4-HB-06", "a heartbeat in the wrong direction closes without a status", |c| async move {
        let mut ws = c.ws().await?;
        ws.send("2").await?;
        ws.is_closed().await
    }).hostile();
}

fn closing(area: &mut Area) {
    area.must("EIO4-WS-06", "a close frame is answered and ends the connection", |c| async move {
        let mut ws = c.ws().await?;
        ws.send_frame(Frame::new(CLOSE, "")).await?;
        ws.ends().await?;
        ws.wire.is_closed(Duration::from_secs(2)).await
    });
    area.must("EIO4-WS-06", "a close frame's status is answered with the same", |c| async move {
        let mut ws = c.ws().await?;
        ws.send_frame(Frame::new(CLOSE, vec![0x03, 0xe8])).await?;
        ws.is_closed_with(1000).await
    });
    for (what, payload) in [
        ("one byte", &[3_u8][..]),
        ("the reserved status 1005", &[0x03, 0xed]),
        ("the reserved status 1006", &[0x03, 0xee]),
        ("status 0", &[0, 0]),
        ("status 999", &[0x03, 0xe7]),
    ] {
        let name = format!("a close frame with {what} is a protocol error");
        area.must("EIO4-WS-03 EIO4-WS-06", &name, move |c| async move {
            let mut ws = c.ws().await?;
            ws.send_frame(Frame::new(CLOSE, payload.to_vec())).await?;
            ws.is_closed_with(PROTOCOL_ERROR).await
        }).hostile();
    }
    area.must("EIO4-WS-06", "a close frame ends the session", |c| async move {
        let (mut ws, open) = c.ws_open("EIO=4&transport=websocket").await?;
        ws.send_frame(Frame::new(CLOSE, "")).await?;
        ws.ends().await?;
        drop(ws);
        c.settle().await;
        c.get(&format!("EIO=4&transport=polling&sid={}", open.sid)).await?.is_error(1, "Session ID unknown")?;
        Ok(())
    });
    area.must("EIO4-WS-06", "an abrupt end of the connection ends the session", |c| async move {
        let (ws, open) = c.ws_open("EIO=4&transport=websocket").await?;
        ws.wire.reset();
        c.settle().await;
        c.get(&format!("EIO=4&transport=polling&sid={}", open.sid)).await?.is_error(1, "Session ID unknown")?;
        Ok(())
    }).hostile();
    area.must("EIO4-WS-06", "the end of the client's direction ends the session", |c| async move {
        let (mut ws, open) = c.ws_open("EIO=4&transport=websocket").await?;
        ws.wire.finish().await;
        ws.ends().await?;
        c.get(&format!("EIO=4&transport=polling&sid={}", open.sid)).await?.is_error(1, "Session ID unknown")?;
        Ok(())
    });
    area.must("EIO4-WS-06", "frames after a close frame are not handled", |c| async move {
        let mut ws = c.ws().await?;
        ws.send_together(&[Frame::new(CLOSE, ""), Frame::new(TEXT, "4late")]).await?;
        ws.ends().await
    });
    area.must("EIO4-WS-05 EIO4-HB-05", "the server closes without a status and without a packet", |c| async move {
        let mut ws = c.ws().await?;
        ws.watch_pings();
        ws.is("2").await?;
        ws.is_closed().await
    });
    area.must("EIO4-CLS-02", "close as a packet is ignored on WebSocket", |c| async move {
        let mut ws = c.ws().await?;
        ws.send("1").await?;
        ws.send("4a").await?;
        ws.is("4a").await
    });
    area.must("EIO4-WS-06", "a handshake that is abandoned does the server no harm", |c| async move {
        for _ in 0..20 {
            c.start(&Context::upgrade_request("EIO=4&transport=websocket")).await?.reset();
        }
        Ok(())
    }).hostile();
    area.must("EIO4-WS-01 EIO4-HS-05", "frames sent with the handshake are handled", |c| async move {
        let mut wire = c.wire().await?;
        let mut bytes = Context::upgrade_request("EIO=4&transport=websocket").bytes(c.target()).to_vec();
        bytes.extend_from_slice(&Frame::new(TEXT, "4early").bytes());
        wire.send(&bytes).await?;
        let response = crate::client::http::Response::read(&mut wire, "GET").await?;
        response.is_status(101)?;
        let mut ws = crate::client::websocket::WebSocket::new(wire, response);
        let open = ws.text("an open packet").await?;
        ensure(open.starts_with('0'), "the open packet first", open)?;
        ws.is("4early").await
    });
    area.must("EIO4-WS-01", "a plain request on the same port works beside WebSockets", |c| async move {
        let mut ws = c.ws().await?;
        c.request(Request::get("EIO=4&transport=polling")).await?.is_status(200)?;
        ws.send("4a").await?;
        ws.is("4a").await
    });
}
