use std::sync::Arc;
use std::time::{Duration, Instant};

use super::state::State;
use super::*;
use crate::testing::describe;
use crate::{Code, Collected, Credential, Mode, NamespacePolicy, OnExpiry, Rejection, SourceKind};

mod revalidation;

impl Queued for u8 {
    fn size_bytes(&self) -> usize {
        usize::from(*self)
    }
}

pub(super) type Machine = AuthMachine<u8, &'static str>;
pub(super) type In = Input<u8, &'static str>;

#[expect(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
pub(super) fn origin() -> Instant {
    Instant::now()
}

pub(super) fn policy(mode: Mode) -> NamespacePolicy {
    NamespacePolicy {
        mode,
        ..NamespacePolicy::default()
    }
}

pub(super) fn token() -> Collected {
    Collected::Credential(Credential::new("t", SourceKind::Event))
}

pub(super) fn authenticate() -> In {
    Input::Authenticate {
        presented: token(),
        ack: None,
        failed_attempts: 0,
    }
}

pub(super) fn connect(presented: Collected) -> In {
    Input::Connect {
        presented,
        failed_attempts: 0,
    }
}

pub(super) fn ok(epoch: u32, subject: &'static str, seconds: u64) -> In {
    Input::VerifyOk {
        epoch,
        grant: "grant",
        subject: subject.into(),
        expires_in: Some(Duration::from_secs(seconds)),
    }
}

pub(super) fn err(epoch: u32, code: Code) -> In {
    Input::VerifyErr {
        epoch,
        rejection: code.into(),
    }
}

/// A machine with its own time, whose outputs read as text.
struct Bench {
    machine: Machine,
    start: Instant,
}

impl Bench {
    fn new(policy: NamespacePolicy) -> Self {
        let start = origin();
        Self {
            machine: Machine::new(Arc::new(policy), true, start),
            start,
        }
    }

    /// A two-round-trip machine brought to a state.
    fn at(state: State) -> Self {
        let mut bench = Self::new(policy(Mode::TwoRoundTrip));
        bench.step(0, connect(token()));
        if matches!(state, State::Verifying | State::Active | State::Refreshing) {
            bench.step(0, authenticate());
        }
        if matches!(state, State::Active | State::Refreshing) {
            bench.step(0, ok(1, "ann", 100));
        }
        match state {
            State::Refreshing => drop(bench.step(0, authenticate())),
            State::Closed => drop(bench.step(0, Input::Left)),
            _ => {}
        }
        assert_eq!(bench.machine.state(), state);
        bench
    }

    fn step(&mut self, millis: u64, input: In) -> String {
        let now = self.start + Duration::from_millis(millis);
        self.machine.handle_input(now, input);
        let outputs: Vec<_> =
            std::iter::from_fn(|| self.machine.poll_output().map(|output| describe(&output)))
                .collect();
        outputs.join(" ")
    }

    fn timeout(&self) -> Option<u128> {
        self.machine
            .poll_timeout()
            .map(|at| at.duration_since(self.start).as_millis())
    }
}

