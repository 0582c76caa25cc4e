//! The task of one WebSocket: a hand-written poll loop over reads, signals and cut-short writes.
//!
//! It holds no buffer while the connection is idle. Bytes are read into the worker's scratch buffer, frames are
//! unmasked and handed out in place, and all that is sent in answer to one read leaves in one write.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::buffers;
use crate::message::Message;
use crate::packet;
use crate::proto::chunk::{Chunk, Shape};
use crate::proto::event::{Input, Probing};
use crate::server::clock;
use crate::server::session::aftermath::Reply;
use crate::server::session::batch::{Batch, classify};
use crate::server::session::connection::Connection;
use crate::server::session::handler::Flow;
use crate::server::session::shared::{Shared, signal};
use crate::server::stream::form::FrameForm;
use crate::server::stream::writer::{self, Writer, Wrote};
use crate::server::stream::{Reader, Stream};
use crate::trace;
use crate::websocket::{self, Decoder, Event};

/// How long the peer may take to answer our close frame before the connection is dropped.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// How the conversation over this WebSocket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The stream is of no use any more.
    Lost,
    /// The peer sent a close frame.
    PeerClosed(Option<u16>),
    /// The peer broke RFC 6455.
    Fault(u16),
    /// Everything was sent; our close frame is next.
    Finished,
    /// The session, or the candidate, is over.
    Aborted,
}

/// Whether this WebSocket carries the session yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Transport,
    Candidate,
    /// It asked for the switch, which waits for a POST to be dispatched.
    Switching,
}

/// What a WebSocket keeps until it is the transport.
struct Candidate {
    writer: Writer,
    form: FrameForm,
}

pub(crate) struct Socket<D> {
    connection: Connection<D>,
    reader: Reader,
    decoder: Decoder,
    /// Bytes read and not yet decoded, while reading is paused.
    held: Box<[u8]>,
    waker: Option<Waker>,
    candidate: Option<Box<Candidate>>,
    role: Role,
    /// The application is to be told that this WebSocket is the transport.
    owes_upgrade: bool,
    is_blocked: bool,
    is_throttled: bool,
    is_paused: bool,
    is_finishing: bool,
}

/// A WebSocket's task: all that an idle connection holds, so it is a plain state and no `async` block, which would
/// keep some of it twice.
pub(crate) enum Task<D> {
    Running(Socket<D>),
    Leaving(Goodbye),
    Over,
}

type Goodbye = Pin<Box<dyn Future<Output = ()> + Send>>;

impl<D: Send + Sync + 'static> Future for Task<D> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let end = match &mut *self {
                Self::Running(socket) => ready!(socket.poll(cx)),
                Self::Leaving(goodbye) => return goodbye.as_mut().poll(cx),
                Self::Over => return Poll::Ready(()),
            };
            if let Self::Running(socket) = std::mem::replace(&mut *self, Self::Over)
                && let Some(goodbye) = socket.end(end)
            {
                *self = Self::Leaving(goodbye);
            }
        }
    }
}

/// The task of a WebSocket: one whose session was opened on it, a candidate for a session, or, without a session,
/// one that is only closed.
///
/// `head` is the answer to the handshake where it is still to be sent, `rest` what arrived behind the handshake.
pub(crate) fn begin<D: Send + Sync + 'static>(
    shared: Option<Arc<Shared<D>>>,
    stream: Stream,
    head: Option<Vec<u8>>,
    rest: Vec<u8>,
    form: FrameForm,
    decoder: Decoder,
    is_candidate: bool,
) -> Task<D> {
    let (mut reader, writer) = stream.split();
    let Some(shared) = shared else {
        let mut last = head.unwrap_or_default();
        websocket::write_close(&mut last, None);
        return Task::Leaving(Box::pin(say_goodbye(reader, writer, last)));
    };
    let (role, candidate) = if is_candidate {
        if let Some(head) = head {
            write_beside(&mut reader, &writer, head);
        }
        (Role::Candidate, Some(Box::new(Candidate { writer, form })))
    } else {
        shared.attach(writer, form, head);
        shared.flush();
        (Role::Transport, None)
    };
    Task::Running(Socket {
        connection: Connection(shared),
        reader,
        decoder,
        held: rest.into(),
        waker: None,
        candidate,
        role,
        owes_upgrade: false,
        is_blocked: false,
        is_throttled: false,
        is_paused: false,
        is_finishing: false,
    })
}

