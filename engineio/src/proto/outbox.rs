//! What waits to be sent to one client, counted in bytes.
//!
//! Messages are kept as the WebSocket frames they would leave in. A session on WebSocket writes them as they
//! are, many in one write; a session on long-polling reads them back frame by frame when its poll is answered.
//! So a message is encoded once, whichever transport it leaves by.
//!
//! Ping and pong have a lane of their own: a full queue never keeps a live client from its heartbeat.
//!
//! The right to write is a flag here. Whoever takes it writes outside the lock and gives it back; while it is
//! taken, or anything is queued, everyone else queues, so the order of pushes is the order on the wire.

use std::collections::VecDeque;

use bytes::Bytes;

use super::chunk::{Chunk, Shape};
use super::chunks::Chunks;
use crate::send_options::{ConflationKey, OverflowPolicy};

/// Messages of one client are copied together up to this size, so that they leave in one write: a copy costs less
/// than a system call.
const JOINED_MAX_BYTES: usize = 64 * 1024;

/// Messages shared with others are copied up to this size, and kept shared beyond.
const FLATTEN_MAX_BYTES: usize = 4096;

/// The data of a WebSocket control frame has no more (RFC 6455 §5.5).
const CONTROL_MAX_BYTES: usize = 125;

/// Which control packets wait in the reserved lane. Each kind needs at most one place: a second pong to a
/// client that has not read the first tells it nothing new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Control {
    pub(crate) ping: bool,
    pub(crate) pong: bool,
}

impl Control {
    fn is_empty(self) -> bool {
        !self.ping && !self.pong
    }

    /// The packets as text, one at a time.
    pub(crate) fn packets(self) -> impl Iterator<Item = &'static str> {
        self.ping
            .then_some("2")
            .into_iter()
            .chain(self.pong.then_some("3"))
    }

    /// Appends the packets as WebSocket text frames.
    fn append_frames(self, out: &mut Vec<u8>) {
        for packet in self.packets() {
            out.extend_from_slice(&[0x81, 0x01]);
            out.extend_from_slice(packet.as_bytes());
        }
    }
}

/// How one item is to be queued.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Placing {
    pub(crate) policy: OverflowPolicy,
    pub(crate) key: Option<ConflationKey>,
    pub(crate) shape: Shape,
}

/// What a push did to the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pushed {
    /// It is queued; the caller may flush.
    Queued,
    /// It stands in the place of an item with the same key.
    Replaced,
    /// The queue is past its hard mark; nothing was queued.
    Full,
}

/// One push: bytes that leave together or not at all.
#[derive(Clone, Copy, Debug)]
struct Item {
    length: usize,
    key: Option<ConflationKey>,
}

/// The data of a WebSocket control frame.
#[derive(Debug)]
#[cfg_attr(any(test, feature = "fuzzing"), derive(Clone))]
struct PongData {
    bytes: [u8; CONTROL_MAX_BYTES],
    length: u8,
}

impl PongData {
    /// What is longer than the data of a control frame can be is cut off.
    fn of(data: &[u8]) -> Self {
        let mut bytes = [0; CONTROL_MAX_BYTES];
        let mut length = 0;
        for (place, byte) in bytes.iter_mut().zip(data) {
            *place = *byte;
            length += 1;
        }
        Self { bytes, length }
    }

    fn append_frame(&self, out: &mut Vec<u8>) {
        let data = self.bytes.iter().take(usize::from(self.length));
        out.extend_from_slice(&[0x8a, self.length]);
        out.extend(data);
    }
}

/// The outgoing queue of one session.
#[derive(Debug)]
#[cfg_attr(any(test, feature = "fuzzing"), derive(Clone))]
pub(crate) struct Outbox {
    chunks: Chunks,
    /// The last WebSocket ping's data, waiting to be echoed.
    websocket_pong: Option<Box<PongData>>,
    /// Bytes in `chunks`.
    queued: usize,
    /// Bytes taken by the writer and not yet written.
    in_flight: usize,
    /// What `chunks` is made of, oldest first; kept only once items may be dropped or replaced.
    #[expect(
        clippy::box_collection,
        reason = "absent from most connections, whose size counts"
    )]
    items: Option<Box<VecDeque<Item>>>,
    /// Bytes at the front that belong to an item already partly on the wire.
    front_locked: usize,
    max_bytes: usize,
    control: Control,
    is_writing: bool,
}

