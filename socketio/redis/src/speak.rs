//! Speaking: a connection to each Redis server that there is, and one task that says to each what is for it.
//!
//! A batch is said to all at once, and answered by all before the next. What was redirected or cannot be said for now is put back
//! [in its lane](crate::outbox), so that nothing for a slot overtakes what was there before.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use redis::aio::{AsyncPushSender, SendError};
use redis::{PushInfo, PushKind, RedisError, ServerError, Value};
use socketio::cluster::AdapterError;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::attempts::Attempts;
use crate::command::{Command, Job};
use crate::connect::{self, Connection, Lost, PING_INTERVAL};
use crate::error::Failure;
use crate::outbox::{Lane, Outbox, Waits};
use crate::shared::{Reach, Shared};
use crate::slots::{Node, Remedy, Topology};

/// How many commands go out at once.
const MAX_BATCH: usize = 256;

/// When something is tried again that a server does not take for now.
const WAIT: Duration = Duration::from_millis(100);

/// The same of what was sent back where it came from.
const BOUNCED: Duration = Duration::from_millis(20);

/// The connection to one server.
#[derive(Debug)]
enum Line {
    Down,
    Connecting,
    Up(Connection, u64),
}

/// An attempt to connect, by its number.
type Made = (Node, u64, Result<Connection, Failure>);

#[derive(Debug)]
struct Server {
    line: Line,
    /// Since when there was no connection, while there is none.
    away_since: Instant,
    attempts: Attempts,
}

/// Tells which connection was lost.
struct Watch {
    node: Node,
    number: u64,
    lost: mpsc::UnboundedSender<(Node, u64)>,
}

impl AsyncPushSender for Watch {
    fn send(&self, info: PushInfo) -> Result<(), SendError> {
        if info.kind == PushKind::Disconnection {
            // Nobody speaks any more.
            let _ = self.lost.send((self.node.clone(), self.number));
        }
        Ok(())
    }
}

struct Speaker {
    shared: Arc<Shared>,
    topology: Topology,
    servers: BTreeMap<Node, Server>,
    /// Those that have no slots, and are asked for single keys.
    guests: HashSet<Node>,
    /// Hears what any server could, for as long as it is there.
    //= RDS-01
    main: Option<Node>,
    outbox: Outbox<Sided, Instant>,
    flushes: Vec<oneshot::Sender<()>>,
    connecting: JoinSet<Made>,
    lost: mpsc::UnboundedSender<(Node, u64)>,
    made: u64,
    /// Lanes that were sent elsewhere just now.
    bounced: HashSet<Lane>,
    /// A server does not take something for now, which was told.
    is_told: bool,
}

/// A job, and who is to be asked instead of the one that has its slot.
#[derive(Debug)]
struct Sided {
    job: Job,
    instead: Option<Node>,
    /// All lanes of a single Redis are one: it keeps the order of everything.
    is_sole: bool,
}

impl Sided {
    fn words(&mut self) -> Option<&mut redis::Cmd> {
        match &mut self.job {
            Job::Say { command, .. } | Job::Ask { command, .. } | Job::AskAll { command, .. } => {
                Some(&mut command.words)
            }
            Job::Flush(_) => None,
        }
    }
}

/// What is put back, by lane, and how long it rests.
#[derive(Debug, Default)]
struct Back(BTreeMap<Lane, (Vec<Sided>, Option<Duration>)>);

impl Back {
    fn push(&mut self, lane: Lane, sided: Sided, rest: Option<Duration>) {
        let (jobs, resting) = self.0.entry(lane).or_default();
        jobs.push(sided);
        *resting = (*resting).max(rest);
    }
}

impl Waits for Sided {
    fn lane(&self) -> Option<Lane> {
        let lane = self.job.lane()?;
        Some(if self.is_sole { Lane::Any } else { lane })
    }
}

