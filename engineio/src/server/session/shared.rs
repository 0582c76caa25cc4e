//! One session as the shell holds it: the pure machine behind a lock, and the wakers of whoever waits for it.
//!
//! What follows from an input is collected under the lock and done after it is released, so that no user code, no
//! system call and no other lock happens under it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

use super::aftermath::{Aftermath, Reply};
use super::batch::Batch;
use super::connection::Connection;
use super::handler::{Flow, Handler};
use super::requests::{Parked, Parking, Requests};
use super::turn::{Owed, Turn};
use crate::lock::{Lock, MutexGuard};
use crate::message::Message;
use crate::moment::Moment;
use crate::packet::Protocol;
use crate::proto::close_reason::CloseReason;
use crate::proto::deadlines::DeadlineKey;
use crate::proto::event::{Input, Output, Received};
use crate::proto::outbox::Outbox;
use crate::proto::session::Session;
use crate::send_options::OverflowPolicy;
use crate::server::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use crate::server::clock;
use crate::server::hub::Hub;
use crate::server::hub::alarm::Due;
use crate::server::hub::registry::Identified;
use crate::server::stream::form::FrameForm;
use crate::server::stream::writer::WriterSlot;
use crate::session_id::SessionId;
use crate::trace;
use crate::transport::Transport;

/// What the WebSocket task has to look at when it is woken for another reason than readability.
pub(crate) mod signal {
    /// A write was cut short; wait for writability and go on.
    pub(crate) const BLOCKED: u8 = 1;
    /// Write what waits, then the close frame.
    pub(crate) const FINISH: u8 = 2;
    /// End now.
    pub(crate) const ABORT: u8 = 4;
    /// The candidate is refused or no longer wanted.
    pub(crate) const DROP_CANDIDATE: u8 = 8;
    /// The candidate is the transport.
    pub(crate) const UPGRADED: u8 = 16;
    /// A paused handler reads on.
    pub(crate) const RESUME: u8 = 32;
    /// A write failed.
    pub(crate) const FAILED: u8 = 64;
}

pub(crate) struct Inner {
    pub(crate) session: Session,
    deadline: Option<DeadlineKey>,
    /// When the application wants to be called.
    wake_at: Option<Moment>,
    /// Of the WebSocket that is the transport.
    pub(crate) writer: WriterSlot,
    /// The task of the WebSocket, or of the candidate.
    pub(crate) task: Option<Waker>,
    /// In a box of their own, for a WebSocket has none.
    requests: Option<Box<Requests>>,
    pub(crate) form: FrameForm,
    /// Binary leaves as base64 over polling.
    pub(crate) polls_base64: bool,
    pub(crate) turn: Turn,
    is_post_destroyed: bool,
    is_paused: bool,
    /// The handler was told that the queue has passed its high watermark.
    pub(crate) is_slow: bool,
    /// What was sent while the handler runs, in messages and bytes: counted when it returns.
    pub(crate) sent: (usize, usize),
    /// Who waits for the queue to be below it.
    pub(crate) ready: Option<Box<Waiters>>,
}

/// Who waits for a client's queue; in a box of their own, for there are seldom any.
#[derive(Debug, Default)]
pub(crate) struct Waiters(pub(crate) Vec<Waker>);

/// A hub as the engine has it.
pub(crate) type HubOf<D> = Hub<Arc<dyn Handler<Data = D>>, Shared<D>>;

pub(crate) struct Shared<D> {
    pub(crate) hub: Arc<HubOf<D>>,
    inner: Lock<Inner>,
    pub(crate) data: D,
    pub(crate) peer: Option<SocketAddr>,
    id: SessionId,
    signals: AtomicU8,
    /// The session is not open any more; spares whoever reads the lock.
    is_over: AtomicBool,
    /// The mark of the first `Origin` seen, zero before that.
    origin: AtomicU64,
    pub(crate) protocol: Protocol,
    pub(crate) jsonp: Option<Box<str>>,
}

/// The facts of a handshake that a new session is made of.
pub(crate) struct Opening {
    pub(crate) id: SessionId,
    pub(crate) protocol: Protocol,
    pub(crate) transport: Transport,
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) is_base64: bool,
    pub(crate) jsonp: Option<Box<str>>,
}

