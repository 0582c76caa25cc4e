//! One message to many.

use std::time::{Duration, Instant};

use super::deflate;
use super::latency::Latencies;
use super::net::{Link, Net, Play};
use super::session::{keep_house, open_sessions};
use super::target::{Dialect, Failure, Sample, Target};
use crate::wire::{self, opcode};

/// A group of clients that hear the same messages, one of which sends them.
struct Room {
    sender: Link,
    members: usize,
    request: Vec<u8>,
    /// Members that the message under way has not reached.
    outstanding: usize,
}

struct Broadcast {
    rooms: Vec<Room>,
    /// By link.
    room_of: Vec<usize>,
    answer: Vec<u8>,
    outstanding: usize,
    is_stopping: bool,
    units: u64,
}

pub(super) fn play(
    target: &Target,
    clients: usize,
    rooms: usize,
    bytes: usize,
    time: Duration,
) -> Result<Sample, Failure> {
    if target.dialect == Dialect::Engine {
        return Err(Failure::Wrong("an engine has no broadcast".to_owned()));
    }
    let mut net = Net::new(target)?;
    let links = open_sessions(&mut net, target, clients)?;
    let text = target.text(bytes);
    let mut broadcast = Broadcast {
        rooms: Vec::new(),
        room_of: vec![0; links.len()],
        answer: format!("42[\"broadcast\",\"{text}\"]").into_bytes(),
        outstanding: 0,
        is_stopping: false,
        units: 0,
    };
    for (number, members) in links.chunks(clients / rooms.max(1)).enumerate() {
        let event = if rooms == 0 {
            format!("42[\"broadcast\",\"{text}\"]")
        } else {
            format!("42[\"roomcast\",\"r{number}\",\"{text}\"]")
        };
        broadcast.add_room(members, target.frame(&event));
    }
    if rooms > 0 {
        join(&mut net, &links, &broadcast.room_of)?;
    }
    broadcast.run(&mut net, time / 5)?;
    let warm_up_units = std::mem::take(&mut broadcast.units);
    let before = target.cpu_nanos()?;
    let started = Instant::now();
    broadcast.run(&mut net, time)?;
    Ok(Sample {
        units: broadcast.units,
        warm_up_units,
        wall: started.elapsed(),
        cpu_nanos: target.cpu_nanos()? - before,
        latencies: Latencies::default(),
        resident: None,
    })
}

impl Broadcast {
    fn add_room(&mut self, members: &[Link], request: Vec<u8>) {
        for link in members {
            if let Some(place) = self.room_of.get_mut(*link) {
                *place = self.rooms.len();
            }
        }
        self.rooms.push(Room {
            sender: members.first().copied().unwrap_or_default(),
            members: members.len(),
            request,
            outstanding: 0,
        });
    }

    fn run(&mut self, net: &mut Net, time: Duration) -> Result<(), Failure> {
        self.is_stopping = false;
        for room in 0..self.rooms.len() {
            self.send(net, room)?;
        }
        let end = Instant::now() + time;
        while self.outstanding > 0 {
            net.turn(self)?;
            self.is_stopping = Instant::now() >= end;
        }
        Ok(())
    }

    fn send(&mut self, net: &mut Net, room: usize) -> Result<(), Failure> {
        if let Some(room) = self.rooms.get_mut(room) {
            room.outstanding = room.members;
            self.outstanding += room.members;
            net.send(room.sender, &room.request)?;
        }
        Ok(())
    }
}

impl Play for Broadcast {
    fn hear(&mut self, net: &mut Net, link: Link, bytes: &[u8]) -> Result<usize, Failure> {
        let mut taken = 0;
        while let Some((frame, length)) = wire::read_frame(bytes.get(taken..).unwrap_or_default()) {
            taken += length;
            if !deflate::is_expected(frame, &mut self.answer) {
                keep_house(net, link, frame)?;
                continue;
            }
            let number = self.room_of.get(link).copied().unwrap_or_default();
            let Some(room) = self.rooms.get_mut(number) else {
                break;
            };
            if room.outstanding == 0 {
                return Err(Failure::Wrong("a message came twice".to_owned()));
            }
            room.outstanding -= 1;
            self.outstanding -= 1;
            self.units += 1;
            if room.outstanding == 0 && !self.is_stopping {
                self.send(net, number)?;
            }
        }
        Ok(taken)
    }
}

/// Has every client join its room.
fn join(net: &mut Net, links: &[Link], room_of: &[usize]) -> Result<(), Failure> {
    for link in links {
        let room = room_of.get(*link).copied().unwrap_or_default();
        let event = format!("421[\"join\",\"r{room}\"]");
        net.send(*link, &wire::frame(opcode::TEXT, event.as_bytes()))?;
    }
    let mut joining = Joining { left: links.len() };
    while joining.left > 0 {
        net.turn(&mut joining)?;
    }
    Ok(())
}

struct Joining {
    left: usize,
}

impl Play for Joining {
    fn hear(&mut self, net: &mut Net, link: Link, bytes: &[u8]) -> Result<usize, Failure> {
        let Some((frame, length)) = wire::read_frame(bytes) else {
            return Ok(0);
        };
        if frame.payload == b"431[]" {
            self.left -= 1;
        } else {
            keep_house(net, link, frame)?;
        }
        Ok(length)
    }
}
