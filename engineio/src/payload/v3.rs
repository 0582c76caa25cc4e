//! Revision 3: every packet behind its length, in a text form and in a binary form.

use std::iter::FusedIterator;

use super::cursor::{ByteCursor, TakeTextError, TextCursor};
use crate::packet::{Packet, ParseError, Protocol, parse_binary, parse_text};

pub(super) const TEXT_ENTRY: u8 = 0;
pub(super) const BINARY_ENTRY: u8 = 1;
pub(super) const END_OF_LENGTH: u8 = 0xff;

/// Digits of a length in the binary form, leading zeros included: what the reference reads before
/// it gives up.
//= EIO3-PLD-07
const MAX_LENGTH_DIGITS: usize = 310;

/// Decodes a text body; ends after the first error. Lengths count UTF-16 code units.
///
/// Blanks and exponents in a length, which the reference takes along with every other spelling of
/// a JavaScript number, are refused; leading zeros are not.
//= EIO3-PLD-01
//= EIO3-PLD-05
pub(crate) fn decode_v3_text(
    body: &str,
) -> impl FusedIterator<Item = Result<Packet<'_>, ParseError>> + '_ {
    let mut cursor = TextCursor::new(body);
    let mut is_done = false;
    let mut is_first = true;
    std::iter::from_fn(move || {
        if is_done {
            return None;
        }
        let packet = if std::mem::take(&mut is_first) && cursor.is_empty() {
            Some(Err(ParseError::Empty))
        } else {
            next_text_entry(&mut cursor)
        };
        is_done = !matches!(packet, Some(Ok(_)));
        packet
    })
    .fuse()
}

/// Decodes a binary body; ends after the first error. An empty body holds no packet.
//= EIO3-PLD-03
pub(crate) fn decode_v3_binary(
    body: &[u8],
) -> impl FusedIterator<Item = Result<Packet<'_>, ParseError>> + '_ {
    let mut cursor = ByteCursor::new(body);
    let mut is_done = false;
    std::iter::from_fn(move || {
        if is_done {
            return None;
        }
        let packet = next_binary_entry(&mut cursor).transpose();
        is_done = !matches!(packet, Some(Ok(_)));
        packet
    })
    .fuse()
}

fn next_text_entry<'a>(cursor: &mut TextCursor<'a>) -> Option<Result<Packet<'a>, ParseError>> {
    while !cursor.is_empty() {
        match take_text_entry(cursor) {
            // `0:` is how an empty list is written, and carries no packet.
            Ok("") => {}
            Ok(text) => return Some(parse_text(Protocol::V3, text)),
            Err(error) => return Some(Err(error)),
        }
    }
    None
}

fn take_text_entry<'a>(cursor: &mut TextCursor<'a>) -> Result<&'a str, ParseError> {
    let digits = cursor.take_until(':').ok_or(ParseError::InvalidLength)?;
    // `parse` alone would also take a plus sign.
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParseError::InvalidLength);
    }
    let units = digits.parse().map_err(|_| ParseError::InvalidLength)?;
    cursor.take_utf16(units).map_err(|error| match error {
        TakeTextError::TooShort => ParseError::Truncated,
        TakeTextError::SplitCharacter => ParseError::SplitCharacter,
    })
}

fn next_binary_entry<'a>(cursor: &mut ByteCursor<'a>) -> Result<Option<Packet<'a>>, ParseError> {
    while let Some(flag) = cursor.take_byte() {
        if flag != TEXT_ENTRY && flag != BINARY_ENTRY {
            return Err(ParseError::UnknownEntryFlag);
        }
        let len = take_binary_length(cursor)?;
        let data = cursor.take(len).ok_or(ParseError::Truncated)?;
        if flag == TEXT_ENTRY {
            let text = std::str::from_utf8(data).map_err(|_| ParseError::InvalidUtf8)?;
            return parse_text(Protocol::V3, text).map(Some);
        }
        if let Some(packet) = parse_binary(Protocol::V3, data)? {
            return Ok(Some(packet));
        }
    }
    Ok(None)
}

/// The decimal digits up to 0xFF, one byte of value 0 to 9 each.
fn take_binary_length(cursor: &mut ByteCursor<'_>) -> Result<usize, ParseError> {
    let mut len = 0_usize;
    for digits in 0..=MAX_LENGTH_DIGITS {
        match cursor.take_byte().ok_or(ParseError::Truncated)? {
            END_OF_LENGTH if digits > 0 => return Ok(len),
            digit @ 0..=9 => {
                len = len
                    .checked_mul(10)
                    .and_then(|len| len.checked_add(usize::from(digit)))
                    .ok_or(ParseError::InvalidLength)?;
            }
            _ => return Err(ParseError::InvalidLength),
        }
    }
    Err(ParseError::InvalidLength)
}
