//! A server of a run: what its handlers do, and what it says by itself.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::Stream;
use socketio::cluster::LocalBus;
use socketio::engineio::{Accepted, Listener};
use socketio::{
    Ack, Args, Binary, Broadcast, DisconnectReason, Namespace, Recovery, Room, Socket, SocketIo,
};
use tokio::time::{Instant, sleep};

use crate::bus::SlowAdapter;
use crate::executor::spawn;
use crate::history::{Kind, Origin, SERVERS, SocketNo, Target, What};
use crate::net::End;
use crate::person::event_of;
use crate::rng::Rng;
use crate::vault::{self, Visitor};
use crate::world::{ROOMS, Stage, World, blob_length};

pub(crate) struct Node {
    world: Arc<World>,
    pub(crate) index: usize,
    pub(crate) io: SocketIo,
    hall: OnceLock<Namespace<()>>,
    vault: OnceLock<Namespace<Visitor>>,
    is_dead: Arc<AtomicBool>,
    is_open: AtomicBool,
    /// It takes nobody any more, but those whom it has may still ask for what it has to tell them.
    is_draining: AtomicBool,
    number: AtomicU32,
    question: AtomicU32,
    rng: Mutex<Rng>,
    door: Arc<Mutex<Door>>,
}

/// Where connections wait to be accepted.
#[derive(Default)]
struct Door {
    /// With whether it was in vain before.
    backlog: VecDeque<(End, bool)>,
    /// There are no descriptors until then.
    opens: Option<Instant>,
    listener: Option<Waker>,
}

/// Whoever comes to a node's door. What it accepts is served by a task of the run, so that the seed says when.
struct Doorkeeper(Arc<Node>);

impl Listener for Doorkeeper {
    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let mut door = self.0.door();
        door.listener = Some(cx.waker().clone());
        let is_exhausted = door.opens.is_some_and(|opens| Instant::now() < opens);
        while let Some((end, was_in_vain)) = door.backlog.pop_front() {
            if is_exhausted {
                door.backlog.push_front((end, true));
                return Poll::Ready(Err(io::Error::from_raw_os_error(EMFILE)));
            }
            if was_in_vain {
                let server = self.0.index;
                self.0.world.history.add(What::AcceptedLate { server });
            }
            let io = self.0.io.clone();
            spawn(async move { io.serve_accepted(Accepted::stream(end)).await }).detach();
        }
        Poll::Pending
    }
}

/// What `accept` says when the process has no descriptor left.
const EMFILE: i32 = 24;

/// Who sent it, its number, and a room.
type Said = Args<(Origin, u32, u8)>;

impl Node {
    pub(crate) fn start(world: &Arc<World>, bus: Option<&LocalBus>, index: usize) -> Arc<Self> {
        let mut rng = Rng::new(world.seed, 10_000 + index as u64);
        let is_dead = Arc::default();
        // Unless they are passed over, middleware may hold up those that come back.
        let recovery = Recovery::new()
            .max_disconnection(Duration::from_secs(60))
            .skip_middleware(rng.one_in(2));
        let mut builder = SocketIo::builder()
            .recovery(|_| recovery)
            .max_handlers_in_flight([2, 8, 64][rng.below(3)])
            .inbox_max_bytes([2048, 64 * 1024][rng.below(2)])
            .engine(|config| {
                config
                    .ping_interval(Duration::from_secs(5))
                    .ping_timeout(Duration::from_secs(4))
                    .upgrade_timeout(Duration::from_secs(5))
                    .max_queued_bytes(256 * 1024)
            });
        if let Some(bus) = bus {
            let adapter = SlowAdapter::new(bus, Rng::new(rng.next(), 1), Arc::clone(&is_dead));
            builder = builder.adapter(adapter);
        }
        let node = Arc::new(Self {
            world: Arc::clone(world),
            index,
            io: builder.build().unwrap(),
            hall: OnceLock::new(),
            vault: OnceLock::new(),
            is_dead,
            is_open: AtomicBool::new(true),
            is_draining: AtomicBool::new(false),
            number: AtomicU32::new(0),
            question: AtomicU32::new(index as u32 * 1_000_000),
            rng: Mutex::new(rng),
            door: Arc::default(),
        });
        let hall = node.open();
        let _ = node.hall.set(hall);
        let _ = node.vault.set(vault::open(world, index, &node.io));
        world.history.add(What::ServerStarted { server: index });
        spawn(Arc::clone(&node).speak()).detach();
        node.accept();
        node
    }

