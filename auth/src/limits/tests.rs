use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::{
    Code, Rejection, Subject,
    limits::{
        AddressKey, AuthLimiter, AuthLimits, ExponentialLockout, Lockout as _, LockoutKey, Rate,
        TrustedProxies,
    },
    server::RequestSource,
};

#[expect(clippy::disallowed_methods, reason = "an arbitrary origin of time")]
fn origin() -> Instant {
    Instant::now()
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect(text)
}

fn code(result: Result<(), Rejection>) -> Result<(), Code> {
    result.map_err(|rejection| rejection.code())
}

#[test]
fn row_16_one_pending_client_too_many_is_refused_until_another_leaves() {
    let mut limiter = AuthLimiter::new(AuthLimits::default());
    for _ in 0..10_000 {
        assert_eq!(limiter.enter_pending(None), Ok(()));
    }
    assert_eq!(
        code(limiter.enter_pending(Some(ip("192.0.2.1")))),
        Err(Code::AuthUnavailable)
    );
    limiter.leave_pending(None);
    assert_eq!(limiter.enter_pending(None), Ok(()));
    assert_eq!(limiter.pending_count(), 10_000);
}

#[test]
fn pending_clients_are_counted_per_address_when_asked_for() {
    let mut limiter = AuthLimiter::new(AuthLimits::recommended());
    let (first, second) = (Some(ip("192.0.2.1")), Some(ip("192.0.2.2")));
    for _ in 0..64 {
        assert_eq!(limiter.enter_pending(first), Ok(()));
    }
    let refused = code(limiter.enter_pending(first));
    assert_eq!(refused, Err(Code::RateLimited));
    assert_eq!(limiter.enter_pending(second), Ok(()));
    limiter.leave_pending(first);
    assert_eq!(limiter.enter_pending(first), Ok(()));
    assert_eq!(limiter.pending_count(), 65);
}

#[test]
fn one_address_does_not_keep_everybody_out_by_default() {
    let (crowd, other) = (Some(ip("192.0.2.1")), Some(ip("192.0.2.2")));
    let mut limiter = AuthLimiter::new(AuthLimits::default());
    for _ in 0..1_000 {
        assert_eq!(limiter.enter_pending(crowd), Ok(()));
    }
    for _ in 0..10_000 {
        assert_eq!(code(limiter.enter_pending(crowd)), Err(Code::RateLimited));
    }
    assert_eq!(limiter.enter_pending(other), Ok(()));
    limiter.leave_pending(crowd);
    assert_eq!(limiter.enter_pending(crowd), Ok(()));
}

#[test]
fn row_17_failures_of_an_address_are_forgiven_at_the_pace_and_no_faster() {
    let (start, address) = (origin(), Some(ip("192.0.2.1")));
    let mut limiter = AuthLimiter::new(AuthLimits::recommended());
    for _ in 0..10 {
        assert_eq!(limiter.check_attempt(start, address), Ok(()));
        limiter.record_failure(start, address);
    }
    let refused = limiter.check_attempt(start, address).expect_err("ten");
    assert_eq!(refused.code(), Code::RateLimited);
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(3)));
    let early = start + Duration::from_millis(2999);
    assert!(limiter.check_attempt(early, address).is_err());
    let late = start + Duration::from_secs(3);
    assert_eq!(limiter.check_attempt(late, address), Ok(()));
    limiter.record_failure(late, address);
    assert!(limiter.check_attempt(late, address).is_err());
    assert_eq!(
        limiter.check_attempt(late, Some(ip("192.0.2.2"))),
        Ok(()),
        "another address"
    );
}

#[test]
fn row_17_good_attempts_do_not_count_and_nothing_counts_by_default() {
    let (start, address) = (origin(), Some(ip("192.0.2.1")));
    let mut limiter = AuthLimiter::new(AuthLimits::recommended());
    for _ in 0..1000 {
        assert_eq!(limiter.check_attempt(start, address), Ok(()));
    }
    let mut limiter = AuthLimiter::new(AuthLimits::default());
    for _ in 0..1000 {
        limiter.record_failure(start, address);
        limiter.record_failed_renewal(start, &"ann".into());
    }
    assert_eq!(limiter.check_attempt(start, address), Ok(()));
    assert_eq!(limiter.check_renewal(start, &"ann".into()), Ok(()));
}

