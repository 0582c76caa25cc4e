//! Own events that were put in the queue for a stream and not read back yet. Pure.
//!
//! ```text
//!   wait_for ──► waiting ── read ──► own clients get it, with its name
//!                   │
//!                give_up          own clients get it, without a name
//!                   ▼
//!                 given ── read ──► it is passed over
//! ```
//!
//! So own clients hear each once, whatever becomes of the connections.

use std::collections::{BTreeMap, HashMap};

use socketio::cluster::ClusterMessage;

/// How many there may be in a namespace. Of one more the oldest is forgotten: it is heard when it is read.
pub(crate) const MAX_UNREAD: usize = 65_536;

/// How far the numbers of events that threads emit at once are out of order at most. What is older than one that is read
/// will not be read any more.
const MAX_DISORDER: u64 = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Given,
}

/// The events, by namespace and [`ClusterMessage::number`]. Those without a number are not known here.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    of: HashMap<String, BTreeMap<u64, State>>,
}

impl Unread {
    /// Own clients wait for it to be read back, or have it already.
    pub(crate) fn wait_for(&mut self, message: &ClusterMessage, is_given: bool) {
        let Some((nsp, number)) = place(message) else {
            return;
        };
        let state = if is_given {
            State::Given
        } else {
            State::Waiting
        };
        let of_it = match self.of.get_mut(nsp) {
            Some(of_it) => of_it,
            None => self.of.entry(nsp.to_owned()).or_default(),
        };
        of_it.insert(number, state);
        if of_it.len() > MAX_UNREAD {
            of_it.pop_first();
        }
    }

    /// Own clients are to get it without its being read. False if they have it.
    pub(crate) fn give_up(&mut self, message: &ClusterMessage) -> bool {
        let state = place(message).and_then(|(nsp, number)| self.of.get_mut(nsp)?.get_mut(&number));
        state.is_some_and(|state| std::mem::replace(state, State::Given) == State::Waiting)
    }

    /// It will never be read. False if own clients have it.
    pub(crate) fn forget(&mut self, message: &ClusterMessage) -> bool {
        self.remove(message) == Some(State::Waiting)
    }

    /// It was read. False if own clients have it.
    pub(crate) fn read(&mut self, message: &ClusterMessage) -> bool {
        let is_first = self.remove(message) != Some(State::Given);
        if let Some((nsp, number)) = place(message)
            && let Some(of_it) = self.of.get_mut(nsp)
        {
            let first = number.saturating_sub(MAX_DISORDER);
            while of_it.first_key_value().is_some_and(|(at, _)| *at < first) {
                of_it.pop_first();
            }
        }
        is_first
    }

    /// The namespace is gone.
    pub(crate) fn forget_all(&mut self, nsp: &str) {
        self.of.remove(nsp);
    }

    fn remove(&mut self, message: &ClusterMessage) -> Option<State> {
        let (nsp, number) = place(message)?;
        self.of.get_mut(nsp)?.remove(&number)
    }
}

fn place(message: &ClusterMessage) -> Option<(&str, u64)> {
    message.scope.name().zip(message.number)
}

#[cfg(test)]
mod tests {
    use socketio::cluster::{ClusterBody, Scope, ServerId};

    use super::*;

    fn message(number: u64) -> ClusterMessage {
        let (own, scope) = (ServerId::new("own"), Scope::namespace("/"));
        ClusterMessage::new(own, scope, ClusterBody::Heartbeat).with_number(number)
    }

    //= STR-07 test
    #[test]
    fn own_clients_get_each_once() {
        let mut unread = Unread::default();
        unread.wait_for(&message(1), false);
        assert!(unread.read(&message(1)), "read back");
        assert!(!unread.give_up(&message(1)), "and then lost on the way");
        unread.wait_for(&message(2), false);
        assert!(unread.give_up(&message(2)), "lost on the way");
        assert!(!unread.give_up(&message(2)));
        assert!(!unread.read(&message(2)), "and then read back");
        unread.wait_for(&message(3), true);
        assert!(!unread.give_up(&message(3)) && !unread.read(&message(3)));
        unread.wait_for(&message(4), false);
        assert!(unread.forget(&message(4)), "refused");
        assert!(!unread.forget(&message(4)));
        assert!(unread.read(&message(5)), "not known here");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut unread = Unread::default();
        let max = u64::try_from(MAX_UNREAD).unwrap();
        for number in 0..max {
            unread.wait_for(&message(number), true);
        }
        assert!(!unread.read(&message(0)), "at the bound");
        unread.wait_for(&message(0), true);
        unread.wait_for(&message(max), true);
        assert_eq!(unread.of["/"].len(), MAX_UNREAD);
        assert!(unread.read(&message(0)), "one past it");
        assert!(!unread.read(&message(max)));
        let kept = usize::try_from(MAX_DISORDER).unwrap();
        assert_eq!(
            unread.of["/"].len(),
            kept,
            "older ones are not read any more"
        );
        unread.forget_all("/");
        assert!(unread.of.is_empty());
    }
}
