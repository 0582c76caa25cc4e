//! The head of an HTTP/1.1 request (RFC 9112): what is taken, and how a head is refused that two readers may take
//! for different requests. As strict as the strictest of the usual servers, or stricter.

use std::mem::MaybeUninit;

use http::{Method, StatusCode, Version};

use super::content::Framing;
use super::request::{Caller, Headers, RequestView};
use crate::fields::{Field, Fields, Span};

/// As many headers are read without an allocation.
const USUAL_HEADERS: usize = 64;

/// Why a request is refused before anybody asks what it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadFault {
    /// It is no request, or could be taken for two.
    Malformed,
    /// It has more bytes or more headers than allowed.
    TooLarge,
    /// It expects something else than to be told to go on.
    Expectation,
}

impl HeadFault {
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
        }
    }
}

/// How large a head may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    pub(crate) bytes: usize,
    pub(crate) headers: usize,
}

/// A head that was read: where its parts are in the bytes it was read from.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) method: Method,
    /// In bytes.
    pub(crate) length: usize,
    pub(crate) message: MessageRules,
    target: Span,
    fields: Fields,
}

impl Head {
    /// Reads the head that `read` begins with, and writes the names of its headers in lower case; `None` when not all
    /// of it is there.
    pub(crate) fn parse(read: &mut [u8], limits: HeadLimits) -> Result<Option<Self>, HeadFault> {
        let few = limits.headers.min(USUAL_HEADERS);
        let mut slots = [const { MaybeUninit::uninit() }; USUAL_HEADERS];
        let slots = slots.get_mut(..few).unwrap_or_default();
        let head = match Self::parse_into(read, slots, limits) {
            Err(httparse::Error::TooManyHeaders) if few < limits.headers => {
                // No more than there are line ends, whatever is allowed.
                let lines = read.iter().filter(|&&byte| byte == b'\n').count();
                let mut slots = vec![MaybeUninit::uninit(); lines.min(limits.headers)];
                Self::parse_into(read, &mut slots, limits)
            }
            head => head,
        };
        let head = match head {
            Ok(Some(head)) => head?,
            Ok(None) if read.len() > limits.bytes => return Err(HeadFault::TooLarge),
            Ok(None) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(HeadFault::TooLarge),
            Err(_) => return Err(HeadFault::Malformed),
        };
        // However few reads it came in.
        if head.length > limits.bytes {
            return Err(HeadFault::TooLarge);
        }
        for field in head.fields.iter() {
            if let Some(name) = field.name.of_mut(read) {
                to_lower_case(name);
            }
        }
        Ok(Some(head))
    }

    fn parse_into<'b>(
        read: &'b [u8],
        slots: &mut [MaybeUninit<httparse::Header<'b>>],
        limits: HeadLimits,
    ) -> Result<Option<Result<Self, HeadFault>>, httparse::Error> {
        let mut request = httparse::Request::new(&mut []);
        Ok(match request.parse_with_uninit_headers(read, slots)? {
            httparse::Status::Partial => None,
            httparse::Status::Complete(length) if length > limits.bytes => {
                Some(Err(HeadFault::TooLarge))
            }
            httparse::Status::Complete(length) => Some(Self::of(read, &request, length)),
        })
    }

    /// The parts of a request, if each is as it has to be.
    fn of(
        read: &[u8],
        request: &httparse::Request<'_, '_>,
        length: usize,
    ) -> Result<Self, HeadFault> {
        let (Some(method), Some(target)) = (request.method, request.path) else {
            return Err(HeadFault::Malformed);
        };
        let target = origin_form(target).ok_or(HeadFault::Malformed)?;
        let version = match request.version {
            Some(0) => Version::HTTP_10,
            _ => Version::HTTP_11,
        };
        let mut fields = Fields::new();
        let mut rules = Reading::new(version);
        let mut has_crlf =
            ends_with_crlf(read, length) && ends_with_crlf(read, length.saturating_sub(2));
        for header in request.headers.iter() {
            let field = Field {
                name: Span::within(read, header.name.as_bytes()),
                value: Span::within(read, header.value),
            };
            // The parser takes a bare LF for the end of a line.
            has_crlf &= ends_with_crlf(read, field.name.start());
            fields.push(header.name, field);
            rules.read(header.name, header.value)?;
        }
        if !has_crlf {
            return Err(HeadFault::Malformed);
        }
        Ok(Self {
            message: rules.finish()?,
            method: Method::from_bytes(method.as_bytes()).map_err(|_| HeadFault::Malformed)?,
            length,
            target: Span::within(read, target.as_bytes()),
            fields,
        })
    }

    /// The request, in the bytes that this was read from.
    pub(crate) fn view<'r>(&'r self, read: &'r [u8], caller: &'r Caller) -> RequestView<'r> {
        let target = self.target.of(read);
        let target = std::str::from_utf8(target).unwrap_or_default();
        let headers = Headers::Read(read, &self.fields);
        RequestView::new(&self.method, target, headers, caller)
    }
}