/// Says what is in the queue, until there will be no more.
pub(crate) async fn speak(shared: Arc<Shared>, mut jobs: mpsc::UnboundedReceiver<Job>) {
    let mut changes = shared.topology.subscribe();
    let (lost, mut losses) = mpsc::unbounded_channel();
    let mut speaker = Speaker::new(shared, changes.borrow_and_update().clone(), lost);
    let mut next_ping = Instant::now() + PING_INTERVAL;
    let mut arrived = Vec::new();
    loop {
        // Also while there is always something to say.
        speaker.notice(&mut changes, &mut losses);
        let batch = speaker.next_batch(Instant::now());
        if !batch.is_empty() {
            speaker.say(batch).await;
            continue;
        }
        speaker.update(&mut jobs);
        if Instant::now() >= next_ping {
            speaker.ping().await;
            next_ping = Instant::now() + PING_INTERVAL;
            continue;
        }
        let retry = speaker.outbox.next_retry().unwrap_or(next_ping);
        tokio::select! {
            biased;
            Some((node, number)) = losses.recv() => speaker.lose(&node, number, Lost),
            Some(Ok(made)) = speaker.connecting.join_next() => speaker.connected(made),
            Ok(()) = changes.changed() => changes.mark_changed(),
            received = jobs.recv_many(&mut arrived, MAX_BATCH) => {
                if received == 0 {
                    return;
                }
                speaker.put(arrived.drain(..));
            }
            () = tokio::time::sleep_until(retry.min(next_ping)) => {}
        }
    }
}

impl Speaker {
    fn new(
        shared: Arc<Shared>,
        topology: Topology,
        lost: mpsc::UnboundedSender<(Node, u64)>,
    ) -> Self {
        let mut speaker = Self {
            shared,
            topology: topology.clone(),
            servers: BTreeMap::new(),
            guests: HashSet::new(),
            main: None,
            outbox: Outbox::default(),
            flushes: Vec::new(),
            connecting: JoinSet::new(),
            lost,
            made: 0,
            bounced: HashSet::new(),
            is_told: false,
        };
        speaker.set_topology(topology);
        speaker
    }

    fn put(&mut self, jobs: impl Iterator<Item = Job>) {
        let is_sole = self.topology == Topology::Sole;
        self.outbox.put(jobs.map(|job| Sided {
            job,
            instead: None,
            is_sole,
        }));
    }

    fn set_topology(&mut self, topology: Topology) {
        let nodes = topology.nodes();
        self.topology = topology;
        self.guests.clear();
        self.servers.retain(|node, _| nodes.contains(node));
        for node in nodes {
            self.expect(node);
        }
    }

    fn expect(&mut self, node: Node) {
        self.servers.entry(node).or_insert_with(|| Server {
            line: Line::Down,
            away_since: Instant::now(),
            attempts: Attempts::default(),
        });
    }

    /// What became of connections, and of who has what.
    fn notice(
        &mut self,
        changes: &mut watch::Receiver<Topology>,
        losses: &mut mpsc::UnboundedReceiver<(Node, u64)>,
    ) {
        while let Ok((node, number)) = losses.try_recv() {
            self.lose(&node, number, Lost);
        }
        while let Some(Ok(made)) = self.connecting.try_join_next() {
            self.connected(made);
        }
        if changes.has_changed().unwrap_or_default() {
            let topology = changes.borrow_and_update().clone();
            self.set_topology(topology);
        }
        self.connect();
    }

    /// Has connections made where there are none.
    fn connect(&mut self) {
        for (node, server) in &mut self.servers {
            if matches!(server.line, Line::Down) {
                server.line = Line::Connecting;
                self.made = self.made.wrapping_add(1);
                let number = self.made;
                let watch = Watch {
                    node: node.clone(),
                    number,
                    lost: self.lost.clone(),
                };
                let (shared, node) = (Arc::clone(&self.shared), node.clone());
                let pause = server.attempts.pause();
                self.connecting.spawn(async move {
                    tokio::time::sleep(pause).await;
                    let made = shared.deployment.hear(&node, watch).await;
                    (node, number, made)
                });
            }
        }
    }

