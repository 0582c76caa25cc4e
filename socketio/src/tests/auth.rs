use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::auth::{
    self, AuthContext, Authenticator, BearerHeader, Code, Credential, Either, Grant, InHandshake,
    Outcome, TwoRoundTrip, auth_fn,
    authorize::{Action, Decision, authorizer_fn},
    revocation::{MemoryRevocations, Revocation},
};
use crate::testing::{Received, TestClient};
use crate::tests::Log;
use crate::{Ack, ConnectError, NamespaceBuilder, SocketIo, SocketIoBuilder};

#[derive(Clone, Debug, PartialEq)]
pub(super) struct User(pub(super) String);

/// A server whose root namespace is for [`users`] alone.
pub(super) fn guarded(builder: SocketIoBuilder) -> SocketIo<User> {
    let io = builder
        .authenticate(InHandshake::new(users()))
        .build()
        .unwrap();
    io.namespace("/")
        .on("x", |_, (): ()| async {})
        .open()
        .unwrap();
    io
}

/// Takes `user:NAME:SECONDS:ISSUER`, of which the latter parts may be missing, and `slow:NAME` after a second.
pub(super) fn users() -> impl Authenticator<Identity = User> + Clone {
    auth_fn(|_: AuthContext, credential: Credential| async move {
        let mut parts = credential.token().split(':');
        let (kind, name) = (parts.next(), parts.next().unwrap_or_default().to_owned());
        if kind == Some("slow") {
            tokio::time::sleep(Duration::from_secs(1)).await;
        } else if kind == Some("hang") {
            std::future::pending::<()>().await;
        } else if kind != Some("user") {
            return Outcome::Reject(Code::InvalidToken.into());
        }
        let grant = Grant::new(User(name.clone()), name);
        let grant = match parts.next().and_then(|text| text.parse().ok()) {
            Some(seconds) => grant.with_expires_at(wall_clock() + Duration::from_secs(seconds)),
            None => grant,
        };
        Outcome::Accept(match parts.next() {
            Some(issuer) => grant.with_issuer(issuer),
            None => grant,
        })
    })
}

#[expect(clippy::disallowed_methods, reason = "tokens end by the wall clock")]
pub(super) fn wall_clock() -> SystemTime {
    SystemTime::now()
}

fn open<S, K>(
    builder: NamespaceBuilder<User, S, K>,
) -> NamespaceBuilder<User, crate::namespace::Decided, K> {
    builder.on("who", |socket, (): ()| async move {
        Ack(socket.data().0.clone())
    })
}

pub(super) const REFUSED: &str = r#"{"message":"the token is not valid","data":{"message":"the token is not valid","code":"invalid_token","type":"UnauthorizedError"}}"#;

