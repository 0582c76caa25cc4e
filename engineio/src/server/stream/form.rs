//! The forms a connection's frames can take on its WebSocket.

use std::cell::Cell;

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
    compression: Option<Box<Compression>>,
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

/// How messages are compressed.
#[derive(Debug)]
pub(crate) enum Compression {
    /// Each by itself, with the worker's deflater.
    Contextless(Settings),
    /// Each after all before it; the deflater is there from the first message on.
    Context(Settings, Option<Box<Deflater>>),
}

impl FrameForm {
    pub(crate) fn new(
        protocol: Protocol,
        is_base64: bool,
        compression: Option<Compression>,
    ) -> Self {
        let binary = match protocol {
            _ if is_base64 => BinaryForm::Base64(protocol),
            Protocol::V3 => BinaryForm::TypeByte,
            Protocol::V4 => BinaryForm::Plain,
        };
        Self {
            binary,
            compression: compression.map(Box::new),
        }
    }

    /// What is queued may leave as it is.
    pub(crate) fn is_plain(&self) -> bool {
        self.binary == BinaryForm::Plain && self.compression.is_none()
    }

    /// How this connection wants a message that other recipients may want in the same form.
    pub(crate) fn shared_settings(&self) -> Option<Settings> {
        match self.compression.as_deref() {
            Some(Compression::Contextless(settings)) if self.binary == BinaryForm::Plain => {
                Some(*settings)
            }
            _ => None,
        }
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
        match self.compression.as_deref_mut() {
            Some(Compression::Contextless(settings)) if is_compressible => {
                write_alone(*settings, opcode, body, out);
            }
            Some(Compression::Context(settings, deflater)) if is_compressible => {
                if deflater.is_none() {
                    *deflater = Deflater::new(*settings).map(Box::new);
                }
                if !write_compressed(deflater.as_deref_mut(), opcode, body, out) {
                    // Without what the client knows of, a new context is as good as an empty one.
                    *deflater = None;
                    websocket::write_frame(out, opcode, body);
                }
            }
            _ => websocket::write_frame(out, opcode, body),
        }
    }
}

/// The frames of a message as recipients with these settings share them.
pub(crate) fn shared_frames(message: &EncodedMessage, settings: Settings) -> Bytes {
    message.compressed(settings, |frames| {
        let mut shaped = Vec::new();
        let mut rest = frames;
        while let Some((opcode, body, behind)) = websocket::split_frame(rest) {
            write_alone(settings, opcode, body, &mut shaped);
            rest = behind;
        }
        shaped.into()
    })
}

thread_local! {
    /// A deflater is a quarter of a megabyte, so a worker has one, not every connection.
    static DEFLATER: Cell<Option<Box<Deflater>>> = const { Cell::new(None) };
}

/// Appends a frame that is compressed by itself, or as it is where that is of no use.
fn write_alone(settings: Settings, opcode: Opcode, body: &[u8], out: &mut Vec<u8>) {
    if body.len() < settings.threshold {
        return websocket::write_frame(out, opcode, body);
    }
    let mut deflater = DEFLATER
        .take()
        .filter(|deflater| deflater.settings() == settings)
        .or_else(|| Deflater::new(settings).map(Box::new));
    if !write_compressed(deflater.as_deref_mut(), opcode, body, out) {
        websocket::write_frame(out, opcode, body);
    }
    if let Some(deflater) = &mut deflater {
        deflater.forget_context();
    }
    DEFLATER.set(deflater);
}

/// Appends a compressed frame; false when that cannot be, and nothing is appended.
fn write_compressed(
    deflater: Option<&mut Deflater>,
    opcode: Opcode,
    body: &[u8],
    out: &mut Vec<u8>,
) -> bool {
    let Some(deflater) = deflater.filter(|_| !body.is_empty()) else {
        return false;
    };
    let mut compressed = buffers::take();
    let is_compressed = deflater.deflate(body, &mut compressed);
    if is_compressed {
        websocket::write_compressed_frame(out, opcode, &compressed);
    }
    buffers::give_back(compressed);
    is_compressed
}