    fn connected(&mut self, (node, number, made): Made) {
        // It may be gone, or have come back, meanwhile.
        let Some(server) = self.servers.get_mut(&node) else {
            return;
        };
        match made {
            Ok(connection) => {
                server.line = Line::Up(connection, number);
            }
            Err(error) => {
                server.line = Line::Down;
                server.attempts.failed(&self.shared, error);
                self.shared.stale.notify_one();
            }
        }
    }

    /// A connection was lost, if it is still the one that is used.
    fn lose(&mut self, node: &Node, number: u64, error: impl Into<Failure>) {
        let Some(server) = self.servers.get_mut(node) else {
            return;
        };
        if matches!(server.line, Line::Up(_, used) if used == number) {
            server.line = Line::Down;
            server.away_since = Instant::now();
            server.attempts.failed(&self.shared, error);
            self.shared.stale.notify_one();
        }
    }

    /// Not before it has is one who can be connected to of any use.
    fn answered(&mut self, node: &Node) {
        if let Some(server) = self.servers.get_mut(node) {
            server.attempts.succeeded();
        }
    }

    fn line(&self, node: &Node) -> Option<&Connection> {
        match &self.servers.get(node)?.line {
            Line::Up(connection, _) => Some(connection),
            Line::Down | Line::Connecting => None,
        }
    }

    /// Who is told what any server could be told: one and the same while it is there, and for all that speak the same one if that
    /// can be.
    fn choose_main(&mut self) {
        if self
            .main
            .as_ref()
            .is_some_and(|main| self.line(main).is_some())
        {
            return;
        }
        let preferred = self
            .topology
            .owner(0)
            .filter(|node| self.line(node).is_some());
        let other = || self.servers.keys().find(|node| self.line(node).is_some());
        self.main = preferred.or_else(other).cloned();
    }

    /// Who is told what is in a lane.
    fn owner(&self, lane: Lane) -> Option<&Node> {
        match lane {
            Lane::Any => self.main.as_ref(),
            Lane::Slot(slot) => self.topology.owner(slot),
        }
    }

    fn next_batch(&mut self, now: Instant) -> Vec<Sided> {
        self.choose_main();
        let mut outbox = std::mem::take(&mut self.outbox);
        let is_open = |lane| {
            self.owner(lane)
                .is_some_and(|node| self.line(node).is_some())
        };
        let batch = outbox.take(MAX_BATCH, now, is_open);
        self.outbox = outbox;
        batch
    }

    /// Tells whether all that is said is heard. While it is not, own clients wait for nothing.
    fn update(&mut self, jobs: &mut mpsc::UnboundedReceiver<Job>) {
        let mut lines = self
            .servers
            .iter()
            .filter(|(node, _)| !self.guests.contains(*node));
        let is_up = |(_, server): (_, &Server)| matches!(server.line, Line::Up(..));
        let is_reached = match self.shared.reach {
            Reach::Any => lines.any(is_up),
            Reach::All => !self.servers.is_empty() && lines.all(is_up),
        };
        let is_speaking = is_reached && !self.outbox.is_held_up();
        if !self.outbox.is_held_up() {
            self.is_told = false;
            self.bounced.clear();
            for said in self.flushes.drain(..) {
                // Whoever asked may have stopped waiting.
                let _ = said.send(());
            }
        }
        let is_changed = self
            .shared
            .change(|condition| condition.is_speaking = is_speaking);
        if is_changed {
            self.shared.tell_connected();
        }
        if !is_speaking {
            // Whatever was put in the queue until then finds own clients waiting.
            self.put(std::iter::from_fn(|| jobs.try_recv().ok()));
            let shared = &self.shared;
            for sided in self.outbox.iter_mut() {
                if let Job::Say { kept, .. } = &mut sided.job
                    && let Some(kept) = kept.take()
                {
                    shared.give_back(*kept);
                }
            }
        }
    }

    async fn ping(&mut self) {
        let lines = self
            .servers
            .iter()
            .filter_map(|(node, server)| match &server.line {
                Line::Up(connection, number) => Some((node.clone(), *number, connection.clone())),
                Line::Down | Line::Connecting => None,
            });
        let pings: Vec<_> = lines
            .map(|(node, number, mut connection)| async move {
                let pinged = connect::ping(&mut connection).await;
                (node, number, pinged)
            })
            .collect();
        for (node, number, pinged) in join_all(pings).await {
            match pinged {
                Ok(()) => self.answered(&node),
                Err(error) => self.lose(&node, number, error),
            }
        }
    }

