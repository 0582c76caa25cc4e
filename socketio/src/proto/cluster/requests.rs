//! The questions that are open, and who has answered them.

use std::collections::{HashMap, HashSet};

use super::members::MAX_SERVERS;
use super::message::{ClusterBody, RequestId, ServerId};

/// How many acknowledgements of a server are taken before it has said how many there will be.
pub(super) const MAX_EARLY_ACKS: u64 = 1024;

/// No more questions may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyRequests;

/// What a question asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One answer of each server, sockets.
    Sockets,
    /// One answer of each server, what its handlers say.
    ServerSide,
    /// A number of each server, and as many acknowledgements.
    Acks,
    /// One answer of each server, its rooms.
    Rooms,
}

impl Kind {
    /// Whether the question is an event too, which goes out whoever is there, and in order with others.
    pub(crate) const fn is_event(self) -> bool {
        matches!(self, Self::ServerSide | Self::Acks)
    }

    const fn of_answer(body: &ClusterBody) -> Option<Self> {
        Some(match body {
            ClusterBody::FetchSocketsResponse { .. } => Self::Sockets,
            ClusterBody::ServerSideEmitResponse { .. } => Self::ServerSide,
            ClusterBody::BroadcastClientCount { .. } | ClusterBody::BroadcastAck { .. } => {
                Self::Acks
            }
            ClusterBody::AllRoomsResponse { .. } => Self::Rooms,
            _ => return None,
        })
    }
}

/// How many servers there are, as far as is known.
///
/// A number that may be too low is said to be: what counts on it would take a part for the whole.
//= RDS-07
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerCount {
    /// So many.
    Exactly(usize),
    /// So many are known, and there may be more: after a bus was away, for example, until all can be back.
    AtLeast(usize),
}

impl ServerCount {
    /// The number that is known.
    #[must_use]
    pub const fn get(self) -> usize {
        match self {
            Self::Exactly(count) | Self::AtLeast(count) => count,
        }
    }

    /// Whether there are no more.
    #[must_use]
    pub const fn is_exact(self) -> bool {
        matches!(self, Self::Exactly(_))
    }

    /// The same without this server.
    pub(crate) const fn others(self) -> Self {
        match self {
            Self::Exactly(count) => Self::Exactly(count.saturating_sub(1)),
            Self::AtLeast(count) => Self::AtLeast(count.saturating_sub(1)),
        }
    }
}

/// What is lacking of a question that is given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lacking {
    /// Servers that have not answered, of those that are known.
    pub(crate) servers: usize,
    /// There may be more, which were not known of.
    pub(crate) unknown_servers: bool,
    /// Acknowledgements that were announced and have not come.
    pub(crate) acks: u64,
}

/// Whose answers make a question complete.
pub(super) enum Waited {
    /// Those of these servers, and of others that may be there unless these are all.
    Known {
        servers: HashSet<ServerId>,
        are_all: bool,
    },
    /// Those of so many others.
    Count(ServerCount),
}

impl Waited {
    /// The adapter has not said yet.
    pub(super) const UNKNOWN: Self = Self::Count(ServerCount::AtLeast(0));
}

/// How far a server has answered.
#[derive(Default)]
struct Progress {
    /// How many acknowledgements it has announced, 0 where one answer is all.
    announced: Option<u64>,
    acks: u64,
}

impl Progress {
    fn is_done(&self) -> bool {
        self.announced
            .is_some_and(|announced| self.acks >= announced)
    }
}

/// How far those have answered that do not say who they are.
#[derive(Default)]
struct Anonymous {
    /// How many answers there were, each of another server as far as can be told.
    servers: usize,
    announced: u64,
    acks: u64,
}

impl Anonymous {
    /// Notes an answer; false when it is too much.
    fn hear(&mut self, body: &ClusterBody, is_any_missing: bool) -> bool {
        if matches!(body, ClusterBody::BroadcastAck { .. }) {
            let early = if is_any_missing { MAX_EARLY_ACKS } else { 0 };
            let is_taken = self.acks < self.announced.saturating_add(early);
            self.acks = self.acks.saturating_add(u64::from(is_taken));
            return is_taken;
        }
        if self.servers >= MAX_SERVERS {
            return false;
        }
        self.servers = self.servers.saturating_add(1);
        if let ClusterBody::BroadcastClientCount { client_count, .. } = body {
            self.announced = self.announced.saturating_add(*client_count);
        }
        true
    }

    fn missing_acks(&self) -> u64 {
        self.announced.saturating_sub(self.acks)
    }
}

/// What a question lost with a server that had begun to answer it.
pub(super) struct Lost<W> {
    pub(super) waiter: W,
    /// Acknowledgements that have come of a number that never will.
    pub(super) unannounced: u64,
    /// Acknowledgements that do not come any more.
    pub(super) acks: u64,
}

struct Request<W> {
    kind: Kind,
    waited: Waited,
    answers: HashMap<ServerId, Progress>,
    anonymous: Anonymous,
    waiter: W,
}

pub(super) struct Requests<W> {
    open: HashMap<RequestId, Request<W>>,
    max: usize,
}

impl<W: Clone> Requests<W> {
    pub(super) fn new(max: usize) -> Self {
        Self {
            open: HashMap::new(),
            max,
        }
    }

    pub(super) fn open(
        &mut self,
        id: &RequestId,
        kind: Kind,
        waited: Waited,
        waiter: W,
    ) -> Result<(), TooManyRequests> {
        if self.open.len() >= self.max {
            return Err(TooManyRequests);
        }
        let request = Request {
            kind,
            waited,
            answers: HashMap::new(),
            anonymous: Anonymous::default(),
            waiter,
        };
        self.open.insert(id.clone(), request);
        Ok(())
    }

