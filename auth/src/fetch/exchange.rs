//! The small seam to the network: one request, one answer of bounded size.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

#[cfg(any(
    feature = "jwt-aws-lc",
    feature = "jwt-rust-crypto",
    feature = "introspection"
))]
use crate::base::future::BoxFuture;
use crate::base::secret::Secret;

/// Sends one HTTP request: what key sets and introspection need of an HTTP client.
///
/// `HttpFetch` (feature `jwks-http`) implements it; over another client it is a few lines. An
/// implementation must not follow redirects to other hosts, must end by itself within seconds, and must stop
/// reading at [`max_body_bytes`](FetchRequest::max_body_bytes).
///
/// ```
/// use socketio_auth::fetch::{Fetch, FetchError, FetchRequest, FetchResponse};
///
/// /// Answers from a file that something else keeps up to date.
/// struct FromDisk(std::path::PathBuf);
///
/// impl Fetch for FromDisk {
///     async fn fetch(&self, _request: FetchRequest) -> Result<FetchResponse, FetchError> {
///         std::fs::read(&self.0)
///             .map(|body| FetchResponse::new(200, body))
///             .map_err(|error| FetchError::Failed(error.to_string().into()))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot fetch",
    note = "implement `Fetch` over your HTTP client, or use `HttpFetch` of the feature `jwks-http`"
)]
pub trait Fetch: Send + Sync + 'static {
    /// Sends the request; any status is an answer.
    fn fetch(
        &self,
        request: FetchRequest,
    ) -> impl Future<Output = Result<FetchResponse, FetchError>> + Send;
}

/// A request for [`Fetch`]. Its `Debug` shows the URL only.
#[derive(Clone)]
pub struct FetchRequest {
    url: Arc<str>,
    headers: Vec<(&'static str, Secret)>,
    form: Option<Secret>,
    max_body_bytes: usize,
}

impl FetchRequest {
    /// A GET request. Check the URL with [`InsecureUrl::check`] when it is configured.
    #[must_use]
    pub const fn get(url: Arc<str>, max_body_bytes: usize) -> Self {
        Self {
            url,
            headers: Vec::new(),
            form: None,
            max_body_bytes,
        }
    }

    /// Makes it a POST request with this `application/x-www-form-urlencoded` body.
    #[must_use]
    pub fn with_form(mut self, form: Secret) -> Self {
        self.form = Some(form);
        self
    }

    /// Adds a header, its name in lower case.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: Secret) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The same request to another place.
    #[cfg(any(
        feature = "jwks-http",
        all(
            feature = "discovery",
            any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto")
        )
    ))]
    pub(crate) fn at(mut self, url: Arc<str>) -> Self {
        self.url = url;
        self
    }

    /// Where to: `https`, or `http` to this machine, unless the application allowed it to others.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The headers to send, names in lower case; they may hold credentials.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.headers
            .iter()
            .map(|(name, value)| (*name, value.expose()))
    }

    /// The body of a POST request, to be sent as `application/x-www-form-urlencoded`; without one it is a GET.
    #[must_use]
    pub fn form(&self) -> Option<&str> {
        self.form.as_ref().map(Secret::expose)
    }

    /// The longest body of the answer, in bytes.
    #[must_use]
    pub const fn max_body_bytes(&self) -> usize {
        self.max_body_bytes
    }
}

impl fmt::Debug for FetchRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchRequest")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// The answer of a [`Fetch`]. Its `Debug` shows the status and the length only.
#[derive(Clone)]
pub struct FetchResponse {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl FetchResponse {
    /// An answer without headers.
    #[must_use]
    pub const fn new(status: u16, body: Vec<u8>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
        }
    }

    /// Adds a header. `etag` and `cache-control` are looked at.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The first header of this name; ASCII case does not matter.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl fmt::Debug for FetchResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchResponse")
            .field("status", &self.status)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FetchError {
    /// None came in time.
    Timeout,
    /// The body is longer than asked for.
    TooLarge,
    /// Anything else, for the log.
    Failed(Cow<'static, str>),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("no answer came in time"),
            Self::TooLarge => f.write_str("the answer is too long"),
            Self::Failed(detail) => write!(f, "the request failed: {detail}"),
        }
    }
}

impl std::error::Error for FetchError {}

/// The URL is neither `https` nor `http` to this machine: anyone on the way could answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InsecureUrl;

impl fmt::Display for InsecureUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the URL is neither https nor http to this machine")
    }
}

impl std::error::Error for InsecureUrl {}

impl InsecureUrl {
    /// Accepts what is safe to ask. The scheme is to be written in lower case; a user name is refused.
    ///
    /// # Errors
    ///
    /// This error, for everything else.
    pub fn check(url: &str) -> Result<(), Self> {
        Self::check_allowing_http(url, false)
    }

    /// The same, and `http` to anybody where that is allowed.
    pub(crate) fn check_allowing_http(url: &str, allows_http: bool) -> Result<(), Self> {
        let host_of = |rest: &str| -> Option<String> {
            let authority = rest.split(['/', '?', '#']).next()?;
            let without_port = match authority.strip_prefix('[') {
                Some(address) => address.split(']').next()?,
                None => authority.split(':').next()?,
            };
            (!authority.contains('@') && !without_port.is_empty()).then(|| without_port.to_owned())
        };
        let is_safe = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => host_of(rest).is_some(),
            (None, Some(rest)) => host_of(rest).is_some_and(|host| {
                allows_http || ["localhost", "127.0.0.1", "::1"].contains(&host.as_str())
            }),
            (None, None) => false,
        };
        if is_safe { Ok(()) } else { Err(Self) }
    }
}

/// The object-safe twin of [`Fetch`].
#[cfg(any(
    feature = "jwt-aws-lc",
    feature = "jwt-rust-crypto",
    feature = "introspection"
))]
pub(crate) trait DynFetch: Send + Sync {
    fn fetch_dyn(&self, request: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>>;
}

#[cfg(any(
    feature = "jwt-aws-lc",
    feature = "jwt-rust-crypto",
    feature = "introspection"
))]
impl<F: Fetch> DynFetch for F {
    fn fetch_dyn(&self, request: FetchRequest) -> BoxFuture<'_, Result<FetchResponse, FetchError>> {
        Box::pin(self.fetch(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_asked() {
        for url in [
            "https://id.example/jwks",
            "https://id.example",
            "http://localhost:8080/jwks",
            "http://127.0.0.1/jwks",
            "http://[::1]:80/jwks",
        ] {
            assert_eq!(InsecureUrl::check(url), Ok(()), "{url}");
        }
        for url in [
            "http://id.example/jwks",
            "http://localhost.evil.example/",
            "http://localhost@evil.example/",
            "http://127.0.0.1.evil.example/",
            "https://user:word@id.example/",
            "https:///jwks",
            "file:///etc/passwd",
            "ftp://id.example/",
            "id.example/jwks",
            "",
        ] {
            assert_eq!(InsecureUrl::check(url), Err(InsecureUrl), "{url}");
            let is_allowed = InsecureUrl::check_allowing_http(url, true).is_ok();
            assert_eq!(is_allowed, url.starts_with("http://") && !url.contains('@'));
        }
    }

    #[test]
    fn debug_shows_no_credential() {
        let request = FetchRequest::get("https://a.example/".into(), 1)
            .with_header("authorization", Secret::new("Basic hunter2"));
        assert!(!format!("{request:?}").contains("hunter2"));
        let response = FetchResponse::new(200, b"hunter2".to_vec()).with_header("a", "hunter2");
        assert!(!format!("{response:?}").contains("hunter2"));
    }
}
