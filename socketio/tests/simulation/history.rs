//! What happened in a run, in order.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// One of the sockets that ever were, in the order in which they came. A recovered one keeps its number.
pub(crate) type SocketNo = usize;

/// Who numbers what it sends: clients from 0, servers from [`SERVERS`].
pub(crate) type Origin = u32;

/// The first server among the origins.
pub(crate) const SERVERS: Origin = 1000;

/// The name of an entry of a log that servers share, which are in its order.
pub(crate) type Entry = (u64, u64);

/// The rooms of the simulation. `None` is everybody.
pub(crate) type Target = Option<u8>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Must arrive, and is recovered.
    Kept,
    /// May be dropped.
    Volatile,
    /// Asks for an acknowledgement, and is not recovered.
    Asking,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    // What the servers saw.
    Entered {
        server: usize,
        socket: SocketNo,
        who: Origin,
        is_recovered: bool,
        rooms: Vec<u8>,
    },
    Joined {
        server: usize,
        socket: SocketNo,
        room: u8,
    },
    LeftRoom {
        server: usize,
        socket: SocketNo,
        room: u8,
    },
    Gone {
        server: usize,
        socket: SocketNo,
        reason: String,
        rooms: Vec<u8>,
    },
    /// A handler started.
    Handled {
        socket: SocketNo,
        who: Origin,
        number: u32,
    },
    Emitted {
        server: usize,
        target: Target,
        except: Option<SocketNo>,
        origin: Origin,
        number: u32,
        kind: Kind,
    },
    /// A client was asked and its answer awaited.
    Asked {
        socket: SocketNo,
        question: u32,
    },
    Answered {
        socket: SocketNo,
        question: u32,
        answer: Result<u32, String>,
    },
    /// What came back of a broadcast that asked.
    Polled {
        origin: Origin,
        number: u32,
        answers: Vec<(Option<SocketNo>, Result<u32, String>)>,
        /// The greatest number that was told, and whether less was told in the end.
        target_count: usize,
        is_less_known: bool,
    },
    ServerStarted {
        server: usize,
    },
    /// It takes nobody any more, and those it has will leave.
    ServerEnds {
        server: usize,
        how: &'static str,
    },
    /// It has seen everybody off, for which it had until this millisecond.
    Drained {
        server: usize,
        until: u64,
        sockets: usize,
        connections: usize,
    },
    Fault {
        what: &'static str,
    },
    /// A server has no descriptor for another connection, until this millisecond.
    Exhausted {
        server: usize,
        until: u64,
    },
    /// A connection is accepted that could not be accepted before.
    AcceptedLate {
        server: usize,
    },
    /// The servers go on in another, with what is left of them.
    RuntimeEnds,
    // What a log that the servers share has.
    /// There is one, and events are heard by it.
    FollowsLog,
    /// A server has written an event, or has again.
    Written {
        server: usize,
        entry: Entry,
        key: (Origin, u32),
    },
    /// A server could not write an event.
    Unwritten {
        key: (Origin, u32),
    },
    /// An entry comes to a server.
    Read {
        server: usize,
        entry: Entry,
    },
    /// An entry will never come to a server.
    Missed {
        server: usize,
        entry: Entry,
    },
    /// A server has looked at all up to this entry, for somebody who comes back.
    Fetched {
        server: usize,
        entry: Entry,
    },
    /// What a socket has is kept, in the place of what was.
    Saved {
        server: usize,
        socket: SocketNo,
        rooms: Vec<u8>,
    },
    /// That is looked at for somebody who comes back.
    Found {
        server: usize,
        socket: SocketNo,
    },
    // What the clients saw.
    Opened {
        who: Origin,
        connection: u32,
        server: usize,
        over: &'static str,
    },
    Upgraded {
        who: Origin,
        connection: u32,
    },
    Connected {
        who: Origin,
        connection: u32,
        socket: SocketNo,
        is_recovered: bool,
        /// A recovery was asked for.
        is_claimed: bool,
    },
    Sent {
        who: Origin,
        connection: u32,
        number: u32,
        is_acked: bool,
    },
    Acked {
        who: Origin,
        connection: u32,
        number: u32,
        value: Option<u32>,
    },
    Got {
        who: Origin,
        socket: SocketNo,
        origin: Origin,
        number: u32,
    },
    Question {
        who: Origin,
        socket: SocketNo,
        question: u32,
    },
    /// The client left and said so.
    Left {
        who: Origin,
        connection: u32,
    },
    /// The connection broke, or was closed.
    Lost {
        who: Origin,
        connection: u32,
        why: String,
    },
    /// What a client must never see.
    Wrong {
        who: Origin,
        text: String,
    },
    // The guarded namespace.
    VaultEntered {
        server: usize,
        socket: SocketNo,
        who: Origin,
        login: u32,
        is_recovered: bool,
        rooms: Vec<u8>,
    },
    VaultGone {
        socket: SocketNo,
    },
    /// A client has a new login, which holds until this millisecond, if it ends by itself.
    VaultLogin {
        who: Origin,
        login: u32,
        ends: Option<u64>,
    },
    VaultJoined {
        socket: SocketNo,
        who: Origin,
        room: u8,
        is_in: bool,
    },
    VaultEmitted {
        server: usize,
        target: Target,
        number: u32,
    },
    /// A server begins to judge a login.
    VaultJudged {
        server: usize,
        who: Origin,
        login: u32,
    },
    /// Whoever is in by this login, or being judged, is put out.
    Kicked {
        server: usize,
        who: Origin,
        login: u32,
    },
    /// The login does not hold any more, from here on, on any server.
    Revoked {
        who: Origin,
        login: u32,
    },
    VaultConnected {
        who: Origin,
        login: u32,
        socket: SocketNo,
        is_recovered: bool,
        /// It connected first, and authenticated then.
        in_two_trips: bool,
    },
    VaultRefused {
        who: Origin,
        login: u32,
    },
    VaultGot {
        who: Origin,
        login: u32,
        socket: SocketNo,
        server: usize,
        number: u32,
    },
    VaultHas {
        server: usize,
        visitors: Vec<(Origin, u32, SocketNo, Vec<u8>)>,
    },
    // What is so when all is quiet.
    Quiet,
    /// A client that is connected, and the rooms it was let into.
    IsIn {
        who: Origin,
        connection: u32,
        socket: SocketNo,
        server: usize,
    },
    /// Connections that nobody has accepted.
    Backlog {
        server: usize,
        count: usize,
    },
    Has {
        server: usize,
        sockets: Vec<(SocketNo, Vec<u8>)>,
    },
    Sees {
        server: usize,
        sockets: Vec<SocketNo>,
        missing_servers: usize,
    },
    /// After everybody has left.
    Remains {
        server: usize,
        sockets: usize,
        connections: usize,
        rooms: usize,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// Virtual milliseconds since the start.
    pub(crate) at: u64,
    pub(crate) what: What,
}

