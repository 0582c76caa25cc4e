use std::time::{Duration, Instant};

use super::entry::EntryId;
use super::message::{ClusterBody, ClusterMessage, ClusterOptions, RequestId, Scope, ServerId};
use super::node::{Input, Node, Output, Rhythm};
use super::requests::{self, Kind, Lacking, ServerCount, TooManyRequests};
use crate::codec::OwnedArgs;

const RHYTHM: Rhythm = Rhythm {
    interval: Duration::from_secs(5),
    max_silence: Duration::from_secs(10),
    introduction: Duration::from_millis(200),
};
const OPENED: Input = Input::Opened { is_connected: true };
const MAX_REQUESTS: usize = 2;

/// A machine with its clock. Who waits is a name.
struct Seat {
    node: Node<&'static str>,
    now: Instant,
}

fn id(name: &str) -> ServerId {
    ServerId::new(name)
}

fn request(name: &str) -> RequestId {
    RequestId::new(name)
}

fn options() -> ClusterOptions {
    ClusterOptions::default()
}

fn sockets(name: &str) -> ClusterBody {
    ClusterBody::FetchSocketsResponse {
        request_id: request(name),
        sockets: Vec::new(),
    }
}

fn count(name: &str, client_count: u64) -> ClusterBody {
    ClusterBody::BroadcastClientCount {
        request_id: request(name),
        client_count,
    }
}

fn ack(name: &str) -> ClusterBody {
    ClusterBody::BroadcastAck {
        request_id: request(name),
        packet: OwnedArgs::new(&1).unwrap(),
        socket: None,
    }
}

fn join() -> ClusterBody {
    ClusterBody::SocketsJoin {
        opts: options(),
        rooms: Vec::new(),
    }
}

impl Seat {
    #[expect(clippy::disallowed_methods, reason = "some moment to begin with")]
    fn new(rhythm: Option<Rhythm>) -> Self {
        let now = Instant::now();
        let scope = Scope::namespace("/");
        Self {
            node: Node::new(now, id("own"), scope, rhythm, MAX_REQUESTS, 0),
            now,
        }
    }

    /// One that has met all who are there.
    fn introduced() -> Self {
        let mut seat = Self::new(Some(RHYTHM));
        seat.input(OPENED);
        seat.after(200);
        seat
    }

    /// One that knows two other servers.
    fn of_three() -> Self {
        let mut seat = Self::introduced();
        seat.hear("a", ClusterBody::Heartbeat);
        seat.hear("b", ClusterBody::Heartbeat);
        seat
    }

    fn input(&mut self, input: Input) -> Vec<String> {
        self.node.handle_input(self.now, input);
        self.outputs()
    }

    fn hear(&mut self, from: &str, body: ClusterBody) -> Vec<String> {
        self.hear_message(ClusterMessage::new(id(from), Scope::namespace("/"), body))
    }

    fn hear_message(&mut self, message: ClusterMessage) -> Vec<String> {
        self.input(Input::Received(message))
    }

    fn after(&mut self, ms: u64) -> Vec<String> {
        self.now += Duration::from_millis(ms);
        self.input(Input::Timeout)
    }

    fn ask(&mut self, name: &'static str, kind: Kind) -> Vec<String> {
        self.node.ask(self.now, &request(name), kind, name).unwrap();
        self.outputs()
    }

    fn known(&self) -> usize {
        self.node.server_count(self.now).get()
    }

    fn outputs(&mut self) -> Vec<String> {
        let mut outputs = Vec::new();
        while let Some(output) = self.node.poll_output() {
            outputs.push(match output {
                Output::Publish(message) => {
                    format!("publish {}", message.body.wire_type().unwrap())
                }
                Output::Apply { body, .. } => format!("apply {}", body.wire_type().unwrap()),
                Output::Answer { waiter, from, body } => {
                    format!("{waiter} <- {from}: {}", body.wire_type().unwrap())
                }
                Output::Lost { waiter, acks } => format!("{waiter} lost {acks}"),
                Output::Complete(waiter) => format!("{waiter} complete"),
            });
        }
        outputs
    }
}

