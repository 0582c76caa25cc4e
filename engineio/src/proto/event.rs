//! What goes into the machine and what comes out of it.

use super::close_reason::CloseReason;

/// A packet that arrived on the session's own transport; its bytes stay with the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    Message,
    Ping,
    Pong,
    Close,
    /// Open, upgrade and noop mean nothing here (EIO4-PKT-07).
    Meaningless,
    /// It could not be decoded.
    Undecodable,
}

/// A packet that arrived on a candidate transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probing {
    Probe,
    Upgrade,
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// The time [`Session::poll_timeout`] named has come.
    Timeout,
    /// A GET arrived.
    PollArrived,
    /// The connection of the waiting GET is gone.
    PollDropped,
    /// A POST's headers arrived.
    PostArrived,
    /// The POST's body is complete and about to be dispatched.
    PostRead,
    /// The POST's packets were dispatched.
    PostDone,
    /// The POST's connection went away, or its body did not come, before it was complete.
    PostDropped,
    /// The POST's content type is not one this protocol reads (EIO4-POL-08).
    PostUnreadable,
    /// A packet arrived on the current transport.
    Packet(Received),
    /// A WebSocket with this session's id completed its handshake.
    CandidateAttached,
    /// A packet arrived on the candidate.
    CandidatePacket(Probing),
    /// The candidate's connection is gone.
    CandidateGone,
    /// The WebSocket ended by a close frame or the end of the stream.
    WebSocketClosed,
    /// The WebSocket broke RFC 6455, or its connection failed.
    WebSocketFailed,
    /// Something was pushed into the outbox.
    Queued,
    /// Reading stopped on our side: the peer cannot be blamed for silence.
    Paused,
    /// Progress was made, or reading goes on.
    Resumed,
    /// The application closes the session; what is queued still leaves.
    Close,
    /// The application closes the session at once (EIO4-CLS-07).
    Discard,
}

/// What a GET is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PollAnswer {
    /// Everything that waits in the outbox.
    Queued,
    Noop,
    Close,
    NoopThenClose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// Hand the message just received to the application.
    Deliver,
    /// Answer the GET: the one that waits, else the one that just arrived.
    AnswerPoll(PollAnswer),
    /// Answer the GET that just arrived with an empty 400.
    RefusePoll,
    /// Answer the POST that just arrived with an empty 400.
    RefusePost,
    /// End the connection of the POST being read without an answer.
    DestroyPost,
    /// Send `3probe` on the candidate.
    AnswerProbe,
    /// The candidate may start to probe.
    Upgrading,
    /// End the WebSocket that just completed its handshake, or the candidate, with an empty close frame.
    CloseCandidate,
    /// The candidate is the transport now; write the outbox to it.
    Upgraded,
    /// Write what waits on the WebSocket.
    Flush,
    /// Write what waits, then the close frame.
    FinishWebSocket,
    /// The WebSocket's connection is to end now, with an empty close frame if it can still be written.
    AbortWebSocket,
    /// Tell the application, once.
    Closed(CloseReason),
    /// Forget the session.
    Gone,
}

/// At most this many outputs follow one input.
const OUTPUTS_MAX: usize = 8;

/// Outputs in order, without an allocation.
#[derive(Debug)]
#[cfg_attr(any(test, feature = "fuzzing"), derive(Clone))]
pub(super) struct Outputs {
    slots: [Option<Output>; OUTPUTS_MAX],
    next: u8,
    end: u8,
}

impl Outputs {
    pub(super) const fn new() -> Self {
        Self {
            slots: [None; OUTPUTS_MAX],
            next: 0,
            end: 0,
        }
    }

    pub(super) fn push(&mut self, output: Output) {
        debug_assert!(
            usize::from(self.end) < OUTPUTS_MAX,
            "drain the outputs after every input"
        );
        if let Some(slot) = self.slots.get_mut(usize::from(self.end)) {
            *slot = Some(output);
            self.end += 1;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next == self.end
    }

    pub(super) fn pop(&mut self) -> Option<Output> {
        if self.next == self.end {
            self.next = 0;
            self.end = 0;
            return None;
        }
        let output = self.slots.get_mut(usize::from(self.next))?.take();
        self.next += 1;
        output
    }
}
