//! Where the machine stands, and what it keeps there.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::messages::{Change, QueuedPacket};
use crate::base::moment::Moment;
use crate::policy::settings::NamespacePolicy;
use crate::subject::Subject;

/// Nothing leads back from a stage to one above it.
#[derive(Clone)]
#[cfg_attr(test, derive(Hash))]
pub(super) enum Stage<M> {
    /// Before CONNECT.
    New,
    /// Not in the namespace: nobody may send to it, and nothing of it reaches the application.
    ///
    /// In a box: a machine is here for a moment, and its place is kept as long as the socket is there.
    Outside(Box<Outside<M>>),
    /// In the namespace.
    Inside(Term<M>),
    Closed,
}

#[derive(Clone)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Outside<M> {
    pub(super) door: Door,
    pub(super) ignored_packets: u32,
    pub(super) empty_attempts: u32,
    pub(super) step: Step<M>,
}

/// By which way somebody comes in.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Hash))]
pub(super) enum Door {
    /// The CONNECT is not answered yet; nobody waits for a credential here.
    Handshake,
    /// The CONNECT is answered, and an event is to bring the credential.
    TwoRoundTrips,
}

#[derive(Clone)]
#[cfg_attr(test, derive(Hash))]
pub(super) enum Step<M> {
    /// For a credential.
    Waiting {
        told: Option<Told>,
    },
    Verifying(Attempt<M>),
    /// Connect middleware is asked about a candidate, or about a guest.
    Asking(Attempt<M>, Option<Candidate>),
}

/// The `unauthorized` that a client may acknowledge before it is put out.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Told {
    pub(super) notice: u32,
    pub(super) close_at: Option<Instant>,
}

/// What others are at work on, and by when they must have said something.
#[derive(Clone, Copy)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Trial {
    pub(super) epoch: u32,
    pub(super) by: Option<Instant>,
}

#[derive(Clone)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Attempt<M> {
    pub(super) trial: Trial,
    /// The ack id of the client's event.
    pub(super) ack: Option<u64>,
    pub(super) backlog: Backlog<M>,
}

/// Whose credential was accepted, and until when the grant holds.
#[derive(Clone)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Candidate {
    pub(super) subject: Subject,
    pub(super) expires_at: Option<Instant>,
}

#[derive(Clone)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Term<M> {
    pub(super) who: Who,
    pub(super) expires_at: Option<Moment>,
    pub(super) warn_at: Option<Moment>,
    pub(super) renewed_at: Option<Moment>,
    /// `None` while it is [`Work::Idle`], as nearly always.
    work: Option<Box<Work<M>>>,
    /// The server has said when it ends. Nothing but a newer credential puts that off.
    pub(super) is_ending: bool,
}

#[derive(Clone)]
#[cfg_attr(test, derive(Hash))]
pub(super) enum Who {
    Guest {
        /// Who was somebody comes back as the same one, unless the policy allows a switch.
        was: Option<Subject>,
    },
    Holder(Subject),
}

/// What goes on while the client is in.
#[derive(Clone)]
#[cfg_attr(test, derive(Hash))]
pub(super) enum Work<M> {
    Idle,
    /// A newer credential of the client's is being verified.
    Refreshing {
        trial: Trial,
        ack: Option<u64>,
    },
    /// The newer credential makes somebody else of the client. Until the verdict it stays who it is.
    Asking {
        trial: Trial,
        ack: Option<u64>,
        candidate: Candidate,
        change: Change,
        /// It is no wish of the client's in this namespace, so it cannot stay who it is.
        follows: bool,
    },
    /// The authenticator is asked again, of the server's own accord.
    Revalidating {
        trial: Trial,
    },
    /// The grant is over, and middleware is asked about the guest. Until the verdict it is nobody, so its packets wait.
    Downgrading {
        trial: Trial,
        backlog: Backlog<M>,
    },
}

/// The packets that wait for a verdict.
#[derive(Clone)]
#[cfg_attr(test, derive(Hash))]
pub(super) struct Backlog<M> {
    packets: VecDeque<M>,
    bytes: usize,
}

impl<M> Stage<M> {
    /// What is under way.
    pub(super) fn trial(&self) -> Option<Trial> {
        match self {
            Self::New | Self::Closed => None,
            Self::Outside(place) => place.step.trial(),
            Self::Inside(term) => term.work().trial(),
        }
    }

    fn backlog(&self) -> Option<&Backlog<M>> {
        match self {
            Self::New | Self::Closed => None,
            Self::Outside(place) => match &place.step {
                Step::Waiting { .. } => None,
                Step::Verifying(attempt) | Step::Asking(attempt, _) => Some(&attempt.backlog),
            },
            Self::Inside(term) => match term.work() {
                Work::Downgrading { backlog, .. } => Some(backlog),
                _ => None,
            },
        }
    }

    /// How many packets wait.
    pub(super) fn queued(&self) -> usize {
        self.backlog().map_or(0, |backlog| backlog.packets.len())
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Closed => "closed",
            Self::Outside(place) => match (place.door, &place.step) {
                (Door::Handshake, Step::Waiting { .. } | Step::Verifying(_)) => {
                    "connect: verifying"
                }
                (Door::Handshake, Step::Asking(..)) => "connect: asking",
                (Door::TwoRoundTrips, Step::Waiting { .. }) => "outside: waiting",
                (Door::TwoRoundTrips, Step::Verifying(_)) => "outside: verifying",
                (Door::TwoRoundTrips, Step::Asking(..)) => "outside: asking",
            },
            Self::Inside(term) => match term.work() {
                Work::Idle => "inside",
                Work::Refreshing { .. } => "inside: refreshing",
                Work::Asking { .. } => "inside: asking",
                Work::Revalidating { .. } => "inside: revalidating",
                Work::Downgrading { .. } => "inside: downgrading",
            },
        }
    }

    #[cfg(test)]
    pub(super) fn queue_capacity(&self) -> usize {
        self.backlog()
            .map_or(0, |backlog| backlog.packets.capacity())
    }
}

