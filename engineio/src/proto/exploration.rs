//! The upgrade machine, explored: every sequence of inputs to a stated depth, up to sequences that lead to the same
//! state.

use std::collections::HashMap;

use super::event::{Input, Output, Probing, Received};
use super::session::{LINGER, NOOP_INTERVAL};
use super::testing::{Bench, UPGRADE_TIMEOUT};
use super::transport::Transport;
use crate::packet::Protocol;

/// How many inputs in a row are explored.
const DEPTH: usize = 12;

/// One thing that may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Feed(Input),
    Send,
    Wait(std::time::Duration),
}

const STEPS: [Step; 18] = [
    Step::Feed(Input::PollArrived),
    Step::Feed(Input::PollDropped),
    Step::Feed(Input::PostArrived),
    Step::Feed(Input::PostRead),
    Step::Feed(Input::PostDone),
    Step::Feed(Input::PostDropped),
    Step::Feed(Input::CandidateAttached),
    Step::Feed(Input::CandidatePacket(Probing::Probe)),
    Step::Feed(Input::CandidatePacket(Probing::Upgrade)),
    Step::Feed(Input::CandidatePacket(Probing::Other)),
    Step::Feed(Input::CandidateGone),
    Step::Feed(Input::Packet(Received::Message)),
    Step::Feed(Input::Packet(Received::Close)),
    Step::Feed(Input::Close),
    Step::Feed(Input::Discard),
    Step::Send,
    Step::Wait(NOOP_INTERVAL),
    Step::Wait(UPGRADE_TIMEOUT),
];

/// What the world around the machine knows, from nothing but inputs and outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct World {
    polls_waiting: u8,
    post: Post,
    has_candidate: bool,
    is_candidate_silent: bool,
    is_upgraded: bool,
    is_closed: bool,
    is_gone: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Post {
    #[default]
    None,
    Reading,
    Dispatching,
}

impl World {
    /// Whether a shell could feed this now.
    fn allows(self, step: Step) -> bool {
        match step {
            Step::Feed(input) => match input {
                Input::PollDropped => self.polls_waiting > 0,
                Input::PostRead | Input::PostDropped => self.post == Post::Reading,
                Input::PostDone => self.post != Post::None,
                Input::CandidatePacket(_) => self.has_candidate && !self.is_candidate_silent,
                Input::CandidateGone => self.has_candidate,
                Input::Packet(_) => self.is_upgraded || self.post == Post::Dispatching,
                _ => true,
            },
            Step::Send => !self.is_closed,
            Step::Wait(_) => true,
        }
    }

    fn note(&mut self, step: Step, outputs: &[Output]) {
        if let Step::Feed(input) = step {
            self.note_input(input, outputs);
        }
        for &output in outputs {
            self.note_output(step, output);
        }
    }

    fn note_input(&mut self, input: Input, outputs: &[Output]) {
        match input {
            Input::PollArrived if !outputs.contains(&Output::RefusePoll) => self.polls_waiting += 1,
            Input::PollDropped => self.polls_waiting -= 1,
            Input::PostArrived if !outputs.contains(&Output::RefusePost) => {
                self.post = Post::Reading;
            }
            Input::PostRead => self.post = Post::Dispatching,
            Input::PostDone | Input::PostDropped => self.post = Post::None,
            Input::CandidateAttached if outputs.contains(&Output::Upgrading) => {
                assert!(!self.has_candidate, "one candidate at a time");
                self.has_candidate = true;
                self.is_candidate_silent = false;
            }
            Input::CandidatePacket(packet) => self.is_candidate_silent = packet != Probing::Probe,
            Input::CandidateGone => self.has_candidate = false,
            _ => {}
        }
    }