/// Every cell: state, time, input, what comes out, the state after.
#[test]
#[expect(clippy::too_many_lines, reason = "a table: one line per cell")]
fn every_cell_of_the_table_holds() {
    use State::{Active, Closed, Pending, Refreshing, Verifying};
    let revoked = || Input::Revoked(Rejection::new(Code::TokenRevoked));
    let revoked_meanwhile = |epoch| Input::VerifyRevoked {
        epoch,
        rejection: Code::TokenRevoked.into(),
    };
    let acked = || Input::UnauthorizedAcked { notice: 1 };
    let missing = |ack| Input::Authenticate {
        presented: Collected::Missing(Code::CredentialsRequired.into()),
        ack,
        failed_attempts: 0,
    };
    let exhausted = || Input::Authenticate {
        presented: token(),
        ack: Some(7),
        failed_attempts: 3,
    };
    let cells: Vec<(State, u64, In, &str, State)> = vec![
        (Pending, 1, authenticate(), "verify(1)", Verifying),
        (
            Pending,
            1,
            missing(Some(4)),
            "unauthorized(credentials_required)+ack4",
            Pending,
        ),
        (
            Pending,
            1,
            exhausted(),
            "unauthorized(too_many_attempts)+ack7 disconnect",
            Closed,
        ),
        (Pending, 1, Input::Packet(1), "", Pending),
        (Pending, 1, acked(), "", Pending),
        (Pending, 1, ok(1, "ann", 9), "", Pending),
        (Pending, 1, err(0, Code::InvalidToken), "", Pending),
        (Pending, 4999, Input::Timeout, "", Pending),
        (
            Pending,
            5000,
            Input::Timeout,
            "unauthorized(auth_timeout) disconnect",
            Closed,
        ),
        (
            Pending,
            5000,
            authenticate(),
            "unauthorized(auth_timeout) disconnect",
            Closed,
        ),
        (Pending, 1, revoked(), "disconnect", Closed),
        (Pending, 1, revoked_meanwhile(0), "", Pending),
        (Pending, 1, Input::Left, "", Closed),
        (
            Verifying,
            1,
            authenticate(),
            "unauthorized(auth_in_progress)",
            Verifying,
        ),
        (Verifying, 1, Input::Packet(1), "", Verifying),
        (Verifying, 1, acked(), "", Verifying),
        (
            Verifying,
            1,
            ok(1, "ann", 9),
            "activate(grant,9) authenticated handler",
            Active,
        ),
        (Verifying, 1, ok(0, "ann", 9), "", Verifying),
        (
            Verifying,
            1,
            err(1, Code::InvalidToken),
            "failed unauthorized(invalid_token)",
            Pending,
        ),
        (
            Verifying,
            1,
            err(1, Code::AuthUnavailable),
            "unauthorized(auth_unavailable)",
            Pending,
        ),
        (Verifying, 1, err(2, Code::InvalidToken), "", Verifying),
        (
            Verifying,
            5000,
            Input::Timeout,
            "cancel(1) unauthorized(auth_unavailable) disconnect",
            Closed,
        ),
        (
            Verifying,
            5000,
            ok(1, "ann", 9),
            "cancel(1) unauthorized(auth_unavailable) disconnect",
            Closed,
        ),
        (
            Verifying,
            1,
            revoked(),
            "cancel(1) unauthorized(token_revoked) disconnect",
            Closed,
        ),
        (
            Verifying,
            1,
            revoked_meanwhile(1),
            "cancel(1) unauthorized(token_revoked) disconnect",
            Closed,
        ),
        (Verifying, 1, revoked_meanwhile(0), "", Verifying),
        (Verifying, 1, Input::Left, "cancel(1)", Closed),
        (Active, 1, authenticate(), "verify(2)", Refreshing),
        (
            Active,
            1,
            missing(None),
            "unauthorized(credentials_required)",
            Active,
        ),
        (
            Active,
            1,
            exhausted(),
            "unauthorized(too_many_attempts)+ack7",
            Active,
        ),
        (Active, 1, Input::Packet(1), "deliver(1)", Active),
        (Active, 1, acked(), "", Active),
        (Active, 1, ok(1, "bob", 9), "", Active),
        (Active, 1, err(1, Code::InvalidToken), "", Active),
        (Active, 5000, Input::Timeout, "", Active),
        (Active, 70_000, Input::Timeout, "expiring(30)", Active),
        (
            Active,
            100_000,
            Input::Timeout,
            "unauthorized(token_expired) close",
            Closed,
        ),
        (
            Active,
            1,
            revoked(),
            "unauthorized(token_revoked) disconnect",
            Closed,
        ),
        (Active, 1, revoked_meanwhile(1), "", Active),
        (Active, 1, Input::Left, "", Closed),
        (
            Refreshing,
            1,
            authenticate(),
            "unauthorized(auth_in_progress)",
            Refreshing,
        ),
        (Refreshing, 1, Input::Packet(1), "deliver(1)", Refreshing),
        (Refreshing, 1, acked(), "", Refreshing),
        (
            Refreshing,
            1,
            ok(2, "ann", 9),
            "replace(9) authenticated",
            Active,
        ),
        (
            Refreshing,
            1,
            ok(2, "bob", 9),
            "unauthorized(identity_mismatch)",
            Active,
        ),
        (Refreshing, 1, ok(1, "ann", 9), "", Refreshing),
        (
            Refreshing,
            1,
            err(2, Code::TokenExpired),
            "failed unauthorized(token_expired)",
            Active,
        ),
        (
            Refreshing,
            5000,
            Input::Timeout,
            "cancel(2) unauthorized(auth_unavailable)",
            Active,
        ),
        (
            Refreshing,
            100_000,
            ok(2, "ann", 9),
            "cancel(2) unauthorized(token_expired) close",
            Closed,
        ),
        (
            Refreshing,
            1,
            revoked(),
            "cancel(2) unauthorized(token_revoked) disconnect",
            Closed,
        ),
        (
            Refreshing,
            1,
            revoked_meanwhile(2),
            "cancel(2) unauthorized(token_revoked) disconnect",
            Closed,
        ),
        (Refreshing, 1, revoked_meanwhile(1), "", Refreshing),
        (Refreshing, 1, Input::Left, "cancel(2)", Closed),
        (Closed, 1, authenticate(), "", Closed),
        (Closed, 1, Input::Packet(1), "", Closed),
        (Closed, 1, acked(), "", Closed),
        (Closed, 1, ok(0, "ann", 9), "", Closed),
        (Closed, 1, err(0, Code::InvalidToken), "", Closed),
        (Closed, 100_000, Input::Timeout, "", Closed),
        (Closed, 1, revoked(), "", Closed),
        (Closed, 1, revoked_meanwhile(0), "", Closed),
        (Closed, 1, Input::Left, "", Closed),
        (Closed, 1, connect(token()), "", Closed),
    ];
    for (before, millis, input, expected, after) in cells {
        let mut bench = Bench::at(before);
        let shown = format!("{before:?} at {millis}: {input:?}");
        assert_eq!(bench.step(millis, input), expected, "{shown}");
        assert_eq!(bench.machine.state(), after, "{shown}");
    }
}

