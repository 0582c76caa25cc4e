use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::testing::describe;
use crate::{
    Code, Credential, Mode, NamespacePolicy, OnExpiry, Rejection, SourceKind, server::Collected,
};

mod asking;
mod cells;
mod revalidation;

impl QueuedPacket for u8 {
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

pub(super) fn present(presented: Collected, ack: Option<u64>) -> In {
    Input::Authenticate {
        presented,
        ack,
        failed_attempts: 0,
    }
}

pub(super) fn authenticate() -> In {
    present(token(), None)
}

pub(super) fn connect(presented: Collected) -> In {
    Input::Connect {
        presented,
        failed_attempts: 0,
    }
}

pub(super) fn ok(epoch: u32, subject: &'static str, seconds: u64) -> In {
    ok_for(epoch, subject, Some(Duration::from_secs(seconds)))
}

pub(super) fn ok_for(epoch: u32, subject: &'static str, expires_in: Option<Duration>) -> In {
    let granted = Granted {
        grant: subject,
        subject: subject.into(),
        expires_in,
    };
    Input::VerifyOk { epoch, granted }
}

/// A grant that this one was taken over from has given way to another.
pub(super) fn inherited(subject: &'static str, expires_in: Duration) -> In {
    let granted = Granted {
        grant: subject,
        subject: subject.into(),
        expires_in: Some(expires_in),
    };
    Input::Inherited {
        granted,
        credential: None,
    }
}

pub(super) fn err(epoch: u32, code: Code) -> In {
    Input::VerifyErr {
        epoch,
        rejection: code.into(),
    }
}

/// Middleware lets somebody in.
pub(super) fn yes(epoch: u32) -> In {
    let verdict = Ok(());
    Input::Asked { epoch, verdict }
}

/// Middleware turns somebody away.
pub(super) fn no(epoch: u32) -> In {
    let verdict = Err(Code::InsufficientScope.into());
    Input::Asked { epoch, verdict }
}

pub(super) fn revoked() -> In {
    Input::Revoked(Code::TokenRevoked.into())
}

pub(super) fn revoked_meanwhile(epoch: u32) -> In {
    Input::VerifyRevoked {
        epoch,
        rejection: Code::TokenRevoked.into(),
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

    /// A machine brought to a state, by handshake where only that leads there; who is in is ann, for a hundred seconds.
    fn at(state: &str) -> Self {
        Self::of(state, |_| {})
    }

    fn of(state: &str, change: impl FnOnce(&mut NamespacePolicy)) -> Self {
        let by_handshake = state.starts_with("connect");
        let mut settings = policy(if by_handshake {
            Mode::Handshake
        } else {
            Mode::TwoRoundTrip
        });
        settings.allow_switch = true;
        settings.on_expiry = match state {
            "inside: downgrading" => OnExpiry::Downgrade,
            _ => OnExpiry::ReconnectTransport,
        };
        settings.revalidate_every =
            (state == "inside: revalidating").then_some(Duration::from_secs(10));
        change(&mut settings);
        let mut bench = Self::new(settings);
        let path: &[(u64, In)] = match state {
            "connect: verifying" => &[],
            "connect: asking" => &[(0, ok(1, "ann", 100))],
            "outside: waiting" => &[],
            "outside: verifying" => &[(0, authenticate())],
            "outside: asking" => &[(0, authenticate()), (0, ok(1, "ann", 100))],
            _ => &[(0, authenticate()), (0, ok(1, "ann", 100)), (0, yes(1))],
        };
        let further: &[(u64, In)] = match state {
            "inside: refreshing" => &[(0, authenticate())],
            "inside: asking" => &[(0, authenticate()), (0, ok(2, "bob", 100))],
            "inside: revalidating" => &[(10_000, Input::Timeout)],
            "inside: downgrading" => &[(100_000, Input::Timeout)],
            "closed" => &[(0, Input::Left)],
            _ => &[],
        };
        bench.step(0, connect(token()));
        for (millis, input) in path.iter().chain(further) {
            bench.step(*millis, input.clone());
        }
        assert_eq!(bench.machine.state(), state);
        bench
    }

    fn step(&mut self, millis: u64, input: In) -> String {
        let now = self.start + Duration::from_millis(millis);
        self.machine.handle_input(now, input);
        self.outputs()
    }

    /// A good credential whose holder middleware lets in at once: what comes of that.
    fn let_in(&mut self, millis: u64, input: In) -> String {
        let Input::VerifyOk { epoch, ref granted } = input else {
            panic!("{input:?}")
        };
        let asked = format!("ask({})", granted.grant);
        assert_eq!(self.step(millis, input), asked);
        self.step(millis, yes(epoch))
    }

    fn outputs(&mut self) -> String {
        let outputs: Vec<_> =
            std::iter::from_fn(|| self.machine.poll_output().map(|output| describe(&output)))
                .collect();
        outputs.join(" ")
    }

    /// Goes through a row of steps, each of which must bring about what it says.
    fn steps(&mut self, steps: impl IntoIterator<Item = (u64, In, &'static str)>) {
        for (millis, input, expected) in steps {
            let shown = format!("at {millis}: {input:?}");
            assert_eq!(self.step(millis, input), expected, "{shown}");
        }
    }

    fn timeout(&self) -> Option<u128> {
        self.machine
            .poll_timeout()
            .map(|at| at.duration_since(self.start).as_millis())
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
    assert_eq!(start(Collected::Guest).1, "ask(guest)");
    for (millis, input, expected) in [
        (1, ok(1, "ann", 60), "ask(ann)"),
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
    assert_eq!(bench.let_in(1, ok(1, "ann", 60)), "enter(connect,60)");
    let mut bench = Bench::new(policy(Mode::Either));
    let nothing = Collected::Missing(Code::CredentialsRequired.into());
    assert_eq!(bench.step(0, connect(nothing)), "accept");
    assert_eq!(bench.step(1, authenticate()), "verify(1)");
}

#[test]
fn packets_behind_a_good_token_are_replayed_in_order_after_the_handler() {
    let mut bench = Bench::at("outside: verifying");
    for packet in [3, 1, 2] {
        assert_eq!(bench.step(1, Input::Packet(packet)), "");
    }
    assert_eq!(
        bench.let_in(2, ok(1, "ann", 90)),
        "enter(event,90) deliver(3) deliver(1) deliver(2)"
    );
}

#[test]
fn packets_behind_a_bad_token_are_dropped() {
    let mut bench = Bench::at("outside: verifying");
    bench.step(1, Input::Packet(1));
    bench.step(2, err(1, Code::InvalidToken));
    assert_eq!(bench.step(3, authenticate()), "verify(2)");
    assert_eq!(bench.let_in(4, ok(2, "ann", 90)), "enter(event,90)");
}

#[test]
fn the_queue_is_bounded_in_packets_and_bytes() {
    let mut bench = Bench::at("outside: verifying");
    for _ in 0..256 {
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
    let mut bench = Bench::at("outside: waiting");
    for _ in 0..10_000 {
        assert_eq!(bench.step(1, Input::Packet(1)), "");
    }
    assert_eq!(bench.step(1, Input::Packet(1)), "close");
    let mut bench = Bench::at("outside: verifying");
    for _ in 0..32 {
        assert_eq!(
            bench.step(1, authenticate()),
            "unauthorized(auth_in_progress)"
        );
    }
    assert_eq!(
        bench.step(1, authenticate()),
        "unauthorized(auth_in_progress) cancel(1) close"
    );
}

#[test]
fn an_acknowledged_rejection_disconnects_at_once_and_an_ignored_one_after_the_grace() {
    let mut bench = Bench::at("outside: verifying");
    bench.step(100, err(1, Code::InvalidToken));
    assert_eq!(bench.timeout(), Some(1100));
    assert_eq!(bench.step(200, Input::UnauthorizedAcked { notice: 9 }), "");
    assert_eq!(
        bench.step(200, Input::UnauthorizedAcked { notice: 1 }),
        "disconnect"
    );
    let mut bench = Bench::at("outside: verifying");
    bench.step(100, err(1, Code::InvalidToken));
    assert_eq!(bench.step(1099, Input::Timeout), "");
    assert_eq!(bench.step(1100, Input::Timeout), "disconnect");
}

#[test]
fn a_new_attempt_suspends_the_end_and_a_late_ack_of_the_old_one_does_nothing() {
    let mut bench = Bench::at("outside: verifying");
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
    let mut bench = Bench::at("outside: waiting");
    bench.step(4400, authenticate());
    bench.step(4500, err(1, Code::InvalidToken));
    assert_eq!(bench.timeout(), Some(5000));
    assert_eq!(bench.step(5000, Input::Timeout), "disconnect");
    let mut bench = Bench::at("outside: waiting");
    bench.step(4400, authenticate());
    assert_eq!(bench.step(6000, Input::Timeout), "");
    assert_eq!(
        bench.step(6001, err(1, Code::InvalidToken)),
        "failed unauthorized(invalid_token) disconnect"
    );
}

#[test]
fn a_verification_begun_in_time_may_succeed_after_the_deadline() {
    let mut bench = Bench::at("outside: waiting");
    bench.step(4999, authenticate());
    assert_eq!(bench.timeout(), Some(9999));
    assert_eq!(bench.let_in(9998, ok(1, "ann", 90)), "enter(event,90)");
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
    let mut bench = Bench::at("outside: verifying");
    bench.let_in(0, ok(1, "ann", 9));
    assert_eq!(bench.timeout(), Some(6000));
    assert_eq!(bench.step(6000, Input::Timeout), "expiring(3)");
    assert_eq!(bench.timeout(), Some(9000));
    let mut bench = Bench::at("outside: verifying");
    bench.let_in(0, ok(1, "ann", 60));
    assert_eq!(bench.timeout(), Some(30_000));
}

#[test]
fn an_endless_grant_ends_with_the_longest_session_and_a_huge_one_too() {
    for expires_in in [None, Some(Duration::MAX)] {
        let mut bench = Bench::at("outside: verifying");
        let input = ok_for(1, "ann", expires_in);
        assert_eq!(bench.let_in(0, input), "enter(event,86400)");
        assert_eq!(bench.timeout(), Some(86_370_000));
    }
}

#[test]
fn renewals_keep_a_distance_and_move_the_end() {
    let mut bench = Bench::at("inside: refreshing");
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
    let mut bench = Bench::of("outside: waiting", |settings| settings.allow_switch = false);
    let nothing = present(Collected::Guest, Some(1));
    assert_eq!(bench.step(1, nothing), "ask(guest)");
    assert_eq!(bench.step(1, yes(1)), "enter(event,-)+ack1");
    assert_eq!(bench.timeout(), None);
    assert_eq!(bench.step(2, authenticate()), "verify(2)");
    // An attempt, and no renewal: a guest has nothing to renew.
    assert_eq!(
        bench.step(3, err(2, Code::InvalidToken)),
        "failed unauthorized(invalid_token)"
    );
    assert_eq!(bench.step(2000, authenticate()), "verify(3)");
    assert_eq!(
        bench.let_in(2001, ok(3, "ann", 100)),
        "become(login,100) authenticated"
    );
    bench.step(4000, authenticate());
    assert_eq!(
        bench.step(4001, ok(4, "bob", 100)),
        "unauthorized(identity_mismatch)"
    );
}

#[test]
fn expiry_does_what_the_policy_says() {
    for (action, expected) in [
        (
            OnExpiry::ReconnectTransport,
            "unauthorized(token_expired) expire",
        ),
        (
            OnExpiry::DisconnectNamespace,
            "unauthorized(token_expired) disconnect",
        ),
        (
            OnExpiry::Downgrade,
            "unauthorized(token_expired) leave-rooms ask(guest)",
        ),
        (OnExpiry::NotifyOnly, "unauthorized(token_expired)"),
    ] {
        let mut settings = policy(Mode::Handshake);
        settings.on_expiry = action;
        let mut bench = Bench::new(settings);
        bench.step(0, connect(token()));
        bench.let_in(0, ok(1, "ann", 10));
        assert_eq!(bench.step(10_000, Input::Timeout), expected, "{action:?}");
    }
}

#[test]
fn a_renewal_may_outlast_the_grant_by_the_refresh_grace() {
    let mut settings = policy(Mode::Handshake);
    settings.refresh_grace = Duration::from_secs(2);
    let mut bench = Bench::new(settings);
    bench.step(0, connect(token()));
    bench.let_in(0, ok(1, "ann", 10));
    bench.step(9000, authenticate());
    assert_eq!(bench.step(10_000, Input::Timeout), "");
    assert_eq!(
        bench.step(11_999, ok(2, "ann", 10)),
        "replace(10) authenticated"
    );
    bench.step(21_000, authenticate());
    assert_eq!(
        bench.step(22_500, err(3, Code::InvalidToken)),
        "unauthorized(invalid_token) unauthorized(token_expired) expire"
    );
}

#[test]
fn a_downgraded_client_comes_back_as_itself_only() {
    let mut settings = policy(Mode::Handshake);
    settings.on_expiry = OnExpiry::Downgrade;
    let mut bench = Bench::new(settings);
    bench.step(0, connect(token()));
    bench.let_in(0, ok(1, "ann", 10));
    bench.step(10_000, Input::Timeout);
    bench.step(10_000, yes(2));
    bench.step(11_000, authenticate());
    assert_eq!(
        bench.step(11_001, ok(3, "bob", 10)),
        "unauthorized(identity_mismatch)"
    );
    bench.step(13_000, authenticate());
    assert_eq!(
        bench.let_in(13_001, ok(4, "ann", 10)),
        "become(login,10) authenticated"
    );
}

#[test]
fn a_renewal_cut_short_by_the_end_is_answered() {
    let mut settings = policy(Mode::TwoRoundTrip);
    settings.on_expiry = OnExpiry::NotifyOnly;
    let mut bench = Bench::new(settings);
    bench.step(0, connect(token()));
    bench.step(0, authenticate());
    bench.let_in(0, ok(1, "ann", 10));
    bench.step(9000, present(token(), Some(5)));
    assert_eq!(
        bench.step(10_000, Input::Timeout),
        "cancel(2) unauthorized(token_expired)+ack5"
    );
}

#[test]
fn a_grant_that_has_ended_when_it_is_accepted_lets_nobody_in() {
    let mut bench = Bench::at("outside: verifying");
    assert_eq!(
        bench.step(1, ok(1, "ann", 0)),
        "failed unauthorized(token_expired)"
    );
    let mut bench = Bench::at("inside: refreshing");
    assert_eq!(
        bench.step(1, ok(2, "ann", 0)),
        "unauthorized(token_expired)"
    );
    assert_eq!(bench.machine.state(), "inside");
}

#[test]
fn a_margin_brings_the_end_nearer_and_a_renewal_averts_it() {
    let mut bench = Bench::at("inside");
    let margin = || Input::ExpireIn {
        margin: Duration::from_secs(20),
        reason: Some("moving house".into()),
    };
    assert_eq!(bench.step(1000, margin()), "expiring(20,moving house)");
    assert_eq!(bench.timeout(), Some(21_000));
    bench.step(2000, authenticate());
    bench.step(2000, ok(2, "ann", 300));
    assert_eq!(bench.timeout(), Some(272_000));
    let mut bench = Bench::at("inside");
    assert_eq!(bench.step(95_000, Input::Timeout), "expiring(5)");
    assert_eq!(
        bench.step(95_000, margin()),
        "expiring(5,moving house)",
        "never later"
    );
    assert_eq!(
        bench.step(100_000, Input::Timeout),
        "unauthorized(token_expired) expire"
    );
    assert_eq!(Bench::at("outside: verifying").step(1, margin()), "");
}

#[test]
fn the_longest_sessions_end_spread_over_a_twentieth() {
    let end = |random, expires_in| {
        let mut bench = Bench::new(policy(Mode::Handshake));
        bench.machine = bench.machine.with_spread(random);
        bench.step(0, connect(token()));
        bench.let_in(0, ok_for(1, "ann", expires_in))
    };
    assert_eq!(end(0, None), "enter(connect,86400)");
    assert_eq!(end(50, None), "enter(connect,82080)");
    assert_eq!(end(51, None), "enter(connect,86400)");
    let own_end = Some(Duration::from_secs(60));
    assert_eq!(
        end(50, own_end),
        "enter(connect,60)",
        "only what the cap ends"
    );
}

#[test]
fn a_machine_at_rest_is_small_and_owns_nothing_but_itself() {
    assert!(size_of::<AuthMachine<Box<[u8]>, Arc<u8>>>() <= 104);
    for state in ["outside: waiting", "inside", "closed"] {
        let bench = Bench::at(state);
        assert_eq!(bench.machine.buffered_capacity(), 0, "{state}");
    }
}
