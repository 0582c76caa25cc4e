//! A client that lives through a run: it connects, acts, loses its connection and comes back.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::history::{Kind, Origin, SocketNo, What};
use crate::rng::Rng;
use crate::transport::{Incoming, Link, Over};
use crate::vault;
use crate::world::{ROOMS, Stage, World, blob_length};

/// The server's heartbeat: its interval and its timeout, and a little.
const SILENCE: Duration = Duration::from_millis(9_500);

pub(crate) struct Person {
    world: Arc<World>,
    who: Origin,
    memory: Memory,
}

/// What a client has in mind.
#[derive(Clone)]
pub(crate) struct Memory {
    rng: Rng,
    /// What it sent last, counted over all its connections.
    number: u32,
    connection: u32,
    claim: Option<Claim>,
    /// How often it has logged in to the guarded namespace, and what it keeps of it.
    login: u32,
    /// The millisecond at which the login ends, if it does by itself.
    login_ends: Option<u64>,
    pass: Option<Claim>,
}

impl Drop for Person {
    fn drop(&mut self) {
        self.world.is_in(self.who, None);
        self.world.keep(self.who, self.memory.clone());
    }
}

/// What a client keeps to get its session back.
#[derive(Clone)]
struct Claim {
    server: usize,
    pid: String,
    offset: Option<String>,
}

/// An event of the server's.
struct Event {
    name: String,
    args: Vec<Value>,
    id: Option<u64>,
}

/// What a client is in the middle of, on one connection.
struct Talk {
    link: Link,
    server: usize,
    socket: Option<SocketNo>,
    is_claimed: bool,
    /// A recovered client gets what it missed before the answer to its CONNECT.
    early: Vec<Event>,
    /// A binary event, and the attachment that has to follow.
    awaiting: Option<Event>,
    vault: Vault,
    /// Answers to questions, and when they are given.
    answers: Vec<(Instant, String)>,
}

/// What it is in the middle of in the guarded namespace.
#[derive(Default)]
struct Vault {
    is_asked: bool,
    is_claimed: bool,
    /// It comes in two trips, and stands outside between them with this id and this private one.
    in_two_trips: bool,
    outside: Option<(String, String)>,
    socket: Option<SocketNo>,
    early: Vec<Event>,
}

enum Next {
    Stay,
    /// It is over, and why.
    Leave(String),
}

impl Person {
    /// Who was there before goes on where it was.
    pub(crate) fn new(world: &Arc<World>, who: Origin) -> Self {
        let memory = world.kept(who).unwrap_or_else(|| Memory {
            rng: Rng::new(world.seed, 100 + u64::from(who)),
            number: 0,
            connection: 0,
            claim: None,
            login: 0,
            login_ends: None,
            pass: None,
        });
        Self {
            world: Arc::clone(world),
            who,
            memory,
        }
    }

    pub(crate) async fn live(mut self) {
        while self.world.stage() != Stage::Leaving {
            sleep(Duration::from_millis(self.memory.rng.between(5, 1500))).await;
            let Some(server) = self.choose() else {
                continue;
            };
            let over = match self.memory.rng.below(4) {
                0 => Over::Polling,
                1 => Over::Upgrade,
                _ => Over::WebSocket,
            };
            let Ok(link) = Link::open(&self.world, server, over, &mut self.memory.rng).await else {
                continue;
            };
            self.memory.connection += 1;
            self.world.history.add(What::Opened {
                who: self.who,
                connection: self.memory.connection,
                server,
                over: match over {
                    Over::WebSocket => "websocket",
                    Over::Polling => "polling",
                    Over::Upgrade => "upgrade",
                },
            });
            self.talk(link, server).await;
        }
    }

    fn choose(&mut self) -> Option<usize> {
        let alive = self.world.alive();
        let known = self.memory.claim.as_ref().map(|claim| claim.server);
        match known.filter(|server| alive.contains(server)) {
            Some(server)
                if !self
                    .memory
                    .rng
                    .one_in(if self.world.follows_log { 2 } else { 8 }) =>
            {
                Some(server)
            }
            _ if alive.is_empty() => None,
            _ => Some(alive[self.memory.rng.below(alive.len())]),
        }
    }

