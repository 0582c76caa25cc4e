//! Opening WebSocket sessions, one or thousands.

use super::net::{Link, Net, Play};
use super::target::{Dialect, Failure, Target};
use crate::wire::{self, Frame, opcode};

/// Sessions that are being opened at one time: below every server's backlog.
const OPENING_MAX: usize = 100;

impl Target {
    /// The path and query of a request, but for the session id.
    pub(super) fn path(&self, transport: &str) -> String {
        let path = match self.dialect {
            Dialect::Engine => "/engine.io/",
            Dialect::Socket => "/socket.io/",
        };
        format!("{path}?EIO=4&transport={transport}")
    }

    /// What joins the namespace.
    pub(super) fn connect_packet(&self) -> String {
        format!("40{}", self.auth)
    }
}

/// How far a session has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Http,
    Open,
    Namespace,
    Ready,
}

/// Takes sessions from the first request to the answer of the namespace.
pub(super) struct Opener {
    dialect: Dialect,
    request: Vec<u8>,
    /// What joins the namespace; more than one where clients say who they are.
    connects: Vec<Vec<u8>>,
    /// By link.
    stages: Vec<Stage>,
    connect_of: Vec<usize>,
}

impl Opener {
    pub(super) fn new(target: &Target) -> Self {
        Self::with(target, [target.connect_packet()])
    }

    /// For clients each of which joins with a packet of its own.
    pub(super) fn with(target: &Target, packets: impl IntoIterator<Item = String>) -> Self {
        let packets = packets.into_iter();
        Self {
            dialect: target.dialect,
            request: match target.deflate {
                Some(offer) => wire::upgrade_request_with(&target.path("websocket"), offer),
                None => wire::upgrade_request(&target.path("websocket")),
            },
            connects: packets
                .map(|packet| wire::frame(opcode::TEXT, packet.as_bytes()))
                .collect(),
            stages: Vec::new(),
            connect_of: Vec::new(),
        }
    }

    pub(super) fn start(&mut self, net: &mut Net) -> Result<Link, Failure> {
        self.start_as(net, 0)
    }

    /// Starts the client with this packet.
    fn start_as(&mut self, net: &mut Net, packet: usize) -> Result<Link, Failure> {
        let link = net.connect()?;
        if self.stages.len() <= link {
            self.stages.resize(link + 1, Stage::Http);
            self.connect_of.resize(link + 1, 0);
        }
        if let Some(place) = self.connect_of.get_mut(link) {
            *place = packet;
        }
        self.set(link, Stage::Http);
        net.send(link, &self.request)?;
        Ok(link)
    }

    pub(super) fn is_ready(&self, link: Link) -> bool {
        self.stages.get(link) == Some(&Stage::Ready)
    }

    fn set(&mut self, link: Link, stage: Stage) {
        if let Some(place) = self.stages.get_mut(link) {
            *place = stage;
        }
    }

    /// Goes on with a session that is not ready; how many bytes are done with.
    pub(super) fn hear(
        &mut self,
        net: &mut Net,
        link: Link,
        bytes: &[u8],
    ) -> Result<usize, Failure> {
        let mut taken = 0;
        while !self.is_ready(link) {
            let rest = bytes.get(taken..).unwrap_or_default();
            let stage = self.stages.get(link).copied().unwrap_or_default();
            if stage == Stage::Http {
                let Some((response, length)) = wire::read_response(rest) else {
                    break;
                };
                if response.status != 101 {
                    let text = String::from_utf8_lossy(response.body);
                    return Err(Failure::Wrong(format!(
                        "no WebSocket but {}: {text}",
                        response.status
                    )));
                }
                taken += length;
                self.set(link, Stage::Open);
                continue;
            }
            let Some((frame, length)) = wire::read_frame(rest) else {
                break;
            };
            taken += length;
            // What a server compresses at this time can only be what is awaited.
            let payload: &[u8] = match stage {
                Stage::Open if frame.is_compressed => b"0",
                _ if frame.is_compressed => b"40",
                _ => frame.payload,
            };
            match (stage, payload) {
                (Stage::Open, [b'0', ..]) if self.dialect == Dialect::Engine => {
                    self.set(link, Stage::Ready);
                }
                (Stage::Open, [b'0', ..]) => {
                    let packet = self.connect_of.get(link).copied().unwrap_or_default();
                    if let Some(packet) = self.connects.get(packet) {
                        net.send(link, packet)?;
                    }
                    self.set(link, Stage::Namespace);
                }
                (Stage::Namespace, [b'4', b'0', ..]) => self.set(link, Stage::Ready),
                _ => keep_house(net, link, frame)?,
            }
        }
        Ok(taken)
    }
}