#[test]
fn row_17_a_customer_with_a_prefix_is_one_address() {
    let (start, mut limiter) = (origin(), AuthLimiter::new(AuthLimits::recommended()));
    for host in 0..10 {
        limiter.record_failure(start, Some(ip(&format!("2001:db8::{host}"))));
    }
    let same = limiter.check_attempt(start, Some(ip("2001:db8::ffff:1")));
    assert_eq!(code(same), Err(Code::RateLimited));
    let other = limiter.check_attempt(start, Some(ip("2001:db8:0:1::")));
    assert_eq!(other, Ok(()));
}

#[test]
fn failed_renewals_are_counted_by_subject() {
    let ann = Subject::new("ann");
    let (start, mut limiter) = (origin(), AuthLimiter::new(AuthLimits::recommended()));
    for _ in 0..5 {
        assert_eq!(limiter.check_renewal(start, &ann), Ok(()));
        limiter.record_failed_renewal(start, &ann);
    }
    let refused = limiter.check_renewal(start, &ann).expect_err("five");
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(12)));
    assert_eq!(limiter.check_renewal(start, &"bob".into()), Ok(()));
    let namesake = Subject::new("ann").with_issuer("https://b.example");
    assert_eq!(limiter.check_renewal(start, &namesake), Ok(()));
}

#[test]
fn the_tables_are_bounded() {
    let (start, mut limits) = (origin(), AuthLimits::recommended());
    limits.max_remembered = 4;
    limits.failures_per_address = Some(Rate::new(1, 1));
    let mut limiter = AuthLimiter::new(limits);
    for host in 0..100u8 {
        limiter.record_failure(start, Some(IpAddr::from([192, 0, 2, host])));
    }
    let known = (0..100u8)
        .filter(|host| {
            let address = Some(IpAddr::from([192, 0, 2, *host]));
            limiter.check_attempt(start, address).is_err()
        })
        .count();
    assert!((1..=4).contains(&known), "{known}");
}

#[test]
fn a_rate_of_zero_is_the_slowest_not_a_division() {
    let (start, address) = (origin(), Some(ip("192.0.2.1")));
    let mut limiter = AuthLimiter::new(AuthLimits {
        failures_per_address: Some(Rate::new(0, 0)),
        ..AuthLimits::default()
    });
    limiter.record_failure(start, address);
    let refused = limiter.check_attempt(start, address).expect_err("one");
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(60)));
}

struct Forwarded(&'static [&'static str]);

impl RequestSource for Forwarded {
    fn headers(&self, name: &str, found: &mut dyn FnMut(&[u8])) {
        if name.eq_ignore_ascii_case("x-forwarded-for") {
            self.0.iter().for_each(|value| found(value.as_bytes()));
        }
    }

    fn query(&self, _name: &str, _found: &mut dyn FnMut(&str)) {}

    fn peer(&self) -> Option<SocketAddr> {
        None
    }
}

