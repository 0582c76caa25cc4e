//! A session and a client that follows the protocol, over a network that does not keep still: everything takes a
//! time of its own, and, where asked, connections break, requests are sent twice and polls come late.
//!
//! Time is virtual; a failing run prints its seed, and the same seed gives the same run.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::close_reason::CloseReason;
use super::event::{Input, Output, PollAnswer, Probing, Received};
use super::session::LINGER;
use super::testing::{Bench, PING_INTERVAL, PING_TIMEOUT, Random};
use crate::packet::Protocol;
use crate::transport::Transport;

const RUN_COUNT: u64 = 150;
const RUN_TIME: Duration = Duration::from_secs(180);

/// How long a packet is under way at most. The client of a sound run is never late enough to be given up.
const LATENCY_MAX_MS: u64 = 1_500;

/// How late a poll may come in a sound run, and in one with faults.
const LATE_POLL_MS: u64 = 4_000;
const VERY_LATE_POLL_MS: u64 = 60_000;

/// What is under way.
#[derive(Clone, Debug)]
enum Parcel {
    // To the server
    Poll(u32),
    PollBroken(u32),
    Post(u32, Vec<String>),
    PostBody(u32, Vec<String>),
    PostBroken(u32),
    Handshake,
    Frame(String),
    SocketBroken,
    // To the client
    PollAnswer(u32, Result<Vec<String>, ()>),
    PostAnswer(u32, bool),
    Accepted,
    Delivered(String),
    SocketClosed,
    // Within a side
    PostDestroyed,
    ApplicationSends,
    ApplicationCloses,
    ClientSends,
    ClientPolls,
    ClientUpgrades,
    ServerTimer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Polling,
    Probing,
    /// The probe was answered; the upgrade packet waits for what is under way.
    Pausing,
    /// The candidate went while it was pausing: clients stay so, and poll no more.
    Paused,
    WebSocket,
    /// It has given up.
    Silent,
}

#[derive(Debug)]
struct Client {
    stage: Stage,
    poll: Option<u32>,
    post: Option<u32>,
    outgoing: Vec<String>,
    sent: u32,
    received: u32,
}

struct Run {
    seed: u64,
    has_faults: bool,
    /// The application closes the session at some time during the upgrade.
    is_closing: bool,
    random: Random,
    bench: Bench,
    start: Instant,
    /// What arrives when, in order; parcels for one time keep their order.
    network: BTreeMap<(Instant, u64), Parcel>,
    next_parcel: u64,
    next_request: u32,
    /// When the last frame of either direction arrives: frames do not overtake each other.
    last_up: Instant,
    last_down: Instant,
    client: Client,
    // The server's shell
    waiting_poll: Option<u32>,
    reading_post: Option<u32>,
    has_destroyed_post: bool,
    has_candidate: bool,
    is_upgraded: bool,
    sent: u32,
    received: u32,
    closed: Option<CloseReason>,
    is_gone: bool,
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let at = self.bench.now - self.start;
            eprintln!(
                "seed {} with faults {}, at {at:?}",
                self.seed, self.has_faults
            );
        }
    }
}

impl Run {
    /// One whose session the application closes during the upgrade.
    fn closing(seed: u64) -> Self {
        let mut run = Self::new(seed, false);
        run.is_closing = true;
        run
    }

    fn new(seed: u64, has_faults: bool) -> Self {
        let protocol = if seed.is_multiple_of(2) {
            Protocol::V4
        } else {
            Protocol::V3
        };
        let bench = Bench::new(protocol, Transport::Polling);
        let start = bench.now;
        let mut run = Self {
            seed,
            has_faults,
            is_closing: false,
            random: Random::new(seed),
            bench,
            start,
            network: BTreeMap::new(),
            next_parcel: 0,
            next_request: 0,
            last_up: start,
            last_down: start,
            client: Client {
                stage: Stage::Polling,
                poll: None,
                post: None,
                outgoing: Vec::new(),
                sent: 0,
                received: 0,
            },
            waiting_poll: None,
            reading_post: None,
            has_destroyed_post: false,
            has_candidate: false,
            is_upgraded: false,
            sent: 0,
            received: 0,
            closed: None,
            is_gone: false,
        };
        for parcel in [
            Parcel::ApplicationSends,
            Parcel::ClientSends,
            Parcel::ClientPolls,
        ] {
            run.after(0, parcel);
        }
        let when = run.random.below(60_000);
        run.after(when, Parcel::ClientUpgrades);
        run.arm();
        run
    }

