//! The lines that the head of a request is made of (RFC 9112 §3, §5), and where their parts are. Each byte is looked at
//! once, those of targets and values by eights.

use crate::fields::{Field, Span};

/// There is no such line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// The first line of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct RequestLine {
    pub(super) method: Span,
    /// As sent. ASCII, and without a fragment.
    pub(super) target: Span,
    pub(super) is_http_10: bool,
    /// Where the next line begins.
    pub(super) end: usize,
}

/// A line behind the first, and where it ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Line {
    /// Its value has no blanks around it.
    Field(Field, usize),
    /// The empty one.
    Last(usize),
}

const HTTP_11: &[u8] = b"HTTP/1.1\r\n";
const HTTP_10: &[u8] = b"HTTP/1.0\r\n";

/// Reads the first line; `None` when not all of it is there. Empty lines may stand before it (RFC 9112 §2.2).
pub(super) fn request_line(read: &[u8]) -> Result<Option<RequestLine>, Malformed> {
    let mut start = 0;
    loop {
        match behind(read, start) {
            [] | [b'\r'] => return Ok(None),
            [b'\r', b'\n', ..] => start += 2,
            [b'\n', ..] => start += 1,
            _ => break,
        }
    }
    let method = start + token_length(behind(read, start));
    if !is_ended(read, start, method, b' ')? {
        return Ok(None);
    }
    let target = method + 1 + target_length(behind(read, method + 1));
    if !is_ended(read, method + 1, target, b' ')? {
        return Ok(None);
    }
    let version = behind(read, target + 1);
    let is_http_10 = version.starts_with(HTTP_10);
    if !is_http_10 && !version.starts_with(HTTP_11) {
        let may_be = HTTP_11.starts_with(version) || HTTP_10.starts_with(version);
        return if may_be { Ok(None) } else { Err(Malformed) };
    }
    Ok(Some(RequestLine {
        method: Span::new(start, method),
        target: Span::new(method + 1, target),
        is_http_10,
        end: target + 1 + HTTP_11.len(),
    }))
}

/// Reads the line that begins at `start`, and writes the name in it in lower case; `None` when not all of it is there.
#[inline]
pub(super) fn line(read: &mut [u8], start: usize) -> Result<Option<Line>, Malformed> {
    let rest = read.get_mut(start..).unwrap_or_default();
    match rest {
        [b'\r', b'\n', ..] => return Ok(Some(Line::Last(start + 2))),
        [] | [b'\r'] => return Ok(None),
        _ => {}
    }
    let name = start + lower_token(rest);
    if !is_ended(read, start, name, b':')? {
        return Ok(None);
    }
    let begin = name + 1 + blanks_before(behind(read, name + 1));
    let rest = behind(read, begin);
    let length = text_length(rest);
    match behind(rest, length) {
        [b'\r', b'\n', ..] => {}
        [] | [b'\r'] => return Ok(None),
        _ => return Err(Malformed),
    }
    let text = rest.get(..length).unwrap_or_default();
    let field = Field {
        name: Span::new(start, name),
        value: Span::new(begin, begin + length - blanks_behind(text)),
    };
    Ok(Some(Line::Field(field, begin + length + 2)))
}

#[inline]
fn behind(read: &[u8], at: usize) -> &[u8] {
    read.get(at..).unwrap_or_default()
}

/// Whether the part from `start` to `end` is there as a whole, with `mark` behind it. It is not empty.
#[inline]
fn is_ended(read: &[u8], start: usize, end: usize, mark: u8) -> Result<bool, Malformed> {
    match read.get(end) {
        None => Ok(false),
        Some(&byte) if byte == mark && end > start => Ok(true),
        Some(_) => Err(Malformed),
    }
}

#[inline]
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// How many blanks stand at the beginning: nearly always one.
#[inline]
fn blanks_before(rest: &[u8]) -> usize {
    match rest {
        [b' ', byte, ..] if !is_blank(*byte) => 1,
        _ => rest.iter().take_while(|&&byte| is_blank(byte)).count(),
    }
}

/// How many blanks stand at the end: nearly always none.
#[inline]
fn blanks_behind(text: &[u8]) -> usize {
    match text {
        [.., byte] if !is_blank(*byte) => 0,
        _ => {
            let last = text.iter().rev();
            last.take_while(|&&byte| is_blank(byte)).count()
        }
    }
}

/// The bytes that tokens are made of (RFC 9110 §5.6.2), in lower case; 0 for every other.
const OF_TOKENS: [u8; 256] = {
    let mut lower = [0; 256];
    let mut rest: &[u8] = b"!#$%&'*+-.^_`|~0123456789\
        abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    while let [byte, behind @ ..] = rest {
        #[expect(
            clippy::indexing_slicing,
            clippy::as_conversions,
            reason = "a byte is below 256, and the compiler runs this"
        )]
        {
            lower[*byte as usize] = byte.to_ascii_lowercase();
        }
        rest = behind;
    }
    lower
};

