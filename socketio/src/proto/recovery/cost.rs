//! What things count in bytes.

use crate::proto::room::Room;

/// What a kept packet counts besides its own bytes.
pub(super) const PACKET_COST_BYTES: usize = 256;
/// What a saved session counts besides its rooms.
pub(super) const SESSION_COST_BYTES: usize = 512;
/// What a room that is named costs besides its name, with when somebody was in it.
pub(super) const ROOM_COST_BYTES: usize = 64;

pub(super) fn cost_of<'a>(rooms: impl IntoIterator<Item = &'a Room>) -> usize {
    let costs = rooms
        .into_iter()
        .map(|room| room.as_str().len().saturating_add(ROOM_COST_BYTES));
    costs.fold(0, usize::saturating_add)
}
