//! The attacks on tokens, each with the name of its row in the list of attacks and defences.

use std::time::Duration;

use serde_json::{Value, json};

use super::{NOW, granted, verdict};
use crate::jwt::{Algorithm, JwtAuthenticator, JwtBuilder};
use crate::testing::{FakeClock, TokenDraft, TokenMint};
use crate::{AuthContext, Authenticator as _, Credential, Outcome, SourceKind};

const ALL: [Algorithm; 12] = [
    Algorithm::Hs256,
    Algorithm::Hs384,
    Algorithm::Hs512,
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::EdDsa,
];

fn mint(algorithm: Algorithm) -> TokenMint {
    TokenMint::new(algorithm)
        .issuer("https://id.example")
        .audience("chat")
        .clock(FakeClock::at(NOW))
}

fn trusting(mint: &TokenMint) -> JwtBuilder<Value> {
    JwtAuthenticator::builder()
        .key(mint.verifying_key())
        .issuer("https://id.example")
        .audience("chat")
        .clock(FakeClock::at(NOW))
}

/// The verdict of one who trusts the HS256 mint on a token of it that the test changed.
fn judged(change: impl FnOnce(TokenDraft<'_>) -> String) -> &'static str {
    let mint = mint(Algorithm::Hs256);
    let token = change(mint.token("ann"));
    verdict(&trusting(&mint).build().unwrap(), &token)
}

#[test]
fn a_good_token_of_every_algorithm_is_accepted() {
    for algorithm in ALL {
        let mint = mint(algorithm);
        let jwt = trusting(&mint).build().unwrap();
        assert_eq!(
            verdict(&jwt, &mint.token("ann").sign()),
            "ok",
            "{algorithm:?}"
        );
        let forged = mint.token("ann").sign_wrongly();
        assert_eq!(verdict(&jwt, &forged), "invalid_token", "{algorithm:?}");
        let stranger = TokenMint::stranger(algorithm)
            .issuer("https://id.example")
            .audience("chat")
            .clock(FakeClock::at(NOW));
        assert_eq!(
            verdict(&jwt, &stranger.token("ann").sign()),
            "invalid_token"
        );
    }
}

#[test]
fn row_01_a_token_without_signature_is_refused() {
    for algorithm in ALL {
        let mint = mint(algorithm);
        let jwt = trusting(&mint).build().unwrap();
        for none in ["none", "None", "NONE", "nOnE", "", algorithm.name()] {
            let token = mint.token("ann").unsigned(none);
            assert_eq!(
                verdict(&jwt, &token),
                "invalid_token",
                "{algorithm:?} {none:?}"
            );
        }
    }
}

#[test]
fn row_02_a_token_that_names_another_algorithm_is_refused() {
    for algorithm in ALL {
        let mint = mint(algorithm);
        let jwt = trusting(&mint).build().unwrap();
        for named in ALL {
            let token = mint.token("ann").sign_naming(named);
            let expected = if named == algorithm {
                "ok"
            } else {
                "invalid_token"
            };
            assert_eq!(
                verdict(&jwt, &token),
                expected,
                "{algorithm:?} as {named:?}"
            );
        }
    }
}

#[test]
fn row_03_oct_key_in_jwks_is_refused() {
    let mint = mint(Algorithm::Hs256);
    let built = JwtAuthenticator::<Value>::builder()
        .jwks(&mint.jwks())
        .any_issuer()
        .any_audience()
        .build();
    assert!(built.is_err());
}

#[test]
fn row_04_a_key_id_is_a_name_and_nothing_else() {
    for (kid, expected) in [
        (json!("k1"), "ok"),
        (json!("../../../../dev/null"), "ok"),
        (json!("' OR 1=1;--"), "ok"),
        (json!("k".repeat(1024)), "ok"),
        (json!("k".repeat(1025)), "invalid_token"),
        (json!(""), "invalid_token"),
        (json!("k\u{0}"), "invalid_token"),
        (json!("clé 1"), "ok"),
        (json!("k\n"), "invalid_token"),
        (json!(1), "invalid_token"),
        (json!(["k1"]), "invalid_token"),
    ] {
        // The key has no id, so a well-formed one excludes nothing.
        let verdict = judged(|token| token.header("kid", kid.clone()).sign());
        assert_eq!(verdict, expected, "{kid}");
    }
}

#[test]
fn row_05_a_token_brings_no_key_along() {
    let thief = TokenMint::stranger(Algorithm::Es256);
    for (name, value) in [
        ("jwk", thief.jwk()),
        ("jku", json!("https://evil.example/jwks")),
        ("x5u", json!("https://evil.example/chain")),
        ("x5c", json!(["MII"])),
        ("epk", thief.jwk()),
    ] {
        let verdict = judged(|token| token.header(name, value).sign());
        assert_eq!(verdict, "invalid_token", "{name}");
    }
}

#[test]
fn row_06_issuer_and_audience_are_required_once_configured() {
    let invalid = "invalid_token";
    assert_eq!(judged(|token| token.without_claim("aud").sign()), invalid);
    assert_eq!(
        judged(|token| token.claim("aud", json!([])).sign()),
        invalid
    );
    assert_eq!(
        judged(|token| token.claim("aud", Value::Null).sign()),
        invalid
    );
    assert_eq!(judged(|token| token.without_claim("iss").sign()), invalid);
    assert_eq!(judged(|token| token.claim("iss", 5).sign()), invalid);
    assert_eq!(
        judged(|token| token.claim("iss", Value::Null).sign()),
        invalid
    );
    let several = json!(["https://id.example"]);
    assert_eq!(judged(|token| token.claim("iss", several).sign()), invalid);
    assert_eq!(
        judged(|token| token.claim("iss", "https://id.example/").sign()),
        "not mine"
    );
}

#[test]
fn row_09_critical_and_unencoded_payloads_are_refused() {
    for (name, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("crit", Value::Null),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("zip", json!("DEF")),
        ("enc", json!("A128GCM")),
    ] {
        let verdict = judged(|token| token.header(name, value.clone()).sign());
        assert_eq!(verdict, "invalid_token", "{name} {value}");
    }
}

#[test]
fn row_10_one_namespaces_token_is_not_anothers() {
    let mint = mint(Algorithm::Hs256);
    let admin = JwtAuthenticator::<Value>::builder()
        .key(mint.verifying_key())
        .issuer("https://id.example")
        .audience("admin")
        .clock(FakeClock::at(NOW))
        .build()
        .unwrap();
    assert_eq!(verdict(&admin, &mint.token("ann").sign()), "invalid_token");
}

#[test]
fn row_28_an_unknown_key_and_a_bad_signature_look_alike() {
    let mint = mint(Algorithm::Hs256).key_id("known");
    let jwt = trusting(&mint).build().unwrap();
    let shown = |token: String| {
        let credential = Credential::new(token, SourceKind::Payload);
        let cx = AuthContext::new("/");
        match crate::base::ready::now_or_never(jwt.authenticate(&cx, &credential)).unwrap() {
            Outcome::Reject(rejection) => (rejection.code(), rejection.message().to_owned()),
            other => panic!("{other:?}"),
        }
    };
    let unknown = shown(mint.token("ann").header("kid", "unknown").sign());
    assert_eq!(unknown, shown(mint.token("ann").sign_wrongly()));
    // Row 32: what the client hears never tells what was expected.
    for token in [
        mint.token("ann").claim("aud", "mallory").sign(),
        mint.token("ann").without_claim("sub").sign(),
        mint.token("ann").claim("exp", "soon").sign(),
        mint.token("ann").unsigned("none"),
    ] {
        assert_eq!(shown(token), unknown);
    }
}

#[test]
fn row_33_a_token_of_8192_bytes_is_read_and_one_more_is_not() {
    // Base64 turns three bytes into four characters, so not every length can be met.
    let padded = |token: &TokenDraft<'_>, lengths: std::ops::Range<usize>| {
        (5000..6200)
            .map(|pad| token.clone().claim("pad", "x".repeat(pad)).sign())
            .find(|signed| lengths.contains(&signed.len()))
            .unwrap()
    };
    assert_eq!(judged(|token| padded(&token, 8192..8193)), "ok");
    assert_eq!(judged(|token| padded(&token, 8193..8196)), "invalid_token");
    // Before Base64 is looked at: this is none.
    assert_eq!(
        judged(|_| format!("{}.?.?", "?".repeat(8192))),
        "invalid_token"
    );
}

#[test]
fn row_33_deep_payloads_are_refused() {
    let deep = (0..200).fold(json!(1), |value, _| json!([value]));
    assert_eq!(
        judged(|token| token.claim("deep", deep).sign()),
        "invalid_token"
    );
    let shallow = (0..100).fold(json!(1), |value, _| json!([value]));
    assert_eq!(judged(|token| token.claim("deep", shallow).sign()), "ok");
}

#[test]
fn row_34_duplicate_members_are_refused_wherever_they_are() {
    for name in ["sub", "exp", "iss", "aud", "scope", "custom"] {
        let token = |draft: TokenDraft<'_>| {
            draft
                .claim("scope", "chat:read")
                .claim("custom", 1)
                .duplicate_claim(name, "chat:admin")
                .sign()
        };
        assert_eq!(judged(token), "invalid_token", "{name}");
    }
    for name in ["alg", "typ", "kid"] {
        let token = |draft: TokenDraft<'_>| {
            draft
                .header("kid", "k1")
                .duplicate_header(name, "HS256")
                .sign()
        };
        assert_eq!(judged(token), "invalid_token", "{name}");
    }
}

#[test]
fn row_35_clocks_may_differ_by_thirty_seconds() {
    let seconds = Duration::from_secs;
    for (token, expected) in [
        (judged(|token| token.expired(seconds(29)).sign()), "ok"),
        (
            judged(|token| token.expired(seconds(30)).sign()),
            "token_expired",
        ),
        (judged(|token| token.not_before(seconds(30)).sign()), "ok"),
        (
            judged(|token| token.not_before(seconds(31)).sign()),
            "invalid_token",
        ),
        (judged(|token| token.claim("iat", NOW + 30).sign()), "ok"),
        (
            judged(|token| token.claim("iat", NOW + 31).sign()),
            "invalid_token",
        ),
    ] {
        assert_eq!(token, expected);
    }
    let mint = mint(Algorithm::Hs256);
    let exact = trusting(&mint).leeway(Duration::ZERO).build().unwrap();
    let expiring = mint.token("ann").expires_in(Duration::ZERO).sign();
    assert_eq!(verdict(&exact, &expiring), "token_expired");
    let last_second = mint.token("ann").expires_in(seconds(1)).sign();
    let grant = granted(&exact, &last_second);
    assert_eq!(grant.expires_in(super::at(NOW)), Some(seconds(1)));
}
