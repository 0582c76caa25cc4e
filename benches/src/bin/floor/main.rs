//! The floor: what the bytes of the `socket` profile (FIXTURE.md) cost when nothing but bytes is handled.
//!
//! One thread, one epoll set, one table of connections. It keeps no protocol state beyond what the bytes need
//! (which dialect, which room, a frame cut in two), sends no heartbeat, checks nothing that a well-behaved client
//! would not get wrong, and allocates only when a frame is cut or a peer does not read. It is a yardstick and no
//! server: never let it near a network.
//!
//!     cargo run --release -p benches --bin floor -- --port 3000

mod answer;
mod frame;
mod handshake;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use benches::sys::{self, Epoll, Ready};

use crate::answer::Action;

/// Token of the listener; connections have the number of their descriptor.
const LISTENER: u64 = 0;

/// One read takes at most this much.
const READ_BYTES: usize = 256 * 1024;

/// Which bytes a connection exchanges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    /// The request has not come yet.
    None,
    /// Engine.IO: messages go back as they are.
    Engine,
    /// Socket.IO: events.
    Socket,
}

/// A connection: all that is kept of one.
struct Peer {
    stream: TcpStream,
    /// A frame or request that was cut, until the rest of it comes.
    cut: Vec<u8>,
    /// What the socket did not take.
    unsent: Vec<u8>,
    dialect: Dialect,
    /// It is connected to the namespace, so broadcasts reach it.
    is_connected: bool,
}

struct Floor {
    epoll: Epoll,
    listener: TcpListener,
    /// By descriptor.
    peers: Vec<Option<Peer>>,
    /// Descriptors by room number.
    rooms: Vec<Vec<u32>>,
    /// Of everyone, for one read.
    input: Box<[u8]>,
    /// Of everyone, for the answers to one read.
    output: Vec<u8>,
    /// For a frame that goes to many.
    shared: Vec<u8>,
}

fn main() -> io::Result<()> {
    let port = parse_port(std::env::args().skip(1))?;
    sys::raise_descriptor_limit()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    // Accepted sockets inherit it.
    sys::set_nodelay(&listener)?;
    let mut out = io::stdout();
    writeln!(out, "listening on {}", listener.local_addr()?)?;
    out.flush()?;
    Floor::new(listener)?.run()
}

fn parse_port(mut arguments: impl Iterator<Item = String>) -> io::Result<u16> {
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("--port"), Some(port)) => port.parse().map_err(io::Error::other),
        (None, None) => Ok(3000),
        _ => Err(io::Error::other("usage: floor [--port PORT]")),
    }
}

