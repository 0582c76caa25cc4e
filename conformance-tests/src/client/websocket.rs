//! The client side of RFC 6455, able to send what no client should.

use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};

use super::http::Response;
use super::wire::Wire;
use crate::failure::{Failure, Verdict, ensure};
use crate::trace::shown;

/// The key that every handshake of the suite sends.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The answer to [`KEY`], from RFC 6455 §1.3.
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Payloads beyond this are masked with zeros: as legal, and the suite's own time does not disturb its timing.
const MASKED_BYTES: usize = 64 * 1024;

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// One frame, with every bit at the caller's choice.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) is_final: bool,
    /// The three reserved bits, as they stand in the first byte (`0x40` is RSV1).
    pub(crate) reserved: u8,
    pub(crate) opcode: u8,
    pub(crate) is_masked: bool,
    pub(crate) payload: Bytes,
}

impl Frame {
    /// A whole, masked frame.
    pub(crate) fn new(opcode: u8, payload: impl Into<Bytes>) -> Self {
        Self {
            is_final: true,
            reserved: 0,
            opcode,
            is_masked: true,
            payload: payload.into(),
        }
    }

    /// Not the message's last frame.
    pub(crate) fn open(mut self) -> Self {
        self.is_final = false;
        self
    }

    pub(crate) fn reserved(mut self, bits: u8) -> Self {
        self.reserved = bits;
        self
    }

    pub(crate) fn unmasked(mut self) -> Self {
        self.is_masked = false;
        self
    }

    pub(crate) fn bytes(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(self.payload.len() + 14);
        let last = if self.is_final { 0x80 } else { 0 };
        bytes.put_u8(last | self.reserved | self.opcode);
        let mask_bit = if self.is_masked { 0x80 } else { 0 };
        let length = self.payload.len();
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short), _) if short < 126 => bytes.put_u8(mask_bit | short),
            (_, Ok(medium)) => {
                bytes.put_u8(mask_bit | 126);
                bytes.put_u16(medium);
            }
            _ => {
                bytes.put_u8(mask_bit | 127);
                bytes.put_u64(length as u64);
            }
        }
        if self.is_masked && length > MASKED_BYTES {
            bytes.extend_from_slice(&[0; 4]);
            bytes.extend_from_slice(&self.payload);
        } else if self.is_masked {
            bytes.extend_from_slice(&MASK);
            let masked = self.payload.iter().zip(MASK.iter().cycle());
            bytes.extend(masked.map(|(byte, key)| byte ^ key));
        } else {
            bytes.extend_from_slice(&self.payload);
        }
        bytes.freeze()
    }
}

/// What the server sent on a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    Text(String),
    Binary(Bytes),
    Ping(Bytes),
    Pong(Bytes),
    /// A close frame's payload: empty, or two bytes of status and a reason.
    Close(Bytes),
    /// The end of the TCP connection without a close frame.
    End,
}