    fn after(&mut self, milliseconds: u64, parcel: Parcel) {
        self.at(self.bench.now + Duration::from_millis(milliseconds), parcel);
    }

    fn at(&mut self, at: Instant, parcel: Parcel) {
        self.next_parcel += 1;
        self.network.insert((at, self.next_parcel), parcel);
    }

    /// Something sent by itself: it may overtake, and be overtaken.
    fn travel(&mut self, parcel: Parcel) {
        let latency = self.random.below(LATENCY_MAX_MS);
        self.after(latency, parcel);
    }

    fn travel_up(&mut self, parcel: Parcel) {
        let arrival = self.bench.now + Duration::from_millis(self.random.below(LATENCY_MAX_MS));
        self.last_up = self.last_up.max(arrival);
        self.at(self.last_up, parcel);
    }

    fn travel_down(&mut self, parcel: Parcel) {
        let arrival = self.bench.now + Duration::from_millis(self.random.below(LATENCY_MAX_MS));
        self.last_down = self.last_down.max(arrival);
        self.at(self.last_down, parcel);
    }

    fn fault(&mut self, cases: u64) -> bool {
        self.has_faults && self.random.one_in(cases)
    }

    fn arm(&mut self) {
        if let Some(at) = self.bench.session.poll_timeout() {
            self.at(at, Parcel::ServerTimer);
        }
    }

    fn go(&mut self) {
        let end = self.start + RUN_TIME;
        while let Some(((at, _), parcel)) = self.network.pop_first() {
            let is_winding_down = at > end;
            self.bench.now = at;
            match parcel {
                Parcel::ApplicationSends | Parcel::ClientSends if is_winding_down => {}
                Parcel::ClientPolls if is_winding_down && self.client.stage == Stage::Silent => {}
                parcel => self.handle(parcel),
            }
            if at > end + Duration::from_secs(30) && self.client.stage != Stage::Silent {
                self.client.stage = Stage::Silent;
                self.check_delivery();
            }
        }
        let bound = PING_INTERVAL + 3 * PING_TIMEOUT + LINGER;
        assert!(self.is_gone, "a silent client is given up");
        assert!(
            self.bench.now <= end + Duration::from_secs(30) + 2 * bound,
            "in time"
        );
    }

    /// What a client that lived to the end has got.
    fn check_delivery(&self) {
        assert!(!self.is_closing, "the client was never told of the close");
        if !self.has_faults {
            assert_eq!(self.closed, None, "a sound client is never closed");
            assert_eq!(
                self.client.received, self.sent,
                "nothing is lost on the way down"
            );
            assert_eq!(
                self.received, self.client.sent,
                "nothing is lost on the way up"
            );
            assert!(self.is_upgraded, "every upgrade of a sound client succeeds");
        }
    }