#[inline]
fn lower_of(byte: u8) -> u8 {
    OF_TOKENS.get(usize::from(byte)).copied().unwrap_or(0)
}

/// How long the token is that stands here.
#[inline]
fn token_length(rest: &[u8]) -> usize {
    rest.iter().take_while(|&&byte| lower_of(byte) != 0).count()
}

/// The same, and writes it in lower case.
#[inline]
fn lower_token(rest: &mut [u8]) -> usize {
    let mut length = 0;
    for byte in rest {
        let lower = lower_of(*byte);
        if lower == 0 {
            break;
        }
        *byte = lower;
        length += 1;
    }
    length
}

/// How long the text is that stands here: no byte of it is a control, but for tabs.
#[inline]
fn text_length(rest: &[u8]) -> usize {
    let is_text = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    let mut length = 0;
    loop {
        let found = words_length(behind(rest, length), |word| {
            below(word, b' ') | equal(word, 0x7f)
        });
        length += found;
        let byte = rest.get(length).copied();
        if !byte.is_some_and(is_text) {
            return length;
        }
        length += 1;
    }
}

/// How long the target is that stands here: visible ASCII, and no fragment.
#[inline]
fn target_length(rest: &[u8]) -> usize {
    let is_part = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    let words = words_length(rest, |word| {
        below(word, b'!') | equal(word, 0x7f) | equal(word, b'#') | (word & HIGH)
    });
    let tail = behind(rest, words);
    words + tail.iter().take_while(|&&byte| is_part(byte)).count()
}

/// The highest bit of each byte of a word, and the lowest.
const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
const LOW: u64 = u64::from_ne_bytes([1; 8]);

/// How many bytes stand before the first that `stops` marks, by its highest bit, or before the last few that make no word.
#[inline]
fn words_length(rest: &[u8], stops: impl Fn(u64) -> u64) -> usize {
    let mut length = 0;
    for word in rest.as_chunks::<8>().0 {
        let stops = stops(u64::from_le_bytes(*word));
        if stops != 0 {
            return length + (stops.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    length
}

/// Marks bytes below a limit of at most 128: the first of them for sure, those behind it perhaps wrongly.
#[inline]
fn below(word: u64, limit: u8) -> u64 {
    word.wrapping_sub(LOW * u64::from(limit)) & !word & HIGH
}

/// Marks bytes that are this one, as `below` does.
#[inline]
fn equal(word: u64, byte: u8) -> u64 {
    below(word ^ (LOW * u64::from(byte)), 1)
}

#[cfg(test)]
mod differential;

#[cfg(test)]
mod tests {
    use super::*;

    /// What `text_length` and `target_length` have to find, byte by byte.
    fn length(rest: &[u8], is_part: impl Fn(u8) -> bool) -> usize {
        rest.iter().take_while(|&&byte| is_part(byte)).count()
    }

    #[test]
    fn every_byte_at_every_place_of_a_word_ends_what_it_has_to_end() {
        for byte in 0..=u8::MAX {
            for at in 0..20 {
                for next in [b'a', 0, b' ', 0x7f, 0x80, 0xff, b'\t'] {
                    let mut rest = [b'a'; 20];
                    rest.iter_mut()
                        .skip(at)
                        .take(1)
                        .for_each(|place| *place = byte);
                    rest.iter_mut()
                        .skip(at + 1)
                        .take(1)
                        .for_each(|place| *place = next);
                    let text = length(&rest, |byte| byte == b'\t' || !byte.is_ascii_control());
                    assert_eq!(text_length(&rest), text, "{byte} at {at}, then {next}");
                    let target = length(&rest, |byte| byte.is_ascii_graphic() && byte != b'#');
                    assert_eq!(target_length(&rest), target, "{byte} at {at}, then {next}");
                }
            }
        }
    }

    #[test]
    fn names_are_tokens_and_become_lower_case() {
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        for byte in 0..=u8::MAX {
            for at in 0..20 {
                for next in [b'X', b'_', b'\r', 0xff] {
                    let mut name = *b"Aa-Z0zM9Kk-Sec-WebSo";
                    for (place, byte) in name.iter_mut().skip(at).zip([byte, next]) {
                        *place = byte;
                    }
                    let length = length(&name, is_token);
                    let mut expected = name;
                    expected
                        .iter_mut()
                        .take(length)
                        .for_each(|byte| byte.make_ascii_lowercase());
                    assert_eq!(
                        lower_token(&mut name),
                        length,
                        "{byte} at {at}, then {next}"
                    );
                    assert_eq!(name, expected, "{byte} at {at}, then {next}");
                }
            }
        }
    }
}