impl<D: Send + Sync + 'static> Shared<D> {
    pub(crate) fn new(hub: Arc<HubOf<D>>, now: Instant, opening: Opening, data: D) -> Self {
        let config = &hub.config;
        let outbox = Outbox::new(
            config.max_queued_bytes,
            config.overflow == OverflowPolicy::DropOldest,
        );
        let session = Session::new(
            now,
            opening.protocol,
            opening.transport,
            Arc::clone(&hub.timing),
            config.allow_upgrades && config.websocket,
            outbox,
        );
        Self {
            inner: Lock::new(Inner {
                session,
                deadline: None,
                wake_at: None,
                writer: WriterSlot::Absent,
                task: None,
                requests: None,
                form: FrameForm::new(opening.protocol, opening.is_base64, None),
                polls_base64: opening.is_base64,
                turn: Turn::taken(),
                is_post_destroyed: false,
                is_paused: false,
                is_slow: false,
                sent: (0, 0),
                ready: None,
            }),
            hub,
            data,
            peer: opening.peer,
            id: opening.id,
            signals: AtomicU8::new(0),
            is_over: AtomicBool::new(false),
            origin: AtomicU64::new(0),
            protocol: opening.protocol,
            jsonp: opening.jsonp,
        }
    }

    #[cfg_attr(test, track_caller)]
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    pub(crate) fn id(&self) -> SessionId {
        self.id
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn take_signals(&self) -> u8 {
        if self.signals.load(Ordering::Acquire) == 0 {
            return 0;
        }
        self.signals.swap(0, Ordering::AcqRel)
    }

    pub(crate) fn raise(&self, signal: u8) {
        self.signals.fetch_or(signal, Ordering::AcqRel);
    }

    pub(crate) fn set_task(&self, waker: Waker) {
        self.lock().task = Some(waker);
    }

    /// Feeds one input and does what follows.
    pub(crate) fn handle(self: &Arc<Self>, now: Instant, input: Input) -> Reply {
        let mut inner = self.lock();
        let (reply, after) = self.feed(&mut inner, now, input);
        drop(inner);
        self.run(after);
        reply
    }

    /// Feeds one input under the lock, and collects what is to be done without it.
    pub(crate) fn feed(&self, inner: &mut Inner, now: Instant, input: Input) -> (Reply, Aftermath) {
        let (mut reply, mut after) = (Reply::Nothing, Aftermath::default());
        inner.session.handle_input(now, input);
        while let Some(output) = inner.session.poll_output() {
            self.collect(inner, input, output, &mut reply, &mut after);
        }
        if !inner.session.is_open() {
            self.is_over.store(true, Ordering::Release);
        }
        // One that is refused must not save the one that it destroyed, or that another has.
        if input == Input::PostArrived && !reply.is_refused() {
            inner.is_post_destroyed = false;
        }
        (reply, after)
    }

    fn collect(
        &self,
        inner: &mut Inner,
        input: Input,
        output: Output,
        reply: &mut Reply,
        after: &mut Aftermath,
    ) {
        match output {
            Output::Deliver => reply.say(Reply::Deliver),
            Output::AnswerPoll(answer) => {
                let body = inner.poll_body(answer);
                match inner.take_parked() {
                    // A receiver that is gone has reported, or is about to report, its own end.
                    Some(parked) => drop(parked.reply.send(body)),
                    None => reply.say(Reply::Poll(body)),
                }
                after.settle = true;
            }
            Output::RefusePoll | Output::RefusePost => reply.say(Reply::Refused),
            Output::DestroyPost => {
                inner.is_post_destroyed = true;
                after.wake_post = inner.take_post();
            }
            Output::AnswerProbe => reply.say(Reply::ProbeAnswered),
            Output::Upgrading => {}
            Output::CloseCandidate if input == Input::CandidateAttached => {
                reply.say(Reply::Refused);
            }
            Output::CloseCandidate => self.signal(inner, signal::DROP_CANDIDATE, after),
            Output::Upgraded => {
                self.hub.counters.websocket_attached();
                self.signal(inner, signal::UPGRADED, after);
            }
            Output::Flush => after.flush = true,
            Output::FinishWebSocket => self.signal(inner, signal::FINISH, after),
            Output::AbortWebSocket => self.signal(inner, signal::ABORT, after),
            Output::Closed(reason) => {
                after.closed = Some(reason);
                // A POST that waits for a paused handler has nothing more to hand over.
                if inner.is_paused {
                    after.wake_post = after.wake_post.take().or_else(|| inner.take_post());
                }
            }
            Output::Gone => after.gone = true,
        }
    }

    fn signal(&self, inner: &Inner, signal: u8, after: &mut Aftermath) {
        self.raise(signal);
        after.wake.clone_from(&inner.task);
    }

    /// Does what an input asked for, outside the lock.
    pub(crate) fn run(self: &Arc<Self>, after: Aftermath) {
        if after.flush {
            self.flush();
        }
        let tasks = after.wake.into_iter().chain(after.wake_post);
        tasks.for_each(Waker::wake);
        if after.settle || after.closed.is_some() {
            self.settle(self.lock());
        }
        if let Some(reason) = after.closed {
            trace::debug!(reason = reason.as_str(), "a session closed");
            self.hub.counters.closed(reason);
            self.tell_closed(reason);
        }
        if after.gone {
            self.forget();
        } else {
            self.schedule();
        }
    }

    /// Tells the application, now or when the handler that is running has returned.
    fn tell_closed(self: &Arc<Self>, reason: CloseReason) {
        if self.lock().turn.take_to_close(reason) {
            self.call_closed(reason);
            // Nothing is sent or told after a close.
            let mut inner = self.lock();
            if inner.turn.end() {
                let waiting = inner.take_waiting();
                drop(inner);
                waiting.into_iter().flatten().for_each(Waker::wake);
            }
        }
    }

    fn call_closed(self: &Arc<Self>, reason: CloseReason) {
        let connection = Connection(Arc::clone(self));
        self.hub
            .guard(|handler| handler.on_close(&connection, reason));
    }

    fn call_deadline(self: &Arc<Self>) {
        let connection = Connection(Arc::clone(self));
        self.tell(|handler| handler.on_deadline(&connection));
    }

    /// Leaves the tables of the hub.
    pub(crate) fn forget(&self) {
        let mut inner = self.lock();
        let transport = inner.session.transport();
        let deadline = inner.deadline.take();
        drop(inner);
        if let Some(key) = deadline {
            self.hub.alarm.remove(key);
        }
        if self.hub.registry.remove(&self.id) {
            self.hub.registry.release(self.peer.map(|peer| peer.ip()));
            if transport == Transport::WebSocket {
                self.hub.counters.websocket_gone();
            }
        }
    }

    /// False when the request comes from another origin than one before it. A request without
    /// an origin passes: browsers leave it out when they read from their own.
    pub(crate) fn is_origin_bound(&self, origin: Option<&[u8]>) -> bool {
        let Some(origin) = origin else { return true };
        match self.origin.load(Ordering::Acquire) {
            0 => true,
            bound => bound == self.hub.mark(origin),
        }
    }

    /// Remembers the first origin; false when another request was first with another.
    pub(crate) fn bind_origin(&self, origin: Option<&[u8]>) -> bool {
        let Some(origin) = origin else { return true };
        let mark = self.hub.mark(origin);
        match self
            .origin
            .compare_exchange(0, mark, Ordering::AcqRel, Ordering::Acquire)
        {
            Ok(_) => true,
            Err(bound) => bound == mark,
        }
    }

    /// Has every later request carry a cookie.
    pub(crate) fn bind_cookie(&self, value: &[u8]) {
        let mark = self.hub.mark(value);
        self.lock().requests.get_or_insert_default().cookie_mark = Some(mark);
    }

    /// Whether a request carries the cookie of the session. One that is not on polling, and has none, is asked for nothing
    /// more.
    pub(crate) fn has_cookie(&self, value: Option<&[u8]>) -> bool {
        let inner = self.lock();
        let bound = inner.requests.as_ref().and_then(|of| of.cookie_mark);
        bound.is_some() && bound == value.map(|value| self.hub.mark(value))
    }

    /// Enters the next deadline if it is earlier than the one entered.
    pub(crate) fn schedule(self: &Arc<Self>) {
        let mut inner = self.lock();
        let Some(at) = inner.next_deadline() else {
            return;
        };
        match inner.deadline {
            Some(entered) if entered.at() <= at => {}
            entered => {
                let key = self.hub.alarm.enter(entered, at, Arc::clone(self));
                inner.deadline = Some(key);
            }
        }
    }

    /// The entered deadline has come up.
    fn handle_deadline(self: &Arc<Self>, now: Instant) {
        let mut inner = self.lock();
        inner.deadline = None;
        let is_ours = inner
            .wake_at
            .take_if(|at| Instant::from(*at) <= now)
            .is_some()
            && inner.session.is_open()
            && inner.turn.take_when_due();
        let is_due = inner
            .session
            .deadline()
            .is_some_and(|at| Instant::from(at) <= now);
        let after = if is_due {
            self.feed(&mut inner, now, Input::Timeout).1
        } else {
            Aftermath::default()
        };
        drop(inner);
        self.run(after);
        if is_ours {
            // Unless the session was closed by what else was due.
            if self.lock().session.is_open() {
                self.call_deadline();
            }
            self.end_turn(now);
        }
    }

    /// Takes the turn to call the handler, and makes what it sends wait until [`Shared::end_turn`]. False when it is taken.
    pub(crate) fn begin_turn(&self) -> bool {
        self.lock().turn.take()
    }

    /// The same for the task of the WebSocket, which is woken once the turn is free.
    pub(crate) fn begin_turn_or_await(&self) -> bool {
        self.lock().turn.take_or_await()
    }

    /// The same for a POST.
    pub(crate) fn poll_turn(&self, waker: &Waker) -> Poll<()> {
        let mut inner = self.lock();
        if inner.turn.take_or_await() {
            return Poll::Ready(());
        }
        inner.requests.get_or_insert_default().post = Some(waker.clone());
        Poll::Pending
    }

    /// Gives the turn back, after telling what came up meanwhile; sends what the handlers sent, in one write.
    pub(crate) fn end_turn(self: &Arc<Self>, now: Instant) {
        let mut inner = self.lock();
        while let Some(owed) = inner.turn.take_owed() {
            match owed {
                Owed::Closed(reason) => {
                    // What was sent before the end need not wait for what the application does about it.
                    self.flush_with(inner);
                    self.call_closed(reason);
                }
                Owed::Deadline if inner.session.is_open() => {
                    drop(inner);
                    self.call_deadline();
                }
                Owed::Deadline => continue,
            }
            inner = self.lock();
        }
        if !inner.turn.end() {
            return self.flush_turn(inner, now);
        }
        let waiting = inner.take_waiting();
        self.flush_turn(inner, now);
        waiting.into_iter().flatten().for_each(Waker::wake);
    }

    /// Has leave what was only queued, unless it leaves at the end of a turn.
    pub(super) fn flush_queued(self: &Arc<Self>) {
        let inner = self.lock();
        if !inner.turn.is_taken() {
            self.flush_turn(inner, clock::now());
        }
    }

    fn flush_turn(self: &Arc<Self>, mut inner: MutexGuard<'_, Inner>, now: Instant) {
        let (messages, bytes) = std::mem::take(&mut inner.sent);
        if messages > 0 {
            self.hub.counters.sent(messages, bytes);
        }
        let is_websocket = inner.session.transport() == Transport::WebSocket;
        if is_websocket {
            self.flush_with(inner);
        } else if inner.session.outbox.is_empty() {
            self.settle(inner);
        } else {
            self.answer_poll(inner, now);
        }
    }

    /// Feeds one packet and hands it to the application if it is a message. Only between `begin_turn` and
    /// `end_turn`.
    pub(crate) fn receive(
        self: &Arc<Self>,
        connection: &Connection<D>,
        batch: &mut Batch,
        received: Received,
        message: Option<Message<'_>>,
    ) -> Flow {
        if let Some(message) = message
            && batch.has_message
            && self.is_open()
        {
            return self.deliver(connection, message);
        }
        let mut inner = self.lock();
        let (reply, after) = self.feed(&mut inner, batch.read_at, Input::Packet(received));
        // The wrong one of the two closes the session.
        let is_heartbeat =
            matches!(received, Received::Ping | Received::Pong) && inner.session.is_open();
        drop(inner);
        match message {
            Some(message) if matches!(reply, Reply::Deliver) => {
                batch.has_message = true;
                self.deliver(connection, message)
            }
            _ => {
                self.run(after);
                if is_heartbeat {
                    self.tell(|handler| handler.on_heartbeat(connection));
                }
                Flow::Continue
            }
        }
    }

    pub(crate) fn has_signal(&self, signal: u8) -> bool {
        self.signals.load(Ordering::Acquire) & signal != 0
    }

    /// The candidate's stream failed.
    pub(crate) fn fail_candidate(&self) {
        self.raise(signal::FAILED);
    }

    /// The candidate's task ends; what was asked of it is not asked of the next.
    pub(crate) fn detach_candidate(&self) {
        self.lock().task = None;
        self.signals.store(0, Ordering::Release);
    }

    /// True until the session is closed by either side. Without the lock, and so perhaps a moment late.
    pub(crate) fn is_open(&self) -> bool {
        !self.is_over.load(Ordering::Acquire)
    }

    /// Hands one message to the application. Only between `begin_turn` and `end_turn`.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        connection: &Connection<D>,
        message: Message<'_>,
    ) -> Flow {
        let mut flow = Flow::Continue;
        self.tell(|handler| flow = handler.on_message(connection, message));
        if flow == Flow::Pause {
            let mut inner = self.lock();
            if inner.turn.take_resumed() {
                return Flow::Continue;
            }
            inner.is_paused = true;
        }
        flow
    }

    /// Calls the application. A panic there ends the session, and no other.
    pub(crate) fn tell(self: &Arc<Self>, call: impl FnOnce(&dyn Handler<Data = D>)) {
        if !self.hub.guard(|handler| call(&**handler)) {
            self.handle(clock::now(), Input::Discard);
        }
    }

    /// Reads on after a handler paused.
    pub(crate) fn resume(&self) {
        let mut inner = self.lock();
        if !std::mem::take(&mut inner.is_paused) {
            inner.turn.note_resumed();
        }
        self.raise(signal::RESUME);
        let (task, post) = (inner.task.clone(), inner.take_post());
        drop(inner);
        task.into_iter().chain(post).for_each(Waker::wake);
    }

    /// Has the handler called at `at`.
    pub(crate) fn wake_at(self: &Arc<Self>, at: Option<Instant>) {
        let mut inner = self.lock();
        inner.wake_at = at.map(Moment::from);
        inner.turn.call_off_deadline();
        drop(inner);
        self.schedule();
    }

    /// Has the handler called at `at`, unless it is to be called earlier.
    pub(crate) fn wake_by(self: &Arc<Self>, at: Instant) {
        let mut inner = self.lock();
        if inner
            .wake_at
            .is_some_and(|earlier| Instant::from(earlier) <= at)
        {
            return;
        }
        inner.wake_at = Some(at.into());
        drop(inner);
        self.schedule();
    }

    pub(crate) fn is_paused(&self) -> bool {
        self.lock().is_paused
    }

    /// The connection of a parked GET went away.
    pub(crate) fn unpark(self: &Arc<Self>, token: u32) {
        let mut inner = self.lock();
        let Some(requests) = &mut inner.requests else {
            return;
        };
        if requests.poll.take_if(|poll| poll.token == token).is_none() {
            return;
        }
        let now = clock::now();
        let (_, after) = self.feed(&mut inner, now, Input::PollDropped);
        drop(inner);
        self.run(after);
    }

    /// True when the POST being read is to end without an answer; else remembers whom to wake.
    pub(crate) fn poll_post_destroyed(&self, waker: &Waker) -> bool {
        let mut inner = self.lock();
        if inner.is_post_destroyed {
            return true;
        }
        inner.requests.get_or_insert_default().post = Some(waker.clone());
        false
    }

    /// Waits until a paused handler reads on, for a POST.
    pub(crate) fn poll_resumed(&self, waker: &Waker) -> bool {
        let mut inner = self.lock();
        if !inner.is_paused || !inner.session.is_open() {
            return true;
        }
        inner.requests.get_or_insert_default().post = Some(waker.clone());
        false
    }
}