    fn handle(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::ServerTimer => self.feed(Input::Timeout),
            Parcel::ApplicationSends => self.application_sends(),
            Parcel::PostDestroyed => self.feed(Input::PostDropped),
            Parcel::ApplicationCloses => self.feed(Input::Close),
            Parcel::Poll(id) => self.poll_arrives(id),
            Parcel::PollBroken(id) => {
                if self.waiting_poll == Some(id) {
                    self.waiting_poll = None;
                    self.feed(Input::PollDropped);
                }
            }
            Parcel::Post(id, packets) => self.post_arrives(id, packets),
            Parcel::PostBody(id, packets) => self.post_is_read(id, &packets),
            Parcel::PostBroken(id) => {
                if self.reading_post == Some(id) {
                    self.reading_post = None;
                    self.feed(Input::PostDropped);
                }
            }
            Parcel::Handshake => self.handshake_arrives(),
            Parcel::Frame(text) => self.frame_arrives(&text),
            Parcel::SocketBroken => {
                if self.is_upgraded {
                    self.feed(Input::WebSocketClosed);
                } else if std::mem::take(&mut self.has_candidate) {
                    self.feed(Input::CandidateGone);
                }
            }
            _ if self.client.stage == Stage::Silent => {}
            client => self.handle_client(client),
        }
    }

    // The server's side

    fn application_sends(&mut self) {
        if self.closed.is_some() {
            return;
        }
        let text = format!("4{}", self.sent);
        self.sent += 1;
        let outputs = self.bench.send(&text);
        self.follow(&outputs, None);
        let pause = self.random.below(3_000);
        self.after(pause, Parcel::ApplicationSends);
    }

    fn feed(&mut self, input: Input) {
        let outputs = self.bench.feed(input);
        self.follow(&outputs, Some(input));
    }

    fn follow(&mut self, outputs: &[Output], input: Option<Input>) {
        for &output in outputs {
            assert!(
                !self.is_gone
                    || matches!(
                        output,
                        Output::RefusePoll | Output::RefusePost | Output::CloseCandidate
                    ),
                "a session that is gone does nothing: {output:?}"
            );
            match output {
                Output::AnswerPoll(answer) => self.answer_poll(answer),
                Output::DestroyPost => {
                    let post = self.reading_post.take().expect("a POST being read");
                    self.travel(Parcel::PostAnswer(post, false));
                    self.after(0, Parcel::PostDestroyed);
                    self.has_destroyed_post = true;
                }
                Output::AnswerProbe => self.travel_down(Parcel::Delivered("3probe".to_owned())),
                Output::CloseCandidate => {
                    // One that has just arrived was refused, not the one before it.
                    if input != Some(Input::CandidateAttached) {
                        assert!(std::mem::take(&mut self.has_candidate));
                    }
                    self.travel_down(Parcel::SocketClosed);
                }
                Output::Upgraded => {
                    assert!(std::mem::take(&mut self.has_candidate));
                    self.is_upgraded = true;
                    self.write();
                }
                Output::Flush => self.write(),
                Output::FinishWebSocket | Output::AbortWebSocket => {
                    assert!(self.is_upgraded);
                    self.travel_down(Parcel::SocketClosed);
                }
                Output::Closed(reason) => {
                    assert_eq!(self.closed.replace(reason), None, "told once");
                }
                Output::Gone => self.is_gone = true,
                Output::Deliver => self.received += 1,
                Output::RefusePoll | Output::RefusePost | Output::Upgrading => {}
            }
        }
        self.arm();
    }

    fn answer_poll(&mut self, answer: PollAnswer) {
        let poll = self.waiting_poll.take().expect("a poll that waits");
        let packets = match answer {
            PollAnswer::Queued => self.bench.collect(),
            PollAnswer::Noop => vec!["6".to_owned()],
            PollAnswer::Close => vec!["1".to_owned()],
            PollAnswer::NoopThenClose => vec!["6".to_owned(), "1".to_owned()],
        };
        assert!(!packets.is_empty(), "no answer is empty");
        self.travel(Parcel::PollAnswer(poll, Ok(packets)));
    }

    fn write(&mut self) {
        for packet in self.bench.written() {
            self.travel_down(Parcel::Delivered(packet));
        }
    }

    fn poll_arrives(&mut self, id: u32) {
        let outputs = self.bench.feed(Input::PollArrived);
        if outputs.contains(&Output::RefusePoll) {
            self.travel(Parcel::PollAnswer(id, Err(())));
        } else {
            assert_eq!(self.waiting_poll.replace(id), None);
        }
        self.follow(&outputs, Some(Input::PollArrived));
    }

    fn post_arrives(&mut self, id: u32, packets: Vec<String>) {
        let outputs = self.bench.feed(Input::PostArrived);
        let is_refused = outputs.contains(&Output::RefusePost);
        self.follow(&outputs, Some(Input::PostArrived));
        if is_refused {
            return self.travel(Parcel::PostAnswer(id, false));
        }
        self.reading_post = Some(id);
        if self.fault(40) {
            self.travel(Parcel::PostBroken(id));
        } else {
            self.travel(Parcel::PostBody(id, packets));
        }
    }

    fn post_is_read(&mut self, id: u32, packets: &[String]) {
        if self.reading_post != Some(id) {
            return;
        }
        self.reading_post = None;
        self.feed(Input::PostRead);
        for packet in packets {
            self.feed(Input::Packet(received(packet)));
        }
        self.feed(Input::PostDone);
        self.travel(Parcel::PostAnswer(id, true));
    }

    fn handshake_arrives(&mut self) {
        let outputs = self.bench.feed(Input::CandidateAttached);
        let is_accepted = outputs.contains(&Output::Upgrading);
        if is_accepted {
            assert!(!self.has_candidate, "one candidate at a time");
            self.has_candidate = true;
            self.travel_down(Parcel::Accepted);
            if self.is_closing {
                let when = self.random.below(5 * LATENCY_MAX_MS);
                self.after(when, Parcel::ApplicationCloses);
            }
        }
        self.follow(&outputs, Some(Input::CandidateAttached));
    }

    fn frame_arrives(&mut self, text: &str) {
        if self.is_upgraded {
            self.feed(Input::Packet(received(text)));
        } else if self.has_candidate {
            self.feed(Input::CandidatePacket(match text {
                "2probe" => Probing::Probe,
                "5" => Probing::Upgrade,
                _ => Probing::Other,
            }));
        }
    }

    // The client's side

    fn handle_client(&mut self, parcel: Parcel) {
        match parcel {
            Parcel::ClientSends => {
                let text = format!("4{}", self.client.sent);
                self.client.sent += 1;
                self.send(text);
                let pause = self.random.below(4_000);
                self.after(pause, Parcel::ClientSends);
            }
            Parcel::ClientPolls => self.client_polls(),
            Parcel::ClientUpgrades if self.client.stage == Stage::Polling => {
                self.client.stage = Stage::Probing;
                self.travel_up(Parcel::Handshake);
            }
            Parcel::Accepted => self.travel_up(Parcel::Frame("2probe".to_owned())),
            Parcel::PollAnswer(id, answer) if self.client.poll == Some(id) => {
                self.client.poll = None;
                match answer {
                    Ok(packets) => packets.iter().for_each(|packet| self.take(packet)),
                    Err(()) => self.client.stage = Stage::Silent,
                }
                let latest = if self.fault(20) {
                    VERY_LATE_POLL_MS
                } else {
                    LATE_POLL_MS
                };
                let pause = self.random.below(latest);
                self.after(pause, Parcel::ClientPolls);
                self.finish_upgrade();
            }
            Parcel::PostAnswer(id, is_ok) if self.client.post == Some(id) => {
                self.client.post = None;
                if !is_ok {
                    self.client.stage = Stage::Silent;
                }
                self.post();
                self.finish_upgrade();
            }
            Parcel::Delivered(packet) if packet == "3probe" => {
                self.client.stage = Stage::Pausing;
                self.finish_upgrade();
            }
            Parcel::Delivered(packet) => self.take(&packet),
            Parcel::SocketClosed => {
                self.client.stage = match self.client.stage {
                    Stage::WebSocket => Stage::Silent,
                    Stage::Pausing => Stage::Paused,
                    _ => Stage::Polling,
                };
            }
            _ => {}
        }
    }

    fn client_polls(&mut self) {
        let may_poll = matches!(self.client.stage, Stage::Polling | Stage::Probing);
        if !may_poll || self.client.poll.is_some() {
            return;
        }
        self.next_request += 1;
        let id = self.next_request;
        self.client.poll = Some(id);
        self.travel(Parcel::Poll(id));
        if self.fault(60) {
            // A proxy that sends a request again.
            self.travel(Parcel::Poll(id));
        }
        if self.fault(60) {
            self.after(2 * LATENCY_MAX_MS, Parcel::PollBroken(id));
        }
    }

    fn take(&mut self, packet: &str) {
        match packet.split_at(1) {
            ("4", number) => {
                let number: u32 = number.parse().expect("a number");
                // The answer to a request that the network sent again is lost on the client.
                let is_next = number == self.client.received
                    || (self.has_faults && number > self.client.received);
                assert!(is_next, "in order, and nothing twice or left out");
                self.client.received = number + 1;
            }
            ("2", _) => self.send("3".to_owned()),
            ("1", _) => self.client.stage = Stage::Silent,
            _ => {}
        }
        // Protocol 3: the client pings, here whenever it hears something.
        if self.bench.session.protocol() == Protocol::V3 && packet.starts_with('4') {
            self.send("2".to_owned());
        }
    }

    fn send(&mut self, packet: String) {
        if self.client.stage == Stage::WebSocket {
            self.travel_up(Parcel::Frame(packet));
            if self.fault(100) {
                self.travel_up(Parcel::SocketBroken);
            }
        } else {
            self.client.outgoing.push(packet);
            self.post();
        }
    }

    fn post(&mut self) {
        if self.client.post.is_some()
            || self.client.outgoing.is_empty()
            || !matches!(self.client.stage, Stage::Polling | Stage::Probing)
        {
            return;
        }
        self.next_request += 1;
        let id = self.next_request;
        self.client.post = Some(id);
        let packets = std::mem::take(&mut self.client.outgoing);
        self.travel(Parcel::Post(id, packets));
    }

    /// Nothing may be under way on the old transport when the client moves.
    fn finish_upgrade(&mut self) {
        if self.client.stage != Stage::Pausing
            || self.client.poll.is_some()
            || self.client.post.is_some()
        {
            return;
        }
        self.travel_up(Parcel::Frame("5".to_owned()));
        self.client.stage = Stage::WebSocket;
        for packet in std::mem::take(&mut self.client.outgoing) {
            self.travel_up(Parcel::Frame(packet));
        }
    }
}

