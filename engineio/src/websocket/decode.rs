//! Frames of a client, decoded where they were read.

use super::deflate::Inflater;
use super::fault::Fault;
use super::frame::{COMPRESSED, Opcode};
use super::mask;

/// The most fragments of one message that carry nothing. Any other brings its message nearer to the limit of its size.
const EMPTY_FRAGMENTS_MAX: u32 = 65_536;

/// A frame this large or larger is read straight into a buffer of its own.
const OWN_BUFFER_MIN_BYTES: usize = 16 * 1024;

/// A buffer grows by at most this much ahead of the bytes that have really come.
const GROWTH_MAX_BYTES: usize = 256 * 1024;

/// So many bytes at least precede the payload of a client: two, and its mask.
const HEADER_MIN_BYTES: usize = 6;

/// What a client sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event<'a> {
    Text(&'a str),
    Binary(&'a [u8]),
    Ping(&'a [u8]),
    Pong,
    /// A close frame, with its status code.
    Close(Option<u16>),
}

/// Decodes the frames of one client.
///
/// A frame that lies whole in the input is unmasked in place and handed out from there. Only a frame cut short
/// by the end of a read is kept, and only until it is complete; an idle decoder owns no memory.
#[derive(Debug)]
pub(crate) struct Decoder {
    max_message_bytes: usize,
    /// While `filled` counts any, a frame that is not complete yet, header included; bytes past `filled` are room
    /// to read into. Else the payload of the event handed out last, when it was not in the input.
    kept: Vec<u8>,
    filled: usize,
    /// The fragments so far of a message.
    fragments: Option<Box<Fragments>>,
    /// There when compression was agreed on.
    inflater: Option<Box<Inflater>>,
    is_over: bool,
}

#[derive(Debug)]
struct Fragments {
    opcode: Opcode,
    data: Vec<u8>,
    empty_count: u32,
    is_compressed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Header {
    opcode: Opcode,
    is_final: bool,
    is_compressed: bool,
    mask: [u8; 4],
    length: usize,
    header_bytes: usize,
}

impl Header {
    fn frame_bytes(self) -> usize {
        self.header_bytes.saturating_add(self.length)
    }
}

impl Decoder {
    pub(crate) const fn new(max_message_bytes: usize) -> Self {
        Self {
            max_message_bytes,
            kept: Vec::new(),
            filled: 0,
            fragments: None,
            inflater: None,
            is_over: false,
        }
    }

    /// Takes compressed messages too. Their limit counts what they inflate to.
    pub(crate) fn with_inflater(mut self, inflater: Option<Inflater>) -> Self {
        self.inflater = inflater.map(Box::new);
        self
    }

    /// Room for the rest of a large frame, to be read into directly; then call [`Decoder::note_read`].
    pub(crate) fn read_room(&mut self) -> Option<&mut [u8]> {
        if self.filled == 0 {
            return None;
        }
        let header = self
            .parse_header(self.kept.get(..self.filled)?)
            .ok()
            .flatten()?;
        let missing = header.frame_bytes().checked_sub(self.filled)?;
        if header.length < OWN_BUFFER_MIN_BYTES || missing == 0 {
            return None;
        }
        let end = self.filled.saturating_add(missing.min(GROWTH_MAX_BYTES));
        self.kept.resize(end, 0);
        self.kept.get_mut(self.filled..)
    }

    /// `count` bytes were read into the room.
    pub(crate) fn note_read(&mut self, count: usize) {
        self.filled = self.filled.saturating_add(count).min(self.kept.len());
    }

    /// True when a whole frame is kept here, as after the last read into its room: no input is needed for the next event.
    pub(crate) fn has_frame(&self) -> bool {
        self.kept
            .get(..self.filled)
            .filter(|kept| !kept.is_empty())
            .and_then(|kept| self.parse_header(kept).ok().flatten())
            .is_some_and(|header| header.frame_bytes() <= self.filled)
    }

    /// The next event, and the input behind it; `None` when the input holds no further whole frame. All of the
    /// input is consumed then.
    #[inline]
    pub(crate) fn decode<'d, 'i: 'd>(
        &'d mut self,
        input: &'i mut [u8],
    ) -> Result<Option<(Event<'d>, &'i mut [u8])>, Fault> {
        if self.filled == 0 {
            self.kept = Vec::new();
            if let Some(header) = self.whole_message(input) {
                let (frame, rest) = input.split_at_mut(header.frame_bytes());
                let payload = frame.get_mut(header.header_bytes..).unwrap_or_default();
                mask::apply(payload, header.mask);
                let event = match header.opcode {
                    Opcode::Text => Event::Text(text_behind(header.header_bytes, frame)?),
                    _ => Event::Binary(frame.get(header.header_bytes..).unwrap_or_default()),
                };
                return Ok(Some((event, rest)));
            }
            // As behind the last frame of nearly every read.
            if input.is_empty() {
                return Ok(None);
            }
        }
        self.decode_any(input)
    }

    /// The long way, by itself: what it needs of the stack would be made room for on the short one too.
    #[inline(never)]
    fn decode_any<'d, 'i: 'd>(
        &'d mut self,
        mut input: &'i mut [u8],
    ) -> Result<Option<(Event<'d>, &'i mut [u8])>, Fault> {
        loop {
            if self.is_over {
                return Ok(None);
            }
            if self.filled > 0 {
                input = self.take_from(input)?;
                let Some(header) = self.complete_partial()? else {
                    return Ok(None);
                };
                let mut frame = std::mem::take(&mut self.kept);
                frame.truncate(self.filled);
                self.filled = 0;
                frame.drain(..header.header_bytes);
                mask::apply(&mut frame, header.mask);
                if self.absorb(header, &frame)? {
                    let event = match header.opcode {
                        Opcode::Text | Opcode::Binary => {
                            self.kept = frame;
                            self.inflate_if(header.is_compressed)?;
                            self.event(header.opcode)?
                        }
                        Opcode::Continuation => {
                            let opcode = self.take_fragments()?;
                            self.event(opcode)?
                        }
                        Opcode::Ping | Opcode::Pong | Opcode::Close => {
                            self.kept = frame;
                            self.control(header.opcode)?
                        }
                    };
                    return Ok(Some((event, input)));
                }
                continue;
            }
            if input.is_empty() {
                return Ok(None);
            }
            let Some(header) = self.parse_header(input)? else {
                self.stash(input);
                return Ok(None);
            };
            if input.len() < header.frame_bytes() {
                self.stash(input);
                return Ok(None);
            }
            let (frame, rest) = input.split_at_mut(header.frame_bytes());
            input = rest;
            let payload = frame.get_mut(header.header_bytes..).unwrap_or_default();
            mask::apply(payload, header.mask);
            if !self.absorb(header, payload)? {
                continue;
            }
            let event = match header.opcode {
                Opcode::Text | Opcode::Binary if header.is_compressed => {
                    self.kept = self.inflate(payload)?;
                    self.event(header.opcode)?
                }
                Opcode::Text => Event::Text(self.text(payload)?),
                Opcode::Binary => Event::Binary(payload),
                Opcode::Continuation => {
                    let opcode = self.take_fragments()?;
                    self.event(opcode)?
                }
                Opcode::Ping => Event::Ping(payload),
                Opcode::Pong => Event::Pong,
                Opcode::Close => Event::Close(self.close_code(payload)?),
            };
            return Ok(Some((event, input)));
        }
    }

    /// The header of a whole message of less than 64 KiB that the input begins with, neither in fragments nor compressed.
    /// Nearly all are such, and of these two bytes tell all that has to be checked; anything else is
    /// [`parse_header`](Self::parse_header)'s, which takes a hundred instructions more.
    #[inline]
    fn whole_message(&self, input: &[u8]) -> Option<Header> {
        let (&[first, second], behind) = input.split_first_chunk()?;
        let opcode = match first {
            0x81 => Opcode::Text,
            0x82 => Opcode::Binary,
            _ => return None,
        };
        // The second begins with the bit that says that there is a mask.
        let (length, header_bytes, mask, payload) = match second {
            0x80..=0xfd => {
                let (mask, payload) = behind.split_first_chunk()?;
                (usize::from(second & 0x7f), HEADER_MIN_BYTES, *mask, payload)
            }
            0xfe => {
                let (length, behind) = behind.split_first_chunk()?;
                let (mask, payload) = behind.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(*length)), 8, *mask, payload)
            }
            _ => return None,
        };
        let is_whole = length <= payload.len();
        let is_welcome =
            length <= self.max_message_bytes && self.fragments.is_none() && !self.is_over;
        (is_whole && is_welcome).then_some(Header {
            opcode,
            is_final: true,
            is_compressed: false,
            mask,
            length,
            header_bytes,
        })
    }

    /// Moves bytes into the partial frame: first until its header is whole, then until it is.
    fn take_from<'i>(&mut self, mut input: &'i mut [u8]) -> Result<&'i mut [u8], Fault> {
        loop {
            let have = self.kept.get(..self.filled).unwrap_or_default();
            let wanted = match self.parse_header(have)? {
                Some(header) => header.frame_bytes().saturating_sub(self.filled),
                // The header's own length shows with its second byte.
                None => 1,
            };
            if wanted == 0 || input.is_empty() {
                return Ok(input);
            }
            let (taken, rest) = input.split_at_mut(wanted.min(input.len()));
            self.kept.truncate(self.filled);
            self.kept.extend_from_slice(taken);
            self.filled = self.kept.len();
            input = rest;
        }
    }

    fn complete_partial(&self) -> Result<Option<Header>, Fault> {
        let have = self.kept.get(..self.filled).unwrap_or_default();
        Ok(self
            .parse_header(have)?
            .filter(|header| header.frame_bytes() <= self.filled))
    }

    fn stash(&mut self, input: &[u8]) {
        self.kept.clear();
        self.kept.extend_from_slice(input);
        self.filled = self.kept.len();
    }

    /// Reads a header and checks all that it shows, before any of the payload is kept.
    fn parse_header(&self, bytes: &[u8]) -> Result<Option<Header>, Fault> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        let opcode = Opcode::from_bits(first & 0x0f).ok_or(Fault::Protocol)?;
        let is_final = first & 0x80 != 0;
        let is_compressed = first & COMPRESSED != 0;
        let has_reserved_bits = first & 0x30 != 0;
        let is_masked = second & 0x80 != 0;
        // Only the first frame of a message says that it is compressed (RFC 7692 §6.1).
        let may_be_compressed =
            self.inflater.is_some() && matches!(opcode, Opcode::Text | Opcode::Binary);
        if has_reserved_bits || !is_masked || (is_compressed && !may_be_compressed) {
            return Err(Fault::Protocol);
        }
        if opcode.is_control() && (!is_final || second & 0x7f > 125) {
            return Err(Fault::Protocol);
        }
        match (opcode, &self.fragments) {
            (Opcode::Continuation, None) | (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(Fault::Protocol);
            }
            _ => {}
        }
        let (length, length_bytes, rest) = match second & 0x7f {
            126 => match rest.split_first_chunk::<2>() {
                Some((bytes, rest)) => (u64::from(u16::from_be_bytes(*bytes)), 2, rest),
                None => return Ok(None),
            },
            127 => match rest.split_first_chunk::<8>() {
                Some((bytes, rest)) => (u64::from_be_bytes(*bytes), 8, rest),
                None => return Ok(None),
            },
            length => (u64::from(length), 0, rest),
        };
        let length = usize::try_from(length).map_err(|_| Fault::TooBig)?;
        let so_far = self
            .fragments
            .as_ref()
            .map_or(0, |fragments| fragments.data.len());
        if !opcode.is_control() && length.saturating_add(so_far) > self.max_message_bytes {
            return Err(Fault::TooBig);
        }
        let Some((mask, _)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        Ok(Some(Header {
            opcode,
            is_final,
            is_compressed,
            mask: *mask,
            length,
            header_bytes: HEADER_MIN_BYTES.saturating_add(length_bytes),
        }))
    }

    /// Takes note of a whole frame; true when an event is complete with it.
    #[inline]
    fn absorb(&mut self, header: Header, payload: &[u8]) -> Result<bool, Fault> {
        match header.opcode {
            Opcode::Continuation => {
                let fragments = self.fragments.as_mut().ok_or(Fault::Protocol)?;
                fragments.empty_count = fragments
                    .empty_count
                    .saturating_add(payload.is_empty().into());
                if fragments.empty_count > EMPTY_FRAGMENTS_MAX {
                    return Err(Fault::Protocol);
                }
                fragments.data.extend_from_slice(payload);
                Ok(header.is_final)
            }
            Opcode::Text | Opcode::Binary if !header.is_final => {
                self.fragments = Some(Box::new(Fragments {
                    opcode: header.opcode,
                    data: payload.to_vec(),
                    empty_count: payload.is_empty().into(),
                    is_compressed: header.is_compressed,
                }));
                Ok(false)
            }
            _ => Ok(true),
        }
    }

    fn take_fragments(&mut self) -> Result<Opcode, Fault> {
        let fragments = self.fragments.take().ok_or(Fault::Protocol)?;
        self.kept = fragments.data;
        self.inflate_if(fragments.is_compressed)?;
        Ok(fragments.opcode)
    }

    fn inflate_if(&mut self, is_compressed: bool) -> Result<(), Fault> {
        if is_compressed {
            let payload = std::mem::take(&mut self.kept);
            self.kept = self.inflate(&payload)?;
        }
        Ok(())
    }

    fn inflate(&mut self, payload: &[u8]) -> Result<Vec<u8>, Fault> {
        let inflater = self.inflater.as_mut().ok_or(Fault::Protocol)?;
        inflater.inflate(payload, self.max_message_bytes)
    }

    /// The message in `kept`.
    fn event(&self, opcode: Opcode) -> Result<Event<'_>, Fault> {
        Ok(match opcode {
            Opcode::Text => Event::Text(self.text(&self.kept)?),
            _ => Event::Binary(&self.kept),
        })
    }

    fn control(&mut self, opcode: Opcode) -> Result<Event<'_>, Fault> {
        Ok(match opcode {
            Opcode::Ping => Event::Ping(&self.kept),
            Opcode::Close => {
                let payload = std::mem::take(&mut self.kept);
                Event::Close(self.close_code(&payload)?)
            }
            _ => Event::Pong,
        })
    }

    #[expect(clippy::unused_self, reason = "reads as a step of decoding")]
    fn text<'t>(&self, payload: &'t [u8]) -> Result<&'t str, Fault> {
        std::str::from_utf8(payload).map_err(|_| Fault::InvalidUtf8)
    }

    /// The code of a close frame (RFC 6455 §5.5.1, §7.4). Nothing follows it.
    fn close_code(&mut self, payload: &[u8]) -> Result<Option<u16>, Fault> {
        self.is_over = true;
        let Some((code, reason)) = payload.split_first_chunk::<2>() else {
            return if payload.is_empty() {
                Ok(None)
            } else {
                Err(Fault::Protocol)
            };
        };
        let code = u16::from_be_bytes(*code);
        if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
            return Err(Fault::Protocol);
        }
        std::str::from_utf8(reason).map_err(|_| Fault::InvalidUtf8)?;
        Ok(Some(code))
    }
}

