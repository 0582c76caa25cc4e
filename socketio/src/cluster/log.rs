//! A log that the servers of a cluster share: their clients hear its events in one order, and what one missed is found on any.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};
use socketio_auth::{BoxFuture, GrantFacts};

use super::error::AdapterError;
use crate::id::SocketId;
use crate::proto::cluster::entry::EntryId;
use crate::proto::cluster::message::ClusterMessage;
use crate::proto::recovery::Stays;
use crate::proto::room::Room;
use crate::type_map::TypeMap;

/// A log of events and a store of sessions that the servers of a cluster share, given by [`Adapter::log`](super::Adapter::log).
///
/// With it and [`recovery`](crate::SocketIoBuilder::recovery) clients get back what they had from any server, also after
/// theirs was killed. What the servers do then:
///
/// * Events that are [kept](ClusterMessage::is_kept) are published and not sent; each server sends them to its clients when its
///   adapter [reads them back](super::ClusterHandle::deliver_entry), its own too. So all clients hear one order, and the name
///   of the entry goes with each event. By [`ClusterMessage::number`], where it travels, a server knows what was written
///   twice within [ten seconds](LogBounds::look_back), also by others, and before it read the log. One that cannot be published, or is
///   [given back](super::ClusterHandle::deliver_unwritten), is sent to the server's own clients without a name.
/// * What a socket has is saved shortly after it came and after changes, renewed while it lives, and saved for the last
///   time when it loses its connection. It is removed when the client leaves or is put out.
/// * Whoever comes back names an entry. What the server has itself is replayed; what it has not is [read](Self::read). Then
///   the session is [taken](Self::take_session).
///
/// ```text
/// save_session … save_session        find_session   read   take_session
///      the server it was on                 the server it comes to
/// ```
pub trait SharedLog: Send + Sync + 'static {
    /// Keeps a session in the place of an older one of this private id, for as long as `lifetime`. It is called in order, and the
    /// future polled once before the next call: what was polled once must not be overtaken. Where it can be told, one of an
    /// earlier [life](SharedSession::life) does not take the place of one of a later.
    fn save_session(
        &self,
        pid: &str,
        session: SharedSession,
        lifetime: Duration,
    ) -> BoxFuture<'_, Result<(), AdapterError>>;

    /// The session of a private id, which stays.
    //= STR-06
    fn find_session(&self, pid: &str)
    -> BoxFuture<'_, Result<Option<SharedSession>, AdapterError>>;

    /// Removes the session of a private id; true for the one server that did.
    //= STR-06
    fn take_session(&self, pid: &str) -> BoxFuture<'_, Result<bool, AdapterError>>;

    /// The entries of a namespace behind another, up to the end of the log. `None` when that other is not in the log, or when there
    /// are more than [`LogBounds`] let pass. That other, and those shortly [before](LogBounds::look_back) it, are to be among them as
    /// far as they are still there and the bounds leave room.
    //= STR-06
    fn read(
        &self,
        nsp: &str,
        after: EntryId,
        bounds: LogBounds,
    ) -> BoxFuture<'_, Result<Option<LogRead>, AdapterError>>;
}

/// How much is read of a log for one client that comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogBounds {
    /// How many entries may be looked at.
    pub max_entries: usize,
    /// How many bytes those may have, as they lie in the log.
    pub max_bytes: usize,
    /// How long before the entry that is asked from others are read too, that one included, whose
    /// [numbers](ClusterMessage::number) tell what was written twice: 10 s.
    pub look_back: Duration,
}

/// How long behind the first time a bus that is in doubt may write an event again. It is a repeat for who comes back between the
/// two as well.
const LOOK_BACK: Duration = Duration::from_secs(10);

impl LogBounds {
    /// So many entries of so many bytes together, with the look back that servers ask for: for tests of an adapter.
    #[must_use]
    pub const fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self {
            max_entries,
            max_bytes,
            look_back: LOOK_BACK,
        }
    }
}

/// What was read of a log.
#[derive(Clone, Debug, Default)]
pub struct LogRead {
    /// The entries of the namespace, in order; of others than events that are kept only the number counts.
    pub entries: Vec<(EntryId, ClusterMessage)>,
    /// The last entry that was looked at, of whatever namespace.
    pub end: EntryId,
}

/// What a socket has, for whichever server its client comes back to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SharedSession {
    /// The id of the socket.
    pub socket: SocketId,
    /// Its namespace. The reference does not say it: its sessions are taken for one of the namespace that is asked for.
    pub nsp: Option<Arc<str>>,
    /// Its rooms, the one of its own id included, as on the wire.
    pub rooms: Vec<Room>,
    /// What [`share_data`](crate::NamespaceBuilder::share_data) told of it; `{}` without.
    pub data: Value,
    /// Who it was, if a policy let it in. Only the same subject of the same issuer gets it back, so at least
    /// [`GrantFacts::subject`] and the ids that revocations name have to travel. Made by
    /// [`Grant::into_parts`](crate::auth::Grant::into_parts).
    pub grant: Option<GrantFacts>,
    /// When that was granted; what was revoked since then does not come back.
    pub granted_at: SystemTime,
    /// Which life of the socket it is: 0 for the first, and a greater number each time that its client came back. One that does not
    /// travel is 0.
    pub life: u64,
    /// Where the log ended when the socket came. Nothing up to there is replayed.
    pub since: EntryId,
    /// When it came into its rooms, and which it had left. Where that does not travel, it was in them all the time.
    pub stays: Stays,
    /// What the application keeps with it, which leaves no process.
    pub(crate) extensions: TypeMap,
}

impl SharedSession {
    /// A session as another server wrote it.
    #[must_use]
    pub fn new(socket: &str, rooms: Vec<Room>) -> Self {
        Self {
            socket: SocketId::new(socket),
            nsp: None,
            rooms,
            data: Value::Object(Map::new()),
            grant: None,
            granted_at: SystemTime::UNIX_EPOCH,
            life: 0,
            since: EntryId::FIRST,
            stays: Stays::default(),
            extensions: TypeMap::default(),
        }
    }
}
