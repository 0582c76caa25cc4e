//! A run: servers, clients, a network, a clock and faults, all drawn from one seed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use socketio::auth::revocation::MemoryRevocations;
use socketio::cluster::LocalBus;
use tokio::runtime::Runtime;
use tokio::time::{Instant, sleep};

use crate::bus::Bus;
use crate::executor::{Executor, spawn};
use crate::history::{History, Origin, Record, SocketNo, What};
use crate::net::{End, Fate, Wire};
use crate::node::Node;
use crate::person::{Memory, Person};
use crate::rng::Rng;
use crate::stream::Stream;
use crate::vault;

pub(crate) const ROOMS: u8 = 4;

/// Long enough for every time limit of a run to have passed.
const SETTLES: Duration = Duration::from_secs(45);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Running,
    /// No more faults, nothing new.
    Settling,
    /// Everybody goes home.
    Leaving,
}

pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) history: History,
    /// How long a client waits between two things it does, on average.
    pub(crate) pace_ms: u64,
    people: Origin,
    /// The servers share a log, by which clients come back to any of them.
    pub(crate) follows_log: bool,
    stage: AtomicU8,
    nodes: Mutex<Vec<Arc<Node>>>,
    wires: Mutex<Vec<(usize, Wire)>>,
    streams: AtomicU64,
    /// Of logins, known to all servers.
    pub(crate) revocations: MemoryRevocations,
    /// Who was let into the guarded namespace last, by which login.
    visitors: Mutex<BTreeMap<Origin, u32>>,
    /// What clients keep over the end of their runtime.
    kept: Mutex<BTreeMap<Origin, Memory>>,
    /// Who is connected: the connection, the socket and the server.
    present: Mutex<BTreeMap<Origin, (u32, SocketNo, usize)>>,
}

impl World {
    /// Everything that happens under a seed.
    pub(crate) fn run(seed: u64) -> Vec<Record> {
        let mut rng = Rng::new(seed, 0);
        let server_count = rng.between(1, 3) as usize;
        // The servers of a cluster end with the runtime that they were built on.
        let outlives_its_runtime = server_count == 1 && rng.one_in(2);
        let follows_log = server_count > 1 && Rng::new(seed, 3).one_in(2);
        let runtime = runtime();
        let (world, left) = runtime.block_on(async {
            socketio::testing::set_wall_clock(vault::DAWN);
            engineio::fuzzing::seed(seed);
            let world = Arc::new(Self {
                seed,
                history: History::start(),
                pace_ms: rng.between(50, 1500),
                people: rng.between(2, 9) as Origin,
                follows_log,
                stage: AtomicU8::new(Stage::Running as u8),
                nodes: Mutex::default(),
                wires: Mutex::default(),
                streams: AtomicU64::new(0),
                revocations: MemoryRevocations::new(),
                visitors: Mutex::default(),
                kept: Mutex::default(),
                present: Mutex::default(),
            });
            let main = async {
                let bus = (server_count > 1).then(|| world.link());
                for index in 0..server_count {
                    world.start_server(bus.as_ref(), index);
                }
                world.live(bus, &mut rng).await;
                if !outlives_its_runtime {
                    world.settle().await;
                }
            };
            Executor::new(Rng::new(seed, 1), main).await;
            (Arc::clone(&world), Instant::now())
        });
        drop(runtime);
        if outlives_its_runtime {
            world.history.add_at(left, What::RuntimeEnds);
            self::runtime().block_on(async {
                // Each runtime has a clock of its own, and none goes back.
                tokio::time::advance(left.saturating_duration_since(Instant::now())).await;
                let main = async {
                    for node in world.open_nodes() {
                        node.accept();
                    }
                    world.live(None, &mut rng).await;
                    world.settle().await;
                };
                Executor::new(Rng::new(seed, 2), main).await;
            });
        }
        world.history.take()
    }

    fn link(&self) -> Bus {
        if !self.follows_log {
            return Bus::Plain(LocalBus::new());
        }
        self.history.add(What::FollowsLog);
        Bus::Logged(Stream::new(&self.history))
    }

    /// Servers and clients go about, and things break.
    async fn live(self: &Arc<Self>, bus: Option<Bus>, rng: &mut Rng) {
        if self.alive().is_empty() {
            // The one that was to take the place of the last has ended with its runtime.
            let next = self.nodes().len();
            self.start_server(bus.as_ref(), next);
        }
        for who in 0..self.people {
            spawn(Person::new(self, who).live()).detach();
        }
        let lasts = Duration::from_secs(rng.between(20, 90));
        let faults = Rng::new(rng.next(), 1);
        let faults = spawn(Arc::clone(self).break_things(bus, faults));
        sleep(lasts).await;
        drop(faults);
    }

    /// Nothing breaks any more, and everybody goes home.
    async fn settle(&self) {
        self.enter(Stage::Settling);
        for (_, wire) in self.wires().iter() {
            wire.heal();
        }
        sleep(SETTLES).await;
        self.history.add(What::Quiet);
        let present = self.present().clone();
        for (who, (connection, socket, server)) in present {
            self.history.add(What::IsIn {
                who,
                connection,
                socket,
                server,
            });
        }
        for node in self.open_nodes() {
            node.tell_state().await;
        }
        self.enter(Stage::Leaving);
        sleep(SETTLES).await;
        for node in self.open_nodes() {
            node.tell_remains();
        }
    }

