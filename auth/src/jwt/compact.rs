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
        let (header, rest) = token.split_once('.')?;
        let (payload, signature) = rest.split_once('.')?;
        let signed = token.strip_suffix(signature)?.strip_suffix('.')?;
        (!signature.contains('.')).then_some(Self {
            signed,
            header,
            payload,
            signature,
        })
    }
}

pub(super) fn decode(segment: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(base64::decoded_len_estimate(segment.len()));
    URL_SAFE_NO_PAD.decode_vec(segment, &mut bytes).ok()?;
    Some(bytes)
}
