//! The keys of an issuer, fetched from where it publishes them and kept fresh.

use std::fmt;
use std::future::poll_fn;
use std::hash::{BuildHasher as _, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};

use super::jwks_options::JwksOptions;
use super::jwks_state::{Answer, Flight, JwksState, Landed, Wanted};
use super::key_set::KeySet;
use super::key_source::{KeyRequest, KeySource, LookupError};
use crate::audit::{AuditKind, AuditSink, AuthEvent};
use crate::base::clock::{Clock, SystemClock};
use crate::base::future::BoxFuture;
use crate::base::lock::Lock;
use crate::base::secret::Secret;
use crate::fetch::exchange::{
    DynFetch, Fetch, FetchError, FetchRequest, FetchResponse, InsecureUrl,
};

/// The key set of one issuer as a [`KeySource`]. A clone shares it.
///
/// The first token waits for the first fetch. Later the keys at hand are used while they are refreshed behind, some
/// time before they go stale; when the issuer cannot be reached they serve for `max_stale` more. A token with an
/// unknown key id waits for a fetch, but only one flies at a time and none starts within `min_refresh_interval` of
/// the last, so that made-up ids cannot be turned into requests. `ETag` and `Cache-Control: max-age` are honoured.
///
/// Fetches run in tasks of their own, made by `spawn`, so that a client that leaves does not cancel what others
/// wait for. A task ends with its fetch.
///
/// ```
/// use socketio_auth::jwt::{Issuer, JwksCache, JwtAuthenticator};
/// # use socketio_auth::fetch::{Fetch, FetchError, FetchRequest, FetchResponse};
/// # struct Client;
/// # impl Fetch for Client {
/// #     async fn fetch(&self, _: FetchRequest) -> Result<FetchResponse, FetchError> { Err(FetchError::Timeout) }
/// # }
/// # fn spawn(task: socketio_auth::BoxFuture<'static, ()>) {}
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // With tokio: |task| { tokio::spawn(task); }
/// let keys = JwksCache::new("https://id.example/.well-known/jwks.json", Client, spawn)?;
/// let jwt = JwtAuthenticator::<serde_json::Value>::builder()
///     .issuer(Issuer::new("https://id.example").key_source(keys))
///     .audience("chat")
///     .build()?;
/// # let _ = jwt;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct JwksCache(Arc<Inner>);

