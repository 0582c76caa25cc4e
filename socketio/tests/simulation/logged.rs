//! What must be true of the events of a run whose servers share a log.
//!
//! The place of an event is that of its entry. A socket has a life on each server that it comes to, which goes on from
//! what was saved of another: with its rooms as they were then, whatever became of them later on the server it was on.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;

use crate::bus::MAX_DELAY_MS;
use crate::checker::{Chain, Checker, Due, Emission, State, is_meant};
use crate::history::{Entry, Kind, Origin, Record, SocketNo, Target, What};

/// Before all entries.
const FIRST: Entry = (0, 0);

/// Of one socket on one server.
struct Life {
    server: usize,
    socket: SocketNo,
    start: usize,
    is_open: bool,
    /// Up to which entry it may have been sent everything when it came, further than its server had read.
    fetched: Entry,
    /// What it was in, those of earlier lives first.
    states: Vec<Place>,
}

/// What a socket was in behind an entry.
#[derive(Clone)]
struct Place {
    from: Entry,
    /// Behind this one for certain.
    sure: Entry,
    state: State,
}

impl Life {
    fn rooms(&self) -> BTreeSet<u8> {
        let last = self.states.last();
        last.map(|place| place.state.rooms.clone())
            .unwrap_or_default()
    }

    /// Whether an entry was for it for certain, and whether it may have been.
    fn is_in_at(&self, target: Target, entry: Entry) -> (bool, bool) {
        let possible = self.states.iter().enumerate().filter(|(index, place)| {
            let next = self.states.get(index + 1);
            place.from < entry && next.is_none_or(|next| next.sure >= entry)
        });
        let (mut all, mut any) = (true, false);
        for (_, place) in possible {
            let is_in = is_meant(&place.state, target);
            all &= is_in;
            any |= is_in;
        }
        (all && any, any)
    }

    /// Whether it was meant at any time from `start` to `end`.
    fn is_in_between(&self, target: Target, start: u64, end: u64) -> bool {
        self.states.iter().enumerate().any(|(index, place)| {
            let until = self
                .states
                .get(index + 1)
                .map_or(u64::MAX, |next| next.state.at);
            place.state.at <= end && until >= start && is_meant(&place.state, target)
        })
    }
}

/// What was saved of a life.
#[derive(Clone)]
struct Save {
    index: usize,
    life: usize,
    rooms: BTreeSet<u8>,
}

/// What is known of a log and of those who read it.
#[derive(Default)]
struct Books {
    lives: Vec<Life>,
    /// Up to which entry each server has come.
    read: HashMap<usize, Entry>,
    fetched: HashMap<usize, Entry>,
    saved: HashMap<SocketNo, Save>,
    found: HashMap<(usize, SocketNo), Save>,
    missed: HashSet<(usize, Entry)>,
    /// Where each event was written first.
    written: HashMap<(Origin, u32), Entry>,
    unwritten: HashSet<(Origin, u32)>,
    killed: HashSet<usize>,
}

impl Books {
    fn has_read(&mut self, server: usize, entry: Entry) {
        let read = self.read.entry(server).or_insert(entry);
        *read = entry.max(*read);
    }

    /// How far the server has come.
    fn place_of(&self, server: usize) -> Entry {
        self.read.get(&server).copied().unwrap_or_default()
    }

    fn last_life(&self, server: usize, socket: SocketNo) -> Option<usize> {
        let is_it = |life: &Life| life.server == server && life.socket == socket;
        self.lives.iter().rposition(is_it)
    }

    fn is_open_twice(&self, server: usize, socket: SocketNo) -> bool {
        let is_it = |life: &&Life| life.server == server && life.socket == socket && life.is_open;
        self.lives.iter().filter(is_it).count() > 1
    }
}

/// Where a client stands: the life that it is in and the last event that it heard by the log.
struct Listening {
    life: usize,
    socket: SocketNo,
    heard: Entry,
}

/// What was sent, and where it stands in the log.
struct Sent<'a> {
    by_key: HashMap<(Origin, u32), &'a Emission>,
    log: BTreeMap<Entry, &'a Emission>,
}

