//! A cursor over msgpack.

use std::borrow::Cow;
use std::fmt;

use super::surrogates::Surrogates;
use crate::codec::date::to_iso_string;
use crate::codec::error::PacketError;
use crate::codec::limits::DEEPEST;

/// The extension type that the reference uses for everything that is JavaScript's own.
const JAVASCRIPT: i8 = 0;

/// One value, or the head of an array or map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Token<'a> {
    Nil,
    /// JavaScript's `undefined`.
    Undefined,
    Bool(bool),
    Unsigned(u64),
    /// Below zero.
    Negative(i64),
    Float(f64),
    Str(&'a str),
    /// Text of which a part is no character.
    Surrogates(Surrogates<'a>),
    Binary(&'a [u8]),
    /// Milliseconds since 1970.
    Date(i64),
    /// Data of an extension that is not known here.
    Extension(i8, &'a [u8]),
    /// So many elements follow.
    Array(usize),
    /// So many pairs follow.
    Map(usize),
}

impl<'a> Token<'a> {
    /// What JavaScript makes of it as the name of a member; nothing useful of what is no scalar.
    pub(super) fn into_name(self) -> Option<Cow<'a, str>> {
        let name = match self {
            Self::Str(name) => return Some(Cow::Borrowed(name)),
            Self::Surrogates(name) => name.mended(),
            Self::Nil => "null".to_owned(),
            Self::Undefined => "undefined".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Unsigned(value) => value.to_string(),
            Self::Negative(value) => value.to_string(),
            Self::Float(value) => value.to_string(),
            Self::Date(ms) => to_iso_string(ms),
            Self::Binary(_) | Self::Extension(..) | Self::Array(_) | Self::Map(_) => return None,
        };
        Some(Cow::Owned(name))
    }
}

/// The bytes are not msgpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed msgpack")
    }
}

impl From<Malformed> for PacketError {
    fn from(Malformed: Malformed) -> Self {
        Self::Payload
    }
}

