//! Closing every session without a thundering herd.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock;
use super::session::shared::HubOf;
use super::session::shared::Shared;
use crate::proto::event::Input;
use crate::random;

/// The share of the deadline over which sessions are asked to close; the rest is for them to take what is
/// queued.
const CLOSING_SHARE: u32 = 4;

/// How often it is looked whether the last sessions are gone.
const LAST_LOOK: Duration = Duration::from_millis(10);

/// Closes every live session at once. None is opened from here on.
pub(crate) fn close<D: Send + Sync + 'static>(hub: &HubOf<D>) {
    *hub.is_draining.lock() = true;
    for session in hub.registry.all() {
        session.handle(clock::now(), Input::Discard);
    }
}

/// Closes every live session by `deadline`, and has none opened from here on; ends when nobody is left who can be
/// told, and all answers have left.
pub(crate) async fn run<D: Send + Sync + 'static>(hub: &Arc<HubOf<D>>, deadline: Duration) {
    *hub.is_draining.lock() = true;
    let start = clock::now();
    let end = start + deadline;
    let closing = deadline * CLOSING_SHARE / (CLOSING_SHARE + 1);
    let (mut connected, away): (Vec<_>, Vec<_>) = hub
        .registry
        .all()
        .into_iter()
        .partition(|session| session.lock().session.has_peer());
    // Between two polls, or gone. The longer they have to come back the better, and so few cannot storm anything.
    for session in away {
        session.handle(clock::now(), Input::Close);
    }
    // Random already, and not by how a table lies in memory.
    connected.sort_unstable_by(|one, other| one.id().as_str().cmp(other.id().as_str()));
    for (at, session) in schedule(connected, start, closing) {
        if at > clock::now() {
            tokio::time::sleep_until(at.into()).await;
        }
        session.handle(clock::now(), Input::Close);
    }
    let mut left = Vec::new();
    while clock::now() < end {
        let now = clock::now();
        let is_here = |session: &mut Arc<Shared<D>>| !session.lock().session.is_abandoned(now);
        while left.pop_if(|session| !is_here(session)).is_some() {}
        if left.is_empty() {
            left = hub.registry.all();
            left.retain_mut(is_here);
            // One that was admitted before the drain may have been opened behind its back.
            for session in &left {
                session.handle(now, Input::Close);
            }
        }
        // What sessions said last is on its way to their clients.
        if left.is_empty() && !hub.answers.are_owed() {
            break;
        }
        let left = end.saturating_duration_since(clock::now());
        tokio::time::sleep(LAST_LOOK.min(left)).await;
    }
    close(hub);
}

/// One random time for each within its own even share of the whole, earliest first.
fn schedule<D>(
    sessions: Vec<Arc<Shared<D>>>,
    start: Instant,
    closing: Duration,
) -> impl Iterator<Item = (Instant, Arc<Shared<D>>)> {
    let share = closing / u32::try_from(sessions.len()).unwrap_or(u32::MAX).max(1);
    let share_nanos = u64::try_from(share.as_nanos()).unwrap_or(u64::MAX);
    sessions
        .into_iter()
        .zip(0_u32..)
        .map(move |(session, index)| {
            let jitter = Duration::from_nanos(random::below(share_nanos.max(1)));
            (start + share * index + jitter, session)
        })
}