/// Shared by all actors of a run.
#[derive(Clone)]
pub(crate) struct History(Arc<Mutex<Inner>>);

struct Inner {
    start: Instant,
    records: Vec<Record>,
    /// Ids are random, and differ between two runs of one seed; their numbers do not.
    sockets: HashMap<String, SocketNo>,
}

impl History {
    pub(crate) fn start() -> Self {
        Self(Arc::new(Mutex::new(Inner {
            start: Instant::now(),
            records: Vec::new(),
            sockets: HashMap::new(),
        })))
    }

    pub(crate) fn add(&self, what: What) {
        self.add_at(Instant::now(), what);
    }

    pub(crate) fn add_at(&self, now: Instant, what: What) {
        let mut inner = self.inner();
        let at = now.duration_since(inner.start).as_millis() as u64;
        inner.records.push(Record { at, what });
    }

    /// Virtual milliseconds since the start.
    pub(crate) fn now(&self) -> u64 {
        Instant::now()
            .duration_since(self.inner().start)
            .as_millis() as u64
    }

    pub(crate) fn socket(&self, id: &str) -> SocketNo {
        let mut inner = self.inner();
        let next = inner.sockets.len();
        *inner.sockets.entry(id.to_owned()).or_insert(next)
    }

    pub(crate) fn take(&self) -> Vec<Record> {
        let mut records = std::mem::take(&mut self.inner().records);
        // A server that closes looks through a table that is in no order.
        let is_closing = |record: &Record| {
            matches!(
                record.what,
                What::Gone { .. }
                    | What::Saved { .. }
                    | What::VaultGone { .. }
                    | What::Answered { answer: Err(_), .. }
            )
        };
        for run in records
            .chunk_by_mut(|one, next| is_closing(one) && is_closing(next) && one.at == next.at)
        {
            run.sort_by_key(|record| format!("{:?}", record.what));
        }
        records
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One line for each record.
pub(crate) fn render(records: &[Record]) -> String {
    let mut text = String::new();
    for Record { at, what } in records {
        let _ = writeln!(text, "{at:>7} {what:?}");
    }
    text
}

/// FNV-1a.
pub(crate) fn hash(records: &[Record]) -> u64 {
    let bytes = render(records).into_bytes().into_iter();
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
