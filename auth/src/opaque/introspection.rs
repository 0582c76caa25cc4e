//! Opaque tokens, judged by the server that issued them (RFC 7662).

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;

use crate::authenticator::judge::{Authenticator, Outcome};
use crate::base::clock::{Clock, SystemClock};
use crate::base::secret::Secret;
use crate::claims::registered::Expectations;
use crate::claims::strict_json::{Json, Object};
use crate::fetch::exchange::{DynFetch, Fetch, FetchRequest, FetchResponse, InsecureUrl};
use crate::grant::Grant;
use crate::presented::context::AuthContext;
use crate::presented::credential::Credential;
use crate::rejection::code::{Code, Rejection};

/// A longer credential is refused without a request.
const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// The longest answer, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Asks an authorization server whether a token is good; the identity is its answer, as the application's type `C`.
///
/// Every attempt costs a request, so put it behind a cache of a few seconds, which is how long a token that was
/// revoked is still let in, and a limit of requests at a time. It judges every credential: in a chain it comes last.
/// When the server cannot be reached, answers with another status than 200 or with what is no strict JSON, the
/// client hears [`Code::AuthUnavailable`]. The answer must have `sub`; `exp`, `iat` and `nbf` are checked where
/// present, `iss` and `aud` where configured.
///
/// ```
/// use std::time::Duration;
/// use socketio_auth::{Authenticator, Secret, opaque::Introspection};
/// # use socketio_auth::fetch::{Fetch, FetchError, FetchRequest, FetchResponse};
/// # struct Client;
/// # impl Fetch for Client {
/// #     async fn fetch(&self, _: FetchRequest) -> Result<FetchResponse, FetchError> { Err(FetchError::Timeout) }
/// # }
/// #[derive(Clone, serde::Deserialize)]
/// struct User { sub: String, username: Option<String> }
///
/// # fn main() -> Result<(), socketio_auth::fetch::InsecureUrl> {
/// let secret = Secret::new("what we and the authorization server know");
/// let users = Introspection::<User>::new("https://id.example/introspect", "chat", &secret, Client)?
///     .audience("chat")
///     .max_concurrent(64)
///     .cached(Duration::from_secs(10), 10_000);
/// # let _ = users;
/// # Ok(())
/// # }
/// ```
pub struct Introspection<C> {
    url: Arc<str>,
    authorization: Secret,
    fetch: Arc<dyn DynFetch>,
    issuer: Option<Arc<str>>,
    expectations: Expectations,
    clock: Arc<dyn Clock>,
    identity: PhantomData<fn() -> C>,
}

