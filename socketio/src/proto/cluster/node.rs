//! One namespace's part in a cluster: who else is there, what was heard before, and which questions are open.
//!
//! Membership (CLA-06), for adapters that leave it to us:
//!
//! ```text
//!   Opened, the bus is back ──► InitialHeartbeat        received InitialHeartbeat ──► Heartbeat
//!   nothing published for `interval` ──► Heartbeat
//!   a server silent for more than `max_silence`, or AdapterClose ──► it has left
//! ```
//!
//! A question is complete when every server that was known when it was asked has answered or left. What one that left still
//! owed is told. Whoever has just come knows nobody: for the time of the introduction a question waits for those as well who
//! answer the first heartbeat. Without a bus there is no introduction, so a question then ends with its time limit, and incomplete.
//!
//! With an adapter that counts servers itself it is complete after as many answers. Nothing here is sent or applied: outputs say
//! what is to be done.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::entry::EntryId;
use super::members::{Members, Written};
use super::message::{ClusterBody, ClusterMessage, RequestId, Scope, ServerId};
use super::requests::{Kind, Lacking, Lost, Requests, ServerCount, TooManyRequests, Waited};

/// When servers say that they are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rhythm {
    pub(crate) interval: Duration,
    pub(crate) max_silence: Duration,
    pub(crate) introduction: Duration,
}

#[derive(Debug)]
pub(crate) enum Input {
    /// The namespace was opened, with or without a bus.
    Opened {
        is_connected: bool,
    },
    /// How the bus is now.
    Bus {
        is_connected: bool,
    },
    Received(ClusterMessage),
    /// Read of the log that the servers share: one's own as well.
    Entry(EntryId, ClusterMessage),
    /// A second or so has passed, or the introduction is over. Early calls are harmless.
    Timeout,
}

/// What is to be done. `W` is who waits for the answers to a question.
#[derive(Debug)]
pub(crate) enum Output<W> {
    Publish(ClusterMessage),
    /// Another server wants something of ours. An answer goes to `from`.
    Apply {
        from: ServerId,
        body: ClusterBody,
    },
    /// Another server answers.
    Answer {
        waiter: W,
        from: ServerId,
        body: ClusterBody,
    },
    /// A server left that owed so many acknowledgements.
    Lost {
        waiter: W,
        acks: u64,
    },
    /// All have answered. To be dropped where wakers may run.
    Complete(W),
}

/// Whether the servers that are there have had the time to say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Introduction {
    /// The namespace is not open.
    Closed,
    /// There is no bus.
    Away,
    Until(Instant),
    /// They had, or the adapter knows.
    Over,
}

/// The machine. It is a server's seat in a cluster, for one namespace.
pub(crate) struct Node<W> {
    own: ServerId,
    scope: Scope,
    /// `None` when the adapter counts the servers.
    rhythm: Option<Rhythm>,
    introduction: Introduction,
    published_at: Instant,
    /// Higher than any of an earlier machine of the same server and namespace.
    next_number: u64,
    members: Members,
    /// The last that was read of the log.
    last_entry: EntryId,
    /// From which on all was read, or is known from elsewhere.
    known_from: Option<EntryId>,
    /// Whose messages were read there, one's own among them.
    written: Written,
    requests: Requests<W>,
    outputs: VecDeque<Output<W>>,
}

impl<W: Clone> Node<W> {
    pub(crate) fn new(
        now: Instant,
        own: ServerId,
        scope: Scope,
        rhythm: Option<Rhythm>,
        max_requests: usize,
        first_number: u64,
    ) -> Self {
        Self {
            own,
            scope,
            rhythm,
            introduction: match rhythm {
                Some(_) => Introduction::Closed,
                None => Introduction::Over,
            },
            published_at: now,
            next_number: first_number,
            members: Members::default(),
            last_entry: EntryId::FIRST,
            known_from: None,
            written: Written::default(),
            requests: Requests::new(max_requests),
            outputs: VecDeque::new(),
        }
    }

