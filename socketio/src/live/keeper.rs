//! Connection state recovery: its options, and the log behind its lock.

use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engineio::EncodedMessage;
use serde_json::Value;
use socketio_auth::{GrantFacts, Subject};

use super::core::Core;
use crate::atomic::{AtomicBool, AtomicU64};
use crate::authority::revoked::Mark;
use crate::clock::{now, wall_clock};
use crate::cluster::log::{LogBounds, SharedLog};
use crate::codec::EncodeError;
use crate::lock::Lock;
use crate::proto::cluster::entry::EntryId;
use crate::proto::recovery::leases::{Leases, Rhythm};
use crate::proto::recovery::returning::Withdrawn;
use crate::proto::recovery::{Bounds, Log, Offset, Session};
use crate::proto::room::Selection;
use crate::running::guard;

/// How clients that lost their connection get back what they had: their id, their rooms, the events they missed, and
/// in the same process what the application [keeps](crate::Socket::extensions) with them.
///
/// Connect middleware is passed over for them, unless [`skip_middleware(false)`](Self::skip_middleware) has it asked: what it would put into
/// the extensions is there from the first time. [`on_connect`](crate::NamespaceBuilder::on_connect) runs, and tells them apart by
/// [`is_recovered`](crate::Socket::is_recovered).
///
/// Changed with [`SocketIoBuilder::recovery`](crate::SocketIoBuilder::recovery); off without it. All namespaces of the
/// server share the bounds. When one is reached the oldest is forgotten. A client that missed something of it is
/// connected anew, as a stranger to recovery is; what was forgotten of others does not matter to it.
///
/// Every event that is neither volatile nor to be acknowledged gets one more argument, a string that says how far the
/// client came. Clients do not take it away: a listener of the official JavaScript client gets it behind
/// the arguments that were sent, and sees it where it counts or collects its arguments. That client takes *any* last
/// argument that is a string for it: a volatile event that ends in a string spoils a later recovery. Who
/// was not sent such an event has nothing to name, and is a stranger. Events reach
/// a client in the order of their offsets, whichever threads they are emitted on: those of one namespace wait for each
/// other to be queued.
///
/// What was said in a room while the client was not in it is not for it, and what was said while it was is, whatever rooms
/// it has when its connection is lost; while it is away it stays in those. The reference goes by the rooms at the loss
/// alone: there a client that joins a room may be sent what was said before, and one that leaves loses what it has not got
/// yet. Of each client the last 64 rooms that it left are remembered; one that missed something and has heard nothing since
/// it left an earlier one is connected anew.
///
/// Without a log that servers share, what a client had is saved when its connection is lost, as with the reference: one who is
/// back before the server has noticed that is a stranger.
///
/// Where the adapter of a cluster has a [log](crate::cluster::Adapter::log) that the servers share, a client gets all that on
/// whichever of them it comes to, and of its extensions what was shared, as [`recovered_data`](crate::Socket::recovered_data). Events go by the log then, each named by its entry there; those of one namespace are heard
/// in one order by the clients of all servers. `emit` returns before its clients have the event, so one who leaves a room,
/// or is disconnected, right behind it may miss it, and events that are volatile, local, or to be acknowledged may overtake it; [`overflow`](crate::Broadcast::overflow) and
/// [`conflate`](crate::Broadcast::conflate) do not hold for it. The rooms of a client are those that were saved last. Where an adapter
/// does not keep when it came into them, what was said in them before is for it as well, as with the reference.
///
/// Authentication runs again, and only the same subject gets a session back, without the rooms that it may not join
/// any more. A revocation, and a [kick](crate::AuthControl::kick), reach clients that are away: what the grant had let in
/// is forgotten, whatever credential is presented next. Namespaces that authenticate in two round trips have no recovery.
///
/// ```
/// use std::time::Duration;
/// use socketio::SocketIo;
///
/// # fn main() -> Result<(), socketio::BuildError> {
/// let io = SocketIo::builder()
///     .recovery(|recovery| recovery.max_disconnection(Duration::from_secs(60)))
///     .build()?;
/// io.namespace("/")
///     .on_connect(|socket| async move {
///         if !socket.is_recovered() {
///             let _ = socket.join("news");
///         }
///     })
///     .open()?;
/// # Ok(()) }
/// ```
//= SIO5-CSR-07
//= SIO5-CSR-02
//= SIO5-CSR-12
//= SIO5-CSR-03
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "recovery is off until the builder has it"]
pub struct Recovery {
    bounds: Bounds,
    skips_middleware: bool,
    sharing: Sharing,
}