    /// A server is there. Whoever does not know yet who all are waits for it as well.
    pub(super) fn met(&mut self, server: &ServerId) {
        for request in self.open.values_mut() {
            if let Waited::Known {
                servers,
                are_all: false,
            } = &mut request.waited
                && servers.len() < MAX_SERVERS
            {
                servers.insert(server.clone());
            }
        }
    }

    /// All who are there have said so. The questions that this may have completed.
    pub(super) fn introduced(&mut self) -> Vec<RequestId> {
        for request in self.open.values_mut() {
            if let Waited::Known { are_all, .. } = &mut request.waited {
                *are_all = true;
            }
        }
        self.open.keys().cloned().collect()
    }

    pub(super) fn expect(&mut self, id: &RequestId, others: ServerCount) {
        if let Some(request) = self.open.get_mut(id) {
            request.waited = Waited::Count(others);
        }
    }

    /// Notes an answer; to which question it is, and who waits for it. `None` when nobody does: it comes too late, twice,
    /// or was never asked for.
    pub(super) fn answer(&mut self, from: &ServerId, body: &ClusterBody) -> Option<(RequestId, W)> {
        let (id, kind) = (body.answered()?, Kind::of_answer(body)?);
        let request = self.open.get_mut(id)?;
        if request.kind != kind {
            return None;
        }
        if from.is_anonymous() {
            let is_any_missing = request.missing_servers() != Some(0);
            let is_taken = request.anonymous.hear(body, is_any_missing);
            return is_taken.then(|| (id.clone(), request.waiter.clone()));
        }
        if request.answers.len() >= MAX_SERVERS && !request.answers.contains_key(from) {
            return None;
        }
        let progress = request.answers.entry(from.clone()).or_default();
        match body {
            ClusterBody::BroadcastAck { .. } => {
                if progress.acks >= progress.announced.unwrap_or(MAX_EARLY_ACKS) {
                    return None;
                }
                progress.acks = progress.acks.saturating_add(1);
            }
            ClusterBody::BroadcastClientCount { client_count, .. } => {
                if progress.announced.is_some() {
                    return None;
                }
                progress.announced = Some(*client_count);
            }
            _ => {
                if progress.announced.is_some() {
                    return None;
                }
                progress.announced = Some(0);
            }
        }
        Some((id.clone(), request.waiter.clone()))
    }

    /// Waits no longer for a server; the questions that this may have completed, and what each lost by it.
    ///
    /// Whoever comes back after all has nothing more to say to a question that it had begun to answer: its clients have
    /// been given up.
    pub(super) fn has_left(&mut self, server: &ServerId) -> Vec<(RequestId, Option<Lost<W>>)> {
        let ended = self.open.iter_mut().map(|(id, request)| {
            let lost = request.lose(server).map(|(unannounced, acks)| Lost {
                waiter: request.waiter.clone(),
                unannounced,
                acks,
            });
            (id.clone(), lost)
        });
        ended.collect()
    }

    pub(super) fn is_complete(&self, id: &RequestId) -> bool {
        self.open.get(id).is_some_and(|request| {
            let missing = request.missing_servers();
            let is_each_done = request.answers.values().all(Progress::is_done);
            missing == Some(0) && is_each_done && request.anonymous.missing_acks() == 0
        })
    }

    /// Takes a question off the list; who waited, and what was lacking.
    pub(super) fn close(&mut self, id: &RequestId) -> Option<(W, Lacking)> {
        let request = self.open.remove(id)?;
        let lacking = Lacking {
            servers: request.silent_servers(),
            unknown_servers: !request.is_number_known(),
            acks: request.missing_acks(),
        };
        Some((request.waiter, lacking))
    }
}

impl<W> Request<W> {
    /// Waits no longer for a server. Of one that had begun to answer and was not done, how many acknowledgements came
    /// unannounced, and how many do not come.
    fn lose(&mut self, server: &ServerId) -> Option<(u64, u64)> {
        let Some(progress) = self.answers.get_mut(server) else {
            match &mut self.waited {
                Waited::Known { servers, .. } => {
                    servers.remove(server);
                }
                // It may be one of those that have answered.
                Waited::Count(_) if self.anonymous.servers > 0 => {}
                Waited::Count(count) => *count = count.others(),
            }
            return None;
        };
        let acks = progress.acks;
        match progress.announced.replace(acks) {
            Some(announced) if announced > acks => Some((0, announced - acks)),
            Some(announced) => {
                progress.announced = Some(announced);
                None
            }
            None => Some((acks, 0)),
        }
    }

    /// How many servers have said nothing; `None` when it is not known of how many.
    fn missing_servers(&self) -> Option<usize> {
        self.is_number_known().then(|| self.silent_servers())
    }

    fn is_number_known(&self) -> bool {
        match &self.waited {
            Waited::Known { are_all, .. } => *are_all,
            Waited::Count(count) => count.is_exact(),
        }
    }

    /// How many of the servers that are known have said nothing.
    fn silent_servers(&self) -> usize {
        let has_spoken = |server: &ServerId| {
            let progress = self.answers.get(server);
            progress.is_some_and(|progress| progress.announced.is_some())
        };
        let silent = match &self.waited {
            Waited::Known { servers, .. } => {
                servers.iter().filter(|server| !has_spoken(server)).count()
            }
            Waited::Count(count) => {
                let spoken = self.answers.keys().filter(|server| has_spoken(server));
                count.get().saturating_sub(spoken.count())
            }
        };
        silent.saturating_sub(self.anonymous.servers)
    }

    fn missing_acks(&self) -> u64 {
        let missing = self.answers.values().map(|progress| {
            let announced = progress.announced.unwrap_or_default();
            announced.saturating_sub(progress.acks)
        });
        missing.fold(self.anonymous.missing_acks(), u64::saturating_add)
    }
}
