//! The load generator: a minimal client, cheaper than any server, and the scenarios it plays.

mod broadcast;
mod connect;
mod echo;
mod idle;
mod latency;
mod net;
mod polling;
mod session;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

pub use latency::Latencies;

use crate::process::Process;

/// What is asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// A message comes back to each of 100 clients, each of which keeps `in_flight` under way.
    Echo {
        /// Bytes of the text or attachment.
        bytes: usize,
        /// Messages of one client under way at a time.
        in_flight: usize,
        /// What the message is made of.
        content: Content,
    },
    /// One message to everyone, then the next.
    Broadcast {
        /// Sockets connected.
        clients: usize,
        /// Rooms they are spread over; 0 for the whole namespace.
        rooms: usize,
        /// Bytes of the text.
        bytes: usize,
    },
    /// Connect over WebSocket, join the namespace if there is one, close.
    Connect,
    /// Connect by polling, upgrade, one echo, close.
    Upgrade,
    /// A message comes back through a waiting poll.
    PollingEcho,
    /// Resident bytes for each of 10,000 connected clients, and after they have left.
    Idle,
}

/// What an echoed message is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// An event with one text.
    Text,
    /// An event with one attachment; without Socket.IO a binary message.
    Binary,
}

/// What is spoken above WebSocket frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Engine.IO messages: the `engine` profile.
    Engine,
    /// Socket.IO events: the `socket` profile.
    Socket,
}

/// The server under load.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whose time and memory are counted.
    pub process: Process,
    /// What it speaks.
    pub dialect: Dialect,
    /// Sent when joining the namespace: the object behind `40`, or nothing.
    pub auth: String,
}

/// What one run of a scenario measured.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// Messages, deliveries, connections: what the scenario counts.
    pub units: u64,
    /// Units before the measurement began.
    pub warm_up_units: u64,
    /// Nanoseconds of the server for all of them.
    pub cpu_nanos: u64,
    /// How long the run took.
    pub wall: Duration,
    /// From sending to hearing, where the scenario measures it.
    pub latencies: Latencies,
    /// Resident bytes of the server: before, with everyone connected, after all have left.
    pub resident: Option<[u64; 3]>,
}

impl Sample {
    /// Nanoseconds of the server for each unit.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub fn nanos_per_unit(&self) -> f64 {
        self.cpu_nanos as f64 / self.units.max(1) as f64
    }
}

/// Why a run does not count.
#[derive(Debug)]
pub enum Failure {
    /// The system said so.
    Io(io::Error),
    /// The server did not answer as the profile says.
    Wrong(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "{error}"),
            Self::Wrong(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Failure {}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Plays a scenario for about `time`.
///
/// # Errors
///
/// When the server is not there, or does not answer as the profile says.
pub fn play(target: &Target, scenario: Scenario, time: Duration) -> Result<Sample, Failure> {
    match scenario {
        Scenario::Echo {
            bytes,
            in_flight,
            content,
        } => echo::play(target, bytes, in_flight, content, time),
        Scenario::Broadcast {
            clients,
            rooms,
            bytes,
        } => broadcast::play(target, clients, rooms, bytes, time),
        Scenario::Connect => connect::play(target, time),
        Scenario::Upgrade => polling::play_upgrade(target, time),
        Scenario::PollingEcho => polling::play_echo(target, time),
        Scenario::Idle => idle::play(target),
    }
}