impl Outbox {
    /// An empty queue that is full once more than `max_bytes` wait.
    pub(crate) fn new(max_bytes: usize, tracks_items: bool) -> Self {
        Self {
            chunks: Chunks::default(),
            websocket_pong: None,
            queued: 0,
            in_flight: 0,
            items: tracks_items.then(Box::default),
            front_locked: 0,
            max_bytes,
            control: Control::default(),
            is_writing: false,
        }
    }

    /// Queues frames of this client alone: joined to what waits, so that both leave in one write, else in the
    /// caller's own buffer, for which `spare` yields another.
    #[inline]
    pub(crate) fn push_own(
        &mut self,
        frames: &mut Vec<u8>,
        placing: Placing,
        spare: impl FnOnce() -> Vec<u8>,
    ) -> Pushed {
        if self.append_to_only(frames, placing) {
            return Pushed::Queued;
        }
        self.push_own_any(frames, placing, spare)
    }

    /// The long way, by itself: what it needs of the stack would be made room for on the short one too.
    #[inline(never)]
    fn push_own_any(
        &mut self,
        frames: &mut Vec<u8>,
        placing: Placing,
        spare: impl FnOnce() -> Vec<u8>,
    ) -> Pushed {
        if let Some(pushed) = self.place(frames, placing) {
            return pushed;
        }
        let length = frames.len();
        if !self.join(frames, placing.shape) {
            let own = std::mem::replace(frames, spare());
            self.chunks.push_back(Chunk::own(own, placing.shape));
        }
        self.count(length, placing.key);
        Pushed::Queued
    }

    /// What nearly every push comes to that is not the first of a turn: nothing can be dropped or replaced, there is room,
    /// and the one chunk that waits takes it. False where it is to be looked at closely.
    #[inline]
    fn append_to_only(&mut self, frames: &[u8], placing: Placing) -> bool {
        let is_ordinary = self.items.is_none()
            && placing.key.is_none()
            && placing.policy != OverflowPolicy::DropOldest
            && self.queued_bytes() <= self.max_bytes
            && self.queued.saturating_add(frames.len()) <= JOINED_MAX_BYTES;
        let is_appended = is_ordinary
            && self
                .chunks
                .only_mut()
                .is_some_and(|only| only.append(frames, placing.shape));
        if is_appended {
            self.queued += frames.len();
        }
        is_appended
    }

    /// Queues frames shared with other recipients.
    pub(crate) fn push_shared(
        &mut self,
        frames: &Bytes,
        placing: Placing,
        spare: impl FnOnce() -> Vec<u8>,
    ) -> Pushed {
        if let Some(pushed) = self.place(frames, placing) {
            return pushed;
        }
        if frames.len() > FLATTEN_MAX_BYTES {
            self.chunks
                .push_back(Chunk::shared(frames.clone(), placing.shape));
        } else {
            self.append_copy(frames, placing.shape, spare);
        }
        self.count(frames.len(), placing.key);
        Pushed::Queued
    }

    /// Puts bytes that are no frame before everything else: the answer to the handshake. With `joins_frames` they
    /// leave in one write with the frames behind them, and the vector is another's then that is not needed any more.
    pub(crate) fn push_head(&mut self, head: &mut Vec<u8>, joins_frames: bool) {
        self.queued += head.len();
        if let Some(items) = &mut self.items {
            items.push_front(Item {
                length: head.len(),
                key: None,
            });
        }
        let is_joined = joins_frames
            && self
                .chunks
                .front_mut()
                .is_some_and(|front| front.prepend(head));
        if !is_joined {
            let head = std::mem::take(head);
            self.chunks.push_front(Chunk::own(head, Shape::Wire));
        }
    }

    pub(crate) fn push_ping(&mut self) {
        self.control.ping = true;
    }

    pub(crate) fn push_pong(&mut self) {
        self.control.pong = true;
    }

    /// A WebSocket ping is to be echoed (RFC 6455 §5.5.3: answering the latest is enough).
    pub(crate) fn push_websocket_pong(&mut self, data: &[u8]) {
        self.websocket_pong = Some(Box::new(PongData::of(data)));
    }

