//! Clients that begin, or stay, on long-polling.
//!
//! As a browser does, each has a connection on which a poll waits and another for what it sends.

use std::time::{Duration, Instant};

use super::latency::Latencies;
use super::net::{Link, Net, Play};
use super::session::keep_house;
use super::target::{Dialect, Failure, Sample, Target};
use crate::wire::{self, Response, find, opcode};

/// Clients at a time.
const CLIENTS: usize = 100;

/// Between the packets of a payload.
const SEPARATOR: u8 = 0x1e;

/// What the scenario's messages and requests are made of.
struct Script {
    polling: String,
    websocket: String,
    connect: Option<String>,
    message: String,
    answer: String,
}

impl Script {
    fn new(target: &Target) -> Self {
        let text = "x".repeat(16);
        let (connect, message, answer) = match target.dialect {
            Dialect::Engine => (None, format!("4{text}"), format!("4{text}")),
            Dialect::Socket => (
                Some(target.connect_packet()),
                format!("42[\"message\",\"{text}\"]"),
                format!("42[\"message-back\",\"{text}\"]"),
            ),
        };
        Self {
            polling: target.path("polling"),
            websocket: target.path("websocket"),
            connect,
            message,
            answer,
        }
    }
}

/// What a client waits for on its first connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Handshake,
    /// The answer to the POST that joins the namespace.
    Joining,
    /// The poll that brings the namespace's answer.
    Joined,
    Ready,
}

/// One client on long-polling, from the handshake to the answer of the namespace.
struct Poller {
    step: Step,
    /// The connection that polls.
    polls: Link,
    sid: String,
}

impl Poller {
    fn start(net: &mut Net, script: &Script) -> Result<Self, Failure> {
        let polls = net.connect()?;
        net.send(polls, &wire::get_request(&script.polling))?;
        Ok(Self {
            step: Step::Handshake,
            polls,
            sid: String::new(),
        })
    }

    fn target(&self, script: &Script) -> String {
        format!("{}&sid={}", script.polling, self.sid)
    }

    fn poll(&self, net: &mut Net, script: &Script) -> Result<(), Failure> {
        Ok(net.send(self.polls, &wire::get_request(&self.target(script)))?)
    }

    fn post(&self, net: &mut Net, link: Link, script: &Script, body: &str) -> Result<(), Failure> {
        Ok(net.send(link, &wire::post_request(&self.target(script), body))?)
    }

    /// One step towards being ready.
    fn advance(
        &mut self,
        net: &mut Net,
        script: &Script,
        response: Response<'_>,
    ) -> Result<(), Failure> {
        let body = String::from_utf8_lossy(response.body);
        self.step = match self.step {
            _ if response.status != 200 => return Err(unexpected(response)),
            Step::Handshake => {
                self.sid = sid_of(&body)
                    .ok_or_else(|| unexpected(response))?
                    .to_owned();
                match &script.connect {
                    Some(connect) => {
                        self.post(net, self.polls, script, connect)?;
                        Step::Joining
                    }
                    None => Step::Ready,
                }
            }
            Step::Joining => {
                self.poll(net, script)?;
                Step::Joined
            }
            Step::Joined if body.contains("40{") => Step::Ready,
            Step::Joined | Step::Ready => return Err(unexpected(response)),
        };
        Ok(())
    }
}

fn sid_of(open: &str) -> Option<&str> {
    let (_, rest) = open.split_once("\"sid\":\"")?;
    rest.split_once('"').map(|(sid, _)| sid)
}

fn unexpected(response: Response<'_>) -> Failure {
    let head = response.body.get(..100).unwrap_or(response.body);
    Failure::Wrong(format!(
        "unexpected answer {}: {}",
        response.status,
        String::from_utf8_lossy(head)
    ))
}

/// Runs clients for a warm-up, then for the time that counts.
fn measure(
    target: &Target,
    time: Duration,
    mut run: impl FnMut(&mut Net, Duration) -> Result<u64, Failure>,
) -> Result<Sample, Failure> {
    let mut net = Net::new(target)?;
    let warm_up_units = run(&mut net, time / 5)?;
    let before = target.cpu_nanos()?;
    let started = Instant::now();
    let units = run(&mut net, time)?;
    Ok(Sample {
        units,
        warm_up_units,
        wall: started.elapsed(),
        cpu_nanos: target.cpu_nanos()? - before,
        latencies: Latencies::default(),
        resident: None,
    })
}

pub(super) fn play_echo(target: &Target, time: Duration) -> Result<Sample, Failure> {
    let mut echo = Echo {
        script: Script::new(target),
        clients: Vec::new(),
        of_link: Vec::new(),
        outstanding: 0,
        is_stopping: false,
        units: 0,
    };
    measure(target, time, |net, time| echo.run(net, time))
}