#[test]
fn the_handshake_is_judged_before_the_connect_is_answered() {
    let start = |presented| {
        let mut bench = Bench::new(policy(Mode::Handshake));
        let out = bench.step(0, connect(presented));
        (bench, out)
    };
    let refused = Collected::Missing(Code::CredentialsRequired.into());
    assert_eq!(start(refused).1, "refuse(credentials_required)");
    assert_eq!(start(Collected::Guest).1, "admit(guest,-)");
    for (millis, input, expected) in [
        (1, ok(1, "ann", 60), "admit(grant,60)"),
        (
            1,
            err(1, Code::InvalidToken),
            "failed refuse(invalid_token)",
        ),
        (1, Input::Packet(1), "cancel(1) close"),
        (1, authenticate(), "cancel(1) close"),
        (5000, Input::Timeout, "cancel(1) refuse(auth_unavailable)"),
        (5000, ok(1, "ann", 60), "cancel(1) refuse(auth_unavailable)"),
    ] {
        let (mut bench, out) = start(token());
        assert_eq!(out, "verify(1)");
        assert_eq!(bench.step(millis, input), expected);
    }
    let mut bench = Bench::new(policy(Mode::Handshake));
    let spent = Input::Connect {
        presented: token(),
        failed_attempts: 3,
    };
    assert_eq!(bench.step(0, spent), "refuse(too_many_attempts)");
}

#[test]
fn either_mode_takes_the_handshake_or_waits() {
    let mut bench = Bench::new(policy(Mode::Either));
    assert_eq!(bench.step(0, connect(token())), "verify(1)");
    assert_eq!(bench.step(1, ok(1, "ann", 60)), "admit(grant,60)");
    let mut bench = Bench::new(policy(Mode::Either));
    let nothing = Collected::Missing(Code::CredentialsRequired.into());
    assert_eq!(bench.step(0, connect(nothing)), "accept");
    assert_eq!(bench.step(1, authenticate()), "verify(1)");
}

#[test]
fn packets_behind_a_good_token_are_replayed_in_order_after_the_handler() {
    let mut bench = Bench::at(State::Verifying);
    for packet in [3, 1, 2] {
        assert_eq!(bench.step(1, Input::Packet(packet)), "");
    }
    assert_eq!(
        bench.step(2, ok(1, "ann", 90)),
        "activate(grant,90) authenticated handler deliver(3) deliver(1) deliver(2)"
    );
}

