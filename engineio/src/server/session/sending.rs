//! What leaves: pushing into the outbox, the right to write, and the body of a poll.

use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use std::time::Instant;

use super::connection::{Connection, SendError};
use super::requests::PollBody;
use super::shared::{Inner, Shared, signal};
use crate::buffers;
use crate::lock::MutexGuard;
use crate::message::EncodedMessage;
use crate::payload::PayloadEncoder;
use crate::proto::chunk::{Chunk, Shape};
use crate::proto::event::{Input, PollAnswer};
use crate::proto::outbox::{Outbox, Placing, Pushed};
use crate::send_options::{OverflowPolicy, SendOptions, Sent};
use crate::server::clock;
use crate::server::stream::form::{self, FrameForm};
use crate::server::stream::writer::{self, Writer, WriterSlot, Wrote};
use crate::trace;
use crate::transport::Transport;
use crate::websocket;

impl<D: Send + Sync + 'static> Shared<D> {
    /// Writes what waits, if the transport is a WebSocket and nobody else is writing.
    pub(crate) fn flush(self: &Arc<Self>) {
        self.flush_with(self.lock());
    }

    /// The same for whoever has the lock already.
    pub(crate) fn flush_with<'s>(self: &'s Arc<Self>, mut inner: MutexGuard<'s, Inner>) {
        let mut is_awaited = false;
        while let Some((writer, chunk)) = inner.begin_direct_write() {
            drop(inner);
            let (wrote, rest) = writer.try_write(chunk);
            inner = self.lock();
            is_awaited |= inner.end_direct_write(writer, rest);
            if wrote != Wrote::All {
                self.wake_writer(inner, wrote);
                return;
            }
        }
        if inner.needs_owner_to_write() {
            self.wake_writer(inner, Wrote::Blocked);
            return;
        }
        if !is_awaited {
            return self.settle(inner);
        }
        let task = inner.task.clone();
        self.settle(inner);
        task.into_iter().for_each(Waker::wake);
    }

    /// For the task of the WebSocket: false when nobody is writing, else it is woken when that is over.
    pub(crate) fn await_writer(&self) -> bool {
        self.lock().writer.await_return()
    }

    /// True while something waits, or is being written by another thread.
    pub(crate) fn has_unsent(&self) -> bool {
        !self.lock().session.outbox.is_flushed()
    }

    /// Leaves the rest to the task that owns the stream.
    fn wake_writer(self: &Arc<Self>, mut inner: MutexGuard<'_, Inner>, wrote: Wrote) {
        if wrote == Wrote::Failed {
            inner.session.outbox.clear();
            self.raise(signal::FAILED);
        } else {
            self.raise(signal::BLOCKED);
        }
        let task = inner.task.clone();
        self.settle(inner);
        if let Some(task) = task {
            task.wake();
        }
    }

    /// The WebSocket of this task is the transport from here on. `head` leaves before all that is queued.
    pub(crate) fn attach(&self, writer: Writer, form: FrameForm, head: Option<Vec<u8>>) {
        let mut inner = self.lock();
        inner.leave_polling();
        inner.writer = WriterSlot::Here(writer);
        inner.form = form;
        if let Some(mut head) = head {
            let is_plain = inner.form.is_plain();
            inner.session.outbox.push_head(&mut head, is_plain);
            buffers::give_back(head);
        }
    }

    /// The WebSocket is over. Its writer, unless somebody is writing, and whether a close frame may still be
    /// written: no frame is half on the wire.
    pub(crate) fn detach(&self) -> (Option<Writer>, bool) {
        let mut inner = self.lock();
        inner.task = None;
        (inner.writer.close(), inner.session.outbox.seal())
    }

    /// For the task that owns a stream only it can write to: the next bytes to write.
    pub(crate) fn begin_owned_write(&self) -> Option<Chunk> {
        self.lock().begin_write()
    }

    pub(crate) fn end_owned_write(self: &Arc<Self>, rest: Option<Chunk>) {
        let mut inner = self.lock();
        inner.session.outbox.end_write(rest);
        self.settle(inner);
    }

    /// Has what was queued answer the poll that waits, if one does.
    pub(crate) fn answer_poll(self: &Arc<Self>, mut inner: MutexGuard<'_, Inner>, now: Instant) {
        let (_, mut after) = self.feed(&mut inner, now, Input::Queued);
        // Where none does, the queue has grown.
        after.settle = true;
        drop(inner);
        self.run(after);
    }

    /// Tells whoever waits for the queue that it has grown or shrunk.
    pub(crate) fn settle(self: &Arc<Self>, mut inner: MutexGuard<'_, Inner>) {
        let high_watermark = self.hub.config.high_watermark;
        if inner.is_settled(high_watermark) {
            return;
        }
        let ready = inner.take_ready(high_watermark);
        let notice = inner.take_notice(high_watermark);
        drop(inner);
        ready.into_iter().for_each(Waker::wake);
        let Some(notice) = notice else { return };
        let connection = Connection(Arc::clone(self));
        self.tell(|handler| match notice {
            Notice::Slow => handler.on_slow(&connection),
            Notice::Drained => handler.on_drained(&connection),
        });
        self.end_turn(clock::now());
    }

    pub(crate) fn echo_websocket_ping(&self, data: &[u8]) {
        self.lock().session.outbox.push_websocket_pong(data);
    }
    /// Queues the packets that precede everything the application sends.
    pub(crate) fn push_first(&self, frames: &mut Vec<u8>) {
        let placing = self.placing(SendOptions::new());
        self.lock()
            .session
            .outbox
            .push_own(frames, placing, buffers::take);
    }

    /// Queues one item, of so many messages and bytes, and has it leave.
    pub(crate) fn push(
        self: &Arc<Self>,
        options: SendOptions,
        size: (usize, usize),
        push: impl FnOnce(&mut Outbox, Placing) -> Pushed,
    ) -> Result<Sent, SendError> {
        let mut inner = self.lock();
        if !inner.session.is_open() {
            return Err(SendError::Closed);
        }
        if options.is_volatile && !inner.session.is_writable() {
            return Ok(Sent::Dropped);
        }
        let before = inner.session.outbox.queued_bytes();
        let placing = self.placing(options);
        let sent = match push(&mut inner.session.outbox, placing) {
            Pushed::Queued => Sent::Queued,
            Pushed::Replaced => return Ok(Sent::Replaced),
            Pushed::Full => {
                drop(inner);
                if placing.policy == OverflowPolicy::Disconnect {
                    trace::debug!("a client does not read what it is sent");
                    self.handle(clock::now(), Input::Discard);
                }
                return Err(SendError::QueueFull {
                    queued_bytes: before,
                });
            }
        };
        if inner.turn.is_taken() {
            inner.sent.0 += size.0;
            inner.sent.1 += size.1;
            return Ok(sent);
        }
        self.hub.counters.sent(size.0, size.1);
        match inner.session.transport() {
            Transport::WebSocket => self.flush_with(inner),
            Transport::Polling if before == 0 => self.answer_poll(inner, clock::now()),
            Transport::Polling => self.settle(inner),
        }
        Ok(sent)
    }

    pub(super) fn placing(&self, options: SendOptions) -> Placing {
        Placing {
            policy: options.overflow.unwrap_or(self.hub.config.overflow),
            key: options.key,
            shape: if options.is_incompressible {
                Shape::Incompressible
            } else {
                Shape::Frames
            },
        }
    }

    pub(crate) fn send_shared(
        self: &Arc<Self>,
        message: &EncodedMessage,
        options: SendOptions,
    ) -> Result<Sent, SendError> {
        let mut inner = self.lock();
        if !inner.session.is_open() {
            return Err(SendError::Closed);
        }
        let settings = inner.form.shared_settings();
        let compressed;
        let (frames, wire) = match settings.filter(|_| !options.is_incompressible) {
            Some(settings) => {
                let frames = match message.compressed_before(settings) {
                    Some(frames) => frames,
                    None => {
                        drop(inner);
                        compressed = form::shared_frames(message, settings);
                        inner = self.lock();
                        &*compressed
                    }
                };
                (frames, Some(Shape::Wire))
            }
            None => (message.frames(), None),
        };
        let size = (message.message_count(), frames.len());
        let Some(writer) = inner.begin_bypass(frames.len(), wire) else {
            drop(inner);
            return self.push(options, size, |outbox, placing| {
                let shape = wire.unwrap_or(placing.shape);
                outbox.push_shared(frames, Placing { shape, ..placing }, buffers::take)
            });
        };
        drop(inner);
        self.hub.counters.sent(size.0, size.1);
        self.write_past_queue(writer, frames);
        Ok(Sent::Queued)
    }

    /// Writes a shared message past the empty queue, with the right to write already taken.
    pub(super) fn write_past_queue(self: &Arc<Self>, writer: Writer, frames: &Bytes) {
        // Nothing waits, so the shared bytes are written as they are; what does not fit is queued.
        let (wrote, written) = writer.try_write_slice(frames);
        let mut inner = self.lock();
        if wrote == Wrote::All {
            let is_awaited = inner.end_direct_write(writer, None);
            if is_awaited || !inner.session.outbox.is_flushed() {
                let task = inner.task.clone().filter(|_| is_awaited);
                self.flush_with(inner);
                task.into_iter().for_each(Waker::wake);
            }
            return;
        }
        let mut rest = Chunk::shared(frames.clone(), Shape::Wire);
        rest.advance(written);
        let _woken_anyway = inner.end_direct_write(writer, Some(rest));
        self.wake_writer(inner, wrote);
    }
}

