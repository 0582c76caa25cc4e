//! The books, the bounds over all clients, and the control of the server.

use std::net::{IpAddr, SocketAddr};
use std::sync::Mutex;
use std::time::Duration;

use super::Log;
use super::auth::{User, guarded, token, users, wall_clock};
use crate::auth::{
    self, AuthEvent, InHandshake, TwoRoundTrip,
    authorize::{Action, Decision, authorizer_fn},
    limits::{ExponentialLockout, Lockout, LockoutKey, TrustedProxies},
    revocation::Revocation,
};
use crate::testing::{Received, TestClient};
use crate::{Ack, EmitError, SocketIo, SocketIoBuilder};

fn audited(log: &Log) -> SocketIoBuilder {
    let log = log.clone();
    SocketIo::builder().audit(move |event: &AuthEvent<'_>| log.add(event.to_string()))
}

/// The entries, without what differs between runs.
fn entries(log: &Log) -> Vec<String> {
    let cut = |line: String| match line.split_once(" connection=\"") {
        Some((head, tail)) => {
            let (id, tail) = tail.split_once('"').unwrap();
            assert_eq!(id.len(), 12, "the beginning of a one-way value");
            format!("{head}{tail}")
        }
        None => line,
    };
    log.take().into_iter().map(cut).collect()
}

#[tokio::test(start_paused = true)]
async fn the_books_tell_every_step_and_no_token() {
    let log = Log::default();
    let policy = InHandshake::new(users()).authorize(authorizer_fn(
        |_: auth::authorize::Holder<'_, User>, action: Action<'_>| {
            Decision::allow_if(action.object() != "secret")
        },
    ));
    let io = audited(&log).authenticate(policy).build().unwrap();
    io.namespace("/")
        .on("secret", |_, (): ()| async {})
        .open()
        .unwrap();
    let origin = [("origin", "https://a.example")];
    let mut client = TestClient::open_with(&io, "", &origin).await;
    client.join_with("/", &token("s3cr3t-token")).await;
    client.join_with("/", &token("user:ann")).await;
    client.send(r#"421["secret"]"#).await;
    assert_eq!(
        client.next_text().await,
        r#"431[{"error":"insufficient_scope"}]"#
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    client
        .send(r#"42["authenticate",{"token":"user:ann"}]"#)
        .await;
    client.next_text().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    client
        .send(r#"42["authenticate",{"token":"user:bob"}]"#)
        .await;
    client.next_text().await;
    let entries = entries(&log);
    let session = client.opening().split('"').nth(3).unwrap();
    for entry in &entries {
        for secret in ["s3cr3t", "user:", session] {
            assert!(!entry.contains(secret), "{entry}");
        }
        assert!(
            entry.contains(r#"namespace="/" origin="https://a.example""#),
            "{entry}"
        );
    }
    let words: Vec<_> = entries
        .iter()
        .map(|entry| entry.split(' ').nth(1).unwrap())
        .collect();
    assert_eq!(
        words,
        [
            "attempt",
            "rejected",
            "attempt",
            "accepted",
            "denied",
            "attempt",
            "refreshed",
            "attempt",
            "mismatch",
        ]
    );
    let accepted = &entries[3];
    assert!(accepted.contains(r#"subject="ann""#), "{accepted}");
    assert!(!entries[2].contains("subject"), "not verified yet");
    assert!(
        entries[4].contains(r#"action=emit object="secret""#),
        "{}",
        entries[4]
    );
}

#[tokio::test(start_paused = true)]
async fn a_verdict_is_told_with_what_was_judged_and_how_long_it_took() {
    for is_handshake in [true, false] {
        let log = Log::default();
        let io = if is_handshake {
            audited(&log).authenticate(InHandshake::new(users()))
        } else {
            audited(&log).authenticate(TwoRoundTrip::new(users()))
        };
        let io = io.build().unwrap();
        io.namespace("/").open().unwrap();
        let mut client = TestClient::open(&io).await;
        if !is_handshake {
            client.join("/").await;
        }
        for (value, verdict) in [("bad", "rejected"), ("slow:ann", "accepted")] {
            if is_handshake {
                client.join_with("/", &token(value)).await;
            } else {
                let event = format!(r#"42["authenticate",{}]"#, token(value));
                client.send(&event).await;
                client.next_text().await;
            }
            let [attempt, told] = &entries(&log)[..] else {
                panic!("an attempt and a verdict")
            };
            let judged = |entry: &str| {
                let (_, rest) = entry.split_once(" source=").unwrap();
                rest.split(' ').take(2).collect::<Vec<_>>().join(" ")
            };
            assert!(told.starts_with(&format!("auth {verdict}")), "{told}");
            assert_eq!(judged(attempt), judged(told), "the same token");
            assert!(!attempt.contains("latency_us"), "{attempt}");
            let latency = told.split_once("latency_us=").unwrap().1;
            let is_slow = latency.parse::<u32>().unwrap() >= 1_000_000;
            assert_eq!(is_slow, value.starts_with("slow"), "{told}");
        }
        // What comes of no verdict has none.
        io.auth().kick(&Revocation::subject("ann", wall_clock()));
        let [revoked] = &entries(&log)[..] else {
            panic!("one entry")
        };
        assert!(!revoked.contains("latency_us") && !revoked.contains("source="));
    }
}

#[tokio::test(start_paused = true)]
async fn the_books_tell_of_those_who_do_not_come_in_time() {
    let log = Log::default();
    let io = audited(&log).build().unwrap();
    io.namespace("/")
        .authenticate(TwoRoundTrip::new(users()))
        .on("x", |_, (): ()| async {})
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    client.drain().await;
    assert_eq!(entries(&log), [r#"auth timeout namespace="/""#]);
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_panics_ends_nobody() {
    let io = SocketIo::builder()
        .audit(|_: &AuthEvent<'_>| panic!("the sink"))
        .authenticate(InHandshake::new(users()))
        .build()
        .unwrap();
    io.namespace("/")
        .on("x", |_, (): ()| async { Ack(1) })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    assert!(
        client
            .join_with("/", &token("user:ann"))
            .await
            .starts_with("40{")
    );
    client.send(r#"421["x"]"#).await;
    assert_eq!(client.next_text().await, "431[1]");
}

/// Locks out addresses at the first failure.
#[derive(Default)]
struct Strict(Mutex<Vec<String>>);

impl Lockout for Strict {
    fn locked_for(&self, _: std::time::Instant, key: LockoutKey<'_>) -> Option<Duration> {
        let locked = self.0.lock().unwrap();
        locked
            .contains(&format!("{key:?}"))
            .then_some(Duration::from_secs(60))
    }

    fn failed(&self, _: std::time::Instant, key: LockoutKey<'_>) {
        self.0.lock().unwrap().push(format!("{key:?}"));
    }

    fn succeeded(&self, _: std::time::Instant, _: LockoutKey<'_>) {}
}

fn behind_a_proxy(builder: SocketIoBuilder) -> SocketIo<User> {
    guarded(builder.trusted_proxies(TrustedProxies::new(["10.0.0.1"]).unwrap()))
}

async fn client_at(io: &SocketIo<User>, peer: &str, forwarded: &str) -> TestClient {
    let peer: IpAddr = peer.parse().unwrap();
    let forwarded = [("x-forwarded-for", forwarded)];
    TestClient::open_from(io, Some((peer, 4000).into()), "", &forwarded).await
}

#[tokio::test(start_paused = true)]
async fn row_17_an_address_that_failed_is_locked_out_and_the_proxy_is_not() {
    let io = behind_a_proxy(SocketIo::builder().lockout(Strict::default()));
    let mut bad = client_at(&io, "10.0.0.1", "192.0.2.1").await;
    bad.join_with("/", &token("bad")).await;
    let mut same = client_at(&io, "10.0.0.1", "192.0.2.1").await;
    let refused = same.join_with("/", &token("user:ann")).await;
    assert!(refused.contains("rate_limited"), "{refused}");
    // Another client of the same proxy, and one that only claims to be behind it.
    for (peer, forwarded) in [("10.0.0.1", "192.0.2.2"), ("192.0.2.3", "192.0.2.1")] {
        let mut other = client_at(&io, peer, forwarded).await;
        let reply = other.join_with("/", &token("user:ann")).await;
        assert!(reply.starts_with("40{"), "{peer} {reply}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_nowhere_and_at_no_unix_socket_speaks_for_nobody() {
    let proxies = TrustedProxies::default().unix_sockets(true);
    let io = SocketIo::builder()
        .trusted_proxies(proxies)
        .build()
        .unwrap();
    let space = io.namespace("/").open().unwrap();
    let said = [
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-proto", "https"),
    ];
    let mut client = TestClient::open_from(&io, None, "", &said).await;
    client.join("/").await;
    let [socket] = &space.sockets()[..] else {
        panic!("one is in");
    };
    let handshake = socket.handshake();
    assert_eq!((handshake.peer(), handshake.is_secure()), (None, false));
}

#[tokio::test(start_paused = true)]
async fn row_17_failures_of_an_address_use_up_its_bucket() {
    let mut limits = auth::limits::AuthLimits::default();
    limits.failures_per_address = Some(auth::limits::Rate::new(1, 2));
    let io = behind_a_proxy(SocketIo::builder().auth_limits(|_| limits));
    for _ in 0..2 {
        let mut client = client_at(&io, "10.0.0.1", "192.0.2.1").await;
        let refused = client.join_with("/", &token("bad")).await;
        assert!(refused.contains("invalid_token"), "{refused}");
    }
    let mut third = client_at(&io, "10.0.0.1", "192.0.2.1").await;
    let refused = third.join_with("/", &token("user:ann")).await;
    assert!(refused.contains("rate_limited"), "{refused}");
    assert!(refused.contains(r#""retry_after":60"#), "{refused}");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let mut later = client_at(&io, "10.0.0.1", "192.0.2.1").await;
    let reply = later.join_with("/", &token("user:ann")).await;
    assert!(reply.starts_with("40{"), "{reply}");
}

#[test]
fn the_options_of_authentication_show_in_debug_without_secrets() {
    let builder = SocketIo::builder().lockout(ExponentialLockout::new(8));
    let shown = format!("{builder:?}");
    assert!(shown.contains("has_lockout: true"), "{shown}");
}

#[tokio::test(start_paused = true)]
async fn who_is_kicked_leaves_and_who_is_warned_may_renew() {
    let io = SocketIo::builder()
        .authenticate(InHandshake::new(users()))
        .build()
        .unwrap();
    let space = io
        .namespace("/")
        .on("x", |_, (): ()| async {})
        .open()
        .unwrap();
    let (mut ann, mut bob) = (TestClient::open(&io).await, TestClient::open(&io).await);
    ann.join_with("/", &token("user:ann")).await;
    bob.join_with("/", &token("user:bob")).await;
    let control = io.auth();
    assert_eq!(control.kick(&Revocation::subject("ann", wall_clock())), 1);
    assert!(ann.next_text().await.contains("token_revoked"));
    assert_eq!(ann.next_text().await, "41");
    assert_eq!(ann.next().await, Received::Closed);

    let bobs = Revocation::subject("bob", wall_clock());
    assert_eq!(control.expire_in(&bobs, Duration::from_secs(10)), 1);
    assert_eq!(
        bob.next_text().await,
        r#"42["token_expiring",{"expires_in":10}]"#
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    bob.send(r#"42["authenticate",{"token":"user:bob"}]"#).await;
    assert_eq!(bob.next_text().await, r#"42["authenticated"]"#);
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(space.socket_count(), 1, "who renewed stays");

    let margin = Duration::from_secs(3);
    let told = control.expire_in_because(&bobs, margin, "moving house");
    assert_eq!(told, 1);
    assert_eq!(
        bob.next_text().await,
        r#"42["token_expiring",{"expires_in":3,"reason":"moving house"}]"#
    );
    assert!(bob.next_text().await.contains("token_expired"));
}

#[test]
fn row_23_the_report_names_every_namespace_and_what_it_asks_for() {
    let io = SocketIo::builder()
        .authenticate(InHandshake::new(users()))
        .build()
        .unwrap();
    io.namespace("/b")
        .public()
        .on("x", |_, (): ()| async {})
        .open()
        .unwrap();
    io.namespace("/a")
        .authenticate(TwoRoundTrip::new(users()).timeout(Duration::from_secs(9)))
        .on("x", |_, (): ()| async {})
        .open()
        .unwrap();
    io.namespaces("/t-#")
        .on("x", |_, (): ()| async {})
        .open()
        .unwrap();
    assert_eq!(
        io.auth().report(),
        "/a: two round trips, 3 attempts within 9s\n\
         /b: public\n\
         /t-#: handshake, 3 attempts within 5s\n"
    );
}

#[tokio::test(start_paused = true)]
async fn row_39_who_may_not_receive_an_event_or_be_in_a_room_is_left_out() {
    let policy = InHandshake::new(users()).authorize(authorizer_fn(
        |holder: auth::authorize::Holder<'_, User>, action: Action<'_>| {
            let is_ann = holder.identity().0 == "ann";
            // A grant that ends is worth less than one that does not.
            let is_full = holder
                .grant()
                .is_some_and(|grant| grant.expires_at().is_none());
            Decision::allow_if(match action {
                Action::Receive { event } => event != "staff" || is_ann,
                Action::Join { room } => room != "vip" || is_full,
                _ => true,
            })
        },
    ));
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    let space = io
        .namespace("/")
        .on("join", |socket, room: String| async move {
            if !socket.may(Action::Join { room: &room }) {
                return Err("forbidden");
            }
            socket.join(room).map_err(|_| "not joined")
        })
        .on("me", |socket, (): ()| async move {
            Ack(socket.emit("staff", &1) == Err(EmitError::Forbidden))
        })
        .open()
        .unwrap();
    let (mut ann, mut bob) = (TestClient::open(&io).await, TestClient::open(&io).await);
    ann.join_with("/", &token("user:ann")).await;
    bob.join_with("/", &token("user:bob:60")).await;
    space.emit("staff", &1).unwrap();
    assert_eq!(ann.next_text().await, r#"42["staff",1]"#);
    bob.send(r#"421["me"]"#).await;
    assert_eq!(
        bob.next_text().await,
        "431[true]",
        "and no broadcast before"
    );

    bob.send(r#"422["join","vip"]"#).await;
    assert_eq!(bob.next_text().await, r#"432[{"error":"forbidden"}]"#);
    ann.send(r#"421["join","vip"]"#).await;
    assert_eq!(ann.next_text().await, "431[]");
    ann.send(r#"422["join","hall"]"#).await;
    assert_eq!(ann.next_text().await, "432[]");
    tokio::time::sleep(Duration::from_secs(2)).await;
    ann.send(r#"42["authenticate",{"token":"user:ann:60"}]"#)
        .await;
    assert_eq!(ann.next_text().await, r#"42["authenticated"]"#);
    assert!(space.ids_in("vip").is_empty(), "the grant lost its worth");
    assert_eq!(space.ids_in("hall").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_is_too_long_is_told_with_the_limit() {
    let log = Log::default();
    let io = audited(&log)
        .authenticate(InHandshake::new(users()))
        .build()
        .unwrap();
    io.namespace("/").open().unwrap();
    let mut client = TestClient::open(&io).await;
    let payload = token(&"x".repeat(16 * 1024));
    let refused = client.join_with("/", &payload).await;
    assert!(!refused.contains("16384"), "{refused}");
    let told = entries(&log).pop().unwrap();
    assert!(told.contains("detail=\"the CONNECT payload has"), "{told}");
    assert!(told.contains("max_payload_bytes is 16384"), "{told}");
}

/// Proxy and client on one machine, or one trusted network: whether there is TLS makes no difference to who is told.
#[tokio::test(start_paused = true)]
async fn a_client_with_a_trusted_address_is_shown_behind_its_proxy_as_any_other() {
    let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
    let io = SocketIo::builder().trusted_proxies(proxies);
    let io = io.build().unwrap();
    let space = io.namespace("/").open().unwrap();
    let proxy = SocketAddr::from(([10, 0, 0, 1], 5000));
    for (forwarded, protocol, client) in [
        ("203.0.113.5", "http", "203.0.113.5"),
        ("10.1.2.3", "http", "10.1.2.3"),
        ("10.1.2.3", "https", "10.1.2.3"),
        ("10.9.9.9, 10.1.2.3", "http", "10.9.9.9"),
        ("10.0.0.1", "http", "10.0.0.1"),
        ("10.0.0.1", "https", "10.0.0.1"),
    ] {
        let headers = [
            ("x-forwarded-for", forwarded),
            ("x-forwarded-proto", protocol),
        ];
        let mut opened = TestClient::open_from(&io, Some(proxy), "", &headers).await;
        let id = opened.connect("/", &()).await;
        let socket = space.socket(&id).unwrap();
        let seen = socket.handshake();
        let client = SocketAddr::new(client.parse().unwrap(), 0);
        let case = format!("{forwarded} {protocol}");
        assert_eq!(seen.peer(), Some(client), "{case}");
        assert_eq!(seen.proxy(), Some(proxy), "{case}");
        assert_eq!(seen.is_secure(), protocol == "https", "{case}");
    }
    // Nothing is said: the proxy speaks for itself.
    let mut direct = TestClient::open_from(&io, Some(proxy), "", &[]).await;
    let id = direct.connect("/", &()).await;
    let socket = space.socket(&id).unwrap();
    let seen = socket.handshake();
    assert_eq!((seen.peer(), seen.proxy()), (Some(proxy), None));
}