    /// Says a batch to whom it is for, and settles what they answer.
    async fn say(&mut self, batch: Vec<Sided>) {
        let mut parts = BTreeMap::<Node, Vec<Sided>>::new();
        let mut back = Back::default();
        for sided in batch {
            match sided.job {
                Job::Flush(said) => {
                    self.flushes.push(said);
                    self.shared.said(1, 0);
                }
                Job::AskAll {
                    command,
                    grace,
                    answers,
                } => {
                    self.ask_all(&command, grace, &answers, &mut parts);
                    self.shared.said(1, 0);
                }
                Job::Say { .. } | Job::Ask { .. } => self.address(sided, &mut parts, &mut back),
            }
        }
        let mut saying = Vec::new();
        for (node, jobs) in parts {
            if let Some(Server {
                line: Line::Up(connection, number),
                ..
            }) = self.servers.get(&node)
            {
                saying.push(say_to(node, *number, connection.clone(), jobs));
            }
        }
        for said in join_all(saying).await {
            self.settle(said, &mut back);
        }
        let now = Instant::now();
        for (lane, (jobs, rest)) in back.0 {
            self.outbox
                .put_back(lane, jobs, rest.map(|rest| now + rest));
        }
    }

    /// Every server answers, or has not.
    fn ask_all(
        &self,
        command: &Command,
        grace: Duration,
        answers: &mpsc::UnboundedSender<Result<Value, AdapterError>>,
        parts: &mut BTreeMap<Node, Vec<Sided>>,
    ) {
        for (node, server) in &self.servers {
            if self.guests.contains(node) {
                continue;
            }
            if self.line(node).is_none() {
                if server.away_since.elapsed() < grace {
                    // Whoever asked may have stopped waiting.
                    let _ = answers.send(Err(AdapterError::bus(Lost)));
                }
                continue;
            }
            let job = Job::AskAll {
                command: command.clone(),
                grace,
                answers: answers.clone(),
            };
            parts.entry(node.clone()).or_default().push(Sided {
                job,
                instead: None,
                is_sole: false,
            });
        }
    }

    fn address(
        &mut self,
        mut sided: Sided,
        parts: &mut BTreeMap<Node, Vec<Sided>>,
        back: &mut Back,
    ) {
        let Some(lane) = sided.lane() else {
            return;
        };
        if back.0.contains_key(&lane) {
            return back.push(lane, sided, None);
        }
        let target = sided.instead.as_ref().or_else(|| self.owner(lane));
        if let Some(node) = target.filter(|node| self.line(node).is_some()).cloned() {
            return parts.entry(node).or_default().push(sided);
        }
        if let Some(guest) = sided.instead.take() {
            self.guests.insert(guest.clone());
            self.expect(guest);
        }
        back.push(lane, sided, Some(BOUNCED));
    }

    fn settle(&mut self, said: Said, back: &mut Back) {
        let Said {
            node,
            number,
            jobs,
            commands,
            answers,
        } = said;
        let answers = match answers {
            Ok(answers) => answers,
            Err(error) => return self.fail(&node, number, jobs, error),
        };
        let is_master = |answer: &Value| match answer {
            Value::ServerError(error) => error.code() != "READONLY",
            _ => true,
        };
        if answers.iter().all(is_master) {
            self.answered(&node);
        }
        let mut answers = answers.into_iter();
        let mut words = commands.cmd_iter();
        for mut sided in jobs {
            if sided.instead.take().is_some() {
                // What was answered to ASKING says nothing.
                answers.next();
                words.next();
            }
            let (answer, said) = (answers.next(), words.next());
            let error = match answer {
                Some(Value::ServerError(error)) => error,
                answer => {
                    self.done(sided.job, answer);
                    continue;
                }
            };
            let remedy = Remedy::of(error.code(), error.details(), &node);
            let (Some(lane), Some(said), false) = (sided.lane(), said, remedy == Remedy::Tell)
            else {
                self.refuse(sided.job, error);
                continue;
            };
            if let Some(words) = sided.words() {
                words.clone_from(said);
            }
            let rest = self.help(remedy, lane, &mut sided, (&node, number), error);
            back.push(lane, sided, rest);
        }
    }

