//! The rules of joining and leaving, as sequences of inputs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use socketio_auth::{
    Code, Credential, Mode, NamespacePolicy, OnExpiry, Rejection, SourceKind,
    server::{self as auth, Collected, QueuedPacket},
};

use super::{Application, Client, Gate, Input, Limits, Output, Refusal, Route, Ticket};
use crate::authority::refused::Refused;
use crate::error::{ConnectError, DisconnectReason};

struct Test;

struct Kept(usize);

impl QueuedPacket for Kept {
    fn size_bytes(&self) -> usize {
        self.0
    }
}

impl Application for Test {
    type Socket = &'static str;
    type Space = ();
    type Payload = ();
    type Packet = Kept;
    type Grant = &'static str;
}

const LIMITS: Limits = Limits {
    connect_timeout: Duration::from_secs(45),
    attachment_timeout: Duration::from_secs(30),
    max_namespaces: 4,
    max_connecting: 2,
};

struct Bench {
    client: Client<Test>,
    now: Instant,
}

impl Bench {
    #[expect(clippy::disallowed_methods, reason = "some moment to begin with")]
    fn new() -> Self {
        let now = Instant::now();
        Self {
            client: Client::new(now, &LIMITS),
            now,
        }
    }

    fn feed(&mut self, input: Input<Test>) -> Vec<String> {
        self.client.handle_input(self.now, &LIMITS, input);
        std::iter::from_fn(|| self.client.poll_output())
            .map(|output| name_of(&output))
            .collect()
    }

    fn connect(&mut self, name: &str) -> Vec<String> {
        let name = name.into();
        self.feed(Input::Connect {
            name,
            payload: (),
            is_implied: false,
            found: None,
        })
    }

    /// The ticket of the attempt that was begun last.
    fn ticket(&self) -> Ticket {
        Ticket(self.client.next_ticket.wrapping_sub(1))
    }

    fn find(&mut self, socket: &'static str, gate: Option<Gate<Test>>) -> Vec<String> {
        let ticket = self.ticket();
        self.feed(Input::Found {
            ticket,
            socket,
            gate: gate.map(Box::new),
        })
    }

    /// Middleware lets whom it was asked about last in, at the first question of a namespace.
    fn admit(&mut self) -> Vec<String> {
        let ticket = self.ticket();
        let epoch = self
            .client
            .entry_mut(ticket)
            .map_or(0, |entry| u32::from(entry.auth.is_some()));
        self.answer(epoch, Ok(()))
    }

    fn answer(&mut self, epoch: u32, verdict: Result<(), Refused>) -> Vec<String> {
        let ticket = self.ticket();
        self.feed(Input::Asked {
            ticket,
            epoch,
            verdict,
        })
    }

    fn miss(&mut self) -> Vec<String> {
        let (ticket, refusal) = (self.ticket(), Refusal::InvalidNamespace);
        self.feed(Input::NotFound { ticket, refusal })
    }

    fn join(&mut self, name: &'static str) -> Ticket {
        assert_eq!(self.connect(name), [format!("find {name}")]);
        assert_eq!(self.find(name, None), [format!("ask {name}")]);
        assert_eq!(self.admit(), [format!("enter {name}")]);
        self.ticket()
    }

    fn auth(&mut self, input: auth::Input<Kept, &'static str, Refused>) -> Vec<String> {
        let ticket = self.ticket();
        self.feed(Input::Auth { ticket, input })
    }

    fn pass(&mut self, time: Duration) -> Vec<String> {
        self.now += time;
        self.feed(Input::Timeout)
    }
}

