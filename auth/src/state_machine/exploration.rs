//! Every sequence of inputs up to a depth, from every door, against what must hold.
//!
//! Two sequences that lead to the same place are followed once: what comes after them is the same.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::tests::{
    Machine, connect, err, inherited, no, ok, ok_for, origin, policy, revoked, revoked_meanwhile,
    token, yes,
};
use super::{Answer, Change, Granted, Input, Output};
use crate::{Code, Mode, NamespacePolicy, OnExpiry, server::Collected};

/// Sequences of this many inputs after CONNECT.
const DEPTH: usize = 7;

/// How long grants hold. Less than others may take, so that every order of the two comes up.
const TERM: Duration = Duration::from_secs(4);

/// One step of a sequence.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Choice {
    Present,
    PresentNothing,
    PresentNonsense,
    Packet,
    AcceptAnn,
    AcceptBob,
    /// What comes of something that was cancelled.
    AcceptLate,
    Refuse,
    RefuseLate,
    LetIn,
    LetInLate,
    TurnAway,
    TurnAwayLate,
    RevokeMeanwhile,
    Acknowledge,
    Revoke,
    ExpireIn,
    InheritAnn,
    InheritBob,
    ExpireElsewhere,
    Leave,
    /// Time passes up to the next deadline.
    Wait,
    /// Time passes, perhaps beyond a deadline that comes late then.
    Dawdle,
    /// The application enters the socket into a room that is for its holder.
    JoinPrivately,
}

use Choice::*;

const CHOICES: [Choice; 24] = [
    Present,
    PresentNothing,
    PresentNonsense,
    Packet,
    AcceptAnn,
    AcceptBob,
    AcceptLate,
    Refuse,
    RefuseLate,
    LetIn,
    LetInLate,
    TurnAway,
    TurnAwayLate,
    RevokeMeanwhile,
    Acknowledge,
    Revoke,
    ExpireIn,
    InheritAnn,
    InheritBob,
    ExpireElsewhere,
    Leave,
    Wait,
    Dawdle,
    JoinPrivately,
];

/// Who the socket is.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
enum Who {
    Nobody,
    Guest,
    Holder(&'static str),
}

/// What the shell has been told to be at work on.
#[derive(Clone, Copy, Debug, PartialEq, Hash)]
enum Job {
    Verify,
    Ask(Who),
}

/// What a shell and a client would know after the outputs so far.
#[derive(Clone, Hash)]
struct Seen {
    who: Who,
    is_connect_answered: bool,
    is_closed: bool,
    /// Under way, with its epoch.
    job: Option<(u32, Job)>,
    last_epoch: u32,
    last_notice: u32,
    failures: u32,
    /// Events whose acknowledgement is owed.
    owed_acks: u32,
    /// Packets that wait, as long as a verdict is awaited.
    waiting: usize,
    is_in_private_room: bool,
    /// From the end of a grant until a guest takes over.
    is_nobodys: bool,
    /// Who it was last, if it was somebody.
    was: Option<&'static str>,
    /// Whom was asked about comes from another namespace.
    follows: bool,
    /// What was asked about is kept until the machine says what becomes of it.
    keeps_candidate: bool,
}

/// One input, while its outputs come.
struct Round {
    choice: Option<Choice>,
    /// The input reports what is under way.
    has_result: bool,
    is_let_in: bool,
    /// Who the socket is was decided.
    has_settled: bool,
    has_ended: bool,
}

/// What a run of the explorer is about.
struct Rules {
    settings: NamespacePolicy,
    /// By when a client has to be in or gone.
    patience_ends_at: Instant,
    places: HashMap<u64, usize>,
}

fn input(choice: Choice, seen: &Seen) -> Input<u8, &'static str> {
    let epoch = seen.last_epoch;
    let late = epoch.wrapping_sub(1);
    let present = |presented| Input::Authenticate {
        presented,
        ack: Some(1),
        failed_attempts: seen.failures,
    };
    match choice {
        Present => present(token()),
        PresentNothing => present(Collected::Guest),
        PresentNonsense => present(Collected::Rejected(Code::CredentialsBadFormat.into())),
        Packet => Input::Packet(1),
        AcceptAnn => ok_for(epoch, "ann", Some(TERM)),
        AcceptBob => ok_for(epoch, "bob", Some(TERM)),
        AcceptLate => ok(late, "eve", 4),
        Refuse => err(epoch, Code::InvalidToken),
        RefuseLate => err(late, Code::InvalidToken),
        LetIn => yes(epoch),
        LetInLate => yes(late),
        TurnAway => no(epoch),
        TurnAwayLate => no(late),
        RevokeMeanwhile => revoked_meanwhile(epoch),
        Acknowledge => Input::UnauthorizedAcked {
            notice: seen.last_notice,
        },
        Revoke => revoked(),
        ExpireIn => Input::ExpireIn {
            margin: Duration::from_secs(1),
            reason: None,
        },
        InheritAnn => inherited("ann", TERM),
        InheritBob => inherited("bob", TERM),
        ExpireElsewhere => Input::ConnectionExpires,
        Leave => Input::Left,
        Wait | Dawdle | JoinPrivately => Input::Timeout,
    }
}

