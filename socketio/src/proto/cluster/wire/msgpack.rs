//! Msgpack as servers of Node write it to each other (RDS-06). Clients speak another dialect, with extensions of its own.

use std::borrow::Cow;

use super::ignored::Ignored;
use super::limits::{MAX_DEPTH, MAX_VALUES};
use super::value::{MAX_SAFE, Value};
use crate::codec::to_iso_string;

/// The extension type of a date.
const DATE: i8 = -1;

/// The milliseconds before and after 1970 that JavaScript has dates for.
const MAX_DATE_MS: u64 = 8_640_000_000_000_000;

/// Reads a message: one value, and nothing behind it.
pub(super) fn read(bytes: &[u8]) -> Result<Value<'_>, Ignored> {
    let mut reader = Reader {
        rest: bytes,
        values_left: MAX_VALUES,
    };
    let value = reader.value(MAX_DEPTH)?;
    if reader.rest.is_empty() {
        Ok(value)
    } else {
        Err(Ignored::Malformed)
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    values_left: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self, depth_left: u32) -> Result<Value<'a>, Ignored> {
        self.values_left = self.values_left.checked_sub(1).ok_or(Ignored::TooLarge)?;
        let [marker] = self.array()?;
        let low = usize::from(marker & 0x0f);
        Ok(match marker {
            0x00..=0x7f => Value::Unsigned(marker.into()),
            0x80..=0x8f => self.members(low, depth_left)?,
            0x90..=0x9f => self.elements(low, depth_left)?,
            0xa0..=0xbf => Value::Str(self.text(usize::from(marker & 0x1f))?),
            0xc0 => Value::Nil,
            0xc1 => return Err(Ignored::Malformed),
            0xc2 => Value::Bool(false),
            0xc3 => Value::Bool(true),
            0xc4..=0xc6 => {
                let len = self.length(1 << (marker & 3))?;
                Value::Binary(self.take(len)?.into())
            }
            0xc7 => self.extension_sized(1)?,
            0xc8 => self.extension_sized(2)?,
            0xc9 => self.extension_sized(4)?,
            0xca => Value::double(f32::from_be_bytes(self.array()?).into()),
            0xcb => Value::double(f64::from_be_bytes(self.array()?)),
            0xcc => Value::Unsigned(u8::from_be_bytes(self.array()?).into()),
            0xcd => Value::Unsigned(u16::from_be_bytes(self.array()?).into()),
            0xce => Value::Unsigned(u32::from_be_bytes(self.array()?).into()),
            0xcf => Value::Unsigned(u64::from_be_bytes(self.array()?)),
            0xd0 => Value::signed(i8::from_be_bytes(self.array()?).into()),
            0xd1 => Value::signed(i16::from_be_bytes(self.array()?).into()),
            0xd2 => Value::signed(i32::from_be_bytes(self.array()?).into()),
            0xd3 => Value::signed(i64::from_be_bytes(self.array()?)),
            0xd4 => self.extension(1)?,
            0xd5 => self.extension(2)?,
            0xd6 => self.extension(4)?,
            0xd7 => self.extension(8)?,
            0xd8 => self.extension(16)?,
            0xd9 => self.text_sized(1)?,
            0xda => self.text_sized(2)?,
            0xdb => self.text_sized(4)?,
            0xdc => {
                let len = self.length(2)?;
                self.elements(len, depth_left)?
            }
            0xdd => {
                let len = self.length(4)?;
                self.elements(len, depth_left)?
            }
            0xde => {
                let len = self.length(2)?;
                self.members(len, depth_left)?
            }
            0xdf => {
                let len = self.length(4)?;
                self.members(len, depth_left)?
            }
            0xe0..=0xff => Value::signed(i8::from_be_bytes([marker]).into()),
        })
    }

    /// Room is made for no more elements than there are bytes.
    fn elements(&mut self, len: usize, depth_left: u32) -> Result<Value<'a>, Ignored> {
        let inside = depth_left.checked_sub(1).ok_or(Ignored::TooDeep)?;
        if len > self.rest.len() {
            return Err(Ignored::Malformed);
        }
        let mut elements = Vec::with_capacity(len.min(self.values_left));
        for _ in 0..len {
            elements.push(self.value(inside)?);
        }
        Ok(Value::Array(elements))
    }

    fn members(&mut self, len: usize, depth_left: u32) -> Result<Value<'a>, Ignored> {
        let inside = depth_left.checked_sub(1).ok_or(Ignored::TooDeep)?;
        if len > self.rest.len() {
            return Err(Ignored::Malformed);
        }
        let mut members = Vec::with_capacity(len.min(self.values_left));
        for _ in 0..len {
            let name = match self.value(0)? {
                Value::Nil => Cow::Borrowed("null"),
                name => name.into_name().ok_or(Ignored::Malformed)?,
            };
            members.push((name, self.value(inside)?));
        }
        Ok(Value::Map(members))
    }

    fn text_sized(&mut self, width: usize) -> Result<Value<'a>, Ignored> {
        let len = self.length(width)?;
        self.text(len).map(Value::Str)
    }

    /// What is no UTF-8 is replaced, as the reference's readers do.
    //= RDS-06
    fn text(&mut self, len: usize) -> Result<Cow<'a, str>, Ignored> {
        self.take(len).map(String::from_utf8_lossy)
    }

    fn extension_sized(&mut self, width: usize) -> Result<Value<'a>, Ignored> {
        let len = self.length(width)?;
        self.extension(len)
    }

    /// A date becomes what JSON makes of it; an extension that is not known is nothing.
    //= RDS-06
    fn extension(&mut self, len: usize) -> Result<Value<'a>, Ignored> {
        let kind = i8::from_be_bytes(self.array()?);
        let data = self.take(len)?;
        let ms = (kind == DATE).then(|| date_ms(data)).flatten();
        let ms = ms.filter(|ms| ms.unsigned_abs() <= MAX_DATE_MS);
        Ok(ms.map_or(Value::Nil, |ms| Value::Str(to_iso_string(ms).into())))
    }

    /// A length of one, two or four bytes.
    fn length(&mut self, width: usize) -> Result<usize, Ignored> {
        let bytes = self.take(width)?;
        let len = bytes
            .iter()
            .fold(0_u64, |len, &byte| (len << 8) | u64::from(byte));
        usize::try_from(len).map_err(|_| Ignored::Malformed)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Ignored> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Ignored::Malformed)?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Ignored> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(Ignored::Malformed)?;
        self.rest = rest;
        Ok(bytes)
    }
}