    async fn talk(&mut self, link: Link, server: usize) {
        let claim = self
            .memory
            .claim
            .clone()
            .filter(|claim| claim.offset.is_some());
        let mut talk = Talk {
            link,
            server,
            socket: None,
            is_claimed: claim.is_some(),
            early: Vec::new(),
            awaiting: None,
            vault: Vault::default(),
            answers: Vec::new(),
        };
        let mut auth = format!(r#"{{"who":{}"#, self.who);
        if let Some(Claim { pid, offset, .. }) = &claim {
            let offset = offset.as_deref().unwrap_or_default();
            auth.push_str(&format!(r#","pid":"{pid}","offset":"{offset}""#));
        }
        talk.link.send(format!("40{auth}}}"));
        let mut heard = Instant::now();
        let mut acts = Instant::now();
        loop {
            let answers = talk.answers.iter().map(|(at, _)| *at).min();
            let wakes = acts.min(answers.unwrap_or(acts)).min(heard + SILENCE);
            let next = match timeout_at(wakes, talk.link.incoming.recv()).await {
                Ok(Some(incoming)) => {
                    heard = Instant::now();
                    self.hear(&mut talk, incoming)
                }
                Ok(None) => Next::Leave("no transport".to_owned()),
                Err(_) if heard + SILENCE <= Instant::now() => Next::Leave("no ping".to_owned()),
                Err(_) => {
                    self.answer(&mut talk);
                    if acts <= Instant::now() {
                        let pause = Duration::from_millis(
                            self.memory.rng.between(1, 2 * self.world.pace_ms),
                        );
                        acts = Instant::now() + pause;
                        self.act(&mut talk).await
                    } else {
                        Next::Stay
                    }
                }
            };
            if let Next::Leave(why) = next {
                let (who, connection) = (self.who, self.memory.connection);
                self.world.is_in(self.who, None);
                self.world.history.add(What::Lost {
                    who,
                    connection,
                    why,
                });
                return;
            }
        }
    }

    fn answer(&self, talk: &mut Talk) {
        let now = Instant::now();
        for (at, answer) in std::mem::take(&mut talk.answers) {
            if at <= now {
                talk.link.send(answer);
            } else {
                talk.answers.push((at, answer));
            }
        }
    }

    fn hear(&mut self, talk: &mut Talk, incoming: Incoming) -> Next {
        let packet = match incoming {
            Incoming::Gone(why) => return Next::Leave(why),
            Incoming::Upgraded => {
                let (who, connection) = (self.who, self.memory.connection);
                self.world.history.add(What::Upgraded { who, connection });
                return Next::Stay;
            }
            Incoming::Attachment(length) => {
                match talk.awaiting.take() {
                    Some(event) if number(&event, 1).map(blob_length) == Some(length) => {
                        self.take(talk, event);
                    }
                    _ => self.wrong(format!("an attachment of {length}")),
                }
                return Next::Stay;
            }
            Incoming::Packet(packet) => packet,
        };
        if talk.awaiting.is_some() && packet.starts_with('4') {
            self.wrong(format!("no attachment but {packet}"));
        }
        if packet.as_bytes().get(2..9) == Some(b"/vault,") {
            self.hear_vault(talk, packet.as_bytes()[1], &packet[9..]);
            return Next::Stay;
        }
        match packet.as_bytes() {
            [b'0' | b'6', ..] => {}
            [b'2', ..] => talk.link.send("3".to_owned()),
            [b'1', ..] => return Next::Leave("closed".to_owned()),
            [b'4', b'0', ..] => self.connected(talk, &packet[2..]),
            [b'4', b'1', ..] => {
                self.memory.claim = None;
                return Next::Leave("disconnected".to_owned());
            }
            [b'4', b'2', ..] => match parse(&packet[2..]) {
                Some(event) => self.take(talk, event),
                None => self.wrong(packet),
            },
            [b'4', b'3', ..] => match parse_ack(&packet[2..]) {
                Some((id, value)) => self.world.history.add(What::Acked {
                    who: self.who,
                    connection: self.memory.connection,
                    number: id,
                    value,
                }),
                None => self.wrong(packet),
            },
            [b'4', b'5', ..] => match packet[2..].strip_prefix("1-").and_then(parse) {
                Some(event) => talk.awaiting = Some(event),
                None => self.wrong(packet),
            },
            _ => self.wrong(packet),
        }
        Next::Stay
    }

    /// Logs in, with the login it had or with another.
    fn knock(&mut self, talk: &mut Talk) {
        let kept = self
            .memory
            .pass
            .clone()
            .filter(|_| !self.memory.rng.one_in(3));
        if kept.is_none() || self.memory.rng.one_in(3) {
            self.memory.login += 1;
            let lasts = self.memory.rng.between(1_000, 25_000);
            let is_endless = self.memory.rng.one_in(2);
            let ends = (!is_endless).then(|| self.world.history.now() + lasts);
            self.memory.login_ends = ends;
            let (who, login) = (self.who, self.memory.login);
            self.world
                .history
                .add(What::VaultLogin { who, login, ends });
        }
        self.world.visits(self.who, self.memory.login);
        talk.vault = Vault {
            is_asked: true,
            in_two_trips: self.memory.rng.one_in(3),
            ..Vault::default()
        };
        if talk.vault.in_two_trips {
            return talk.link.send("40/vault,".to_owned());
        }
        let mut auth = format!(r#"{{"token":"{}""#, self.token());
        if let Some(Claim {
            pid,
            offset: Some(offset),
            ..
        }) = kept
        {
            talk.vault.is_claimed = true;
            auth.push_str(&format!(r#","pid":"{pid}","offset":"{offset}""#));
        }
        talk.link.send(format!("40/vault,{auth}}}"));
    }

    fn token(&self) -> String {
        vault::token(self.who, self.memory.login, self.memory.login_ends)
    }

    /// It is in, under this id and with this private one.
    fn let_in(&mut self, talk: &mut Talk, sid: &str, pid: &str) {
        let (who, login) = (self.who, self.memory.login);
        let pass = self.memory.pass.as_ref();
        let is_same = pass.is_some_and(|pass| pass.pid == pid);
        let is_recovered = talk.vault.is_claimed && is_same;
        if !is_recovered {
            self.memory.pass = Some(Claim {
                server: talk.server,
                pid: pid.to_owned(),
                offset: None,
            });
        }
        let socket = self.world.history.socket(sid);
        talk.vault.socket = Some(socket);
        self.world.history.add(What::VaultConnected {
            who,
            login,
            socket,
            is_recovered,
            in_two_trips: talk.vault.in_two_trips,
        });
        for event in std::mem::take(&mut talk.vault.early) {
            self.take_secret(talk, event);
        }
    }

    fn hear_vault(&mut self, talk: &mut Talk, kind: u8, text: &str) {
        let (who, login) = (self.who, self.memory.login);
        match kind {
            b'0' => {
                let reply: Value = serde_json::from_str(text).unwrap_or_default();
                let sid = reply["sid"].as_str().unwrap_or_default();
                let pid = reply["pid"].as_str().unwrap_or_default();
                if !talk.vault.in_two_trips {
                    return self.let_in(talk, sid, pid);
                }
                talk.vault.outside = Some((sid.to_owned(), pid.to_owned()));
                // Some come too late.
                let pause = Duration::from_millis(self.memory.rng.between(0, 4_800));
                let login = format!(
                    r#"42/vault,["authenticate",{{"token":"{}"}}]"#,
                    self.token()
                );
                talk.answers.push((Instant::now() + pause, login));
            }
            b'2' if text.starts_with(r#"["authenticated""#) => match talk.vault.outside.take() {
                Some((sid, pid)) => self.let_in(talk, &sid, &pid),
                None => self.wrong(text.to_owned()),
            },
            b'2' if text.contains(r#"["unauthorized""#) => {
                // Outside, or put out. The server waits for some to have heard it.
                if let Some(id) = text.split('[').next().filter(|_| self.memory.rng.one_in(2)) {
                    talk.link.send(format!("43/vault,{id}[]"));
                }
            }
            b'2' if talk.vault.outside.is_some() => self.wrong(format!("outside: {text}")),
            b'2' => match parse(text) {
                Some(event) => self.take_secret(talk, event),
                None => self.wrong(text.to_owned()),
            },
            b'1' | b'4' => {
                if kind == b'4' || talk.vault.outside.is_some() {
                    self.world.history.add(What::VaultRefused { who, login });
                }
                self.memory.pass = None;
                talk.vault = Vault::default();
                // What it was about to log in to is no more.
                talk.answers
                    .retain(|(_, text)| !text.contains("authenticate"));
            }
            _ => self.wrong(text.to_owned()),
        }
    }

    fn take_secret(&mut self, talk: &mut Talk, event: Event) {
        if event.name != "secret" {
            return;
        }
        let Some(socket) = talk.vault.socket else {
            talk.vault.early.push(event);
            return;
        };
        let (Some(server), Some(number)) = (number(&event, 0), number(&event, 1)) else {
            return self.wrong(format!("{:?}", event.args));
        };
        let offset = event.args.last().and_then(Value::as_str);
        if let (Some(offset), Some(pass)) = (offset, &mut self.memory.pass) {
            pass.offset = Some(offset.to_owned());
        }
        self.world.history.add(What::VaultGot {
            who: self.who,
            login: self.memory.login,
            socket,
            server: server as usize,
            number,
        });
    }

    fn connected(&mut self, talk: &mut Talk, reply: &str) {
        let reply: Value = serde_json::from_str(reply).unwrap_or_default();
        let sid = reply["sid"].as_str().unwrap_or_default();
        let pid = reply["pid"].as_str().unwrap_or_default();
        let socket = self.world.history.socket(sid);
        let is_recovered = talk.is_claimed
            && self
                .memory
                .claim
                .as_ref()
                .is_some_and(|claim| claim.pid == pid);
        if !is_recovered {
            self.memory.claim = Some(Claim {
                server: talk.server,
                pid: pid.to_owned(),
                offset: None,
            });
        }
        talk.socket = Some(socket);
        self.world.is_in(
            self.who,
            Some((self.memory.connection, socket, talk.server)),
        );
        self.world.history.add(What::Connected {
            who: self.who,
            connection: self.memory.connection,
            socket,
            is_recovered,
            is_claimed: talk.is_claimed,
        });
        for event in std::mem::take(&mut talk.early) {
            self.take(talk, event);
        }
    }

    fn take(&mut self, talk: &mut Talk, event: Event) {
        let Some(socket) = talk.socket else {
            talk.early.push(event);
            return;
        };
        if let Some(id) = event.id {
            let question = number(&event, event.args.len() - 1).unwrap_or_default();
            let late = Duration::from_millis(self.memory.rng.between(0, 4000));
            let at = Instant::now()
                + if self.memory.rng.one_in(2) {
                    late
                } else {
                    Duration::ZERO
                };
            talk.answers.push((at, format!("43{id}[{question}]")));
        }
        let who = self.who;
        if event.name == "question" {
            let question = number(&event, 0).unwrap_or_default();
            self.world.history.add(What::Question {
                who,
                socket,
                question,
            });
            return;
        }
        let (Some(origin), Some(number)) = (number(&event, 0), number(&event, 1)) else {
            return self.wrong(format!("{} {:?}", event.name, event.args));
        };
        if matches!(&*event.name, "said" | "blob") {
            match (
                event.args.last().and_then(Value::as_str),
                &mut self.memory.claim,
            ) {
                (Some(offset), Some(claim)) => claim.offset = Some(offset.to_owned()),
                // What could not be written to the log has none.
                _ if self.world.follows_log => {}
                _ => return self.wrong(format!("{} without an offset", event.name)),
            }
        }
        self.world.history.add(What::Got {
            who,
            socket,
            origin,
            number,
        });
    }

    fn wrong(&self, text: String) {
        let who = self.who;
        self.world.history.add(What::Wrong { who, text });
    }

    async fn act(&mut self, talk: &mut Talk) -> Next {
        match self.world.stage() {
            Stage::Running => {}
            Stage::Settling => return Next::Stay,
            Stage::Leaving => {
                self.part(talk).await;
                return Next::Leave("home".to_owned());
            }
        }
        if talk.socket.is_none() {
            return Next::Stay;
        }
        let burst = if self.memory.rng.one_in(12) {
            self.memory.rng.between(2, 40)
        } else {
            1
        };
        for _ in 0..burst {
            self.say(talk);
        }
        match self.memory.rng.below(150) {
            0 => {
                self.part(talk).await;
                self.memory.claim = None;
                Next::Leave("left".to_owned())
            }
            1 | 2 => Next::Leave("gave up".to_owned()),
            _ => Next::Stay,
        }
    }

    fn say(&mut self, talk: &mut Talk) {
        let room = self.memory.rng.below(usize::from(ROOMS));
        if talk.vault.socket.is_some() && self.memory.rng.one_in(10) {
            let who = self.who;
            talk.link
                .send(format!(r#"42/vault,["enter",{who},{room}]"#));
            return;
        }
        if !talk.vault.is_asked && self.memory.rng.one_in(8) {
            return self.knock(talk);
        }
        let (event, is_acked) = match self.memory.rng.below(24) {
            0 | 1 => ("join", true),
            2 => ("leave", true),
            3 => ("slow", true),
            4 => ("ask", true),
            5 | 6 => ("echo", true),
            7 => ("shout", false),
            8 => ("blob", false),
            9 => ("flash", false),
            10 if self.memory.rng.one_in(20) => ("bye", false),
            _ => ("say", self.memory.rng.one_in(2)),
        };
        self.memory.number += 1;
        let (who, number) = (self.who, self.memory.number);
        let id = if is_acked {
            number.to_string()
        } else {
            String::new()
        };
        self.world.history.add(What::Sent {
            who,
            connection: self.memory.connection,
            number,
            is_acked,
        });
        talk.link
            .send(format!(r#"42{id}["{event}",{who},{number},{room}]"#));
    }

    /// Leaves, and says so.
    async fn part(&self, talk: &mut Talk) {
        let (who, connection) = (self.who, self.memory.connection);
        self.world.history.add(What::Left { who, connection });
        talk.link.send("41".to_owned());
        talk.link.send("1".to_owned());
        let end = Instant::now() + Duration::from_secs(1);
        while let Ok(Some(incoming)) = timeout_at(end, talk.link.incoming.recv()).await {
            if matches!(incoming, Incoming::Gone(_)) {
                return;
            }
        }
        sleep_until(end).await;
    }
}

fn parse(text: &str) -> Option<Event> {
    let array = text.find('[')?;
    let id = match &text[..array] {
        "" => None,
        id => Some(id.parse().ok()?),
    };
    let mut args: Vec<Value> = serde_json::from_str(&text[array..]).ok()?;
    let name = args.remove(0).as_str()?.to_owned();
    (!args.is_empty()).then_some(Event { name, args, id })
}

fn parse_ack(text: &str) -> Option<(u32, Option<u32>)> {
    let array = text.find('[')?;
    let id = text[..array].parse().ok()?;
    let args: Vec<Value> = serde_json::from_str(&text[array..]).ok()?;
    Some((
        id,
        args.first()
            .and_then(Value::as_u64)
            .map(|value| value as u32),
    ))
}

fn number(event: &Event, index: usize) -> Option<u32> {
    event.args.get(index)?.as_u64().map(|number| number as u32)
}

/// The event that carries something of this kind.
pub(crate) fn event_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Kept => "said",
        Kind::Volatile => "flashed",
        Kind::Asking => "poll",
    }
}