/// Makes the name of a header lower case, by words that may overlap: what is lower case stays so. Most names are
/// shorter than what the standard library looks at together, which took three times as long.
#[inline]
fn to_lower_case(name: &mut [u8]) {
    match name.len() {
        0..4 => name.make_ascii_lowercase(),
        4..8 => {
            name.first_chunk_mut::<4>().map(lower_word);
            name.last_chunk_mut::<4>().map(lower_word);
        }
        _ => {
            name.as_chunks_mut::<8>().0.iter_mut().for_each(lower_word);
            name.last_chunk_mut::<8>().map(lower_word);
        }
    }
}

#[inline]
fn lower_word<const N: usize>(word: &mut [u8; N]) {
    for byte in word {
        *byte |= u8::from(byte.is_ascii_uppercase()) << 5;
    }
}

#[inline]
fn ends_with_crlf(read: &[u8], end: usize) -> bool {
    read.get(end.saturating_sub(2)..end) == Some(b"\r\n")
}

/// The path and the query of a target (RFC 9112 §3.2); `*` stays what it is.
fn origin_form(target: &str) -> Option<&str> {
    // The parser has seen to blanks and controls.
    if !target.is_ascii() || target.as_bytes().contains(&b'#') {
        return None;
    }
    if target.starts_with('/') || target == "*" {
        return Some(target);
    }
    let (scheme, rest) = target.split_once("://")?;
    if !["http", "https"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        return None;
    }
    let at = rest.find('/')?;
    rest.get(at..)
        .filter(|_| is_host(rest.as_bytes().get(..at).unwrap_or_default()))
}

/// What the headers of a request say about the message itself, and about the connection it came on. The same for
/// every way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MessageRules {
    pub(crate) framing: Framing,
    /// Another request may follow on the connection.
    pub(crate) is_persistent: bool,
    /// The content is sent when it is asked for.
    pub(crate) expects_continue: bool,
    /// It offers, or asks, to speak something else.
    pub(crate) has_upgrade: bool,
}

impl MessageRules {
    pub(crate) fn of<'h>(
        version: Version,
        headers: impl Iterator<Item = (&'h str, &'h [u8])>,
    ) -> Result<Self, HeadFault> {
        let mut reading = Reading::new(version);
        for (name, value) in headers {
            reading.read(name, value)?;
        }
        reading.finish()
    }
}

/// What was heard so far of a message.
struct Reading<'h> {
    version: Version,
    host: Option<&'h [u8]>,
    length: Option<&'h [u8]>,
    coding: Option<&'h [u8]>,
    rules: MessageRules,
}

impl<'h> Reading<'h> {
    fn new(version: Version) -> Self {
        Self {
            version,
            host: None,
            length: None,
            coding: None,
            rules: MessageRules {
                framing: Framing::Length(0),
                is_persistent: version >= Version::HTTP_11,
                expects_continue: false,
                has_upgrade: false,
            },
        }
    }

    /// Takes note of a header.
    #[inline]
    fn read(&mut self, name: &str, value: &'h [u8]) -> Result<(), HeadFault> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let once = |seen: &mut Option<&'h [u8]>| match seen.replace(value) {
            Some(_) => Err(HeadFault::Malformed),
            None => Ok(()),
        };
        match name.len() {
            4 if is("host") => once(&mut self.host)?,
            14 if is("content-length") => once(&mut self.length)?,
            17 if is("transfer-encoding") => once(&mut self.coding)?,
            7 if is("upgrade") => self.rules.has_upgrade = true,
            10 if is("connection") => {
                let mut options = value.split(|&byte| byte == b',');
                if options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close")) {
                    self.rules.is_persistent = false;
                }
            }
            6 if is("expect") && self.version >= Version::HTTP_11 => {
                if !value.eq_ignore_ascii_case(b"100-continue") {
                    return Err(HeadFault::Expectation);
                }
                self.rules.expects_continue = true;
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(mut self) -> Result<MessageRules, HeadFault> {
        // From HTTP/2 on the host may be a part of the target.
        let is_known = match self.host {
            Some(host) => is_host(host),
            None => self.version != Version::HTTP_11,
        };
        if !is_known {
            return Err(HeadFault::Malformed);
        }
        self.rules.framing = match (self.length, self.coding) {
            (None, None) => Framing::Length(0),
            (Some(length), None) => Framing::Length(decimal(length).ok_or(HeadFault::Malformed)?),
            // Another coding than the last is nothing that the content could be read without.
            (None, Some(coding))
                if self.version == Version::HTTP_11 && coding.eq_ignore_ascii_case(b"chunked") =>
            {
                Framing::Chunked
            }
            (_, Some(_)) => return Err(HeadFault::Malformed),
        };
        Ok(self.rules)
    }
}

/// The bytes that a host and its port are made of. Of those that the RFC allows, only the comma is missing.
const OF_HOSTS: [bool; 256] = {
    let mut is_part = [false; 256];
    let mut rest: &[u8] = b"-._~%!$&'()*+;=:[]0123456789\
        abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    while let [byte, behind @ ..] = rest {
        #[expect(
            clippy::indexing_slicing,
            clippy::as_conversions,
            reason = "a byte is below 256, and the compiler runs this"
        )]
        {
            is_part[*byte as usize] = true;
        }
        rest = behind;
    }
    is_part
};

