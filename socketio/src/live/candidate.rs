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

/// Whom connect middleware is asked about while the socket is still another. To middleware the socket is this one.
pub(crate) struct Candidate {
    pub(crate) identity: ErasedIdentity,
    /// `None` for a guest.
    pub(crate) accepted: Option<Accepted>,
    pub(crate) expires_at: Option<SystemTime>,
    rooms: Lock<Rooms>,
}

/// The identity is the application's, and so is what its end does.
impl Drop for Candidate {
    fn drop(&mut self) {
        let identity = std::mem::replace(&mut self.identity, ErasedIdentity::new(()));
        let accepted = self.accepted.take();
        let _ = guard(|| drop((identity, accepted)));
    }
}

/// The rooms that middleware has the socket join.
enum Rooms {
    /// When it is this one.
    Staged(Vec<Room>),
    /// It is.
    Joined,
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
            rooms: Lock::new(Rooms::Staged(Vec::new())),
        }
    }

    /// Whom nothing is granted.
    pub(crate) fn guest(identity: ErasedIdentity) -> Self {
        Self {
            identity,
            accepted: None,
            expires_at: None,
            rooms: Lock::new(Rooms::Staged(Vec::new())),
        }
    }

    pub(crate) fn grant(&self) -> Option<&Arc<Grant<ErasedIdentity>>> {
        self.accepted.as_ref().map(|accepted| &accepted.grant)
    }

    /// What the books are told of its credential.
    pub(crate) fn evidence(&self) -> Option<Box<Evidence>> {
        self.accepted.as_ref()?.evidence.clone()
    }

    /// Keeps a room for when the socket is this one; false when it is, and may join by itself.
    pub(super) fn stage(&self, room: &Room, max: usize) -> Result<bool, JoinError> {
        match &mut *self.rooms.lock() {
            Rooms::Staged(staged) if staged.contains(room) => Ok(true),
            Rooms::Staged(staged) if staged.len() >= max => Err(JoinError::TooManyRooms),
            Rooms::Staged(staged) => {
                staged.push(room.clone());
                Ok(true)
            }
            Rooms::Joined => Ok(false),
            Rooms::Dropped => Err(JoinError::Disconnected),
        }
    }

    /// Forgets a room that was kept; false when the socket is this one.
    pub(super) fn unstage(&self, room: &Room) -> bool {
        match &mut *self.rooms.lock() {
            Rooms::Staged(staged) => staged.retain(|kept| kept != room),
            Rooms::Joined => return false,
            Rooms::Dropped => {}
        }
        true
    }

    /// The socket is this one from here on: gives the rooms that were kept.
    pub(super) fn take_place(&self) -> Vec<Room> {
        match std::mem::replace(&mut *self.rooms.lock(), Rooms::Joined) {
            Rooms::Staged(staged) => staged,
            Rooms::Joined | Rooms::Dropped => Vec::new(),
        }
    }

    pub(crate) fn is_in_place(&self) -> bool {
        matches!(&*self.rooms.lock(), Rooms::Joined)
    }

    /// The socket will never be this one.
    pub(super) fn give_up(&self) {
        *self.rooms.lock() = Rooms::Dropped;
    }
}
