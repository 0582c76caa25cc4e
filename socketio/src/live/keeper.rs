//! Connection state recovery: its options, and the log behind its lock.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use engineio::EncodedMessage;
use serde_json::Value;
use socketio_auth::{GrantFacts, Subject};

use crate::atomic::AtomicBool;
use crate::authority::revoked::Mark;
use crate::clock::{now, wall_clock};
use crate::codec::EncodeError;
use crate::lock::Lock;
use crate::proto::recovery::{Bounds, Log, Offset, Session};
use crate::proto::room::Selection;

/// How clients that lost their connection get back what they had: their id, their rooms, what the application
/// [keeps](crate::Socket::extensions) with them, and the events they missed.
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
        }
    }

    /// How long a client may be away; 120 s by default. Events are kept as long, so raising it takes
    /// memory, up to the bounds.
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
    offset: String,
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
    /// What let the socket in was revoked.
    pub(crate) is_forfeit: AtomicBool,
}

/// What a socket got back.
pub(crate) struct Resumed {
    pub(crate) session: Session,
    /// The last event that the client has.
    pub(crate) after: Offset,
    /// What had been revoked when it got the session.
    pub(crate) mark: Mark,
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
}

impl Keeper {
    pub(crate) fn new(options: &Recovery) -> Self {
        Self {
            log: Lock::new(Log::new(options.bounds)),
            skips_middleware: options.skips_middleware,
        }
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

    pub(crate) fn save(&self, pid: &Arc<str>, namespace: &Arc<str>, session: Session) {
        self.log.lock().save(now(), pid, namespace, session);
    }

    pub(crate) fn forget(&self, pid: &str) {
        self.log.lock().forget(pid);
    }

    /// Forgets what was saved for clients that are away and one of these grants had let in.
    pub(crate) fn revoke(&self, is_meant: impl Fn(&GrantFacts) -> bool) {
        self.log.lock().revoke(is_meant);
    }

    pub(crate) fn resume(
        &self,
        claim: &Claim,
        namespace: &str,
        subject: Option<&Subject>,
    ) -> Option<(Session, Offset)> {
        let mut log = self.log.lock();
        log.resume(now(), &claim.pid, namespace, subject, &claim.offset)
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
        Some((missed, log.end()))
    }
}

fn unix_millis() -> u64 {
    let since = wall_clock().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
