//! What holds of tokens whatever they are. The fuzz targets call these functions, and an ordinary test replays the
//! inputs they found worth keeping.
//!
//! Each takes any bytes, and panics where a property does not hold.

use std::pin::pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, Waker};

use serde_json::Value;

use super::algorithm::Algorithm;
use super::authenticator::JwtAuthenticator;
use super::header::JoseHeader;
use crate::authenticator::judge::{Authenticator, Outcome};
use crate::claims::strict_json::{Json, Object};
use crate::presented::context::AuthContext;
use crate::presented::credential::{Credential, SourceKind};

/// Nobody who writes tokens here knows it.
const SECRET: &[u8] = b"n5Jk2mC8wq0Zs7Yt4Rv1Xb6Lp3Hd9Fgn5Jk2mC8wq0Zs7Yt4Rv1Xb6Lp3Hd9Fg";

/// The header of a token: what is accepted says what a parser that is not strict reads as well, and nothing that
/// brings a key along.
pub fn header(data: &[u8]) {
    if let Some(members) = Object::parse(data) {
        let lenient = serde_json::from_slice::<Value>(data).ok();
        assert_eq!(lenient, Some(Json::Object(members).into()));
    }
    let Ok(header) = JoseHeader::parse(data) else {
        return;
    };
    let members: Value =
        serde_json::from_slice(data).expect("JSON, because the strict parser took it");
    let member = |name: &str| members.get(name).and_then(Value::as_str);
    assert_eq!(
        member("alg").and_then(Algorithm::from_name),
        Some(header.algorithm)
    );
    assert_eq!(member("kid"), header.key_id.as_deref());
    assert_eq!(member("typ"), header.token_type.as_deref());
    for name in ["crit", "jku", "jwk", "x5u", "x5c", "b64"] {
        assert!(members.get(name).is_none(), "{name} is refused");
    }
}

/// A whole token: one that was not signed with the secret is never accepted, and the answer never waits.
pub fn token(data: &[u8]) {
    static JWT: OnceLock<JwtAuthenticator<Value>> = OnceLock::new();
    let jwt = JWT.get_or_init(|| {
        JwtAuthenticator::builder()
            .hs256(SECRET)
            .issuer("https://id.example")
            .audience("chat")
            .build()
            .expect("a sound configuration, because its key is long enough")
    });
    let credential = Credential::new(String::from_utf8_lossy(data), SourceKind::Payload);
    let cx = AuthContext::new("/");
    let mut answer = pin!(jwt.authenticate(&cx, &credential));
    let answer = answer
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    let is_refused = |outcome: &Outcome<Value>| !matches!(outcome, Outcome::Accept(_));
    assert!(matches!(answer, Poll::Ready(outcome) if is_refused(&outcome)));
}
