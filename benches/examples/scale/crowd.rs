//! A server with as many clients as are wanted, all of whom have come with a token, and what is done with them.

use std::error::Error;
use std::io;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use benches::wire::{self, opcode};
use serde::Deserialize;
use socketio::auth::InHandshake;
use socketio::engineio::{Accepted, Listener};
use socketio::{Namespace, OwnedArgs, Socket, SocketIo};
use socketio_auth::jwt::{Algorithm, JwtAuthenticator};
use socketio_auth::testing::TokenMint;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use crate::member::{MESSAGES, Member, Mouth, PINGS};

/// Clients that come at a time.
const COMING: usize = 500;

/// Events that are under way at a time.
const UNDER_WAY: usize = 250;

/// Sockets that leave a room and join it again.
const MOVING: usize = 500;

/// After this, each client has been pinged once, on a clock that passes while nothing is to be done.
const PING_INTERVAL: Duration = Duration::from_secs(25);

/// Of a token: longer than all heartbeats of a run.
const LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

const TEXT: &str = "sixteen letters.";

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// An event of a client that is answered with one, in turn by clients far apart.
    Event,
    /// A ping and its pong.
    Heartbeat,
    /// One copy of an event to everyone.
    Delivery,
    /// Leaving a room that everyone is in, and joining it again.
    InCrowd,
    /// Joining a room of one's own, and leaving it, where each has one already.
    OwnRoom,
}

impl Work {
    pub(crate) const ALL: [Self; 5] = [
        Self::Event,
        Self::Heartbeat,
        Self::Delivery,
        Self::InCrowd,
        Self::OwnRoom,
    ];

    /// The words of the report, and of the command line.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Heartbeat => "heartbeat",
            Self::Delivery => "delivery",
            Self::InCrowd => "crowded-room",
            Self::OwnRoom => "own-room",
        }
    }
}

/// Who a token says its owner is.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct User {
    #[expect(dead_code, reason = "kept as an application keeps it")]
    sub: Box<str>,
}

/// Where members come in.
struct Door(UnboundedReceiver<Member>);

impl Listener for Door {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        match ready!(self.0.poll_recv(cx)) {
            Some(member) => Poll::Ready(Ok(Accepted::stream(member))),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

/// The server and its clients.
pub(crate) struct Crowd {
    runtime: Runtime,
    space: Namespace<User>,
    mint: TokenMint,
    _serving: JoinSet<()>,
    coming: UnboundedSender<Member>,
    mouths: Vec<Mouth>,
    in_rooms: usize,
    /// Some of the sockets, from all ages.
    moving: Vec<Socket<User>>,
}

impl Crowd {
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()?;
        let mint = TokenMint::new(Algorithm::Hs256)
            .issuer("https://id.example")
            .audience("scale");
        let tokens = JwtAuthenticator::<User>::builder()
            .key(mint.verifying_key())
            .issuer("https://id.example")
            .audience("scale")
            .build()?;
        let io = SocketIo::builder()
            .engine(|config| config.ping_interval(PING_INTERVAL).max_sessions(usize::MAX))
            .max_rooms_per_namespace(usize::MAX)
            .authenticate(InHandshake::new(tokens))
            .build()?;
        let space = io
            .namespace("/")
            .on("message", |socket, args: OwnedArgs| async move {
                let _ = socket.emit("message-back", &args);
            })
            .open()?;
        let (coming, door) = mpsc::unbounded_channel();
        let mut serving = JoinSet::new();
        let served = async move {
            // It ends with the crowd.
            let _ = io.serve(Door(door)).await;
        };
        serving.spawn_on(served, runtime.handle());
        Ok(Self {
            runtime,
            space,
            mint,
            _serving: serving,
            coming,
            mouths: Vec::new(),
            in_rooms: 0,
            moving: Vec::new(),
        })
    }

