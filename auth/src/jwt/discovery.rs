//! OpenID Connect discovery: where an issuer publishes its keys, asked of the issuer itself.

use std::sync::Arc;

use super::jwks_cache::JwksCache;
use super::jwks_options::JwksOptions;
use crate::base::clock::{Clock, SystemClock};
use crate::base::future::BoxFuture;
use crate::base::lock::Lock;
use crate::base::secret::Secret;
use crate::base::shown::Shown;
use crate::claims::strict_json::Object;
use crate::fetch::exchange::{Fetch, FetchError, FetchRequest, FetchResponse, InsecureUrl};

/// Below the URL of the issuer (OpenID Connect Discovery 1.0 §4).
const DOCUMENT: &str = "/.well-known/openid-configuration";

/// Discovery (feature `discovery`).
impl JwksCache {
    /// A cache of the keys of the OpenID Connect provider `issuer`, which is asked where they are: it has a document at
    /// `/.well-known/openid-configuration`. One that names another issuer counts for nothing (OpenID Connect Discovery
    /// 1.0 §4.3). The document is asked for with every refresh; while it cannot be had, the keys are looked for where
    /// they were.
    ///
    /// ```
    /// # use socketio_auth::fetch::{Fetch, FetchError, FetchRequest, FetchResponse};
    /// # struct Client;
    /// # impl Fetch for Client {
    /// #     async fn fetch(&self, _: FetchRequest) -> Result<FetchResponse, FetchError> { Err(FetchError::Timeout) }
    /// # }
    /// # fn spawn(task: socketio_auth::BoxFuture<'static, ()>) {}
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use socketio_auth::jwt::{Issuer, JwksCache, JwtAuthenticator};
    ///
    /// const ISSUER: &str = "https://id.example/realms/chat";
    /// let keys = JwksCache::discover(ISSUER, Client, spawn)?;
    /// let jwt = JwtAuthenticator::<serde_json::Value>::builder()
    ///     .issuer(Issuer::new(ISSUER).key_source(keys))
    ///     .audience("chat")
    ///     .build()?;
    /// # let _ = jwt;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`InsecureUrl`] unless `issuer` is `https`, or `http` to this machine.
    pub fn discover(
        issuer: &str,
        fetch: impl Fetch,
        spawn: impl Fn(BoxFuture<'static, ()>) + Send + Sync + 'static,
    ) -> Result<Self, InsecureUrl> {
        Self::discover_with_options(issuer, fetch, spawn, JwksOptions::default(), SystemClock)
    }

    /// The same with other bounds, and another clock in tests.
    ///
    /// # Errors
    ///
    /// As [`discover`](Self::discover).
    pub fn discover_with_options(
        issuer: &str,
        fetch: impl Fetch,
        spawn: impl Fn(BoxFuture<'static, ()>) + Send + Sync + 'static,
        options: JwksOptions,
        clock: impl Clock,
    ) -> Result<Self, InsecureUrl> {
        let document: Arc<str> = format!("{}{DOCUMENT}", issuer.trim_end_matches('/')).into();
        let discovering = Discovering {
            issuer: issuer.into(),
            document: Arc::clone(&document),
            allows_http: options.insecure_allow_http,
            fetch,
            last: Lock::new(None),
        };
        Self::with_options(&document, discovering, spawn, options, clock)
    }

    /// The same over `client`, in tasks of the tokio runtime that the tokens are verified on.
    ///
    /// # Errors
    ///
    /// As [`discover`](Self::discover).
    #[cfg(feature = "jwks-http")]
    pub fn discover_over_http(
        issuer: &str,
        client: crate::fetch::http::HttpFetch,
    ) -> Result<Self, InsecureUrl> {
        Self::discover(issuer, client, super::jwks_cache::spawn_on_tokio)
    }
}

/// Asks for the document first, and for the keys where it says.
struct Discovering<F> {
    issuer: Box<str>,
    document: Arc<str>,
    allows_http: bool,
    fetch: F,
    /// Where the keys were the last time.
    last: Lock<Option<Arc<str>>>,
}

impl<F: Fetch> Discovering<F> {
    async fn key_set_url(&self, max_body_bytes: usize) -> Result<Arc<str>, FetchError> {
        let request = FetchRequest::get(Arc::clone(&self.document), max_body_bytes)
            .with_header("accept", Secret::new("application/json"));
        let response = self.fetch.fetch(request).await?;
        if response.status() != 200 {
            return Err(failed(format!(
                "the status of the discovery document is {}",
                response.status()
            )));
        }
        let document = Object::parse(response.body())
            .ok_or_else(|| failed("the discovery document is not a strict JSON object"))?;
        let named = document.text("issuer").unwrap_or_default();
        if *named != *self.issuer {
            return Err(failed(format!(
                "the discovery document is of the issuer {}, expected {}",
                Shown(named),
                Shown(&self.issuer)
            )));
        }
        let url = document.text("jwks_uri").unwrap_or_default();
        InsecureUrl::check_allowing_http(url, self.allows_http)
            .map_err(|error| failed(format!("jwks_uri is {}: {error}", Shown(url))))?;
        Ok(url.into())
    }
}

impl<F: Fetch> Fetch for Discovering<F> {
    async fn fetch(&self, request: FetchRequest) -> Result<FetchResponse, FetchError> {
        let url = match self.key_set_url(request.max_body_bytes()).await {
            Ok(url) => {
                *self.last.lock() = Some(Arc::clone(&url));
                url
            }
            Err(error) => {
                let last = self.last.lock().clone();
                last.ok_or(error)?
            }
        };
        self.fetch.fetch(request.at(url)).await
    }
}

fn failed(why: impl Into<std::borrow::Cow<'static, str>>) -> FetchError {
    FetchError::Failed(why.into())
}
