//! The requests that the engine's own front door answers without hyper: GETs and POSTs of long-polling that are
//! there as a whole. A request that is unusual in any way is hyper's, with all that follows it on its connection.

use std::cell::Cell;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::{Method, StatusCode, header};

use crate::body::Body;

/// The length of a date as HTTP writes it.
const DATE_BYTES: usize = 29;

/// The method of a request that is answered here, and how long its body is; `None` when hyper has to see it.
pub(crate) fn accept(request: &httparse::Request<'_, '_>) -> Option<(Method, usize)> {
    if request.version != Some(1) || !request.path?.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut length = None;
    for header in request.headers.iter() {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            if length.is_some() {
                return None;
            }
            length = Some(parse_length(header.value)?);
        } else if is("connection") {
            if !header.value.eq_ignore_ascii_case(b"keep-alive") {
                return None;
            }
        } else if is("transfer-encoding") || is("expect") || is("upgrade") {
            return None;
        }
    }
    match (request.method?, length) {
        ("GET", None) => Some((Method::GET, 0)),
        ("POST", Some(length)) => Some((Method::POST, length)),
        _ => None,
    }
}

fn parse_length(digits: &[u8]) -> Option<usize> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits)
        .ok()
        .filter(|_| is_number)?
        .parse()
        .ok()
}

/// Whether a connection may carry another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    KeepAlive,
    Close,
}

/// Appends a response as it goes over the wire; `None`, and nothing is appended, when the connection is to end
/// without an answer.
pub(crate) fn write_response(
    now: Instant,
    response: http::Response<Body>,
    out: &mut Vec<u8>,
) -> Option<Then> {
    let (parts, body) = response.into_parts();
    let body: Bytes = body.into_bytes()?;
    let status = parts.status;
    let mut then = Then::KeepAlive;
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    for (name, value) in &parts.headers {
        // The length is what the body has; an application's hooks have no say in it.
        if name == header::CONTENT_LENGTH || name == header::TRANSFER_ENCODING {
            continue;
        }
        if name == header::CONNECTION && value.as_bytes().eq_ignore_ascii_case(b"close") {
            then = Then::Close;
        }
        write_header(out, name.as_str(), value.as_bytes());
    }
    if !parts.headers.contains_key(header::DATE) {
        write_header(out, "date", &date(now));
    }
    let is_bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if !is_bodiless {
        let mut length = [0; 20];
        write_header(out, "content-length", decimal(body.len(), &mut length));
    }
    out.extend_from_slice(b"\r\n");
    if !is_bodiless {
        out.extend_from_slice(&body);
    }
    Some(then)
}

fn write_header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// A number's digits, without the machinery of `format!`.
fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    digits.get(start..).unwrap_or_default()
}

thread_local! {
    /// The date as it was written last, and when that was.
    static DATE: Cell<Option<(Instant, [u8; DATE_BYTES])>> = const { Cell::new(None) };
}

/// The date, at most a second old.
#[expect(
    clippy::disallowed_methods,
    reason = "the calendar is asked for here alone, and once a second"
)]
fn date(now: Instant) -> [u8; DATE_BYTES] {
    if let Some((written_at, date)) = DATE.get()
        && now.saturating_duration_since(written_at).as_secs() == 0
    {
        return date;
    }
    let text = httpdate::fmt_http_date(SystemTime::now());
    let mut date = [b' '; DATE_BYTES];
    for (to, from) in date.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    DATE.set(Some((now, date)));
    date
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(head: &str) -> Option<(Method, usize)> {
        let mut headers = [httparse::EMPTY_HEADER; 8];
        let mut request = httparse::Request::new(&mut headers);
        assert!(request.parse(head.as_bytes()).unwrap().is_complete());
        accept(&request)
    }

    #[test]
    fn whole_and_plain_requests_are_answered_here() {
        assert_eq!(
            accepted("GET /e/?EIO=4 HTTP/1.1\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n"),
            Some((Method::GET, 0))
        );
        assert_eq!(
            accepted("POST /e/?EIO=4 HTTP/1.1\r\nCONTENT-LENGTH: 12\r\n\r\n"),
            Some((Method::POST, 12))
        );
    }

    #[test]
    fn whatever_is_unusual_is_left_to_hyper() {
        for head in [
            "GET /e/ HTTP/1.0\r\n\r\n",
            "GET /\u{e9}/ HTTP/1.1\r\n\r\n",
            "GET /e/ HTTP/1.1\r\nConnection: close\r\n\r\n",
            "GET /e/ HTTP/1.1\r\nConnection: keep-alive, close\r\n\r\n",
            "GET /e/ HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            "GET /e/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST /e/ HTTP/1.1\r\n\r\n",
            "POST /e/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            "POST /e/ HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST /e/ HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
            "POST /e/ HTTP/1.1\r\nContent-Length: \r\n\r\n",
            "POST /e/ HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            "POST /e/ HTTP/1.1\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n",
            "POST /e/ HTTP/1.1\r\nContent-Length: 1\r\nUpgrade: websocket\r\n\r\n",
            "PUT /e/ HTTP/1.1\r\nContent-Length: 1\r\n\r\n",
            "OPTIONS /e/ HTTP/1.1\r\n\r\n",
        ] {
            assert_eq!(accepted(head), None, "{head}");
        }
    }

    fn written(response: http::Response<Body>) -> (Option<Then>, String) {
        let mut out = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let then = write_response(Instant::now(), response, &mut out);
        (then, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_response_has_the_length_of_its_body_and_a_date() {
        let response = http::Response::builder()
            .header("content-length", "7")
            .header("transfer-encoding", "chunked")
            .body(Body::full("twelve bytes"))
            .unwrap();
        let (then, text) = written(response);
        assert_eq!(then, Some(Then::KeepAlive));
        assert!(text.starts_with("HTTP/1.1 200 OK\r\ndate: "), "{text}");
        assert!(
            text.ends_with(" GMT\r\ncontent-length: 12\r\n\r\ntwelve bytes"),
            "{text}"
        );
    }

    #[test]
    fn a_response_without_content_has_no_body() {
        let response = http::Response::builder()
            .status(StatusCode::NOT_MODIFIED)
            .header("date", "then")
            .body(Body::full("unwanted"))
            .unwrap();
        let (_, text) = written(response);
        assert_eq!(text, "HTTP/1.1 304 Not Modified\r\ndate: then\r\n\r\n");
    }

    #[test]
    fn a_connection_ends_when_the_response_says_so_or_is_none() {
        let response = http::Response::builder()
            .header("connection", "Close")
            .body(Body::empty())
            .unwrap();
        assert_eq!(written(response).0, Some(Then::Close));
        let nothing = written(http::Response::new(Body::destroyed()));
        assert_eq!(nothing, (None, String::new()));
    }

    #[test]
    fn lengths_are_written_in_decimal() {
        let mut digits = [0; 20];
        for number in [0, 9, 10, 65_536, usize::MAX] {
            assert_eq!(decimal(number, &mut digits), number.to_string().as_bytes());
        }
    }
}