pub(super) fn token(name: &str) -> String {
    format!(r#"{{"token":"{name}"}}"#)
}

#[tokio::test(start_paused = true)]
async fn the_policy_of_the_server_guards_every_namespace_that_does_not_say_otherwise() {
    let policy = InHandshake::new(users());
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    open(io.namespace("/")).open().unwrap();
    open(io.namespaces("/dyn-#")).open().unwrap();
    io.namespace("/public")
        .public()
        .on("who", |socket, (): ()| async move {
            let () = *socket.data();
            Ack("anybody")
        })
        .open()
        .unwrap();
    for (headers, payload) in [
        (&[][..], token("user:ann")),
        (&[("authorization", "Bearer user:ann")][..], String::new()),
    ] {
        let mut client = TestClient::open_with(&io, "", headers).await;
        for name in ["", "/dyn-1,"] {
            client.send(&format!("40{name}{payload}")).await;
            let reply = client.next_text().await;
            assert!(reply.starts_with(&format!("40{name}{{\"sid\"")), "{reply}");
            client.send(&format!(r#"42{name}1["who"]"#)).await;
            assert_eq!(client.next_text().await, format!(r#"43{name}1["ann"]"#));
        }
    }
    let mut client = TestClient::open(&io).await;
    assert_eq!(
        client.join_with("/", &token("bad")).await,
        format!("44{REFUSED}")
    );
    let missing = client.join("/dyn-2").await;
    assert!(missing.contains("credentials_required"), "{missing}");
    assert!(
        client
            .join_with("/public", &token("bad"))
            .await
            .starts_with("40/public,{")
    );
    client.send(r#"42/public,1["who"]"#).await;
    assert_eq!(client.next_text().await, r#"43/public,1["anybody"]"#);
}

#[tokio::test(start_paused = true)]
async fn three_failures_on_a_connection_use_up_its_attempts() {
    let policy = InHandshake::new(users());
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    open(io.namespace("/")).open().unwrap();
    let mut client = TestClient::open(&io).await;
    for _ in 0..3 {
        client.join_with("/", &token("bad")).await;
    }
    let refused = client.join_with("/", &token("user:ann")).await;
    assert!(refused.contains("too_many_attempts"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn clients_of_protocol_4_hear_the_data_alone() {
    let io = SocketIo::builder()
        .engine(|config| config.allow_eio3(true))
        .authenticate(InHandshake::new(users()).sources(BearerHeader))
        .build()
        .unwrap();
    open(io.namespace("/")).open().unwrap();
    let bad = [("authorization", "Bearer bad")];
    let mut client = TestClient::open_with(&io, "EIO=3", &bad).await;
    assert_eq!(
        client.next_text().await,
        r#"44{"message":"the token is not valid","code":"invalid_token","type":"UnauthorizedError"}"#
    );
}

#[tokio::test(start_paused = true)]
async fn the_connect_that_protocol_4_implies_is_no_attempt() {
    let io = SocketIo::builder()
        .engine(|config| config.allow_eio3(true))
        .authenticate(InHandshake::new(users()).sources(BearerHeader))
        .build()
        .unwrap();
    open(io.namespace("/")).open().unwrap();
    let other = InHandshake::new(users()).sources(auth::AuthField("token"));
    open(io.namespace("/other").authenticate(other))
        .open()
        .unwrap();
    let bad = [("authorization", "Bearer bad")];
    let mut client = TestClient::open_with(&io, "EIO=3", &bad).await;
    assert!(client.next_text().await.contains("invalid_token"));
    for _ in 0..3 {
        client.send("40/other?token=bad").await;
        assert!(client.next_text().await.contains("invalid_token"));
    }
    client.send("40/other?token=user:ann").await;
    let refused = client.next_text().await;
    assert!(refused.contains("too_many_attempts"), "{refused}");
}

fn two_trips(log: &Log) -> SocketIo<()> {
    let io = SocketIo::new();
    let (connected, heard) = (log.clone(), log.clone());
    let builder = io.namespace("/").authenticate(TwoRoundTrip::new(users()));
    open(builder)
        .on_connect(move |socket| {
            connected.add(format!("connected {}", socket.data().0));
            async {}
        })
        .on("say", move |socket, text: String| {
            heard.add(format!("{} says {text}", socket.data().0));
            async {}
        })
        .open()
        .unwrap();
    io
}

#[tokio::test(start_paused = true)]
async fn two_round_trips_let_nothing_through_before_and_what_is_queued_after() {
    let log = Log::default();
    let io = two_trips(&log);
    let mut client = TestClient::open(&io).await;
    assert!(client.join("/").await.starts_with("40{"));
    client.send(r#"42["say","dropped"]"#).await;
    client
        .send_all(&[
            r#"427["authenticate",{"token":"slow:ann"}]"#,
            r#"42["say","queued"]"#,
        ])
        .await;
    assert_eq!(client.next_text().await, r#"42["authenticated"]"#);
    assert_eq!(client.next_text().await, r#"437[{"expires_in":86400}]"#);
    client.send(r#"421["who"]"#).await;
    assert_eq!(client.next_text().await, r#"431["ann"]"#);
    assert_eq!(log.take(), ["connected ann", "ann says queued"]);
}

#[tokio::test(start_paused = true)]
async fn who_fails_two_round_trips_hears_why_and_goes() {
    let log = Log::default();
    let io = two_trips(&log);
    // Acknowledged, silent, and late.
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    client.send(r#"42["authenticate",{"token":"bad"}]"#).await;
    let event = client.next_text().await;
    assert!(
        event.starts_with(r#"420["unauthorized",{"message":"the token is not valid","inner""#),
        "{event}"
    );
    client.send("430[]").await;
    assert_eq!(client.next_text().await, "41");
    assert_eq!(client.next().await, Received::Closed);

    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    client.send(r#"423["authenticate",{"token":"bad"}]"#).await;
    assert!(
        client
            .next_text()
            .await
            .starts_with(r#"421["unauthorized""#)
    );
    let ack = client.next_text().await;
    assert!(ack.starts_with(r#"433[{"error":{"message":"#), "{ack}");
    let refused = tokio::time::Instant::now();
    assert_eq!(client.next_text().await, "41");
    assert_eq!(refused.elapsed().as_secs(), 1);

    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    let begun = tokio::time::Instant::now();
    assert!(client.next_text().await.contains("auth_timeout"));
    assert_eq!(client.next_text().await, "41");
    assert_eq!(begun.elapsed().as_secs(), 5);
    assert_eq!(log.take(), [""; 0], "no user code was reached");
}

#[tokio::test(start_paused = true)]
async fn a_verification_that_hangs_is_given_up_and_ends_with_its_client() {
    let io = SocketIo::builder()
        .authenticate(InHandshake::new(users()))
        .build()
        .unwrap();
    open(io.namespace("/")).open().unwrap();
    let mut client = TestClient::open(&io).await;
    let refused = client.join_with("/", &token("hang")).await;
    assert!(refused.contains("auth_unavailable"), "{refused}");
    client.send(&format!("40{}", token("hang"))).await;
    drop(client);
    while io.connection_count() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_grant_that_ends_is_announced_can_be_renewed_and_closes_without_a_disconnect() {
    let io = SocketIo::builder()
        .authenticate(InHandshake::new(users()))
        .build()
        .unwrap();
    open(io.namespace("/")).open().unwrap();
    let mut client = TestClient::open(&io).await;
    let reply = client.join_with("/", &token("user:ann:30")).await;
    assert!(reply.ends_with(r#""auth":{"expires_in":29}}"#), "{reply}");
    assert!(
        client
            .next_text()
            .await
            .starts_with(r#"42["token_expiring",{"expires_in":"#)
    );
    client
        .send(r#"421["authenticate",{"token":"user:bob"}]"#)
        .await;
    assert!(client.next_text().await.contains("identity_mismatch"));
    assert!(client.next_text().await.starts_with("431["));
    tokio::time::sleep(Duration::from_secs(2)).await;
    client
        .send(r#"42["authenticate",{"token":"user:ann:20"}]"#)
        .await;
    assert_eq!(client.next_text().await, r#"42["authenticated"]"#);
    client.next_text().await;
    assert!(client.next_text().await.contains("token_expired"));
    assert_eq!(client.next().await, Received::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_is_revoked_leaves_at_once_and_does_not_come_back() {
    let list = Arc::new(MemoryRevocations::new());
    let io = SocketIo::builder()
        .authenticate(InHandshake::new(users().with_revocation(Arc::clone(&list))))
        .build()
        .unwrap();
    let space = open(io.namespace("/")).open().unwrap();
    let (mut ann, mut bob) = (TestClient::open(&io).await, TestClient::open(&io).await);
    ann.join_with("/", &token("user:ann")).await;
    bob.join_with("/", &token("user:bob")).await;
    list.revoke(&Revocation::subject("ann", wall_clock()))
        .unwrap();
    assert!(ann.next_text().await.contains("token_revoked"));
    assert_eq!(ann.next_text().await, "41");
    assert_eq!(ann.next().await, Received::Closed);
    let mut again = TestClient::open(&io).await;
    let refused = again.join_with("/", &token("user:ann")).await;
    assert!(refused.contains("token_revoked"), "{refused}");
    bob.send(r#"421["who"]"#).await;
    assert_eq!(bob.next_text().await, r#"431["bob"]"#);
    assert_eq!(space.socket_count(), 1);
}

//= SIO5-EVT-02 test
#[tokio::test(start_paused = true)]
async fn acknowledging_the_end_of_one_namespace_leaves_the_others_alone() {
    let list = Arc::new(MemoryRevocations::new());
    let io = SocketIo::builder()
        .authenticate(InHandshake::new(users().with_revocation(Arc::clone(&list))))
        .build()
        .unwrap();
    open(io.namespace("/")).open().unwrap();
    io.namespace("/open").public().open().unwrap();
    let mut client = TestClient::open(&io).await;
    client.join("/open").await;
    client.join_with("/", &token("user:ann")).await;
    list.revoke(&Revocation::subject("ann", wall_clock()))
        .unwrap();
    assert!(client.next_text().await.contains("token_revoked"));
    assert_eq!(client.next_text().await, "41");
    // Some clients acknowledge every event by themselves, and this was on its way when the server ended the socket.
    client.send("430[]").await;
    assert!(client.join("/nowhere").await.starts_with("44/nowhere,"));
    // Any other packet is for a namespace not joined.
    client.send(r#"42["late"]"#).await;
    assert_eq!(client.next().await, Received::Closed);
}

#[tokio::test(start_paused = true)]
async fn guests_come_without_a_token_only_and_become_somebody_later() {
    let io = SocketIo::new();
    let policy = Either::new(users()).guest(|| User("guest".into()));
    open(io.namespace("/").authenticate(policy)).open().unwrap();
    let policy = InHandshake::new(users()).guest(|| User("guest".into()));
    open(io.namespace("/guest").authenticate(policy))
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    let refused = client.join_with("/guest", &token("bad")).await;
    assert!(refused.starts_with("44/guest,"), "{refused}");
    client.join("/guest").await;
    client.send(r#"42/guest,1["who"]"#).await;
    assert_eq!(client.next_text().await, r#"43/guest,1["guest"]"#);
    client
        .send(r#"42/guest,["authenticate",{"token":"user:ann"}]"#)
        .await;
    assert_eq!(client.next_text().await, r#"42/guest,["authenticated"]"#);
    client.send(r#"42/guest,2["who"]"#).await;
    assert_eq!(client.next_text().await, r#"43/guest,2["ann"]"#);
    client.join("/").await;
    client.send(r#"42["authenticate",{}]"#).await;
    assert_eq!(client.next_text().await, r#"42["authenticated"]"#);
    client.send(r#"423["who"]"#).await;
    assert_eq!(client.next_text().await, r#"433["guest"]"#);
}

#[tokio::test(start_paused = true)]
async fn connect_middleware_sees_who_comes_in_either_mode() {
    let io = SocketIo::new();
    let admit = |socket: crate::Socket<User>| async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        match socket.data().0.as_str() {
            "ann" => Ok(()),
            name => Err(ConnectError::new(format!("not {name}"))),
        }
    };
    let policy = || TwoRoundTrip::new(users()).guest(|| User("guest".into()));
    open(io.namespace("/two").authenticate(policy()))
        .middleware(admit)
        .open()
        .unwrap();
    let policy = InHandshake::new(users());
    open(io.namespace("/one").authenticate(policy))
        .middleware(admit)
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    assert_eq!(
        client.join_with("/one", &token("user:bob")).await,
        r#"44/one,{"message":"not bob"}"#
    );
    assert!(
        client
            .join_with("/one", &token("user:ann"))
            .await
            .starts_with("40/one,")
    );
    client.join("/two").await;
    for (argument, refusal) in [(token("user:bob"), "not bob"), ("{}".into(), "not guest")] {
        client
            .send(&format!(r#"42/two,["authenticate",{argument}]"#))
            .await;
        let event = client.next_text().await;
        assert!(event.contains(refusal), "{event}");
    }
    client
        .send(r#"42/two,["authenticate",{"token":"user:ann"}]"#)
        .await;
    assert_eq!(client.next_text().await, r#"42/two,["authenticated"]"#);
}

#[tokio::test(start_paused = true)]
async fn the_authorizer_is_asked_about_connects_and_events() {
    let policy = InHandshake::new(users()).authorize(authorizer_fn(
        |holder: auth::authorize::Holder<'_, User>, action: Action<'_>| {
            let name = &holder.identity().0;
            Decision::allow_if(match action {
                Action::Connect { .. } => name != "eve",
                Action::Emit { event, .. } => event != "who" || name == "ann",
                _ => true,
            })
        },
    ));
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    open(io.namespace("/")).open().unwrap();
    for (name, answer) in [
        ("ann", r#"431["ann"]"#),
        ("bob", r#"431[{"error":"insufficient_scope"}]"#),
    ] {
        let mut client = TestClient::open(&io).await;
        client.join_with("/", &token(&format!("user:{name}"))).await;
        client.send(r#"421["who"]"#).await;
        assert_eq!(client.next_text().await, answer);
    }
    let mut client = TestClient::open(&io).await;
    let refused = client.join_with("/", &token("user:eve")).await;
    assert!(refused.contains("insufficient_scope"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn the_number_of_clients_that_wait_to_be_let_in_is_bounded() {
    let mut limits = auth::limits::AuthLimits::default();
    limits.max_pending = 1;
    let io = SocketIo::builder().auth_limits(|_| limits).build().unwrap();
    open(io.namespace("/").authenticate(TwoRoundTrip::new(users())))
        .open()
        .unwrap();
    let (mut first, mut second) = (TestClient::open(&io).await, TestClient::open(&io).await);
    first.join("/").await;
    let refused = second.join("/").await;
    assert!(refused.contains("auth_unavailable"), "{refused}");
    first
        .send(r#"42["authenticate",{"token":"user:ann"}]"#)
        .await;
    first.next_text().await;
    assert!(second.join("/").await.starts_with("40{"));
    drop(second);
    while io.connection_count() > 1 {
        tokio::task::yield_now().await;
    }
    let mut third = TestClient::open(&io).await;
    assert!(
        third.join("/").await.starts_with("40{"),
        "who left does not count"
    );
}

#[tokio::test(start_paused = true)]
async fn a_connection_takes_one_place_however_many_of_its_namespaces_wait() {
    let io = SocketIo::builder().auth_limits(|limits| limits.max_pending(2));
    let io = io.authenticate(TwoRoundTrip::new(users())).build().unwrap();
    let _rooms = io.namespaces("/n-#").open().unwrap();
    let names: Vec<String> = (0..64).map(|number| format!("/n-{number}")).collect();
    let mut greedy = TestClient::open(&io).await;
    let mut modest = TestClient::open(&io).await;
    let mut late = TestClient::open(&io).await;
    for name in &names {
        let answer = greedy.join(name).await;
        assert!(answer.starts_with(&format!("40{name},")), "{answer}");
    }
    let past = greedy.join("/n-64").await;
    assert!(past.contains("Too many namespaces"), "{past}");
    assert!(modest.join("/n-0").await.starts_with("40/n-0,"));
    let refused = late.join("/n-0").await;
    assert!(refused.contains("auth_unavailable"), "{refused}");
    // It keeps its place until the last of them is gone.
    for name in &names {
        let refused = late.join("/n-0").await;
        assert!(refused.contains("auth_unavailable"), "{refused}");
        greedy.send(&format!("41{name},")).await;
    }
    assert!(late.join("/n-0").await.starts_with("40/n-0,"));
}

#[tokio::test(start_paused = true)]
async fn many_connections_of_one_address_keep_nobody_else_from_logging_in() {
    let io = SocketIo::builder().authenticate(TwoRoundTrip::new(users()));
    let io = io.build().unwrap();
    let _rooms = io.namespaces("/n-#").open().unwrap();
    let of = |peer: &str| TestClient::builder().peer(peer.parse().unwrap());
    let mut crowd = Vec::new();
    for _ in 0..640 {
        let mut client = of("192.0.2.1:4000").open(&io).await;
        for number in 0..16 {
            let answer = client.join(&format!("/n-{number}")).await;
            assert!(answer.starts_with("40/n-"), "{answer}");
        }
        crowd.push(client);
    }
    for peer in ["192.0.2.1:5000", "198.51.100.7:4000"] {
        let mut ann = of(peer).open(&io).await;
        let answer = ann.join("/n-1").await;
        assert!(answer.starts_with("40/n-1,"), "{peer}: {answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_judged_at_once_needs_no_place_to_wait_in() {
    let io = SocketIo::builder().auth_limits(|limits| limits.max_pending(1));
    let io = io.build().unwrap();
    open(io.namespace("/").authenticate(InHandshake::new(users())))
        .open()
        .unwrap();
    open(
        io.namespace("/later")
            .authenticate(InHandshake::new(users())),
    )
    .middleware(|_| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    })
    .open()
    .unwrap();
    let mut first = TestClient::open(&io).await;
    first.send(&format!("40/later,{}", token("user:eve"))).await;
    // It waits for the middleware, in the only place.
    let mut second = TestClient::open(&io).await;
    let refused = second.join_with("/later", &token("user:ann")).await;
    assert!(refused.contains("auth_unavailable"), "{refused}");
    let refused = second.join_with("/", &token("hang")).await;
    assert!(refused.contains("auth_unavailable"), "{refused}");
    let refused = second.join_with("/", &token("bad")).await;
    assert!(refused.contains("invalid_token"), "{refused}");
    let answer = second.join_with("/", &token("user:ann")).await;
    assert!(answer.starts_with("40{"), "{answer}");
    assert!(first.next_text().await.starts_with("40/later,{"));
    let answer = second.join_with("/later", &token("user:ann")).await;
    assert!(answer.starts_with("40/later,{"), "{answer}");
}
