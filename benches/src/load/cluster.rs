//! Two servers behind one Redis: who speaks is at the first, who hears at the second.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::latency::Latencies;
use super::net::{Link, Net, Play};
use super::session::{Opener, keep_house};
use super::target::{Dialect, Failure, Target};
use crate::process::Process;
use crate::wire::{self, opcode};

/// Clients at the first server, each of which waits until its last message was heard by all.
const SPEAKERS: usize = 8;

/// Messages that a speaker sends to nobody before one to a client at the second server shows that it is not behind.
const UNHEARD: u64 = 500;

/// Bytes of text in each message.
const BYTES: usize = 64;

/// The room of the clients at the second server.
const ALL: &str = "all";

/// The room of one of them.
const ONE: &str = "one";

/// Nobody's.
const NOBODY: &str = "nobody";

/// What begins a greeting, and the acknowledgement of what has to be heard.
const IGNORED: [&[u8]; 2] = [b"42[\"hello\"", b"433"];

/// Above this, a message waits in a queue that grows.
const LATE: Duration = Duration::from_millis(100);

/// The servers under load.
#[derive(Clone, Debug)]
pub(crate) struct Servers {
    pub(crate) first: (SocketAddr, Process),
    pub(crate) second: (SocketAddr, Process),
    pub(crate) redis: Process,
}

/// What a number of broadcasts cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    units: u64,
    first_nanos: u64,
    second_nanos: u64,
    redis_nanos: u64,
}

impl Cost {
    pub(crate) fn first(self) -> f64 {
        self.micros(self.first_nanos)
    }

    pub(crate) fn second(self) -> f64 {
        self.micros(self.second_nanos)
    }

    pub(crate) fn redis(self) -> f64 {
        self.micros(self.redis_nanos)
    }

    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn micros(self, nanos: u64) -> f64 {
        nanos as f64 / 1000.0 / self.units.max(1) as f64
    }
}

/// What one round shows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Round {
    /// To a room whose members are all at the second server.
    pub(crate) heard: Cost,
    /// To a room that has nobody.
    pub(crate) unheard: Cost,
    /// The same, kept from the other server: what the event itself costs the first one.
    pub(crate) local: Cost,
}

/// What the second server made of one rate.
#[derive(Clone, Debug)]
pub(crate) struct Rate {
    /// Messages for each second.
    pub(crate) rate: f64,
    /// From sending to hearing.
    pub(crate) latencies: Latencies,
    /// Whether messages waited longer and longer.
    pub(crate) is_behind: bool,
    /// The share of the time that the second server was on its core.
    pub(crate) second_load: f64,
}

/// What is done with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// Nothing is under way.
    Joining,
    /// The next is sent when all have heard the last.
    Heard,
    /// The next is sent when the first server has handed the last one over; after many, one has to be heard.
    HandedOver,
    /// Sent by the clock.
    Timed,
}

#[derive(Default)]
struct Speaker {
    unheard: u64,
    outstanding: usize,
}

/// Connected clients of both servers.
pub(crate) struct Talk<'s> {
    servers: &'s Servers,
    net: Net,
    state: State,
}

struct State {
    opener: Opener,
    members: usize,
    ready: usize,
    joined: usize,
    speakers: Vec<Speaker>,
    mode: Mode,
    target: String,
    text: String,
    outstanding: usize,
    is_stopping: bool,
    units: u64,
    began: Instant,
    heard: u64,
    latencies: Latencies,
}

