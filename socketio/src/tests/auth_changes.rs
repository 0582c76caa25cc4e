//! Sockets that become somebody else: middleware is asked, rooms are left, the application hears.

use std::time::Duration;

use super::Log;
use super::auth::{User, token, users, wall_clock};
use crate::auth::{InHandshake, Inherit, OnExpiry, TwoRoundTrip, revocation::Revocation};
use crate::testing::TestClient;
use crate::{Ack, ConnectError, Namespace, NamespaceBuilder, Socket, SocketIo};

/// Guests may come, subjects may switch, and who stays too long becomes a guest.
fn lenient() -> SocketIo<User> {
    let policy = InHandshake::new(users())
        .guest(|| User("guest".into()))
        .on_expiry(OnExpiry::Downgrade)
        .settings(|settings| {
            settings.allow_switch = true;
            settings.min_renewal_interval = Duration::ZERO;
        });
    SocketIo::builder().authenticate(policy).build().unwrap()
}

/// Logs every change, and keeps each socket in the room of whoever it is.
fn following<S>(builder: NamespaceBuilder<User, S>, log: &Log) -> Namespace<User> {
    let log = log.clone();
    builder
        .on("who", |socket, (): ()| async move {
            Ack(socket.data().0.clone())
        })
        .on_connect(|socket: Socket<User>| async move { socket.join(socket.data().0.clone()) })
        .on_identity_change(move |socket: Socket<User>, change| {
            let (before, after) = (&change.before.0, &change.after.0);
            log.add(format!("{:?} {before} {after}", change.kind));
            assert_eq!(socket.data(), change.after);
            async move { socket.join(change.after.0.clone()) }
        })
        .open()
        .unwrap()
}