#[test]
fn packets_behind_a_bad_token_are_dropped() {
    let mut bench = Bench::at(State::Verifying);
    bench.step(1, Input::Packet(1));
    bench.step(2, err(1, Code::InvalidToken));
    assert_eq!(bench.step(3, authenticate()), "verify(2)");
    assert_eq!(
        bench.step(4, ok(2, "ann", 90)),
        "activate(grant,90) authenticated handler"
    );
}

#[test]
fn the_queue_is_bounded_in_packets_and_bytes() {
    let mut bench = Bench::at(State::Verifying);
    for _ in 0..16 {
        assert_eq!(bench.step(1, Input::Packet(1)), "");
    }
    assert_eq!(bench.step(1, Input::Packet(1)), "cancel(1) close");
    let mut small = policy(Mode::TwoRoundTrip);
    small.max_pending_bytes = 10;
    let mut bench = Bench::new(small);
    bench.step(0, connect(token()));
    bench.step(0, authenticate());
    assert_eq!(bench.step(1, Input::Packet(10)), "");
    assert_eq!(bench.step(1, Input::Packet(1)), "cancel(1) close");
}

#[test]
fn noise_of_a_pending_client_ends_its_connection() {
    let mut bench = Bench::at(State::Pending);
    for _ in 0..32 {
        assert_eq!(bench.step(1, Input::Packet(1)), "");
    }
    assert_eq!(bench.step(1, Input::Packet(1)), "close");
}

#[test]
fn an_acknowledged_rejection_disconnects_at_once_and_an_ignored_one_after_the_grace() {
    let mut bench = Bench::at(State::Verifying);
    bench.step(100, err(1, Code::InvalidToken));
    assert_eq!(bench.timeout(), Some(1100));
    assert_eq!(bench.step(200, Input::UnauthorizedAcked { notice: 9 }), "");
    assert_eq!(
        bench.step(200, Input::UnauthorizedAcked { notice: 1 }),
        "disconnect"
    );
    let mut bench = Bench::at(State::Verifying);
    bench.step(100, err(1, Code::InvalidToken));
    assert_eq!(bench.step(1099, Input::Timeout), "");
    assert_eq!(bench.step(1100, Input::Timeout), "disconnect");
}

#[test]
fn a_new_attempt_suspends_the_end_and_a_late_ack_of_the_old_one_does_nothing() {
    let mut bench = Bench::at(State::Verifying);
    bench.step(100, err(1, Code::InvalidToken));
    assert_eq!(bench.step(200, authenticate()), "verify(2)");
    assert_eq!(bench.step(300, Input::UnauthorizedAcked { notice: 1 }), "");
    assert_eq!(bench.step(1500, Input::Timeout), "");
    bench.step(1600, err(2, Code::InvalidToken));
    assert_eq!(bench.step(1700, Input::UnauthorizedAcked { notice: 1 }), "");
    assert_eq!(bench.timeout(), Some(2600));
}

#[test]
fn the_deadline_is_not_moved_by_attempts_and_speaks_once() {
    let mut bench = Bench::at(State::Pending);
    bench.step(4400, authenticate());
    bench.step(4500, err(1, Code::InvalidToken));
    assert_eq!(bench.timeout(), Some(5000));
    assert_eq!(bench.step(5000, Input::Timeout), "disconnect");
    let mut bench = Bench::at(State::Pending);
    bench.step(4400, authenticate());
    assert_eq!(bench.step(6000, Input::Timeout), "");
    assert_eq!(
        bench.step(6001, err(1, Code::InvalidToken)),
        "failed unauthorized(invalid_token) disconnect"
    );
}

#[test]
fn a_verification_begun_in_time_may_succeed_after_the_deadline() {
    let mut bench = Bench::at(State::Pending);
    bench.step(4999, authenticate());
    assert_eq!(bench.timeout(), Some(9999));
    assert!(bench.step(9998, ok(1, "ann", 90)).starts_with("activate"));
}

#[test]
fn coming_back_does_not_restart_the_deadline() {
    let start = origin();
    let policy = Arc::new(policy(Mode::TwoRoundTrip));
    let mut machine = Machine::new(policy, false, start);
    machine.handle_input(start + Duration::from_secs(6), connect(token()));
    let outputs: Vec<_> =
        std::iter::from_fn(|| machine.poll_output().map(|output| describe(&output))).collect();
    assert_eq!(
        outputs,
        ["accept", "unauthorized(auth_timeout)", "disconnect"]
    );
}