impl<'s> Talk<'s> {
    /// Connects the clients; the room is joined when this is done.
    pub(crate) fn open(servers: &'s Servers, members: usize) -> Result<Self, Failure> {
        let target = Target {
            address: servers.first.0,
            process: servers.first.1,
            dialect: Dialect::Socket,
            auth: String::new(),
            tls: None,
            deflate: None,
            proxy: None,
        };
        let mut net = Net::new(&target)?;
        let mut state = State {
            opener: Opener::new(&target),
            members,
            ready: 0,
            joined: 0,
            speakers: Vec::new(),
            mode: Mode::Joining,
            target: String::new(),
            text: "x".repeat(BYTES),
            outstanding: 0,
            is_stopping: false,
            units: 0,
            began: Instant::now(),
            heard: 0,
            latencies: Latencies::default(),
        };
        state.speakers.resize_with(SPEAKERS, Speaker::default);
        // The numbers of a fresh net's links are given in order.
        for _ in 0..SPEAKERS {
            state.opener.start(&mut net)?;
        }
        net.aim(servers.second.0);
        for _ in 0..members {
            state.opener.start(&mut net)?;
        }
        while state.ready < SPEAKERS + members {
            net.turn(&mut state)?;
        }
        for member in 0..members {
            let rooms = match member {
                0 => format!("\"{ALL}\",\"{ONE}\""),
                _ => format!("\"{ALL}\""),
            };
            let event = format!("421[\"join\",{rooms}]");
            net.send(
                SPEAKERS + member,
                &wire::frame(opcode::TEXT, event.as_bytes()),
            )?;
        }
        while state.joined < members {
            net.turn(&mut state)?;
        }
        Ok(Self {
            servers,
            net,
            state,
        })
    }

    /// One after another, each for `time`.
    pub(crate) fn round(&mut self, time: Duration) -> Result<Round, Failure> {
        let to = |room: &str, rest: &str| format!("{{\"rooms\":[\"{room}\"]{rest}}}");
        // Who has just come is not heard of everywhere at once.
        self.run(Mode::Heard, &to(ALL, ""), time / 5)?;
        Ok(Round {
            heard: self.run(Mode::Heard, &to(ALL, ""), time)?,
            unheard: self.run(Mode::HandedOver, &to(NOBODY, ""), time)?,
            local: self.run(Mode::HandedOver, &to(NOBODY, ",\"local\":true"), time)?,
        })
    }

    fn run(&mut self, mode: Mode, target: &str, time: Duration) -> Result<Cost, Failure> {
        let state = &mut self.state;
        state.mode = mode;
        target.clone_into(&mut state.target);
        state.is_stopping = false;
        state.units = 0;
        let before = self.servers.cpu()?;
        for speaker in 0..SPEAKERS {
            state.send(&mut self.net, speaker)?;
        }
        let end = Instant::now() + time;
        while state.outstanding > 0 {
            self.net.turn(state)?;
            state.is_stopping = Instant::now() >= end;
        }
        let after = self.servers.cpu()?;
        Ok(Cost {
            units: state.units,
            first_nanos: after[0] - before[0],
            second_nanos: after[1] - before[1],
            redis_nanos: after[2] - before[2],
        })
    }

    /// So many messages for each second, however the servers bear it.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "numbers of messages are far below 2^32"
    )]
    pub(crate) fn at_rate(&mut self, rate: f64, time: Duration) -> Result<Rate, Failure> {
        let state = &mut self.state;
        state.mode = Mode::Timed;
        state.target = format!("{{\"rooms\":[\"{ALL}\"]}}");
        state.heard = 0;
        state.latencies = Latencies::default();
        let before = self.servers.second.1.cpu_nanos()?;
        state.began = Instant::now();
        let mut sent = 0_u64;
        loop {
            let since = state.began.elapsed();
            if since >= time {
                break;
            }
            while (sent as f64) < since.as_secs_f64() * rate {
                let micros = state.began.elapsed().as_micros();
                let speaker = sent as usize % SPEAKERS;
                state.tell(&mut self.net, speaker, micros)?;
                sent += 1;
            }
            self.net.turn_within(state, Duration::from_millis(1))?;
        }
        let used = self.servers.second.1.cpu_nanos()? - before;
        let second_load = used as f64 / 1e9 / state.began.elapsed().as_secs_f64();
        let wanted = sent * state.members as u64;
        let ended = Instant::now();
        while state.heard < wanted {
            self.net.turn(state)?;
        }
        let late = state.latencies.percentile(99).unwrap_or_default();
        Ok(Rate {
            rate,
            is_behind: late > LATE || ended.elapsed() > LATE,
            latencies: std::mem::take(&mut state.latencies),
            second_load,
        })
    }
}

impl Servers {
    fn cpu(&self) -> Result<[u64; 3], Failure> {
        Ok([
            self.first.1.cpu_nanos()?,
            self.second.1.cpu_nanos()?,
            self.redis.cpu_nanos()?,
        ])
    }
}

