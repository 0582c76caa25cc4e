//! The table of attacks, row by row, as far as this crate defends: through the public interface, as the server uses
//! it. Rows about tokens are tested beside the JWT code, rows about sockets and requests where those are.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use socketio_auth::testing::{MachineDriver, StaticAuth, block_on};
use socketio_auth::{
    AuthContext, AuthField, Authenticator, BearerHeader, Code, Cookie, CookieOrigins, Credential,
    CredentialSource, Extract, Grant, HandshakeView, InHandshake, Mode, NamespacePolicy, Outcome,
    Policy, Query, Rejection, Scopes, SourceKind, TwoRoundTrip, auth_fn,
    authorize::{Action, ScopeMap},
    revocation::{MemoryRevocations, Revocation, RevocationListener, RevocationOrigin},
    server::{Collected, DynPolicy, RequestSource, connect_error},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const NOTHING: [&str; 0] = [];

fn two_round_trip() -> MachineDriver {
    let mut policy = NamespacePolicy::default();
    policy.mode = Mode::TwoRoundTrip;
    let mut client = MachineDriver::new(policy);
    assert_eq!(client.connect(None), ["accept"]);
    client
}

fn active(expires_in: Option<Duration>) -> MachineDriver {
    let mut client = two_round_trip();
    client.authenticate(Some("token"));
    client.accept("ann", expires_in);
    assert!(client.is_active());
    client
}

/// A request with one header and one query parameter.
#[derive(Default)]
struct Request {
    headers: Vec<(&'static str, &'static str)>,
    query: Vec<(&'static str, &'static str)>,
}

impl RequestSource for Request {
    fn headers(&self, name: &str, found: &mut dyn FnMut(&[u8])) {
        for (_, value) in self.headers.iter().filter(|header| header.0 == name) {
            found(value.as_bytes());
        }
    }

    fn query(&self, name: &str, found: &mut dyn FnMut(&str)) {
        for (_, value) in self.query.iter().filter(|parameter| parameter.0 == name) {
            found(value);
        }
    }

    fn peer(&self) -> Option<SocketAddr> {
        None
    }
}

fn judge(policy: &Arc<dyn DynPolicy>) -> Result<String, Code> {
    let credential = Credential::new("token", SourceKind::Payload);
    block_on(Arc::clone(policy).authenticate(AuthContext::new("/"), credential))
        .map(|grant| grant.subject().to_string())
        .map_err(|rejection| rejection.code())
}

#[test]
fn row_11_a_token_in_the_url_counts_only_when_asked_for() {
    let request = Request {
        query: vec![("token", "abc")],
        ..Request::default()
    };
    let view = HandshakeView::new(&request);
    let by_default = InHandshake::new(StaticAuth::accept("ann")).into_dyn();
    assert!(matches!(by_default.collect(&view), Collected::Missing(_)));
    let asked_for = InHandshake::new(StaticAuth::accept("ann"))
        .sources(Query("token"))
        .into_dyn();
    assert!(matches!(asked_for.collect(&view), Collected::Credential(_)));
}

#[test]
fn row_13_a_token_is_no_good_after_the_logout_and_live_sockets_hear_of_it() {
    struct Live(Mutex<Vec<Revocation>>);
    impl RevocationListener for Live {
        fn on_revoked(&self, revocation: &Revocation, _origin: RevocationOrigin) {
            self.0.lock().unwrap().push(revocation.clone());
        }
    }
    let list = MemoryRevocations::new();
    let grant = Grant::new(String::new(), "ann").with_session_id("s1");
    let facts = grant.facts().clone();
    let authenticator = StaticAuth::accept_grant(grant).with_revocation(list.clone());
    let policy = InHandshake::new(authenticator).into_dyn();
    let live = Arc::new(Live(Mutex::default()));
    let listener: Arc<dyn RevocationListener> = live.clone();
    policy.revocations(&mut |list| list.subscribe(Arc::downgrade(&listener)));
    assert_eq!(judge(&policy), Ok("ann".into()));
    let logout = Revocation::session("s1");
    list.revoke(&logout).unwrap();
    assert_eq!(judge(&policy), Err(Code::TokenRevoked));
    assert!(policy.is_revoked(&facts), "also for what is in already");
    assert_eq!(*live.0.lock().unwrap(), [logout]);
    let mut client = active(None);
    assert_eq!(
        client.revoke(),
        ["unauthorized(token_revoked)", "disconnect"]
    );
}

#[test]
fn row_14_a_live_socket_ends_with_its_token() {
    let mut client = active(Some(2 * MINUTE));
    assert_eq!(client.advance(MINUTE + 29 * SECOND), NOTHING);
    assert_eq!(client.advance(SECOND), ["expiring(30)"]);
    assert_eq!(
        client.advance(30 * SECOND),
        ["unauthorized(token_expired)", "expire"]
    );
}

#[test]
fn row_14_a_token_that_ended_meanwhile_lets_nobody_in() {
    let mut client = two_round_trip();
    client.authenticate(Some("token"));
    assert_eq!(
        client.accept("ann", Some(Duration::ZERO)),
        ["failed", "unauthorized(token_expired)"]
    );
}

#[test]
fn row_15_a_huge_expiry_ends_with_the_longest_session() {
    for expires_in in [None, Some(Duration::MAX)] {
        let mut client = active(expires_in);
        let day = 24 * 60 * MINUTE;
        assert_eq!(client.advance(day - SECOND), ["expiring(30)"]);
        assert_eq!(
            client.advance(SECOND),
            ["unauthorized(token_expired)", "expire"]
        );
    }
    let endless = Grant::new((), "ann").with_expires_at(UNIX_EPOCH + Duration::from_secs(1 << 60));
    assert!(endless.expires_in(SystemTime::UNIX_EPOCH) > Some(24 * 60 * MINUTE));
}

#[test]
fn row_16_a_silent_client_is_gone_after_the_deadline() {
    let mut client = two_round_trip();
    assert_eq!(
        client.advance(5 * SECOND - Duration::from_millis(1)),
        NOTHING
    );
    assert_eq!(
        client.advance(SECOND),
        ["unauthorized(auth_timeout)", "disconnect"]
    );
}

#[test]
fn row_16_a_client_that_ignores_unauthorized_is_gone_after_the_grace() {
    let mut client = two_round_trip();
    client.authenticate(Some("bad"));
    assert_eq!(
        client.reject(Code::InvalidToken),
        ["failed", "unauthorized(invalid_token)"]
    );
    assert_eq!(client.advance(SECOND), ["disconnect"]);
}

#[test]
fn row_17_a_fourth_attempt_is_refused_even_with_a_good_token() {
    let mut client = two_round_trip();
    for _ in 0..3 {
        client.authenticate(Some("bad"));
        client.reject(Code::InvalidToken);
    }
    assert_eq!(
        client.authenticate(Some("good")),
        ["unauthorized(too_many_attempts)", "disconnect"]
    );
}

#[test]
fn row_18_what_was_sent_before_authenticate_is_never_handled() {
    let mut client = two_round_trip();
    assert_eq!(client.packet("smuggled"), NOTHING);
    client.authenticate(Some("token"));
    assert_eq!(client.packet("behind"), NOTHING);
    let outputs = client.accept("ann", None);
    assert_eq!(outputs.last().map(String::as_str), Some("deliver(behind)"));
    assert!(!outputs.contains(&"deliver(smuggled)".to_owned()));
}

#[test]
fn row_18_what_was_sent_behind_a_bad_token_is_dropped() {
    let mut client = two_round_trip();
    client.authenticate(Some("bad"));
    client.packet("smuggled");
    client.reject(Code::InvalidToken);
    client.authenticate(Some("good"));
    let outputs = client.accept("ann", None);
    assert!(!outputs.contains(&"deliver(smuggled)".to_owned()));
}

#[test]
fn row_19_a_socket_is_in_only_after_activation_and_before_it_hears_so() {
    let mut client = two_round_trip();
    assert!(!client.is_active());
    client.authenticate(Some("token"));
    assert!(!client.is_active());
    let outputs = client.accept("ann", None);
    assert!(client.is_active());
    assert_eq!(outputs, ["ask(ann)", "enter(event,86400)"]);
}

#[test]
fn row_20_a_late_success_resurrects_nobody() {
    let mut client = two_round_trip();
    client.authenticate(Some("token"));
    assert_eq!(
        client.advance(5 * SECOND),
        ["cancel(1)", "unauthorized(auth_unavailable)", "disconnect"]
    );
    assert_eq!(client.accept("ann", None), NOTHING);
    assert!(client.is_closed());
}

#[test]
fn row_21_a_second_authenticate_waits_for_nothing() {
    let mut client = two_round_trip();
    assert_eq!(client.authenticate(Some("a")), ["verify(1)"]);
    assert_eq!(
        client.authenticate(Some("b")),
        ["unauthorized(auth_in_progress)"]
    );
    let outputs = client.accept("ann", None);
    assert_eq!(outputs, ["ask(ann)", "enter(event,86400)"]);
}

#[test]
fn row_22_a_renewal_cannot_change_who_one_is() {
    let mut client = active(Some(MINUTE));
    client.authenticate(Some("other"));
    assert_eq!(
        client.accept("bob", Some(MINUTE)),
        ["unauthorized(identity_mismatch)"]
    );
    assert!(client.is_active(), "as the one it was");
    assert_eq!(client.acknowledge(), NOTHING);
}

#[test]
fn row_24_policies_of_one_authenticator_share_no_settings() {
    let shared = Arc::new(StaticAuth::accept("ann"));
    let strict = InHandshake::new(Arc::clone(&shared))
        .settings(|settings| settings.max_attempts = 1)
        .into_dyn();
    let other = TwoRoundTrip::new(shared).into_dyn();
    assert_eq!(strict.settings().max_attempts, 1);
    assert_eq!(strict.settings().mode, Mode::Handshake);
    assert_eq!(other.settings().max_attempts, 3);
    assert_eq!(other.settings().mode, Mode::TwoRoundTrip);
}

#[test]
fn row_27_a_foreign_page_cannot_use_the_cookie() {
    let source = || Cookie::new("token", CookieOrigins::new(["https://app.example"]));
    let policy = InHandshake::new(StaticAuth::accept("ann"))
        .sources(source())
        .guest(String::new)
        .into_dyn();
    let collect = |origin| {
        let mut headers = vec![("cookie", "a=b; token=abc")];
        headers.extend(origin);
        let request = Request {
            headers,
            ..Request::default()
        };
        policy.collect(&HandshakeView::new(&request))
    };
    let foreign = collect(Some(("origin", "https://evil.example")));
    assert!(
        matches!(&foreign, Collected::Rejected(why) if why.code() == Code::OriginNotAllowed),
        "not even as a guest: {foreign:?}"
    );
    let own = collect(Some(("origin", "https://app.example")));
    assert!(matches!(own, Collected::Credential(_)));
    assert!(matches!(collect(None), Collected::Credential(_)));
}

#[test]
fn row_32_clients_hear_fixed_sentences_and_no_detail() {
    let rejection = Rejection::new(Code::InvalidToken).with_detail("expected iss https://idp");
    let sent = connect_error(&rejection, false);
    assert!(!sent.contains("idp"), "{sent}");
    let other = Rejection::new(Code::InvalidToken).with_detail("no key verifies");
    assert_eq!(sent, connect_error(&other, false));
}

#[test]
fn row_33_what_a_stranger_may_send_is_bounded() {
    let settings = NamespacePolicy::default();
    assert_eq!(settings.max_payload_bytes, 16 * 1024);
    let mut client = two_round_trip();
    client.authenticate(Some("token"));
    for _ in 0..settings.max_pending_packets {
        assert_eq!(client.packet("x"), NOTHING);
    }
    assert_eq!(client.packet("x"), ["cancel(1)", "close"]);
    let mut client = two_round_trip();
    client.authenticate(Some("token"));
    let half = "x".repeat(settings.max_pending_bytes / 2);
    assert_eq!(client.packet(&half), NOTHING);
    assert_eq!(client.packet(&half), NOTHING);
    assert_eq!(client.packet("x"), ["cancel(1)", "close"]);
}

#[test]
fn row_36_a_panic_of_the_authenticator_is_contained() {
    let policy = InHandshake::new(StaticAuth::panic()).into_dyn();
    assert_eq!(judge(&policy), Err(Code::AuthUnavailable));
    let at_once = auth_fn(|_, _| -> std::future::Ready<Outcome<()>> { panic!("before a future") });
    let policy = InHandshake::new(at_once).into_dyn();
    assert_eq!(judge(&policy), Err(Code::AuthUnavailable));
}

#[test]
fn row_36_a_panic_of_the_authorizer_denies() {
    let policy = InHandshake::new(StaticAuth::accept("ann"))
        .authorize(socketio_auth::authorize::authorizer_fn(
            |_: socketio_auth::authorize::Holder<'_, String>, _| panic!("undecided"),
        ))
        .into_dyn();
    let identity = socketio_auth::server::ErasedIdentity::new("ann".to_owned());
    let decision = policy.can(&identity, None, Action::Leave { room: "a" });
    assert!(!decision.is_allowed());
}

#[test]
fn row_37_an_authenticator_that_hangs_is_given_up() {
    let mut policy = NamespacePolicy::default();
    policy.verify_timeout = 2 * SECOND;
    let mut client = MachineDriver::new(policy);
    assert_eq!(client.connect(Some("token")), ["verify(1)"]);
    assert_eq!(
        client.advance(2 * SECOND),
        ["cancel(1)", "refuse(auth_unavailable)"]
    );
}

#[test]
fn row_39_a_renewal_with_less_takes_rooms_away() {
    let scopes = ScopeMap::builder().join("staff", "staff").build().unwrap();
    let policy = InHandshake::new(StaticAuth::accept("ann"))
        .authorize(scopes)
        .into_dyn();
    let identity = socketio_auth::server::ErasedIdentity::new("ann".to_owned());
    let may_stay = |scopes| {
        let grant = Grant::new((), "ann").with_scopes(Scopes::parse(scopes));
        let action = Action::Join { room: "staff" };
        policy
            .can(&identity, Some(grant.facts()), action)
            .is_allowed()
    };
    assert!(may_stay("staff chat"));
    assert!(!may_stay("chat"));
    assert!(policy.has_authorizer());
}

#[test]
fn two_different_credentials_are_ambiguous_and_two_equal_ones_are_one() {
    let sources = AuthField("token").or(BearerHeader);
    let extract = |payload: &str, header: &'static str| {
        let request = Request {
            headers: vec![("authorization", header)],
            ..Request::default()
        };
        let payload = json!({ "token": payload });
        sources.extract(&HandshakeView::new(&request).with_payload(Some(&payload)))
    };
    assert!(matches!(extract("a", "Bearer a"), Extract::Found(_)));
    assert!(matches!(
        extract("a", "Bearer b"),
        Extract::Malformed(Code::AmbiguousCredentials)
    ));
}

#[test]
fn an_endless_grace_waits_for_the_acknowledgement_until_the_deadline() {
    let refused = || {
        let mut policy = NamespacePolicy::default();
        policy.mode = Mode::TwoRoundTrip;
        policy.deadline = MINUTE;
        policy.reject_grace = Duration::MAX;
        let mut client = MachineDriver::new(policy);
        client.connect(None);
        client.authenticate(Some("token"));
        let told = client.reject(Code::InvalidToken);
        assert_eq!(
            told.last().map(String::as_str),
            Some("unauthorized(invalid_token)")
        );
        assert_eq!(client.advance(50 * SECOND), NOTHING);
        client
    };
    assert_eq!(refused().acknowledge(), ["disconnect"]);
    // The refusal was told already. The deadline ends what waits for its acknowledgement, and tells no second one.
    assert_eq!(refused().advance(10 * SECOND), ["disconnect"]);
}
