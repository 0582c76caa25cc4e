//! What user code is still to be called for on one connection, in order, and whether the connection may be read.
//!
//! Calls are made by one thread at a time; who finds the right to call taken leaves his call here. Events wait here too
//! while too many handlers are in flight; all other calls overtake them then.
//!
//! A handler in flight may wait for an answer of this very client, and the answer stands behind what the client sent
//! before it. So a full inbox stops the reading only while no answer is awaited; until it comes the inbox may grow, up to a
//! second bound. Past that the connection is closed, for neither to read nor to wait would help.

use socketio_auth::server::Queue;

/// The bounds of an inbox, in bytes of memory. Where they cross, the first holds for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Handlers that wait for something.
    pub(crate) max_in_flight: u32,
    /// Past this nothing more is read, unless an answer is awaited.
    pub(crate) max_bytes: usize,
    /// Past this the connection cannot go on, for an answer is awaited and does not come.
    pub(crate) overflow_bytes: usize,
}

/// An event that waits.
pub(crate) trait Waiting {
    /// The memory that it takes, but for what it shares with others.
    fn resident_bytes(&self) -> usize;
}

/// The next call to make.
pub(crate) enum Next<E, C> {
    Event(E),
    Other(C),
}

/// What becomes of reading, now that an event waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    GoesOn,
    /// Until [`Inbox::take_resumed`] or [`Inbox::take_awaited`] says that it goes on.
    Pauses,
    /// More waits than may, and the answer that would help has not come.
    Overflows,
}

/// The events `E` and the other calls `C` of one connection.
pub(crate) struct Inbox<E, C> {
    events: Queue<Numbered<E>>,
    others: Queue<Numbered<C>>,
    /// Of the events that wait, with what the queue takes for them.
    bytes: usize,
    next_number: u64,
    /// Handlers that wait for something.
    in_flight: u32,
    is_calling: bool,
    is_paused: bool,
}

/// Memory for one call, without a call.
pub(crate) struct CallRoom<C>(Queue<Numbered<C>>);

impl<C> CallRoom<C> {
    /// No memory yet.
    pub(crate) const fn new() -> Self {
        Self(Queue::new())
    }
}

impl<C> Default for CallRoom<C> {
    fn default() -> Self {
        Self::new()
    }
}

/// With its place in the order of all.
struct Numbered<T> {
    number: u64,
    item: T,
}

impl<E, C> Default for Inbox<E, C> {
    fn default() -> Self {
        Self {
            events: Queue::default(),
            others: Queue::default(),
            bytes: 0,
            next_number: 0,
            in_flight: 0,
            is_calling: false,
            is_paused: false,
        }
    }
}

impl<E: Waiting, C> Inbox<E, C> {
    /// Takes the right to call, for an event that just arrived and that nothing precedes.
    #[inline]
    pub(crate) fn begin_event(&mut self, bounds: &Bounds) -> bool {
        let is_free = !self.is_calling && self.is_empty() && self.in_flight < bounds.max_in_flight;
        self.is_calling |= is_free;
        is_free
    }

    /// Takes the right to call.
    pub(crate) fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.is_calling, true)
    }

    /// Gives the right to call back if nothing is left to do for whoever had it: no call waits, no memory is kept for one, and
    /// nobody waits to read on. False when the right is kept, for [`next`](Self::next).
    #[inline]
    pub(crate) fn end_quietly(&mut self) -> bool {
        let is_quiet = !self.is_paused && !self.events.has_memory() && !self.others.has_memory();
        self.is_calling &= !is_quiet;
        is_quiet
    }

    /// The next call to make, or, when there is none now, gives the right to call back.
    pub(crate) fn next(&mut self, bounds: &Bounds) -> Option<Next<E, C>> {
        // As behind nearly every event.
        if self.is_empty() {
            self.is_calling = false;
            return None;
        }
        let may_start = self.in_flight < bounds.max_in_flight;
        let is_event_first = match (self.events.front(), self.others.front()) {
            (Some(event), Some(other)) => event.number < other.number,
            (event, _) => event.is_some(),
        };
        if may_start && is_event_first {
            let event = self.events.pop_front()?.item;
            self.bytes = self.bytes.saturating_sub(cost(&event));
            return Some(Next::Event(event));
        }
        let next = self.others.pop_front();
        self.is_calling = next.is_some();
        next.map(|other| Next::Other(other.item))
    }

    /// Adds a call that is no event.
    pub(crate) fn push(&mut self, call: C) {
        let number = self.take_number();
        self.others.push_back(Numbered { number, item: call });
    }

    /// Adds an event.
    pub(crate) fn push_event(&mut self, event: E) {
        self.bytes = self.bytes.saturating_add(cost(&event));
        let number = self.take_number();
        self.events.push_back(Numbered {
            number,
            item: event,
        });
    }

    /// What becomes of reading behind an event that was read and added. An answer `is_awaited` if one of this client's is,
    /// by whomever.
    pub(crate) fn reading(&mut self, bounds: &Bounds, is_awaited: bool) -> Reading {
        let most = if is_awaited {
            bounds.max_bytes.max(bounds.overflow_bytes)
        } else {
            bounds.max_bytes
        };
        let is_full = self.bytes > most;
        self.is_paused = is_full && !is_awaited;
        match (is_full, is_awaited) {
            (false, _) => Reading::GoesOn,
            (true, false) => Reading::Pauses,
            (true, true) => Reading::Overflows,
        }
    }

    /// Drops the events that nobody will be called for.
    pub(crate) fn drop_events(&mut self, is_void: impl Fn(&E) -> bool) {
        let bytes = &mut self.bytes;
        self.events.retain(|event| {
            let is_kept = !is_void(&event.item);
            if !is_kept {
                *bytes = bytes.saturating_sub(cost(&event.item));
            }
            is_kept
        });
    }

    /// An answer of this client is awaited: true once, when it stands behind what is not read.
    pub(crate) fn take_awaited(&mut self) -> bool {
        std::mem::take(&mut self.is_paused)
    }

    /// True once when half of the bound is free again after a pause.
    pub(crate) fn take_resumed(&mut self, bounds: &Bounds) -> bool {
        let is_resumed = self.is_paused && self.bytes <= bounds.max_bytes / 2;
        self.is_paused &= !is_resumed;
        is_resumed
    }

    /// A handler waits.
    pub(crate) fn begin_flight(&mut self) {
        self.in_flight = self.in_flight.saturating_add(1);
    }

    /// A handler that waited has ended.
    pub(crate) fn end_flight(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Whether no call that is no event has room.
    pub(crate) fn needs_call_room(&self) -> bool {
        !self.others.has_memory()
    }

    /// Uses the room that another inbox has left, for the next call.
    pub(crate) fn borrow_call_room(&mut self, room: CallRoom<C>) {
        self.others.borrow(room.0);
    }

    /// The room of a call, for another inbox; `None` if there is none, or it is in use.
    pub(crate) fn take_call_room(&mut self) -> Option<CallRoom<C>> {
        self.others.take_memory().map(CallRoom)
    }

    /// Gives the memory back that nothing waits in.
    pub(crate) fn release(&mut self) {
        self.events.release();
        self.others.release();
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.events.is_empty() && self.others.is_empty()
    }

    fn take_number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        number
    }
}

/// With its place in the queue.
fn cost<E: Waiting>(event: &E) -> usize {
    let place = size_of::<Numbered<E>>();
    event.resident_bytes().saturating_add(place)
}

#[cfg(test)]
mod tests;
