//! WebSocket frames as the proxy sees them.

use tokio::io::{AsyncRead, AsyncReadExt};

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PONG: u8 = 10;

/// A frame, unmasked.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// FIN and reserved bits, as they stand in the first byte.
    pub(crate) bits: u8,
    pub(crate) opcode: u8,
    pub(crate) is_masked: bool,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    /// A whole frame towards the client.
    pub(crate) fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            bits: 0x80,
            opcode,
            is_masked: false,
            payload: payload.into(),
        }
    }

    /// The text of a whole text frame.
    pub(crate) fn text(&self) -> Option<&str> {
        let is_whole_text = self.opcode == TEXT && self.bits == 0x80;
        is_whole_text.then(|| std::str::from_utf8(&self.payload).ok())?
    }

    pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Self> {
        let first = stream.read_u8().await.ok()?;
        let second = stream.read_u8().await.ok()?;
        let length = match second & 0x7f {
            126 => u64::from(stream.read_u16().await.ok()?),
            127 => stream.read_u64().await.ok()?,
            short => u64::from(short),
        };
        let mut mask = [0; 4];
        if second & 0x80 != 0 {
            stream.read_exact(&mut mask).await.ok()?;
        }
        let mut payload = Vec::new();
        // A length that no case can mean to send in full: what there is goes on.
        stream
            .take(length.min(64 << 20))
            .read_to_end(&mut payload)
            .await
            .ok()?;
        for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= key;
        }
        Some(Self {
            bits: first & 0xf0,
            opcode: first & 0x0f,
            is_masked: second & 0x80 != 0,
            payload,
        })
    }

    /// Masked with zeros when it was masked.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mask_bit = if self.is_masked { 0x80 } else { 0 };
        let mut bytes = vec![self.bits | self.opcode];
        let length = self.payload.len();
        match (u8::try_from(length), u16::try_from(length)) {
            (Ok(short), _) if short < 126 => bytes.push(mask_bit | short),
            (_, Ok(medium)) => {
                bytes.push(mask_bit | 126);
                bytes.extend_from_slice(&medium.to_be_bytes());
            }
            _ => {
                bytes.push(mask_bit | 127);
                bytes.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        if self.is_masked {
            bytes.extend_from_slice(&[0; 4]);
        }
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}