impl State {
    fn tell(&self, net: &mut Net, speaker: Link, number: u128) -> Result<(), Failure> {
        let ack = match self.mode {
            Mode::HandedOver => 2,
            _ => 3,
        };
        self.tell_to(net, speaker, &self.target, ack, number)
    }

    fn tell_to(
        &self,
        net: &mut Net,
        speaker: Link,
        target: &str,
        ack: u8,
        number: u128,
    ) -> Result<(), Failure> {
        let text = &self.text;
        let event = format!("42{ack}[\"tell\",{target},\"e\",{number},\"{text}\"]");
        Ok(net.send(speaker, &wire::frame(opcode::TEXT, event.as_bytes()))?)
    }

    /// Sends the next message of a speaker, which waits for what the mode says.
    fn send(&mut self, net: &mut Net, speaker: Link) -> Result<(), Failure> {
        let Some(place) = self.speakers.get_mut(speaker) else {
            return Ok(());
        };
        place.outstanding = match self.mode {
            Mode::Heard => self.members,
            _ => 1,
        };
        self.outstanding += place.outstanding;
        self.tell(net, speaker, speaker as u128)
    }

    fn handed_over(&mut self, net: &mut Net, speaker: Link) -> Result<(), Failure> {
        let is_stopping = self.is_stopping;
        let Some(place) = self.speakers.get_mut(speaker) else {
            return Ok(());
        };
        self.units += 1;
        place.unheard += 1;
        if is_stopping {
            place.unheard = UNHEARD;
        }
        if place.unheard == UNHEARD {
            // The second server says something that the first one was told behind all this.
            let one = format!("{{\"rooms\":[\"{ONE}\"]}}");
            return self.tell_to(net, speaker, &one, 3, speaker as u128);
        }
        self.tell(net, speaker, speaker as u128)
    }

    /// A member has heard what this speaker said.
    fn heard(&mut self, net: &mut Net, number: u64) -> Result<(), Failure> {
        self.heard += 1;
        if self.mode == Mode::Timed {
            let sent = Duration::from_micros(number);
            self.latencies
                .note(self.began.elapsed().saturating_sub(sent));
            return Ok(());
        }
        let speaker = usize::try_from(number).unwrap_or(usize::MAX);
        let Some(place) = self.speakers.get_mut(speaker) else {
            return Err(Failure::Wrong(format!("there is no speaker {number}")));
        };
        if place.outstanding == 0 {
            return Err(Failure::Wrong("a message came twice".to_owned()));
        }
        place.outstanding -= 1;
        self.outstanding -= 1;
        if place.outstanding > 0 {
            return Ok(());
        }
        place.unheard = 0;
        if self.mode == Mode::Heard {
            self.units += 1;
        }
        if self.is_stopping {
            return Ok(());
        }
        self.send(net, speaker)
    }
}

/// The number that a message to the members begins with.
fn number_of(payload: &[u8]) -> Option<u64> {
    let rest = payload.strip_prefix(b"42[\"e\",")?;
    let digits = rest.split(|byte| !byte.is_ascii_digit()).next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

impl Play for State {
    fn hear(&mut self, net: &mut Net, link: Link, bytes: &[u8]) -> Result<usize, Failure> {
        if !self.opener.is_ready(link) {
            let taken = self.opener.hear(net, link, bytes)?;
            self.ready += usize::from(self.opener.is_ready(link));
            return Ok(taken);
        }
        let Some((frame, length)) = wire::read_frame(bytes) else {
            return Ok(0);
        };
        if let Some(number) = number_of(frame.payload) {
            self.heard(net, number)?;
        } else if frame.payload.starts_with(b"432") {
            self.handed_over(net, link)?;
        } else if frame.payload.starts_with(b"431") {
            self.joined += 1;
        } else if !IGNORED.iter().any(|start| frame.payload.starts_with(start)) {
            keep_house(net, link, frame)?;
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_its_number_also_with_an_offset_behind_it() {
        assert_eq!(number_of(br#"42["e",12,"xx"]"#), Some(12));
        assert_eq!(number_of(br#"42["e",7,"xx","1692-0"]"#), Some(7));
        assert_eq!(number_of(br#"42["hello",{}]"#), None);
        assert_eq!(number_of(br#"42["e","#), None);
    }
}
