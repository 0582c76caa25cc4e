use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use serde_json::json;

use super::NOW;
use crate::base::ready::now_or_never;
use crate::jwt::{Algorithm, JwksCache, JwksOptions, KeyRequest, KeySet, KeySource, LookupError};
use crate::testing::{FakeClock, FakeFetch, Tasks, TokenMint};
use crate::{
    AuthContext, AuthEvent,
    fetch::{Fetch, FetchError, FetchRequest, FetchResponse, InsecureUrl},
};

const URL: &str = "https://id.example/jwks";

/// A cache over a scripted network, with its tasks and its time in the hands of the test.
struct Rig {
    cache: JwksCache,
    network: FakeFetch,
    tasks: Tasks,
    clock: FakeClock,
}

type Lookup<'a> = Pin<Box<dyn Future<Output = Result<KeySet, LookupError>> + Send + 'a>>;

impl Rig {
    fn new() -> Self {
        let (network, tasks, clock) = (FakeFetch::new(), Tasks::default(), FakeClock::at(NOW));
        let spawner = tasks.clone();
        let cache = JwksCache::with_options(
            URL,
            network.clone(),
            move |task| spawner.spawn(task),
            JwksOptions::default(),
            clock.clone(),
        )
        .unwrap();
        Self {
            cache,
            network,
            tasks,
            clock,
        }
    }

    /// One that holds the keys "a" already, fetched at `NOW`.
    fn warm() -> Self {
        let rig = Self::new();
        rig.network.answer(200, &set(&["a"]));
        assert_eq!(rig.ask("a"), "found");
        rig
    }

