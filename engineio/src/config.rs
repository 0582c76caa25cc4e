//! Options, their defaults and their bounds.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::http::request::{Forwarded, RequestView};
use crate::http::{AllowedOrigins, ConnectionError, CookieOptions, Cors, Refusal};
#[cfg(feature = "nodes")]
use crate::nodes::Nodes;
use crate::send_options::OverflowPolicy;
use crate::transport::{Timing, Transport};
use crate::websocket::PerMessageDeflate;

/// A future that an asynchronous hook returns.
pub type HookFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

type AdmissionHook =
    dyn for<'a> Fn(&RequestView<'a>) -> HookFuture<Result<(), Refusal>> + Send + Sync;
type ForwardedHook = dyn for<'a> Fn(&RequestView<'a>) -> Option<Forwarded> + Send + Sync;
type FileHook =
    dyn for<'a> Fn(&RequestView<'a>, &str) -> Option<http::Response<Bytes>> + Send + Sync;
type HeaderHook = dyn for<'a> Fn(&RequestView<'a>, &mut http::HeaderMap) + Send + Sync;
type ErrorHook = dyn for<'a> Fn(&RequestView<'a>, &ConnectionError) + Send + Sync;
type IdGenerator = dyn Fn() -> HookFuture<Option<[u8; 15]>> + Send + Sync;

/// The options of an [`Engine`](crate::Engine). Every bound has a default that is safe on the open internet.
///
/// ```
/// use std::time::Duration;
///
/// let config = engineio::Config::new()
///     .ping_interval(Duration::from_secs(10))
///     .max_payload(100_000);
/// ```
#[derive(Clone)]
#[must_use]
pub struct Config {
    pub(crate) path: String,
    pub(crate) add_trailing_slash: bool,
    pub(crate) polling: bool,
    pub(crate) websocket: bool,
    pub(crate) allow_upgrades: bool,
    pub(crate) allow_eio3: bool,
    pub(crate) timing: Timing,
    pub(crate) max_payload: usize,
    pub(crate) max_packets_per_payload: usize,
    pub(crate) max_sessions: usize,
    pub(crate) max_sessions_per_peer: usize,
    pub(crate) max_header_bytes: usize,
    pub(crate) max_headers: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) keep_alive_timeout: Duration,
    pub(crate) body_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) retry_after: Duration,
    pub(crate) max_queued_bytes: usize,
    pub(crate) high_watermark: usize,
    pub(crate) overflow: OverflowPolicy,
    pub(crate) cors: Option<Cors>,
    pub(crate) allowed_origins: Option<AllowedOrigins>,
    pub(crate) bind_origin: bool,
    pub(crate) bind_cookie: Option<CookieOptions>,
    pub(crate) cookie_on_websocket: bool,
    pub(crate) cookie: Option<CookieOptions>,
    pub(crate) initial_packet: Option<String>,
    pub(crate) compression_threshold: Option<usize>,
    pub(crate) per_message_deflate: Option<PerMessageDeflate>,
    pub(crate) forwarded: Option<Arc<ForwardedHook>>,
    pub(crate) admission: Option<Arc<AdmissionHook>>,
    pub(crate) handshake_headers: Option<Arc<HeaderHook>>,
    pub(crate) response_headers: Option<Arc<HeaderHook>>,
    pub(crate) files: Option<Arc<FileHook>>,
    pub(crate) on_connection_error: Option<Arc<ErrorHook>>,
    pub(crate) id_generator: Option<Arc<IdGenerator>>,
    #[cfg(feature = "nodes")]
    pub(crate) nodes: Option<Nodes>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            path: "/engine.io/".to_owned(),
            add_trailing_slash: true,
            polling: true,
            websocket: true,
            allow_upgrades: true,
            allow_eio3: false,
            timing: Timing {
                ping_interval: Duration::from_secs(25),
                ping_timeout: Duration::from_secs(20),
                upgrade_timeout: Duration::from_secs(10),
                stall_timeout: Duration::from_secs(60),
            },
            max_payload: 1_000_000,
            max_packets_per_payload: usize::MAX,
            max_sessions: 1_000_000,
            max_sessions_per_peer: usize::MAX,
            max_header_bytes: 16 * 1024,
            max_headers: 256,
            header_timeout: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            retry_after: Duration::from_secs(5),
            max_queued_bytes: 4 * 1024 * 1024,
            high_watermark: 256 * 1024,
            overflow: OverflowPolicy::Disconnect,
            cors: None,
            allowed_origins: None,
            bind_origin: true,
            bind_cookie: None,
            cookie_on_websocket: false,
            cookie: None,
            initial_packet: None,
            compression_threshold: Some(1024),
            per_message_deflate: None,
            forwarded: None,
            admission: None,
            handshake_headers: None,
            response_headers: None,
            files: None,
            on_connection_error: None,
            id_generator: None,
            #[cfg(feature = "nodes")]
            nodes: None,
        }
    }
}

