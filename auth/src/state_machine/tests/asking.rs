//! What holds while middleware is asked, and what it leads to.

use super::*;

#[test]
fn a_grant_goes_on_running_while_middleware_thinks() {
    let mut bench = Bench::of("outside: verifying", |settings| {
        settings.middleware_timeout = Duration::from_secs(60);
    });
    bench.step(0, ok(1, "ann", 60));
    assert_eq!(bench.step(40_000, yes(1)), "enter(event,20)");
    // Of what is left then, as for any grant.
    assert_eq!(bench.timeout(), Some(53_333));
}

#[test]
fn a_grant_that_ends_while_middleware_thinks_lets_nobody_in() {
    let slow = |settings: &mut NamespacePolicy| {
        settings.deadline = Duration::from_secs(60);
        settings.middleware_timeout = Duration::from_secs(60);
    };
    let mut bench = Bench::of("connect: verifying", slow);
    bench.step(0, ok(1, "ann", 9));
    assert_eq!(bench.timeout(), Some(9_000));
    bench.steps([
        (8_999, Input::Timeout, ""),
        (9_000, yes(1), "cancel(1) refuse(token_expired)"),
    ]);
    let mut bench = Bench::of("outside: waiting", slow);
    bench.step(0, present(token(), Some(5)));
    bench.step(0, ok(1, "ann", 9));
    bench.steps([(
        9_000,
        yes(1),
        "cancel(1) step-back unauthorized(token_expired)+ack5",
    )]);
    assert_eq!(bench.machine.state(), "outside: waiting");
    // The one that is to be taken over stays.
    let mut bench = Bench::of("inside: refreshing", slow);
    bench.step(0, ok(2, "bob", 9));
    assert_eq!(
        bench.step(9_000, yes(2)),
        "cancel(2) step-back unauthorized(token_expired)"
    );
    assert_eq!(bench.machine.state(), "inside");
}

#[test]
fn whose_grant_is_shortened_meanwhile_hears_so_in_the_answer() {
    for (state, answer) in [
        ("connect: asking", "enter(connect,20)"),
        ("outside: asking", "enter(event,20)"),
    ] {
        let mut bench = Bench::at(state);
        let margin = Duration::from_secs(20);
        let reason = None;
        bench.steps([
            (0, Input::ExpireIn { margin, reason }, ""),
            (0, yes(1), answer),
            (14_000, Input::Timeout, "expiring(6)"),
            (20_000, Input::Timeout, "unauthorized(token_expired) expire"),
        ]);
    }
}

#[test]
fn a_guest_has_no_grant_that_could_be_shortened() {
    let mut bench = Bench::at("outside: waiting");
    let expire_in = || Input::ExpireIn {
        margin: Duration::from_secs(1),
        reason: None,
    };
    bench.steps([
        (0, present(Collected::Guest, None), "ask(guest)"),
        (0, expire_in(), ""),
        (0, yes(1), "enter(event,-)"),
        (0, expire_in(), ""),
    ]);
    assert_eq!(bench.timeout(), None);
}

#[test]
fn packets_wait_while_middleware_is_asked_about_a_guest_too() {
    let mut bench = Bench::at("outside: waiting");
    bench.steps([
        (0, present(Collected::Guest, None), "ask(guest)"),
        (0, Input::Packet(3), ""),
        (0, Input::Packet(4), ""),
        (1, yes(1), "enter(event,-) deliver(3) deliver(4)"),
    ]);
}

#[test]
fn what_waited_behind_a_candidate_that_is_turned_away_is_dropped() {
    let mut bench = Bench::at("outside: asking");
    bench.steps([
        (0, Input::Packet(3), ""),
        (
            0,
            no(1),
            "failed step-back unauthorized(insufficient_scope)",
        ),
        (0, authenticate(), "verify(2)"),
        (0, ok(2, "bob", 60), "ask(bob)"),
        (0, yes(2), "enter(event,60)"),
    ]);
}

#[test]
fn the_queue_is_bounded_wherever_packets_wait() {
    for state in [
        "outside: verifying",
        "outside: asking",
        "inside: downgrading",
    ] {
        let at = if state.starts_with("inside") {
            100_000
        } else {
            0
        };
        let closed = match state {
            "inside: downgrading" => "cancel(2) close",
            _ => "cancel(1) close",
        };
        let mut bench = Bench::at(state);
        for _ in 0..256 {
            assert_eq!(bench.step(at, Input::Packet(1)), "", "{state}");
        }
        assert_eq!(bench.step(at, Input::Packet(1)), closed, "{state}");
        let mut bench = Bench::of(state, |settings| settings.max_pending_bytes = 10);
        assert_eq!(bench.step(at, Input::Packet(10)), "", "{state}");
        assert_eq!(bench.step(at, Input::Packet(1)), closed, "{state}");
    }
}