/// Middleware that turns `mallory` away, takes a second over `slow:` names, and knows a room.
fn guarded_by<S>(
    builder: NamespaceBuilder<User, S>,
    log: &Log,
) -> NamespaceBuilder<User, crate::namespace::Decided> {
    let log = log.clone();
    builder.middleware(move |socket: Socket<User>| {
        let name = socket.data().0.clone();
        log.add(format!("asked about {name}"));
        async move {
            socket.join(format!("lounge of {name}")).unwrap();
            if name == "late" {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            if name == "mallory" {
                return Err(ConnectError::new("members only"));
            }
            Ok(())
        }
    })
}

fn authenticate(name: &str, ack: u32) -> String {
    format!(
        r#"42{ack}["authenticate",{}]"#,
        token(&format!("user:{name}"))
    )
}

async fn until_acked(client: &mut TestClient, ack: u32) -> String {
    loop {
        let text = client.next_text().await;
        if text.starts_with(&format!("43{ack}")) {
            return text;
        }
    }
}

async fn who(client: &mut TestClient) -> String {
    client.send(r#"429["who"]"#).await;
    until_acked(client, 9).await
}

fn rooms(space: &Namespace<User>) -> Vec<String> {
    let [socket] = &space.sockets()[..] else {
        panic!("one socket")
    };
    let rooms = socket.rooms();
    let mut names: Vec<_> = rooms.iter().map(|room| room.as_str().to_owned()).collect();
    names.sort();
    names
}

#[tokio::test(start_paused = true)]
async fn the_application_hears_of_every_change_with_before_and_after() {
    let (log, io) = (Log::default(), lenient());
    let space = following(io.namespace("/"), &log);
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    assert_eq!(rooms(&space), ["guest"]);
    client.send(&authenticate("ann", 1)).await;
    until_acked(&mut client, 1).await;
    assert_eq!(rooms(&space), ["ann", "guest"], "a login keeps rooms");
    client.send(&authenticate("ann", 2)).await;
    until_acked(&mut client, 2).await;
    client.send(&authenticate("bob:5", 3)).await;
    until_acked(&mut client, 3).await;
    assert_eq!(rooms(&space), ["bob"], "a switch does not");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(who(&mut client).await, r#"439["guest"]"#);
    assert_eq!(rooms(&space), ["guest"], "nor does a downgrade");
    assert_eq!(
        log.take(),
        [
            "Login guest ann",
            "Renewal ann ann",
            "Switch ann bob",
            "Downgrade bob guest",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_change_is_heard_before_what_the_client_sends_behind_it() {
    let (log, io) = (Log::default(), lenient());
    let events = log.clone();
    let builder = io
        .namespace("/")
        .on("say", move |socket: Socket<User>, (): ()| {
            events.add(format!("say {}", socket.data().0));
            async {}
        });
    following(builder, &log);
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("user:ann:5")).await;
    client
        .send_all(&[r#"42["say"]"#, &authenticate("bob:5", 1), r#"42["say"]"#])
        .await;
    until_acked(&mut client, 1).await;
    assert_eq!(log.take(), ["say ann", "Switch ann bob", "say bob"]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_of_changes_that_fails_or_panics_disconnects() {
    for panics in [false, true] {
        let io = lenient();
        let space = io
            .namespace("/")
            .on_identity_change(move |_: Socket<User>, change| async move {
                assert!(!panics, "{:?}", change.kind);
                Err::<(), _>("no")
            })
            .open()
            .unwrap();
        let mut client = TestClient::open(&io).await;
        client.join("/").await;
        client.send(&authenticate("ann", 1)).await;
        until_acked(&mut client, 1).await;
        assert_eq!(client.next_text().await, "41", "{panics}");
        assert_eq!(space.socket_count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn middleware_is_asked_about_everyone_that_a_socket_becomes() {
    let (log, io) = (Log::default(), lenient());
    let space = following(guarded_by(io.namespace("/"), &log), &log);
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    for (ack, name) in [(1, "mallory"), (2, "ann"), (3, "mallory"), (4, "bob:5")] {
        client.send(&authenticate(name, ack)).await;
        let answer = until_acked(&mut client, ack).await;
        let is_refused = answer.contains("insufficient_scope") && answer.contains("members only");
        assert_eq!(is_refused, name == "mallory", "{answer}");
    }
    assert_eq!(who(&mut client).await, r#"439["bob"]"#);
    assert_eq!(rooms(&space), ["bob", "lounge of bob"]);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(who(&mut client).await, r#"439["guest"]"#);
    assert_eq!(rooms(&space), ["guest", "lounge of guest"]);
    assert_eq!(
        log.take(),
        [
            "asked about guest",
            "asked about mallory",
            "asked about ann",
            "Login guest ann",
            "asked about mallory",
            "asked about bob",
            "Switch ann bob",
            "asked about guest",
            "Downgrade bob guest",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn until_middleware_has_spoken_a_socket_stays_who_it_is() {
    let (log, io) = (Log::default(), lenient());
    let space = following(guarded_by(io.namespace("/"), &log), &log);
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("user:ann")).await;
    client.send(&authenticate("late", 1)).await;
    assert_eq!(who(&mut client).await, r#"439["ann"]"#);
    assert_eq!(rooms(&space), ["ann", "lounge of ann"]);
    client.send(&authenticate("bob", 2)).await;
    let answer = until_acked(&mut client, 2).await;
    assert!(answer.contains("auth_in_progress"), "{answer}");
    until_acked(&mut client, 1).await;
    assert_eq!(who(&mut client).await, r#"439["late"]"#);
    assert_eq!(rooms(&space), ["late", "lounge of late"]);
}

#[tokio::test(start_paused = true)]
async fn who_is_revoked_while_middleware_is_asked_about_it_does_not_take_over() {
    let (log, io) = (Log::default(), lenient());
    let space = following(guarded_by(io.namespace("/"), &log), &log);
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("user:ann")).await;
    client.send(&authenticate("late", 1)).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    // Nobody holds such a grant yet.
    let late = Revocation::subject("late", wall_clock());
    assert_eq!(io.auth().kick(&late), 0);
    let answer = until_acked(&mut client, 1).await;
    assert!(answer.contains("token_revoked"), "{answer}");
    assert_eq!(client.next_text().await, "41");
    assert_eq!(space.socket_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_a_socket_sends_after_its_grant_waits_for_the_guest() {
    let policy = InHandshake::new(users())
        .guest(|| User("late".into()))
        .on_expiry(OnExpiry::Downgrade);
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    let log = Log::default();
    following(guarded_by(io.namespace("/"), &log), &log);
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("user:ann:5")).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(who(&mut client).await, r#"439["late"]"#);
}

#[tokio::test(start_paused = true)]
async fn a_guest_that_middleware_does_not_take_is_put_out_at_the_end_of_the_grant() {
    let policy = InHandshake::new(users())
        .guest(|| User("mallory".into()))
        .on_expiry(OnExpiry::Downgrade);
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    let log = Log::default();
    let space = following(guarded_by(io.namespace("/"), &log), &log);
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("user:ann:5")).await;
    let told = format!("{:?}", client.drain().await);
    assert!(told.contains("token_expired"), "{told}");
    assert!(told.contains("members only"), "{told}");
    assert!(told.contains(r#"Packet("41")"#), "{told}");
    assert_eq!(space.socket_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_turned_away_leaves_no_rooms_to_who_comes_behind() {
    let io = SocketIo::new();
    let log = Log::default();
    let policy = TwoRoundTrip::new(users());
    let builder = io.namespace("/").authenticate(policy);
    let space = following(guarded_by(builder, &log), &log);
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    client.send(&authenticate("mallory", 1)).await;
    until_acked(&mut client, 1).await;
    client.send(&authenticate("ann", 2)).await;
    until_acked(&mut client, 2).await;
    assert_eq!(rooms(&space), ["ann", "lounge of ann"]);
}

#[tokio::test(start_paused = true)]
async fn a_handle_that_middleware_keeps_is_good_for_whom_it_was_asked_about() {
    let io = lenient();
    let kept = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = std::sync::Arc::clone(&kept);
    io.namespace("/")
        .middleware(move |socket: Socket<User>| {
            let is_mallory = socket.data().0 == "mallory";
            keep.lock().unwrap().push(socket);
            async move {
                if is_mallory {
                    return Err("no".into());
                }
                Ok(())
            }
        })
        .open()
        .unwrap();
    let mut client = TestClient::open(&io).await;
    client.join("/").await;
    for (ack, name) in [(1, "ann"), (2, "mallory"), (3, "bob")] {
        client.send(&authenticate(name, ack)).await;
        until_acked(&mut client, ack).await;
    }
    let [guest, ann, mallory, bob] = &kept.lock().unwrap()[..] else {
        panic!("asked four times")
    };
    for (socket, name) in [
        (guest, "bob"),
        (ann, "bob"),
        (mallory, "mallory"),
        (bob, "bob"),
    ] {
        assert_eq!(socket.data().0, name);
        assert_eq!(socket, bob, "one socket");
        assert_eq!(socket.join("x").is_ok(), name == "bob", "{name}");
        assert_eq!(socket.subject().unwrap().id(), name);
    }
}

#[tokio::test(start_paused = true)]
async fn middleware_has_its_time_and_no_more() {
    for (late_by, is_in) in [(Duration::ZERO, false), (Duration::from_millis(1), true)] {
        let io = SocketIo::new();
        let space = io
            .namespace("/")
            .authenticate(TwoRoundTrip::new(users()))
            .middleware(move |_: Socket<User>| async move {
                tokio::time::sleep(Duration::from_secs(45) - late_by).await;
                Ok(())
            })
            .open()
            .unwrap();
        let mut client = TestClient::open(&io).await;
        client.join("/").await;
        client.send(&authenticate("ann", 1)).await;
        let answer = until_acked(&mut client, 1).await;
        assert_eq!(answer.contains("auth_unavailable"), !is_in, "{answer}");
        assert_eq!(space.socket_count(), usize::from(is_in));
    }
}

/// Two namespaces of one policy, the second of which takes over what the first holds; its own middleware is asked.
fn inheriting(log: &Log, allows_switch: bool) -> (SocketIo<User>, Namespace<User>) {
    let policy = InHandshake::new(users()).settings(move |settings| {
        settings.inherit = Inherit::SameSubject;
        settings.allow_switch = allows_switch;
        settings.min_renewal_interval = Duration::ZERO;
    });
    let io = SocketIo::builder().authenticate(policy).build().unwrap();
    io.namespace("/").open().unwrap();
    let heir = following(guarded_by(io.namespace("/heir"), log), log);
    (io, heir)
}

#[tokio::test(start_paused = true)]
async fn a_renewal_reaches_those_who_took_the_grant_over() {
    let log = Log::default();
    let (io, heir) = inheriting(&log, false);
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("user:ann:5")).await;
    assert!(client.join("/heir").await.starts_with("40/heir,"));
    log.take();
    client.send(&authenticate("ann:60", 1)).await;
    until_acked(&mut client, 1).await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(rooms(&heir), ["ann", "lounge of ann"]);
    assert_eq!(log.take(), ["Renewal ann ann"], "nobody is asked");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(heir.socket_count(), 0, "it ends with the new one");
}

#[tokio::test(start_paused = true)]
async fn a_switch_takes_those_who_took_the_grant_over_along_or_puts_them_out() {
    for (name, is_welcome) in [("bob", true), ("mallory", false)] {
        let log = Log::default();
        let (io, heir) = inheriting(&log, true);
        let mut client = TestClient::open(&io).await;
        client.join_with("/", &token("user:ann")).await;
        client.join("/heir").await;
        client.send(&authenticate(name, 1)).await;
        until_acked(&mut client, 1).await;
        if is_welcome {
            assert_eq!(rooms(&heir), ["bob", "lounge of bob"]);
        } else {
            let told = client.next_text().await;
            assert!(
                told.starts_with("42/heir,") && told.contains("members only"),
                "{told}"
            );
            assert_eq!(client.next_text().await, "41/heir,");
            assert_eq!(heir.socket_count(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_namespace_hears_why_the_connection_closes() {
    let log = Log::default();
    let (io, _heir) = inheriting(&log, false);
    let mut client = TestClient::open(&io).await;
    client.join_with("/", &token("user:ann:5")).await;
    client.join("/heir").await;
    let mut told = Vec::new();
    for received in client.drain().await {
        let text = format!("{received:?}");
        if text.contains("token_expired") {
            told.push(text.contains("/heir"));
        }
    }
    assert_eq!(told, [false, true]);
}
