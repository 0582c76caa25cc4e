//! Text packets and their attachments, straight into the buffer they are sent from.

use std::io;

use bytes::Bytes;
use engineio::MessageBuffer;
use serde::Serialize;
use serde_json::ser::Formatter;

use crate::codec::error::EncodeError;
use crate::codec::kind::PacketKind;
use crate::codec::outgoing::{self, ArgsSink, RawPart};

use super::plain::is_plain;

/// What precedes the payload.
#[derive(Clone, Copy, Debug)]
pub(in crate::codec) struct Header<'a> {
    pub(in crate::codec) kind: PacketKind,
    pub(in crate::codec) namespace: &'a str,
    pub(in crate::codec) id: Option<u64>,
}

impl Header<'_> {
    //= SIO5-PKT-01
    #[inline]
    fn write(&self, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        out.push(match self.kind {
            PacketKind::Connect => b'0',
            PacketKind::Disconnect => b'1',
            PacketKind::Event => b'2',
            PacketKind::Ack => b'3',
            PacketKind::ConnectError => b'4',
        });
        if self.namespace != "/" {
            out.extend_from_slice(self.namespace.as_bytes());
            out.push(b',');
        }
        if let Some(id) = self.id {
            write_json(out, &id)?;
        }
        Ok(())
    }

    /// Makes the packet at `start` of `out` one that announces attachments.
    fn announce(&self, attachment_count: usize, start: usize, out: &mut Vec<u8>) {
        match u8::try_from(attachment_count) {
            // As of nearly all that have any: half the instructions, for how much is put in is known.
            Ok(count @ 0..=9) => self.announce_digits(&[count.saturating_add(b'0')], start, out),
            _ => {
                let mut digits = [0; DIGITS_MAX];
                self.announce_digits(decimal(attachment_count, &mut digits), start, out);
            }
        }
    }

    #[inline(always)]
    fn announce_digits(&self, digits: &[u8], start: usize, out: &mut Vec<u8>) {
        let end = out.len();
        let behind_kind = start.saturating_add(1);
        let behind_dash = behind_kind.saturating_add(digits.len()).saturating_add(1);
        out.extend_from_slice(digits);
        out.push(b'-');
        out.copy_within(behind_kind..end, behind_dash);
        if let Some([kind, count @ .., dash]) = out.get_mut(start..behind_dash) {
            *kind = match self.kind {
                PacketKind::Ack => b'6',
                _ => b'5',
            };
            count.copy_from_slice(digits);
            *dash = b'-';
        }
    }
}

/// Room that is made for arguments before their length is known.
const SMALL_ARGS_BYTES: usize = 64;

/// As many as the largest number has.
const DIGITS_MAX: usize = 20;

/// The digits of a number, written to the end of `room`.
fn decimal(number: usize, room: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let (mut rest, mut start) = (number, DIGITS_MAX);
    for digit in room.iter_mut().rev() {
        *digit = u8::try_from(rest % 10).unwrap_or(0).saturating_add(b'0');
        rest /= 10;
        start = start.saturating_sub(1);
        if rest == 0 {
            break;
        }
    }
    room.get(start..).unwrap_or_default()
}

/// Writes a packet that is neither event nor ack; `payload` appends its payload as JSON text.
pub(in crate::codec) fn write_control(
    header: Header<'_>,
    payload: impl FnOnce(&mut Vec<u8>),
    buffer: &mut MessageBuffer,
) -> Result<(), EncodeError> {
    buffer.push_text_with(|out| {
        header.write(out)?;
        payload(out);
        Ok(())
    })
}

/// Writes an event or an ack, with its attachments behind it.
//= SIO5-BIN-01
//= SIO5-PKT-10
#[inline]
pub(in crate::codec) fn write_event<A: Serialize + ?Sized>(
    header: Header<'_>,
    name: Option<&str>,
    args: &A,
    offset: Option<&str>,
    buffer: &mut MessageBuffer,
) -> Result<(), EncodeError> {
    let mut attachments = Vec::new();
    let mut raw_attachments = 0_usize;
    buffer.push_text_with(|out| {
        let start = out.len();
        let is_begun = name.is_some_and(|name| begin_plain_event(header, name, out));
        if !is_begun {
            header.write(out)?;
            out.push(b'[');
        }
        let mut sink = JsonArgs::new(out, &mut attachments);
        match name {
            Some(_) if is_begun => sink.count = 1,
            Some(name) => sink.string(name)?,
            None => {}
        }
        outgoing::write(args, &mut sink)?;
        //= SIO5-CSR-02
        if let Some(offset) = offset {
            sink.string(offset)?;
        }
        raw_attachments = sink.raw_attachments;
        out.push(b']');
        let count = attachments.len().saturating_add(raw_attachments);
        if count > 0 {
            header.announce(count, start, out);
        }
        Ok(())
    })?;
    // As of most packets.
    if attachments.is_empty() && raw_attachments == 0 {
        return Ok(());
    }
    for attachment in &attachments {
        buffer.push_binary(attachment);
    }
    if raw_attachments > 0 {
        outgoing::write(
            args,
            &mut RawAttachments(|data: &[u8]| buffer.push_binary(data)),
        )?;
    }
    Ok(())
}

/// Writes all that precedes the arguments of an event of the main namespace that asks for no acknowledgement, in one piece,
/// if its name needs no escape. False when nothing was written.
#[inline]
fn begin_plain_event(header: Header<'_>, name: &str, out: &mut Vec<u8>) -> bool {
    let is_plain = header.kind == PacketKind::Event
        && header.id.is_none()
        && header.namespace == "/"
        && is_plain(name.as_bytes());
    if is_plain {
        // With room for small arguments, which are what follows most often.
        out.reserve(name.len().saturating_add(SMALL_ARGS_BYTES));
        out.extend_from_slice(b"2[\"");
        out.extend_from_slice(name.as_bytes());
        out.push(b'"');
    }
    is_plain
}

