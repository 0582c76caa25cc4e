//! What was accepted, and whom a socket is about to become by it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use socketio_auth::{Grant, server::ErasedIdentity};

use crate::authority::refused::Evidence;
use crate::authority::revoked::Mark;
use crate::error::JoinError;
use crate::lock::Lock;
use crate::proto::room::Room;
use crate::running::guard;
use crate::type_map::Changes;

/// A grant, and what had been revoked when its verification began.
#[derive(Clone)]
pub(crate) struct Accepted {
    pub(crate) grant: Arc<Grant<ErasedIdentity>>,
    pub(crate) mark: Mark,
    /// The moment from which the rest of its life is counted.
    pub(crate) counted_from: SystemTime,
    /// For the books, if there are any.
    pub(crate) evidence: Option<Box<Evidence>>,
}

impl Accepted {
    /// When it ends, if the policy lets it hold for so long.
    pub(crate) fn ends_at(&self, expires_in: Option<Duration>) -> Option<SystemTime> {
        self.counted_from.checked_add(expires_in?)
    }
}

/// Who a socket belongs to.
#[derive(Clone)]
pub(super) enum Holder {
    /// Whom nothing is granted.
    Guest(ErasedIdentity),
    Granted(Arc<Grant<ErasedIdentity>>),
}

impl Holder {
    pub(super) fn identity(&self) -> &ErasedIdentity {
        match self {
            Self::Guest(identity) => identity,
            Self::Granted(grant) => grant.identity(),
        }
    }

    pub(super) fn grant(&self) -> Option<&Arc<Grant<ErasedIdentity>>> {
        match self {
            Self::Guest(_) => None,
            Self::Granted(grant) => Some(grant),
        }
    }
}

/// Whom connect middleware is asked about while the socket is still another. To middleware the socket is this one.
pub(crate) struct Candidate {
    pub(crate) identity: ErasedIdentity,
    /// `None` for a guest.
    pub(crate) accepted: Option<Accepted>,
    pub(crate) expires_at: Option<SystemTime>,
    staged: Lock<Staged>,
}

/// The identity is the application's, and so is what its end does.
impl Drop for Candidate {
    fn drop(&mut self) {
        let identity = std::mem::replace(&mut self.identity, ErasedIdentity::new(()));
        let accepted = self.accepted.take();
        let _ = guard(|| drop((identity, accepted)));
    }
}

/// What middleware does for the socket when it is this one.
enum Staged {
    /// It is not yet: the rooms that it is to join, and what the application keeps with it.
    Waiting(Vec<Room>, Changes),
    /// It is.
    Done,
    /// It never will be.
    Dropped,
}

impl Candidate {
    /// Whose credential was accepted.
    pub(crate) fn new(accepted: Accepted, expires_in: Option<Duration>) -> Self {
        Self {
            identity: accepted.grant.identity().clone(),
            expires_at: accepted.ends_at(expires_in),
            accepted: Some(accepted),
            staged: Lock::new(Staged::Waiting(Vec::new(), Changes::default())),
        }
    }

    /// Whom nothing is granted.
    pub(crate) fn guest(identity: ErasedIdentity) -> Self {
        Self {
            identity,
            accepted: None,
            expires_at: None,
            staged: Lock::new(Staged::Waiting(Vec::new(), Changes::default())),
        }
    }

    pub(crate) fn grant(&self) -> Option<&Arc<Grant<ErasedIdentity>>> {
        self.accepted.as_ref().map(|accepted| &accepted.grant)
    }

    pub(super) fn holder(&self) -> Holder {
        match self.grant() {
            Some(grant) => Holder::Granted(Arc::clone(grant)),
            None => Holder::Guest(self.identity.clone()),
        }
    }

    /// What the books are told of its credential.
    pub(crate) fn evidence(&self) -> Option<Box<Evidence>> {
        self.accepted.as_ref()?.evidence.clone()
    }

    /// Keeps a room for when the socket is this one; false when it is, and may join by itself.
    pub(super) fn stage(&self, room: &Room, max: usize) -> Result<bool, JoinError> {
        match &mut *self.staged.lock() {
            Staged::Waiting(staged, _) if staged.contains(room) => Ok(true),
            Staged::Waiting(staged, _) if staged.len() >= max => Err(JoinError::TooManyRooms),
            Staged::Waiting(staged, _) => {
                staged.push(room.clone());
                Ok(true)
            }
            Staged::Done => Ok(false),
            Staged::Dropped => Err(JoinError::Disconnected),
        }
    }

    /// Forgets a room that was kept; false when the socket is this one.
    pub(super) fn unstage(&self, room: &Room) -> bool {
        match &mut *self.staged.lock() {
            Staged::Waiting(staged, _) => staged.retain(|kept| kept != room),
            Staged::Done => return false,
            Staged::Dropped => {}
        }
        true
    }

    /// Forgets all rooms that were kept; false when the socket is this one.
    pub(super) fn unstage_all(&self) -> bool {
        match &mut *self.staged.lock() {
            Staged::Waiting(rooms, _) => rooms.clear(),
            Staged::Done => return false,
            Staged::Dropped => {}
        }
        true
    }

    /// Looks at the changes of what the application keeps with the socket; there are none any more when it is this one,
    /// or never will be.
    pub(super) fn with_changes<T>(&self, look: impl FnOnce(Option<&mut Changes>) -> T) -> T {
        match &mut *self.staged.lock() {
            Staged::Waiting(_, changes) => look(Some(changes)),
            Staged::Done | Staged::Dropped => look(None),
        }
    }

    /// The socket is this one from here on: gives the rooms and the changes that were kept.
    pub(super) fn take_place(&self) -> (Vec<Room>, Changes) {
        match std::mem::replace(&mut *self.staged.lock(), Staged::Done) {
            Staged::Waiting(rooms, changes) => (rooms, changes),
            Staged::Done | Staged::Dropped => (Vec::new(), Changes::default()),
        }
    }

    pub(crate) fn is_in_place(&self) -> bool {
        matches!(&*self.staged.lock(), Staged::Done)
    }

    /// The socket will never be this one.
    pub(super) fn give_up(&self) {
        let staged = std::mem::replace(&mut *self.staged.lock(), Staged::Dropped);
        // What was kept is the application's, and ends behind the lock.
        let _ = guard(|| drop(staged));
    }
}
