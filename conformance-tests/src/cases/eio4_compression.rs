//! EIO4-CMP: compressed answers and frames.

use std::io::Read;

use bytes::Bytes;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};

use crate::case::{Area, Profile};
use crate::client::Polling;
use crate::client::http::{Request, Response};
use crate::client::websocket::{BINARY, CONTINUATION, Frame, TEXT, WebSocket};
use crate::context::Context;
use crate::failure::{Failure, Verdict, ensure};

/// RSV1: the message is compressed.
const COMPRESSED: u8 = 0x40;

/// What permessage-deflate leaves out at the end of each message.
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

pub(super) fn cases() -> Area {
    let mut area = Area::new("eio4_compression", Profile::Engine);
    http(&mut area);
    area.on_matrix(6);
    deflate(&mut area);
    area
}

/// A session on polling with this much text queued, and what a poll with this `Accept-Encoding` gets.
async fn polled(c: &Context, length: usize, encodings: &str) -> Verdict<(Response, String)> {
    let session: Polling = c.polling().await?;
    let text = format!("4{}", "x".repeat(length - 1));
    session.send(&text).await?;
    let request = Request::get(session.query.as_str()).header("Accept-Encoding", encodings);
    Ok((c.request(request).await?, text))
}

/// The body, decoded as its `Content-Encoding` says.
fn plain(response: &Response) -> Verdict<String> {
    let mut text = String::new();
    let done = match response.value("Content-Encoding") {
        None => return Ok(response.text()),
        Some("gzip") => flate2::read::GzDecoder::new(&response.body[..]).read_to_string(&mut text),
        Some("deflate") => flate2::read::ZlibDecoder::new(&response.body[..]).read_to_string(&mut text),
        Some(other) => return Err(Failure::unmet("gzip or deflate", other)),
    };
    match done {
        Ok(_) => Ok(text),
        Err(error) => Err(Failure::unmet("a body in the named encoding", error)),
    }
}

fn http(area: &mut Area) {
    for (accepted, encoding) in [
        ("gzip", Some("gzip")),
        ("deflate", Some("deflate")),
        ("gzip, deflate", Some("gzip")),
        ("deflate, gzip", Some("deflate")),
        ("gzip;q=0.5, deflate", Some("deflate")),
        ("deflate;q=0.5, gzip;q=0.6", Some("gzip")),
        ("*", Some("gzip")),
        ("br", None),
        ("br, gzip;q=0.1", Some("gzip")),
        ("identity", None),
        ("gzip;q=0", None),
    ] {
        let name = format!("a client that accepts [{accepted}] gets {}", encoding.unwrap_or("plain text"));
        area.must("EIO4-CMP-01", &name, move |c| async move {
            let (response, text) = polled(&c, 5000, accepted).await?;
            ensure(
                response.value("Content-Encoding") == encoding,
                format_args!("Content-Encoding {encoding:?}"),
                response.shown(),
            )?;
            ensure(plain(&response)? == text, "the message", response.shown())
        });
    }
    area.must("EIO4-CMP-01", "without Accept-Encoding nothing is compressed", |c| async move {
        let session = c.polling().await?;
        let text = format!("4{}", "x".repeat(4999));
        session.send(&text).await?;
        session.get().await?.is_without("Content-Encoding")?.is_body(&text)?;
        Ok(())
    });
    area.must("EIO4-CMP-01", "1024 bytes are compressed and 1023 are not", |c| async move {
        let (response, text) = polled(&c, 1024, "gzip").await?;
        response.is_header("Content-Encoding", "gzip")?;
        ensure(plain(&response)? == text, "the message", response.shown())?;
        let (response, text) = polled(&c, 1023, "gzip").await?;
        response.is_without("Content-Encoding")?.is_body(&text)?;
        Ok(())
    });
    area.should("EIO4-CMP-02", "a POST's answer is not compressed", |c| async move {
        let session = c.polling().await?;
        let request = Request::post(session.query.as_str(), "4a").header("Accept-Encoding", "gzip");
        c.request(request).await?.is_taken()?.is_without("Content-Encoding")?;
        Ok(())
    });
    area.on_matrix(5);
    area.must("EIO4-CMP-01", "the threshold is the configured one", |c| async move {
        let request = Request::get("EIO=4&transport=polling").header("Accept-Encoding", "gzip");
        let response = c.request(request).await?;
        response.is_header("Content-Encoding", "gzip")?;
        crate::context::Open::parse(&plain(&response)?)?;
        Ok(())
    });
}

/// A WebSocket that has agreed on permessage-deflate, with its frames compressed and not.
struct Deflated {
    ws: WebSocket,
    inflate: Decompress,
    deflate: Compress,
    /// What was sent before must not be referred to.
    is_contextless: bool,
}

impl Deflated {
    async fn open(c: &Context, offer: &str) -> Verdict<Self> {
        let request = Context::upgrade_request("EIO=4&transport=websocket")
            .header("Sec-WebSocket-Extensions", offer);
        let ws = c.websocket_by(request).await?;
        let agreed = ws.response.value("Sec-WebSocket-Extensions").unwrap_or_default();
        ensure(agreed.starts_with("permessage-deflate"), "permessage-deflate", ws.response.shown())?;
        let is_contextless = agreed.contains("client_no_context_takeover");
        let mut this = Self {
            ws,
            is_contextless,
            inflate: Decompress::new(false),
            deflate: Compress::new(Compression::default(), false),
        };
        this.next().await?;
        this.send("40").await?;
        this.next().await?;
        Ok(this)
    }

