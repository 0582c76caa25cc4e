use serde_json::{Value, json};

use super::{NOW, verdict_at};
use crate::jwt::{Algorithm, JwtAuthenticator, ProofOfPossession};
use crate::testing::{FakeClock, TokenDraft, TokenMint};
use crate::{AuthContext, server::connection_binding};

const URL: &str = "https://chat.example/socket.io/";
const SID: &str = "lv_VI97HAXpY6yYWAAAB";

fn mint() -> TokenMint {
    TokenMint::new(Algorithm::Hs256)
        .issuer("https://id.example")
        .clock(FakeClock::at(NOW))
}

/// The client's own key.
fn holder(algorithm: Algorithm) -> TokenMint {
    TokenMint::new(algorithm).clock(FakeClock::at(NOW))
}

fn bound(to: &TokenMint) -> String {
    let confirmation = json!({ "jkt": to.thumbprint() });
    mint().token("ann").claim("cnf", confirmation).sign()
}

fn jwt(proof: ProofOfPossession) -> JwtAuthenticator<Value> {
    JwtAuthenticator::builder()
        .key(mint().verifying_key())
        .issuer("https://id.example")
        .any_audience()
        .proof_of_possession(proof)
        .clock(FakeClock::at(NOW))
        .build()
        .unwrap()
}

fn here() -> AuthContext {
    AuthContext::new("/").with_binding(connection_binding(SID))
}

