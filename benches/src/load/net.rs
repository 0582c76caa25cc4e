//! Many connections on one thread: an epoll set, one read buffer, and what a slow server leaves behind.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::target::{Failure, Target};
use crate::sys::{self, Epoll, Ready};

/// Longer than this without an event, and the server has lost something.
const SILENCE_MAX: Duration = Duration::from_secs(10);

/// One read takes at most this much.
const READ_BYTES: usize = 1024 * 1024;

/// Connections come from this many addresses, so that closed ones do not use up the ports.
const SOURCES: u32 = 200;

/// The number of a connection; used again after it is closed.
pub(super) type Link = usize;

/// A scenario, as connections drive it.
pub(super) trait Play {
    /// Bytes came; how many of them are done with. The rest comes again with what follows it.
    fn hear(&mut self, net: &mut Net, link: Link, bytes: &[u8]) -> Result<usize, Failure>;

    /// The server ended the connection, which is closed already.
    fn lost(&mut self, net: &mut Net, link: Link) -> Result<(), Failure> {
        let _ = net;
        Err(Failure::Wrong(format!(
            "the server hung up on client {link}"
        )))
    }
}

/// What bytes are read from and written to. Neither waits.
enum Stream {
    Plain(TcpStream),
    Secured(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Stream {
    /// Makes the handshake first, where there is one. It waits for that, which costs the server nothing.
    fn new(stream: TcpStream, tls: Option<&Arc<ClientConfig>>) -> io::Result<Self> {
        let Some(config) = tls else {
            return Ok(Self::Plain(stream));
        };
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        let mut secured = StreamOwned::new(session, stream);
        secured.sock.set_nonblocking(false)?;
        while secured.conn.is_handshaking() {
            secured.conn.complete_io(&mut secured.sock)?;
        }
        secured.sock.set_nonblocking(true)?;
        Ok(Self::Secured(Box::new(secured)))
    }

    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Secured(stream) => &stream.sock,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Secured(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Secured(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Secured(stream) => stream.flush(),
        }
    }
}

struct Connection {
    stream: Stream,
    /// Bytes that came and are not done with.
    heard: Vec<u8>,
    unsent: Vec<u8>,
}

pub(super) struct Net {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
    epoll: Epoll,
    links: Vec<Option<Connection>>,
    free: Vec<Link>,
    /// Tells events of a closed connection from those of the next with its number.
    generations: Vec<u32>,
    buffer: Box<[u8]>,
    opened: u32,
}

impl Net {
    pub(super) fn new(target: &Target) -> io::Result<Self> {
        Ok(Self {
            address: target.address,
            tls: target.tls.clone(),
            epoll: Epoll::new()?,
            links: Vec::new(),
            free: Vec::new(),
            generations: Vec::new(),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            opened: 0,
        })
    }

    /// Connections from now on are made to this server.
    pub(super) fn aim(&mut self, address: SocketAddr) {
        self.address = address;
    }

    pub(super) fn connect(&mut self) -> io::Result<Link> {
        let source = 1 + (self.opened % SOURCES) as u8;
        self.opened = self.opened.wrapping_add(1);
        let stream = sys::connect_from([127, 0, 0, source], self.address)?;
        let stream = Stream::new(stream, self.tls.as_ref())?;
        let link = self.free.pop().unwrap_or_else(|| {
            self.links.push(None);
            self.generations.push(0);
            self.links.len() - 1
        });
        let generation = self.generations.get(link).copied().unwrap_or(0);
        let token = (u64::from(generation) << 32) | link as u64;
        self.epoll.add(stream.socket(), token)?;
        if let Some(place) = self.links.get_mut(link) {
            *place = Some(Connection {
                stream,
                heard: Vec::new(),
                unsent: Vec::new(),
            });
        }
        Ok(link)
    }

    pub(super) fn close(&mut self, link: Link) {
        if self.links.get_mut(link).and_then(Option::take).is_some() {
            self.free.push(link);
            if let Some(generation) = self.generations.get_mut(link) {
                *generation = generation.wrapping_add(1);
            }
        }
    }

    pub(super) fn send(&mut self, link: Link, bytes: &[u8]) -> io::Result<()> {
        match self.links.get_mut(link) {
            Some(Some(connection)) => connection.send(bytes),
            _ => Ok(()),
        }
    }

    /// Waits for events and plays them.
    pub(super) fn turn(&mut self, play: &mut impl Play) -> Result<(), Failure> {
        if !self.turn_within(play, SILENCE_MAX)? {
            return Err(Failure::Wrong(format!(
                "the server was silent for {SILENCE_MAX:?}"
            )));
        }
        Ok(())
    }

    /// Plays the events of this time, in whole milliseconds; whether there were any.
    pub(super) fn turn_within(
        &mut self,
        play: &mut impl Play,
        time: Duration,
    ) -> Result<bool, Failure> {
        let count = self.epoll.wait(Some(time))?;
        for index in 0..count {
            if let Some(ready) = self.epoll.event(index) {
                self.attend(ready, play)?;
            }
        }
        Ok(count > 0)
    }

    fn attend(&mut self, ready: Ready, play: &mut impl Play) -> Result<(), Failure> {
        let link = (ready.token & u64::from(u32::MAX)) as Link;
        let generation = (ready.token >> 32) as u32;
        if self.generations.get(link) != Some(&generation) {
            return Ok(());
        }
        if ready.is_writable
            && let Some(Some(connection)) = self.links.get_mut(link)
        {
            let unsent = std::mem::take(&mut connection.unsent);
            connection.send(&unsent)?;
            // What TLS keeps back; where it takes no more, another event tells.
            let _ = connection.stream.flush();
        }
        if !ready.is_readable {
            return Ok(());
        }
        loop {
            let Some(Some(connection)) = self.links.get_mut(link) else {
                return Ok(());
            };
            let count = match connection.stream.read(&mut self.buffer) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // A reset ends a connection as a close does.
                Err(_) => 0,
            };
            if count == 0 {
                self.close(link);
                return play.lost(self, link);
            }
            self.hear(play, link, count)?;
            // TLS may have more than it shows at once.
            let is_all = count < self.buffer.len() && self.tls.is_none();
            if is_all {
                // A close that came with these bytes has no event of its own.
                if !ready.is_hung_up {
                    return Ok(());
                }
            }
        }
    }

    fn hear(&mut self, play: &mut impl Play, link: Link, count: usize) -> Result<(), Failure> {
        let Some(Some(connection)) = self.links.get_mut(link) else {
            return Ok(());
        };
        let mut heard = std::mem::take(&mut connection.heard);
        let buffer = std::mem::take(&mut self.buffer);
        let fresh = buffer.get(..count).unwrap_or_default();
        let outcome = if heard.is_empty() {
            self.hear_all(play, link, fresh).map(|taken| {
                heard.extend_from_slice(fresh.get(taken..).unwrap_or_default());
            })
        } else {
            heard.extend_from_slice(fresh);
            self.hear_all(play, link, &heard).map(|taken| {
                heard.drain(..taken);
            })
        };
        self.buffer = buffer;
        if let Some(Some(connection)) = self.links.get_mut(link) {
            connection.heard = heard;
        }
        outcome
    }

    /// Has the scenario hear until it needs more.
    fn hear_all(
        &mut self,
        play: &mut impl Play,
        link: Link,
        bytes: &[u8],
    ) -> Result<usize, Failure> {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            match play.hear(self, link, rest)? {
                0 => break,
                count => taken += count,
            }
        }
        Ok(taken)
    }
}

impl Connection {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.unsent.is_empty() {
            self.unsent.extend_from_slice(bytes);
            return Ok(());
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.unsent.extend_from_slice(rest);
                    break;
                }
                // The read that follows tells of it.
                Err(_) => break,
            }
        }
        Ok(())
    }
}
