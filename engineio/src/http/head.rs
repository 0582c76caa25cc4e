//! The head of an HTTP/1.1 request (RFC 9112): what is taken, and how a head is refused that two readers may take
//! for different requests. As strict as the strictest of the usual servers, or stricter.

use http::{Method, StatusCode, Version};

use super::content::Framing;
use super::lines::{Line, Malformed, line, request_line};
use super::request::{Caller, Headers, RequestView};
use crate::fields::{Fields, Span};

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
        match Self::scan(read, limits) {
            Ok(None) if read.len() > limits.bytes => Err(HeadFault::TooLarge),
            found => found,
        }
    }

    fn scan(read: &mut [u8], limits: HeadLimits) -> Result<Option<Self>, HeadFault> {
        let Some(first) = request_line(read)? else {
            return Ok(None);
        };
        let mut fields = Fields::new();
        let mut reading = Reading::new(if first.is_http_10 {
            Version::HTTP_10
        } else {
            Version::HTTP_11
        });
        let mut end = first.end;
        let length = loop {
            match line(read, end)? {
                None => return Ok(None),
                Some(Line::Last(end)) => break end,
                Some(Line::Field(..)) if fields.len() == limits.headers => {
                    return Err(HeadFault::TooLarge);
                }
                Some(Line::Field(field, behind)) => {
                    let name = field.name.of(read);
                    fields.push(name, field);
                    reading.read(name, field.value.of(read));
                    end = behind;
                }
            }
        };
        // However few reads it came in.
        if length > limits.bytes {
            return Err(HeadFault::TooLarge);
        }
        let method = Method::from_bytes(first.method.of(read));
        Ok(Some(Self {
            target: origin_form(read, first.target).ok_or(HeadFault::Malformed)?,
            message: reading.finish()?,
            method: method.map_err(|_| HeadFault::Malformed)?,
            length,
            fields,
        }))
    }

    /// The request, in the bytes that this was read from.
    pub(crate) fn view<'r>(&'r self, read: &'r [u8], caller: &'r Caller) -> RequestView<'r> {
        let target = self.target.of(read);
        let target = std::str::from_utf8(target).unwrap_or_default();
        let headers = Headers::Read(read, &self.fields);
        RequestView::new(&self.method, target, headers, caller)
    }
}

impl From<Malformed> for HeadFault {
    fn from(Malformed: Malformed) -> Self {
        Self::Malformed
    }
}

/// The path and the query of a target (RFC 9112 §3.2); `*` stays what it is.
fn origin_form(read: &[u8], target: Span) -> Option<Span> {
    let text = target.of(read);
    if text.starts_with(b"/") || text == b"*" {
        return Some(target);
    }
    let (scheme, rest) = std::str::from_utf8(text).ok()?.split_once("://")?;
    if !["http", "https"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
    {
        return None;
    }
    let at = rest.find('/')?;
    let (host, path) = rest.as_bytes().split_at_checked(at)?;
    is_host(host).then(|| target.last(path.len()))
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
            reading.read(name.as_bytes(), value);
        }
        reading.finish()
    }
}

/// What was heard so far of a message.
struct Reading {
    version: Version,
    /// Whether the host is one, once there was one.
    host: Option<bool>,
    /// What each of the headers comes to that says where the content ends.
    length: Option<Result<Framing, HeadFault>>,
    coding: Option<Result<Framing, HeadFault>>,
    fault: Option<HeadFault>,
    rules: MessageRules,
}

impl Reading {
    fn new(version: Version) -> Self {
        Self {
            version,
            host: None,
            length: None,
            coding: None,
            fault: None,
            rules: MessageRules {
                framing: Framing::Length(0),
                is_persistent: version >= Version::HTTP_11,
                expects_continue: false,
                has_upgrade: false,
            },
        }
    }

    /// Takes note of a header, whose name is in lower case.
    #[inline]
    fn read(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b"host" => {
                let is_second = self.host.replace(is_host(value)).is_some();
                self.refuse_if(is_second, HeadFault::Malformed);
            }
            b"content-length" => {
                let length = decimal(value).map(Framing::Length);
                let length = length.ok_or(HeadFault::Malformed);
                let is_second = self.length.replace(length).is_some();
                self.refuse_if(is_second, HeadFault::Malformed);
            }
            b"transfer-encoding" => {
                // Another coding than the last is nothing that the content could be read without.
                let is_chunked =
                    self.version == Version::HTTP_11 && value.eq_ignore_ascii_case(b"chunked");
                let coding = is_chunked.then_some(Framing::Chunked);
                let coding = coding.ok_or(HeadFault::Malformed);
                let is_second = self.coding.replace(coding).is_some();
                self.refuse_if(is_second, HeadFault::Malformed);
            }
            b"upgrade" => self.rules.has_upgrade = true,
            b"connection" => {
                let mut options = value.split(|&byte| byte == b',');
                if options.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close")) {
                    self.rules.is_persistent = false;
                }
            }
            b"expect" if self.version >= Version::HTTP_11 => {
                let is_known = value.eq_ignore_ascii_case(b"100-continue");
                self.refuse_if(!is_known, HeadFault::Expectation);
                self.rules.expects_continue = true;
            }
            _ => {}
        }
    }

    /// The first fault is the one that is told.
    #[inline]
    fn refuse_if(&mut self, is_fault: bool, fault: HeadFault) {
        if is_fault {
            self.fault.get_or_insert(fault);
        }
    }

    fn finish(mut self) -> Result<MessageRules, HeadFault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        // From HTTP/2 on the host may be a part of the target.
        if !self.host.unwrap_or(self.version != Version::HTTP_11) {
            return Err(HeadFault::Malformed);
        }
        self.rules.framing = match (self.length, self.coding) {
            (None, None) => Framing::Length(0),
            (Some(framing), None) | (None, Some(framing)) => framing?,
            (Some(_), Some(_)) => return Err(HeadFault::Malformed),
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
            let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            let mut read = head.into_bytes();
            let head = Head::parse(&mut read, LIMITS).ok().flatten();
            let found = head.as_ref().map(|head| head.target.of(&read));
            assert_eq!(found, path.map(str::as_bytes), "{target}");
        }
    }

    #[test]
    fn a_head_at_a_limit_is_taken_and_one_past_it_is_not() {
        let head = |headers: usize, bytes: usize| {
            let start = "GET / HTTP/1.1\r\nHost: a\r\n".to_owned() + &"a:\r\n".repeat(headers - 2);
            let padding = "x".repeat(bytes - start.len() - 6);
            format!("{start}X:{padding}\r\n\r\n")
        };
        for headers in [10, 99, 100, 101] {
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