fn name_of(output: &Output<Test>) -> String {
    match output {
        Output::Find { name, .. } => format!("find {name}"),
        Output::Refuse { name, refusal, .. } => match refusal {
            Refusal::InvalidNamespace => format!("refuse {name}: invalid"),
            Refusal::TooManyNamespaces => format!("refuse {name}: too many"),
            Refusal::Refused(refused) => match &refused.error {
                Some(error) => format!("refuse {name}: {error}"),
                None => format!("refuse {name}: {}", refused.rejection.code().as_str()),
            },
        },
        Output::GiveBack(()) => "give back".to_owned(),
        Output::Ask(question) => {
            let about = question
                .grant
                .map_or_else(String::new, |grant| format!(" as {grant}"));
            format!("ask {}{about}", question.socket)
        }
        Output::Enter { socket, .. } => format!("enter {socket}"),
        Output::PassOn { from, heirs } => format!("pass on {from} to {}", heirs.join(", ")),
        Output::Auth { socket, output } => {
            let output = format!("{output:?}");
            let name = output.split([' ', '(']).next().unwrap_or_default();
            format!("{name} {socket}")
        }
        Output::Left {
            socket,
            reason,
            notifies,
        } => format!(
            "left {socket}: {reason}{}",
            if *notifies { ", told" } else { "" }
        ),
        Output::Dismiss { socket } => format!("dismiss {socket}"),
        Output::Abandon { socket } => format!("abandon {socket}"),
        Output::Close => "close".to_owned(),
        Output::Expel => "expel".to_owned(),
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kept")
    }
}

fn credential() -> Collected {
    Collected::Credential(Credential::new("token", SourceKind::Payload))
}

fn gate(mode: Mode, presented: Collected) -> Gate<Test> {
    let mut policy = NamespacePolicy::default();
    policy.mode = mode;
    Gate {
        policy: Arc::new(policy),
        has_guests: false,
        presented,
        inherited: None,
    }
}

fn accepted(epoch: u32) -> auth::Input<Kept, &'static str, Refused> {
    accepted_as(epoch, "ann")
}

