//! The streams adapter: `XADD` and `XREAD` for events, `PUBLISH` for questions, and sessions beside them.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::Value;
use socketio::auth::{BoxFuture, Grant, GrantFacts, Subject};
use socketio::cluster::wire::Ignored;
use socketio::cluster::wire::envelope::{Channels, Encoding};
use socketio::cluster::wire::stream::{self, Holder, Session};
use socketio::cluster::{
    Adapter, AdapterError, ClusterHandle, ClusterMessage, EntryId, LogBounds, LogRead, Membership,
    Scope, ServerCount, ServerId, SharedLog, SharedSession,
};

use crate::command::Command;
use crate::common::{Common, Envelopes, Running, is_heartbeat};
use crate::connect::{self, Connection};
use crate::deployment::Deployment;
use crate::error::{Failure, StreamsApart};
use crate::reader::{self, Place, Streams as Reading};
use crate::shared::{QueueLimits, Reach};
use crate::slots::{Node, Remedy, Topology, slot_of};
use crate::subscriptions::{Kind, Subscription};

/// How many entries are asked for at once when a client comes back.
//= STR-06
const REPLAY_COUNT: usize = 100;

/// How often a question is sent on from server to server.
const MAX_REDIRECTS: usize = 5;

/// More than the sessions of a server that are saved at once.
const MAX_WAITING: usize = 32_768;

/// Keeps a session, unless one of a later life is there: a server that does not know yet that its client is elsewhere must not
/// take away what that has there.
//= STR-05
const SAVE_SESSION: &str = include_str!("save_session.lua");

/// Speaks with `@socket.io/redis-streams-adapter`. With [`recovery`](socketio::SocketIoBuilder::recovery) clients get back what
/// they had on any server, also when theirs was killed.
#[derive(Clone, Debug)]
#[must_use = "a server is given it by its builder"]
pub struct Streams {
    common: Common<Envelopes>,
    stream: String,
    stream_count: u32,
    max_len: u64,
    read_count: usize,
    block_time: Duration,
    session_prefix: String,
    channels: Channels,
    is_sharded: bool,
    /// What is read for clients that come back does not hold up what is said.
    looking: Arc<tokio::sync::Mutex<Option<(Node, Connection)>>>,
}

impl Streams {
    pub(crate) fn new(deployment: Deployment) -> Self {
        let mut common = Common::new(deployment, Reach::All);
        common.limits.messages = MAX_WAITING;
        Self {
            common,
            stream: "socket.io".into(),
            stream_count: 1,
            max_len: 10_000,
            read_count: 100,
            block_time: Duration::from_secs(2),
            session_prefix: "sio:session:".into(),
            channels: Channels::new("socket.io"),
            is_sharded: false,
            looking: Arc::default(),
        }
    }

    /// The name of the stream, `socket.io` by default; the reference calls it `streamName`. All servers of a cluster need the
    /// same.
    pub fn stream(mut self, name: impl Into<String>) -> Self {
        self.stream = name.into();
        self
    }

    /// Over how many streams namespaces are spread, 1 by default and at least; the reference calls it `streamCount`. All servers of a
    /// cluster need the same. Servers of Node do not hear some namespaces with more than one: they do not read the streams
    /// whose numbers are below zero. In a Redis Cluster more than one need a hash tag in their [name](Self::stream).
    //= STR-03
    pub fn stream_count(mut self, count: u32) -> Self {
        self.stream_count = count.max(1);
        self
    }

    /// How many entries a stream has at least before Redis gives up older ones; 10,000 by default; the reference calls it
    /// `maxLen`. Who was away for longer than those last is connected anew. Raising it takes memory of Redis.
    //= STR-01
    pub fn max_len(mut self, entries: u64) -> Self {
        self.max_len = entries;
        self
    }

    /// How many entries of a stream are read at once, 100 by default and 1 at least; the reference calls it `readCount`.
    pub fn read_count(mut self, entries: usize) -> Self {
        self.read_count = entries.max(1);
        self
    }