impl Seen {
    const fn new() -> Self {
        Self {
            who: Who::Nobody,
            is_connect_answered: false,
            is_closed: false,
            job: None,
            last_epoch: 0,
            last_notice: 0,
            failures: 0,
            owed_acks: 0,
            waiting: 0,
            is_in_private_room: false,
            is_nobodys: false,
            was: None,
            follows: false,
            keeps_candidate: false,
        }
    }

    fn is_in(&self) -> bool {
        self.who != Who::Nobody
    }

    /// Who it is depends on what is under way, so its packets wait.
    fn is_decided_on(&self) -> bool {
        self.is_nobodys || (!self.is_in() && self.job.is_some())
    }

    /// Notes what one input asks for.
    fn note(&mut self, choice: Choice) {
        match choice {
            Present | PresentNothing | PresentNonsense => self.owed_acks += 1,
            JoinPrivately if self.is_in() => self.is_in_private_room = true,
            _ => {}
        }
    }

    fn begin(&mut self, epoch: u32, job: Job) {
        (self.job, self.last_epoch) = (Some((epoch, job)), epoch);
    }

    fn answer_connect(&mut self) {
        assert!(!self.is_connect_answered, "one answer to one CONNECT");
        self.is_connect_answered = true;
    }

    fn answer(&mut self, ack: Option<u64>) {
        if ack.is_some() {
            assert_ne!(self.owed_acks, 0, "nobody is answered twice");
            self.owed_acks -= 1;
        }
    }

    /// Whom middleware was asked about and has just let in.
    fn entrant(&mut self, round: &mut Round) -> Who {
        assert!(round.is_let_in, "nobody comes in unasked");
        (round.has_settled, self.keeps_candidate) = (true, false);
        let Some((_, Job::Ask(who))) = self.job.take() else {
            panic!("nobody was asked about")
        };
        if let Who::Holder(subject) = who {
            self.was = Some(subject);
        }
        who
    }

    /// Checks what one input brought about.
    fn take(&mut self, rules: &Rules, machine: &mut Machine, choice: Option<Choice>, now: Instant) {
        let was_closed = self.is_closed;
        let job = self.job.map(|(_, job)| job);
        let mut round = Round {
            choice,
            has_result: match choice {
                Some(AcceptAnn | AcceptBob | Refuse) => job == Some(Job::Verify),
                Some(LetIn | TurnAway) => matches!(job, Some(Job::Ask(_))),
                _ => false,
            },
            is_let_in: choice == Some(LetIn),
            has_settled: false,
            has_ended: false,
        };
        let mut notices = 0;
        while let Some(output) = machine.poll_output() {
            assert!(!was_closed, "closed is absorbing: {output:?}");
            assert!(!round.has_ended, "nothing follows the end: {output:?}");
            notices += u32::from(matches!(output, Output::Unauthorized { .. }));
            self.take_output(rules, &mut round, &output);
        }
        // One for the input, one for a deadline that passed before it, and one for what both lead to.
        assert!(notices <= 3);
        self.is_closed = machine.is_closed();
        assert!(!round.has_ended || self.is_closed, "an end closes");
        if round.has_result {
            self.job = self.job.filter(|_| machine.stage().trial().is_some());
        }
        assert!(!self.is_closed || self.job.is_none(), "nothing goes on");
        if choice == Some(Packet) && self.is_decided_on() {
            self.waiting += 1;
        }
        self.check_place(rules, machine, now);
    }