//= CLA-06 test
#[test]
fn a_server_says_that_it_came_and_is_answered_with_a_heartbeat() {
    let mut seat = Seat::new(Some(RHYTHM));
    assert_eq!(seat.input(OPENED), ["publish 1"]);
    assert_eq!(seat.hear("a", ClusterBody::InitialHeartbeat), ["publish 2"]);
    assert_eq!(seat.hear("b", ClusterBody::Heartbeat), [""; 0]);
    assert_eq!(seat.known(), 3);
}

//= CLA-06 test
#[test]
fn only_silence_of_ones_own_is_broken_by_a_heartbeat() {
    let mut seat = Seat::new(Some(RHYTHM));
    assert_eq!(seat.after(4_999), [""; 0]);
    seat.node.publish(seat.now, join());
    assert_eq!(
        seat.after(4_999),
        [""; 0],
        "a publication is a sign of life"
    );
    assert_eq!(seat.after(1), ["publish 2"]);
    assert_eq!(seat.after(5_000), ["publish 2"]);
}

//= CLA-06 test
#[test]
fn a_server_has_left_one_past_the_longest_silence_and_any_message_is_a_sign_of_life() {
    let mut seat = Seat::new(Some(RHYTHM));
    seat.hear("a", ClusterBody::Heartbeat);
    seat.after(10_000);
    assert_eq!(seat.known(), 2, "at the bound");
    seat.hear("a", join());
    seat.after(10_000);
    assert_eq!(seat.known(), 2, "any message");
    seat.after(1);
    assert_eq!(seat.known(), 1, "one past it");
    seat.hear("a", ClusterBody::Heartbeat);
    seat.hear("a", ClusterBody::AdapterClose);
    assert_eq!(seat.known(), 1, "it said so");
}

//= CLA-02 test
#[test]
fn ones_own_messages_and_those_of_other_namespaces_are_ignored() {
    let mut seat = Seat::new(Some(RHYTHM));
    assert_eq!(seat.hear("own", join()), [""; 0]);
    let other = ClusterMessage::new(id("a"), Scope::namespace("/other"), join());
    assert_eq!(seat.hear_message(other), [""; 0]);
    assert_eq!(seat.known(), 1);
    assert_eq!(seat.hear("a", join()), ["apply 4"]);
    let server_wide = ClusterMessage::new(id("a"), Scope::Server, join());
    assert_eq!(seat.hear_message(server_wide), [""; 0]);
}

//= CLA-09 test
#[test]
fn an_answer_goes_to_who_asked_and_what_is_for_another_is_ignored() {
    let mut seat = Seat::of_three();
    let answer = seat.node.answer(seat.now, &id("a"), count("q", 0));
    assert_eq!(answer.to, Some(id("a")));
    let answer = seat
        .node
        .answer(seat.now, &ServerId::ANONYMOUS, count("q", 0));
    assert_eq!(answer.to, None, "everybody hears what cannot be addressed");
    let to =
        |name| ClusterMessage::new(id("a"), Scope::namespace("/"), join()).with_addressee(id(name));
    assert_eq!(seat.hear_message(to("b")), [""; 0]);
    assert_eq!(seat.hear_message(to("own")), ["apply 4"]);
}

//= CLA-05 test
#[test]
fn an_emitter_is_obeyed_and_not_counted() {
    let mut seat = Seat::new(Some(RHYTHM));
    assert_eq!(seat.hear(ServerId::EMITTER, join()), ["apply 4"]);
    assert_eq!(seat.hear(ServerId::EMITTER, join()), ["apply 4"]);
    assert_eq!(seat.known(), 1);
}