struct EchoClient {
    poller: Poller,
    /// The connection that sends.
    posts: Link,
    owes_pong: bool,
    awaits_post: bool,
    awaits_poll: bool,
}

struct Echo {
    script: Script,
    clients: Vec<EchoClient>,
    of_link: Vec<usize>,
    outstanding: usize,
    is_stopping: bool,
    units: u64,
}

impl Echo {
    fn run(&mut self, net: &mut Net, time: Duration) -> Result<u64, Failure> {
        self.units = 0;
        if self.clients.is_empty() {
            self.open(net)?;
        }
        self.is_stopping = false;
        for client in 0..self.clients.len() {
            self.send(net, client)?;
        }
        let end = Instant::now() + time;
        while self.outstanding > 0 {
            net.turn(self)?;
            self.is_stopping = Instant::now() >= end;
        }
        Ok(self.units)
    }

    fn open(&mut self, net: &mut Net) -> Result<(), Failure> {
        for number in 0..CLIENTS {
            let poller = Poller::start(net, &self.script)?;
            let posts = net.connect()?;
            note_owner(&mut self.of_link, poller.polls, number);
            note_owner(&mut self.of_link, posts, number);
            self.clients.push(EchoClient {
                poller,
                posts,
                owes_pong: false,
                awaits_post: false,
                awaits_poll: false,
            });
        }
        while self
            .clients
            .iter()
            .any(|client| client.poller.step != Step::Ready)
        {
            net.turn(self)?;
        }
        Ok(())
    }

    fn send(&mut self, net: &mut Net, number: usize) -> Result<(), Failure> {
        let Some(client) = self.clients.get_mut(number) else {
            return Ok(());
        };
        self.outstanding += 1;
        let message = &self.script.message;
        let body = if std::mem::take(&mut client.owes_pong) {
            format!("3{}{message}", char::from(SEPARATOR))
        } else {
            message.clone()
        };
        client.poller.poll(net, &self.script)?;
        client.poller.post(net, client.posts, &self.script, &body)?;
        client.awaits_poll = true;
        client.awaits_post = true;
        Ok(())
    }
}

fn note_owner(of_link: &mut Vec<usize>, link: Link, owner: usize) {
    if of_link.len() <= link {
        of_link.resize(link + 1, usize::MAX);
    }
    if let Some(place) = of_link.get_mut(link) {
        *place = owner;
    }
}

impl Play for Echo {
    fn hear(&mut self, net: &mut Net, link: Link, bytes: &[u8]) -> Result<usize, Failure> {
        let Some((response, length)) = wire::read_response(bytes) else {
            return Ok(0);
        };
        let number = self.of_link.get(link).copied().unwrap_or(usize::MAX);
        let Some(client) = self.clients.get_mut(number) else {
            return Ok(length);
        };
        if client.poller.step != Step::Ready {
            client.poller.advance(net, &self.script, response)?;
            return Ok(length);
        }
        if response.status != 200 {
            return Err(unexpected(response));
        }
        if link == client.posts {
            client.awaits_post = false;
        } else {
            let mut packets = response.body.split(|byte| *byte == SEPARATOR);
            client.owes_pong |= packets.clone().any(|packet| packet == b"2");
            if packets.any(|packet| packet == self.script.answer.as_bytes()) {
                client.awaits_poll = false;
            } else {
                client.poller.poll(net, &self.script)?;
            }
        }
        if !client.awaits_post && !client.awaits_poll {
            self.units += 1;
            self.outstanding -= 1;
            if !self.is_stopping {
                self.send(net, number)?;
            }
        }
        Ok(length)
    }
}

pub(super) fn play_upgrade(target: &Target, time: Duration) -> Result<Sample, Failure> {
    let mut upgrade = Upgrade {
        script: Script::new(target),
        clients: Vec::new(),
        of_link: Vec::new(),
        present: 0,
        is_stopping: false,
        units: 0,
    };
    measure(target, time, |net, time| upgrade.run(net, time))
}

/// What a client waits for on its WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rise {
    Http,
    Probe,
    /// The probe is answered; the poll that waits must end first.
    Drain,
    Echo,
    Close,
}

struct UpgradeClient {
    poller: Poller,
    websocket: Option<Link>,
    rise: Rise,
    is_polling: bool,
}

struct Upgrade {
    script: Script,
    clients: Vec<UpgradeClient>,
    of_link: Vec<usize>,
    present: usize,
    is_stopping: bool,
    units: u64,
}