impl<C: DeserializeOwned + Send + Sync + 'static> Introspection<C> {
    /// Asks at `url`, as the client with this id and secret (HTTP Basic, RFC 6749 §2.3.1).
    ///
    /// # Errors
    ///
    /// [`InsecureUrl`] unless `url` is `https`, or `http` to this machine.
    pub fn new(
        url: &str,
        client_id: &str,
        client_secret: &Secret,
        fetch: impl Fetch,
    ) -> Result<Self, InsecureUrl> {
        InsecureUrl::check(url)?;
        Ok(Self::at(url, client_id, client_secret, fetch))
    }

    /// The same at an `http` URL of another machine. Whoever is on the way there reads the tokens and the client's secret, and
    /// can say of any token that it is good: only where nobody is, inside a cluster or to a sidecar.
    ///
    /// # Errors
    ///
    /// [`InsecureUrl`] when `url` is neither `https` nor `http`, or names no host.
    pub fn insecure_over_http(
        url: &str,
        client_id: &str,
        client_secret: &Secret,
        fetch: impl Fetch,
    ) -> Result<Self, InsecureUrl> {
        InsecureUrl::check_allowing_http(url, true)?;
        Ok(Self::at(url, client_id, client_secret, fetch))
    }

    fn at(url: &str, client_id: &str, client_secret: &Secret, fetch: impl Fetch) -> Self {
        let pair = Secret::new(format!(
            "{}:{}",
            form_encoded(client_id),
            form_encoded(client_secret.expose())
        ));
        let authorization = format!("Basic {}", STANDARD.encode(pair.expose()));
        Self {
            url: url.into(),
            authorization: Secret::new(authorization),
            fetch: Arc::new(fetch),
            issuer: None,
            expectations: Expectations {
                audiences: Vec::new(),
                leeway: Duration::from_secs(30),
                max_session: Duration::from_secs(24 * 60 * 60),
                max_token_lifetime: None,
                is_expiry_required: false,
                subject_claim: None,
                end_claim: None,
            },
            clock: Arc::new(SystemClock),
            identity: PhantomData,
        }
    }

    /// Requires `iss` to be exactly this string. By default the server that is asked is trusted to tell.
    #[must_use]
    pub fn issuer(mut self, issuer: &str) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Requires `aud` to be or contain this string. Several calls allow several audiences. By default the server
    /// that is asked, which knows who asks, is trusted to tell.
    #[must_use]
    pub fn audience(mut self, audience: &str) -> Self {
        self.expectations.audiences.push(audience.into());
        self
    }

    /// How long a session may last at most, whatever `exp` says; 24 h by default.
    #[must_use]
    pub fn max_session(mut self, max: Duration) -> Self {
        self.expectations.max_session = max;
        self
    }

    /// Takes the subject from this member of the answer, a text or a whole number, instead of `sub`, which servers need not
    /// tell (RFC 7662 §2.2).
    #[must_use]
    pub fn subject_claim(mut self, name: &str) -> Self {
        self.expectations.subject_claim = Some(name.into());
        self
    }

    /// Ends the session at the time in this member of the answer, in Unix seconds like `exp`, where that is earlier. One that
    /// is no such number is refused. Off by default.
    #[must_use]
    pub fn end_claim(mut self, name: &str) -> Self {
        self.expectations.end_claim = Some(name.into());
        self
    }

    /// Replaces the clock, for tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    fn request(&self, token: &str) -> FetchRequest {
        let form = format!("token={}&token_type_hint=access_token", form_encoded(token));
        FetchRequest::get(Arc::clone(&self.url), MAX_ANSWER_BYTES)
            .with_form(Secret::new(form))
            .with_header("authorization", self.authorization.clone())
            .with_header("accept", Secret::new("application/json"))
    }

    fn judge(&self, response: &FetchResponse) -> Result<Grant<C>, Rejection> {
        if response.status() != 200 {
            return Err(Rejection::unavailable(format!(
                "the introspection endpoint answered with status {}",
                response.status()
            )));
        }
        if response.body().len() > MAX_ANSWER_BYTES {
            return Err(Rejection::unavailable(
                "the introspection answer is too long",
            ));
        }
        let answer = Object::parse(response.body()).ok_or_else(|| {
            Rejection::unavailable("the introspection answer is not a strict JSON object")
        })?;
        match answer.get("active") {
            Some(Json::Bool(true)) => {}
            Some(Json::Bool(false)) => {
                return Err(
                    Rejection::new(Code::InvalidToken).with_detail("the token is not active")
                );
            }
            _ => {
                return Err(Rejection::unavailable(
                    "the introspection answer does not say whether the token is active",
                ));
            }
        }
        let registered = self
            .expectations
            .check(&answer, self.issuer.as_ref(), self.clock.now())
            .map_err(|(code, detail)| Rejection::new(code).with_detail(detail))?;
        serde_json::from_slice(response.body())
            .map(|identity| registered.into_grant(identity))
            .map_err(|error| {
                Rejection::new(Code::InvalidToken).with_detail(format!(
                    "the answer does not fit the application's type: {error}"
                ))
            })
    }
}

impl<C: DeserializeOwned + Send + Sync + 'static> Authenticator for Introspection<C> {
    type Identity = C;

    async fn authenticate(&self, _cx: &AuthContext, credential: &Credential) -> Outcome<C> {
        let token = credential.token();
        // What cannot be a bearer token (RFC 6750 §2.1) is not worth a request.
        let refuse =
            |why: String| Outcome::Reject(Rejection::new(Code::InvalidToken).with_detail(why));
        if token.len() > MAX_TOKEN_BYTES {
            let len = token.len();
            return refuse(format!(
                "the token has {len} bytes, the most is {MAX_TOKEN_BYTES}"
            ));
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return refuse("the token has characters that no bearer token has".to_owned());
        }
        match self.fetch.fetch_dyn(self.request(token)).await {
            Ok(response) => self.judge(&response).into(),
            Err(error) => Outcome::Reject(Rejection::unavailable(error.to_string())),
        }
    }
}

impl<C> Clone for Introspection<C> {
    fn clone(&self) -> Self {
        Self {
            url: Arc::clone(&self.url),
            authorization: self.authorization.clone(),
            fetch: Arc::clone(&self.fetch),
            issuer: self.issuer.clone(),
            expectations: self.expectations.clone(),
            clock: Arc::clone(&self.clock),
            identity: PhantomData,
        }
    }
}

/// Leaves the client's secret out.
impl<C> fmt::Debug for Introspection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection")
            .field("url", &self.url)
            .field("issuer", &self.issuer)
            .field("expectations", &self.expectations)
            .finish_non_exhaustive()
    }
}