/// Writes past the session's queue, on a stream that does not carry the session. False when the stream does not
/// take so little: it is of no use then.
fn write_beside(reader: &mut Reader, writer: &Writer, bytes: Vec<u8>) -> bool {
    match reader {
        Reader::Foreign(stream) => {
            let mut cx = Context::from_waker(Waker::noop());
            let written = Pin::new(&mut *stream).poll_write(&mut cx, &bytes);
            // A stream that keeps what is written has to give it away: nothing else may follow for long.
            matches!(written, Poll::Ready(Ok(count)) if count == bytes.len())
                && matches!(Pin::new(stream).poll_flush(&mut cx), Poll::Ready(Ok(())))
        }
        _ => writer.try_write(Chunk::own(bytes, Shape::Wire)).0 == Wrote::All,
    }
}

impl<D: Send + Sync + 'static> Socket<D> {
    fn shared(&self) -> &Arc<Shared<D>> {
        &self.connection.0
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.remember(cx.waker());
        loop {
            let signals = self.shared().take_signals();
            if signals != 0
                && let Some(end) = self.heed(signals)
            {
                return Poll::Ready(end);
            }
            if self.is_blocked && self.poll_unblocked(cx) == Poll::Ready(Wrote::Failed) {
                return Poll::Ready(End::Lost);
            }
            if self.is_finishing && !self.is_blocked {
                if !self.shared().has_unsent() {
                    return Poll::Ready(End::Finished);
                }
                self.shared().flush();
                // Nothing is held any more, so it is another thread that writes, or the socket takes no more for now.
                if self.shared().await_writer() {
                    return Poll::Pending;
                }
                continue;
            }
            if self.is_paused || self.is_throttled {
                return self.reader.poll_left(cx).map(|()| End::Lost);
            }
            if self.role == Role::Switching {
                return Poll::Pending;
            }
            if self.owes_upgrade {
                if !self.tell_upgrade() {
                    return Poll::Pending;
                }
                // What the application asked for comes first.
                continue;
            }
            match self.poll_input(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(end)) => return Poll::Ready(end),
                Poll::Ready(None) => {}
            }
        }
    }

    fn remember(&mut self, waker: &Waker) {
        if self
            .waker
            .as_ref()
            .is_some_and(|known| known.will_wake(waker))
        {
            return;
        }
        self.waker = Some(waker.clone());
        self.shared().set_task(waker.clone());
    }

    /// Acts on what others asked of this task.
    fn heed(&mut self, signals: u8) -> Option<End> {
        let has = |signal| signals & signal != 0;
        if has(signal::FAILED) {
            return Some(End::Lost);
        }
        if has(signal::ABORT) || has(signal::DROP_CANDIDATE) {
            return Some(End::Aborted);
        }
        if has(signal::UPGRADED) {
            self.become_transport();
        }
        if has(signal::BLOCKED) {
            self.is_blocked = true;
        }
        if has(signal::FINISH) {
            self.is_finishing = true;
            self.shared().flush();
            self.is_blocked |= self.connection.queued_bytes() > 0;
        }
        if has(signal::RESUME) && self.is_paused && !self.shared().is_paused() {
            self.is_paused = false;
            self.end_stall(clock::now());
        }
        None
    }

    fn become_transport(&mut self) {
        self.role = Role::Transport;
        if let Some(candidate) = self.candidate.take() {
            let Candidate { writer, form } = *candidate;
            self.shared().attach(writer, form, None);
        }
        trace::debug!("a session was upgraded");
        self.owes_upgrade = true;
        self.shared().flush();
    }

    /// Tells the application of the upgrade, before anything that comes over the WebSocket. False when that has to wait.
    fn tell_upgrade(&mut self) -> bool {
        let shared = &self.connection.0;
        if !shared.begin_turn_or_await() {
            return false;
        }
        self.owes_upgrade = false;
        // After its end it is told nothing more.
        if self.connection.is_open() {
            shared.tell(|handler| handler.on_upgrade(&self.connection));
        }
        shared.end_turn(clock::now());
        true
    }

    /// Goes on with a write that was cut short.
    fn poll_unblocked(&mut self, cx: &mut Context<'_>) -> Poll<Wrote> {
        match self.reader.poll_write_ready(cx) {
            None => return self.poll_owned_write(cx),
            Some(Poll::Pending) => return Poll::Pending,
            Some(Poll::Ready(())) => {}
        }
        self.is_blocked = false;
        self.shared().flush();
        // What the flush left behind is a signal for the next turn of the loop.
        self.after_progress();
        Poll::Ready(Wrote::All)
    }

    /// Writes to a stream that only this task can write to.
    fn poll_owned_write(&mut self, cx: &mut Context<'_>) -> Poll<Wrote> {
        let shared = Arc::clone(self.shared());
        let Reader::Foreign(stream) = &mut self.reader else {
            return Poll::Ready(Wrote::All);
        };
        // That more is to be written, such as a ping, is no progress of the peer's.
        let mut has_taken = false;
        while let Some(mut chunk) = shared.begin_owned_write() {
            while !chunk.remaining().is_empty() {
                match Pin::new(&mut *stream).poll_write(cx, chunk.remaining()) {
                    Poll::Ready(Ok(count)) if count > 0 => {
                        chunk.advance(count);
                        has_taken = true;
                    }
                    Poll::Ready(_) => {
                        shared.end_owned_write(None);
                        return Poll::Ready(Wrote::Failed);
                    }
                    Poll::Pending => {
                        shared.end_owned_write(Some(chunk));
                        if has_taken {
                            self.after_progress();
                        }
                        return Poll::Pending;
                    }
                }
            }
            writer::recycle(chunk);
            shared.end_owned_write(None);
        }
        if Pin::new(stream).poll_flush(cx).is_pending() {
            return Poll::Pending;
        }
        self.is_blocked = false;
        self.after_progress();
        Poll::Ready(Wrote::All)
    }

    /// Stops reading from a client that does not take what it asked for, and reads on when half has left.
    fn after_progress(&mut self) {
        let queued = self.connection.queued_bytes();
        let high = self.shared().hub.config.high_watermark;
        if self.is_throttled {
            let now = clock::now();
            // Progress restarts the stall timer; being below half ends the stall.
            if queued > high / 2 {
                self.shared().handle(now, Input::Paused);
            } else {
                self.is_throttled = false;
                self.end_stall(now);
            }
        }
    }

    /// We read on, unless there is another reason not to.
    fn end_stall(&self, now: Instant) {
        if !self.is_paused && !self.is_throttled {
            self.shared().handle(now, Input::Resumed);
        }
    }

    fn throttle_if_behind(&mut self) {
        if !self.is_throttled
            && self.connection.queued_bytes() > self.shared().hub.config.high_watermark
        {
            self.is_throttled = true;
            self.shared().handle(clock::now(), Input::Paused);
        }
    }

    /// Takes what was held back, else reads, and processes it.
    fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Option<End>> {
        if !self.held.is_empty() {
            let mut held = std::mem::take(&mut self.held);
            return self.process(&mut held);
        }
        if self.decoder.has_frame() {
            // It was read whole while a handler ran on another thread.
            return self.process(&mut []);
        }
        if let Some(room) = self.decoder.read_room() {
            // A large frame is read straight into its own buffer.
            let mut buffer = ReadBuf::new(room);
            match self.reader.poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(Some(End::Lost)),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => {
                    return Poll::Ready(Some(End::Lost));
                }
                Poll::Ready(Ok(())) => {
                    let count = buffer.filled().len();
                    self.decoder.note_read(count);
                    return self.process(&mut []);
                }
            }
        }
        buffers::with_scratch(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            match self.reader.poll_read(cx, &mut buffer) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(_)) => Poll::Ready(Some(End::Lost)),
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => Poll::Ready(Some(End::Lost)),
                Poll::Ready(Ok(())) => self.process(buffer.filled_mut()),
            }
        })
    }

    fn process(&mut self, bytes: &mut [u8]) -> Poll<Option<End>> {
        if self.role == Role::Candidate {
            return Poll::Ready(self.process_candidate(bytes));
        }
        if !self.shared().begin_turn_or_await() {
            // A handler runs for this session on another thread.
            self.held = Box::from(&*bytes);
            return Poll::Pending;
        }
        let now = clock::now();
        let (mut packets, length) = (0, bytes.len());
        let end = self.dispatch(bytes, now, &mut packets);
        self.shared().hub.counters.received(packets, length);
        self.shared().end_turn(now);
        if self.is_blocked || self.shared().has_signal(signal::BLOCKED) {
            self.throttle_if_behind();
        }
        if self.is_paused {
            self.shared().handle(now, Input::Paused);
        }
        Poll::Ready(end)
    }

    fn dispatch(&mut self, mut bytes: &mut [u8], now: Instant, packets: &mut u64) -> Option<End> {
        let Self {
            connection,
            decoder,
            held,
            is_paused,
            ..
        } = self;
        let mut batch = Batch::new(now);
        loop {
            let (event, rest) = match decoder.decode(bytes) {
                Ok(Some(decoded)) => decoded,
                Ok(None) => return None,
                Err(error) => return Some(End::Fault(error.close_code())),
            };
            *packets += 1;
            let flow = match event {
                Event::Close(code) => return Some(End::PeerClosed(code)),
                event => receive(connection, &mut batch, event),
            };
            bytes = rest;
            if flow == Flow::Pause {
                *is_paused = true;
                *held = Box::from(&*bytes);
                return None;
            }
        }
    }

    fn process_candidate(&mut self, mut bytes: &mut [u8]) -> Option<End> {
        loop {
            let (event, rest) = match self.decoder.decode(bytes) {
                Ok(Some(decoded)) => decoded,
                Ok(None) => return None,
                Err(error) => return Some(End::Fault(error.close_code())),
            };
            let probing = match event {
                Event::Close(code) => return Some(End::PeerClosed(code)),
                Event::Ping(data) => {
                    let mut pong = Vec::new();
                    websocket::write_frame(&mut pong, websocket::Opcode::Pong, data);
                    self.write_beside(pong);
                    bytes = rest;
                    continue;
                }
                Event::Pong => {
                    bytes = rest;
                    continue;
                }
                Event::Text("2probe") => Probing::Probe,
                Event::Text(text) if text.starts_with('5') => Probing::Upgrade,
                _ => Probing::Other,
            };
            bytes = rest;
            let shared = Arc::clone(&self.connection.0);
            let reply = shared.handle(clock::now(), Input::CandidatePacket(probing));
            if matches!(reply, Reply::ProbeAnswered) {
                shared.tell(|handler| handler.on_upgrading(&self.connection));
                self.write_beside(b"\x81\x063probe".to_vec());
            }
            if probing != Probing::Probe {
                // The switch may have to wait for a POST; what follows belongs to the session.
                self.held = Box::from(&*bytes);
                self.role = Role::Switching;
                return None;
            }
        }
    }

    fn write_beside(&mut self, frame: Vec<u8>) {
        let is_written = self
            .candidate
            .as_ref()
            .is_some_and(|candidate| write_beside(&mut self.reader, &candidate.writer, frame));
        if !is_written {
            self.connection.0.fail_candidate();
        }
    }

    /// Takes leave of the session, and of the peer if it can still be told.
    fn end(self, end: End) -> Option<Goodbye> {
        self.conclude(end);
        let (writer, may_write) = match self.candidate {
            None => self.connection.0.detach(),
            Some(candidate) => {
                self.connection.0.detach_candidate();
                (Some(candidate.writer), true)
            }
        };
        let writer = writer?;
        let code = match end {
            End::Lost if matches!(writer, Writer::Owner) => {
                // The peer may only have ended its own direction, and wait for the end of ours.
                return Some(Box::pin(say_goodbye(self.reader, writer, Vec::new())));
            }
            End::Lost => {
                writer.forget();
                return None;
            }
            End::PeerClosed(code) => code,
            End::Fault(code) => Some(code),
            End::Finished | End::Aborted => None,
        };
        if !may_write {
            return None;
        }
        let mut last = buffers::take();
        websocket::write_close(&mut last, code);
        if matches!(end, End::PeerClosed(_)) && !matches!(writer, Writer::Owner) {
            // Nothing may follow the peer's close frame, so nothing is left to read, and closing loses nothing.
            let _ = writer.try_write(Chunk::own(last, Shape::Wire));
            writer.forget();
            return None;
        }
        Some(Box::pin(say_goodbye(self.reader, writer, last)))
    }

    /// Tells the session that its WebSocket, or candidate, is gone.
    fn conclude(&self, end: End) {
        if matches!(end, End::Fault(_)) {
            trace::debug!("a peer broke the WebSocket protocol");
        }
        let input = match (self.role, end) {
            (Role::Candidate | Role::Switching, _) => Input::CandidateGone,
            (Role::Transport, End::Fault(_)) => Input::WebSocketFailed,
            (Role::Transport, _) => Input::WebSocketClosed,
        };
        let now = clock::now();
        self.shared().handle(now, input);
    }
}

