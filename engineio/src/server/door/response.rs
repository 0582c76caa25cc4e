//! Responses as they go over the wire, on a stream of ours.

use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime};

use http::{StatusCode, header};

use crate::body::Body;
use crate::server::exchange::response::Response;

/// The length of a date as HTTP writes it.
const DATE_BYTES: usize = 29;

/// Whether a connection may carry another request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// It may, when the request comes within this time.
    KeepAlive(Duration),
    Close,
}

/// A response without a body.
pub(crate) fn empty(status: StatusCode) -> http::Response<Body> {
    let mut response = http::Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Appends a response, and what is said in it of the connection; `None`, and nothing is appended, when the connection is
/// to end without an answer. A response to HEAD has the length of its body, and no body.
pub(crate) fn write(
    now: Instant,
    response: &Response,
    mut persistence: Persistence,
    is_head: bool,
    out: &mut Vec<u8>,
) -> Option<Persistence> {
    let body = response.body()?;
    let status = response.status();
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    let (mut is_close_said, mut is_dated) = (false, false);
    for (name, value) in response.headers() {
        // How long the body is, and how long the connection stays, is not for hooks to say; but they may end it.
        if name == header::CONTENT_LENGTH
            || name == header::TRANSFER_ENCODING
            || name.as_str() == "keep-alive"
        {
            continue;
        }
        if name == header::CONNECTION && value.as_bytes().eq_ignore_ascii_case(b"close") {
            persistence = Persistence::Close;
            is_close_said = true;
        }
        is_dated |= name == header::DATE;
        write_header(out, name.as_str(), value.as_bytes());
    }
    let mut digits = [0; 20];
    match persistence {
        Persistence::Close if !is_close_said => write_header(out, "connection", b"close"),
        // Less than a second cannot be said.
        Persistence::KeepAlive(idle) if idle.as_secs() > 0 => {
            out.extend_from_slice(b"keep-alive: timeout=");
            let secs = usize::try_from(idle.as_secs()).unwrap_or(usize::MAX);
            out.extend_from_slice(decimal(secs, &mut digits));
            out.extend_from_slice(b"\r\n");
        }
        Persistence::Close | Persistence::KeepAlive(_) => {}
    }
    if !is_dated {
        write_header(out, "date", &date(now));
    }
    let is_bodiless = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if !is_bodiless {
        write_header(out, "content-length", decimal(body.len(), &mut digits));
    }
    out.extend_from_slice(b"\r\n");
    if !is_bodiless && !is_head {
        out.extend_from_slice(body);
    }
    Some(persistence)
}

#[inline]
fn write_header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    // Once for all four parts.
    out.reserve(name.len() + value.len() + 4);
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

    const KEPT: Persistence = Persistence::KeepAlive(Duration::from_secs(75));

    fn written(
        response: http::Response<Body>,
        persistence: Persistence,
    ) -> (Option<Persistence>, String) {
        let mut out = Vec::new();
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        let persistence = write(
            Instant::now(),
            &response.into(),
            persistence,
            false,
            &mut out,
        );
        (persistence, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_response_has_the_length_of_its_body_and_a_date_and_says_how_long_it_is_waited() {
        let response = http::Response::builder()
            .header("content-length", "7")
            .header("transfer-encoding", "chunked")
            .header("keep-alive", "timeout=1")
            .body(Body::full("twelve bytes"))
            .unwrap();
        let (persistence, text) = written(response, KEPT);
        assert_eq!(persistence, Some(KEPT));
        let start = "HTTP/1.1 200 OK\r\nkeep-alive: timeout=75\r\ndate: ";
        assert!(text.starts_with(start), "{text}");
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
        let (_, text) = written(response, Persistence::KeepAlive(Duration::from_millis(999)));
        assert_eq!(text, "HTTP/1.1 304 Not Modified\r\ndate: then\r\n\r\n");
    }

    #[test]
    fn a_response_to_head_has_the_length_and_not_the_body() {
        let mut out = Vec::new();
        let response = http::Response::new(Body::full("four"));
        #[expect(clippy::disallowed_methods, reason = "any instant will do")]
        write(Instant::now(), &response.into(), KEPT, true, &mut out);
        assert!(out.ends_with(b"content-length: 4\r\n\r\n"));
    }

    #[test]
    fn a_connection_ends_when_the_response_says_so_or_is_none() {
        let response = http::Response::builder()
            .header("connection", "Close")
            .body(Body::empty())
            .unwrap();
        let (persistence, text) = written(response, KEPT);
        assert_eq!(persistence, Some(Persistence::Close));
        assert_eq!(text.matches("onnection: ").count(), 1, "{text}");
        let (persistence, text) = written(empty(StatusCode::OK), Persistence::Close);
        assert_eq!(persistence, Some(Persistence::Close));
        assert!(text.contains("\r\nconnection: close\r\n"), "{text}");
        let nothing = written(http::Response::new(Body::destroyed()), KEPT);
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
