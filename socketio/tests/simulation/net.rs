//! A network in memory: streams with delay, short reads and writes, and faults.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::rng::Rng;

/// What has become of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Sound,
    /// Nothing arrives until it is sound again.
    Stalled,
    /// Nothing arrives any more, and neither side is told.
    HalfOpen,
    /// Both sides are told.
    Cut,
}

/// The cable between two ends.
#[derive(Clone)]
pub(crate) struct Wire(Arc<Mutex<State>>);

struct State {
    fate: Fate,
    /// What goes from the client to the server, and back.
    lanes: [Lane; 2],
    /// How many writes may be under way.
    capacity: usize,
    max_delay_ms: u64,
}

struct Lane {
    chunks: VecDeque<(Instant, Vec<u8>)>,
    arrival: Instant,
    is_finished: bool,
    is_deaf: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// The rest of a write that was cut short.
    is_rest: bool,
    rng: Rng,
}

impl Lane {
    fn new(rng: Rng) -> Self {
        Self {
            chunks: VecDeque::new(),
            arrival: Instant::now(),
            is_finished: false,
            is_deaf: false,
            reader: None,
            writer: None,
            is_rest: false,
            rng,
        }
    }

    fn take_wakers(&mut self) -> [Option<Waker>; 2] {
        [self.reader.take(), self.writer.take()]
    }
}

/// One end of a [`Wire`].
pub(crate) struct End {
    wire: Wire,
    /// The lane it writes to; it reads from the other.
    side: usize,
    arrival: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    /// The client's end, the server's, and what faults are done to.
    pub(crate) fn lay(rng: &mut Rng) -> (End, End, Self) {
        let lane = |rng: &mut Rng| Lane::new(Rng::new(rng.next(), 1));
        let wire = Self(Arc::new(Mutex::new(State {
            fate: Fate::Sound,
            lanes: [lane(rng), lane(rng)],
            capacity: rng.between(1, 40) as usize,
            max_delay_ms: if rng.one_in(3) { 0 } else { rng.between(1, 60) },
        })));
        let end = |side| End {
            wire: wire.clone(),
            side,
            arrival: None,
        };
        (end(0), end(1), wire)
    }

    /// True when a fault would be noticed.
    pub(crate) fn is_in_use(&self) -> bool {
        self.with(|state| {
            let is_over = |lane: &Lane| lane.is_finished || lane.is_deaf;
            state.fate != Fate::Cut && !state.lanes.iter().any(is_over)
        })
    }

    pub(crate) fn set(&self, fate: Fate) {
        let wakers = self.with(|state| {
            state.fate = fate;
            state.lanes.each_mut().map(Lane::take_wakers)
        });
        wakers.into_iter().flatten().flatten().for_each(Waker::wake);
    }

    /// A stall ends; what is broken stays broken.
    pub(crate) fn heal(&self) {
        if self.with(|state| state.fate == Fate::Stalled) {
            self.set(Fate::Sound);
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AsyncRead for End {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            let side = this.side;
            let (found, writer) = this.wire.with(|state| {
                let fate = state.fate;
                let lane = &mut state.lanes[1 - side];
                lane.reader = Some(cx.waker().clone());
                match fate {
                    Fate::Cut => return (Found::Reset, None),
                    Fate::Stalled | Fate::HalfOpen => return (Found::Nothing, None),
                    Fate::Sound => {}
                }
                let Some((arrival, chunk)) = lane.chunks.front_mut() else {
                    let found = if lane.is_finished {
                        Found::End
                    } else {
                        Found::Nothing
                    };
                    return (found, None);
                };
                if *arrival > Instant::now() {
                    return (Found::Later(*arrival), None);
                }
                let length = chunk.len().min(buffer.remaining());
                buffer.put_slice(&chunk[..length]);
                chunk.drain(..length);
                if chunk.is_empty() {
                    lane.chunks.pop_front();
                }
                (Found::Bytes, lane.writer.take())
            });
            if let Some(writer) = writer {
                writer.wake();
            }
            match found {
                Found::Bytes | Found::End => return Poll::Ready(Ok(())),
                Found::Reset => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
                Found::Nothing => return Poll::Pending,
                Found::Later(at) => {
                    let mut sleep = Box::pin(tokio::time::sleep_until(at));
                    if sleep.as_mut().poll(cx).is_pending() {
                        this.arrival = Some(sleep);
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

enum Found {
    Bytes,
    End,
    Reset,
    Nothing,
    Later(Instant),
}

impl AsyncWrite for End {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let side = self.side;
        let (answer, reader) = self.wire.with(|state| {
            let is_told = state.fate != Fate::HalfOpen;
            let (fate, capacity, max_delay_ms) = (state.fate, state.capacity, state.max_delay_ms);
            let lane = &mut state.lanes[side];
            if fate == Fate::Cut || lane.is_finished || (lane.is_deaf && is_told) {
                return (Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())), None);
            }
            if lane.chunks.len() >= capacity {
                lane.writer = Some(cx.waker().clone());
                return (Poll::Pending, None);
            }
            // Cut near its beginning or its end: the offsets of events are times of the wall clock and not always equally
            // long, and what is cut off must not depend on that.
            let length = match lane.rng.below(16) {
                bytes @ 1..=2 if !lane.is_rest && data.len() > 8 => bytes,
                bytes @ 3..=4 if !lane.is_rest && data.len() > 8 => data.len() + 2 - bytes,
                _ => data.len(),
            };
            lane.is_rest = length < data.len();
            let delay = Duration::from_millis(lane.rng.between(0, max_delay_ms));
            lane.arrival = lane.arrival.max(Instant::now() + delay);
            lane.chunks
                .push_back((lane.arrival, data[..length].to_vec()));
            (Poll::Ready(Ok(length)), lane.reader.take())
        });
        if let Some(reader) = reader {
            reader.wake();
        }
        answer
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let side = self.side;
        let wakers = self.wire.with(|state| {
            state.lanes[side].is_finished = true;
            state.lanes[side].take_wakers()
        });
        wakers.into_iter().flatten().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let side = self.side;
        let wakers = self.wire.with(|state| {
            state.lanes[side].is_finished = true;
            state.lanes[1 - side].is_deaf = true;
            state.lanes.each_mut().map(Lane::take_wakers)
        });
        wakers.into_iter().flatten().flatten().for_each(Waker::wake);
    }
}