//= EMT-01 test
#[test]
fn an_emitter_is_not_answered() {
    let mut seat = Seat::of_three();
    let fetch = ClusterBody::FetchSockets {
        opts: options(),
        request_id: request("q"),
    };
    assert_eq!(seat.hear("a", fetch.clone()), ["apply 7"]);
    assert_eq!(seat.hear(ServerId::EMITTER, fetch), [""; 0]);
    let event = ClusterBody::ServerSideEmit {
        packet: crate::Event::new("x", &1).unwrap(),
        request_id: Some(request("q")),
    };
    let message = ClusterMessage::new(id(ServerId::EMITTER), Scope::namespace("/"), event);
    seat.node.handle_input(seat.now, Input::Received(message));
    let output = seat.node.poll_output();
    assert!(
        matches!(
            output,
            Some(Output::Apply {
                body: ClusterBody::ServerSideEmit {
                    request_id: None,
                    ..
                },
                ..
            })
        ),
        "{output:?}"
    );
    seat.ask("q", Kind::Sockets);
    assert_eq!(seat.hear(ServerId::EMITTER, sockets("q")), [""; 0]);
}

#[test]
fn a_numbered_message_that_comes_twice_is_heard_once() {
    let mut seat = Seat::new(Some(RHYTHM));
    let message =
        |number| ClusterMessage::new(id("a"), Scope::namespace("/"), join()).with_number(number);
    assert_eq!(seat.hear_message(message(1)), ["apply 4"]);
    assert_eq!(seat.hear_message(message(1)), [""; 0]);
    assert_eq!(
        seat.hear_message(message(0)),
        ["apply 4"],
        "late, not twice"
    );
    let of_b = ClusterMessage::new(id("b"), Scope::namespace("/"), join()).with_number(1);
    assert_eq!(seat.hear_message(of_b), ["apply 4"]);
    let numbers = [0, 1].map(|_| seat.node.publish(seat.now, join()).number);
    assert_eq!(numbers, [Some(0), Some(1)]);
}

//= STR-04 test
//= STR-07 test
#[test]
fn an_entry_of_a_log_is_acted_on_once_and_ones_own_only_if_it_is_kept() {
    let mut seat = Seat::new(Some(RHYTHM));
    let at = |number| EntryId::new(1, number).unwrap();
    let event = |is_volatile| {
        let mut opts = options();
        opts.flags.volatile = is_volatile;
        ClusterBody::Broadcast {
            packet: crate::Event::new("x", &1).unwrap(),
            opts,
            request_id: None,
        }
    };
    let of = |from, body| ClusterMessage::new(id(from), Scope::namespace("/"), body);
    let mut read = |at, message| seat.input(Input::Entry(at, message));
    let own = |number| of("own", event(false)).with_number(number);
    assert_eq!(read(at(1), own(0)), ["apply 3"]);
    assert_eq!(read(at(1), own(1)), [""; 0], "the same place");
    assert_eq!(read(at(2), own(0)), [""; 0], "written twice");
    assert_eq!(read(at(3), of("own", event(true)).with_number(2)), [""; 0]);
    assert_eq!(read(at(4), of("own", join()).with_number(3)), [""; 0]);
    assert_eq!(read(at(5), own(1)), ["apply 3"], "late, not twice");
    let others = |number| of("a", event(false)).with_number(number);
    assert_eq!(read(at(6), others(7)), ["apply 3"]);
    assert_eq!(read(at(7), others(7)), [""; 0]);
    assert_eq!(read(at(8), of("a", join())), ["apply 4"]);
    assert_eq!(read(at(0), others(8)), [""; 0], "an earlier place");
}

fn event() -> ClusterBody {
    ClusterBody::Broadcast {
        packet: crate::Event::new("x", &1).unwrap(),
        opts: options(),
        request_id: None,
    }
}

fn written(from: &str, number: u64) -> ClusterMessage {
    ClusterMessage::new(id(from), Scope::namespace("/"), event()).with_number(number)
}

fn place(number: u64) -> EntryId {
    EntryId::new(1, number).unwrap()
}

#[test]
fn an_entry_that_comes_long_behind_what_was_said_beside_the_log_is_acted_on() {
    let mut seat = Seat::new(Some(RHYTHM));
    let said = ClusterMessage::new(id("a"), Scope::namespace("/"), join()).with_number(9_000);
    assert_eq!(seat.input(Input::Received(said)), ["apply 4"]);
    let late = Input::Entry(place(1), written("a", 1));
    assert_eq!(seat.input(late), ["apply 3"]);
}