    fn take_output(&mut self, rules: &Rules, round: &mut Round, output: &Output<u8, &'static str>) {
        match *output {
            Output::StartVerify { epoch, .. } => {
                assert!(self.job.is_none() || round.has_result, "one at a time");
                assert!(epoch > self.last_epoch, "epochs are fresh");
                self.begin(epoch, Job::Verify);
            }
            Output::Ask { epoch, grant, .. } => self.take_question(round, epoch, grant),
            Output::Cancel { epoch } => {
                let job = self.job.take().map(|(of, _)| of);
                assert_eq!(job, Some(epoch), "cancels what is under way");
                // A deadline that passed first has ended what the input is about.
                (round.has_result, round.is_let_in) = (false, false);
            }
            Output::AttemptFailed => self.failures += 1,
            Output::Enter { answer, .. } => {
                assert!(!self.is_in(), "comes in once");
                self.who = self.entrant(round);
                match answer {
                    Answer::Connect => self.answer_connect(),
                    Answer::Authenticated { ack } => {
                        assert!(self.is_connect_answered);
                        self.answer(ack);
                    }
                }
            }
            Output::StepBack => {
                assert!(self.is_connect_answered, "else it is refused");
                assert!(self.keeps_candidate, "of what was asked");
                self.keeps_candidate = false;
                if let Some((_, job)) = self.job.take() {
                    assert!(round.has_result && job != Job::Verify, "of what was asked");
                }
            }
            Output::Become { change, .. } => self.take_change(rules, round, change),
            Output::LeaveRooms => {
                assert!(self.is_in());
                self.is_in_private_room = false;
            }
            Output::ReplaceGrant { grant, .. } => {
                assert_eq!(self.who, Who::Holder(grant), "unasked only who it was");
                assert!(!self.is_nobodys);
                if !matches!(round.choice, Some(InheritAnn | InheritBob)) {
                    assert!(round.has_result, "it comes of something");
                    self.job = None;
                }
            }
            Output::Authenticated { ack, .. } => {
                assert!(self.is_in(), "inserted before anything is said");
                self.answer(ack);
            }
            Output::Deliver(_) => {
                assert!(self.is_in() && !self.is_nobodys, "to somebody who is in");
                if round.choice != Some(Packet) {
                    assert!(round.has_settled, "what waited comes with a verdict");
                    assert_ne!(self.waiting, 0, "nothing sent before, and once");
                    self.waiting -= 1;
                }
            }
            Output::TokenExpiring { .. } => {
                assert!(matches!(self.who, Who::Holder(_)) && !self.is_nobodys);
            }
            Output::Unauthorized { notice, ack, .. } => {
                assert!(self.is_connect_answered, "else it is refused");
                assert!(notice > self.last_notice, "each has its number");
                self.last_notice = notice;
                self.answer(ack);
            }
            Output::AcceptConnect => self.answer_connect(),
            Output::RefuseConnect(_) => {
                self.answer_connect();
                round.has_ended = true;
            }
            Output::Disconnect => {
                assert_eq!(self.owed_acks, 0, "all are answered before the end");
                round.has_ended = true;
            }
            Output::CloseConnection | Output::ExpireConnection => round.has_ended = true,
        }
    }

    fn take_question(&mut self, round: &Round, epoch: u32, grant: Option<&'static str>) {
        assert_ne!(grant, Some("eve"), "a late result counts for nothing");
        let follows = match self.job {
            Some((of, Job::Verify)) if of == epoch => round.has_result,
            // The end of a grant, to which the end of a renewal opened the way.
            Some(_) => round.has_result && epoch > self.last_epoch,
            None => epoch > self.last_epoch,
        };
        assert!(follows, "one thing at a time");
        if grant.is_none() && self.is_in() {
            assert!(!self.is_in_private_room, "out of the rooms first");
            self.is_nobodys = true;
        }
        assert!(!self.keeps_candidate, "one at a time");
        self.keeps_candidate = true;
        self.follows = matches!(round.choice, Some(InheritAnn | InheritBob));
        self.begin(epoch, Job::Ask(grant.map_or(Who::Guest, Who::Holder)));
    }