    /// A WebSocket pong that nobody asked for, unless one is owed.
    pub(crate) fn push_idle_pong(&mut self) {
        self.websocket_pong
            .get_or_insert_with(|| Box::new(PongData::of(&[])));
    }

    /// Bytes of messages accepted and not yet handed to the transport.
    pub(crate) fn queued_bytes(&self) -> usize {
        self.queued + self.in_flight
    }

    /// True when a poll answered now would carry nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.queued == 0 && self.control.is_empty()
    }

    /// True when everything, the reserved lane included, has been handed to the transport.
    pub(crate) fn is_flushed(&self) -> bool {
        self.is_empty() && self.in_flight == 0 && self.websocket_pong.is_none()
    }

    /// Takes the right to write together with the next bytes to write.
    ///
    /// `None` when nothing waits or someone else has the right. The holder of a chunk must give it back with
    /// [`Outbox::end_write`].
    pub(crate) fn begin_write(&mut self, spare: impl FnOnce() -> Vec<u8>) -> Option<Chunk> {
        if self.is_writing {
            return None;
        }
        let has_control = !self.control.is_empty() || self.websocket_pong.is_some();
        // A frame that is half on the wire must be finished before a control frame may follow.
        if has_control && self.front_locked == 0 {
            let mut frames = spare();
            if let Some(data) = self.websocket_pong.take() {
                data.append_frame(&mut frames);
            }
            std::mem::take(&mut self.control).append_frames(&mut frames);
            // Control frames are not messages: they do not count against the queue.
            self.is_writing = true;
            return Some(Chunk::own(frames, Shape::Wire));
        }
        let chunk = self.chunks.pop_front()?;
        let length = chunk.remaining().len();
        self.queued -= length;
        self.in_flight = length;
        self.front_locked = 0;
        self.forget_items(length);
        self.is_writing = true;
        Some(chunk)
    }

    /// True when a writer that came now would be given something.
    pub(crate) fn has_writable(&self) -> bool {
        !self.is_writing && (!self.is_empty() || self.websocket_pong.is_some())
    }

    /// Keeps everyone from writing for good, so that a close frame can be the last. False when a frame is half
    /// on the wire or being written, and nothing can follow it.
    pub(crate) fn seal(&mut self) -> bool {
        let is_between_frames = !self.is_writing && self.front_locked == 0;
        self.is_writing = true;
        self.clear();
        is_between_frames
    }

    /// True when a shared message may be written at once, bypassing the queue. Takes the right to write.
    pub(crate) fn begin_direct(&mut self, length: usize) -> bool {
        if self.is_writing || !self.is_flushed() {
            return false;
        }
        self.in_flight = length;
        self.is_writing = true;
        true
    }

    /// Gives the right to write back, with what could not be written.
    #[inline]
    pub(crate) fn end_write(&mut self, rest: Option<Chunk>) {
        self.is_writing = false;
        self.in_flight = 0;
        if let Some(rest) = rest {
            self.put_back(rest);
        }
    }

    /// By itself, for nearly every write is of all that there is.
    #[inline(never)]
    fn put_back(&mut self, rest: Chunk) {
        let length = rest.remaining().len();
        if length > 0 {
            self.queued += length;
            self.front_locked = length;
            if let Some(items) = &mut self.items {
                items.push_front(Item { length, key: None });
            }
            self.chunks.push_front(rest);
        }
    }

    /// Takes everything for a poll: the control packets, then the frames in order.
    pub(crate) fn drain(&mut self) -> (Control, impl Iterator<Item = Chunk> + use<>) {
        self.queued = 0;
        self.front_locked = 0;
        if let Some(items) = &mut self.items {
            items.clear();
        }
        (
            std::mem::take(&mut self.control),
            std::mem::take(&mut self.chunks).into_iter(),
        )
    }

    /// Drops everything that waits: the session is over.
    pub(crate) fn clear(&mut self) {
        drop(self.drain());
        self.websocket_pong = None;
    }

    fn append_copy(&mut self, frames: &[u8], shape: Shape, spare: impl FnOnce() -> Vec<u8>) {
        if !self.join(frames, shape) {
            let mut tail = spare();
            tail.extend_from_slice(frames);
            self.chunks.push_back(Chunk::own(tail, shape));
        }
    }

    /// Appends to the chunk that waits last; false when that cannot be, or would become too large.
    fn join(&mut self, frames: &[u8], shape: Shape) -> bool {
        self.chunks
            .back_mut()
            .filter(|tail| tail.remaining().len().saturating_add(frames.len()) <= JOINED_MAX_BYTES)
            .is_some_and(|tail| tail.append(frames, shape))
    }

    fn count(&mut self, length: usize, key: Option<ConflationKey>) {
        self.queued += length;
        if let Some(items) = &mut self.items {
            items.push_back(Item { length, key });
        }
    }

    /// Replaces or makes room as asked; `None` when the item is to be queued at the end.
    fn place(&mut self, frames: &[u8], placing: Placing) -> Option<Pushed> {
        let drops_oldest = placing.policy == OverflowPolicy::DropOldest;
        if (drops_oldest || placing.key.is_some()) && self.items.is_none() {
            let behind = self.queued.saturating_sub(self.front_locked);
            let waiting = [self.front_locked, behind].into_iter();
            let items = waiting
                .filter(|&length| length > 0)
                .map(|length| Item { length, key: None });
            self.items = Some(Box::new(items.collect()));
        }
        if let Some(key) = placing.key
            && self.replace(key, frames, placing.shape)
        {
            return Some(Pushed::Replaced);
        }
        // One item larger than the mark may still be queued: the mark bounds what waits before it.
        if self.queued_bytes() <= self.max_bytes {
            return None;
        }
        if !drops_oldest {
            return Some(Pushed::Full);
        }
        while self.queued_bytes().saturating_add(frames.len()) > self.max_bytes {
            if !self.drop_oldest() {
                break;
            }
        }
        None
    }

    /// Puts an item in the place of a waiting one with the same key. Not if what waits beside it is past the
    /// mark already: then the policy decides.
    fn replace(&mut self, key: ConflationKey, frames: &[u8], shape: Shape) -> bool {
        let mut start = 0;
        let Some(item) = self
            .items
            .iter_mut()
            .flat_map(|items| items.iter_mut())
            .find(|item| {
                let is_wanted = item.key == Some(key) && start >= self.front_locked;
                start += if is_wanted { 0 } else { item.length };
                is_wanted
            })
        else {
            return false;
        };
        let length = item.length;
        let others = (self.queued + self.in_flight).saturating_sub(length);
        if others > self.max_bytes {
            return false;
        }
        item.length = frames.len();
        self.queued = self.queued.saturating_sub(length) + frames.len();
        let chunks = self.chunks.as_deque();
        for index in 0..chunks.len() {
            let Some(chunk) = chunks.get_mut(index) else {
                break;
            };
            let chunk_length = chunk.remaining().len();
            if start >= chunk_length {
                start -= chunk_length;
                continue;
            }
            if !chunk.splice(start, length, frames, shape) {
                let mut old = chunk.split_off(start);
                let behind = old.split_off(length);
                let replacement = Chunk::own(frames.to_vec(), shape);
                chunks.insert(index + 1, replacement);
                chunks.insert(index + 2, behind);
                chunks.retain(|chunk| !chunk.remaining().is_empty());
            }
            break;
        }
        true
    }

    /// Drops the oldest item that has not begun to leave; false when there is none.
    fn drop_oldest(&mut self) -> bool {
        // What is half on the wire is an item of its own, in front of all others.
        let oldest = usize::from(self.front_locked > 0);
        let items = self.items.as_mut();
        let Some(item) = items.and_then(|items| items.remove(oldest)) else {
            return false;
        };
        self.cut(self.front_locked, item.length);
        self.queued = self.queued.saturating_sub(item.length);
        true
    }

    /// Takes `length` bytes at `start` out of the chunks.
    fn cut(&mut self, mut start: usize, mut length: usize) {
        let chunks = self.chunks.as_deque();
        let mut index = 0;
        while length > 0
            && let Some(chunk) = chunks.get_mut(index)
        {
            let chunk_length = chunk.remaining().len();
            if start >= chunk_length {
                start -= chunk_length;
                index += 1;
            } else if start > 0 {
                let behind = chunk.split_off(start);
                chunks.insert(index + 1, behind);
            } else {
                let count = length.min(chunk_length);
                chunk.advance(count);
                length -= count;
                if count == chunk_length {
                    chunks.remove(index);
                }
            }
        }
    }

    /// The bytes at the front leave; what they belong to is not kept as items any longer.
    fn forget_items(&mut self, mut length: usize) {
        let Some(items) = &mut self.items else { return };
        while length > 0
            && let Some(item) = items.front_mut()
        {
            let count = length.min(item.length);
            item.length -= count;
            length -= count;
            if item.length == 0 {
                items.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Placing = Placing {
        policy: OverflowPolicy::Disconnect,
        key: None,
        shape: Shape::Frames,
    };
    const DROP_OLDEST: Placing = Placing {
        policy: OverflowPolicy::DropOldest,
        ..PLAIN
    };

    fn push(outbox: &mut Outbox, text: &[u8]) -> Pushed {
        place(outbox, text, PLAIN)
    }

    fn place(outbox: &mut Outbox, text: &[u8], placing: Placing) -> Pushed {
        outbox.push_own(&mut text.to_vec(), placing, Vec::new)
    }

    fn keyed(key: u64) -> Placing {
        Placing {
            key: Some(ConflationKey::new(key)),
            ..PLAIN
        }
    }

    fn rest(outbox: &mut Outbox) -> Vec<u8> {
        let mut left = Vec::new();
        while let Some(bytes) = next(outbox) {
            left.extend(bytes);
        }
        left
    }

    fn next(outbox: &mut Outbox) -> Option<Vec<u8>> {
        let chunk = outbox.begin_write(Vec::new)?;
        let bytes = chunk.remaining().to_vec();
        outbox.end_write(None);
        Some(bytes)
    }

    #[test]
    fn small_messages_leave_in_one_write_and_in_order() {
        let mut outbox = Outbox::new(100, false);
        push(&mut outbox, b"one");
        outbox.push_shared(&Bytes::from_static(b"two"), PLAIN, Vec::new);
        push(&mut outbox, b"three");
        assert_eq!(next(&mut outbox).unwrap(), b"onetwothree");
        assert!(outbox.is_flushed());
    }

    #[test]
    fn own_messages_join_up_to_the_limit_and_no_further() {
        for (second, writes) in [(JOINED_MAX_BYTES - 10, 1), (JOINED_MAX_BYTES - 9, 2)] {
            let mut outbox = Outbox::new(1_000_000, false);
            push(&mut outbox, &[b'a'; 10]);
            push(&mut outbox, &vec![b'b'; second]);
            let sizes: Vec<usize> = std::iter::from_fn(|| next(&mut outbox))
                .map(|write| write.len())
                .collect();
            assert_eq!(sizes.len(), writes, "{second}");
            assert_eq!(sizes.iter().sum::<usize>(), 10 + second);
        }
    }

    #[test]
    fn large_messages_are_not_copied() {
        let mut outbox = Outbox::new(100_000, false);
        let big = Bytes::from(vec![7; FLATTEN_MAX_BYTES + 1]);
        push(&mut outbox, b"a");
        outbox.push_shared(&big, PLAIN, Vec::new);
        push(&mut outbox, b"b");
        assert_eq!(next(&mut outbox).unwrap(), b"a");
        let chunk = outbox.begin_write(Vec::new).unwrap();
        assert_eq!(chunk.remaining().as_ptr(), big.as_ptr());
        outbox.end_write(None);
        assert_eq!(next(&mut outbox).unwrap(), b"b");
    }

    #[test]
    fn a_partial_write_stays_at_the_front_and_control_waits_for_it() {
        let mut outbox = Outbox::new(100, false);
        push(&mut outbox, b"half");
        let mut chunk = outbox.begin_write(Vec::new).unwrap();
        chunk.advance(2);
        outbox.push_ping();
        push(&mut outbox, b"next");
        outbox.end_write(Some(chunk));
        assert_eq!(outbox.queued_bytes(), 6);
        assert_eq!(next(&mut outbox).unwrap(), b"lf");
        assert_eq!(next(&mut outbox).unwrap(), b"\x81\x012");
        assert_eq!(next(&mut outbox).unwrap(), b"next");
        assert!(next(&mut outbox).is_none());
    }

    #[test]
    fn a_full_queue_refuses_messages_but_not_a_ping() {
        let mut outbox = Outbox::new(4, false);
        assert_eq!(push(&mut outbox, b"1234"), Pushed::Queued);
        assert_eq!(
            push(&mut outbox, b"5"),
            Pushed::Queued,
            "exactly at the mark is not past it"
        );
        assert_eq!(push(&mut outbox, b"6"), Pushed::Full, "one past the mark");
        outbox.push_ping();
        assert_eq!(next(&mut outbox).unwrap(), b"\x81\x012");
        assert_eq!(next(&mut outbox).unwrap(), b"12345");
    }

    /// Writes the first byte of what waits.
    fn write_one_byte(outbox: &mut Outbox) {
        let mut chunk = outbox.begin_write(Vec::new).unwrap();
        chunk.advance(1);
        outbox.end_write(Some(chunk));
    }

    #[test]
    fn dropping_the_oldest_never_tears_what_is_half_written() {
        for tracks_items in [true, false] {
            let mut outbox = Outbox::new(6, tracks_items);
            place(&mut outbox, b"aaaa", PLAIN);
            write_one_byte(&mut outbox);
            place(&mut outbox, b"bbbb", PLAIN);
            place(&mut outbox, b"cccc", DROP_OLDEST);
            place(&mut outbox, b"dddd", DROP_OLDEST);
            assert_eq!(outbox.queued_bytes(), 7, "one item behind it may wait");
            assert_eq!(rest(&mut outbox), b"aaadddd");
        }
        let mut outbox = Outbox::new(6, true);
        place(&mut outbox, b"aaaa", DROP_OLDEST);
        place(&mut outbox, b"bbbb", DROP_OLDEST);
        place(&mut outbox, b"cc", DROP_OLDEST);
        assert_eq!(next(&mut outbox).unwrap(), b"bbbbcc");
    }

    #[test]
    fn dropping_the_oldest_bounds_a_client_that_never_reads() {
        const MARK: usize = 10_000;
        let sizes = [10, 1000, FLATTEN_MAX_BYTES + 1];
        for (size, takes_bytes) in sizes
            .into_iter()
            .flat_map(|size| [(size, true), (size, false)])
        {
            let mut outbox = Outbox::new(MARK, true);
            let message = Bytes::from(vec![b'x'; size]);
            for _ in 0..50 * MARK / size {
                outbox.push_shared(&message, DROP_OLDEST, Vec::new);
                if takes_bytes {
                    write_one_byte(&mut outbox);
                }
                let held: usize = outbox.chunks.as_deque().iter().map(Chunk::held_bytes).sum();
                let queued = outbox.queued_bytes();
                // What was joined to half-written bytes stays with them.
                let most = MARK + JOINED_MAX_BYTES + size;
                assert!(queued <= most && held <= 2 * most, "{queued}, {held}");
            }
        }
    }

    #[test]
    fn what_waited_before_the_first_drop_leaves_chunk_by_chunk() {
        let mut outbox = Outbox::new(FLATTEN_MAX_BYTES, false);
        let large = Bytes::from(vec![b'b'; FLATTEN_MAX_BYTES + 1]);
        push(&mut outbox, b"aaaa");
        outbox.push_shared(&large, PLAIN, Vec::new);
        let newest = keyed(1);
        place(&mut outbox, b"x", newest);
        assert_eq!(next(&mut outbox).unwrap(), b"aaaa");
        place(&mut outbox, b"cccc", DROP_OLDEST);
        assert_eq!(
            rest(&mut outbox),
            b"cccc",
            "the large one is dropped whole, and what came behind it"
        );
    }

    #[test]
    fn one_message_may_drop_the_oldest_where_the_others_do_not() {
        let mut outbox = Outbox::new(4, false);
        push(&mut outbox, b"old1");
        push(&mut outbox, b"old2");
        assert_eq!(push(&mut outbox, b"no"), Pushed::Full);
        assert_eq!(
            place(&mut outbox, b"new", DROP_OLDEST),
            Pushed::Queued,
            "all that waited counts as one"
        );
        assert_eq!(outbox.queued_bytes(), 3);
        assert_eq!(next(&mut outbox).unwrap(), b"new");
    }

    #[test]
    fn a_message_replaces_a_waiting_one_with_its_key_in_place() {
        let mut outbox = Outbox::new(100, false);
        push(&mut outbox, b"first ");
        assert_eq!(place(&mut outbox, b"x=1 ", keyed(1)), Pushed::Queued);
        assert_eq!(place(&mut outbox, b"y=1 ", keyed(2)), Pushed::Queued);
        push(&mut outbox, b"last");
        assert_eq!(place(&mut outbox, b"x=22 ", keyed(1)), Pushed::Replaced);
        assert_eq!(outbox.queued_bytes(), 19);
        assert_eq!(next(&mut outbox).unwrap(), b"first x=22 y=1 last");
        assert_eq!(place(&mut outbox, b"x=3", keyed(1)), Pushed::Queued);
        assert_eq!(next(&mut outbox).unwrap(), b"x=3");
    }

    #[test]
    fn a_replacement_of_another_shape_keeps_the_order() {
        let mut outbox = Outbox::new(100, false);
        let raw = Placing {
            shape: Shape::Incompressible,
            ..keyed(1)
        };
        push(&mut outbox, b"a");
        place(&mut outbox, b"old", keyed(1));
        push(&mut outbox, b"b");
        assert_eq!(place(&mut outbox, b"new!", raw), Pushed::Replaced);
        assert_eq!(outbox.queued_bytes(), 6);
        assert_eq!(next(&mut outbox).unwrap(), b"a");
        assert_eq!(next(&mut outbox).unwrap(), b"new!");
        assert_eq!(next(&mut outbox).unwrap(), b"b");
        assert!(outbox.is_flushed());
    }

    #[test]
    fn what_is_half_written_is_not_replaced() {
        let mut outbox = Outbox::new(100, false);
        place(&mut outbox, b"x=1", keyed(1));
        let mut chunk = outbox.begin_write(Vec::new).unwrap();
        chunk.advance(1);
        outbox.end_write(Some(chunk));
        assert_eq!(place(&mut outbox, b"x=2", keyed(1)), Pushed::Queued);
        assert_eq!(place(&mut outbox, b"x=3", keyed(1)), Pushed::Replaced);
        assert_eq!(rest(&mut outbox), b"=1x=3");
    }

    #[test]
    fn a_replacement_past_the_mark_is_for_the_policy() {
        let mut outbox = Outbox::new(4, false);
        place(&mut outbox, b"x", keyed(1));
        push(&mut outbox, b"aaaa");
        assert_eq!(place(&mut outbox, b"yy", keyed(1)), Pushed::Replaced);
        assert_eq!(outbox.queued_bytes(), 6);
        let mut outbox = Outbox::new(4, false);
        place(&mut outbox, b"x", keyed(1));
        push(&mut outbox, b"aa");
        push(&mut outbox, b"bbb");
        assert_eq!(place(&mut outbox, b"yy", keyed(1)), Pushed::Full);
    }

    #[test]
    fn the_answer_to_the_handshake_precedes_what_may_be_dropped() {
        let mut outbox = Outbox::new(3, true);
        place(&mut outbox, b"open", DROP_OLDEST);
        outbox.push_head(&mut b"HTTP ".to_vec(), true);
        let big = vec![b'x'; FLATTEN_MAX_BYTES + 1];
        assert_eq!(next(&mut outbox).unwrap(), b"HTTP open");
        place(&mut outbox, &big, DROP_OLDEST);
        place(&mut outbox, b"y", DROP_OLDEST);
        assert_eq!(rest(&mut outbox), b"y");
    }

    #[test]
    fn only_one_may_write() {
        let mut outbox = Outbox::new(100, false);
        push(&mut outbox, b"a");
        let chunk = outbox.begin_write(Vec::new).unwrap();
        push(&mut outbox, b"b");
        assert!(outbox.begin_write(Vec::new).is_none());
        assert!(!outbox.begin_direct(1));
        outbox.end_write(None);
        drop(chunk);
        assert_eq!(next(&mut outbox).unwrap(), b"b");
        assert!(outbox.begin_direct(1));
        assert!(outbox.begin_write(Vec::new).is_none());
        outbox.end_write(None);
    }
}
