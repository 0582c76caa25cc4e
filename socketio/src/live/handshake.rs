//! What is kept of a connection's first request.

use std::any::{Any, TypeId};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::net::SocketAddr;
use std::time::SystemTime;

use serde_json::Value;

use super::keeping::{Beside, Keeping};
use crate::authority::secrets::Secrets;
use crate::wall_time::WallTime;

/// Whether a header, its name in lower case, is about the hop a request came over, and says nothing that would outlive
/// it.
fn is_of_hop(name: &[u8]) -> bool {
    matches!(
        name,
        b"connection"
            | b"keep-alive"
            | b"proxy-connection"
            | b"sec-websocket-extensions"
            | b"sec-websocket-key"
            | b"sec-websocket-version"
            | b"te"
            | b"trailer"
            | b"transfer-encoding"
            | b"upgrade"
    )
}

thread_local! {
    /// Room for the text of a request that is being kept. Requests are small, and so it stays.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The request a connection began with.
///
/// Nothing in it is a credential: the headers `authorization`, `cookie` and `proxy-authorization` are not kept, nor
/// are the headers and query parameters that the [sources](socketio_auth::CredentialSource::places) of a policy name.
/// An application that wants more asks for it: cookies by [`keep_cookies`](crate::SocketIoBuilder::keep_cookies), what
/// layers around the service know by [`keep_extension`](crate::SocketIoBuilder::keep_extension), and anything else by
/// [`keep_of_request`](crate::SocketIoBuilder::keep_of_request).
///
/// Headers that concern one hop or the WebSocket handshake alone, such as `connection` and `sec-websocket-key`, are
/// not kept either.
#[derive(Clone)]
pub struct Handshake {
    /// The path with the query behind a question mark, then the headers as `name\0value\0` pairs: one allocation
    /// holds them all.
    text: Box<[u8]>,
    url_bytes: u32,
    is_secure: bool,
    /// The `Origin` is asked for at every verification, and most clients that are no browsers have none.
    has_origin: bool,
    issued_at: WallTime,
    peer: Option<SocketAddr>,
    /// What few connections have.
    beside: Option<Box<Beside>>,
}

impl Handshake {
    /// Keeps what is no secret, and what the application asks for.
    pub(crate) fn keep(
        request: &engineio::RequestView<'_>,
        keeping: &Keeping,
        secrets: Option<&Secrets>,
        issued_at: SystemTime,
    ) -> Self {
        let is_kept = |name: &[u8]| {
            let is_wanted = keeping.wants_header(name);
            let is_secret = || secrets.is_some_and(|secrets| secrets.has_header(name));
            is_wanted && !is_of_hop(name) && !is_secret()
        };
        // Put together where there is room, so that what is kept is allocated at its size.
        let mut text = SCRATCH.take();
        text.extend_from_slice(request.path().as_bytes());
        keep_query(request.query(), secrets, &mut text);
        // A head of 4 GiB is none that a server takes.
        let url_bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
        let mut has_origin = false;
        let fields = request.header_fields();
        for (name, value) in fields.filter(|(name, _)| is_kept(name)) {
            has_origin |= name == b"origin";
            text.extend_from_slice(name);
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
            issued_at: issued_at.into(),
            peer: request.peer(),
            is_secure: request.is_secure(),
            beside: Beside::of(request, keeping),
            has_origin,
        }
    }

    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.fields()
            .find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| value)
    }

    /// The `Origin` header, which need not be text.
    pub(crate) fn origin_bytes(&self) -> Option<&[u8]> {
        self.has_origin.then(|| self.header("origin")).flatten()
    }

    /// The headers, their names in lower case, the values of each name in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let text = |name| std::str::from_utf8(name).unwrap_or_default();
        self.fields().map(move |(name, value)| (text(name), value))
    }

    /// The headers with their names as bytes: that they are text has to be found out for each.
    fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let headers = self.text.get(self.url_bytes as usize..).unwrap_or_default();
        let mut parts = headers.split(|&byte| byte == 0);
        std::iter::from_fn(move || {
            let name = parts.next().filter(|name| !name.is_empty())?;
            Some((name, parts.next()?))
        })
    }

    /// The path and the query, as sent, without the scheme and the host.
    #[must_use]
    pub fn url(&self) -> &str {
        let url = self.text.get(..self.url_bytes as usize).unwrap_or_default();
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
        self.issued_at.into()
    }

    /// The address of the client, when it is known: behind
    /// [trusted proxies](crate::SocketIoBuilder::trusted_proxies) the client's own, with 0 for its port, which is not known.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The address of the trusted proxy that the connection came by; `None` when it came directly.
    #[must_use]
    pub fn proxy(&self) -> Option<SocketAddr> {
        self.beside.as_ref()?.proxy
    }

    /// True when the client's connection is secured by TLS, as far as the server knows: it ends TLS itself, or was
    /// [told](crate::SocketIoService::secure) that the server around it does, or a
    /// [trusted proxy](crate::SocketIoBuilder::trusted_proxies) says it.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The `Origin` header: the page that a browser connects from.
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        std::str::from_utf8(self.origin_bytes()?).ok()
    }

    /// The value of a cookie, as sent, if it was to be [kept](crate::SocketIoBuilder::keep_cookies) and was there.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = &self.beside.as_ref()?.cookies;
        let found = cookies.iter().find(|(found, _)| **found == *name);
        found.map(|(_, value)| &**value)
    }

    /// What was to be kept of the request and has this type; see
    /// [`keep_extension`](crate::SocketIoBuilder::keep_extension).
    #[must_use]
    pub fn extension<T: Any + Send + Sync>(&self) -> Option<&T> {
        let extensions = &self.beside.as_ref()?.extensions;
        extensions.get(TypeId::of::<T>())?.downcast_ref()
    }
}

impl fmt::Debug for Handshake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handshake")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// Appends a query and its question mark, without what is secret.
fn keep_query(query: &str, secrets: Option<&Secrets>, text: &mut Vec<u8>) {
    let Some(secrets) = secrets else {
        if !query.is_empty() {
            text.push(b'?');
            text.extend_from_slice(query.as_bytes());
        }
        return;
    };
    let pairs = query.split('&');
    let kept = pairs.filter(|pair| !pair.is_empty() && !secrets.has_parameter(pair));
    for (index, pair) in kept.enumerate() {
        text.push(if index == 0 { b'?' } else { b'&' });
        text.extend_from_slice(pair.as_bytes());
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
