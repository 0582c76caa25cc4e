//! A session on virtual time, for the tests of the machine.

#![cfg_attr(
    not(test),
    allow(dead_code, reason = "fuzzing needs less of it than the tests")
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::chunk::Shape;
use super::event::{Input, Output};
use super::outbox::{Outbox, Placing, Pushed};
use super::session::Session;
use crate::packet::Protocol;
use crate::send_options::OverflowPolicy;
use crate::transport::{Timing, Transport};
use crate::websocket::{self, Opcode};

pub(super) const PING_INTERVAL: Duration = Duration::from_secs(25);
pub(super) const PING_TIMEOUT: Duration = Duration::from_secs(20);
pub(super) const UPGRADE_TIMEOUT: Duration = Duration::from_secs(10);
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// A session and the time it believes in.
#[derive(Clone, Debug)]
pub(super) struct Bench {
    pub(super) session: Session,
    pub(super) now: Instant,
}

impl Bench {
    #[expect(
        clippy::disallowed_methods,
        reason = "a starting point for virtual time"
    )]
    pub(super) fn new(protocol: Protocol, transport: Transport) -> Self {
        Self::at(Instant::now(), protocol, transport, true)
    }

    pub(super) fn at(
        now: Instant,
        protocol: Protocol,
        transport: Transport,
        allows_upgrades: bool,
    ) -> Self {
        let timing = Timing {
            ping_interval: PING_INTERVAL,
            ping_timeout: PING_TIMEOUT,
            upgrade_timeout: UPGRADE_TIMEOUT,
            stall_timeout: STALL_TIMEOUT,
        };
        let outbox = Outbox::new(1_000_000, false);
        Self {
            session: Session::new(
                now,
                protocol,
                transport,
                Arc::new(timing),
                allows_upgrades,
                outbox,
            ),
            now,
        }
    }

    pub(super) fn polling() -> Self {
        Self::new(Protocol::V4, Transport::Polling)
    }

    pub(super) fn websocket() -> Self {
        Self::new(Protocol::V4, Transport::WebSocket)
    }

    /// Feeds one input; everything that follows from it.
    pub(super) fn feed(&mut self, input: Input) -> Vec<Output> {
        self.session.handle_input(self.now, input);
        std::iter::from_fn(|| self.session.poll_output()).collect()
    }

    /// Feeds inputs whose outputs do not matter.
    pub(super) fn given(mut self, inputs: &[Input]) -> Self {
        for &input in inputs {
            self.feed(input);
        }
        self
    }

    /// Lets time pass, then says so.
    pub(super) fn after(&mut self, time: Duration) -> Vec<Output> {
        self.now += time;
        self.feed(Input::Timeout)
    }

    /// Sends a text message, as the application does.
    pub(super) fn send(&mut self, text: &str) -> Vec<Output> {
        self.queue(text);
        self.feed(Input::Queued)
    }

    /// Queues text as a handler does while a read is dispatched: it leaves later.
    pub(super) fn queue(&mut self, text: &str) {
        let mut frame = Vec::new();
        websocket::write_frame(&mut frame, Opcode::Text, text.as_bytes());
        let placing = Placing {
            policy: OverflowPolicy::Disconnect,
            key: None,
            shape: Shape::Frames,
        };
        let pushed = self.session.outbox.push_own(&mut frame, placing, Vec::new);
        assert_eq!(pushed, Pushed::Queued);
    }

    /// What a poll answered now carries.
    pub(super) fn collect(&mut self) -> Vec<String> {
        let (control, chunks) = self.session.outbox.drain();
        let mut packets: Vec<String> = control.packets().map(str::to_owned).collect();
        for chunk in chunks {
            packets.extend(texts(chunk.remaining()));
        }
        packets
    }

    /// What the WebSocket writes when it is told to.
    pub(super) fn written(&mut self) -> Vec<String> {
        let frames = self.frames();
        frames.iter().flat_map(|frames| texts(frames)).collect()
    }

    /// The same as it goes over the wire, write by write.
    pub(super) fn frames(&mut self) -> Vec<Vec<u8>> {
        let mut written = Vec::new();
        while let Some(chunk) = self.session.outbox.begin_write(Vec::new) {
            written.push(chunk.remaining().to_vec());
            self.session.outbox.end_write(None);
        }
        written
    }
}

fn texts(mut frames: &[u8]) -> Vec<String> {
    let mut packets = Vec::new();
    while let Some((_, body, rest)) = websocket::split_frame(frames) {
        packets.push(String::from_utf8_lossy(body).into_owned());
        frames = rest;
    }
    packets
}

/// Numbers that look random and are the same for the same seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// True in one of so many cases.
    pub(crate) fn one_in(&mut self, cases: u64) -> bool {
        self.below(cases) == 0
    }
}
