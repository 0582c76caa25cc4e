//! One session as the shell holds it: the pure machine behind a lock, and the wakers of whoever waits for it.
//!
//! Effects of an input are collected under the lock and run after it is released, so that no user code, no
//! system call and no other lock happens under it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard, OnceLock};
use std::task::Waker;
use std::time::Instant;

use super::batch::Batch;
use super::connection::Connection;
use super::handler::{Flow, Handler};
use super::requests::{Parked, Parking, PollBody, Requests};
use crate::message::Message;
use crate::packet::Protocol;
use crate::proto::close_reason::CloseReason;
use crate::proto::deadlines::DeadlineKey;
use crate::proto::event::{Input, Output, Received};
use crate::proto::outbox::Outbox;
use crate::proto::session::Session;
use crate::proto::transport::Transport;
use crate::send_options::OverflowPolicy;
use crate::server::clock;
use crate::server::hub::Hub;
use crate::server::hub::alarm::Due;
use crate::server::lock::Lock;
use crate::server::stream::form::FrameForm;
use crate::server::stream::writer::WriterSlot;
use crate::session_id::SessionId;
use crate::trace;

/// How soon the application's own deadline is tried again when a handler was running.
const DISPATCH_RETRY: std::time::Duration = std::time::Duration::from_millis(1);

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
    wake_at: Option<Instant>,
    /// Of the WebSocket that is the transport.
    pub(crate) writer: WriterSlot,
    /// The task of the WebSocket, or of the candidate.
    pub(crate) task: Option<Waker>,
    /// In a box of their own, for a WebSocket has none.
    requests: Option<Box<Requests>>,
    pending_close: Option<CloseReason>,
    pub(crate) form: FrameForm,
    /// Binary leaves as base64 over polling.
    pub(crate) polls_base64: bool,
    pub(crate) is_dispatching: bool,
    is_post_destroyed: bool,
    is_paused: bool,
    is_resumed_early: bool,
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

/// What is left to do once the lock is released.
#[derive(Default)]
pub(crate) struct Effects {
    pub(crate) is_deliverable: bool,
    pub(crate) is_poll_refused: bool,
    pub(crate) is_post_refused: bool,
    pub(crate) is_candidate_refused: bool,
    pub(crate) is_probe_answered: bool,
    /// The answer for the GET that just arrived.
    pub(crate) poll: Option<PollBody>,
    flush: bool,
    is_queue_taken: bool,
    closed: Option<CloseReason>,
    is_gone: bool,
    wake: Option<Waker>,
    wake_post: Option<Waker>,
}

/// A hub as the engine has it.
pub(crate) type HubOf<D> = Hub<Arc<dyn Handler<Data = D>>, Shared<D>>;

