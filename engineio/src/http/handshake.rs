//! The opening handshake (RFC 6455 §4.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use sha1::{Digest as _, Sha1};

use super::request::RequestView;

const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A handshake that may be answered with 101.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handshake<'a> {
    /// The value of `Sec-WebSocket-Accept`; none on a stream of HTTP/2.
    pub(crate) accept: Option<[u8; 28]>,
    /// The first subprotocol the client offered.
    pub(crate) subprotocol: Option<&'a str>,
}

/// Why a request is no WebSocket handshake (EIO4-ERR-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandshakeError {
    Method,
    Upgrade,
    Version,
    Key,
    Subprotocol,
    Content,
}

impl HandshakeError {
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Method => "Invalid HTTP method",
            Self::Upgrade => "Invalid Upgrade header",
            Self::Version => "Missing or invalid Sec-WebSocket-Version header",
            Self::Key => "Missing or invalid Sec-WebSocket-Key header",
            Self::Subprotocol => "Invalid Sec-WebSocket-Protocol header",
            Self::Content => "A handshake has no content",
        }
    }

    pub(crate) const fn status(self) -> u16 {
        match self {
            Self::Method => 405,
            _ => 400,
        }
    }
}

impl<'a> Handshake<'a> {
    pub(crate) fn parse(request: &RequestView<'a>) -> Result<Self, HandshakeError> {
        if request.method() != Method::GET {
            return Err(HandshakeError::Method);
        }
        // What is there twice, or in a list, may have been taken for something else by whoever passed it on.
        let is_websocket = |value: &[u8]| value.eq_ignore_ascii_case(b"websocket");
        let is_upgrade = request.only_header("upgrade").is_some_and(is_websocket)
            && request.has_token("connection", "upgrade");
        // There the request itself says it, and the stream is the client's alone: neither is asked for, nor is a key.
        let is_stream = request.is_extended_connect();
        if !is_upgrade && !is_stream {
            return Err(HandshakeError::Upgrade);
        }
        if request.only_header("sec-websocket-version") != Some(b"13") {
            return Err(HandshakeError::Version);
        }
        // What follows a handshake are frames.
        let is_empty = |length: &[u8]| length == b"0";
        if !request.header("content-length").is_none_or(is_empty)
            || request.header("transfer-encoding").is_some()
        {
            return Err(HandshakeError::Content);
        }
        let accept = match is_stream {
            true => None,
            false => Some(accept(request)?),
        };
        Ok(Self {
            accept,
            subprotocol: first_subprotocol(request)?,
        })
    }
}

fn accept(request: &RequestView<'_>) -> Result<[u8; 28], HandshakeError> {
    let key = request
        .only_header("sec-websocket-key")
        .ok_or(HandshakeError::Key)?;
    if !is_key(key) {
        return Err(HandshakeError::Key);
    }
    Ok(accept_key(key))
}

/// Whether a key is the base64 of sixteen bytes. What these are nobody needs to know, so they are not decoded.
fn is_key(key: &[u8]) -> bool {
    // A letter, whatever bit 5 says of its case, a digit, or one of the two others; none of these tests branches.
    let is_digit = |&byte: &u8| {
        let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
        let number = byte.wrapping_sub(b'0') < 10;
        letter | number | (byte == b'+') | (byte == b'/')
    };
    // Of the last digit only the two upper bits are data; the others have to be zero.
    let Some((digits, [last, b'=', b'='])) = key.split_last_chunk() else {
        return false;
    };
    digits.len() == 21
        && digits
            .iter()
            .fold(true, |is_so_far, byte| is_so_far & is_digit(byte))
        && matches!(last, b'A' | b'Q' | b'g' | b'w')
}

/// The accept key for a client's key (RFC 6455 §4.2.2).
fn accept_key(key: &[u8]) -> [u8; 28] {
    let mut hash = Sha1::new();
    hash.update(key);
    hash.update(MAGIC);
    let digest = hash.finalize();
    let mut accept = [b'='; 28];
    // Twenty bytes are exactly 28 characters.
    let written = STANDARD.encode_slice(digest, &mut accept);
    debug_assert_eq!(written, Ok(28));
    accept
}