impl Incoming {
    fn shown(&self) -> String {
        match self {
            Self::Text(text) => format!("text {}", shown(text.as_bytes())),
            Self::Binary(bytes) => format!("binary {}", hexadecimal(bytes)),
            Self::Ping(bytes) => format!("a ping frame {}", hexadecimal(bytes)),
            Self::Pong(bytes) => format!("a pong frame {}", hexadecimal(bytes)),
            Self::Close(bytes) => format!("a close frame {}", hexadecimal(bytes)),
            Self::End => "the end of the connection".to_owned(),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes
        .iter()
        .take(64)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("[{}] ({} bytes)", pairs.join(" "), bytes.len())
}

/// A WebSocket after its handshake.
///
/// Pings of Engine.IO 4 are answered on the way unless the case says that it watches them.
#[derive(Debug)]
pub(crate) struct WebSocket {
    pub(crate) wire: Wire,
    /// The answer that opened it.
    pub(crate) response: Response,
    answers_pings: bool,
}

impl WebSocket {
    pub(crate) fn new(wire: Wire, response: Response) -> Self {
        Self {
            wire,
            response,
            answers_pings: true,
        }
    }

    /// Leaves Engine.IO pings to the case.
    pub(crate) fn watch_pings(&mut self) {
        self.answers_pings = false;
    }

    pub(crate) async fn send(&mut self, text: impl Into<Bytes>) -> Verdict {
        self.send_frame(Frame::new(TEXT, text)).await
    }

    pub(crate) async fn send_binary(&mut self, bytes: impl Into<Bytes>) -> Verdict {
        self.send_frame(Frame::new(BINARY, bytes)).await
    }

    pub(crate) async fn send_frame(&mut self, frame: Frame) -> Verdict {
        self.send_together(&[frame]).await
    }

    /// Several frames in one write, so that the server reads them together.
    pub(crate) async fn send_together(&mut self, frames: &[Frame]) -> Verdict {
        let (mut bytes, mut plain) = (BytesMut::new(), BytesMut::new());
        for frame in frames {
            bytes.extend_from_slice(&frame.bytes());
            plain.extend_from_slice(&frame.clone().unmasked().bytes());
        }
        self.wire.send_as(&bytes, &plain).await
    }

    /// The next frame as it came, header bytes included, fragments not joined.
    pub(crate) async fn next_frame(&mut self, expected: &str) -> Verdict<Option<Frame>> {
        match self.wire.need(2, expected).await {
            Err(failure) if self.wire.peek().is_empty() && is_end(&failure) => return Ok(None),
            other => other?,
        }
        let header = self.wire.take(2);
        let (first, second) = (header[0], header[1]);
        let length = match second & 0x7f {
            126 => {
                self.wire.need(2, "a frame's length").await?;
                let bytes = self.wire.take(2);
                usize::from(u16::from_be_bytes([bytes[0], bytes[1]]))
            }
            127 => {
                self.wire.need(8, "a frame's length").await?;
                let bytes = self.wire.take(8);
                let length = bytes
                    .iter()
                    .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
                usize::try_from(length)
                    .map_err(|_| Failure::unmet("a frame that fits memory", length))?
            }
            short => usize::from(short),
        };
        ensure(second & 0x80 == 0, "an unmasked frame", "a masked one")?;
        self.wire.need(length, "a frame's whole payload").await?;
        Ok(Some(Frame {
            is_final: first & 0x80 != 0,
            reserved: first & 0x70,
            opcode: first & 0x0f,
            is_masked: false,
            payload: self.wire.take(length),
        }))
    }

    /// The next message or control frame, fragments joined.
    pub(crate) async fn next(&mut self, expected: &str) -> Verdict<Incoming> {
        let mut message: Option<(u8, BytesMut)> = None;
        loop {
            let Some(frame) = self.next_frame(expected).await? else {
                return Ok(Incoming::End);
            };
            ensure(
                frame.reserved == 0,
                "no reserved bits",
                format_args!("{:#04x}", frame.reserved),
            )?;
            match frame.opcode {
                PING => return Ok(Incoming::Ping(frame.payload)),
                PONG => return Ok(Incoming::Pong(frame.payload)),
                CLOSE => return Ok(Incoming::Close(frame.payload)),
                CONTINUATION if message.is_some() => {}
                TEXT | BINARY if message.is_none() => {
                    message = Some((frame.opcode, BytesMut::new()));
                }
                opcode => return Err(Failure::unmet("a frame in its place", opcode)),
            }
            let Some((opcode, bytes)) = &mut message else {
                continue;
            };
            bytes.extend_from_slice(&frame.payload);
            if frame.is_final {
                return finished(*opcode, std::mem::take(bytes).freeze());
            }
        }
    }

    /// The next message, Engine.IO pings answered on the way.
    pub(crate) async fn next_message(&mut self, expected: &str) -> Verdict<Incoming> {
        loop {
            let came = self.next(expected).await?;
            if self.answers_pings && came == Incoming::Text("2".to_owned()) && expected != "2" {
                self.send("3").await?;
                continue;
            }
            return Ok(came);
        }
    }

    /// The next message is this text.
    pub(crate) async fn is(&mut self, text: &str) -> Verdict {
        let came = self.next_message(text).await?;
        ensure(
            came == Incoming::Text(text.to_owned()),
            format_args!("text {}", shown(text.as_bytes())),
            came.shown(),
        )
    }

    /// The next message is these bytes.
    pub(crate) async fn is_binary(&mut self, bytes: &[u8]) -> Verdict {
        let came = self.next_message("a binary message").await?;
        ensure(
            matches!(&came, Incoming::Binary(came) if came == bytes),
            format_args!("binary {}", hexadecimal(bytes)),
            came.shown(),
        )
    }

    /// The next message is some text, returned.
    pub(crate) async fn text(&mut self, expected: &str) -> Verdict<String> {
        match self.next_message(expected).await? {
            Incoming::Text(text) => Ok(text),
            other => Err(Failure::unmet(expected, other.shown())),
        }
    }

    pub(crate) async fn is_pong(&mut self, payload: &[u8]) -> Verdict {
        let came = self.next_message("a pong frame").await?;
        ensure(
            matches!(&came, Incoming::Pong(came) if came == payload),
            format_args!("a pong frame {}", hexadecimal(payload)),
            came.shown(),
        )
    }

    /// The server closes with a close frame without a status, as it does on purpose.
    pub(crate) async fn is_closed(&mut self) -> Verdict {
        let came = self.next_message("a close frame without a status").await?;
        ensure(
            came == Incoming::Close(Bytes::new()),
            "a close frame without a status (88 00)",
            came.shown(),
        )
    }

    /// The server closes on purpose, whatever status it gives.
    pub(crate) async fn closes(&mut self) -> Verdict {
        let came = self.next_message("a close frame").await?;
        ensure(
            matches!(came, Incoming::Close(_)),
            "a close frame",
            came.shown(),
        )
    }

    /// The server closes with this status.
    pub(crate) async fn is_closed_with(&mut self, status: u16) -> Verdict {
        let came = self.next_message("a close frame with a status").await?;
        ensure(
            matches!(&came, Incoming::Close(payload) if payload.starts_with(&status.to_be_bytes())),
            format_args!("a close frame with status {status}"),
            came.shown(),
        )
    }

    /// The connection ends in whatever way, and nothing but pings comes before, or a close packet: that there is none is a
    /// rule of its own.
    pub(crate) async fn ends(&mut self) -> Verdict {
        let expected = "the end of the WebSocket";
        let mut came = self.next_message(expected).await?;
        if came == Incoming::Text("1".to_owned()) {
            came = self.next_message(expected).await?;
        }
        ensure(
            matches!(came, Incoming::Close(_) | Incoming::End),
            expected,
            came.shown(),
        )
    }

    /// Nothing comes for a while and the WebSocket stays open.
    pub(crate) async fn is_silent(&mut self, time: Duration) -> Verdict {
        self.wire.is_silent(time).await
    }
}

fn finished(opcode: u8, bytes: Bytes) -> Verdict<Incoming> {
    if opcode == BINARY {
        return Ok(Incoming::Binary(bytes));
    }
    match String::from_utf8(bytes.to_vec()) {
        Ok(text) => Ok(Incoming::Text(text)),
        Err(_) => Err(Failure::unmet("text in UTF-8", shown(&bytes))),
    }
}

/// True when the wait ended because the server closed, not because it was silent.
fn is_end(failure: &Failure) -> bool {
    failure.kind() == crate::failure::Kind::Unmet
}
