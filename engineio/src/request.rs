//! A request as hooks and handlers see it.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::net::SocketAddr;

use http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;

use crate::http::encoding;

/// Where the headers are.
#[derive(Clone, Copy)]
pub(crate) enum Headers<'a> {
    Map(&'a HeaderMap),
    /// In the bytes of a head that was read, with names in lower case.
    Read(&'a [u8], &'a Fields),
}

/// A part of a head that was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Where a part of `whole` is, which is shorter than 4 GiB. A span that is not inside is of nothing.
    #[inline]
    pub(crate) fn within(whole: &[u8], part: &[u8]) -> Self {
        let start = part.as_ptr().addr().wrapping_sub(whole.as_ptr().addr()) as u32;
        Self {
            start,
            end: start.wrapping_add(part.len() as u32),
        }
    }

    pub(crate) fn start(self) -> usize {
        self.start as usize
    }

    #[inline]
    fn length(self) -> usize {
        self.end.wrapping_sub(self.start) as usize
    }

    #[inline]
    pub(crate) fn of(self, whole: &[u8]) -> &[u8] {
        whole
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    #[inline]
    pub(crate) fn of_mut(self, whole: &mut [u8]) -> Option<&mut [u8]> {
        whole.get_mut(self.start as usize..self.end as usize)
    }
}

/// Where a header is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    pub(crate) name: Span,
    pub(crate) value: Span,
}

/// As many headers a thread keeps room for.
const KEPT_FIELDS: usize = 64;

thread_local! {
    /// What the last head of this thread needed, for the next one.
    static ROOM: Cell<Vec<Field>> = const { Cell::new(Vec::new()) };
}

/// Where the headers of a head are, in order.
#[derive(Debug)]
pub(crate) struct Fields {
    list: Vec<Field>,
    /// A bit for each name that may be there: most that are asked for are not.
    names: u64,
}

impl Fields {
    pub(crate) fn new() -> Self {
        Self {
            list: ROOM.take(),
            names: 0,
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, name: &str, field: Field) {
        self.names |= bit_of(name);
        self.list.push(field);
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Field> {
        self.list.iter()
    }

    /// All of them, or none when this name is not there.
    #[inline]
    fn with(&self, name: &str) -> &[Field] {
        if self.names & bit_of(name) == 0 {
            return &[];
        }
        &self.list
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        let mut list = std::mem::take(&mut self.list);
        if list.capacity() <= KEPT_FIELDS {
            list.clear();
            ROOM.set(list);
        }
    }
}

/// One of 64 bits for a name, in any case.
#[inline]
fn bit_of(name: &str) -> u64 {
    let &[first, .., last] = name.as_bytes() else {
        return 1;
    };
    // Letters differ from the same in another case by this bit alone.
    let mixed = name.len() as u32 ^ u32::from(first | 0x20) ^ (u32::from(last | 0x20) << 2);
    1_u64 << (mixed % 64)
}

/// Where a request comes from, as far as the front door knows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Caller {
    pub(crate) peer: Option<SocketAddr>,
    /// The connection is one of TLS.
    pub(crate) is_secure: bool,
}

/// A borrowed view of a request: method, target, headers and peer.
///
/// Nothing of it is kept by the engine; what must outlive the call is copied by whoever needs it.
#[derive(Clone, Copy)]
pub struct RequestView<'a> {
    method: &'a Method,
    path: &'a str,
    query: &'a str,
    headers: Headers<'a>,
    caller: Caller,
}

