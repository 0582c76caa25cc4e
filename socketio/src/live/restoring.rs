//! Coming back by what the servers of a cluster share: saving what a socket has, and getting it from wherever it was.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use socketio_auth::{BoxFuture, Subject};

use engineio::Protocol;

use super::core::Core;
use super::keeper::{Claim, Fetched, Held, Keeper, Kept, Shared};
use super::recovering::Restored;
use super::space::Space;
use crate::atomic::{AtomicU64, Ordering};
use crate::authority::revoked::Mark;
use crate::clock::{now, wall_clock};
use crate::cluster::error::AdapterError;
use crate::cluster::log::{LogRead, SharedSession};
use crate::cluster::seat::Seat;
use crate::codec::OutgoingEvent;
use crate::error::DisconnectReason;
use crate::lock::Lock;
use crate::proto::cluster::entry::EntryId;
use crate::proto::cluster::message::{ClusterBody, ClusterMessage};
use crate::proto::recovery::returning::{UnixTime, is_owner, joined, missed};
use crate::proto::recovery::{Offset, Session};
use crate::proto::room::{Room, Selection};
use crate::running::guard;

/// How many sockets of a server are saved at once, each second.
const MAX_SAVED_AT_ONCE: usize = 10_000;

/// How often a log is read once more for a client that comes back, because its server has read on meanwhile.
const MAX_READS: usize = 8;

/// What a room counts beside its name.
const ROOM_COST_BYTES: usize = 16;

impl Shared {
    /// Saves the sockets whose time it is.
    pub(crate) fn save_due(&self) {
        let due = self.leases.lock().take_due(now(), MAX_SAVED_AT_ONCE);
        for socket in due {
            if let Some(socket) = socket.upgrade() {
                socket.renew();
            }
        }
    }

    /// What was revoked does not come back.
    pub(crate) fn withdraw(&self, revocation: socketio_auth::revocation::Revocation) {
        self.withdrawn
            .lock()
            .note(unix_time(wall_clock()), revocation);
    }
}

impl Core {
    /// What the servers share, if the socket can be recovered by it, and the seat to reach it.
    fn sharing(&self) -> Option<(&Shared, &Arc<Seat>, &Arc<str>)> {
        let shared = self.space.recovery.as_ref()?.shared()?;
        let seat = self.space.cluster.as_ref()?;
        Some((shared, seat, &self.recoverable.get()?.pid))
    }

    /// The socket is in: what it has is saved from here on.
    pub(super) fn hold(self: &Arc<Self>) {
        if let Some((shared, _, pid)) = self.sharing() {
            let mut leases = shared.leases.lock();
            leases.hold(now(), pid, Arc::downgrade(self));
        }
    }

    /// What it has is another.
    pub(super) fn has_changed(&self) {
        if let Some((shared, _, pid)) = self.sharing() {
            shared.leases.lock().change(now(), pid);
        }
    }

    /// Saves what a live socket has, for the case that its server is killed.
    fn renew(self: &Arc<Self>) {
        if let Some((shared, _, _)) = self.sharing()
            && self.is_joined()
        {
            // Behind a kill it may be as old as one renewal, and the client has its time from then on.
            self.save_for(shared.max_disconnection.saturating_mul(2));
        }
    }

    /// The socket has gone. What it had stays for as long as it may be away, or is removed.
    pub(super) fn save_shared(self: &Arc<Self>, reason: DisconnectReason) {
        let Some((shared, seat, pid)) = self.sharing() else {
            return;
        };
        shared.leases.lock().release(pid);
        let is_forfeit = || {
            let recoverable = self.recoverable.get();
            recoverable.is_some_and(|found| found.is_forfeit.load(Ordering::Acquire))
        };
        if reason.is_recoverable() && !is_forfeit() {
            self.save_for(shared.max_disconnection);
        }
        let Some(held) = self.held() else { return };
        let was_over = held.is_over.swap(true, Ordering::AcqRel);
        // A revocation marks the sockets that it finds. Whichever way that falls, the last word is that it is removed.
        if !was_over && (!reason.is_recoverable() || is_forfeit()) {
            held.is_removed.store(true, Ordering::Release);
            remove(shared, seat, pid);
        }
    }

    /// A later life of it has begun, here or elsewhere.
    pub(crate) fn has_returned(&self, life: u64) {
        if self.held().is_none_or(|held| held.life < life) {
            self.give_way();
        }
    }

