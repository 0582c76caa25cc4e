//! Every sequence of inputs up to a depth, from every mode, against what must always hold.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::state::State;
use super::tests::{Machine, connect, err, origin, policy, token};
use super::{Input, Output};
use crate::{Code, Collected, Mode, OnExpiry, Rejection};

/// Inputs per step: two of them let time pass first.
const CHOICES: usize = 15;

/// Sequences of this many inputs after CONNECT: 15^6 = 11 million per start, less what ends earlier.
const DEPTH: usize = 6;

#[derive(Clone)]
struct Seen {
    is_active: bool,
    is_closed: bool,
    verifying: Option<u32>,
    /// The input reports how that ended.
    has_result: bool,
    last_epoch: u32,
    last_notice: u32,
    failures: u32,
    /// Whose grant was accepted first; nobody else's may follow.
    subject: Option<&'static str>,
    /// Packets that came while the verification under way ran: no others may be replayed.
    sent_behind: u32,
    /// Events whose acknowledgement is owed.
    owed_acks: u32,
    /// By when a client has to be in or gone.
    patience_ends_at: Instant,
}

const PACKET: usize = 3;

fn accepted(epoch: u32, subject: &'static str) -> Input<u8, &'static str> {
    Input::VerifyOk {
        epoch,
        grant: subject,
        subject: subject.into(),
        expires_in: Some(Duration::from_secs(4)),
    }
}

fn input(choice: usize, seen: &Seen) -> Input<u8, &'static str> {
    let last_epoch = seen.last_epoch;
    let stale = last_epoch.wrapping_sub(1);
    let present = |presented| Input::Authenticate {
        presented,
        ack: Some(1),
        failed_attempts: seen.failures,
    };
    match choice {
        0 => present(token()),
        1 => present(Collected::Guest),
        2 => present(Collected::Rejected(Code::CredentialsBadFormat.into())),
        PACKET => Input::Packet(1),
        4 => accepted(last_epoch, "ann"),
        5 => accepted(last_epoch, "bob"),
        6 => accepted(stale, "eve"),
        7 => err(last_epoch, Code::InvalidToken),
        8 => err(stale, Code::InvalidToken),
        9 => Input::UnauthorizedAcked {
            notice: seen.last_notice,
        },
        10 => Input::Revoked(Rejection::new(Code::TokenRevoked)),
        11 => Input::Left,
        14 => Input::ExpireIn {
            margin: Duration::from_secs(1),
            reason: None,
        },
        _ => Input::Timeout,
    }
}

impl Seen {
    fn new(start: Instant) -> Self {
        let settings = policy(Mode::TwoRoundTrip);
        Self {
            is_active: false,
            is_closed: false,
            verifying: None,
            has_result: false,
            last_epoch: 0,
            last_notice: 0,
            failures: 0,
            subject: None,
            sent_behind: 0,
            owed_acks: 0,
            patience_ends_at: start + settings.deadline + settings.verify_timeout,
        }
    }

    /// Notes what one input asks for.
    fn note(&mut self, machine: &Machine, choice: usize) {
        if choice == PACKET && machine.state() == State::Verifying {
            self.sent_behind += 1;
        }
        self.has_result = matches!(choice, 4 | 5 | 7);
        if choice < PACKET {
            self.owed_acks += 1;
        }
    }

    fn is_of(&mut self, grant: Option<&'static str>) {
        if let Some(subject) = grant {
            assert_ne!(subject, "eve", "a late result counts for nothing");
            assert_eq!(*self.subject.get_or_insert(subject), subject, "no switch");
        }
    }

    fn answered(&mut self, ack: Option<u64>) {
        if ack.is_some() {
            assert_ne!(self.owed_acks, 0, "nobody is answered twice");
            self.owed_acks -= 1;
        }
    }

    /// Checks what one input brought about.
    fn take(&mut self, machine: &mut Machine) {
        let (was_active, was_closed) = (self.is_active, self.is_closed);
        let (mut ends, mut unauthorized, mut replayed, mut is_handled) = (0, 0, 0, was_active);
        while let Some(output) = machine.poll_output() {
            assert!(!was_closed, "closed is absorbing: {output:?}");
            assert_eq!(ends, 0, "nothing follows the end: {output:?}");
            match output {
                Output::StartVerify { epoch, .. } => {
                    let before = self.verifying.take();
                    assert!(before.is_none() || self.has_result, "one at a time");
                    assert_ne!(epoch, self.last_epoch, "epochs are fresh");
                    (self.verifying, self.last_epoch) = (Some(epoch), epoch);
                    self.sent_behind = 0;
                }
                Output::CancelVerify { epoch } => {
                    assert_eq!(self.verifying.take(), Some(epoch), "cancels what runs");
                }
                Output::AttemptFailed => self.failures += 1,
                Output::Admit { grant, .. } | Output::Activate { grant, .. } => {
                    assert!(!was_active, "comes in once");
                    self.is_of(grant);
                    self.is_active = true;
                }
                Output::Authenticated { ack, .. } => {
                    assert!(self.is_active, "inserted before anything is said");
                    self.answered(ack);
                }
                Output::RunConnectHandler => {
                    assert!(self.is_active && !is_handled, "once, when inserted");
                    is_handled = true;
                }
                Output::Deliver(_) => {
                    assert!(self.is_active && is_handled, "after the connect handler");
                    replayed += u32::from(!was_active);
                    assert!(replayed <= self.sent_behind, "nothing sent before");
                }
                Output::LeaveRooms => panic!("nobody may switch"),
                Output::ReplaceGrant { grant, .. } => {
                    assert!(self.is_active);
                    self.is_of(Some(grant));
                }
                Output::TokenExpiring { .. } | Output::Downgrade => {
                    assert!(self.is_active, "only for who is in");
                }
                Output::Unauthorized { notice, ack, .. } => {
                    unauthorized += 1;
                    assert!(notice > self.last_notice, "each has its number");
                    self.last_notice = notice;
                    self.answered(ack);
                }
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
        let is_verifying = matches!(
            machine.state(),
            State::Connecting | State::Verifying | State::Refreshing | State::Revalidating
        );
        if !is_verifying {
            self.verifying = None;
            assert!(self.is_closed || self.owed_acks == 0, "all are answered");
        }
        assert_eq!(machine.is_active(), self.is_active && !self.is_closed);
        if !self.is_closed && machine.is_pending() {
            let wakes_at = machine.poll_timeout().expect("every wait ends");
            assert!(wakes_at <= self.patience_ends_at, "and in time");
        }
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
        seen.note(&machine, choice);
        machine.handle_input(now, input(choice, &seen));
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
        machine.handle_input(later, input(choice, &seen));
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
            // Between the beginning of a grant and its end.
            let asks_again = mode == Mode::Handshake && on_expiry == OnExpiry::Downgrade;
            settings.revalidate_every = asks_again.then_some(Duration::from_millis(1500));
            let start = origin();
            let mut machine = Machine::new(Arc::new(settings), true, start);
            let mut seen = Seen::new(start);
            machine.handle_input(start, connect(presented.clone()));
            seen.take(&mut machine);
            let mut count = 0;
            explore(&machine, &seen, start, DEPTH, &mut count);
            assert!(count > 1000, "{count} states");
        }
    }
}