impl Config {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The path served, `/engine.io/` by default, with the trailing slash.
    //= EIO4-QRY-01
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// With `false` the bare path is served too. Default `true`.
    //= EIO4-QRY-02
    pub fn add_trailing_slash(mut self, add: bool) -> Self {
        self.add_trailing_slash = add;
        self
    }

    /// The transports offered; both by default. An empty list refuses every handshake.
    pub fn transports(mut self, transports: impl IntoIterator<Item = Transport>) -> Self {
        self.polling = false;
        self.websocket = false;
        for transport in transports {
            match transport {
                Transport::Polling => self.polling = true,
                Transport::WebSocket => self.websocket = true,
            }
        }
        self
    }

    /// Whether a polling session may move to WebSocket. Default `true`.
    pub fn allow_upgrades(mut self, allow: bool) -> Self {
        self.allow_upgrades = allow;
        self
    }

    /// Whether protocol 3 is spoken (clients of Socket.IO 2). Default `false`: there the session id is also the
    /// public socket id.
    pub fn allow_eio3(mut self, allow: bool) -> Self {
        self.allow_eio3 = allow;
        self
    }

    /// The time between a pong and the next ping; default 25 s. Lower finds dead clients sooner and wakes idle
    /// ones more often.
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.timing.ping_interval = interval;
        self
    }

    /// How long a pong may take; default 20 s.
    pub fn ping_timeout(mut self, timeout: Duration) -> Self {
        self.timing.ping_timeout = timeout;
        self
    }

    /// How long a candidate WebSocket may take to finish its upgrade; default 10 s.
    pub fn upgrade_timeout(mut self, timeout: Duration) -> Self {
        self.timing.upgrade_timeout = timeout;
        self
    }

    /// How long reading may stand still on our side (a handler that paused, a client that does not take what
    /// it asked for) before the session is closed; default 60 s. Pings go out meanwhile, and no answer is expected.
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.timing.stall_timeout = timeout;
        self
    }

    /// The largest POST body and WebSocket message in bytes; default 1,000,000. Larger is answered 413 or ends
    /// the WebSocket with code 1009. Memory per connection while a message arrives is bounded by this.
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.max_payload = bytes;
        self
    }

    /// The most packets one POST may carry; unbounded by default, for clients are told
    /// [`max_payload`](Self::max_payload), and no other limit: whatever fits that is taken. Some thousand are handed on at a
    /// time, and other connections are served in between. One more packet than the limit is a parse error, which ends the
    /// session.
    pub fn max_packets_per_payload(mut self, packets: usize) -> Self {
        self.max_packets_per_payload = packets;
        self
    }

    /// The most sessions at once; default 1,000,000. Past it handshakes are refused with 503 and `Retry-After`.
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.max_sessions = sessions;
        self
    }

    /// The most sessions at once from one peer; unbounded by default, since many clients may share the address of a
    /// proxy that [`forwarded`](Self::forwarded) does not see through. One more is refused as for
    /// [`max_sessions`](Self::max_sessions). A peer is an IPv4 address, in whichever form
    /// the listener shows it, or all IPv6 addresses with the same first 64 bits.
    pub fn max_sessions_per_peer(mut self, sessions: usize) -> Self {
        self.max_sessions_per_peer = sessions;
        self
    }

    /// The largest request head [`Engine::serve`](crate::Engine::serve) reads, in bytes; default 16 KiB. A larger one is
    /// answered 431.
    pub fn max_header_bytes(mut self, bytes: usize) -> Self {
        self.max_header_bytes = bytes;
        self
    }

    /// The most headers of a request that [`Engine::serve`](crate::Engine::serve) reads; default 256. One more is answered
    /// 431. A server of the application's around [`EngineService`](crate::EngineService) has a limit of its own: hyper's
    /// is 100 unless it is told another.
    pub fn max_headers(mut self, headers: usize) -> Self {
        self.max_headers = headers;
        self
    }

    /// How long a request head may take to arrive at [`Engine::serve`](crate::Engine::serve), from the beginning of the
    /// connection or, for later requests, from its first byte; default 10 s. A head that has begun is answered 408 then.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout;
        self
    }

    /// How long a connection of [`Engine::serve`](crate::Engine::serve) may idle between two requests; default 75 s. Each
    /// answer says so in its `Keep-Alive` header, in whole seconds, and the connection stays one second longer. It has to be
    /// longer than what a proxy in front keeps its connections for (60 s with most), or the proxy now and then sends a
    /// request into one that is closing, and answers 502. Lowering it frees the descriptors of polling clients sooner.
    pub fn keep_alive_timeout(mut self, timeout: Duration) -> Self {
        self.keep_alive_timeout = timeout;
        self
    }

    /// How long the body of a POST may take to arrive; default 30 s.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }

    /// How long a client may take none of an HTTP answer before its connection is dropped; default 30 s. It begins anew
    /// whenever something has left. Raising it serves clients whose network stands still for longer; lowering it sooner
    /// frees the descriptors and the answers of those that read nothing.
    ///
    /// A server of the application's around [`EngineService`](crate::EngineService) owns the connection: there it bounds
    /// answers of more than 64 KiB, by how long each 64 KiB may take. For smaller ones that server has to have a limit.
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// How long a client that is refused with 503 is asked to wait; default 5 s, in whole seconds of at least
    /// one. Each is told a time at random between this and twice this, so that they do not come back together.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = wait;
        self
    }

    /// The hard mark of the outgoing queue of one client, in bytes; default 4 MiB. Past it the
    /// [`OverflowPolicy`] decides.
    pub fn max_queued_bytes(mut self, bytes: usize) -> Self {
        self.max_queued_bytes = bytes;
        self
    }

    /// When this many bytes wait for one client its own messages are not read until half of them have left;
    /// default 256 KiB.
    pub fn high_watermark(mut self, bytes: usize) -> Self {
        self.high_watermark = bytes;
        self
    }

    /// What happens past the hard mark; default [`OverflowPolicy::Disconnect`].
    pub fn overflow(mut self, policy: OverflowPolicy) -> Self {
        self.overflow = policy;
        self
    }

    /// Cross-origin resource sharing for browsers; off by default.
    pub fn cors(mut self, cors: Cors) -> Self {
        self.cors = Some(cors);
        self
    }

    /// Refuses requests whose `Origin` is not in the list (code 3). Without a list every origin is served, as
    /// the reference does; decide it when cookies authenticate, for WebSockets are not covered by CORS. Pages that hide
    /// their origin, and those in a sandbox, send `null`, which is served when it is in the list.
    pub fn allowed_origins(mut self, origins: AllowedOrigins) -> Self {
        self.allowed_origins = Some(origins);
        self
    }

    /// Whether a session belongs to the first `Origin` it was used from: a later request that carries another is
    /// refused with code 3, and the session goes on. A request without an origin passes, and so does a form of a JSONP
    /// session whose origin its page hides (`null`). Default `true`; turn it off for clients that change their origin within
    /// a session.
    pub fn bind_origin(mut self, bind: bool) -> Self {
        self.bind_origin = bind;
        self
    }

    /// Has a session that is opened over polling belong to the browser that opened it: the handshake sets this cookie to a
    /// random value, unless the browser has one already, and every later request of the session must carry it, the
    /// upgrade included. Another one is refused with code 3, and the session goes on. So a session id that leaked is of
    /// no use without the cookie, which scripts do not see. Off by default: clients outside of browsers keep no cookies
    /// unless they are told to (`withCredentials` of the JavaScript client), nor does a page of another site without it.
    pub fn bind_cookie(mut self, cookie: CookieOptions) -> Self {
        self.bind_cookie = Some(cookie);
        self
    }

    /// Sets a cookie on the polling handshake; off by default.
    //= EIO4-CK-01
    pub fn cookie(mut self, cookie: CookieOptions) -> Self {
        self.cookie = Some(cookie);
        self
    }

    /// Whether a handshake on WebSocket sets the [`cookie`](Self::cookie) too. Default `false`, as the reference.
    //= EIO4-CK-02
    pub fn cookie_on_websocket(mut self, set: bool) -> Self {
        self.cookie_on_websocket = set;
        self
    }

    /// A text message that each client is sent with the handshake, before any other; none by default.
    ///
    /// With another protocol on top it has to be what a client of that takes first. The official clients of Socket.IO hand
    /// an event of the namespace `/`, such as `2["hello"]`, to its listeners before they have connected; over a text that is
    /// no packet of Socket.IO they close the connection, each time anew.
    //= EIO4-HS-06
    pub fn initial_packet(mut self, text: impl Into<String>) -> Self {
        self.initial_packet = Some(text.into());
        self
    }

    /// Compresses polling responses from this many bytes, with feature `compression`; default 1024, `None`
    /// turns it off.
    pub fn http_compression(mut self, threshold: Option<usize>) -> Self {
        self.compression_threshold = threshold;
        self
    }

    /// Compresses WebSocket messages for clients that offer it, with feature `deflate`; off by default, for it
    /// costs memory and time, and compressing secrets beside text that others choose can reveal them.
    pub fn per_message_deflate(mut self, options: PerMessageDeflate) -> Self {
        self.per_message_deflate = Some(options);
        self
    }

    /// Says of each request whom it comes from, where a proxy has passed it on; by default nobody is believed, and a client
    /// is the peer. From there on [`RequestView::peer`] and [`RequestView::is_secure`] are the client's, for
    /// [`max_sessions_per_peer`](Self::max_sessions_per_peer) and for all hooks and handlers; the peer itself is
    /// [`RequestView::proxy`].
    ///
    /// What a request says of itself can be made up: the hook has to know the proxy that says it. `None`, and a panic, is a
    /// request that nobody has passed on.
    ///
    /// ```
    /// use engineio::{Config, Forwarded};
    ///
    /// // One proxy of ours on this machine, which sets these headers whatever its clients sent.
    /// let config = Config::new().forwarded(|request| {
    ///     request.peer().filter(|peer| peer.ip().is_loopback())?;
    ///     let client = request.header_str("x-real-ip")?.parse().ok()?;
    ///     let is_secure = request.header_str("x-forwarded-proto") == Some("https");
    ///     Some(Forwarded::new(client).secure(is_secure))
    /// });
    /// ```
    pub fn forwarded<F>(mut self, hook: F) -> Self
    where
        F: for<'a> Fn(&RequestView<'a>) -> Option<Forwarded> + Send + Sync + 'static,
    {
        self.forwarded = Some(Arc::new(hook));
        self
    }

    /// Asked before a session is created; a refusal is code 4. It sees the request while it is called and
    /// returns a future that must own what it needs.
    ///
    /// ```
    /// let config = engineio::Config::new().admission(|request| {
    ///     let is_known = request.header("x-key") == Some(b"letmein");
    ///     Box::pin(async move {
    ///         if is_known { Ok(()) } else { Err(engineio::Refusal::forbidden()) }
    ///     })
    /// });
    /// ```
    pub fn admission<F>(mut self, hook: F) -> Self
    where
        F: for<'a> Fn(&RequestView<'a>) -> HookFuture<Result<(), Refusal>> + Send + Sync + 'static,
    {
        self.admission = Some(Arc::new(hook));
        self
    }

    /// Adds headers to the response of every handshake, the 101 included.
    pub fn handshake_headers<F>(mut self, hook: F) -> Self
    where
        F: for<'a> Fn(&RequestView<'a>, &mut http::HeaderMap) + Send + Sync + 'static,
    {
        self.handshake_headers = Some(Arc::new(hook));
        self
    }

    /// Adds headers to every response, the 101 included.
    pub fn response_headers<F>(mut self, hook: F) -> Self
    where
        F: for<'a> Fn(&RequestView<'a>, &mut http::HeaderMap) + Send + Sync + 'static,
    {
        self.response_headers = Some(Arc::new(hook));
        self
    }

    /// Answers GET requests inside the path with something of the application's own, a file for instance, before the
    /// engine looks at them. The hook sees the request and what follows the path; with `None` the engine goes on. It
    /// must not block.
    ///
    /// ```
    /// let config = engineio::Config::new().files(|_request, name| {
    ///     (name == "version").then(|| http::Response::new("7".into()))
    /// });
    /// ```
    pub fn files<F>(mut self, hook: F) -> Self
    where
        F: for<'a> Fn(&RequestView<'a>, &str) -> Option<http::Response<Bytes>>
            + Send
            + Sync
            + 'static,
    {
        self.files = Some(Arc::new(hook));
        self
    }

    /// Told of every refused request.
    pub fn on_connection_error<F>(mut self, hook: F) -> Self
    where
        F: for<'a> Fn(&RequestView<'a>, &ConnectionError) + Send + Sync + 'static,
    {
        self.on_connection_error = Some(Arc::new(hook));
        self
    }

    /// Replaces the source of the 15 random bytes behind a session id; `None` refuses the handshake (code 3).
    /// They must be unpredictable: the id is a secret.
    pub fn id_generator<F>(mut self, generator: F) -> Self
    where
        F: Fn() -> HookFuture<Option<[u8; 15]>> + Send + Sync + 'static,
    {
        self.id_generator = Some(Arc::new(generator));
        self
    }

    /// Passes requests of sessions that another node has on to it, so that no sticky sessions are needed; see [`Nodes`].
    #[cfg(feature = "nodes")]
    pub fn nodes(mut self, nodes: Nodes) -> Self {
        self.nodes = Some(nodes);
        self
    }

    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        if !self.path.starts_with('/') {
            return Err(ConfigError::Path);
        }
        if self.timing.ping_interval.is_zero() || self.timing.ping_timeout.is_zero() {
            return Err(ConfigError::Heartbeat);
        }
        if self.max_payload == 0 {
            return Err(ConfigError::MaxPayload);
        }
        #[cfg(feature = "nodes")]
        if self.nodes.is_some() && self.id_generator.is_some() {
            return Err(ConfigError::NodesAndIds);
        }
        Ok(())
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("path", &self.path)
            .field("polling", &self.polling)
            .field("websocket", &self.websocket)
            .field("allow_upgrades", &self.allow_upgrades)
            .field("allow_eio3", &self.allow_eio3)
            .field("timing", &self.timing)
            .field("max_payload", &self.max_payload)
            .field("max_packets_per_payload", &self.max_packets_per_payload)
            .field("max_sessions", &self.max_sessions)
            .field("max_sessions_per_peer", &self.max_sessions_per_peer)
            .field("max_header_bytes", &self.max_header_bytes)
            .field("max_headers", &self.max_headers)
            .field("header_timeout", &self.header_timeout)
            .field("keep_alive_timeout", &self.keep_alive_timeout)
            .field("body_timeout", &self.body_timeout)
            .field("write_timeout", &self.write_timeout)
            .field("retry_after", &self.retry_after)
            .field("max_queued_bytes", &self.max_queued_bytes)
            .field("high_watermark", &self.high_watermark)
            .field("overflow", &self.overflow)
            .finish_non_exhaustive()
    }
}

