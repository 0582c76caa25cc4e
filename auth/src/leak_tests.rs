//! Row 12: no token in anything that could end up in a log.

use std::fmt::{Debug, Display};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::authorize::Holder;
use crate::server::*;
use crate::*;

const TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl";

/// Fails when a recognisable part of the token shows.
fn clean(shown: &str) {
    for part in TOKEN.split('.') {
        assert!(!shown.contains(part), "the token shows in {shown}");
    }
}

fn debug(value: &impl Debug) {
    clean(&format!("{value:?} {value:#?}"));
}

fn display(value: &impl Display) {
    clean(&value.to_string());
}

#[derive(Clone, Debug)]
struct Packet;

impl QueuedPacket for Packet {
    fn size_bytes(&self) -> usize {
        1
    }
}

struct Everywhere;

impl RequestSource for Everywhere {
    fn headers(&self, _name: &str, found: &mut dyn FnMut(&[u8])) {
        found(format!("Bearer {TOKEN}").as_bytes());
    }

    fn query(&self, _name: &str, found: &mut dyn FnMut(&str)) {
        found(TOKEN);
    }

    fn peer(&self) -> Option<std::net::SocketAddr> {
        None
    }
}

fn credential() -> Credential {
    Credential::new(TOKEN, SourceKind::Payload)
}

/// An authenticator that keeps the token as the identity, as careless ones do.
fn careless() -> impl Authenticator<Identity = String> + Debug {
    auth_fn(|_: AuthContext, credential: Credential| async move {
        let grant = Grant::new(credential.token().to_owned(), "ann")
            .with_token_id("t1")
            .with_session_id("s1");
        match credential.source() {
            SourceKind::Payload => Outcome::Accept(grant),
            _ => Outcome::Reject(Code::InvalidToken.into()),
        }
    })
}

#[test]
fn row_12_credentials_and_what_holds_them_do_not_show_the_token() {
    debug(&Secret::new(TOKEN));
    debug(&credential());
    debug(&credential().fingerprint());
    display(&credential().fingerprint());
    debug(&Extract::Found(credential()));
    debug(&Collected::Credential(credential()));
    let payload = json!({ "token": TOKEN });
    debug(&HandshakeView::new(&Everywhere).with_payload(Some(&payload)));
    debug(&AuthContext::new("/").with_binding(TOKEN));
    debug(&SessionBinding::new(Some(&credential())));
}

#[test]
fn row_12_verdicts_do_not_show_the_token() {
    for source in [SourceKind::Payload, SourceKind::Event] {
        let credential = Credential::new(TOKEN, source);
        let cx = AuthContext::new("/");
        let outcome = base::ready::now_or_never(careless().authenticate(&cx, &credential));
        let outcome = outcome.expect("does not wait");
        debug(&outcome);
        match outcome {
            Outcome::Accept(grant) => {
                debug(&grant);
                debug(&Holder::new(grant.identity(), Some(grant.facts())));
                debug(&ErasedIdentity::new(grant.into_identity()));
            }
            Outcome::Reject(rejection) => display(&rejection),
            Outcome::NotMine => panic!("it judges everything"),
        }
    }
}

#[test]
fn row_12_authenticators_and_policies_do_not_show_what_they_saw() {
    let cached = careless().cached(Duration::from_secs(9), 9);
    let cx = AuthContext::new("/");
    assert!(base::ready::now_or_never(cached.authenticate(&cx, &credential())).is_some());
    debug(&cached);
    let captured = TOKEN.to_owned();
    let comparing = auth_fn(move |_, credential: Credential| {
        let is_mine = credential.token() == captured;
        async move {
            if is_mine {
                Outcome::Accept(Grant::new((), "ann"))
            } else {
                Outcome::NotMine
            }
        }
    });
    debug(&InHandshake::new(comparing).sources(AuthField("token")));
    debug(&TwoRoundTrip::new(careless().max_concurrent(1)));
}

#[test]
fn row_12_the_machine_and_its_messages_do_not_show_the_token() {
    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
    let now = std::time::Instant::now();
    let policy = Arc::new(NamespacePolicy::default());
    let mut machine = AuthMachine::<Packet, Arc<str>, Rejection>::new(policy, false, now);
    let input = Input::Connect {
        presented: Collected::Credential(credential()),
        failed_attempts: 0,
    };
    debug(&input);
    machine.handle_input(now, input);
    debug(&machine);
    while let Some(output) = machine.poll_output() {
        debug(&output);
    }
    debug(&machine);
}

#[test]
fn row_12_the_audit_does_not_show_the_token() {
    let cx = AuthContext::new("/");
    let grant = Grant::new(TOKEN, "ann");
    let rejection = Rejection::new(Code::InvalidToken);
    for kind in [
        AuditKind::Attempt,
        AuditKind::Accepted,
        AuditKind::Rejected(&rejection),
        AuditKind::Panic,
    ] {
        let event = AuthEvent::new(kind)
            .in_context(&cx)
            .with_credential(&credential())
            .with_grant(grant.facts());
        debug(&event);
        display(&event);
    }
}

#[test]
fn row_12_nothing_sent_to_the_client_shows_the_token() {
    let rejection = Rejection::new(Code::InvalidToken).with_detail(TOKEN);
    for dialect in [Dialect::SocketIoJwt, Dialect::SocketIoAuth] {
        clean(&dialect.unauthorized(&rejection, false));
    }
    clean(&connect_error(&rejection, false));
    clean(&connect_error_v4(&rejection, false));
    clean(&ack_unauthorized(&rejection, false));
    display(&rejection);
}