    /// For how long Redis waits for an entry before it says that there is none, 2 s by default and 1 ms at least; the reference
    /// calls it `blockTimeInMs`. A connection that says nothing for 3 s longer counts as lost.
    pub fn block_time(mut self, time: Duration) -> Self {
        self.block_time = time.max(Duration::from_millis(1));
        self
    }

    /// What the keys of sessions begin with, `sio:session:` by default; the reference calls it `sessionKeyPrefix`.
    //= STR-05
    pub fn session_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.session_prefix = prefix.into();
        self
    }

    /// What the names of the channels of questions begin with, `socket.io` by default; the reference calls it `channelPrefix`. All
    /// servers of a cluster need the same.
    //= STR-02
    pub fn channel_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.channels = Channels::new(prefix);
        self
    }

    /// Whether questions go over sharded channels, for which Redis 7 is needed; false by default; the reference calls it
    /// `useShardedPubSub`. All servers of a cluster need the same.
    //= STR-02
    pub fn sharded_channels(mut self, sharded: bool) -> Self {
        self.is_sharded = sharded;
        self
    }

    /// For how long after a lost connection a number of servers that is lower than before is doubted; 5 s by default. Set it to
    /// the time limit of questions to the cluster.
    //= RDS-07
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.common.request_timeout = timeout;
        self
    }

    /// How many messages and sessions may wait to be written while Redis is away, and how many bytes they may have; 32,768 and
    /// 64 MiB by default. One more is not written, which
    /// [`on_adapter_error`](socketio::SocketIoBuilder::on_adapter_error) is told.
    pub fn max_waiting(mut self, messages: usize, bytes: usize) -> Self {
        self.common.limits = QueueLimits { messages, bytes };
        self
    }

    //= STR-03
    fn name_of(&self, index: i64) -> String {
        if self.stream_count == 1 {
            self.stream.clone()
        } else {
            format!("{}-{index}", self.stream)
        }
    }

    fn stream_of(&self, nsp: &str) -> String {
        self.name_of(stream::index(nsp, self.stream_count))
    }

    /// All that somebody may write to.
    fn names(&self) -> Vec<String> {
        let count = i64::from(self.stream_count);
        let indexes = count.saturating_neg().saturating_add(1)..count;
        indexes.map(|index| self.name_of(index)).collect()
    }

    fn say(&self, message: ClusterMessage) -> Result<(), AdapterError> {
        let running = self.common.running()?;
        //= CLA-10
        if is_heartbeat(&message.body) {
            return Ok(());
        }
        match message.scope.name() {
            Some(nsp) if stream::is_entry(&message.body) => {
                let name = self.stream_of(nsp);
                self.write(running, name, message)
            }
            nsp => {
                let to = message.to.as_ref().filter(|to| !to.is_anonymous());
                let channel = match (nsp, to) {
                    (None, _) => self.channels.server(),
                    //= CLA-09
                    (Some(nsp), Some(to)) => self.channels.inner(nsp, to.as_str()),
                    (Some(nsp), None) => self.channels.main(nsp),
                };
                let command = if self.is_sharded {
                    "SPUBLISH"
                } else {
                    "PUBLISH"
                };
                let link = &running.link;
                link.publish_envelope(command, channel, message, Encoding::Msgpack)
            }
        }
    }

    //= STR-01
    fn write(
        &self,
        running: &Running<Envelopes>,
        name: String,
        mut message: ClusterMessage,
    ) -> Result<(), AdapterError> {
        let is_kept = message.is_kept();
        if !is_kept {
            message.number = None;
        }
        let fields = stream::encode(&message).map_err(AdapterError::Encode)?;
        let mut command = Command::new("XADD", &*name).key(name);
        for word in ["MAXLEN", "~", &self.max_len.to_string(), "*"] {
            command = command.arg(word);
        }
        for (field, value) in fields {
            command = command.arg(field).arg(value);
        }
        if is_kept {
            running.link.say_kept(command, message)
        } else {
            running.link.say(command)
        }
    }

    fn subscription(&self, channel: String) -> Subscription {
        let kind = if self.is_sharded {
            Kind::Sharded
        } else {
            Kind::Channel
        };
        Subscription::new(kind, channel)
    }

    fn subscriptions(&self, nsp: &str, own: &ServerId) -> [Subscription; 2] {
        let main = self.channels.main(nsp);
        [main, self.channels.inner(nsp, own.as_str())].map(|name| self.subscription(name))
    }

    fn key(&self, pid: &str) -> String {
        format!("{}{pid}", self.session_prefix)
    }

    /// Reads what is in a stream, wherever that is now.
    async fn look(&self, stream: &str, command: &redis::Cmd) -> Result<Value, AdapterError> {
        let shared = self.common.running()?.link.shared();
        let mut guest = None;
        for _ in 0..MAX_REDIRECTS {
            let owner = || shared.owner(stream);
            let node = guest.clone().or_else(owner);
            let node = node.ok_or_else(|| AdapterError::bus("no Redis server has the stream"))?;
            let mut connection = self.looking_at(&node).await.map_err(AdapterError::bus)?;
            let answer = connect::ask(&mut connection, command, guest.is_some()).await;
            let error = match answer {
                Ok(Value::ServerError(error)) => error,
                Ok(value) => return Ok(value),
                Err(error) => {
                    // The next one makes another.
                    *self.looking.lock().await = None;
                    return Err(AdapterError::bus(error));
                }
            };
            match Remedy::of(error.code(), error.details(), &node) {
                Remedy::Moved(slot, owner) => {
                    shared.moved(vec![(slot, owner)]);
                    guest = None;
                }
                Remedy::Ask(node) => guest = Some(node),
                Remedy::Wait | Remedy::Reconnect | Remedy::Tell => {
                    return Err(AdapterError::bus(redis::RedisError::from(error)));
                }
            }
        }
        Err(AdapterError::bus(
            "the stream was sent from server to server",
        ))
    }

    /// A connection for looking, kept for the next time.
    async fn looking_at(&self, node: &Node) -> Result<Connection, Failure> {
        let mut looking = self.looking.lock().await;
        if let Some((at, connection)) = &*looking
            && at == node
        {
            return Ok(connection.clone());
        }
        let made = self.common.deployment.connect(node, Duration::ZERO).await?;
        *looking = Some((node.clone(), made.clone()));
        Ok(made)
    }

    //= STR-06
    async fn read_behind(
        &self,
        nsp: &str,
        after: EntryId,
        bounds: LogBounds,
    ) -> Result<Option<LogRead>, AdapterError> {
        let name = self.stream_of(nsp);
        let id = after.to_string();
        let mut first = redis::cmd("XRANGE");
        first.arg(&name).arg(&id).arg(&id);
        if reader::entries_in(self.look(&name, &first).await?).is_empty() {
            return Ok(None);
        }
        let mut read = LogRead {
            entries: Vec::new(),
            end: after,
        };
        let (mut place, mut looked_at, mut bytes) = (Place::of(after), 0_usize, 0_usize);
        loop {
            let mut next = redis::cmd("XRANGE");
            next.arg(&name)
                .arg(place.next().to_string())
                .arg("+")
                .arg("COUNT")
                .arg(REPLAY_COUNT);
            let found = reader::entries_in(self.look(&name, &next).await?);
            let is_last = found.len() < REPLAY_COUNT;
            for found in found {
                place = found.at;
                looked_at = looked_at.saturating_add(1);
                bytes = bytes.saturating_add(found.bytes());
                if looked_at > bounds.max_entries || bytes > bounds.max_bytes {
                    return Ok(None);
                }
                let Some(id) = place.entry_id() else {
                    continue;
                };
                read.end = id;
                let entry = found.entry();
                if entry.nsp != Some(nsp.as_bytes()) {
                    continue;
                }
                if let Ok(message) = stream::decode(&entry) {
                    read.entries.push((id, message));
                }
            }
            if is_last {
                break;
            }
        }
        let mut room = bounds;
        room.max_entries = bounds.max_entries.saturating_sub(looked_at);
        room.max_bytes = bounds.max_bytes.saturating_sub(bytes);
        let mut before = self.read_before(&name, nsp, after, room).await?;
        before.append(&mut read.entries);
        read.entries = before;
        Ok(Some(read))
    }

    /// An entry and those shortly before it, as many as there is room for, the last of them: their numbers tell what was written
    /// twice.
    async fn read_before(
        &self,
        stream: &str,
        nsp: &str,
        last: EntryId,
        room: LogBounds,
    ) -> Result<Vec<(EntryId, ClusterMessage)>, AdapterError> {
        let look_back = u64::try_from(room.look_back.as_millis()).unwrap_or(u64::MAX);
        let begins = last.millis().saturating_sub(look_back);
        let mut read = Vec::new();
        let (mut ends, mut looked_at, mut bytes) = (last.to_string(), 0_usize, 0_usize);
        'room: loop {
            let mut range = redis::cmd("XREVRANGE");
            range.arg(stream).arg(&ends).arg(begins);
            range.arg("COUNT").arg(REPLAY_COUNT);
            let found = reader::entries_in(self.look(stream, &range).await?);
            let is_last = found.len() < REPLAY_COUNT;
            for found in found {
                looked_at = looked_at.saturating_add(1);
                bytes = bytes.saturating_add(found.bytes());
                if looked_at > room.max_entries || bytes > room.max_bytes {
                    break 'room;
                }
                ends = format!("({}", found.at);
                let entry = found.entry();
                let message = stream::decode(&entry);
                if let (Ok(message), Some(id)) = (message, found.at.entry_id())
                    && entry.nsp == Some(nsp.as_bytes())
                {
                    read.push((id, message));
                }
            }
            if is_last {
                break;
            }
        }
        read.reverse();
        Ok(read)
    }
}

