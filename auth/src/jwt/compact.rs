//! The compact form of a token: three segments of Base64url.

/// The three segments of the compact form (RFC 7515 §7.1).
pub(super) struct Parts<'a> {
    pub(super) signed: &'a str,
    pub(super) header: &'a str,
    pub(super) payload: &'a str,
    pub(super) signature: &'a str,
}

impl<'a> Parts<'a> {
    pub(super) fn split(token: &'a str) -> Option<Self> {
        let (header, rest) = split_at_point(token)?;
        let (payload, signature) = split_at_point(rest)?;
        let signed = token.get(..header.len() + 1 + payload.len())?;
        split_at_point(signature).is_none().then_some(Self {
            signed,
            header,
            payload,
            signature,
        })
    }
}

/// What is before the first point, and what is behind it. Segments are long, so sixteen bytes are looked at together.
fn split_at_point(text: &str) -> Option<(&str, &str)> {
    let (chunks, _) = text.as_bytes().as_chunks::<16>();
    let without = chunks.iter().take_while(|chunk| {
        let points = chunk.iter().map(|byte| u8::from(*byte == b'.'));
        points.fold(0, |any, is_point| any | is_point) == 0
    });
    let start = without.count() * 16;
    let rest = text.as_bytes().get(start..)?;
    let at = start + rest.iter().position(|byte| *byte == b'.')?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// What the characters of Base64url stand for (RFC 4648 §5); [`NO_DIGIT`] for every other byte.
const DIGITS: [u8; 256] = {
    let mut digits = [NO_DIGIT; 256];
    let mut rest: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut digit = 0;
    while let [byte, behind @ ..] = rest {
        digits[*byte as usize] = digit;
        digit += 1;
        rest = behind;
    }
    digits
};

const NO_DIGIT: u8 = 0x80;

/// The bytes of a segment; `None` where another text could stand for the same. Half the instructions of a decoder for every
/// kind of Base64.
pub(super) fn decode(segment: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| DIGITS.get(usize::from(byte)).copied().unwrap_or(NO_DIGIT);
    let (fours, rest) = segment.as_bytes().as_chunks::<4>();
    let mut bytes = vec![0; segment.len() * 3 / 4];
    let (threes, last) = bytes.as_chunks_mut::<3>();
    let mut all = 0;
    for (four, three) in fours.iter().zip(threes) {
        let digits = four.map(digit);
        all |= digits.iter().fold(0, |all, digit| all | digit);
        let [_, first, second, third] = together(digits);
        *three = [first, second, third];
    }
    let mut digits = [0; 4];
    for (place, byte) in digits.iter_mut().zip(rest) {
        *place = digit(*byte);
        all |= *place;
    }
    let mut behind = together(digits).into_iter().skip(1);
    last.iter_mut()
        .zip(&mut behind)
        .for_each(|(place, byte)| *place = byte);
    // A digit alone is less than a byte, and what is no part of one has to be zero.
    let is_whole = rest.len() != 1 && behind.all(|byte| byte == 0);
    (is_whole && all & NO_DIGIT == 0).then_some(bytes)
}

/// The bits of four digits.
fn together(digits: [u8; 4]) -> [u8; 4] {
    let bits = digits
        .iter()
        .fold(0, |bits, digit| bits << 6 | u32::from(*digit));
    bits.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn a_segment_is_decoded_as_others_decode_it() {
        let mut state = 1_u64;
        let mut below = |bound: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from((state >> 33) % bound).unwrap()
        };
        let (mut decoded, mut refused) = (0, 0);
        for _ in 0..20_000 {
            let bytes: Vec<u8> = (0..below(40)).map(|_| below(256) as u8).collect();
            let mut segment = URL_SAFE_NO_PAD.encode(&bytes).into_bytes();
            for _ in 0..below(3) {
                let at = below(segment.len() as u64 + 1);
                let byte = b"AQgwB_-+/= \0\x7f."[below(14)];
                match below(3) {
                    0 => segment.truncate(at),
                    1 => segment.insert(at, byte),
                    _ => segment
                        .iter_mut()
                        .skip(at)
                        .take(1)
                        .for_each(|place| *place = byte),
                }
            }
            let segment = String::from_utf8(segment).unwrap();
            let theirs = URL_SAFE_NO_PAD.decode(&segment).ok();
            assert_eq!(decode(&segment), theirs, "{segment:?}");
            *if theirs.is_some() {
                &mut decoded
            } else {
                &mut refused
            } += 1;
        }
        assert!(decoded > 5_000 && refused > 5_000, "{decoded}, {refused}");
        assert_eq!(decode("\u{e9}"), None);
    }

    #[test]
    fn a_token_is_split_wherever_its_two_points_are() {
        for (header, payload, signature) in (0..40)
            .flat_map(|a| (0..40).flat_map(move |b| [0, 1, 15, 16, 17, 43].map(move |c| (a, b, c))))
        {
            let [h, p, s] = [("h", header), ("é", payload), ("s", signature)]
                .map(|(text, times)| text.repeat(times));
            let token = format!("{h}.{p}.{s}");
            let parts = Parts::split(&token).expect("it has two points");
            assert_eq!(
                (parts.header, parts.payload, parts.signature),
                (&*h, &*p, &*s)
            );
            assert_eq!(parts.signed, format!("{h}.{p}"));
            assert!(Parts::split(&format!("{token}.")).is_none());
            assert!(Parts::split(parts.signed).is_none());
        }
    }
}
