//! What leaves: pushing into the outbox, the right to write, and the body of a poll.

use std::sync::{Arc, MutexGuard};

use bytes::Bytes;

use super::buffers;
use super::connection::{Connection, SendError};
use super::shared::{Inner, PollBody, Shared, signal};
use super::writer::{self, FrameForm, Writer, Wrote};
use crate::config::OverflowPolicy;
use crate::payload::PayloadEncoder;
use crate::proto::outbox::{Chunk, Outbox, Pushed};
use crate::proto::session::{Input, PollAnswer, Transport};
use crate::websocket;

impl<D: Send + Sync + 'static> Shared<D> {
    /// Writes what waits, if the transport is a WebSocket and nobody else is writing.
    pub(super) fn flush(self: &Arc<Self>) {
        let mut inner = self.lock();
        while let Some((writer, chunk)) = inner.begin_direct_write() {
            drop(inner);
            let (wrote, rest) = writer.try_write(chunk);
            inner = self.lock();
            inner.session.outbox.end_write(rest);
            if wrote != Wrote::All {
                self.wake_writer(inner, wrote);
                return;
            }
        }
        if inner.needs_owner_to_write() {
            self.wake_writer(inner, Wrote::Blocked);
            return;
        }
        inner.note_drained();
        self.tell_drained(inner);
    }

    /// Leaves the rest to the task that owns the stream.
    fn wake_writer(&self, mut inner: MutexGuard<'_, Inner>, wrote: Wrote) {
        if wrote == Wrote::Failed {
            inner.session.outbox.clear();
            self.raise(signal::FAILED);
        } else {
            self.raise(signal::BLOCKED);
        }
        let task = inner.task.clone();
        drop(inner);
        if let Some(task) = task {
            task.wake();
        }
    }

    /// The WebSocket of this task is the transport from here on. `head` leaves before all that is queued.
    pub(super) fn attach(
        &self,
        writer: Arc<Writer>,
        form: Option<FrameForm>,
        head: Option<Vec<u8>>,
    ) {
        let mut inner = self.lock();
        inner.writer = Some(writer);
        if let Some(form) = form {
            inner.form = form;
        }
        if let Some(head) = head {
            let is_plain = inner.form.is_plain();
            inner.session.outbox.push_head(head, is_plain);
        }
    }

    /// The WebSocket is over. True when a close frame may still be written: no frame is half on the wire.
    pub(super) fn detach(&self) -> bool {
        let mut inner = self.lock();
        inner.writer = None;
        inner.task = None;
        inner.session.outbox.seal()
    }

    /// For the task that owns a stream only it can write to: the next bytes to write.
    pub(super) fn begin_owned_write(&self) -> Option<Chunk> {
        self.lock().begin_write()
    }

    pub(super) fn end_owned_write(self: &Arc<Self>, rest: Option<Chunk>) {
        let mut inner = self.lock();
        inner.session.outbox.end_write(rest);
        inner.note_drained();
        self.tell_drained(inner);
    }

    fn tell_drained(self: &Arc<Self>, mut inner: MutexGuard<'_, Inner>) {
        if !inner.is_drained_due || inner.is_dispatching {
            return;
        }
        inner.is_drained_due = false;
        inner.is_dispatching = true;
        drop(inner);
        let connection = Connection(Arc::clone(self));
        self.hub.guard(|handler| handler.on_drained(&connection));
        self.end_dispatch(self.hub.now());
    }

    pub(super) fn echo_websocket_ping(&self, data: &[u8]) {
        self.lock().session.outbox.push_websocket_pong(data);
    }
    /// Queues the packets that precede everything the application sends.
    pub(super) fn push_first(&self, frames: &mut Vec<u8>) {
        self.lock().session.outbox.push_own(frames, buffers::take);
    }

    pub(super) fn push(
        self: &Arc<Self>,
        push: impl FnOnce(&mut Outbox) -> Pushed,
    ) -> Result<(), SendError> {
        let mut inner = self.lock();
        if !inner.session.is_open() {
            return Err(SendError::Closed);
        }
        let was_idle = inner.session.outbox.queued_bytes() == 0;
        if push(&mut inner.session.outbox) == Pushed::Full {
            let queued_bytes = inner.session.outbox.queued_bytes();
            drop(inner);
            if self.hub.config.overflow == OverflowPolicy::Disconnect {
                self.handle(self.hub.now(), Input::Discard);
            }
            return Err(SendError::QueueFull { queued_bytes });
        }
        if inner.session.outbox.queued_bytes() > self.hub.config.high_watermark {
            inner.is_above_watermark = true;
        }
        match inner.session.transport() {
            _ if inner.is_dispatching => {}
            Transport::WebSocket => {
                drop(inner);
                self.flush();
            }
            Transport::Polling if was_idle => {
                let now = self.hub.now();
                let mut effects = self.feed(&mut inner, now, Input::Queued);
                drop(inner);
                self.run(&mut effects);
            }
            Transport::Polling => {}
        }
        Ok(())
    }

    pub(super) fn send_shared(self: &Arc<Self>, frames: &Bytes) -> Result<(), SendError> {
        let mut inner = self.lock();
        if !inner.session.is_open() {
            return Err(SendError::Closed);
        }
        let Some(writer) = inner.begin_bypass(frames.len()) else {
            drop(inner);
            return self.push(|outbox| outbox.push_shared(frames, buffers::take));
        };
        drop(inner);
        // Nothing waits, so the shared bytes are written as they are; what does not fit is queued.
        let (wrote, written) = writer.try_write_slice(frames);
        inner = self.lock();
        if wrote == Wrote::All {
            inner.session.outbox.end_write(None);
            if !inner.session.outbox.is_flushed() {
                drop(inner);
                self.flush();
            }
            return Ok(());
        }
        let mut rest = Chunk::Shared(frames.clone());
        rest.advance(written);
        inner.session.outbox.end_write(Some(rest));
        self.wake_writer(inner, wrote);
        Ok(())
    }
}