impl Adapter for Streams {
    fn start(&self, server: ClusterHandle) -> BoxFuture<'_, Result<(), AdapterError>> {
        let names = self.names();
        let mut slots = names.iter().map(|name| slot_of(name.as_bytes()));
        let first = slots.next();
        let is_apart = slots.any(|slot| Some(slot) != first);
        if is_apart && self.common.deployment.topology() != Topology::Sole {
            return Box::pin(async { Err(AdapterError::bus(StreamsApart)) });
        }
        let routes = Envelopes::default();
        let everywhere = self.subscription(self.channels.server());
        routes.open(&everywhere, Scope::Server);
        let reading = Reading {
            names,
            count: self.read_count,
            block: self.block_time,
        };
        let started = self.common.start(&server, routes, everywhere, |link| {
            link.read(&server, reading);
        });
        Box::pin(async { started })
    }

    fn ready(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(self.common.ready())
    }

    fn publish(&self, message: ClusterMessage) -> BoxFuture<'_, Result<(), AdapterError>> {
        let said = self.say(message);
        Box::pin(async { said })
    }

    fn open_namespace(&self, nsp: &str) -> BoxFuture<'_, Result<(), AdapterError>> {
        let opened = self.common.running().map(|running| {
            let subscriptions = self.subscriptions(nsp, &running.own);
            for subscription in &subscriptions {
                running.routes.open(subscription, Scope::namespace(nsp));
            }
            running.link.subscribe(subscriptions)
        });
        Box::pin(async { opened?.await })
    }

    fn close_namespace(&self, nsp: &str) -> BoxFuture<'_, Result<(), AdapterError>> {
        let closed = self.common.running().map(|running| {
            let subscriptions = self.subscriptions(nsp, &running.own);
            for subscription in &subscriptions {
                running.routes.close(&subscription.name);
            }
            running.link.give_up(subscriptions);
            running.link.forget_count(&self.channels.main(nsp));
            running.link.forget_unread(nsp);
        });
        Box::pin(async { closed })
    }

    fn membership(&self) -> Membership {
        Membership::Counted
    }

    fn server_count(&self, nsp: &str) -> BoxFuture<'_, Result<ServerCount, AdapterError>> {
        let counted = self.common.running().map(|running| {
            let counted = self.subscription(self.channels.main(nsp));
            let belonging = self.subscriptions(nsp, &running.own);
            let grace = self.common.request_timeout;
            running.link.count(counted, belonging, grace)
        });
        Box::pin(async { counted?.await })
    }

    /// The common format has no such question.
    fn asks_rooms(&self) -> bool {
        false
    }

    fn log(&self) -> Option<Arc<dyn SharedLog>> {
        Some(Arc::new(self.clone()))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), AdapterError>> {
        Box::pin(self.common.close())
    }
}

