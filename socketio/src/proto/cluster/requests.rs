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
}

/// What is lacking of a question that is given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lacking {
    /// Servers that have not answered.
    pub(crate) servers: usize,
    /// Acknowledgements that were announced and have not come.
    pub(crate) acks: u64,
}

/// Whose answers make a question complete.
pub(super) enum Waited {
    /// Those of these servers.
    Known(HashSet<ServerId>),
    /// Those of so many.
    Count(usize),
    /// The adapter has not said yet.
    Unknown,
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
            waiter,
        };
        self.open.insert(id.clone(), request);
        Ok(())
    }

    pub(super) fn expect(&mut self, id: &RequestId, server_count: usize) {
        if let Some(request) = self.open.get_mut(id) {
            request.waited = Waited::Count(server_count);
        }
    }

    /// Notes an answer; to which question it is, and who waits for it. `None` when nobody does: it comes too late, twice,
    /// or was never asked for.
    pub(super) fn answer(&mut self, from: &ServerId, body: &ClusterBody) -> Option<(RequestId, W)> {
        let (id, kind) = match body {
            ClusterBody::FetchSocketsResponse { request_id, .. } => (request_id, Kind::Sockets),
            ClusterBody::ServerSideEmitResponse { request_id, .. } => {
                (request_id, Kind::ServerSide)
            }
            ClusterBody::BroadcastClientCount { request_id, .. }
            | ClusterBody::BroadcastAck { request_id, .. } => (request_id, Kind::Acks),
            _ => return None,
        };
        let request = self.open.get_mut(id)?;
        let is_new_past_bound =
            request.answers.len() >= MAX_SERVERS && !request.answers.contains_key(from);
        if request.kind != kind || is_new_past_bound {
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
            missing == Some(0) && is_each_done
        })
    }

    /// Takes a question off the list; who waited, and what was lacking.
    pub(super) fn close(&mut self, id: &RequestId) -> Option<(W, Lacking)> {
        let request = self.open.remove(id)?;
        let lacking = Lacking {
            // At least one, where nobody can say how many there are.
            servers: request.missing_servers().unwrap_or(1),
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
                Waited::Known(servers) => {
                    servers.remove(server);
                }
                Waited::Count(count) => *count = count.saturating_sub(1),
                Waited::Unknown => {}
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
        let has_spoken = |server: &ServerId| {
            let progress = self.answers.get(server);
            progress.is_some_and(|progress| progress.announced.is_some())
        };
        match &self.waited {
            Waited::Known(servers) => {
                Some(servers.iter().filter(|server| !has_spoken(server)).count())
            }
            Waited::Count(count) => {
                let spoken = self.answers.keys().filter(|server| has_spoken(server));
                Some(count.saturating_sub(spoken.count()))
            }
            Waited::Unknown => None,
        }
    }

    fn missing_acks(&self) -> u64 {
        let missing = self.answers.values().map(|progress| {
            let announced = progress.announced.unwrap_or_default();
            announced.saturating_sub(progress.acks)
        });
        missing.fold(0, u64::saturating_add)
    }
}
