//! Grants after their first acceptance: asked about again, switched, inherited.

use super::*;

/// An active socket of ann's under a policy that asks again every ten seconds; her token ends after a hundred.
fn revalidated(change: impl FnOnce(&mut NamespacePolicy)) -> Bench {
    let mut settings = policy(Mode::Handshake);
    settings.revalidate_every = Some(Duration::from_secs(10));
    change(&mut settings);
    let mut bench = Bench::new(settings);
    bench.step(0, connect(token()));
    bench.let_in(0, ok(1, "ann", 100));
    assert_eq!(bench.step(9_999, Input::Timeout), "");
    assert_eq!(bench.timeout(), Some(10_000));
    bench
}

#[test]
fn a_live_socket_is_asked_about_again_and_goes_on() {
    let mut bench = revalidated(|_| {});
    assert_eq!(bench.step(10_000, Input::Timeout), "verify(2)");
    assert_eq!(bench.step(10_500, Input::Packet(1)), "deliver(1)");
    assert_eq!(bench.step(11_000, ok(2, "ann", 100)), "replace(100)");
    assert_eq!(bench.timeout(), Some(21_000), "and again");
    bench.step(21_000, Input::Timeout);
    assert_eq!(
        bench.step(21_000, ok(3, "ann", 5)),
        "replace(5)",
        "less is less"
    );
}

/// A session in a database, prolonged by each request to the application.
#[test]
fn a_credential_that_holds_for_longer_than_it_did_prolongs_the_socket() {
    let mut bench = revalidated(|_| {});
    for turn in 1..=20 {
        let at = 10_000 * u64::from(turn);
        assert_eq!(
            bench.step(at, Input::Timeout),
            format!("verify({})", turn + 1)
        );
        assert_eq!(bench.step(at, ok(turn + 1, "ann", 100)), "replace(100)");
    }
}

#[test]
fn what_the_server_ends_is_not_prolonged_by_asking_again() {
    let mut bench = revalidated(|_| {});
    let notice = Input::ExpireIn {
        margin: Duration::from_secs(30),
        reason: None,
    };
    assert_eq!(bench.step(10_000, notice), "verify(2) expiring(30)");
    assert_eq!(bench.step(10_000, ok(2, "ann", 100)), "replace(30)");
    bench.step(20_000, Input::Timeout);
    assert_eq!(bench.step(20_000, ok(3, "ann", 5)), "replace(5)", "sooner");
    bench.step(24_000, authenticate());
    assert_eq!(
        bench.step(24_000, ok(4, "ann", 100)),
        "replace(100) authenticated",
        "a newer credential is another matter"
    );
}

#[test]
fn a_credential_that_does_not_hold_any_more_ends_the_socket() {
    for (verdict, ends) in [
        (
            err(2, Code::InvalidToken),
            "unauthorized(invalid_token) disconnect",
        ),
        (
            err(2, Code::TokenRevoked),
            "unauthorized(token_revoked) disconnect",
        ),
        (
            err(2, Code::TokenExpired),
            "unauthorized(token_expired) expire",
        ),
        (ok(2, "ann", 0), "unauthorized(token_expired) expire"),
        (
            ok(2, "bob", 9),
            "unauthorized(identity_mismatch) disconnect",
        ),
    ] {
        let mut bench = revalidated(|settings| settings.allow_switch = true);
        bench.step(10_000, Input::Timeout);
        assert_eq!(bench.step(10_000, verdict), ends, "and no failed attempt");
        assert!(bench.machine.is_closed());
    }
}

#[test]
fn an_authenticator_that_cannot_tell_is_asked_later() {
    let mut bench = revalidated(|_| {});
    bench.step(10_000, Input::Timeout);
    assert_eq!(bench.step(10_000, err(2, Code::AuthUnavailable)), "");
    assert_eq!(bench.step(20_000, Input::Timeout), "verify(3)");
    assert_eq!(bench.step(25_000, Input::Timeout), "cancel(3)", "it hangs");
    assert_eq!(bench.machine.state(), "inside");
    assert_eq!(bench.timeout(), Some(35_000));
}

#[test]
fn a_renewal_overtakes_what_the_server_asks_by_itself() {
    let mut bench = revalidated(|_| {});
    bench.step(10_000, Input::Timeout);
    assert_eq!(bench.step(11_000, authenticate()), "cancel(2) verify(3)");
    assert_eq!(bench.step(12_000, err(2, Code::InvalidToken)), "", "stale");
    assert_eq!(
        bench.step(12_000, ok(3, "ann", 100)),
        "replace(100) authenticated"
    );
    assert_eq!(bench.timeout(), Some(22_000));
}

