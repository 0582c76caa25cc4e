//! A request as hooks and handlers see it.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use http::{Extensions, HeaderMap, Method};
use percent_encoding::percent_decode_str;

use super::encoding;
use crate::fields::{Fields, is_named};

/// Where the headers are.
#[derive(Clone, Copy)]
pub(crate) enum Headers<'a> {
    /// With what layers around the service have put beside them.
    Map(&'a HeaderMap, Option<&'a Extensions>),
    /// In the bytes of a head that was read, with names in lower case.
    Read(&'a [u8], &'a Fields),
}

/// Where a request comes from, as far as the front door knows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) peer: Option<SocketAddr>,
    /// The connection is one of TLS.
    pub(crate) is_secure: bool,
    /// The connection came to a Unix socket.
    pub(crate) is_unix: bool,
}

impl Caller {
    pub(crate) const UNKNOWN: Self = Self {
        peer: None,
        is_secure: false,
        is_unix: false,
    };
}

/// Whom a proxy speaks for: what [`Config::forwarded`](crate::Config::forwarded) says of a request.
///
/// ```
/// let client = engineio::Forwarded::new("192.0.2.1".parse().unwrap()).secure(true);
/// # let _ = client;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forwarded {
    client: Option<IpAddr>,
    is_secure: bool,
}

impl Forwarded {
    /// A client with this address, whose connection is not secured.
    #[must_use]
    pub fn new(client: IpAddr) -> Self {
        Self {
            client: Some(client.to_canonical()),
            ..Self::unknown()
        }
    }

    /// A client whose address the proxy does not tell, and whose connection is not secured. Its
    /// [`peer`](RequestView::peer) is none.
    #[must_use]
    pub fn unknown() -> Self {
        Self {
            client: None,
            is_secure: false,
        }
    }

    /// Whether the client's own connection, to the proxy, is secured by TLS; it is not by default.
    #[must_use]
    pub fn secure(mut self, is_secure: bool) -> Self {
        self.is_secure = is_secure;
        self
    }
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
    caller: &'a Caller,
    forwarded: Option<Forwarded>,
    is_extended_connect: bool,
    #[cfg(feature = "nodes")]
    is_passed_on: bool,
}

impl<'a> RequestView<'a> {
    pub(crate) fn new(
        method: &'a Method,
        target: &'a str,
        headers: Headers<'a>,
        caller: &'a Caller,
    ) -> Self {
        // Paths are short, so that a search by words, which needs a beginning and an end, does not pay.
        let at = target.bytes().position(|byte| byte == b'?');
        let (path, query) = target
            .split_at_checked(at.unwrap_or(target.len()))
            .map_or((target, ""), |(path, query)| {
                (path, query.get(1..).unwrap_or_default())
            });
        Self {
            method,
            path,
            query,
            headers,
            caller,
            forwarded: None,
            is_extended_connect: false,
            #[cfg(feature = "nodes")]
            is_passed_on: false,
        }
    }

