//! What the operator reads of a token that was not accepted; the client hears none of it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{NOW, SECRET, ask, builder, good, hs256, with};
use crate::base::ready::now_or_never;
use crate::jwt::{Algorithm, JwtAuthenticator, KeyError, VerifyingKey};
use crate::{
    AuthContext, Authenticator, Code, Credential, InHandshake, Outcome, Policy as _, Rejection,
    SourceKind, combinators::by_issuer,
};

fn detail<A: Authenticator>(jwt: &A, token: &str) -> String {
    match ask(jwt, token) {
        Outcome::Reject(rejection) => rejection.detail().unwrap_or_default().to_owned(),
        _ => "no refusal".to_owned(),
    }
}

/// As the server asks.
fn refused(judge: impl Authenticator, token: &str) -> Rejection {
    let policy = InHandshake::new(judge).into_dyn();
    let credential = Credential::new(token, SourceKind::Payload);
    let asked = Arc::clone(&policy).authenticate(AuthContext::new("/"), credential);
    now_or_never(asked).unwrap().err().unwrap()
}

#[test]
fn the_claim_that_failed_is_named_with_what_was_expected() {
    let jwt = builder::<Value>().hs256(SECRET).build().unwrap();
    for (changes, expected) in [
        (json!({"aud": "web"}), r#"aud is ["web"], expected "chat""#),
        (json!({"aud": null}), r#"aud is [], expected "chat""#),
        (
            json!({"iss": null}),
            r#"iss is "", expected "https://id.example""#,
        ),
        (
            json!({"iat": NOW + 31}),
            "iat is 31 s in the future, the leeway is 30s",
        ),
        (
            json!({"nbf": NOW + 90}),
            "nbf is 90 s in the future, the leeway is 30s",
        ),
        (json!({"exp": NOW - 40}), "exp was 40 s ago"),
        (json!({"exp": "soon"}), "exp is not a number of seconds"),
        (json!({"jti": 7}), "jti is no text"),
    ] {
        assert_eq!(detail(&jwt, &with(&changes)), expected);
    }
    let short = builder::<Value>().hs256(SECRET);
    let short = short
        .max_token_lifetime(std::time::Duration::from_secs(60))
        .build()
        .unwrap();
    assert_eq!(
        detail(&short, &with(&json!({}))),
        "the token lives for 65 s, max_token_lifetime is 60s"
    );
}

#[test]
fn what_was_wrong_before_the_claims_is_named_too() {
    let jwt = builder::<Value>().hs256(SECRET).build().unwrap();
    let with_header = |header: Value| hs256(&header.to_string(), &good().to_string());
    let typed = builder::<Value>()
        .hs256(SECRET)
        .token_type("at+jwt")
        .build()
        .unwrap();
    assert_eq!(
        detail(&typed, &with(&json!({}))),
        r#"typ is "JWT", expected "at+jwt""#
    );
    for (token, expected) in [
        (
            with_header(json!({"alg": "ES256K"})),
            r#"the algorithm "ES256K" is not supported"#,
        ),
        (
            with_header(json!({"alg": "ES512"})),
            r#"the algorithm "ES512" is not supported"#,
        ),
        (
            with_header(json!({"alg": "HS256", "jku": "https://e.example"})),
            "the header has jku, which is refused",
        ),
        (
            with_header(json!({"alg": "HS384", "kid": "k7"})),
            r#"none of 1 keys is for HS384 and kid "k7""#,
        ),
        (
            format!("{}A", with(&json!({}))),
            "1 keys are for HS256 and no kid, and none verifies the signature",
        ),
        (
            "x".repeat(8193),
            "the token has 8193 bytes, max_token_len is 8192",
        ),
    ] {
        assert_eq!(detail(&jwt, &token), expected);
    }
}

#[test]
fn what_nobody_judges_says_why_not() {
    let jwt = || builder::<Value>().hs256(SECRET).build().unwrap();
    let slash = with(&json!({"iss": "https://id.example/"}));
    let wrong_issuer = r#"iss is "https://id.example/", expected "https://id.example""#;
    let nobody = "no authenticator judges such a credential";
    for (rejection, why) in [
        (refused(jwt(), &slash), wrong_issuer),
        (
            refused(jwt().cached(std::time::Duration::from_secs(9), 9), &slash),
            wrong_issuer,
        ),
        (
            refused(by_issuer().issuer("https://id.example", jwt()), &slash),
            wrong_issuer,
        ),
        (
            refused(jwt(), "opaque"),
            "it is no JWT, which has three parts with points between",
        ),
    ] {
        assert_eq!(rejection.code(), Code::InvalidToken);
        assert_eq!(rejection.message(), Code::InvalidToken.message());
        assert_eq!(rejection.detail().unwrap(), format!("{nobody}: {why}"));
    }
    let key = VerifyingKey::hmac(Algorithm::Hs256, &SECRET[1..]).unwrap();
    let other = JwtAuthenticator::<Value>::builder()
        .key(key)
        .issuer("https://b.example")
        .any_audience()
        .build()
        .unwrap();
    let rejection = refused(jwt().or(other), &slash);
    assert_eq!(
        rejection.detail().unwrap(),
        format!(
            "{nobody}: {wrong_issuer}; {}",
            r#"iss is "https://id.example/", expected "https://b.example""#
        )
    );
}

#[test]
fn a_claim_of_endless_length_does_not_fill_the_log() {
    let token = with(&json!({"iss": "x".repeat(5000)}));
    let jwt = builder::<Value>().hs256(SECRET).build().unwrap();
    assert!(refused(jwt, &token).detail().unwrap().len() < 300);
}

#[test]
fn the_keys_of_a_set_that_are_passed_over_are_told_with_the_reason() {
    let ed = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let skipped = [
        (
            r#"{"kty":"RSA","use":"enc","kid":"e"}"#,
            r#"key "e": it is not for verifying signatures"#,
        ),
        (
            r#"{"kty":"oct","k":"AAAA"}"#,
            "a key without kid: it is symmetric",
        ),
        (
            r#"{"kty":"EC","crv":"P-256","d":"AA","kid":"p"}"#,
            r#"key "p": it is private"#,
        ),
        (
            r#"{"kty":"EC","crv":"secp256k1","kid":"k"}"#,
            r#"key "k": its curve "secp256k1" is not supported"#,
        ),
        (
            r#"{"kty":"EC","crv":"P-521","alg":"ES512","kid":"l"}"#,
            r#"key "l": the key is on P-521, whose algorithm ES512 is not supported"#,
        ),
        (
            r#"{"kty":"RSA","alg":"RSA-OAEP","kid":"r"}"#,
            r#"key "r": its algorithm "RSA-OAEP" is not supported"#,
        ),
        (
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"s"}"#,
            r#"key "s": the RSA modulus must have 2048 to 8192 bits"#,
        ),
    ];
    let keys: Vec<&str> = skipped.iter().map(|(key, _)| *key).chain([ed]).collect();
    let set = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
    let jwt = builder::<Value>().jwks(&set).build().unwrap();
    let told: Vec<String> = jwt.skipped_keys().map(ToString::to_string).collect();
    let expected: Vec<&str> = skipped.iter().map(|(_, why)| *why).collect();
    assert_eq!(told, expected);
    let weak = builder::<Value>().hs256("short").build().err().unwrap();
    assert_eq!(
        weak.to_string(),
        "a key was refused: the secret is too short or too regular for its algorithm"
    );
}

#[test]
fn a_key_for_es512_is_refused_by_that_name() {
    const PEM: &str = "-----BEGIN PUBLIC KEY-----
MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBEEEjf1mJyYuhwwuXS3bcVrGOE1PS
5/h38qMWhc6PuZuGaMtLgffoGDjGfPJJca3MguZBR4VYbH4wrPxwQ6g7gs4A8X0+
fL0nysDXd59eGcm7gY6llOzbFQKDf6rTzH2Uygl3cM38myDrfR3a0AA/5EOVhO+C
ts+pImWQ5MHg70BBPRM=
-----END PUBLIC KEY-----
";
    for algorithm in [Algorithm::Es256, Algorithm::Es384] {
        let refused = VerifyingKey::pem(algorithm, PEM).unwrap_err();
        assert_eq!(refused, KeyError::Es512);
    }
    let alone = r#"{"kty":"EC","crv":"P-521","x":"AA","y":"AA"}"#;
    let refused = builder::<Value>().jwks(alone).build().err().unwrap();
    assert_eq!(
        refused.to_string(),
        "a key was refused: the key set has no usable key: a key without kid: \
         the key is on P-521, whose algorithm ES512 is not supported"
    );
}
