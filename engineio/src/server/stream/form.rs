//! The forms a connection's frames can take on its WebSocket.

use std::borrow::Cow;

use bytes::Bytes;

use super::writer::recycle;
use crate::buffers;
use crate::message::EncodedMessage;
use crate::packet::{self, Protocol};
use crate::proto::chunk::{Chunk, Shape};
use crate::websocket::{self, Deflater, Opcode, Settings};

/// How frames must look on this connection's WebSocket. Queued frames are those of protocol 4; anything else is
/// made from them when they leave.
#[derive(Debug, Default)]
pub(crate) struct FrameForm {
    binary: BinaryForm,
    /// In a box of its own, for most connections have none.
    deflater: Option<Box<Deflater>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum BinaryForm {
    #[default]
    Plain,
    /// Binary messages as base64 text (EIO4-QRY-08, EIO3-PKT-02).
    Base64(Protocol),
    /// Binary messages begin with their type byte (EIO3-PKT-01).
    TypeByte,
}

impl FrameForm {
    pub(crate) fn new(protocol: Protocol, is_base64: bool, deflater: Option<Deflater>) -> Self {
        let binary = match protocol {
            _ if is_base64 => BinaryForm::Base64(protocol),
            Protocol::V3 => BinaryForm::TypeByte,
            Protocol::V4 => BinaryForm::Plain,
        };
        Self {
            binary,
            deflater: deflater.map(Box::new),
        }
    }

    /// What is queued may leave as it is.
    pub(crate) fn is_plain(&self) -> bool {
        self.binary == BinaryForm::Plain && self.deflater.is_none()
    }

    /// How this connection wants a message that other recipients may want in the same form.
    pub(crate) fn shared_settings(&self) -> Option<Settings> {
        let deflater = self.deflater.as_deref();
        deflater
            .filter(|_| self.binary == BinaryForm::Plain)
            .and_then(Deflater::shared_settings)
    }

    /// The chunk as it has to leave.
    pub(crate) fn shape(&mut self, chunk: Chunk) -> Chunk {
        if self.is_plain() || chunk.shape() == Shape::Wire {
            return chunk;
        }
        let is_compressible = chunk.shape() == Shape::Frames;
        let mut shaped = buffers::take();
        let mut frames = chunk.remaining();
        while let Some((opcode, body, rest)) = websocket::split_frame(frames) {
            self.shape_frame(opcode, body, is_compressible, &mut shaped);
            frames = rest;
        }
        recycle(chunk);
        Chunk::own(shaped, Shape::Wire)
    }

    fn shape_frame(
        &mut self,
        opcode: Opcode,
        body: &[u8],
        is_compressible: bool,
        out: &mut Vec<u8>,
    ) {
        if opcode != Opcode::Binary || self.binary == BinaryForm::Plain {
            return self.write(opcode, body, is_compressible, out);
        }
        let mut shaped = buffers::take();
        let opcode = if let BinaryForm::Base64(protocol) = self.binary {
            packet::encode_base64(protocol, body, &mut shaped);
            Opcode::Text
        } else {
            packet::encode_binary(Protocol::V3, body, &mut shaped);
            Opcode::Binary
        };
        self.write(opcode, &shaped, is_compressible, out);
        buffers::give_back(shaped);
    }

    fn write(&mut self, opcode: Opcode, body: &[u8], is_compressible: bool, out: &mut Vec<u8>) {
        let deflater = self.deflater.as_deref_mut().filter(|_| is_compressible);
        if !deflater.is_some_and(|deflater| write_compressed(deflater, opcode, body, out)) {
            websocket::write_frame(out, opcode, body);
        }
    }
}

/// The frames of a message as recipients with these settings share them: compressed once, or as they are where that is of
/// no use.
pub(crate) fn shared_frames(message: &EncodedMessage, settings: Settings) -> Cow<'_, Bytes> {
    message.compressed(settings, |frames| compress_frames(frames, settings))
}

/// All frames, with those compressed that become shorter; `None` when there is none.
fn compress_frames(mut frames: &[u8], settings: Settings) -> Option<Bytes> {
    let mut deflater = Deflater::alone(settings)?;
    let mut shaped = buffers::take();
    let mut is_compressed = false;
    while let Some((opcode, body, rest)) = websocket::split_frame(frames) {
        if write_compressed(&mut deflater, opcode, body, &mut shaped) {
            is_compressed = true;
        } else {
            websocket::write_frame(&mut shaped, opcode, body);
        }
        frames = rest;
    }
    let compressed = is_compressed.then(|| Bytes::copy_from_slice(&shaped));
    buffers::give_back(shaped);
    compressed
}

/// Appends a compressed frame; false when the message is better sent as it is, and nothing is appended.
fn write_compressed(
    deflater: &mut Deflater,
    opcode: Opcode,
    body: &[u8],
    out: &mut Vec<u8>,
) -> bool {
    let mut compressed = buffers::take();
    let is_compressed = deflater.deflate(body, &mut compressed);
    if is_compressed {
        websocket::write_compressed_frame(out, opcode, &compressed);
    }
    buffers::give_back(compressed);
    is_compressed
}

#[cfg(all(test, feature = "deflate"))]
mod tests {
    use std::cell::Cell;

    use super::*;

    const SETTINGS: Settings = Settings {
        level: 6,
        window_bits: 15,
        threshold: 100,
    };

    #[test]
    fn a_message_is_compressed_once_for_each_window() {
        let message = EncodedMessage::text(&"again and ".repeat(100));
        let count = Cell::new(0);
        let mut forms = Vec::new();
        for window_bits in [15, 9, 15, 15, 9, 12, 12] {
            let settings = Settings {
                window_bits,
                ..SETTINGS
            };
            let form = message.compressed(settings, |frames| {
                count.set(count.get() + 1);
                compress_frames(frames, settings)
            });
            assert!(form.len() < message.frames().len() / 2);
            forms.push(form.as_ptr());
        }
        assert_eq!(count.get(), 3);
        assert_eq!((forms[0], forms[1]), (forms[2], forms[4]));
        // Engines of other options have no part in it.
        let other = Settings {
            level: 1,
            ..SETTINGS
        };
        assert_ne!(shared_frames(&message, other).as_ptr(), forms[0]);
    }

    #[test]
    fn what_does_not_become_shorter_is_shared_as_it_is() {
        let short = EncodedMessage::text("short, short, short, short");
        let noise: Vec<u8> = (0..=255).collect();
        for message in [short, EncodedMessage::binary(&noise)] {
            let shared = shared_frames(&message, SETTINGS);
            assert_eq!(shared.as_ptr(), message.frames().as_ptr());
        }
    }
}
