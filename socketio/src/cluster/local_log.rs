//! The log that servers of one process share.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use socketio_auth::BoxFuture;
use tokio::sync::watch;

use super::error::AdapterError;
use super::handle::ClusterHandle;
use super::log::{LogBounds, LogRead, SharedLog, SharedSession};
use crate::clock::{now, wall_clock};
use crate::lock::Lock;
use crate::proto::cluster::entry::EntryId;
use crate::proto::cluster::message::{ClusterBody, ClusterMessage};
use crate::running::guard;

/// How many entries are read at once.
const BATCH: usize = 100;

/// What an entry counts beside its arguments and the names of its rooms.
const ENTRY_COST_BYTES: usize = 256;

/// How much the log of a [`LocalBus`](super::LocalBus) keeps. When a bound is reached the oldest goes, and who missed it is
/// connected anew.
///
/// ```
/// use socketio::cluster::{LocalBus, LocalLogBounds};
///
/// let bounds = LocalLogBounds::default().max_entries(100_000);
/// let bus = LocalBus::with_log(bounds);
/// # let _ = bus;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "bounds hold once the bus has them"]
pub struct LocalLogBounds {
    max_entries: usize,
    max_bytes: usize,
    max_sessions: usize,
}

impl Default for LocalLogBounds {
    fn default() -> Self {
        Self {
            max_entries: 10_000,
            max_bytes: 16 * 1024 * 1024,
            max_sessions: 100_000,
        }
    }
}

impl LocalLogBounds {
    /// How many events are kept; 10,000 by default.
    pub fn max_entries(mut self, entries: usize) -> Self {
        self.max_entries = entries;
        self
    }

    /// How many bytes they may take, as they are counted: each its arguments, the names of its rooms, and 256; 16 MiB by default.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Of how many sockets is kept what they have, of those that are there and those that are away; 100,000 by default. Of
    /// one more the one that was saved first is forgotten.
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.max_sessions = sessions;
        self
    }
}

/// Behind its lock nothing of the application's is called or dropped.
pub(super) struct LocalLog {
    bounds: LocalLogBounds,
    state: Lock<State>,
    /// The last entry.
    end: watch::Sender<EntryId>,
}

#[derive(Default)]
struct State {
    entries: VecDeque<(EntryId, ClusterMessage, usize)>,
    bytes: usize,
    /// The last entry that is gone.
    forgotten: EntryId,
    end: EntryId,
    sessions: HashMap<Arc<str>, Saved>,
    /// The private ids in the order in which they were saved.
    saved: BTreeMap<u64, Arc<str>>,
    next_serial: u64,
}

struct Saved {
    serial: u64,
    ends_at: Instant,
    session: SharedSession,
}

impl State {
    fn first_behind(&self, id: EntryId) -> usize {
        self.entries.partition_point(|(of, _, _)| *of <= id)
    }

    fn remove(&mut self, pid: &str) -> Option<Saved> {
        let saved = self.sessions.remove(pid)?;
        self.saved.remove(&saved.serial);
        Some(saved)
    }

    /// Those that are too many, or at their end; which end first is known but for their order of being saved.
    fn remove_spent(&mut self, now: Instant, max: usize) -> Vec<Saved> {
        let mut spent = Vec::new();
        while let Some(pid) = self.saved.values().next().cloned() {
            let saved = self.sessions.get(&pid);
            let has_ended = saved.is_none_or(|saved| saved.ends_at <= now);
            if !has_ended && self.sessions.len() <= max {
                break;
            }
            spent.extend(self.remove(&pid));
        }
        spent
    }
}

impl LocalLog {
    pub(super) fn new(bounds: LocalLogBounds) -> Self {
        Self {
            bounds,
            state: Lock::new(State::default()),
            end: watch::Sender::new(EntryId::FIRST),
        }
    }

    pub(super) fn written(&self) -> watch::Receiver<EntryId> {
        self.end.subscribe()
    }

