//! Cross-origin resource sharing (EIO4-COR).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, header};

use super::request::RequestView;

const DEFAULT_METHODS: &str = "GET,HEAD,PUT,PATCH,POST,DELETE";

#[derive(Clone)]
enum Origins {
    Any,
    /// Made once; `None` for what is no value of a header, which is not sent.
    Fixed(Option<HeaderValue>),
    Matching(Arc<dyn Fn(&str) -> bool + Send + Sync>),
}

/// What browsers on other origins may do. Off unless configured.
///
/// It restrains browsers only: a request from a disallowed origin is still served. To refuse such
/// requests use [`Config::allowed_origins`](crate::Config::allowed_origins).
///
/// ```
/// let cors = engineio::Cors::origins(["https://a.example", "https://b.example"]).credentials(true);
/// ```
//= EIO4-COR-04
#[derive(Clone)]
#[must_use]
pub struct Cors {
    origins: Origins,
    methods: String,
    allowed_headers: Option<String>,
    exposed_headers: Option<String>,
    credentials: bool,
    max_age: Option<Duration>,
}

impl Cors {
    /// Any origin: `Access-Control-Allow-Origin: *`.
    pub fn any() -> Self {
        Self::with(Origins::Any)
    }

    /// One origin, always named in the answer.
    pub fn origin(origin: impl Into<String>) -> Self {
        Self::with(Origins::Fixed(value(&origin.into())))
    }

    /// A list of origins; the request's is echoed when it is in the list.
    pub fn origins<S: Into<String>>(origins: impl IntoIterator<Item = S>) -> Self {
        let origins: Vec<String> = origins.into_iter().map(Into::into).collect();
        Self::matching(move |origin| origins.iter().any(|allowed| allowed == origin))
    }

    /// The origins a predicate accepts; the request's is echoed then.
    pub fn matching(accepts: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::with(Origins::Matching(Arc::new(accepts)))
    }

    fn with(origins: Origins) -> Self {
        Self {
            origins,
            methods: DEFAULT_METHODS.to_owned(),
            allowed_headers: None,
            exposed_headers: None,
            credentials: false,
            max_age: None,
        }
    }

    /// The methods named in a preflight's answer.
    pub fn methods<S: AsRef<str>>(mut self, methods: impl IntoIterator<Item = S>) -> Self {
        self.methods = join(methods);
        self
    }

    /// The headers allowed; by default those the preflight asks for.
    pub fn allowed_headers<S: AsRef<str>>(mut self, headers: impl IntoIterator<Item = S>) -> Self {
        self.allowed_headers = Some(join(headers));
        self
    }

    /// The headers scripts may read.
    pub fn exposed_headers<S: AsRef<str>>(mut self, headers: impl IntoIterator<Item = S>) -> Self {
        self.exposed_headers = Some(join(headers));
        self
    }

    /// Whether cookies and credentials may be sent; default `false`.
    pub fn credentials(mut self, allow: bool) -> Self {
        self.credentials = allow;
        self
    }

