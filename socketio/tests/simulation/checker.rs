//! What must be true of every history.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::bus::MAX_DELAY_MS;
use crate::history::{Kind, Origin, Record, SocketNo, Target, What};
use crate::vault::is_allowed;

/// How late a timer of the server may be.
const TIMER_MS: u64 = 1_000;

/// How long it waits when nothing can be accepted.
const ACCEPT_PAUSE_MS: u64 = 50 + ROUNDING_MS;

/// Timers go by whole milliseconds.
const ROUNDING_MS: u64 = 1;

/// How often things happened that the rules are about: a run in which they do not shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) deliveries: usize,
    pub(crate) acks: usize,
    pub(crate) recoveries: usize,
    pub(crate) refused_recoveries: usize,
    pub(crate) replays: usize,
    pub(crate) upgrades: usize,
    pub(crate) faults: usize,
    pub(crate) ended_servers: usize,
    pub(crate) ended_runtimes: usize,
    pub(crate) crossings: usize,
    pub(crate) secrets: usize,
    pub(crate) revocations: usize,
    pub(crate) kicks: usize,
    pub(crate) vault_recoveries: usize,
    pub(crate) two_trips: usize,
    pub(crate) expiries: usize,
    pub(crate) late_accepts: usize,
    pub(crate) drains: usize,
    pub(crate) seen_off: usize,
    /// Runs whose servers share a log, and in them: recoveries on another server than the last, and behind a kill of that;
    /// and events that were written once more.
    pub(crate) logged_runs: usize,
    pub(crate) elsewhere: usize,
    pub(crate) survivors: usize,
    pub(crate) written_again: usize,
}

impl Counts {
    /// That nothing was wrong means something.
    pub(crate) fn shows_everything(&self) -> bool {
        let many = [self.deliveries, self.acks, self.crossings, self.secrets];
        let some = [
            self.recoveries,
            self.refused_recoveries,
            self.replays,
            self.upgrades,
            self.faults,
            self.ended_servers,
            self.ended_runtimes,
            self.revocations,
            self.kicks,
            self.vault_recoveries,
            self.two_trips,
            self.expiries,
            self.late_accepts,
            self.drains,
            self.seen_off,
            self.logged_runs,
            self.elsewhere,
            self.survivors,
            self.written_again,
        ];
        many.iter().all(|count| *count > 1000) && some.iter().all(|count| *count > 5)
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.deliveries += other.deliveries;
        self.acks += other.acks;
        self.recoveries += other.recoveries;
        self.refused_recoveries += other.refused_recoveries;
        self.replays += other.replays;
        self.upgrades += other.upgrades;
        self.faults += other.faults;
        self.ended_servers += other.ended_servers;
        self.ended_runtimes += other.ended_runtimes;
        self.crossings += other.crossings;
        self.secrets += other.secrets;
        self.revocations += other.revocations;
        self.kicks += other.kicks;
        self.vault_recoveries += other.vault_recoveries;
        self.two_trips += other.two_trips;
        self.expiries += other.expiries;
        self.late_accepts += other.late_accepts;
        self.drains += other.drains;
        self.seen_off += other.seen_off;
        self.logged_runs += other.logged_runs;
        self.elsewhere += other.elsewhere;
        self.survivors += other.survivors;
        self.written_again += other.written_again;
    }
}

/// What is wrong with a history; nothing if it is as it must be.
pub(crate) fn check(records: &[Record]) -> (Vec<String>, Counts) {
    let mut checker = Checker {
        records,
        chains: BTreeMap::new(),
        ends: HashMap::new(),
        quiet: u64::MAX,
        wrong: Vec::new(),
        counts: Counts::default(),
    };
    let is_log = |record: &Record| matches!(record.what, What::FollowsLog);
    if records.iter().any(is_log) {
        checker.counts.logged_runs += 1;
        checker.judge_log();
    } else {
        checker.read();
        checker.judge_deliveries();
    }
    checker.judge_events_and_acks();
    checker.judge_questions();
    checker.judge_quiet();
    checker.judge_vault();
    checker.judge_kicks();
    checker.judge_expiry();
    checker.judge_accepting();
    checker.judge_drains();
    (checker.wrong, checker.counts)
}