/// What is waited for and kept where servers share a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sharing {
    pub(super) save_delay: Duration,
    pub(super) max_session_bytes: usize,
    pub(super) replay: LogBounds,
    pub(super) restore_timeout: Duration,
}

impl Default for Recovery {
    fn default() -> Self {
        Self::new()
    }
}

impl Recovery {
    /// The defaults.
    pub const fn new() -> Self {
        Self {
            bounds: Bounds {
                max_age: Duration::from_secs(120),
                max_bytes: 16 * 1024 * 1024,
                max_sessions: 10_000,
            },
            skips_middleware: true,
            sharing: Sharing {
                save_delay: Duration::from_secs(1),
                max_session_bytes: 128 * 1024,
                replay: LogBounds::new(10_000, 16 * 1024 * 1024),
                restore_timeout: Duration::from_secs(5),
            },
        }
    }

    /// How long after a socket came, or changed its rooms, it is saved for the case that its server is killed; 1 s by default,
    /// looked at each second. With an adapter that has a [log](crate::cluster::Adapter::log) only. Raising it saves a
    /// busy store work, and whoever came meanwhile is a stranger elsewhere.
    pub const fn save_delay(mut self, delay: Duration) -> Self {
        self.sharing.save_delay = delay;
        self
    }

    /// How many bytes the rooms and the shared data of one socket may have to be saved in a shared log; 128 KiB by default. Rooms
    /// that it joined or left since it came count twice, as when that was is saved too. Of more nothing is saved, which is
    /// [`AdapterError::SessionTooLarge`](crate::cluster::AdapterError::SessionTooLarge).
    pub const fn max_session_bytes(mut self, bytes: usize) -> Self {
        self.sharing.max_session_bytes = bytes;
        self
    }

    /// How many entries of a shared log, and how many bytes of them, may be read for one client that comes back; 10,000 and
    /// 16 MiB by default. One that missed more is connected anew. What a server has kept itself is not read.
    pub const fn max_replay(mut self, entries: usize, bytes: usize) -> Self {
        self.sharing.replay.max_entries = entries;
        self.sharing.replay.max_bytes = bytes;
        self
    }

    /// How long a client that comes back waits for what the servers share; 5 s by default. Then it is connected anew.
    pub const fn restore_timeout(mut self, timeout: Duration) -> Self {
        self.sharing.restore_timeout = timeout;
        self
    }

    /// How long a client may be away; 120 s by default. Events are kept as long, so raising it takes
    /// memory, up to the bounds. In a log that servers share what live sockets have is renewed as often, and so a client whose
    /// server is killed may be away for between one and two times as long.
    //= SIO5-CSR-10
    pub const fn max_disconnection(mut self, time: Duration) -> Self {
        self.bounds.max_age = time;
        self
    }

    /// How many bytes the kept events and the saved sessions may take together, as they are counted; 16 MiB by
    /// default.
    ///
    /// An event counts its own bytes and 256. Up to a quarter is for the names of the rooms whose events were forgotten:
    /// by them a client that missed nothing is known, as long as no more rooms than some 40,000 were sent something
    /// meanwhile.
    pub const fn max_bytes(mut self, bytes: usize) -> Self {
        self.bounds.max_bytes = bytes;
        self
    }

    /// How many clients that are away are remembered; 10,000 by default.
    pub const fn max_sessions(mut self, sessions: usize) -> Self {
        self.bounds.max_sessions = sessions;
        self
    }

