use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::{NOW, granted, verdict};
use crate::jwt::{
    Algorithm, Issuer, JwtAuthenticator, JwtBuildError, JwtBuilder, KeyRequest, KeySet,
    LookupError, VerifyingKey,
};
use crate::testing::{FakeClock, TokenMint};
use crate::{
    Authenticator as _, Clock as _,
    revocation::{MemoryRevocations, Revocation},
};

fn mint(issuer: &str) -> TokenMint {
    TokenMint::new(Algorithm::Es256)
        .issuer(issuer)
        .clock(FakeClock::at(NOW))
}

fn stranger(issuer: &str) -> TokenMint {
    TokenMint::stranger(Algorithm::Es256)
        .issuer(issuer)
        .clock(FakeClock::at(NOW))
}

fn builder() -> JwtBuilder<Value> {
    JwtAuthenticator::builder()
        .any_audience()
        .clock(FakeClock::at(NOW))
}

#[test]
fn every_issuer_has_its_own_keys() {
    let (a, b) = (mint("a"), stranger("b"));
    let jwt = builder()
        .issuer(Issuer::new("a").key(a.verifying_key()))
        .issuer(Issuer::new("b").jwks(&b.jwks()))
        .build()
        .unwrap();
    assert_eq!(verdict(&jwt, &a.token("ann").sign()), "ok");
    assert_eq!(verdict(&jwt, &b.token("ann").sign()), "ok");
    assert_eq!(
        verdict(&jwt, &mint("b").token("ann").sign()),
        "invalid_token"
    );
    assert_eq!(
        verdict(&jwt, &stranger("a").token("ann").sign()),
        "invalid_token"
    );
    assert_eq!(verdict(&jwt, &mint("c").token("ann").sign()), "not mine");
    let nameless = a.token("ann").without_claim("iss").sign();
    assert_eq!(verdict(&jwt, &nameless), "invalid_token");
    let twice = a.token("ann").duplicate_claim("iss", "b").sign();
    assert_eq!(verdict(&jwt, &twice), "invalid_token");
}

#[test]
fn a_revoked_subject_of_one_issuer_is_nobody_of_another() {
    let (a, b) = (mint("a"), stranger("b"));
    let list = MemoryRevocations::with_clock(9, Duration::from_secs(9), FakeClock::at(NOW));
    let jwt = builder()
        .issuer(Issuer::new("a").key(a.verifying_key()))
        .issuer(Issuer::new("b").jwks(&b.jwks()))
        .build()
        .unwrap();
    let ann = granted(&jwt, &a.token("ann").sign());
    let jwt = jwt.with_revocation(list.clone());
    let now = FakeClock::at(NOW).now();
    list.revoke(&Revocation::subject(ann.subject(), now))
        .unwrap();
    assert_eq!(verdict(&jwt, &a.token("ann").sign()), "token_revoked");
    assert_eq!(verdict(&jwt, &b.token("ann").sign()), "ok");
    list.revoke(&Revocation::subject("ann", now)).unwrap();
    assert_eq!(verdict(&jwt, &b.token("ann").sign()), "token_revoked");
}

#[test]
fn a_token_of_a_clock_that_is_ahead_does_not_survive_the_logout() {
    let now = FakeClock::at(NOW);
    let list = MemoryRevocations::with_clock(9, Duration::from_secs(9), now.clone());
    let jwt = builder().any_issuer().key(mint("a").verifying_key());
    let jwt = jwt.build().unwrap().with_revocation(list.clone());
    let issued_at = |at: u64| mint("a").token("ann").claim("iat", at).sign();
    assert_eq!(verdict(&jwt, &issued_at(NOW + 20)), "ok");
    list.revoke(&Revocation::subject("ann", now.now())).unwrap();
    assert_eq!(verdict(&jwt, &issued_at(NOW + 20)), "token_revoked");
    assert_eq!(verdict(&jwt, &issued_at(NOW + 30)), "token_revoked");
    let exact = builder().any_issuer().key(mint("a").verifying_key());
    let exact = exact.leeway(Duration::ZERO).clock(FakeClock::at(NOW + 60));
    let exact = exact.build().unwrap().with_revocation(list);
    assert_eq!(verdict(&exact, &issued_at(NOW)), "token_revoked");
    assert_eq!(verdict(&exact, &issued_at(NOW + 1)), "ok");
}

#[test]
fn an_issuer_whose_keys_cannot_be_had_takes_nobody_elses_away() {
    let down = |_: KeyRequest| async {
        Err::<KeySet, _>(LookupError::unavailable("the issuer does not answer"))
    };
    let jwt = builder()
        .issuer(
            Issuer::new("down")
                .key_source(down)
                .algorithms([Algorithm::Es256]),
        )
        .issuer(Issuer::new("up").key(mint("up").verifying_key()))
        .build()
        .unwrap();
    let of = |issuer| mint(issuer).token("ann").sign();
    assert_eq!(verdict(&jwt, &of("down")), "auth_unavailable");
    assert_eq!(verdict(&jwt, &of("up")), "ok");
}

