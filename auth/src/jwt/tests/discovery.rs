use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::NOW;
use crate::jwt::{Algorithm, JwksCache, JwksOptions, JwtAuthenticator};
use crate::testing::{FakeClock, FakeFetch, TokenMint, block_on};
use crate::{
    AuthContext, AuthEvent, Authenticator as _, Credential, Outcome, SourceKind, fetch::InsecureUrl,
};

const ISSUER: &str = "https://id.example/realms/chat";
const KEYS: &str = "https://id.example/realms/chat/keys";

/// An authenticator that discovers, its network, its clock, and what it told the audit.
struct Rig {
    jwt: JwtAuthenticator<Value>,
    network: FakeFetch,
    clock: FakeClock,
    told: Arc<Mutex<Vec<String>>>,
}

impl Rig {
    fn new(issuer: &str) -> Self {
        let (network, clock) = (FakeFetch::new(), FakeClock::at(NOW));
        // A task runs to its end where it is made: the network answers at once.
        let cache = JwksCache::discover_with_options(
            issuer,
            network.clone(),
            block_on,
            JwksOptions::default(),
            clock.clone(),
        );
        let told = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&told);
        let cache = cache.unwrap().with_audit(move |event: &AuthEvent<'_>| {
            lines.lock().unwrap().push(event.to_string());
        });
        let jwt = JwtAuthenticator::builder()
            .issuer(issuer)
            .any_audience()
            .key_source(cache)
            .clock(clock.clone());
        Self {
            jwt: jwt.build().unwrap(),
            network,
            clock,
            told,
        }
    }

    fn publish(&self, issuer: &str, url: &str) {
        let document = json!({"issuer": issuer, "jwks_uri": url, "grant_types_supported": []});
        self.network.answer(200, &document.to_string());
    }

    fn judge(&self, issuer: &str) -> &'static str {
        let mint = TokenMint::new(Algorithm::Es256).issuer(issuer);
        let token = mint.clock(self.clock.clone()).token("ann").sign();
        let token = Credential::new(token, SourceKind::Payload);
        match block_on(self.jwt.authenticate(&AuthContext::new("/"), &token)) {
            Outcome::Accept(_) => "ok",
            Outcome::NotMine => "not mine",
            Outcome::Reject(rejection) => rejection.code().as_str(),
        }
    }

    fn asked(&self) -> Vec<String> {
        let requests = self.network.requests();
        requests.iter().map(|of| of.url().to_owned()).collect()
    }
}

fn keys() -> String {
    TokenMint::new(Algorithm::Es256).jwks()
}

#[test]
fn the_keys_are_found_where_the_issuer_says() {
    for issuer in [ISSUER, "https://id.example/"] {
        let rig = Rig::new(issuer);
        rig.publish(issuer, KEYS);
        rig.network.answer(200, &keys());
        assert_eq!(rig.judge(issuer), "ok");
        let document = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        assert_eq!(rig.asked(), [document.as_str(), KEYS]);
    }
}

#[test]
fn a_document_of_another_issuer_or_with_keys_anywhere_counts_for_nothing() {
    for (issuer, url, why) in [
        ("https://evil.example", KEYS, "is of the issuer"),
        ("https://id.example/realms/chat/", KEYS, "is of the issuer"),
        (ISSUER, "http://evil.example/keys", "jwks_uri is"),
        (ISSUER, "", "jwks_uri is"),
    ] {
        let rig = Rig::new(ISSUER);
        rig.publish(issuer, url);
        assert_eq!(rig.judge(ISSUER), "auth_unavailable");
        assert_eq!(rig.asked().len(), 1, "the keys are not asked for");
        let told = rig.told.lock().unwrap().join("\n");
        assert!(told.contains("keys_failed") && told.contains(why), "{told}");
    }
}

#[test]
fn keys_that_move_are_found_and_a_document_that_is_gone_is_done_without() {
    let rig = Rig::new(ISSUER);
    rig.publish(ISSUER, KEYS);
    rig.network.answer(200, &keys());
    assert_eq!(rig.judge(ISSUER), "ok");
    rig.clock.advance(Duration::from_secs(600));
    rig.publish(ISSUER, "https://keys.example/");
    rig.network.answer(200, &keys());
    assert_eq!(rig.judge(ISSUER), "ok");
    rig.clock.advance(Duration::from_secs(600));
    rig.network.fail();
    rig.network.answer(200, &keys());
    assert_eq!(rig.judge(ISSUER), "ok");
    let asked: Vec<String> = rig.asked();
    let of_keys: Vec<&str> = asked
        .iter()
        .map(String::as_str)
        .filter(|url| !url.contains("well-known"))
        .collect();
    assert_eq!(
        of_keys,
        [KEYS, "https://keys.example/", "https://keys.example/"]
    );
    assert!(!rig.told.lock().unwrap().join("\n").contains("failed"));
}

#[test]
fn an_issuer_is_asked_over_https_only() {
    let error = JwksCache::discover("http://id.example", FakeFetch::new(), drop).err();
    assert_eq!(error, Some(InsecureUrl));
}