impl Sent<'_> {
    /// What stands between two entries.
    fn between(&self, after: Entry, end: Entry) -> impl Iterator<Item = (Entry, &Emission)> {
        let range = (Bound::Excluded(after), Bound::Excluded(end));
        let found = (after < end).then(|| self.log.range(range));
        found
            .into_iter()
            .flatten()
            .map(|(entry, emission)| (*entry, *emission))
    }
}

impl Checker<'_> {
    pub(crate) fn judge_log(&mut self) {
        let books = self.read_books();
        let emissions = self.emissions();
        let mut sent = Sent {
            by_key: emissions.iter().map(|found| (found.key, found)).collect(),
            log: BTreeMap::new(),
        };
        if sent.by_key.len() != emissions.len() {
            self.fail(0, "an event was handled twice");
        }
        for emission in &emissions {
            if let Some(entry) = books.written.get(&emission.key) {
                sent.log.insert(*entry, emission);
            } else if emission.kind == Kind::Kept && !books.unwritten.contains(&emission.key) {
                let end = self.ends.get(&emission.server);
                if end.is_none_or(|end| emission.at + MAX_DELAY_MS < *end) {
                    self.fail(emission.at, format!("{:?} is not written", emission.key));
                }
            }
        }
        self.judge_clients(&books, &sent);
    }

    fn judge_clients(&mut self, books: &Books, sent: &Sent<'_>) {
        let mut servers: HashMap<(Origin, u32), usize> = HashMap::new();
        let mut listening: HashMap<Origin, Listening> = HashMap::new();
        let mut heard: HashMap<SocketNo, Entry> = HashMap::new();
        let mut seen: HashSet<(SocketNo, (Origin, u32))> = HashSet::new();
        for (index, Record { at, what }) in self.records.iter().enumerate() {
            match *what {
                What::Opened {
                    who,
                    connection,
                    server,
                    ..
                } => {
                    servers.insert((who, connection), server);
                }
                What::Connected {
                    who,
                    connection,
                    socket,
                    is_recovered,
                    ..
                } => {
                    let server = servers[&(who, connection)];
                    let is_it = |life: &Life| {
                        life.server == server && life.socket == socket && life.start < index
                    };
                    let Some(life) = books.lives.iter().rposition(is_it) else {
                        self.fail(*at, format!("socket {socket} did not enter"));
                        continue;
                    };
                    let known = heard.get(&socket).copied().filter(|_| is_recovered);
                    let client = Listening {
                        life,
                        socket,
                        heard: known.unwrap_or(FIRST),
                    };
                    listening.insert(who, client);
                }
                What::Got {
                    who,
                    socket,
                    origin,
                    number,
                } => {
                    self.counts.deliveries += 1;
                    let key = (origin, number);
                    if !seen.insert((socket, key)) {
                        self.fail(*at, format!("socket {socket} got {key:?} twice"));
                        continue;
                    }
                    match listening.get_mut(&who) {
                        Some(client) if client.socket == socket => {
                            self.judge_event(*at, books, sent, client, key);
                            heard.insert(socket, client.heard);
                        }
                        _ => self.fail(*at, format!("{who} got {key:?} for socket {socket}")),
                    }
                }
                What::IsIn { who, .. } => {
                    if let Some(client) = listening.get(&who) {
                        self.judge_gap_of_log(*at, books, sent, client, (u64::MAX, 0));
                    }
                }
                _ => {}
            }
        }
    }

    fn judge_event(
        &mut self,
        at: u64,
        books: &Books,
        sent: &Sent<'_>,
        client: &mut Listening,
        key: (Origin, u32),
    ) {
        let socket = client.socket;
        let Some(emission) = sent.by_key.get(&key) else {
            return self.fail(
                at,
                format!("socket {socket} got {key:?}, which nobody sent"),
            );
        };
        let life = &books.lives[client.life];
        self.counts.crossings += usize::from(emission.server != life.server);
        let Some(entry) = books.written.get(&key).copied() else {
            // It is heard where it was sent, or by the bus, at once.
            let end = emission.at + MAX_DELAY_MS;
            let mut lives = books.lives.iter().filter(|life| life.socket == socket);
            let is_in = lives.any(|life| life.is_in_between(emission.target, emission.at, end));
            if !is_in || emission.except == Some(socket) {
                self.fail(at, format!("socket {socket} got {key:?} in passing"));
            }
            return;
        };
        if entry <= client.heard {
            let heard = client.heard;
            let text = format!("socket {socket} got {key:?} of {entry:?}, at {heard:?}");
            return self.fail(at, text);
        }
        if due(books, life, entry, emission) == Due::Never {
            self.fail(
                at,
                format!("socket {socket} got {key:?}, which is not for it"),
            );
        }
        self.judge_gap_of_log(at, books, sent, client, entry);
        client.heard = entry;
    }

    /// Nothing of what was passed over may have been due.
    fn judge_gap_of_log(
        &mut self,
        at: u64,
        books: &Books,
        sent: &Sent<'_>,
        client: &Listening,
        end: Entry,
    ) {
        let (socket, life) = (client.socket, &books.lives[client.life]);
        for (entry, passed) in sent.between(client.heard, end) {
            if due(books, life, entry, passed) == Due::Must {
                let text = format!("socket {socket} has lost {:?}, {entry:?}", passed.key);
                self.fail(at, text);
            }
        }
    }

    /// Whether the server has the socket go in the moment in which it came.
    fn goes_at_once(&self, index: usize, who: SocketNo) -> bool {
        let at = self.records[index].at;
        let now = self.records[index..].iter().take_while(|it| it.at == at);
        now.into_iter().any(|record| {
            matches!(&record.what, What::Gone { socket, reason, .. } if *socket == who && reason == "forced close")
        })
    }

    /// The lives of the sockets, and what is wrong with their coming and going.
    fn read_books(&mut self) -> Books {
        let mut books = Books::default();
        for (index, Record { at, what }) in self.records.iter().enumerate() {
            match what {
                What::Written { entry, key, .. } => {
                    let first = *books.written.entry(*key).or_insert(*entry);
                    self.counts.written_again += usize::from(first != *entry);
                }
                What::Unwritten { key } => {
                    books.unwritten.insert(*key);
                }
                What::Read { server, entry } => books.has_read(*server, *entry),
                What::Missed { server, entry } => {
                    books.has_read(*server, *entry);
                    books.missed.insert((*server, *entry));
                }
                What::Fetched { server, entry } => {
                    let fetched = books.fetched.entry(*server).or_insert(*entry);
                    *fetched = *entry.max(fetched);
                }
                What::Found { server, socket } => {
                    if let Some(save) = books.saved.get(socket) {
                        books.found.insert((*server, *socket), save.clone());
                    }
                }
                What::Saved { .. }
                | What::Entered { .. }
                | What::Joined { .. }
                | What::LeftRoom { .. }
                | What::Gone { .. } => self.read_life(&mut books, index, *at, what),
                What::ServerEnds { server, how } => {
                    self.ended(*server, *at);
                    if *how == "killed" {
                        books.killed.insert(*server);
                    }
                }
                _ => self.note(*at, what),
            }
        }
        books
    }

    fn read_life(&mut self, books: &mut Books, index: usize, at: u64, what: &What) {
        match what {
            What::Saved {
                server,
                socket,
                rooms,
            } => {
                let Some(life) = books.last_life(*server, *socket) else {
                    let text = format!("socket {socket} is saved by {server}, unknown there");
                    return self.fail(at, text);
                };
                let rooms: BTreeSet<u8> = rooms.iter().copied().collect();
                let had = books.lives[life].rooms();
                if rooms != had && !books.is_open_twice(*server, *socket) {
                    self.fail(at, format!("socket {socket} has {had:?}, saved {rooms:?}"));
                }
                books.saved.insert(*socket, Save { index, life, rooms });
            }
            What::Entered {
                server,
                socket,
                is_recovered,
                rooms,
                ..
            } => {
                let now = State {
                    index,
                    at,
                    rooms: rooms.iter().copied().collect(),
                };
                self.read_entry(books, *server, *socket, *is_recovered, &now);
            }
            What::Joined {
                server,
                socket,
                room,
            }
            | What::LeftRoom {
                server,
                socket,
                room,
            } => {
                let Some(life) = books.last_life(*server, *socket) else {
                    return;
                };
                let from = books.place_of(*server);
                let is_last = books.lives.iter().rposition(|it| it.socket == *socket);
                let is_last = is_last == Some(life);
                let life = &mut books.lives[life];
                let mut rooms = life.rooms();
                if matches!(what, What::Joined { .. }) {
                    rooms.insert(*room);
                } else {
                    rooms.remove(room);
                }
                let sure = from.max(life.fetched);
                let state = State { index, at, rooms };
                if is_last {
                    self.stands(*server, *socket, &state);
                }
                life.states.push(Place { from, sure, state });
            }
            What::Gone {
                server,
                socket,
                rooms,
                ..
            } => {
                let is_twice = books.is_open_twice(*server, *socket);
                let is_it = |life: &&mut Life| {
                    life.server == *server && life.socket == *socket && life.is_open
                };
                let Some(life) = books.lives.iter_mut().find(is_it) else {
                    return self.fail(at, format!("socket {socket} left twice"));
                };
                life.is_open = false;
                let (rooms, had): (BTreeSet<u8>, _) =
                    (rooms.iter().copied().collect(), life.rooms());
                if rooms != had && !is_twice {
                    let text = format!("socket {socket} leaves from {rooms:?}, had {had:?}");
                    self.fail(at, text);
                }
            }
            _ => {}
        }
    }

    /// A life begins.
    fn read_entry(
        &mut self,
        books: &mut Books,
        server: usize,
        socket: SocketNo,
        is_recovered: bool,
        now: &State,
    ) {
        let (at, from) = (now.at, books.place_of(server));
        let sure = from;
        let mut states = Vec::new();
        let mut fetched = FIRST;
        self.stands(server, socket, now);
        if is_recovered {
            let Some(save) = books.found.remove(&(server, socket)) else {
                return self.fail(at, format!("socket {socket} recovered from nothing"));
            };
            fetched = books.fetched.get(&server).copied().unwrap_or_default();
            let saver = &books.lives[save.life];
            self.counts.elsewhere += usize::from(saver.server != server);
            self.counts.survivors += usize::from(books.killed.contains(&saver.server));
            let kept = saver.states.iter();
            states.extend(kept.take_while(|it| it.state.index < save.index).cloned());
            if save.rooms != now.rooms {
                // Who lost something while it was let in has nothing, and is put out.
                if !now.rooms.is_empty() || !self.goes_at_once(now.index, socket) {
                    let (had, got) = (&save.rooms, &now.rooms);
                    self.fail(at, format!("socket {socket} had {had:?}, got {got:?}"));
                }
                let state = now.clone();
                states.push(Place { from, sure, state });
            }
        } else {
            let is_known = books.lives.iter().any(|life| life.socket == socket);
            if is_known || !now.rooms.is_empty() {
                let rooms = &now.rooms;
                self.fail(at, format!("new socket {socket} is in {rooms:?}"));
            }
            let state = now.clone();
            states.push(Place { from, sure, state });
        }
        books.lives.push(Life {
            server,
            socket,
            start: now.index,
            is_open: true,
            fetched,
            states,
        });
    }

    fn stands(&mut self, server: usize, socket: SocketNo, state: &State) {
        let chain = Chain::standing(server, state.clone());
        self.chains.insert(socket, chain);
    }
}

/// Whether an entry is for a life.
fn due(books: &Books, life: &Life, entry: Entry, emission: &Emission) -> Due {
    if emission.except == Some(life.socket) {
        return Due::Never;
    }
    match life.is_in_at(emission.target, entry) {
        (_, false) => Due::Never,
        (true, _) if !books.missed.contains(&(life.server, entry)) => Due::Must,
        _ => Due::May,
    }
}