    fn take_change(&mut self, rules: &Rules, round: &mut Round, change: Change) {
        let was = self.was;
        let (before, after) = (self.who, self.entrant(round));
        let is_as_told = match change {
            Change::Login => {
                let comes_back = was.is_none_or(|was| after == Who::Holder(was));
                before == Who::Guest && after != Who::Guest && comes_back
            }
            Change::Switch => {
                let may = rules.settings.allow_switch || self.follows;
                may && after != Who::Guest && after != before
            }
            Change::Downgrade => before != Who::Guest && after == Who::Guest && self.is_nobodys,
        };
        assert!(is_as_told, "{change:?} from {before:?} to {after:?}");
        if change != Change::Login {
            assert!(!self.is_in_private_room, "out of the rooms first");
        }
        (self.who, self.is_nobodys) = (after, false);
    }

    /// What holds between two inputs.
    fn check_place(&mut self, rules: &Rules, machine: &Machine, now: Instant) {
        let stage = machine.stage();
        if self.is_closed {
            assert_eq!(machine.poll_timeout(), None);
            return;
        }
        let epoch = stage.trial().map(|trial| trial.epoch);
        assert_eq!(epoch, self.job.map(|(epoch, _)| epoch), "what is under way");
        assert!(epoch.is_some() || self.owed_acks == 0, "all are answered");
        let is_asked = matches!(self.job, Some((_, Job::Ask(_))));
        assert_eq!(self.keeps_candidate, is_asked, "nothing is kept in vain");
        assert!(self.owed_acks <= 1, "one at a time is owed");
        assert_eq!(machine.is_active(), self.is_in());
        assert_eq!(machine.is_pending(), !self.is_in());
        assert_eq!(machine.delivers_at_once(), self.is_in() && !self.is_nobodys);
        if !self.is_decided_on() {
            // What waited behind a bad credential is dropped.
            self.waiting = 0;
        }
        assert_eq!(stage.queued(), self.waiting, "what waits");
        assert!(stage.queued() <= rules.settings.max_pending_packets);
        let wakes_at = machine.poll_timeout();
        assert!(wakes_at.is_none_or(|at| at > now), "deadlines take effect");
        let patience = rules
            .settings
            .verify_timeout
            .max(rules.settings.middleware_timeout);
        let ends_by = match (self.is_in(), epoch) {
            (false, _) => rules.patience_ends_at,
            (true, Some(_)) => now + patience,
            (true, None) => return,
        };
        assert!(wakes_at.is_some_and(|at| at <= ends_by), "every wait ends");
    }
}

/// Left alone, every client comes to rest: in the namespace or out of it, and nothing is under way.
fn comes_to_rest(rules: &Rules, mut machine: Machine, mut seen: Seen, mut now: Instant) {
    for _ in 0..12 {
        if !machine.is_pending() && machine.stage().trial().is_none() {
            return;
        }
        now = machine.poll_timeout().expect("every wait ends").max(now);
        machine.handle_input(now, Input::Timeout);
        seen.take(rules, &mut machine, None, now);
    }
    panic!("{machine:?} never comes to rest");
}

fn explore(rules: &mut Rules, machine: &Machine, seen: &Seen, now: Instant, depth: usize) {
    let mut hasher = DefaultHasher::new();
    (machine.stage(), seen, now).hash(&mut hasher);
    machine.hash_rest(&mut hasher);
    let known = rules.places.entry(hasher.finish()).or_default();
    if *known > depth {
        return;
    }
    let is_new = *known == 0;
    *known = depth + 1;
    if is_new {
        comes_to_rest(rules, machine.clone(), seen.clone(), now);
    }
    if depth == 0 {
        return;
    }
    for choice in CHOICES {
        let (mut machine, mut seen) = (machine.clone(), seen.clone());
        let now = match choice {
            Wait => machine.poll_timeout().unwrap_or(now).max(now),
            Dawdle => now + Duration::from_millis(700),
            _ => now,
        };
        seen.note(choice);
        machine.handle_input(now, input(choice, &seen));
        seen.take(rules, &mut machine, Some(choice), now);
        if seen.is_closed {
            stays_closed(rules, &machine, &seen, now);
        } else {
            explore(rules, &machine, &seen, now, depth - 1);
        }
    }
}

