//! What is kept of a connection's first request.

use std::fmt;
use std::net::SocketAddr;
use std::time::SystemTime;

use serde_json::Value;
use socketio_auth::RequestSource;

/// Headers that carry credentials; they are looked at once, when the connection opens, and not kept.
const SECRET_HEADERS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

/// The request a connection began with.
///
/// Headers that carry credentials (`authorization`, `cookie`, `proxy-authorization`) are not kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Handshake {
    /// `name\0value\0` pairs, so that one allocation holds them all.
    headers: Box<[u8]>,
    target: Box<str>,
    peer: Option<SocketAddr>,
    is_secure: bool,
    opened_at: SystemTime,
}

impl Handshake {
    pub(crate) fn keep(
        request: &engineio::RequestView<'_>,
        keeps_headers: bool,
        opened_at: SystemTime,
    ) -> Self {
        let mut headers = Vec::new();
        for (name, value) in request.headers().filter(|_| keeps_headers) {
            if SECRET_HEADERS
                .iter()
                .any(|secret| name.eq_ignore_ascii_case(secret))
            {
                continue;
            }
            headers.extend_from_slice(name.as_bytes());
            headers.push(0);
            headers.extend_from_slice(value);
            headers.push(0);
        }
        Self {
            headers: headers.into(),
            target: request.query().into(),
            peer: request.peer(),
            is_secure: request.is_secure(),
            opened_at,
        }
    }

    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The headers, in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut parts = self.headers.split(|&byte| byte == 0);
        std::iter::from_fn(move || {
            let name = std::str::from_utf8(parts.next()?).ok()?;
            Some((name, parts.next()?))
        })
    }

    /// The query string, as sent.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.target
    }

    /// The address of the peer, when it is known.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// True when the connection came over TLS, as far as the server knows.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// When the connection was opened.
    #[must_use]
    pub fn opened_at(&self) -> SystemTime {
        self.opened_at
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// The opening request, for the sources of credentials.
pub(crate) struct Opening<'a>(pub(crate) &'a engineio::RequestView<'a>);

impl RequestSource for Opening<'_> {
    fn headers(&self, name: &str, found: &mut dyn FnMut(&[u8])) {
        self.0.header_values(name).for_each(found);
    }

    fn query(&self, name: &str, found: &mut dyn FnMut(&str)) {
        self.0.query_values(name).for_each(|value| found(&value));
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.0.peer()
    }
}

/// The auth object of a protocol 4 client: its query (SIO4-CON-03).
pub(crate) fn auth_of_query(query: &str) -> Value {
    let pairs = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (
                engineio::decode_form(name).into_owned(),
                Value::String(engineio::decode_form(value).into_owned()),
            )
        });
    Value::Object(pairs.collect())
}
