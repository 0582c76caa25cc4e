//! A log that the servers of a run share, as one behind a network is: it is late, in doubt, and loses who reads it.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socketio::auth::BoxFuture;
use socketio::cluster::{
    Adapter, AdapterError, ClusterBody, ClusterHandle, ClusterMessage, EntryId, LocalAdapter,
    LocalBus, LogBounds, LogRead, SharedLog, SharedSession,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, sleep, sleep_until};

use crate::bus::MAX_DELAY_MS;
use crate::history::{Entry, History, Origin, What};
use crate::rng::Rng;
use crate::vault;

/// How many events a server in doubt writes again.
const MAX_AGAIN: usize = 4;

/// What all servers of a run share.
#[derive(Clone)]
pub(crate) struct Stream {
    /// What is not kept goes by it.
    bus: LocalBus,
    history: History,
    state: Arc<Mutex<State>>,
    start: Instant,
}

#[derive(Default)]
struct State {
    entries: Vec<(EntryId, ClusterMessage)>,
    readers: BTreeMap<usize, UnboundedSender<()>>,
    sessions: HashMap<String, (Instant, SharedSession)>,
}

/// One server's way to it.
pub(crate) struct StreamAdapter {
    server: usize,
    stream: Stream,
    inner: Arc<LocalAdapter>,
    queue: UnboundedSender<(Instant, Going)>,
    line: Arc<Mutex<Line>>,
    is_dead: Arc<AtomicBool>,
}

/// What leaves a server, one behind the other.
enum Going {
    Write(ClusterMessage),
    Say(ClusterMessage),
}

struct Line {
    rng: Rng,
    is_instant: bool,
    arrival: Instant,
    leaving: Option<UnboundedReceiver<(Instant, Going)>>,
    /// What was written last, and may be written again.
    recent: Vec<ClusterMessage>,
}

