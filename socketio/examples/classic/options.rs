//! socketio-jwt's options one by one, a namespace each.

use std::time::Duration;

use serde_json::{Value, json};
use socketio::auth::jwt::{
    Algorithm, JwtAuthenticator, JwtBuilder, KeyRequest, LookupError, VerifyingKey,
};
use socketio::auth::{
    Authenticator as _, BearerHeader, Code, Cookie, CookieOrigins, Grant, InHandshake, Policy,
    Query, Rejection, TwoRoundTrip,
};
use socketio::{Socket, SocketIo};

use crate::ways::whoami;
use crate::{Failure, Tokens, loose, strict};

/// Who has the other half may sign tokens.
const PUBLIC_KEY: &str = include_str!("../../../auth/src/testing/pem/rsa2048.pub.pem");

/// Secrets used to be given out like this.
const BASE64: &str = "dGhpcnR5LXR3byBieXRlcyBhbmQgbW9yZSBvZiBhIHNlY3JldA==";

pub(crate) fn one_by_one(secret: &str) -> Result<SocketIo, Failure> {
    let io = SocketIo::builder()
        .engine(|config| config.allow_eio3(true))
        .build()?;
    io.namespace("/").public().open()?; // where Socket.IO 2 is, whatever else it asks for
    let tokens = strict(secret)?;
    secrets(&io, secret)?;
    claims(&io, secret)?;
    sources(&io, &tokens)?;
    verdicts(&io, &tokens)?;
    events(&io, &tokens)?;
    Ok(io)
}

fn open<P: Policy<Identity = Value>>(io: &SocketIo, name: &str, policy: P) -> Result<(), Failure> {
    io.namespace(name)
        .authenticate(policy)
        .on("whoami", whoami)
        .open()?;
    Ok(())
}

/// Tokens of any issuer, for anyone.
fn anybodys() -> JwtBuilder<Value> {
    JwtAuthenticator::builder().any_issuer().any_audience()
}

fn secrets(io: &SocketIo, secret: &str) -> Result<(), Failure> {
    //= coming_from: `secret` as text
    //= coming_from: `authorize({ secret, handshake: true })`
    open(
        io,
        "/secret",
        InHandshake::new(anybodys().hs256(secret).build()?),
    )?;
    //= coming_from: `secret` as Base64
    open(
        io,
        "/base64",
        InHandshake::new(anybodys().hs256_base64(BASE64).build()?),
    )?;
    //= coming_from: `secret` as public key
    //= coming_from: `algorithms`
    let key = anybodys().pem(Algorithm::Rs256, PUBLIC_KEY).build()?;
    open(io, "/public-key", InHandshake::new(key))?;
    //= coming_from: `secret` as function
    let chosen = anybodys()
        .key_claim("tenant")
        .key_source(|token: KeyRequest| async move {
            let tenant = token.claim().ok_or(LookupError::Unknown)?;
            let secret = format!("the secret of the tenant called {tenant}");
            VerifyingKey::hmac(Algorithm::Hs256, secret.as_bytes())
                .map_err(|_| LookupError::Unknown)
        });
    open(io, "/secret-function", InHandshake::new(chosen.build()?))
}

fn claims(io: &SocketIo, secret: &str) -> Result<(), Failure> {
    //= coming_from: a payload without `sub`, such as `{ id: 7 }`
    //= coming_from: tokens without `exp`, `iss`, `aud`
    open(io, "/loose", InHandshake::new(loose(secret)?))?;
    //= coming_from: options of `jsonwebtoken.verify`
    let strict = JwtAuthenticator::builder()
        .hs256(secret)
        .issuer("https://issuer.example")
        .audience("fixture")
        .token_type("at+jwt")
        .leeway(Duration::ZERO)
        .max_token_lifetime(Duration::from_secs(15 * 60));
    open(io, "/verify", InHandshake::new(strict.build()?))
}

fn sources(io: &SocketIo, tokens: &Tokens) -> Result<(), Failure> {
    let policy = || InHandshake::new(tokens.clone());
    //= coming_from: token from the query string
    open(io, "/query", policy().sources(Query("token")))?;
    //= coming_from: `auth_header_required`
    open(io, "/header", policy().sources(BearerHeader))?;
    //= coming_from: `cookie`
    let origins = CookieOrigins::new(["https://app.example"]);
    open(
        io,
        "/cookie",
        policy().sources(Cookie::new("token", origins)),
    )?;
    //= coming_from: `required: false`
    open(io, "/guest", policy().guest(|| json!("guest")))
}

fn verdicts(io: &SocketIo, tokens: &Tokens) -> Result<(), Failure> {
    //= coming_from: `customDecoded`, `decodedPropertyName`
    let decoded = tokens
        .clone()
        .map_identity(|claims: Value| json!({ "user": claims["sub"] }));
    open(io, "/decoded", InHandshake::new(decoded))?;
    //= coming_from: `additional_auth`, `onAuthentication`
    //= coming_from: `unauthorized` with `data.code`, `isUnauthorizedError`
    let checked = tokens.clone().check(|grant: Grant<Value>| async move {
        match grant.identity()["sub"].as_str() {
            Some("mallory") => Err(Code::InvalidToken.into()),
            Some("down") => Err(Rejection::unavailable("the database is down")),
            _ => Ok(grant),
        }
    });
    open(io, "/check", InHandshake::new(checked))?;
    //= coming_from: the texts of `credentials_required`
    let missing = Rejection::new(Code::CredentialsRequired).with_message("no token, no chat");
    open(
        io,
        "/texts",
        InHandshake::new(tokens.clone()).missing(missing),
    )?;
    //= coming_from: code `invalid_token`, message "jwt expired"
    let legacy = InHandshake::new(tokens.clone()).settings(|settings| settings.legacy_codes = true);
    open(io, "/legacy", legacy)
}

fn events(io: &SocketIo, tokens: &Tokens) -> Result<(), Failure> {
    let policy = || TwoRoundTrip::new(tokens.clone());
    //= coming_from: `authorize({ secret, timeout })`, `authenticate` event
    open(io, "/timeout", policy().timeout(Duration::from_secs(1)))?;
    //= coming_from: another field than `token`
    open(io, "/field", policy().token_field("jwt"))?;
    //= coming_from: `callback: n` (wait for the client's ack, or n ms)
    let brief = policy().settings(|settings| settings.reject_grace = Duration::from_millis(200));
    open(io, "/callback-200", brief)?;
    //= coming_from: `callback: true` (wait for the ack)
    let patient = policy().settings(|settings| settings.reject_grace = Duration::MAX);
    open(
        io,
        "/callback-true",
        patient.timeout(Duration::from_secs(60)),
    )?;
    //= coming_from: `authenticated` server event, `postAuthenticate`
    io.namespace("/post-authenticate")
        .authenticate(InHandshake::new(tokens.clone()).guest(|| json!({ "sub": "guest" })))
        .on_connect(welcome)
        .on_identity_change(|socket, _| welcome(socket))
        .open()?;
    Ok(())
}

async fn welcome(socket: Socket<Value>) {
    let _ = socket.emit("welcome", &socket.data()["sub"]);
}