    /// Asks for a key; a fetch, if one starts, is run to its end.
    fn ask(&self, key_id: &str) -> &'static str {
        let request = wanted(key_id);
        let mut lookup: Lookup<'_> = Box::pin(self.cache.keys(&request));
        let first = poll(&mut lookup);
        self.tasks.poll();
        match first {
            Some(verdict) => verdict,
            None => poll(&mut lookup).expect("the fetch has ended"),
        }
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

fn wanted(key_id: &str) -> KeyRequest {
    KeyRequest {
        key_id: Some(key_id.into()),
        issuer: None,
        claim: None,
        algorithm: Algorithm::Es256,
        context: AuthContext::new("/"),
    }
}

/// A key set with these key ids.
fn set(ids: &[&str]) -> String {
    let keys: Vec<_> = ids
        .iter()
        .map(|id| TokenMint::new(Algorithm::Es256).key_id(id).jwk())
        .collect();
    json!({ "keys": keys }).to_string()
}

fn poll(lookup: &mut Lookup<'_>) -> Option<&'static str> {
    poll_with(lookup, Waker::noop())
}

fn poll_with(lookup: &mut Lookup<'_>, waker: &Waker) -> Option<&'static str> {
    match lookup.as_mut().poll(&mut Context::from_waker(waker)) {
        Poll::Pending => None,
        Poll::Ready(Ok(_)) => Some("found"),
        Poll::Ready(Err(LookupError::Unknown)) => Some("unknown"),
        Poll::Ready(Err(LookupError::Unavailable(_))) => Some("unavailable"),
    }
}

#[test]
fn the_first_token_fetches_and_the_next_does_not() {
    let rig = Rig::warm();
    assert_eq!(rig.ask("a"), "found");
    assert_eq!(rig.network.calls(), 1);
    let requests = rig.network.requests();
    assert_eq!(requests[0].url(), URL);
    assert_eq!(requests[0].form(), None);
}

#[test]
fn many_wait_for_one_fetch_and_all_are_woken() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let rig = Rig::new();
    rig.network.hold();
    rig.network.answer(200, &set(&["a"]));
    let request = wanted("a");
    let counts: Vec<_> = (0..50)
        .map(|_| Arc::new(Count(AtomicUsize::new(0))))
        .collect();
    let mut lookups: Vec<Lookup<'_>> = counts
        .iter()
        .map(|_| Box::pin(rig.cache.keys(&request)) as Lookup<'_>)
        .collect();
    for (lookup, count) in lookups.iter_mut().zip(&counts) {
        assert_eq!(poll_with(lookup, &Waker::from(Arc::clone(count))), None);
    }
    rig.tasks.poll();
    assert!(
        counts
            .iter()
            .all(|count| count.0.load(Ordering::SeqCst) == 0)
    );
    rig.network.release();
    rig.tasks.poll();
    assert!(
        counts
            .iter()
            .all(|count| count.0.load(Ordering::SeqCst) == 1)
    );
    for lookup in &mut lookups {
        assert_eq!(poll(lookup), Some("found"));
    }
    assert_eq!(rig.network.calls(), 1);
    assert!(rig.tasks.is_empty());
}

#[test]
fn row_29_a_flood_of_unknown_key_ids_causes_one_fetch() {
    let rig = Rig::warm();
    rig.wait(30);
    rig.network.answer(200, &set(&["a"]));
    for number in 0..2000 {
        assert_eq!(rig.ask(&format!("unknown-{number}")), "unknown");
    }
    assert_eq!(rig.network.calls(), 2);
    assert_eq!(rig.ask("a"), "found");
}

/// A key set with a key of another kind that has no id, and these.
fn set_with_nameless(ids: &[&str]) -> String {
    let nameless = TokenMint::stranger(Algorithm::Es256).jwk();
    let mut nameless = nameless.as_object().unwrap().clone();
    nameless.remove("kid");
    let nameless = serde_json::Value::from(nameless).to_string();
    set(ids).replace(
        "\"keys\":[",
        &format!(
            "\"keys\":[{nameless}{}",
            if ids.is_empty() { "" } else { "," }
        ),
    )
}

#[test]
fn a_key_without_an_id_does_not_hide_one_that_is_published_later() {
    let rig = Rig::new();
    let found = |key_id: &str| {
        let request = wanted(key_id);
        assert_eq!(rig.ask(key_id), "found");
        let keys = now_or_never(rig.cache.keys(&request)).unwrap().unwrap();
        (rig.network.calls(), keys.len())
    };
    rig.network.answer(200, &set_with_nameless(&[]));
    assert_eq!(found("b"), (1, 1), "it may be that one");
    rig.network.answer(200, &set_with_nameless(&["b"]));
    rig.wait(29);
    assert_eq!(found("b"), (1, 1), "not so soon");
    rig.wait(1);
    assert_eq!(found("b"), (2, 2));
    rig.wait(30);
    rig.network.fail();
    assert_eq!(found("c"), (3, 2), "the ones at hand serve");
    rig.wait(30);
    rig.network.hold();
    let request = wanted("c");
    let mut lookup: Lookup<'_> = Box::pin(rig.cache.keys(&request));
    assert_eq!(poll(&mut lookup), Some("found"), "without waiting");
}

#[test]
fn a_key_that_is_published_late_is_found_half_a_minute_later() {
    let rig = Rig::warm();
    rig.wait(30);
    rig.network.answer(200, &set(&["a"]));
    assert_eq!(rig.ask("b"), "unknown");
    rig.network.answer(200, &set(&["a", "b"]));
    rig.wait(30);
    assert_eq!(rig.ask("b"), "found");
}

#[test]
fn a_key_id_known_to_be_absent_is_not_asked_for_again_for_a_while() {
    let rig = Rig::warm();
    rig.wait(30);
    rig.network.answer(200, &set(&["a"]));
    assert_eq!(rig.ask("b"), "unknown");
    rig.wait(29);
    assert_eq!(rig.ask("b"), "unknown");
    assert_eq!(rig.network.calls(), 2);
    rig.wait(1);
    rig.network.answer(200, &set(&["a", "b"]));
    assert_eq!(rig.ask("b"), "found");
    assert_eq!(rig.network.calls(), 3);
}

#[test]
fn an_unknown_key_id_fetches_only_when_the_interval_has_passed() {
    let rig = Rig::warm();
    rig.wait(29);
    assert_eq!(rig.ask("b"), "unknown");
    assert_eq!(rig.network.calls(), 1);
    rig.wait(1);
    rig.network.answer(200, &set(&["a", "b"]));
    assert_eq!(rig.ask("b"), "found");
}

#[test]
fn row_30_stale_keys_serve_through_an_outage() {
    let rig = Rig::warm();
    // Fresh for 600 s, then up to 24 h more.
    rig.wait(600);
    assert_eq!(rig.ask("a"), "found");
    assert_eq!(rig.network.calls(), 2, "refreshed behind");
    rig.wait(29);
    assert_eq!(rig.ask("a"), "found");
    assert_eq!(rig.network.calls(), 2, "a failure is not repeated at once");
    rig.clock.set(NOW + 600 + 24 * 3600 - 1);
    assert_eq!(rig.ask("a"), "found");
    rig.clock.set(NOW + 600 + 24 * 3600);
    assert_eq!(rig.ask("a"), "unavailable");
    rig.wait(30);
    rig.network.answer(200, &set(&["a"]));
    assert_eq!(rig.ask("a"), "found");
}

#[test]
fn keys_are_refreshed_behind_before_they_are_stale() {
    let rig = Rig::warm();
    rig.network.answer(200, &set(&["b"]));
    rig.wait(449);
    assert_eq!(rig.ask("a"), "found");
    assert_eq!(rig.network.calls(), 1, "before three quarters of the time");
    rig.wait(151);
    assert_eq!(rig.ask("a"), "found");
    assert_eq!(rig.network.calls(), 2);
    assert_eq!(rig.ask("a"), "unknown", "the issuer withdrew it");
    assert_eq!(rig.ask("b"), "found");
}

#[test]
fn an_unknown_key_during_an_outage_is_no_verdict() {
    let rig = Rig::warm();
    rig.wait(30);
    rig.network.fail();
    assert_eq!(rig.ask("b"), "unavailable");
    assert_eq!(rig.ask("b"), "unavailable");
    assert_eq!(rig.ask("a"), "found");
    rig.wait(30);
    rig.network.answer(200, &set(&["a", "b"]));
    assert_eq!(
        rig.ask("b"),
        "found",
        "the failure was not remembered as absence"
    );
}

#[test]
fn an_etag_is_sent_back_and_not_modified_keeps_the_keys() {
    let rig = Rig::new();
    let first = FetchResponse::new(200, set(&["a"]).into_bytes())
        .with_header("ETag", "\"v1\"")
        .with_header("Cache-Control", "public, max-age=100");
    rig.network.answer_with(first);
    assert_eq!(rig.ask("a"), "found");
    rig.wait(100);
    rig.network.answer(304, "");
    assert_eq!(rig.ask("a"), "found");
    let sent = rig.network.requests();
    let etag = |request: &FetchRequest| {
        let found = request.headers().find(|(name, _)| *name == "if-none-match");
        found.map(|(_, value)| value.to_owned())
    };
    assert_eq!(etag(&sent[0]), None);
    assert_eq!(etag(&sent[1]).as_deref(), Some("\"v1\""));
    // No max-age this time: the default of ten minutes.
    rig.wait(449);
    assert_eq!(rig.ask("a"), "found");
    assert_eq!(rig.network.calls(), 2);
}

#[test]
fn max_age_is_kept_within_its_bounds() {
    for (header, fresh) in [
        ("max-age=0", 60),
        ("no-store, max-age=500", 60),
        ("no-cache", 60),
        ("MAX-AGE=\"400\"", 400),
        ("max-age=99999999999999999999", 600),
        ("max-age=31536000", 24 * 3600),
        ("nonsense", 600),
    ] {
        let rig = Rig::new();
        let response = FetchResponse::new(200, set(&["a"]).into_bytes());
        rig.network
            .answer_with(response.with_header("cache-control", header));
        assert_eq!(rig.ask("a"), "found");
        rig.wait(fresh * 3 / 4 - 1);
        assert_eq!(rig.ask("a"), "found");
        assert_eq!(rig.network.calls(), 1, "{header}");
        rig.wait(fresh / 4 + 1);
        assert_eq!(rig.ask("a"), "found");
        assert_eq!(rig.network.calls(), 2, "{header}");
    }
}

#[test]
fn what_is_no_key_set_replaces_nothing() {
    let rig = Rig::warm();
    let many: Vec<_> = (0..65).map(|n| format!("k{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let padded = |length: usize| {
        let body = set(&["b"]);
        format!("{body}{}", " ".repeat(length - body.len()))
    };
    for (status, body) in [
        (200, "<html>".to_owned()),
        (200, r#"{"keys":[]}"#.to_owned()),
        (200, r#"{"keys":[],"keys":[]}"#.to_owned()),
        (200, set(&many)),
        (200, padded(256 * 1024 + 1)),
        (404, set(&["b"])),
        (302, set(&["b"])),
        (500, set(&["b"])),
    ] {
        rig.wait(30);
        rig.network.answer(status, &body);
        assert_eq!(rig.ask("b"), "unavailable", "{status}");
        assert_eq!(rig.ask("a"), "found");
    }
    rig.wait(30);
    rig.network.answer(200, &padded(256 * 1024));
    assert_eq!(rig.ask("b"), "found");
}

#[test]
fn a_client_that_leaves_cancels_nothing() {
    let rig = Rig::new();
    rig.network.hold();
    rig.network.answer(200, &set(&["a"]));
    let request = wanted("a");
    let mut leaving: Lookup<'_> = Box::pin(rig.cache.keys(&request));
    assert_eq!(poll(&mut leaving), None);
    drop(leaving);
    rig.network.release();
    rig.tasks.poll();
    assert_eq!(rig.ask("a"), "found");
    assert_eq!(rig.network.calls(), 1);
}

#[test]
fn a_task_that_is_dropped_counts_as_a_failure() {
    let rig = Rig::new();
    rig.network.hold();
    let request = wanted("a");
    let mut lookup: Lookup<'_> = Box::pin(rig.cache.keys(&request));
    assert_eq!(poll(&mut lookup), None);
    rig.tasks.poll();
    rig.tasks.abort();
    assert_eq!(poll(&mut lookup), Some("unavailable"));
}

#[test]
fn a_fetch_that_hangs_is_given_up_and_its_late_answer_ignored() {
    let rig = Rig::new();
    rig.network.hold();
    let request = wanted("a");
    let mut first: Lookup<'_> = Box::pin(rig.cache.keys(&request));
    assert_eq!(poll(&mut first), None);
    rig.tasks.poll();
    rig.wait(30);
    let mut second: Lookup<'_> = Box::pin(rig.cache.keys(&request));
    assert_eq!(poll(&mut second), None);
    rig.tasks.poll();
    assert_eq!(rig.network.calls(), 2);
    // The first task takes the first answer, which is the withdrawn key.
    rig.network.answer(200, &set(&["withdrawn"]));
    rig.network.answer(200, &set(&["a"]));
    rig.network.release();
    rig.tasks.poll();
    assert_eq!(poll(&mut second), Some("found"));
    assert_eq!(rig.ask("withdrawn"), "unknown");
}

#[test]
fn a_clock_that_goes_back_keeps_no_key_alive() {
    let rig = Rig::warm();
    rig.clock.set(NOW - 1_000_000);
    rig.network.fail();
    assert_eq!(rig.ask("a"), "unavailable");
}

#[test]
fn row_31_only_a_safe_url_is_accepted() {
    struct Never;
    impl Fetch for Never {
        fn fetch(
            &self,
            _: FetchRequest,
        ) -> impl Future<Output = Result<FetchResponse, FetchError>> + Send {
            ready(Err(FetchError::Timeout))
        }
    }
    let error = JwksCache::new("http://id.example/jwks", Never, drop).unwrap_err();
    assert_eq!(error, InsecureUrl);
    let options = JwksOptions {
        insecure_allow_http: true,
        ..JwksOptions::default()
    };
    let with = |url| {
        let (fetch, options) = (FakeFetch::new(), options.clone());
        JwksCache::with_options(url, fetch, drop, options, FakeClock::at(NOW))
    };
    assert!(with("http://keys.default.svc/jwks").is_ok());
    assert!(with("ftp://keys.default.svc/jwks").is_err());
}

#[test]
fn the_books_tell_how_every_fetch_ended_once() {
    let rig = Rig::new();
    let lines = Arc::new(std::sync::Mutex::new(Vec::new()));
    let books = Arc::clone(&lines);
    let cache = rig.cache.clone().with_audit(move |event: &AuthEvent<'_>| {
        books.lock().unwrap().push(event.to_string());
        panic!("a sink that fails");
    });
    let rig = Rig { cache, ..rig };
    let with_foreign = set(&["a"]).replace("[{", r#"[{"kty":"EC","crv":"P-192","kid":"old"},{"#);
    for (status, body) in [
        (503, String::new()),
        (200, "[]".into()),
        (200, with_foreign.clone()),
    ] {
        rig.network.answer(status, &body);
        rig.ask("a");
        rig.wait(31);
    }
    rig.wait(60 * 60);
    rig.network.answer(200, &with_foreign);
    assert_eq!(rig.ask("a"), "found");
    rig.wait(60 * 60);
    rig.network.fail();
    assert_eq!(rig.ask("a"), "found", "the old ones serve");
    let told = lines.lock().unwrap().clone();
    let failed = |detail| format!("auth keys_failed detail=\"{detail}\" key_set=\"{URL}\"");
    let refreshed = format!("auth keys_refreshed key_set=\"{URL}\"");
    let foreign = r#"key "old": its curve "P-192" is not supported"#;
    assert_eq!(
        told,
        [
            failed("the status is 503"),
            failed("the answer is no key set: the key cannot be read"),
            refreshed.clone(),
            format!("auth keys_skipped detail={foreign:?} key_set=\"{URL}\""),
            refreshed,
            failed("no answer came in time"),
        ]
    );
}