/// Answers a ping; anything else was not expected.
pub(super) fn keep_house(net: &mut Net, link: Link, frame: Frame<'_>) -> Result<(), Failure> {
    if frame.opcode == opcode::TEXT && frame.payload == b"2" {
        net.send(link, &wire::frame(opcode::TEXT, b"3"))?;
        return Ok(());
    }
    let head = frame.payload.get(..100).unwrap_or(frame.payload);
    Err(Failure::Wrong(format!(
        "unexpected frame {}: {}",
        frame.opcode,
        String::from_utf8_lossy(head)
    )))
}

/// Opens that many sessions, a wave at a time.
pub(super) fn open_sessions(
    net: &mut Net,
    target: &Target,
    count: usize,
) -> Result<Vec<Link>, Failure> {
    let mut opening = Opening::new(Opener::new(target), count);
    opening.fill(net, count, OPENING_MAX, |_| 0)?;
    Ok(opening.ready)
}

/// Closes sessions as clients do, a wave at a time, and waits until the server has let go of each.
///
/// Thousands that vanish in one instant would measure how long the runtime's queue of woken tasks became, and that
/// no allocator takes back.
pub(super) fn close_sessions(net: &mut Net, links: &[Link]) -> Result<(), Failure> {
    let close = wire::frame(opcode::CLOSE, &1000_u16.to_be_bytes());
    let mut closing = Closing { left: 0 };
    for wave in links.chunks(OPENING_MAX) {
        closing.left = wave.len();
        for link in wave {
            net.send(*link, &close)?;
        }
        while closing.left > 0 {
            net.turn(&mut closing)?;
        }
    }
    Ok(())
}

struct Closing {
    left: usize,
}

impl Play for Closing {
    fn hear(&mut self, _: &mut Net, _: Link, bytes: &[u8]) -> Result<usize, Failure> {
        Ok(bytes.len())
    }

    fn lost(&mut self, _: &mut Net, _: Link) -> Result<(), Failure> {
        self.left -= 1;
        Ok(())
    }
}

/// Sessions that are opened, and answer pings once they are.
pub(super) struct Opening {
    opener: Opener,
    pub(super) ready: Vec<Link>,
}

impl Opening {
    pub(super) fn new(opener: Opener, count: usize) -> Self {
        Self {
            opener,
            ready: Vec::with_capacity(count),
        }
    }

    /// Opens sessions until so many are ready, at most `at_once` at one time. `packet_of` says which packet each joins with.
    pub(super) fn fill(
        &mut self,
        net: &mut Net,
        count: usize,
        at_once: usize,
        packet_of: impl Fn(usize) -> usize,
    ) -> Result<(), Failure> {
        let mut started = 0;
        while self.ready.len() < count {
            while started < count && started - self.ready.len() < at_once {
                self.opener.start_as(net, packet_of(started))?;
                started += 1;
            }
            net.turn(self)?;
        }
        Ok(())
    }
}

impl Play for Opening {
    fn hear(&mut self, net: &mut Net, link: Link, bytes: &[u8]) -> Result<usize, Failure> {
        if self.opener.is_ready(link) {
            // Only a ping can come to a session that has asked for nothing.
            let Some((frame, length)) = wire::read_frame(bytes) else {
                return Ok(0);
            };
            keep_house(net, link, frame)?;
            return Ok(length);
        }
        let taken = self.opener.hear(net, link, bytes)?;
        if self.opener.is_ready(link) {
            self.ready.push(link);
        }
        Ok(taken)
    }
}
