//! Every authenticator of the crate, alone and combined, through the suite that it offers to others.
#![cfg(any(feature = "jwt-aws-lc", feature = "jwt-rust-crypto"))]

use std::sync::LazyLock;
use std::time::Duration;

use serde_json::Value;
use socketio_auth::jwt::{Algorithm, JwtAuthenticator};
use socketio_auth::testing::TokenMint;
use socketio_auth::{
    Authenticator, Grant, auth_conformance,
    combinators::by_issuer,
    opaque::{ApiKeyDigest, ApiKeys, Tickets},
    revocation::MemoryRevocations,
};

const ISSUER: &str = "https://id.example";

fn mint(algorithm: Algorithm) -> TokenMint {
    TokenMint::new(algorithm).issuer(ISSUER).audience("chat")
}

fn jwt(algorithm: Algorithm) -> JwtAuthenticator<Value> {
    JwtAuthenticator::builder()
        .key(mint(algorithm).verifying_key())
        .issuer(ISSUER)
        .audience("chat")
        .build()
        .expect("valid")
}

fn good(algorithm: Algorithm) -> String {
    mint(algorithm).token("ann").sign()
}

fn bad(algorithm: Algorithm) -> Vec<String> {
    let mint = mint(algorithm);
    let stranger = TokenMint::stranger(algorithm)
        .issuer(ISSUER)
        .audience("chat");
    vec![
        mint.token("ann").sign_wrongly(),
        mint.token("ann").claim("aud", "other").sign(),
        mint.token("ann").claim("exp", 1).sign(),
        mint.token("ann").header("crit", vec!["x"]).sign(),
        stranger.token("ann").sign(),
    ]
}

const API_KEY: &str = "sk_of_the_monitor_which_is_long_and_random";

fn api_keys() -> impl Authenticator<Identity = Value> {
    let grant = Grant::new(Value::Null, "ann");
    ApiKeys::fixed([(ApiKeyDigest::of(API_KEY), grant)]).prefix("sk_")
}

static TICKETS: LazyLock<Tickets<Value>> =
    LazyLock::new(|| Tickets::new(Duration::from_secs(600), 10_000));

fn ticket() -> String {
    let ticket = TICKETS
        .issue(Grant::new(Value::Null, "ann"))
        .expect("valid");
    ticket.expose().to_owned()
}

auth_conformance! {
    mod jwt_hs256;
    authenticator: jwt(Algorithm::Hs256),
    good: good(Algorithm::Hs256),
    bad: bad(Algorithm::Hs256),
}

auth_conformance! {
    mod jwt_es256;
    authenticator: jwt(Algorithm::Es256),
    good: good(Algorithm::Es256),
    bad: bad(Algorithm::Es256),
}

auth_conformance! {
    mod keys;
    authenticator: api_keys(),
    good: API_KEY,
    bad: ["sk_", "SK_OF_THE_MONITOR_WHICH_IS_LONG_AND_RANDOM"],
}

auth_conformance! {
    mod one_time_tickets;
    authenticator: TICKETS.clone(),
    good: ticket(),
    bad: ["ticket_", "ticket_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"],
}

auth_conformance! {
    mod cached_and_revocable;
    authenticator: jwt(Algorithm::Hs256)
        .cached(Duration::from_secs(60), 1000)
        .with_revocation(MemoryRevocations::new())
        .max_concurrent(100),
    good: good(Algorithm::Hs256),
    bad: bad(Algorithm::Hs256),
}

auth_conformance! {
    mod chained_and_routed;
    authenticator: by_issuer()
        .issuer(ISSUER, jwt(Algorithm::EdDsa))
        .or(api_keys())
        .or(TICKETS.clone())
        .timeout(Duration::from_secs(5), |_| std::future::pending()),
    good: good(Algorithm::EdDsa),
    bad: bad(Algorithm::EdDsa),
}

#[test]
fn a_ticket_behind_a_cache_is_still_good_once() {
    use socketio_auth::testing::block_on;
    use socketio_auth::{AuthContext, Credential, Outcome, SourceKind};

    let cached = TICKETS.clone().cached(Duration::from_secs(60), 10);
    let ticket = Credential::new(ticket(), SourceKind::Payload);
    let cx = AuthContext::new("/");
    let ask = || block_on(cached.authenticate(&cx, &ticket));
    assert!(matches!(ask(), Outcome::Accept(_)));
    assert!(matches!(ask(), Outcome::Reject(_)));
}