/// Milliseconds since 1970 of the three forms of the date extension: whole seconds, seconds with a fraction, both wide.
fn date_ms(data: &[u8]) -> Option<i64> {
    const NS_PER_MS: u32 = 1_000_000;
    let (seconds, nanoseconds) = match data.len() {
        4 => (i64::from(u32::from_be_bytes(data.try_into().ok()?)), 0),
        8 => {
            let both = u64::from_be_bytes(data.try_into().ok()?);
            let seconds = i64::try_from(both & 0x3_ffff_ffff).ok()?;
            (seconds, u32::try_from(both >> 34).ok()?)
        }
        12 => {
            let (nanoseconds, seconds) = data.split_first_chunk()?;
            let seconds = i64::from_be_bytes(seconds.try_into().ok()?);
            (seconds, u32::from_be_bytes(*nanoseconds))
        }
        _ => return None,
    };
    let ms = i64::from(nanoseconds / NS_PER_MS);
    seconds.checked_mul(1_000)?.checked_add(ms)
}

/// Writes a value: the shortest whole numbers, doubles for all others and for whole ones beyond 2^53, no extension.
//= RDS-06
pub(super) fn write(value: &Value<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    write_to(value, &mut out);
    out
}

fn write_to(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Nil => out.push(0xc0),
        Value::Bool(value) => out.push(if *value { 0xc3 } else { 0xc2 }),
        Value::Unsigned(value) => write_unsigned(*value, out),
        Value::Negative(value) => write_negative(*value, out),
        Value::Float(value) => write_float(*value, out),
        Value::Str(text) => write_str(text, out),
        Value::Binary(bytes) => {
            BINARY.write(bytes.len(), out);
            out.extend_from_slice(bytes);
        }
        Value::Array(elements) => {
            ARRAY.write(elements.len(), out);
            for element in elements {
                write_to(element, out);
            }
        }
        Value::Map(members) => {
            MAP.write(members.len(), out);
            for (name, value) in members {
                write_str(name, out);
                write_to(value, out);
            }
        }
    }
}