pub(crate) struct Checker<'a> {
    pub(crate) records: &'a [Record],
    pub(crate) chains: BTreeMap<SocketNo, Chain>,
    /// When servers ended.
    pub(crate) ends: HashMap<usize, u64>,
    quiet: u64,
    wrong: Vec<String>,
    pub(crate) counts: Counts,
}

/// A socket, over all the connections it had.
pub(crate) struct Chain {
    home: usize,
    /// What it was in, from which record on. Away it stays in its rooms.
    states: Vec<State>,
    is_connected: bool,
    received: Vec<(Origin, u32)>,
}

#[derive(Clone)]
pub(crate) struct State {
    pub(crate) index: usize,
    pub(crate) at: u64,
    pub(crate) rooms: BTreeSet<u8>,
}

impl Chain {
    /// One that is in these rooms now.
    pub(crate) fn standing(home: usize, state: State) -> Self {
        Self {
            home,
            states: vec![state],
            is_connected: true,
            received: Vec::new(),
        }
    }

    fn rooms(&self) -> BTreeSet<u8> {
        self.states
            .last()
            .map(|state| state.rooms.clone())
            .unwrap_or_default()
    }

    /// Whether it was meant by what its own server sent at this record.
    fn is_in_at(&self, target: Target, index: usize) -> bool {
        let before = self.states.iter().rev().find(|state| state.index < index);
        before.is_some_and(|state| is_meant(state, target))
    }

    /// Whether it was meant all the time, and at any time, from `start` to `end`.
    fn is_in_between(&self, target: Target, start: u64, end: u64) -> (bool, bool) {
        let (mut all, mut any) = (false, false);
        for (place, state) in self.states.iter().enumerate() {
            let until = self.states.get(place + 1).map_or(u64::MAX, |next| next.at);
            if state.at > end || until < start {
                continue;
            }
            let is_in = is_meant(state, target);
            if !any && !all {
                all = is_in && state.at < start;
            }
            all &= is_in;
            any |= is_in;
        }
        (all, any)
    }
}

pub(crate) fn is_meant(state: &State, target: Target) -> bool {
    target.is_none_or(|room| state.rooms.contains(&room))
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    Must,
    May,
    Never,
}

/// Something that was sent to several.
pub(crate) struct Emission {
    index: usize,
    pub(crate) at: u64,
    pub(crate) server: usize,
    pub(crate) target: Target,
    pub(crate) except: Option<SocketNo>,
    pub(crate) kind: Kind,
    pub(crate) key: (Origin, u32),
}