impl Floor {
    fn new(listener: TcpListener) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(&listener, LISTENER)?;
        Ok(Self {
            epoll,
            listener,
            peers: Vec::new(),
            rooms: Vec::new(),
            input: vec![0; READ_BYTES].into_boxed_slice(),
            output: Vec::with_capacity(2 * READ_BYTES),
            shared: Vec::with_capacity(4096),
        })
    }

    fn run(mut self) -> io::Result<()> {
        loop {
            let count = self.epoll.wait(None)?;
            for index in 0..count {
                let Some(ready) = self.epoll.event(index) else {
                    break;
                };
                if ready.token == LISTENER {
                    self.accept()?;
                } else {
                    self.serve(ready);
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match sys::accept(&self.listener) {
                Ok(stream) => stream,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            let slot = usize::try_from(stream.as_raw_fd()).map_err(io::Error::other)?;
            self.epoll.add(&stream, slot as u64)?;
            if self.peers.len() <= slot {
                self.peers.resize_with(slot + 1, || None);
            }
            if let Some(place) = self.peers.get_mut(slot) {
                *place = Some(Peer {
                    stream,
                    cut: Vec::new(),
                    unsent: Vec::new(),
                    dialect: Dialect::None,
                    is_connected: false,
                });
            }
        }
    }

    fn serve(&mut self, ready: Ready) {
        let Ok(slot) = usize::try_from(ready.token) else {
            return;
        };
        let Some(Some(peer)) = self.peers.get_mut(slot) else {
            return;
        };
        if ready.is_writable && !peer.unsent.is_empty() {
            let unsent = std::mem::take(&mut peer.unsent);
            peer.send(&unsent);
        }
        if ready.is_readable && !self.read(slot) {
            self.forget(slot);
        }
    }

    /// Reads and answers; false when the connection is over.
    fn read(&mut self, slot: usize) -> bool {
        loop {
            let Some(Some(peer)) = self.peers.get_mut(slot) else {
                return true;
            };
            let count = match peer.stream.read(&mut self.input) {
                Ok(0) => return false,
                Ok(count) => count,
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            };
            if !self.process(slot, count) {
                return false;
            }
            // Less than was asked for: the socket is empty, and the edge will tell of more.
            if count < self.input.len() {
                return true;
            }
        }
    }

    /// Answers the first `count` bytes of the input.
    fn process(&mut self, slot: usize, count: usize) -> bool {
        let mut input = std::mem::take(&mut self.input);
        let goes_on = match input.get_mut(..count) {
            Some(bytes) => self.answer(slot, bytes),
            None => false,
        };
        self.input = input;
        goes_on
    }

    fn answer(&mut self, slot: usize, bytes: &mut [u8]) -> bool {
        let Some(Some(peer)) = self.peers.get_mut(slot) else {
            return false;
        };
        if peer.cut.is_empty() {
            return self.answer_run(slot, bytes);
        }
        let mut whole = std::mem::take(&mut peer.cut);
        whole.extend_from_slice(bytes);
        self.answer_run(slot, &mut whole)
    }

    /// Answers all whole frames in one write and keeps what is left.
    fn answer_run(&mut self, slot: usize, mut bytes: &mut [u8]) -> bool {
        let Some(Some(peer)) = self.peers.get_mut(slot) else {
            return false;
        };
        self.output.clear();
        if peer.dialect == Dialect::None {
            let Some((dialect, length)) = handshake::answer(bytes, &mut self.output) else {
                peer.cut.extend_from_slice(bytes);
                return true;
            };
            peer.dialect = dialect;
            bytes = bytes.get_mut(length..).unwrap_or_default();
        }
        let dialect = peer.dialect;
        let mut goes_on = true;
        while let Some(frame) = frame::take_frame(&mut bytes) {
            match answer::answer(dialect, frame, &mut self.output, &mut self.shared) {
                Action::Answered => {}
                Action::Connect => self.set_connected(slot),
                Action::Join(room) => self.join(slot, room),
                Action::ToAll => self.send_to_all(),
                Action::ToRoom(room) => self.send_to_room(room),
                Action::Close => {
                    goes_on = false;
                    break;
                }
            }
        }
        let Some(Some(peer)) = self.peers.get_mut(slot) else {
            return false;
        };
        if !bytes.is_empty() && goes_on {
            peer.cut.extend_from_slice(bytes);
        }
        peer.send(&self.output);
        goes_on
    }

    fn set_connected(&mut self, slot: usize) {
        if let Some(Some(peer)) = self.peers.get_mut(slot) {
            peer.is_connected = true;
        }
    }

    fn join(&mut self, slot: usize, room: usize) {
        if self.rooms.len() <= room {
            self.rooms.resize_with(room + 1, Vec::new);
        }
        if let (Some(members), Ok(slot)) = (self.rooms.get_mut(room), u32::try_from(slot)) {
            members.push(slot);
        }
    }

    fn send_to_all(&mut self) {
        for peer in self.peers.iter_mut().flatten() {
            if peer.is_connected {
                peer.send(&self.shared);
            }
        }
    }

    fn send_to_room(&mut self, room: usize) {
        for slot in self.rooms.get(room).into_iter().flatten() {
            if let Some(Some(peer)) = self.peers.get_mut(*slot as usize) {
                peer.send(&self.shared);
            }
        }
    }

    fn forget(&mut self, slot: usize) {
        if let Some(place) = self.peers.get_mut(slot) {
            *place = None;
        }
        if let Ok(slot) = u32::try_from(slot) {
            for members in &mut self.rooms {
                members.retain(|member| *member != slot);
            }
        }
    }
}

impl Peer {
    /// Writes, and keeps what the socket does not take.
    fn send(&mut self, bytes: &[u8]) {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.unsent.extend_from_slice(rest);
                    return;
                }
                // The read that follows tells of it.
                Err(_) => return,
            }
        }
    }
}
