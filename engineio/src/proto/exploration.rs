//! The upgrade machine, explored: every sequence of inputs to a stated depth, up to sequences that lead to the same
//! state.

use std::collections::HashMap;

use super::event::{Input, Probing, Received};
use super::session::{LINGER, NOOP_INTERVAL};
use super::testing::{Bench, UPGRADE_TIMEOUT};
use super::world::{Step, World, take};
use crate::packet::Protocol;
use crate::transport::Transport;

/// How many inputs in a row are explored.
const DEPTH: usize = 12;

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
            take(step, &mut bench, &mut world);
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