fn received(packet: &str) -> Received {
    match packet.as_bytes().first() {
        Some(b'4') => Received::Message,
        Some(b'2') => Received::Ping,
        Some(b'3') => Received::Pong,
        Some(b'1') => Received::Close,
        Some(_) => Received::Meaningless,
        None => Received::Undecodable,
    }
}

#[test]
fn a_sound_client_gets_everything_in_order_across_an_upgrade_and_is_never_closed() {
    for seed in 0..RUN_COUNT {
        Run::new(seed, false).go();
    }
}

#[test]
fn a_client_whose_session_is_closed_during_its_upgrade_is_told_and_gets_what_was_sent_before() {
    let mut upgraded = 0;
    for seed in 0..10 * RUN_COUNT {
        let mut run = Run::closing(seed);
        run.go();
        assert_eq!(run.closed, Some(CloseReason::ForcedClose), "seed {seed}");
        // One whose POST failed leaves at once.
        if !run.has_destroyed_post {
            assert_eq!(run.client.received, run.sent, "seed {seed}");
        }
        upgraded += u64::from(run.is_upgraded);
    }
    assert!(
        upgraded > RUN_COUNT && upgraded < 9 * RUN_COUNT,
        "both ways to be told are taken: {upgraded}"
    );
}

#[test]
fn faults_end_sessions_in_order_and_in_time() {
    let mut closed = 0;
    for seed in 0..RUN_COUNT {
        let mut run = Run::new(seed, true);
        run.go();
        closed += u64::from(run.closed.is_some());
    }
    assert_eq!(closed, RUN_COUNT, "each session ends, and says so");
}