/// Hands one decoded event to the session.
fn receive<D: Send + Sync + 'static>(
    connection: &Connection<D>,
    batch: &mut Batch,
    event: Event<'_>,
) -> Flow {
    let shared = &connection.0;
    // Of the messages of one read, the session was told with the first.
    if let Event::Text(text) = event
        && let Some(text) = text.strip_prefix('4')
        && batch.has_message
        && shared.is_open()
    {
        return shared.deliver(connection, Message::text(text, batch.read_at));
    }
    let packet = match event {
        Event::Text(text) => packet::parse_text(shared.protocol(), text),
        Event::Binary(data) => match packet::parse_binary(shared.protocol(), data) {
            Ok(Some(packet)) => Ok(packet),
            Ok(None) => return Flow::Continue,
            Err(error) => Err(error),
        },
        Event::Ping(data) => {
            shared.echo_websocket_ping(data);
            return Flow::Continue;
        }
        Event::Pong | Event::Close(_) => return Flow::Continue,
    };
    let (received, message) = classify(&packet, batch.read_at);
    shared.receive(connection, batch, received, message)
}

/// Ends the connection in order: the close frame, our end of the stream, then whatever the peer still sends,
/// so that the frame is not lost to a reset.
async fn say_goodbye(mut reader: Reader, writer: Writer, last: Vec<u8>) {
    let drained = async move {
        if let Reader::Foreign(stream) = &mut reader {
            if stream.write_all(&last).await.is_err() || stream.shutdown().await.is_err() {
                return;
            }
        } else {
            let _ = writer.try_write(Chunk::own(last, Shape::Wire));
            drop(writer);
        }
        drain(&mut reader).await;
    };
    let _ = tokio::time::timeout(CLOSE_WAIT, drained).await;
}

