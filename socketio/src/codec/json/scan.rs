//! Checks JSON once, without recursion, and finds where it ends.
//!
//! It accepts exactly the grammar of JSON, plus lone surrogate escapes as `JSON.parse` does, within the limits on
//! depth and number of values. It must not build anything.

use crate::codec::error::PacketError;
use crate::codec::limits::{DEEPEST, PacketLimits};

use super::plain::plain_len;

/// Told about the structure while it is scanned.
pub(super) trait Observer {
    /// An array or object begins at this offset.
    fn open(&mut self, _start: usize) {}
    fn close(&mut self) {}
    /// The name of the next member, as written between its quotes.
    fn key(&mut self, _raw: &str) {}
    /// A value that is neither array nor object, as written.
    fn scalar(&mut self, _raw: &str) {}
    /// Takes an object of [`PLACEHOLDER_VALUES`] whole, when `behind` its brace it reads as senders write a placeholder.
    /// What comes after it is returned, and nothing else is told about it.
    fn placeholder<'t>(&mut self, _behind: &'t [u8]) -> Option<&'t [u8]> {
        None
    }
}

/// Looks at nothing.
impl Observer for () {}

/// What a placeholder counts beside itself: its flag and its number.
pub(super) const PLACEHOLDER_VALUES: usize = 2;

/// A string as written between its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RawString<'a> {
    pub(super) text: &'a str,
    pub(super) has_escape: bool,
}

/// Values that follow one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Values<'a> {
    pub(super) text: &'a str,
    pub(super) count: usize,
}

/// The first of some values that have been scanned before, and those behind its comma.
pub(in crate::codec) fn split_first(values: &str) -> (&str, &str) {
    let mut scanner = Scanner::new(values);
    let first = scanner.value(&UNLIMITED, &mut ()).unwrap_or_default();
    scanner.skip_whitespace();
    scanner.take_if(b',');
    (first, scanner.slice(scanner.offset(), values.len()))
}

/// For text that has been scanned within the limits of its packet.
pub(super) const UNLIMITED: PacketLimits = PacketLimits {
    max_attachments: usize::MAX,
    max_attachment_bytes: usize::MAX,
    max_depth: DEEPEST,
    max_values: usize::MAX,
    max_namespace_len: usize::MAX,
    max_query_len: usize::MAX,
};

/// What is looked at of values.
#[derive(Clone, Copy)]
struct Bounds {
    max_depth: u32,
    max_values: usize,
}

impl Bounds {
    fn of(limits: &PacketLimits) -> Self {
        Self {
            max_depth: limits.max_depth.min(DEEPEST),
            max_values: limits.max_values,
        }
    }
}