    /// Its client is elsewhere, with what it had.
    fn give_way(&self) {
        if let Some((shared, _, pid)) = self.sharing() {
            shared.leases.lock().release(pid);
            if let Some(held) = self.held() {
                held.is_over.store(true, Ordering::Release);
            }
            self.connection.close();
        }
    }

    fn held(&self) -> Option<&Held> {
        self.recoverable.get()?.shared.as_deref()
    }

    fn save_for(self: &Arc<Self>, lifetime: Duration) {
        let (Some((shared, seat, pid)), Some(held)) = (self.sharing(), self.held()) else {
            return;
        };
        if held.is_over.load(Ordering::Acquire) {
            return;
        }
        let session = self.shared_session(held);
        if cost_of(&session) > shared.sharing.max_session_bytes {
            return seat.cluster.report(&AdapterError::SessionTooLarge);
        }
        let (log, name) = (Arc::clone(&shared.log), Arc::clone(pid));
        seat.cluster
            .publish_in_order(async move { log.save_session(&name, session, lifetime).await });
        // It may have been removed on another thread meanwhile. Whoever does that says so first, so one of the two
        // removals is behind what was saved here.
        if held.is_removed.load(Ordering::Acquire) {
            remove(shared, seat, pid);
        }
    }

    fn shared_session(self: &Arc<Self>, held: &Held) -> SharedSession {
        let space = &self.space;
        let mut rooms = vec![Room::from(self.id())];
        let stays = {
            let of_space = space.rooms.lock();
            rooms.extend(of_space.rooms_of(self.id()));
            of_space.stays_of(self.id())
        };
        let share = space.handlers.share_data.as_ref();
        let data = share.and_then(|share| guard(|| share(self)).ok());
        let since = self.recoverable.get().map(|found| found.since);
        SharedSession {
            socket: self.id().clone(),
            nsp: Some(Arc::clone(&space.name)),
            rooms,
            data: data.unwrap_or_else(|| Value::Object(Map::new())),
            grant: self.grant().map(|grant| grant.facts().clone()),
            granted_at: held.granted_at,
            life: held.life,
            since: EntryId::of_offset(since.unwrap_or_default()),
            stays,
            extensions: self.extensions(),
        }
    }

    /// Looks for what the client had, where servers share that and it says that there is something.
    pub(crate) fn restoring(self: &Arc<Self>) -> Option<BoxFuture<'static, Option<Restored>>> {
        let keeper = self.space.recovery.as_ref()?;
        let limit = keeper.shared()?.sharing.restore_timeout;
        if self.connection.protocol() == Protocol::V3 {
            return None;
        }
        let claim = self.take_claim()?;
        let (socket, keeper) = (Arc::clone(self), Arc::clone(keeper));
        Some(Box::pin(async move {
            let mark = socket.revocations().mark();
            let restoring = restore(&socket, &keeper, &claim, mark);
            tokio::time::timeout(limit, restoring).await.ok().flatten()
        }))
    }
}

/// Later than the last, also where several servers begin one from the same session, of which one was saved too late.
fn next_life(last: u64, now: SystemTime) -> u64 {
    let millis = u64::try_from(unix_time(now).as_millis()).unwrap_or(u64::MAX);
    last.saturating_add(1).max(millis)
}