    async fn break_things(self: Arc<Self>, bus: Option<Bus>, mut rng: Rng) {
        let pace = rng.between(200, 6000);
        loop {
            sleep(Duration::from_millis(rng.between(1, 2 * pace))).await;
            self.wires().retain(|(_, wire)| wire.is_in_use());
            let wires = self.wires().clone();
            if wires.is_empty() {
                continue;
            }
            let (_, wire) = wires[rng.below(wires.len())].clone();
            match rng.below(22) {
                20.. => {
                    let open = self.open_nodes();
                    if !open.is_empty() {
                        let lasts = Duration::from_millis(rng.between(100, 8_000));
                        open[rng.below(open.len())].exhaust(lasts);
                    }
                }
                16..20 => self.revoke(&mut rng),
                0..6 => self.fault(&wire, Fate::Cut, "cut"),
                6..9 => {
                    self.fault(&wire, Fate::Stalled, "stall");
                    let lasts = Duration::from_millis(rng.between(100, 12_000));
                    spawn(async move {
                        sleep(lasts).await;
                        wire.heal();
                    })
                    .detach();
                }
                9..11 => self.fault(&wire, Fate::HalfOpen, "half-open"),
                11 => {
                    for (_, wire) in &wires {
                        self.fault(wire, Fate::Cut, "cut all");
                    }
                }
                _ if rng.one_in(if self.follows_log { 2 } else { 4 }) => {
                    self.end_server(bus.as_ref(), &mut rng);
                }
                _ => {}
            }
        }
    }

    fn fault(&self, wire: &Wire, fate: Fate, what: &'static str) {
        self.history.add(What::Fault { what });
        wire.set(fate);
    }

    /// Ends the login of somebody, who may be in, on the way in, or away.
    fn revoke(&self, rng: &mut Rng) {
        let visitors = self
            .visitors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if visitors.is_empty() {
            return;
        }
        let chosen = rng.below(visitors.len());
        let chosen = visitors.into_iter().nth(chosen);
        let Some((who, login)) = chosen else { return };
        if rng.one_in(2) {
            for node in self.open_nodes() {
                node.kick(who, login);
            }
            return;
        }
        let _ = self.revocations.revoke(&vault::revocation(who, login));
        self.history.add(What::Revoked { who, login });
    }

    pub(crate) fn keep(&self, who: Origin, memory: Memory) {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(who, memory);
    }

    pub(crate) fn kept(&self, who: Origin) -> Option<Memory> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&who)
    }

    pub(crate) fn visits(&self, who: Origin, login: u32) {
        let mut visitors = self.visitors.lock().unwrap_or_else(PoisonError::into_inner);
        visitors.insert(who, login);
    }

    /// One server ends in one way or another, and another takes its place.
    fn end_server(self: &Arc<Self>, bus: Option<&Bus>, rng: &mut Rng) {
        let open = self.open_nodes();
        if open.is_empty() {
            return;
        }
        let node = Arc::clone(&open[rng.below(open.len())]);
        // Who can come back to another server is to be killed more often.
        let is_killed = self.follows_log && rng.one_in(3);
        match rng.below(3) {
            how if how == 0 || is_killed => {
                node.ends("killed");
                node.dies();
                for (server, wire) in self.wires().iter() {
                    if *server == node.index {
                        wire.set(Fate::Cut);
                    }
                }
            }
            1 => {
                node.ends("closed");
                node.io.close();
            }
            _ => {
                let lasts_ms = if rng.one_in(3) {
                    0
                } else {
                    rng.between(1, 15_000)
                };
                spawn(node.drain(Duration::from_millis(lasts_ms))).detach();
            }
        }
        let (world, bus) = (Arc::clone(self), bus.cloned());
        let pause = Duration::from_millis(rng.between(0, 4000));
        spawn(async move {
            sleep(pause).await;
            let next = world.nodes().len();
            world.start_server(bus.as_ref(), next);
        })
        .detach();
    }

    fn start_server(self: &Arc<Self>, bus: Option<&Bus>, index: usize) {
        let node = Node::start(self, bus, index);
        self.nodes().push(node);
    }

    /// A stream to a server; `None` when nobody listens there.
    pub(crate) fn connect(&self, server: usize) -> Option<End> {
        let node = self
            .nodes()
            .get(server)
            .filter(|node| node.listens())
            .cloned()?;
        let stream = self.streams.fetch_add(1, Ordering::Relaxed);
        let mut rng = Rng::new(self.seed, 1_000_000 + stream);
        let (near, far, wire) = Wire::lay(&mut rng);
        self.wires().push((server, wire));
        node.knocks(far);
        Some(near)
    }

    pub(crate) fn alive(&self) -> Vec<usize> {
        self.open_nodes().iter().map(|node| node.index).collect()
    }

    fn open_nodes(&self) -> Vec<Arc<Node>> {
        self.nodes()
            .iter()
            .filter(|node| node.is_open())
            .cloned()
            .collect()
    }

    pub(crate) fn is_in(&self, who: Origin, place: Option<(u32, SocketNo, usize)>) {
        match place {
            Some(place) => self.present().insert(who, place),
            None => self.present().remove(&who),
        };
    }

    pub(crate) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Relaxed) {
            0 => Stage::Running,
            1 => Stage::Settling,
            _ => Stage::Leaving,
        }
    }

    fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    fn nodes(&self) -> MutexGuard<'_, Vec<Arc<Node>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wires(&self) -> MutexGuard<'_, Vec<(usize, Wire)>> {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn present(&self) -> MutexGuard<'_, BTreeMap<Origin, (u32, SocketNo, usize)>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

/// How long the attachment of the event with this number is.
pub(crate) fn blob_length(number: u32) -> usize {
    number as usize * 37 % 3000
}