#[test]
fn the_end_of_a_grant_does_not_wait_for_what_the_server_asks() {
    let mut bench = revalidated(|settings| settings.verify_timeout = Duration::from_secs(500));
    bench.step(10_000, Input::Timeout);
    assert_eq!(bench.step(70_000, Input::Timeout), "expiring(30)");
    assert_eq!(
        bench.step(100_000, Input::Timeout),
        "cancel(2) unauthorized(token_expired) expire"
    );
}

#[test]
fn guests_and_those_who_became_guests_are_not_asked_about() {
    let mut settings = policy(Mode::Handshake);
    settings.revalidate_every = Some(Duration::from_secs(10));
    settings.on_expiry = OnExpiry::Downgrade;
    let mut bench = Bench::new(settings.clone());
    bench.step(0, connect(Collected::Guest));
    bench.step(0, yes(1));
    assert_eq!(bench.timeout(), None);
    let mut bench = Bench::new(settings);
    bench.step(0, connect(token()));
    bench.let_in(0, ok(1, "ann", 6));
    bench.step(4_000, Input::Timeout);
    assert_eq!(
        bench.step(6_000, Input::Timeout),
        "unauthorized(token_expired) leave-rooms ask(guest)"
    );
    bench.step(6_000, yes(2));
    assert_eq!(bench.timeout(), None);
    assert!(bench.machine.credential().is_none(), "nor is it kept");
}

#[test]
fn row_12_a_credential_is_kept_only_to_be_asked_about_and_only_a_good_one() {
    let bench = Bench::at("inside");
    assert!(bench.machine.credential().is_none());
    let mut bench = revalidated(|_| {});
    let bad = Collected::Credential(Credential::new("bad", SourceKind::Event));
    let renewal = Input::Authenticate {
        presented: bad,
        ack: None,
        failed_attempts: 0,
    };
    bench.step(9_999, renewal);
    bench.step(9_999, err(2, Code::InvalidToken));
    let kept = bench.machine.credential().map(Credential::token);
    assert_eq!(kept, Some("t"));
    bench.step(9_999, Input::Left);
    assert!(bench.machine.credential().is_none());
}

#[test]
fn row_22_a_switch_of_subject_is_opt_in_and_leaves_the_rooms_first() {
    let mut settings = policy(Mode::Handshake);
    settings.allow_switch = true;
    let mut bench = Bench::new(settings);
    bench.step(0, connect(token()));
    bench.let_in(0, ok(1, "ann", 100));
    bench.step(2_000, authenticate());
    assert_eq!(
        bench.let_in(2_000, ok(2, "bob", 100)),
        "leave-rooms become(switch,100) authenticated"
    );
    bench.step(4_000, authenticate());
    assert_eq!(
        bench.step(4_000, ok(3, "bob", 100)),
        "replace(100) authenticated"
    );
}

fn granted(seconds: u64) -> In {
    Input::ConnectGranted {
        granted: Granted {
            grant: "ann",
            subject: "ann".into(),
            expires_in: Some(Duration::from_secs(seconds)),
        },
        credential: Some(Credential::new("t", SourceKind::Payload)),
    }
}

#[test]
fn a_grant_of_the_connection_lets_in_for_as_long_as_it_holds() {
    for mode in [Mode::Handshake, Mode::TwoRoundTrip, Mode::Either] {
        let mut bench = Bench::new(policy(mode));
        assert_eq!(bench.step(0, granted(9)), "ask(ann)");
        assert_eq!(bench.step(0, yes(1)), "enter(connect,9)");
        assert_eq!(bench.step(6_000, Input::Timeout), "expiring(3)");
        bench.step(6_000, authenticate());
        assert_eq!(
            bench.step(6_000, ok(2, "bob", 9)),
            "unauthorized(identity_mismatch)"
        );
        assert_eq!(
            bench.step(9_000, Input::Timeout),
            "unauthorized(token_expired) expire"
        );
    }
    let mut bench = Bench::new(policy(Mode::Handshake));
    assert_eq!(bench.step(0, granted(0)), "refuse(token_expired)");
}

#[test]
fn an_inherited_grant_is_asked_about_too() {
    let mut settings = policy(Mode::Handshake);
    settings.revalidate_every = Some(Duration::from_secs(10));
    let mut bench = Bench::new(settings);
    bench.step(0, granted(100));
    bench.step(0, yes(1));
    assert_eq!(bench.step(10_000, Input::Timeout), "verify(2)");
}