fn unix_time(time: SystemTime) -> UnixTime {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Nobody comes back by this private id.
fn remove(shared: &Shared, seat: &Seat, pid: &Arc<str>) {
    let (log, pid) = (Arc::clone(&shared.log), Arc::clone(pid));
    let removing = async move { log.take_session(&pid).await.map(drop) };
    seat.cluster.publish_in_order(removing);
}

/// As it counts against the bound of a session.
fn cost_of(session: &SharedSession) -> usize {
    let rooms = session.rooms.iter().chain(session.stays.rooms());
    let rooms = rooms.map(|room| room.as_str().len().saturating_add(ROOM_COST_BYTES));
    let data = serde_json::to_vec(&session.data).map_or(0, |json| json.len());
    rooms.fold(data, usize::saturating_add)
}

/// Whether the application gives a session that names nobody to this subject.
fn adopts(space: &Space, subject: &Subject, session: &SharedSession) -> bool {
    let hook = space.handlers.adopts_session.as_ref();
    let asked = hook.filter(|_| session.grant.is_none());
    asked.is_some_and(|is_whose| guard(|| is_whose(subject, session)).unwrap_or(false))
}

/// What a client gets back. Until it is taken at the end, a session stays for whoever it is for.
//= STR-06
async fn restore(
    socket: &Arc<Core>,
    keeper: &Arc<Keeper>,
    claim: &Claim,
    mark: Mark,
) -> Option<Restored> {
    let (shared, space) = (keeper.shared()?, &socket.space);
    let seat = space.cluster.as_ref()?;
    let told = |error: AdapterError| seat.cluster.report(&error);
    let heard: EntryId = claim.offset.parse().ok()?;
    if !keeper.has_begun() {
        return None;
    }
    let found = shared.log.find_session(&claim.pid).await;
    let found = found.map_err(told).ok()??;
    let subject = socket.subject();
    let is_adopted = subject
        .as_ref()
        .is_some_and(|subject| adopts(space, subject, &found));
    let SharedSession {
        socket: id,
        nsp,
        rooms,
        data,
        grant,
        granted_at,
        life,
        since,
        stays,
        extensions,
    } = found;
    let life = next_life(life, wall_clock());
    let mut session = Session {
        rooms: joined(&id, rooms),
        id,
        grant,
        stays,
        since: since.offset(),
        extensions,
    };
    let owner = subject.as_ref().filter(|_| !is_adopted);
    if !is_owner(&session, nsp.as_deref(), &space.name, owner) {
        return None;
    }
    if let Some(facts) = &session.grant {
        let is_withdrawn = shared.withdrawn.lock().covers(unix_time(granted_at), facts);
        if is_withdrawn || space.check_lists(facts).is_err() {
            return None;
        }
    }
    socket.withhold(&mut session, keeper);
    let after = heard.offset().max(session.since);
    let from = heard.before(shared.sharing.replay.look_back);
    let fetched = if keeper.covers(&space.name, &session, after) && seat.knows_from(from) {
        None
    } else {
        // What it hears from now on is told from what was written before, which this server may not have read.
        let mut reads_left = MAX_READS;
        let read = loop {
            let read = shared.log.read(&space.name, heard, shared.sharing.replay);
            let read = read.await.map_err(told).ok()??;
            let passed = || EntryId::of_offset(keeper.end());
            if seat.note_written(from, &read, passed) {
                break read;
            }
            reads_left = usize::checked_sub(reads_left, 1)?;
        };
        Some(encode(socket, &session, after, &read)?)
    };
    let is_taken = shared.log.take_session(&claim.pid).await;
    if !is_taken.map_err(told).ok()? {
        return None;
    }
    // A server that has not noticed yet that the client is gone, be it this one.
    let zombie = space.rooms.lock().get(session.id.as_str());
    if let Some(zombie) = zombie {
        zombie.give_way();
    }
    seat.publish(ClusterBody::Returned {
        socket: session.id.as_str().into(),
        life,
    });
    Some(Restored {
        pid: Arc::clone(&claim.pid),
        session,
        after,
        mark,
        fetched: Some(Box::new(Fetched {
            missed: Lock::new(fetched),
            sent_to: AtomicU64::new(0),
            life,
            data,
        })),
    })
}

/// What of the entries the socket missed, as it is sent, and how far they go. `None` if that is not known so far back.
fn encode(
    socket: &Core,
    session: &Session,
    after: Offset,
    read: &LogRead,
) -> Option<(Vec<Kept>, Offset)> {
    let space = &socket.space;
    let mut numbers = HashSet::new();
    let kept = read.entries.iter().filter(|(_, message)| {
        // A bus that was in doubt may have written it twice.
        let number = message.number.map(|number| (&message.uid, number));
        message.is_kept() && number.is_none_or(|number| numbers.insert(number))
    });
    let selected: Vec<_> = kept
        .filter_map(|(id, message)| selected(*id, message))
        .collect();
    let selected = selected
        .iter()
        .map(|(id, selection, event)| (*id, selection, *event));
    let meant = missed(session, after, selected)?;
    let encoded = meant.into_iter().filter_map(|(id, event)| {
        let offset = id.to_string();
        let message = space.codec.encode_event(OutgoingEvent {
            namespace: &space.name,
            id: None,
            name: event.name(),
            args: &event.args().to_owned(),
            offset: Some(&offset),
        });
        Some(Kept {
            event: event.name().into(),
            message: message.ok()?,
        })
    });
    Some((encoded.collect(), read.end.offset().max(after)))
}

fn selected(
    id: EntryId,
    message: &ClusterMessage,
) -> Option<(EntryId, Selection, &crate::event::Event)> {
    match &message.body {
        ClusterBody::Broadcast { packet, opts, .. } => Some((id, opts.selection(), packet)),
        _ => None,
    }
}