/// From a closed machine one more step of every kind is as good as all sequences: it never changes.
fn stays_closed(rules: &Rules, machine: &Machine, seen: &Seen, now: Instant) {
    for choice in CHOICES {
        let (mut machine, mut seen) = (machine.clone(), seen.clone());
        let later = now + Duration::from_secs(60);
        machine.handle_input(later, input(choice, &seen));
        seen.take(rules, &mut machine, Some(choice), later);
        assert!(machine.is_closed());
    }
}

/// Explores a policy from one kind of CONNECT, and says how many places there are.
fn explore_from(settings: NamespacePolicy, first: Input<u8, &'static str>) -> usize {
    let start = origin();
    let mut rules = Rules {
        patience_ends_at: start
            + settings.deadline
            + settings.verify_timeout
            + settings.middleware_timeout,
        settings: settings.clone(),
        places: HashMap::new(),
    };
    let mut machine = Machine::new(Arc::new(settings), true, start);
    let mut seen = Seen::new();
    machine.handle_input(start, first);
    seen.take(&rules, &mut machine, None, start);
    explore(&mut rules, &machine, &seen, start, DEPTH);
    rules.places.len()
}

fn small(mode: Mode, on_expiry: OnExpiry) -> NamespacePolicy {
    let mut settings = policy(mode);
    settings.max_pending_packets = 2;
    settings.max_ignored_packets = 2;
    settings.max_empty_attempts = 2;
    settings.on_expiry = on_expiry;
    settings
}

#[test]
fn no_sequence_of_inputs_breaks_an_invariant() {
    for allow_switch in [false, true] {
        for on_expiry in [
            OnExpiry::ReconnectTransport,
            OnExpiry::Downgrade,
            OnExpiry::NotifyOnly,
        ] {
            let granted = || Input::ConnectGranted {
                granted: Granted {
                    grant: "ann",
                    subject: "ann".into(),
                    expires_in: Some(TERM),
                },
                credential: None,
            };
            for (mode, first) in [
                (Mode::TwoRoundTrip, connect(token())),
                (Mode::Handshake, connect(token())),
                (Mode::Handshake, connect(Collected::Guest)),
                (Mode::Either, granted()),
            ] {
                let mut settings = small(mode, on_expiry);
                settings.allow_switch = allow_switch;
                let places = explore_from(settings, first);
                assert!(places > 500, "{places} places");
            }
        }
    }
}

/// The same where the server asks again by itself, where a renewal may outlast the grant, and where grants outlast what
/// others may take.
#[test]
fn no_sequence_breaks_an_invariant_where_more_goes_on() {
    for on_expiry in [OnExpiry::DisconnectNamespace, OnExpiry::Downgrade] {
        for (mode, first) in [
            (Mode::TwoRoundTrip, connect(token())),
            (Mode::Handshake, connect(token())),
        ] {
            let mut settings = small(mode, on_expiry);
            settings.allow_switch = true;
            settings.min_renewal_interval = Duration::ZERO;
            settings.verify_timeout = Duration::from_secs(2);
            settings.middleware_timeout = Duration::from_secs(1);
            settings.refresh_grace = Duration::from_millis(500);
            // Between the beginning of a grant and its end.
            settings.revalidate_every = Some(Duration::from_millis(1500));
            let places = explore_from(settings, first);
            assert!(places > 500, "{places} places");
        }
    }
}

/// Without the notice before it the end of a grant is reached sooner, and so is what comes after it.
#[test]
fn no_sequence_breaks_an_invariant_after_a_downgrade() {
    for allow_switch in [false, true] {
        let mut settings = small(Mode::Handshake, OnExpiry::Downgrade);
        settings.allow_switch = allow_switch;
        settings.warn_before = Duration::ZERO;
        let places = explore_from(settings, connect(token()));
        assert!(places > 500, "{places} places");
    }
}