/// A host with or without a port, or nothing where a target has none (RFC 9112 §3.2). A list is none.
fn is_host(value: &[u8]) -> bool {
    let is_part = |&byte: &u8| OF_HOSTS.get(usize::from(byte)).is_some_and(|&is| is);
    value.iter().all(is_part)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| is_number)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits {
        bytes: 1_000,
        headers: 100,
    };

    fn parse(head: &str) -> Result<Option<Head>, HeadFault> {
        Head::parse(&mut head.as_bytes().to_vec(), LIMITS)
    }

    #[test]
    fn a_head_is_read_where_it_is_and_its_names_are_in_lower_case() {
        let mut read = b"POST /e/?EIO=4 HTTP/1.1\r\nHOST: a:1\r\nX-Two:  B c \r\nContent-Length: 2\r\n\r\nokGET".to_vec();
        let head = Head::parse(&mut read, LIMITS).unwrap().unwrap();
        assert_eq!(read.get(head.length..), Some(&b"okGET"[..]));
        assert_eq!(head.message.framing, Framing::Length(2));
        let view = head.view(&read, &Caller::UNKNOWN);
        assert_eq!(
            (view.method(), view.path(), view.query()),
            (&Method::POST, "/e/", "EIO=4")
        );
        let headers: Vec<_> = view.headers().collect();
        let expected: [(&str, &[u8]); 3] = [
            ("host", b"a:1"),
            ("x-two", b"B c"),
            ("content-length", b"2"),
        ];
        assert_eq!(headers, expected);
        assert_eq!(view.header("X-TWO"), Some(&b"B c"[..]));
    }

    #[test]
    fn every_prefix_of_a_head_is_waited_for() {
        let head = "GET /e/ HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n";
        for length in 0..head.len() {
            assert!(parse(head.get(..length).unwrap()).unwrap().is_none());
        }
        assert!(parse(head).unwrap().is_some());
    }

    #[test]
    fn the_target_is_what_follows_the_host() {
        for (target, path) in [
            ("/e/?a", Some("/e/?a")),
            ("*", Some("*")),
            ("http://a.example:80/e/?a", Some("/e/?a")),
            ("HTTPS://a/e/", Some("/e/")),
            ("http://a", None),
            ("http://a, b/e/", None),
            ("http://u@a/e/", None),
            ("ftp://a/e/", None),
            ("a:443", None),
            ("e/", None),
            ("/e/#x", None),
            ("/\u{e9}/", None),
        ] {
            assert_eq!(origin_form(target), path, "{target}");
        }
    }

    #[test]
    fn a_head_at_a_limit_is_taken_and_one_past_it_is_not() {
        let head = |headers: usize, bytes: usize| {
            let start = "GET / HTTP/1.1\r\nHost: a\r\n".to_owned() + &"a:\r\n".repeat(headers - 2);
            let padding = "x".repeat(bytes - start.len() - 6);
            format!("{start}X:{padding}\r\n\r\n")
        };
        for headers in [10, USUAL_HEADERS, USUAL_HEADERS + 1, 100, 101] {
            for bytes in [1_000, 1_001] {
                let head = head(headers, bytes);
                let is_taken = headers <= 100 && bytes <= 1_000;
                let found = parse(&head);
                assert_eq!(found.is_ok(), is_taken, "{headers} headers, {bytes} bytes");
                if !is_taken {
                    assert_eq!(found.err(), Some(HeadFault::TooLarge));
                }
            }
        }
        let endless = "GET / HTTP/1.1\r\nX: ".to_owned() + &"x".repeat(1_000);
        assert_eq!(parse(&endless).err(), Some(HeadFault::TooLarge));
    }

    #[test]
    fn what_is_said_of_the_connection_is_heard() {
        for (line, is_persistent) in [
            ("Connection: keep-alive", true),
            ("Connection: Upgrade, HTTP2-Settings", true),
            ("Connection: keep-alive, Close", false),
            ("Connection: keep-alive\r\nConnection: close", false),
        ] {
            let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n");
            let message = parse(&head).unwrap().unwrap().message;
            assert_eq!(message.is_persistent, is_persistent, "{line}");
        }
        let old = "GET / HTTP/1.0\r\nExpect: anything\r\n\r\n";
        let message = parse(old).unwrap().unwrap().message;
        assert!(!message.is_persistent && !message.expects_continue);
        let patient =
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n";
        assert!(parse(patient).unwrap().unwrap().message.expects_continue);
    }
}
