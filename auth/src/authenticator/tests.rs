use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use crate::base::ready::now_or_never;
use crate::testing::FakeClock;
use crate::{
    AuthContext, Authenticator, Code, Credential, DynAuthenticator, Grant, Outcome, SourceKind,
    auth_fn,
    combinators::{any_of, by_issuer},
    revocation::{MemoryRevocations, Revocation},
};

fn accepts(token: &'static str) -> impl Authenticator<Identity = String> {
    auth_fn(move |_cx, credential: Credential| async move {
        if credential.token() == token {
            Outcome::Accept(Grant::new(token.to_owned(), token))
        } else if credential.token() == "bad" {
            Outcome::Reject(Code::InvalidToken.into())
        } else {
            Outcome::NotMine
        }
    })
}

fn ask<A: Authenticator>(authenticator: &A, token: &str) -> Outcome<A::Identity> {
    let credential = Credential::new(token, SourceKind::Payload);
    now_or_never(authenticator.authenticate(&AuthContext::new("/"), &credential))
        .expect("these authenticators do not wait")
}

fn subject<I>(outcome: &Outcome<I>) -> &str {
    match outcome {
        Outcome::Accept(grant) => grant.subject().id(),
        Outcome::NotMine => "not mine",
        Outcome::Reject(rejection) => rejection.code().as_str(),
    }
}

#[test]
fn the_second_is_asked_only_about_what_is_not_the_firsts() {
    let both = accepts("a").or(accepts("b"));
    assert_eq!(subject(&ask(&both, "a")), "a");
    assert_eq!(subject(&ask(&both, "b")), "b");
    assert_eq!(subject(&ask(&both, "c")), "not mine");
    assert_eq!(subject(&ask(&both, "bad")), "invalid_token");
    let second_would_accept = accepts("a").or(accepts("bad"));
    assert_eq!(subject(&ask(&second_would_accept, "bad")), "invalid_token");
}

#[test]
fn any_of_stops_at_the_first_decision() {
    let list: [Arc<dyn DynAuthenticator<String>>; 2] =
        [Arc::new(accepts("a")), Arc::new(accepts("b"))];
    let any = any_of(list);
    assert_eq!(subject(&ask(&any, "b")), "b");
    assert_eq!(subject(&ask(&any, "c")), "not mine");
}

#[test]
fn a_check_may_refuse_or_replace_the_identity() {
    let checked = accepts("a").check(|grant: Grant<String>| async move {
        if grant.subject().id() == "a" {
            Ok(grant.map(|name| name.len()))
        } else {
            Err(Code::TokenRevoked.into())
        }
    });
    assert!(matches!(ask(&checked, "a"), Outcome::Accept(grant) if *grant.identity() == 1));
    let refusing = accepts("a")
        .map_identity(|name| name.len())
        .check(|_| async { Err::<Grant<()>, _>(Code::TokenRevoked.into()) });
    assert_eq!(subject(&ask(&refusing, "a")), "token_revoked");
    assert_eq!(subject(&ask(&refusing, "c")), "not mine");
}

/// Counts how often the authenticator inside is asked.
#[derive(Clone, Default)]
struct Counter(Arc<AtomicU32>);