#[test]
fn what_a_server_wrote_before_it_left_does_not_bring_it_back() {
    let mut seat = Seat::of_three();
    let known = seat.known();
    seat.input(Input::Entry(place(1), written("c", 1)));
    assert_eq!(seat.known(), known + 1, "it writes, so it is there");
    seat.hear("c", ClusterBody::AdapterClose);
    seat.hear("a", ClusterBody::AdapterClose);
    for (at, from) in [(2, "c"), (3, "a")] {
        let read = seat.input(Input::Entry(place(at), written(from, 2)));
        assert_eq!(read, ["apply 3"]);
    }
    assert_eq!(seat.known(), known - 1);
    seat.hear("a", ClusterBody::InitialHeartbeat);
    seat.input(Input::Entry(place(4), written("a", 3)));
    assert_eq!(seat.known(), known);
}

//= CLA-05 test
#[test]
fn what_was_written_before_the_log_was_read_here_is_told_from_its_repeat() {
    let mut seat = Seat::new(Some(RHYTHM));
    let (a, from, end) = (id("a"), place(1), place(3));
    seat.input(Input::Entry(place(3), written("a", 3)));
    assert!(!seat.node.knows_from(from));
    let entries = || [(place(1), &a, 1), (place(2), &a, 2), (place(3), &a, 3)];
    assert!(seat.node.note_written((from, end, end), entries()));
    assert!(seat.node.knows_from(from));
    let mut read = |at, number| seat.input(Input::Entry(place(at), written("a", number)));
    assert_eq!(read(4, 2), [""; 0], "written twice");
    assert_eq!(read(5, 4), ["apply 3"], "not read twice");

    // The repeat was read here first, and is not known to whoever asks.
    let mut seat = Seat::new(Some(RHYTHM));
    seat.input(Input::Entry(place(4), written("a", 2)));
    assert!(!seat.node.note_written((from, end, end), entries()));
    assert!(!seat.node.knows_from(from));
    let again = entries().into_iter().chain([(place(4), &a, 2)]);
    assert!(seat.node.note_written((from, place(4), end), again));
    seat.node.begin_log();
    assert!(!seat.node.knows_from(from), "it is read from elsewhere on");
}

#[test]
fn a_question_is_complete_when_all_servers_have_answered_once() {
    let mut seat = Seat::of_three();
    assert_eq!(seat.ask("q", Kind::Sockets), [""; 0]);
    assert_eq!(seat.hear("a", sockets("q")), ["q <- a: 8"]);
    assert_eq!(seat.hear("a", sockets("q")), [""; 0], "twice");
    assert_eq!(seat.hear("b", count("q", 0)), [""; 0], "of another kind");
    assert_eq!(seat.hear("b", sockets("q")), ["q <- b: 8", "q complete"]);
    assert_eq!(seat.hear("b", sockets("q")), [""; 0], "too late");
    assert_eq!(seat.hear("b", sockets("never asked")), [""; 0]);
    assert_eq!(seat.node.forget(&request("q")), None);
}

#[test]
fn a_question_does_not_wait_for_servers_that_came_later_or_left() {
    let mut seat = Seat::of_three();
    seat.ask("closed", Kind::ServerSide);
    seat.ask("silent", Kind::Sockets);
    seat.hear("late", ClusterBody::InitialHeartbeat);
    assert_eq!(seat.hear("a", sockets("silent")), ["silent <- a: 8"]);
    let response = ClusterBody::ServerSideEmitResponse {
        request_id: request("closed"),
        packet: OwnedArgs::new(&()).unwrap(),
    };
    assert_eq!(seat.hear("a", response), ["closed <- a: 10"]);
    let mut ended = seat.hear("b", ClusterBody::AdapterClose);
    ended.sort();
    assert_eq!(ended, ["closed complete", "silent complete"]);

    seat.ask("q", Kind::Sockets);
    assert_eq!(seat.after(10_001), ["publish 2", "q complete"]);
}

