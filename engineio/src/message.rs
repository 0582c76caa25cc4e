//! Messages: borrowed when they arrive, encoded once when they leave.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use bytes::Bytes;

use crate::buffers;
use crate::websocket::{self, Settings, WINDOWS};

/// What a text message begins with: room for its frame's header, and its type.
const TEXT_PREFIX: [u8; websocket::HEADER_ROOM + 1] = [0, 0, b'4'];

/// The content of a [`Message`].
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Payload<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
}

/// One message from a client, borrowed from the buffer it was read into.
#[derive(Clone, Copy)]
pub struct Message<'a> {
    payload: Payload<'a>,
    read_at: Instant,
}

impl<'a> Message<'a> {
    pub(crate) fn text(text: &'a str, read_at: Instant) -> Self {
        Self {
            payload: Payload::Text(text),
            read_at,
        }
    }

    pub(crate) fn binary(data: &'a [u8], read_at: Instant) -> Self {
        Self {
            payload: Payload::Binary(data),
            read_at,
        }
    }

    /// The content, for matching.
    #[must_use]
    pub fn payload(&self) -> Payload<'a> {
        self.payload
    }

    /// The bytes, whichever kind it is.
    #[must_use]
    pub fn as_bytes(&self) -> &'a [u8] {
        match self.payload {
            Payload::Text(text) => text.as_bytes(),
            Payload::Binary(data) => data,
        }
    }

    /// When it was read: the same moment for all messages that came in one read, by tokio's clock.
    #[must_use]
    pub fn read_at(&self) -> Instant {
        self.read_at
    }

    /// A copy of the message's bytes, to keep.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(self.as_bytes())
    }
}

impl Payload<'_> {
    /// Its kind and size: what it says is not shown.
    fn describe(self, of: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, length) = match self {
            Self::Text(text) => ("Text", text.len()),
            Self::Binary(data) => ("Binary", data.len()),
        };
        write!(f, "{of}::{kind}({length} bytes)")
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.payload.describe("Message", f)
    }
}

impl fmt::Debug for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe("Payload", f)
    }
}

/// Messages in the form they are sent in, built up in one reusable buffer.
///
/// What one buffer holds is queued as one item: nothing else comes between its messages. Send it with
/// [`Connection::send_buffer`](crate::Connection::send_buffer), or freeze it into an [`EncodedMessage`] to send
/// the same bytes to many.
///
/// ```
/// let mut buffer = engineio::MessageBuffer::new();
/// buffer.push_text("header of two attachments");
/// buffer.push_binary(&[1, 2, 3]);
/// buffer.push_binary(&[4, 5, 6]);
/// assert_eq!(buffer.message_count(), 3);
/// ```
#[derive(Default)]
pub struct MessageBuffer {
    frames: Vec<u8>,
    message_count: usize,
}

impl MessageBuffer {
    /// An empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn with_storage(frames: Vec<u8>) -> Self {
        Self {
            frames,
            message_count: 0,
        }
    }

    pub(crate) fn into_storage(self) -> Vec<u8> {
        self.frames
    }

    pub(crate) fn frames_mut(&mut self) -> &mut Vec<u8> {
        &mut self.frames
    }

    /// Appends a text message.
    pub fn push_text(&mut self, text: &str) {
        websocket::write_header(&mut self.frames, websocket::Opcode::Text, text.len() + 1);
        self.frames.push(b'4');
        self.frames.extend_from_slice(text.as_bytes());
        self.message_count += 1;
    }

    /// Appends a text message that `write` produces, without an intermediate copy.
    ///
    /// `write` must append UTF-8 and nothing else than append.
    ///
    /// # Errors
    ///
    /// The error of `write`; nothing is appended then.
    pub fn push_text_with<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.frames.len();
        self.frames.extend_from_slice(&TEXT_PREFIX);
        match write(&mut self.frames) {
            Ok(()) => {
                websocket::finish_text_frame(&mut self.frames, start);
                self.message_count += 1;
                Ok(())
            }
            Err(error) => {
                self.frames.truncate(start);
                Err(error)
            }
        }
    }

    /// Appends a binary message.
    pub fn push_binary(&mut self, data: &[u8]) {
        websocket::write_header(&mut self.frames, websocket::Opcode::Binary, data.len());
        self.frames.extend_from_slice(data);
        self.message_count += 1;
    }

    /// How many messages it holds.
    #[must_use]
    pub fn message_count(&self) -> usize {
        self.message_count
    }

    /// The size of the messages as they leave over WebSocket, in bytes.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.frames.len()
    }

    /// The messages, in order, as a client reads them.
    ///
    /// ```
    /// let mut buffer = engineio::MessageBuffer::new();
    /// buffer.push_text("hello");
    /// assert!(matches!(buffer.messages().next(), Some(engineio::Payload::Text("hello"))));
    /// ```
    pub fn messages(&self) -> impl Iterator<Item = Payload<'_>> {
        let mut frames = self.frames.as_slice();
        std::iter::from_fn(move || {
            let (opcode, body, rest) = websocket::split_frame(frames)?;
            frames = rest;
            if opcode != websocket::Opcode::Text {
                return Some(Payload::Binary(body));
            }
            let (_, text) = body.split_first()?;
            std::str::from_utf8(text).ok().map(Payload::Text)
        })
    }

    /// True when it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Forgets the messages, keeps the memory.
    pub fn clear(&mut self) {
        self.frames.clear();
        self.message_count = 0;
    }
}