    /// How long a preflight's answer may be kept.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// The headers of every answer but upgrade refusals (EIO4-COR-03).
    pub(crate) fn headers(
        &self,
        request: &RequestView<'_>,
        add: &mut dyn FnMut(HeaderName, HeaderValue),
    ) {
        let origin = match &self.origins {
            Origins::Any => Some(HeaderValue::from_static("*")),
            Origins::Fixed(origin) => origin.clone(),
            Origins::Matching(accepts) => request
                .origin()
                .filter(|origin| accepts(origin))
                .and_then(value),
        };
        if let Some(origin) = origin {
            add(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        if !matches!(self.origins, Origins::Any) {
            add(header::VARY, HeaderValue::from_static("Origin"));
        }
        if self.credentials {
            let allowed = HeaderValue::from_static("true");
            add(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, allowed);
        }
        if let Some(exposed) = self.exposed_headers.as_deref().and_then(value) {
            add(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }

    /// The further headers of a preflight's answer (EIO4-COR-02).
    pub(crate) fn preflight_headers(
        &self,
        request: &RequestView<'_>,
        add: &mut dyn FnMut(HeaderName, HeaderValue),
    ) {
        if let Some(methods) = value(&self.methods) {
            add(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        let asked = || request.header_str("access-control-request-headers");
        let allowed = self.allowed_headers.as_deref().or_else(asked);
        if let Some(allowed) = allowed.and_then(value) {
            add(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        }
        if self.allowed_headers.is_none() {
            let varies = HeaderValue::from_static("Access-Control-Request-Headers");
            add(header::VARY, varies);
        }
        if let Some(max_age) = self.max_age {
            add(header::ACCESS_CONTROL_MAX_AGE, max_age.as_secs().into());
        }
    }
}

impl fmt::Debug for Cors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cors")
            .field("methods", &self.methods)
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

fn value(text: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(text).ok()
}

fn join<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> String {
    let mut out = String::new();
    for item in items {
        if !out.is_empty() {
            out.push(',');
        }
        out.push_str(item.as_ref());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::{Caller, Headers};
    use http::{HeaderMap, Method};

    fn answer(cors: &Cors, origin: Option<&'static str>, is_preflight: bool) -> Vec<String> {
        let mut headers = HeaderMap::new();
        if let Some(origin) = origin {
            headers.insert("origin", HeaderValue::from_static(origin));
        }
        headers.insert(
            "access-control-request-headers",
            HeaderValue::from_static("x-a,x-b"),
        );
        let view = RequestView::new(
            &Method::OPTIONS,
            "/",
            Headers::Map(&headers, None),
            &Caller::UNKNOWN,
        );
        let mut out = Vec::new();
        let mut add = |name: HeaderName, value: HeaderValue| {
            out.push(format!("{name}: {}", value.to_str().unwrap()));
        };
        cors.headers(&view, &mut add);
        if is_preflight {
            cors.preflight_headers(&view, &mut add);
        }
        out
    }

    #[test]
    fn any_origin_is_a_star_without_vary() {
        assert_eq!(
            answer(&Cors::any(), Some("http://x"), false),
            ["access-control-allow-origin: *"]
        );
    }

    #[test]
    fn a_fixed_origin_is_always_named() {
        assert_eq!(
            answer(&Cors::origin("http://a"), Some("http://x"), false),
            ["access-control-allow-origin: http://a", "vary: Origin"]
        );
    }

    #[test]
    fn a_listed_origin_is_echoed_and_another_gets_only_vary() {
        let cors = Cors::origins(["http://a", "http://b"]);
        assert_eq!(
            answer(&cors, Some("http://b"), false),
            ["access-control-allow-origin: http://b", "vary: Origin"]
        );
        assert_eq!(answer(&cors, Some("http://x"), false), ["vary: Origin"]);
        assert_eq!(answer(&cors, None, false), ["vary: Origin"]);
    }

    #[test]
    fn a_preflight_echoes_the_headers_asked_for_unless_they_are_configured() {
        let cors = Cors::any()
            .credentials(true)
            .max_age(Duration::from_secs(60));
        assert_eq!(
            answer(&cors, None, true),
            [
                "access-control-allow-origin: *",
                "access-control-allow-credentials: true",
                "access-control-allow-methods: GET,HEAD,PUT,PATCH,POST,DELETE",
                "access-control-allow-headers: x-a,x-b",
                "vary: Access-Control-Request-Headers",
                "access-control-max-age: 60",
            ]
        );
        let cors = Cors::any()
            .methods(["GET", "POST"])
            .allowed_headers(["content-type"]);
        assert_eq!(
            answer(&cors, None, true),
            [
                "access-control-allow-origin: *",
                "access-control-allow-methods: GET,POST",
                "access-control-allow-headers: content-type",
            ]
        );
    }
}