/// As a client does whose namespace is opened for it.
//= RDS-07 test
#[test]
fn who_has_just_come_asks_those_as_well_that_it_does_not_know_yet() {
    let mut seat = Seat::new(Some(RHYTHM));
    assert_eq!(seat.ask("early", Kind::Sockets), [""; 0]);
    seat.input(OPENED);
    assert_eq!(seat.ask("q", Kind::Sockets), [""; 0]);
    assert!(!seat.node.server_count(seat.now).is_exact());
    // It has heard the first heartbeat, and so the question.
    seat.hear("a", ClusterBody::Heartbeat);
    assert_eq!(seat.hear("a", sockets("q")), ["q <- a: 8"]);
    assert_eq!(seat.hear("a", sockets("early")), ["early <- a: 8"]);
    seat.hear("b", ClusterBody::Heartbeat);
    // Whoever comes itself may not have heard it.
    seat.hear("c", ClusterBody::InitialHeartbeat);
    assert_eq!(seat.after(199), [""; 0]);
    assert_eq!(seat.hear("b", sockets("q")), ["q <- b: 8"]);
    assert_eq!(seat.after(1), ["q complete"]);
    assert_eq!(
        seat.hear("b", sockets("early")),
        ["early <- b: 8", "early complete"]
    );
    assert_eq!(seat.node.server_count(seat.now), ServerCount::Exactly(4));
}

/// Whoever asks at the end of the introduction, before anybody has told that it is over, must not be taken for another.
#[test]
fn a_question_that_another_completes_is_not_complete_itself() {
    let mut seat = Seat::new(Some(RHYTHM));
    seat.input(OPENED);
    seat.ask("early", Kind::Sockets);
    seat.hear("a", ClusterBody::Heartbeat);
    seat.hear("a", sockets("early"));
    seat.now += Duration::from_millis(200);
    assert_eq!(seat.node.server_count(seat.now), ServerCount::Exactly(2));
    let asked = seat.node.ask(seat.now, &request("q"), Kind::Sockets, "q");
    assert_eq!(asked, Ok(false));
    assert_eq!(seat.outputs(), ["early complete"]);
    assert_eq!(seat.hear("a", sockets("q")), ["q <- a: 8", "q complete"]);
}

/// What is said to one server alone is no sign of life for the others.
//= CLA-06 test
#[test]
fn who_only_answers_says_that_it_is_there_all_the_same() {
    let mut seat = Seat::introduced();
    let answer = seat.node.answer(seat.now, &id("a"), sockets("q"));
    assert_eq!(answer.to, Some(id("a")));
    assert_eq!(seat.after(4_799), [""; 0]);
    seat.node.answer(seat.now, &id("a"), sockets("q"));
    assert_eq!(seat.after(1), ["publish 2"]);
    seat.hear("b", ClusterBody::InitialHeartbeat);
    seat.node.answer(seat.now, &id(""), sockets("q"));
    assert_eq!(seat.after(4_999), [""; 0], "all have heard it");
}

//= RDS-07 test
#[test]
fn a_question_without_a_bus_ends_incomplete() {
    let mut seat = Seat::new(Some(RHYTHM));
    let lacking = Lacking {
        unknown_servers: true,
        ..Lacking::default()
    };
    let away = || Input::Bus {
        is_connected: false,
    };
    let back = || Input::Bus { is_connected: true };
    assert_eq!(seat.input(back()), [""; 0], "it is not open");
    seat.input(Input::Opened {
        is_connected: false,
    });
    seat.ask("q", Kind::Sockets);
    assert_eq!(seat.after(4_000), [""; 0]);
    assert_eq!(seat.node.forget(&request("q")), Some(("q", lacking)));
    assert_eq!(seat.input(back()), ["publish 1"]);
    seat.ask("back", Kind::Sockets);
    assert_eq!(seat.after(200), ["back complete"]);
    seat.input(away());
    seat.ask("away", Kind::Sockets);
    assert_eq!(seat.after(200), [""; 0]);
    // What was asked meanwhile is sent with the first heartbeat.
    assert_eq!(seat.input(back()), ["publish 1"]);
    assert_eq!(seat.after(200), ["away complete"]);
}