    /// Whether connect middleware is passed over for a client that is recovered; true by default. It
    /// was let in once; with `false` it is asked again, and sees
    /// [`is_recovered`](crate::Socket::is_recovered). Authentication is never passed over.
    //= SIO5-CSR-09
    pub const fn skip_middleware(mut self, skip: bool) -> Self {
        self.skips_middleware = skip;
        self
    }
}

/// What a client says to be recovered.
pub(crate) struct Claim {
    pub(crate) pid: Arc<str>,
    pub(super) offset: String,
}

impl Claim {
    //= SIO5-CSR-03
    pub(crate) fn of(payload: Option<&Value>) -> Option<Box<Self>> {
        let payload = payload?.as_object()?;
        let pid = payload.get("pid")?.as_str()?;
        let offset = payload.get("offset")?.as_str()?.to_owned();
        Some(Box::new(Self {
            pid: pid.into(),
            offset,
        }))
    }
}

/// What makes one socket recoverable.
pub(crate) struct Recoverable {
    /// Known to the client alone: whoever has it gets the session.
    pub(crate) pid: Arc<str>,
    pub(crate) since: Offset,
    pub(crate) resumed: Option<Resumed>,
    /// What let the socket in was revoked, or what it had is lost.
    pub(crate) is_forfeit: AtomicBool,
    /// What is shared of it; in a box, for most servers share nothing.
    pub(super) shared: Option<Box<Held>>,
}

/// What is kept of a socket where servers share a log.
pub(super) struct Held {
    pub(super) granted_at: SystemTime,
    /// See [`SharedSession::life`](crate::cluster::SharedSession::life).
    pub(super) life: u64,
    /// Nothing of it is saved any more.
    pub(super) is_over: AtomicBool,
    /// What was saved is removed.
    pub(super) is_removed: AtomicBool,
}

/// What a socket got back.
pub(crate) struct Resumed {
    pub(crate) session: Session,
    /// The last event that the client has.
    pub(crate) after: Offset,
    /// What had been revoked when it got the session.
    pub(crate) mark: Mark,
    /// What it got of a shared log; in a box, for most servers share nothing.
    pub(crate) shared: Option<Box<Fetched>>,
}

/// What a socket got back of a log that servers share.
pub(crate) struct Fetched {
    /// What this server had not kept itself, and how far that goes.
    pub(super) missed: Lock<Option<(Vec<Kept>, Offset)>>,
    /// Up to which entry it was sent everything when it came in, which may be further than this server has read.
    pub(super) sent_to: AtomicU64,
    pub(super) life: u64,
    pub(crate) data: Value,
}

/// A kept event.
#[derive(Clone)]
pub(crate) struct Kept {
    /// Its name, for the authorizer, who is asked again before a replay.
    pub(crate) event: Arc<str>,
    pub(crate) message: EncodedMessage,
}

/// The log of a server.
pub(crate) struct Keeper {
    log: Lock<Log<Kept>>,
    pub(crate) skips_middleware: bool,
    shared: Option<Shared>,
}

/// What servers share, and what of it is to be saved.
pub(crate) struct Shared {
    pub(super) log: Arc<dyn SharedLog>,
    pub(super) leases: Lock<Leases<Weak<Core>>>,
    pub(super) withdrawn: Lock<Withdrawn>,
    pub(super) sharing: Sharing,
    pub(super) max_disconnection: Duration,
}

impl Keeper {
    pub(crate) fn new(options: &Recovery, shared: Option<Arc<dyn SharedLog>>) -> Self {
        let refresh = options.bounds.max_age;
        let mut log = Log::new(options.bounds);
        if shared.is_some() {
            log.begin(Offset::NEVER);
        }
        Self {
            log: Lock::new(log),
            skips_middleware: options.skips_middleware,
            shared: shared.map(|log| Shared {
                log,
                leases: Lock::new(Leases::new(Rhythm {
                    delay: options.sharing.save_delay,
                    refresh,
                })),
                withdrawn: Lock::new(Withdrawn::new()),
                sharing: options.sharing,
                max_disconnection: refresh,
            }),
        }
    }

    /// What servers share, if they do. Then events are named by its entries.
    pub(crate) fn shared(&self) -> Option<&Shared> {
        self.shared.as_ref()
    }

