//! Grants of live sockets: asked about again, taken over by others, shared by namespaces.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::Log;
use super::auth::{User, token, users, wall_clock};
use crate::auth::{
    AuditKind, AuthContext, AuthEvent, Authenticator, Code, Credential, Grant, InHandshake,
    Inherit, Outcome, Scopes, TwoRoundTrip, auth_fn,
    authorize::{Action, Decision, Holder, authorizer_fn},
    revocation::{MemoryRevocations, Revocation},
};
use crate::testing::{Received, TestClient};
use crate::{Ack, AuthControl, Room, Socket, SocketIo};

/// What an issuer says of every token, changed by tests.
#[derive(Clone, Default)]
struct Issuer(Arc<Mutex<Option<&'static str>>>);

impl Issuer {
    fn says(&self, scopes: Option<&'static str>) {
        *self.0.lock().unwrap() = scopes;
    }

    fn authenticator(&self) -> impl Authenticator<Identity = User> + use<> {
        let issuer = self.clone();
        auth_fn(move |_: AuthContext, _: Credential| {
            let said = *issuer.0.lock().unwrap();
            async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                match said {
                    Some("down") => Outcome::Reject(Code::AuthUnavailable.into()),
                    Some(scopes) => Outcome::Accept(
                        Grant::new(User("ann".into()), "ann").with_scopes(Scopes::parse(scopes)),
                    ),
                    None => Outcome::Reject(Code::InvalidToken.into()),
                }
            }
        })
    }
}

fn by_scope(holder: Holder<'_, User>, action: Action<'_>) -> Decision {
    let scopes = holder.grant().map(crate::auth::GrantFacts::scopes);
    Decision::allow_if(match action {
        Action::Join { room } => scopes.is_some_and(|scopes| scopes.contains(room)),
        _ => true,
    })
}

#[tokio::test(start_paused = true)]
async fn a_live_socket_loses_what_its_issuer_takes_back() {
    let (issuer, log) = (Issuer::default(), Log::default());
    issuer.says(Some("a b"));
    let books = log.clone();
    let policy = InHandshake::new(issuer.authenticator())
        .authorize(authorizer_fn(by_scope))
        .settings(|settings| settings.revalidate_every = Some(Duration::from_secs(10)));
    let io = SocketIo::builder()
        .audit(move |event: &AuthEvent<'_>| books.add(event.kind.as_str()))
        .authenticate(policy)
        .build()
        .unwrap();
    let space = io
        .namespace("/")
        .on_connect(|socket: Socket<User>| async move {
            socket.join("a").unwrap();
            socket.join("b").unwrap();
        })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("opaque")).await;
    let socket = space.sockets().remove(0);
    for (said, rooms) in [
        ("down", &["a", "b"][..]),
        ("a b", &["a", "b"]),
        ("b", &["b"]),
    ] {
        issuer.says(Some(said));
        tokio::time::sleep(Duration::from_secs(11)).await;
        let rooms: Vec<_> = rooms.iter().map(|room| Room::from(*room)).collect();
        assert_eq!(socket.rooms(), rooms, "{said}");
    }
    issuer.says(None);
    assert!(client.next_text().await.contains("invalid_token"));
    assert_eq!(client.next_text().await, "41");
    assert_eq!(client.next().await, Received::Closed);
    let log = log.take();
    assert_eq!(log.iter().filter(|word| *word == "attempt").count(), 5);
    assert_eq!(log.last().map(String::as_str), Some("rejected"));
}