#[test]
fn nobody_to_ask_is_an_answer() {
    let mut seat = Seat::introduced();
    assert_eq!(seat.ask("q", Kind::Sockets), ["q complete"]);
}

#[test]
fn an_adapter_that_counts_completes_after_as_many_servers() {
    let mut seat = Seat::new(None);
    assert_eq!(seat.input(OPENED), [""; 0], "it has no heartbeats");
    seat.ask("q", Kind::Sockets);
    assert_eq!(seat.hear("a", sockets("q")), ["q <- a: 8"]);
    seat.node.expect(&request("q"), ServerCount::Exactly(2));
    assert_eq!(seat.outputs(), [""; 0]);
    assert_eq!(seat.hear("a", sockets("q")), [""; 0], "twice is one");
    assert_eq!(seat.hear("b", sockets("q")), ["q <- b: 8", "q complete"]);
    seat.ask("none", Kind::Sockets);
    seat.node.expect(&request("none"), ServerCount::Exactly(0));
    assert_eq!(seat.outputs(), ["none complete"]);
}

//= RED-RQ-04 test
#[test]
fn answers_without_a_sender_count_one_each_and_their_sender_is_no_member() {
    let mut seat = Seat::new(None);
    seat.ask("q", Kind::Sockets);
    seat.node.expect(&request("q"), ServerCount::Exactly(3));
    assert_eq!(seat.hear("", sockets("q")), ["q <- : 8"]);
    assert_eq!(seat.hear("a", sockets("q")), ["q <- a: 8"]);
    assert_eq!(seat.hear("", sockets("q")), ["q <- : 8", "q complete"]);
    assert_eq!(seat.known(), 2, "the one with a name");
    assert_eq!(seat.hear("", join()), ["apply 4"]);
    assert_eq!(seat.hear("", join()), ["apply 4"], "nothing is a repeat");

    seat.ask("q", Kind::Sockets);
    seat.node.expect(&request("q"), ServerCount::Exactly(2));
    assert_eq!(seat.hear("", sockets("q")), ["q <- : 8"]);
    assert_eq!(seat.hear("", ClusterBody::AdapterClose), [""; 0]);
    assert_eq!(
        seat.hear("a", ClusterBody::AdapterClose),
        [""; 0],
        "it may be the one that has answered"
    );
}

//= RED-RQ-05 test
#[test]
fn acknowledgements_without_a_sender_are_complete_with_the_sum_of_the_counts() {
    let mut seat = Seat::new(None);
    seat.ask("q", Kind::Acks);
    seat.node.expect(&request("q"), ServerCount::Exactly(2));
    assert_eq!(seat.hear("", count("q", 2)), ["q <- : 11"]);
    for _ in 0..3 {
        assert_eq!(seat.hear("", ack("q")), ["q <- : 12"], "one is early");
    }
    assert_eq!(seat.hear("", count("q", 2)), ["q <- : 11"]);
    let lacking = Lacking {
        servers: 0,
        unknown_servers: false,
        acks: 1,
    };
    assert_eq!(seat.hear("", ack("q")), ["q <- : 12", "q complete"]);
    assert_eq!(seat.hear("", ack("q")), [""; 0]);

    seat.ask("q", Kind::Acks);
    seat.node.expect(&request("q"), ServerCount::Exactly(1));
    seat.hear("", count("q", 1));
    assert_eq!(seat.node.forget(&request("q")), Some(("q", lacking)));

    seat.ask("q", Kind::Acks);
    for _ in 0..requests::MAX_EARLY_ACKS {
        assert_eq!(seat.hear("", ack("q")).len(), 1, "at the bound");
    }
    assert_eq!(seat.hear("", ack("q")), [""; 0], "one past it");
}