/// What the handler is told of the queue.
enum Notice {
    /// It has passed the high watermark.
    Slow,
    /// It has passed it, and is empty.
    Drained,
}

impl Inner {
    /// Takes the right to write and the next bytes, in the form this WebSocket wants.
    fn begin_write(&mut self) -> Option<Chunk> {
        if self.is_held() {
            return None;
        }
        let chunk = self.session.outbox.begin_write(buffers::take)?;
        Some(self.form.shape(chunk))
    }

    /// The same for whoever is not the stream's owner.
    pub(crate) fn begin_direct_write(&mut self) -> Option<(Writer, Chunk)> {
        // Asked for behind each write, mostly when nothing is left: that costs a fifth of looking for what to write.
        if !self.writer.is_direct() || !self.session.outbox.has_writable() {
            return None;
        }
        let chunk = self.begin_write()?;
        Some((self.writer.lend()?, chunk))
    }

    /// Gives the right to write back, with what could not be written. True when the task of the WebSocket waits for that.
    #[must_use]
    #[inline]
    pub(crate) fn end_direct_write(&mut self, writer: Writer, rest: Option<Chunk>) -> bool {
        let is_awaited = self.writer.give_back(writer);
        self.session.outbox.end_write(rest);
        is_awaited
    }

    /// Takes the right to write a shared message past the empty queue.
    pub(super) fn begin_bypass(&mut self, length: usize, shape: Option<Shape>) -> Option<Writer> {
        let is_final = self.form.is_plain() || shape == Some(Shape::Wire);
        let may_write = is_final
            && self.writer.is_direct()
            && !self.is_held()
            && self.session.outbox.begin_direct(length);
        may_write.then(|| self.writer.lend())?
    }