/// Arguments on their own: JSON text, attachments, and how many arguments.
pub(in crate::codec) fn write_args<A: Serialize + ?Sized>(
    args: &A,
    offset: Option<&str>,
) -> Result<(String, Vec<Bytes>, usize), EncodeError> {
    let mut out = Vec::new();
    let mut attachments = Vec::new();
    let mut sink = JsonArgs::new(&mut out, &mut attachments);
    outgoing::write(args, &mut sink)?;
    if let Some(offset) = offset {
        sink.string(offset)?;
    }
    let count = sink.count;
    if sink.raw_attachments > 0 {
        let keep = |attachment: &[u8]| attachments.push(Bytes::copy_from_slice(attachment));
        outgoing::write(args, &mut RawAttachments(keep))?;
    }
    let text = String::from_utf8(out).map_err(|error| EncodeError::Serialize(error.to_string()))?;
    Ok((text, attachments, count))
}

/// Writes arguments as the elements of an array, and collects what is binary.
struct JsonArgs<'a> {
    out: &'a mut Vec<u8>,
    attachments: &'a mut Vec<Bytes>,
    /// How many attachments belong to arguments that are passed through; they are not collected.
    raw_attachments: usize,
    /// How many elements have been written.
    count: usize,
}

impl<'a> JsonArgs<'a> {
    fn new(out: &'a mut Vec<u8>, attachments: &'a mut Vec<Bytes>) -> Self {
        Self {
            out,
            attachments,
            raw_attachments: 0,
            count: 0,
        }
    }

    #[inline]
    fn separate(&mut self) {
        if self.count > 0 {
            self.out.push(b',');
        }
        self.count = self.count.saturating_add(1);
    }
}

impl ArgsSink for JsonArgs<'_> {
    const RAW: &'static str = outgoing::RAW_JSON;

    fn begin(&mut self, _count: usize) -> Result<(), EncodeError> {
        Ok(())
    }

    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.separate();
        let formatter = PlaceholderFormatter {
            attachments: self.attachments,
        };
        let mut json = serde_json::Serializer::with_formatter(&mut *self.out, formatter);
        value
            .serialize(&mut json)
            .map_err(|error| EncodeError::Serialize(error.to_string()))
    }

    #[inline]
    fn string(&mut self, text: &str) -> Result<(), EncodeError> {
        // Most strings need no escape, and a whole one is looked through faster than it is escaped.
        if !is_plain(text.as_bytes()) {
            return self.element(text);
        }
        self.separate();
        self.out.reserve(text.len().saturating_add(2));
        self.out.push(b'"');
        self.out.extend_from_slice(text.as_bytes());
        self.out.push(b'"');
        Ok(())
    }

    #[inline]
    fn raw(&mut self, part: RawPart<'_>) -> Result<(), EncodeError> {
        match part {
            RawPart::Count(0) | RawPart::Text("") => {}
            RawPart::Count(count) => {
                self.separate();
                self.count = self.count.saturating_add(count).saturating_sub(1);
            }
            RawPart::Text(text) => self.out.extend_from_slice(text.as_bytes()),
            // Each attachment leaves once, however often it is named.
            RawPart::Bytes(_) => self.raw_attachments = self.raw_attachments.saturating_add(1),
        }
        Ok(())
    }
}

/// Hands on the attachments of arguments that were passed through, without a copy in between.
struct RawAttachments<F>(F);

impl<F: FnMut(&[u8])> ArgsSink for RawAttachments<F> {
    const RAW: &'static str = outgoing::RAW_JSON;

    fn begin(&mut self, _count: usize) -> Result<(), EncodeError> {
        Ok(())
    }

    fn element<T: Serialize + ?Sized>(&mut self, _value: &T) -> Result<(), EncodeError> {
        Ok(())
    }

    #[inline]
    fn raw(&mut self, part: RawPart<'_>) -> Result<(), EncodeError> {
        if let RawPart::Bytes(attachment) = part {
            (self.0)(attachment);
        }
        Ok(())
    }
}

/// Compact JSON with a placeholder for whatever is binary.
struct PlaceholderFormatter<'a> {
    attachments: &'a mut Vec<Bytes>,
}

impl Formatter for PlaceholderFormatter<'_> {
    fn write_byte_array<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        value: &[u8],
    ) -> io::Result<()> {
        write!(
            writer,
            r#"{{"_placeholder":true,"num":{}}}"#,
            self.attachments.len()
        )?;
        self.attachments.push(Bytes::copy_from_slice(value));
        Ok(())
    }
}

fn write_json(out: &mut Vec<u8>, value: &impl Serialize) -> Result<(), EncodeError> {
    serde_json::to_writer(out, value).map_err(|error| EncodeError::Serialize(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_standard_library_writes_them() {
        for number in [0, 1, 9, 10, 11, 99, 100, 65_535, usize::MAX] {
            let mut room = [0; DIGITS_MAX];
            assert_eq!(decimal(number, &mut room), number.to_string().as_bytes());
        }
    }

    #[test]
    fn attachments_are_announced_in_front_of_all_but_the_type() {
        let header = Header {
            kind: PacketKind::Ack,
            namespace: "/",
            id: None,
        };
        for (count, announced) in [
            (1, "before61-7[]"),
            (9, "before69-7[]"),
            (10, "before610-7[]"),
            (123, "before6123-7[]"),
        ] {
            let mut out = b"before37[]".to_vec();
            header.announce(count, 6, &mut out);
            assert_eq!(out, announced.as_bytes());
        }
    }
}