#[test]
fn an_issuer_with_own_keys_is_not_impersonated_by_any_issuer() {
    let jwt = builder()
        .key(stranger("").verifying_key())
        .any_issuer()
        .issuer(Issuer::new("a").key(mint("a").verifying_key()))
        .build()
        .unwrap();
    assert_eq!(verdict(&jwt, &mint("a").token("ann").sign()), "ok");
    assert_eq!(verdict(&jwt, &stranger("x").token("ann").sign()), "ok");
    let nameless = stranger("x").token("ann").without_claim("iss").sign();
    assert_eq!(verdict(&jwt, &nameless), "ok");
    assert_eq!(
        verdict(&jwt, &stranger("a").token("ann").sign()),
        "invalid_token"
    );
    assert_eq!(
        verdict(&jwt, &mint("x").token("ann").sign()),
        "invalid_token"
    );
}

#[test]
fn issuers_without_own_keys_share_the_builders() {
    let jwt = builder()
        .key(mint("").verifying_key())
        .issuer("a")
        .issuer("b")
        .build()
        .unwrap();
    for (issuer, expected) in [("a", "ok"), ("b", "ok"), ("c", "not mine")] {
        assert_eq!(verdict(&jwt, &mint(issuer).token("ann").sign()), expected);
    }
}

#[test]
fn an_issuer_accepts_its_own_algorithms_only() {
    let jwt = builder()
        .issuer(
            Issuer::new("a")
                .key(mint("a").verifying_key())
                .key(TokenMint::new(Algorithm::EdDsa).verifying_key())
                .algorithms([Algorithm::EdDsa]),
        )
        .build()
        .unwrap();
    assert_eq!(
        verdict(&jwt, &mint("a").token("ann").sign()),
        "invalid_token"
    );
    let other = TokenMint::new(Algorithm::EdDsa)
        .issuer("a")
        .clock(FakeClock::at(NOW));
    assert_eq!(verdict(&jwt, &other.token("ann").sign()), "ok");
}

#[test]
fn contradictory_issuers_do_not_build() {
    let key = || mint("").verifying_key();
    let error = |builder: JwtBuilder<Value>| builder.build().unwrap_err();
    assert_eq!(error(builder().issuer("a")), JwtBuildError::NoKey);
    assert_eq!(
        error(builder().key(key()).issuer(Issuer::new("a").key(key()))),
        JwtBuildError::UnusedKey
    );
    assert_eq!(
        error(builder().key(key()).issuer("a").issuer("a")),
        JwtBuildError::DuplicateIssuer
    );
    assert_eq!(
        error(builder().issuer(Issuer::new("a").key(key())).issuer("b")),
        JwtBuildError::NoKey
    );
    let empty = error(builder().issuer(Issuer::new("a").jwks("{}")));
    assert_eq!(
        empty.to_string(),
        "a key was refused: the key set has no usable key: a key without kid: it has no kty"
    );
}

#[test]
fn a_key_source_sees_what_the_token_names_and_nothing_else() {
    let signer = mint("a").key_id("k1");
    let key = signer.verifying_key();
    let jwt = builder()
        .any_issuer()
        .key_source(move |request: KeyRequest| {
            assert_eq!(request.issuer(), Some("a"));
            assert_eq!(request.algorithm(), Algorithm::Es256);
            assert_eq!(request.context().namespace(), "/");
            let found = (request.key_id() == Some("k1")).then(|| key.clone());
            async move { found.ok_or(LookupError::Unknown) }
        })
        .build()
        .unwrap();
    assert_eq!(verdict(&jwt, &signer.token("ann").sign()), "ok");
    assert_eq!(
        verdict(&jwt, &mint("a").key_id("k2").token("ann").sign()),
        "invalid_token"
    );
}

#[test]
fn a_key_source_that_fails_is_no_verdict_on_the_token() {
    let jwt = builder()
        .any_issuer()
        .key_source(|_: KeyRequest| async {
            Err::<KeySet, _>(LookupError::unavailable("db at 10.0.0.7 is down"))
        })
        .build()
        .unwrap();
    assert_eq!(
        verdict(&jwt, &mint("a").token("ann").sign()),
        "auth_unavailable"
    );
}

