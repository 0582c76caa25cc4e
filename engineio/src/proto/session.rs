//! One Engine.IO client, over whichever transport it is on.
//!
//! ```text
//!                        Close (application)
//!   Open ───────────────────────────────────────────▶ Lingering ──┐ GET collected / time out / flushed
//!    │  fault of the peer, Discard, transport gone                ▼
//!    └──────────────────────────────────────────────────────────▶ Gone
//!
//!   transport:   Polling ──5──▶ (Switching while a POST is being read) ──▶ WebSocket
//!   candidate:   None ──attached──▶ Attached ──5──▶ (the transport)
//!                  ▲                   │ other packet, time out, gone; end, unless it is awaited
//!                  └───────────────────┘
//! ```
//!
//! Feed one [`Input`], then call [`Session::poll_output`] until `None`, then ask [`Session::poll_timeout`] when
//! to come back with [`Input::Timeout`]. Early time-outs are harmless.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::close_reason::CloseReason;
use super::event::{Input, Output, Outputs, PollAnswer, Probing, Received};
use super::outbox::Outbox;
use crate::moment::Moment;
use crate::packet::Protocol;
use crate::transport::{Timing, Transport};

/// How long a session closed by the application waits for its client to collect the last packets
/// (EIO4-CLS-04), and a WebSocket for the peer to take them and answer the close frame.
pub(crate) const LINGER: Duration = Duration::from_secs(30);

/// How long a client that is between two polls is waited for when everybody is told to go. One that is there polls again
/// as soon as it has an answer; this is for a slow network.
pub(crate) const RETURN_WAIT: Duration = Duration::from_secs(2);

/// How often a waiting poll is released while an upgrade is under way (EIO4-UPG-03).
pub(crate) const NOOP_INTERVAL: Duration = Duration::from_millis(100);