    /// Does what helps against an error. How long what was refused has to rest.
    fn help(
        &mut self,
        remedy: Remedy,
        lane: Lane,
        sided: &mut Sided,
        (node, number): (&Node, u64),
        error: ServerError,
    ) -> Option<Duration> {
        match remedy {
            Remedy::Moved(slot, owner) => {
                self.shared.moved(vec![(slot, owner)]);
                (!self.bounced.insert(lane)).then_some(BOUNCED)
            }
            Remedy::Ask(owner) => {
                sided.instead = Some(owner);
                None
            }
            Remedy::Reconnect => {
                self.lose(node, number, RedisError::from(error));
                None
            }
            Remedy::Wait | Remedy::Tell => {
                self.shared.stale.notify_one();
                if !std::mem::replace(&mut self.is_told, true) {
                    self.shared
                        .report(AdapterError::bus(RedisError::from(error)));
                }
                Some(WAIT)
            }
        }
    }

    fn done(&self, job: Job, answer: Option<Value>) {
        let answer = answer.ok_or_else(|| AdapterError::bus(Lost));
        let bytes = job.bytes();
        // Whoever asked may have stopped waiting.
        match job {
            Job::Ask { answer: asked, .. } => {
                let _ = asked.send(answer);
            }
            Job::AskAll { answers, .. } => {
                let _ = answers.send(answer);
                // It was counted once, for all.
                return;
            }
            Job::Say { .. } | Job::Flush(_) => {}
        }
        self.shared.said(1, bytes);
    }

    fn refuse(&self, job: Job, error: ServerError) {
        let bytes = job.bytes();
        match job {
            Job::Ask { command, answer } => {
                let _ = answer.send(Err(command.refused(error)));
            }
            Job::AskAll {
                command, answers, ..
            } => {
                let _ = answers.send(Err(command.refused(error)));
                return;
            }
            Job::Say { command, kept } => {
                self.shared.report(command.refused(error));
                if let Some(kept) = kept {
                    self.shared.give_back_refused(*kept);
                }
            }
            Job::Flush(_) => {}
        }
        self.shared.said(1, bytes);
    }

    /// What was on its way may or may not have arrived.
    fn fail(&mut self, node: &Node, number: u64, jobs: Vec<Sided>, error: RedisError) {
        self.shared
            .change(|condition| condition.is_speaking = false);
        self.lose(node, number, error);
        for sided in jobs {
            let bytes = sided.job.bytes();
            match sided.job {
                Job::Say { kept, .. } => {
                    if let Some(kept) = kept {
                        self.shared.give_back(*kept);
                    }
                }
                // Who asks one is told by what is dropped.
                Job::Ask { .. } | Job::Flush(_) => {}
                Job::AskAll { answers, .. } => {
                    let _ = answers.send(Err(AdapterError::bus(Lost)));
                    continue;
                }
            }
            self.shared.said(1, bytes);
        }
    }
}

/// What a server was told, and what it answered.
struct Said {
    node: Node,
    number: u64,
    jobs: Vec<Sided>,
    commands: redis::Pipeline,
    answers: Result<Vec<Value>, RedisError>,
}

async fn say_to(node: Node, number: u64, mut connection: Connection, mut jobs: Vec<Sided>) -> Said {
    let mut commands = redis::pipe();
    for sided in &mut jobs {
        if sided.instead.is_some() {
            commands.cmd("ASKING");
        }
        if let Some(words) = sided.words() {
            commands.add_command(std::mem::take(words));
        }
    }
    let answers = connect::send(&mut connection, &commands).await;
    Said {
        node,
        number,
        jobs,
        commands,
        answers,
    }
}