    /// Entries behind this one are heard from now on.
    pub(crate) fn begin(&self, at: Offset) {
        self.log.lock().begin(at);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.log.lock().has_begun()
    }

    pub(crate) fn pass(&self, entry: Offset) {
        self.log.lock().pass(entry);
    }

    pub(crate) fn miss(&self, namespace: &Arc<str>, entry: Offset) {
        self.log.lock().miss(namespace, entry);
    }

    /// The same as [`keep`](Self::keep) of an entry of a shared log.
    pub(crate) fn keep_entry(
        &self,
        namespace: &Arc<str>,
        selection: Selection,
        event: &str,
        entry: EntryId,
        encode: impl FnOnce(&str) -> Result<EncodedMessage, EncodeError>,
    ) -> Result<EncodedMessage, EncodeError> {
        let message = encode(&entry.to_string())?;
        let kept = Kept {
            event: event.into(),
            message: message.clone(),
        };
        let size = kept.message.len_bytes().saturating_add(event.len());
        let mut log = self.log.lock();
        log.append_entry(now(), entry.offset(), namespace, selection, kept, size);
        Ok(message)
    }

    /// Whether all is here that a socket was sent behind an entry of a shared log.
    pub(super) fn covers(&self, namespace: &str, session: &Session, after: Offset) -> bool {
        self.log.lock().covers(namespace, session, after)
    }

    /// Keeps an event behind all others, and gives its message, which `encode` makes with the offset. Offsets rise with the
    /// places in the log; so that clients hear events in that order too, call it with the
    /// [order](super::space::Space::order) of the namespace.
    pub(crate) fn keep(
        &self,
        namespace: &Arc<str>,
        selection: Selection,
        event: &str,
        encode: impl FnOnce(&str) -> Result<EncodedMessage, EncodeError>,
    ) -> Result<EncodedMessage, EncodeError> {
        let mut log = self.log.lock();
        let offset = log.next_offset(unix_millis());
        let message = encode(&offset.to_string())?;
        let kept = Kept {
            event: event.into(),
            message: message.clone(),
        };
        let size = kept.message.len_bytes().saturating_add(event.len());
        log.append(now(), offset, namespace, selection, kept, size);
        Ok(message)
    }

    pub(crate) fn end(&self) -> Offset {
        self.log.lock().end()
    }

    /// Changes the log. What the application kept with sessions that went by it is dropped behind the lock.
    fn change<T>(&self, change: impl FnOnce(&mut Log<Kept>) -> T) -> T {
        let (changed, left_over) = {
            let mut log = self.log.lock();
            let changed = change(&mut log);
            (changed, log.take_left_over())
        };
        if !left_over.is_empty() {
            let _ = guard(|| drop(left_over));
        }
        changed
    }

    pub(crate) fn save(&self, pid: &Arc<str>, namespace: &Arc<str>, session: Session) {
        self.change(|log| log.save(now(), pid, namespace, session));
    }

    pub(crate) fn forget(&self, pid: &str) {
        self.change(|log| log.forget(pid));
    }

    /// Forgets what was saved for clients that are away and one of these grants had let in.
    pub(crate) fn revoke(&self, is_meant: impl Fn(&GrantFacts) -> bool) {
        self.change(|log| log.revoke(is_meant));
    }

    pub(crate) fn resume(
        &self,
        claim: &Claim,
        namespace: &str,
        subject: Option<&Subject>,
    ) -> Option<(Session, Offset)> {
        self.change(|log| log.resume(now(), &claim.pid, namespace, subject, &claim.offset))
    }

    /// What a resumed socket was sent behind `after`, and where the log ends now.
    pub(crate) fn missed(
        &self,
        namespace: &str,
        resumed: &Resumed,
        after: Offset,
    ) -> Option<(Vec<Kept>, Offset)> {
        let log = self.log.lock();
        let missed = log.missed(namespace, &resumed.session, after)?;
        Some((missed, log.end().max(after)))
    }
}

fn unix_millis() -> u64 {
    let since = wall_clock().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