impl Counter {
    fn asked(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Accepts everything but `bad`, until 100 s, as issued at 10 s.
    fn authenticator(&self) -> impl Authenticator<Identity = u32> + use<> {
        let counter = self.clone();
        auth_fn(move |_cx, credential: Credential| {
            let asked = counter.0.fetch_add(1, Ordering::Relaxed) + 1;
            async move {
                if credential.token() == "bad" {
                    return Outcome::Reject(Code::InvalidToken.into());
                }
                Outcome::Accept(
                    Grant::new(asked, "ann")
                        .with_issued_at(UNIX_EPOCH + Duration::from_secs(10))
                        .with_expires_at(UNIX_EPOCH + Duration::from_secs(100)),
                )
            }
        })
    }
}

#[test]
fn a_revoked_grant_is_refused_wherever_the_list_is_attached() {
    let list = MemoryRevocations::new();
    let guarded = accepts("a").with_revocation(list.clone());
    assert_eq!(subject(&ask(&guarded, "a")), "a");
    let at = UNIX_EPOCH + Duration::from_secs(5);
    list.revoke(&Revocation::subject("a", at)).expect("room");
    assert_eq!(subject(&ask(&guarded, "a")), "token_revoked");
    assert_eq!(subject(&ask(&guarded, "c")), "not mine");
    let dynamic: [Arc<dyn DynAuthenticator<String>>; 1] = [Arc::new(guarded)];
    let deep = Arc::new(any_of(dynamic).or(accepts("b")))
        .map_identity(|name| name.len())
        .check(|grant| async move { Ok(grant) })
        .max_concurrent(9)
        .timeout(Duration::MAX, |_| std::future::pending())
        .cached(Duration::MAX, 9);
    let mut seen = 0;
    deep.revocations(&mut |_| seen += 1);
    assert_eq!(seen, 1, "every combinator passes lists on");
    assert_eq!(subject(&ask(&deep, "a")), "token_revoked");
}

#[test]
fn row_38_a_cached_token_is_not_verified_again_until_the_ttl_or_its_end() {
    let (clock, counter) = (FakeClock::at(20), Counter::default());
    let minute = Duration::from_secs(60);
    let cached = counter
        .authenticator()
        .cached(10 * minute, 9)
        .clock(clock.clone());
    for _ in 0..3 {
        assert_eq!(subject(&ask(&cached, "t")), "ann");
    }
    assert_eq!(counter.asked(), 1);
    clock.advance(minute - Duration::from_secs(1));
    ask(&cached, "t");
    assert_eq!(counter.asked(), 1, "the ttl is at most 60 s");
    clock.advance(Duration::from_secs(1));
    ask(&cached, "t");
    assert_eq!(counter.asked(), 2);
    clock.advance(Duration::from_secs(19));
    ask(&cached, "t");
    assert_eq!(counter.asked(), 2);
    clock.advance(Duration::from_secs(1));
    ask(&cached, "t");
    assert_eq!(counter.asked(), 3, "the token ended at 100 s");
    clock.set(0);
    ask(&cached, "t");
    assert_eq!(counter.asked(), 4, "kept in the future is not kept");
}

#[test]
fn row_38_revocation_is_asked_on_every_use_of_a_cached_token() {
    let (list, counter) = (MemoryRevocations::new(), Counter::default());
    let inside = counter
        .authenticator()
        .with_revocation(list.clone())
        .cached(Duration::from_secs(9), 9)
        .clock(FakeClock::at(20));
    let outside = counter
        .authenticator()
        .cached(Duration::from_secs(9), 9)
        .clock(FakeClock::at(20))
        .with_revocation(list.clone());
    assert_eq!(subject(&ask(&inside, "t")), "ann");
    assert_eq!(subject(&ask(&outside, "t")), "ann");
    let at = UNIX_EPOCH + Duration::from_secs(10);
    list.revoke(&Revocation::subject("ann", at)).expect("room");
    assert_eq!(subject(&ask(&inside, "t")), "token_revoked");
    assert_eq!(subject(&ask(&outside, "t")), "token_revoked");
}

#[test]
fn refusals_other_namespaces_and_other_tokens_are_not_answered_from_the_cache() {
    let counter = Counter::default();
    let cached = counter
        .authenticator()
        .cached(Duration::from_secs(9), 2)
        .clock(FakeClock::at(20));
    ask(&cached, "bad");
    ask(&cached, "bad");
    assert_eq!(counter.asked(), 2);
    ask(&cached, "t");
    let credential = Credential::new("t", SourceKind::Payload);
    now_or_never(cached.authenticate(&AuthContext::new("/b"), &credential)).expect("ready");
    assert_eq!(counter.asked(), 4);
    for token in ["u", "v", "w"] {
        ask(&cached, token);
    }
    ask(&cached, "t");
    assert_eq!(counter.asked(), 8, "two entries at most");
}

#[test]
fn a_verdict_about_one_connection_is_not_kept() {
    let counter = Counter::default();
    let inner = Arc::new(counter.authenticator());
    let cached = auth_fn(move |cx: AuthContext, credential: Credential| {
        let inner = Arc::clone(&inner);
        async move {
            let _ = cx.binding();
            inner.authenticate(&cx, &credential).await
        }
    })
    .cached(Duration::from_secs(9), 9)
    .clock(FakeClock::at(20))
    .cached(Duration::from_secs(9), 9)
    .clock(FakeClock::at(20));
    ask(&cached, "t");
    ask(&cached, "t");
    assert_eq!(counter.asked(), 2);
}

#[test]
fn a_slow_member_is_given_up_and_a_quick_one_is_not() {
    let hanging = auth_fn(|_, _| std::future::pending::<Outcome<String>>());
    let at_once = |_| std::future::ready(());
    let slow = hanging.timeout(Duration::from_secs(1), at_once);
    assert_eq!(subject(&ask(&slow, "a")), "auth_unavailable");
    let quick = accepts("a").timeout(Duration::ZERO, at_once);
    assert_eq!(subject(&ask(&quick, "a")), "a");
}

#[test]
fn one_verification_too_many_is_refused_and_a_dropped_one_makes_room() {
    let hanging = auth_fn(|_, _| std::future::pending::<Outcome<String>>()).max_concurrent(1);
    let (cx, credential) = (
        AuthContext::new("/"),
        Credential::new("a", SourceKind::Event),
    );
    {
        let mut running = std::pin::pin!(hanging.authenticate(&cx, &credential));
        let mut task = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(running.as_mut().poll(&mut task).is_pending());
        let same_bound = hanging.clone();
        let outcome = now_or_never(same_bound.authenticate(&cx, &credential)).expect("at once");
        assert_eq!(subject(&outcome), "auth_unavailable");
    }
    assert!(now_or_never(hanging.authenticate(&cx, &credential)).is_none());
}

/// A token in the compact form, unsigned.
fn compact(payload: &str) -> String {
    use base64::Engine as _;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(payload);
    format!("e30.{payload}.c2ln")
}

#[test]
fn the_issuer_chooses_the_authenticator_and_is_vouched_for() {
    let of = |issuer: Option<&'static str>| {
        auth_fn(move |_cx, _credential| async move {
            let grant = Grant::new((), issuer.unwrap_or("none"));
            Outcome::Accept(match issuer {
                Some(issuer) => grant.with_issuer(issuer),
                None => grant,
            })
        })
    };
    let routed = by_issuer()
        .issuer("a", of(Some("a")))
        .issuer("b", of(Some("a")))
        .issuer("c", of(None));
    for (payload, expected) in [
        (r#"{"iss":"a"}"#, "a"),
        (r#"{"iss":"b"}"#, "invalid_token"),
        (r#"{"iss":"c"}"#, "invalid_token"),
        (r#"{"iss":"d"}"#, "not mine"),
        (r#"{"iss":["a"]}"#, "not mine"),
        (r#"{"iss":"a","iss":"a"}"#, "not mine"),
        ("{}", "not mine"),
    ] {
        let outcome = ask(&routed, &compact(payload));
        assert_eq!(subject(&outcome), expected, "{payload}");
    }
    assert_eq!(subject(&ask(&routed, "an-api-key")), "not mine");
    let padded = |len: usize| {
        let token = compact(r#"{"iss":"a"}"#);
        format!("{token}{}", "x".repeat(len - token.len()))
    };
    assert_eq!(subject(&ask(&routed, &padded(64 * 1024))), "a");
    assert_eq!(subject(&ask(&routed, &padded(64 * 1024 + 1))), "not mine");
}
