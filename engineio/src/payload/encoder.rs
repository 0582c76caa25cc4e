//! Builds the body of a polling response, packet by packet.

use super::cursor::utf16_len;
use super::v3::{BINARY_ENTRY, END_OF_LENGTH, TEXT_ENTRY};
use super::v4::SEPARATOR;
use crate::packet::{PacketKind, Protocol, encode_base64};

/// What a finished body is, and so its content type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PayloadContent {
    Text,
    OctetStream,
}

impl PayloadContent {
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=UTF-8",
            Self::OctetStream => "application/octet-stream",
        }
    }
}

/// Joins packets into one body.
///
/// Revision 3 with native binary has two forms, and only the packets decide between them: it
/// starts with text and is rewritten once, at the first binary message.
///
/// ```text
///            push_binary, native
///   V3Text ──────────────────────▶ V3Binary          V4, V3Base64: no way out
/// ```
#[derive(Clone, Debug)]
pub(crate) struct PayloadEncoder {
    form: Form,
    body: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Form {
    V4,
    V3Base64,
    /// The packets of the body so far, each as its start and length in bytes.
    V3Text(Vec<(usize, usize)>),
    V3Binary,
}

impl PayloadEncoder {
    /// An encoder for one body. `supports_binary` is whether the session takes native binary;
    /// revision 4 never does here, whatever the flag says.
    pub(crate) fn new(protocol: Protocol, supports_binary: bool) -> Self {
        let form = match (protocol, supports_binary) {
            (Protocol::V4, _) => Form::V4,
            (Protocol::V3, false) => Form::V3Base64,
            (Protocol::V3, true) => Form::V3Text(Vec::new()),
        };
        Self {
            form,
            body: Vec::new(),
        }
    }

    /// Adds a text packet, its type character included.
    //= EIO4-PLD-01
    //= EIO3-PLD-01
    pub(crate) fn push_text(&mut self, packet: &str) {
        match &mut self.form {
            Form::V4 => {
                push_separator(&mut self.body);
                self.body.extend_from_slice(packet.as_bytes());
            }
            Form::V3Base64 => push_v3_text(packet, &mut self.body),
            Form::V3Text(packets) => {
                push_v3_text(packet, &mut self.body);
                // The packet is what the body now ends with.
                packets.push((self.body.len().saturating_sub(packet.len()), packet.len()));
            }
            Form::V3Binary => push_v3_entry(TEXT_ENTRY, &[], packet.as_bytes(), &mut self.body),
        }
    }

    /// Adds a binary message, given its payload.
    //= EIO4-PLD-01
    //= EIO3-PLD-02
    //= EIO3-PLD-03
    pub(crate) fn push_binary(&mut self, data: &[u8]) {
        self.leave_text_form();
        match self.form {
            Form::V4 => {
                push_separator(&mut self.body);
                encode_base64(Protocol::V4, data, &mut self.body);
            }
            Form::V3Base64 => push_v3_base64(data, &mut self.body),
            Form::V3Text(_) | Form::V3Binary => {
                let kind = [PacketKind::Message.to_byte()];
                push_v3_entry(BINARY_ENTRY, &kind, data, &mut self.body);
            }
        }
    }

    /// The body and what it is.
    //= EIO3-PLD-06
    pub(crate) fn finish(mut self) -> (Vec<u8>, PayloadContent) {
        match self.form {
            Form::V4 => (self.body, PayloadContent::Text),
            Form::V3Base64 | Form::V3Text(_) => {
                if self.body.is_empty() {
                    self.body.extend_from_slice(b"0:");
                }
                (self.body, PayloadContent::Text)
            }
            Form::V3Binary => (self.body, PayloadContent::OctetStream),
        }
    }

    #[cfg(test)]
    /// The length of the body in bytes, if nothing else is added to it.
    pub(crate) fn len(&self) -> usize {
        self.body.len()
    }

    #[cfg(test)]
    /// Whether no packet was added.
    pub(crate) fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// Rewrites what a text form holds as the binary form; does nothing to any other form.
    fn leave_text_form(&mut self) {
        let Form::V3Text(packets) = &self.form else {
            return;
        };
        let mut rewritten = Vec::with_capacity(self.body.len());
        for &(start, len) in packets {
            let packet = self.body.get(start..).and_then(|rest| rest.get(..len));
            debug_assert!(packet.is_some(), "every packet lies in the body");
            push_v3_entry(TEXT_ENTRY, &[], packet.unwrap_or_default(), &mut rewritten);
        }
        self.body = rewritten;
        self.form = Form::V3Binary;
    }
}

fn push_separator(body: &mut Vec<u8>) {
    // No packet is empty, so an empty body is one without packets.
    if !body.is_empty() {
        let mut utf8 = [0; 1];
        body.extend_from_slice(SEPARATOR.encode_utf8(&mut utf8).as_bytes());
    }
}

fn push_v3_text(packet: &str, body: &mut Vec<u8>) {
    body.extend_from_slice(utf16_len(packet).to_string().as_bytes());
    body.push(b':');
    body.extend_from_slice(packet.as_bytes());
}

fn push_v3_base64(data: &[u8], body: &mut Vec<u8>) {
    let mut packet = Vec::new();
    encode_base64(Protocol::V3, data, &mut packet);
    // Base64 is ASCII: as many UTF-16 code units as bytes.
    body.extend_from_slice(packet.len().to_string().as_bytes());
    body.push(b':');
    body.append(&mut packet);
}

fn push_v3_entry(flag: u8, head: &[u8], data: &[u8], body: &mut Vec<u8>) {
    let len = head.len().saturating_add(data.len());
    body.push(flag);
    body.extend(len.to_string().bytes().map(|digit| digit & 0x0f));
    body.push(END_OF_LENGTH);
    body.extend_from_slice(head);
    body.extend_from_slice(data);
}