impl<'a> RequestView<'a> {
    pub(crate) fn new(
        method: &'a Method,
        target: &'a str,
        headers: Headers<'a>,
        caller: Caller,
    ) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method,
            path,
            query,
            headers,
            caller,
        }
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// The path, as sent.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// The query string, as sent, without the question mark.
    #[must_use]
    pub fn query(&self) -> &'a str {
        self.query
    }

    /// Every value of a query parameter, decoded, in order.
    pub fn query_values<'n>(
        &self,
        name: &'n str,
    ) -> impl Iterator<Item = Cow<'a, str>> + use<'a, 'n> {
        form_pairs(self.query)
            .filter(move |(found, _)| found == name)
            .map(|(_, value)| value)
    }

    /// Every query parameter, decoded, in order.
    pub fn query_pairs(&self) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, str>)> + use<'a> {
        form_pairs(self.query)
    }

    /// The value of a query parameter; the last one wins when it is repeated.
    //= EIO4-QRY-04
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<Cow<'a, str>> {
        self.query_values(name).last()
    }

    /// Every value of a header, in order.
    pub fn header_values<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let (map, read, fields) = self.sources();
        let from_map = map
            .into_iter()
            .flat_map(move |map| map.get_all(name).iter().map(http::HeaderValue::as_bytes));
        let from_read = fields
            .map_or(&[][..], |fields| fields.with(name))
            .iter()
            .filter(move |field| is_named(read, field, name))
            .map(move |field| field.value.of(read));
        from_map.chain(from_read)
    }

    fn sources(&self) -> (Option<&'a HeaderMap>, &'a [u8], Option<&'a Fields>) {
        match self.headers {
            Headers::Map(map) => (Some(map), &[], None),
            Headers::Read(read, fields) => (None, read, Some(fields)),
        }
    }

    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        match self.headers {
            Headers::Map(map) => map.get(name).map(http::HeaderValue::as_bytes),
            Headers::Read(read, fields) => fields
                .with(name)
                .iter()
                .find(|field| is_named(read, field, name))
                .map(|field| field.value.of(read)),
        }
    }

    /// The value of a header that is there exactly once.
    pub(crate) fn only_header(&self, name: &str) -> Option<&'a [u8]> {
        match self.headers {
            Headers::Map(map) => {
                let mut values = map.get_all(name).iter();
                let value = values.next()?.as_bytes();
                values.next().is_none().then_some(value)
            }
            Headers::Read(read, fields) => {
                let mut found = None;
                for field in fields.with(name) {
                    if is_named(read, field, name) && found.replace(field).is_some() {
                        return None;
                    }
                }
                found.map(|field| field.value.of(read))
            }
        }
    }

    /// True when a comma-separated header holds the token, in any case.
    pub(crate) fn has_token(&self, header: &str, token: &str) -> bool {
        let is_alone = |value: &[u8]| value.eq_ignore_ascii_case(token.as_bytes());
        if self.header(header).is_some_and(is_alone) {
            return true;
        }
        self.header_values(header).any(|value| {
            value
                .split(|&byte| byte == b',')
                .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
        })
    }

    /// The first value of a header, if it is text.
    #[must_use]
    pub fn header_str(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.header(name)?).ok()
    }

    /// Every header, its name in lower case. They come in the order in which they were sent, or grouped by name behind a
    /// server that groups them; the values of one name are in order always.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let (map, read, fields) = self.sources();
        let from_map = map.into_iter().flat_map(|map| {
            map.iter()
                .map(|(name, value)| (name.as_str(), value.as_bytes()))
        });
        let fields = fields.into_iter().flat_map(Fields::iter);
        let from_read = fields.map(move |field| {
            let name = std::str::from_utf8(field.name.of(read));
            (name.unwrap_or_default(), field.value.of(read))
        });
        from_map.chain(from_read)
    }

    /// Whether the client takes an answer in this content coding, `gzip` for instance: it names it, or all others
    /// by `*`, and does not refuse it (RFC 9110 §12.5.3).
    #[must_use]
    pub fn accepts_encoding(&self, coding: &str) -> bool {
        self.header_str("accept-encoding")
            .is_some_and(|accepted| encoding::accepts(accepted, coding))
    }

    /// The `Origin` header.
    #[must_use]
    pub fn origin(&self) -> Option<&'a str> {
        self.header_str("origin")
    }

    /// The address of the peer, when the front door knows it.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.caller.peer
    }

    /// True when the request came over TLS, as far as the front door knows.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.caller.is_secure
    }
}

impl fmt::Debug for RequestView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Query and headers may carry credentials.
        f.debug_struct("RequestView")
            .field("method", self.method)
            .field("path", &self.path)
            .field("peer", &self.caller.peer)
            .finish_non_exhaustive()
    }
}

#[inline]
fn is_named(read: &[u8], field: &Field, name: &str) -> bool {
    // Most names differ in their length already, and most that are asked for are in lower case too.
    if field.name.length() != name.len() {
        return false;
    }
    let found = field.name.of(read);
    found == name.as_bytes() || found.eq_ignore_ascii_case(name.as_bytes())
}

/// The pairs of a form-encoded string, decoded. Text without escapes is borrowed.
pub(crate) fn form_pairs(text: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode_form(name), decode_form(value))
    })
}

/// The text of a form-encoded name or value: plus signs are spaces, percent escapes are undone, and bytes that are
/// not UTF-8 become replacement characters. Text without escapes is borrowed.
///
/// ```
/// assert_eq!(engineio::decode_form("a%20b+c"), "a b c");
/// ```
#[must_use]
pub fn decode_form(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'+' | b'%')) {
        return Cow::Borrowed(text);
    }
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        return Cow::Owned(percent_decode_str(&spaced).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(text).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_the_last_one_wins() {
        let headers = HeaderMap::new();
        let view = RequestView::new(
            &Method::GET,
            "/engine.io/?EIO=3&EIO=%34&a=b+c&flag&=x",
            Headers::Map(&headers),
            Caller::default(),
        );
        assert_eq!(view.path(), "/engine.io/");
        assert_eq!(view.query_value("EIO").as_deref(), Some("4"));
        assert_eq!(view.query_values("EIO").count(), 2);
        assert_eq!(view.query_value("a").as_deref(), Some("b c"));
        assert_eq!(view.query_value("flag").as_deref(), Some(""));
        assert_eq!(view.query_value("missing"), None);
    }

    #[test]
    fn headers_are_found_in_any_case_and_debug_reveals_none() {
        let mut headers = HeaderMap::new();
        headers.insert("x-token", http::HeaderValue::from_static("secret"));
        let view = RequestView::new(
            &Method::GET,
            "/?token=secret",
            Headers::Map(&headers),
            Caller::default(),
        );
        assert_eq!(view.header("X-Token"), Some(&b"secret"[..]));
        assert!(!format!("{view:?}").contains("secret"));
    }

    #[test]
    fn a_header_that_is_there_twice_has_no_only_value() {
        let mut headers = HeaderMap::new();
        headers.append("a", http::HeaderValue::from_static("1"));
        headers.append("b", http::HeaderValue::from_static("1"));
        headers.append("b", http::HeaderValue::from_static("1"));
        let view = RequestView::new(&Method::GET, "/", Headers::Map(&headers), Caller::default());
        assert_eq!(view.only_header("a"), Some(&b"1"[..]));
        assert_eq!((view.only_header("b"), view.only_header("c")), (None, None));
    }
}
