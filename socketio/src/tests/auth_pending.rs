//! Clients that are not in yet: nothing reaches them, and they reach nothing.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Log;
use super::auth::{User, guarded, token, users};
use crate::auth::{
    AuthContext, AuthEvent, Authenticator as _, Credential, CredentialSource, Dialect, Either,
    Extract, GrantFacts, HandshakeView, InHandshake, OnExpiry, Outcome, TwoRoundTrip, auth_fn,
    authorize::{Action, Decision, Holder, authorizer_fn},
    limits::{Lockout, LockoutKey},
    revocation::{MemoryRevocations, Revocation, RevocationList, RevocationListener},
};
use crate::namespace::{Decided, One};
use crate::testing::{Received, TestClient};
use crate::{Ack, BuildError, Namespace, NamespaceBuilder, Socket, SocketIo};

/// A namespace that logs whatever of the application's runs.
fn watched(io: &SocketIo, name: &str, log: &Log) -> Namespace<User> {
    let policy = TwoRoundTrip::new(users());
    watched_of(io.namespace(name).authenticate(policy), log)
}

fn watched_of(builder: NamespaceBuilder<User, Decided, One>, log: &Log) -> Namespace<User> {
    let logs = || log.clone();
    let (any, filter, hook, event, rest, room, gone) =
        (logs(), logs(), logs(), logs(), logs(), logs(), logs());
    builder
        .on_any(move |_, name, _| any.add(format!("any {name}")))
        .event_middleware(move |_, event| {
            filter.add("filter");
            async { Some(event) }
        })
        .on_connect(move |socket| {
            hook.add("connect");
            async move { socket.join("room").map_err(drop).unwrap_or_default() }
        })
        .on("say", move |_, text: String| {
            event.add(format!("say {text}"));
            async { Ack("heard") }
        })
        .fallback(move |_, event| {
            rest.add(format!("fallback {}", event.name()));
            async {}
        })
        .on_room(move |_| room.add("room"))
        .on_disconnect(move |_, _| {
            gone.add("disconnect");
            async {}
        })
        .open()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn row_18_no_code_of_the_application_sees_a_pending_client() {
    let log = Log::default();
    let io = SocketIo::new();
    watched(&io, "/", &log);
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    client
        .send_all(&[
            r#"42["say","a"]"#,
            r#"427["say","b"]"#,
            r#"42["other"]"#,
            "430[1]",
            "41",
        ])
        .await;
    client.join("/").await;
    client.send(r#"428["say","c"]"#).await;
    let received = client.drain().await;
    assert_eq!(received.len(), 2, "the reason and the end: {received:?}");
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn row_18_what_was_queued_behind_a_bad_token_is_dropped() {
    let log = Log::default();
    let io = SocketIo::new();
    watched(&io, "/", &log);
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    client
        .send_all(&[r#"42["authenticate",{"token":"bad"}]"#, r#"42["say","a"]"#])
        .await;
    assert!(client.next_text().await.contains("invalid_token"));
    client
        .send(r#"42["authenticate",{"token":"user:ann"}]"#)
        .await;
    assert_eq!(client.next_text().await, r#"42["authenticated"]"#);
    client.send(r#"421["say","b"]"#).await;
    assert_eq!(client.next_text().await, r#"431["heard"]"#);
    let log = log.take();
    assert!(
        log.contains(&"say b".to_owned()) && !log.contains(&"say a".to_owned()),
        "{log:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn row_18_a_pending_client_that_floods_is_closed() {
    let io = SocketIo::new();
    let log = Log::default();
    watched(&io, "/", &log);
    // Ignored packets before `authenticate`, queued ones behind it: the bound, and one past it.
    for (first, bound) in [
        ("", 10_000),
        (r#"42["authenticate",{"token":"hang"}]"#, 256),
    ] {
        for (count, is_closed) in [(bound, false), (bound + 1, true)] {
            let mut client = TestClient::open(&io).await;
            client.join("/").await;
            if !first.is_empty() {
                client.send(first).await;
            }
            let begun = tokio::time::Instant::now();
            client.send_all(&vec![r#"42["say","a"]"#; count]).await;
            client.drain().await;
            assert_eq!(begun.elapsed().is_zero(), is_closed, "{first} {count}");
        }
    }
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn row_19_no_emit_room_or_broadcast_reaches_a_pending_client() {
    let log = Log::default();
    let io = SocketIo::new();
    let space = watched(&io, "/", &log);
    let mut pending = TestClient::open(&io).await;
    pending.join("/").await;
    let mut member = TestClient::open(&io).await;
    member.join("/").await;
    member
        .send(r#"42["authenticate",{"token":"user:ann"}]"#)
        .await;
    assert_eq!(member.next_text().await, r#"42["authenticated"]"#);
    let reach_all = || {
        space.emit("all", &1).unwrap();
        space.to("room").emit("room", &1).unwrap();
        space.everyone().join("other");
        space.to("other").emit("other", &1).unwrap();
    };
    reach_all();
    assert_eq!(space.sockets().len(), 1);
    assert_eq!(space.socket_count(), 1);
    for event in ["all", "room", "other"] {
        assert_eq!(member.next_text().await, format!(r#"42["{event}",1]"#));
    }
    // While it is being verified as well.
    pending
        .send(r#"42["authenticate",{"token":"slow:bob"}]"#)
        .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    reach_all();
    assert_eq!(
        pending.next_text().await,
        r#"42["authenticated"]"#,
        "and nothing before"
    );
    space.emit("late", &1).unwrap();
    assert_eq!(pending.next_text().await, r#"42["late",1]"#);
}

#[tokio::test(start_paused = true)]
async fn row_17_attempts_are_counted_over_all_namespaces_of_a_connection() {
    let io = SocketIo::builder()
        .authenticate(InHandshake::new(users()))
        .build()
        .unwrap();
    for name in ["/a", "/b", "/c", "/d"] {
        io.namespace(name)
            .on("x", |_, (): ()| async {})
            .open()
            .unwrap();
    }
    let mut client = TestClient::open(&io).await;
    for name in ["/a", "/b", "/c"] {
        let refused = client.join_with(name, &token("bad")).await;
        assert!(refused.contains("invalid_token"), "{refused}");
    }
    let refused = client.join_with("/d", &token("user:ann")).await;
    assert!(refused.contains("too_many_attempts"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn two_round_trips_ignore_what_the_handshake_presents() {
    let io = SocketIo::new();
    watched(&io, "/", &Log::default());
    let header = [("authorization", "Bearer user:ann")];
    let mut client = TestClient::open_with(&io, "", &header).await;
    assert!(
        client
            .join_with("/", &token("bad"))
            .await
            .starts_with("40{")
    );
    client.send(r#"42["authenticate",{}]"#).await;
    let answer = client.next_text().await;
    assert!(answer.contains("credentials_required"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn row_33_a_payload_past_its_bound_is_not_looked_at() {
    let io = guarded(SocketIo::builder());
    let payload = |size: usize| {
        let frame = r#"0{"token":"user:ann","pad":""}"#.len();
        format!(
            r#"{{"token":"user:ann","pad":"{}"}}"#,
            "x".repeat(size - frame)
        )
    };
    let mut client = TestClient::open(&io).await;
    let refused = client.join_with("/", &payload(16 * 1024 + 1)).await;
    assert!(refused.contains("credentials_bad_format"), "{refused}");
    let reply = client.join_with("/", &payload(16 * 1024)).await;
    assert!(reply.starts_with("40{"), "{reply}");
}

#[tokio::test(start_paused = true)]
async fn row_36_an_authenticator_that_panics_refuses_its_client_and_is_told_of() {
    let log = Log::default();
    let books = log.clone();
    let io = SocketIo::builder()
        .audit(move |event: &AuthEvent<'_>| books.add(event.kind.as_str()))
        .build()
        .unwrap();
    let broken = || {
        auth_fn(|_: AuthContext, credential: Credential| async move {
            if credential.token() == "panic" {
                panic!("the authenticator");
            }
            Outcome::<()>::NotMine
        })
    };
    for (name, handshake) in [("/one", true), ("/two", false)] {
        let builder = io.namespace(name);
        let builder = if handshake {
            builder.authenticate(Either::new(broken()))
        } else {
            builder.authenticate(TwoRoundTrip::new(broken()))
        };
        builder.on("x", |_, (): ()| async {}).open().unwrap();
    }
    let mut client = TestClient::open(&io).await;
    client.join("/two").await;
    let refused = client.join_with("/one", &token("panic")).await;
    assert!(refused.contains("auth_unavailable"), "{refused}");
    // It goes on, since another namespace is open.
    client
        .send(r#"42/two,["authenticate",{"token":"panic"}]"#)
        .await;
    assert!(client.next_text().await.contains("auth_unavailable"));
    assert_eq!(client.next_text().await, "41/two,");
    assert_eq!(client.next().await, Received::Closed);
    assert_eq!(log.take(), ["attempt", "panic", "attempt", "panic"]);
    let mut client = TestClient::open(&io).await;
    let refused = client.join_with("/one", &token("panic")).await;
    assert!(refused.contains("auth_unavailable"), "{refused}");
    assert_eq!(
        client.next().await,
        Received::Closed,
        "nothing else is open"
    );
}

#[tokio::test(start_paused = true)]
async fn row_23_namespaces_that_are_opened_later_and_dynamic_ones_are_guarded() {
    let io = SocketIo::builder()
        .authenticate(InHandshake::new(users()))
        .build()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    io.namespace("/admin")
        .on("x", |_, (): ()| async {})
        .open()
        .unwrap();
    io.namespaces("/tenant-*")
        .on("x", |_, (): ()| async {})
        .open()
        .unwrap();
    io.namespaces_where(|name, _| std::future::ready(name == "/odd"))
        .on("x", |_, (): ()| async {})
        .open()
        .unwrap();
    for name in ["/admin", "/tenant-1", "/odd"] {
        let refused = client.join(name).await;
        assert!(refused.contains("credentials_required"), "{name} {refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn row_23_dynamic_namespaces_are_guarded_from_clients_of_protocol_4() {
    let io = SocketIo::builder()
        .engine(|config| config.allow_eio3(true))
        .authenticate(InHandshake::new(users()))
        .build()
        .unwrap();
    let tenants = io
        .namespaces("/tenant-*")
        .on("who", |socket, (): ()| async move {
            Ack(socket.data().0.clone())
        })
        .open()
        .unwrap();
    let two = io
        .namespaces("/two-*")
        .authenticate(TwoRoundTrip::new(users()));
    two.on("who", |socket, (): ()| async move {
        Ack(socket.data().0.clone())
    })
    .open()
    .unwrap();
    let mut client = TestClient::open_with(&io, "EIO=3", &[]).await;
    // It cannot leave the root out, which is not open here.
    assert!(client.next_text().await.contains("Invalid namespace"));
    for (connect, code) in [
        ("40/tenant-1", "credentials_required"),
        ("40/tenant-1?token=bad", "invalid_token"),
    ] {
        client.send(connect).await;
        let refused = client.next_text().await;
        assert!(
            refused.starts_with(r#"44/tenant-1,{"message":"#) && refused.contains(code),
            "{refused}"
        );
    }
    assert!(tenants.namespaces().is_empty());
    client.send("40/tenant-1?token=user:ann").await;
    assert_eq!(client.next_text().await, "40/tenant-1,");
    client.send(r#"42/tenant-1,1["who"]"#).await;
    assert_eq!(client.next_text().await, r#"43/tenant-1,1["ann"]"#);

    client.send("40/two-1?token=user:ann").await;
    assert_eq!(client.next_text().await, "40/two-1,");
    client
        .send_all(&[
            r#"42/two-1,2["who"]"#,
            r#"42/two-1,["authenticate",{"token":"user:bob"}]"#,
            r#"42/two-1,3["who"]"#,
        ])
        .await;
    let heard = [r#"42/two-1,["authenticated"]"#, r#"43/two-1,3["bob"]"#];
    for expected in heard {
        assert_eq!(client.next_text().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn each_namespace_of_a_connection_has_its_own_time() {
    let io = SocketIo::new();
    for (name, seconds) in [("/short", 2), ("/long", 4)] {
        let policy = TwoRoundTrip::new(users())
            .timeout(Duration::from_secs(seconds))
            .on_expiry(OnExpiry::DisconnectNamespace)
            .settings(|settings| settings.warn_before = Duration::ZERO);
        let space = io.namespace(name).authenticate(policy);
        space
            .on("who", |socket, (): ()| async move {
                Ack(socket.data().0.clone())
            })
            .open()
            .unwrap();
    }
    let since = tokio::time::Instant::now();
    let mut client = TestClient::open(&io).await;
    client.join("/short").await;
    client.join("/long").await;
    let told = client.next_text().await;
    assert!(
        told.starts_with("42/short,") && told.contains("auth_timeout"),
        "{told}"
    );
    assert_eq!(client.next_text().await, "41/short,");
    assert_eq!(since.elapsed().as_secs(), 2);

    // The other one is not even late, and its grant ends by itself.
    let authenticate =
        |name: &str, value: &str| format!(r#"42{name},["authenticate",{}]"#, token(value));
    client.send(&authenticate("/long", "user:ann:3")).await;
    assert_eq!(client.next_text().await, r#"42/long,["authenticated"]"#);
    io.namespace("/public").public().open().unwrap();
    client.join("/public").await;
    let told = client.next_text().await;
    assert!(
        told.starts_with("42/long,") && told.contains("token_expired"),
        "{told}"
    );
    assert_eq!(client.next_text().await, "41/long,");
    assert!((4..=5).contains(&since.elapsed().as_secs()));
    client.send("41/public,").await;
    assert!(client.join("/public").await.starts_with("40/public,"));
}

#[tokio::test]
async fn the_event_that_authenticates_is_not_for_handlers() {
    let io = SocketIo::new();
    let handled = |name, policy: Option<Dialect>, event| {
        let space = io.namespace(name);
        match policy {
            Some(dialect) => {
                let policy = TwoRoundTrip::new(users()).dialect(dialect);
                let space = space.authenticate(policy);
                space.on(event, |_, (): ()| async {}).open().map(drop)
            }
            None => space.on(event, |_, (): ()| async {}).open().map(drop),
        }
    };
    let jwt = Some(Dialect::SocketIoJwt);
    let taken = |event: &str| Err(BuildError::ReservedName(event.to_owned()));
    assert_eq!(handled("/a", jwt, "authenticate"), taken("authenticate"));
    assert_eq!(handled("/a", jwt, "authentication"), Ok(()));
    let older = Some(Dialect::SocketIoAuth);
    assert_eq!(
        handled("/b", older, "authentication"),
        taken("authentication")
    );
    assert_eq!(handled("/b", older, "authenticate"), Ok(()));
    assert_eq!(handled("/c", None, "authenticate"), Ok(()));
    let many = io.namespaces("/d-*");
    let many = many.authenticate(InHandshake::new(users()));
    let many = many.on("authenticate", |_, (): ()| async {}).open();
    assert_eq!(many.map(drop), taken("authenticate"));
    // Among others, wherever these stand.
    let among = io.namespace("/e").authenticate(TwoRoundTrip::new(users()));
    let among = ["y", "zz", "authenticate", "a longer name"]
        .into_iter()
        .fold(among, |space, event| space.on(event, |_, (): ()| async {}));
    assert_eq!(among.open().map(drop), taken("authenticate"));
}

#[tokio::test(start_paused = true)]
async fn row_36_whatever_panics_for_a_policy_refuses_its_client_and_says_so() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Panics {
        Guest,
        List,
        Lockout,
    }
    /// Vouches for what the authenticator asks, and panics when the server asks again.
    #[derive(Default)]
    struct Late(AtomicU32);
    impl RevocationList for Late {
        fn is_revoked(&self, _: &GrantFacts) -> bool {
            let asked_before = self.0.fetch_add(1, Ordering::Relaxed);
            assert!(asked_before.is_multiple_of(2), "a list");
            false
        }
        fn subscribe(&self, _: Weak<dyn RevocationListener>) {}
        fn absorb(&self, _: &Revocation) {}
    }
    struct Panicking;
    impl Lockout for Panicking {
        fn locked_for(&self, _: std::time::Instant, _: LockoutKey<'_>) -> Option<Duration> {
            panic!("a lockout")
        }
        fn failed(&self, _: std::time::Instant, _: LockoutKey<'_>) {}
        fn succeeded(&self, _: std::time::Instant, _: LockoutKey<'_>) {}
    }
    for panics in [Panics::Guest, Panics::List, Panics::Lockout] {
        let guest = || -> User { panic!("a guest") };
        let list: Arc<dyn RevocationList> = match panics {
            Panics::List => Arc::new(Late::default()),
            _ => Arc::new(MemoryRevocations::new()),
        };
        let authenticator = users().with_revocation(list);
        let builder = SocketIo::builder();
        let builder = match panics {
            Panics::Lockout => builder.lockout(Panicking),
            _ => builder,
        };
        let io = builder.build().unwrap();
        let handshake = InHandshake::new(authenticator.clone()).guest(guest);
        let two = TwoRoundTrip::new(authenticator).guest(guest);
        let log = Log::default();
        let spaces = [
            watched_of(io.namespace("/one").authenticate(handshake), &log),
            watched_of(io.namespace("/two").authenticate(two), &log),
        ];
        let presented = match panics {
            Panics::Guest => String::new(),
            _ => token("user:ann"),
        };
        let peer = "192.0.2.1:1".parse().ok();
        for _ in 0..2 {
            let mut client = TestClient::open_from(&io, peer, "", &[]).await;
            let began = tokio::time::Instant::now();
            client.send(&format!("40/one,{presented}")).await;
            let told = format!("{:?}", client.drain().await);
            assert!(told.contains("44/one,"), "{panics:?}: {told}");
            assert!(told.contains("auth_unavailable"), "{panics:?}: {told}");
            assert_eq!(
                began.elapsed(),
                Duration::ZERO,
                "{panics:?}: closed at once"
            );

            let mut client = TestClient::open_from(&io, peer, "", &[]).await;
            client.join("/two").await;
            let argument = if presented.is_empty() {
                "{}"
            } else {
                &presented
            };
            client
                .send(&format!(r#"42/two,["authenticate",{argument}]"#))
                .await;
            let told = format!("{:?}", client.drain().await);
            assert!(told.contains("auth_unavailable"), "{panics:?}: {told}");
            assert!(told.contains("41/two,"), "{panics:?}: {told}");
            assert!(began.elapsed() <= Duration::from_secs(1), "{panics:?}");
            assert_eq!(spaces.each_ref().map(Namespace::socket_count), [0, 0]);
        }
        assert_eq!(log.take(), [""; 0], "{panics:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_not_be_a_guest_there_is_none_in_either_mode() {
    let authorizer = |holder: Holder<'_, User>, _: Action<'_>| {
        Decision::allow_if(holder.identity().0 != "guest")
    };
    let io = SocketIo::new();
    let guest = || User("guest".into());
    let handshake = InHandshake::new(users()).guest(guest);
    let two = TwoRoundTrip::new(users()).guest(guest);
    let log = Log::default();
    let handshake = handshake.authorize(authorizer_fn(authorizer));
    let two = two.authorize(authorizer_fn(authorizer));
    watched_of(io.namespace("/one").authenticate(handshake), &log);
    watched_of(io.namespace("/two").authenticate(two), &log);
    let mut client = TestClient::open(&io).await;
    let refused = client.join("/one").await;
    assert!(refused.contains("insufficient_scope"), "{refused}");
    client.join("/two").await;
    client.send(r#"42/two,["authenticate",{}]"#).await;
    let refused = client.next_text().await;
    assert!(refused.contains("insufficient_scope"), "{refused}");
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn asking_to_be_a_guest_meanwhile_does_not_hide_from_middleware_who_is_verified() {
    let log = Log::default();
    let io = SocketIo::new();
    let policy = TwoRoundTrip::new(users()).guest(|| User("guest".into()));
    let seen = log.clone();
    io.namespace("/")
        .authenticate(policy)
        .middleware(move |socket: Socket<User>| {
            let seen = seen.clone();
            async move {
                tokio::time::sleep(Duration::from_secs(1)).await;
                seen.add(socket.data().0.clone());
                Ok(())
            }
        })
        .on("x", |_, (): ()| async {})
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    let ann = format!(r#"42["authenticate",{}]"#, token("user:ann"));
    client.send_all(&[&ann, r#"42["authenticate",{}]"#]).await;
    let answer = client.next_text().await;
    assert!(answer.contains("auth_in_progress"), "{answer}");
    assert_eq!(client.next_text().await, r#"42["authenticated"]"#);
    assert_eq!(log.take(), ["ann"]);
}

#[tokio::test(start_paused = true)]
async fn row_21_middleware_is_asked_about_one_guest_at_a_time() {
    let log = Log::default();
    let io = SocketIo::new();
    let policy = TwoRoundTrip::new(users()).guest(|| User("guest".into()));
    let (asked, connected) = (log.clone(), log.clone());
    io.namespace("/")
        .authenticate(policy)
        .middleware(move |_: Socket<User>| {
            asked.add("asked");
            async {
                tokio::time::sleep(Duration::from_secs(2)).await;
                Ok(())
            }
        })
        .on_connect(move |_| {
            connected.add("connected");
            async {}
        })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    client.send_all(&[r#"42["authenticate",{}]"#; 3]).await;
    for _ in 0..2 {
        let answer = client.next_text().await;
        assert!(answer.contains("auth_in_progress"), "{answer}");
    }
    assert_eq!(client.next_text().await, r#"42["authenticated"]"#);
    assert_eq!(log.take(), ["asked", "connected"]);

    let mut flood = TestClient::open(&io).await;
    flood.join("/").await;
    flood.send_all(&[r#"42["authenticate",{}]"#; 40]).await;
    flood.drain().await;
    assert_eq!(log.take(), ["asked"]);
}

/// Half an emoji is what cutting a string in JavaScript leaves, and no reason to refuse whoever has a valid token.
#[tokio::test(start_paused = true)]
async fn what_stands_beside_a_credential_does_not_spoil_it() {
    let io = SocketIo::new();
    let log = Log::default();
    watched_of(
        io.namespace("/one").authenticate(InHandshake::new(users())),
        &log,
    );
    watched_of(
        io.namespace("/two")
            .authenticate(TwoRoundTrip::new(users())),
        &log,
    );
    let spoiled = r#"{"name\ude00":"ann \ud83d","age":1e999,"token":"user:ann"}"#;
    let mut client = TestClient::open(&io).await;
    let joined = client.join_with("/one", spoiled).await;
    assert!(joined.starts_with("40/one,"), "{joined}");
    client.join("/two").await;
    let event = format!(r#"42/two,0["authenticate",{spoiled}]"#);
    client.send(&event).await;
    let answer = client.next_text().await;
    assert!(answer.contains("authenticated"), "{answer}");
    assert!(log.take().contains(&"connect".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_cannot_be_read_makes_nobody_a_guest() {
    let guest = || User("guest".into());
    let io = SocketIo::new();
    let log = Log::default();
    let handshake = InHandshake::new(users()).guest(guest);
    watched_of(io.namespace("/one").authenticate(handshake), &log);
    let two = TwoRoundTrip::new(users()).guest(guest);
    watched_of(io.namespace("/two").authenticate(two), &log);
    let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
    for (token, code) in [
        ("17", "credentials_bad_format"),
        (&*deep, "credentials_bad_format"),
        (r#""\ud800""#, "invalid_token"),
    ] {
        let unreadable = format!(r#"{{"token":{token}}}"#);
        let mut client = TestClient::open(&io).await;
        let refused = client.join_with("/one", &unreadable).await;
        assert!(refused.contains(code), "{refused}");
        client.join("/two").await;
        let event = format!(r#"42/two,["authenticate",{unreadable}]"#);
        client.send(&event).await;
        let refused = client.next_text().await;
        assert!(refused.contains(code), "{refused}");
    }
    assert_eq!(log.take(), [""; 0]);
}

/// A source of an application's own, with a bug in how it reads the opening request.
struct Broken;

impl CredentialSource for Broken {
    fn extract(&self, request: &HandshakeView<'_>) -> Extract {
        assert!(request.header("x-bug").is_none(), "the source");
        Extract::Absent
    }
}

#[tokio::test(start_paused = true)]
async fn row_36_a_source_that_panics_refuses_and_closes() {
    let log = Log::default();
    let books = log.clone();
    let io = SocketIo::builder()
        .audit(move |event: &AuthEvent<'_>| books.add(event.kind.as_str()))
        .authenticate(InHandshake::new(users()).sources(Broken))
        .build()
        .unwrap();
    io.namespace("/")
        .on("x", |_, (): ()| async {})
        .open()
        .unwrap();
    let mut client = TestClient::open_with(&io, "", &[("x-bug", "1")]).await;
    let refused = client.join("/").await;
    assert!(refused.contains("auth_unavailable"), "{refused}");
    assert_eq!(client.next().await, Received::Closed);
    assert_eq!(log.take(), ["panic"]);
}