#[test]
fn the_notice_of_a_short_grant_comes_after_two_thirds() {
    let mut bench = Bench::at(State::Verifying);
    bench.step(0, ok(1, "ann", 9));
    assert_eq!(bench.timeout(), Some(6000));
    assert_eq!(bench.step(6000, Input::Timeout), "expiring(3)");
    assert_eq!(bench.timeout(), Some(9000));
    let mut bench = Bench::at(State::Verifying);
    bench.step(0, ok(1, "ann", 60));
    assert_eq!(bench.timeout(), Some(30_000));
}

#[test]
fn an_endless_grant_ends_with_the_longest_session_and_a_huge_one_too() {
    for expires_in in [None, Some(Duration::MAX)] {
        let mut bench = Bench::at(State::Verifying);
        let input = Input::VerifyOk {
            epoch: 1,
            grant: "grant",
            subject: "ann".into(),
            expires_in,
        };
        assert!(bench.step(0, input).starts_with("activate(grant,86400)"));
        assert_eq!(bench.timeout(), Some(86_370_000));
    }
}

#[test]
fn renewals_keep_a_distance_and_move_the_end() {
    let mut bench = Bench::at(State::Refreshing);
    bench.step(10, ok(2, "ann", 200));
    assert_eq!(
        bench.step(999, authenticate()),
        "unauthorized(rate_limited)"
    );
    assert_eq!(bench.step(1000, authenticate()), "verify(3)");
    bench.step(1010, err(3, Code::InvalidToken));
    assert_eq!(bench.timeout(), Some(170_010));
}

#[test]
fn a_guest_becomes_an_identity_once() {
    let mut bench = Bench::at(State::Pending);
    let nothing = Input::Authenticate {
        presented: Collected::Guest,
        ack: Some(1),
        failed_attempts: 0,
    };
    assert_eq!(
        bench.step(1, nothing),
        "activate(guest,-) authenticated+ack1 handler"
    );
    assert_eq!(bench.timeout(), None);
    assert_eq!(bench.step(2, authenticate()), "verify(1)");
    assert_eq!(
        bench.step(3, ok(1, "ann", 100)),
        "replace(100) authenticated"
    );
    bench.step(2000, authenticate());
    assert_eq!(
        bench.step(2001, ok(2, "bob", 100)),
        "unauthorized(identity_mismatch)"
    );
}

#[test]
fn expiry_does_what_the_policy_says() {
    for (action, expected) in [
        (
            OnExpiry::ReconnectTransport,
            "unauthorized(token_expired) close",
        ),
        (
            OnExpiry::DisconnectNamespace,
            "unauthorized(token_expired) disconnect",
        ),
        (OnExpiry::Downgrade, "unauthorized(token_expired) downgrade"),
        (OnExpiry::NotifyOnly, "unauthorized(token_expired)"),
    ] {
        let mut settings = policy(Mode::Handshake);
        settings.on_expiry = action;
        let mut bench = Bench::new(settings);
        bench.step(0, connect(token()));
        bench.step(0, ok(1, "ann", 10));
        assert_eq!(bench.step(10_000, Input::Timeout), expected, "{action:?}");
    }
}

#[test]
fn a_renewal_may_outlast_the_grant_by_the_refresh_grace() {
    let mut settings = policy(Mode::Handshake);
    settings.refresh_grace = Duration::from_secs(2);
    let mut bench = Bench::new(settings);
    bench.step(0, connect(token()));
    bench.step(0, ok(1, "ann", 10));
    bench.step(9000, authenticate());
    assert_eq!(bench.step(10_000, Input::Timeout), "");
    assert_eq!(
        bench.step(11_999, ok(2, "ann", 10)),
        "replace(10) authenticated"
    );
    bench.step(21_000, authenticate());
    assert_eq!(
        bench.step(22_500, err(3, Code::InvalidToken)),
        "failed unauthorized(invalid_token) unauthorized(token_expired) close"
    );
}

