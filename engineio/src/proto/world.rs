//! What the world around a session may do next, and what it may expect of the session whatever it does.

#![cfg_attr(
    not(all(test, feature = "fuzzing")),
    allow(dead_code, reason = "tests and fuzzing need different parts of it")
)]

use std::time::Duration;

use super::event::{Input, Output, PollAnswer, Probing, Received};
use super::session::NOOP_INTERVAL;
use super::testing::{Bench, PING_INTERVAL, PING_TIMEOUT, UPGRADE_TIMEOUT};
use crate::packet::Protocol;
use crate::transport::Transport;

/// One thing that may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Feed(Input),
    Send,
    Wait(Duration),
    /// The time that the session asked for comes.
    Fire,
}

/// What a byte of a script stands for.
const SCRIPT: [Step; 34] = [
    Step::Feed(Input::PollArrived),
    Step::Feed(Input::PollDropped),
    Step::Feed(Input::PostArrived),
    Step::Feed(Input::PostRead),
    Step::Feed(Input::PostDone),
    Step::Feed(Input::PostDropped),
    Step::Feed(Input::PostUnreadable),
    Step::Feed(Input::CandidateAttached),
    Step::Feed(Input::CandidatePacket(Probing::Probe)),
    Step::Feed(Input::CandidatePacket(Probing::Upgrade)),
    Step::Feed(Input::CandidatePacket(Probing::Other)),
    Step::Feed(Input::CandidateGone),
    Step::Feed(Input::Packet(Received::Message)),
    Step::Feed(Input::Packet(Received::Ping)),
    Step::Feed(Input::Packet(Received::Pong)),
    Step::Feed(Input::Packet(Received::Close)),
    Step::Feed(Input::Packet(Received::Meaningless)),
    Step::Feed(Input::Packet(Received::Undecodable)),
    Step::Feed(Input::WebSocketClosed),
    Step::Feed(Input::WebSocketFailed),
    Step::Feed(Input::Timeout),
    Step::Feed(Input::Queued),
    Step::Feed(Input::Paused),
    Step::Feed(Input::Resumed),
    Step::Feed(Input::Close),
    Step::Feed(Input::Discard),
    Step::Send,
    Step::Fire,
    Step::Wait(Duration::from_millis(1)),
    Step::Wait(NOOP_INTERVAL),
    Step::Wait(UPGRADE_TIMEOUT),
    Step::Wait(PING_TIMEOUT),
    Step::Wait(PING_INTERVAL),
    Step::Wait(Duration::from_secs(3600)),
];

/// Plays a script: the first byte says what session it is, each further one what happens next. What could not
/// happen is passed over.
pub(crate) fn play(script: &[u8]) {
    let Some((&first, script)) = script.split_first() else {
        return;
    };
    let protocol = if first & 1 == 0 {
        Protocol::V4
    } else {
        Protocol::V3
    };
    let transport = if first & 2 == 0 {
        Transport::Polling
    } else {
        Transport::WebSocket
    };
    let mut bench = Bench::new(protocol, transport);
    let mut world = World {
        is_upgraded: transport == Transport::WebSocket,
        ..World::default()
    };
    for &byte in script {
        let step = SCRIPT.get(usize::from(byte) % SCRIPT.len());
        if let Some(&step) = step.filter(|step| world.allows(**step)) {
            take(step, &mut bench, &mut world);
        }
    }
    world.end(&mut bench);
}