/// A cursor over JSON text.
#[derive(Clone)]
pub(super) struct Scanner<'a> {
    text: &'a str,
    rest: &'a [u8],
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            rest: text.as_bytes(),
        }
    }

    /// True when the array that is open ends here, white space aside.
    pub(super) fn closes(&mut self) -> bool {
        self.skip_whitespace();
        self.rest.first() == Some(&b']')
    }

    /// True when an array or object begins here.
    pub(super) fn opens(&self) -> bool {
        matches!(self.rest.first(), Some(b'[' | b'{'))
    }

    /// The elements up to the end of the array that is open, which is consumed too.
    pub(super) fn elements(
        &mut self,
        limits: &PacketLimits,
        observer: &mut impl Observer,
    ) -> Result<Values<'a>, PacketError> {
        let start = self.offset();
        self.skip_whitespace();
        if self.take_if(b']') {
            return Ok(Values { text: "", count: 0 });
        }
        let count = self.run(1, Bounds::of(limits), observer)?;
        let end = self.offset().saturating_sub(1);
        Ok(Values {
            text: self.slice(start, end),
            count,
        })
    }

    /// What [`elements`](Self::elements) takes, however deep and many they are. Each level keeps a bit, so text that is no
    /// longer than a message makes the least of it.
    pub(super) fn skip_elements(&mut self) -> Result<(), PacketError> {
        let bounds = Bounds {
            max_depth: u32::MAX,
            max_values: usize::MAX,
        };
        self.run(1, bounds, &mut ()).map(drop)
    }

    /// One value.
    pub(super) fn value(
        &mut self,
        limits: &PacketLimits,
        observer: &mut impl Observer,
    ) -> Result<&'a str, PacketError> {
        let start = self.offset();
        self.run(0, Bounds::of(limits), observer)?;
        Ok(self.slice(start, self.offset()))
    }

    /// Values until everything is closed that was open at the beginning: nothing, or one array. Counts the
    /// values directly inside.
    fn run(
        &mut self,
        open: u32,
        bounds: Bounds,
        observer: &mut impl Observer,
    ) -> Result<usize, PacketError> {
        let Bounds {
            max_depth,
            max_values,
        } = bounds;
        let mut depth = open;
        // One bit for each of the inner levels, the innermost lowest: set for an object. Those around them follow in words.
        let mut objects = 0_u128;
        let mut outer = Vec::new();
        let mut values = 0_usize;
        let mut count = 0_usize;
        'value: loop {
            values = values.saturating_add(1);
            if values > max_values {
                return Err(PacketError::TooManyValues);
            }
            if depth == open {
                count = count.saturating_add(1);
            }
            self.skip_whitespace();
            let start = self.offset();
            let first = self.take_byte()?;
            match first {
                b'"' => {
                    self.string()?;
                    observer.scalar(self.slice(start, self.offset()));
                }
                b'{' | b'[' => {
                    if depth >= max_depth {
                        return Err(PacketError::TooDeep);
                    }
                    let is_object = first == b'{';
                    let with_placeholder = values.saturating_add(PLACEHOLDER_VALUES);
                    if is_object
                        && with_placeholder <= max_values
                        && let Some(after) = observer.placeholder(self.rest)
                    {
                        self.rest = after;
                        values = with_placeholder;
                    } else {
                        if depth > 0 && depth.is_multiple_of(u128::BITS) {
                            outer.push(objects);
                        }
                        depth = depth.saturating_add(1);
                        objects = (objects << 1) | u128::from(is_object);
                        observer.open(start);
                        self.skip_whitespace();
                        let closing = if is_object { b'}' } else { b']' };
                        if self.rest.first() != Some(&closing) {
                            if is_object {
                                self.member(observer)?;
                            }
                            continue 'value;
                        }
                    }
                }
                _ => {
                    self.scalar(first)?;
                    observer.scalar(self.slice(start, self.offset()));
                }
            }
            while depth > 0 {
                self.skip_whitespace();
                let is_object = objects & 1 == 1;
                match (self.take_byte()?, is_object) {
                    (b',', false) => continue 'value,
                    (b',', true) => {
                        self.skip_whitespace();
                        self.member(observer)?;
                        continue 'value;
                    }
                    (b']', false) | (b'}', true) => {
                        observer.close();
                        depth = depth.saturating_sub(1);
                        objects >>= 1;
                        if depth > 0 && depth.is_multiple_of(u128::BITS) {
                            objects = outer.pop().unwrap_or_default();
                        }
                    }
                    _ => return Err(PacketError::Payload),
                }
            }
            return Ok(count);
        }
    }

    /// The name of a member and its colon.
    fn member(&mut self, observer: &mut impl Observer) -> Result<(), PacketError> {
        self.expect(b'"')?;
        let name = self.string()?;
        observer.key(name.text);
        self.skip_whitespace();
        self.expect(b':')
    }

    /// The rest of a string whose opening quote was taken.
    #[inline]
    pub(super) fn string(&mut self) -> Result<RawString<'a>, PacketError> {
        let start = self.offset();
        let mut has_escape = false;
        loop {
            let (_, special) = self
                .rest
                .split_at_checked(plain_len(self.rest))
                .ok_or(PacketError::Payload)?;
            self.rest = special;
            match self.take_byte()? {
                b'"' => {
                    let end = self.offset().saturating_sub(1);
                    return Ok(RawString {
                        text: self.slice(start, end),
                        has_escape,
                    });
                }
                b'\\' => {
                    has_escape = true;
                    self.escape()?;
                }
                _ => return Err(PacketError::Payload),
            }
        }
    }

    fn escape(&mut self) -> Result<(), PacketError> {
        match self.take_byte()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => match self.rest.split_first_chunk::<4>() {
                Some((digits, after)) if digits.iter().all(u8::is_ascii_hexdigit) => {
                    self.rest = after;
                    Ok(())
                }
                _ => Err(PacketError::Payload),
            },
            _ => Err(PacketError::Payload),
        }
    }

    /// The rest of a number or a literal.
    pub(super) fn scalar(&mut self, first: u8) -> Result<(), PacketError> {
        match first {
            b't' => self.literal(b"rue"),
            b'f' => self.literal(b"alse"),
            b'n' => self.literal(b"ull"),
            b'-' => {
                let digit = self.take_byte()?;
                self.number(digit)
            }
            digit => self.number(digit),
        }
    }

    /// The rest of a number whose first digit was taken.
    fn number(&mut self, first: u8) -> Result<(), PacketError> {
        match first {
            b'0' => {}
            b'1'..=b'9' => {
                self.skip_digits();
            }
            _ => return Err(PacketError::Payload),
        }
        if self.take_if(b'.') && self.skip_digits() == 0 {
            return Err(PacketError::Payload);
        }
        if self.take_if(b'e') || self.take_if(b'E') {
            let _has_sign = self.take_if(b'+') || self.take_if(b'-');
            if self.skip_digits() == 0 {
                return Err(PacketError::Payload);
            }
        }
        Ok(())
    }

    fn literal(&mut self, rest: &[u8]) -> Result<(), PacketError> {
        self.rest = self.rest.strip_prefix(rest).ok_or(PacketError::Payload)?;
        Ok(())
    }

    fn skip_digits(&mut self) -> usize {
        let before = self.rest.len();
        while let [b'0'..=b'9', after @ ..] = self.rest {
            self.rest = after;
        }
        before.saturating_sub(self.rest.len())
    }

    #[inline]
    pub(super) fn skip_whitespace(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', after @ ..] = self.rest {
            self.rest = after;
        }
    }

    /// Nothing but white space may follow.
    pub(super) fn finish(mut self) -> Result<(), PacketError> {
        self.skip_whitespace();
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(PacketError::Payload)
        }
    }

    #[inline]
    pub(super) fn take_byte(&mut self) -> Result<u8, PacketError> {
        let (&first, after) = self.rest.split_first().ok_or(PacketError::Payload)?;
        self.rest = after;
        Ok(first)
    }

    #[inline]
    pub(super) fn take_if(&mut self, expected: u8) -> bool {
        match self.rest.split_first() {
            Some((&first, after)) if first == expected => {
                self.rest = after;
                true
            }
            _ => false,
        }
    }

    pub(super) fn expect(&mut self, expected: u8) -> Result<(), PacketError> {
        if self.take_if(expected) {
            Ok(())
        } else {
            Err(PacketError::Payload)
        }
    }

    #[inline]
    pub(super) fn offset(&self) -> usize {
        self.text.len().saturating_sub(self.rest.len())
    }

    /// The text between two offsets, both beside ASCII characters that were taken.
    #[inline]
    pub(super) fn slice(&self, start: usize, end: usize) -> &'a str {
        let slice = self.text.get(start..end);
        debug_assert!(slice.is_some(), "{start}..{end} splits a character");
        slice.unwrap_or_default()
    }
}