impl Upgrade {
    fn run(&mut self, net: &mut Net, time: Duration) -> Result<u64, Failure> {
        self.units = 0;
        self.is_stopping = false;
        self.clients.clear();
        for number in 0..CLIENTS {
            let client = self.start(net, number)?;
            self.clients.push(client);
        }
        let end = Instant::now() + time;
        while self.present > 0 {
            net.turn(self)?;
            self.is_stopping = Instant::now() >= end;
        }
        Ok(self.units)
    }

    fn start(&mut self, net: &mut Net, number: usize) -> Result<UpgradeClient, Failure> {
        self.present += 1;
        let poller = Poller::start(net, &self.script)?;
        note_owner(&mut self.of_link, poller.polls, number);
        Ok(UpgradeClient {
            poller,
            websocket: None,
            rise: Rise::Http,
            is_polling: false,
        })
    }

    fn hear_poll(&mut self, net: &mut Net, number: usize, bytes: &[u8]) -> Result<usize, Failure> {
        let Some((response, length)) = wire::read_response(bytes) else {
            return Ok(0);
        };
        let Some(client) = self.clients.get_mut(number) else {
            return Ok(length);
        };
        if client.poller.step == Step::Ready {
            client.is_polling = false;
            client.rise_if_drained(net, &self.script)?;
            return Ok(length);
        }
        client.poller.advance(net, &self.script, response)?;
        if client.poller.step == Step::Ready {
            let websocket = net.connect()?;
            let target = format!("{}&sid={}", self.script.websocket, client.poller.sid);
            net.send(websocket, &wire::upgrade_request(&target))?;
            client.poller.poll(net, &self.script)?;
            client.is_polling = true;
            client.websocket = Some(websocket);
            note_owner(&mut self.of_link, websocket, number);
        }
        Ok(length)
    }

    fn hear_websocket(
        &mut self,
        net: &mut Net,
        link: Link,
        number: usize,
        bytes: &[u8],
    ) -> Result<usize, Failure> {
        let Some(client) = self.clients.get_mut(number) else {
            return Ok(bytes.len());
        };
        if client.rise == Rise::Http {
            let Some(end) = find(bytes, b"\r\n\r\n") else {
                return Ok(0);
            };
            client.rise = Rise::Probe;
            net.send(link, &wire::frame(opcode::TEXT, b"2probe"))?;
            return Ok(end + 4);
        }
        let Some((frame, length)) = wire::read_frame(bytes) else {
            return Ok(0);
        };
        match (client.rise, frame.payload) {
            (Rise::Probe, b"3probe") => {
                client.rise = Rise::Drain;
                client.rise_if_drained(net, &self.script)?;
            }
            (Rise::Echo, answer) if answer == self.script.answer.as_bytes() => {
                client.rise = Rise::Close;
                let close = wire::frame(opcode::CLOSE, &1000_u16.to_be_bytes());
                net.send(link, &close)?;
            }
            (Rise::Close, _) => {}
            _ => keep_house(net, link, frame)?,
        }
        Ok(length)
    }
}

impl UpgradeClient {
    /// Asks for the switch once no poll waits any more, as the reference's client does.
    fn rise_if_drained(&mut self, net: &mut Net, script: &Script) -> Result<(), Failure> {
        let Some(websocket) = self.websocket else {
            return Ok(());
        };
        if self.rise == Rise::Drain && !self.is_polling {
            self.rise = Rise::Echo;
            let mut frames = wire::frame(opcode::TEXT, b"5");
            wire::write_frame(&mut frames, opcode::TEXT, script.message.as_bytes());
            net.send(websocket, &frames)?;
        }
        Ok(())
    }
}

impl Play for Upgrade {
    fn hear(&mut self, net: &mut Net, link: Link, bytes: &[u8]) -> Result<usize, Failure> {
        let number = self.of_link.get(link).copied().unwrap_or(usize::MAX);
        let polls = self.clients.get(number).map(|client| client.poller.polls);
        if polls == Some(link) {
            self.hear_poll(net, number, bytes)
        } else {
            self.hear_websocket(net, link, number, bytes)
        }
    }

    fn lost(&mut self, net: &mut Net, link: Link) -> Result<(), Failure> {
        let number = self.of_link.get(link).copied().unwrap_or(usize::MAX);
        let Some(client) = self.clients.get(number) else {
            return Ok(());
        };
        if client.rise != Rise::Close || client.poller.polls == link {
            return Err(Failure::Wrong(format!(
                "the server hung up at {:?}",
                client.rise
            )));
        }
        net.close(client.poller.polls);
        self.present -= 1;
        self.units += 1;
        if self.is_stopping {
            return Ok(());
        }
        let next = self.start(net, number)?;
        if let Some(place) = self.clients.get_mut(number) {
            *place = next;
        }
        Ok(())
    }
}