    /// The method; GET for a WebSocket on a stream of HTTP/2, as it would be on a connection of its own.
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
            Headers::Map(map, _) => (Some(map), &[], None),
            Headers::Read(read, fields) => (None, read, Some(fields)),
        }
    }

    /// The first value of a header.
    // Inline, so that the bit of a name is known when it is compiled: most names that are asked for are not there.
    #[inline]
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        match self.headers {
            Headers::Read(_, fields) if !fields.may_have(name) => None,
            _ => self.find_header(name),
        }
    }

    #[inline(never)]
    fn find_header(&self, name: &str) -> Option<&'a [u8]> {
        match self.headers {
            Headers::Map(map, _) => map.get(name).map(http::HeaderValue::as_bytes),
            Headers::Read(read, fields) => fields
                .as_slice()
                .iter()
                .find(|field| is_named(read, field, name))
                .map(|field| field.value.of(read)),
        }
    }

    /// The value of a header that is there exactly once.
    pub(crate) fn only_header(&self, name: &str) -> Option<&'a [u8]> {
        match self.headers {
            Headers::Map(map, _) => {
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
    /// server that groups them; the values of one name keep their order.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        let text = |name| std::str::from_utf8(name).unwrap_or_default();
        self.header_fields()
            .map(move |(name, value)| (text(name), value))
    }

    /// The same with the names as bytes, which is cheaper: that they are text has to be found out for each.
    pub fn header_fields(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let (map, read, fields) = self.sources();
        let from_map = map.into_iter().flat_map(|map| {
            map.iter()
                .map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
        });
        let fields = fields.map_or(&[][..], Fields::as_slice);
        let from_read = fields
            .iter()
            .map(move |field| (field.name.of(read), field.value.of(read)));
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

    /// The value of a cookie, as sent: the first of that name (RFC 6265 §5.4), if it is text.
    ///
    /// ```
    /// let config = engineio::Config::new().admission(|request| {
    ///     let is_beta = request.cookie("channel") == Some("beta");
    ///     Box::pin(async move { if is_beta { Ok(()) } else { Err(engineio::Refusal::forbidden()) } })
    /// });
    /// ```
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.cookie_bytes(name)?).ok()
    }

    pub(crate) fn cookie_bytes(&self, name: &str) -> Option<&'a [u8]> {
        self.header_values("cookie")
            .flat_map(|header| header.split(|&byte| byte == b';'))
            .map(<[u8]>::trim_ascii)
            .find_map(|pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
    }

    /// What a layer around [`Engine::service`](crate::Engine::service) has put into the request's extensions: a session, a
    /// user, an id of the request. Nothing on connections that the engine accepts itself.
    #[must_use]
    pub fn extension<T: Send + Sync + 'static>(&self) -> Option<&'a T> {
        self.extensions()?.get()
    }

    /// All of what [`extension`](Self::extension) finds one in.
    #[must_use]
    pub fn extensions(&self) -> Option<&'a Extensions> {
        match self.headers {
            Headers::Map(_, extensions) => extensions,
            Headers::Read(..) => None,
        }
    }

    /// The address of the client, when the front door knows it: of the peer, or of whom the peer speaks for, see
    /// [`Config::forwarded`](crate::Config::forwarded). Then the port is not known, and 0.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        match self.forwarded {
            None => self.caller.peer,
            Some(forwarded) => forwarded.client.map(|client| SocketAddr::new(client, 0)),
        }
    }

    /// True when the connection came to a Unix socket, as far as the front door knows: from a program of this machine that may
    /// write to it, a proxy for instance. It has no address.
    #[must_use]
    pub fn is_unix(&self) -> bool {
        self.caller.is_unix
    }

    /// The address of the proxy that speaks for the client, where [`Config::forwarded`](crate::Config::forwarded) says that
    /// one does.
    #[must_use]
    pub fn proxy(&self) -> Option<SocketAddr> {
        self.caller.peer.filter(|_| self.forwarded.is_some())
    }

    /// True when the client's connection is secured by TLS, as far as the front door knows, or the proxy that speaks for it.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        let forwarded = self.forwarded;
        forwarded.map_or(self.caller.is_secure, |forwarded| forwarded.is_secure)
    }

    /// A request for a WebSocket on a stream of HTTP/2 (RFC 8441). What is not said there is what such a request means.
    pub(crate) fn extended_connect(mut self) -> Self {
        self.method = &Method::GET;
        self.is_extended_connect = true;
        self
    }

    pub(crate) fn is_extended_connect(&self) -> bool {
        self.is_extended_connect
    }

    /// The same request, as one that another node has passed on.
    #[cfg(feature = "nodes")]
    pub(crate) fn passed_on(mut self) -> Self {
        self.is_passed_on = true;
        self
    }

    #[cfg(feature = "nodes")]
    pub(crate) fn is_passed_on(&self) -> bool {
        self.is_passed_on
    }

    /// The same request, as one that a proxy has passed on.
    pub(crate) fn forwarded(mut self, forwarded: Option<Forwarded>) -> Self {
        self.forwarded = forwarded;
        self
    }
}

impl fmt::Debug for RequestView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Query and headers may carry credentials.
        f.debug_struct("RequestView")
            .field("method", self.method)
            .field("path", &self.path)
            .field("peer", &self.peer())
            .finish_non_exhaustive()
    }
}

/// The pairs of a form-encoded string, decoded. Text without escapes is borrowed.
pub(crate) fn form_pairs(text: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let pair = FormPair::take(&mut rest);
            if !pair.text.is_empty() {
                return Some(pair.decode());
            }
        }
        None
    })
}

/// The bytes that mean something in a form-encoded string.
const OF_FORMS: [bool; 256] = {
    let mut is_special = [false; 256];
    let mut rest: &[u8] = b"&=+%";
    while let [byte, behind @ ..] = rest {
        #[expect(
            clippy::indexing_slicing,
            clippy::as_conversions,
            reason = "a byte is below 256, and the compiler runs this"
        )]
        {
            is_special[*byte as usize] = true;
        }
        rest = behind;
    }
    is_special
};