fn write_str(text: &str, out: &mut Vec<u8>) {
    STR.write(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

/// The markers before what has a length.
struct Heads {
    /// For lengths that the marker itself holds: the marker, and the first length that it does not hold.
    short: (u8, u8),
    one_byte: Option<u8>,
    two_bytes: u8,
    four_bytes: u8,
}

const STR: Heads = Heads {
    short: (0xa0, 32),
    one_byte: Some(0xd9),
    two_bytes: 0xda,
    four_bytes: 0xdb,
};

const BINARY: Heads = Heads {
    short: (0, 0),
    one_byte: Some(0xc4),
    two_bytes: 0xc5,
    four_bytes: 0xc6,
};

const ARRAY: Heads = Heads {
    short: (0x90, 16),
    one_byte: None,
    two_bytes: 0xdc,
    four_bytes: 0xdd,
};

const MAP: Heads = Heads {
    short: (0x80, 16),
    one_byte: None,
    two_bytes: 0xde,
    four_bytes: 0xdf,
};

impl Heads {
    fn write(&self, len: usize, out: &mut Vec<u8>) {
        let (marker, too_long) = self.short;
        match (u8::try_from(len), self.one_byte) {
            (Ok(len), _) if len < too_long => return out.push(marker | len),
            (Ok(len), Some(marker)) => return out.extend_from_slice(&[marker, len]),
            _ => {}
        }
        if let Ok(len) = u16::try_from(len) {
            out.push(self.two_bytes);
            out.extend_from_slice(&len.to_be_bytes());
        } else {
            // No bus carries 4 GiB.
            let len = u32::try_from(len).unwrap_or(u32::MAX);
            out.push(self.four_bytes);
            out.extend_from_slice(&len.to_be_bytes());
        }
    }
}

fn write_unsigned(value: u64, out: &mut Vec<u8>) {
    if let Ok(value) = u8::try_from(value) {
        if value >= 0x80 {
            out.push(0xcc);
        }
        out.push(value);
    } else if let Ok(value) = u16::try_from(value) {
        out.push(0xcd);
        out.extend_from_slice(&value.to_be_bytes());
    } else if let Ok(value) = u32::try_from(value) {
        out.push(0xce);
        out.extend_from_slice(&value.to_be_bytes());
    } else if value <= MAX_SAFE {
        out.push(0xcf);
        out.extend_from_slice(&value.to_be_bytes());
    } else {
        write_float(rounded(value), out);
    }
}

fn write_negative(value: i64, out: &mut Vec<u8>) {
    if let Ok(value) = i8::try_from(value) {
        if value < -32 {
            out.push(0xd0);
        }
        out.extend_from_slice(&value.to_be_bytes());
    } else if let Ok(value) = i16::try_from(value) {
        out.push(0xd1);
        out.extend_from_slice(&value.to_be_bytes());
    } else if let Ok(value) = i32::try_from(value) {
        out.push(0xd2);
        out.extend_from_slice(&value.to_be_bytes());
    } else if value.unsigned_abs() <= MAX_SAFE {
        out.push(0xd3);
        out.extend_from_slice(&value.to_be_bytes());
    } else {
        write_float(-rounded(value.unsigned_abs()), out);
    }
}

/// The double that JavaScript has for it.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "to lose the last digits is what it is for"
)]
const fn rounded(value: u64) -> f64 {
    value as f64
}

fn write_float(value: f64, out: &mut Vec<u8>) {
    out.push(0xcb);
    out.extend_from_slice(&value.to_be_bytes());
}