    pub(super) fn end(&self) -> EntryId {
        self.state.lock().end
    }

    pub(super) fn append(&self, message: ClusterMessage) {
        let since = wall_clock().duration_since(UNIX_EPOCH).unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let cost = cost_of(&message);
        let (id, forgotten) = {
            let mut state = self.state.lock();
            let id = EntryId::behind(state.end, millis);
            state.end = id;
            state.bytes = state.bytes.saturating_add(cost);
            state.entries.push_back((id, message, cost));
            let mut forgotten = Vec::new();
            while state.entries.len() > self.bounds.max_entries
                || state.bytes > self.bounds.max_bytes
            {
                let Some((id, message, cost)) = state.entries.pop_front() else {
                    break;
                };
                state.forgotten = id;
                state.bytes = state.bytes.saturating_sub(cost);
                forgotten.push(message);
            }
            (id, forgotten)
        };
        drop(forgotten);
        self.end.send_if_modified(|end| {
            let is_later = id > *end;
            *end = id.max(*end);
            is_later
        });
    }

    /// Hands over what is behind an entry; the last that was.
    pub(super) fn deliver(&self, server: &ClusterHandle, mut last: EntryId) -> EntryId {
        loop {
            let (entries, lost) = {
                let state = self.state.lock();
                let start = state.first_behind(last);
                let entries = state.entries.range(start..).take(BATCH);
                let entries: Vec<_> = entries.map(|(id, it, _)| (*id, it.clone())).collect();
                (entries, (state.forgotten > last).then_some(state.forgotten))
            };
            if let Some(forgotten) = lost {
                server.report(AdapterError::bus("entries of the log were lost"));
                server.begin_log(forgotten);
                last = forgotten;
                continue;
            }
            if entries.is_empty() {
                return last;
            }
            for (id, message) in entries {
                last = id;
                server.deliver_entry(id, message);
            }
        }
    }

    fn save(&self, pid: &str, session: SharedSession, lifetime: Duration) {
        let now = now();
        // One that is too far off for a clock is as far as can be.
        let ends_at = now.checked_add(lifetime).unwrap_or(now);
        let gone = {
            let mut state = self.state.lock();
            let of_later = |saved: &Saved| saved.session.life > session.life && saved.ends_at > now;
            if state.sessions.get(pid).is_some_and(of_later) {
                // Of a server that has not noticed yet that its client is elsewhere.
                drop(state);
                let _ = guard(|| drop(session));
                return;
            }
            let mut gone: Vec<_> = state.remove(pid).into_iter().collect();
            let (pid, serial): (Arc<str>, _) = (pid.into(), state.next_serial);
            state.next_serial = serial.saturating_add(1);
            state.saved.insert(serial, Arc::clone(&pid));
            let saved = Saved {
                serial,
                ends_at,
                session,
            };
            state.sessions.insert(pid, saved);
            gone.extend(state.remove_spent(now, self.bounds.max_sessions));
            gone
        };
        // What the application kept with them goes with them.
        let _ = guard(|| drop(gone));
    }

    fn find(&self, pid: &str) -> Option<SharedSession> {
        let state = self.state.lock();
        let saved = state.sessions.get(pid)?;
        (saved.ends_at > now()).then(|| saved.session.clone())
    }

    fn take(&self, pid: &str) -> bool {
        let taken = self.state.lock().remove(pid);
        let is_taken = taken.as_ref().is_some_and(|saved| saved.ends_at > now());
        let _ = guard(|| drop(taken));
        is_taken
    }