/// A name and its value, as written.
struct FormPair<'t> {
    text: &'t str,
    /// Where the equals sign is.
    equals: Option<usize>,
    has_escape: bool,
}

impl<'t> FormPair<'t> {
    /// Takes the pair that `rest` begins with, and the ampersand behind it. Every byte is looked at once, in a table: a query is
    /// read for every request, and searching it for one character after the other took three times as long.
    fn take(rest: &mut &'t str) -> Self {
        let (mut equals, mut has_escape) = (None, false);
        let mut end = rest.len();
        for (at, byte) in rest.bytes().enumerate() {
            if !OF_FORMS.get(usize::from(byte)).is_some_and(|&is| is) {
                continue;
            }
            match byte {
                b'&' => {
                    end = at;
                    break;
                }
                b'=' if equals.is_none() => equals = Some(at),
                b'+' | b'%' => has_escape = true,
                _ => {}
            }
        }
        let (text, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        *rest = behind.get(1..).unwrap_or_default();
        Self {
            text,
            equals,
            has_escape,
        }
    }

    fn decode(self) -> (Cow<'t, str>, Cow<'t, str>) {
        let at = self.equals.unwrap_or(self.text.len());
        let name = self.text.get(..at).unwrap_or_default();
        let value = self.text.get(at.saturating_add(1)..).unwrap_or_default();
        if self.has_escape {
            (decode_form(name), decode_form(value))
        } else {
            (Cow::Borrowed(name), Cow::Borrowed(value))
        }
    }
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
            Headers::Map(&headers, None),
            &Caller::UNKNOWN,
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
            Headers::Map(&headers, None),
            &Caller::UNKNOWN,
        );
        assert_eq!(view.header("X-Token"), Some(&b"secret"[..]));
        assert!(!format!("{view:?}").contains("secret"));
    }

    #[test]
    fn a_view_is_small_for_a_poll_that_waits_holds_one() {
        assert!(size_of::<RequestView<'_>>() <= 104);
    }

    #[test]
    fn who_is_forwarded_stands_before_the_peer() {
        let headers = HeaderMap::new();
        let caller = Caller {
            peer: Some(([10, 0, 0, 1], 4000).into()),
            is_secure: true,
            is_unix: false,
        };
        let view = RequestView::new(&Method::GET, "/", Headers::Map(&headers, None), &caller);
        assert_eq!((view.peer(), view.proxy()), (caller.peer, None));
        assert!(view.is_secure());
        let client = "::ffff:192.0.2.1".parse().unwrap();
        let view = view.forwarded(Some(Forwarded::new(client)));
        assert_eq!(view.peer(), Some(([192, 0, 2, 1], 0).into()));
        assert_eq!(view.proxy(), caller.peer);
        assert!(!view.is_secure(), "the client's own connection is not");
        let view = view.forwarded(Some(Forwarded::unknown().secure(true)));
        assert_eq!((view.peer(), view.proxy()), (None, caller.peer));
        assert!(view.is_secure());
    }

    #[test]
    fn a_cookie_is_the_first_of_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(
            "cookie",
            http::HeaderValue::from_static("ab=1; a=2;b=; a=3"),
        );
        headers.append("cookie", http::HeaderValue::from_static("c=4=5"));
        let headers = Headers::Map(&headers, None);
        let view = RequestView::new(&Method::GET, "/", headers, &Caller::UNKNOWN);
        for (name, value) in [
            ("a", Some("2")),
            ("ab", Some("1")),
            ("b", Some("")),
            ("c", Some("4=5")),
        ] {
            assert_eq!(view.cookie(name), value, "{name}");
        }
        assert_eq!(view.cookie("d"), None);
    }

    #[test]
    fn a_header_that_is_there_twice_has_no_only_value() {
        let mut headers = HeaderMap::new();
        headers.append("a", http::HeaderValue::from_static("1"));
        headers.append("b", http::HeaderValue::from_static("1"));
        headers.append("b", http::HeaderValue::from_static("1"));
        let view = RequestView::new(
            &Method::GET,
            "/",
            Headers::Map(&headers, None),
            &Caller::UNKNOWN,
        );
        assert_eq!(view.only_header("a"), Some(&b"1"[..]));
        assert_eq!((view.only_header("b"), view.only_header("c")), (None, None));
    }
}
