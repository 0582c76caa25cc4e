//! Coming in, the rooms of a socket, and leaving.

use std::sync::Arc;

use super::candidate::Candidate;
use super::core::{Core, Phase};
use super::recovering::Inserted;
use crate::atomic::Ordering;
use crate::authority::authority::Place;
use crate::cluster::adapter::WantedRooms;
use crate::error::JoinError;
use crate::proto::room::Room;
use crate::proto::rooms::{Emptied, Joined, RoomEvent};
use crate::running::guard;

impl Core {
    /// Lets the socket in, with the rooms it joined before.
    pub(crate) fn enter(self: &Arc<Self>) {
        let Inserted { left, joined } = self.insert();
        self.tell_cluster_of_own();
        for (room, emptied) in left {
            self.tell_left(&room, emptied);
        }
        for (room, joined) in &joined {
            self.tell_joined(room, *joined);
        }
        self.hold();
        let staged = {
            let mut state = self.state.lock();
            // From here on rooms are joined at once; what was staged before is taken with it.
            self.phase.store(Phase::Inside as u8, Ordering::Release);
            let extra = state.extra.as_mut();
            extra.map(|extra| std::mem::take(&mut extra.staged))
        };
        for room in staged.into_iter().flatten() {
            // A namespace that is full of rooms takes the socket without them.
            let _ = self.join_now(&room);
        }
        self.settle();
        self.revoke_if_late();
        if self.space.is_closed() {
            self.disconnect();
        }
    }

    /// Nothing is sent to the socket from here on, and what it owes is not waited for any longer.
    pub(crate) fn leave(&self) {
        self.phase.store(Phase::Left as u8, Ordering::Release);
        self.settle();
        let extra = {
            let mut state = self.state.lock();
            let mut extra = state.extra.take();
            let kept = extra.as_mut().and_then(|extra| extra.extensions.take());
            if kept.is_some() {
                state.extra().extensions = kept;
            }
            extra
        };
        if let Some(extra) = extra {
            self.end_awaiting(extra.pending.len());
            extra.pending.fail(self.id());
        }
    }

    /// Takes the socket out of the namespace and its rooms.
    pub(crate) fn go(&self) {
        let before = self.phase.swap(Phase::Gone as u8, Ordering::AcqRel);
        // Its client may have come back meanwhile, as another socket of the same id.
        let is_it = |there: &Arc<Self>| std::ptr::eq(Arc::as_ptr(there), self);
        let left = self.space.rooms.lock().remove(self.id(), is_it);
        // One that was never in is told of as well: it is not open.
        self.tell_cluster_of_own();
        for (room, emptied) in left {
            self.tell_left(&room, emptied);
        }
        self.give_back_after(before);
    }

    /// It is found among those that are not in from here on, with its place if it waits already.
    pub(crate) fn stay_outside(self: &Arc<Self>, place: Option<Arc<Place>>) {
        self.is_waiting.store(true, Ordering::Release);
        let id = self.fresh_id.clone();
        self.space.add_waiting(id, Arc::downgrade(self), place);
    }

    /// Whether it is to be let in by a policy, and has no place to wait in.
    pub(crate) fn needs_place(&self) -> bool {
        self.is_waiting.load(Ordering::Acquire) && self.place().is_none()
    }

    /// Its place among those that wait.
    pub(crate) fn place(&self) -> Option<Arc<Place>> {
        self.space.place_of(&self.fresh_id)
    }

    /// Waits in this place from here on.
    pub(crate) fn wait_in(&self, place: Arc<Place>) {
        self.space.set_place(&self.fresh_id, place);
    }

    /// The socket is in or gone: nobody waits any more.
    fn settle(&self) {
        if self.is_waiting.swap(false, Ordering::AcqRel) {
            self.space.remove_waiting(&self.fresh_id);
        }
    }

    /// The namespace is not needed any more, as far as this socket goes, which is in none of its rooms.
    pub(crate) fn release(&self) {
        self.give_back_after(self.phase.swap(Phase::Gone as u8, Ordering::AcqRel));
    }

    /// Gives the lease back that the socket held until it was gone.
    fn give_back_after(&self, phase: u8) {
        if phase != Phase::Gone as u8 {
            self.space.give_back();
        }
    }

