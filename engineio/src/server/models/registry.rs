//! The places of sessions.

use std::net::IpAddr;
use std::sync::Arc;

use crate::server::hub::registry::{NoPlace, Registry};

const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

#[test]
fn places_are_bounded_and_come_back_whoever_asks_at_once() {
    schedules::explore(|| {
        let registry: Arc<Registry<()>> = Arc::new(Registry::new(2, 1));
        let reserved = [A, A, B].map(|peer| {
            let registry = Arc::clone(&registry);
            schedules::spawn("handshake", move || registry.reserve(Some(peer)))
        });
        let [first, second, other] = reserved.map(schedules::Thread::join);
        assert!(
            first.is_ok() != second.is_ok(),
            "one of two of the same peer: {first:?} {second:?}"
        );
        // The one that is turned away because of its peer holds a place for a moment.
        assert_ne!(other, Err(NoPlace::TooManyFromPeer));
        let opened = 1 + usize::from(other.is_ok());
        assert_eq!(registry.count(), opened);
        registry.release(Some(A));
        if other.is_ok() {
            registry.release(Some(B));
        }
        assert_eq!(registry.count(), 0);
        assert_eq!(registry.reserve(Some(A)), Ok(()), "the place came back");
    });
}

#[test]
fn a_place_that_is_given_back_is_free_for_whoever_comes_next() {
    schedules::explore(|| {
        let registry: Arc<Registry<()>> = Arc::new(Registry::new(2, 1));
        registry.reserve(Some(A)).unwrap();
        let leaving = Arc::clone(&registry);
        let leaver = schedules::spawn("leaver", move || leaving.release(Some(A)));
        let coming = Arc::clone(&registry);
        let comer = schedules::spawn("comer", move || coming.reserve(Some(A)));
        leaver.join();
        let is_in = comer.join().is_ok();
        assert_eq!(registry.count(), usize::from(is_in));
        let again = registry.reserve(Some(A));
        assert_eq!(again.is_ok(), !is_in, "one place of that peer");
    });
}