/// The verdict on a good token with a proof that the test changed.
fn judged(change: impl FnOnce(TokenDraft<'_>) -> String) -> &'static str {
    let holder = holder(Algorithm::Es256);
    let token = bound(&holder);
    let proof = change(holder.proof(&token, SID, URL));
    let jwt = jwt(ProofOfPossession::for_url(URL));
    verdict_at(&here(), &jwt, &format!("{token}~{proof}"))
}

#[test]
fn a_proof_of_every_asymmetric_algorithm_is_accepted() {
    for algorithm in [
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
        Algorithm::Rs256,
        Algorithm::Ps512,
    ] {
        let holder = holder(algorithm);
        let token = bound(&holder);
        let proof = holder.proof(&token, SID, URL).sign();
        let jwt = jwt(ProofOfPossession::for_url("https://old.example/").or_url(URL));
        let credential = format!("{token}~{proof}");
        assert_eq!(
            verdict_at(&here(), &jwt, &credential),
            "ok",
            "{algorithm:?}"
        );
    }
}

#[test]
fn a_stolen_token_opens_nothing() {
    let holder = holder(Algorithm::Es256);
    let (token, jwt) = (bound(&holder), jwt(ProofOfPossession::for_url(URL)));
    assert_eq!(verdict_at(&here(), &jwt, &token), "invalid_token");
    assert_eq!(
        verdict_at(&here(), &jwt, &format!("{token}~")),
        "invalid_token"
    );
    // Nor does a proof that was seen on another connection.
    let seen = holder.proof(&token, "another-connection__", URL).sign();
    let replayed = format!("{token}~{seen}");
    assert_eq!(verdict_at(&here(), &jwt, &replayed), "invalid_token");
    // Nor a proof with the thief's key.
    let thief = TokenMint::stranger(Algorithm::Es256).clock(FakeClock::at(NOW));
    let own = thief.proof(&token, SID, URL).sign();
    assert_eq!(
        verdict_at(&here(), &jwt, &format!("{token}~{own}")),
        "invalid_token"
    );
}

#[test]
fn every_part_of_a_proof_is_compared() {
    assert_eq!(judged(|proof| proof.sign()), "ok");
    assert_eq!(judged(|proof| proof.claim("iat", NOW - 30).sign()), "ok");
    assert_eq!(judged(|proof| proof.claim("iat", NOW + 30).sign()), "ok");
    let invalid: [fn(TokenDraft<'_>) -> String; 18] = [
        |proof| proof.sign_wrongly(),
        |proof| proof.unsigned("none"),
        |proof| proof.sign_naming(Algorithm::Es384),
        |proof| proof.sign_with_public_text(),
        |proof| proof.header("typ", "JWT").sign(),
        |proof| proof.without_header("typ").sign(),
        |proof| proof.without_header("jwk").sign(),
        |proof| proof.header("crit", json!(["exp"])).sign(),
        |proof| proof.duplicate_header("alg", "ES256").sign(),
        |proof| proof.claim("iat", NOW - 31).sign(),
        |proof| proof.claim("iat", NOW + 31).sign(),
        |proof| proof.without_claim("iat").sign(),
        |proof| proof.claim("htu", "https://evil.example/socket.io/").sign(),
        |proof| proof.without_claim("htu").sign(),
        |proof| proof.claim("nsp", "/admin").sign(),
        |proof| proof.claim("ath", "bm90IHRoaXMgb25l").sign(),
        |proof| proof.without_claim("sid").sign(),
        |proof| proof.duplicate_claim("sid", SID).sign(),
    ];
    for (index, change) in invalid.into_iter().enumerate() {
        assert_eq!(judged(change), "invalid_token", "case {index}");
    }
}

#[test]
fn row_40_where_token_and_proof_meet_cannot_be_moved() {
    let holder = holder(Algorithm::Es256);
    let token = bound(&holder);
    let proof = holder.proof(&token, SID, URL).sign();
    let jwt = jwt(ProofOfPossession::for_url(URL));
    let judged = |credential: &str| verdict_at(&here(), &jwt, credential);
    assert_eq!(judged(&format!("{token}~{proof}")), "ok");
    let (head, tail) = proof.split_at(1);
    for moved in [
        format!("{token}{head}~{tail}"),
        format!("{token}~~{proof}"),
        format!("~{token}~{proof}"),
        format!("{token}~{proof}~"),
        format!("{token}~{proof}~{proof}"),
        format!("{proof}~{token}"),
        format!("{token}.{proof}"),
    ] {
        assert_ne!(judged(&moved), "ok", "{moved}");
    }
}

#[test]
fn a_proof_with_a_private_or_symmetric_key_is_refused() {
    let mut private = holder(Algorithm::Es256).jwk();
    private["d"] = json!("AAAA");
    assert_eq!(
        judged(|proof| proof.header("jwk", private).sign()),
        "invalid_token"
    );
    let secret = holder(Algorithm::Hs256);
    let token = mint()
        .token("ann")
        .claim("cnf", json!({ "jkt": "" }))
        .sign();
    let proof = secret.proof(&token, SID, URL).sign();
    let jwt = jwt(ProofOfPossession::for_url(URL));
    assert_eq!(
        verdict_at(&here(), &jwt, &format!("{token}~{proof}")),
        "invalid_token"
    );
}

#[test]
fn a_proof_one_byte_past_the_limit_is_refused() {
    let padded = |proof: TokenDraft<'_>, length: usize| {
        let short = proof.clone().claim("pad", "").sign().len();
        // Base64 turns three bytes into four characters, so not every length can be met by one claim.
        (0..length - short)
            .rev()
            .map(|pad| proof.clone().claim("pad", "x".repeat(pad)).sign())
            .find(|signed| signed.len() <= length)
            .unwrap()
    };
    assert_eq!(judged(|proof| padded(proof, 4096)), "ok");
    assert_eq!(
        judged(|proof| {
            let most = padded(proof.clone(), 4096);
            let longer = padded(proof, 4099);
            assert!(most.len() <= 4096 && longer.len() > 4096);
            longer
        }),
        "invalid_token"
    );
}

#[test]
fn unbound_tokens_are_bearer_tokens_only_when_told_so() {
    let token = mint().token("ann").sign();
    let strict = jwt(ProofOfPossession::for_url(URL));
    assert_eq!(verdict_at(&here(), &strict, &token), "invalid_token");
    let lenient = jwt(ProofOfPossession::for_url(URL).accept_unbound_tokens());
    assert_eq!(verdict_at(&here(), &lenient, &token), "ok");
    let needs_proof = bound(&holder(Algorithm::Es256));
    assert_eq!(verdict_at(&here(), &lenient, &needs_proof), "invalid_token");
    let odd = mint()
        .token("ann")
        .claim("cnf", json!({ "x5t#S256": "a" }))
        .sign();
    assert_eq!(verdict_at(&here(), &lenient, &odd), "invalid_token");
}

#[test]
fn without_a_binding_nobody_is_let_in() {
    let holder = holder(Algorithm::Es256);
    let token = bound(&holder);
    let proof = holder.proof(&token, SID, URL).sign();
    let jwt = jwt(ProofOfPossession::for_url(URL));
    let cx = AuthContext::new("/");
    assert_eq!(
        verdict_at(&cx, &jwt, &format!("{token}~{proof}")),
        "auth_unavailable"
    );
}

/// Recorded from `proof.js`, run by Node with the clock at `NOW` and the mint's P-256 key.
#[test]
fn the_documented_snippet_makes_good_proofs() {
    let recorded: Value = serde_json::from_str(include_str!("proof_vector.json")).unwrap();
    let token = bound(&holder(Algorithm::Es256));
    assert_eq!(recorded["token"], token.as_str());
    let proof = recorded["proof"].as_str().unwrap();
    let jwt = jwt(ProofOfPossession::for_url(URL));
    assert_eq!(verdict_at(&here(), &jwt, &format!("{token}~{proof}")), "ok");
}