impl<D> Identified for Shared<D> {
    fn id(&self) -> SessionId {
        self.id
    }
}

impl<D: Send + Sync + 'static> Due for Shared<D> {
    fn due(self: Arc<Self>, now: Instant) {
        self.handle_deadline(now);
    }
}

impl Inner {
    /// True while what is sent waits for the end of a turn, to leave in one write. Nothing is sent once the session is
    /// closed, so there is nothing to wait for either.
    pub(crate) fn is_held(&self) -> bool {
        self.turn.is_taken() && self.session.is_open()
    }

    /// Who may wait for the turn.
    fn take_waiting(&mut self) -> [Option<Waker>; 2] {
        [self.task.clone(), self.take_post()]
    }

    fn next_deadline(&self) -> Option<Moment> {
        let protocol = self.session.deadline()?;
        // A closed session calls nobody: a deadline kept for it would be due for ever.
        let application = self.wake_at.filter(|_| self.session.is_open());
        Some(application.map_or(protocol, |at| at.min(protocol)))
    }

    /// Parks a GET that was not answered at once.
    pub(crate) fn park(&mut self) -> Parking {
        self.requests.get_or_insert_default().park()
    }

    fn take_parked(&mut self) -> Option<Parked> {
        self.requests.as_mut()?.poll.take()
    }