#[tokio::test(start_paused = true)]
async fn row_22_a_socket_that_may_switch_leaves_the_rooms_of_who_it_was() {
    let policy = InHandshake::new(users()).settings(|settings| settings.allow_switch = true);
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    let space = io
        .namespace("/")
        .on("who", |socket: Socket<User>, (): ()| async move {
            Ack(socket.data().0.clone())
        })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("user:ann")).await;
    let socket = space.sockets().remove(0);
    socket.join("friends-of-ann").unwrap();
    client
        .send(r#"42["authenticate",{"token":"user:bob"}]"#)
        .await;
    assert_eq!(client.next_text().await, r#"42["authenticated"]"#);
    space.to("friends-of-ann").emit("secret", &()).unwrap();
    client.send(r#"421["who"]"#).await;
    assert_eq!(client.next_text().await, r#"431["bob"]"#);
    assert_eq!(socket.rooms(), []);
    assert_eq!(io.auth().kick(&Revocation::subject("ann", wall_clock())), 0);
    assert_eq!(io.auth().kick(&Revocation::subject("bob", wall_clock())), 1);
}

/// Two namespaces under the server's policy, which may be inherited, and others.
fn inheriting(list: &Arc<MemoryRevocations>) -> SocketIo<User> {
    let policy = InHandshake::new(users().with_revocation(Arc::clone(list)))
        .authorize(authorizer_fn(|_: Holder<'_, User>, action: Action<'_>| {
            Decision::allow_if(
                action
                    != (Action::Connect {
                        namespace: "/staff",
                    }),
            )
        }))
        .settings(|settings| settings.inherit = Inherit::SameSubject);
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    for name in ["/", "/b", "/c", "/staff"] {
        io.namespace(name)
            .on("who", |socket: Socket<User>, (): ()| async move {
                Ack(socket.data().0.clone())
            })
            .open()
            .unwrap();
    }
    let own =
        TwoRoundTrip::new(users()).settings(|settings| settings.inherit = Inherit::SameSubject);
    io.namespace("/own").authenticate(own).open().unwrap();
    io
}

#[tokio::test(start_paused = true)]
async fn another_namespace_of_the_same_policy_takes_the_grant_over_and_its_end() {
    let io = inheriting(&Arc::default());
    let mut client = TestClient::open(&io).await;
    let refused = client.join("/b").await;
    assert!(refused.contains("credentials_required"), "{refused}");
    client.join_with("/", &token("user:ann:40")).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let reply = client.join("/b").await;
    assert!(reply.starts_with("40/b,"), "{reply}");
    assert!(reply.contains(r#""auth":{"expires_in":"#), "{reply}");
    client.send(r#"42/b,1["who"]"#).await;
    assert_eq!(client.next_text().await, r#"43/b,1["ann"]"#);
    let refused = client.join("/staff").await;
    assert!(refused.contains("insufficient_scope"), "{refused}");
    let reply = client.join("/own").await;
    assert!(reply.starts_with("40/own,"), "{reply}");
    client.send(r#"42/own,["authenticate",{}]"#).await;
    let answer = client.next_text().await;
    assert!(
        answer.contains("credentials_required"),
        "another policy, another grant: {answer}"
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_inherited_of_two_subjects_of_a_bad_token_or_of_who_left() {
    let io = inheriting(&Arc::default());
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("user:ann")).await;
    let refused = client.join_with("/b", &token("bad")).await;
    assert!(refused.contains("invalid_token"), "{refused}");
    client.join_with("/b", &token("user:bob")).await;
    let refused = client.join("/c").await;
    assert!(refused.contains("credentials_required"), "whose? {refused}");
    client.send("41/b").await;
    client.join_with("/b", &token("user:ann::idp")).await;
    let refused = client.join("/c").await;
    assert!(refused.contains("credentials_required"), "whose? {refused}");
    client.send("41/b").await;
    assert!(client.join("/c").await.starts_with("40/c,"));
    client.send_all(&["41/c", "41"]).await;
    let refused = client.join("/c").await;
    assert!(refused.contains("credentials_required"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn row_13_revocation_finds_inherited_grants() {
    let list = Arc::default();
    let io = inheriting(&list);
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("user:ann")).await;
    client.join("/b").await;
    list.revoke(&Revocation::subject("ann", wall_clock()))
        .unwrap();
    let told = format!("{:?}", client.drain().await);
    assert!(
        told.contains(r#"Packet("41")"#) && told.contains(r#"Packet("41/b,")"#),
        "{told}"
    );
}

/// An identity that tells when its last holder lets go of it.
struct Tells(Option<Box<dyn Fn() + Send + Sync>>);

impl Drop for Tells {
    fn drop(&mut self) {
        if let Some(tell) = self.0.take() {
            tell();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn row_13_who_is_kicked_by_a_grant_that_has_just_been_set_leaves() {
    let server: Arc<OnceLock<AuthControl>> = Arc::default();
    let (log, kicking) = (Log::default(), Arc::clone(&server));
    let kicks = log.clone();
    let authenticator = auth_fn(move |_: AuthContext, credential: Credential| {
        let id = credential.token().to_owned();
        let (kicking, kicks) = (Arc::clone(&kicking), kicks.clone());
        async move {
            // Let go of when the renewal has set the grant of the other token.
            let tells = (id == "old").then(|| {
                Box::new(move || {
                    let kicked = kicking
                        .get()
                        .map(|auth| auth.kick(&Revocation::token("new")));
                    kicks.add(format!("{kicked:?}"));
                }) as Box<dyn Fn() + Send + Sync>
            });
            Outcome::Accept(Grant::new(Arc::new(Tells(tells)), "ann").with_token_id(id))
        }
    });
    let policy = InHandshake::new(authenticator);
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    io.namespace("/").open().unwrap();
    assert!(server.set(io.auth()).is_ok());
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("old")).await;
    client
        .send(&format!(r#"42["authenticate",{}]"#, token("new")))
        .await;
    let told = format!("{:?}", client.drain().await);
    assert_eq!(log.take(), ["Some(1)"], "found by the grant it has by now");
    assert!(
        told.contains("token_revoked") && told.contains(r#"Packet("41")"#),
        "{told}"
    );
}

#[tokio::test]
async fn row_13_a_kick_that_is_under_way_finds_whoever_takes_the_grant_over() {
    // Two connections of one subject. Telling the first of its end waits until the second has asked for a namespace
    // that the kick has looked through already.
    let (told, mut first_is_told) = tokio::sync::mpsc::unbounded_channel();
    let (go_on, may_go_on) = std::sync::mpsc::channel();
    let may_go_on = Mutex::new(may_go_on);
    let policy =
        InHandshake::new(users()).settings(|settings| settings.inherit = Inherit::SameSubject);
    let builder = SocketIo::builder().authenticate(policy);
    let io = builder
        .audit(move |event: &AuthEvent<'_>| {
            if matches!(event.kind, AuditKind::Revoked(_)) && told.send(()).is_ok() {
                let _ = may_go_on.lock().unwrap().recv();
            }
        })
        .build()
        .unwrap();
    let spaces = ["/", "/b"].map(|name| io.namespace(name).open().unwrap());
    let (mut one, mut other) = (TestClient::open(&io).await, TestClient::open(&io).await);
    for client in [&mut one, &mut other] {
        client.join_with("/", &token("user:ann")).await;
    }
    let auth = io.auth();
    let kick = std::thread::spawn(move || auth.kick(&Revocation::subject("ann", wall_clock())));
    first_is_told.recv().await;
    first_is_told.close();
    for client in [&mut one, &mut other] {
        client.send("40/b,").await;
    }
    let answer = tokio::select! {
        answer = one.next_text() => answer,
        answer = other.next_text() => answer,
    };
    assert!(answer.contains("token_revoked"), "{answer}");
    go_on.send(()).unwrap();
    assert_eq!(kick.join().unwrap(), 2);
    for client in [&mut one, &mut other] {
        while client.next().await != Received::Closed {}
    }
    assert_eq!(spaces.map(|space| space.socket_count()), [0, 0]);
}

#[tokio::test(start_paused = true)]
async fn row_36_an_identity_whose_end_panics_ends_nobody() {
    let authenticator = auth_fn(|_: AuthContext, credential: Credential| async move {
        let tells = (credential.token() == "old").then(|| {
            fn panics() {
                panic!("an identity that does not go quietly");
            }
            Box::new(panics) as Box<dyn Fn() + Send + Sync>
        });
        Outcome::Accept(Grant::new(Arc::new(Tells(tells)), "ann"))
    });
    let policy = InHandshake::new(authenticator);
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    io.namespace("/").open().unwrap();
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("old")).await;
    let renewal = format!(r#"42["authenticate",{}]"#, token("new"));
    client.send(&renewal).await;
    assert_eq!(client.next_text().await, r#"42["authenticated"]"#);
    // Its packets are still looked at.
    client.send("41").await;
    assert!(
        client
            .join_with("/", &token("new"))
            .await
            .starts_with("40{")
    );
}

#[tokio::test(start_paused = true)]
async fn row_13_a_renewed_grant_is_found_by_its_own_token_and_no_longer_by_the_one_before() {
    let authenticator = auth_fn(|_: AuthContext, credential: Credential| async move {
        let id = credential.token().to_owned();
        let grant = Grant::new(User("ann".into()), "ann").with_session_id(format!("s-{id}"));
        Outcome::Accept(grant.with_token_id(id))
    });
    let policy = InHandshake::new(authenticator);
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    io.namespace("/").open().unwrap();
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("one")).await;
    let renewal = format!(r#"42["authenticate",{}]"#, token("two"));
    client.send(&renewal).await;
    assert_eq!(client.next_text().await, r#"42["authenticated"]"#);
    let warn = |grants| io.auth().expire_in(&grants, Duration::from_secs(9));
    assert_eq!(warn(Revocation::token("one")), 0);
    assert_eq!(warn(Revocation::session("s-one")), 0);
    assert_eq!(warn(Revocation::token("two")), 1);
    assert_eq!(warn(Revocation::session("s-two")), 1);
}