fn first_subprotocol<'a>(request: &RequestView<'a>) -> Result<Option<&'a str>, HandshakeError> {
    let Some(value) = request.header("sec-websocket-protocol") else {
        return Ok(None);
    };
    let value = std::str::from_utf8(value).map_err(|_| HandshakeError::Subprotocol)?;
    let first = value.split(',').next().unwrap_or_default().trim();
    let is_token = !first.is_empty()
        && first
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    if is_token {
        Ok(Some(first))
    } else {
        Err(HandshakeError::Subprotocol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::{Caller, Headers};
    use http::{HeaderMap, HeaderName, HeaderValue};

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn parse(changes: &[(&'static str, Option<&'static str>)]) -> Result<[u8; 28], HandshakeError> {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ] {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        for (name, value) in changes {
            headers.remove(*name);
            if let Some(value) = value {
                headers.insert(
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                );
            }
        }
        let view = RequestView::new(
            &Method::GET,
            "/",
            Headers::Map(&headers, None),
            &Caller::UNKNOWN,
        );
        Handshake::parse(&view).map(|handshake| handshake.accept.unwrap())
    }

    #[test]
    fn a_key_is_what_decodes_to_sixteen_bytes() {
        let key = *b"dGhlIHNhbXBsZSBub25jZQ==";
        assert!(is_key(&key));
        for at in 0..key.len() {
            for byte in 0..=u8::MAX {
                let mut key = key;
                key[at] = byte;
                let mut nonce = [0; 18];
                let decodes = STANDARD.decode_slice(key, &mut nonce) == Ok(16);
                assert_eq!(is_key(&key), decodes, "{key:?}");
            }
        }
        for other in [&key[1..], &key[..23], b"", b"dGhlIHNhbXBsZSBub25jZQdGhl"] {
            assert!(!is_key(other));
        }
    }

    #[test]
    fn the_accept_key_is_that_of_the_rfc() {
        assert_eq!(parse(&[]), Ok(*b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }

    #[test]
    fn a_stream_of_http_2_needs_the_version_and_no_key() {
        let mut headers = HeaderMap::new();
        let parse = |headers: &HeaderMap| {
            let headers = Headers::Map(headers, None);
            let view = RequestView::new(&Method::CONNECT, "/", headers, &Caller::UNKNOWN);
            Handshake::parse(&view.extended_connect()).map(|handshake| handshake.accept)
        };
        assert_eq!(parse(&headers), Err(HandshakeError::Version));
        headers.insert("sec-websocket-version", HeaderValue::from_static("13"));
        assert_eq!(parse(&headers), Ok(None));
        headers.insert("content-length", HeaderValue::from_static("1"));
        assert_eq!(parse(&headers), Err(HandshakeError::Content));
    }

    #[test]
    fn each_missing_or_wrong_header_has_its_own_error() {
        for (name, value, error) in [
            ("upgrade", Some("h2c"), HandshakeError::Upgrade),
            ("upgrade", Some("h2c, websocket"), HandshakeError::Upgrade),
            ("connection", Some("close"), HandshakeError::Upgrade),
            ("sec-websocket-version", None, HandshakeError::Version),
            ("sec-websocket-version", Some("8"), HandshakeError::Version),
            ("sec-websocket-key", None, HandshakeError::Key),
            ("sec-websocket-key", Some("c2hvcnQ="), HandshakeError::Key),
            (
                "sec-websocket-key",
                Some("not base64 at all !!!!!!"),
                HandshakeError::Key,
            ),
            (
                "sec-websocket-protocol",
                Some("a b"),
                HandshakeError::Subprotocol,
            ),
            ("content-length", Some("1"), HandshakeError::Content),
            (
                "transfer-encoding",
                Some("chunked"),
                HandshakeError::Content,
            ),
        ] {
            assert_eq!(parse(&[(name, value)]), Err(error), "{name}: {value:?}");
        }
        assert!(parse(&[("content-length", Some("0"))]).is_ok());
    }
}
