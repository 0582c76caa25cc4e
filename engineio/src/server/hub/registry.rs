//! The live sessions by id, and how many there are.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;
use std::sync::Arc;

use crate::lock::Lock;
use crate::server::atomic::{AtomicUsize, Ordering};
use crate::session_id::SessionId;

/// What has the id of a session.
pub(crate) trait Identified {
    fn id(&self) -> SessionId;
}

#[derive(Debug)]
pub(crate) struct Registry<S> {
    /// By a hash of the id: the session has the id itself, and half of a large table is empty places. Ids are the server's
    /// own and random, so no client can choose colliding ones.
    sessions: Lock<HashMap<u64, Arc<S>, foldhash::fast::RandomState>>,
    hasher: foldhash::fast::RandomState,
    per_peer: Lock<HashMap<IpAddr, usize>>,
    count: AtomicUsize,
    max_sessions: usize,
    max_per_peer: usize,
}

/// Why a session finds no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoPlace {
    TooManySessions,
    TooManyFromPeer,
}

impl<S> Registry<S> {
    pub(crate) fn new(max_sessions: usize, max_per_peer: usize) -> Self {
        Self {
            sessions: Lock::new(HashMap::default()),
            hasher: foldhash::fast::RandomState::default(),
            per_peer: Lock::new(HashMap::new()),
            count: AtomicUsize::new(0),
            max_sessions,
            max_per_peer,
        }
    }

    fn counts_peers(&self) -> bool {
        self.max_per_peer != usize::MAX
    }

    /// Reserves a place before anything is allocated for the session.
    pub(crate) fn reserve(&self, peer: Option<IpAddr>) -> Result<(), NoPlace> {
        self.count
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| {
                (count < self.max_sessions).then_some(count + 1)
            })
            .map_err(|_| NoPlace::TooManySessions)?;
        let Some(peer) = peer.filter(|_| self.counts_peers()).map(key) else {
            return Ok(());
        };
        let mut per_peer = self.per_peer.lock();
        let sessions = per_peer.entry(peer).or_insert(0);
        if *sessions >= self.max_per_peer {
            drop(per_peer);
            self.count.fetch_sub(1, Ordering::Relaxed);
            return Err(NoPlace::TooManyFromPeer);
        }
        *sessions += 1;
        Ok(())
    }

    /// Gives back a place that was reserved.
    pub(crate) fn release(&self, peer: Option<IpAddr>) {
        self.count.fetch_sub(1, Ordering::Relaxed);
        let Some(peer) = peer.filter(|_| self.counts_peers()).map(key) else {
            return;
        };
        let mut per_peer = self.per_peer.lock();
        if let Some(sessions) = per_peer.get_mut(&peer) {
            *sessions = sessions.saturating_sub(1);
            if *sessions == 0 {
                per_peer.remove(&peer);
                shrink(&mut per_peer);
            }
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub(crate) fn all(&self) -> Vec<Arc<S>> {
        self.sessions.lock().values().cloned().collect()
    }
}

impl<S: Identified> Registry<S> {
    fn hash(&self, id: &SessionId) -> u64 {
        self.hasher.hash_one(id)
    }

    /// False when the id is taken, or another has the same hash. Where a million are open and one more opens each second, that
    /// is once in half a million years.
    pub(crate) fn insert(&self, session: Arc<S>) -> bool {
        match self.sessions.lock().entry(self.hash(&session.id())) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(session);
                true
            }
        }
    }

    pub(crate) fn get(&self, id: &SessionId) -> Option<Arc<S>> {
        let hash = self.hash(id);
        let session = self.sessions.lock().get(&hash).cloned();
        session.filter(|session| session.id() == *id)
    }

    /// Takes a session out; false when it is not here.
    pub(crate) fn remove(&self, id: &SessionId) -> bool {
        let hash = self.hash(id);
        let mut sessions = self.sessions.lock();
        let Entry::Occupied(place) = sessions.entry(hash) else {
            return false;
        };
        if place.get().id() != *id {
            return false;
        }
        place.remove();
        shrink(&mut sessions);
        true
    }
}

/// Thousands that have left must not keep the table they needed. Twice of what is used is left, so that it is seldom moved.
fn shrink<K: Eq + Hash, V, R: BuildHasher>(table: &mut HashMap<K, V, R>) {
    if table.capacity() > 1024 && table.len() < table.capacity() / 8 {
        table.shrink_to(table.len() * 2);
    }
}

/// What counts as one peer: an IPv4 address, in either spelling, or the first 64 bits of an IPv6 address, since one
/// customer has at least that many.
fn key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::from((u128::from(address) >> 64 << 64).to_be_bytes()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_in_all_and_per_peer() {
        let registry: Registry<()> = Registry::new(3, 2);
        let a = Some(IpAddr::from([10, 0, 0, 1]));
        let b = Some(IpAddr::from([10, 0, 0, 2]));
        assert_eq!(registry.reserve(a), Ok(()));
        assert_eq!(registry.reserve(a), Ok(()));
        assert_eq!(registry.reserve(a), Err(NoPlace::TooManyFromPeer));
        assert_eq!(registry.reserve(b), Ok(()));
        assert_eq!(registry.reserve(b), Err(NoPlace::TooManySessions));
        registry.release(a);
        assert_eq!(registry.reserve(a), Ok(()));
        assert_eq!(registry.count(), 3);
    }

    struct Named([u8; 15]);

    impl Identified for Named {
        fn id(&self) -> SessionId {
            SessionId::from_random_bytes(self.0)
        }
    }

    #[test]
    fn an_id_is_given_once() {
        let registry = Registry::new(3, 2);
        let id = Named([1; 15]).id();
        assert!(registry.insert(Arc::new(Named([1; 15]))));
        assert!(!registry.insert(Arc::new(Named([1; 15]))));
        assert!(registry.get(&id).is_some_and(|found| found.id() == id));
        assert!(registry.remove(&id));
        assert!(registry.get(&id).is_none() && !registry.remove(&id));
    }

    #[test]
    fn an_id_of_the_same_hash_is_not_that_of_the_session() {
        let registry = Registry::new(3, 2);
        let [ours, other] = [1, 2].map(|byte| Named([byte; 15]).id());
        let session = Arc::new(Named([1; 15]));
        registry
            .sessions
            .lock()
            .insert(registry.hash(&other), session);
        assert!(registry.get(&other).is_none() && !registry.remove(&other));
        assert!(registry.get(&ours).is_none());
        assert_eq!(registry.all().len(), 1);
    }
}