    pub(crate) fn join(&self, room: Room) -> Result<(), JoinError> {
        let settings = &self.space.settings;
        if room.as_str().len() > settings.max_room_name_bytes {
            return Err(JoinError::NameTooLong);
        }
        {
            let mut state = self.state.lock();
            match self.phase.load(Ordering::Acquire) {
                phase if phase >= Phase::Left as u8 => return Err(JoinError::Disconnected),
                phase if phase < Phase::Inside as u8 => {
                    let staged = &mut state.extra().staged;
                    if !staged.contains(&room) {
                        if staged.len() >= settings.rooms.per_socket {
                            return Err(JoinError::TooManyRooms);
                        }
                        staged.push(room);
                    }
                    return Ok(());
                }
                _ => {}
            }
        }
        self.join_now(&room)
    }

    /// Joins a room, or has a candidate join it when the socket is that one.
    pub(crate) fn join_as(
        &self,
        candidate: Option<&Candidate>,
        room: Room,
    ) -> Result<(), JoinError> {
        let settings = &self.space.settings;
        if let Some(candidate) = candidate {
            if self.has_left() {
                return Err(JoinError::Disconnected);
            }
            if room.as_str().len() > settings.max_room_name_bytes {
                return Err(JoinError::NameTooLong);
            }
            if candidate.stage(&room, settings.rooms.per_socket)? {
                return Ok(());
            }
        }
        self.join(room)
    }

    fn join_now(&self, room: &Room) -> Result<(), JoinError> {
        let bounds = self.space.settings.rooms;
        let joined = self.in_rooms(|rooms, at| rooms.join(self.id(), room, bounds, at))?;
        self.tell_joined(room, joined);
        Ok(())
    }

    pub(crate) fn leave_room(&self, room: &Room) {
        let mut state = self.state.lock();
        if let Some(extra) = state.extra.as_mut() {
            extra.staged.retain(|staged| staged != room);
        }
        drop(state);
        let left = self.in_rooms(|rooms, at| rooms.leave(self.id(), room, at));
        if let Some(emptied) = left {
            self.tell_left(room, emptied);
        }
    }

    /// Leaves a room, or has a candidate not join it.
    pub(crate) fn leave_as(&self, candidate: Option<&Candidate>, room: &Room) {
        let is_staged = candidate.is_some_and(|candidate| candidate.unstage(room));
        if !is_staged {
            self.leave_room(room);
        }
    }

    /// Leaves every room, or has a candidate join none.
    pub(crate) fn leave_all_as(&self, candidate: Option<&Candidate>) {
        if candidate.is_some_and(Candidate::unstage_all) {
            return;
        }
        if let Some(extra) = self.state.lock().extra.as_mut() {
            extra.staged.clear();
        }
        self.leave_rooms(|_| true);
    }

    /// Leaves the rooms that are named.
    pub(crate) fn leave_rooms(&self, is_meant: impl Fn(&Room) -> bool) {
        let rooms = self.space.rooms.lock().rooms_of(self.id());
        for room in rooms.iter().filter(|room| is_meant(room)) {
            self.leave_room(room);
        }
    }

    fn tell_joined(&self, room: &Room, joined: Joined) {
        if joined == Joined::Created {
            self.tell_cluster(room);
            self.tell_room(RoomEvent::Created { room });
        }
        if joined != Joined::Already {
            let socket = self.id();
            self.tell_room(RoomEvent::Joined { room, socket });
        }
    }

    fn tell_left(&self, room: &Room, emptied: Emptied) {
        let socket = self.id();
        self.tell_room(RoomEvent::Left { room, socket });
        if emptied == Emptied::Yes {
            self.tell_cluster(room);
            self.tell_room(RoomEvent::Deleted { room });
        }
    }

    /// Has the adapter hear that a room came or went.
    fn tell_cluster(&self, room: &Room) {
        if let Some(seat) = &self.space.cluster {
            seat.joined_room_changed(room, |room, wanted| self.is_open(room, wanted));
        }
    }

    /// The same of the room of the socket's id.
    fn tell_cluster_of_own(&self) {
        if let Some(seat) = &self.space.cluster {
            seat.own_room_changed(self.id(), |room, wanted| self.is_open(room, wanted));
        }
    }

    fn is_open(&self, room: &Room, wanted: WantedRooms) -> bool {
        let rooms = self.space.rooms.lock();
        match wanted {
            WantedRooms::All => rooms.is_open(room),
            _ => rooms.is_joined(room),
        }
    }

    /// Hooks on rooms only look on: a panic there changes nothing.
    fn tell_room(&self, event: RoomEvent<'_>) {
        for hook in &self.space.handlers.room {
            let _ = guard(|| hook(event));
        }
    }
}

/// An attempt that was forgotten gives its namespace back too.
impl Drop for Core {
    fn drop(&mut self) {
        self.settle();
        self.release();
    }
}