#[test]
fn a_downgraded_client_comes_back_as_itself_only() {
    let mut settings = policy(Mode::Handshake);
    settings.on_expiry = OnExpiry::Downgrade;
    let mut bench = Bench::new(settings);
    bench.step(0, connect(token()));
    bench.step(0, ok(1, "ann", 10));
    bench.step(10_000, Input::Timeout);
    bench.step(11_000, authenticate());
    assert_eq!(
        bench.step(11_001, ok(2, "bob", 10)),
        "unauthorized(identity_mismatch)"
    );
    bench.step(13_000, authenticate());
    assert_eq!(
        bench.step(13_001, ok(3, "ann", 10)),
        "replace(10) authenticated"
    );
}

#[test]
fn a_renewal_cut_short_by_the_end_is_answered() {
    let mut settings = policy(Mode::TwoRoundTrip);
    settings.on_expiry = OnExpiry::NotifyOnly;
    let mut bench = Bench::new(settings);
    bench.step(0, connect(token()));
    bench.step(0, authenticate());
    bench.step(0, ok(1, "ann", 10));
    let with_ack = Input::Authenticate {
        presented: token(),
        ack: Some(5),
        failed_attempts: 0,
    };
    bench.step(9000, with_ack);
    assert_eq!(
        bench.step(10_000, Input::Timeout),
        "cancel(2) unauthorized(token_expired)+ack5"
    );
}

#[test]
fn a_grant_that_has_ended_when_it_is_accepted_lets_nobody_in() {
    let mut bench = Bench::at(State::Verifying);
    assert_eq!(
        bench.step(1, ok(1, "ann", 0)),
        "failed unauthorized(token_expired)"
    );
    let mut bench = Bench::at(State::Refreshing);
    assert_eq!(
        bench.step(1, ok(2, "ann", 0)),
        "failed unauthorized(token_expired)"
    );
    assert_eq!(bench.machine.state(), State::Active);
}

#[test]
fn a_margin_brings_the_end_nearer_and_a_renewal_averts_it() {
    let mut bench = Bench::at(State::Active);
    let margin = || Input::ExpireIn {
        margin: Duration::from_secs(20),
        reason: Some("moving house".into()),
    };
    assert_eq!(bench.step(1000, margin()), "expiring(20,moving house)");
    assert_eq!(bench.timeout(), Some(21_000));
    bench.step(2000, authenticate());
    bench.step(2000, ok(2, "ann", 300));
    assert_eq!(bench.timeout(), Some(272_000));
    let mut bench = Bench::at(State::Active);
    assert_eq!(bench.step(95_000, Input::Timeout), "expiring(5)");
    assert_eq!(
        bench.step(95_000, margin()),
        "expiring(5,moving house)",
        "never later"
    );
    assert_eq!(
        bench.step(100_000, Input::Timeout),
        "unauthorized(token_expired) close"
    );
    assert_eq!(Bench::at(State::Verifying).step(1, margin()), "");
}

#[test]
fn the_longest_sessions_end_spread_over_a_twentieth() {
    let end = |random, expires_in| {
        let start = origin();
        let settings = Arc::new(policy(Mode::Handshake));
        let mut machine = Machine::new(settings, false, start).with_spread(random);
        machine.handle_input(start, connect(token()));
        while machine.poll_output().is_some() {}
        let accepted = Input::VerifyOk {
            epoch: 1,
            grant: "grant",
            subject: "ann".into(),
            expires_in,
        };
        machine.handle_input(start, accepted);
        match machine.poll_output() {
            Some(Output::Admit { expires_in, .. }) => expires_in.map(|left| left.as_secs()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(end(0, None), Some(86_400));
    assert_eq!(end(50, None), Some(86_400 - 4320));
    assert_eq!(end(51, None), Some(86_400));
    let own_end = Some(Duration::from_secs(60));
    assert_eq!(end(50, own_end), Some(60), "only what the cap ends");
}

#[test]
fn a_machine_at_rest_is_small_and_owns_nothing_but_itself() {
    assert!(size_of::<AuthMachine<Box<[u8]>, Arc<u8>>>() <= 256);
    for state in [State::Pending, State::Active] {
        let bench = Bench::at(state);
        assert_eq!(bench.machine.buffered_capacity(), 0, "{state:?}");
    }
}