impl SharedLog for Streams {
    //= STR-05
    fn save_session(
        &self,
        pid: &str,
        session: SharedSession,
        lifetime: Duration,
    ) -> BoxFuture<'_, Result<(), AdapterError>> {
        let key = self.key(pid);
        let millis = lifetime.as_millis().clamp(1, u128::from(u64::MAX / 4));
        let saved = self.common.running().and_then(|running| {
            let life = session.life.to_string();
            let kept = written(pid, session).encode();
            let kept = kept.map_err(AdapterError::Encode)?;
            // The key has the private id in it, which is nobody's business. The script goes along each time: a Redis that has
            // forgotten it would refuse it by its name, when what comes behind it is on its way already.
            let save = Command::new("EVAL", &*self.session_prefix);
            let save = save.arg(SAVE_SESSION).arg("1").key(key);
            running
                .link
                .say(save.arg(kept).arg(millis.to_string()).arg(life))
        });
        Box::pin(async { saved })
    }

    fn find_session(
        &self,
        pid: &str,
    ) -> BoxFuture<'_, Result<Option<SharedSession>, AdapterError>> {
        // Behind what was saved before.
        let get = Command::new("GET", &*self.session_prefix).key(self.key(pid));
        let pid = pid.to_owned();
        Box::pin(async move {
            let Value::BulkString(kept) = self.common.running()?.link.ask(get).await? else {
                return Ok(None);
            };
            let session = Session::decode(&kept).map_err(AdapterError::ignored)?;
            if session.pid != pid {
                return Err(AdapterError::ignored(Ignored::Mistyped("pid")));
            }
            Ok(Some(read(session)))
        })
    }

    fn take_session(&self, pid: &str) -> BoxFuture<'_, Result<bool, AdapterError>> {
        let del = Command::new("DEL", &*self.session_prefix).key(self.key(pid));
        // In its place among what is saved, though nobody waits for the answer.
        let running = self.common.running();
        let asked = running.map(|running| running.link.ask(del));
        Box::pin(async move { Ok(asked?.await? == Value::Int(1)) })
    }

    fn read(
        &self,
        nsp: &str,
        after: EntryId,
        bounds: LogBounds,
    ) -> BoxFuture<'_, Result<Option<LogRead>, AdapterError>> {
        let nsp = nsp.to_owned();
        Box::pin(async move { self.read_behind(&nsp, after, bounds).await })
    }
}