    /// Takes connections, as long as the runtime lasts.
    pub(crate) fn accept(self: &Arc<Self>) {
        let (io, keeper) = (self.io.clone(), Doorkeeper(Arc::clone(self)));
        let history = self.world.history.clone();
        spawn(async move {
            let ended = io.serve(keeper).await;
            history.add(What::Wrong {
                who: Origin::MAX,
                text: format!("nothing is accepted any more: {ended:?}"),
            });
        })
        .detach();
    }

    /// Somebody comes to the door.
    pub(crate) fn knocks(&self, end: End) {
        let mut door = self.door();
        door.backlog.push_back((end, false));
        let listener = door.listener.take();
        drop(door);
        if let Some(listener) = listener {
            listener.wake();
        }
    }

    /// It has no descriptor for another connection for so long.
    pub(crate) fn exhaust(&self, lasts: Duration) {
        let mut door = self.door();
        let opens = Instant::now() + lasts;
        let opens = door.opens.map_or(opens, |other| other.max(opens));
        door.opens = Some(opens);
        let until = self.world.history.now() + (opens - Instant::now()).as_millis() as u64;
        let server = self.index;
        self.world.history.add(What::Exhausted { server, until });
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(self: &Arc<Self>) -> Namespace<()> {
        let node = || Arc::clone(self);
        let (asked, enters, leaves) = (node(), node(), node());
        let hall = self
            .io
            .namespace("/")
            .middleware(move |_| {
                let wait = {
                    let mut rng = asked.rng.lock().unwrap_or_else(PoisonError::into_inner);
                    if rng.one_in(2) {
                        0
                    } else {
                        rng.between(1, 300)
                    }
                };
                async move {
                    if wait > 0 {
                        sleep(Duration::from_millis(wait)).await;
                    }
                    Ok(())
                }
            })
            .on_connect(move |socket| {
                enters.entered(&socket);
                async {}
            })
            .on_disconnecting(move |socket, reason| leaves.leaves(&socket, reason));
        let (say, shout, blob, flash) = (node(), node(), node(), node());
        let (join, leave, echo, slow) = (node(), node(), node(), node());
        let (ask, bye) = (node(), node());
        hall.on("say", move |socket, Args((who, number, room)): Said| {
            say.handled(&socket, who, number);
            say.tell(Some(&socket), Some(room), who, number, Kind::Kept);
            async move { Ack(number) }
        })
        .on("shout", move |socket, Args((who, number, _)): Said| {
            shout.handled(&socket, who, number);
            shout.tell(Some(&socket), None, who, number, Kind::Kept);
            async {}
        })
        .on("blob", move |socket, Args((who, number, room)): Said| {
            blob.handled(&socket, who, number);
            let bytes = Binary::from(vec![number as u8; blob_length(number)]);
            let to = blob.select(Some(&socket), Some(room), who, number, Kind::Kept);
            let _ = to.emit("blob", &Args((who, number, bytes)));
            async {}
        })
        .on("flash", move |socket, Args((who, number, room)): Said| {
            flash.handled(&socket, who, number);
            flash.tell(Some(&socket), Some(room), who, number, Kind::Volatile);
            async {}
        })
        .on("join", move |socket, Args((who, number, room)): Said| {
            join.handled(&socket, who, number);
            if socket.join(name_of(room)).is_ok() {
                let socket = join.number_of(&socket);
                join.world.history.add(What::Joined { socket, room });
            }
            async move { Ack(number) }
        })
        .on("leave", move |socket, Args((who, number, room)): Said| {
            leave.handled(&socket, who, number);
            socket.leave(name_of(room));
            let socket = leave.number_of(&socket);
            leave.world.history.add(What::LeftRoom { socket, room });
            async move { Ack(number) }
        })
        .on("echo", move |socket, Args((who, number, _)): Said| {
            echo.handled(&socket, who, number);
            async move { Ack(number) }
        })
        .on("slow", move |socket, Args((who, number, room)): Said| {
            slow.handled(&socket, who, number);
            async move {
                sleep(Duration::from_millis(300 * u64::from(room))).await;
                Ack(number)
            }
        })
        .on("ask", move |socket, Args((who, number, _)): Said| {
            ask.handled(&socket, who, number);
            let node = Arc::clone(&ask);
            async move {
                node.ask(&socket).await;
                Ack(number)
            }
        })
        .on("bye", move |socket, Args((who, number, _)): Said| {
            bye.handled(&socket, who, number);
            socket.disconnect();
            async {}
        })
        .open()
        .unwrap()
    }

    fn entered(&self, socket: &Socket) {
        let rooms = socket.rooms();
        self.world.history.add(What::Entered {
            server: self.index,
            socket: self.number_of(socket),
            who: socket.auth()["who"].as_u64().unwrap_or(u64::MAX) as Origin,
            is_recovered: socket.is_recovered(),
            rooms: numbers_of(&rooms),
        });
    }

    fn leaves(&self, socket: &Socket, reason: DisconnectReason) {
        self.world.history.add(What::Gone {
            socket: self.number_of(socket),
            reason: reason.to_string(),
            rooms: numbers_of(&socket.rooms()),
        });
    }

    fn handled(&self, socket: &Socket, who: Origin, number: u32) {
        self.world.history.add(What::Handled {
            socket: self.number_of(socket),
            who,
            number,
        });
    }

    fn number_of(&self, socket: &Socket) -> SocketNo {
        self.world.history.socket(socket.id().as_str())
    }

    /// Whom something goes to: of a socket's, half of the time to itself as well.
    fn select(
        &self,
        from: Option<&Socket>,
        target: Target,
        origin: Origin,
        number: u32,
        kind: Kind,
    ) -> Broadcast {
        let hall = self.hall();
        let (except, broadcast) = match (from, target) {
            (Some(socket), None) => (Some(socket), socket.broadcast()),
            (Some(socket), Some(room)) if number.is_multiple_of(2) => {
                (Some(socket), socket.to(name_of(room)))
            }
            (_, Some(room)) => (None, hall.to(name_of(room))),
            (None, None) => (None, hall.everyone()),
        };
        self.world.history.add(What::Emitted {
            server: self.index,
            target,
            except: except.map(|socket| self.number_of(socket)),
            origin,
            number,
            kind,
        });
        match kind {
            Kind::Volatile => broadcast.volatile(),
            _ => broadcast,
        }
    }

    fn tell(&self, from: Option<&Socket>, target: Target, origin: Origin, number: u32, kind: Kind) {
        let to = self.select(from, target, origin, number, kind);
        let _ = to.emit(event_of(kind), &Args((origin, number)));
    }

    async fn ask(&self, socket: &Socket) {
        let question = self.question.fetch_add(1, Ordering::Relaxed);
        let number = self.number_of(socket);
        self.world.history.add(What::Asked {
            socket: number,
            question,
        });
        let answer = socket
            .timeout(Duration::from_secs(8))
            .emit_with_ack::<u32>("question", &question);
        let answer = answer.await.map_err(|error| error.to_string());
        self.world.history.add(What::Answered {
            socket: number,
            question,
            answer,
        });
    }

    /// What a server says by itself, until it ends.
    async fn speak(self: Arc<Self>) {
        loop {
            let (pause, target, what) = {
                let mut rng = self.rng.lock().unwrap_or_else(PoisonError::into_inner);
                let room = rng.below(usize::from(ROOMS)) as u8;
                let target = if rng.one_in(3) { None } else { Some(room) };
                (rng.between(20, 1500), target, rng.below(6))
            };
            sleep(Duration::from_millis(pause)).await;
            if !self.is_open() || self.world.stage() != Stage::Running {
                return;
            }
            let origin = SERVERS + self.index as Origin;
            let number = self.number.fetch_add(1, Ordering::Relaxed);
            self.tell_secret(target, number);
            match what {
                0 => self.tell(None, target, origin, number, Kind::Volatile),
                1 => spawn(Arc::clone(&self).poll(target, origin, number)).detach(),
                _ => self.tell(None, target, origin, number, Kind::Kept),
            }
        }
    }

    /// Something for those who may be where it is told.
    fn tell_secret(&self, target: Target, number: u32) {
        let vault = self.vault.get().unwrap();
        let to = match target {
            Some(room) => vault.to(name_of(room)),
            None => vault.everyone(),
        };
        self.world.history.add(What::VaultEmitted {
            server: self.index,
            target,
            number,
        });
        let _ = to.emit("secret", &Args((self.index, number)));
    }

    /// A broadcast that asks each for an answer.
    async fn poll(self: Arc<Self>, target: Target, origin: Origin, number: u32) {
        let to = self.select(None, target, origin, number, Kind::Asking);
        let question = Args((origin, number));
        let mut stream = to
            .timeout(Duration::from_secs(6))
            .emit_with_ack::<u32>("poll", &question);
        let mut answers = Vec::new();
        let mut target_count = stream.target_count();
        let mut next = async || {
            poll_fn(|cx| {
                target_count = target_count.max(stream.target_count());
                let next = Pin::new(&mut stream).poll_next(cx);
                target_count = target_count.max(stream.target_count());
                next
            })
            .await
        };
        while let Some((id, answer)) = next().await {
            let socket = id.map(|id| self.world.history.socket(id.as_str()));
            answers.push((socket, answer.map_err(|error| error.to_string())));
        }
        answers.sort();
        self.world.history.add(What::Polled {
            origin,
            number,
            answers,
            target_count,
            is_less_known: stream.target_count() < target_count,
        });
    }

    /// Puts out whoever is in, or on the way in, by a login that goes on to hold elsewhere.
    pub(crate) fn kick(&self, who: Origin, login: u32) {
        self.world.history.add(What::Kicked {
            server: self.index,
            who,
            login,
        });
        self.io.auth().kick(&vault::revocation(who, login));
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Whether a connection to it comes about.
    pub(crate) fn listens(&self) -> bool {
        self.is_open() || self.is_draining.load(Ordering::Relaxed)
    }

    /// Sees everybody off within this time.
    pub(crate) async fn drain(self: Arc<Self>, lasts: Duration) {
        let server = self.index;
        self.is_draining.store(true, Ordering::Relaxed);
        self.ends("drained");
        let until = self.world.history.now() + lasts.as_millis() as u64;
        self.io.drain(lasts).await;
        self.is_draining.store(false, Ordering::Relaxed);
        self.world.history.add(What::Drained {
            server,
            until,
            sockets: self.hall().socket_count() + self.vault.get().unwrap().socket_count(),
            connections: self.io.connection_count(),
        });
    }

    /// Takes nobody any more.
    pub(crate) fn ends(&self, how: &'static str) {
        self.is_open.store(false, Ordering::Relaxed);
        self.world.history.add(What::ServerEnds {
            server: self.index,
            how,
        });
    }

    /// Nothing is heard of it any more.
    pub(crate) fn dies(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
    }

    pub(crate) fn hall(&self) -> &Namespace<()> {
        self.hall.get().unwrap()
    }

    /// What it has, and what it sees of the cluster, when all is quiet.
    pub(crate) async fn tell_state(&self) {
        let history = &self.world.history;
        let mut sockets: Vec<_> = self
            .hall()
            .sockets()
            .iter()
            .map(|socket| (self.number_of(socket), numbers_of(&socket.rooms())))
            .collect();
        sockets.sort();
        history.add(What::Has {
            server: self.index,
            sockets,
        });
        history.add(What::Backlog {
            server: self.index,
            count: self.door().backlog.len(),
        });
        vault::tell_state(&self.world, self.index, self.vault.get().unwrap());
        let seen = self.hall().fetch_sockets().await;
        let ids = seen
            .items()
            .iter()
            .map(|socket| history.socket(socket.id().as_str()));
        let mut sockets: Vec<_> = ids.collect();
        sockets.sort_unstable();
        history.add(What::Sees {
            server: self.index,
            sockets,
            missing_servers: seen.missing_servers(),
        });
    }

    pub(crate) fn tell_remains(&self) {
        self.world.history.add(What::Remains {
            server: self.index,
            sockets: self.hall().socket_count() + self.vault.get().unwrap().socket_count(),
            connections: self.io.connection_count(),
            rooms: self.hall().rooms().len(),
        });
    }
}

fn name_of(room: u8) -> String {
    format!("r{room}")
}

fn numbers_of(rooms: &[Room]) -> Vec<u8> {
    let number = |room: &Room| room.as_str().strip_prefix('r')?.parse().ok();
    let mut numbers: Vec<u8> = rooms.iter().filter_map(number).collect();
    numbers.sort_unstable();
    numbers
}