pub(crate) struct Shared<D> {
    pub(crate) hub: Arc<HubOf<D>>,
    inner: Lock<Inner>,
    pub(crate) data: OnceLock<D>,
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
    pub(crate) fn new(hub: Arc<HubOf<D>>, now: Instant, opening: Opening) -> Self {
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
                pending_close: None,
                form: FrameForm::new(opening.protocol, opening.is_base64, None),
                polls_base64: opening.is_base64,
                // Until the handler has been told of the session, nothing else may be told.
                is_dispatching: true,
                is_post_destroyed: false,
                is_paused: false,
                is_resumed_early: false,
                is_slow: false,
                sent: (0, 0),
                ready: None,
            }),
            hub,
            data: OnceLock::new(),
            peer: opening.peer,
            id: opening.id,
            signals: AtomicU8::new(0),
            is_over: AtomicBool::new(false),
            origin: AtomicU64::new(0),
            protocol: opening.protocol,
            jsonp: opening.jsonp,
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    pub(crate) fn id(&self) -> SessionId {
        self.id
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn set_data(&self, data: D) {
        let _ = self.data.set(data);
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
    pub(crate) fn handle(self: &Arc<Self>, now: Instant, input: Input) -> Effects {
        let mut inner = self.lock();
        let mut effects = self.feed(&mut inner, now, input);
        drop(inner);
        self.run(&mut effects);
        effects
    }

    /// Feeds one input under the lock and collects what is to be done without it.
    pub(crate) fn feed(&self, inner: &mut Inner, now: Instant, input: Input) -> Effects {
        let mut effects = Effects::default();
        inner.session.handle_input(now, input);
        while let Some(output) = inner.session.poll_output() {
            self.collect(inner, input, output, &mut effects);
        }
        if !inner.session.is_open() {
            self.is_over.store(true, Ordering::Release);
        }
        // One that is refused must not save the one that it destroyed, or that another has.
        if input == Input::PostArrived && !effects.is_post_refused {
            inner.is_post_destroyed = false;
        }
        effects
    }

    fn collect(&self, inner: &mut Inner, input: Input, output: Output, effects: &mut Effects) {
        match output {
            Output::Deliver => effects.is_deliverable = true,
            Output::AnswerPoll(answer) => {
                let body = inner.poll_body(answer);
                match inner.take_parked() {
                    // A receiver that is gone has reported, or is about to report, its own end.
                    Some(parked) => drop(parked.reply.send(body)),
                    None => effects.poll = Some(body),
                }
                effects.is_queue_taken = true;
            }
            Output::RefusePoll => effects.is_poll_refused = true,
            Output::RefusePost => effects.is_post_refused = true,
            Output::DestroyPost => {
                inner.is_post_destroyed = true;
                effects.wake_post = inner.take_post();
            }
            Output::AnswerProbe => effects.is_probe_answered = true,
            Output::Upgrading => {}
            Output::CloseCandidate if input == Input::CandidateAttached => {
                effects.is_candidate_refused = true;
            }
            Output::CloseCandidate => self.signal(inner, signal::DROP_CANDIDATE, effects),
            Output::Upgraded => {
                self.hub.counters.websocket_attached();
                self.signal(inner, signal::UPGRADED, effects);
            }
            Output::Flush => effects.flush = true,
            Output::FinishWebSocket => self.signal(inner, signal::FINISH, effects),
            Output::AbortWebSocket => self.signal(inner, signal::ABORT, effects),
            Output::Closed(reason) => effects.closed = Some(reason),
            Output::Gone => effects.is_gone = true,
        }
    }

    fn signal(&self, inner: &Inner, signal: u8, effects: &mut Effects) {
        self.raise(signal);
        effects.wake.clone_from(&inner.task);
    }

    /// Does what an input asked for, outside the lock.
    pub(crate) fn run(self: &Arc<Self>, effects: &mut Effects) {
        if std::mem::take(&mut effects.flush) {
            self.flush();
        }
        if let Some(waker) = effects.wake.take() {
            waker.wake();
        }
        if let Some(waker) = effects.wake_post.take() {
            waker.wake();
        }
        if std::mem::take(&mut effects.is_queue_taken) || effects.closed.is_some() {
            self.settle(self.lock());
        }
        if let Some(reason) = effects.closed.take() {
            trace::debug!(reason = reason.as_str(), "a session closed");
            self.hub.counters.closed(reason);
            self.tell_closed(reason);
        }
        if std::mem::take(&mut effects.is_gone) {
            self.forget();
        } else {
            self.schedule();
        }
    }

    /// Tells the application, now or when the handler that is running has returned.
    fn tell_closed(self: &Arc<Self>, reason: CloseReason) {
        let mut inner = self.lock();
        if inner.is_dispatching {
            inner.pending_close = Some(reason);
            return;
        }
        inner.is_dispatching = true;
        drop(inner);
        let connection = Connection(Arc::clone(self));
        self.hub
            .guard(|handler| handler.on_close(&connection, reason));
        self.lock().is_dispatching = false;
    }

    fn forget(&self) {
        let mut inner = self.lock();
        let transport = inner.session.transport();
        let deadline = inner.deadline.take();
        drop(inner);
        if let Some(key) = deadline {
            self.hub.alarm.remove(key);
        }
        if self.hub.registry.remove(&self.id).is_some() {
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
        let must_wake = inner.wake_at.is_some_and(|at| at <= now) && inner.session.is_open();
        if must_wake {
            // A handler that runs just now is about to return.
            inner.wake_at = inner.is_dispatching.then(|| now + DISPATCH_RETRY);
        }
        let must_wake = must_wake && !inner.is_dispatching;
        let is_due = inner.session.poll_timeout().is_some_and(|at| at <= now);
        let mut effects = if is_due {
            self.feed(&mut inner, now, Input::Timeout)
        } else {
            Effects::default()
        };
        drop(inner);
        self.run(&mut effects);
        if must_wake && self.begin_dispatch() {
            let connection = Connection(Arc::clone(self));
            self.tell(|handler| handler.on_deadline(&connection));
            self.end_dispatch(now);
        }
    }

    /// Takes the right to call the handler, and makes what it sends wait until [`Shared::end_dispatch`].
    /// False when the right is taken, which only a handler on another thread can have.
    pub(crate) fn begin_dispatch(&self) -> bool {
        let mut inner = self.lock();
        if inner.is_dispatching {
            return false;
        }
        inner.is_dispatching = true;
        inner.is_resumed_early = false;
        inner.session.outbox.hold();
        true
    }

    /// Gives the right back; sends what the handlers sent, in one write.
    pub(crate) fn end_dispatch(self: &Arc<Self>, now: Instant) {
        let mut inner = self.lock();
        inner.session.outbox.release();
        inner.is_dispatching = false;
        let (messages, bytes) = std::mem::take(&mut inner.sent);
        if messages > 0 {
            self.hub.counters.sent(messages, bytes);
        }
        let closed = inner.pending_close.take();
        let is_websocket = inner.session.transport() == Transport::WebSocket;
        if is_websocket {
            self.flush_with(inner);
        } else if inner.session.outbox.is_empty() {
            self.settle(inner);
        } else {
            let mut effects = self.feed(&mut inner, now, Input::Queued);
            drop(inner);
            self.run(&mut effects);
        }
        if let Some(reason) = closed {
            self.tell_closed(reason);
        }
    }

    /// Feeds one packet and hands it to the application if it is a message. Only between `begin_dispatch` and
    /// `end_dispatch`.
    pub(crate) fn receive(
        self: &Arc<Self>,
        connection: &Connection<D>,
        batch: &mut Batch,
        received: Received,
        message: Option<Message<'_>>,
    ) -> Flow {
        if let Some(message) = message
            && batch.has_message
            && !self.is_over.load(Ordering::Acquire)
        {
            return self.deliver(connection, message);
        }
        let mut inner = self.lock();
        let mut effects = self.feed(&mut inner, batch.read_at, Input::Packet(received));
        // The wrong one of the two closes the session.
        let is_heartbeat =
            matches!(received, Received::Ping | Received::Pong) && inner.session.is_open();
        drop(inner);
        match message {
            Some(message) if effects.is_deliverable => {
                batch.has_message = true;
                self.deliver(connection, message)
            }
            _ => {
                self.run(&mut effects);
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

    /// Hands one message to the application. Only between `begin_dispatch` and `end_dispatch`.
    fn deliver(self: &Arc<Self>, connection: &Connection<D>, message: Message<'_>) -> Flow {
        let mut flow = Flow::Continue;
        self.tell(|handler| flow = handler.on_message(connection, message));
        if flow == Flow::Pause {
            let mut inner = self.lock();
            if std::mem::take(&mut inner.is_resumed_early) {
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
        // The handler that is about to say "pause" may have been overtaken.
        inner.is_resumed_early = inner.is_dispatching && !inner.is_paused;
        inner.is_paused = false;
        self.raise(signal::RESUME);
        let (task, post) = (inner.task.clone(), inner.take_post());
        drop(inner);
        task.into_iter().chain(post).for_each(Waker::wake);
    }

    /// Has the handler called at `at`.
    pub(crate) fn wake_at(self: &Arc<Self>, at: Option<Instant>) {
        self.lock().wake_at = at;
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
        let mut effects = self.feed(&mut inner, now, Input::PollDropped);
        drop(inner);
        self.run(&mut effects);
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

impl<D: Send + Sync + 'static> Due for Shared<D> {
    fn due(self: Arc<Self>, now: Instant) {
        self.handle_deadline(now);
    }
}

impl Inner {
    fn next_deadline(&self) -> Option<Instant> {
        let protocol = self.session.poll_timeout()?;
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