/// How often a WebSocket that we do not read is written to. The end of its stream may stand behind more than the kernel
/// keeps for us, so that nobody hears of it; a kernel whose process is gone refuses what is written, and that is heard.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// At most this part of the ping timeout, a tenth, is lost by a client because our timer was late.
const LATENESS_SHARE: u32 = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    Open(Heartbeat),
    /// Closed by the application; the client has not collected the last packets yet.
    Lingering {
        until: Moment,
    },
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Post {
    None,
    Reading,
    Dispatching,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    Polling { is_poll_waiting: bool, post: Post },
    WebSocket,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Candidate {
    expires_at: Instant,
    noop_at: Option<Instant>,
    /// `5` came while a POST was being read; the switch waits for its packets.
    is_switching: bool,
}

impl Candidate {
    /// When something is due.
    fn next(&self) -> Instant {
        self.noop_at
            .map_or(self.expires_at, |at| at.min(self.expires_at))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Heartbeat {
    /// Protocol 4: the next ping is due.
    PingAt(Moment),
    /// Protocol 4: a ping is out.
    PongBy { deadline: Moment, is_extended: bool },
    /// Protocol 3: the client pings.
    PingBy(Moment),
    /// We are not reading, so nothing is expected of the peer. It hears of us all the same, or it would give us up.
    Stalled(Box<Stall>),
}

/// In a box, for no idle session has one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stall {
    deadline: Instant,
    /// When the peer is to hear of us next.
    beat_at: Instant,
    /// When we look next whether it is there; over polling its requests show that.
    look_at: Option<Instant>,
}

impl Heartbeat {
    /// Of a peer that is there.
    fn begin(now: Instant, protocol: Protocol, timing: &Timing) -> Self {
        let interval = timing.ping_interval;
        match protocol {
            Protocol::V4 => Self::PingAt(Moment::from(now + interval)),
            Protocol::V3 => Self::PingBy(Moment::from(now + interval + timing.ping_timeout)),
        }
    }

    /// When something is due.
    fn next(&self) -> Moment {
        match self {
            Self::PingAt(at) | Self::PingBy(at) => *at,
            Self::PongBy { deadline, .. } => *deadline,
            Self::Stalled(stall) => stall.next().into(),
        }
    }
}

impl Stall {
    fn next(&self) -> Instant {
        let next = self.deadline.min(self.beat_at);
        self.look_at.map_or(next, |at| at.min(next))
    }
}

/// The state machine of one session; see the module documentation.
#[derive(Debug)]
#[cfg_attr(any(test, feature = "fuzzing"), derive(Clone))]
pub(crate) struct Session {
    pub(crate) outbox: Outbox,
    timing: Arc<Timing>,
    phase: Phase,
    carrier: Carrier,
    /// The WebSocket that is to be the transport; in a box, for no idle session has one.
    candidate: Option<Box<Candidate>>,
    outputs: Outputs,
    protocol: Protocol,
    allows_upgrades: bool,
}

impl Session {
    /// A session whose handshake has just been accepted on `transport`.
    pub(crate) fn new(
        now: Instant,
        protocol: Protocol,
        transport: Transport,
        timing: Arc<Timing>,
        allows_upgrades: bool,
        outbox: Outbox,
    ) -> Self {
        let carrier = match transport {
            Transport::Polling => Carrier::Polling {
                is_poll_waiting: false,
                post: Post::None,
            },
            Transport::WebSocket => Carrier::WebSocket,
        };
        Self {
            phase: Phase::Open(Heartbeat::begin(now, protocol, &timing)),
            outbox,
            timing,
            carrier,
            candidate: None,
            outputs: Outputs::new(),
            protocol,
            allows_upgrades,
        }
    }

    /// The state as text, with every time as the distance from `now`.
    #[cfg(test)]
    pub(super) fn without_clock(&self, now: Instant) -> String {
        let distance = |at: Instant| at.saturating_duration_since(now);
        let phase = match &self.phase {
            Phase::Lingering { until } => format!("Lingering {:?}", distance((*until).into())),
            Phase::Gone => "Gone".to_owned(),
            Phase::Open(heartbeat) => match heartbeat {
                Heartbeat::PingAt(at) => format!("PingAt {:?}", distance((*at).into())),
                Heartbeat::PingBy(at) => format!("PingBy {:?}", distance((*at).into())),
                Heartbeat::PongBy {
                    deadline,
                    is_extended,
                } => format!("PongBy {:?} {is_extended}", distance((*deadline).into())),
                Heartbeat::Stalled(stall) => format!(
                    "Stalled {:?} {:?} {:?}",
                    distance(stall.deadline),
                    distance(stall.beat_at),
                    stall.look_at.map(distance)
                ),
            },
        };
        let candidate = self
            .candidate
            .as_deref()
            .map_or(String::new(), |candidate| {
                format!(
                    "{:?} {:?} {}",
                    distance(candidate.expires_at),
                    candidate.noop_at.map(distance),
                    candidate.is_switching
                )
            });
        let is_empty = self.outbox.is_empty();
        format!("{phase} {candidate} {:?} {is_empty}", self.carrier)
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn transport(&self) -> Transport {
        match self.carrier {
            Carrier::Polling { .. } => Transport::Polling,
            Carrier::WebSocket => Transport::WebSocket,
        }
    }

    /// True until the session is closed by either side: the application may send.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    /// True when somebody is connected at this moment: over the WebSocket, even one that is only about to be the transport,
    /// or by a GET or a POST.
    pub(crate) fn has_peer(&self) -> bool {
        match self.carrier {
            Carrier::WebSocket => true,
            Carrier::Polling {
                is_poll_waiting,
                post,
            } => is_poll_waiting || post != Post::None || self.awaits_upgrade(),
        }
    }

    /// True when the client may have stopped to poll, for it has had the answer to its probe.
    fn awaits_upgrade(&self) -> bool {
        let candidate = self.candidate.as_ref();
        candidate.is_some_and(|candidate| candidate.noop_at.is_some() || candidate.is_switching)
    }

    /// True when nobody is left who can be told of the end: it is over, or the application closed it and nobody has come
    /// back for [`RETURN_WAIT`].
    pub(crate) fn is_abandoned(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Open(_) => false,
            Phase::Lingering { until } => {
                !self.has_peer() && now + LINGER >= Instant::from(until) + RETURN_WAIT
            }
            Phase::Gone => true,
        }
    }

    /// True when a packet sent now would reach the network at once (SRV-VOL-01).
    pub(crate) fn is_writable(&self) -> bool {
        self.is_open()
            && match self.carrier {
                Carrier::Polling {
                    is_poll_waiting, ..
                } => is_poll_waiting && self.outbox.is_empty(),
                Carrier::WebSocket => self.outbox.is_flushed(),
            }
    }

    /// When to come back with [`Input::Timeout`].
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadline().map(Instant::from)
    }

    /// The same, as it is kept.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        let candidate = self.candidate.as_deref();
        match &self.phase {
            Phase::Gone => None,
            Phase::Lingering { until } => {
                let expires_at = candidate.map(|candidate| candidate.expires_at.into());
                Some(expires_at.map_or(*until, |at: Moment| at.min(*until)))
            }
            Phase::Open(heartbeat) => {
                let heartbeat = heartbeat.next();
                let upgrade = candidate.map(|candidate| Moment::from(candidate.next()));
                Some(upgrade.map_or(heartbeat, |at| at.min(heartbeat)))
            }
        }
    }

    /// The next thing to do; `None` when the input has had its effect.
    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop()
    }

    pub(crate) fn handle_input(&mut self, now: Instant, input: Input) {
        debug_assert!(
            self.outputs.is_empty(),
            "drain the outputs after every input"
        );
        match self.phase {
            Phase::Open(_) => self.handle_open(now, input),
            Phase::Lingering { until } => self.handle_lingering(now, until.into(), input),
            Phase::Gone => self.handle_gone(input),
        }
    }

    fn handle_open(&mut self, now: Instant, input: Input) {
        match input {
            Input::Packet(packet) => self.receive(now, packet),
            Input::Queued => self.flush(),
            Input::Timeout => self.time_out(now),
            Input::PollArrived => {
                // What is due has happened, whether or not the timer was told yet.
                self.time_out(now);
                if self.is_open() {
                    self.poll_arrived();
                } else {
                    self.outputs.push(Output::RefusePoll);
                }
            }
            Input::PollDropped => {
                self.take_waiting_poll();
                self.end(CloseReason::TransportError);
            }
            Input::PostDropped | Input::PostUnreadable => {
                self.set_post(Post::None);
                self.end(CloseReason::TransportError);
            }
            Input::PostArrived => self.post_arrived(),
            Input::PostRead => self.set_post(Post::Dispatching),
            Input::PostDone => self.post_done(),
            Input::CandidateAttached => self.candidate_attached(now),
            Input::CandidatePacket(packet) => self.candidate_packet(now, packet),
            Input::CandidateGone => self.candidate = None,
            Input::WebSocketClosed => self.end(CloseReason::TransportClose),
            Input::WebSocketFailed => self.end(CloseReason::TransportError),
            Input::Paused => self.stall(now),
            Input::Resumed => self.end_stall(now),
            Input::Close => self.close(now),
            Input::Discard => self.end(CloseReason::ForcedClose),
        }
    }

    /// The application has closed; only the client's collecting of the last packets matters (EIO4-CLS-04..06), over
    /// polling or over the WebSocket that it was about to move to.
    fn handle_lingering(&mut self, now: Instant, until: Instant, input: Input) {
        match input {
            Input::PollArrived if self.carrier == Carrier::WebSocket => {
                self.outputs.push(Output::RefusePoll);
            }
            Input::PostArrived if self.carrier == Carrier::WebSocket => {
                self.outputs.push(Output::RefusePost);
            }
            Input::PollArrived => {
                if self.outbox.is_empty() {
                    self.outputs
                        .push(Output::AnswerPoll(PollAnswer::NoopThenClose));
                    self.close_candidate();
                    self.gone();
                } else {
                    self.outputs.push(Output::AnswerPoll(PollAnswer::Queued));
                }
            }
            Input::Queued if self.carrier == Carrier::WebSocket => {
                self.outputs.push(Output::FinishWebSocket);
            }
            Input::PostArrived => self.set_post(Post::Reading),
            Input::PostRead => self.set_post(Post::Dispatching),
            Input::PostDone | Input::PostDropped | Input::PostUnreadable => self.post_done(),
            Input::CandidateAttached => self.outputs.push(Output::CloseCandidate),
            Input::CandidatePacket(packet) => self.candidate_packet(now, packet),
            Input::CandidateGone => self.candidate = None,
            Input::WebSocketClosed | Input::WebSocketFailed => self.gone(),
            Input::Discard => {
                self.close_candidate();
                self.abort_carrier();
                self.gone();
            }
            Input::Timeout if now >= until => {
                self.close_candidate();
                self.abort_carrier();
                self.gone();
            }
            Input::Timeout => self.time_out_candidate(now),
            Input::PollDropped
            | Input::Packet(_)
            | Input::Queued
            | Input::Paused
            | Input::Resumed
            | Input::Close => {}
        }
    }

    fn handle_gone(&mut self, input: Input) {
        match input {
            Input::PollArrived => self.outputs.push(Output::RefusePoll),
            Input::PostArrived => self.outputs.push(Output::RefusePost),
            Input::CandidateAttached | Input::CandidatePacket(_) => {
                self.outputs.push(Output::CloseCandidate);
            }
            _ => {}
        }
    }

    fn receive(&mut self, now: Instant, packet: Received) {
        match packet {
            Received::Message => {
                self.heard(now);
                self.outputs.push(Output::Deliver);
            }
            Received::Ping if self.protocol == Protocol::V3 => {
                self.restart_heartbeat(now);
                self.outbox.push_pong();
                self.flush();
            }
            Received::Pong if self.protocol == Protocol::V4 => self.restart_heartbeat(now),
            // The wrong direction of the heartbeat (EIO4-HB-06, EIO3-HB-03).
            Received::Ping | Received::Pong => self.end(CloseReason::TransportError),
            Received::Close => match self.carrier {
                Carrier::Polling { .. } => self.closed_by_packet(),
                // A close packet means nothing there (EIO4-CLS-02).
                Carrier::WebSocket => self.heard(now),
            },
            Received::Meaningless => self.heard(now),
            Received::Undecodable => self.end(CloseReason::ParseError),
        }
    }

    /// Any packet but a pong extends the wait for the pong, once per ping (EIO4-HB-04).
    fn heard(&mut self, now: Instant) {
        if let Phase::Open(Heartbeat::PongBy {
            deadline,
            is_extended: is_extended @ false,
        }) = &mut self.phase
        {
            *is_extended = true;
            *deadline = Moment::from(now + self.timing.ping_timeout);
        }
    }

    /// The peer has shown that it is there, by what is to show it. While we do not read, that counts for nothing.
    fn restart_heartbeat(&mut self, now: Instant) {
        if let Phase::Open(heartbeat) = &mut self.phase
            && !matches!(heartbeat, Heartbeat::Stalled(_))
        {
            *heartbeat = Heartbeat::begin(now, self.protocol, &self.timing);
        }
    }

    /// We stop reading, or go on not reading because the peer took something: that counts from now.
    fn stall(&mut self, now: Instant) {
        let Timing {
            ping_interval,
            ping_timeout,
            stall_timeout,
            ..
        } = *self.timing;
        let Phase::Open(heartbeat) = &mut self.phase else {
            return;
        };
        let beat_at = match heartbeat {
            Heartbeat::PingAt(at) => Instant::from(*at),
            // An interval after the ping that is out.
            Heartbeat::PongBy {
                deadline,
                is_extended: false,
            } => (Instant::from(*deadline) + ping_interval)
                .checked_sub(ping_timeout)
                .unwrap_or(now),
            // When its last ping was, sent by us or by the peer, is not known.
            Heartbeat::PongBy { .. } | Heartbeat::PingBy(_) => now,
            Heartbeat::Stalled(stall) => stall.beat_at,
        };
        let look_at = match heartbeat {
            Heartbeat::Stalled(stall) => stall.look_at,
            _ if self.carrier == Carrier::WebSocket => Some(now + LOOK_INTERVAL),
            _ => None,
        };
        *heartbeat = Heartbeat::Stalled(Box::new(Stall {
            deadline: now + stall_timeout,
            beat_at,
            look_at,
        }));
    }

    /// We read on. An answer to what was sent meanwhile may be on its way or not; the next ping asks for one.
    fn end_stall(&mut self, now: Instant) {
        if let Phase::Open(heartbeat) = &mut self.phase
            && let Heartbeat::Stalled(stall) = heartbeat
        {
            *heartbeat = match self.protocol {
                Protocol::V4 => Heartbeat::PingAt(stall.beat_at.into()),
                Protocol::V3 => Heartbeat::begin(now, self.protocol, &self.timing),
            };
        }
    }

    /// Tells the peer, whom we do not hear, that we are there: with a ping, or in protocol 3 with the answer to the ping
    /// that it has sent or is about to send (EIO3-HB-01).
    fn push_beat(&mut self) {
        match self.protocol {
            Protocol::V4 => self.outbox.push_ping(),
            Protocol::V3 => self.outbox.push_pong(),
        }
    }

    /// How often the peer is told. With protocol 3 so often that a client that lives by our answers need not ask.
    fn beat_interval(&self) -> Duration {
        let interval = self.timing.ping_interval;
        match self.protocol {
            Protocol::V4 => interval,
            Protocol::V3 => interval / 2,
        }
    }

    fn time_out(&mut self, now: Instant) {
        let beat_interval = self.beat_interval();
        match &mut self.phase {
            Phase::Open(heartbeat) if now < heartbeat.next().into() => {}
            Phase::Open(Heartbeat::PingAt(at)) => {
                let due = Instant::from(*at);
                self.phase = Phase::Open(Heartbeat::PongBy {
                    deadline: self.pong_by(now, due).into(),
                    is_extended: false,
                });
                self.outbox.push_ping();
                self.flush();
            }
            Phase::Open(Heartbeat::PongBy { .. } | Heartbeat::PingBy(_)) => {
                return self.end(CloseReason::PingTimeout);
            }
            Phase::Open(Heartbeat::Stalled(stall)) if now >= stall.deadline => {
                return self.end(CloseReason::ForcedClose);
            }
            Phase::Open(Heartbeat::Stalled(stall)) => {
                let is_look = stall.look_at.is_some_and(|at| now >= at);
                let is_beat = now >= stall.beat_at;
                if is_look {
                    stall.look_at = Some(now + LOOK_INTERVAL);
                    // One that nobody asked for, which the peer does not answer (RFC 6455 §5.5.3).
                    self.outbox.push_idle_pong();
                }
                if is_beat {
                    stall.beat_at = now + beat_interval;
                    self.push_beat();
                }
                self.flush();
            }
            Phase::Lingering { .. } | Phase::Gone => {}
        }
        self.time_out_candidate(now);
    }

    /// By when a ping is to be answered that was due at `due` and is sent now. A timer that is a little late does not give
    /// the client more time, and one that is very late, after the process was suspended say, does not take its time away.
    fn pong_by(&self, now: Instant, due: Instant) -> Instant {
        let timeout = self.timing.ping_timeout;
        (due + timeout).max(now + timeout - timeout / LATENESS_SHARE)
    }

    fn time_out_candidate(&mut self, now: Instant) {
        let Some(candidate) = &mut self.candidate else {
            return;
        };
        if now >= candidate.expires_at {
            self.candidate = None;
            self.outputs.push(Output::CloseCandidate);
        } else if candidate.noop_at.is_some_and(|at| now >= at) {
            candidate.noop_at = Some(now + NOOP_INTERVAL);
            self.answer_waiting_poll(PollAnswer::Noop);
        }
    }

    fn poll_arrived(&mut self) {
        match &mut self.carrier {
            Carrier::WebSocket => self.outputs.push(Output::RefusePoll),
            Carrier::Polling {
                is_poll_waiting: true,
                ..
            } => {
                // A second GET ends the session; the first is answered with a close (EIO4-POL-04).
                self.outputs.push(Output::RefusePoll);
                self.end(CloseReason::TransportError);
            }
            Carrier::Polling {
                is_poll_waiting, ..
            } => {
                *is_poll_waiting = true;
                self.flush();
            }
        }
    }

    fn post_arrived(&mut self) {
        match &mut self.carrier {
            Carrier::WebSocket => self.outputs.push(Output::RefusePost),
            Carrier::Polling {
                post: post @ Post::None,
                ..
            } => *post = Post::Reading,
            Carrier::Polling { .. } => {
                self.outputs.push(Output::RefusePost);
                self.end(CloseReason::TransportError);
            }
        }
    }

    fn post_done(&mut self) {
        self.set_post(Post::None);
        let candidate = self.candidate.as_ref();
        if candidate.is_some_and(|candidate| candidate.is_switching) {
            self.switch();
        }
    }

    fn set_post(&mut self, state: Post) {
        if let Carrier::Polling { post, .. } = &mut self.carrier {
            *post = state;
        }
    }

    fn candidate_attached(&mut self, now: Instant) {
        let may_upgrade = self.allows_upgrades
            && self.candidate.is_none()
            && matches!(self.carrier, Carrier::Polling { .. });
        if may_upgrade {
            self.candidate = Some(Box::new(Candidate {
                expires_at: now + self.timing.upgrade_timeout,
                noop_at: None,
                is_switching: false,
            }));
            self.outputs.push(Output::Upgrading);
        } else {
            self.outputs.push(Output::CloseCandidate);
        }
    }

    fn candidate_packet(&mut self, now: Instant, packet: Probing) {
        let is_open = self.is_open();
        let Some(candidate) = &mut self.candidate else {
            self.outputs.push(Output::CloseCandidate);
            return;
        };
        match packet {
            _ if candidate.is_switching => self.drop_candidate(),
            Probing::Probe if is_open => {
                candidate.noop_at = Some(now + NOOP_INTERVAL);
                self.outputs.push(Output::AnswerProbe);
            }
            Probing::Upgrade => {
                let is_reading_post = matches!(
                    self.carrier,
                    Carrier::Polling {
                        post: Post::Reading | Post::Dispatching,
                        ..
                    }
                );
                if is_reading_post {
                    candidate.is_switching = true;
                } else {
                    self.switch();
                }
            }
            Probing::Probe | Probing::Other => self.drop_candidate(),
        }
    }

    fn drop_candidate(&mut self) {
        self.candidate = None;
        self.outputs.push(Output::CloseCandidate);
    }

    /// The candidate becomes the transport (EIO4-UPG-05, EIO4-UPG-06). The heartbeat goes on; a session that was closed
    /// meanwhile ends over it.
    fn switch(&mut self) {
        self.answer_waiting_poll(PollAnswer::Close);
        self.candidate = None;
        self.carrier = Carrier::WebSocket;
        self.outputs.push(Output::Upgraded);
        if !self.is_open() {
            self.outputs.push(Output::FinishWebSocket);
        }
    }

    /// Something waits: answer the poll, or have the WebSocket write.
    fn flush(&mut self) {
        match self.carrier {
            Carrier::WebSocket => self.outputs.push(Output::Flush),
            Carrier::Polling { .. } if !self.outbox.is_empty() => {
                self.answer_waiting_poll(PollAnswer::Queued);
            }
            Carrier::Polling { .. } => {}
        }
    }

    fn answer_waiting_poll(&mut self, answer: PollAnswer) {
        if self.take_waiting_poll() {
            self.outputs.push(Output::AnswerPoll(answer));
        }
    }

    /// True when a GET waited; it does no longer.
    fn take_waiting_poll(&mut self) -> bool {
        match &mut self.carrier {
            Carrier::Polling {
                is_poll_waiting, ..
            } => std::mem::take(is_poll_waiting),
            Carrier::WebSocket => false,
        }
    }

    /// The client said goodbye over polling (EIO4-CLS-01).
    fn closed_by_packet(&mut self) {
        // What was sent in answer to packets before the goodbye still leaves.
        let last = if self.outbox.is_empty() {
            PollAnswer::Noop
        } else {
            PollAnswer::Queued
        };
        self.answer_waiting_poll(last);
        self.end(CloseReason::TransportClose);
    }

    /// The application closes: what is queued still leaves.
    fn close(&mut self, now: Instant) {
        let is_poll_told = matches!(
            self.carrier,
            Carrier::Polling {
                is_poll_waiting: true,
                ..
            }
        ) && self.outbox.is_empty();
        // A client that loses its candidate between the probe and `5` gives the upgrade up and may never poll again, so
        // that nobody could tell it of the end. Its next word says over which transport it can be told.
        if is_poll_told || !self.awaits_upgrade() {
            self.close_candidate();
        }
        self.destroy_post();
        let lingering = Phase::Lingering {
            until: Moment::from(now + LINGER),
        };
        match self.carrier {
            Carrier::Polling { .. } if is_poll_told => {
                self.answer_waiting_poll(PollAnswer::Close);
                self.outputs.push(Output::Closed(CloseReason::ForcedClose));
                self.gone();
            }
            Carrier::Polling { .. } => {
                // What a handler sent just before it closed goes first (EIO4-CLS-05).
                self.answer_waiting_poll(PollAnswer::Queued);
                self.phase = lingering;
                self.outputs.push(Output::Closed(CloseReason::ForcedClose));
            }
            Carrier::WebSocket => {
                self.phase = lingering;
                self.outputs.push(Output::FinishWebSocket);
                self.outputs.push(Output::Closed(CloseReason::ForcedClose));
            }
        }
    }

    /// The session is over at once (EIO4-CLS-10).
    fn end(&mut self, reason: CloseReason) {
        self.close_candidate();
        self.abort_carrier();
        self.outputs.push(Output::Closed(reason));
        self.gone();
    }

    fn abort_carrier(&mut self) {
        match self.carrier {
            Carrier::Polling { .. } => {
                let last = if self.outbox.is_empty() {
                    PollAnswer::Close
                } else {
                    PollAnswer::Queued
                };
                self.answer_waiting_poll(last);
                self.destroy_post();
            }
            Carrier::WebSocket => self.outputs.push(Output::AbortWebSocket),
        }
    }

    /// Ends a POST that is being read (EIO4-CLS-08). One whose own packets ended the session is still answered
    /// (EIO4-POL-03).
    fn destroy_post(&mut self) {
        if let Carrier::Polling {
            post: Post::Reading,
            ..
        } = self.carrier
        {
            self.outputs.push(Output::DestroyPost);
        }
    }

    fn close_candidate(&mut self) {
        if self.candidate.is_some() {
            self.drop_candidate();
        }
    }

    fn gone(&mut self) {
        self.phase = Phase::Gone;
        self.outputs.push(Output::Gone);
    }
}

#[cfg(test)]
mod tests;