    fn note_output(&mut self, step: Step, output: Output) {
        assert!(
            !self.is_gone
                || matches!(
                    output,
                    Output::RefusePoll | Output::RefusePost | Output::CloseCandidate
                ),
            "a session that is gone does nothing"
        );
        match output {
            Output::AnswerPoll(_) => {
                assert_eq!(self.polls_waiting, 1, "only a poll that waits is answered");
                self.polls_waiting = 0;
            }
            Output::DestroyPost => {
                assert_eq!(
                    self.post,
                    Post::Reading,
                    "only a POST being read is destroyed"
                );
            }
            Output::AnswerProbe => assert!(self.has_candidate),
            Output::CloseCandidate if step != Step::Feed(Input::CandidateAttached) => {
                assert!(
                    self.has_candidate,
                    "only a candidate that is there is closed"
                );
                self.has_candidate = false;
            }
            Output::Upgraded => {
                assert!(self.has_candidate && !self.is_upgraded);
                assert_ne!(self.post, Post::Reading, "a POST is dispatched first");
                assert_eq!(
                    self.polls_waiting, 0,
                    "nobody waits on a transport that is left"
                );
                self.has_candidate = false;
                self.is_upgraded = true;
            }
            Output::Flush | Output::FinishWebSocket | Output::AbortWebSocket => {
                assert!(self.is_upgraded);
            }
            Output::Deliver => assert!(!self.is_closed, "nothing is delivered after the close"),
            Output::Closed(_) => {
                assert!(!self.is_closed, "told once");
                self.is_closed = true;
            }
            Output::Gone => {
                assert!(self.is_closed, "the application knows first");
                assert_eq!(self.polls_waiting, 0, "no poll is left behind");
                assert!(!self.has_candidate, "no candidate is left behind");
                self.is_gone = true;
            }
            _ => {}
        }
    }

    fn agree(self, bench: &Bench) {
        let is_websocket = bench.session.transport() == Transport::WebSocket;
        assert_eq!(is_websocket, self.is_upgraded);
        assert_eq!(bench.session.is_open(), !self.is_closed);
        assert_eq!(
            bench.session.poll_timeout().is_none(),
            self.is_gone,
            "a session that is not gone always has an end in sight"
        );
    }
}

/// The state without the clock: two sequences that end in it have the same future.
fn fingerprint(bench: &Bench, world: World) -> String {
    let until = bench
        .session
        .poll_timeout()
        .map(|at| at.saturating_duration_since(bench.now));
    format!(
        "{:?} {until:?} {world:?}",
        bench.session.without_clock(bench.now)
    )
}

struct Explorer {
    /// The depth that was still to go when a state was seen.
    seen: HashMap<String, usize>,
    path: Vec<Step>,
    steps: usize,
}

impl Drop for Explorer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the inputs: {:#?}", self.path);
        }
    }
}

impl Explorer {
    fn explore(&mut self, bench: &Bench, world: World, depth: usize) {
        if depth == 0 {
            return;
        }
        let state = fingerprint(bench, world);
        if self.seen.get(&state).is_some_and(|&seen| seen >= depth) {
            return;
        }
        self.seen.insert(state, depth);
        for step in STEPS {
            if !world.allows(step) {
                continue;
            }
            let (mut bench, mut world) = (bench.clone(), world);
            self.path.push(step);
            self.steps += 1;
            let outputs = match step {
                Step::Feed(input) => bench.feed(input),
                Step::Send => bench.send("4x"),
                Step::Wait(time) => bench.after(time),
            };
            world.note(step, &outputs);
            if outputs.iter().any(|output| {
                matches!(
                    output,
                    Output::AnswerPoll(_) | Output::Flush | Output::Upgraded
                )
            }) {
                bench.collect();
            }
            world.agree(&bench);
            self.explore(&bench, world, depth - 1);
            self.path.pop();
        }
    }
}

#[test]
fn every_sequence_of_inputs_keeps_the_invariants() {
    for protocol in [Protocol::V4, Protocol::V3] {
        let mut explorer = Explorer {
            seen: HashMap::new(),
            path: Vec::new(),
            steps: 0,
        };
        let bench = Bench::new(protocol, Transport::Polling);
        explorer.explore(&bench, World::default(), DEPTH);
        println!(
            "{protocol:?}: {} states, {} steps to depth {DEPTH}",
            explorer.seen.len(),
            explorer.steps
        );
        assert!(explorer.seen.len() > 100, "the exploration explores");
    }
}

#[test]
fn a_session_left_alone_is_gone_in_bounded_time() {
    let bound = super::testing::PING_INTERVAL + 3 * super::testing::PING_TIMEOUT + LINGER;
    for given in [
        &[][..],
        &[Input::PollArrived],
        &[Input::CandidateAttached],
        &[Input::PostArrived],
        &[Input::Close],
    ] {
        let mut bench = Bench::polling().given(given);
        let start = bench.now;
        while let Some(at) = bench.session.poll_timeout() {
            assert!(at > bench.now, "no deadline stays in the past");
            bench.now = at;
            bench.feed(Input::Timeout);
        }
        assert!(bench.now - start <= bound, "{given:?}");
    }
}