struct Inner {
    url: Arc<str>,
    fetch: Box<dyn DynFetch>,
    spawn: Box<dyn Fn(BoxFuture<'static, ()>) + Send + Sync>,
    clock: Box<dyn Clock>,
    max_body_bytes: usize,
    audit: OnceLock<Box<dyn AuditSink>>,
    shared: Lock<Shared>,
}

struct Shared {
    state: JwksState,
    waiting: Vec<Waker>,
}

impl JwksCache {
    /// A cache with the default [`JwksOptions`]. Nothing is fetched before the first token comes.
    ///
    /// # Errors
    ///
    /// [`InsecureUrl`] unless `url` is `https`, or `http` to this machine.
    pub fn new(
        url: &str,
        fetch: impl Fetch,
        spawn: impl Fn(BoxFuture<'static, ()>) + Send + Sync + 'static,
    ) -> Result<Self, InsecureUrl> {
        Self::with_options(url, fetch, spawn, JwksOptions::default(), SystemClock)
    }

    /// A cache that fetches with `client`, in tasks of the tokio runtime that the tokens are verified on.
    ///
    /// ```
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// use socketio_auth::fetch::HttpFetch;
    /// use socketio_auth::jwt::{Issuer, JwksCache, JwtAuthenticator};
    ///
    /// let keys = JwksCache::over_http("https://id.example/.well-known/jwks.json", HttpFetch::new()?)?;
    /// let jwt = JwtAuthenticator::<serde_json::Value>::builder()
    ///     .issuer(Issuer::new("https://id.example").key_source(keys))
    ///     .audience("chat")
    ///     .build()?;
    /// # let _ = jwt;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    #[cfg(feature = "jwks-http")]
    pub fn over_http(
        url: &str,
        client: crate::fetch::http::HttpFetch,
    ) -> Result<Self, InsecureUrl> {
        Self::over_http_with(url, client, JwksOptions::default())
    }

    /// The same with other bounds.
    ///
    /// # Errors
    ///
    /// As [`with_options`](Self::with_options).
    #[cfg(feature = "jwks-http")]
    pub fn over_http_with(
        url: &str,
        client: crate::fetch::http::HttpFetch,
        options: JwksOptions,
    ) -> Result<Self, InsecureUrl> {
        Self::with_options(url, client, spawn_on_tokio, options, SystemClock)
    }

    /// A cache with other bounds, and another clock in tests.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), unless [`insecure_allow_http`](JwksOptions::insecure_allow_http) is set.
    pub fn with_options(
        url: &str,
        fetch: impl Fetch,
        spawn: impl Fn(BoxFuture<'static, ()>) + Send + Sync + 'static,
        options: JwksOptions,
        clock: impl Clock,
    ) -> Result<Self, InsecureUrl> {
        InsecureUrl::check_allowing_http(url, options.insecure_allow_http)?;
        let [jitter, ..] = RandomState::new().hash_one(url).to_le_bytes();
        Ok(Self(Arc::new(Inner {
            url: url.into(),
            fetch: Box::new(fetch),
            spawn: Box::new(spawn),
            clock: Box::new(clock),
            max_body_bytes: options.max_body_bytes,
            audit: OnceLock::new(),
            shared: Lock::new(Shared {
                state: JwksState::new(options, jitter),
                waiting: Vec::new(),
            }),
        })))
    }

    /// Tells `sink` how every fetch ended: [`AuditKind::KeysRefreshed`] or [`AuditKind::KeysFailed`], with the URL as
    /// the event's [`key_set`](AuthEvent::key_set), and [`AuditKind::KeysSkipped`] when keys were passed over that were not
    /// before. The first sink stays. Usually the server's own, in an `Arc`.
    #[must_use]
    pub fn with_audit(self, sink: impl AuditSink) -> Self {
        let _ = self.0.audit.set(Box::new(sink));
        self
    }

    fn tell(&self, landed: &Landed) {
        if let Some(sink) = self.0.audit.get() {
            let tell = |kind| {
                let event = AuthEvent::new(kind).with_key_set(&self.0.url);
                // A sink that panics loses what it was told and nothing else.
                let _ = catch_unwind(AssertUnwindSafe(|| sink.event(&event)));
            };
            match landed {
                Landed::Failed(detail) => tell(AuditKind::KeysFailed { detail }),
                Landed::Refreshed { skipped } => {
                    tell(AuditKind::KeysRefreshed);
                    if !skipped.is_empty() {
                        tell(AuditKind::KeysSkipped { detail: skipped });
                    }
                }
            }
        }
    }

    fn start(&self, flight: Flight) {
        let landing = Landing {
            cache: self.clone(),
            number: flight.number,
        };
        let mut request = FetchRequest::get(Arc::clone(&self.0.url), self.0.max_body_bytes)
            .with_header("accept", Secret::new("application/json"));
        if let Some(etag) = flight.etag {
            request = request.with_header("if-none-match", Secret::new(etag));
        }
        (self.0.spawn)(Box::pin(async move {
            let result = landing.cache.0.fetch.fetch_dyn(request).await;
            landing.land(&result);
        }));
    }

    async fn landed(&self, number: u64) {
        poll_fn(|cx| {
            let mut shared = self.0.shared.lock();
            if !shared.state.is_flying(number) {
                return Poll::Ready(());
            }
            if !shared
                .waiting
                .iter()
                .any(|waker| waker.will_wake(cx.waker()))
            {
                shared.waiting.push(cx.waker().clone());
            }
            Poll::Pending
        })
        .await;
    }
}

#[cfg(feature = "jwks-http")]
#[expect(
    clippy::disallowed_methods,
    reason = "owned by the cache; ends with its fetch, which the client's timeout bounds"
)]
pub(super) fn spawn_on_tokio(task: BoxFuture<'static, ()>) {
    tokio::spawn(task);
}

impl KeySource for JwksCache {
    async fn keys(&self, request: &KeyRequest) -> Result<KeySet, LookupError> {
        let wanted: Wanted = (request.algorithm, request.key_id.clone());
        let (answer, flight) = {
            let now = self.0.clock.now();
            self.0.shared.lock().state.look_up(now, &wanted)
        };
        if let Some(flight) = flight {
            self.start(flight);
        }
        let answer = match answer {
            Answer::Wait(number) => {
                self.landed(number).await;
                let now = self.0.clock.now();
                self.0.shared.lock().state.settle(now, &wanted)
            }
            other => other,
        };
        match answer {
            Answer::Keys(keys) => Ok(keys),
            Answer::Unknown => Err(LookupError::Unknown),
            Answer::Unavailable | Answer::Wait(_) => Err(LookupError::unavailable(
                "the key set of the issuer cannot be fetched",
            )),
        }
    }
}

/// Reports how a fetch ended, a failure when its task was dropped or panicked.
struct Landing {
    cache: JwksCache,
    number: u64,
}

impl Landing {
    fn land(&self, result: &Result<FetchResponse, FetchError>) {
        let now = self.cache.0.clock.now();
        let (landed, waiting) = {
            let mut shared = self.cache.0.shared.lock();
            let landed = shared.state.land(now, self.number, result);
            (landed, std::mem::take(&mut shared.waiting))
        };
        for waker in waiting {
            waker.wake();
        }
        if let Some(landed) = landed {
            self.cache.tell(&landed);
        }
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.land(&Err(FetchError::Timeout));
    }
}

/// Shows the URL only.
impl fmt::Debug for JwksCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksCache")
            .field("url", &self.0.url)
            .finish_non_exhaustive()
    }
}
