//! What must be true of the events of a run whose servers share a log.
//!
//! The place of an event is that of its entry. A socket has a life on each server that it comes to, which goes on from
//! what was saved of another: with its rooms as they were then, whatever became of them later on the server it was on.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

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
struct Place {
    from: Entry,
    /// Behind this one for certain.
    sure: Entry,
    state: State,
}

impl Place {
    fn copy(&self) -> Self {
        Self {
            from: self.from,
            sure: self.sure,
            state: self.state.clone(),
        }
    }
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
}

impl Books {
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

impl Checker<'_> {
    pub(crate) fn judge_log(&mut self) {
        let books = self.read_books();
        let emissions = self.emissions();
        let by_key: HashMap<_, _> = emissions.iter().map(|found| (found.key, found)).collect();
        if by_key.len() != emissions.len() {
            self.fail(0, "an event was handled twice");
        }
        let mut log: BTreeMap<Entry, &Emission> = BTreeMap::new();
        for emission in &emissions {
            if let Some(entry) = books.written.get(&emission.key) {
                log.insert(*entry, emission);
            } else if emission.kind == Kind::Kept && !books.unwritten.contains(&emission.key) {
                let end = self.ends.get(&emission.server);
                if end.is_none_or(|end| emission.at + MAX_DELAY_MS < *end) {
                    self.fail(emission.at, format!("{:?} is not written", emission.key));
                }
            }
        }
        let mut servers: HashMap<(Origin, u32), usize> = HashMap::new();
        let mut listening: HashMap<Origin, Listening> = HashMap::new();
        let mut heard: HashMap<SocketNo, Entry> = HashMap::new();
        let mut seen: HashSet<(SocketNo, (Origin, u32))> = HashSet::new();
        for (index, Record { at, what }) in self.records.iter().enumerate() {
            match what {
                What::Opened {
                    who,
                    connection,
                    server,
                    ..
                } => {
                    servers.insert((*who, *connection), *server);
                }
                What::Connected {
                    who,
                    connection,
                    socket,
                    is_recovered,
                    ..
                } => {
                    let server = servers[&(*who, *connection)];
                    let is_it = |life: &Life| {
                        life.server == server && life.socket == *socket && life.start < index
                    };
                    let Some(life) = books.lives.iter().rposition(is_it) else {
                        self.fail(*at, format!("socket {socket} did not enter"));
                        continue;
                    };
                    let known = heard.get(socket).copied().filter(|_| *is_recovered);
                    listening.insert(
                        *who,
                        Listening {
                            life,
                            socket: *socket,
                            heard: known.unwrap_or(FIRST),
                        },
                    );
                }
                What::Got {
                    who,
                    socket,
                    origin,
                    number,
                } => {
                    self.counts.deliveries += 1;
                    let key = (*origin, *number);
                    let Some(emission) = by_key.get(&key) else {
                        self.fail(*at, format!("{who} got {key:?}, which nobody sent"));
                        continue;
                    };
                    let Some(client) = listening.get_mut(who) else {
                        continue;
                    };
                    if client.socket != *socket {
                        self.fail(*at, format!("{who} got {key:?} for socket {socket}"));
                    }
                    if !seen.insert((*socket, key)) {
                        self.fail(*at, format!("socket {socket} got {key:?} twice"));
                        continue;
                    }
                    let life = &books.lives[client.life];
                    if emission.server != life.server {
                        self.counts.crossings += 1;
                    }
                    let Some(entry) = books.written.get(&key) else {
                        // It is heard where it was sent, or by the bus, at once.
                        let mut lives = books.lives.iter();
                        let is_in = lives.any(|life| {
                            let end = emission.at + MAX_DELAY_MS;
                            life.socket == *socket
                                && life.is_in_between(emission.target, emission.at, end)
                        });
                        if !is_in || emission.except == Some(*socket) {
                            self.fail(*at, format!("socket {socket} got {key:?} in passing"));
                        }
                        continue;
                    };
                    if *entry <= client.heard {
                        let heard = client.heard;
                        let text =
                            format!("socket {socket} got {key:?} of {entry:?}, at {heard:?}");
                        self.fail(*at, text);
                        continue;
                    }
                    if due(&books, life, *entry, emission) == Due::Never {
                        let text = format!("socket {socket} got {key:?}, which is not for it");
                        self.fail(*at, text);
                    }
                    let passed = log
                        .range(client.heard..*entry)
                        .skip_while(|(at, _)| **at == client.heard);
                    for (at_entry, passed) in passed {
                        if due(&books, life, *at_entry, passed) == Due::Must {
                            let text =
                                format!("socket {socket} has lost {:?}, {at_entry:?}", passed.key);
                            self.fail(*at, text);
                        }
                    }
                    client.heard = *entry;
                    heard.insert(*socket, *entry);
                }
                What::IsIn { who, socket, .. } => {
                    let Some(client) = listening.get(who) else {
                        continue;
                    };
                    let life = &books.lives[client.life];
                    let rest = log
                        .range(client.heard..)
                        .skip_while(|(at, _)| **at == client.heard);
                    for (entry, emission) in rest {
                        if due(&books, life, *entry, emission) == Due::Must {
                            let text =
                                format!("socket {socket} lacks {:?}, {entry:?}", emission.key);
                            self.fail(*at, text);
                        }
                    }
                }
                _ => {}
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
        let mut killed = HashSet::new();
        for (index, Record { at, what }) in self.records.iter().enumerate() {
            let at = *at;
            match what {
                What::Written { entry, key, .. } => {
                    let first = *books.written.entry(*key).or_insert(*entry);
                    self.counts.written_again += usize::from(first != *entry);
                }
                What::Unwritten { key } => {
                    books.unwritten.insert(*key);
                }
                What::Read { server, entry } | What::Missed { server, entry } => {
                    let read = books.read.entry(*server).or_insert(*entry);
                    *read = *entry.max(read);
                    if matches!(what, What::Missed { .. }) {
                        books.missed.insert((*server, *entry));
                    }
                }
                What::Fetched { server, entry } => {
                    let fetched = books.fetched.entry(*server).or_insert(*entry);
                    *fetched = *entry.max(fetched);
                }
                What::Saved {
                    server,
                    socket,
                    rooms,
                } => {
                    let Some(life) = books.last_life(*server, *socket) else {
                        self.fail(
                            at,
                            format!("socket {socket} is saved by {server}, unknown there"),
                        );
                        continue;
                    };
                    let rooms: BTreeSet<u8> = rooms.iter().copied().collect();
                    let had = books.lives[life].rooms();
                    if rooms != had && !books.is_open_twice(*server, *socket) {
                        self.fail(at, format!("socket {socket} has {had:?}, saved {rooms:?}"));
                    }
                    books.saved.insert(*socket, Save { index, life, rooms });
                }
                What::Found { server, socket } => {
                    if let Some(save) = books.saved.get(socket) {
                        books.found.insert((*server, *socket), save.clone());
                    }
                }
                What::Entered {
                    server,
                    socket,
                    is_recovered,
                    rooms,
                    ..
                } => {
                    let rooms: BTreeSet<u8> = rooms.iter().copied().collect();
                    let from = books.read.get(server).copied().unwrap_or_default();
                    let mut states = Vec::new();
                    if *is_recovered {
                        let Some(save) = books.found.remove(&(*server, *socket)) else {
                            self.fail(at, format!("socket {socket} recovered from nothing"));
                            continue;
                        };
                        // Who lost something while it was let in has nothing, and is put out.
                        let is_put_out = rooms.is_empty() && self.goes_at_once(index, *socket);
                        if save.rooms != rooms && !is_put_out {
                            let had = &save.rooms;
                            self.fail(at, format!("socket {socket} had {had:?}, got {rooms:?}"));
                        }
                        let saver = &books.lives[save.life];
                        self.counts.elsewhere += usize::from(saver.server != *server);
                        self.counts.survivors += usize::from(killed.contains(&saver.server));
                        let kept = saver.states.iter();
                        let kept = kept.take_while(|place| place.state.index < save.index);
                        states.extend(kept.map(Place::copy));
                        if save.rooms != rooms {
                            let rooms = rooms.clone();
                            let state = State { index, at, rooms };
                            let sure = from;
                            states.push(Place { from, sure, state });
                        }
                    } else {
                        let is_known = books.lives.iter().any(|life| life.socket == *socket);
                        if is_known || !rooms.is_empty() {
                            self.fail(at, format!("new socket {socket} is in {rooms:?}"));
                        }
                        states.push(Place {
                            from,
                            sure: from,
                            state: State {
                                index,
                                at,
                                rooms: rooms.clone(),
                            },
                        });
                    }
                    let fetched = books.fetched.get(server).copied().unwrap_or_default();
                    books.lives.push(Life {
                        server: *server,
                        socket: *socket,
                        start: index,
                        is_open: true,
                        fetched: if *is_recovered { fetched } else { FIRST },
                        states,
                    });
                    self.chains
                        .insert(*socket, Chain::standing(*server, index, at, rooms));
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
                    let from = books.read.get(server).copied().unwrap_or_default();
                    let Some(life) = books.last_life(*server, *socket) else {
                        continue;
                    };
                    let is_last =
                        books.lives.iter().rposition(|it| it.socket == *socket) == Some(life);
                    let life = &mut books.lives[life];
                    let mut rooms = life.rooms();
                    if matches!(what, What::Joined { .. }) {
                        rooms.insert(*room);
                    } else {
                        rooms.remove(room);
                    }
                    let sure = from.max(life.fetched);
                    let state = State {
                        index,
                        at,
                        rooms: rooms.clone(),
                    };
                    life.states.push(Place { from, sure, state });
                    if is_last {
                        self.chains
                            .insert(*socket, Chain::standing(*server, index, at, rooms));
                    }
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
                        self.fail(at, format!("socket {socket} left twice"));
                        continue;
                    };
                    life.is_open = false;
                    let rooms: BTreeSet<u8> = rooms.iter().copied().collect();
                    if rooms != life.rooms() && !is_twice {
                        let had = life.rooms();
                        self.fail(
                            at,
                            format!("socket {socket} leaves from {rooms:?}, had {had:?}"),
                        );
                    }
                }
                What::ServerEnds { server, how } => {
                    self.ended(*server, at);
                    if *how == "killed" {
                        killed.insert(*server);
                    }
                }
                _ => self.note(at, what),
            }
        }
        books
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