    fn compressed(&mut self, text: &[u8]) -> Verdict<Bytes> {
        let mut out = Vec::with_capacity(text.len() + 64);
        self.deflate
            .compress_vec(text, &mut out, FlushCompress::Sync)
            .map_err(|error| Failure::unmet("compressible text", error))?;
        out.truncate(out.len().saturating_sub(TAIL.len()));
        if self.is_contextless {
            self.deflate.reset();
        }
        Ok(out.into())
    }

    async fn send(&mut self, text: &str) -> Verdict {
        let payload = self.compressed(text.as_bytes())?;
        self.ws.send_frame(Frame::new(TEXT, payload).reserved(COMPRESSED)).await
    }

    /// The next text, inflated when its frame says so.
    async fn next(&mut self) -> Verdict<String> {
        let frame = self.ws.next_frame("a text frame").await?;
        let frame = frame.ok_or_else(|| Failure::unmet("a text frame", "the end"))?;
        ensure(frame.opcode == TEXT && frame.is_final, "a whole text frame", frame.opcode)?;
        let payload = match frame.reserved {
            COMPRESSED => {
                let mut out = Vec::with_capacity(1 << 20);
                let input = [&frame.payload[..], &TAIL].concat();
                self.inflate
                    .decompress_vec(&input, &mut out, FlushDecompress::Sync)
                    .map_err(|error| Failure::unmet("a compressed frame", error))?;
                out
            }
            _ => frame.payload.to_vec(),
        };
        String::from_utf8(payload).map_err(|error| Failure::unmet("text", error))
    }

    async fn is_echoed(&mut self, text: &str) -> Verdict {
        self.send(&format!("42[\"message\",\"{text}\"]")).await?;
        let came = self.next().await?;
        ensure(
            came == format!("42[\"message-back\",\"{text}\"]"),
            "the message back",
            crate::trace::shown(came.as_bytes()),
        )
    }
}

fn deflate(area: &mut Area) {
    let offers = [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "x-unknown, permessage-deflate",
    ];
    for offer in offers {
        let name = format!("messages go compressed both ways: [{offer}]");
        area.should("EIO4-CMP-03", &name, move |c| async move {
            let mut ws = Deflated::open(&c, offer).await?;
            if offer.contains("no_context") {
                ws.inflate.reset(false);
            }
            ws.is_echoed(&"x".repeat(5000)).await
        });
    }
    area.should("EIO4-CMP-03", "the server's context carries over from message to message", |c| async move {
        let mut ws = Deflated::open(&c, "permessage-deflate").await?;
        for _ in 0..5 {
            ws.is_echoed(&"hello, hello, ".repeat(30)).await?;
        }
        Ok(())
    });
    area.should("EIO4-CMP-03", "a compressed message may come in fragments", |c| async move {
        let mut ws = Deflated::open(&c, "permessage-deflate").await?;
        let text = format!("42[\"message\",\"{}\"]", "ab".repeat(500));
        let payload = ws.compressed(text.as_bytes())?;
        let (head, tail) = payload.split_at(payload.len() / 2);
        ws.ws.send_frame(Frame::new(TEXT, head.to_vec()).open().reserved(COMPRESSED)).await?;
        ws.ws.send_frame(Frame::new(CONTINUATION, tail.to_vec())).await?;
        let came = ws.next().await?;
        ensure(came.contains("abab"), "the message back", came)
    });
    area.should("EIO4-CMP-03", "an uncompressed message is taken as well", |c| async move {
        let mut ws = Deflated::open(&c, "permessage-deflate").await?;
        ws.ws.send("42[\"message\",1]").await?;
        let came = ws.next().await?;
        ensure(came == "42[\"message-back\",1]", "the message back", came)
    });
    area.should("EIO4-CMP-03", "a client that offers nothing gets plain frames", |c| async move {
        let mut ws = c.ws().await?;
        ws.send("40").await?;
        ws.text("40").await?;
        let text = "x".repeat(3000);
        ws.send(format!("42[\"message\",\"{text}\"]")).await?;
        ws.is(&format!("42[\"message-back\",\"{text}\"]")).await
    });
    area.must("EIO4-WS-02", "a small frame that inflates beyond the limit ends the connection", |c| async move {
        let mut ws = Deflated::open(&c, "permessage-deflate").await?;
        let bomb = ws.compressed(&vec![b'4'; 50_000_000])?;
        ws.ws.send_frame(Frame::new(BINARY, bomb).reserved(COMPRESSED)).await?;
        ws.ws.is_closed_with(1009).await
    }).hostile();
    area.must("EIO4-WS-03", "bytes that do not inflate end the connection", |c| async move {
        let mut ws = Deflated::open(&c, "permessage-deflate").await?;
        ws.ws.send_frame(Frame::new(TEXT, vec![0xff; 40]).reserved(COMPRESSED)).await?;
        ws.ws.ends().await
    }).hostile();
}