    /// Lets clients come until there are so many; nobody is in a room then who was not before.
    pub(crate) fn grow_to(&mut self, members: usize) -> Result<(), Box<dyn Error>> {
        let request = wire::upgrade_request("/socket.io/?EIO=4&transport=websocket");
        while self.mouths.len() < members {
            let coming = COMING.min(members - self.mouths.len());
            let all = self.mouths.len() + coming;
            for number in self.mouths.len()..all {
                let token = self.mint.token(&format!("user-{number}"));
                let token = token.expires_in(LIFETIME).sign();
                let joining = format!("40{{\"token\":\"{token}\"}}");
                let mouth = Mouth::default();
                mouth.say(&request);
                mouth.say(&wire::frame(opcode::TEXT, joining.as_bytes()));
                self.coming.send(Member(mouth.clone()))?;
                self.mouths.push(mouth);
            }
            let space = &self.space;
            self.runtime.block_on(async {
                while space.socket_count() < all {
                    tokio::task::yield_now().await;
                }
            });
        }
        Ok(())
    }

    /// Has everyone join the room of all and one of its own.
    pub(crate) fn fill_rooms(&mut self) -> Result<(), Box<dyn Error>> {
        let sockets = self.space.sockets();
        let apart = (sockets.len() / MOVING).max(1);
        self.moving = sockets
            .iter()
            .step_by(apart)
            .take(MOVING)
            .cloned()
            .collect();
        for socket in sockets {
            if socket.rooms().is_empty() {
                socket.join("all")?;
                socket.join(format!("own-{}", self.in_rooms))?;
                self.in_rooms += 1;
            }
        }
        Ok(())
    }

    /// Does so much of it at least, and says how much it was.
    #[inline(never)]
    pub(crate) fn work(&self, work: Work, units: usize) -> Result<u64, Box<dyn Error>> {
        match work {
            Work::Event => Ok(self.runtime.block_on(self.send_events(units))),
            Work::Heartbeat => self.runtime.block_on(self.wait_for_pings(units)),
            Work::Delivery => self.runtime.block_on(self.broadcast(units)),
            Work::InCrowd => self.leave_and_join(units),
            Work::OwnRoom => self.join_and_leave(units),
        }
    }

    async fn send_events(&self, units: usize) -> u64 {
        let event = format!("42[\"message\",\"{TEXT}\"]");
        let event = wire::frame(opcode::TEXT, event.as_bytes());
        let before = MESSAGES.load(Ordering::Relaxed);
        let mut sent = 0;
        while sent < units {
            for _ in 0..UNDER_WAY {
                // A stride that meets every client, and none that was met lately.
                let speaker = sent.wrapping_mul(0x9E37_79B1) % self.mouths.len();
                if let Some(mouth) = self.mouths.get(speaker) {
                    mouth.say(&event);
                }
                sent += 1;
            }
            while MESSAGES.load(Ordering::Relaxed) < before + sent as u64 {
                tokio::task::yield_now().await;
            }
        }
        sent as u64
    }

    async fn wait_for_pings(&self, units: usize) -> Result<u64, Box<dyn Error>> {
        // Each turn ends between two heartbeats, and not in the midst of one.
        tokio::time::sleep(PING_INTERVAL / 2).await;
        let before = PINGS.load(Ordering::Relaxed);
        let mut heard = 0;
        while heard < units as u64 {
            tokio::time::sleep(PING_INTERVAL).await;
            let more = PINGS.load(Ordering::Relaxed) - before;
            if more < heard + self.mouths.len() as u64 / 2 {
                return Err("clients are not pinged any more".into());
            }
            heard = more;
        }
        Ok(heard)
    }

    async fn broadcast(&self, units: usize) -> Result<u64, Box<dyn Error>> {
        let before = MESSAGES.load(Ordering::Relaxed);
        let mut wanted = 0;
        while wanted < units {
            self.space.emit("event", TEXT)?;
            wanted += self.mouths.len();
            while MESSAGES.load(Ordering::Relaxed) < before + wanted as u64 {
                tokio::task::yield_now().await;
            }
        }
        Ok(wanted as u64)
    }

    fn leave_and_join(&self, units: usize) -> Result<u64, Box<dyn Error>> {
        let mut moves = 0;
        while moves < units {
            for socket in &self.moving {
                socket.leave("all");
                socket.join("all")?;
                moves += 2;
            }
        }
        Ok(moves as u64)
    }

    fn join_and_leave(&self, units: usize) -> Result<u64, Box<dyn Error>> {
        let mut moves = 0;
        while moves < units {
            for socket in &self.moving {
                socket.join("another")?;
                socket.leave("another");
                moves += 2;
            }
        }
        Ok(moves as u64)
    }
}