fn millis_of(time: SystemTime) -> Option<u64> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok()
}

/// `None` for a time that is too far off for the clock.
fn time_of(millis: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

fn written(pid: &str, session: SharedSession) -> Session {
    let SharedSession {
        socket,
        nsp,
        rooms,
        data,
        grant,
        granted_at,
        since,
        life,
        stays,
        ..
    } = session;
    let mut written = Session::new(socket.as_str(), pid, rooms, data);
    written.nsp = nsp.map(|nsp| (*nsp).to_owned());
    written.since = Some(since);
    written.life = life;
    written.stays = stays;
    written.holder = grant.map(|grant| holder(&grant, granted_at));
    written
}

fn holder(grant: &GrantFacts, granted_at: SystemTime) -> Holder {
    let text = |text: Option<&str>| text.map(ToOwned::to_owned);
    let mut holder = Holder::new(grant.subject().id(), text(grant.issuer()));
    holder.granted_at = millis_of(granted_at);
    holder.issued_at = grant.issued_at().and_then(millis_of);
    holder.leeway = Some(grant.clock_leeway().as_secs());
    holder.key_id = text(grant.key_id());
    holder.token_id = text(grant.token_id());
    holder.session_id = text(grant.session_id());
    holder
}

fn read(session: Session) -> SharedSession {
    let Session {
        sid,
        rooms,
        data,
        nsp,
        since,
        life,
        stays,
        holder,
        ..
    } = session;
    let mut read = SharedSession::new(&sid, rooms);
    read.nsp = nsp.map(Into::into);
    read.data = data;
    read.since = since.unwrap_or_default();
    read.life = life;
    read.stays = stays;
    if let Some(holder) = holder {
        // What does not say when is as old as can be: whatever was revoked, was later.
        read.granted_at = holder.granted_at.and_then(time_of).unwrap_or(UNIX_EPOCH);
        read.grant = Some(facts(holder));
    }
    read
}

fn facts(holder: Holder) -> GrantFacts {
    let mut grant = Grant::new((), Subject::new(holder.subject));
    if let Some(issuer) = holder.issuer {
        grant = grant.with_issuer(issuer);
    }
    if let Some(issued_at) = holder.issued_at.and_then(time_of) {
        grant = grant.with_issued_at(issued_at);
    }
    if let Some(leeway) = holder.leeway {
        grant = grant.with_clock_leeway(Duration::from_secs(leeway));
    }
    if let Some(id) = holder.key_id {
        grant = grant.with_key_id(id);
    }
    if let Some(id) = holder.token_id {
        grant = grant.with_token_id(id);
    }
    if let Some(id) = holder.session_id {
        grant = grant.with_session_id(id);
    }
    grant.into_parts().1
}

#[cfg(test)]
mod tests {
    use super::*;

    //= STR-03 test
    #[test]
    fn every_stream_that_somebody_writes_to_is_read() {
        let redis = Deployment::standalone("redis://localhost").unwrap();
        let one = Streams::new(redis).stream("s");
        assert_eq!(one.names(), ["s"]);
        assert_eq!(one.stream_of("/notifications"), "s");
        let three = one.stream_count(3);
        assert_eq!(three.names(), ["s--2", "s--1", "s-0", "s-1", "s-2"]);
        assert_eq!(three.stream_of("/notifications"), "s--2");
    }

    //= STR-05 test
    #[test]
    fn a_session_comes_back_with_whose_it_is() {
        let granted_at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_001);
        let grant = Grant::new((), "user-7")
            .with_issuer("https://a.example")
            .with_issued_at(UNIX_EPOCH + Duration::from_secs(5))
            .with_clock_leeway(Duration::from_secs(30))
            .with_key_id("key")
            .with_token_id("token")
            .with_session_id("login");
        let mut session = SharedSession::new("sid", vec!["sid".into(), "room".into()]);
        session.nsp = Some("/a".into());
        session.data = serde_json::json!({"k": [1]});
        session.since = EntryId::new(7, 1).unwrap();
        session.life = 3;
        session.granted_at = granted_at;
        session.grant = Some(grant.into_parts().1);
        let kept = written("pid", session.clone()).encode().unwrap();
        let back = read(Session::decode(kept.as_bytes()).unwrap());
        assert_eq!((&back.socket, back.life), (&session.socket, 3));
        assert_eq!(back.nsp, session.nsp);
        assert_eq!(back.rooms, session.rooms);
        assert_eq!(back.data, session.data);
        assert_eq!(back.since, session.since);
        assert_eq!(back.granted_at, granted_at);
        let (back, grant) = (back.grant.unwrap(), session.grant.unwrap());
        assert_eq!(back.subject(), grant.subject());
        assert_eq!(back.issued_at(), grant.issued_at());
        assert_eq!(back.clock_leeway(), grant.clock_leeway());
        let ids = |facts: &GrantFacts| {
            [facts.key_id(), facts.token_id(), facts.session_id()]
                .map(|id| id.map(ToOwned::to_owned))
        };
        assert_eq!(ids(&back), ids(&grant));
    }
}