fn accepted_as(epoch: u32, subject: &'static str) -> auth::Input<Kept, &'static str, Refused> {
    auth::Input::VerifyOk {
        epoch,
        granted: auth::Granted {
            grant: subject,
            subject: subject.into(),
            expires_in: None,
        },
    }
}

//= SIO5-CON-01 test
//= SIO5-EVT-02 test
#[test]
fn a_name_that_no_namespace_can_have_is_refused_and_nothing_else() {
    let mut bench = Bench::new();
    let unknown = || Input::ConnectUnknown("/long".into());
    assert_eq!(bench.feed(unknown()), ["refuse /long: invalid"]);
    // It has no place among those that are being joined.
    assert_eq!(bench.connect("/"), ["find /"]);
    assert_eq!(bench.feed(unknown()), ["refuse /long: invalid"]);
    assert_eq!(bench.feed(Input::GiveUp).last().unwrap(), "close");
    assert_eq!(bench.feed(unknown()), [""; 0]);
}

#[test]
fn nothing_is_joined_before_connect_and_after_disconnect() {
    let mut bench = Bench::new();
    assert_eq!(bench.client.route("/"), Route::Violation);
    let ticket = bench.join("/");
    assert_eq!(bench.client.route("/"), Route::Deliver(ticket, "/"));
    assert_eq!(bench.client.route("/other"), Route::Violation);
    let left = bench.feed(Input::Disconnect("/".into()));
    assert_eq!(left, ["left /: client namespace disconnect"]);
    assert_eq!(bench.client.route("/"), Route::Violation);
    assert_eq!(bench.feed(Input::Disconnect("/".into())), ["expel"]);
}

//= SIO5-CON-04 test
//= SIO5-CON-05 test
#[test]
fn a_refusal_leaves_the_other_namespaces_alone_and_may_be_tried_again() {
    let mut bench = Bench::new();
    bench.join("/");
    bench.connect("/nope");
    assert_eq!(bench.miss(), ["refuse /nope: invalid"]);
    for _ in 0..2 {
        bench.connect("/mw");
        bench.find("/mw", None);
        let refused = Refused::by_middleware(ConnectError::new("no"));
        assert_eq!(bench.answer(0, Err(refused)), ["refuse /mw: no"]);
    }
    assert!(matches!(bench.client.route("/"), Route::Deliver(..)));
}

//= SIO5-CON-06 test
//= SIO5-CON-11 test
#[test]
fn a_second_connect_closes_whether_the_first_was_answered_or_not() {
    let mut bench = Bench::new();
    bench.join("/");
    assert_eq!(bench.connect("/"), ["expel"]);
    let mut bench = Bench::new();
    bench.connect("/");
    assert_eq!(bench.connect("/"), ["expel"]);
}

//= SIO5-CON-07 test
#[test]
fn a_namespace_can_be_joined_again_after_leaving() {
    let mut bench = Bench::new();
    let first = bench.join("/");
    assert_eq!(
        bench.feed(Input::Leave { ticket: first }),
        ["left /: server namespace disconnect, told"]
    );
    assert_eq!(bench.feed(Input::Leave { ticket: first }), [""; 0]);
    let second = bench.join("/");
    assert_ne!(
        first, second,
        "results of the first attempt are not taken for the second's"
    );
}

//= SIO5-CON-08 test
#[test]
fn who_joins_nothing_in_time_is_closed() {
    let mut bench = Bench::new();
    assert_eq!(
        bench.client.poll_timeout(),
        Some(bench.now + LIMITS.connect_timeout)
    );
    assert_eq!(
        bench.pass(LIMITS.connect_timeout - Duration::from_millis(1)),
        [""; 0]
    );
    bench.connect("/nope");
    bench.miss();
    assert_eq!(
        bench.pass(Duration::from_millis(1)),
        ["close"],
        "a refusal disarms nothing"
    );
    assert_eq!(bench.client.poll_timeout(), None);
}

//= SIO5-CON-08 test
#[test]
fn having_joined_once_disarms_the_connect_timeout_for_good() {
    let mut bench = Bench::new();
    bench.join("/");
    bench.feed(Input::Disconnect("/".into()));
    assert_eq!(bench.client.poll_timeout(), None);
    assert_eq!(bench.pass(LIMITS.connect_timeout * 2), [""; 0]);
}

//= SIO5-CON-10 test
#[test]
fn a_packet_before_the_answer_to_connect_is_a_violation() {
    let mut bench = Bench::new();
    bench.connect("/");
    assert_eq!(bench.client.route("/"), Route::Violation);
    bench.find("/", None);
    assert_eq!(bench.client.route("/"), Route::Violation);
    assert_eq!(bench.feed(Input::Violation), ["expel"]);
    assert_eq!(bench.admit(), [""; 0], "what comes late is ignored");
}

//= SIO5-INV-02 test
#[test]
fn who_breaks_a_rule_without_hearing_of_it_is_closed_by_the_server() {
    let mut bench = Bench::new();
    bench.join("/");
    bench.join("/b");
    assert_eq!(bench.feed(Input::Violation), ["expel"]);
    assert_eq!(
        bench.feed(Input::Unheard),
        [
            "left /: forced server close",
            "left /b: forced server close"
        ]
    );
    let reason = DisconnectReason::ForcedClose;
    assert_eq!(bench.feed(Input::Closed(reason)), [""; 0], "once is enough");
}

//= SIO5-INV-01 test
//= SIO5-INV-02 test
#[test]
fn an_invalid_packet_and_a_rule_broken_in_hearing_end_as_the_session_does() {
    for (input, output) in [(Input::GiveUp, "close"), (Input::Violation, "expel")] {
        let mut bench = Bench::new();
        bench.join("/");
        assert_eq!(bench.feed(input), [output]);
        assert_eq!(
            bench.feed(Input::Closed(DisconnectReason::ForcedClose)),
            ["left /: forced close"]
        );
    }
}

//= SIO5-CON-12 test
#[test]
fn a_session_that_closes_while_middleware_runs_joins_nothing() {
    let mut bench = Bench::new();
    bench.connect("/");
    bench.find("/", None);
    let reason = DisconnectReason::TransportClose;
    assert_eq!(bench.feed(Input::Closed(reason)), ["abandon /"]);
    assert_eq!(bench.admit(), [""; 0]);
}

//= SIO5-DIS-03 test
#[test]
fn a_server_that_closes_tells_every_namespace_in_join_order_first() {
    let mut bench = Bench::new();
    bench.connect("/slow");
    bench.find("/slow", None);
    let slow = bench.ticket();
    bench.join("/");
    bench.join("/b");
    bench.feed(Input::Asked {
        ticket: slow,
        epoch: 0,
        verdict: Ok(()),
    });
    let told = "server namespace disconnect, told";
    assert_eq!(
        bench.feed(Input::LeaveAll),
        [
            format!("left /: {told}"),
            format!("left /b: {told}"),
            format!("left /slow: {told}"),
            "close".to_owned(),
        ]
    );
    let reason = DisconnectReason::ForcedClose;
    assert_eq!(bench.feed(Input::Closed(reason)), [""; 0], "once is enough");
}

//= SIO5-DIS-06 test
#[test]
fn when_the_session_ends_every_joined_socket_leaves_in_join_order() {
    let mut bench = Bench::new();
    bench.join("/");
    bench.join("/b");
    assert_eq!(
        bench.feed(Input::Closed(DisconnectReason::PingTimeout)),
        ["left /: ping timeout", "left /b: ping timeout"]
    );
    assert_eq!(bench.connect("/"), [""; 0]);
}

#[test]
fn the_number_of_namespaces_and_of_unanswered_connects_is_bounded() {
    let mut bench = Bench::new();
    bench.connect("/1");
    bench.connect("/2");
    assert_eq!(bench.connect("/3"), ["refuse /3: too many"]);
    let mut bench = Bench::new();
    for name in ["/1", "/2", "/3", "/4"] {
        bench.join(name);
    }
    assert_eq!(bench.connect("/5"), ["refuse /5: too many"]);
    bench.feed(Input::Disconnect("/2".into()));
    assert_eq!(bench.connect("/5"), ["find /5"]);
}

#[test]
fn what_was_found_for_nobody_is_given_back() {
    let connect = |bench: &mut Bench, name: &str| {
        let (name, found) = (name.into(), Some(()));
        bench.feed(Input::Connect {
            name,
            payload: (),
            is_implied: false,
            found,
        })
    };
    let mut bench = Bench::new();
    assert_eq!(connect(&mut bench, "/1"), ["find /1"]);
    assert_eq!(connect(&mut bench, "/2"), ["find /2"]);
    assert_eq!(
        connect(&mut bench, "/3"),
        ["give back", "refuse /3: too many"]
    );
    assert_eq!(connect(&mut bench, "/1"), ["give back", "expel"]);
    assert_eq!(connect(&mut bench, "/4"), ["give back"]);
}

#[test]
fn attachments_that_do_not_arrive_close() {
    let mut bench = Bench::new();
    bench.join("/");
    let await_attachments = |bench: &mut Bench, name: &str| {
        let now = bench.now;
        bench
            .client
            .await_attachments(now, &LIMITS, Some(name))
            .is_ok()
    };
    assert!(!await_attachments(&mut bench, "/elsewhere"));
    assert!(await_attachments(&mut bench, "/"));
    assert_eq!(
        bench.client.poll_timeout(),
        Some(bench.now + LIMITS.attachment_timeout)
    );
    bench.client.end_attachments();
    assert_eq!(bench.pass(LIMITS.attachment_timeout), [""; 0]);
    assert!(await_attachments(&mut bench, "/"));
    assert_eq!(bench.pass(LIMITS.attachment_timeout), ["close"]);
}

#[test]
fn a_handshake_is_answered_when_its_credential_was_judged() {
    let mut bench = Bench::new();
    bench.connect("/");
    let found = bench.find("/", Some(gate(Mode::Handshake, credential())));
    assert_eq!(found, ["StartVerify /"]);
    assert_eq!(bench.client.route("/"), Route::Violation);
    assert_eq!(bench.auth(accepted(1)), ["ask / as ann"]);
    assert_eq!(bench.client.route("/"), Route::Violation);
    assert_eq!(bench.admit(), ["enter /"]);
}

#[test]
fn a_guest_is_asked_about_without_a_grant() {
    let mut bench = Bench::new();
    bench.connect("/");
    let found = bench.find("/", Some(gate(Mode::Handshake, Collected::Guest)));
    assert_eq!(found, ["ask /"]);
    assert_eq!(bench.admit(), ["enter /"]);
}

#[test]
fn what_middleware_says_of_a_person_refuses_its_connect() {
    let mut bench = Bench::new();
    bench.connect("/");
    bench.find("/", Some(gate(Mode::Handshake, credential())));
    bench.auth(accepted(1));
    let refused = Refused::by_middleware(ConnectError::new("members only"));
    assert_eq!(bench.answer(1, Err(refused)), ["refuse /: members only"]);
}

#[test]
fn packets_wait_while_it_is_open_who_the_client_is() {
    let mut bench = Bench::new();
    bench.connect("/");
    let mut gate = gate(Mode::Handshake, credential());
    let mut policy = NamespacePolicy::default();
    policy.on_expiry = OnExpiry::Downgrade;
    policy.max_session = Some(Duration::from_secs(60));
    gate.policy = Arc::new(policy);
    gate.has_guests = true;
    bench.find("/", Some(gate));
    bench.auth(accepted(1));
    bench.admit();
    assert!(matches!(bench.client.route("/"), Route::Deliver(..)));
    bench.pass(Duration::from_secs(59));
    assert_eq!(
        bench.pass(Duration::from_secs(1)),
        ["Unauthorized /", "LeaveRooms /", "ask /"]
    );
    assert!(matches!(bench.client.route("/"), Route::Held(..)));
    assert_eq!(bench.auth(auth::Input::Packet(Kept(1))), [""; 0]);
    let become_guest = bench.answer(2, Ok(()));
    assert_eq!(become_guest, ["LeaveRooms /", "Become /", "Deliver /"]);
    assert!(matches!(bench.client.route("/"), Route::Deliver(..)));
}

#[test]
fn failed_attempts_count_for_all_namespaces_of_the_connection() {
    let mut bench = Bench::new();
    for name in ["/a", "/b", "/c"] {
        bench.connect(name);
        bench.find(name, Some(gate(Mode::Handshake, credential())));
        let rejection = Rejection::new(Code::InvalidToken);
        let refused = bench.auth(auth::Input::VerifyErr {
            epoch: 1,
            rejection: rejection.into(),
        });
        assert_eq!(refused, [format!("refuse {name}: invalid_token")]);
    }
    bench.connect("/d");
    let found = bench.find("/d", Some(gate(Mode::Handshake, credential())));
    assert_eq!(found, ["refuse /d: too_many_attempts"]);
}

#[test]
fn two_round_trips_hold_the_socket_until_it_is_activated() {
    let mut bench = Bench::new();
    bench.connect("/");
    let missing = Collected::Missing(Code::CredentialsRequired.into());
    let found = bench.find("/", Some(gate(Mode::TwoRoundTrip, missing)));
    assert_eq!(found, ["AcceptConnect /"]);
    assert!(matches!(bench.client.route("/"), Route::Held(..)));
    let ticket = bench.ticket();
    let started = bench.feed(Input::Authenticate {
        ticket,
        presented: credential(),
        ack: None,
    });
    assert_eq!(started, ["StartVerify /"]);
    assert_eq!(bench.auth(auth::Input::Packet(Kept(1))), [""; 0]);
    assert_eq!(bench.auth(accepted(1)), ["ask / as ann"]);
    assert!(matches!(bench.client.route("/"), Route::Held(..)));
    assert_eq!(bench.answer(1, Ok(())), ["enter /", "Deliver /"]);
    assert!(matches!(bench.client.route("/"), Route::Deliver(..)));
}

#[test]
fn who_does_not_authenticate_in_time_goes_and_the_connection_with_the_last() {
    let two_trips = || {
        let missing = Collected::Missing(Code::CredentialsRequired.into());
        gate(Mode::TwoRoundTrip, missing)
    };
    let mut bench = Bench::new();
    bench.connect("/");
    bench.find("/", Some(two_trips()));
    let late = Duration::from_secs(5);
    assert_eq!(bench.client.poll_timeout(), Some(bench.now + late));
    assert_eq!(bench.pass(late), ["Unauthorized /", "dismiss /", "close"]);
    let mut bench = Bench::new();
    bench.join("/open");
    bench.connect("/");
    bench.find("/", Some(two_trips()));
    assert_eq!(bench.pass(late), ["Unauthorized /", "dismiss /"]);
    assert!(matches!(bench.client.route("/open"), Route::Deliver(..)));
}

#[test]
fn an_ack_may_be_late_only_where_the_policy_put_the_socket_out() {
    let mut bench = Bench::new();
    bench.join("/open");
    for name in ["/left", "/ended"] {
        bench.connect(name);
        let missing = Collected::Missing(Code::CredentialsRequired.into());
        bench.find(name, Some(gate(Mode::TwoRoundTrip, missing)));
        if name == "/left" {
            bench.feed(Input::Disconnect(name.into()));
        }
    }
    assert!(!bench.client.may_be_late("/ended"));
    bench.pass(Duration::from_secs(5));
    assert!(bench.client.may_be_late("/ended"));
    assert!(!bench.client.may_be_late("/left"));
    assert!(!bench.client.may_be_late("/open"));
    assert!(!bench.client.may_be_late("/never"));
}

#[test]
fn coming_back_does_not_restart_the_deadline_of_two_round_trips() {
    let mut bench = Bench::new();
    let opened = bench.now;
    for _ in 0..2 {
        bench.connect("/");
        let missing = Collected::Missing(Code::CredentialsRequired.into());
        bench.find("/", Some(gate(Mode::TwoRoundTrip, missing)));
        assert_eq!(
            bench.client.poll_timeout(),
            Some(opened + Duration::from_secs(5))
        );
        bench.pass(Duration::from_secs(1));
        assert_eq!(bench.feed(Input::Disconnect("/".into())), ["abandon /"]);
    }
}

#[test]
fn past_the_bound_of_what_is_remembered_the_deadline_counts_from_the_opening() {
    let mut bench = Bench::new();
    let opened = bench.now;
    // At the same time or one after the other.
    for names in [&["/a", "/b"][..], &["/c"], &["/d"], &["/e"], &["/d"]] {
        bench.pass(Duration::from_millis(100));
        let asked = bench.now;
        for name in names {
            bench.connect(name);
            let missing = Collected::Missing(Code::CredentialsRequired.into());
            bench.find(name, Some(gate(Mode::TwoRoundTrip, missing)));
        }
        let counted_from = match *names {
            ["/e"] => opened,
            ["/d"] => opened + Duration::from_millis(300),
            _ => asked,
        };
        let deadline = counted_from + Duration::from_secs(5);
        assert_eq!(bench.client.poll_timeout(), Some(deadline), "{names:?}");
        for name in names {
            bench.feed(Input::Disconnect((*name).into()));
        }
    }
}

#[test]
fn leaving_ends_a_verification() {
    let mut bench = Bench::new();
    bench.connect("/");
    bench.find("/", Some(gate(Mode::Handshake, credential())));
    let reason = DisconnectReason::TransportClose;
    assert_eq!(bench.feed(Input::Closed(reason)), ["Cancel /", "abandon /"]);
    assert_eq!(bench.auth(accepted(1)), [""; 0]);
}

/// Joins by what another namespace of the connection holds.
fn inherit(bench: &mut Bench, name: &'static str, from: Ticket) -> Ticket {
    bench.connect(name);
    let mut gate = gate(Mode::Handshake, Collected::Guest);
    gate.inherited = Some(super::Inherited {
        from,
        granted: granted("ann"),
    });
    assert_eq!(bench.find(name, Some(gate)), [format!("ask {name} as ann")]);
    bench.ticket()
}

fn granted(subject: &'static str) -> auth::Granted<&'static str> {
    auth::Granted {
        grant: subject,
        subject: subject.into(),
        expires_in: Some(Duration::from_secs(60)),
    }
}

fn renew(bench: &mut Bench, ticket: Ticket, epoch: u32, subject: &'static str) -> Vec<String> {
    bench.now += Duration::from_secs(2);
    bench.feed(Input::Authenticate {
        ticket,
        presented: credential(),
        ack: None,
    });
    let input = accepted_as(epoch, subject);
    bench.feed(Input::Auth { ticket, input })
}

#[test]
fn who_took_a_grant_over_follows_what_comes_in_its_place() {
    let mut bench = Bench::new();
    bench.connect("/");
    bench.find("/", Some(gate(Mode::Handshake, credential())));
    bench.auth(accepted(1));
    bench.admit();
    let root = bench.ticket();
    let heir = inherit(&mut bench, "/heir", root);
    bench.admit();
    let of_heir = inherit(&mut bench, "/of-heir", heir);
    bench.admit();

    let renewed = renew(&mut bench, root, 2, "ann");
    assert_eq!(
        renewed,
        ["ReplaceGrant /", "pass on / to /heir", "Authenticated /"]
    );
    let pass = |bench: &mut Bench, from, to, subject| {
        let granted = granted(subject);
        bench.feed(Input::PassOn { from, to, granted })
    };
    assert_eq!(
        pass(&mut bench, root, heir, "ann"),
        ["ReplaceGrant /heir", "pass on /heir to /of-heir"]
    );
    assert_eq!(
        pass(&mut bench, heir, of_heir, "bob"),
        ["ask /of-heir as bob"]
    );
    assert_eq!(
        bench.feed(Input::Asked {
            ticket: of_heir,
            epoch: 2,
            verdict: Ok(()),
        }),
        ["LeaveRooms /of-heir", "Become /of-heir"]
    );
    // Whose source has left follows the source of that one.
    bench.feed(Input::Leave { ticket: heir });
    assert_eq!(pass(&mut bench, heir, of_heir, "eve"), [""; 0]);
    assert_eq!(
        renew(&mut bench, root, 3, "ann"),
        ["ReplaceGrant /", "pass on / to /of-heir", "Authenticated /"]
    );
    // Who presents something of its own follows nobody.
    renew(&mut bench, of_heir, 3, "bob");
    assert_eq!(
        renew(&mut bench, root, 4, "ann"),
        ["ReplaceGrant /", "Authenticated /"]
    );
}

#[test]
fn who_takes_a_grant_over_while_it_is_renewed_has_the_new_one_when_it_is_in() {
    let mut bench = Bench::new();
    bench.connect("/");
    bench.find("/", Some(gate(Mode::Handshake, credential())));
    bench.auth(accepted(1));
    bench.admit();
    let root = bench.ticket();
    let heir = inherit(&mut bench, "/heir", root);
    renew(&mut bench, root, 2, "ann");
    let granted = granted("ann");
    let (from, to) = (root, heir);
    assert_eq!(bench.feed(Input::PassOn { from, to, granted }), [""; 0]);
    assert_eq!(bench.admit(), ["enter /heir", "pass on / to /heir"]);
}

#[test]
fn every_namespace_whose_grant_ends_hears_so_before_the_connection_closes() {
    let mut bench = Bench::new();
    for (name, seconds) in [("/", 60), ("/same", 60), ("/other", 600)] {
        bench.connect(name);
        bench.find(name, Some(gate(Mode::Handshake, credential())));
        bench.auth(auth::Input::VerifyOk {
            epoch: 1,
            granted: auth::Granted {
                expires_in: Some(Duration::from_secs(seconds)),
                ..granted("ann")
            },
        });
        bench.admit();
        // Each is judged a little later than the one before, by a clock that shows seconds.
        bench.now += Duration::from_millis(1);
    }
    bench.pass(Duration::from_secs(59));
    assert_eq!(
        bench.pass(Duration::from_secs(1) - Duration::from_millis(3)),
        ["Unauthorized /", "Unauthorized /same", "close"]
    );
}