#[test]
fn only_what_trusted_proxies_wrote_is_believed() {
    let proxies = TrustedProxies::new(["10.0.0.0/8", "2001:db8::/32"]).expect("valid");
    for (peer, header, expected) in [
        ("10.0.0.1", &["192.0.2.1"][..], "192.0.2.1"),
        ("10.0.0.1", &["6.6.6.6, 192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", &["6.6.6.6", "192.0.2.1"], "192.0.2.1"),
        ("10.0.0.1", &["192.0.2.1, 10.0.0.2"], "192.0.2.1"),
        ("10.0.0.1", &["192.0.2.1:4711"], "192.0.2.1"),
        ("10.0.0.1", &["[2001:dead::1]:4711"], "2001:dead::1"),
        ("10.0.0.1", &["[2001:dead::1]"], "2001:dead::1"),
        ("10.0.0.1", &["192.0.2.1, unknown, 10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", &[], "10.0.0.1"),
        ("::ffff:10.0.0.1", &["192.0.2.1"], "192.0.2.1"),
        ("2001:db8::7", &["192.0.2.1"], "192.0.2.1"),
        ("192.0.2.9", &["192.0.2.1"], "192.0.2.9"),
    ] {
        let client = proxies.client_address(ip(peer), &Forwarded(header));
        assert_eq!(client, ip(expected), "{peer} {header:?}");
    }
    let unix = proxies.clone().unix_sockets(true);
    for (header, expected) in [
        (&["6.6.6.6, 192.0.2.1"][..], Some("192.0.2.1")),
        (&["192.0.2.1, 10.0.0.2"], Some("192.0.2.1")),
        (&["192.0.2.1, unknown"], None),
        (&[], None),
    ] {
        let client = unix.client_address_on_unix(&Forwarded(header));
        assert_eq!(client, expected.map(ip), "{header:?}");
        assert_eq!(proxies.client_address_on_unix(&Forwarded(header)), None);
    }
    let nobody = TrustedProxies::default();
    let client = nobody.client_address(ip("10.0.0.1"), &Forwarded(&["192.0.2.1"]));
    assert_eq!(client, ip("10.0.0.1"));
}

#[test]
fn a_proxy_may_be_named_as_a_dual_stack_socket_shows_it() {
    for (named, inside, outside) in [
        ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
        ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"),
        ("::ffff:0:0/96", "6.6.6.6", "2001:dead::1"),
        // Wider than all of IPv4: a network of IPv6, which no IPv4 client comes from.
        ("::/0", "2001:dead::1", "10.0.0.1"),
        ("::ffff:0:0/95", "::fffe:10.0.0.1", "10.0.0.1"),
    ] {
        let proxies = TrustedProxies::new([named]).expect(named);
        assert!(proxies.contains(ip(inside)), "{named} {inside}");
        assert!(!proxies.contains(ip(outside)), "{named} {outside}");
        if let IpAddr::V4(inside) = ip(inside) {
            let mapped = IpAddr::V6(inside.to_ipv6_mapped());
            assert!(proxies.contains(mapped), "{named} {mapped}");
        }
    }
    let proxies = TrustedProxies::new(["::ffff:10.0.0.1"]).expect("valid");
    for peer in ["10.0.0.1", "::ffff:10.0.0.1"] {
        let client = proxies.client_address(ip(peer), &Forwarded(&["192.0.2.1"]));
        assert_eq!(client, ip("192.0.2.1"), "{peer}");
    }
}

#[test]
fn networks_are_parsed_strictly() {
    for wrong in ["", "10.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "a/8"] {
        assert!(TrustedProxies::new([wrong]).is_err(), "{wrong}");
    }
    let all = TrustedProxies::new(["0.0.0.0/0", "::/0"]).expect("valid");
    assert!(all.contains(ip("6.6.6.6")) && all.contains(ip("2001:dead::1")));
    let one = TrustedProxies::new(["192.0.2.7"]).expect("valid");
    assert!(one.contains(ip("192.0.2.7")) && !one.contains(ip("192.0.2.6")));
}

#[test]
fn a_lock_doubles_up_to_its_longest_and_ends() {
    let (lockout, start) = (ExponentialLockout::new(9), origin());
    let key = LockoutKey::Address(AddressKey::of(ip("192.0.2.1")));
    for _ in 0..ExponentialLockout::FREE_FAILURES {
        lockout.failed(start, key);
        assert_eq!(lockout.locked_for(start, key), None);
    }
    for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900] {
        lockout.failed(start, key);
        let left = lockout.locked_for(start, key);
        assert_eq!(left, Some(Duration::from_secs(seconds)));
    }
    let end = start + ExponentialLockout::LONGEST;
    assert_eq!(lockout.locked_for(end, key), None);
    assert_eq!(
        lockout.locked_for(start, LockoutKey::Subject(&Subject::new("ann"))),
        None
    );
    lockout.failed(end, key);
    assert!(lockout.locked_for(end, key).is_some(), "not forgotten yet");
    lockout.succeeded(end, key);
    lockout.failed(end, key);
    assert_eq!(lockout.locked_for(end, key), None);
}

#[test]
fn quiet_forgets_failures() {
    let (lockout, start) = (ExponentialLockout::new(9), origin());
    let ann = Subject::new("ann");
    let key = LockoutKey::Subject(&ann);
    for _ in 0..=ExponentialLockout::FREE_FAILURES {
        lockout.failed(start, key);
    }
    let later = start + Duration::from_secs(1) + ExponentialLockout::LONGEST;
    lockout.failed(later, key);
    assert_eq!(lockout.locked_for(later, key), None);
}
