//! Finds where a string stops being plain: at its end, an escape, or a control character.

/// Bytes looked at together, by vector instructions where the compiler finds them.
const BLOCK: usize = 32;

/// Bytes looked at together, as one number, where a block is not plain or not full.
const WORD: usize = 8;

const HALF_WORD: usize = WORD / 2;

/// One in every byte of a word.
const ONES: u64 = 0x0101_0101_0101_0101;

/// The highest bit of every byte of a word.
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// How many bytes come before the first that is a quote, a backslash or below a space; all, if none is.
///
/// The name of an event ends in its first word as a rule, and then nothing else is looked at, or called.
#[inline]
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    match bytes.split_first_chunk::<WORD>() {
        Some((word, rest)) => plain_in(*word).unwrap_or_else(|| plain_len_behind(rest, bytes)),
        None => plain_len_of_few(bytes),
    }
}

/// Whether no byte is a quote, a backslash or below a space.
///
/// Of up to two words it looks at the first and the last, which overlap, at once: half the instructions of looking for a place.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    match (bytes.first_chunk::<WORD>(), bytes.last_chunk::<WORD>()) {
        (Some(first), Some(last)) if bytes.len() <= 2 * WORD => {
            let found = [first, last].map(|word| not_plain(u64::from_le_bytes(*word)));
            found == [0; 2]
        }
        (Some(_), _) => plain_len_behind(bytes, bytes) == bytes.len(),
        (None, _) => plain_len_of_few(bytes) == bytes.len(),
    }
}

/// The same as [`plain_len`], where all is plain that comes before `rest`, and a word is there at least.
#[inline(never)]
fn plain_len_behind(mut rest: &[u8], bytes: &[u8]) -> usize {
    while let Some((block, after)) = rest.split_first_chunk::<BLOCK>() {
        // Zero for what is not plain; no early exit, so that the block is looked at as a whole.
        let lowest = block.iter().fold(u8::MAX, |lowest, &byte| {
            lowest
                .min(byte ^ b'"')
                .min(byte ^ b'\\')
                .min(byte.saturating_sub(b' ' - 1))
        });
        if lowest == 0 {
            break;
        }
        rest = after;
    }
    while let Some((word, after)) = rest.split_first_chunk::<WORD>() {
        if let Some(before) = plain_in(*word) {
            return offset(bytes, rest).saturating_add(before);
        }
        rest = after;
    }
    // What the last word has of those before is plain.
    let last = bytes.last_chunk::<WORD>().and_then(|word| plain_in(*word));
    last.map_or(bytes.len(), |before| {
        bytes.len().saturating_sub(WORD).saturating_add(before)
    })
}

/// The same of less than a word.
#[inline(never)]
fn plain_len_of_few(bytes: &[u8]) -> usize {
    // Its first half and its last, which overlap, if it has as much. A name of four to seven bytes is looked at in every
    // event that leaves, and byte by byte that took 50 instructions more.
    if let (Some(&[a, b, c, d]), Some(&[e, f, g, h])) = (
        bytes.first_chunk::<HALF_WORD>(),
        bytes.last_chunk::<HALF_WORD>(),
    ) && plain_in([a, b, c, d, e, f, g, h]).is_none()
    {
        return bytes.len();
    }
    let is_plain = |&&byte: &&u8| byte != b'"' && byte != b'\\' && byte >= b' ';
    bytes.iter().take_while(is_plain).count()
}

fn offset(bytes: &[u8], rest: &[u8]) -> usize {
    bytes.len().saturating_sub(rest.len())
}

/// How many bytes of a word come before the first that is not plain, if there is one.
#[inline]
fn plain_in(word: [u8; WORD]) -> Option<usize> {
    let found = not_plain(u64::from_le_bytes(word));
    let before = usize::try_from(found.trailing_zeros() / u8::BITS).ok()?;
    (found != 0).then_some(before)
}

/// The highest bit of the first byte that is not plain; those above it mean nothing.
fn not_plain(word: u64) -> u64 {
    // A subtraction from a byte below what is subtracted sets its highest bit, and so do some from bytes that have it set.
    let quote = (word ^ ONES.wrapping_mul(u64::from(b'"'))).wrapping_sub(ONES);
    let backslash = (word ^ ONES.wrapping_mul(u64::from(b'\\'))).wrapping_sub(ONES);
    let control = word.wrapping_sub(ONES.wrapping_mul(u64::from(b' ')));
    (quote | backslash | control) & !word & HIGH_BITS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_special(byte: u8) -> bool {
        byte == b'"' || byte == b'\\' || byte < b' '
    }

    #[test]
    fn all_is_plain_where_nothing_is_special() {
        for special in 0..=u8::MAX {
            for len in 0..3 * BLOCK {
                for around in [b'a', b'!', 0x7f, 0x80, 0xff] {
                    let mut bytes = vec![around; len];
                    assert!(is_plain(&bytes), "{bytes:?}");
                    for at in [0, len / 3, len / 2, len.saturating_sub(1)] {
                        if let Some(byte) = bytes.get_mut(at) {
                            *byte = special;
                            assert_eq!(is_plain(&bytes), !is_special(special), "{bytes:?}");
                            bytes[at] = around;
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn it_agrees_with_looking_at_each_byte() {
        for special in 0..=u8::MAX {
            for len in 0..3 * BLOCK {
                // Every neighbour may carry or borrow.
                for around in [b'a', b'!', 0x7f, 0x80, 0xff] {
                    let mut bytes = vec![around; len];
                    bytes.push(special);
                    bytes.extend([b'"', b'z', 0x1f, b'\\', 0xff, b' ', b'a', b'"']);
                    let expected = bytes.iter().position(|&byte| is_special(byte));
                    assert_eq!(Some(plain_len(&bytes)), expected, "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn all_of_plain_bytes_are_plain() {
        for len in 0..3 * BLOCK {
            assert_eq!(plain_len(&vec![b' '; len]), len);
        }
    }
}
