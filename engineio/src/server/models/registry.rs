//! The places of sessions.

use std::net::IpAddr;
use std::sync::Arc;

use crate::server::hub::registry::{NoPlace, Registry};

const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

/// Has two threads ask for a place at once, the first for a session of `A`.
fn reserve_at_once(registry: Registry<()>, other: IpAddr) -> (Arc<Registry<()>>, [bool; 2]) {
    let registry = Arc::new(registry);
    let threads = [A, other].map(|peer| {
        let registry = Arc::clone(&registry);
        schedules::spawn("handshake", move || registry.reserve(Some(peer)).is_ok())
    });
    let are_in = threads.map(schedules::Thread::join);
    (registry, are_in)
}

#[test]
fn the_last_place_is_given_once() {
    schedules::explore(|| {
        let (registry, are_in) = reserve_at_once(Registry::new(1, usize::MAX), B);
        assert!(are_in[0] != are_in[1], "{are_in:?}");
        assert_eq!(registry.count(), 1);
    });
}

#[test]
fn the_last_place_of_a_peer_is_given_once_and_who_is_refused_holds_none() {
    schedules::explore(|| {
        let (registry, are_in) = reserve_at_once(Registry::new(9, 1), A);
        assert!(are_in[0] != are_in[1], "{are_in:?}");
        assert_eq!(registry.count(), 1);
        registry.release(Some(A));
        assert_eq!(registry.count(), 0);
        assert_eq!(registry.reserve(Some(A)), Ok(()), "the place came back");
    });
}

#[test]
fn a_place_that_is_given_back_while_another_is_taken_is_counted_right() {
    schedules::explore(|| {
        let registry: Arc<Registry<()>> = Arc::new(Registry::new(9, 2));
        registry.reserve(Some(A)).unwrap();
        let (leaving, coming) = (Arc::clone(&registry), Arc::clone(&registry));
        let leaver = schedules::spawn("leaver", move || leaving.release(Some(A)));
        let comer = schedules::spawn("comer", move || coming.reserve(Some(A)));
        leaver.join();
        assert_eq!(comer.join(), Ok(()));
        assert_eq!(registry.count(), 1);
        assert_eq!(registry.reserve(Some(A)), Ok(()), "the second");
        let third = registry.reserve(Some(A));
        assert_eq!(third, Err(NoPlace::TooManyFromPeer));
    });
}