impl<M> From<Box<Outside<M>>> for Stage<M> {
    fn from(place: Box<Outside<M>>) -> Self {
        Self::Outside(place)
    }
}

impl<M> From<Term<M>> for Stage<M> {
    fn from(term: Term<M>) -> Self {
        Self::Inside(term)
    }
}

impl<M> Outside<M> {
    /// Somebody new at a door.
    pub(super) fn at(door: Door) -> Box<Self> {
        Box::new(Self {
            door,
            ignored_packets: 0,
            empty_attempts: 0,
            step: Step::Waiting { told: None },
        })
    }

    pub(super) const fn take_step(&mut self) -> Step<M> {
        std::mem::replace(&mut self.step, Step::Waiting { told: None })
    }

    pub(super) fn go_to(mut self: Box<Self>, step: Step<M>) -> Stage<M> {
        self.step = step;
        Stage::Outside(self)
    }

    /// `auth_by` is the end of the patience with a client that is not in, counted from its first CONNECT.
    pub(super) fn deadline(&self, auth_by: impl FnOnce() -> Option<Instant>) -> Option<Instant> {
        match &self.step {
            Step::Waiting { told } => {
                let close_at = told.and_then(|told| told.close_at);
                earlier(auth_by(), close_at)
            }
            Step::Verifying(attempt) => attempt.trial.by,
            Step::Asking(attempt, candidate) => earlier(
                attempt.trial.by,
                candidate.as_ref().and_then(|of| of.expires_at),
            ),
        }
    }
}

impl<M> Step<M> {
    pub(super) const fn trial(&self) -> Option<Trial> {
        match self {
            Self::Waiting { .. } => None,
            Self::Verifying(attempt) | Self::Asking(attempt, _) => Some(attempt.trial),
        }
    }
}

impl<M> Attempt<M> {
    pub(super) const fn new(trial: Trial, ack: Option<u64>) -> Self {
        Self {
            trial,
            ack,
            backlog: Backlog::new(),
        }
    }
}

impl<M> Term<M> {
    /// The term of whom was let in just now.
    pub(super) const fn of(who: Who) -> Self {
        Self {
            who,
            expires_at: None,
            warn_at: None,
            renewed_at: None,
            work: None,
            is_ending: false,
        }
    }

    pub(super) fn work(&self) -> &Work<M> {
        self.work.as_deref().unwrap_or(&Work::Idle)
    }

    pub(super) fn take_work(&mut self) -> Work<M> {
        self.work.take().map_or(Work::Idle, |work| *work)
    }

    pub(super) fn go_on_with(mut self, work: Work<M>) -> Stage<M> {
        self.work = match work {
            Work::Idle => None,
            work => Some(Box::new(work)),
        };
        Stage::Inside(self)
    }

    pub(super) fn ends_at(&self) -> Option<Instant> {
        self.expires_at.map(Instant::from)
    }

    /// `grace` is how long a renewal may outlast the grant.
    pub(super) fn deadline(&self, grace: Duration) -> Option<Instant> {
        let (work, ends_at) = (self.work(), self.ends_at());
        let at = earlier(self.warn_at.map(Instant::from), work.deadline());
        earlier(
            at,
            match work {
                Work::Idle | Work::Revalidating { .. } | Work::Downgrading { .. } => ends_at,
                Work::Refreshing { .. } | Work::Asking { .. } => {
                    ends_at.and_then(|at| at.checked_add(grace))
                }
            },
        )
    }
}

impl<M> Work<M> {
    fn deadline(&self) -> Option<Instant> {
        let by = self.trial().and_then(|trial| trial.by);
        match self {
            Self::Asking { candidate, .. } => earlier(by, candidate.expires_at),
            _ => by,
        }
    }

    pub(super) const fn trial(&self) -> Option<Trial> {
        match self {
            Self::Idle => None,
            Self::Refreshing { trial, .. }
            | Self::Asking { trial, .. }
            | Self::Revalidating { trial }
            | Self::Downgrading { trial, .. } => Some(*trial),
        }
    }
}

impl Who {
    /// Whose grant it is or was.
    pub(super) const fn subject(&self) -> Option<&Subject> {
        match self {
            Self::Guest { was } => was.as_ref(),
            Self::Holder(subject) => Some(subject),
        }
    }
}

impl<M> Backlog<M> {
    pub(super) const fn new() -> Self {
        Self {
            packets: VecDeque::new(),
            bytes: 0,
        }
    }
}

impl<M: QueuedPacket> Backlog<M> {
    /// False when there is no room for one more.
    pub(super) fn push(&mut self, policy: &NamespacePolicy, packet: M) -> bool {
        let bytes = self.bytes.saturating_add(packet.size_bytes());
        if self.packets.len() >= policy.max_pending_packets || bytes > policy.max_pending_bytes {
            return false;
        }
        self.bytes = bytes;
        self.packets.push_back(packet);
        true
    }
}

impl<M> IntoIterator for Backlog<M> {
    type Item = M;
    type IntoIter = std::collections::vec_deque::IntoIter<M>;

    fn into_iter(self) -> Self::IntoIter {
        self.packets.into_iter()
    }
}

pub(super) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}

pub(super) fn is_due(deadline: Option<Instant>, now: Instant) -> bool {
    deadline.is_some_and(|at| at <= now)
}