#[test]
fn a_key_source_is_asked_only_for_well_formed_tokens_of_known_issuers() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let source = move |_: KeyRequest| {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Err::<VerifyingKey, _>(LookupError::Unknown) }
    };
    let fixed = stranger("a").key_id("fixed");
    let jwt = builder()
        .issuer(
            Issuer::new("a")
                .key(fixed.verifying_key())
                .key_source(source)
                .algorithms([Algorithm::Es256]),
        )
        .build()
        .unwrap();
    let signer = mint("a").key_id("k");
    let token = signer.token("ann");
    for garbage in [
        mint("b").token("ann").sign(),
        token.clone().unsigned("none"),
        token.clone().header("crit", json!(["x"])).sign(),
        token.clone().header("kid", "k\r\nx").sign(),
        token.clone().sign_naming(Algorithm::Rs256),
        token.clone().claim("pad", "x".repeat(8192)).sign(),
        token.clone().duplicate_claim("iss", "a").sign(),
        "a.b.c".to_owned(),
        fixed.token("ann").sign_wrongly(),
    ] {
        assert_ne!(verdict(&jwt, &garbage), "ok");
    }
    assert_eq!(verdict(&jwt, &fixed.token("ann").sign()), "ok");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert_eq!(verdict(&jwt, &token.sign()), "invalid_token");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn four_keys_are_tried_for_a_token_without_kid_and_not_five() {
    let good = mint("a").verifying_key();
    let wrong = stranger("a").verifying_key();
    for (before, expected) in [(3, "ok"), (4, "invalid_token")] {
        let mut builder = builder().issuer("a");
        for _ in 0..before {
            builder = builder.key(wrong.clone());
        }
        let jwt = builder.key(good.clone()).build().unwrap();
        assert_eq!(
            verdict(&jwt, &mint("a").token("ann").sign()),
            expected,
            "{before}"
        );
    }
}

#[test]
fn the_grant_names_the_key_that_verified() {
    let signer = mint("a").key_id("k1");
    let jwt = builder()
        .issuer("a")
        .key(signer.verifying_key())
        .build()
        .unwrap();
    let grant = granted(&jwt, &signer.token("ann").sign());
    assert_eq!(grant.facts().key_id(), Some("k1"));
    let unnamed = granted(&jwt, &mint("a").token("ann").sign());
    assert_eq!(unnamed.facts().key_id(), Some("k1"));
    let chained = jwt.clone().or(jwt);
    assert_eq!(verdict(&chained, &signer.token("ann").sign()), "ok");
}

#[test]
fn the_key_of_the_very_id_is_tried_before_those_that_have_none() {
    let signer = mint("a").key_id("k1");
    let foreign = stranger("a").jwk();
    let mut foreign = foreign.as_object().unwrap().clone();
    foreign.remove("kid");
    let foreign = Value::from(foreign);
    let set = json!({ "keys": [foreign, foreign, foreign, foreign, signer.jwk()] }).to_string();
    let jwt = builder().any_issuer().jwks(&set).build().unwrap();
    assert_eq!(verdict(&jwt, &signer.token("ann").sign()), "ok");
}

#[test]
fn a_fixed_key_without_an_id_does_not_hide_those_of_the_source() {
    let signer = mint("a").key_id("k1");
    let key = signer.verifying_key();
    let mut fixed = stranger("a").jwk();
    fixed.as_object_mut().unwrap().remove("kid");
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let jwt = builder()
        .any_issuer()
        .jwks(&fixed.to_string())
        .key_source(move |_: KeyRequest| {
            count.fetch_add(1, Ordering::SeqCst);
            let key = key.clone();
            async move { Ok::<_, LookupError>(key) }
        })
        .build()
        .unwrap();
    assert_eq!(verdict(&jwt, &signer.token("ann").sign()), "ok");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let of_the_fixed = stranger("a").token("ann").without_header("kid").sign();
    assert_eq!(verdict(&jwt, &of_the_fixed), "ok");
    assert_eq!(asked.load(Ordering::SeqCst), 1, "not for what verifies");
}

#[test]
fn a_source_may_choose_the_key_by_one_claim() {
    let secret = |tenant: &str| format!("the secret of the tenant called {tenant}").into_bytes();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let jwt = builder()
        .any_issuer()
        .key_claim("tenant")
        .key_source(move |token: KeyRequest| {
            let tenant = token.claim().map(str::to_owned);
            seen.lock().unwrap().push(tenant.clone());
            async move {
                let secret = secret(&tenant.ok_or(LookupError::Unknown)?);
                VerifyingKey::hmac(Algorithm::Hs256, &secret).map_err(|_| LookupError::Unknown)
            }
        })
        .build()
        .unwrap();
    let signed = |tenant: Value, by: &str| {
        let mut claims = super::good();
        claims["tenant"] = tenant;
        let key = jsonwebtoken::EncodingKey::from_secret(&secret(by));
        super::sign(Algorithm::Hs256, &key, super::HEADER, &claims.to_string())
    };
    for (tenant, by, expected) in [
        (json!("a"), "a", "ok"),
        (json!(7), "7", "ok"),
        (json!("b"), "a", "invalid_token"),
        (json!(["a"]), "a", "invalid_token"),
    ] {
        let told = verdict(&jwt, &signed(tenant.clone(), by));
        assert_eq!(told, expected, "{tenant}");
    }
    let asked: Vec<Option<String>> = asked.lock().unwrap().clone();
    let asked: Vec<Option<&str>> = asked.iter().map(Option::as_deref).collect();
    assert_eq!(asked, [Some("a"), Some("7"), Some("b"), None]);
}