    fn take_post(&mut self) -> Option<Waker> {
        self.requests.as_mut()?.post.take()
    }

    /// The session is on its WebSocket: the switch waits for a POST, and answers a GET (EIO4-UPG-06).
    pub(crate) fn leave_polling(&mut self) {
        self.requests = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::server::session::testing::opened;

    const NONE: [&str; 0] = [];

    #[tokio::test]
    async fn a_deadline_that_comes_up_during_a_turn_is_told_when_it_ends() {
        let (shared, told) = opened(Transport::WebSocket);
        let at = clock::now() + Duration::from_secs(1);
        shared.wake_at(Some(at));
        assert!(shared.begin_turn());
        Arc::clone(&shared).due(at);
        assert_eq!(told.take(), NONE, "the calls of a session are serial");
        shared.end_turn(at);
        assert_eq!(told.take(), ["deadline"]);
        Arc::clone(&shared).due(at);
        assert_eq!(told.take(), NONE, "told once");
        assert!(shared.begin_turn(), "the turn was given back");
    }

    #[tokio::test]
    async fn a_deadline_between_turns_is_told_at_once_and_its_turn_ends() {
        let (shared, told) = opened(Transport::WebSocket);
        let at = clock::now() + Duration::from_secs(1);
        shared.wake_at(Some(at));
        Arc::clone(&shared).due(at);
        assert_eq!(told.take(), ["deadline"]);
        assert!(shared.begin_turn());
    }

    #[tokio::test]
    async fn a_deadline_that_is_put_off_during_a_turn_is_not_told() {
        let (shared, told) = opened(Transport::WebSocket);
        let at = clock::now() + Duration::from_secs(1);
        shared.wake_at(Some(at));
        assert!(shared.begin_turn());
        Arc::clone(&shared).due(at);
        shared.wake_at(None);
        shared.end_turn(at);
        assert_eq!(told.take(), NONE);
    }

    #[tokio::test]
    async fn the_earliest_of_two_deadlines_holds_whoever_is_last() {
        let (shared, told) = opened(Transport::WebSocket);
        let early = clock::now() + Duration::from_secs(1);
        shared.wake_by(early + Duration::from_secs(1));
        shared.wake_by(early);
        shared.wake_by(early + Duration::from_secs(1));
        Arc::clone(&shared).due(early);
        assert_eq!(told.take(), ["deadline"]);
    }

    #[tokio::test]
    async fn a_close_during_a_turn_is_told_when_it_ends_and_nothing_after_it() {
        let (shared, told) = opened(Transport::WebSocket);
        let at = clock::now() + Duration::from_secs(1);
        shared.wake_at(Some(at));
        assert!(shared.begin_turn());
        Arc::clone(&shared).due(at);
        shared.handle(at, Input::WebSocketClosed);
        assert_eq!(told.take(), NONE);
        shared.end_turn(at);
        assert_eq!(told.take(), ["close"]);
        assert!(shared.begin_turn());
        shared.end_turn(at);
        assert_eq!(told.take(), NONE);
    }
}