    pub(crate) fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Opened { is_connected } => self.introduce(now, is_connected),
            // It is told when it is opened.
            Input::Bus { .. } if self.introduction == Introduction::Closed => {}
            Input::Bus { is_connected } => self.introduce(now, is_connected),
            Input::Received(message) => self.receive(now, message),
            Input::Entry(id, message) => self.read(now, id, message),
            Input::Timeout => self.keep_time(now),
        }
    }

    /// Call until `None` after every input, every question, and what is expected of one.
    pub(crate) fn poll_output(&mut self) -> Option<Output<W>> {
        self.outputs.pop_front()
    }

    /// Puts one's own words into an envelope. They must be published: they count as a sign of life.
    pub(crate) fn publish(&mut self, now: Instant, body: ClusterBody) -> ClusterMessage {
        self.published_at = now;
        self.envelope(body)
    }

    fn envelope(&mut self, body: ClusterBody) -> ClusterMessage {
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        ClusterMessage::new(self.own.clone(), self.scope.clone(), body).with_number(number)
    }

    /// The same for the one server that asked, if it said who it is. It is no sign of life then: the others do not hear it.
    //= CLA-09
    pub(crate) fn answer(
        &mut self,
        now: Instant,
        asker: &ServerId,
        body: ClusterBody,
    ) -> ClusterMessage {
        if asker.is_anonymous() {
            return self.publish(now, body);
        }
        self.envelope(body).with_addressee(asker.clone())
    }

    /// When the introduction is over, to come back then with [`Input::Timeout`].
    pub(crate) const fn introduction_ends(&self) -> Option<Instant> {
        match self.introduction {
            Introduction::Until(end) => Some(end),
            Introduction::Closed | Introduction::Away | Introduction::Over => None,
        }
    }

    /// Says hello, where that is heard.
    //= CLA-06
    fn introduce(&mut self, now: Instant, is_connected: bool) {
        let Some(rhythm) = self.rhythm else { return };
        if !is_connected {
            self.introduction = Introduction::Away;
            return;
        }
        self.say(now, ClusterBody::InitialHeartbeat);
        // One whose end the clock cannot tell is none.
        let end = now.checked_add(rhythm.introduction).unwrap_or(now);
        self.introduction = Introduction::Until(end);
        self.end_introduction(now);
    }

    fn end_introduction(&mut self, now: Instant) {
        if self.introduction_ends().is_none_or(|end| end > now) {
            return;
        }
        self.introduction = Introduction::Over;
        for request in self.requests.introduced() {
            self.settle(&request);
        }
    }

    /// Opens a question to every server known now, or to as many as [`expect`](Self::expect) will say. True if it is complete, as
    /// nobody is there.
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        request: &RequestId,
        kind: Kind,
        waiter: W,
    ) -> Result<bool, TooManyRequests> {
        self.end_introduction(now);
        let waited = match self.rhythm {
            Some(_) => Waited::Known {
                servers: self.members.ids().cloned().collect(),
                are_all: self.introduction == Introduction::Over,
            },
            None => Waited::UNKNOWN,
        };
        self.requests.open(request, kind, waited, waiter)?;
        Ok(self.settle(request))
    }

    /// How many other servers will answer.
    pub(crate) fn expect(&mut self, request: &RequestId, others: ServerCount) {
        self.requests.expect(request, others);
        self.settle(request);
    }

    /// Gives a question up: who waited, to be dropped where wakers may run, and what was lacking. `None` when it was
    /// complete.
    pub(crate) fn forget(&mut self, request: &RequestId) -> Option<(W, Lacking)> {
        self.requests.close(request)
    }

    /// How many servers are known by their signs of life, this one included.
    pub(crate) fn server_count(&self, now: Instant) -> ServerCount {
        let count = self.members.ids().count().saturating_add(1);
        match self.introduction {
            Introduction::Over => ServerCount::Exactly(count),
            Introduction::Until(end) if end <= now => ServerCount::Exactly(count),
            _ => ServerCount::AtLeast(count),
        }
    }

    /// The log is heard from elsewhere on.
    pub(crate) fn begin_log(&mut self) {
        self.known_from = None;
    }

    /// Whether all is known that was written behind an entry, so that what is written again is told from it.
    pub(crate) fn knows_from(&self, entry: EntryId) -> bool {
        self.known_from.is_some_and(|from| from <= entry)
    }

    /// Notes what was written from `from` up to `end`. What of it went by unread is not behind `passed`. False if one of those
    /// was written again and that read here, maybe behind `end`: then it has to be looked at as well.
    pub(crate) fn note_written<'a>(
        &mut self,
        (from, end, passed): (EntryId, EntryId, EntryId),
        entries: impl IntoIterator<Item = (EntryId, &'a ServerId, u64)>,
    ) -> bool {
        let is_unread = |id: EntryId| self.known_from.map_or(id <= passed, |known| id < known);
        let mut has_repeat = false;
        for (_, sender, number) in entries.into_iter().filter(|(id, ..)| is_unread(*id)) {
            has_repeat |= self.written.hear(sender, number).is_repeat();
        }
        let is_whole = !has_repeat || self.last_entry <= end;
        if is_whole {
            self.known_from = Some(self.known_from.map_or(from, |known| known.min(from)));
        }
        is_whole
    }

    fn read(&mut self, now: Instant, id: EntryId, message: ClusterMessage) {
        if id <= self.last_entry || message.scope != self.scope {
            return;
        }
        self.last_entry = id;
        self.known_from.get_or_insert(id);
        // A bus that was in doubt may have written it twice.
        //= CLA-05
        let number = message.number.filter(|_| message.uid.is_server());
        if number.is_some_and(|number| self.written.hear(&message.uid, number).is_repeat()) {
            return;
        }
        if message.uid == self.own {
            // Nothing else of one's own waits for being read back.
            if message.is_kept() {
                let ClusterMessage { uid, body, .. } = message;
                self.outputs.push_back(Output::Apply { from: uid, body });
            }
        } else if !self.is_for_others(&message) {
            if message.uid.is_server() && !self.written.has_left(&message.uid) {
                self.members.is_alive(now, &message.uid);
            }
            self.act(now, message.uid, message.body);
        }
    }

    //= CLA-09
    fn is_for_others(&self, message: &ClusterMessage) -> bool {
        message.to.as_ref().is_some_and(|to| *to != self.own)
    }

    fn receive(&mut self, now: Instant, message: ClusterMessage) {
        //= CLA-02
        if message.uid == self.own || message.scope != self.scope || self.is_for_others(&message) {
            return;
        }
        let ClusterMessage {
            uid, body, number, ..
        } = message;
        //= CLA-05
        if uid.is_server() && self.members.hear(now, &uid, number).is_repeat() {
            return;
        }
        self.act(now, uid, body);
    }

    fn act(&mut self, now: Instant, uid: ServerId, body: ClusterBody) {
        if matches!(body, ClusterBody::InitialHeartbeat) {
            self.written.set_left(&uid, false);
        }
        match body {
            //= CLA-06
            ClusterBody::InitialHeartbeat if self.rhythm.is_some() => {
                let answer = self.answer(now, &uid, ClusterBody::Heartbeat);
                self.outputs.push_back(Output::Publish(answer));
            }
            // It was there when it was asked: it answers who has just come, and others do not hear that, but where a bus has no
            // addressees.
            ClusterBody::Heartbeat if uid.is_server() => self.requests.met(&uid),
            ClusterBody::InitialHeartbeat | ClusterBody::Heartbeat => {}
            ClusterBody::AdapterClose if uid.is_server() => {
                self.members.remove(&uid);
                self.written.set_left(&uid, true);
                self.has_left(&uid);
            }
            ClusterBody::AdapterClose => {}
            body if body.answered().is_some() => self.answered(uid, body),
            // Nobody is there to hear an answer.
            //= EMT-01
            body if uid.is_emitter() => {
                let unasked = body.without_question();
                let apply = unasked.map(|body| Output::Apply { from: uid, body });
                self.outputs.extend(apply);
            }
            body => self.outputs.push_back(Output::Apply { from: uid, body }),
        }
    }

    fn answered(&mut self, from: ServerId, body: ClusterBody) {
        if from.is_emitter() {
            return;
        }
        let Some((request, waiter)) = self.requests.answer(&from, &body) else {
            return;
        };
        self.outputs
            .push_back(Output::Answer { waiter, from, body });
        self.settle(&request);
    }

    //= CLA-06
    fn keep_time(&mut self, now: Instant) {
        let Some(rhythm) = self.rhythm else {
            return;
        };
        self.end_introduction(now);
        if now.saturating_duration_since(self.published_at) >= rhythm.interval {
            self.say(now, ClusterBody::Heartbeat);
        }
        for silent in self.members.take_silent(now, rhythm.max_silence) {
            self.has_left(&silent);
        }
    }

    fn has_left(&mut self, server: &ServerId) {
        for (request, lost) in self.requests.has_left(server) {
            if let Some(lost) = lost {
                self.tell_lost(server, &request, lost);
            }
            self.settle(&request);
        }
    }

    fn tell_lost(&mut self, server: &ServerId, request: &RequestId, lost: Lost<W>) {
        let Lost {
            waiter,
            unannounced,
            acks,
        } = lost;
        if acks > 0 {
            self.outputs.push_back(Output::Lost { waiter, acks });
        } else if unannounced > 0 {
            // So many clients there were at least.
            self.outputs.push_back(Output::Answer {
                waiter,
                from: server.clone(),
                body: ClusterBody::BroadcastClientCount {
                    request_id: request.clone(),
                    client_count: unannounced,
                },
            });
        }
    }

    /// Closes a question that is complete. True if it was.
    fn settle(&mut self, request: &RequestId) -> bool {
        if self.requests.is_complete(request)
            && let Some((waiter, _)) = self.requests.close(request)
        {
            self.outputs.push_back(Output::Complete(waiter));
            return true;
        }
        false
    }

    fn say(&mut self, now: Instant, body: ClusterBody) {
        let message = self.publish(now, body);
        self.outputs.push_back(Output::Publish(message));
    }
}