/// What is left of the limits of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) depth: u32,
    pub(super) values: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    /// The arrays and maps that are being deserialized.
    pub(super) depth: u32,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            depth: 0,
        }
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next value without taking it.
    pub(super) fn peek(&self) -> Result<Token<'a>, Malformed> {
        let mut ahead = *self;
        ahead.token()
    }

    //= SIO5-MP-05
    //= SIO5-MP-06
    pub(super) fn token(&mut self) -> Result<Token<'a>, Malformed> {
        let [marker] = self.array()?;
        let low = usize::from(marker & 0x0f);
        Ok(match marker {
            0x00..=0x7f => Token::Unsigned(marker.into()),
            0x80..=0x8f => Token::Map(low),
            0x90..=0x9f => Token::Array(low),
            0xa0..=0xbf => self.str((marker & 0x1f).into())?,
            0xc0 => Token::Nil,
            0xc1 => return Err(Malformed),
            0xc2 => Token::Bool(false),
            0xc3 => Token::Bool(true),
            0xc4 => Token::Binary(self.sized(1)?),
            0xc5 => Token::Binary(self.sized(2)?),
            0xc6 => Token::Binary(self.sized(4)?),
            0xc7 => self.extension_sized(1)?,
            0xc8 => self.extension_sized(2)?,
            0xc9 => self.extension_sized(4)?,
            0xca => Token::Float(f32::from_be_bytes(self.array()?).into()),
            0xcb => Token::Float(f64::from_be_bytes(self.array()?)),
            0xcc => Token::Unsigned(u8::from_be_bytes(self.array()?).into()),
            0xcd => Token::Unsigned(u16::from_be_bytes(self.array()?).into()),
            0xce => Token::Unsigned(u32::from_be_bytes(self.array()?).into()),
            0xcf => Token::Unsigned(u64::from_be_bytes(self.array()?)),
            0xd0 => integer(i8::from_be_bytes(self.array()?).into()),
            0xd1 => integer(i16::from_be_bytes(self.array()?).into()),
            0xd2 => integer(i32::from_be_bytes(self.array()?).into()),
            0xd3 => integer(i64::from_be_bytes(self.array()?)),
            0xd4 => match self.extension(1)? {
                Token::Binary(_) => Token::Undefined,
                other => other,
            },
            0xd5 => self.extension(2)?,
            0xd6 => self.extension(4)?,
            0xd7 => match self.extension(8)? {
                Token::Binary(data) => {
                    let data = data.first_chunk().ok_or(Malformed)?;
                    Token::Date(i64::from_be_bytes(*data))
                }
                other => other,
            },
            0xd8 => self.extension(16)?,
            0xd9 => self.str_sized(1)?,
            0xda => self.str_sized(2)?,
            0xdb => self.str_sized(4)?,
            0xdc => Token::Array(self.length(2)?),
            0xdd => Token::Array(self.length(4)?),
            0xde => Token::Map(self.length(2)?),
            0xdf => Token::Map(self.length(4)?),
            0xe0..=0xff => integer(i8::from_be_bytes([marker]).into()),
        })
    }

    /// Passes over one whole value and returns its bytes. What it recurses into is bounded by the depth of the
    /// budget.
    pub(super) fn skip(&mut self, budget: &mut Budget) -> Result<&'a [u8], PacketError> {
        let before = self.rest;
        budget.values = budget
            .values
            .checked_sub(1)
            .ok_or(PacketError::TooManyValues)?;
        let (inside, per_element) = match self.token()? {
            Token::Array(len) => (len, 1_usize),
            Token::Map(len) => (len, 2),
            _ => (0, 0),
        };
        if per_element > 0 {
            budget.depth = budget.depth.checked_sub(1).ok_or(PacketError::TooDeep)?;
            // A head that promises more than there are bytes runs out of them here.
            for _ in 0..inside {
                if per_element == 2 {
                    self.skip(budget)?;
                }
                self.skip(budget)?;
            }
            budget.depth = budget.depth.saturating_add(1);
        }
        let len = before.len().saturating_sub(self.rest.len());
        Ok(before.get(..len).unwrap_or_default())
    }

    /// The same for what was passed over before, within the limits of its packet.
    pub(super) fn pass(&mut self) -> &'a [u8] {
        let mut budget = Budget {
            depth: DEEPEST,
            values: usize::MAX,
        };
        self.skip(&mut budget).unwrap_or_default()
    }

    fn extension_sized(&mut self, width: usize) -> Result<Token<'a>, Malformed> {
        let len = self.length(width)?;
        self.extension(len)
    }

    fn extension(&mut self, len: usize) -> Result<Token<'a>, Malformed> {
        let kind = i8::from_be_bytes(self.array()?);
        let data = self.take(len)?;
        Ok(match kind {
            JAVASCRIPT => Token::Binary(data),
            other => Token::Extension(other, data),
        })
    }

    fn str_sized(&mut self, width: usize) -> Result<Token<'a>, Malformed> {
        let len = self.length(width)?;
        self.str(len)
    }

    fn str(&mut self, len: usize) -> Result<Token<'a>, Malformed> {
        let bytes = self.take(len)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Token::Str(text)),
            Err(_) => Surrogates::new(bytes)
                .map(Token::Surrogates)
                .ok_or(Malformed),
        }
    }

    fn sized(&mut self, width: usize) -> Result<&'a [u8], Malformed> {
        let len = self.length(width)?;
        self.take(len)
    }

    /// A length of one, two or four bytes.
    fn length(&mut self, width: usize) -> Result<usize, Malformed> {
        let bytes = self.take(width)?;
        let len = bytes
            .iter()
            .fold(0_u64, |len, &byte| (len << 8) | u64::from(byte));
        usize::try_from(len).map_err(|_| Malformed)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(Malformed)?;
        self.rest = rest;
        Ok(bytes)
    }
}

fn integer<'a>(value: i64) -> Token<'a> {
    u64::try_from(value).map_or(Token::Negative(value), Token::Unsigned)
}

/// The first of some values that have been read before, and those behind it.
pub(in crate::codec) fn split_first(values: &[u8]) -> (&[u8], &[u8]) {
    let mut reader = Reader::new(values);
    let first = reader.pass();
    (first, reader.rest())
}
