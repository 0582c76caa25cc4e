//! Tokens and key sets of identity providers, made by libraries that are not ours, judged as the guide configures each.
//! `conformance-tests/node/tokens` has what they look like and makes them anew.

mod configured;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use crate::jwt::{Issuer, JwksCache, JwksOptions, JwtAuthenticator, JwtBuildError};
use crate::testing::{FakeClock, FakeFetch, block_on};
use crate::{AuthContext, Authenticator, Credential, Grant, Outcome, SourceKind};

#[derive(Deserialize)]
struct Table {
    now: u64,
    providers: Vec<Provider>,
}

#[derive(Deserialize)]
struct Provider {
    name: String,
    secret: Option<String>,
    /// Before the keys rotate, while they do, and after.
    sets: Vec<Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    what: String,
    by: String,
    token: String,
    expect: Expected,
}

#[derive(Deserialize)]
struct Expected {
    verdict: String,
    subject: Option<String>,
    issuer: Option<String>,
    session: Option<String>,
    scopes: Option<BTreeSet<String>>,
    #[serde(default)]
    set: usize,
}

/// What became of a token, whatever the type of the authenticator.
type Judge = Box<dyn Fn(&str) -> Result<Grant<Value>, String>>;

fn table() -> Table {
    serde_json::from_str(include_str!("providers.json")).unwrap()
}

impl Provider {
    fn good(&self) -> &Case {
        self.named("a good token")
    }

    fn named(&self, what: &str) -> &Case {
        self.cases.iter().find(|case| case.what == what).unwrap()
    }
}

fn judge<A: Authenticator<Identity = Value>>(built: Result<A, JwtBuildError>) -> Judge {
    let authenticator = built.unwrap();
    Box::new(move |token| {
        let token = Credential::new(token, SourceKind::Payload);
        match block_on(authenticator.authenticate(&AuthContext::new("/"), &token)) {
            Outcome::Accept(grant) => Ok(grant),
            Outcome::NotMine => Err("not mine".to_owned()),
            Outcome::Reject(rejection) => Err(rejection.code().to_string()),
        }
    })
}

/// A provider over a network and a clock in the hands of the test.
struct Rig {
    network: FakeFetch,
    clock: FakeClock,
    judge: Judge,
}

impl Rig {
    fn new(provider: &Provider, now: u64) -> Self {
        let (network, clock) = (FakeFetch::new(), FakeClock::at(now));
        let keys = cache(&network, &clock);
        let tokens = JwtAuthenticator::builder().clock(clock.clone());
        let judge = match provider.name.as_str() {
            "auth0" => judge(configured::auth0(tokens, keys)),
            "keycloak" => judge(configured::keycloak(tokens, keys)),
            "cognito" => judge(configured::cognito(tokens, keys)),
            "entra v1" => judge(configured::entra_v1(tokens, keys)),
            "entra v2" => judge(configured::entra_v2(tokens, keys)),
            "entra multi-tenant" => judge(configured::entra_multi_tenant(tokens, keys)),
            "google" => judge(configured::google(tokens, keys)),
            "firebase" => judge(configured::firebase(tokens, keys)),
            "firebase session" => judge(configured::firebase_session(tokens, keys)),
            "okta" => judge(configured::okta(tokens, keys)),
            "supabase" => judge(configured::supabase(tokens, keys)),
            "supabase secret" => {
                let secret = provider.secret.as_deref().unwrap();
                judge(configured::supabase_secret(tokens, secret))
            }
            "clerk" => judge(configured::clerk(tokens, keys)),
            "zitadel" => judge(configured::zitadel(tokens, keys)),
            other => panic!("nobody configured {other}"),
        };
        Self {
            network,
            clock,
            judge,
        }
    }

    fn publish(&self, set: &Value) {
        self.network.answer(200, &set.to_string());
    }