/// `application/x-www-form-urlencoded`, with every byte escaped that need not stay.
fn form_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::testing::{FakeClock, FakeFetch};
    use crate::{SourceKind, base::ready::now_or_never};

    const NOW: u64 = 1_800_000_000;

    fn asking(network: &FakeFetch) -> Introspection<Value> {
        let secret = Secret::new("s:cret");
        Introspection::new("https://id.example/in", "chat", &secret, network.clone())
            .unwrap()
            .clock(FakeClock::at(NOW))
    }

    fn ask(introspection: &Introspection<Value>, token: &str) -> Outcome<Value> {
        let credential = Credential::new(token, SourceKind::Payload);
        now_or_never(introspection.authenticate(&AuthContext::new("/"), &credential)).unwrap()
    }

    fn verdict(introspection: &Introspection<Value>, token: &str) -> &'static str {
        match ask(introspection, token) {
            Outcome::Accept(_) => "ok",
            Outcome::NotMine => "not mine",
            Outcome::Reject(rejection) => rejection.code().as_str(),
        }
    }

    #[test]
    fn an_active_token_fills_the_grant() {
        let network = FakeFetch::new();
        let answer = json!({
            "active": true, "sub": "ann", "scope": "chat:write", "exp": NOW + 60, "iss": "id",
            "username": "Ann",
        });
        network.answer(200, &answer.to_string());
        let Outcome::Accept(grant) = ask(&asking(&network), "opaque/token+=") else {
            panic!("refused");
        };
        assert_eq!(grant.subject().id(), "ann");
        assert_eq!(grant.issuer(), Some("id"));
        assert!(grant.scopes().contains("chat:write"));
        assert_eq!(grant.identity()["username"], "Ann");
        assert!(grant.expires_at().is_some());
        let sent = network.requests().remove(0);
        let form = "token=opaque%2Ftoken%2B%3D&token_type_hint=access_token";
        assert_eq!(sent.form(), Some(form));
        let basic = format!("Basic {}", STANDARD.encode("chat:s%3Acret"));
        assert!(
            sent.headers()
                .any(|header| header == ("authorization", basic.as_str()))
        );
    }

    #[test]
    fn the_answer_is_judged_strictly() {
        let active = |more: Value| {
            let mut answer = json!({ "active": true, "sub": "ann", "aud": "chat", "iss": "id" });
            for (name, value) in more.as_object().unwrap() {
                answer[name] = value.clone();
            }
            answer.to_string()
        };
        let (ok, invalid, unavailable) = ("ok", "invalid_token", "auth_unavailable");
        for (status, body, expected) in [
            (200, active(json!({})), ok),
            (200, active(json!({ "exp": NOW - 30 })), "token_expired"),
            (200, active(json!({ "nbf": NOW + 31 })), invalid),
            (200, active(json!({ "aud": "other" })), invalid),
            (200, active(json!({ "iss": "other" })), invalid),
            (200, active(json!({ "sub": 7 })), invalid),
            (200, active(json!({ "active": false })), invalid),
            (200, active(json!({ "active": "true" })), unavailable),
            (200, r#"{"active":true}"#.to_owned(), invalid),
            (
                200,
                r#"{"active":false,"active":true,"sub":"ann"}"#.to_owned(),
                unavailable,
            ),
            (200, "[]".to_owned(), unavailable),
            (200, String::new(), unavailable),
            (401, active(json!({})), unavailable),
            (302, active(json!({})), unavailable),
            (
                200,
                active(json!({ "pad": "x".repeat(64 * 1024) })),
                unavailable,
            ),
        ] {
            let network = FakeFetch::new();
            network.answer(status, &body);
            let introspection = asking(&network).audience("chat").issuer("id");
            assert_eq!(
                verdict(&introspection, "t"),
                expected,
                "{status} {body:.80}"
            );
        }
    }

    #[test]
    fn what_cannot_be_a_token_costs_no_request() {
        let network = FakeFetch::new();
        let introspection = asking(&network);
        assert_eq!(verdict(&introspection, &"t".repeat(8193)), "invalid_token");
        assert_eq!(verdict(&introspection, "a b"), "invalid_token");
        assert_eq!(verdict(&introspection, "tökén"), "invalid_token");
        assert_eq!(network.calls(), 0);
        assert_eq!(
            verdict(&introspection, &"t".repeat(8192)),
            "auth_unavailable"
        );
        assert_eq!(network.calls(), 1);
    }

    #[test]
    fn a_grant_without_exp_ends_with_the_longest_session() {
        let network = FakeFetch::new();
        network.answer(200, r#"{"active":true,"sub":"ann"}"#);
        let introspection = asking(&network).max_session(Duration::from_secs(100));
        let Outcome::Accept(grant) = ask(&introspection, "t") else {
            panic!("refused");
        };
        let now = FakeClock::at(NOW).now();
        assert_eq!(grant.expires_in(now), Some(Duration::from_secs(100)));
    }

    #[test]
    fn nothing_shown_holds_the_clients_secret() {
        assert!(!format!("{:?}", asking(&FakeFetch::new())).contains("Basic"));
    }
}
