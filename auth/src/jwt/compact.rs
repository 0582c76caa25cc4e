//! The compact form of a token: three segments of Base64url.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

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

pub(super) fn decode(segment: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(base64::decoded_len_estimate(segment.len()));
    URL_SAFE_NO_PAD.decode_vec(segment, &mut bytes).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

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