    fn verdict(&self, case: &Case) -> String {
        match (self.judge)(&case.token) {
            Ok(_) => "ok".to_owned(),
            Err(code) => code,
        }
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

/// A cache whose fetches end at once.
fn cache(network: &FakeFetch, clock: &FakeClock) -> JwksCache {
    const URL: &str = "https://id.example/keys";
    let options = JwksOptions::default();
    JwksCache::with_options(URL, network.clone(), block_on, options, clock.clone()).unwrap()
}

#[test]
fn each_token_of_each_provider_is_judged_as_it_should_be() {
    let table = table();
    let mut signers = BTreeSet::new();
    for provider in &table.providers {
        for case in &provider.cases {
            let name = format!("{}: {} by {}", provider.name, case.what, case.by);
            let rig = Rig::new(provider, table.now);
            if let Some(set) = provider.sets.get(case.expect.set) {
                rig.publish(set);
            }
            let expect = &case.expect;
            match (rig.judge)(&case.token) {
                Ok(grant) => {
                    assert_eq!(expect.verdict, "ok", "{name}");
                    assert_eq!(
                        Some(grant.subject().id()),
                        expect.subject.as_deref(),
                        "{name}"
                    );
                    assert_eq!(grant.session_id(), expect.session.as_deref(), "{name}");
                    if let Some(issuer) = &expect.issuer {
                        assert_eq!(grant.issuer(), Some(issuer.as_str()), "{name}");
                    }
                    for scope in expect.scopes.iter().flatten() {
                        assert!(grant.scopes().contains(scope), "{name}: {scope}");
                    }
                }
                Err(code) => assert_eq!(code, expect.verdict, "{name}"),
            }
            signers.insert(case.by.clone());
        }
    }
    assert_eq!(table.providers.len(), 14);
    let signers: Vec<&str> = signers.iter().map(String::as_str).collect();
    assert_eq!(signers, ["PyJWT", "jose", "jsonwebtoken"]);
}

#[test]
fn a_provider_may_rotate_its_keys_while_tokens_of_both_come() {
    let table = table();
    for provider in with_sets(&table) {
        let name = &provider.name;
        let rig = Rig::new(provider, table.now);
        let (old, fresh) = (provider.good(), provider.named("a token of the next key"));
        rig.publish(&provider.sets[0]);
        assert_eq!(rig.verdict(old), "ok", "{name}");
        assert_eq!(
            rig.verdict(fresh),
            "invalid_token",
            "{name}: within the interval"
        );
        rig.publish(&provider.sets[1]);
        rig.wait(31);
        assert_eq!(rig.verdict(fresh), "ok", "{name}");
        assert_eq!(rig.verdict(old), "ok", "{name}");
        assert_eq!(rig.network.calls(), 2, "{name}");
    }
}

#[test]
fn a_provider_that_misbehaves_takes_nobody_out_who_was_good() {
    let table = table();
    for provider in with_sets(&table) {
        let many: Vec<Value> = vec![provider.sets[0]["keys"][0].clone(); 65];
        let many = serde_json::json!({ "keys": many }).to_string();
        let whole = provider.sets[0].to_string();
        for (what, status, body) in [
            ("is down", 503, ""),
            ("says so in HTML", 200, "<html>maintenance</html>"),
            ("wants a login", 302, ""),
            ("stops half way", 200, &whole[..whole.len() / 2]),
            ("has no key", 200, r#"{"keys":[]}"#),
            ("has nothing", 200, "{}"),
            ("has too many keys", 200, &many),
        ] {
            let name = format!("{} {what}", provider.name);
            let cold = Rig::new(provider, table.now);
            cold.network.answer(status, body);
            assert_eq!(
                cold.verdict(provider.good()),
                "auth_unavailable",
                "{name}, at first"
            );

            let warm = Rig::new(provider, table.now);
            warm.publish(&provider.sets[0]);
            assert_eq!(warm.verdict(provider.good()), "ok", "{name}");
            warm.wait(11 * 60);
            warm.network.answer(status, body);
            // Clerk's live for a minute. That one has expired is said only of a token whose signature holds.
            let expected = match provider.name.as_str() {
                "clerk" => "token_expired",
                _ => "ok",
            };
            assert_eq!(warm.verdict(provider.good()), expected, "{name}, later");
            assert_eq!(warm.network.calls(), 2, "{name}");
            assert_eq!(
                warm.verdict(provider.good()),
                expected,
                "{name}, later still"
            );
        }
    }
}

#[test]
fn a_key_of_one_provider_verifies_no_token_of_another() {
    let table = table();
    let issuers: Vec<(&Provider, String)> = with_sets(&table)
        .filter(|provider| provider.name != "entra multi-tenant")
        .map(|provider| (provider, issuer_of(&provider.good().token)))
        .collect();
    for (owner, issuer) in &issuers {
        for (other, others_name) in &issuers {
            // Whoever trusts all, but has the sets of two mixed up.
            let keys_of_owner = Issuer::new(others_name).jwks(&owner.sets[0].to_string());
            let keys_of_other = Issuer::new(issuer).jwks(&other.sets[0].to_string());
            let builder = JwtAuthenticator::builder().clock(FakeClock::at(table.now));
            let builder = builder.any_audience().issuer(keys_of_owner);
            let is_same = owner.name == other.name;
            let mixed = if is_same {
                builder
            } else {
                builder.issuer(keys_of_other)
            };
            let mixed = judge::<JwtAuthenticator<Value>>(mixed.build());
            let told = mixed(&owner.good().token).map(drop);
            let expected = match is_same {
                true => Ok(()),
                false => Err("invalid_token".to_owned()),
            };
            assert_eq!(
                told, expected,
                "{} with the keys of {}",
                owner.name, other.name
            );
        }
    }
}

#[test]
fn the_guide_shows_what_is_judged_here() {
    let guide = lines(include_str!("../../guide/providers.md"));
    let source = include_str!("providers/configured.rs");
    let mut count = 0;
    for function in source.split("pub(super) fn ").skip(1) {
        let (name, rest) = function.split_once('(').unwrap();
        let (_, body) = rest.split_once("BuildError> {\n").unwrap();
        let (body, _) = body.split_once("\n}\n").unwrap();
        assert!(guide.contains(&lines(body)), "{name}:\n{body}");
        count += 1;
    }
    assert_eq!(count, table().providers.len());
}

/// The text without its indentation.
fn lines(text: &str) -> String {
    text.lines()
        .map(|line| format!("{}\n", line.trim()))
        .collect()
}

fn with_sets(table: &Table) -> impl Iterator<Item = &Provider> {
    let providers = table.providers.iter();
    providers.filter(|provider| provider.secret.is_none())
}

fn issuer_of(token: &str) -> String {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    claims["iss"].as_str().unwrap().to_owned()
}