impl Inner {
    /// Takes the right to write and the next bytes, in the form this WebSocket wants.
    fn begin_write(&mut self) -> Option<Chunk> {
        let chunk = self.session.outbox.begin_write(buffers::take)?;
        Some(self.form.shape(chunk))
    }

    /// The same for whoever is not the stream's owner.
    fn begin_direct_write(&mut self) -> Option<(Arc<Writer>, Chunk)> {
        let writer = self
            .writer
            .clone()
            .filter(|writer| writer.writes_directly())?;
        let chunk = self.begin_write()?;
        Some((writer, chunk))
    }

    /// Takes the right to write a shared message past the empty queue.
    fn begin_bypass(&mut self, length: usize) -> Option<Arc<Writer>> {
        let writer = self
            .writer
            .as_ref()
            .filter(|writer| writer.writes_directly())?;
        (self.form.is_plain() && self.session.outbox.begin_direct(length))
            .then(|| Arc::clone(writer))
    }

    fn needs_owner_to_write(&self) -> bool {
        self.writer
            .as_ref()
            .is_some_and(|writer| !writer.writes_directly())
            && self.session.outbox.has_writable()
    }

    pub(super) fn note_drained(&mut self) {
        if self.is_above_watermark && self.session.outbox.queued_bytes() == 0 {
            self.is_above_watermark = false;
            self.is_drained_due = true;
        }
    }

    pub(super) fn poll_body(&mut self, answer: PollAnswer) -> PollBody {
        let mut payload = PayloadEncoder::new(self.session.protocol(), !self.polls_base64);
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
                    push_frames(&mut payload, chunk.remaining());
                    writer::recycle(chunk);
                }
            }
        }
        let (bytes, content) = payload.finish();
        PollBody { bytes, content }
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
