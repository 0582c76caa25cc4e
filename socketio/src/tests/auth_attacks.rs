//! Doubts about the seams between the policy's machine, the connection and the namespace.

use std::sync::Arc;
use std::time::Duration;

use super::Log;
use super::auth::{User, token, users, wall_clock};
use super::polling::Polling;
use crate::auth::{
    Authenticator as _, InHandshake, OnExpiry, TwoRoundTrip,
    authorize::{Action, Decision, Holder, authorizer_fn},
    revocation::{MemoryRevocations, Revocation},
};
use crate::namespace::One;
use crate::testing::{Received, TestClient};
use crate::{ConnectError, Namespace, NamespaceBuilder, Socket, SocketIo};

/// A namespace whose middleware takes a second, and that logs who comes in.
fn slow_to_admit<S>(builder: NamespaceBuilder<User, S, One>, log: &Log) -> Namespace<User> {
    let log = log.clone();
    builder
        .middleware(|_: Socket<User>| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok(())
        })
        .on_connect(move |_| {
            log.add("connected");
            async {}
        })
        .open()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_ends_while_middleware_waits_refuses_the_connect() {
    for on_expiry in [
        OnExpiry::ReconnectTransport,
        OnExpiry::DisconnectNamespace,
        OnExpiry::NotifyOnly,
    ] {
        let log = Log::default();
        let policy = InHandshake::new(users()).on_expiry(on_expiry);
        let io = SocketIo::builder().authenticate(policy).build().unwrap();
        let connected = log.clone();
        io.namespace("/")
            .middleware(|_: Socket<User>| async {
                tokio::time::sleep(Duration::from_secs(10)).await;
                Ok(())
            })
            .on_connect(move |_| {
                connected.add("connected");
                async {}
            })
            .open()
            .unwrap();
        let mut client = TestClient::open(&io).await;
        let answer = client.join_with("/", &token("user:ann:5")).await;
        assert!(
            answer.starts_with("44{"),
            "no event before the answer: {answer}"
        );
        assert!(answer.contains("token_expired"), "{answer}");
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(log.take(), [""; 0], "{on_expiry:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn row_13_what_is_revoked_between_the_verdict_and_the_join_does_not_get_in() {
    let log = Log::default();
    let list = Arc::new(MemoryRevocations::new());
    let policy = InHandshake::new(users().with_revocation(Arc::clone(&list)));
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    let space = slow_to_admit(io.namespace("/"), &log);
    let mut client = TestClient::open(&io).await;
    client.send(&format!("40{}", token("user:ann"))).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    list.revoke(&Revocation::subject("ann", wall_clock()))
        .unwrap();
    let answer = client.next_text().await;
    assert!(
        answer.starts_with("44{") && answer.contains("token_revoked"),
        "{answer}"
    );
    assert_eq!(space.socket_count(), 0);
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn row_13_what_is_revoked_during_the_second_round_trip_does_not_get_in() {
    let log = Log::default();
    let list = Arc::new(MemoryRevocations::new());
    let policy = TwoRoundTrip::new(users().with_revocation(Arc::clone(&list)));
    let io = SocketIo::new();
    slow_to_admit(io.namespace("/").authenticate(policy), &log);
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    client
        .send(&format!(r#"42["authenticate",{}]"#, token("user:ann")))
        .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    list.revoke(&Revocation::subject("ann", wall_clock()))
        .unwrap();
    let answer = client.next_text().await;
    assert!(answer.contains("token_revoked"), "{answer}");
    assert_eq!(client.next_text().await, "41");
    assert_eq!(client.next().await, Received::Closed);
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn who_is_kicked_while_middleware_waits_is_refused_at_once() {
    let log = Log::default();
    let policy = InHandshake::new(users());
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    let space = slow_to_admit(io.namespace("/"), &log);
    let mut client = TestClient::open(&io).await;
    client.send(&format!("40{}", token("user:ann"))).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let kick = |subject| io.auth().kick(&Revocation::subject(subject, wall_clock()));
    assert_eq!((kick("bob"), kick("ann"), kick("ann")), (0, 1, 0));
    let answer = client.next_text().await;
    assert!(
        answer.starts_with("44{") && answer.contains("token_revoked"),
        "{answer}"
    );
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(space.socket_count(), 0);
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn who_is_kicked_during_the_second_round_trip_is_put_out_at_once() {
    let log = Log::default();
    let io = SocketIo::new();
    let policy = TwoRoundTrip::new(users());
    slow_to_admit(io.namespace("/").authenticate(policy), &log);
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    client
        .send(&format!(r#"42["authenticate",{}]"#, token("user:ann")))
        .await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let ann = Revocation::subject("ann", wall_clock());
    let margin = Duration::from_secs(10);
    assert_eq!(io.auth().expire_in(&ann, margin), 1);
    assert_eq!(io.auth().kick(&ann), 1);
    assert!(client.next_text().await.contains("token_revoked"));
    assert_eq!(client.next_text().await, "41");
    assert_eq!(client.next().await, Received::Closed);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(log.take(), [""; 0]);
}

/// A server with a handshake in `/`, two round trips in `/two`, which logs who comes in.
fn both_modes(log: &Log) -> SocketIo<User> {
    let policy = InHandshake::new(users());
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    let two = io
        .namespace("/two")
        .authenticate(TwoRoundTrip::new(users()));
    let (one, other) = (log.clone(), log.clone());
    io.namespace("/")
        .on_connect(move |socket: Socket<User>| {
            one.add(format!("/ {}", socket.data().0));
            async {}
        })
        .open()
        .unwrap();
    two.on_connect(move |socket: Socket<User>| {
        other.add(format!("/two {}", socket.data().0));
        async {}
    })
    .open()
    .unwrap();
    io
}

#[tokio::test(start_paused = true)]
async fn who_is_kicked_during_the_verification_does_not_get_in() {
    let log = Log::default();
    let io = both_modes(&log);
    let kick = |subject| io.auth().kick(&Revocation::subject(subject, wall_clock()));
    kick("ann");
    let mut handshake = TestClient::open(&io).await;
    handshake.send(&format!("40{}", token("slow:ann"))).await;
    let mut two = TestClient::open(&io).await;
    two.join("/two").await;
    let event = format!(r#"42/two,["authenticate",{}]"#, token("slow:ann"));
    two.send(&event).await;
    let mut other = TestClient::open(&io).await;
    other.send(&format!("40{}", token("slow:bob"))).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(kick("ann"), 0, "nobody can tell yet whose they are");

    let answer = handshake.next_text().await;
    assert!(
        answer.starts_with("44{") && answer.contains("token_revoked"),
        "{answer}"
    );
    let answer = two.next_text().await;
    assert!(answer.contains("token_revoked"), "{answer}");
    assert_eq!(two.next_text().await, "41/two,");
    assert_eq!(two.next().await, Received::Closed);
    assert!(other.next_text().await.starts_with("40{"));
    assert_eq!(log.take(), ["/ bob"]);

    // What was kicked before it came is not refused for it.
    let again = handshake.join_with("/", &token("slow:ann")).await;
    assert!(again.starts_with("40{"), "{again}");
}

#[tokio::test(start_paused = true)]
async fn who_is_kicked_during_a_renewal_leaves_by_the_grant_it_has() {
    let log = Log::default();
    let io = both_modes(&log);
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("user:ann")).await;
    let event = format!(r#"42["authenticate",{}]"#, token("slow:ann"));
    client.send(&event).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let kicked = io.auth().kick(&Revocation::subject("ann", wall_clock()));
    assert_eq!(kicked, 1);
    assert!(client.next_text().await.contains("token_revoked"));
    assert_eq!(client.next_text().await, "41");
    assert_eq!(client.next().await, Received::Closed);
}

#[tokio::test(start_paused = true)]
async fn the_ends_of_all_namespaces_leave_together() {
    let io = both_modes(&Log::default());
    io.namespace("/more").open().unwrap();
    let client = Polling::open(&io).await;
    let ann = token("user:ann");
    client.post(&format!("40{ann}\u{1e}40/more,{ann}")).await;
    client.get().await;
    let poll = client.wait();
    let kicked = io.auth().kick(&Revocation::subject("ann", wall_clock()));
    assert_eq!(kicked, 2);
    let answer = poll.await;
    let packets: Vec<_> = answer.split('\u{1e}').collect();
    let [told, "41", told_more, "41/more,"] = packets[..] else {
        panic!("{answer}")
    };
    for told in [told, told_more] {
        assert!(told.contains("token_revoked"), "{told}");
    }
}

#[tokio::test(start_paused = true)]
async fn whose_grant_is_shortened_while_middleware_waits_hears_so_in_the_answer() {
    let log = Log::default();
    let policy = InHandshake::new(users());
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    let space = slow_to_admit(io.namespace("/"), &log);
    let mut client = TestClient::open(&io).await;
    client.send(&format!("40{}", token("user:ann"))).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let ann = Revocation::subject("ann", wall_clock());
    assert_eq!(io.auth().expire_in(&ann, Duration::from_secs(10)), 1);
    let answer = client.next_text().await;
    // Half a second later.
    assert!(
        answer.starts_with("40{") && answer.contains(r#""expires_in":9}"#),
        "{answer}"
    );
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(space.socket_count(), 0, "who did not renew is out");
}

#[tokio::test(start_paused = true)]
async fn who_was_turned_away_is_not_kicked_for_it() {
    let io = SocketIo::new();
    io.namespace("/")
        .authenticate(TwoRoundTrip::new(users()))
        .middleware(|_: Socket<User>| async { Err(ConnectError::new("no")) })
        .on("x", |_, (): ()| async {})
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    client
        .send(&format!(r#"42["authenticate",{}]"#, token("user:ann")))
        .await;
    assert!(client.next_text().await.contains("unauthorized"));
    let ann = Revocation::subject("ann", wall_clock());
    assert_eq!(io.auth().kick(&ann), 0);
}

#[tokio::test(start_paused = true)]
async fn row_39_a_downgrade_takes_away_the_rooms_of_who_it_was() {
    let policy = InHandshake::new(users())
        .guest(|| User("guest".into()))
        .on_expiry(OnExpiry::Downgrade)
        .authorize(authorizer_fn(
            |holder: Holder<'_, User>, action: Action<'_>| {
                Decision::allow_if(action.object() != "staff" || holder.identity().0 != "guest")
            },
        ));
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    let space = io
        .namespace("/")
        .on_connect(|socket: Socket<User>| async move {
            socket.join("staff").unwrap();
            socket.join("lobby").unwrap();
        })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("user:ann:5")).await;
    assert!(client.next_text().await.contains("token_expiring"));
    assert!(client.next_text().await.contains("token_expired"));
    space.to("staff").emit("secret", &()).unwrap();
    space.to("lobby").emit("open", &()).unwrap();
    space.emit("all", &()).unwrap();
    assert_eq!(client.next_text().await, r#"42["all"]"#);
    let [socket] = &space.sockets()[..] else {
        panic!("one socket")
    };
    assert_eq!(socket.rooms(), []);
    assert_eq!(socket.data().0, "guest");
}

#[tokio::test(start_paused = true)]
async fn row_36_who_cannot_be_made_a_guest_at_its_end_is_put_out() {
    let policy = InHandshake::new(users())
        .guest(|| -> User { panic!("no guests today") })
        .on_expiry(OnExpiry::Downgrade);
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    let space = io.namespace("/").open().unwrap();
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("user:ann:5")).await;
    let told = format!("{:?}", client.drain().await);
    assert!(told.contains("auth_unavailable"), "{told}");
    assert!(told.contains(r#"Packet("41")"#), "{told}");
    assert_eq!(space.socket_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_joined_late_judges_the_opening_requests_token_anew() {
    let policy = InHandshake::new(users());
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    for name in ["/", "/late"] {
        io.namespace(name).open().unwrap();
    }
    let list = Arc::new(MemoryRevocations::new());
    list.revoke(&Revocation::subject("ann", wall_clock()))
        .unwrap();
    io.namespace("/list")
        .authenticate(InHandshake::new(users().with_revocation(Arc::clone(&list))))
        .open()
        .unwrap();
    let header = [("authorization", "Bearer user:ann")];
    let mut client = TestClient::open_with(&io, "", &header).await;
    assert!(client.join("/").await.starts_with("40{"));
    let refused = client.join("/list").await;
    assert!(refused.contains("token_revoked"), "{refused}");
    let ambiguous = client.join_with("/late", &token("user:bob")).await;
    assert!(ambiguous.contains("ambiguous_credentials"), "{ambiguous}");
}

#[tokio::test(start_paused = true)]
async fn a_namesake_of_another_issuer_is_somebody_else() {
    let io = SocketIo::builder()
        .authenticate(InHandshake::new(users()))
        .build()
        .unwrap();
    let space = io.namespace("/").open().unwrap();
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("user:ann::a")).await;
    let renew = |by: &str| {
        format!(
            r#"421["authenticate",{}]"#,
            token(&format!("user:ann::{by}"))
        )
    };
    client.send(&renew("b")).await;
    let told = client.next_text().await;
    assert!(told.contains("identity_mismatch"), "{told}");
    let socket = space.sockets().pop().unwrap();
    assert_eq!(socket.subject().unwrap().issuer(), Some("a"));
    let kick = |issuer| {
        let ann = Revocation::subject("ann", wall_clock()).of_issuer(issuer);
        io.auth().kick(&ann)
    };
    assert_eq!((kick("b"), kick("a")), (0, 1));
}