impl fmt::Debug for MessageBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "MessageBuffer({} messages, {} bytes)",
            self.message_count,
            self.frames.len()
        )
    }
}

/// Messages encoded once, to be sent to any number of connections.
///
/// Cloning shares the bytes. Every recipient on WebSocket writes these very bytes; a recipient on long-polling,
/// on protocol 3 or with compression has them translated when they leave.
///
/// ```
/// let notice = engineio::EncodedMessage::text("restarting at noon");
/// let same = notice.clone();
/// ```
#[derive(Clone)]
pub struct EncodedMessage(Arc<Encoded>);

struct Encoded {
    frames: Bytes,
    message_count: usize,
    /// The same with every message compressed by itself, once a recipient wanted it.
    compressed: OnceLock<Box<Compressed>>,
}

/// The compressed forms of a message, one for each window that a client may have asked for.
struct Compressed {
    level: u8,
    threshold: usize,
    /// `None` where nothing becomes shorter, and the frames leave as they are.
    forms: [OnceLock<Option<Bytes>>; WINDOWS],
}

impl Compressed {
    /// `None` when an engine of other options was first.
    fn form(&self, settings: Settings) -> Option<&OnceLock<Option<Bytes>>> {
        let is_alike = self.level == settings.level && self.threshold == settings.threshold;
        self.forms.get(settings.window_index()).filter(|_| is_alike)
    }
}

impl EncodedMessage {
    /// One text message.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let mut buffer = MessageBuffer::new();
        buffer.push_text(text);
        buffer.into()
    }

    /// One binary message.
    #[must_use]
    pub fn binary(data: &[u8]) -> Self {
        let mut buffer = MessageBuffer::new();
        buffer.push_binary(data);
        buffer.into()
    }

    /// What `fill` writes, built up in a buffer that the worker thread keeps: cheaper than a new [`MessageBuffer`].
    ///
    /// ```
    /// let both = engineio::EncodedMessage::with::<()>(|buffer| {
    ///     buffer.push_text("header of an attachment");
    ///     buffer.push_binary(&[1, 2, 3]);
    ///     Ok(())
    /// });
    /// assert_eq!(both.map(|message| message.message_count()), Ok(2));
    /// ```
    ///
    /// # Errors
    ///
    /// The error of `fill`.
    pub fn with<E>(fill: impl FnOnce(&mut MessageBuffer) -> Result<(), E>) -> Result<Self, E> {
        let mut buffer = MessageBuffer::with_storage(buffers::take());
        let filled = fill(&mut buffer);
        let message = filled.map(|()| {
            let frames = Bytes::copy_from_slice(&buffer.frames);
            Self::new(frames, buffer.message_count)
        });
        buffers::give_back(buffer.into_storage());
        message
    }

    fn new(frames: Bytes, message_count: usize) -> Self {
        Self(Arc::new(Encoded {
            frames,
            message_count,
            compressed: OnceLock::new(),
        }))
    }

    pub(crate) fn frames(&self) -> &Bytes {
        &self.0.frames
    }

    /// The compressed frames, where somebody asked for them with the same settings before.
    pub(crate) fn compressed_before(&self, settings: Settings) -> Option<&Bytes> {
        let form = self.0.compressed.get()?.form(settings)?.get()?;
        Some(form.as_ref().unwrap_or_else(|| self.frames()))
    }

    /// The compressed frames, made by `compress` when nobody asked for them with the same settings before. Who asks in the
    /// meantime waits for them: they are made once.
    pub(crate) fn compressed(
        &self,
        settings: Settings,
        compress: impl FnOnce(&[u8]) -> Option<Bytes>,
    ) -> Cow<'_, Bytes> {
        let compressed = self.0.compressed.get_or_init(|| {
            Box::new(Compressed {
                level: settings.level,
                threshold: settings.threshold,
                forms: [const { OnceLock::new() }; WINDOWS],
            })
        });
        let Some(form) = compressed.form(settings) else {
            return compress(self.frames()).map_or(Cow::Borrowed(self.frames()), Cow::Owned);
        };
        let form = form.get_or_init(|| compress(self.frames()));
        Cow::Borrowed(form.as_ref().unwrap_or_else(|| self.frames()))
    }

    /// How many messages it holds.
    #[must_use]
    pub fn message_count(&self) -> usize {
        self.0.message_count
    }

    /// The size of the messages as they leave over WebSocket, in bytes.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        self.0.frames.len()
    }
}

impl From<MessageBuffer> for EncodedMessage {
    fn from(buffer: MessageBuffer) -> Self {
        Self::new(buffer.frames.into(), buffer.message_count)
    }
}

impl fmt::Debug for EncodedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncodedMessage({} bytes)", self.len_bytes())
    }
}
