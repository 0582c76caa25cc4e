mod details;
#[cfg(feature = "discovery")]
mod discovery;
mod jwks_cache;
mod proof;
mod providers;
mod routing;
mod rows;

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::testing::TokenMint;
use crate::{
    AuthContext, Authenticator, Clock, Credential, Grant, Outcome, Scopes, SourceKind,
    base::ready::now_or_never,
};

const SECRET: &[u8] = b"0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789ABCDEF";
const NOW: u64 = 1_800_000_000;

struct Fixed;
impl Clock for Fixed {
    fn now(&self) -> SystemTime {
        at(NOW)
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn sign(algorithm: Algorithm, key: &EncodingKey, header: &str, payload: &str) -> String {
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let signer = (backend::provider().signer_factory)(&algorithm.backend(), key).unwrap();
    let signature = signer.try_sign(signed.as_bytes()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn hs256(header: &str, payload: &str) -> String {
    sign(
        Algorithm::Hs256,
        &EncodingKey::from_secret(SECRET),
        header,
        payload,
    )
}

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn good() -> Value {
    json!({"sub": "ann", "iss": "https://id.example", "aud": "chat", "exp": NOW + 60, "iat": NOW - 5})
}

/// A good token with some claims replaced; `null` removes one.
fn with(changes: &Value) -> String {
    let mut claims = good();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    hs256(HEADER, &claims.to_string())
}

fn builder<C: serde::de::DeserializeOwned + Send + Sync + 'static>() -> JwtBuilder<C> {
    JwtAuthenticator::<C>::builder()
        .issuer("https://id.example")
        .audience("chat")
        .clock(Fixed)
}

fn ask<A: Authenticator>(jwt: &A, token: &str) -> Outcome<A::Identity> {
    let credential = Credential::new(token, SourceKind::Payload);
    now_or_never(jwt.authenticate(&AuthContext::new("/"), &credential)).unwrap()
}

fn verdict<A: Authenticator>(jwt: &A, token: &str) -> &'static str {
    verdict_at(&AuthContext::new("/"), jwt, token)
}

fn verdict_at<A: Authenticator>(cx: &AuthContext, jwt: &A, token: &str) -> &'static str {
    let credential = Credential::new(token, SourceKind::Payload);
    match now_or_never(jwt.authenticate(cx, &credential)).unwrap() {
        Outcome::Accept(_) => "ok",
        Outcome::NotMine => "not mine",
        Outcome::Reject(rejection) => rejection.code().as_str(),
    }
}

fn strict() -> JwtAuthenticator<Value> {
    builder().hs256(SECRET).build().unwrap()
}

fn granted(jwt: &JwtAuthenticator<Value>, token: &str) -> Grant<Value> {
    match ask(jwt, token) {
        Outcome::Accept(grant) => grant,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_good_token_fills_the_grant() {
    let token = with(&json!({"jti": "t1", "sid": "s1", "scope": "chat:read chat:write"}));
    let grant = granted(&strict(), &token);
    assert_eq!(grant.subject().id(), "ann");
    assert_eq!(grant.issuer(), Some("https://id.example"));
    assert_eq!(grant.token_id(), Some("t1"));
    assert_eq!(grant.session_id(), Some("s1"));
    assert_eq!(grant.issued_at(), Some(at(NOW - 5)));
    assert_eq!(grant.expires_at(), Some(at(NOW + 60)));
    assert!(grant.scopes().contains("chat:write"));
    assert_eq!(grant.identity()["sub"], "ann");
}

#[test]
fn claims_are_judged_strictly() {
    let jwt = strict();
    let invalid = "invalid_token";
    for (changes, expected) in [
        (json!({}), "ok"),
        (json!({"aud": ["x", "chat"]}), "ok"),
        (json!({"aud": null}), invalid),
        (json!({"aud": "other"}), invalid),
        (json!({"aud": ["x"]}), invalid),
        (json!({"aud": 5}), invalid),
        (json!({"aud": ["chat", 5]}), invalid),
        (json!({"iss": null}), invalid),
        (json!({"iss": 5}), invalid),
        (json!({"iss": ["evil", "https://id.example"]}), invalid),
        (json!({"iss": "https://other.example"}), "not mine"),
        (json!({"sub": 7}), invalid),
        (json!({"sub": null}), invalid),
        (json!({"sub": ""}), invalid),
        (json!({"jti": 7}), invalid),
        (json!({"exp": null}), invalid),
        (json!({"exp": (NOW + 60).to_string()}), invalid),
        (json!({"exp": -1}), invalid),
        (json!({"exp": 1e300}), "ok"),
        (json!({"exp": NOW as f64 + 60.5}), "ok"),
        (json!({"exp": NOW - 29}), "ok"),
        (json!({"exp": NOW - 30}), "token_expired"),
        (json!({"exp": 0}), "token_expired"),
        (json!({"exp": NOW - 100, "aud": "other"}), invalid),
        (json!({"expire_at": NOW - 30}), "ok"),
        (json!({"expire_at": "2027-01-15T08:00:00Z"}), "ok"),
        (json!({"nbf": NOW + 30}), "ok"),
        (json!({"nbf": NOW + 31}), invalid),
        (json!({"nbf": u64::MAX}), invalid),
        (json!({"nbf": "0"}), invalid),
        (json!({"iat": NOW + 31}), invalid),
        (json!({"iat": u64::MAX}), invalid),
        (json!({"scope": 5}), invalid),
        (json!({"scope": ["a", 5]}), invalid),
        (json!({"scope": "a", "scp": 5}), invalid),
    ] {
        assert_eq!(verdict(&jwt, &with(&changes)), expected, "{changes}");
    }
}

#[test]
fn tokens_without_a_subject_or_an_end_are_taken_when_that_was_said() {
    let jwt = builder::<Value>().hs256(SECRET).subject_claim("user_id");
    let jwt = jwt.accept_endless_tokens(Duration::from_secs(60));
    let jwt = jwt.build().unwrap();
    let of = |user: Value| with(&json!({"sub": null, "exp": null, "user_id": user}));
    for (user, expected) in [(json!(7), "7"), (json!("ann"), "ann"), (json!(-7), "-7")] {
        let grant = granted(&jwt, &of(user));
        assert_eq!(grant.subject().id(), expected);
        assert_eq!(grant.expires_at(), Some(at(NOW + 60)));
    }
    for nobody in [json!(""), json!(7.5), json!([7]), json!(true), Value::Null] {
        assert_eq!(
            verdict(&jwt, &of(nobody.clone())),
            "invalid_token",
            "{nobody}"
        );
    }
    let ends = with(&json!({"user_id": 7, "exp": NOW - 40}));
    assert_eq!(verdict(&jwt, &ends), "token_expired", "an end counts");
    assert_eq!(verdict(&strict(), &of(json!(7))), "invalid_token");
}

#[test]
fn a_scope_that_says_nothing_does_not_hide_scp() {
    for (claims, expected) in [
        (json!({"scope": "", "scp": ["b"]}), "b"),
        (json!({"scope": " ", "scp": "b"}), "b"),
        (json!({"scope": [], "scp": ["b"]}), "b"),
        (json!({"scope": "a", "scp": ["b"]}), "a"),
        (json!({"scp": ["b"]}), "b"),
    ] {
        let grant = granted(&strict(), &with(&claims));
        assert_eq!(grant.scopes(), &Scopes::parse(expected), "{claims}");
    }
}

#[test]
fn row_15_a_huge_exp_is_clamped_to_the_longest_session() {
    let day = 24 * 60 * 60;
    for exp in [json!(u64::MAX), json!(1e300), json!(NOW + 10 * day)] {
        let grant = granted(&strict(), &with(&json!({"exp": exp})));
        assert_eq!(grant.expires_at(), Some(at(NOW + day)));
    }
}

#[test]
fn a_grant_may_end_before_its_token_by_a_claim_of_ones_choice_and_not_after() {
    let jwt = builder::<Value>().hs256(SECRET).end_claim("until");
    let jwt = jwt.build().unwrap();
    let with_until = |until: Value| with(&json!({"exp": NOW + 600, "until": until}));
    let ends = |until: u64| granted(&jwt, &with_until(until.into())).expires_at();
    assert_eq!(ends(NOW + 60), Some(at(NOW + 60)));
    assert_eq!(ends(NOW + 6_000), Some(at(NOW + 600)));
    for (until, expected) in [
        (json!(NOW - 29), "ok"),
        (json!(NOW - 30), "token_expired"),
        (json!("0"), "invalid_token"),
        (Value::Null, "ok"),
    ] {
        let told = verdict(&jwt, &with(&json!({ "until": until })));
        assert_eq!(told, expected, "{until}");
    }
    let endless = with(&json!({"until": NOW + 60, "exp": null}));
    assert_eq!(verdict(&jwt, &endless), "invalid_token");
}

#[test]
fn a_token_let_in_by_the_leeway_lasts_until_the_leeway_ends() {
    let grant = granted(&strict(), &with(&json!({"exp": NOW - 10})));
    assert_eq!(grant.expires_at(), Some(at(NOW + 20)));
}

#[test]
fn headers_that_change_the_meaning_are_refused() {
    let jwt = strict();
    let payload = good().to_string();
    for (header, expected) in [
        (r#"{"alg":"HS256"}"#, "ok"),
        (r#"{"alg":"HS256","kid":"k1"}"#, "ok"),
        (r#"{"alg":"HS256","crit":[]}"#, "invalid_token"),
        (
            r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
            "invalid_token",
        ),
        (
            r#"{"alg":"HS256","jku":"https://evil.example"}"#,
            "invalid_token",
        ),
        (
            r#"{"alg":"HS256","x5u":"https://evil.example"}"#,
            "invalid_token",
        ),
        (r#"{"alg":"HS256","x5c":[]}"#, "invalid_token"),
        (r#"{"alg":"HS256","jwk":{}}"#, "invalid_token"),
        (r#"{"alg":"HS256","kid":"a b"}"#, "ok"),
        (r#"{"alg":"HS256","kid":5}"#, "invalid_token"),
        (r#"{"alg":"HS256","alg":"HS256"}"#, "invalid_token"),
        (r#"{"alg":"none"}"#, "invalid_token"),
        (r#"{"alg":"NONE"}"#, "invalid_token"),
        (r#"{"alg":"hs256"}"#, "invalid_token"),
        (r#"{"alg":"HS512"}"#, "invalid_token"),
        (r#"{"alg":"RS256"}"#, "invalid_token"),
        (r#"{}"#, "invalid_token"),
    ] {
        assert_eq!(
            verdict(&jwt, &hs256(header, &payload)),
            expected,
            "{header}"
        );
    }
    let long = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(1025));
    assert_eq!(verdict(&jwt, &hs256(&long, &payload)), "invalid_token");
}

#[test]
fn row_34_duplicate_members_are_refused_for_untyped_claims_too() {
    let payload = good().to_string();
    let inner = payload.trim_end_matches('}');
    for extra in [r#","scope":"a","scope":"b"}"#, r#","x":{"y":1,"y":2}}"#] {
        let token = hs256(HEADER, &format!("{inner}{extra}"));
        assert_eq!(verdict(&strict(), &token), "invalid_token");
    }
}

#[test]
fn row_32_expiry_is_told_only_when_the_signature_holds() {
    let expired = with(&json!({"exp": NOW - 100}));
    assert_eq!(verdict(&strict(), &expired), "token_expired");
    let other = builder::<Value>()
        .hs256([SECRET, b"x"].concat())
        .build()
        .unwrap();
    assert_eq!(verdict(&other, &expired), "invalid_token");
}

#[test]
fn every_changed_character_spoils_the_token() {
    let (jwt, token) = (strict(), with(&json!({})));
    assert_eq!(verdict(&jwt, &token), "ok");
    for index in 0..token.len() {
        let mut bytes = token.clone().into_bytes();
        bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(bytes).unwrap();
        assert_ne!(verdict(&jwt, &forged), "ok", "character {index}");
        assert_ne!(verdict(&jwt, &token[..index]), "ok", "cut at {index}");
    }
    for extra in ["=", ".", " ", "\0", ".e30"] {
        assert_ne!(verdict(&jwt, &format!("{token}{extra}")), "ok", "{extra:?}");
    }
}

#[test]
fn what_is_not_a_jwt_is_for_another_authenticator() {
    for token in ["", "key-1", "a.b", "a.b.c.d", "v4.public.payload.footer"] {
        assert_eq!(verdict(&strict(), token), "not mine", "{token}");
    }
}

#[test]
fn row_33_length_is_checked_before_anything_else() {
    let token = with(&json!({"pad": "x".repeat(7000)}));
    assert!(token.len() > 8192);
    assert_eq!(verdict(&strict(), &token), "invalid_token");
    let generous = builder::<Value>()
        .hs256(SECRET)
        .max_token_len(token.len())
        .build()
        .unwrap();
    assert_eq!(verdict(&generous, &token), "ok");
}

#[test]
fn typed_claims_must_fit() {
    #[derive(Deserialize)]
    struct Claims {
        sub: String,
        level: u8,
    }
    let jwt = builder::<Claims>().hs256(SECRET).build().unwrap();
    let Outcome::Accept(grant) = ask(&jwt, &with(&json!({"level": 3}))) else {
        panic!("refused");
    };
    assert_eq!(
        (grant.identity().sub.as_str(), grant.identity().level),
        ("ann", 3)
    );
    assert_eq!(
        verdict(&jwt, &with(&json!({"level": 300}))),
        "invalid_token"
    );
    assert_eq!(verdict(&jwt, &with(&json!({}))), "invalid_token");
}

#[test]
fn row_10_a_token_type_excludes_other_tokens() {
    let jwt = builder::<Value>()
        .hs256(SECRET)
        .token_type("at+jwt")
        .build()
        .unwrap();
    let access = r#"{"alg":"HS256","typ":"application/AT+JWT"}"#;
    assert_eq!(verdict(&jwt, &hs256(access, &good().to_string())), "ok");
    assert_eq!(verdict(&jwt, &with(&json!({}))), "invalid_token");
    let mut id_token = good();
    id_token["nonce"] = json!("n");
    assert_eq!(
        verdict(&jwt, &hs256(access, &id_token.to_string())),
        "invalid_token"
    );
}

#[test]
fn the_header_known_from_the_last_token_stands_for_itself_only() {
    let jwt = builder::<Value>()
        .hs256(SECRET)
        .token_type("at+jwt")
        .build()
        .unwrap();
    let payload = good().to_string();
    let access = hs256(r#"{"alg":"HS256","typ":"at+jwt"}"#, &payload);
    let named = hs256(r#"{"alg":"HS256","typ":"at+jwt","kid":"k1"}"#, &payload);
    let plain = hs256(HEADER, &payload);
    let critical = hs256(r#"{"alg":"HS256","typ":"at+jwt","crit":[]}"#, &payload);
    let (signed, _) = access.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", named.rsplit_once('.').unwrap().1);
    for _ in 0..2 {
        for (token, expected) in [
            (&access, "ok"),
            (&access, "ok"),
            (&forged, "invalid_token"),
            (&plain, "invalid_token"),
            (&access, "ok"),
            (&critical, "invalid_token"),
            (&named, "ok"),
            (&access, "ok"),
        ] {
            assert_eq!(verdict(&jwt, token), expected, "{token}");
        }
    }
}

#[test]
fn a_token_made_to_live_long_is_refused_when_told_so() {
    let jwt = builder::<Value>()
        .hs256(SECRET)
        .max_token_lifetime(Duration::from_secs(100))
        .build()
        .unwrap();
    assert_eq!(verdict(&jwt, &with(&json!({}))), "ok");
    assert_eq!(
        verdict(&jwt, &with(&json!({"exp": NOW + 96}))),
        "invalid_token"
    );
    assert_eq!(verdict(&jwt, &with(&json!({"iat": null}))), "invalid_token");
}

#[test]
fn undecided_configurations_do_not_build() {
    let fresh = JwtAuthenticator::<Value>::builder;
    let error = |builder: JwtBuilder<Value>| builder.build().unwrap_err();
    assert_eq!(
        error(fresh().any_issuer().any_audience()),
        JwtBuildError::NoKey
    );
    assert_eq!(
        error(fresh().hs256(SECRET).any_audience()),
        JwtBuildError::IssuerUndecided
    );
    assert_eq!(
        error(fresh().hs256(SECRET).any_issuer()),
        JwtBuildError::AudienceUndecided
    );
    assert_eq!(
        error(fresh().hs256("short").any_issuer().any_audience()),
        JwtBuildError::Key(KeyError::WeakSecret)
    );
}

#[test]
fn row_07_weak_and_mistaken_secrets_are_refused() {
    let hmac = |algorithm, secret: &[u8]| VerifyingKey::hmac(algorithm, secret).err();
    assert_eq!(hmac(Algorithm::Hs256, b""), Some(KeyError::EmptySecret));
    assert_eq!(
        hmac(Algorithm::Hs256, &SECRET[..31]),
        Some(KeyError::WeakSecret)
    );
    assert_eq!(hmac(Algorithm::Hs256, &SECRET[..32]), None);
    assert_eq!(
        hmac(Algorithm::Hs384, &SECRET[..47]),
        Some(KeyError::WeakSecret)
    );
    assert_eq!(
        hmac(Algorithm::Hs512, &SECRET[..63]),
        Some(KeyError::WeakSecret)
    );
    assert_eq!(hmac(Algorithm::Hs512, SECRET), None);
    assert_eq!(
        hmac(Algorithm::Hs256, &[b'a'; 64]),
        Some(KeyError::WeakSecret)
    );
    assert_eq!(hmac(Algorithm::Rs256, SECRET), Some(KeyError::WrongKind));
    let public = include_str!("../testing/pem/rsa2048.pub.pem");
    assert_eq!(
        hmac(Algorithm::Hs256, public.as_bytes()),
        Some(KeyError::WrongKind)
    );
    assert!(VerifyingKey::insecure_allow_short_secret(Algorithm::Hs256, b"x").is_ok());
}

#[test]
fn base64_secrets_are_decoded_before_use() {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    for text in [
        STANDARD.encode(SECRET),
        URL_SAFE_NO_PAD.encode(SECRET),
        URL_SAFE.encode(SECRET),
    ] {
        let jwt = builder::<Value>().hs256_base64(&text).build().unwrap();
        assert_eq!(verdict(&jwt, &with(&json!({}))), "ok");
    }
    let error = VerifyingKey::hmac_base64(Algorithm::Hs256, "not base64!").err();
    assert_eq!(error, Some(KeyError::Base64));
}

fn pairs() -> Vec<(Algorithm, EncodingKey, &'static str)> {
    let rsa = include_bytes!("../testing/pem/rsa2048.pem");
    let rsa_public = include_str!("../testing/pem/rsa2048.pub.pem");
    let p256 = include_bytes!("../testing/pem/p256.pem");
    let p384 = include_bytes!("../testing/pem/p384.pem");
    let ed = include_bytes!("../testing/pem/ed25519.pem");
    let mut pairs = vec![
        (
            Algorithm::Es256,
            EncodingKey::from_ec_pem(p256).unwrap(),
            include_str!("../testing/pem/p256.pub.pem"),
        ),
        (
            Algorithm::Es384,
            EncodingKey::from_ec_pem(p384).unwrap(),
            include_str!("../testing/pem/p384.pub.pem"),
        ),
        (
            Algorithm::EdDsa,
            EncodingKey::from_ed_pem(ed).unwrap(),
            include_str!("../testing/pem/ed25519.pub.pem"),
        ),
    ];
    for algorithm in [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
    ] {
        pairs.push((
            algorithm,
            EncodingKey::from_rsa_pem(rsa).unwrap(),
            rsa_public,
        ));
    }
    pairs
}

fn name(algorithm: Algorithm) -> String {
    let text = format!("{algorithm:?}");
    if algorithm == Algorithm::EdDsa {
        "EdDSA".into()
    } else {
        text.to_uppercase()
    }
}

#[test]
fn a_key_verifies_its_own_algorithm_and_no_other() {
    let payload = good().to_string();
    let keys: Vec<_> = pairs()
        .iter()
        .map(|(algorithm, _, public)| VerifyingKey::pem(*algorithm, public).unwrap())
        .collect();
    for (algorithm, private, _) in pairs() {
        let header = format!(r#"{{"alg":"{}"}}"#, name(algorithm));
        let token = sign(algorithm, &private, &header, &payload);
        for key in &keys {
            let jwt = builder::<Value>().key(key.clone()).build().unwrap();
            let expected = if key.algorithm() == algorithm {
                "ok"
            } else {
                "invalid_token"
            };
            assert_eq!(verdict(&jwt, &token), expected, "{algorithm:?} {key:?}");
        }
    }
}

#[test]
fn ed25519_is_known_by_both_names() {
    let ed = include_bytes!("../testing/pem/ed25519.pem");
    let key = EncodingKey::from_ed_pem(ed).unwrap();
    let header = r#"{"alg":"Ed25519"}"#;
    let token = sign(Algorithm::EdDsa, &key, header, &good().to_string());
    let jwt = builder::<Value>()
        .pem(
            Algorithm::EdDsa,
            include_str!("../testing/pem/ed25519.pub.pem"),
        )
        .build()
        .unwrap();
    assert_eq!(verdict(&jwt, &token), "ok");
}

#[test]
fn row_02_a_public_key_does_not_verify_an_hmac_made_with_its_text() {
    let public = include_str!("../testing/pem/rsa2048.pub.pem");
    let secret = EncodingKey::from_secret(public.as_bytes());
    let token = sign(Algorithm::Hs256, &secret, HEADER, &good().to_string());
    let jwt = builder::<Value>()
        .pem(Algorithm::Rs256, public)
        .build()
        .unwrap();
    assert_eq!(verdict(&jwt, &token), "invalid_token");
}

#[test]
fn row_08_unfit_public_keys_are_refused_at_load() {
    let pem = |algorithm, text: &str| VerifyingKey::pem(algorithm, text).err();
    let rsa = include_str!("../testing/pem/rsa2048.pub.pem");
    let p384 = include_str!("../testing/pem/p384.pub.pem");
    let small = include_str!("../testing/pem/rsa1024.pub.pem");
    assert_eq!(pem(Algorithm::Rs256, small), Some(KeyError::RsaSize));
    assert_eq!(pem(Algorithm::Es256, p384), Some(KeyError::WrongKind));
    assert_eq!(pem(Algorithm::Es256, rsa), Some(KeyError::WrongKind));
    assert_eq!(pem(Algorithm::Hs256, rsa), Some(KeyError::WrongKind));
    assert_eq!(pem(Algorithm::Rs256, "nonsense"), Some(KeyError::Malformed));
    let private = include_str!("../testing/pem/p256.pem");
    assert_eq!(pem(Algorithm::Es256, private), Some(KeyError::PrivateKey));
    assert!(VerifyingKey::point(Algorithm::EdDsa, &[1; 3]).is_err());
    assert!(VerifyingKey::point(Algorithm::EdDsa, &[1; 33]).is_err());
}

/// The Ed25519 example of RFC 8037 appendix A.
#[test]
fn row_03_a_key_set_gives_asymmetric_signing_keys_only() {
    let ed = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"e"}"#;
    let parse = |keys: &[&str]| {
        let set = format!(r#"{{"keys":[{}]}}"#, keys.join(","));
        jwks::parse_set(&set, Algorithm::Rs256).map(|parsed| parsed.keys.len())
    };
    let symmetric = r#"{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}"#;
    let encryption = ed.replace("\"kid\"", "\"use\":\"enc\",\"kid\"");
    let signing = ed.replace("\"kid\"", "\"key_ops\":[\"sign\"],\"kid\"");
    let mismatched = ed.replace("\"kid\"", "\"alg\":\"ES256\",\"kid\"");
    let short = ed.replace("11qYAYKx", "");
    assert_eq!(parse(&[ed]), Ok(1));
    for bad in [
        symmetric,
        &encryption,
        &signing,
        &mismatched,
        &short,
        r#"{"kty":"new"}"#,
    ] {
        let none =
            matches!(parse(&[bad]), Err(KeyError::NoUsableKey(skipped)) if skipped.len() == 1);
        assert!(none, "{bad}");
        assert_eq!(parse(&[bad, ed]), Ok(1), "{bad}");
    }
    assert_eq!(parse(&vec![ed; 65]), Err(KeyError::TooManyKeys));
    // The token of RFC 8037 appendix A.4: its payload is no object, so only the signature can be checked.
    let key = jwks::parse_set(ed, Algorithm::Rs256)
        .unwrap()
        .keys
        .remove(0);
    let signature = URL_SAFE_NO_PAD
        .decode("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
        .unwrap();
    assert!(key.verify(
        b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        &signature
    ));
}

#[test]
fn a_key_of_a_set_may_be_called_anything() {
    for id in ["my key 1", "CN=Schlüssel, O=\"x\"", &"k".repeat(200)] {
        let mint = TokenMint::new(Algorithm::Rs256).key_id(id).clock(Fixed);
        let jwt = JwtAuthenticator::<Value>::builder().jwks(&mint.jwks());
        let jwt = jwt
            .any_issuer()
            .any_audience()
            .clock(Fixed)
            .build()
            .unwrap();
        let Outcome::Accept(grant) = ask(&jwt, &mint.token("ann").sign()) else {
            panic!("{id}");
        };
        assert_eq!(grant.facts().key_id(), Some(id));
    }
}

#[test]
fn a_set_of_certificates_is_a_key_set() {
    let set = json!({
        "r": include_str!("tests/pem/rsa2048.crt.pem"),
        "e": include_str!("tests/pem/p256.crt.pem"),
        "d": include_str!("tests/pem/ed25519.crt.pem"),
        "no key": "?",
    });
    let jwt = JwtAuthenticator::<Value>::builder().jwks(&set.to_string());
    let jwt = jwt
        .any_issuer()
        .any_audience()
        .clock(Fixed)
        .build()
        .unwrap();
    for (id, algorithm, expected) in [
        ("r", Algorithm::Rs256, "ok"),
        ("e", Algorithm::Es256, "ok"),
        ("d", Algorithm::EdDsa, "ok"),
        ("e", Algorithm::Rs256, "invalid_token"),
        ("r", Algorithm::Ps256, "invalid_token"),
    ] {
        let mint = TokenMint::new(algorithm).key_id(id).clock(Fixed);
        assert_eq!(verdict(&jwt, &mint.token("ann").sign()), expected, "{id}");
    }
    let skipped: Vec<_> = jwt.skipped_keys().map(ToString::to_string).collect();
    assert_eq!(skipped, [r#"key "no key": the key cannot be read"#]);
    let pem = include_str!("tests/pem/rsa2048.crt.pem");
    let one = builder::<Value>().pem(Algorithm::Rs256, pem).build();
    assert!(one.is_ok());
    let wrong = VerifyingKey::pem(Algorithm::Es256, pem).err();
    assert_eq!(wrong, Some(KeyError::WrongKind));
}

#[test]
fn a_named_key_is_not_replaced_by_another() {
    let key = |id: &str, secret: &[u8]| {
        VerifyingKey::hmac(Algorithm::Hs256, secret)
            .unwrap()
            .with_id(id)
            .unwrap()
    };
    let jwt = builder::<Value>()
        .key(key("old", &SECRET[1..]))
        .key(key("new", SECRET))
        .build()
        .unwrap();
    let payload = good().to_string();
    assert_eq!(
        verdict(&jwt, &hs256(r#"{"alg":"HS256","kid":"new"}"#, &payload)),
        "ok"
    );
    assert_eq!(
        verdict(&jwt, &hs256(r#"{"alg":"HS256","kid":"old"}"#, &payload)),
        "invalid_token"
    );
    assert_eq!(
        verdict(&jwt, &hs256(r#"{"alg":"HS256","kid":"../x"}"#, &payload)),
        "invalid_token"
    );
    assert_eq!(verdict(&jwt, &hs256(HEADER, &payload)), "ok");
}

#[test]
fn two_issuers_chain_and_neither_accepts_the_others_key() {
    let other = JwtAuthenticator::<Value>::builder()
        .hs256(&SECRET[1..])
        .issuer("https://other.example")
        .any_audience()
        .clock(Fixed)
        .build()
        .unwrap();
    let both = strict().or(other);
    assert_eq!(verdict(&both, &with(&json!({}))), "ok");
    let stolen = with(&json!({"iss": "https://other.example"}));
    assert_eq!(verdict(&both, &stolen), "invalid_token");
    let unknown = with(&json!({"iss": "https://third.example"}));
    assert_eq!(verdict(&both, &unknown), "not mine");
}

#[test]
fn row_12_nothing_shown_holds_the_secret_or_the_token() {
    let shown = format!("{:?} {:?}", strict(), builder::<Value>().hs256(SECRET));
    assert!(!shown.contains("0123456789abcdef"));
    let token = with(&json!({"aud": "mallory"}));
    let Outcome::Reject(rejection) = ask(&strict(), &token) else {
        panic!("accepted");
    };
    assert!(!format!("{rejection:?}").contains(&token));
    assert!(!rejection.to_string().contains("mallory"), "to the client");
}
