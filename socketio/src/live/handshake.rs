//! What is kept of a connection's first request.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::net::SocketAddr;
use std::time::SystemTime;

use serde_json::Value;

use crate::authority::secrets::Secrets;

/// Headers about the hop a request came over, which say nothing that would outlive it.
const HOP_HEADERS: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-version",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

thread_local! {
    /// Room for the text of a request that is being kept. Requests are small, and so it stays.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The request a connection began with.
///
/// Nothing in it is a credential: the headers `authorization`, `cookie` and `proxy-authorization` are not kept, nor
/// are the headers and query parameters that the [sources](socketio_auth::CredentialSource::places) of a policy name.
/// Headers that concern one hop or the WebSocket handshake alone, such as `connection` and `sec-websocket-key`, are
/// not kept either.
#[derive(Clone, PartialEq, Eq)]
pub struct Handshake {
    /// The path with the query behind a question mark, then the headers as `name\0value\0` pairs: one allocation
    /// holds them all.
    text: Box<[u8]>,
    url_bytes: usize,
    issued_at: SystemTime,
    peer: Option<SocketAddr>,
    is_secure: bool,
}

impl Handshake {
    /// Keeps what is no secret. Without `keeps_headers`, the `Origin` is the only header that is kept: authenticators
    /// and the books see it.
    pub(crate) fn keep(
        request: &engineio::RequestView<'_>,
        keeps_headers: bool,
        secrets: Option<&Secrets>,
        issued_at: SystemTime,
    ) -> Self {
        let is_kept = |name: &str| {
            let is_wanted = keeps_headers || name.eq_ignore_ascii_case("origin");
            let is_of_hop = || HOP_HEADERS.iter().any(|hop| hop.eq_ignore_ascii_case(name));
            let is_secret = || secrets.is_some_and(|secrets| secrets.has_header(name));
            is_wanted && !is_of_hop() && !is_secret()
        };
        // Put together where there is room, so that what is kept is allocated at its size.
        let mut text = SCRATCH.take();
        text.extend_from_slice(request.path().as_bytes());
        let pairs = request.query().split('&');
        let is_secret = |pair: &str| secrets.is_some_and(|secrets| secrets.has_parameter(pair));
        let kept_pairs = pairs.filter(|pair| !pair.is_empty() && !is_secret(pair));
        for (index, pair) in kept_pairs.enumerate() {
            text.push(if index == 0 { b'?' } else { b'&' });
            text.extend_from_slice(pair.as_bytes());
        }
        let url_bytes = text.len();
        for (name, value) in request.headers().filter(|(name, _)| is_kept(name)) {
            text.extend_from_slice(name.as_bytes());
            text.push(0);
            text.extend_from_slice(value);
            text.push(0);
        }
        let kept = Box::from(&*text);
        text.clear();
        SCRATCH.set(text);
        Self {
            text: kept,
            url_bytes,
            issued_at,
            peer: request.peer(),
            is_secure: request.is_secure(),
        }
    }

    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The headers, their names in lower case, the values of each name in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let headers = self.text.get(self.url_bytes..).unwrap_or_default();
        let mut parts = headers.split(|&byte| byte == 0);
        std::iter::from_fn(move || {
            let name = std::str::from_utf8(parts.next()?).ok()?;
            Some((name, parts.next()?))
        })
    }

    /// The path and the query, as sent, without the scheme and the host.
    #[must_use]
    pub fn url(&self) -> &str {
        let url = self.text.get(..self.url_bytes).unwrap_or_default();
        std::str::from_utf8(url).unwrap_or_default()
    }

    /// The query string, as sent, without the question mark.
    #[must_use]
    pub fn query(&self) -> &str {
        self.url().split_once('?').map_or("", |(_, query)| query)
    }

    /// Every query parameter, decoded, in order: plus signs are spaces, percent escapes are undone.
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
        form_pairs(self.query())
    }

    /// The value of a query parameter, decoded; the last one wins when it is repeated.
    //= EIO4-QRY-04
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<Cow<'_, str>> {
        let values = self.query_pairs().filter(|(found, _)| found == name);
        values.map(|(_, value)| value).last()
    }

    /// When the connection was opened, by the server's clock.
    #[must_use]
    pub fn issued_at(&self) -> SystemTime {
        self.issued_at
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
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// The auth object of a protocol 4 client: its query (SIO4-CON-03).
pub(crate) fn auth_of_query(query: &str) -> Value {
    let pairs = form_pairs(query);
    let pairs = pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())));
    Value::Object(pairs.collect())
}

/// The pairs of a query, decoded.
fn form_pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (engineio::decode_form(name), engineio::decode_form(value))
    })
}