/// Takes one step and checks all that has to hold after it.
pub(super) fn take(step: Step, bench: &mut Bench, world: &mut World) {
    let outputs = match step {
        Step::Feed(input) => bench.feed(input),
        Step::Send => bench.send("4x"),
        Step::Wait(time) => bench.after(time),
        Step::Fire => {
            if let Some(at) = bench.session.poll_timeout() {
                bench.now = bench.now.max(at);
            }
            bench.feed(Input::Timeout)
        }
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
    world.agree(bench);
}

/// What the world around the machine knows, from nothing but inputs and outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct World {
    polls_waiting: u8,
    post: Post,
    has_candidate: bool,
    is_candidate_silent: bool,
    /// The candidate has had the answer to its probe.
    is_probed: bool,
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
    pub(super) fn allows(self, step: Step) -> bool {
        match step {
            Step::Feed(input) => match input {
                Input::PollDropped => self.polls_waiting > 0,
                Input::PostRead | Input::PostDropped => self.post == Post::Reading,
                Input::PostDone => self.post != Post::None,
                Input::CandidatePacket(_) => self.has_candidate && !self.is_candidate_silent,
                Input::CandidateGone => self.has_candidate,
                Input::PostUnreadable => self.post == Post::Reading,
                Input::WebSocketClosed | Input::WebSocketFailed => self.is_upgraded,
                Input::Packet(_) => self.is_upgraded || self.post == Post::Dispatching,
                _ => true,
            },
            Step::Send => !self.is_closed,
            Step::Wait(_) | Step::Fire => true,
        }
    }

    fn note(&mut self, step: Step, outputs: &[Output]) {
        self.check_told(step, outputs);
        if let Step::Feed(input) = step {
            self.note_input(input, outputs);
        }
        for &output in outputs {
            self.note_output(step, output);
        }
    }

    /// A client that has had the answer to its probe may be about to leave polling. Whose session is closed then keeps its
    /// candidate until it was told of the end over polling, or else ends over the candidate.
    fn check_told(self, step: Step, outputs: &[Output]) {
        let is_end = matches!(
            step,
            Step::Feed(Input::Close | Input::PollArrived | Input::PostDone | Input::PostDropped)
        ) && (self.is_closed || step == Step::Feed(Input::Close));
        if is_end && self.is_probed && !self.is_gone {
            let is_told = outputs.iter().any(|output| {
                matches!(
                    output,
                    Output::AnswerPoll(PollAnswer::Close | PollAnswer::NoopThenClose)
                )
            });
            assert!(
                is_told || !outputs.contains(&Output::CloseCandidate),
                "nobody could tell the client any more"
            );
        }
        if self.is_closed && outputs.contains(&Output::Upgraded) {
            assert!(
                outputs.ends_with(&[Output::Upgraded, Output::FinishWebSocket]),
                "what was closed during the upgrade ends behind it"
            );
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
            Input::PostDone | Input::PostDropped | Input::PostUnreadable => {
                self.post = Post::None;
            }
            Input::CandidateAttached if outputs.contains(&Output::Upgrading) => {
                assert!(!self.has_candidate, "one candidate at a time");
                self.has_candidate = true;
                self.is_candidate_silent = false;
                self.is_probed = false;
            }
            Input::CandidatePacket(packet) => self.is_candidate_silent = packet != Probing::Probe,
            Input::CandidateGone => {
                self.has_candidate = false;
                self.is_probed = false;
            }
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
            Output::AnswerProbe => {
                assert!(self.has_candidate);
                assert!(!self.is_closed, "no upgrade begins after the close");
                self.is_probed = true;
            }
            Output::CloseCandidate if step != Step::Feed(Input::CandidateAttached) => {
                assert!(
                    self.has_candidate,
                    "only a candidate that is there is closed"
                );
                self.has_candidate = false;
                self.is_probed = false;
            }
            Output::Upgraded => {
                assert!(self.has_candidate && !self.is_upgraded);
                assert_ne!(self.post, Post::Reading, "a POST is dispatched first");
                assert_eq!(
                    self.polls_waiting, 0,
                    "nobody waits on a transport that is left"
                );
                self.has_candidate = false;
                self.is_probed = false;
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
        assert!(
            !self.is_closed || !self.has_candidate || !bench.session.is_abandoned(bench.now),
            "a drain waits for who is about to upgrade"
        );
        assert_eq!(
            bench.session.poll_timeout().is_none(),
            self.is_gone,
            "a session that is not gone always has an end in sight"
        );
    }

    /// Left alone, every session comes to its end.
    fn end(mut self, bench: &mut Bench) {
        // A heartbeat, its answer's time and the lingering are three deadlines; noops come between them.
        let mut left = 1_000;
        while !self.is_gone {
            take(Step::Fire, bench, &mut self);
            left -= 1;
            assert!(left > 0, "no session stays for ever");
        }
    }
}
