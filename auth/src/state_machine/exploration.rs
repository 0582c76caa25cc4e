//! Every sequence of inputs up to a depth, from every mode, against what must always hold.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::machine::State;
use super::tests::{Machine, connect, err, ok, origin, policy, token};
use super::{Input, Output};
use crate::{Code, Collected, Mode, OnExpiry, Rejection};

/// Inputs per step: two of them let time pass first.
const CHOICES: usize = 14;

/// Sequences of this many inputs after CONNECT: 14^6 = 7.5 million per start, less what ends earlier.
const DEPTH: usize = 6;

#[derive(Clone, Default)]
struct Seen {
    is_active: bool,
    is_closed: bool,
    verifying: Option<u32>,
    last_epoch: u32,
    failures: u32,
}

fn input(choice: usize, last_epoch: u32, failures: u32) -> Input<u8, &'static str> {
    let stale = last_epoch.wrapping_sub(1);
    let present = |presented| Input::Authenticate {
        presented,
        ack: Some(1),
        failed_attempts: failures,
    };
    match choice {
        0 => present(token()),
        1 => present(Collected::Guest),
        2 => present(Collected::Rejected(Code::CredentialsBadFormat.into())),
        3 => Input::Packet(1),
        4 => ok(last_epoch, "ann", 4),
        5 => ok(last_epoch, "bob", 4),
        6 => ok(stale, "eve", 4),
        7 => err(last_epoch, Code::InvalidToken),
        8 => err(stale, Code::InvalidToken),
        9 => Input::UnauthorizedAcked { notice: 1 },
        10 => Input::Revoked(Rejection::new(Code::TokenRevoked)),
        11 => Input::Left,
        _ => Input::Timeout,
    }
}

impl Seen {
    /// Checks what one input brought about.
    fn take(&mut self, machine: &mut Machine) {
        let (was_active, was_closed) = (self.is_active, self.is_closed);
        let (mut ends, mut unauthorized) = (0, 0);
        while let Some(output) = machine.poll_output() {
            assert!(!was_closed, "closed is absorbing: {output:?}");
            assert_eq!(ends, 0, "nothing follows the end: {output:?}");
            match output {
                Output::StartVerify { epoch, .. } => {
                    assert_eq!(self.verifying, None, "one verification at a time");
                    assert_ne!(epoch, self.last_epoch, "epochs are fresh");
                    (self.verifying, self.last_epoch) = (Some(epoch), epoch);
                }
                Output::CancelVerify { epoch } => {
                    assert_eq!(self.verifying.take(), Some(epoch), "cancels what runs");
                }
                Output::AttemptFailed => self.failures += 1,
                Output::Admit { .. } | Output::Activate { .. } => {
                    assert!(!was_active, "comes in once");
                    self.is_active = true;
                }
                Output::Authenticated { .. } | Output::RunConnectHandler => {
                    assert!(self.is_active, "inserted before anything is said");
                }
                Output::Deliver(_)
                | Output::ReplaceGrant { .. }
                | Output::TokenExpiring { .. }
                | Output::Downgrade => assert!(self.is_active, "only for who is in"),
                Output::Unauthorized { .. } => unauthorized += 1,
                Output::AcceptConnect => assert!(!was_active),
                Output::RefuseConnect(_) => {
                    assert!(!was_active, "nobody who is in is refused the connect");
                    ends += 1;
                }
                Output::Disconnect | Output::CloseConnection => ends += 1,
            }
        }
        // One for the input, one more at most for a deadline that passed before it.
        assert!(unauthorized <= 2);
        self.is_closed = machine.is_closed();
        assert!(ends == 0 || self.is_closed, "an end closes");
        if !matches!(
            machine.state(),
            State::Connecting | State::Verifying | State::Refreshing
        ) {
            self.verifying = None;
        }
        assert_eq!(machine.is_active(), self.is_active && !self.is_closed);
        let waits = !self.is_closed && machine.is_pending();
        assert!(
            !waits || machine.poll_timeout().is_some(),
            "every wait ends"
        );
    }
}

fn explore(machine: &Machine, seen: &Seen, now: Instant, depth: usize, count: &mut usize) {
    *count += 1;
    if depth == 0 {
        return;
    }
    for choice in 0..CHOICES {
        let (mut machine, mut seen) = (machine.clone(), seen.clone());
        let now = match choice {
            12 => machine.poll_timeout().unwrap_or(now).max(now),
            13 => now + Duration::from_millis(700),
            _ => now,
        };
        machine.handle_input(now, input(choice, seen.last_epoch, seen.failures));
        seen.take(&mut machine);
        if !seen.is_closed || depth == 1 {
            explore(&machine, &seen, now, depth - 1, count);
        } else {
            stays_closed(&machine, &seen, now);
        }
    }
}

/// From a closed machine one more step of every kind is as good as all sequences: it never changes.
fn stays_closed(machine: &Machine, seen: &Seen, now: Instant) {
    for choice in 0..CHOICES {
        let (mut machine, mut seen) = (machine.clone(), seen.clone());
        let later = now + Duration::from_secs(60);
        machine.handle_input(later, input(choice, seen.last_epoch, seen.failures));
        seen.take(&mut machine);
        assert!(machine.is_closed());
        assert_eq!(machine.poll_timeout(), None);
    }
}

#[test]
fn no_sequence_of_inputs_breaks_an_invariant() {
    for (mode, presented) in [
        (Mode::TwoRoundTrip, token()),
        (Mode::Handshake, token()),
        (Mode::Handshake, Collected::Guest),
    ] {
        for on_expiry in [OnExpiry::ReconnectTransport, OnExpiry::Downgrade] {
            let mut settings = policy(mode);
            settings.max_pending_packets = 2;
            settings.max_ignored_packets = 2;
            settings.on_expiry = on_expiry;
            let start = origin();
            let mut machine = Machine::new(Arc::new(settings), true, start);
            let mut seen = Seen::default();
            machine.handle_input(start, connect(presented.clone()));
            seen.take(&mut machine);
            let mut count = 0;
            explore(&machine, &seen, start, DEPTH, &mut count);
            assert!(count > 1000, "{count} states");
        }
    }
}