impl Line {
    fn pause(&mut self) -> Duration {
        if self.is_instant {
            return Duration::ZERO;
        }
        Duration::from_millis(self.rng.between(0, MAX_DELAY_MS))
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn entry_of(id: EntryId) -> Entry {
    (id.millis(), id.number())
}

/// Who said it, and its number, if it is an event of the hall.
fn key_of(message: &ClusterMessage) -> Option<(Origin, u32)> {
    let ClusterBody::Broadcast { packet, .. } = &message.body else {
        return None;
    };
    if message.scope.name() != Some("/") {
        return None;
    }
    let args = packet.args();
    let origin: Origin = args.get(0)?.deserialize().ok()?;
    let number: u32 = args.get(1)?.deserialize().ok()?;
    Some((origin, number))
}

impl Stream {
    pub(crate) fn new(history: &History) -> Self {
        Self {
            bus: LocalBus::new(),
            history: history.clone(),
            state: Arc::default(),
            start: Instant::now(),
        }
    }

    fn end(&self) -> EntryId {
        let state = lock(&self.state);
        state.entries.last().map_or(EntryId::FIRST, |(id, _)| *id)
    }

    fn write(&self, server: usize, message: ClusterMessage) {
        let millis = vault::millis_of_day(self.start.elapsed());
        let mut state = lock(&self.state);
        let last = state.entries.last().map_or(EntryId::FIRST, |(id, _)| *id);
        let id = if last.millis() < millis {
            EntryId::new(millis, 0)
        } else {
            EntryId::new(last.millis(), last.number() + 1)
        };
        let id = id.unwrap();
        if let Some(key) = key_of(&message) {
            let entry = entry_of(id);
            self.history.add(What::Written { server, entry, key });
        }
        state.entries.push((id, message));
        for reader in state.readers.values() {
            let _ = reader.send(());
        }
    }

    fn behind(&self, last: EntryId) -> Vec<(EntryId, ClusterMessage)> {
        let state = lock(&self.state);
        let start = state.entries.partition_point(|(id, _)| *id <= last);
        state.entries[start..].to_vec()
    }
}

impl StreamAdapter {
    pub(crate) fn new(
        server: usize,
        stream: &Stream,
        mut rng: Rng,
        is_dead: Arc<AtomicBool>,
    ) -> Self {
        let (queue, leaving) = unbounded_channel();
        Self {
            server,
            stream: stream.clone(),
            inner: Arc::new(stream.bus.adapter()),
            queue,
            line: Arc::new(Mutex::new(Line {
                is_instant: rng.one_in(3),
                rng,
                arrival: Instant::now(),
                leaving: Some(leaving),
                recent: Vec::new(),
            })),
            is_dead,
        }
    }

    fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    /// Sends what has its turn, until the server dies.
    fn send(&self, server: &ClusterHandle, mut leaving: UnboundedReceiver<(Instant, Going)>) {
        let (inner, is_dead) = (Arc::clone(&self.inner), Arc::clone(&self.is_dead));
        let (stream, index, line) = (self.stream.clone(), self.server, Arc::clone(&self.line));
        server.spawn(async move {
            while let Some((at, going)) = leaving.recv().await {
                sleep_until(at).await;
                if is_dead.load(Ordering::Relaxed) {
                    continue;
                }
                let message = match going {
                    Going::Say(message) => {
                        let _ = inner.publish(message).await;
                        continue;
                    }
                    Going::Write(message) => message,
                };
                let again = {
                    let mut line = lock(&line);
                    line.recent.push(message.clone());
                    let too_many = line.recent.len().saturating_sub(MAX_AGAIN);
                    line.recent.drain(..too_many);
                    // Of the last ones it did not hear whether they were written.
                    let again = if line.rng.one_in(12) {
                        line.rng.between(1, MAX_AGAIN as u64) as usize
                    } else {
                        0
                    };
                    let first = line.recent.len().saturating_sub(again);
                    line.recent[first..].to_vec()
                };
                stream.write(index, message);
                for message in again {
                    stream.write(index, message);
                }
            }
        });
    }

    /// Reads what is written, late, some of it again, and sometimes not at all.
    fn read_on(&self, server: &ClusterHandle) {
        let (written, mut news) = unbounded_channel();
        lock(&self.stream.state)
            .readers
            .insert(self.server, written);
        let (stream, index, is_dead) =
            (self.stream.clone(), self.server, Arc::clone(&self.is_dead));
        let mut rng = Rng::new(lock(&self.line).rng.next(), 2);
        let mut last = stream.end();
        server.begin_log(last);
        self.stream.history.add(What::Read {
            server: self.server,
            entry: entry_of(last),
        });
        let reader = server.clone();
        server.spawn(async move {
            while news.recv().await.is_some() {
                while news.try_recv().is_ok() {}
                if rng.one_in(2) {
                    sleep(Duration::from_millis(rng.between(0, MAX_DELAY_MS))).await;
                }
                if is_dead.load(Ordering::Relaxed) {
                    return;
                }
                let mut entries = stream.behind(last);
                if rng.one_in(1500) {
                    // It was away for too long.
                    for (id, _) in &entries {
                        let entry = entry_of(*id);
                        stream.history.add(What::Missed {
                            server: index,
                            entry,
                        });
                        last = *id;
                    }
                    reader.begin_log(last);
                    continue;
                }
                if rng.one_in(10) {
                    let again = entries.first().cloned();
                    entries.splice(0..0, again);
                }
                for (id, message) in entries {
                    last = id;
                    let entry = entry_of(id);
                    stream.history.add(What::Read {
                        server: index,
                        entry,
                    });
                    reader.deliver_entry(id, message);
                }
            }
        });
    }

    /// How long the store takes, and whether its answer is lost.
    fn store(&self, loses_one_in: u64) -> (Duration, bool) {
        let mut line = lock(&self.line);
        (line.pause(), line.rng.one_in(loses_one_in))
    }
}

impl Adapter for StreamAdapter {
    fn start(&self, server: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>> {
        let leaving = lock(&self.line).leaving.take();
        if let Some(leaving) = leaving {
            self.send(&server, leaving);
            self.read_on(&server);
        }
        self.inner.start(server)
    }

    fn publish(&self, message: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>> {
        if self.is_dead() {
            return Box::pin(async { Ok(()) });
        }
        let mut line = lock(&self.line);
        let is_kept = message.is_kept();
        let pause = line.pause();
        line.arrival = line.arrival.max(Instant::now() + pause);
        let arrival = line.arrival;
        if is_kept {
            if line.rng.one_in(60) {
                if let Some(key) = key_of(&message) {
                    self.stream.history.add(What::Unwritten { key });
                }
                return Box::pin(async { Err(AdapterError::bus("away")) });
            }
            let _ = self.queue.send((arrival, Going::Write(message)));
            return Box::pin(async { Ok(()) });
        }
        let may_be_lost = match &message.body {
            ClusterBody::Returned { .. } => true,
            ClusterBody::Broadcast { request_id, .. } => request_id.is_none(),
            _ => false,
        };
        let times = match line.rng.below(20) {
            0 if may_be_lost => 0,
            1 | 2 => 2,
            _ => 1,
        };
        for _ in 0..times {
            let _ = self.queue.send((arrival, Going::Say(message.clone())));
        }
        Box::pin(async { Ok(()) })
    }

    fn log(&self) -> Option<Arc<dyn SharedLog>> {
        Some(Arc::new(Self {
            server: self.server,
            stream: self.stream.clone(),
            inner: Arc::clone(&self.inner),
            queue: self.queue.clone(),
            line: Arc::clone(&self.line),
            is_dead: Arc::clone(&self.is_dead),
        }))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        lock(&self.stream.state).readers.remove(&self.server);
        self.inner.close()
    }
}

impl SharedLog for StreamAdapter {
    fn save_session(
        &self,
        pid: &str,
        session: SharedSession,
        lifetime: Duration,
    ) -> BoxFuture<'_, Result<(), AdapterError>> {
        if self.is_dead() {
            return Box::pin(async { Ok(()) });
        }
        let now = Instant::now();
        let replaced = {
            let ends_at = now + lifetime;
            let mut state = lock(&self.stream.state);
            let saved = state.sessions.get(pid);
            if saved.is_some_and(|(ends, of)| of.life > session.life && *ends > now) {
                return Box::pin(async { Ok(()) });
            }
            if session.nsp.as_deref() == Some("/") {
                self.stream.history.add(What::Saved {
                    server: self.server,
                    socket: self.stream.history.socket(session.socket.as_str()),
                    rooms: crate::node::numbers_of(&session.rooms),
                });
            }
            state.sessions.insert(pid.to_owned(), (ends_at, session))
        };
        drop(replaced);
        Box::pin(async { Ok(()) })
    }

    fn find_session(
        &self,
        pid: &str,
    ) -> BoxFuture<'_, Result<Option<SharedSession>, AdapterError>> {
        let pid = pid.to_owned();
        let (pause, is_lost) = self.store(30);
        Box::pin(async move {
            sleep(pause / 2).await;
            let found = lock(&self.stream.state).sessions.get(&pid).cloned();
            let found = found.filter(|(ends_at, _)| *ends_at > Instant::now());
            if let Some((_, session)) = &found
                && session.nsp.as_deref() == Some("/")
            {
                self.stream.history.add(What::Found {
                    server: self.server,
                    socket: self.stream.history.socket(session.socket.as_str()),
                });
            }
            sleep(pause / 2).await;
            if is_lost {
                return Err(AdapterError::bus("no answer"));
            }
            Ok(found.map(|(_, session)| session))
        })
    }

    fn take_session(&self, pid: &str) -> BoxFuture<'_, Result<bool, AdapterError>> {
        if self.is_dead() {
            return Box::pin(async { Ok(false) });
        }
        let pid = pid.to_owned();
        let (pause, is_lost) = self.store(50);
        let taken = lock(&self.stream.state).sessions.remove(&pid);
        let is_taken = taken.is_some_and(|(ends_at, _)| ends_at > Instant::now());
        Box::pin(async move {
            sleep(pause).await;
            if is_lost {
                return Err(AdapterError::bus("no answer"));
            }
            Ok(is_taken)
        })
    }

    fn read(
        &self,
        nsp: &str,
        after: EntryId,
        bounds: LogBounds,
    ) -> BoxFuture<'_, Result<Option<LogRead>, AdapterError>> {
        let nsp = nsp.to_owned();
        let (pause, is_lost) = self.store(50);
        Box::pin(async move {
            sleep(pause / 2).await;
            let mut entries = self.stream.behind(EntryId::FIRST);
            entries.retain(|(id, _)| {
                let look_back = bounds.look_back.as_millis() as u64;
                *id > after || id.millis() + look_back >= after.millis()
            });
            let end = self.stream.end();
            self.stream.history.add(What::Fetched {
                server: self.server,
                entry: entry_of(end),
            });
            sleep(pause / 2).await;
            if is_lost {
                return Err(AdapterError::bus("no answer"));
            }
            if entries.len() > bounds.max_entries {
                return Ok(None);
            }
            entries.retain(|(_, message)| message.scope.name() == Some(&*nsp));
            Ok(Some(LogRead { entries, end }))
        })
    }
}
