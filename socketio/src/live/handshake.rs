//! What is kept of a connection's first request.

use std::cell::Cell;
use std::fmt;
use std::net::SocketAddr;
use std::time::SystemTime;

use serde_json::Value;
use socketio_auth::{DynPolicy, Place, RequestSource};

/// Headers that carry credentials, whoever reads them.
const SECRET_HEADERS: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

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

/// The parts of opening requests that carry credentials: looked at once, when a connection opens, and not kept.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    headers: Vec<Box<str>>,
    parameters: Vec<Box<str>>,
}

impl Default for Secrets {
    fn default() -> Self {
        Self {
            headers: SECRET_HEADERS.map(Into::into).to_vec(),
            parameters: Vec::new(),
        }
    }
}

impl Secrets {
    /// Those that a policy names and those of any request.
    pub(crate) fn of(policy: &dyn DynPolicy) -> Self {
        let mut secrets = Self::default();
        policy.places(&mut |place| match place {
            Place::Header(name) => add(&mut secrets.headers, name),
            Place::Query(name) => add(&mut secrets.parameters, name),
            _ => {}
        });
        secrets
    }

    pub(crate) fn add(&mut self, others: &Self) {
        let names = |names: &mut Vec<Box<str>>, others: &[Box<str>]| {
            others.iter().for_each(|name| add(names, name));
        };
        names(&mut self.headers, &others.headers);
        names(&mut self.parameters, &others.parameters);
    }

    /// True when any of the parts is in a request.
    pub(crate) fn are_in(&self, request: &engineio::RequestView<'_>) -> bool {
        let mut pairs = request.query().split('&');
        request.headers().any(|(name, _)| self.has_header(name))
            || (!self.parameters.is_empty() && pairs.any(|pair| self.has_parameter(pair)))
    }

    fn has_header(&self, name: &str) -> bool {
        let mut all = self.headers.iter();
        all.any(|secret| secret.eq_ignore_ascii_case(name))
    }

    fn has_parameter(&self, pair: &str) -> bool {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        let mut all = self.parameters.iter();
        all.any(|secret| **secret == *engineio::decode_form(name))
    }
}

/// Once: most policies look in the same places.
fn add(names: &mut Vec<Box<str>>, name: &str) {
    if names.iter().all(|known| **known != *name) {
        names.push(name.into());
    }
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

    /// The headers, in order.
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