async fn drain(reader: &mut Reader) {
    let mut sink = [0; 512];
    loop {
        let mut buffer = ReadBuf::new(&mut sink);
        let read = poll_fn(|cx| reader.poll_read(cx, &mut buffer)).await;
        if read.is_err() || buffer.filled().is_empty() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, DuplexStream};
    use tokio::net::UnixStream;

    use super::*;
    use crate::server::session::testing::{Wakes, opened};
    use crate::transport::Transport;

    /// "4hi" as a client masks it, with a key of zeros.
    const HI: &[u8] = b"\x81\x83\0\0\0\x004hi";

    fn start(shared: &Arc<Shared<()>>, is_candidate: bool) -> (Task<()>, DuplexStream) {
        let (here, there) = tokio::io::duplex(1024);
        let task = begin(
            Some(Arc::clone(shared)),
            Stream::Foreign(Box::new(here)),
            None,
            Vec::new(),
            FrameForm::default(),
            Decoder::new(1_000),
            is_candidate,
        );
        (task, there)
    }

    fn poll(task: &mut Task<()>, waker: &Waker) -> Poll<()> {
        Pin::new(task).poll(&mut Context::from_waker(waker))
    }

    #[tokio::test]
    async fn whoever_reads_during_a_turn_is_woken_when_it_ends_and_not_before() {
        let (shared, told) = opened(Transport::WebSocket);
        let (mut task, mut client) = start(&shared, false);
        let (wakes, waker) = Wakes::new();
        client.write_all(HI).await.unwrap();
        assert!(shared.begin_turn());
        for _ in 0..3 {
            assert!(poll(&mut task, &waker).is_pending());
        }
        assert_eq!(wakes.take(), 0, "a wait that is no wait");
        assert!(told.take().is_empty());
        shared.end_turn(clock::now());
        assert_eq!(wakes.take(), 1);
        assert!(poll(&mut task, &waker).is_pending());
        assert_eq!(told.take(), ["hi"]);
        assert!(shared.begin_turn());
    }

    #[tokio::test]
    async fn an_upgrade_is_told_in_turn_and_before_what_comes_over_the_websocket() {
        let (shared, told) = opened(Transport::Polling);
        shared.handle(clock::now(), Input::CandidateAttached);
        let (mut task, mut client) = start(&shared, true);
        let (_, waker) = Wakes::new();
        let probe = b"\x81\x86\0\0\0\x002probe\x81\x81\0\0\0\x005";
        client.write_all(probe).await.unwrap();
        client.write_all(HI).await.unwrap();
        assert!(shared.begin_turn());
        assert!(poll(&mut task, &waker).is_pending());
        assert_eq!(shared.lock().session.transport(), Transport::WebSocket);
        assert!(told.take().is_empty(), "a call during another");
        shared.end_turn(clock::now());
        assert!(poll(&mut task, &waker).is_pending());
        assert_eq!(told.take(), ["upgrade", "hi"]);
    }

    #[tokio::test]
    async fn the_end_waits_for_who_is_writing() {
        let (shared, _) = opened(Transport::WebSocket);
        let (here, mut client) = UnixStream::pair().unwrap();
        let mut task = begin(
            Some(Arc::clone(&shared)),
            Stream::Unix(here),
            None,
            Vec::new(),
            FrameForm::default(),
            Decoder::new(1_000),
            false,
        );
        let (wakes, waker) = Wakes::new();
        assert!(poll(&mut task, &waker).is_pending());
        let mut last = b"\x81\x034hi".to_vec();
        assert!(shared.begin_turn());
        shared.push_first(&mut last);
        shared.lock().turn.end();
        let (writer, chunk) = shared.lock().begin_direct_write().unwrap();
        shared.handle(clock::now(), Input::Close);
        wakes.take();
        for _ in 0..3 {
            assert!(poll(&mut task, &waker).is_pending());
        }
        assert_eq!(wakes.take(), 0, "a wait that is no wait");
        // What the other thread does next.
        let (wrote, rest) = writer.try_write(chunk);
        assert_eq!(wrote, Wrote::All);
        assert!(shared.lock().end_direct_write(writer, rest), "it waits");
        let _ = poll(&mut task, &waker);
        let mut received = [0; 7];
        client.read_exact(&mut received).await.unwrap();
        assert_eq!(
            received, *b"\x81\x034hi\x88\0",
            "the close frame is the last"
        );
    }
}
