//! HTTP/1.1 as a client speaks it, written out by hand so that a case can also speak it wrongly.

use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};

use super::target::Target;
use super::wire::Wire;
use crate::failure::{Failure, Verdict, ensure};
use crate::trace::shown;

/// A request: every part can be set, nothing is added that was not asked for except `Host` and `Content-Length`.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    method: &'static str,
    /// What follows the server's path (`?EIO=4…`), or a whole target when it starts with a slash.
    target: String,
    headers: Vec<(String, String)>,
    body: Option<Bytes>,
    is_chunked: bool,
}

impl Request {
    /// `method` with the given query at the server's path; a target that starts with `/` is used as it is.
    pub(crate) fn new(method: &'static str, target: impl Into<String>) -> Self {
        Self {
            method,
            target: target.into(),
            headers: Vec::new(),
            body: None,
            is_chunked: false,
        }
    }

    pub(crate) fn get(target: impl Into<String>) -> Self {
        Self::new("GET", target)
    }

    pub(crate) fn post(target: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self::new("POST", target)
            .header("Content-Type", "text/plain;charset=UTF-8")
            .body(body)
    }

    pub(crate) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets a header; an earlier one of the same name goes.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// Sends the body as chunks of a few bytes.
    pub(crate) fn chunked(mut self) -> Self {
        self.is_chunked = true;
        self
    }

    /// The request line and headers.
    pub(crate) fn head(&self, server: &Target) -> String {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {}:{}\r\n",
            self.method,
            self.full_target(server),
            server.host,
            server.port
        );
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if self.is_chunked {
            head.push_str("Transfer-Encoding: chunked\r\n");
        } else if let Some(body) = &self.body {
            let _ = write!(head, "Content-Length: {}\r\n", body.len());
        }
        head.push_str("\r\n");
        head
    }

    /// Everything that goes over the wire.
    pub(crate) fn bytes(&self, server: &Target) -> Bytes {
        /// Few enough for a large body, small enough to cut packets and characters in the middle.
        const CHUNK_COUNT: usize = 64;
        let mut bytes = BytesMut::from(self.head(server).as_bytes());
        let body = self.body.clone().unwrap_or_default();
        if self.is_chunked {
            for chunk in body.chunks(body.len().div_ceil(CHUNK_COUNT).max(5)) {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
        } else {
            bytes.extend_from_slice(&body);
        }
        bytes.freeze()
    }

    pub(crate) fn method(&self) -> &'static str {
        self.method
    }

    fn full_target(&self, server: &Target) -> String {
        if self.target.starts_with('/') {
            self.target.clone()
        } else {
            format!("{}?{}", server.path, self.target)
        }
    }
}

/// An answer; its methods fail with what was expected and what came.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    head: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Response {
    /// Reads one response; `method` says whether a body may follow.
    pub(crate) async fn read(wire: &mut Wire, method: &str) -> Verdict<Self> {
        let head = wire.take_through(b"\r\n\r\n", "a response's head").await?;
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.split("\r\n");
        let status_line = lines.next().unwrap_or_default();
        let status = status_line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3))
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| Failure::unmet("an HTTP/1.1 status line", shown(head.as_bytes())))?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let mut response = Self {
            status,
            head,
            headers,
            body: Bytes::new(),
        };
        response.body = response.read_body(wire, method).await?;
        Ok(response)
    }

    async fn read_body(&self, wire: &mut Wire, method: &str) -> Verdict<Bytes> {
        if method == "HEAD" || matches!(self.status, 101 | 204 | 304) {
            return Ok(Bytes::new());
        }
        if self
            .value("transfer-encoding")
            .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
        {
            return read_chunks(wire).await;
        }
        match self.value("content-length") {
            Some(length) => {
                let length = length
                    .parse()
                    .map_err(|_| Failure::unmet("a Content-Length that is a number", length))?;
                wire.need(length, "the response's whole body").await?;
                Ok(wire.take(length))
            }
            None => wire.take_to_end().await,
        }
    }

    /// A header's value, if there is one.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn is_status(&self, status: u16) -> Verdict<&Self> {
        ensure(
            self.status == status,
            format_args!("status {status}"),
            self.shown(),
        )?;
        Ok(self)
    }

    pub(crate) fn is_body(&self, body: &str) -> Verdict<&Self> {
        ensure(
            self.body == body,
            format_args!("body {:?}", shown(body.as_bytes())),
            self.shown(),
        )?;
        Ok(self)
    }

    /// The header is there with exactly this value.
    pub(crate) fn is_header(&self, name: &str, value: &str) -> Verdict<&Self> {
        ensure(
            self.value(name) == Some(value),
            format_args!("header {name}: {value}"),
            self.shown(),
        )?;
        Ok(self)
    }

    /// The header is there with this value, letter case and spaces aside.
    pub(crate) fn is_like_header(&self, name: &str, value: &str) -> Verdict<&Self> {
        let plain = |text: &str| text.replace(' ', "").to_ascii_lowercase();
        ensure(
            self.value(name).map(plain) == Some(plain(value)),
            format_args!("header {name}: {value}"),
            self.shown(),
        )?;
        Ok(self)
    }

    pub(crate) fn is_without(&self, name: &str) -> Verdict<&Self> {
        ensure(
            self.value(name).is_none(),
            format_args!("no header {name}"),
            self.shown(),
        )?;
        Ok(self)
    }

    /// A POST was taken, whatever the answer's body; what that has to be is a case of its own.
    pub(crate) fn is_taken(&self) -> Verdict<&Self> {
        ensure(
            (200..300).contains(&self.status),
            "a POST that is taken",
            self.shown(),
        )?;
        Ok(self)
    }

    /// The answer to a POST that was taken, to the letter.
    pub(crate) fn is_ok(&self) -> Verdict<&Self> {
        self.is_status(200)?.is_body("ok")
    }

    /// A refusal without a word: status and an empty body.
    pub(crate) fn is_bare(&self, status: u16) -> Verdict<&Self> {
        self.is_status(status)?.is_body("")
    }

    /// The JSON form of a refusal.
    pub(crate) fn is_error(&self, code: u8, message: &str) -> Verdict<&Self> {
        let expected = serde_json::json!({ "code": code, "message": message });
        let came: Option<serde_json::Value> = serde_json::from_slice(&self.body).ok();
        ensure(
            came.as_ref() == Some(&expected),
            format_args!("body {expected}"),
            self.shown(),
        )?;
        self.is_status(if code == 4 { 403 } else { 400 })
    }

    /// The text form of a refusal, which upgrade requests get.
    pub(crate) fn is_upgrade_error(&self, message: &str) -> Verdict<&Self> {
        self.is_status(400)?.is_body(message)
    }

    /// Status line, headers and body, for a failure.
    pub(crate) fn shown(&self) -> String {
        format!("{}{}", shown(self.head.as_bytes()), shown(&self.body))
    }
}

async fn read_chunks(wire: &mut Wire) -> Verdict<Bytes> {
    let mut body = BytesMut::new();
    loop {
        let line = wire.take_through(b"\r\n", "a chunk's length").await?;
        let line = String::from_utf8_lossy(&line).into_owned();
        let length = usize::from_str_radix(line.trim_end().split(';').next().unwrap_or(""), 16)
            .map_err(|_| Failure::unmet("a chunk's length", shown(line.as_bytes())))?;
        wire.need(length + 2, "a whole chunk").await?;
        body.extend_from_slice(&wire.take(length));
        wire.take(2);
        if length == 0 {
            return Ok(body.freeze());
        }
    }
}