#[test]
fn guests_that_are_turned_away_are_counted_as_empty_attempts() {
    let mut bench = Bench::of("outside: waiting", |settings| {
        settings.max_empty_attempts = 2;
    });
    let guest = || present(Collected::Guest, None);
    let turned_away = "step-back unauthorized(insufficient_scope)";
    bench.steps([
        (0, guest(), "ask(guest)"),
        (0, no(1), turned_away),
        (0, guest(), "ask(guest)"),
        (0, no(2), turned_away),
        (0, guest(), "ask(guest)"),
        (0, no(3), "step-back unauthorized(insufficient_scope) close"),
    ]);
}

#[test]
fn a_login_passes_middleware_and_keeps_the_rooms() {
    let mut bench = Bench::new(policy(Mode::Handshake));
    bench.steps([
        (0, connect(Collected::Guest), "ask(guest)"),
        (0, yes(1), "enter(connect,-)"),
        (0, present(token(), Some(5)), "verify(2)"),
        (0, ok(2, "ann", 60), "ask(ann)"),
        (1, Input::Packet(3), "deliver(3)"),
        (
            2,
            no(2),
            "step-back failed unauthorized(insufficient_scope)+ack5",
        ),
        (1_000, present(token(), Some(6)), "verify(3)"),
        (1_000, ok(3, "bob", 60), "ask(bob)"),
        (1_000, yes(3), "become(login,60) authenticated+ack6"),
    ]);
}

#[test]
fn a_renewal_by_the_same_subject_asks_nobody() {
    let mut bench = Bench::at("inside");
    bench.steps([
        (0, authenticate(), "verify(2)"),
        (0, ok(2, "ann", 50), "replace(50) authenticated"),
    ]);
}

#[test]
fn who_would_take_over_does_not_outlast_the_grant_it_takes_over() {
    let mut bench = Bench::of("inside: refreshing", |settings| {
        settings.middleware_timeout = Duration::from_secs(500);
        settings.refresh_grace = Duration::from_secs(2);
    });
    bench.steps([
        (0, ok(2, "bob", 500), "ask(bob)"),
        (70_000, Input::Timeout, "expiring(30)"),
        (101_999, Input::Timeout, ""),
        (
            102_000,
            yes(2),
            "cancel(2) step-back unauthorized(token_expired) expire",
        ),
    ]);
    let mut bench = Bench::of("inside: refreshing", |settings| {
        settings.middleware_timeout = Duration::from_secs(500);
        settings.refresh_grace = Duration::from_secs(2);
    });
    bench.steps([
        (0, ok(2, "bob", 500), "ask(bob)"),
        (
            101_999,
            yes(2),
            "leave-rooms become(switch,398) authenticated",
        ),
    ]);
}

/// Out of all rooms at once; what it sends waits; and then it is a guest, out of what was joined meanwhile.
#[test]
fn a_downgrade_passes_middleware_and_belongs_to_nobody_until_then() {
    let mut bench = Bench::of("inside", |settings| {
        settings.on_expiry = OnExpiry::Downgrade;
    });
    assert!(bench.machine.delivers_at_once());
    assert_eq!(
        bench.step(100_000, Input::Timeout),
        "unauthorized(token_expired) leave-rooms ask(guest)"
    );
    assert!(bench.machine.is_active() && !bench.machine.delivers_at_once());
    bench.steps([
        (100_000, Input::Packet(3), ""),
        (
            100_001,
            yes(2),
            "leave-rooms become(downgrade,-) deliver(3)",
        ),
        (100_001, Input::Packet(4), "deliver(4)"),
    ]);
    assert!(bench.machine.delivers_at_once());
}

#[test]
fn a_policy_without_guests_has_nobody_to_ask_about_at_the_end() {
    let start = origin();
    let mut settings = policy(Mode::Handshake);
    settings.on_expiry = OnExpiry::Downgrade;
    let machine = Machine::new(Arc::new(settings), false, start);
    let mut bench = Bench { machine, start };
    bench.step(0, connect(token()));
    bench.let_in(0, ok(1, "ann", 9));
    assert_eq!(
        bench.step(9_000, Input::Timeout),
        "unauthorized(token_expired) expire"
    );
}

#[test]
fn a_server_that_refuses_in_its_own_words_gets_them_back() {
    #[derive(Debug, PartialEq)]
    struct Denied {
        rejection: Rejection,
        data: u8,
    }
    impl From<Rejection> for Denied {
        fn from(rejection: Rejection) -> Self {
            Self { rejection, data: 0 }
        }
    }
    impl Reason for Denied {
        fn rejection(&self) -> &Rejection {
            &self.rejection
        }
    }
    let now = origin();
    let settings = Arc::new(policy(Mode::Handshake));
    let mut machine = AuthMachine::<u8, u8, Denied>::new(settings, true, now);
    machine.handle_input(
        now,
        Input::Connect {
            presented: Collected::Guest,
            failed_attempts: 0,
        },
    );
    while machine.poll_output().is_some() {}
    let verdict = Err(Denied {
        rejection: Code::InsufficientScope.into(),
        data: 7,
    });
    machine.handle_input(now, Input::Asked { epoch: 1, verdict });
    let Some(Output::RefuseConnect(denied)) = machine.poll_output() else {
        panic!("refused")
    };
    assert_eq!(denied.data, 7);
}