    fn read_behind(&self, nsp: &str, after: EntryId, bounds: LogBounds) -> Option<LogRead> {
        let state = self.state.lock();
        // What is forgotten may have been for whoever asks; what is yet to come nobody can have.
        if after < state.forgotten || after > state.end {
            return None;
        }
        let behind = state.entries.range(state.first_behind(after)..);
        let bytes = behind.clone().map(|(_, _, cost)| *cost);
        let is_within = behind.len() <= bounds.max_entries
            && bytes.fold(0, usize::saturating_add) <= bounds.max_bytes;
        let first = state.first_before(after, bounds);
        let all = state.entries.range(first..);
        let of_it = all.filter(|(_, message, _)| message.scope.name() == Some(nsp));
        is_within.then(|| LogRead {
            entries: of_it
                .map(|(id, message, _)| (*id, message.clone()))
                .collect(),
            end: state.end,
        })
    }
}

impl State {
    /// From which on is read for those behind an entry, as far as these leave room.
    fn first_before(&self, after: EntryId, bounds: LogBounds) -> usize {
        let behind = self.first_behind(after);
        let costs = self.entries.range(behind..).map(|(_, _, cost)| *cost);
        let mut bytes = costs.fold(0, usize::saturating_add);
        let mut count = self.entries.len().saturating_sub(behind);
        let earliest = after.before(bounds.look_back);
        let before = self.entries.range(..behind).rev();
        let fits = before.take_while(|(id, _, cost)| {
            bytes = bytes.saturating_add(*cost);
            count = count.saturating_add(1);
            *id >= earliest && count <= bounds.max_entries && bytes <= bounds.max_bytes
        });
        behind.saturating_sub(fits.count())
    }
}

impl SharedLog for LocalLog {
    fn save_session(
        &self,
        pid: &str,
        session: SharedSession,
        lifetime: Duration,
    ) -> BoxFuture<'_, Result<(), AdapterError>> {
        self.save(pid, session, lifetime);
        Box::pin(async { Ok(()) })
    }

    fn find_session(
        &self,
        pid: &str,
    ) -> BoxFuture<'_, Result<Option<SharedSession>, AdapterError>> {
        let found = self.find(pid);
        Box::pin(async { Ok(found) })
    }

    fn take_session(&self, pid: &str) -> BoxFuture<'_, Result<bool, AdapterError>> {
        let is_taken = self.take(pid);
        Box::pin(async move { Ok(is_taken) })
    }

    fn read(
        &self,
        nsp: &str,
        after: EntryId,
        bounds: LogBounds,
    ) -> BoxFuture<'_, Result<Option<LogRead>, AdapterError>> {
        let read = self.read_behind(nsp, after, bounds);
        Box::pin(async { Ok(read) })
    }
}