/// Why an engine cannot be built from a [`Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigError {
    /// The path does not begin with a slash.
    Path,
    /// The ping interval or the ping timeout is zero.
    Heartbeat,
    /// The largest payload is zero.
    MaxPayload,
    /// There are nodes and a generator of ids: the ids would not say which node they belong to.
    #[cfg(feature = "nodes")]
    NodesAndIds,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Path => "the path must begin with a slash",
            Self::Heartbeat => "ping interval and ping timeout must be longer than zero",
            Self::MaxPayload => "the largest payload must be at least one byte",
            #[cfg(feature = "nodes")]
            Self::NodesAndIds => "ids that are generated do not say which node they belong to",
        })
    }
}

impl std::error::Error for ConfigError {}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Config;

    const FIRST_PAGE: &str = include_str!("lib.rs");

    fn bytes(number: usize) -> String {
        match number {
            1_000_000 => "1,000,000 bytes".to_owned(),
            _ if number.is_multiple_of(1024 * 1024) => format!("{} MiB", number / 1024 / 1024),
            _ => format!("{} KiB", number / 1024),
        }
    }

    fn count(number: usize) -> String {
        match number {
            1_000_000 => "1,000,000".to_owned(),
            usize::MAX => "none".to_owned(),
            _ => number.to_string(),
        }
    }

    fn time(duration: Duration) -> String {
        format!("{} s", duration.as_secs())
    }

    /// Who adds an option is stopped by the pattern, and decides whether it is a bound.
    #[test]
    fn the_first_page_has_every_bound_with_its_default() {
        let Config {
            path: _,
            add_trailing_slash: _,
            polling: _,
            websocket: _,
            allow_upgrades: _,
            allow_eio3: _,
            timing,
            max_payload,
            max_packets_per_payload,
            max_sessions,
            max_sessions_per_peer,
            max_header_bytes,
            max_headers,
            header_timeout,
            keep_alive_timeout,
            body_timeout,
            write_timeout,
            retry_after: _,
            max_queued_bytes,
            high_watermark,
            overflow: _,
            cors: _,
            allowed_origins: _,
            bind_origin: _,
            bind_cookie: _,
            cookie_on_websocket: _,
            cookie: _,
            initial_packet: _,
            compression_threshold: _,
            per_message_deflate: _,
            admission: _,
            handshake_headers: _,
            response_headers: _,
            files: _,
            on_connection_error: _,
            id_generator: _,
            #[cfg(feature = "nodes")]
                nodes: _,
            forwarded: _,
        } = Config::default();
        assert_eq!(max_packets_per_payload, usize::MAX);
        let bounds = [
            ("max_payload", bytes(max_payload)),
            ("max_packets_per_payload", "what fits".to_owned()),
            ("max_queued_bytes", bytes(max_queued_bytes)),
            ("high_watermark", bytes(high_watermark)),
            ("max_sessions", count(max_sessions)),
            ("max_sessions_per_peer", count(max_sessions_per_peer)),
            ("max_header_bytes", bytes(max_header_bytes)),
            ("max_headers", count(max_headers)),
            ("header_timeout", time(header_timeout)),
            ("body_timeout", time(body_timeout)),
            ("write_timeout", time(write_timeout)),
            ("keep_alive_timeout", time(keep_alive_timeout)),
            ("upgrade_timeout", time(timing.upgrade_timeout)),
            (
                "ping_interval",
                format!(
                    "{}, {}",
                    time(timing.ping_interval),
                    time(timing.ping_timeout)
                ),
            ),
            ("stall_timeout", time(timing.stall_timeout)),
        ];
        let rows = FIRST_PAGE.lines().filter_map(|line| {
            let (_, row) = line.strip_prefix("//! | ")?.split_once(" | [`")?;
            let (name, row) = row.split_once("`](")?;
            let mut cells = row.split(" | ").skip(1);
            Some((name, cells.next()?.to_owned()))
        });
        assert_eq!(rows.collect::<Vec<_>>(), bounds);
    }
}