impl Checker<'_> {
    pub(crate) fn fail(&mut self, at: u64, text: impl std::fmt::Display) {
        self.wrong.push(format!("{at} ms: {text}"));
    }

    /// The sockets and their rooms, and what is wrong with their coming and going.
    fn read(&mut self) {
        for (index, Record { at, what }) in self.records.iter().enumerate() {
            let at = *at;
            match what {
                What::Entered {
                    server,
                    socket,
                    is_recovered,
                    rooms,
                    ..
                } => {
                    let rooms: BTreeSet<u8> = rooms.iter().copied().collect();
                    let state = State {
                        index,
                        at,
                        rooms: rooms.clone(),
                    };
                    match self.chains.get_mut(socket) {
                        None if *is_recovered => {
                            self.fail(at, format!("socket {socket} recovered from nothing"));
                        }
                        None => {
                            if !rooms.is_empty() {
                                self.fail(at, format!("new socket {socket} is in {rooms:?}"));
                            }
                            self.chains.insert(
                                *socket,
                                Chain {
                                    home: *server,
                                    states: vec![state],
                                    is_connected: true,
                                    received: Vec::new(),
                                },
                            );
                        }
                        Some(chain) => {
                            let had = chain.rooms();
                            let was_connected = std::mem::replace(&mut chain.is_connected, true);
                            chain.states.push(state);
                            if was_connected || !is_recovered {
                                self.fail(at, format!("socket {socket} is there twice"));
                            }
                            if had != rooms {
                                let text = format!("socket {socket} had {had:?}, got {rooms:?}");
                                self.fail(at, text);
                            }
                        }
                    }
                }
                What::Joined { socket, room, .. } | What::LeftRoom { socket, room, .. } => {
                    if let Some(chain) = self.chains.get_mut(socket) {
                        let mut rooms = chain.rooms();
                        if matches!(what, What::Joined { .. }) {
                            rooms.insert(*room);
                        } else {
                            rooms.remove(room);
                        }
                        chain.states.push(State { index, at, rooms });
                    }
                }
                What::Gone { socket, rooms, .. } => match self.chains.get_mut(socket) {
                    Some(chain) if chain.is_connected => {
                        chain.is_connected = false;
                        let rooms: BTreeSet<u8> = rooms.iter().copied().collect();
                        if rooms != chain.rooms() {
                            let text = format!("socket {socket} leaves from {rooms:?}");
                            self.fail(at, text);
                        }
                    }
                    _ => self.fail(at, format!("socket {socket} left twice")),
                },
                What::ServerEnds { server, .. } => self.ended(*server, at),
                _ => self.note(at, what),
            }
        }
    }

    pub(crate) fn ended(&mut self, server: usize, at: u64) {
        self.counts.ended_servers += 1;
        self.ends.insert(server, at);
    }

    /// What is no matter of sockets and rooms.
    pub(crate) fn note(&mut self, at: u64, what: &What) {
        match what {
            What::Quiet => self.quiet = at,
            What::Wrong { who, text } => self.fail(at, format!("{who} got {text}")),
            What::Fault { .. } => self.counts.faults += 1,
            What::RuntimeEnds => self.counts.ended_runtimes += 1,
            What::Upgraded { .. } => self.counts.upgrades += 1,
            _ => {}
        }
    }

    /// Nothing lost, repeated, out of order, or seen by those whom it was not for.
    fn judge_deliveries(&mut self) {
        let emissions = self.emissions();
        let places: HashMap<_, _> = emissions
            .iter()
            .enumerate()
            .map(|(place, found)| (found.key, place))
            .collect();
        if places.len() != emissions.len() {
            self.fail(0, "an event was handled twice".to_owned());
        }
        let live = self.live_at_quiet();
        for Record { at, what } in self.records {
            if let What::Got {
                socket,
                origin,
                number,
                ..
            } = what
            {
                self.counts.deliveries += 1;
                match self.chains.get_mut(socket) {
                    Some(chain) => {
                        chain.received.push((*origin, *number));
                    }
                    None => self.fail(*at, format!("socket {socket} is unknown")),
                }
            }
        }
        let chains = std::mem::take(&mut self.chains);
        for (socket, chain) in &chains {
            self.judge_chain(*socket, chain, &emissions, &places, live.contains(socket));
        }
        self.chains = chains;
    }

    fn judge_chain(
        &mut self,
        socket: SocketNo,
        chain: &Chain,
        emissions: &[Emission],
        places: &HashMap<(Origin, u32), usize>,
        is_live: bool,
    ) {
        // For each server that sent something, where what comes next stands.
        let mut next: HashMap<usize, usize> = HashMap::new();
        let mut seen = HashSet::new();
        for key in &chain.received {
            let Some(place) = places.get(key).copied() else {
                self.fail(0, format!("socket {socket} got {key:?}, which nobody sent"));
                continue;
            };
            let emission = &emissions[place];
            if !seen.insert(*key) {
                self.fail(emission.at, format!("socket {socket} got {key:?} twice"));
                continue;
            }
            if emission.server != chain.home {
                self.counts.crossings += 1;
            }
            if self.due(socket, chain, emission) == Due::Never {
                let text = format!("socket {socket} got {key:?}, which is not for it");
                self.fail(emission.at, text);
            }
            let from = next.entry(emission.server).or_default();
            if place < *from {
                let text = format!("socket {socket} got {key:?} behind what was sent later");
                self.fail(emission.at, text);
                continue;
            }
            let start = std::mem::replace(from, place + 1);
            self.judge_gap(socket, chain, emission.server, &emissions[start..place]);
        }
        if is_live {
            let sources: BTreeSet<usize> =
                emissions.iter().map(|emission| emission.server).collect();
            for server in sources {
                let start = next.get(&server).copied().unwrap_or_default();
                self.judge_gap(socket, chain, server, &emissions[start..]);
            }
        }
    }

    /// Nothing of what was passed over may have been due.
    fn judge_gap(&mut self, socket: SocketNo, chain: &Chain, server: usize, passed: &[Emission]) {
        for emission in passed {
            if emission.server == server && self.due(socket, chain, emission) == Due::Must {
                let text = format!("socket {socket} has lost {:?}", emission.key);
                self.fail(emission.at, text);
            }
        }
    }

    fn due(&self, socket: SocketNo, chain: &Chain, emission: &Emission) -> Due {
        let Emission {
            at, target, kind, ..
        } = *emission;
        let (all, any) = if emission.except == Some(socket) {
            (false, false)
        } else if emission.server == chain.home {
            let is_in = chain.is_in_at(target, emission.index);
            (is_in, is_in)
        } else {
            let (all, any) = chain.is_in_between(target, at, at + MAX_DELAY_MS);
            let end = self.ends.get(&emission.server);
            (all && end.is_none_or(|end| at + MAX_DELAY_MS < *end), any)
        };
        match (all, any) {
            (_, false) => Due::Never,
            (true, _) if kind == Kind::Kept => Due::Must,
            _ => Due::May,
        }
    }

    pub(crate) fn emissions(&self) -> Vec<Emission> {
        let records = self.records.iter().enumerate();
        let found = records.filter_map(|(index, record)| match record.what {
            What::Emitted {
                server,
                target,
                except,
                origin,
                number,
                kind,
            } => Some(Emission {
                index,
                at: record.at,
                server,
                target,
                except,
                kind,
                key: (origin, number),
            }),
            _ => None,
        });
        found.collect()
    }

    fn live_at_quiet(&self) -> HashSet<SocketNo> {
        let found = self.records.iter().filter_map(|record| match record.what {
            What::IsIn { socket, .. } => Some(socket),
            _ => None,
        });
        found.collect()
    }

    /// Events are handled in order, once, and all that was sent before the last one; acknowledged once.
    fn judge_events_and_acks(&mut self) {
        let mut sent: BTreeMap<(Origin, u32), Vec<(u32, bool)>> = BTreeMap::new();
        let mut handled: HashMap<Origin, Vec<u32>> = HashMap::new();
        let mut acked: HashMap<(Origin, u32), (u32, u64)> = HashMap::new();
        let mut live = HashSet::new();
        for Record { at, what } in self.records {
            match *what {
                What::Sent {
                    who,
                    connection,
                    number,
                    is_acked,
                } => sent
                    .entry((who, connection))
                    .or_default()
                    .push((number, is_acked)),
                What::Handled { who, number, .. } => handled.entry(who).or_default().push(number),
                What::Acked {
                    who,
                    connection,
                    number,
                    value,
                } => {
                    self.counts.acks += 1;
                    if value != Some(number) {
                        self.fail(*at, format!("{who} was answered {number} with {value:?}"));
                    }
                    if acked.insert((who, number), (connection, *at)).is_some() {
                        self.fail(*at, format!("{who} was answered {number} twice"));
                    }
                }
                What::IsIn {
                    who, connection, ..
                } => {
                    live.insert((who, connection));
                }
                _ => {}
            }
        }
        for ((who, connection), events) in &sent {
            // What one connection brought may still come when the next has begun.
            let own: HashSet<u32> = events.iter().map(|(number, _)| *number).collect();
            let all = handled.get(who).into_iter().flatten().copied();
            let all: Vec<u32> = all.filter(|number| own.contains(number)).collect();
            if let Some(pair) = all.windows(2).find(|pair| pair[0] >= pair[1]) {
                self.fail(0, format!("the events of {who} were handled as {pair:?}"));
            }
            let is_live = live.contains(&(*who, *connection));
            let mut is_over = false;
            for (number, is_acked) in events {
                let is_handled = all.contains(number);
                if is_handled && is_over {
                    self.fail(0, format!("an event of {who} before {number} was lost"));
                }
                is_over |= !is_handled;
                let ack = acked.get(&(*who, *number));
                if is_live && !is_handled {
                    self.fail(0, format!("event {number} of {who} was lost"));
                } else if is_live && *is_acked && ack.is_none() {
                    self.fail(0, format!("event {number} of {who} was not answered"));
                }
                if let Some((other, at)) = ack
                    && (other != connection || !is_acked || !is_handled)
                {
                    self.fail(
                        *at,
                        format!("{who} was answered {number}, which it did not ask"),
                    );
                }
            }
        }
    }

    /// Whoever asks a client hears exactly once how it went.
    fn judge_questions(&mut self) {
        let mut open: HashMap<u32, SocketNo> = HashMap::new();
        let mut heard: HashSet<u32> = HashSet::new();
        for Record { at, what } in self.records {
            match what {
                What::Asked { socket, question } => {
                    open.insert(*question, *socket);
                }
                What::Question {
                    socket, question, ..
                } => {
                    let is_first = heard.insert(*question);
                    let asked = open.get(question);
                    if !is_first {
                        self.fail(*at, format!("question {question} came twice"));
                    } else if asked.is_some_and(|asked| asked != socket) {
                        self.fail(*at, format!("question {question} came to {socket}"));
                    }
                }
                What::Answered {
                    question, answer, ..
                } => {
                    if open.remove(question).is_none() {
                        self.fail(*at, format!("question {question} was answered twice"));
                    }
                    match answer {
                        Ok(value) if value == question && heard.contains(question) => {}
                        Ok(value) => {
                            let text = format!("question {question} was answered with {value}");
                            self.fail(*at, text);
                        }
                        Err(_) => {}
                    }
                }
                What::Polled {
                    number,
                    answers,
                    target_count,
                    is_less_known,
                    origin,
                } => {
                    let who: Vec<_> = answers.iter().filter_map(|(socket, _)| *socket).collect();
                    let unique: HashSet<_> = who.iter().collect();
                    let values = answers
                        .iter()
                        .filter_map(|(_, answer)| answer.as_ref().ok());
                    let text = format!("poll {origin}/{number} of {target_count}: {answers:?}");
                    // Whoever has come back elsewhere may be asked there as well, before its last server knows.
                    let may_repeat = self.counts.logged_runs > 0;
                    if (unique.len() != who.len() && !may_repeat)
                        || values.into_iter().any(|value| value != number)
                        || answers.len() != *target_count
                        || *is_less_known
                    {
                        self.fail(*at, text);
                    }
                }
                // Who would be told has ended with it.
                What::RuntimeEnds => open.clear(),
                What::Quiet if !open.is_empty() => {
                    self.fail(*at, format!("still open: {open:?}"));
                }
                _ => {}
            }
        }
    }

    /// Nobody is where they may not be, and whoever was put out gets nothing of what is told afterwards.
    fn judge_vault(&mut self) {
        let mut revoked: HashMap<(Origin, u32), usize> = HashMap::new();
        let mut told: HashMap<(usize, u32), (usize, Target)> = HashMap::new();
        let mut logins: HashMap<SocketNo, (Origin, u32)> = HashMap::new();
        let mut got: HashSet<(SocketNo, usize, u32)> = HashSet::new();
        for (index, Record { at, what }) in self.records.iter().enumerate() {
            match what {
                What::Revoked { who, login } => {
                    self.counts.revocations += 1;
                    revoked.entry((*who, *login)).or_insert(index);
                }
                What::VaultEntered {
                    socket,
                    who,
                    login,
                    is_recovered,
                    rooms,
                    ..
                } => {
                    self.counts.vault_recoveries += usize::from(*is_recovered);
                    if revoked.contains_key(&(*who, *login)) {
                        self.fail(*at, format!("{who} enters by the ended login {login}"));
                    }
                    let before = logins.insert(*socket, (*who, *login));
                    match before {
                        Some(before) if revoked.contains_key(&before) => {
                            let text = format!("{who} gets back what {before:?} had");
                            self.fail(*at, text);
                        }
                        Some((other, _)) if other != *who => {
                            self.fail(*at, format!("{who} gets back what {other} had"));
                        }
                        None if *is_recovered || !rooms.is_empty() => {
                            self.fail(*at, format!("{who} enters with {rooms:?}"));
                        }
                        _ => {}
                    }
                    self.judge_rooms(*at, *who, rooms);
                }
                What::VaultJoined {
                    who, room, is_in, ..
                } if *is_in => self.judge_rooms(*at, *who, &[*room]),
                What::VaultEmitted {
                    server,
                    target,
                    number,
                } => {
                    told.insert((*server, *number), (index, *target));
                }
                What::VaultGot {
                    who,
                    login,
                    socket,
                    server,
                    number,
                } => {
                    self.counts.secrets += 1;
                    if !got.insert((*socket, *server, *number)) {
                        self.fail(*at, format!("{who} got secret {server}/{number} twice"));
                    }
                    let Some((emitted, target)) = told.get(&(*server, *number)) else {
                        self.fail(*at, format!("{who} got secret {server}/{number} of nobody"));
                        continue;
                    };
                    self.judge_rooms(*at, *who, target.as_slice());
                    if revoked
                        .get(&(*who, *login))
                        .is_some_and(|end| end < emitted)
                    {
                        let text = format!("{who} got secret {server}/{number} after its end");
                        self.fail(*at, text);
                    }
                }
                What::VaultHas { visitors, .. } => {
                    for (who, login, _, rooms) in visitors {
                        self.judge_rooms(*at, *who, rooms);
                        if revoked.contains_key(&(*who, *login)) {
                            self.fail(*at, format!("{who} stays by the ended login {login}"));
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Whoever is put out is out at once, and who was being judged meanwhile does not come in.
    fn judge_kicks(&mut self) {
        let mut judged: HashMap<(usize, Origin, u32), usize> = HashMap::new();
        let mut kicked: HashMap<(usize, Origin, u32), usize> = HashMap::new();
        let mut told: HashMap<(usize, u32), usize> = HashMap::new();
        let mut holders: HashMap<SocketNo, (usize, Origin, u32)> = HashMap::new();
        let mut put_out: HashMap<SocketNo, usize> = HashMap::new();
        for (index, Record { at, what }) in self.records.iter().enumerate() {
            match *what {
                What::VaultJudged { server, who, login } => {
                    judged.insert((server, who, login), index);
                }
                What::Kicked { server, who, login } => {
                    self.counts.kicks += 1;
                    let key = (server, who, login);
                    kicked.insert(key, index);
                    let meant = holders.iter().filter(|(_, holder)| **holder == key);
                    put_out.extend(meant.map(|(socket, _)| (*socket, index)));
                }
                What::VaultEntered {
                    server,
                    socket,
                    who,
                    login,
                    ..
                } => {
                    let key = (server, who, login);
                    if kicked.get(&key) > judged.get(&key) {
                        let text = format!("{who} enters by {login}, put out while it was judged");
                        self.fail(*at, text);
                    }
                    put_out.remove(&socket);
                    holders.insert(socket, key);
                }
                What::VaultEmitted { server, number, .. } => {
                    told.insert((server, number), index);
                }
                What::VaultGot {
                    who,
                    socket,
                    server,
                    number,
                    ..
                } if put_out.get(&socket).copied().unwrap_or(usize::MAX)
                    < told.get(&(server, number)).copied().unwrap_or_default() =>
                {
                    self.fail(*at, format!("{who} got {server}/{number} though put out"));
                }
                _ => {}
            }
        }
    }

    /// Nobody comes in, stays or hears anything by a login that has ended.
    fn judge_expiry(&mut self) {
        let mut ends: HashMap<(Origin, u32), u64> = HashMap::new();
        let mut told: HashMap<(usize, u32), u64> = HashMap::new();
        let mut holders: HashMap<SocketNo, u64> = HashMap::new();
        for Record { at, what } in self.records {
            let end_of = |who: Origin, login: u32| ends.get(&(who, login)).copied();
            match *what {
                What::VaultLogin {
                    who,
                    login,
                    ends: Some(end),
                } => {
                    ends.insert((who, login), end);
                }
                What::VaultEntered {
                    socket, who, login, ..
                } => {
                    holders.remove(&socket);
                    if let Some(end) = end_of(who, login) {
                        holders.insert(socket, end);
                        if *at > end {
                            let text = format!("{who} enters by {login}, which ended at {end}");
                            self.fail(*at, text);
                        }
                    }
                }
                What::VaultConnected { in_two_trips, .. } => {
                    self.counts.two_trips += usize::from(in_two_trips);
                }
                What::VaultGone { socket } => {
                    if let Some(end) = holders.remove(&socket) {
                        self.counts.expiries += usize::from(*at >= end);
                        if *at > end + TIMER_MS {
                            self.fail(*at, format!("socket {socket} leaves behind {end}"));
                        }
                    }
                }
                What::VaultEmitted { server, number, .. } => {
                    told.insert((server, number), *at);
                }
                What::VaultGot {
                    who,
                    login,
                    server,
                    number,
                    ..
                } => {
                    let emitted = told.get(&(server, number)).copied().unwrap_or_default();
                    if end_of(who, login).is_some_and(|end| emitted > end + TIMER_MS) {
                        self.fail(*at, format!("{who} got {server}/{number} after its end"));
                    }
                }
                What::VaultHas { ref visitors, .. } => {
                    for (who, login, ..) in visitors {
                        if end_of(*who, *login).is_some_and(|end| *at > end + TIMER_MS) {
                            self.fail(*at, format!("{who} stays by {login}, which has ended"));
                        }
                    }
                }
                // What is left of them is told of the end later.
                What::RuntimeEnds => holders.clear(),
                _ => {}
            }
        }
    }

    /// Who waits at the door of a server without descriptors is let in as soon as it has some.
    fn judge_accepting(&mut self) {
        let mut exhausted: HashMap<usize, u64> = HashMap::new();
        for Record { at, what } in self.records {
            match *what {
                What::Exhausted { server, until } => {
                    exhausted.insert(server, until);
                }
                What::AcceptedLate { server } => {
                    self.counts.late_accepts += 1;
                    let until = exhausted.get(&server).copied().unwrap_or_default();
                    if !(until..=until + ACCEPT_PAUSE_MS).contains(at) {
                        self.fail(
                            *at,
                            format!("server {server} accepts, exhausted to {until}"),
                        );
                    }
                }
                What::Backlog { server, count } if count > 0 => {
                    self.fail(*at, format!("{count} wait at the door of server {server}"));
                }
                _ => {}
            }
        }
    }

    /// A drain has everybody off by its deadline, and ends when they are.
    fn judge_drains(&mut self) {
        let mut draining: HashSet<usize> = HashSet::new();
        let mut drained: HashMap<usize, u64> = HashMap::new();
        for Record { at, what } in self.records {
            match *what {
                What::ServerEnds {
                    server,
                    how: "drained",
                } => {
                    draining.insert(server);
                }
                What::Drained {
                    server,
                    until,
                    sockets,
                    connections,
                } => {
                    self.counts.drains += 1;
                    draining.remove(&server);
                    drained.insert(server, *at);
                    if *at > until + ROUNDING_MS || sockets + connections > 0 {
                        let text = format!(
                            "server {server} had until {until} to see {connections} connections and {sockets} sockets off"
                        );
                        self.fail(*at, text);
                    }
                }
                What::Gone { server, socket, .. } => {
                    self.counts.seen_off += usize::from(draining.contains(&server));
                    if drained.get(&server).is_some_and(|end| end < at) {
                        self.fail(
                            *at,
                            format!("socket {socket} leaves a server that was drained"),
                        );
                    }
                }
                What::RuntimeEnds => draining.clear(),
                What::Quiet if !draining.is_empty() => {
                    self.fail(*at, format!("the servers {draining:?} are still drained"));
                }
                _ => {}
            }
        }
    }

    fn judge_rooms(&mut self, at: u64, who: Origin, rooms: &[u8]) {
        for room in rooms {
            if !is_allowed(who, *room) {
                self.fail(
                    at,
                    format!("{who} is in room {room}, or hears what is said there"),
                );
            }
        }
    }

    /// When nothing goes wrong any more, everybody is in, and all agree on who is where.
    fn judge_quiet(&mut self) {
        let mut here: BTreeMap<usize, BTreeSet<SocketNo>> = BTreeMap::new();
        let mut people = HashSet::new();
        let mut everybody = HashSet::new();
        let mut last_at = HashMap::new();
        for Record { at, what } in self.records {
            match what {
                What::Opened { who, .. } => {
                    everybody.insert(*who);
                }
                What::Connected {
                    socket,
                    is_recovered,
                    is_claimed,
                    ..
                } => {
                    self.counts.recoveries += usize::from(*is_recovered);
                    self.counts.refused_recoveries += usize::from(*is_claimed && !is_recovered);
                    last_at.insert(*socket, *at);
                }
                What::Got { socket, .. } if last_at.get(socket) == Some(at) => {
                    self.counts.replays += 1;
                }
                What::IsIn {
                    who,
                    socket,
                    server,
                    ..
                } => {
                    people.insert(*who);
                    here.entry(*server).or_default().insert(*socket);
                }
                What::Has { server, sockets } => {
                    let found: BTreeSet<_> = sockets.iter().map(|(socket, _)| *socket).collect();
                    let expected = here.get(server).cloned().unwrap_or_default();
                    if found != expected {
                        let text = format!("server {server} has {found:?}, not {expected:?}");
                        self.fail(*at, text);
                    }
                    for (socket, rooms) in sockets {
                        let rooms: BTreeSet<u8> = rooms.iter().copied().collect();
                        let expected = self.chains.get(socket).map(Chain::rooms);
                        if expected.as_ref() != Some(&rooms) {
                            let text = format!("{socket} is in {rooms:?}, not {expected:?}");
                            self.fail(*at, text);
                        }
                    }
                }
                What::Sees {
                    server,
                    sockets,
                    missing_servers,
                } => {
                    let expected: BTreeSet<_> = here.values().flatten().copied().collect();
                    let found: BTreeSet<_> = sockets.iter().copied().collect();
                    if found != expected || sockets.len() != found.len() || *missing_servers > 0 {
                        let text = format!(
                            "server {server} sees {sockets:?} without {missing_servers} servers, \
                             not {expected:?}"
                        );
                        self.fail(*at, text);
                    }
                }
                What::Remains {
                    server,
                    sockets,
                    connections,
                    rooms,
                } if sockets + connections + rooms > 0 => {
                    let text = format!(
                        "server {server} keeps {sockets} sockets, {connections} connections, \
                         {rooms} rooms of nobody"
                    );
                    self.fail(*at, text);
                }
                _ => {}
            }
        }
        for who in everybody.difference(&people) {
            self.fail(self.quiet, format!("{who} does not get in"));
        }
    }
}