//= RDS-07 test
#[test]
fn a_number_that_may_be_too_low_completes_nothing() {
    let mut seat = Seat::new(None);
    seat.ask("q", Kind::Rooms);
    seat.node.expect(&request("q"), ServerCount::AtLeast(1));
    let rooms = ClusterBody::AllRoomsResponse {
        request_id: request("q"),
        rooms: Vec::new(),
    };
    seat.node.handle_input(
        seat.now,
        Input::Received(ClusterMessage::new(id("a"), Scope::namespace("/"), rooms)),
    );
    let answer = seat.node.poll_output();
    assert!(matches!(answer, Some(Output::Answer { .. })), "{answer:?}");
    assert_eq!(seat.outputs(), [""; 0]);
    let lacking = Lacking {
        servers: 0,
        unknown_servers: true,
        acks: 0,
    };
    assert_eq!(seat.node.forget(&request("q")), Some(("q", lacking)));
}

//= CLA-04 test
#[test]
fn acknowledgements_are_complete_with_every_count_and_as_many_answers() {
    let mut seat = Seat::of_three();
    seat.ask("q", Kind::Acks);
    assert_eq!(seat.hear("a", count("q", 2)), ["q <- a: 11"]);
    assert_eq!(seat.hear("a", count("q", 9)), [""; 0], "one count each");
    assert_eq!(seat.hear("b", count("q", 0)), ["q <- b: 11"]);
    assert_eq!(seat.hear("a", ack("q")), ["q <- a: 12"]);
    assert_eq!(seat.hear("a", ack("q")), ["q <- a: 12", "q complete"]);
    assert_eq!(seat.hear("a", ack("q")), [""; 0]);
}

#[test]
fn acknowledgements_that_went_with_their_server_are_told_and_do_not_come_later() {
    let mut seat = Seat::of_three();
    seat.ask("q", Kind::Acks);
    seat.hear("a", count("q", 3));
    seat.hear("a", ack("q"));
    assert_eq!(seat.hear("a", ClusterBody::AdapterClose), ["q lost 2"]);
    assert_eq!(seat.hear("a", ack("q")), [""; 0], "they were given up");
    assert_eq!(seat.hear("a", ClusterBody::AdapterClose), [""; 0], "once");
    assert_eq!(seat.hear("b", ack("q")), ["q <- b: 12"]);
    assert_eq!(
        seat.hear("b", ClusterBody::AdapterClose),
        ["q <- b: 11", "q complete"],
        "one client was there"
    );
    let mut seat = Seat::new(None);
    seat.ask("q", Kind::Acks);
    seat.node.expect(&request("q"), ServerCount::Exactly(2));
    seat.hear("a", count("q", 1));
    assert_eq!(seat.hear("a", ClusterBody::AdapterClose), ["q lost 1"]);
    assert_eq!(
        seat.hear("b", count("q", 0)),
        ["q <- b: 11", "q complete"],
        "the other had still to be waited for"
    );
}

#[test]
fn what_is_lacking_of_a_question_that_is_given_up_is_told() {
    let mut seat = Seat::of_three();
    seat.ask("q", Kind::Acks);
    seat.hear("a", count("q", 3));
    seat.hear("a", ack("q"));
    let lacking = Lacking {
        servers: 1,
        unknown_servers: false,
        acks: 2,
    };
    assert_eq!(seat.node.forget(&request("q")), Some(("q", lacking)));
}

#[test]
fn acknowledgements_past_the_announced_number_and_early_ones_past_the_bound_are_dropped() {
    let mut seat = Seat::of_three();
    seat.ask("q", Kind::Acks);
    for _ in 0..requests::MAX_EARLY_ACKS {
        assert_eq!(seat.hear("a", ack("q")).len(), 1);
    }
    assert_eq!(seat.hear("a", ack("q")), [""; 0]);
    seat.hear("b", count("q", 1));
    assert_eq!(seat.hear("b", ack("q")).len(), 1);
    assert_eq!(seat.hear("b", ack("q")), [""; 0]);
}

#[test]
fn open_questions_are_bounded() {
    let mut seat = Seat::of_three();
    seat.ask("1", Kind::Sockets);
    seat.ask("2", Kind::Sockets);
    let third = seat.node.ask(seat.now, &request("3"), Kind::Sockets, "3");
    assert_eq!(third, Err(TooManyRequests));
    seat.node.forget(&request("1"));
    seat.ask("3", Kind::Sockets);
}