fn cost_of(message: &ClusterMessage) -> usize {
    let ClusterBody::Broadcast { packet, opts, .. } = &message.body else {
        return ENTRY_COST_BYTES;
    };
    let rooms = opts.rooms.iter().chain(&opts.except);
    let names = rooms.map(|room| room.as_str().len());
    let args = packet.args().kept_bytes();
    names.fold(
        args.saturating_add(packet.name().len())
            .saturating_add(ENTRY_COST_BYTES),
        usize::saturating_add,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::proto::cluster::message::{ClusterOptions, Scope, ServerId};

    fn bounds() -> LocalLogBounds {
        LocalLogBounds::default()
    }

    fn event() -> ClusterMessage {
        let body = ClusterBody::Broadcast {
            packet: Event::new("n", &1).unwrap(),
            opts: ClusterOptions::default(),
            request_id: None,
        };
        ClusterMessage::new(ServerId::new("a"), Scope::namespace("/"), body)
    }

    fn read(log: &LocalLog, after: EntryId) -> Option<usize> {
        let all = LogBounds {
            max_entries: usize::MAX,
            max_bytes: usize::MAX,
            look_back: Duration::ZERO,
        };
        let read = log.read_behind("/", after, all)?;
        assert_eq!(read.end, log.end());
        Some(read.entries.len())
    }

    fn append(log: &LocalLog, count: usize) {
        for _ in 0..count {
            log.append(event());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn entries_are_bounded_in_number_and_bytes() {
        let cost = cost_of(&event());
        for bounds in [bounds().max_entries(3), bounds().max_bytes(3 * cost)] {
            let log = LocalLog::new(bounds);
            append(&log, 3);
            assert_eq!(read(&log, EntryId::FIRST), Some(3), "at the bound");
            append(&log, 1);
            assert_eq!(read(&log, EntryId::FIRST), None, "one past it");
            let first = log.state.lock().forgotten;
            assert_eq!(
                read(&log, first),
                Some(3),
                "who heard the first misses nothing"
            );
            let later = EntryId::behind(log.end(), 0);
            assert_eq!(read(&log, later), None, "nobody has heard that yet");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_read_is_bounded_in_number_and_bytes() {
        let log = LocalLog::new(bounds());
        append(&log, 3);
        let cost = cost_of(&event());
        for (max_entries, max_bytes, is_read) in [
            (3, 3 * cost, true),
            (2, 3 * cost, false),
            (3, 3 * cost - 1, false),
        ] {
            let bounds = LogBounds {
                max_entries,
                max_bytes,
                look_back: Duration::ZERO,
            };
            let found = log.read_behind("/", EntryId::FIRST, bounds);
            assert_eq!(found.is_some(), is_read);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_stands_shortly_before_is_read_as_far_as_there_is_room() {
        crate::clock::set_wall_clock(UNIX_EPOCH);
        let log = LocalLog::new(bounds());
        for _ in 0..5 {
            log.append(event());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let cost = cost_of(&event());
        let ids: Vec<_> = log.state.lock().entries.iter().map(|it| it.0).collect();
        let read = |look_back, max_entries, max_bytes| {
            let bounds = LogBounds {
                max_entries,
                max_bytes,
                look_back: Duration::from_secs(look_back),
            };
            let read = log.read_behind("/", ids[3], bounds).unwrap();
            read.entries.len()
        };
        assert_eq!(read(0, 9, 9 * cost), 1 + 1, "the one that is asked from");
        assert_eq!(read(2, 9, 9 * cost), 1 + 3);
        assert_eq!(read(9, 9, 9 * cost), 1 + 4);
        assert_eq!(read(9, 3, 9 * cost), 3, "at the bound");
        assert_eq!(read(9, 9, 3 * cost), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_session_of_an_earlier_life_does_not_replace_one_of_a_later() {
        let log = LocalLog::new(bounds());
        let save = |life, room: &str| {
            let mut session = SharedSession::new("a", vec![room.into()]);
            session.life = life;
            log.save("a", session, Duration::from_secs(60));
            log.find("a").unwrap().rooms[0].as_str().to_owned()
        };
        assert_eq!(save(1, "r"), "r");
        assert_eq!(save(0, "old"), "r");
        assert_eq!(save(1, "s"), "s");
        assert_eq!(save(2, "t"), "t");
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(save(0, "anew"), "anew", "that one has ended");
    }

    #[tokio::test(start_paused = true)]
    async fn sessions_are_bounded_taken_once_and_end() {
        let log = LocalLog::new(bounds().max_sessions(2));
        let save = |pid: &str, seconds| {
            let session = SharedSession::new(pid, Vec::new());
            log.save(pid, session, Duration::from_secs(seconds));
        };
        save("a", 60);
        save("b", 60);
        save("a", 60);
        assert!(
            log.find("a").is_some() && log.find("b").is_some(),
            "at the bound"
        );
        save("c", 60);
        assert!(
            log.find("b").is_none(),
            "one past it the first that was saved goes"
        );
        assert!(log.take("a") && !log.take("a"));
        assert!(log.find("a").is_none());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(log.find("c").is_none() && !log.take("c"));
        save("d", 1);
        tokio::time::advance(Duration::from_secs(1)).await;
        save("e", 1);
        assert_eq!(log.state.lock().sessions.len(), 1, "what has ended goes");
        assert_eq!(log.state.lock().saved.len(), 1);
    }
}