    fn needs_owner_to_write(&self) -> bool {
        self.writer.is_owned() && !self.is_held() && self.session.outbox.has_writable()
    }

    /// As nearly always: nobody waits for the queue, and there is nothing to tell of it.
    fn is_settled(&self, high_watermark: usize) -> bool {
        self.ready.is_none()
            && !self.is_slow
            && self.session.outbox.queued_bytes() <= high_watermark
    }

    /// Whoever may send again, or has to learn that nobody may.
    fn take_ready(&mut self, high_watermark: usize) -> Vec<Waker> {
        if self.ready.is_none() || !self.is_ready(high_watermark) {
            return Vec::new();
        }
        self.ready.take().map_or_else(Vec::new, |waiters| waiters.0)
    }

    pub(crate) fn is_ready(&self, high_watermark: usize) -> bool {
        !self.session.is_open() || self.session.outbox.queued_bytes() <= high_watermark
    }

    /// What the handler is to be told of the queue; with the right to call it.
    fn take_notice(&mut self, high_watermark: usize) -> Option<Notice> {
        if self.turn.is_taken() || !self.session.is_open() {
            return None;
        }
        let queued = self.session.outbox.queued_bytes();
        let notice = match self.is_slow {
            false if queued > high_watermark => Notice::Slow,
            true if queued == 0 => Notice::Drained,
            _ => return None,
        };
        self.is_slow = !self.is_slow;
        self.turn.take();
        Some(notice)
    }

    pub(crate) fn poll_body(&mut self, answer: PollAnswer) -> PollBody {
        let mut payload = PayloadEncoder::new(self.session.protocol(), !self.polls_base64);
        let mut is_compressible = false;
        match answer {
            PollAnswer::Noop => payload.push_text("6"),
            PollAnswer::Close => payload.push_text("1"),
            PollAnswer::NoopThenClose => {
                payload.push_text("6");
                payload.push_text("1");
            }
            PollAnswer::Queued => {
                let (control, chunks) = self.session.outbox.drain();
                for packet in control.packets() {
                    payload.push_text(packet);
                }
                for chunk in chunks {
                    is_compressible |= chunk.shape() == Shape::Frames;
                    push_frames(&mut payload, chunk.remaining());
                    writer::recycle(chunk);
                }
            }
        }
        let (bytes, content) = payload.finish();
        PollBody {
            bytes,
            content,
            is_compressible,
        }
    }
}

/// Reads queued frames back as packets.
fn push_frames(payload: &mut PayloadEncoder, mut frames: &[u8]) {
    while let Some((opcode, body, rest)) = websocket::split_frame(frames) {
        if opcode == websocket::Opcode::Binary {
            payload.push_binary(body);
        } else {
            payload.push_text(std::str::from_utf8(body).unwrap_or_default());
        }
        frames = rest;
    }
}