/// The text of a frame, behind a header that is not needed any more.
///
/// UTF-8 is checked eight bytes at a time only where these are aligned, and byte by byte up to there, which behind a header of
/// six bytes is the rule. So the end of the header is made text and checked too, from an aligned byte on: of a small message
/// that takes 60 instructions instead of 125.
#[inline]
fn text_behind(header_bytes: usize, frame: &mut [u8]) -> Result<&str, Fault> {
    let (header, payload) = frame
        .split_at_mut_checked(header_bytes)
        .ok_or(Fault::Protocol)?;
    let address = payload.as_ptr().addr();
    let mut before = address.checked_rem(size_of::<usize>()).unwrap_or(0);
    match header.last_chunk_mut::<HEADER_MIN_BYTES>() {
        Some(room) if before <= HEADER_MIN_BYTES => *room = [0; HEADER_MIN_BYTES],
        _ => before = 0,
    }
    let aligned = frame.get(header_bytes.saturating_sub(before)..);
    let text = std::str::from_utf8(aligned.unwrap_or_default()).map_err(|_| Fault::InvalidUtf8)?;
    Ok(text.get(before..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let mut out = Vec::new();
        super::super::encode::write_header(&mut out, Opcode::Text, payload.len());
        out[0] = first;
        out[1] |= 0x80;
        out.extend_from_slice(&key);
        let mut masked = payload.to_vec();
        mask::apply(&mut masked, key);
        out.extend_from_slice(&masked);
        out
    }

    /// Decodes a stream that arrives in pieces; events as text, then the fault.
    fn decode(max: usize, pieces: &[&[u8]]) -> Vec<String> {
        let mut decoder = Decoder::new(max);
        let mut out = Vec::new();
        for piece in pieces {
            let mut bytes = piece.to_vec();
            let mut rest = &mut bytes[..];
            loop {
                match decoder.decode(rest) {
                    Ok(Some((event, after))) => {
                        out.push(match event {
                            Event::Text(text) if text.len() > 100 => {
                                format!("text of {}", text.len())
                            }
                            Event::Binary(data) if data.len() > 100 => {
                                format!("binary of {}", data.len())
                            }
                            event => format!("{event:?}"),
                        });
                        rest = after;
                    }
                    Ok(None) => break,
                    Err(fault) => {
                        out.push(format!("{fault:?}"));
                        return out;
                    }
                }
            }
        }
        out
    }

    #[test]
    fn the_example_of_the_rfc_decodes() {
        let stream = [
            0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
        ];
        assert_eq!(decode(100, &[&stream]), [r#"Text("Hello")"#]);
    }

    #[test]
    fn every_cut_of_a_stream_gives_the_same_events() {
        let mut stream = Vec::new();
        for part in [
            frame(0x81, b"one"),
            frame(0x01, b"tw\xe2\x82"),
            frame(0x89, b"ping"),
            frame(0x00, b""),
            frame(0x80, b"\xac!"),
            frame(0x82, &[7; 130]),
            frame(0x8a, b""),
            frame(0x82, b""),
            frame(0x88, b"\x03\xe8bye"),
        ] {
            stream.extend(part);
        }
        let whole = decode(1000, &[&stream]);
        assert_eq!(whole.len(), 7);
        for cut in 0..=stream.len() {
            let (a, b) = stream.split_at(cut);
            assert_eq!(decode(1000, &[a, b]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(decode(1000, &bytes), whole);
    }

    #[test]
    fn the_limit_counts_the_whole_message_and_shows_before_it_is_kept() {
        let limit = 70_000;
        assert_eq!(
            decode(limit, &[&frame(0x82, &vec![0; limit])]),
            ["binary of 70000"]
        );
        assert_eq!(
            decode(limit, &[&frame(0x82, &vec![0; limit + 1])]),
            ["TooBig"]
        );
        let head = &frame(0x82, &vec![0; limit + 1])[..14];
        assert_eq!(decode(limit, &[head]), ["TooBig"], "the header is enough");
        let parts = [frame(0x02, &vec![0; limit]), frame(0x80, b"x")].concat();
        assert_eq!(decode(limit, &[&parts]), ["TooBig"]);
        assert_eq!(
            decode(
                limit,
                &[&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]]
            ),
            ["TooBig"]
        );
    }

    #[test]
    fn what_the_rfc_forbids_is_a_protocol_fault() {
        for (what, stream) in [
            ("unmasked", vec![0x81, 0x01, b'x']),
            ("reserved bit", frame(0xc1, b"x")),
            ("reserved opcode", frame(0x83, b"x")),
            ("reserved control opcode", frame(0x8b, b"x")),
            ("fragmented control", frame(0x09, b"x")),
            ("long control", frame(0x89, &[0; 126])),
            ("continuation of nothing", frame(0x80, b"x")),
            (
                "text within fragments",
                [frame(0x01, b"x"), frame(0x81, b"y")].concat(),
            ),
            ("close of one byte", frame(0x88, b"\x03")),
            ("close code 1004", frame(0x88, &1004_u16.to_be_bytes())),
            ("close code 1005", frame(0x88, &1005_u16.to_be_bytes())),
            ("close code 1006", frame(0x88, &1006_u16.to_be_bytes())),
            ("close code 999", frame(0x88, &999_u16.to_be_bytes())),
            ("close code 2999", frame(0x88, &2999_u16.to_be_bytes())),
            ("close code 5000", frame(0x88, &5000_u16.to_be_bytes())),
        ] {
            assert_eq!(decode(1000, &[&stream]), ["Protocol"], "{what}");
        }
    }

    #[test]
    fn text_must_be_utf8() {
        assert_eq!(decode(1000, &[&frame(0x81, b"\xff")]), ["InvalidUtf8"]);
        assert_eq!(
            decode(1000, &[&frame(0x88, b"\x03\xe8\xff")]),
            ["InvalidUtf8"]
        );
        let parts = [frame(0x01, b"\xe2\x82"), frame(0x80, b"x")].concat();
        assert_eq!(decode(1000, &[&parts]), ["InvalidUtf8"]);
    }

    #[test]
    fn text_is_what_the_standard_library_takes_wherever_it_lies() {
        let long = "x".repeat(200);
        let payloads = [
            &b""[..],
            b"x",
            b"plain text",
            "é".as_bytes(),
            "𝄞 and more".as_bytes(),
            long.as_bytes(),
            b"\xa9",
            b"\x80plain",
            b"plain \xf0\x9d\x84",
            b"\xed\xa0\x80",
            b"plain text to its last byte\xff",
        ];
        for payload in payloads {
            let expected = std::str::from_utf8(payload).map_err(|_| Fault::InvalidUtf8);
            for before in 0..2 * size_of::<usize>() {
                // What lies in front is no text.
                let mut stream = vec![0xff; before];
                stream.extend(frame(0x81, payload));
                let mut decoder = Decoder::new(1000);
                let decoded = decoder.decode(&mut stream[before..]);
                let text = decoded.map(|decoded| match decoded {
                    Some((Event::Text(text), [])) => text,
                    other => panic!("{other:?}"),
                });
                assert_eq!(text, expected, "{payload:?} behind {before}");
            }
        }
    }

    #[test]
    fn nothing_is_read_after_a_close() {
        let stream = [frame(0x88, b""), frame(0x81, b"late")].concat();
        assert_eq!(decode(1000, &[&stream]), ["Close(None)"]);
    }

    #[test]
    fn a_flood_of_empty_fragments_is_cut_and_any_number_of_others_is_taken() {
        let message = |empty: u32| {
            let mut stream = frame(0x01, b"");
            for _ in 1..empty {
                stream.extend(frame(0x00, b""));
            }
            stream.extend(frame(0x80, b"x"));
            stream
        };
        let taken = decode(1000, &[&message(EMPTY_FRAGMENTS_MAX)]);
        assert_ne!(taken, ["Protocol"]);
        let cut = decode(1000, &[&message(EMPTY_FRAGMENTS_MAX + 1)]);
        assert_eq!(cut, ["Protocol"]);

        let length = 2 * usize::try_from(EMPTY_FRAGMENTS_MAX).unwrap();
        let mut stream = frame(0x02, b"x");
        for _ in 1..length {
            stream.extend(frame(0x00, b"x"));
        }
        stream.extend(frame(0x80, b""));
        let taken = decode(length, &[&stream]);
        assert_ne!(taken, ["Protocol"]);
        assert_eq!(taken.len(), 1);
    }

    #[test]
    fn a_large_frame_is_read_into_its_own_buffer() {
        let payload = vec![b'x'; 600_000];
        let stream = frame(0x81, &payload);
        let mut decoder = Decoder::new(1_000_000);
        let (head, mut tail) = stream.split_at(1000);
        assert!(decoder.read_room().is_none());
        assert_eq!(decoder.decode(&mut head.to_vec()), Ok(None));
        let mut claimed = 0;
        while let Some(room) = decoder.read_room() {
            claimed = claimed.max(room.len());
            let count = room.len().min(tail.len()).min(100_000);
            let (now, later) = tail.split_at(count);
            room[..count].copy_from_slice(now);
            assert!(!decoder.has_frame());
            decoder.note_read(count);
            tail = later;
        }
        assert!(claimed <= GROWTH_MAX_BYTES);
        assert!(decoder.has_frame());
        let (event, _) = decoder.decode(&mut []).unwrap().unwrap();
        assert!(matches!(event, Event::Text(text) if text.len() == 600_000));
        assert_eq!(decoder.decode(&mut []), Ok(None));
        assert!(!decoder.has_frame());
        assert_eq!(decoder.kept.capacity(), 0, "an idle decoder owns nothing");
    }
}
